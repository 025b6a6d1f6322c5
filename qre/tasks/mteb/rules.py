"""What counts for a task's main score: splits, subsets and metric, as the installed `mteb` has it."""

from __future__ import annotations

import importlib.util
from functools import cache
from typing import NamedTuple

BENCHMARKS = ("MTEB(eng, v2)", "MTEB(eng, v1)")


class Rule(NamedTuple):
    """What counts for a task; metric "" where only the file can tell."""

    splits: tuple[str, ...]
    subsets: tuple[str, ...]
    metric: str = ""


@cache
def official_rules() -> dict[str, Rule]:
    """The rules that the installed `mteb` gives for every task with an English part; {} where it is not installed."""
    if importlib.util.find_spec("mteb") is None:
        return {}
    import mteb

    english = mteb.get_tasks(languages=["eng"], exclusive_language_filter=True, exclude_superseded=False, exclude_private=False)
    tasks = [*english, *(task for name in reversed(BENCHMARKS) for task in mteb.get_benchmark(name).tasks)]
    return {task.metadata.name: rule_of(task) for task in tasks}


def rule_of(task) -> Rule:
    """The rule of a task object of `mteb`, with the splits and subsets that it was made with."""
    subsets = ("default",) if task.is_aggregate else tuple(task.hf_subsets)
    return Rule(tuple(task.eval_splits), subsets, task.metadata.main_score)

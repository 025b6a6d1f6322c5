"""What counts for a task's main score: splits, subsets and metric, as the installed `mteb` has it."""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from typing import NamedTuple

BENCHMARKS = ("MTEB(eng, v2)", "MTEB(eng, v1)")
ENGLISH, ALL = ("eng",), ("all",)  # languages whose subsets count
TASK = re.compile(r"[A-Za-z0-9_.-]{2,100}")  # what the names of all MTEB tasks look like
NO_TASK = re.compile(  # columns of a leaderboard that look so: what is known of a model, ranks and means
    r"(rank|mean|avg|average|overall|total)([_.-].*)?|score|model|name|revision|year|licen[cs]e|.*param(eter)?s|.*dim(ension)?s?|size|memory.*|.*max_?tokens"
    r"|zero[_-]?shot|downloads|likes|n_.*",
    re.IGNORECASE,
)
TYPES = frozenset(
    """
    BitextMining Classification Clustering MultilabelClassification PairClassification Regression Reranking
    Retrieval STS Summarization InstructionRetrieval InstructionReranking Compositionality
    DocumentUnderstanding ZeroShotClassification Any2AnyRetrieval Any2AnyReranking
    Any2AnyMultilingualRetrieval ImageClassification ImageClustering VisionCentricQA AudioClassification
    AudioClustering AudioMultilabelClassification AudioPairClassification AudioReranking
    AudioZeroshotClassification VideoCentricQA VideoClassification VideoClustering VideoPairClassification
    VideoZeroshotClassification Speed
    """.casefold().split()
)


class Rule(NamedTuple):
    """What counts for a task; metric "" where only the file can tell."""

    splits: tuple[str, ...]
    subsets: tuple[str, ...]
    metric: str = ""


@cache
def registered() -> frozenset[str]:
    """The names of all tasks that the installed `mteb` knows; none where it is not installed."""
    if importlib.util.find_spec("mteb") is None:
        return frozenset()
    import mteb

    return frozenset(task.metadata.name for task in mteb.get_tasks(exclude_superseded=False, exclude_private=False))


def is_task(name: str) -> bool:
    """Whether a column of a table is a task of MTEB: by its registry; where it is not installed, by what names of tasks
    look like."""
    if known := registered():
        return name in known
    return bool(TASK.fullmatch(name)) and name.casefold() not in TYPES and not NO_TASK.fullmatch(name)


@cache
def official_rules(languages: tuple[str, ...] = ENGLISH) -> dict[str, Rule]:
    """The rules that the installed `mteb` gives for every task with a part in these languages; {} where it is not
    installed."""
    if importlib.util.find_spec("mteb") is None:
        return {}
    import mteb

    if languages != ENGLISH:
        rules = {
            task.metadata.name: _in(rule_of(task), task, languages)
            for task in mteb.get_tasks(exclude_superseded=False, exclude_private=False)
        }
        return {name: rule for name, rule in rules.items() if rule.subsets}
    english = mteb.get_tasks(
        languages=["eng"], exclusive_language_filter=True, exclude_superseded=False, exclude_private=False
    )
    tasks = [*english, *(task for name in reversed(BENCHMARKS) for task in mteb.get_benchmark(name).tasks)]
    return {task.metadata.name: rule_of(task) for task in tasks}


def _in(rule: Rule, task, languages: tuple[str, ...]) -> Rule:
    """The rule with the subsets all of whose languages are wanted; the filter of `mteb` itself would let subsets pass
    that are half in another."""
    codes = task.metadata.eval_langs
    of = codes if isinstance(codes, dict) else dict.fromkeys(rule.subsets, codes)
    wanted = [
        one
        for one in rule.subsets
        if languages == ALL or (one in of and {code.split("-")[0] for code in of[one]} <= set(languages))
    ]
    return rule._replace(subsets=tuple(wanted))


def rule_of(task) -> Rule:
    """The rule of a task object of `mteb`, with the splits and subsets that it was made with."""
    subsets = ("default",) if task.is_aggregate else tuple(task.hf_subsets)
    return Rule(tuple(task.eval_splits), subsets, task.metadata.main_score)

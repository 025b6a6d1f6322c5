"""Which MTEB tasks an entry of the config means, by what rules they count, and what kind each is. Without the package
of MTEB: by their names alone."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple

from jobs.config import MtebScores
from qre.errors import UserError
from qre.near_names import did_you_mean
from qre.tasks.mteb import Rule, official_rules, rule_of
from qre.tasks.mteb.rules import ENGLISH

INSTALL = (
    'it needs the package of MTEB, and so Python 3.11 or newer: pip install -e ".[mteb]" in this project\'s checkout'
)


class Chosen(NamedTuple):
    """`names`: the tasks meant, None for all that the results hold. `rules`: what counts, by task; others get the rule
    of their file."""

    names: tuple[str, ...] | None
    rules: Mapping[str, Rule]
    languages: tuple[str, ...] = ENGLISH


def installed() -> bool:
    """Whether the package of MTEB is there."""
    return importlib.util.find_spec("mteb") is not None


def chosen(entry: MtebScores, place: str) -> Chosen:
    """The tasks that an entry means.

    A benchmark's own splits and subsets stand before those of the English benchmarks.

    Raises:
        UserError: it names a benchmark, and the package of MTEB is not installed or does not know it.
    """
    if entry.benchmark is not None:
        rules = _benchmark(entry.benchmark, f"{place}.benchmark")
        return Chosen(tuple(rules), {**official_rules(), **rules})
    if entry.tasks is None:
        return Chosen(None, official_rules(entry.languages), entry.languages)
    return by_name(entry.tasks, entry.languages)


def by_name(names: tuple[str, ...], languages: tuple[str, ...] = ENGLISH) -> Chosen:
    """Tasks by their names; one that the package does not know, or not in these languages, gets the rule of its
    files."""
    names, rules = tuple(dict.fromkeys(names)), official_rules(languages)
    others = {name: rule for name in names if name not in rules and (rule := _own_rule(name)) is not None}
    return Chosen(names, {**rules, **others}, languages)


@cache
def kinds() -> dict[str, str]:
    """Task -> its type as MTEB has it (STS, Retrieval, ...); {} where the package is not installed."""
    if not installed():
        return {}
    import mteb

    return {
        task.metadata.name: str(task.metadata.type)
        for task in mteb.get_tasks(exclude_superseded=False, exclude_private=False)
    }


@cache
def languages() -> frozenset[str]:
    """Three-letter codes of the languages that the tasks of the package are in; none where it is not installed."""
    if not installed():
        return frozenset()
    import mteb

    tasks = mteb.get_tasks(exclude_superseded=False, exclude_private=False)
    return frozenset(code.partition("-")[0] for task in tasks for code in task.metadata.languages)


def check_names(names: Iterable[str], place: str, found: Iterable[str] = ()) -> None:
    """UserError where a task is neither one of the installed package nor one that results were found of. Without the
    package nobody knows what there is.

    Args:
        place: where they are named.
        found: tasks that the results hold.
    """
    known = dict.fromkeys([*found, *kinds()])
    for name in names:
        if installed() and name not in known:
            raise UserError(f"{place}: no MTEB task {name!r} that the installed mteb knows{did_you_mean(name, known)}")


def check_languages(entry: MtebScores, place: str) -> None:
    """UserError where no task of the installed package is in one of the languages."""
    for code in entry.languages:
        if code != "all" and (known := languages()) and code not in known:
            raise UserError(
                f"{place}.languages: no MTEB task is in {code!r}{did_you_mean(code, known)}; give three-letter codes "
                f"of ISO 639-3, e.g. deu"
            )


@cache
def _benchmark(name: str, place: str) -> dict[str, Rule]:
    if not installed():
        raise UserError(f"{place}: {INSTALL}; or name its tasks instead")
    import mteb

    try:
        tasks = mteb.get_benchmark(name).tasks
    except KeyError:
        raise UserError(
            f"{place}: no benchmark {name!r} that the installed mteb "
            f"knows{did_you_mean(name, [one.name for one in mteb.get_benchmarks()])}"
        ) from None
    rules: dict[str, Rule] = {}
    for task in tasks:
        rules.setdefault(task.metadata.name, rule_of(task))
    return rules


def _own_rule(name: str) -> Rule | None:
    """The rule of a task without an English part, with all its splits and subsets; None where it is not known."""
    if name not in kinds():
        return None
    import mteb

    return rule_of(mteb.get_task(name))

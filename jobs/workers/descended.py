"""Variants of encoders on a map, and the differences of their scores, by the items in the store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from jobs.config import SweepConfig
from jobs.planning.plan import Plan
from qre.atlas.beside_parents import DIFFERENCE, PAIR, Descended
from qre.build.scored import Progress
from qre.encoders.lineage import Descent, descents
from qre.store import Store
from qre.tasks.bootstrap import Resamples
from qre.tasks.difference import differences, paired_resamples
from qre.tasks.statistics import Statistic

STAGE = "differences of variants"
SAME = 1e-9  # a score and what follows from its items differ by less


@dataclass(frozen=True)
class Scored:
    """A task that variants are scored on.

    Attributes:
        fingerprint, name: of the task.
        statistic: how a score follows from its items.
        at: key of the unit -> name of its score in the store.
    """

    fingerprint: str
    name: str
    statistic: Statistic
    at: dict[str, str]


@dataclass(frozen=True)
class Lineage:
    """Which encoders are variants of which, and what their scores are; small: it holds no items.

    Attributes:
        descents: those of the encoders on the map.
        names: key of a unit -> name of the encoder.
        tasks: that some of them are scored on.
    """

    descents: tuple[Descent, ...]
    names: dict[str, str]
    tasks: tuple[Scored, ...]


def lineage(config: SweepConfig, plan: Plan) -> Lineage:
    """The lineage of the encoders on the map that a plan leaves to make."""
    units = {unit.key: unit.spec for unit in plan.on_map}
    found = tuple(descents(units.items(), plan.sentences.fingerprint, config.encode))
    concerned = {key for one in found for key in (one.variant, one.parent)}
    tasks = [
        Scored(
            fingerprint,
            task.name,
            task.statistic,
            {key: plan.scored[fingerprint, key] for key in concerned if (fingerprint, key) in plan.scored},
        )
        for fingerprint, task in plan.tasks.items()
    ]
    return Lineage(found, {key: units[key].name for key in concerned}, tuple(one for one in tasks if one.at))


def found_descended(
    store: Store, wanted: Lineage, scores: pd.DataFrame, threads: int = 1, progress: Progress = lambda *stage: None
) -> Descended:
    """What the store tells of the variants. Items are read for one parent and task at a time; those that are absent,
    damaged or of another score give no difference, and nothing is scored again for them.

    Args:
        scores: of the encoders on the map, columns qre.build.scored.SCORES.
        threads: each has one parent with its variants; changes no number.
        progress: as of jobs.workers.reduce.reduce.
    """
    names = wanted.names
    pairs = [(names[one.variant], names[one.parent], one.done) for one in wanted.descents]
    measured = scores[scores["source"] == "measured"]
    known = dict(zip(zip(measured["task"], measured["name"]), measured["score"].astype(np.float64), strict=True))
    families: dict[str, list[str]] = {}
    for one in wanted.descents:
        families.setdefault(one.parent, []).append(one.variant)
    rows: list[tuple] = []
    done = 0
    for task in wanted.tasks:
        own = {key: known[task.name, name] for key, name in names.items() if (task.name, name) in known}
        one_parent = partial(_differences, store, task, own, paired_resamples())
        with ThreadPoolExecutor(threads) as pool:
            for told in pool.map(one_parent, families.items()):
                rows += [(names[key], *values) for key, *values in told]
                progress(STAGE, done := done + 1, len(wanted.tasks) * len(families))
    return Descended(pd.DataFrame(pairs, columns=list(PAIR)), pd.DataFrame(rows, columns=list(DIFFERENCE)))


def _differences(
    store: Store, task: Scored, scores: dict[str, float], resamples: Resamples, family: tuple[str, list[str]]
) -> list[tuple[str, str, float, float, float]]:
    """(key of the variant, task, low, high, better) of the variants of one parent on one task."""
    parent, variants = family
    keys = [key for key in (parent, *variants) if key in task.at and key in scores]
    if parent not in keys or len(keys) < 2:
        return []
    read = store.items.read(task.fingerprint, [task.at[key] for key in keys])
    items = {key: read[task.at[key]] for key in keys if task.at[key] in read}
    items = {key: one for key, one in items.items() if _are_of(task.statistic, one, scores[key])}
    pairs = [(key, parent) for key in variants if key in items and parent in items]
    found = differences(task.statistic, items, pairs, resamples)
    return [(key, task.name, told.low, told.high, told.better) for (key, _), told in zip(pairs, found, strict=True)]


def _are_of(statistic: Statistic, items: np.ndarray, score: float) -> bool:
    """Whether a score follows from items."""
    return statistic.fits(items) and abs(statistic.score(items) - score) < SAME

"""Where a new encoder stands on a map that is finished, and what follows for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from qre.counted import counted

# familiarity below it: perhaps of a kind that is not known; so many of the encoders of new kinds are told, at least
UNFAMILIAR = 0.85
# distance to an encoder of the map, in lengths of the own feature vector: other batches move all-MiniLM-L6-v2 by 3e-11,
# bfloat16 by 2e-6, and the nearest two of the built-in classical encoders are 5e-3 apart
SAME = 1e-4


@dataclass(frozen=True)
class Placement:
    """A new encoder beside those of a map.

    Attributes:
        name: as it was given.
        x, y: on the map; that of the encoder itself where it is on the map already.
        qre: quantum relative entropy with respect to the unit base encoder, nats.
        entropy: von Neumann entropy, nats.
        effective_rank: how many directions the encoder really uses.
        dimension: d.
        feature: feature vector, (n,), float64, by the map's own method.
        neighbours: rank, neighbour, family, distance: the nearest encoders of the map, nearest first.
        predicted: task, kind, metric, predicted, low, high, kinds; a score lies in its interval, calibrated over so
            many kinds of encoders, with the coverage that the predictor was fitted for. NaN and infinite where they are
            too few: not predictable from this map. Empty where the map has no scores to predict from.
        familiarity: the share of known kinds that, left out, stand further between the others than this encoder does;
            None without scores, or with too few kinds.
        same: name of the encoder of the map that has these features already; None where it is a new one.
        scored: whether that encoder has a score on every task that is predicted, so that a prediction tells nothing.
        warning: what a reader must know of before the predictions; "" where nothing.
        notes: what a reader must know beside it.
    """

    name: str
    x: float
    y: float
    qre: float
    entropy: float
    effective_rank: float
    dimension: int
    feature: np.ndarray
    neighbours: pd.DataFrame
    predicted: pd.DataFrame
    familiarity: float | None
    same: str | None
    scored: bool
    warning: str
    notes: tuple[str, ...]

    def summary(self) -> dict:
        """Plain values, one of each kind: name, x, y, qre, entropy, effective_rank, dimension, nearest, distance,
        familiarity, same, warning, notes."""
        nearest = self.neighbours.iloc[0]
        own = ("name", "x", "y", "qre", "entropy", "effective_rank", "dimension")
        return {name: getattr(self, name) for name in own} | {
            "nearest": nearest["neighbour"],
            "distance": float(nearest["distance"]),
            "familiarity": self.familiarity,
            "same": self.same,
            "warning": self.warning,
            "notes": list(self.notes),
        }


def is_same(distance: float, feature: np.ndarray, metric: str) -> bool:
    """Whether a feature vector (n,) at this distance from another is the same encoder's but for rounding."""
    length = {"l1": np.abs(feature).sum(), "l2": np.linalg.norm(feature), "cosine": 1.0}[metric]
    return bool(distance <= SAME * length)


LEARNT = "its own scores helped to make the predictions, so they are no test of them"
NOT_PREDICTABLE = "not predictable from this map"


def warning_of(familiarity: float | None, kinds: int) -> str:
    """What a person must read before the predictions; "" where the encoder is of a kind that is known, or there is
    nothing to predict from.

    Args:
        familiarity: of Placement.
        kinds: that the map has scores of.
    """
    if not kinds or (familiarity is not None and familiarity >= UNFAMILIAR):
        return ""
    if familiarity is None:
        return (
            f"with scores of {kinds} kinds of encoders the map cannot tell whether it knows this one's; take it "
            f"for unlike anything on this map"
        )
    return (
        f"unlike anything on this map (familiarity {familiarity:.3f}, below {UNFAMILIAR:g}); the prediction is a guess"
    )


MOST_TASKS = 4  # whose scores are told one by one


def scores_in_words(known: pd.DataFrame) -> str:
    """Such as ": score 0.800 (measured) on STS"; "" without scores. `known`: task, score, source, one row a task."""
    if known.empty:
        return ""
    told = [
        f"{score:.3f} ({source}) on {task}"
        for task, score, source in zip(known["task"], known["score"], known["source"], strict=True)
    ]
    left = len(told) - MOST_TASKS
    more = f" and {counted(left, 'more task')}" if left > 0 else ""
    return f": score {', '.join(told[:MOST_TASKS])}{more}"

"""How the score of each kind of task follows from the values of its test items, and what the bootstrap resamples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import numpy as np

from qre.tasks.bootstrap import OF_SCORES, Resamples, percentiles
from qre.tasks.ranks import Ties, area_under_curve, spearman


class Statistic(ABC):
    """A score as a function of items: an array of `shape`, float64 or bool.

    It holds what the task knows of its items (gold scores, labels), and nothing of an encoder.
    """

    shape: tuple[int, ...]
    dtype: type = np.float64

    @abstractmethod
    def score(self, items: np.ndarray) -> float:
        """The score of an encoder with these items."""

    @abstractmethod
    def replicates(self, items: np.ndarray, resamples: Resamples) -> np.ndarray:
        """The score in each draw, (draws,) float64; NaN where a draw does not define it. A draw holds the same items
        for every encoder, so replicates of two encoders are paired."""

    def interval(self, items: np.ndarray) -> tuple[float, float]:
        """The 95 % bootstrap interval of the score."""
        return percentiles(self.replicates(items, OF_SCORES))

    def fits(self, items: np.ndarray) -> bool:
        """Whether an array can be the items of such a score."""
        return items.shape == self.shape and items.dtype == np.dtype(self.dtype)


class Weighted(Statistic):
    """A statistic that resamples its items themselves, one by one."""

    @abstractmethod
    def of(self, items: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """The score (b,) in samples that hold each item `weights` (b, n) times."""

    def score(self, items: np.ndarray) -> float:
        return float(self.of(items)(np.ones((1, *self.shape)))[0])

    def replicates(self, items: np.ndarray, resamples: Resamples) -> np.ndarray:
        return resamples.replicates(self.of(items), len(items))


class RankAgreement(Weighted):
    """Spearman's correlation of cosines (n,) with gold scores (n,); 0 where all cosines are equal."""

    def __init__(self, gold: np.ndarray):
        self.shape, self._gold = gold.shape, Ties(gold)

    def of(self, items: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        ordered = Ties(items)
        return lambda weights: np.nan_to_num(spearman(self._gold, ordered, weights), nan=0.0)


class AveragePrecision(Weighted):
    """Average precision of cosines (n,) as a sign that a pair is positive; NaN where none is. `positive` (n,) is 1 or
    0."""

    def __init__(self, positive: np.ndarray):
        self.shape, self._positive = positive.shape, positive

    def of(self, items: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        descending = Ties(-items)

        def precision(weights: np.ndarray) -> np.ndarray:
            found = np.cumsum(descending.totals(weights * self._positive), axis=1)
            seen = np.cumsum(descending.totals(weights), axis=1)
            precisions = found / np.maximum(seen, 1)  # nothing is found where nothing is seen
            with np.errstate(invalid="ignore"):
                return np.einsum("bg,bg->b", np.diff(found, axis=1, prepend=0), precisions) / found[:, -1]

        return precision


class MeanArea(Weighted):
    """Mean over relations of the area under the ROC curve of cosines (n,): pairs of the relation against random ones.

    Args:
        relations: which pairs are of each relation, (n,) bool.
        random: which are random, (n,) bool.
    """

    def __init__(self, relations: Mapping[str, np.ndarray], random: np.ndarray):
        self.shape, self._relations, self._random = random.shape, dict(relations), random

    def of(self, items: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        areas = self.areas(items).values()

        def mean(weights: np.ndarray) -> np.ndarray:
            values = np.array([area(weights) for area in areas])
            drawn = np.isfinite(values)  # a resample may lack all pairs of a small relation
            count = drawn.sum(axis=0)
            return np.where(count > 0, np.where(drawn, values, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)

        return mean

    def areas(self, items: np.ndarray) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
        """The same for each relation alone."""
        ties = Ties(items)
        return {name: self._area(ties, related) for name, related in self._relations.items()}

    def _area(self, ties: Ties, related: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        above, below = related.astype(np.float64), self._random.astype(np.float64)
        return lambda weights: area_under_curve(ties, weights * above, weights * below)


class MeanOfItems(Statistic):
    """The mean of values (n,)."""

    def __init__(self, n: int):
        self.shape = (n,)

    def score(self, items: np.ndarray) -> float:
        return float(items.mean())

    def replicates(self, items: np.ndarray, resamples: Resamples) -> np.ndarray:
        return resamples.replicates(lambda weights: weights @ items / len(items), len(items))


class CrossedAccuracy(Statistic):
    """The share of right answers (repeats, n), bool; another sample would have other repeats and other items."""

    dtype = np.bool_

    def __init__(self, repeats: int, n: int):
        self.shape = (repeats, n)

    def score(self, items: np.ndarray) -> float:
        return float(items.mean(axis=1).mean())

    def replicates(self, items: np.ndarray, resamples: Resamples) -> np.ndarray:
        return resamples.crossed_means(items)


class GroupedAccuracy(Statistic):
    """The share of hits (q,), bool, of questions that are resampled in groups.

    Args:
        groups: of each question, (q,) int.
        count: how many groups there may be; those without a question are none.
    """

    dtype = np.bool_

    def __init__(self, groups: np.ndarray, count: int):
        self.shape, self._groups, self._count = groups.shape, groups, count

    def score(self, items: np.ndarray) -> float:
        return float(items.mean())

    def replicates(self, items: np.ndarray, resamples: Resamples) -> np.ndarray:
        right = np.bincount(self._groups, items, self._count)
        asked = np.bincount(self._groups, minlength=self._count).astype(np.float64)
        right, asked = right[asked > 0], asked[asked > 0]
        return resamples.replicates(lambda weights: (weights @ right) / (weights @ asked), len(asked))

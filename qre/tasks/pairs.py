"""Tasks that compare the cosine of two texts with what people say of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qre.tasks.statistics import AveragePrecision, RankAgreement
from qre.tasks.task import Measured, Task, unit_rows


class STSTask(Task):
    """Semantic textual similarity: Spearman's rank correlation of cosines and gold scores, MTEB's main score
    (cosine_spearman).

    The interval resamples pairs. Cosines that are all equal order nothing: their score is 0 (MTEB: NaN).

    Attributes:
        scores: the gold scores (n,), float64.
        pairs: where the first and the second text of each pair stand in `texts`, (n,) each.
    """

    kind = "sts"
    metric = "cosine_spearman"

    def __init__(self, name: str, split: str, first: Sequence[str], second: Sequence[str], scores: Sequence[float]):
        """Pair i is first[i] and second[i], with the gold score scores[i], of any scale."""
        super().__init__(
            name,
            split,
            [*first, *second],
            {"first": list(first), "second": list(second), "scores": [float(s) for s in scores]},
        )
        self.pairs = self._rows(first), self._rows(second)
        self.scores = np.array(scores, np.float64)
        self.statistic = RankAgreement(self.scores)

    def pairs_above(self, score: float) -> list[tuple[str, str]]:
        """The texts of the pairs whose gold score is above a score."""
        return _texts(self, self.pairs, self.scores > score)

    def cosines(self, vectors: np.ndarray) -> np.ndarray:
        """Of the pairs, (n,) float64, by the vectors (len(texts), d)."""
        return pair_cosines(vectors, *self.pairs)

    def _measure(self, vectors: np.ndarray) -> Measured:
        return self._from(self.cosines(vectors))


class PairsTask(Task):
    """Pair classification: average precision of the cosine as a sign that a pair belongs together (MTEB: cosine_ap).

    MTEB's main score, max_ap, is the best of five such: cosine, dot product, Euclidean and Manhattan distance, and the
    model's own similarity. It is the same for vectors of unit length, but for Manhattan; else it may be a little
    higher. The interval resamples pairs.
    """

    kind = "pairs"
    metric = "cosine_ap"

    def __init__(self, name: str, split: str, first: Sequence[str], second: Sequence[str], labels: Sequence[int]):
        """Pair i is first[i] and second[i]; labels[i] is 1 where they belong together, else 0; both occur."""
        super().__init__(
            name,
            split,
            [*first, *second],
            {"first": list(first), "second": list(second), "labels": [int(x) for x in labels]},
        )
        self._pairs = self._rows(first), self._rows(second)
        self._positive = np.array(labels, np.float64)
        self.statistic = AveragePrecision(self._positive)

    def positive_pairs(self) -> list[tuple[str, str]]:
        """The texts of the pairs that belong together."""
        return _texts(self, self._pairs, self._positive > 0)

    def _measure(self, vectors: np.ndarray) -> Measured:
        return self._from(pair_cosines(vectors, *self._pairs))


def _texts(task: Task, pairs: tuple[np.ndarray, np.ndarray], chosen: np.ndarray) -> list[tuple[str, str]]:
    """The texts of the chosen pairs (n,) bool of a task."""
    return [(task.texts[i], task.texts[j]) for i, j in zip(*(side[chosen] for side in pairs), strict=True)]


def pair_cosines(vectors: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosines (n,) float64 of the rows `first` and `second` (n,) of vectors (m, d); 0 where one of them is a vector of
    zeros.

    As 1 - |a - b|²/2 of unit vectors, which is exactly 1 for equal vectors and the same for (a, b) and (b, a): ties are
    ties.
    """
    units = unit_rows(vectors)
    difference = units[first] - units[second]
    cosines = 1.0 - np.einsum("ij,ij->i", difference, difference) / 2
    some = np.any(units, axis=1)
    return np.where(some[first] & some[second], cosines, 0.0)

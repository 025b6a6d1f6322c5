"""Statistics of ranks in weighted samples, for bootstrap intervals: ties are ties."""

from __future__ import annotations

import numpy as np


class Ties:
    """Values (n,) in ascending order, in groups of equal ones.

    Attributes:
        order: (n,), the items in order.
        starts: (g,), where each group begins in the order.
        group: (n,), the group of each item.
    """

    def __init__(self, values: np.ndarray):
        self.order = np.argsort(values, kind="stable")
        new = np.concatenate([[True], np.diff(values[self.order]) > 0])
        self.starts = np.flatnonzero(new)
        self.group = np.empty(len(values), np.int64)
        self.group[self.order] = np.cumsum(new) - 1

    def totals(self, weights: np.ndarray) -> np.ndarray:
        """Weights (b, n) summed over each group, (b, g)."""
        return np.add.reduceat(weights[:, self.order], self.starts, axis=1)

    def centred_ranks(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean ranks (b, n) of the items in the samples that hold each item `weights` times, less their mean; and their
        variance times n (b,)."""
        totals = self.totals(weights)
        ranks = np.cumsum(totals, axis=1) - (totals - 1) / 2 - (weights.sum(axis=1, keepdims=True) + 1) / 2
        return ranks[:, self.group], np.einsum("bg,bg,bg->b", totals, ranks, ranks)


def spearman(a: Ties, b: Ties, weights: np.ndarray) -> np.ndarray:
    """Spearman's correlation (b,) in the samples that hold each item `weights` (b, n) times; NaN where one side is
    constant."""
    ranks_a, variance_a = a.centred_ranks(weights)
    ranks_b, variance_b = b.centred_ranks(weights)
    with np.errstate(invalid="ignore"):
        return np.einsum("bn,bn,bn->b", weights, ranks_a, ranks_b) / np.sqrt(variance_a * variance_b)


def area_under_curve(values: Ties, positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Area under the ROC curve (b,), in samples that hold each item `positive` (b, n) times as a positive and
    `negative` times as a negative one: the share of pairs of both in which the positive has the greater value, equal
    ones counted half. NaN where there are none of a kind."""
    above, below = values.totals(positive), values.totals(negative)
    less = np.cumsum(below, axis=1) - below / 2
    with np.errstate(invalid="ignore"):
        return np.einsum("bg,bg->b", above, less) / (above.sum(axis=1) * below.sum(axis=1))

"""How far two distances between the same encoders agree: the Mantel test, and the neighbours that they share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

from qre.atlas.neighbours import SAME, nearest

PERMUTATIONS = 999  # of the Mantel test: the smallest p is 0.001


@dataclass(frozen=True)
class Agreement:
    """Of two distances between N encoders.

    Attributes:
        mantel: Spearman correlation of the N(N-1)/2 distances; 0 where one distance is the same for all pairs.
        p_value: (1 + permutations of the encoders with at least this correlation) / (1 + permutations).
        permutations: that were drawn.
        shared: mean share of the k nearest neighbours by one distance that are so by the other.
        chance: that share where one had its encoders shuffled: k / (N - 1).
        neighbours: k.
    """

    mantel: float
    p_value: float
    permutations: int
    shared: float
    chance: float
    neighbours: int


def agreement(first: np.ndarray, second: np.ndarray, k: int, seed: int, permutations: int = PERMUTATIONS) -> Agreement:
    """Compare two distances between the same encoders in the same order.

    Args:
        first, second: shapes (N, N), float64, symmetric, zero diagonal; N >= 3.
        k: neighbours to look at; lowered to N - 1, where all are shared by chance.
        seed: of the permutations.

    Source: Mantel, Cancer Research 27 (1967); the "+1" of the p-value after Phipson and Smyth (2010).
    """
    mantel, p_value = _mantel(first, second, permutations, seed)
    near = [nearest(distances, k)[0] for distances in (first, second)]
    k = near[0].shape[1]
    shared = np.mean([len(set(a) & set(b)) / k for a, b in zip(near[0].tolist(), near[1].tolist(), strict=True)])
    return Agreement(mantel, p_value, permutations, float(shared), k / (len(first) - 1), k)


def _mantel(first: np.ndarray, second: np.ndarray, permutations: int, seed: int) -> tuple[float, float]:
    """The correlation of the ranks, and its p-value: the rows and columns of `second` are shuffled together."""
    ranks = [_standard_ranks(distances) for distances in (first, second)]
    if any(one is None for one in ranks):
        return 0.0, 1.0
    fixed, moved = squareform(ranks[0]), squareform(ranks[1])
    found = float(np.vdot(fixed, moved)) / 2
    generator = np.random.default_rng(seed)
    above = 0
    for _ in range(permutations):
        order = generator.permutation(len(moved))
        above += float(np.vdot(fixed, moved[np.ix_(order, order)])) / 2 >= found - SAME
    return min(max(found, -1.0), 1.0), (1 + above) / (1 + permutations)


def _standard_ranks(distances: np.ndarray) -> np.ndarray | None:
    """Ranks of the distances (N(N-1)/2,), centred and of length 1, ties at their mean; None where all are equal."""
    ranks = rankdata(squareform(distances, checks=False))
    ranks -= ranks.mean()
    length = np.linalg.norm(ranks)
    return ranks / length if length > 0 else None

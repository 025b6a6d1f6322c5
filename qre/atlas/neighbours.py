"""Who is near whom: exact distances and nearest neighbours of the feature vectors, and how often neighbours are family.

The family share is the test of the map: if encoders of one family were scattered at random, their nearest neighbours
    would be family only
as often as chance has it. Near-copies of one encoder (same pass and readout, other transforms) make it high for a
trivial reason, so it can be measured with them excluded. P-value by permutation with the "+1" of Phipson and Smyth
(2010), so that it is never 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.spatial.distance import cdist, pdist, squareform

BLOCK_BYTES = 16 * 2**20  # of rows sorted, or of permuted labels, at a time
# what people read wherever neighbours are listed: the features are first of all about the spectrum, and a good encoder
# can stand beside a poor one
NEARNESS = (
    "near encoders spread these sentences over their dimensions in a similar way, above all in how fast the spectrum "
    "falls off; they need not be equally "
    "good, so compare their scores"
)
SAME = 1e-12  # two shares closer than this are the same share summed in another order

DISTANCE_NAMES = {"l1": "ℓ1", "l2": "ℓ2", "cosine": "cosine"}  # as figures write them
SCIPY_NAMES = {"l1": "cityblock", "l2": "euclidean", "cosine": "cosine"}


@dataclass(frozen=True)
class FamilyShare:
    """How much of the neighbourhoods is family.

    Attributes:
        share: mean over encoders of the share of the nearest neighbours that are of the encoder's own family.
        chance: the same mean if the neighbours were drawn at random from all that are allowed; exact.
        ceiling: the largest share that the family sizes allow (a family of 3 cannot fill 7 neighbours).
        p_value: (1 + permutations at or above `share`) / (1 + permutations).
        neighbours: k that was used; lower for an encoder with fewer allowed neighbours.
        permutations: of the family labels.
        encoders: how many encoders were averaged: those with at least one allowed neighbour. With none: 0, share 0 and
            p 1.
        alone: how many of these have no allowed neighbour of their own family, and so a share of 0 for certain.
        excluded: whether neighbours of the encoder's own group (near-copies) were not allowed.
    """

    share: float
    chance: float
    ceiling: float
    p_value: float
    neighbours: int
    permutations: int
    encoders: int
    alone: int
    excluded: bool


def pairwise_distances(features: np.ndarray, metric: Literal["l1", "l2", "cosine"] = "l1") -> np.ndarray:
    """All distances between feature vectors.

    Args:
        features: shape (N, n), float; every pair is computed in float64.
        metric: AtlasSettings.metric.

    Returns:
        shape (N, N), float64, symmetric, zero diagonal, non-negative. About 3 s for 1,101 encoders x 10,000 sentences
        on one core.

    Raises:
        ValueError: NaN or Inf in a feature vector, or cosine of an all-zero one; it names the first such row.
    """
    features = np.asarray(features, dtype=np.float64)
    _refuse(~np.isfinite(features).all(axis=1), "NaN or Inf in the feature vector")
    if metric == "cosine":
        _refuse(~np.any(features, axis=1), "an all-zero feature vector has no cosine distance")
    return squareform(np.maximum(pdist(features, SCIPY_NAMES[metric]), 0.0))  # cosine may round to just below 0


def distances_to(new: np.ndarray, features: np.ndarray, metric: Literal["l1", "l2", "cosine"] = "l1") -> np.ndarray:
    """Distances of new encoders to known ones, (m, N), float64, as pairwise_distances has them.

    Args:
        new: feature vectors, shape (m, n), float.
        features: of the known encoders, shape (N, n), float.
        metric: AtlasSettings.metric.

    Raises:
        ValueError: NaN or Inf in a new feature vector, or cosine of an all-zero one; it names the first such row.
    """
    new = np.asarray(new, dtype=np.float64)
    _refuse(~np.isfinite(new).all(axis=1), "NaN or Inf in the feature vector")
    if metric == "cosine":
        _refuse(~np.any(new, axis=1), "an all-zero feature vector has no cosine distance")
    return np.maximum(cdist(new, np.asarray(features, dtype=np.float64), SCIPY_NAMES[metric]), 0.0)


def _refuse(bad: np.ndarray, problem: str) -> None:
    if bad.any():
        raise ValueError(f"{problem} (row {int(np.argmax(bad))})")


def nearest(distances: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest others of every encoder: exact, nearest first, ties by the smaller index.

    Args:
        distances: shape (N, N), float64, symmetric.
        k: how many; lowered to N - 1.

    Returns:
        indices (N, k), intp, and their distances (N, k), float64.
    """
    return _nearest_allowed(distances, k, np.arange(len(distances)))


def _nearest_allowed(distances: np.ndarray, k: int, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`nearest` among encoders of other groups (N,); where these run out the distance is Inf and the index means
    nothing."""
    size = len(distances)
    k = max(0, min(k, size - 1))
    indices, found = np.empty((size, k), dtype=np.intp), np.empty((size, k))
    step = max(1, BLOCK_BYTES // (8 * size))
    for start in range(0, size, step):
        rows = slice(start, start + step)
        block = np.where(groups[rows, None] == groups[None, :], np.inf, distances[rows])
        indices[rows] = np.argsort(block, axis=1, kind="stable")[:, :k]  # stable: ties keep the order of the index
        found[rows] = np.take_along_axis(block, indices[rows], axis=1)
    return indices, found


def family_share(
    distances: np.ndarray,
    families: Sequence[str],
    k: int,
    permutations: int,
    seed: int,
    excluded_groups: Sequence[str] | None = None,
) -> FamilyShare:
    """Are nearest neighbours family more often than chance?

    An encoder that is alone in its family counts with a share of 0, in the share and in the chance level alike: leaving
    it out would make the set that is averaged depend on the labels, and the permuted labels would then be averaged over
    other encoders.

    Under permutation the labels move, the neighbours stay. With `excluded_groups` a group moves as one (its near-copies
    are not independent witnesses), so that one finding is not counted once for every copy; where a group spans several
    families, each part moves.

    Args:
        distances: shape (N, N), float64, symmetric.
        families: N labels.
        k: neighbours per encoder; lowered where there are fewer.
        permutations: how many times the labels are shuffled. 10,000 for N = 1,101 take under 1 s.
        seed: of the shuffles.
        excluded_groups: N keys; encoders of the same key are not allowed as neighbours of each other. None: all others
            are allowed.
    """
    size = len(distances)
    family = _codes(families)
    group = np.arange(size) if excluded_groups is None else _codes(excluded_groups)
    part = _codes(group * (family.max() + 1) + family)  # what moves as one: the encoders of one group and one family
    allowed = size - np.bincount(group)[group]
    own = np.bincount(family)[family] - np.bincount(part)[part]  # of the allowed, how many are family
    counted = allowed > 0
    indices, found = _nearest_allowed(distances, k, group)
    used = np.minimum(allowed, indices.shape[1])
    # summed over the neighbours that are family, these weights give the mean share
    weights = np.isfinite(found) / np.maximum(used, 1)[:, None] / max(1, counted.sum())
    share = float(_shares(family[None, :], indices, weights)[0])
    at_or_above = sum(
        int((_shares(labels, indices, weights) >= share - SAME).sum())
        for labels in _shuffles(family, part, permutations, seed)
    )
    return FamilyShare(
        share=share,
        chance=_mean(own[counted] / allowed[counted]),
        ceiling=_mean(np.minimum(own, used)[counted] / used[counted]),
        p_value=(1 + at_or_above) / (1 + permutations),
        neighbours=indices.shape[1],
        permutations=permutations,
        encoders=int(counted.sum()),
        alone=int((own[counted] == 0).sum()),
        excluded=excluded_groups is not None,
    )


def _codes(labels: Sequence) -> np.ndarray:
    """Labels as small integers, shape (N,), intp."""
    return np.unique(np.asarray(labels), return_inverse=True)[1]


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0


def _shuffles(family: np.ndarray, part: np.ndarray, permutations: int, seed: int) -> Iterator[np.ndarray]:
    """Family codes of all encoders, permuted over the parts: blocks of shape (B, N), B permutations together."""
    generator = np.random.default_rng(seed)
    of_part = family[np.unique(part, return_index=True)[1]].astype(np.int32)
    step = max(1, BLOCK_BYTES // (4 * len(family)))
    for start in range(0, permutations, step):
        labels = np.tile(of_part, (min(step, permutations - start), 1))
        yield generator.permuted(labels, axis=1, out=labels)[:, part]


def _shares(labels: np.ndarray, indices: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean family share (B,) under each row of family codes (B, N)."""
    total = np.zeros(len(labels))
    for neighbour, weight in zip(indices.T, weights.T):
        total += (labels[:, neighbour] == labels) @ weight
    return total

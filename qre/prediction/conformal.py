"""Conformal intervals and p-values over groups, or over the coarser kinds.

Encoders of one group are alike, so they are not exchangeable with encoders of a new group; groups are. Every group gets
one vote, shared by its members (hierarchical conformal prediction: Lee, Barber and Willett 2023, arXiv 2306.06342).
Where every encoder is a group of its own this is ordinary conformal prediction. Residuals come divided by what grows
away from the known (normalised conformal prediction: Papadopoulos, Gammerman and Vovk 2008), so that intervals are wide
where little is known.

What is exchangeable decides what is promised: over groups, an interval holds for a new group of the kinds that are
known; over kinds, for a new kind.
"""

from __future__ import annotations

import numpy as np

from qre.prediction.folds import group_numbers


def group_votes(groups: np.ndarray) -> np.ndarray:
    """Weight of each row (N,): 1/(G + 1) to each of G groups, in equal parts; the new encoder's own group holds the
    rest."""
    numbers = group_numbers(groups)
    sizes = np.bincount(numbers)
    return 1.0 / ((len(sizes) + 1) * sizes[numbers])


def most_coverage(groups: np.ndarray) -> float:
    """The largest coverage that intervals over these groups (N,) can promise without being infinite: G/(G + 1)."""
    count = len(np.unique(groups))
    return count / (count + 1)


def fewest_groups(coverage: float) -> int:
    """How many groups an interval of this coverage needs to be finite."""
    return int(np.ceil(coverage / (1.0 - coverage) - 1e-9))


def interval(mean: np.ndarray, half: np.ndarray, ranges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ends (M, T), inside what the metric of each task can be.

    Args:
        mean, half: (M, T); where `half` is infinite, so are both ends: a range of all that can be is no prediction.
        ranges: least and greatest value of each metric, (T, 2).
    """
    low, high = np.clip(mean - half, *ranges.T), np.clip(mean + half, *ranges.T)
    finite = np.isfinite(half)
    return np.where(finite, low, -np.inf), np.where(finite, high, np.inf)


def conformal_quantile(residuals: np.ndarray, groups: np.ndarray, coverage: float) -> np.ndarray:
    """The residual that a new encoder of a new group stays within, with probability `coverage` at least.

    Args:
        residuals: of encoders that the model had not seen, nor any of their group; (N,) or (N, T), non-negative.
        groups: (N,).
        coverage: between 0 and 1.

    Returns:
        shape () or (T,); infinite where there are too few groups for this coverage: G < coverage / (1 - coverage).
    """
    order = np.argsort(residuals, axis=0, kind="stable")
    reached = np.cumsum(group_votes(groups)[order], axis=0) >= coverage - 1e-12
    found = np.take_along_axis(np.asarray(residuals), order, axis=0)
    first = reached.argmax(axis=0)
    return np.where(reached.any(axis=0), np.take_along_axis(found, first[None], axis=0)[0], np.inf)


def conformal_p_values(strangeness: np.ndarray, groups: np.ndarray, new: np.ndarray) -> np.ndarray:
    """How common it is among known groups to be as strange as each new encoder: small where it is unlike all that is
    known.

    Args:
        strangeness: of the known encoders, each measured without its own group, (N,).
        groups: (N,).
        new: strangeness of the new encoders, (M,).

    Returns:
        (M,), between 1/(G + 1) and 1; at most p with probability at most p for an encoder of a group drawn like the
        others.
    """
    votes = group_votes(groups)
    return 1.0 - votes.sum() + (strangeness[None, :] >= np.asarray(new)[:, None]) @ votes

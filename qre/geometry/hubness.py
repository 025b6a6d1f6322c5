"""Hubness: whether few sentences are among the nearest of many.

N(j) is how many sentences have sentence j among their 10 nearest; hubness is the skewness of N over the sentences: 0
where all are so equally often, above 0 where there are hubs. Source: Radovanović, Nanopoulos and Ivanović, JMLR 11,
2010, equation 1 (S_Nk, with k = 10).
"""

from __future__ import annotations

import numpy as np

NEIGHBOURS = 10
PARTS = 16  # each left out in turn for the standard error


def occurrences(similarity: np.ndarray, tie: float) -> np.ndarray:
    """How many of b sentences have each of n sentences among their nearest, shape (n,), float64. Where several are as
    near as the tenth, they share the places that are left, so that neither the order of the sentences nor the last bit
    of a number chooses between them.

    Args:
        similarity: shape (b, n), float32, -inf for a sentence and itself; n > NEIGHBOURS.
        tie: similarities that are so near to each other count as equal.
    """
    n = similarity.shape[1]
    tenth = np.partition(similarity, n - NEIGHBOURS, axis=1)[:, n - NEIGHBOURS, None]
    rows, columns = np.divmod(np.flatnonzero(similarity >= tenth - np.float32(tie)), n)
    surely = similarity[rows, columns] > tenth[rows, 0] + np.float32(tie)
    left = NEIGHBOURS - np.bincount(rows, weights=surely, minlength=len(similarity))
    share = left / np.bincount(rows, weights=~surely, minlength=len(similarity))
    return np.bincount(columns, weights=np.where(surely, 1.0, share[rows]), minlength=n)


def skewness(counts: np.ndarray) -> float | None:
    """E(N - E N)³ / σ³ of counts (n,); None where they do not vary."""
    apart = counts - counts.mean()
    variance = np.square(apart).mean()
    return float((apart**3).mean() / variance**1.5) if variance > 1e-9 * counts.mean() ** 2 else None


def skewness_error(counts: np.ndarray) -> float | None:
    """Standard error of `skewness` for counts (n,) of sentences in the order of a random draw: a jackknife that leaves
    out a sixteenth at a time. None where it is not defined."""
    parts = np.array_split(np.arange(len(counts)), PARTS)
    without = [skewness(np.delete(counts, part)) for part in parts]
    known = np.array([one for one in without if one is not None])
    if len(known) < PARTS:
        return None
    return float(np.sqrt(np.square(known - known.mean()).sum() * (PARTS - 1) / PARTS))

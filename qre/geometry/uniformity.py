"""Uniformity, and hubness beside it: what takes the distances of all pairs, from the same blocks. Never an n x n
matrix.

Uniformity is log E exp(-t‖x - y‖²) over the pairs i < j of unit rows, t = 2. Source: Wang and Isola, ICML 2020 (arXiv
2005.10242), section 4.1. A block is some sentences against all others, in float32. All pairs of 10,000 sentences would
take ten times as long as their features, so where n is large it is the pairs of a seeded sample of the sentences:

- uniformity is then an estimate of that of all n, with its standard error;
- hubness is that of a set of so many sentences, with the standard error of the draw. It grows with the size of the set,
  so that encoders are compared by it on sets of one size only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qre.geometry.hubness import NEIGHBOURS, PARTS, occurrences, skewness, skewness_error
from qre.geometry.isotropy import CovarianceMoments

SAMPLE = 2_048  # sentences whose pairs are looked at
MOST_T = 20.0  # float32 holds exp(-4t) to t = 21
BLOCK_BYTES = 2**22  # of distances: small enough for the cache of a core
TIE = 1e-5  # of the mean squared distance to the mean: about what float32 tells apart


@dataclass(frozen=True)
class AllPairs:
    """What was found over all pairs.

    Attributes:
        uniformity: at most 0.
        uniformity_se: its standard error; 0 where every sentence was taken.
        hubness: among the sentences that were taken; None where they are fewer than 12, or N does not vary.
        hubness_se: its standard error; 0 where every sentence was taken, None where it is not defined.
        taken: sentences whose pairs were looked at.
    """

    uniformity: float
    uniformity_se: float
    hubness: float | None
    hubness_se: float | None
    taken: int


def all_pairs(
    centred: np.ndarray, moments: CovarianceMoments, *, sample: int | None = SAMPLE, t: float = 2.0, seed: int = 0
) -> AllPairs:
    """Uniformity and hubness (by cosine) of unit rows.

    Both are of distances only, cos - 1 = -‖x - y‖²/2, so the mean may be taken away first: float32 would not tell
    cosines apart that are all near 1, but it does tell the distances of centred rows.

    Args:
        centred: unit rows minus their mean, shape (n, K), float32, in any orthonormal basis.
        moments: of them.
        sample: sentences that are drawn where there are more; None for all of them.
        t: of uniformity, above 0 and at most 20.
        seed: of the sample.

    Raises:
        ValueError: t or sample is out of range.
    """
    n = len(centred)
    if not 0 < t <= MOST_T:
        raise ValueError(f"t must be above 0 and at most {MOST_T:g}, not {t}")
    if sample is not None and sample < 2 * PARTS:
        raise ValueError(f"a sample has at least {2 * PARTS} sentences, not {sample}")
    if sample is not None and sample < n:
        centred = centred[np.random.default_rng(seed).permutation(n)[:sample]]
    m = len(centred)
    sums, counts = np.empty((m, 3)), np.zeros(m)
    for rows, block in _blocks(centred):
        itself = np.arange(len(block)), np.arange(rows.start, rows.stop)
        if m > NEIGHBOURS + 1:
            block[itself] = -np.inf
            counts += occurrences(block, TIE * moments.trace)
        block[itself] = 0.0
        sums[rows, 1], sums[rows, 2] = block.sum(axis=1), np.einsum("ij,ij->i", block, block)
        np.exp(np.multiply(block, np.float32(2 * t), out=block), out=block)
        block[itself] = 0.0
        sums[rows, 0] = block.sum(axis=1)
    means = np.array([-moments.trace, (moments.fourth + moments.trace**2) / 2 + moments.trace_of_square]) * n / (n - 1)
    left = 1.0 - m / n
    uniformity, uniformity_se = _log_mean(sums / (m - 1), means, left)
    hubness = skewness(counts)
    hubness_se = skewness_error(counts) if hubness is not None and left else hubness and 0.0
    return AllPairs(uniformity, uniformity_se, hubness, hubness_se and hubness_se * left**0.5, m)


def _blocks(centred: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """-‖x_i - x_j‖²/2 of some rows i and all rows j, in blocks (b, n) float32 that may be written into."""
    n = len(centred)
    half = np.einsum("ij,ij->i", centred, centred)[:, None] / np.float32(-2)
    ones = np.ones_like(half)
    left, right = np.hstack([centred, ones, half]), np.hstack([centred, half, ones])
    step = max(1, BLOCK_BYTES // (4 * n))
    space = np.empty((min(step, n), n), np.float32)
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        yield rows, np.matmul(left[rows], right.T, out=space[: rows.stop - start])


def _log_mean(values: np.ndarray, known: np.ndarray, left: float) -> tuple[float, float]:
    """log of the mean of a function of all pairs of n sentences, and its standard error, from the pairs of m of them.

    It is a regression estimate: the means of cos - 1 and of its square over all pairs are known, and what the sample
    has more or less of them by chance is corrected for. The error is that of a U-statistic of degree 2: 2 / √m times
    the standard deviation of what is left of the means by sentence. Sources: Cochran, Sampling Techniques, 1977,
    chapter 7; Hoeffding, Ann. Math. Statist. 19, 1948.

    Args:
        values: means by sentence over its pairs in the sample: of the function, of cos - 1, of (cos - 1)²; (m, 3).
        known: of the two, over all pairs, (2,).
        left: share of the n sentences that was not taken, 1 - m/n.
    """
    mean = values.mean(axis=0)
    if not left:
        return float(np.log(mean[0])), 0.0
    apart = values - mean
    slope = np.linalg.lstsq(apart[:, 1:], apart[:, 0], rcond=None)[0]
    estimate = float(mean[0] + (known - mean[1:]) @ slope)
    rest = apart[:, 0] - apart[:, 1:] @ slope
    if estimate <= 0:  # the correction of a small sample was larger than the mean
        estimate, rest = float(mean[0]), apart[:, 0]
    error = 2.0 * np.sqrt(np.square(rest).sum() / (len(rest) - 3) / len(rest) * left)
    return float(np.log(estimate)), float(error / estimate)

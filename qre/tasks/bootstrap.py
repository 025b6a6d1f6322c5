"""Bootstrap intervals: how far a score would move with another sample of the same size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np

RESAMPLES = 1000
LEVEL = 0.95
BLOCK = 2**21  # elements of a block of weights: large enough for numpy, small beside the vectors


@lru_cache(maxsize=32)
def resamples(n: int, stream: int = 0) -> np.ndarray:
    """How often each of n items is drawn, in RESAMPLES draws of n with replacement: shape (RESAMPLES, n), uint16; the
    same for every encoder."""
    rng = np.random.default_rng([n, stream])
    counts = np.empty((RESAMPLES, n), np.uint16)
    for row in counts:
        row[:] = np.bincount(rng.integers(0, n, n), minlength=n)
    counts.flags.writeable = False
    return counts


def interval(statistic: Callable[[np.ndarray], np.ndarray], n: int) -> tuple[float, float]:
    """The percentile interval of a statistic of n items.

    Args:
        statistic: from weights (b, n), float64, each row summing to n, to values (b,); NaN where a resample does not
            define it: it is left out.
    """
    return _percentiles(np.concatenate([statistic(weights) for _, weights in _blocks(n)]))


def mean_interval(values: np.ndarray) -> tuple[float, float]:
    """The interval of the mean of values (n,)."""
    return interval(lambda weights: weights @ values / len(values), len(values))


def crossed_mean_interval(values: np.ndarray) -> tuple[float, float]:
    """The interval of the mean of values (r, n), where another sample would have other rows and other columns."""
    r, n = values.shape
    rows, columns = resamples(r, stream=1).astype(np.float64), values.T.astype(np.float64)
    means = [np.einsum("br,br->b", rows[block], weights @ columns) for block, weights in _blocks(n)]
    return _percentiles(np.concatenate(means) / (r * n))


def _blocks(n: int) -> Iterator[tuple[slice, np.ndarray]]:
    """The resamples in blocks, as float64 weights (b, n)."""
    counts, step = resamples(n), max(1, BLOCK // n)
    for start in range(0, len(counts), step):
        block = slice(start, start + step)
        yield block, counts[block].astype(np.float64)


def _percentiles(values: np.ndarray) -> tuple[float, float]:
    """The interval that holds LEVEL of the values (b,)."""
    tail = (1 - LEVEL) / 2
    low, high = np.nanquantile(values, (tail, 1 - tail))
    return float(low), float(high)

"""Bootstrap intervals: how far a score would move with another sample of the same size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np

RESAMPLES = 1000
LEVEL = 0.95
BLOCK = 2**21  # elements of a block of weights: large enough for numpy, small beside the vectors


class Resamples:
    """So many draws of n items with replacement, for any n: the same for every encoder. What was drawn is kept.

    Args:
        draws: how many.
        block: elements of a block of weights that are held at a time.
    """

    def __init__(self, draws: int = RESAMPLES, block: int = BLOCK):
        self.draws, self._block = draws, block
        self.counts = lru_cache(maxsize=32)(self._drawn)

    def _drawn(self, n: int, stream: int = 0) -> np.ndarray:
        """How often each of n items is drawn: shape (draws, n), uint16. More draws begin with those that fewer are."""
        rng = np.random.default_rng([n, stream])
        counts = np.empty((self.draws, n), np.uint16)
        for row in counts:
            row[:] = np.bincount(rng.integers(0, n, n), minlength=n)
        counts.flags.writeable = False
        return counts

    def replicates(self, statistic: Callable[[np.ndarray], np.ndarray], n: int) -> np.ndarray:
        """A statistic of n items in each draw, (draws,) float64.

        Args:
            statistic: from weights (b, n), float64, each row summing to n, to values (b,).
        """
        return np.concatenate([statistic(weights) for _, weights in self._blocks(n)])

    def crossed_means(self, values: np.ndarray) -> np.ndarray:
        """The mean of values (r, n) in each draw of rows and of columns, (draws,) float64."""
        r, n = values.shape
        rows, columns = self.counts(r, stream=1).astype(np.float64), values.T.astype(np.float64)
        means = [np.einsum("br,br->b", rows[block], weights @ columns) for block, weights in self._blocks(n)]
        return np.concatenate(means) / (r * n)

    def _blocks(self, n: int) -> Iterator[tuple[slice, np.ndarray]]:
        """The draws in blocks, as float64 weights (b, n)."""
        counts, step = self.counts(n), max(1, self._block // n)
        for start in range(0, len(counts), step):
            block = slice(start, start + step)
            yield block, counts[block].astype(np.float64)


OF_SCORES = Resamples()  # by which the interval of every score is made


def interval(statistic: Callable[[np.ndarray], np.ndarray], n: int) -> tuple[float, float]:
    """The percentile interval of a statistic of n items: see Resamples.replicates. Where a resample does not define it
    (NaN) it is left out."""
    return percentiles(OF_SCORES.replicates(statistic, n))


def percentiles(values: np.ndarray) -> tuple[float, float]:
    """The interval that holds LEVEL of the values (b,); NaN are left out."""
    tail = (1 - LEVEL) / 2
    low, high = np.nanquantile(values, (tail, 1 - tail))
    return float(low), float(high)

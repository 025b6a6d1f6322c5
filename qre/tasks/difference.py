"""The difference of two encoders' scores on one task, by a paired bootstrap over its test items.

Scores on the same items rise and fall together, since an item that is hard is hard for both. The resamples are the same
for both, so what they share cancels, and the interval is narrower than that of two independent scores (compare
qre.atlas.differences.difference_interval). Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
percentile intervals; Berg-Kirkpatrick, Burkett and Klein, EMNLP 2012, paired on the test set of NLP tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qre.tasks.bootstrap import Resamples, percentiles
from qre.tasks.statistics import Statistic

DRAWS = 2000
BLOCK = 2**16  # elements of a block of weights: it stays in a cache, and one encoder follows the other


@dataclass(frozen=True)
class Difference:
    """Of two scores.

    Attributes:
        difference: the first less the second.
        low, high: its 95 % interval.
        better: the share of resamples in which the first is better.
    """

    difference: float
    low: float
    high: float
    better: float


def difference(statistic: Statistic, first: np.ndarray, second: np.ndarray, resamples: Resamples) -> Difference:
    """The difference of the scores of two encoders, by their items."""
    return _of(statistic, [first, second], [statistic.replicates(items, resamples) for items in (first, second)])


def differences(
    statistic: Statistic, items: Mapping[str, np.ndarray], pairs: Sequence[tuple[str, str]], resamples: Resamples
) -> list[Difference]:
    """The differences of many pairs of encoders on one task; each encoder is resampled once.

    Args:
        items: of the encoders, by any name of theirs.
        pairs: (first, second) by these names.
        resamples: such as `paired_resamples()`; those of a task may serve many calls.
    """
    found = {name: statistic.replicates(items[name], resamples) for name in dict.fromkeys(sum(pairs, ()))}
    return [_of(statistic, [items[one] for one in pair], [found[one] for one in pair]) for pair in pairs]


def paired_resamples() -> Resamples:
    """Those that differences are told by."""
    return Resamples(DRAWS, BLOCK)


def _of(statistic: Statistic, items: Sequence[np.ndarray], replicates: Sequence[np.ndarray]) -> Difference:
    between = replicates[0] - replicates[1]
    low, high = percentiles(between)
    known = between[~np.isnan(between)]
    return Difference(statistic.score(items[0]) - statistic.score(items[1]), low, high, float((known > 0).mean()))

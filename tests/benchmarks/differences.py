"""How long the paired differences of encoders take: of 50 pairs on 1,400 pairs of STS, and of one parent with 50
variants on other kinds of items. `python tests/benchmarks/differences.py`"""

from __future__ import annotations

import time

import numpy as np

from qre.tasks.difference import differences, paired_resamples
from qre.tasks.statistics import AveragePrecision, CrossedAccuracy, MeanOfItems, RankAgreement

RNG = np.random.default_rng(0)
GOLD = RNG.integers(0, 26, 1400) / 5
APART = [(2 * pair, 2 * pair + 1) for pair in range(50)]
OF_ONE = [(variant, 0) for variant in range(1, 51)]
CASES = {
    "STS, 1,400 pairs, 50 pairs of 100 encoders": (RankAgreement(GOLD), lambda: GOLD + RNG.normal(0, 2, 1400), APART),
    "STS, 1,400 pairs, 50 variants of one": (RankAgreement(GOLD), lambda: GOLD + RNG.normal(0, 2, 1400), OF_ONE),
    "10 × 3,080 answers": (CrossedAccuracy(10, 3080), lambda: RNG.random((10, 3080)) < 0.8, OF_ONE),
    "2,000 queries": (MeanOfItems(2000), lambda: RNG.random(2000), OF_ONE),
    "3,000 pairs of pair classification": (
        AveragePrecision(GOLD.repeat(3)[:3000] > 4),
        lambda: RNG.random(3000),
        OF_ONE,
    ),
}

for name, (statistic, drawn, pairs) in CASES.items():
    items = {str(row): drawn() for row in range(100)}
    began, used = time.monotonic(), time.process_time()
    differences(statistic, items, [(str(one), str(other)) for one, other in pairs], paired_resamples())
    print(f"{name}: {time.process_time() - used:.1f} s of CPU, {time.monotonic() - began:.1f} s")

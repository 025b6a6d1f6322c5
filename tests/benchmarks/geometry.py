"""All measures of the geometry of an embedding beside its features: time, memory, and what a sample loses, in one run.

python tests/benchmarks/geometry.py            # n = 10,000, d = 384
python tests/benchmarks/geometry.py --bias     # what few sentences do to IsoScore, PR and RankMe
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from qre.density import DensityOperator  # noqa: E402
from qre.features import FeatureMethod, Operators, feature_row, feature_rows  # noqa: E402
from qre.geometry import Measures, measures  # noqa: E402
from qre.geometry.measured_row import MeasureMethod, measured_or_none, measured_rows  # noqa: E402
from qre.geometry.spectrum import entropy_rank, participation_ratio, rankme  # noqa: E402


def embedding(n: int, d: int) -> np.ndarray:
    """A matrix (n, d) float32 with the falling spectrum and the common direction of a sentence encoder."""
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.standard_normal((d, d)))[0]
    return ((rng.standard_normal((n, d)) * np.exp(-np.arange(d) / (d / 6)) + 0.1) @ rotation).astype(np.float32)


def interleaved(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each call, the calls one after the other in every round, so that all see the same machine; the
    first round warms up."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken[1:]) for name, taken in times.items()}


def extra_memory(call: Callable[[], object]) -> float:
    """MB that a call takes at most; numpy reports its buffers to tracemalloc."""
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return peak


def cost(n: int, d: int) -> None:
    matrix, method = embedding(n, d), FeatureMethod()
    groups = [row // 3 for row in range(n)]
    kept = MeasureMethod(tuple(groups))
    rho = DensityOperator.from_embedding(matrix)
    calls = {
        "features": lambda: feature_row(matrix, method),
        "measures": lambda: measures(matrix, operator=rho),
        "measures, with groups": lambda: measures(matrix, groups=groups, operator=rho),
        "features and measures": lambda: _of_a_sweep(matrix, method, kept),
    }
    taken = interleaved(calls, 9)
    exact = interleaved({"exact": lambda: measures(matrix, operator=rho, sample=None)}, 1)["exact"]
    print(f"n = {n:,}, d = {d}, float32 embedding of {matrix.nbytes / 1e6:.1f} MB")
    for name, seconds in taken.items():
        print(f"{name:24}{seconds:8.4f} s   {seconds / taken['features']:5.2f} × the features")
    print(f"{'measures, all pairs':24}{exact:8.4f} s   {exact / taken['features']:5.2f} × the features")
    print(f"memory above the embedding: {extra_memory(calls['measures, with groups']):.0f} MB")
    drawn, all_of_it = measures(matrix, operator=rho), measures(matrix, operator=rho, sample=None)
    print(
        f"uniformity {drawn.uniformity:.5f} ± {drawn.uniformity_se:.5f} from {drawn.sampled:,} sentences, "
        f"{all_of_it.uniformity:.5f} from all"
    )


def _of_a_sweep(matrix: np.ndarray, method: FeatureMethod, kept: MeasureMethod) -> None:
    """What a sweep makes of an embedding, from one density operator."""
    operators = Operators(matrix)
    feature_rows(matrix, [method], operators=operators)
    measured_rows([("key", measured_or_none(kept, operators))])


def bias() -> None:
    """Of Gaussian vectors whose measures are known: isotropic ones, and ones with a falling spectrum."""
    rng = np.random.default_rng(0)
    print("spectrum      d       n  IsoScore  IsoScore*  unbiased      PR   RankMe  effective rank")
    for name, falls in (("even", 0.0), ("falling", 3.0)):
        for d in (384, 1024):
            scale = np.exp(-falls * np.arange(d) / d)
            for n in (200, 1_000, 2_000, 10_000):
                _row(
                    name, measures((rng.standard_normal((n, d)) * scale).astype(np.float32), sample=64, normalize=False)
                )
            variances = scale**2 / np.sum(scale**2)
            known = (1 / np.sum(variances**2) - 1) / (d - 1)
            ranks = participation_ratio(variances), rankme(variances), entropy_rank(variances)
            print(f"{name:8} {d:6}     all     {known:.3f}" + "{:30.1f}{:9.1f}{:9.1f}".format(*ranks))


def _row(name: str, found: Measures) -> None:
    print(
        f"{name:8} {found.dimension:6} {found.n:7,}     {found.isoscore:.3f}      {found.isoscore_star:.3f}     "
        f"{found.isoscore_unbiased:.3f} {found.participation_ratio:7.1f}{found.rankme:9.1f}{found.effective_rank:9.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--d", type=int, default=384)
    parser.add_argument(
        "--bias", action="store_true", help="what the measures are of vectors where they are known, by n and d"
    )
    arguments = parser.parse_args()
    if arguments.bias:
        bias()
    else:
        cost(arguments.n, arguments.d)


if __name__ == "__main__":
    main()

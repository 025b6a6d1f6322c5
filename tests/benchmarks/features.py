"""The feature vector against the literal n x n eigendecomposition of ρ: time, memory and agreement, in one run.

python tests/benchmarks/features.py            # n = 10,000, d = 384: the literal way takes minutes and about 3 GB
python tests/benchmarks/features.py --n 2000   # a quick look
"""

from __future__ import annotations

import argparse
import statistics
import time
import tracemalloc

import numpy as np

from qre.features import FeatureMethod, feature_row


def embedding(n: int, d: int) -> np.ndarray:
    """A matrix (n, d) float32 with the falling spectrum of a sentence encoder."""
    rng = np.random.default_rng(0)
    return (
        rng.standard_normal((n, d)) * np.exp(-np.arange(d) / (d / 6)) @ np.linalg.qr(rng.standard_normal((d, d)))[0]
    ).astype(np.float32)


def literal(matrix: np.ndarray, epsilon: float) -> np.ndarray:
    """The feature vector as the formula is written: ρ (n, n) float64, all its eigenpairs, the clipped logarithm."""
    rows = matrix.astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    values, vectors = np.linalg.eigh(rows @ rows.T / len(rows))
    return (-np.log(len(rows)) - np.square(vectors) @ np.log(np.maximum(values, epsilon))) / len(rows)


def seconds(call, repeats: int) -> float:
    """Median of repeated calls, after one to warm up."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--d", type=int, default=384)
    arguments = parser.parse_args()
    matrix, method = embedding(arguments.n, arguments.d), FeatureMethod()
    ours = seconds(lambda: feature_row(matrix, method), 9)
    tracemalloc.start()  # numpy reports its buffers to it
    feature = feature_row(matrix, method).feature
    extra = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    start = time.perf_counter()
    expected = literal(matrix, method.epsilon)
    theirs = time.perf_counter() - start
    difference = np.abs(feature - expected).max() / np.abs(expected).max()
    print(
        f"n = {arguments.n}, d = {arguments.d}, float32 embedding of {matrix.nbytes / 1e6:.1f} MB, ε = "
        f"{method.epsilon:g}"
    )
    print(f"Gram route            {ours:10.4f} s   {extra:8.1f} MB above the embedding")
    print(f"eigh of ρ ({arguments.n} x {arguments.n}) {theirs:10.4f} s")
    print(f"ratio {theirs / ours:.0f}; largest relative difference {difference:.1e}")


if __name__ == "__main__":
    main()

"""All pairs of N encoders: the two ways against a loop over pairs, the share of the machine's matrix product that is
reached, and one pair against QuTiP; medians, in one run.

python tests/benchmarks/pairs.py                       # N = 100 encoders on n = 2,000 sentences, d = 128 to 384
python tests/benchmarks/pairs.py --encoders 24 --qutip # a quick look; QuTiP on n x n matrices takes seconds a call

The loop is what stands for one pair: qre.entropy.relative both ways, the overlap, and qre.similarity.linear_cka. It is
timed on a sample of the pairs, and its time multiplied.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from qre.all_pairs import ThinOperator, cheaper, strip_bytes, tile  # noqa: E402
from qre.density import DensityOperator  # noqa: E402
from qre.entropy import relative  # noqa: E402
from qre.features import FeatureMethod  # noqa: E402
from qre.similarity import linear_cka  # noqa: E402
from tests.benchmarks.features import seconds  # noqa: E402

DIMENSIONS = (128, 256, 384)
METHOD = FeatureMethod()
QUTIP = (2048, 64)  # n, d


def embedding(n: int, d: int, seed: int) -> np.ndarray:
    """A matrix (n, d) float32 with the falling spectrum of a sentence encoder."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((n, d)) * np.exp(-np.arange(d) / (d / 6))).astype(np.float32)


def one_pair(first: tuple, second: tuple) -> tuple[float, ...]:
    """The four measures of a pair, each (rows, operator); the operators are made once for all pairs."""
    (x, rho), (y, sigma) = first, second
    squares = np.square(rho.eigenvectors(0.0).T @ sigma.eigenvectors(0.0))
    overlap = rho.eigenvalues[rho.eigenvalues > 0] @ squares @ sigma.eigenvalues[sigma.eigenvalues > 0]
    return relative(rho, sigma), relative(sigma, rho), float(overlap), linear_cka(x, y)


def peak(edge: int = 1500) -> float:
    """Operations a second of a float64 matrix product."""
    a = np.random.default_rng(0).standard_normal((edge, edge))
    return 2 * edge**3 / seconds(lambda: a @ a, 5)


def operations(block: list[ThinOperator], way: str) -> float:
    """Of a block with itself: as qre.all_pairs counts them."""
    n, ranks = len(block[0].vectors), sum(one.rank for one in block)
    return n * ranks**2 if way == "thin" else 2 * n**2 * ranks + 2 * n**2 * len(block) ** 2


def against_qutip(n: int, d: int) -> None:
    """One pair whose σ has the span of ρ, so that QuTiP's value is finite, and one whose σ has another."""
    import qutip

    rng = np.random.default_rng(0)
    first, mixing = rng.standard_normal((n, d)), rng.standard_normal((d, d))
    rows = (first, first @ mixing, rng.standard_normal((n, d)))
    rho, sigma, other = (DensityOperator.from_embedding(one, normalize=False, smallest=1e-12) for one in rows)
    dense = [qutip.Qobj(one @ one.T / np.sum(one**2)) for one in rows]
    ours = seconds(lambda: relative(rho, sigma, 1e-12), 9)
    theirs = seconds(lambda: qutip.entropy_relative(dense[0], dense[1]), 1)
    values = relative(rho, sigma, 1e-12), float(qutip.entropy_relative(dense[0], dense[1]))
    print(
        f"one pair, n = {n}, d = {d}: thin factors {ours * 1e3:.2f} ms; QuTiP {qutip.__version__} entropy_relative "
        f"{theirs:.2f} s: {theirs / ours:,.0f} ×; values differ by {abs(values[0] / values[1] - 1):.1e}"
    )
    print(
        f"σ of another span: QuTiP {float(qutip.entropy_relative(dense[0], dense[2]))}, ours "
        f"{relative(rho, other):.6g} (ε = 1e-6)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoders", type=int, default=100)
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--sample", type=int, default=30, help="pairs that the loop is timed on")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only-qutip", action="store_true")
    parser.add_argument("--qutip", action="store_true", help="also one pair at n = 2,048, d = 64, against QuTiP")
    arguments = parser.parse_args()
    if arguments.only_qutip:
        against_qutip(*QUTIP)
        return
    many, n = arguments.encoders, arguments.n
    matrices = [embedding(n, DIMENSIONS[i % len(DIMENSIONS)], i) for i in range(many)]
    rows = [matrix / np.linalg.norm(matrix.astype(np.float64), axis=1, keepdims=True) for matrix in matrices]
    block = [ThinOperator.from_embedding(matrix, METHOD) for matrix in matrices]
    rho = [DensityOperator.from_embedding(matrix) for matrix in matrices]
    pairs = list(zip(*np.triu_indices(many, 1), strict=True))
    sample = [pairs[i] for i in np.random.default_rng(0).permutation(len(pairs))[: arguments.sample]]
    print(
        f"{many} encoders, {len(pairs):,} pairs, n = {n:,}, d = {DIMENSIONS}; {os.cpu_count()} CPUs, load "
        f"{os.getloadavg()[0]:.1f}, OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}; strips of "
        f"{strip_bytes(many, 0) / 1e6:.0f} MB"
    )
    rate = [peak()]
    loop = seconds(lambda: [one_pair((rows[a], rho[a]), (rows[b], rho[b])) for a, b in sample], arguments.repeats)
    loop *= len(pairs) / len(sample)
    taken = {}
    for way in ("thin", "frobenius"):
        taken[way] = seconds(lambda way=way: tile(block, block, way), arguments.repeats)
        rate.append(peak())
    best = statistics.median(rate)
    print(f"float64 matrix product: {best / 1e9:.0f} GF/s (median of {len(rate)} looks)")
    print(f"loop over pairs   {loop:9.2f} s   ({len(sample)} pairs timed)")
    for way, time_ in taken.items():
        share = operations(block, way) / time_ / best
        chosen = "  <- chosen" if cheaper(block, block) == way else ""
        print(f"{way:17s} {time_:9.2f} s   {loop / time_:5.1f} ×   {share:4.0%} of the matrix product{chosen}")
    found = tile(block, block)
    worst = max(abs(found.qre_ab[a, b] / one_pair((rows[a], rho[a]), (rows[b], rho[b]))[0] - 1) for a, b in sample[:10])
    print(f"largest relative difference of S(ρ‖σ) from the loop: {worst:.1e}")
    if arguments.qutip:
        against_qutip(*QUTIP)


if __name__ == "__main__":
    main()

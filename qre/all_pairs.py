"""Every pair of two blocks of encoders at once: relative entropy both ways, overlap and centred kernel alignment.

With ρ_a = U diag(μ) Uᵀ and the perturbed σ_b, whose null eigenvalue is ν (qre.features):

    S(ρ_a‖σ_b) = -S(ρ_a) - log ν - ⟨ρ_a, W_b⟩,    W_b = U diag(log(μ̃/ν)) Uᵀ

(Zhang and Bollegala, arXiv 2602.08740, Theorem 1), so the entropies of all pairs are Frobenius products of n x n
matrices, as are the overlap tr ρ_a ρ_b and, with H = I - 11ᵀ/n, ⟨Hρ_aH, Hρ_bH⟩, the numerator of linear CKA (Kornblith
et al., arXiv 1905.00414). Two ways to them, of which `tile` takes the cheaper by its count of operations:

- thin: for each pair the overlaps U_aᵀU_b of the eigenvectors, 2 n r_a r_b operations;
- Frobenius: strips of the n x n matrices of all encoders of both blocks, (EDGE, EDGE) at a time and the upper triangle
  only, since they are symmetric; one matrix product of all encoders for each strip: 3 n² operations a pair, and 2 n² r
  an encoder to make the strips. No n x n matrix is held. It wins from some ten encoders of rank above √n on.

Jensen-Shannon divergences are not among these: they need the spectrum of a mixture, an eigendecomposition a pair
(qre.entropy.jensen_shannon). Natural logarithm (nats), float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from qre.entropy import von_neumann
from qre.features import SMALLEST_EPSILON, FeatureMethod, density_operator, log_weights, perturbed_null

EDGE = 128  # sentences of a strip: its matrices stay in the cache while they are made
MEASURES = ("qre_ab", "qre_ba", "overlap", "cka")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ThinOperator:
    """What the pairs need of one encoder.

    Attributes:
        vectors: U, shape (n, r), float64; r <= min(n, d).
        eigenvalues: μ, shape (r,), those above rounding.
        weights: log(μ̃/ν), shape (r,), non-negative.
        null: ν.
        entropy: S(ρ), nats.
    """

    vectors: np.ndarray
    eigenvalues: np.ndarray
    weights: np.ndarray
    null: float
    entropy: float
    _means: np.ndarray  # of the columns of U, (r,)
    _rows: np.ndarray  # ρ1 and W1, (2, n)
    _own: float  # ‖HρH‖

    @classmethod
    def from_embedding(cls, embedding: np.ndarray, method: FeatureMethod, encoder: str = "") -> ThinOperator:
        """The operator of an embedding E (n, d) with the rows, the perturbation and the ε of a method; its direction
        does not matter. It holds 8·n·r bytes; EmbeddingError as DensityOperator.from_embedding."""
        rho = density_operator(embedding, method, encoder)
        used = rho.eigenvalues > SMALLEST_EPSILON
        vectors, eigenvalues, weights = (
            np.ascontiguousarray(rho.eigenvectors(SMALLEST_EPSILON)),
            rho.eigenvalues[used],
            log_weights(rho, method)[used],
        )
        means = vectors.mean(axis=0)
        centred = np.diag(eigenvalues) - rho.n * np.outer(means, means) * np.sqrt(np.outer(eigenvalues, eigenvalues))
        rows = np.stack([vectors @ (eigenvalues * means), vectors @ (weights * means)]) * rho.n
        null = perturbed_null(method, rho.n)
        own = float(np.linalg.norm(centred))
        return cls(vectors, eigenvalues, weights, null, von_neumann(rho), means, rows, own)

    @property
    def rank(self) -> int:
        return len(self.eigenvalues)


@dataclass(frozen=True)
class PairTile:
    """All pairs of a block of A encoders with one of B, each (A, B) float64.

    Attributes:
        qre_ab, qre_ba: S(ρ_a‖σ_b) and S(ρ_b‖σ_a), nats; a little below 0 where clipping has raised the trace of σ.
        overlap: tr ρ_a ρ_b, 0 to 1.
        cka: linear CKA of the rows that the operators are made of; 0 where these are constant.
    """

    qre_ab: np.ndarray
    qre_ba: np.ndarray
    overlap: np.ndarray
    cka: np.ndarray


def tile(
    first: Sequence[ThinOperator],
    second: Sequence[ThinOperator],
    way: Literal["cheaper", "thin", "frobenius"] = "cheaper",
    progress: Progress = lambda done, total: None,
) -> PairTile:
    """Every pair of two blocks; a block with itself costs half. Memory beside the operators: `strip_bytes` at most.

    Args:
        first, second: A and B operators on the same n sentences, by the same method.
        way: "cheaper" by the count of operations; the results are the same up to rounding.
        progress: told how much is done, of how much.

    Raises:
        ValueError: the operators stand on different numbers of sentences.
    """
    sizes = {len(one.vectors) for one in (*first, *second)}
    if len(sizes) > 1:
        raise ValueError(f"operators on {' and '.join(map(str, sorted(sizes)))} sentences cannot be compared")
    way = cheaper(first, second) if way == "cheaper" else way
    forward, backward, centred = (_by_thin if way == "thin" else _by_frobenius)(first, second, progress)
    n = sizes.pop()
    rows_a, rows_b = (np.stack([one._rows for one in block]) for block in (first, second))  # (A, 2, n)
    total_a, total_b = rows_a.sum(axis=2), rows_b.sum(axis=2)

    def whole(inner: np.ndarray, a: int, b: int) -> np.ndarray:
        """⟨X_a, Y_b⟩ of ⟨HX_aH, Y_b⟩, from the row sums of X and Y: 0 is ρ, 1 is W."""
        ends = np.outer(total_a[:, a], total_b[:, b]) / n**2
        return inner + 2.0 / n * (rows_a[:, a] @ rows_b[:, b].T) - ends

    def entropies(block: Sequence[ThinOperator]) -> np.ndarray:
        return np.array([one.entropy for one in block])

    log_null = np.log(first[0].null)
    own = np.outer([one._own for one in first], [one._own for one in second])
    cka = np.divide(centred, own, out=np.zeros_like(own), where=own > 0)
    qre_ab = -entropies(first)[:, None] - log_null - whole(forward, 0, 1)
    return PairTile(
        qre_ab=qre_ab,
        qre_ba=qre_ab.T if first is second else -entropies(second)[None, :] - log_null - whole(backward, 1, 0),
        overlap=np.clip(whole(centred, 0, 0), 0.0, 1.0),
        cka=np.clip(cka, 0.0, 1.0),
    )


def cheaper(first: Sequence[ThinOperator], second: Sequence[ThinOperator]) -> Literal["thin", "frobenius"]:
    """The way that takes fewer operations, from the ranks alone: the same everywhere."""
    n, same = len(first[0].vectors), first is second
    ranks_a, ranks_b = (sum(one.rank for one in block) for block in (first, second))
    thin = 2 * n * ranks_a * ranks_b / (2 if same else 1)
    made = 2 * n**2 * (ranks_a + (0 if same else ranks_b))
    return "thin" if thin <= made + (2 if same else 3) * n**2 * len(first) * len(second) else "frobenius"


def strip_bytes(first: int, second: int) -> int:
    """Bytes that the strips of two blocks of so many encoders take."""
    return 8 * 2 * (first + second) * EDGE * (EDGE + 1)


# ---- the two ways: ⟨Hρ_aH, W_b⟩, ⟨W_a, Hρ_bH⟩ and ⟨Hρ_aH, Hρ_bH⟩, each (A, B)


Products = tuple[np.ndarray, np.ndarray, np.ndarray]


def _by_thin(first: Sequence[ThinOperator], second: Sequence[ThinOperator], progress: Progress) -> Products:
    forward, backward, centred = (np.zeros((len(first), len(second))) for _ in range(3))
    n, same = len(first[0].vectors), first is second
    for i, a in enumerate(first):
        for j in range(i if same else 0, len(second)):
            b = second[j]
            overlaps = a.vectors.T @ b.vectors
            # U_aᵀ H U_b: the means are taken out before the square, where that costs no digits; ⟨HρH, W⟩ = ⟨HρH, HWH⟩
            overlaps -= n * np.outer(a._means, b._means)
            squares = np.square(overlaps)
            left = a.eigenvalues @ squares
            forward[i, j], backward[i, j] = left @ b.weights, a.weights @ (squares @ b.eigenvalues)
            centred[i, j] = left @ b.eigenvalues
            if same:
                forward[j, i], backward[j, i], centred[j, i] = backward[i, j], forward[i, j], centred[i, j]
        progress(i + 1, len(first))
    return forward, backward, centred


def _by_frobenius(first: Sequence[ThinOperator], second: Sequence[ThinOperator], progress: Progress) -> Products:
    n, same = len(first[0].vectors), first is second
    left = np.empty((2, len(first), EDGE * EDGE))
    right = left if same else np.empty((2, len(second), EDGE * EDGE))
    made = np.empty((2 * EDGE, EDGE))
    forward, backward, centred = (np.zeros((len(first), len(second))) for _ in range(3))
    strips = list(_strips(n))
    for done, rows in enumerate(strips, 1):
        weighted = [[_weighted(one, rows) for one in block] for block in ((first,) if same else (first, second))]
        for columns in strips[done - 1 :]:
            size = (rows.stop - rows.start) * (columns.stop - columns.start)
            for block, factors, target in zip((first, second), weighted, (left, right)):
                for place, (one, factor) in enumerate(zip(block, factors, strict=True)):
                    _fill(one, factor, rows, columns, made, target[:, place, :size])
            twice = 1.0 if columns is rows else 2.0  # the lower triangle is the upper one's
            rho, both = left[0, :, :size], right[:, :, :size]
            centred += twice * (rho @ both[0].T)
            forward += twice * (rho @ both[1].T)
            if not same:
                backward += twice * (left[1, :, :size] @ both[0].T)
        progress(done, len(strips))
    return forward, forward.T if same else backward, centred


def _strips(n: int) -> Iterator[slice]:
    for start in range(0, n, EDGE):
        yield slice(start, min(start + EDGE, n))


def _weighted(one: ThinOperator, rows: slice) -> np.ndarray:
    """U diag(μ) over U diag(log μ̃/ν) of some sentences, (2 b, r)."""
    block = one.vectors[rows]
    return np.concatenate([block * one.eigenvalues, block * one.weights])


def _fill(
    one: ThinOperator, factor: np.ndarray, rows: slice, columns: slice, space: np.ndarray, target: np.ndarray
) -> None:
    """HρH and W between some sentences and others, into (2, b b')."""
    n, (height, width) = len(one.vectors), (rows.stop - rows.start, columns.stop - columns.start)
    block = space[: 2 * height, :width]
    np.matmul(factor, one.vectors[columns].T, out=block)
    sums = one._rows[0]
    kernel = target[0].reshape(height, width)
    np.subtract(block[:height], (sums[rows] / n - sums.sum() / n**2)[:, None], out=kernel)
    kernel -= sums[columns] / n
    target[1].reshape(height, width)[...] = block[height:]

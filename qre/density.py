"""Embedding -> density operator, held as thin eigenpairs; never an n x n matrix when d < n.

ρ = X Xᵀ / tr(X Xᵀ), where X is the embedding E (n, d) with its rows L2-normalised (or raw). Its eigenvalues are those
of the d x d Gram matrix G = XᵀX / tr(XᵀX) = V diag(μ) Vᵀ, and its eigenvectors are U = X V diag(μ·tr)^(-1/2). U is not
stored: what every caller needs is Σ_j u_ij² w_j, one matrix product with the weights folded into V. Source: Zhang and
Bollegala, "Map of Encoders" (arXiv 2602.08740), section 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qre.errors import ConstantEmbeddingError, NonFiniteError, ShapeError, ZeroRowError

BLOCK_BYTES = 8 * 2**20  # of float64 rows at a time: large enough for the BLAS, small beside the embedding
# of the largest eigenvalue: below it the error of the Gram route (about 1e-16 of the largest) is no longer small
GRAM_FLOOR = 1e-9
SMALL = 1e-37  # below it float32 loses bits
CONSTANT_FLOOR = 1e-12  # mean squared deviation of unit rows from one direction; float32 rounding stands near 1e-14


@dataclass(frozen=True)
class DensityOperator:
    """ρ of one embedding as its thin eigenpairs.

    Attributes:
        eigenvalues: μ, shape (K,), float64, descending, non-negative, summing to 1; K <= min(n, d).
        n: number of sentences.
        dimension: d of the embedding it came from.

    Exactly one of two forms is held: `_left` = U, shape (n, K), or the rows X = diag(row_scale)·E with the right
        vectors V, shape (d, K),
    and tr(XᵀX), from which the mass u_ij² follows block by block.
    """

    eigenvalues: np.ndarray
    n: int
    dimension: int
    _embedding: np.ndarray | None = None
    _row_scale: np.ndarray | None = None
    _right: np.ndarray | None = None
    _trace: float = 1.0
    _left: np.ndarray | None = None

    @classmethod
    def from_embedding(
        cls, embedding: np.ndarray, *, normalize: bool = True, smallest: float = 1e-6, encoder: str = ""
    ) -> DensityOperator:
        """The density operator of an embedding.

        Args:
            embedding: E, shape (n, d), any float dtype, row i = sentence i; it is read, never written.
            normalize: scale every row to unit length first, so that ρ is the equal mixture of n pure states.
            smallest: the smallest eigenvalue whose value will matter (the ε of a clipping). Above 1e-9 of the largest
                the Gram route is exact to 1e-9 (relative, measured); below, Householder QR and an SVD of R take over,
                at about three times the cost.
            encoder: name to put into errors.

        Raises:
            ShapeError, NonFiniteError, ZeroRowError, ConstantEmbeddingError: each names the encoder and the rows.
        """
        embedding = np.asarray(embedding)
        _check_shape(embedding, encoder)
        n, d = embedding.shape
        if d > n:
            return cls._from_few_rows(_scaled(embedding, normalize, encoder), smallest, encoder)
        row_scale, gram = _gram(embedding, normalize, encoder)
        trace = float(np.trace(gram))
        eigenvalues, right = np.linalg.eigh(gram / trace)
        _check_not_constant(eigenvalues[-1], encoder)
        if smallest < GRAM_FLOOR * eigenvalues[-1]:
            return cls._from_qr(_scaled(embedding, normalize, encoder), trace)
        return cls(
            eigenvalues=np.maximum(eigenvalues[::-1], 0.0),
            n=n,
            dimension=d,
            _embedding=embedding,
            _row_scale=row_scale,
            _right=right[:, ::-1],
            _trace=trace,
        )

    @classmethod
    def _from_few_rows(cls, rows: np.ndarray, smallest: float, encoder: str) -> DensityOperator:
        """d > n: X Xᵀ is the smaller side, and its eigenvectors are U itself."""
        gram = rows @ rows.T
        trace = float(np.trace(gram))
        eigenvalues, left = np.linalg.eigh(gram / trace)
        _check_not_constant(eigenvalues[-1], encoder)
        if smallest < GRAM_FLOOR * eigenvalues[-1]:
            return cls._from_qr(rows, trace)
        n, d = rows.shape
        return cls(np.maximum(eigenvalues[::-1], 0.0), n, d, _trace=trace, _left=left[:, ::-1])

    @classmethod
    def _from_qr(cls, rows: np.ndarray, trace: float) -> DensityOperator:
        """X = QR, R = W S Zᵀ: singular values to full relative precision, where squaring into a Gram matrix would lose
        the small ones."""
        n, d = rows.shape
        if d > n:
            left, s, _ = np.linalg.svd(np.linalg.qr(rows.T, mode="r").T)  # type: ignore[attr-defined]  # numpy's stub
        else:
            q, r = np.linalg.qr(rows)
            w, s, _ = np.linalg.svd(r)
            left = q @ w
        return cls(s**2 / trace, n, d, _trace=trace, _left=left)

    def mass(self, weights: np.ndarray) -> np.ndarray:
        """Σ_j u_ij² w_j for every sentence i: how much weighted eigen-mass the sentence holds.

        Args:
            weights: w, shape (K,), float64, of any sign. Where an eigenvalue is 0 its weight must be 0.

        Returns:
            shape (n,), float64.
        """
        if self._left is not None:
            return np.square(self._left) @ weights
        assert self._embedding is not None and self._right is not None  # the other of the two forms
        used = weights != 0
        scale = weights[used] / (self.eigenvalues[used] * self._trace)
        right = self._right[:, used] * np.sqrt(np.abs(scale))
        sign = None if (scale >= 0).all() else np.sign(scale)
        mass = np.empty(self.n)
        space = np.empty((_step(self._embedding), right.shape[1]))
        for rows, block in _blocks(self._embedding):
            projected = np.matmul(block, right, out=space[: len(block)])
            if sign is None:
                mass[rows] = np.einsum("ij,ij->i", projected, projected)
            else:
                mass[rows] = np.square(projected) @ sign
        return mass if self._row_scale is None else mass * np.square(self._row_scale)

    def eigenvectors(self, smallest: float = GRAM_FLOOR) -> np.ndarray:
        """U of the eigenvalues above `smallest`, shape (n, K'), float64, orthonormal columns: what comparing two
        operators needs."""
        used = self.eigenvalues > smallest
        if self._left is not None:
            return self._left[:, used]
        assert self._embedding is not None and self._right is not None  # the other of the two forms
        right = self._right[:, used] / np.sqrt(self.eigenvalues[used] * self._trace)
        left = self._embedding @ right
        return left if self._row_scale is None else left * self._row_scale[:, None]

    @property
    def mean_square(self) -> float:
        """Mean squared length of the rows of X: 1 where they are at unit length."""
        return self._trace / self.n

    def principal_coordinates(self) -> np.ndarray:
        """The rows of X in the basis of the right singular vectors: X V = U diag(μ·tr)^½, shape (n, K), float32. Their
        lengths and inner products are those of the rows of X."""
        if self._left is not None:
            return (self._left * np.sqrt(self.eigenvalues * self._trace)).astype(np.float32)
        assert self._embedding is not None and self._right is not None  # the other of the two forms
        right = self._right.astype(np.float32)
        coordinates = np.empty((self.n, right.shape[1]), np.float32)
        space = np.empty((_step(self._embedding), self.dimension), np.float32)
        scales = np.ones(1) if self._row_scale is None else self._row_scale[:, None]
        if SMALL < scales.min() and scales.max() < 1 / SMALL:
            scales = scales.astype(np.float32)
        for start in range(0, self.n, len(space)):
            rows = slice(start, min(start + len(space), self.n))
            block = space[: rows.stop - start]
            scale = scales if self._row_scale is None else scales[rows]
            np.multiply(self._embedding[rows], scale, out=block, casting="same_kind")
            np.matmul(block, right, out=coordinates[rows])
        return coordinates

    def mean_coordinates(self) -> np.ndarray:
        """The mean row of X in that basis, shape (K,), float64: the mean of `principal_coordinates`, in double
        precision."""
        if self._left is not None:
            return self._left.mean(axis=0) * np.sqrt(self.eigenvalues * self._trace)
        assert self._embedding is not None and self._right is not None  # the other of the two forms
        total = np.zeros(self.dimension)
        for rows, block in _blocks(self._embedding):
            total += block.sum(axis=0) if self._row_scale is None else self._row_scale[rows] @ block
        return (total / self.n) @ self._right


def _step(embedding: np.ndarray) -> int:
    """Rows in one block."""
    return min(len(embedding), max(1, BLOCK_BYTES // (8 * embedding.shape[1])))


def _blocks(embedding: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Row ranges, and their rows as float64 in one buffer that is used again."""
    step = _step(embedding)
    buffer = np.empty((step, embedding.shape[1]))
    for start in range(0, len(embedding), step):
        rows = slice(start, min(start + step, len(embedding)))
        block = buffer[: rows.stop - start]
        np.copyto(block, embedding[rows])
        yield rows, block


def _gram(embedding: np.ndarray, normalize: bool, encoder: str) -> tuple[np.ndarray | None, np.ndarray]:
    """Row scale (n,) or None, and XᵀX (d, d) summed over row blocks; every row is checked on the way."""
    n, d = embedding.shape
    gram = np.zeros((d, d))
    row_scale = np.empty(n) if normalize else None
    part = np.empty((d, d))
    for rows, block in _blocks(embedding):
        norms = _checked_norms(block, rows.start, encoder)
        if row_scale is not None:
            row_scale[rows] = 1.0 / norms
            block *= row_scale[rows, None]
        gram += np.matmul(block.T, block, out=part)
    return row_scale, gram


def _scaled(embedding: np.ndarray, normalize: bool, encoder: str) -> np.ndarray:
    """X as a float64 copy (n, d), for the routes that need all of it at once."""
    rows = embedding.astype(np.float64)
    norms = _checked_norms(rows, 0, encoder)
    if normalize:
        rows /= norms[:, None]
    return rows


def _check_shape(embedding: np.ndarray, encoder: str) -> None:
    if embedding.ndim != 2 or embedding.dtype.kind != "f":
        raise ShapeError(
            f"an embedding is an (n, d) matrix of floats, not {embedding.dtype} of shape {embedding.shape}", encoder
        )
    if embedding.shape[0] < 2 or embedding.shape[1] < 1:
        raise ShapeError(f"at least 2 sentences and 1 dimension are needed, not shape {embedding.shape}", encoder)


def check_finite(embedding: np.ndarray, encoder: str = "") -> None:
    """Raise NonFiniteError, naming the rows, where an embedding (n, d) has NaN or Inf."""
    finite = np.isfinite(embedding).all(axis=1)
    if not finite.all():
        raise NonFiniteError("NaN or Inf in the embedding", encoder, _first(~finite, 0))


def _checked_norms(block: np.ndarray, start: int, encoder: str) -> np.ndarray:
    """Euclidean norms (b,) of the rows; a row of NaN, Inf or zeros is an error that names it."""
    norms = np.sqrt(np.einsum("ij,ij->i", block, block))
    bad = ~np.isfinite(norms)
    if bad.any():
        raise NonFiniteError("NaN, Inf or overflow in the embedding", encoder, _first(bad, start))
    if not norms.all():
        raise ZeroRowError("all-zero vector: the sentence has no direction", encoder, _first(norms == 0, start))
    return norms


def _check_not_constant(largest: float, encoder: str) -> None:
    if 1.0 - largest < CONSTANT_FLOOR:
        raise ConstantEmbeddingError("every sentence has the same direction", encoder)


def _first(bad: np.ndarray, start: int) -> tuple[int, ...]:
    return tuple(int(i) + start for i in np.flatnonzero(bad)[:10])

"""Short descriptions of an embedding that are no features of it, but what a prediction from features has to beat: its
spectrum, its Gram matrix."""

from __future__ import annotations

import numpy as np

from qre.density import DensityOperator, check_finite
from qre.errors import ConstantEmbeddingError

SPECTRUM = 256  # eigenvalues kept
SKETCH = 200  # sentences in a Gram sketch: 20,100 numbers


def leading_eigenvalues(
    embedding: np.ndarray,
    count: int = SPECTRUM,
    normalize: bool = True,
    encoder: str = "",
    operator: DensityOperator | None = None,
) -> np.ndarray:
    """The largest eigenvalues of the density operator, descending, shape (count,), float64; 0 where there are no more.

    Args:
        embedding: E, shape (n, d), float.
        normalize: rows to unit length first.
        operator: of these rows, where it is there already: its spectrum is taken, and not computed again.

    Raises:
        EmbeddingError: see DensityOperator.from_embedding.
    """
    rho = operator or DensityOperator.from_embedding(embedding, normalize=normalize, encoder=encoder)
    eigenvalues = rho.eigenvalues[:count]
    return np.pad(eigenvalues, (0, count - len(eigenvalues)))


def sketch_rows(n: int, count: int = SKETCH, seed: int = 0) -> np.ndarray:
    """Which of n sentences a sketch is of: distinct, ascending, the same for the same n, count and seed. (min(count,
    n),)"""
    return np.sort(np.random.default_rng(seed).permutation(n)[:count])


def gram_sketch(embedding: np.ndarray, rows: np.ndarray, encoder: str = "") -> np.ndarray:
    """The centred Gram matrix of some sentences as a unit vector: the inner product of two sketches is the linear CKA
    of the encoders on them.

    Args:
        embedding: E, shape (n, d), float; its rows are taken as they are, as CKA does.
        rows: m row indices, from sketch_rows.

    Returns:
        shape (m(m + 1)/2,), float64: the upper triangle, with √2 off the diagonal, for there are two of each.

    Raises:
        NonFiniteError: NaN or Inf in these rows.
        ConstantEmbeddingError: all these sentences have the same vector.
    """
    chosen = embedding[rows].astype(np.float64)
    check_finite(chosen, encoder)
    centred = chosen - chosen.mean(axis=0)
    gram = centred @ centred.T
    norm = np.linalg.norm(gram)
    if norm <= 1e-20 * np.square(chosen).sum():
        raise ConstantEmbeddingError("every sentence of the sketch has the same vector", encoder)
    upper = np.triu_indices(len(gram))
    return gram[upper] * np.where(upper[0] == upper[1], 1.0, np.sqrt(2.0)) / norm

"""The spectrum and the Gram sketch: against the density operator itself, and against linear CKA as it is defined."""

import numpy as np
import pytest

from qre.errors import ConstantEmbeddingError, NonFiniteError
from qre.spectra import gram_sketch, leading_eigenvalues, sketch_rows


def encoder(seed: int, n: int = 60, d: int = 8) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((n, d)) * rng.uniform(0.1, 3, d) + rng.standard_normal(d)).astype(np.float32)


def linear_cka(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x.astype(float) - x.astype(float).mean(axis=0), y.astype(float) - y.astype(float).mean(axis=0)
    return np.linalg.norm(x.T @ y) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))


def test_spectrum_is_that_of_the_operator_and_padded():
    matrix = encoder(0)
    unit = matrix.astype(float) / np.linalg.norm(matrix.astype(float), axis=1, keepdims=True)
    expected = np.linalg.eigvalsh(unit @ unit.T / 60)[::-1]
    assert np.allclose(leading_eigenvalues(matrix, 5), expected[:5], rtol=1e-9)
    assert leading_eigenvalues(matrix).shape == (256,)
    assert leading_eigenvalues(matrix).sum() == pytest.approx(1.0)
    assert not np.allclose(leading_eigenvalues(matrix, 5, normalize=False), expected[:5], rtol=1e-3)


def test_inner_product_of_sketches_is_linear_cka():
    first, second = encoder(1), encoder(2, d=30)
    rows = sketch_rows(60, 25)
    sketches = gram_sketch(first, rows), gram_sketch(second, rows)
    assert sketches[0].shape == (25 * 26 // 2,)
    assert sketches[0] @ sketches[0] == pytest.approx(1.0)
    assert sketches[0] @ sketches[1] == pytest.approx(linear_cka(first[rows], second[rows]), rel=1e-9)
    rotation = np.linalg.qr(np.random.default_rng(3).standard_normal((8, 8)))[0]
    assert np.allclose(gram_sketch(first @ rotation * 5 + 1, rows), sketches[0], atol=1e-6)


def test_sketch_rows_are_distinct_and_fixed():
    rows = sketch_rows(1000)
    assert len(np.unique(rows)) == 200 and (np.diff(rows) > 0).all() and rows.max() < 1000
    assert np.array_equal(rows, sketch_rows(1000))
    assert not np.array_equal(rows, sketch_rows(1000, seed=1))
    assert np.array_equal(sketch_rows(30), np.arange(30))


def test_sketch_names_what_it_cannot_describe():
    matrix, rows = encoder(0), sketch_rows(60, 10)
    with pytest.raises(ConstantEmbeddingError, match="encoder 'x'"):
        gram_sketch(np.full((60, 4), 0.3), rows, "x")
    matrix[rows[2], 0] = np.inf
    with pytest.raises(NonFiniteError):
        gram_sketch(matrix, rows)

"""Density operators: the thin routes against a literal n x n eigendecomposition, and typed errors."""

import numpy as np
import pytest

from qre.density import DensityOperator
from qre.errors import ConstantEmbeddingError, NonFiniteError, ShapeError, ZeroRowError

# (n, d, smallest): Gram, few rows, QR
ROUTES = [(80, 12, 1e-6), (40, 40, 1e-6), (30, 70, 1e-6), (80, 12, 1e-14), (30, 70, 1e-14)]


def ill_conditioned(n: int, d: int, condition: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    left = np.linalg.qr(rng.standard_normal((n, min(n, d))))[0]
    right = np.linalg.qr(rng.standard_normal((d, min(n, d))))[0]
    return left * np.logspace(0, -np.log10(condition), min(n, d)) @ right.T


def literal(embedding: np.ndarray, normalize: bool = True) -> np.ndarray:
    """ρ itself, (n, n)."""
    rows = embedding.astype(np.float64)
    if normalize:
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return rows @ rows.T / np.sum(rows**2)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize(("n", "d", "smallest"), ROUTES)
def test_eigenpairs_are_those_of_rho(n, d, smallest, normalize):
    embedding = ill_conditioned(n, d, 1e3)
    rho = DensityOperator.from_embedding(embedding, normalize=normalize, smallest=smallest)
    expected = literal(embedding, normalize)
    vectors = rho.eigenvectors()
    values = rho.eigenvalues[rho.eigenvalues > 1e-9]
    assert np.allclose(vectors * values @ vectors.T, expected, atol=1e-12)
    assert np.allclose(vectors.T @ vectors, np.eye(len(values)), atol=1e-6)
    assert rho.eigenvalues.sum() == pytest.approx(1.0, abs=1e-12)
    assert (np.diff(rho.eigenvalues) <= 0).all()
    assert (rho.eigenvalues >= 0).all()


@pytest.mark.parametrize(("n", "d", "smallest"), ROUTES)
def test_mass_takes_weights_of_any_sign(n, d, smallest):
    embedding = ill_conditioned(n, d, 50)
    rho = DensityOperator.from_embedding(embedding, smallest=smallest)
    weights = np.where(rho.eigenvalues > 1e-9, np.random.default_rng(1).standard_normal(len(rho.eigenvalues)), 0.0)
    used = rho.eigenvalues > 1e-9
    expected = np.square(rho.eigenvectors()) @ weights[used]
    assert np.allclose(rho.mass(weights), expected, atol=1e-10)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize(("n", "d", "smallest"), ROUTES)
def test_principal_coordinates_are_the_rows_in_another_basis(n, d, smallest, normalize):
    embedding = ill_conditioned(n, d, 50) * 3 + 0.1
    rho = DensityOperator.from_embedding(embedding, normalize=normalize, smallest=smallest)
    rows = embedding / np.linalg.norm(embedding, axis=1, keepdims=True) if normalize else embedding
    coordinates = rho.principal_coordinates()
    assert coordinates.dtype == np.float32 and coordinates.shape == (n, min(n, d))
    size = np.square(rows).sum() / n
    assert np.allclose(coordinates @ coordinates.T, rows @ rows.T, atol=1e-5 * size)
    assert np.allclose(coordinates.astype(float).T @ coordinates / n, np.diag(rho.eigenvalues) * size, atol=1e-6 * size)
    assert np.allclose(rho.mean_coordinates(), coordinates.mean(axis=0), atol=1e-6 * size**0.5)
    assert np.linalg.norm(rho.mean_coordinates()) == pytest.approx(np.linalg.norm(rows.mean(axis=0)), rel=1e-9)
    assert rho.mean_square == pytest.approx(size, rel=1e-12)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("scale", "dtype"), [(1e-42, "float32"), (1e37, "float32"), (1e-80, "float64"), (1e80, "float64")]
)
def test_principal_coordinates_of_rows_of_any_length(scale, dtype):
    embedding = (ill_conditioned(80, 12, 50) * scale).astype(dtype)
    rows = embedding.astype(float) / np.linalg.norm(embedding.astype(float), axis=1, keepdims=True)
    coordinates = DensityOperator.from_embedding(embedding).principal_coordinates()
    assert np.allclose(coordinates @ coordinates.T, rows @ rows.T, atol=1e-5)


def test_qr_route_keeps_small_eigenvalues_that_the_gram_matrix_loses():
    embedding = ill_conditioned(200, 10, 1e7)  # eigenvalues down to 1e-14
    expected = np.logspace(0, -7, 10) ** 2
    expected /= expected.sum()
    exact = DensityOperator.from_embedding(embedding, normalize=False, smallest=1e-15).eigenvalues
    gram = DensityOperator.from_embedding(embedding, normalize=False, smallest=1e-6).eigenvalues
    assert np.allclose(exact, expected, rtol=1e-6, atol=0)
    assert not np.allclose(gram, expected, rtol=1e-6, atol=0)


def test_blocks_change_nothing(monkeypatch):
    embedding = ill_conditioned(500, 20, 100).astype(np.float32)
    whole = DensityOperator.from_embedding(embedding)
    monkeypatch.setattr("qre.density.BLOCK_BYTES", 7 * 8 * 20)
    parts = DensityOperator.from_embedding(embedding)
    weights = np.ones(20)
    assert np.allclose(whole.eigenvalues, parts.eigenvalues, rtol=1e-10, atol=1e-16)
    assert np.allclose(whole.mass(weights), parts.mass(weights), rtol=1e-9)


def test_the_embedding_is_not_written():
    embedding = ill_conditioned(50, 8, 10)
    before = embedding.copy()
    DensityOperator.from_embedding(embedding).mass(np.ones(8))
    assert np.array_equal(embedding, before)


@pytest.mark.parametrize("shape", [(40, 6), (6, 40)])
@pytest.mark.parametrize(("value", "error"), [(np.nan, NonFiniteError), (np.inf, NonFiniteError), (0.0, ZeroRowError)])
def test_a_bad_row_is_named(shape, value, error):
    embedding = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    embedding[5] = value
    with pytest.raises(error, match=r"encoder 'mine'.*row 5\)") as caught:
        DensityOperator.from_embedding(embedding, encoder="mine")
    assert caught.value.rows == (5,)


def test_rows_are_numbered_over_all_blocks(monkeypatch):
    monkeypatch.setattr("qre.density.BLOCK_BYTES", 8 * 4 * 3)  # 4 rows of 3 a block
    embedding = np.ones((50, 3)) + np.eye(50, 3)
    embedding[[41, 42]] = np.nan
    with pytest.raises(NonFiniteError) as caught:
        DensityOperator.from_embedding(embedding)
    assert caught.value.rows[0] == 41


@pytest.mark.parametrize(
    "embedding",
    [np.ones((1, 4)), np.ones((5, 0)), np.ones(5), np.ones((4, 4), dtype=int), np.ones((2, 2, 2))],
    ids=["one sentence", "no dimension", "a vector", "integers", "three axes"],
)
def test_wrong_shapes(embedding):
    with pytest.raises(ShapeError):
        DensityOperator.from_embedding(embedding, encoder="mine")


@pytest.mark.parametrize("shape", [(40, 6), (6, 40)])
def test_constant_embedding(shape):
    noise = 1e-7 * np.random.default_rng(0).standard_normal(shape)  # float32 rounding of one and the same vector
    with pytest.raises(ConstantEmbeddingError, match="mine"):
        DensityOperator.from_embedding((np.ones(shape) + noise).astype(np.float32), encoder="mine")


def test_nearly_constant_embedding_is_an_encoder():
    embedding = np.ones((40, 6)) + 1e-3 * np.random.default_rng(0).standard_normal((40, 6))
    assert DensityOperator.from_embedding(embedding).eigenvalues[0] > 0.99


def test_errors_survive_the_way_between_processes():
    import pickle  # what Ray does with an exception; nothing is stored so

    error = pickle.loads(pickle.dumps(ZeroRowError("all-zero vector", "mine", (3,))))
    assert isinstance(error, ZeroRowError)
    assert (error.encoder, error.rows) == ("mine", (3,))

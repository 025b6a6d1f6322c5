"""All pairs of two blocks: against the formula on the n x n operators themselves, against the measures of one pair, and
the invariants as properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qre.all_pairs import EDGE, MEASURES, ThinOperator, cheaper, strip_bytes, tile
from qre.density import DensityOperator
from qre.entropy import relative
from qre.errors import ZeroRowError
from qre.features import FeatureMethod
from qre.similarity import linear_cka

WAYS = ("thin", "frobenius")
SHAPES = ((8, 0.0), (40, 1.0), (300, 0.3), (30, 50.0))  # dimension, and how far all sentences lean one way
METHODS = (
    FeatureMethod(),
    FeatureMethod(epsilon=1e-3),
    FeatureMethod(perturbation="mix"),
    FeatureMethod(normalize=False),
    FeatureMethod(center=True),
    FeatureMethod(direction="base_second"),
)


def embeddings(n: int, seed: int = 0) -> list[np.ndarray]:
    """Matrices (n, d) float32 of a falling spectrum; the last but one has more dimensions than sentences at n = 200,
    and the last is one of low rank."""
    rng = np.random.default_rng(seed)
    found = [
        (rng.standard_normal((n, d)) * np.exp(-np.arange(d) / (d / 6)) + lean).astype(np.float32) for d, lean in SHAPES
    ]
    low = rng.standard_normal((n, 3)) @ rng.standard_normal((3, 20))
    return [*found, low.astype(np.float32)]


def rows_of(embedding: np.ndarray, method: FeatureMethod) -> np.ndarray:
    rows = embedding.astype(np.float64)
    rows = rows - rows.mean(axis=0) if method.center else rows
    return rows / np.linalg.norm(rows, axis=1, keepdims=True) if method.normalize else rows


def literal(first: np.ndarray, second: np.ndarray, method: FeatureMethod) -> tuple[float, float]:
    """S(ρ‖σ) and tr ρσ of two matrices of rows, from all eigenpairs of the n x n operators."""
    n = len(first)
    rho, sigma = (rows @ rows.T / np.sum(rows**2) for rows in (first, second))
    values, vectors = np.linalg.eigh(sigma)
    values = np.maximum(values, 0)
    if method.perturbation == "clip":
        values = np.maximum(values, method.epsilon)
    else:
        values = (1 - method.epsilon) * values + method.epsilon / n
    own = np.linalg.eigvalsh(rho)
    own = own[own > 0]
    logarithm = (vectors * np.log(values)) @ vectors.T
    return float(own @ np.log(own) - np.sum(rho * logarithm)), float(np.sum(rho * sigma))


def operators(matrices: list[np.ndarray], method: FeatureMethod) -> list[ThinOperator]:
    return [ThinOperator.from_embedding(matrix, method) for matrix in matrices]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", METHODS, ids=lambda one: one.name)
def test_it_is_the_formula_on_the_operators_themselves(method, way):
    matrices = embeddings(200)  # more than one strip, and the last is not full
    assert 200 % EDGE and EDGE < 200
    rows = [rows_of(matrix, method) for matrix in matrices]
    expected = np.array([[literal(a, b, method) for b in rows] for a in rows])
    blocks = operators(matrices, method)
    for first, second in ((blocks, blocks), (blocks[:2], blocks[2:])):
        found = tile(first, second, way)
        a, b = (slice(0, 5), slice(0, 5)) if first is second else (slice(0, 2), slice(2, 5))
        np.testing.assert_allclose(found.qre_ab, expected[a, b, 0], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(found.qre_ba, expected[b, a, 0].T, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(found.overlap, expected[a, b, 1], rtol=1e-9, atol=1e-12)
        cka = [[linear_cka(x, y) for y in rows[b]] for x in rows[a]]
        np.testing.assert_allclose(found.cka, cka, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("epsilon", [1e-6, 1e-12])
@pytest.mark.parametrize("way", WAYS)
def test_it_is_the_relative_entropy_of_each_pair(way, epsilon):
    matrices, method = embeddings(300, seed=1), FeatureMethod(epsilon=epsilon)
    found = tile(*(operators(part, method) for part in (matrices[:3], matrices[3:])), way)
    rho = [DensityOperator.from_embedding(matrix, smallest=epsilon) for matrix in matrices]
    expected = np.array([[relative(a, b, epsilon) for b in rho] for a in rho])
    np.testing.assert_allclose(found.qre_ab, expected[:3, 3:], rtol=1e-10)
    np.testing.assert_allclose(found.qre_ba, expected[3:, :3].T, rtol=1e-10)


@pytest.mark.parametrize("way", WAYS)
def test_cka_keeps_its_digits_where_all_sentences_are_nearly_alike(way):
    """Mean cosine 1 - 1e-7: what is centred is a 1e-14th of what is not, once it is squared."""
    rng = np.random.default_rng(0)
    matrices = [rng.standard_normal((150, 20)) * 1e-4 + np.eye(20)[0] for _ in range(3)]
    blocks = operators(matrices, FeatureMethod(normalize=False))
    expected = [[linear_cka(a, b) for b in matrices] for a in matrices]
    np.testing.assert_allclose(tile(blocks, blocks, way).cka, expected, rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(3, 160),
    dimensions=st.lists(st.integers(2, 40), min_size=2, max_size=4),
    rank=st.integers(2, 40),
    way=st.sampled_from(WAYS),
    method=st.sampled_from(METHODS),
)
def test_finite_everywhere_and_the_same_up_to_rotation_scale_and_direction_of_the_block(
    seed, n, dimensions, rank, way, method
):
    rng = np.random.default_rng(seed)
    matrices = [rng.standard_normal((n, min(rank, d))) @ rng.standard_normal((min(rank, d), d)) for d in dimensions]
    turned = [3.0 * matrix @ np.linalg.qr(rng.standard_normal((matrix.shape[1],) * 2))[0] for matrix in matrices]
    first, second = operators(matrices, method), operators(turned, method)
    own, across, back = tile(first, first, way), tile(first, second, way), tile(second, first, way)
    for name in MEASURES:
        assert np.isfinite(getattr(own, name)).all()
        np.testing.assert_allclose(getattr(across, name), getattr(own, name), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(back.qre_ba.T, across.qre_ab, rtol=1e-9, atol=1e-9)
    for name in ("overlap", "cka"):
        one = getattr(own, name)
        np.testing.assert_array_equal(one, one.T)
        assert (one >= 0).all() and (one <= 1).all()
    np.testing.assert_allclose(np.diag(own.cka), 1.0, rtol=1e-6)
    np.testing.assert_array_equal(own.qre_ba, own.qre_ab.T)


@pytest.mark.parametrize("way", WAYS)
def test_an_encoder_is_no_further_from_itself_than_the_perturbation(way):
    """Clipping raises the eigenvalues below ε, n of them at most, so the trace of σ is at most 1 + nε, and S(ρ‖σ) >=
    -log(1 + nε); mixing lets no eigenvalue fall by more than the factor 1 - δ."""
    matrices = embeddings(200)
    clipped, mixed = (FeatureMethod(), FeatureMethod(perturbation="mix"))
    own = np.diag(tile(operators(matrices, clipped), operators(matrices, clipped), way).qre_ab)
    assert (own <= 1e-12).all() and (own >= -np.log1p(200 * clipped.epsilon)).all()
    block = operators(matrices, mixed)
    own = np.diag(tile(block, block, way).qre_ab)
    assert (own >= 0).all() and (own <= -np.log(1 - mixed.epsilon)).all()


def test_both_ways_are_taken_where_they_are_cheaper():
    narrow, wide = (
        operators([np.random.default_rng(0).standard_normal((300, d))] * 40, FeatureMethod()) for d in (8, 120)
    )
    assert cheaper(narrow, narrow) == "thin"
    assert cheaper(wide, wide) == "frobenius"
    assert cheaper(wide[:2], wide[2:4]) == "thin"
    assert strip_bytes(64, 64) < 2**26


def test_what_has_no_operator_is_named_and_other_sentences_are_refused():
    matrices = embeddings(100)
    matrices[0][7] = 0
    with pytest.raises(ZeroRowError, match="mine"):
        ThinOperator.from_embedding(matrices[0], FeatureMethod(), "mine")
    with pytest.raises(ValueError, match="operators on 90 and 100 sentences"):
        tile(operators(matrices[1:], FeatureMethod()), operators(embeddings(90), FeatureMethod()))

"""Feature vectors: the invariants of the method as properties, and agreement with the literal formula."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qre.density import DensityOperator
from qre.entropy import relative, von_neumann
from qre.errors import ConstantEmbeddingError, NonFiniteError, ShapeError
from qre.features import FeatureMethod, feature_row, feature_rows

seeds = st.integers(0, 2**32 - 1)
conditions = st.sampled_from([1.0, 1e2, 1e4, 1e7])
shapes = st.tuples(st.integers(3, 40), st.integers(2, 50))
clips = st.sampled_from([1e-3, 1e-6, 1e-8]).map(lambda epsilon: FeatureMethod(epsilon=epsilon))
mixes = st.sampled_from([0.3, 0.1, 1e-3]).map(lambda delta: FeatureMethod(perturbation="mix", epsilon=delta))
methods = st.one_of(clips, mixes, st.just(FeatureMethod(direction="base_second")))
raw_or_unit = st.booleans()


def embedding(seed: int, shape: tuple[int, int], condition: float) -> np.ndarray:
    """Columns of very different size; the two largest are alike, so that not all sentences have one direction."""
    rng = np.random.default_rng(seed)
    scales = np.append(np.logspace(0, -np.log10(condition), shape[1] - 1), 1.0)
    return rng.standard_normal(shape) * rng.permutation(scales)


def literal(matrix: np.ndarray, method: FeatureMethod) -> np.ndarray:
    """The formula as it is written, on the n x n operator itself."""
    n = len(matrix)
    rows = matrix / np.linalg.norm(matrix, axis=1, keepdims=True) if method.normalize else matrix
    values, vectors = np.linalg.eigh(rows @ rows.T / np.sum(rows**2))
    mass = vectors**2
    if method.direction == "base_second":
        values = np.maximum(values, 1e-300)
        return mass @ (values * (np.log(values) + np.log(n)))
    if method.perturbation == "clip":
        values = np.maximum(values, method.epsilon)
    else:
        values = (1 - method.epsilon) * np.maximum(values, 0) + method.epsilon / n
    return (-np.log(n) - mass @ np.log(values)) / n


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference relative to the largest value."""
    return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-3))


@given(seeds, shapes, conditions, methods, raw_or_unit)
@settings(max_examples=200, deadline=None)
def test_agrees_with_the_literal_eigendecomposition(seed, shape, condition, method, normalize):
    matrix = embedding(seed, shape, condition)
    method = method.model_copy(update={"normalize": normalize})
    assert distance(feature_row(matrix, method).feature, literal(matrix, method)) < 1e-9


@given(seeds, shapes, conditions, st.sampled_from([1e-2, 1e-6, 1e-8]), raw_or_unit)
@settings(deadline=None)
def test_sum_is_the_relative_entropy(seed, shape, condition, epsilon, normalize):
    matrix = embedding(seed, shape, condition)
    n = len(matrix)
    rho = DensityOperator.from_embedding(matrix, normalize=normalize)
    clipped = np.maximum(rho.eigenvalues, epsilon)
    expected = -np.log(n) - (np.log(clipped).sum() + (n - len(clipped)) * np.log(epsilon)) / n
    row = feature_row(matrix, FeatureMethod(epsilon=epsilon, normalize=normalize))
    assert row.qre == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert row.qre == pytest.approx(row.feature.sum())
    trace = clipped.sum() + (n - len(clipped)) * epsilon
    assert row.qre >= -np.log(trace) - 1e-9  # Klein's inequality for an operator of trace tr σ_ε


@given(seeds, shapes, conditions, methods)
@settings(deadline=None)
def test_unchanged_by_rotation_scale_and_column_order(seed, shape, condition, method):
    matrix = embedding(seed, shape, condition)
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.standard_normal((shape[1], shape[1])))[0]
    feature = feature_row(matrix, method).feature
    # a rotation's rounding is 1e-16 of the largest direction, so only eigenvalues far above it can be told to 1e-6
    assert distance(feature_row(matrix @ rotation, method).feature, feature) < 1e-6
    assert distance(feature_row(matrix * 123.456, method).feature, feature) < 1e-8
    assert distance(feature_row(matrix[:, rng.permutation(shape[1])], method).feature, feature) < 1e-8


@given(seeds, shapes, conditions, methods)
@settings(deadline=None)
def test_unchanged_by_padding_with_zero_columns(seed, shape, condition, method):
    matrix = embedding(seed, shape, condition)
    padded = np.hstack([matrix, np.zeros((shape[0], 7))])
    assert distance(feature_row(padded, method).feature, feature_row(matrix, method).feature) < 1e-8


@given(seeds, shapes, conditions, methods)
@settings(deadline=None)
def test_a_permutation_of_sentences_permutes_the_feature(seed, shape, condition, method):
    matrix = embedding(seed, shape, condition)
    order = np.random.default_rng(seed).permutation(shape[0])
    assert distance(feature_row(matrix[order], method).feature, feature_row(matrix, method).feature[order]) < 1e-8


@given(seeds, st.integers(2, 40), st.integers(0, 20), methods)
@settings(deadline=None)
def test_an_orthonormal_basis_is_the_base_encoder(seed, n, more, method):
    basis = np.linalg.qr(np.random.default_rng(seed).standard_normal((n + more, n)))[0].T  # n orthonormal rows
    assert np.allclose(feature_row(basis, method).feature, 0.0, atol=1e-12)


@given(seeds, shapes, conditions, raw_or_unit)
@settings(deadline=None)
def test_the_other_direction_is_log_n_minus_entropy(seed, shape, condition, normalize):
    matrix = embedding(seed, shape, condition)
    row = feature_row(matrix, FeatureMethod(direction="base_second", normalize=normalize))
    rho = DensityOperator.from_embedding(matrix, normalize=normalize)
    assert row.qre == pytest.approx(np.log(len(matrix)) - von_neumann(rho), abs=1e-9)
    assert row.qre >= -1e-12
    assert row.effective_rank == pytest.approx(np.exp(row.entropy))


@given(seeds, conditions)
@settings(deadline=None, max_examples=30)
def test_continuous_where_an_eigenvalue_meets_the_floor(seed, condition):
    matrix = embedding(seed, (30, 10), condition)
    method = FeatureMethod(epsilon=1e-4)
    moved = matrix + 1e-9 * np.random.default_rng(seed).standard_normal(matrix.shape) * np.abs(matrix).max()
    assert distance(feature_row(moved, method).feature, feature_row(matrix, method).feature) < 1e-3


def test_small_epsilon_against_fifty_digits():
    """At ε = 1e-12 float64's own eigendecomposition is wrong in the sixth digit; the QR route is not."""
    mpmath = pytest.importorskip(
        "mpmath", reason="mpmath comes with torch; without it there is no reference of fifty digits"
    )
    matrix = embedding(7, (16, 9), 1e7)
    with mpmath.workdps(50):
        rows = mpmath.matrix(matrix.tolist())
        for i in range(16):
            norm = mpmath.sqrt(sum(rows[i, j] ** 2 for j in range(9)))
            rows[i, :] /= norm
        values, vectors = mpmath.eigsy(rows * rows.T / 16)
        for epsilon in (1e-6, 1e-9, 1e-12, 1e-15):
            logs = [mpmath.log(max(value, mpmath.mpf(epsilon))) for value in values]
            expected = [
                float((-mpmath.log(16) - sum(vectors[i, j] ** 2 * logs[j] for j in range(16))) / 16) for i in range(16)
            ]
            assert distance(feature_row(matrix, FeatureMethod(epsilon=epsilon)).feature, np.array(expected)) < 1e-9


def qutip_operator(matrix: np.ndarray):
    qutip = pytest.importorskip("qutip", reason="QuTiP is in the test extra")
    rows = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    return qutip.Qobj(rows @ rows.T / np.sum(rows**2))


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_qutip_where_both_are_finite(seed):
    qutip = pytest.importorskip("qutip", reason="QuTiP is in the test extra")
    rng = np.random.default_rng(seed)
    first, second = rng.standard_normal((12, 30)), rng.standard_normal((12, 40))  # full rank: nothing is clipped
    rho, sigma = (DensityOperator.from_embedding(matrix) for matrix in (first, second))
    expected = qutip.entropy_relative(qutip_operator(first), qutip_operator(second))
    assert relative(rho, sigma) == pytest.approx(expected, rel=1e-9)
    base = qutip.Qobj(np.eye(12) / 12)
    assert feature_row(first, FeatureMethod()).qre == pytest.approx(
        qutip.entropy_relative(base, qutip_operator(first)), rel=1e-9
    )
    other = feature_row(first, FeatureMethod(direction="base_second")).qre
    assert other == pytest.approx(qutip.entropy_relative(qutip_operator(first), base), rel=1e-9)
    assert von_neumann(rho) == pytest.approx(qutip.entropy_vn(qutip_operator(first)), rel=1e-9)


def test_relative_entropy_of_an_operator_to_itself_and_to_the_base():
    matrix = embedding(3, (20, 6), 10)
    rho = DensityOperator.from_embedding(matrix)
    base = DensityOperator.from_embedding(np.eye(20))
    assert relative(rho, rho, epsilon=1e-9) == pytest.approx(0.0, abs=1e-9)
    assert relative(rho, base) == pytest.approx(np.log(20) - von_neumann(rho), rel=1e-9)
    assert relative(base, rho, epsilon=1e-6) == pytest.approx(
        feature_row(matrix, FeatureMethod(epsilon=1e-6)).qre, rel=1e-9
    )
    with pytest.raises(ValueError, match="20 and 5 sentences"):
        relative(rho, DensityOperator.from_embedding(np.eye(5)))


@given(seeds, shapes, conditions, methods, raw_or_unit)
@settings(max_examples=50, deadline=None)
def test_centred_features_are_those_of_the_centred_embedding(seed, shape, condition, method, normalize):
    matrix = embedding(seed, shape, condition)
    method = method.model_copy(update={"normalize": normalize})
    centred = method.model_copy(update={"center": True})
    feature = feature_row(matrix, centred).feature
    assert distance(feature, literal(matrix - matrix.mean(axis=0), method)) < 1e-9
    shift = 10 * np.abs(matrix).max() * np.random.default_rng(seed).standard_normal(shape[1])
    assert distance(feature_row(matrix + shift, centred).feature, feature) < 1e-6
    assert distance(feature_row(matrix + shift, method).feature, feature) > 1e-6  # without centring a shift does matter


def test_centring_names_what_it_cannot_centre():
    method = FeatureMethod(center=True)
    with pytest.raises(ConstantEmbeddingError, match="encoder 'x': every sentence has the same vector"):
        feature_row(np.full((7, 3), 0.1), method, "x")
    bad = embedding(0, (7, 3), 1.0)
    bad[4, 1] = np.nan
    with pytest.raises(NonFiniteError, match=r"\(row 4\)"):
        feature_row(bad, method)
    with pytest.raises(ShapeError):
        feature_row(bad[0], method)


def test_method_names_and_limits():
    assert FeatureMethod().name == "base_first-clip-1e-06-unit"
    assert FeatureMethod(perturbation="mix", center=True).name == "base_first-mix-0.1-unit-centred"
    assert FeatureMethod(perturbation="mix").epsilon == 0.1
    with pytest.raises(ValueError, match="greater_than_equal"):
        FeatureMethod(epsilon=1e-17)
    with pytest.raises(ValueError, match="Extra inputs"):
        FeatureMethod(epsilom=1e-6)


def test_several_methods_at_once_have_the_bits_of_each_alone():
    matrix = np.random.default_rng(5).standard_normal((60, 20)) * np.logspace(0, -6, 20)
    methods = [
        FeatureMethod(),
        FeatureMethod(perturbation="mix"),
        FeatureMethod(perturbation="mix", center=True),
        FeatureMethod(epsilon=1e-15),
        FeatureMethod(direction="base_second"),
        FeatureMethod(normalize=False),
        FeatureMethod(epsilon=1e-3, center=True),
    ]
    together = feature_rows(matrix, methods)
    for row, method in zip(together, methods, strict=True):
        alone = feature_row(matrix, method)
        assert np.array_equal(row.feature, alone.feature) and (row.qre, row.entropy) == (alone.qre, alone.entropy)

"""All measures of an embedding at once: what changes them and what does not, and what cannot be measured."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qre.density import DensityOperator
from qre.errors import ConstantEmbeddingError, NonFiniteError, ShapeError, ZeroRowError
from qre.geometry import Measures, measures
from qre.geometry.positives import alignment

NAMES = [field.name for field in fields(Measures)]
ARBITRARY = ("partition_ratio",)  # of eigenvectors that a rotation may choose anew where eigenvalues are nearly equal


def encoder(n: int = 60, d: int = 12, seed: int = 0, offset: float = 0.4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((n, d)) * np.linspace(2, 0.5, d) + offset).astype(np.float32)


def groups_of(n: int) -> list[int]:
    return [row // 3 for row in range(n)]


def same(first: Measures, second: Measures, rel: float = 2e-3, without: tuple[str, ...] = ()) -> bool:
    """Whether two records are the same but for rounding; hubness may differ by a near-tie."""
    for name in set(NAMES) - set(without):
        one, other = getattr(first, name), getattr(second, name)
        loose = 0.05 if name == "hubness" else rel
        assert (one is None) == (other is None), name
        assert one is None or other == pytest.approx(one, rel=loose, abs=1e-4 if name != "hubness" else 0.05), name
    return True


SHAPES = st.tuples(st.integers(12, 80), st.integers(2, 100), st.integers(0, 1000), st.sampled_from([0.0, 0.5, 5.0]))


@settings(max_examples=40, deadline=None)
@given(SHAPES)
def test_a_rotation_changes_nothing(shape):
    n, d, seed, offset = shape
    embedding = encoder(n, d, seed, offset)
    rotation = np.linalg.qr(np.random.default_rng(seed + 1).standard_normal((d, d)))[0]
    turned = (embedding @ rotation).astype(np.float32)
    assert same(measures(embedding, groups=groups_of(n)), measures(turned, groups=groups_of(n)))


@settings(max_examples=40, deadline=None)
@given(SHAPES, st.floats(1e-6, 1e6), st.booleans())
def test_a_factor_changes_nothing(shape, factor, normalize):
    """But the partition function of rows that are not brought to unit length."""
    n, d, seed, offset = shape
    embedding = encoder(n, d, seed, offset)
    scaled = (embedding * np.float32(factor)).astype(np.float32)
    found = [measures(one, groups=groups_of(n), normalize=normalize) for one in (embedding, scaled)]
    assert same(*found, without=() if normalize else ARBITRARY)


@settings(max_examples=25, deadline=None)
@given(SHAPES)
def test_lengths_of_rows_change_nothing_where_rows_are_brought_to_unit_length(shape):
    n, d, seed, offset = shape
    embedding = encoder(n, d, seed, offset)
    lengths = np.random.default_rng(seed).uniform(0.1, 10, (n, 1)).astype(np.float32)
    assert same(measures(embedding), measures(embedding * lengths))


@settings(max_examples=25, deadline=None)
@given(SHAPES)
def test_the_order_of_sentences_changes_nothing(shape):
    n, d, seed, offset = shape
    embedding, labels = encoder(n, d, seed, offset), np.array(groups_of(n))
    order = np.random.default_rng(seed).permutation(n)
    assert same(measures(embedding, groups=labels), measures(embedding[order], groups=labels[order]))


@settings(max_examples=40, deadline=None)
@given(SHAPES)
def test_bounds_hold(shape):
    n, d, seed, offset = shape
    found = measures(encoder(n, d, seed, offset), groups=groups_of(n))
    rank = min(n, d) + 1e-3
    for name in ("effective_rank", "rankme", "stable_rank", "participation_ratio"):
        assert 1 - 1e-6 <= getattr(found, name) <= rank, name
    assert 0 <= found.variance_1 <= found.variance_3 <= found.variance_10 <= 1
    assert -1e-9 <= found.isoscore <= 1 + 1e-9 and found.isoscore <= found.isoscore_star + 1e-9 <= 1 + 1e-8
    assert np.exp(-2) - 1e-6 <= found.partition_ratio <= 1
    assert -8 - 1e-6 <= found.uniformity <= 0 and 0 <= found.mean_norm <= 1 and 0 <= found.alignment <= 4
    assert -1 / (n - 1) - 1e-9 <= found.mean_cosine <= 1


def test_isotropic_vectors():
    found = measures(np.random.default_rng(0).standard_normal((3000, 24)).astype(np.float32))
    assert found.isoscore_unbiased == pytest.approx(1.0, abs=0.01) and found.mean_cosine == pytest.approx(0.0, abs=0.01)
    assert found.effective_rank == pytest.approx(24, rel=0.01) and found.rankme == pytest.approx(24, rel=0.01)
    assert found.partition_ratio > 0.98 and found.alpha_req == pytest.approx(0.0, abs=0.25)
    assert found.uniformity == pytest.approx(8 / 24 - 4, abs=0.05)  # 4cos is nearly Gaussian, of variance 16/d
    assert found.sampled == 2048 and found.uniformity_se > 0 and found.alignment is None and found.lidar is None


def test_a_cone_is_anisotropic():
    """All cosines 1/(1 + s²) for a common direction and noise of length s in many dimensions."""
    rng, s = np.random.default_rng(0), 0.5
    noise = rng.standard_normal((800, 300)) * s / np.sqrt(300)
    found = measures(noise + np.eye(300)[0])
    assert found.mean_cosine == pytest.approx(1 / (1 + s**2), abs=0.01) and found.mean_norm**2 == pytest.approx(
        found.mean_cosine, abs=1e-3
    )
    assert found.stable_rank == pytest.approx(1 + s**2, rel=0.02)
    assert found.partition_ratio < 0.4 and found.uniformity > -1.0
    assert found.isoscore_unbiased > 0.9  # of the covariance, which does not see the common direction


def test_two_directions_only():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 500)
    plane = np.stack([np.cos(angle), np.sin(angle)], axis=1) @ rng.standard_normal((2, 50))
    found = measures(plane)
    assert found.variance_3 == pytest.approx(1.0, abs=1e-6) and found.participation_ratio <= 2.0 + 1e-6
    assert found.isoscore < 0.03 and found.rankme < 2.01 and found.alpha_req is None


def test_an_operator_that_is_there_is_taken():
    embedding = encoder()
    operator = DensityOperator.from_embedding(embedding)
    assert measures(embedding, operator=operator) == measures(embedding)


def test_an_operator_of_something_else_is_refused():
    embedding = encoder()
    for other in (encoder(61), embedding[:, :5]):
        with pytest.raises(ShapeError, match="encoder 'x': the operator is not"):
            measures(embedding, operator=DensityOperator.from_embedding(other), encoder="x")
    with pytest.raises(ShapeError):
        measures(embedding, operator=DensityOperator.from_embedding(embedding, normalize=False))


def test_raw_rows_are_measured_as_they_come():
    embedding = encoder() * np.linspace(0.1, 5, 60, dtype=np.float32)[:, None]
    unit, raw = measures(embedding), measures(embedding, normalize=False)
    covariance = np.linalg.eigvalsh(np.cov(embedding.astype(float).T))
    assert raw.participation_ratio == pytest.approx(covariance.sum() ** 2 / np.square(covariance).sum(), rel=1e-5)
    assert raw.stable_rank == pytest.approx((np.linalg.norm(embedding) / np.linalg.norm(embedding, 2)) ** 2, rel=1e-5)
    for name in ("uniformity", "hubness", "mean_cosine", "mean_norm"):
        assert getattr(unit, name) == getattr(raw, name), name


def test_pairs_are_given_or_of_the_groups():
    embedding = encoder()
    pairs = np.array([[0, 1], [5, 9], [2, 2]])
    found = measures(embedding, pairs=pairs, groups=groups_of(60))
    assert found.alignment == pytest.approx(alignment(embedding[pairs[:, 0]], embedding[pairs[:, 1]]), rel=1e-5)
    assert found.pairs == 3 and found.groups == 20 and found.lidar is not None
    assert measures(embedding, groups=groups_of(60)).pairs == 60
    assert measures(embedding, pairs=np.empty((0, 2), int)).alignment is None
    with pytest.raises(ShapeError):
        measures(embedding, pairs=np.array([[0, 60]]))
    with pytest.raises(ShapeError, match="groups of 59 sentences, and there are 60"):
        measures(embedding, groups=groups_of(59))


@pytest.mark.parametrize("normalize", [True, False])
def test_what_is_no_embedding_is_told_as_usual(normalize):
    broken, empty = encoder(), encoder()
    broken[7, 1], empty[5] = np.nan, 0.0
    for wrong, error in (
        (broken, NonFiniteError),
        (np.full((10, 3), np.inf), NonFiniteError),
        (empty, ZeroRowError),
        (np.tile(encoder(1), (20, 1)), ConstantEmbeddingError),
        (np.outer(np.arange(1.0, 20), encoder(1)[0]), ConstantEmbeddingError),
        (np.zeros((5, 3)), ZeroRowError),
        (encoder(1), ShapeError),
        (np.empty((0, 3)), ShapeError),
        (np.empty((5, 0)), ShapeError),
        (np.ones(5), ShapeError),
        (np.ones((5, 3), np.int64), ShapeError),
    ):
        with pytest.raises(error, match="encoder 'x'"):
            measures(wrong, normalize=normalize, encoder="x")


@pytest.mark.parametrize("n", [2, 3, 4, 11, 12])
def test_few_sentences_have_fewer_measures_and_no_nan(n):
    found = measures(encoder(n, 5), groups=groups_of(n))
    values = {name: getattr(found, name) for name in NAMES}
    assert all(value is None or np.isfinite(value) for value in values.values())
    assert (found.hubness is None) == (n < 12) and (n >= 4 or found.isoscore_unbiased is None)
    assert all(type(value) in (int, float, type(None)) for value in values.values())


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f8"])
def test_every_kind_of_float(dtype):
    embedding = encoder().astype(np.float16)
    before = embedding.astype(dtype)
    given_ = before.copy()
    assert same(measures(given_), measures(embedding.astype(np.float64)))
    assert np.array_equal(given_, before)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("scale", [1e-80, 1e37, 1e80, 1e150])
def test_lengths_that_float32_does_not_hold_change_nothing(scale):
    embedding = encoder().astype(np.float64)
    assert same(measures(embedding * scale), measures(embedding))
    if scale > 1e38:
        with pytest.raises(NonFiniteError, match="float32 does not hold rows so long"):
            measures(embedding * scale, normalize=False)


def test_views_are_read_as_they_are():
    wide = np.asfortranarray(np.random.default_rng(0).standard_normal((40, 12)))
    assert same(measures(wide[:, ::2]), measures(np.ascontiguousarray(wide[:, ::2])))


def test_no_square_matrix_of_the_sentences_is_held():
    import tracemalloc

    embedding = encoder(12_000, 8)
    operator = DensityOperator.from_embedding(embedding)
    tracemalloc.start()
    measures(embedding, operator=operator, groups=groups_of(12_000))
    sampled = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    measures(embedding, operator=operator, sample=None)
    exact = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert max(sampled, exact) < 12_000**2 * 4 / 10  # a tenth of what such a matrix would take

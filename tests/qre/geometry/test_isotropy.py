"""Isotropy against the published algorithms, exact expectations, and clouds whose isotropy is known."""

from itertools import product

import numpy as np
import pytest

from qre.density import DensityOperator
from qre.geometry.isotropy import (
    CovarianceMoments,
    isoscore,
    isoscore_star,
    isoscore_unbiased,
    mean_cosine,
    partition_ratio,
)
from qre.geometry.spectrum import covariance_eigenvalues, participation_ratio


def moments_of(rows: np.ndarray) -> CovarianceMoments:
    covariance = np.cov(rows.T, bias=True).reshape(rows.shape[1], -1)
    return CovarianceMoments.of(np.linalg.eigvalsh(covariance), rows - rows.mean(axis=0), rows.shape[1])


def published_isoscore(covariance: np.ndarray) -> float:
    """The steps of algorithm 1 of Rudman et al., one by one."""
    d = len(covariance)
    spectrum = np.linalg.svd(covariance, compute_uv=False)
    normalised = np.sqrt(d) * spectrum / np.linalg.norm(spectrum)
    defect = np.linalg.norm(normalised - 1) / np.sqrt(2 * (d - np.sqrt(d)))
    share = (d - defect**2 * (d - np.sqrt(d))) ** 2 / d**2
    return (d * share - 1) / (d - 1)


@pytest.mark.parametrize(("n", "d"), [(50, 3), (30, 30), (12, 40)])
def test_isoscore_is_the_published_one(n, d):
    rows = np.random.default_rng(n).standard_normal((n, d)) * np.linspace(0.2, 2, d)
    spectrum = np.linalg.eigvalsh(np.cov(rows.T))
    assert isoscore(participation_ratio(spectrum), d) == pytest.approx(published_isoscore(np.cov(rows.T)), rel=1e-9)


def test_isoscore_is_that_of_its_package():
    """What IsoScore 2.0.1 (PyPI) gives for these points; IsoScore* with C0 = (tr C / d) I and ζ = 0.3."""
    rows = np.sin(np.arange(60.0) ** 1.5).reshape(15, 4) * [1.0, 2.0, 0.5, 1.5]
    moments = moments_of(rows)
    assert isoscore(moments.trace**2 / moments.trace_of_square, 4) == pytest.approx(0.46106803148802067, rel=1e-9)
    assert isoscore_star(moments, 0.3) == pytest.approx(0.667350469588865, rel=1e-9)


def test_isoscore_of_a_line_and_of_a_sphere():
    assert isoscore(1.0, 5) == 0.0 and isoscore(5.0, 5) == 1.0 and isoscore(1.0, 1) is None
    axes = np.concatenate([np.eye(6), -np.eye(6)])  # isotropic, exactly
    for score in (isoscore_star(moments_of(axes)), isoscore(participation_ratio(np.ones(6)), 6)):
        assert score == pytest.approx(1.0)
    line = np.outer(np.linspace(-1, 1, 2000), np.eye(6)[0])
    assert isoscore_star(moments_of(line)) == pytest.approx(0.0, abs=0.01)
    assert isoscore_unbiased(moments_of(line)) == pytest.approx(0.0, abs=1e-3)


def test_the_unbiased_estimates_are_unbiased():
    """Over all samples of 4 and 5 from a distribution on three points, with their probabilities: exactly."""
    points, weights = np.array([[0.0, 1.0], [2.0, -1.0], [1.0, 3.0]]), np.array([0.5, 0.3, 0.2])
    mean = weights @ points
    sigma = (points - mean).T @ ((points - mean) * weights[:, None])
    for n in (4, 5):
        of_sum = of_squares = 0.0
        for sample in product(range(3), repeat=n):
            moments = moments_of(points[list(sample)])
            chance = np.prod(weights[list(sample)])
            one, two = unbiased_parts(moments)
            of_sum += chance * one
            of_squares += chance * two
            if two > 0 < one:
                assert moments.unbiased_ratio == pytest.approx(one / two)
        assert of_sum == pytest.approx(np.trace(sigma) ** 2)
        assert of_squares == pytest.approx(np.trace(sigma @ sigma))


def unbiased_parts(m: CovarianceMoments) -> tuple[float, float]:
    """Himeno and Yamada's estimates of (tr Σ)² and tr Σ², with the covariance of divisor n - 1."""
    n, one = m.n, m.n / (m.n - 1)
    factor = (n - 1) / (n * (n - 2) * (n - 3))
    square, of_square, q = (m.trace * one) ** 2, m.trace_of_square * one**2, m.fourth * one
    return (
        factor * (2 * of_square + (n * n - 3 * n + 1) * square - n * q),
        factor * ((n - 1) * (n - 2) * of_square + square - n * q),
    )


@pytest.mark.parametrize(("n", "published"), [(100, 0.20), (200, 0.34), (1000, 0.72)])
def test_the_bias_of_few_sentences_is_large_and_taken_away(n, published):
    """Isotropic, d = 384: of a Gaussian PR is about d / (1 + d/n)."""
    moments = moments_of(np.random.default_rng(0).standard_normal((n, 384)))
    plain = isoscore(moments.trace**2 / moments.trace_of_square, 384)
    assert plain == pytest.approx(published, abs=0.015) and plain == pytest.approx(1 / (1 + 384 / n), abs=0.015)
    assert isoscore_unbiased(moments) == pytest.approx(1.0, abs=0.05)
    assert isoscore_star(moments) == pytest.approx(1.0, abs=0.01)


def test_encoders_of_one_shape_and_two_dimensions_get_one_unbiased_score():
    rng = np.random.default_rng(0)
    scores, plain = [], []
    for d in (64, 512):
        moments = moments_of(rng.standard_normal((400, d)) * np.tile([2.0, 1.0], d // 2))
        scores.append(isoscore_unbiased(moments))
        plain.append(isoscore(moments.trace**2 / moments.trace_of_square, d))
    assert scores[0] == pytest.approx(scores[1], abs=0.05) and scores[0] == pytest.approx(25 / 34, abs=0.05)
    assert abs(plain[0] - plain[1]) > 0.2


def test_the_shrinkage_is_that_of_ledoit_and_wolf():
    covariance = pytest.importorskip("sklearn.covariance", reason="scikit-learn has the same estimate")
    for n, d in ((30, 5), (10, 50), (500, 4)):
        rows = np.random.default_rng(n).standard_normal((n, d)) * np.linspace(0.1, 2, d)
        assert moments_of(rows).shrinkage == pytest.approx(covariance.ledoit_wolf_shrinkage(rows), rel=1e-9)


def test_mean_cosine_is_that_of_all_pairs():
    rows = np.random.default_rng(0).standard_normal((40, 6)) + 0.7
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    pairs = np.triu_indices(40, 1)
    assert mean_cosine(np.linalg.norm(units.mean(axis=0)), 40) == pytest.approx((units @ units.T)[pairs].mean())


def literal_partition(rows: np.ndarray) -> float:
    """min Z / max Z over the columns c of the eigenvectors of WᵀW, and over -c."""
    _, vectors = np.linalg.eigh(rows.T @ rows)
    z = np.exp(rows @ np.hstack([vectors, -vectors])).sum(axis=0)
    return z.min() / z.max()


@pytest.mark.parametrize(("n", "d"), [(50, 6), (6, 6), (5, 9)])
@pytest.mark.parametrize("length", [1.0, 30.0])
def test_partition_is_the_formula(n, d, length):
    rows = np.random.default_rng(d).standard_normal((n, d)) + 0.4
    rows *= length / np.linalg.norm(rows, axis=1, keepdims=True)
    rho = DensityOperator.from_embedding(rows, normalize=False)
    assert partition_ratio(rho.principal_coordinates(), d) == pytest.approx(literal_partition(rows), rel=1e-3)


def test_partition_of_known_clouds():
    axes = np.concatenate([np.eye(5), -np.eye(5)]).astype(np.float32)
    assert partition_ratio(axes, 5) == pytest.approx(1.0)
    one_way = np.tile(np.eye(5, dtype=np.float32)[0], (8, 1))
    assert partition_ratio(one_way, 5) == pytest.approx(np.exp(-2))
    assert partition_ratio(1e4 * one_way, 5) == 0.0  # beyond what exp holds, without a warning
    assert partition_ratio(np.float32([[np.inf, 0.0]]), 2) is None


def test_covariance_moments_hold_in_any_basis():
    rows = np.random.default_rng(0).standard_normal((70, 9)) + 1
    rho = DensityOperator.from_embedding(rows)
    centred = rho.principal_coordinates() - rho.mean_coordinates().astype(np.float32)
    found = CovarianceMoments.of(covariance_eigenvalues(rho), centred, 9)
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    for name, value in vars(moments_of(units)).items():
        assert getattr(found, name) == pytest.approx(value, rel=1e-5), name

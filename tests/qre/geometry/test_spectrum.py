"""Measures of a spectrum against their formulas, and where they are known."""

import numpy as np
import pytest

from qre.density import DensityOperator
from qre.geometry.spectrum import (
    alpha_req,
    covariance_eigenvalues,
    entropy_rank,
    leading_share,
    participation_ratio,
    rankme,
    stable_rank,
)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize(("n", "d"), [(60, 9), (20, 20), (9, 40)])
@pytest.mark.parametrize("offset", [0.0, 0.5, 100.0])
def test_the_covariance_is_that_of_numpy(n, d, offset, normalize):
    rows = np.random.default_rng(0).standard_normal((n, d)) * np.linspace(1, 3, d) + offset
    rho = DensityOperator.from_embedding(rows, normalize=normalize)
    if normalize:
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    expected = np.linalg.eigvalsh(np.cov(rows.T, bias=True))[::-1][: min(n, d)]
    assert np.allclose(covariance_eigenvalues(rho), expected, rtol=1e-6, atol=1e-9 * expected[0])


def test_even_and_single_spectra_have_known_ranks():
    even, single = np.full(7, 0.3), np.array([2.0, 0.0, 0.0])
    for rank in (entropy_rank, participation_ratio, stable_rank):
        assert rank(even) == pytest.approx(7.0) and rank(single) == pytest.approx(1.0)
    assert rankme(even) == pytest.approx(7.0, rel=1e-4) and rankme(single) == pytest.approx(1.0, rel=1e-4)
    assert leading_share(even, 3) == pytest.approx(3 / 7) and leading_share(single, 10) == 1.0


def test_ranks_by_their_formulas():
    """Of a matrix whose singular values are 3, 2, 1."""
    mu = np.array([9.0, 4.0, 1.0]) / 14
    assert stable_rank(mu) == pytest.approx(14 / 9)
    assert participation_ratio(mu) == pytest.approx(14**2 / (81 + 16 + 1))
    p = np.array([3, 2, 1]) / 6 + 1e-7
    assert rankme(mu) == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-12)
    assert entropy_rank(mu) == pytest.approx(np.prod(mu**-mu), rel=1e-12)


def test_the_effective_rank_is_the_vendi_score():
    """As Friedman and Dieng define it: of the eigenvalues of the matrix of cosines over n."""
    rows = np.random.default_rng(1).standard_normal((30, 8)) + 0.3
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    values = np.linalg.eigvalsh(units @ units.T / len(units))
    values = values[values > 1e-15]
    vendi = np.exp(-(values * np.log(values)).sum())
    assert entropy_rank(DensityOperator.from_embedding(rows).eigenvalues) == pytest.approx(vendi, rel=1e-9)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 2.5])
def test_alpha_of_a_power_law_is_its_exponent(exponent):
    spectrum = np.arange(1, 301) ** -exponent
    spectrum[:10] *= 1e3  # the first ten are not looked at
    assert alpha_req(spectrum) == pytest.approx(exponent, abs=1e-9)


def test_alpha_is_the_fit_of_stringer():
    """As their code writes it: weights 1/r in the normal equations."""
    spectrum = np.sort(np.random.default_rng(0).exponential(size=150))[::-1]
    ranks = np.arange(11, 101)
    x = np.stack([-np.log(ranks), np.ones(90)], axis=1)
    w = 1.0 / ranks[:, None]
    expected = np.linalg.solve(x.T @ (x * w), (x * w).T @ np.log(spectrum[10:100]))[0]
    assert alpha_req(spectrum) == pytest.approx(expected, rel=1e-9)


def test_alpha_needs_ten_ranks_that_are_no_rounding():
    spectrum = np.arange(1.0, 31.0) ** -1
    assert alpha_req(spectrum[:19]) is None and alpha_req(spectrum[:20]) is not None
    spectrum[15:] = 1e-17
    assert alpha_req(spectrum) is None

"""Figure 2 of the paper: little and much noise around the unit base encoder come apart, in the QRE and on the map."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from qre.features import FeatureMethod
from qre.figures.illustration import illustrate, illustration_figure


@pytest.mark.parametrize("seed", range(5))
def test_the_groups_come_apart(seed):
    found = illustrate(n=128, seed=seed)
    assert found.gap > 0.1
    assert found.silhouette > 0.6
    assert found.agreement == 1


@pytest.mark.parametrize("method", [FeatureMethod(perturbation="mix"), FeatureMethod(direction="base_second")])
def test_so_they_do_with_the_other_methods(method):
    found = illustrate(n=96, seed=1, method=method)
    assert found.gap > 0 and found.agreement >= 0.9


def test_shapes_noise_and_sums():
    found = illustrate(n=64)
    assert found.features.shape == (20, 64) and found.coordinates.shape == (20, 2) and found.base.shape == (2,)
    assert ((found.sigma2[~found.high] >= 0) & (found.sigma2[~found.high] <= 1)).all()
    assert ((found.sigma2[found.high] >= 3) & (found.sigma2[found.high] <= 4)).all()
    assert np.allclose(found.qre, found.features.sum(axis=1))
    assert np.isfinite(found.coordinates).all() and (found.qre > 0).all()


def test_more_noise_more_qre():
    found = illustrate(n=128)
    assert spearmanr(found.sigma2, found.qre).statistic > 0.8  # near σ² = 4 the QRE is close to its limit, and flat


def test_the_base_encoder_stands_beside_the_least_noise():
    found = illustrate(n=128)
    away = np.linalg.norm(found.coordinates - found.base, axis=1)
    assert not found.high[away.argmin()]


def test_the_same_twice():
    first, second = illustrate(n=64), illustrate(n=64)
    assert (first.coordinates == second.coordinates).all() and (first.features == second.features).all()
    pictures = illustration_figure(first)
    assert sorted(pictures) == ["illustration.png", "illustration.svg"]
    assert illustration_figure(second) == pictures

"""How far two distances agree: known answers, chance, and distances that say nothing."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from scipy.stats import spearmanr

from qre.atlas.two_maps import agreement


def distances(seed: int, size: int = 30) -> np.ndarray:
    return squareform(pdist(np.random.default_rng(seed).standard_normal((size, 3))))


def test_a_distance_agrees_with_itself_however_it_is_bent():
    one = distances(0)
    found = agreement(one, one**3, k=7, seed=0)
    assert found.mantel == pytest.approx(1.0)
    assert found.shared == 1.0
    assert found.p_value == 1 / 1000
    assert found.chance == pytest.approx(7 / 29)


def test_the_correlation_is_spearmans():
    first, second = distances(0), distances(0) + distances(1)
    expected = spearmanr(squareform(first), squareform(second)).statistic
    found = agreement(first, second, k=7, seed=0)
    assert found.mantel == pytest.approx(expected)
    assert found == agreement(first, second, k=7, seed=0)


def test_strangers_agree_by_chance():
    """Of 60 pairs of unrelated distances about one in twenty has p <= 0.05, and shared neighbours are at chance."""
    found = [agreement(distances(2 * i), distances(2 * i + 1), 5, i, permutations=99) for i in range(60)]
    assert sum(one.p_value <= 0.05 for one in found) <= 9
    assert np.mean([one.shared for one in found]) == pytest.approx(5 / 29, abs=0.03)


def test_distances_that_say_nothing_and_few_encoders():
    flat = 1.0 - np.eye(5)
    found = agreement(flat, distances(0, 5), k=7, seed=0)
    assert (found.mantel, found.p_value) == (0.0, 1.0)
    assert (found.neighbours, found.shared, found.chance) == (4, 1.0, 1.0)

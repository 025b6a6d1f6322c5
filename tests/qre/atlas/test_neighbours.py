"""Exact distances and neighbours, and a family share whose chance level and p-value are what they say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qre.atlas.neighbours import family_share, nearest, pairwise_distances


def random_distances(size, seed=0, width=6):
    return pairwise_distances(np.random.default_rng(seed).normal(size=(size, width)))


def brute_share(distances, families, k, groups=None):
    """The definition, one encoder at a time: (share, chance)."""
    shares, chances = [], []
    for i in range(len(distances)):
        others = [j for j in range(len(distances)) if j != i and (groups is None or groups[j] != groups[i])]
        if not others:
            continue
        near = sorted(others, key=lambda j: (distances[i, j], j))[:k]
        shares.append(np.mean([families[j] == families[i] for j in near]))
        chances.append(np.mean([families[j] == families[i] for j in others]))
    return np.mean(shares), np.mean(chances)


# ---- distances and neighbours


@pytest.mark.parametrize("metric", ["l1", "l2", "cosine"])
def test_distances_are_those_of_the_definition(metric):
    x = np.random.default_rng(1).normal(size=(9, 5))
    a, b = x[:, None], x[None]
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    expected = {"l1": np.abs(a - b).sum(-1), "l2": np.sqrt(((a - b) ** 2).sum(-1)), "cosine": 1 - unit @ unit.T}[metric]
    distances = pairwise_distances(x, metric)
    assert np.allclose(distances, expected, atol=1e-12)
    assert (distances == distances.T).all() and (np.diag(distances) == 0).all() and (distances >= 0).all()


def test_bad_feature_vectors_are_refused_by_row():
    x = np.ones((4, 3))
    x[2, 1] = np.nan
    with pytest.raises(ValueError, match="row 2"):
        pairwise_distances(x)
    with pytest.raises(ValueError, match="row 1"):
        pairwise_distances(np.array([[1.0, 2.0], [0.0, 0.0]]), "cosine")


@given(st.integers(2, 25), st.integers(1, 30), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_nearest_agrees_with_brute_force_with_ties_by_index(size, k, seed):
    x = np.random.default_rng(seed).integers(0, 3, size=(size, 2)).astype(float)  # few values: many ties
    distances = pairwise_distances(x)
    indices, found = nearest(distances, k)
    assert indices.shape == found.shape == (size, min(k, size - 1))
    for i in range(size):
        expected = sorted((j for j in range(size) if j != i), key=lambda j: (distances[i, j], j))[:k]
        assert indices[i].tolist() == expected
        assert (found[i] == distances[i, expected]).all()


def test_distances_of_the_caller_are_not_written():
    distances = random_distances(6)
    before = distances.copy()
    nearest(distances, 3)
    family_share(distances, list("aabbcc"), 2, 100, 0, list("xxyyzz"))
    assert (distances == before).all()


# ---- the family share


@given(st.integers(2, 20), st.integers(1, 8), st.integers(0, 10**6), st.booleans())
@settings(max_examples=40, deadline=None)
def test_share_and_chance_agree_with_the_definition(size, k, seed, exclude):
    rng = np.random.default_rng(seed)
    families, groups = rng.integers(0, 3, size).astype(str), rng.integers(0, max(2, size // 2), size).astype(str)
    groups = groups if exclude else None
    distances = random_distances(size, seed)
    found = family_share(distances, families, k, 100, 0, groups)
    if found.encoders == 0:
        assert (found.share, found.p_value) == (0, 1)
        return
    share, chance = brute_share(distances, families, k, groups)
    assert found.share == pytest.approx(share) and found.chance == pytest.approx(chance)
    assert found.share <= found.ceiling + 1e-12


def test_chance_without_exclusion_is_the_mean_under_random_labels():
    rng = np.random.default_rng(5)
    families = np.repeat(list("abcd"), [12, 7, 2, 1])  # d is alone: its share of 0 counts
    distances = random_distances(22)
    simulated = np.mean([family_share(distances, rng.permutation(families), 5, 100, 0).share for _ in range(2000)])
    found = family_share(distances, families, 5, 100, 0)
    assert found.chance == pytest.approx(sum(m * (m - 1) for m in (12, 7, 2, 1)) / (22 * 21))
    assert simulated == pytest.approx(found.chance, abs=0.005)
    assert found.alone == 1 and found.encoders == 22


def test_chance_with_exclusion_is_the_mean_of_random_neighbours():
    rng = np.random.default_rng(6)
    families, groups = np.repeat(list("abc"), [12, 6, 6]), np.repeat(np.arange(8), 3)
    chance = family_share(random_distances(24), families, 5, 100, 0, groups).chance
    simulated = []
    for _ in range(600):
        noise = rng.random((24, 24))
        simulated.append(family_share(noise + noise.T, families, 5, 100, 0, groups).share)
    assert np.mean(simulated) == pytest.approx(chance, abs=0.006)


@pytest.mark.parametrize("copies", [1, 4])
def test_p_values_are_uniform_without_families_even_among_near_copies(copies):
    """Near-copies that move apart from each other would make p far too small: with groups they are one witness."""
    p_values = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        parents = rng.normal(size=(24, 4))
        x = np.repeat(parents, copies, axis=0) + rng.normal(scale=0.01, size=(24 * copies, 4))
        families, groups = np.repeat(rng.integers(0, 4, 24), copies), np.repeat(np.arange(24), copies)
        p_values.append(family_share(pairwise_distances(x), families, 5, 200, seed, groups).p_value)
    p_values = np.array(p_values)
    assert 0.40 < p_values.mean() < 0.60
    for level in (0.1, 0.25, 0.5):
        assert abs((p_values <= level).mean() - level) < 0.12


def test_planted_families_are_found():
    rng = np.random.default_rng(7)
    families = np.repeat(np.arange(6), 10)
    x = rng.normal(size=(6, 8))[families] * 3 + rng.normal(size=(60, 8))
    found = family_share(pairwise_distances(x), families, 7, 999, 0)
    assert found.share > 0.9 and found.p_value == 1 / 1000 and not found.excluded


def test_near_copies_alone_are_no_family():
    """Two copies of each of 40 unrelated encoders, families random: trivially family without the exclusion, chance with
    it."""
    rng = np.random.default_rng(8)
    x = np.repeat(rng.normal(size=(40, 5)), 2, axis=0) + rng.normal(scale=1e-3, size=(80, 5))
    families, groups = np.repeat(rng.integers(0, 8, 40), 2), np.repeat(np.arange(40), 2)
    distances = pairwise_distances(x)
    assert family_share(distances, families, 1, 999, 0).share == 1
    apart = family_share(distances, families, 1, 999, 0, groups)
    assert apart.p_value > 0.01 and apart.excluded


def test_nothing_to_compare_is_no_error():
    assert family_share(np.zeros((1, 1)), ["a"], 7, 100, 0).p_value == 1
    one_parent = family_share(random_distances(5), list("aabbb"), 7, 100, 0, ["p"] * 5)
    assert (one_parent.encoders, one_parent.share, one_parent.chance, one_parent.p_value) == (0, 0, 0, 1)


def test_the_seed_fixes_the_p_value():
    distances, families = random_distances(30), np.arange(30) % 4
    assert family_share(distances, families, 5, 500, 3) == family_share(distances, families, 5, 500, 3)

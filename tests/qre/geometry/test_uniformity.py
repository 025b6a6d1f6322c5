"""Uniformity and hubness against their formulas over all pairs; blocks, samples and ties."""

import numpy as np
import pytest

from qre.density import DensityOperator
from qre.geometry import uniformity
from qre.geometry.hubness import NEIGHBOURS, occurrences, skewness
from qre.geometry.isotropy import CovarianceMoments
from qre.geometry.spectrum import covariance_eigenvalues
from qre.geometry.uniformity import all_pairs


def cloud(n: int, d: int, seed: int = 0, offset: float = 0.3) -> np.ndarray:
    """Rows around a common direction, some nearer to it than others."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) * np.exp(-np.arange(d) / d) + offset


def parts(embedding: np.ndarray) -> tuple[np.ndarray, CovarianceMoments]:
    """What all_pairs takes: centred unit rows, and their moments."""
    rho = DensityOperator.from_embedding(embedding)
    centred = rho.principal_coordinates() - rho.mean_coordinates().astype(np.float32)
    return centred, CovarianceMoments.of(covariance_eigenvalues(rho), centred, embedding.shape[1])


def units(embedding: np.ndarray) -> np.ndarray:
    return embedding / np.linalg.norm(embedding, axis=1, keepdims=True)


def literal_uniformity(embedding: np.ndarray, t: float = 2.0) -> float:
    """log of the mean of exp(-t‖x - y‖²) over the pairs i < j."""
    rows = units(embedding.astype(np.float64))
    i, j = np.triu_indices(len(rows), 1)
    return np.log(np.exp(-t * np.square(rows[i] - rows[j]).sum(axis=1)).mean())


def literal_hubness(embedding: np.ndarray) -> float:
    """E(N - E N)³ / σ³ of the numbers of times that each row is among the 10 nearest by cosine."""
    cosines = units(embedding.astype(np.float64)) @ units(embedding.astype(np.float64)).T
    np.fill_diagonal(cosines, -np.inf)
    counts = np.bincount(np.argsort(-cosines, axis=1)[:, :NEIGHBOURS].ravel(), minlength=len(embedding))
    return np.mean((counts - counts.mean()) ** 3) / counts.std() ** 3


@pytest.mark.parametrize(("n", "d"), [(40, 3), (150, 20), (30, 60)])
@pytest.mark.parametrize("t", [0.5, 2.0, 20.0])
def test_uniformity_is_the_formula(n, d, t):
    embedding = cloud(n, d)
    found = all_pairs(*parts(embedding), t=t)
    assert found.uniformity == pytest.approx(literal_uniformity(embedding, t), abs=1e-5, rel=1e-5)
    assert found.uniformity_se == 0.0 and found.taken == n


def test_uniformity_where_it_is_known():
    """Two opposite points: exp(-4t) only. The corners of a simplex: all distances are 2(n + 1)/n."""
    opposite = all_pairs(*parts(np.array([[1.0, 0.0], [-1.0, 1e-4]])))
    assert opposite.uniformity == pytest.approx(-8.0, abs=1e-3) and opposite.hubness is None
    simplex = np.eye(12) - 1 / 12
    found = all_pairs(*parts(simplex))
    assert found.uniformity == pytest.approx(-2 * 2 * 12 / 11, abs=1e-5)
    assert found.hubness is None and found.hubness_se is None  # each is near to all


def test_neighbours_in_a_narrow_cone_are_told_apart():
    """Cosines from 1 - 1e-7 on, which float32 hardly tells from 1."""
    embedding = cloud(300, 30, offset=0.0) * 1e-4 + np.eye(30)[0] * 3
    found = all_pairs(*parts(embedding))
    assert found.uniformity == pytest.approx(literal_uniformity(embedding), abs=1e-6)
    assert found.hubness == pytest.approx(literal_hubness(embedding), rel=0.02)


@pytest.mark.parametrize(("n", "d"), [(60, 3), (200, 30), (40, 80)])
def test_hubness_is_the_formula(n, d):
    embedding = cloud(n, d)
    assert all_pairs(*parts(embedding)).hubness == pytest.approx(literal_hubness(embedding), rel=1e-3)


def test_a_hub_is_found():
    """One sentence in the middle of a ring of clusters is near to all."""
    rng = np.random.default_rng(0)
    even = all_pairs(*parts(rng.standard_normal((400, 3)))).hubness
    hubs = all_pairs(*parts(np.concatenate([np.eye(390) + 0.1, np.full((12, 390), 1.0)]))).hubness
    assert abs(even) < 1.0 and hubs > 5.0


def test_too_few_sentences_have_no_hubs():
    assert all_pairs(*parts(cloud(11, 4))).hubness is None and all_pairs(*parts(cloud(12, 4))).hubness is not None


@pytest.mark.parametrize("rows", [1, 7, 150])
def test_blocks_change_nothing(rows, monkeypatch):
    of = parts(cloud(150, 20))
    whole = all_pairs(*of)
    monkeypatch.setattr(uniformity, "BLOCK_BYTES", 4 * 150 * rows)
    assert vars(all_pairs(*of)) == pytest.approx(vars(whole), rel=1e-5)


def test_equal_vectors_share_places():
    """Whatever their order: 40 sentences twice each, and 30 equal ones."""
    embedding = np.concatenate([np.repeat(cloud(40, 5), 2, axis=0), np.tile(cloud(1, 5, seed=9), (30, 1))])
    first = all_pairs(*parts(embedding)).hubness
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(embedding))
        assert all_pairs(*parts(embedding[order])).hubness == pytest.approx(first, rel=1e-5)


def test_ties_are_shared_evenly():
    similarity = np.float32([[-np.inf, *[0.9] * 9, 0.5, 0.5, 0.5, 0.1]])
    assert np.allclose(occurrences(similarity, 1e-6), [0, *[1] * 9, 1 / 3, 1 / 3, 1 / 3, 0])
    assert occurrences(similarity, 1e-6).sum() == pytest.approx(NEIGHBOURS)
    assert skewness(np.full(5, 2.0)) is None


@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_a_sample_estimates_uniformity_and_says_how_well(offset):
    """Over 60 seeds: no bias beside the error, which is that of the estimates, and small beside a plain sample's."""
    of = parts(cloud(1500, 24, offset=offset))
    exact = all_pairs(*of, sample=None)
    drawn = [all_pairs(*of, sample=300, seed=seed) for seed in range(60)]
    estimates = np.array([one.uniformity for one in drawn])
    errors = np.array([one.uniformity_se for one in drawn])
    assert {one.taken for one in drawn} == {300} and exact.taken == 1500 and exact.uniformity_se == 0.0
    assert abs(estimates.mean() - exact.uniformity) < errors.mean()
    assert 0.5 < estimates.std() / errors.mean() < 2.0
    assert np.mean(np.abs(estimates - exact.uniformity) < 3 * errors) > 0.9
    half = [
        all_pairs(of[0][rows], of[1]).uniformity for rows in np.random.default_rng(0).permutation(1500).reshape(5, 300)
    ]
    assert errors.mean() < np.std(half) / 2  # the same pairs without what is known of all


def test_a_sample_has_the_hubness_of_a_set_of_its_size():
    of = parts(cloud(1500, 24))
    drawn = [all_pairs(*of, sample=400, seed=seed) for seed in range(40)]
    found, errors = (np.array([getattr(one, name) for one in drawn]) for name in ("hubness", "hubness_se"))
    rows = of[0][np.random.default_rng(0).permutation(1500)[:400]]
    near = -np.square(rows[:, None].astype(np.float64) - rows).sum(axis=2)
    np.fill_diagonal(near, -np.inf)
    counts = np.bincount(np.argsort(-near, axis=1)[:, :NEIGHBOURS].ravel(), minlength=400)
    assert found[0] == pytest.approx(skewness(counts.astype(float)), rel=1e-3)
    assert 0.5 < found.std() / errors.mean() < 2.0


def test_a_seed_gives_the_same_sample():
    of = parts(cloud(500, 8))
    assert all_pairs(*of, sample=100, seed=3) == all_pairs(*of, sample=100, seed=3)
    assert all_pairs(*of, sample=100, seed=3) != all_pairs(*of, sample=100, seed=4)
    assert all_pairs(*of, sample=500) == all_pairs(*of, sample=None)


@pytest.mark.parametrize("wrong", [{"t": 0.0}, {"t": 21.0}, {"t": np.nan}, {"sample": 31}, {"sample": 0}])
def test_what_is_out_of_range_is_refused(wrong):
    with pytest.raises(ValueError, match="t must be above 0|a sample has at least 32"):
        all_pairs(*parts(cloud(50, 4)), **wrong)

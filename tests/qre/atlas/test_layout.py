"""The map keeps neighbourhoods, is the same twice, and works with few encoders or identical ones, without a warning."""

import logging

import numpy as np
import pytest

from qre.atlas.layout import layout, principal_coordinates, trustworthiness
from qre.atlas.neighbours import pairwise_distances
from qre.atlas.settings import AtlasSettings


def clusters(count, each, seed=0, width=20):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(count), each)
    return 6 * rng.normal(size=(count, width))[labels] + rng.normal(size=(len(labels), width)), labels


def lay(features, settings=AtlasSettings(), **options):
    return layout(features, pairwise_distances(features), settings, **options)


def test_two_runs_and_two_threads_give_the_same_bits():
    features, _ = clusters(5, 25)
    first, notes = lay(features)
    assert notes == ["perplexity 30 suits 600 encoders or more; 6.2 is used for 125"]
    assert first.shape == (125, 2) and first.dtype == np.float64
    assert (lay(features)[0] == first).all()
    assert (lay(features, n_jobs=2)[0] == first).all()


def test_clusters_stay_together():
    features, labels = clusters(5, 25)
    coordinates, _ = lay(features)
    between = pairwise_distances(coordinates, "l2")
    np.fill_diagonal(between, np.inf)
    assert (labels[between.argmin(axis=1)] == labels).all()
    assert trustworthiness(pairwise_distances(features), coordinates, 7) > 0.9


def test_the_map_is_centred_and_widest_from_left_to_right():
    coordinates, _ = lay(clusters(5, 25)[0])
    assert np.abs(coordinates.mean(axis=0)).max() < 1e-9
    assert coordinates[:, 0].std() >= coordinates[:, 1].std()


def test_few_encoders_lower_the_perplexity_and_say_so():
    _, notes = lay(clusters(3, 10)[0])
    assert notes == ["perplexity 30 suits 600 encoders or more; 5.0 is used for 30"]
    assert lay(clusters(6, 100)[0])[1] == []
    assert lay(clusters(1, 10)[0])[1][0] == "perplexity 30 suits 600 encoders or more; 3.0 is used for 10"
    assert lay(clusters(3, 10)[0], AtlasSettings(perplexity=5))[1] == []


@pytest.mark.parametrize("size", range(1, 13))
@pytest.mark.parametrize("identical", [False, True])
def test_few_and_identical_encoders(size, identical, caplog):
    features = np.random.default_rng(size).normal(size=(size, 30))
    if identical:
        features[:] = features[0]
    with caplog.at_level(logging.WARNING):
        coordinates, notes = lay(features)
    assert coordinates.shape == (size, 2) and np.isfinite(coordinates).all() and np.abs(coordinates).max() < 1000
    assert notes and not caplog.records
    assert 0 <= trustworthiness(pairwise_distances(features), coordinates, 7) <= 1


def test_many_copies_of_a_few_encoders():
    features = np.repeat(np.random.default_rng(0).normal(size=(5, 30)), 8, axis=0)
    coordinates, _ = lay(features)
    assert np.isfinite(coordinates).all() and np.abs(coordinates).max() < 1000


def test_principal_coordinates_are_those_of_the_svd():
    features = np.random.default_rng(2).normal(size=(12, 40))
    u, s, _ = np.linalg.svd(features - features.mean(axis=0), full_matrices=False)
    found = principal_coordinates(features)
    assert np.allclose(np.abs(found), np.abs(u[:, :2] * s[:2]))
    assert (found[np.abs(found).argmax(axis=0), [0, 1]] > 0).all()


def test_trustworthiness_of_the_truth_and_of_chance():
    places = np.random.default_rng(3).normal(size=(100, 2))
    distances = pairwise_distances(places, "l2")
    assert trustworthiness(distances, places, 7) == 1
    assert trustworthiness(distances, np.random.default_rng(4).normal(size=(100, 2)), 7) < 0.65

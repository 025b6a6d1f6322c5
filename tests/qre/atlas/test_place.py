"""New points on an old map: near their true neighbours, alone or together, and the old ones stay where they are."""

import numpy as np
import pytest

from qre.atlas.layout import layout
from qre.atlas.neighbours import pairwise_distances
from qre.atlas.new_points import place
from qre.atlas.settings import AtlasSettings


@pytest.fixture(scope="module")
def world():
    """Features of 80 encoders in 4 far families, their distances and their map without the last of each family."""
    rng = np.random.default_rng(0)
    features = np.repeat(rng.standard_normal((4, 50)) * 3, 20, axis=0) + rng.standard_normal((80, 50)) * 0.3
    new = np.arange(19, 80, 20)
    old = np.setdiff1d(np.arange(80), new)
    distances = pairwise_distances(features, "l1")
    coordinates, _ = layout(features[old], distances[np.ix_(old, old)], AtlasSettings(perplexity=10))
    return distances[np.ix_(new, old)], coordinates


def test_a_new_encoder_lands_in_its_family(world):
    distances, coordinates = world
    before = coordinates.copy()
    placed = place(distances, coordinates)
    assert placed.shape == (4, 2)
    for row, point in enumerate(placed):
        nearest = np.argsort(np.linalg.norm(coordinates - point, axis=1))[:10]
        assert (nearest // 19 == row).all()
    assert np.array_equal(coordinates, before)


def test_each_is_placed_by_itself(world):
    distances, coordinates = world
    together = place(distances, coordinates)
    assert np.array_equal(together, place(distances, coordinates))
    assert np.abs(np.vstack([place(distances[[row]], coordinates) for row in range(4)]) - together).max() < 1e-6


def test_an_encoder_of_the_map_lands_beside_itself(world):
    _, coordinates = world
    rng = np.random.default_rng(1)
    features = rng.standard_normal((40, 30))
    distances = pairwise_distances(features, "l1")
    coordinates, _ = layout(features, distances, AtlasSettings(perplexity=5))
    placed = place(distances[:5], coordinates)
    spread = coordinates.std()
    assert np.linalg.norm(placed - coordinates[:5], axis=1).max() < spread


@pytest.mark.parametrize("count", [4, 5, 8])
def test_a_map_of_very_few(count):
    rng = np.random.default_rng(count)
    features = rng.standard_normal((count + 1, 10))
    distances = pairwise_distances(features, "l1")
    coordinates, _ = layout(features[:count], distances[:count, :count], AtlasSettings())
    assert np.isfinite(place(distances[count:, :count], coordinates)).all()

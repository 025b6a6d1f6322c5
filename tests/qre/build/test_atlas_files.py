"""All files of an atlas, from features: clusters and figures of any number of encoders, the same bytes each time."""

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from qre.atlas.clusters import MOST_CLUSTERS, cluster, read_clusters
from qre.atlas.neighbours import pairwise_distances
from qre.atlas.settings import AtlasSettings
from qre.build.atlas_files import build_atlas
from qre.figures import style

SETTINGS = AtlasSettings(permutations=100)
FIGURES = ("map", "map_by_attribute", "zoom", "dendrogram")


def given(size, sentences=60, same=False):
    rng = np.random.default_rng(0)
    features = rng.random((1 if same else size, sentences)).repeat(size if same else 1, axis=0)
    rows = [
        {"key": f"{i:064d}", "name": f"<b>{i}", "family": f"$f{i % 3}$", "parent": f"p{i // 2}", "own": i == 2 or None}
        for i in range(size)
    ]
    table = pa.table(
        {
            "key": [row["key"] for row in rows],
            "feature": pa.array(list(features), pa.list_(pa.float64())),
            "qre": features.sum(axis=1),
            "effective_rank": features.max(axis=1),
            "dimension": [384] * size,
        }
    )
    return rows, table, features


@pytest.mark.parametrize("metric", ["l1", "cosine"])
def test_clusters_are_of_the_distances_of_the_map(metric, monkeypatch):
    monkeypatch.setattr(style, "DPI", 40)
    rows, table, features = given(30)
    settings = AtlasSettings(permutations=100, metric=metric)
    atlas = build_atlas(rows, table, settings)
    expected, _ = cluster(pairwise_distances(features, metric))
    merges, told = (pd.read_parquet(io.BytesIO(atlas.files[f"{name}.parquet"])) for name in ("tree", "clusters"))
    found = read_clusters(merges, told, "here")
    assert np.array_equal(found.tree.height, expected.tree.height) and np.array_equal(found.labels, expected.labels)
    assert told["name"].to_list() == [row["name"] for row in rows]
    assert 2 <= atlas.headline["clusters"] == told["cluster"].max() == told["central"].sum() <= MOST_CLUSTERS
    assert {f"{figure}.{end}" for figure in FIGURES for end in ("png", "svg")} <= set(atlas.files)
    assert build_atlas(rows, table, settings, threads=2).files == atlas.files
    name = {"l1": "ℓ1", "cosine": "cosine"}[metric]
    assert name in atlas.files["dendrogram.svg"].decode() and name in atlas.files["zoom.svg"].decode()


@pytest.mark.parametrize(("size", "same"), [(1, False), (2, False), (3, False), (5, True)])
def test_few_encoders_and_identical_ones(size, same, monkeypatch):
    monkeypatch.setattr(style, "DPI", 40)
    rows, table, _ = given(size, same=same)
    atlas = build_atlas(rows, table, SETTINGS)
    assert ("zoom.png" in atlas.files) == ("dendrogram.svg" in atlas.files) == (size > 1)
    assert "map_by_attribute.png" in atlas.files
    told = pd.read_parquet(io.BytesIO(atlas.files["clusters.parquet"]))
    assert told["leaf"].to_list() == list(range(size))
    assert atlas.headline["clusters"] == told["cluster"].max() == (1 if size < 3 or same else 2)

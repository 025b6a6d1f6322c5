"""Clusters: scipy's tree, cuts, the default number by silhouette, trees of chosen leaves, and the tables."""

import io

import numpy as np
import pandas as pd
import pytest
from scipy.cluster.hierarchy import cophenet, fcluster, linkage
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import adjusted_rand_score, silhouette_score

from qre.atlas import clusters as clustering
from qre.atlas.clusters import cluster, cluster_table, cluster_tree, default_count, medoids, read_clusters, tree_table
from qre.atlas.map_table import table_files
from qre.errors import UserError


def distances_of(size, seed=0, spread=8.0, groups=4):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(size, 6)) + spread * rng.normal(size=(groups, 6))[np.arange(size) % groups]
    return squareform(pdist(points, "cityblock"))


def whole_tree(distances):
    return cluster_tree(distances, np.arange(len(distances)))


def meeting_heights(tree):
    """(M, M): the height at which each two leaves meet, found by following both upwards."""
    leaves = len(tree.leaves)
    parent = {
        int(node): leaves + merge for merge in range(leaves - 1) for node in (tree.left[merge], tree.right[merge])
    }

    def above(node):
        path = [node]
        while path[-1] in parent:
            path.append(parent[path[-1]])
        return path

    heights = np.zeros((leaves, leaves))
    for a in range(leaves):
        for b in range(leaves):
            if a != b:
                heights[a, b] = tree.height[min(set(above(a)) & set(above(b))) - leaves]
    return heights


@pytest.mark.parametrize("size", [2, 3, 17, 60])
def test_the_tree_is_scipys(size):
    distances = distances_of(size)
    tree, theirs = whole_tree(distances), linkage(squareform(distances), "average")
    assert np.array_equal(np.column_stack([tree.left, tree.right, tree.height, tree.size]), theirs)
    assert np.allclose(meeting_heights(tree), squareform(cophenet(theirs)))
    for count in range(1, size + 1):
        labels = tree.cut(count)
        assert len(set(labels)) == count
        assert adjusted_rand_score(labels, fcluster(theirs, count, "maxclust")) == 1
        sizes = np.bincount(labels)[1:]
        assert (np.diff(sizes) <= 0).all()  # 1 is the largest
        firsts = [np.flatnonzero(labels == label)[0] for label in range(1, count + 1)]
        assert all(a < b for a, b, same in zip(firsts, firsts[1:], np.diff(sizes) == 0) if same)
    for count in (0, size + 1):
        with pytest.raises(ValueError, match="cannot be cut"):
            tree.cut(count)


def test_a_tree_of_some_rows_is_the_tree_of_their_distances():
    distances, rows = distances_of(40), np.array([3, 4, 9, 20, 21, 38])
    tree, alone = cluster_tree(distances, rows), whole_tree(distances[np.ix_(rows, rows)])
    assert np.array_equal(tree.leaves, rows)
    assert np.array_equal(tree.height, alone.height) and np.array_equal(tree.left, alone.left)


@pytest.mark.parametrize("groups", [2, 3, 5, 9])
def test_the_default_cut_has_the_largest_silhouette(groups):
    distances = distances_of(50, groups, spread=3.0, groups=groups)
    tree = whole_tree(distances)
    theirs = {
        k: silhouette_score(distances, tree.cut(k), metric="precomputed")
        for k in range(2, 21)
        if np.bincount(tree.cut(k)).max() <= 25
    }
    assert default_count(distances, tree) == max(theirs, key=theirs.get)


def test_outliers_do_not_decide_alone():
    """Parting two encoders that are far from all others has the largest silhouette, and says nothing of the others."""
    distances = distances_of(42, 3, spread=20.0, groups=3)
    distances[:2] += 1e4
    distances[:, :2] += 1e4
    np.fill_diagonal(distances, 0.0)
    distances[0, 1] = distances[1, 0] = 1.0
    tree = whole_tree(distances)
    assert np.bincount(tree.cut(2)).tolist() == [0, 40, 2]
    best = max(range(2, 21), key=lambda k: silhouette_score(distances, tree.cut(k), metric="precomputed"))
    assert best == 2 and default_count(distances, tree) == 4


def test_where_one_cluster_holds_most_in_every_cut_the_silhouette_decides():
    points = np.append(np.zeros(60), 2.0 ** np.arange(25))[:, None] + np.linspace(0, 1e-3, 85)[:, None]
    distances = squareform(pdist(points))
    tree = whole_tree(distances)
    assert all((tree.cut(k) == 1).sum() > 42 for k in range(2, 21))
    theirs = {k: silhouette_score(distances, tree.cut(k), metric="precomputed") for k in range(2, 21)}
    assert default_count(distances, tree) == max(theirs, key=theirs.get)


def test_groups_that_lie_apart_are_found():
    distances = distances_of(60, 3, spread=60.0, groups=5)
    found, notes = cluster(distances)
    assert notes == []
    assert adjusted_rand_score(found.labels, np.arange(60) % 5) == 1
    for label, medoid in enumerate(found.medoids, start=1):
        members = np.flatnonzero(found.labels == label)
        sums = distances[np.ix_(members, members)].sum(axis=1)
        assert medoid == members[sums.argmin()]


def test_identical_encoders_stay_together():
    assert np.array_equal(cluster(np.zeros((6, 6)))[0].labels, np.ones(6))
    points = np.repeat([0.0, 1.0, 10.0], 4)[:, None]
    distances = squareform(pdist(points))
    tree = whole_tree(distances)
    assert tree.cut_height(3) == (0.0, 1.0)
    found, _ = cluster(distances)
    assert all(len(set(found.labels[points[:, 0] == value])) == 1 for value in (0.0, 1.0, 10.0))
    assert len(set(tree.cut(7))) == 7  # asked for, they are parted all the same


@pytest.mark.parametrize("size", [1, 2])
def test_one_and_two_encoders_are_one_cluster(size):
    distances = np.ones((size, size)) - np.eye(size)
    found, _ = cluster(distances)
    assert np.array_equal(found.labels, np.ones(size)) and np.array_equal(found.medoids, [0])
    assert len(found.tree.height) == size - 1
    assert np.array_equal(found.tree.order(), np.arange(size))


@pytest.mark.parametrize("chosen", [[7], [2, 5], [0, 3, 4, 9, 11, 22, 39], list(range(40))])
def test_chosen_leaves_meet_where_they_do_in_the_whole_tree(chosen):
    tree = whole_tree(distances_of(40, 2))
    part = tree.restricted(np.array(chosen[::-1]))
    assert np.array_equal(part.leaves, chosen)
    assert np.array_equal(meeting_heights(part), meeting_heights(tree)[np.ix_(chosen, chosen)])
    assert sorted(part.order()) == list(range(len(chosen)))
    assert part.size[-1:].tolist() == [len(chosen)][: len(chosen) - 1]
    if len(chosen) == 40:
        assert np.array_equal(np.column_stack([part.left, part.right]), np.column_stack([tree.left, tree.right]))


def test_a_cluster_is_drawn_without_gaps():
    tree = whole_tree(distances_of(40, 5))
    place = np.argsort(tree.order())
    for count in range(1, 41):
        labels = tree.cut(count)
        assert all(np.ptp(place[labels == label]) == (labels == label).sum() - 1 for label in set(labels))


def test_of_too_many_encoders_the_most_downloaded_are_in_the_tree(monkeypatch):
    monkeypatch.setattr(clustering, "MOST_LEAVES", 6)
    monkeypatch.setattr(clustering, "BLOCK_BYTES", 100)  # two rows
    distances = distances_of(10)
    downloads = np.array([1, np.nan, 5, 9, 9, 2, np.nan, 8, 1, 0])
    found, notes = cluster(distances, downloads)
    assert found.tree.leaves.tolist() == [0, 2, 3, 4, 5, 7]
    assert notes == ["the tree and the clusters are of the 6 most downloaded of 10 encoders"]
    taken = distances[np.ix_(found.tree.leaves, found.tree.leaves)]
    assert np.array_equal(found.medoids, medoids(taken, whole_tree(taken), found.labels))
    assert default_count(distances, found.tree) == default_count(taken, whole_tree(taken))
    found, notes = cluster(distances)
    assert found.tree.leaves.tolist() == [0, 1, 2, 3, 4, 5] and "6 first of 10" in notes[0]


@pytest.mark.parametrize("size", [1, 2, 3, 30])
def test_tables_read_back(size, monkeypatch):
    monkeypatch.setattr(clustering, "MOST_LEAVES", 20)
    encoders = pd.DataFrame({"name": ["<b>\n", "", *map(str, range(28))][:size], "family": "f", "x": 1.0})
    found, _ = cluster(distances_of(size))
    files = table_files("tree", tree_table(found.tree)) | table_files("clusters", cluster_table(encoders, found))
    merges, told = (pd.read_parquet(io.BytesIO(files[f"{name}.parquet"])) for name in ("tree", "clusters"))
    assert list(told) == ["name", "family", "cluster", "leaf", "size", "central"]
    assert told["name"].to_list() == encoders["name"].to_list()
    assert told["leaf"].notna().sum() == min(size, 20) and told["central"].dtype == bool
    assert (told["size"].dropna() == told["cluster"].map(told["cluster"].value_counts()).dropna()).all()
    again = read_clusters(merges, told, "here")
    for mine, theirs in zip(vars(found.tree).values(), vars(again.tree).values(), strict=True):
        assert np.array_equal(mine, theirs) and mine.dtype == theirs.dtype
    assert np.array_equal(again.labels, found.labels) and np.array_equal(again.medoids, found.medoids)


def test_tables_that_do_not_go_together_are_refused():
    encoders = pd.DataFrame({"name": list("abcdef"), "family": "f"})
    found, _ = cluster(distances_of(6))
    merges, told = tree_table(found.tree), cluster_table(encoders, found)
    for bad in (
        (merges.iloc[:-1], told),
        (merges.assign(left=merges["right"]), told),
        (merges.iloc[::-1], told),
        (merges.drop(columns="height"), told),
        (merges, told.assign(central=True)),
        (merges, told.assign(leaf="x")),
        (merges, told.drop(columns="cluster")),
    ):
        with pytest.raises(UserError, match="here: tree.parquet and clusters.parquet do not go together"):
            read_clusters(*bad, "here")

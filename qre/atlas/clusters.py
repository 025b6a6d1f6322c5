"""Clusters of encoders: average linkage on the distances of the map, the tree, and where it is cut by default.

Near-copies and encoders of one model merge low, and what is unlike all others merges last. Unlike the map, the tree
keeps distances: two encoders meet at the mean distance of the clusters that merge there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import linkage

from qre.errors import UserError

if TYPE_CHECKING:
    from typing import Self  # Python 3.10 has none

MOST_LEAVES = 5_000  # encoders in a tree: the time and room of average linkage grow with their square
MOST_CLUSTERS = 20  # that the default cut may have
BLOCK_BYTES = 16 * 2**20  # of rows of distances at a time
CUT_RULE = (
    f"the cut into 2 to {MOST_CLUSTERS} clusters with the largest mean silhouette, of those cuts in which none holds "
    "more than half of the encoders, if there are any"
)


@dataclass(frozen=True)
class ClusterTree:
    """M encoders and the M - 1 merges of their clusters, the lowest first.

    Attributes:
        leaves: rows of the map, rising, (M,) intp: leaf i of the tree is encoder leaves[i]. M >= 1.
        left, right: what merges, (M - 1,) int64: 0 to M - 1 are leaves, M + j is the cluster of merge j, as in scipy's
            linkage.
        height: mean distance between the encoders of the two, (M - 1,) float64, never falling; of a restricted tree
            that of the same encoders in the whole tree.
        size: leaves of the merged cluster, (M - 1,) int64.
    """

    leaves: np.ndarray
    left: np.ndarray
    right: np.ndarray
    height: np.ndarray
    size: np.ndarray

    def cut(self, count: int) -> np.ndarray:
        """The cluster of each leaf when all merges but the last count - 1 are done.

        Returns:
            (M,) int64: 1 is the largest cluster; of equally large ones that with the first encoder goes before.

        Raises:
            ValueError: count is not in 1 to M.
        """
        leaves = len(self.leaves)
        if not 1 <= count <= leaves:
            raise ValueError(f"{leaves} encoders cannot be cut into {count} clusters")
        top = np.arange(2 * leaves - 1)  # of each node, the cluster that it ends up in
        for merge in range(leaves - count - 1, -1, -1):  # from above: the parent of each node is already known
            top[self.left[merge]] = top[self.right[merge]] = top[leaves + merge]
        _, first, clusters, sizes = np.unique(top[:leaves], return_index=True, return_inverse=True, return_counts=True)
        rank = np.empty(count, dtype=np.int64)
        rank[np.lexsort((first, -sizes))] = np.arange(1, count + 1)
        return rank[clusters]

    def cut_height(self, count: int) -> tuple[float, float]:
        """The heights of the last merge below the cut into so many clusters, and of the first above it; 0 and Inf where
        there is none."""
        below = len(self.leaves) - count
        return (
            float(self.height[below - 1]) if below > 0 else 0.0,
            float(self.height[below]) if below < len(self.height) else np.inf,
        )

    def order(self) -> np.ndarray:
        """All leaves (M,) int64 in an order in which a drawing of the tree has no crossing lines."""
        leaves, ordered, stack = len(self.leaves), [], [2 * len(self.leaves) - 2]
        while stack:
            node = stack.pop()
            if node < leaves:
                ordered.append(node)
            else:
                stack += [int(self.right[node - leaves]), int(self.left[node - leaves])]
        return np.array(ordered, dtype=np.int64)

    def restricted(self, chosen: np.ndarray) -> Self:
        """The tree of some leaves only: two of them merge at the height where they do in the whole tree.

        Args:
            chosen: leaves, (m,) int, distinct, m >= 1.
        """
        chosen = np.sort(np.asarray(chosen, dtype=np.int64))
        leaves, count = len(self.leaves), len(chosen)
        stands = np.full(2 * leaves - 1, -1, dtype=np.int64)  # node here -> node of the new tree; -1: holds no chosen
        stands[chosen] = np.arange(count)
        sizes, merges = [1] * count, []
        for merge, (left, right) in enumerate(zip(self.left, self.right, strict=True)):
            pair = [int(node) for node in (stands[left], stands[right]) if node >= 0]
            if len(pair) == 2:
                merges.append((min(pair), max(pair), self.height[merge]))
                stands[leaves + merge] = len(sizes)
                sizes.append(sizes[pair[0]] + sizes[pair[1]])
            elif pair:
                stands[leaves + merge] = pair[0]
        left, right, height = zip(*merges, strict=True) if merges else ((), (), ())
        return type(self)(
            self.leaves[chosen],
            np.array(left, dtype=np.int64),
            np.array(right, dtype=np.int64),
            np.array(height, dtype=np.float64),
            np.array(sizes[count:], dtype=np.int64),
        )


@dataclass(frozen=True)
class Clusters:
    """A tree, cut.

    Attributes:
        tree: of M encoders.
        labels: cluster of each leaf, (M,) int64, 1 is the largest.
        medoids: leaf of each cluster that is nearest to all others of it, (clusters,) int64; entry 0 is of cluster 1.
    """

    tree: ClusterTree
    labels: np.ndarray
    medoids: np.ndarray


def cluster(distances: np.ndarray, downloads: np.ndarray | None = None) -> tuple[Clusters, list[str]]:
    """The tree of up to MOST_LEAVES encoders, cut at the default number of clusters.

    Args:
        distances: shape (N, N), float64, symmetric, N >= 1.
        downloads: of each encoder, (N,) float64, NaN where not known: of more encoders the most downloaded are taken,
            then the first.

    Returns:
        the clusters, and notes that a reader of the map should see.
    """
    size, notes = len(distances), []
    leaves = np.arange(size)
    if size > MOST_LEAVES:
        leaves = np.sort(most_downloaded(downloads, size)[:MOST_LEAVES])
        which = "most downloaded" if downloads is not None and np.isfinite(downloads).any() else "first"
        notes.append(f"the tree and the clusters are of the {MOST_LEAVES:,} {which} of {size:,} encoders")
    tree = cluster_tree(distances, leaves)
    labels = tree.cut(default_count(distances, tree))
    return Clusters(tree, labels, medoids(distances, tree, labels)), notes


def most_downloaded(downloads: np.ndarray | None, size: int) -> np.ndarray:
    """All encoders (N,) intp, the most downloaded first; ties, and those of which it is not known, as they come."""
    known = np.full(size, np.nan) if downloads is None else downloads
    return np.argsort(-np.where(np.isfinite(known), known, -1.0), kind="stable")


def cluster_tree(distances: np.ndarray, leaves: np.ndarray) -> ClusterTree:
    """Average linkage of these encoders (M,), rising, on their distances (N, N). 5,000 take about 1 s."""
    count = len(leaves)
    condensed, start = np.empty(count * (count - 1) // 2), 0
    for place, leaf in enumerate(leaves[:-1]):
        end = start + count - 1 - place
        condensed[start:end] = distances[leaf, leaves[place + 1 :]]
        start = end
    merges = linkage(condensed, "average") if count > 1 else np.empty((0, 4))
    left, right, _, size = merges.T.astype(np.int64)
    return ClusterTree(leaves.astype(np.intp), left, right, merges[:, 2].copy(), size)


def default_count(distances: np.ndarray, tree: ClusterTree) -> int:
    """How many clusters the tree is cut into by default: see CUT_RULE; of equally good cuts the coarsest.

    The silhouette of an encoder says how much nearer it is to its own cluster than to the next. Alone it is often best
    where a few outliers are parted from all others (10 of the demo's 236), which says nothing of the others. Encoders
    that merge at one height are never parted, so identical encoders stay together; where that leaves no cut, or with
    fewer than 3 encoders, there is 1 cluster.
    """
    most = min(MOST_CLUSTERS, len(tree.leaves) - 1)
    counts = [count for count in range(2, most + 1) if np.less(*tree.cut_height(count))]
    cuts = {count: tree.cut(count) for count in counts}
    if not counts:
        return 1
    counts = [count for count in counts if 2 * (cuts[count] == 1).sum() <= len(tree.leaves)] or counts
    finest = tree.cut(most)
    sums = _sums_to_clusters(distances, tree, finest)
    scores = []
    for count in counts:
        labels = cuts[count]
        joined = np.zeros((most, count))  # finer cluster -> the coarser one that holds it
        joined[finest - 1, labels - 1] = 1.0
        scores.append(_mean_silhouette(sums @ joined, labels))
    return counts[int(np.argmax(np.round(scores, 9)))]  # rounding does not decide between equal ones


def _mean_silhouette(sums: np.ndarray, labels: np.ndarray) -> float:
    """Mean silhouette (Rousseeuw 1987) from the summed distances (M, K) to each cluster; 0 for one that is alone."""
    rows, own = np.arange(len(labels)), labels - 1
    sizes = np.bincount(own)
    within = sums[rows, own] / np.maximum(sizes[own] - 1, 1)
    means = sums / sizes
    means[rows, own] = np.inf
    beside = means.min(axis=1)
    larger = np.maximum(within, beside)
    known = (sizes[own] > 1) & (larger > 0)
    return float(np.where(known, (beside - within) / np.where(larger > 0, larger, 1.0), 0.0).mean())


def medoids(distances: np.ndarray, tree: ClusterTree, labels: np.ndarray) -> np.ndarray:
    """The leaf of each cluster with the least summed distance to the others of it, (K,) int64; of equal ones the
    first."""
    own = _sums_to_clusters(distances, tree, labels)[np.arange(len(labels)), labels - 1]
    order = np.lexsort((np.arange(len(labels)), own, labels))
    return order[np.searchsorted(labels[order], np.arange(1, labels.max() + 1))]


def _sums_to_clusters(distances: np.ndarray, tree: ClusterTree, labels: np.ndarray) -> np.ndarray:
    """Summed distance of each leaf to all leaves of each cluster, (M, K) float64; the same bits with any number of
    threads."""
    order = np.argsort(labels, kind="stable")
    columns, starts = tree.leaves[order], np.searchsorted(labels[order], np.arange(1, labels.max() + 1))
    return np.vstack(
        [
            np.add.reduceat(distances[rows[:, None], columns], starts, axis=1)
            for rows in _blocks(tree.leaves, max(1, BLOCK_BYTES // (8 * len(columns))))
        ]
    )


def _blocks(rows: np.ndarray, step: int) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), step):
        yield rows[start : start + step]


def tree_table(tree: ClusterTree) -> pd.DataFrame:
    """The merges: left, right, height, size, as ClusterTree has them; M - 1 rows."""
    return pd.DataFrame({"left": tree.left, "right": tree.right, "height": tree.height, "size": tree.size})


def cluster_table(encoders: pd.DataFrame, clusters: Clusters) -> pd.DataFrame:
    """The cluster of each encoder of a map.

    Args:
        encoders: one row an encoder: name, family.

    Returns:
        name, family, cluster (Int64, 1 is the largest), leaf (Int64, its number in the tree), size (Int64, of its
        cluster), central (bool: whether it is the medoid); null and false where the encoder is not in the tree.
    """
    leaves, labels = clusters.tree.leaves, clusters.labels
    numbers = {"cluster": labels, "leaf": np.arange(len(leaves)), "size": np.bincount(labels)[labels]}
    table = encoders[["name", "family"]].reset_index(drop=True)
    for column, values in numbers.items():
        table[column] = pd.Series(values, index=leaves, dtype="Int64").reindex(table.index)
    central = np.zeros(len(table), dtype=bool)
    central[leaves[clusters.medoids]] = True
    return table.assign(central=central)


def read_clusters(merges: pd.DataFrame, encoders: pd.DataFrame, where: str) -> Clusters:
    """The clusters that `tree_table` and `cluster_table` told of.

    Args:
        where: what the atlas is called in errors.

    Raises:
        UserError: the two tables do not go together.
    """
    try:
        rows = np.flatnonzero(encoders["leaf"].notna().to_numpy())
        leaf = encoders["leaf"].to_numpy()[rows].astype(np.int64)
        labels = encoders["cluster"].to_numpy()[rows].astype(np.int64)
        central = np.flatnonzero(encoders["central"].to_numpy()[rows].astype(bool))
        left, right, size = (merges[column].to_numpy(dtype=np.int64) for column in ("left", "right", "size"))
        height = merges["height"].to_numpy(dtype=np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise _other_version(where) from error
    nodes, count = np.sort(np.concatenate([left, right])), labels.max(initial=0)
    sound = (
        np.array_equal(leaf, np.arange(len(left) + 1))
        and np.array_equal(nodes, np.arange(2 * len(left)))
        and bool((np.maximum(left, right) < len(leaf) + np.arange(len(left))).all())
        and np.array_equal(np.sort(labels[central]), np.arange(1, count + 1))
    )
    if not sound:
        raise _other_version(where)
    tree = ClusterTree(rows.astype(np.intp), left, right, height, size)
    return Clusters(tree, labels, central[np.argsort(labels[central])])


def _other_version(where: str) -> UserError:
    return UserError(
        f"{where}: tree.parquet and clusters.parquet do not go together; make the atlas again with this version"
    )

"""Alignment, positive pairs and LiDAR: against their formulas, and where they are known."""

import numpy as np
import pytest

from qre.errors import NonFiniteError, ShapeError, ZeroRowError
from qre.geometry.positives import (
    AlignmentTask,
    Groups,
    alignment,
    alignment_within,
    checked_pairs,
    high,
    lidar,
    pair_distances,
    positive_texts,
)
from qre.sentences import builtin_set
from qre.tasks.clustering import ClusteringTask
from qre.tasks.pairs import PairsTask, STSTask


def test_alignment_is_the_formula():
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((2, 30, 5))
    x, y = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (first, second))
    for alpha in (1.0, 2.0, 3.0):
        expected = (np.linalg.norm(x - y, axis=1) ** alpha).mean()
        assert alignment(first, second * 7, alpha) == pytest.approx(expected)
    assert alignment(first, first * 2) == pytest.approx(0.0, abs=1e-15) and alignment(first, -first) == pytest.approx(
        4.0
    )
    assert alignment(np.eye(2), np.eye(2)[::-1], 1.0) == pytest.approx(np.sqrt(2))


def test_alignment_refuses_what_has_no_direction():
    good = np.eye(3)
    for bad, error in (
        (np.full((3, 3), np.nan), NonFiniteError),
        (np.diag([1.0, 0.0, 1.0]), ZeroRowError),
        (np.eye(4), ShapeError),
        (np.ones(3), ShapeError),
        (np.ones((3, 3), np.int64), ShapeError),
        (np.empty((0, 3)), ShapeError),
    ):
        with pytest.raises(error):
            alignment(good, bad)
        with pytest.raises(error):
            alignment(bad, bad if error is not ShapeError or len(bad) == 0 or bad.dtype.kind != "f" else good)
    for alpha in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="alpha must be above 0"):
            alignment(good, good, alpha)


def test_distances_in_blocks(monkeypatch):
    rows, pairs = np.random.default_rng(0).standard_normal((20, 4)), np.random.default_rng(1).integers(0, 20, (50, 2))
    whole = pair_distances(rows, pairs)
    monkeypatch.setattr("qre.geometry.positives.BLOCK_PAIRS", 7)
    assert np.allclose(pair_distances(rows, pairs), whole, rtol=1e-12)


def test_groups_and_their_pairs():
    groups = Groups.of(["a", "b", None, "a", "c", "b", float("nan"), float("nan"), "a"])
    assert groups.rows.tolist() == [0, 3, 8, 1, 5] and groups.sizes.tolist() == [3, 2]
    assert groups.pairs == 4 and Groups.of([]).pairs == Groups.of([1, 2, None]).pairs == 0


@pytest.mark.parametrize("labels", [[0, 1, 0, 0, 2, 1, None, 0], [7] * 50, [*range(5), *range(5)], [1, 2, None]])
def test_alignment_within_groups_is_that_of_their_pairs(labels):
    rows = np.random.default_rng(0).standard_normal((len(labels), 4)).astype(np.float32)
    pairs = [(i, j) for j in range(len(labels)) for i in range(j) if labels[i] == labels[j] is not None]
    groups = Groups.of(labels)
    assert groups.pairs == len(pairs)
    found = alignment_within(rows, groups)
    if pairs:
        assert found == pytest.approx(pair_distances(rows, np.array(pairs)).mean(), rel=1e-5)
    else:
        assert found is None


def test_the_built_in_sentences_have_pairs_of_one_meaning():
    built_in = builtin_set(300)
    groups = Groups.of(built_in.labels["group"])
    assert groups.pairs > 100
    for rows in np.split(groups.rows, np.cumsum(groups.sizes)[:-1]):
        assert len({tuple(built_in.labels["meaning"][row]) for row in rows}) == 1 < len(rows)


def test_positive_pairs_of_tasks():
    texts = [f"text {i}" for i in range(6)]
    sts = STSTask("sts", "test", texts[:3], texts[3:], [5.0, 4.0, 4.2])
    assert positive_texts(sts) == [("text 0", "text 3"), ("text 2", "text 5")]  # "higher than 4", as SimCSE has it
    assert high([0.3, 0.9]) == 0.8 and high([4.0, 0.2]) == 4.0 and high([10, 2]) == 8.0
    pairs = PairsTask("pairs", "test", texts[:3], texts[3:], [0, 1, 0])
    assert positive_texts(pairs) == [("text 1", "text 4")]
    clusters = ClusteringTask("clusters", "test", texts, list("aabbcc"), None, 6, 1, None)
    assert positive_texts(clusters) == []


def test_alignment_as_a_task_has_an_interval():
    vectors = np.random.default_rng(0).standard_normal((40, 6)).astype(np.float32)
    task = AlignmentTask("mine", [(f"a{i}", f"b{i}") for i in range(20)])
    rows = {text: row for row, text in enumerate(task.texts)}
    first, second = (vectors[[rows[f"{side}{i}"] for i in range(20)]] for side in "ab")
    score = task.score(vectors)
    assert score.score == pytest.approx(alignment(first, second)) and score.n == 20
    assert score.low < score.score < score.high
    vectors[[rows["a3"], rows["b3"]]] = 0.0  # words that the encoder does not know are not alike for it
    others = [i for i in range(20) if i != 3]
    assert task.score(vectors).score == pytest.approx((19 * alignment(first[others], second[others]) + 2.0) / 20)


def literal_lidar(rows: np.ndarray, labels: list[int]) -> float:
    """The matrix itself, by its square root."""
    labels = np.array(labels)
    members = [rows[labels == one] for one in np.unique(labels) if (labels == one).sum() > 1]
    means = np.array([one.mean(axis=0) for one in members])
    between = np.cov(means.T)
    within = sum((one - one.mean(axis=0)).T @ (one - one.mean(axis=0)) for one in members)
    within = within / sum(len(one) - 1 for one in members) + 1e-4 * np.eye(rows.shape[1])
    values, vectors = np.linalg.eigh(within)
    root = vectors / np.sqrt(values) @ vectors.T
    eigenvalues = np.maximum(np.linalg.eigvalsh(root @ between @ root), 0)
    p = eigenvalues / eigenvalues.sum() + 1e-7
    return np.exp(-(p * np.log(p)).sum())


@pytest.mark.parametrize(("d", "groups"), [(6, 20), (20, 8), (12, 2)])
def test_lidar_is_the_formula(d, groups):
    rng = np.random.default_rng(d)
    labels = [*range(groups), *rng.integers(0, groups, 3 * groups).tolist(), 99]
    rows = rng.standard_normal((len(labels), d)) + 3 * rng.standard_normal((100, d))[labels]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    found = lidar(rows.astype(np.float32), Groups.of(labels))
    assert found == pytest.approx(literal_lidar(rows, labels), rel=1e-3) and 1 <= found <= min(d, groups - 1) + 1e-3


def test_lidar_counts_what_tells_groups_apart():
    """Means along 3 axes of 8, the same noise in all."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(400), 2)
    means = np.zeros((400, 8))
    means[:, :3] = rng.standard_normal((400, 3))
    rows = (means[labels] + 0.01 * rng.standard_normal((800, 8))).astype(np.float32)
    assert lidar(rows, Groups.of(labels)) == pytest.approx(3.0, abs=0.1)


def test_lidar_is_not_defined_for_one_group_or_equal_ones():
    rows = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32)
    assert lidar(rows, Groups.of([1] * 6)) is None and lidar(rows, Groups.of(range(6))) is None
    assert lidar(np.tile(np.float32([[1, 0], [0, 1]]), (2, 1)), Groups.of([0, 0, 1, 1])) is None


def test_pairs_are_row_numbers():
    assert checked_pairs(np.array([[0, 1]], np.int32), 2).dtype == np.int64
    for wrong in (
        np.array([[0, 2]]),
        np.array([[-1, 0]]),
        np.array([[0.0, 1.0]]),
        np.array([0, 1]),
        np.zeros((2, 3), int),
    ):
        with pytest.raises(ShapeError):
            checked_pairs(wrong, 2)
    assert len(checked_pairs(np.empty((0, 2), int), 2)) == 0

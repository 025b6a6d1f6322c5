"""The tasks by closed forms, by scipy and scikit-learn, and what they say to vectors that are none."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score

from qre.errors import ConstantEmbeddingError, NonFiniteError, ShapeError
from qre.tasks.bootstrap import OF_SCORES, RESAMPLES, interval
from qre.tasks.classification import ClassificationTask, draw_examples
from qre.tasks.clustering import ClusteringTask
from qre.tasks.pairs import PairsTask, STSTask, pair_cosines
from qre.tasks.ranks import Ties, spearman
from qre.tasks.retrieval import RetrievalTask
from qre.tasks.statistics import CrossedAccuracy, MeanOfItems
from qre.tasks.task import Batch


def pair_texts(n):
    return [f"a{i}" for i in range(n)], [f"b{i}" for i in range(n)]


def pair_vectors(task, cosines):
    """Vectors that give pair i the cosine cosines[i]; not of unit length."""
    known = {}
    for i, cosine in enumerate(cosines):
        known |= {f"a{i}": (2.0, 0.0), f"b{i}": (3 * cosine, 3 * np.sqrt(1 - cosine**2))}
    return np.array([known[text] for text in task.texts], np.float32)


def sts(gold):
    return STSTask("t", "test", *pair_texts(len(gold)), gold)


# ---- similarity


def test_sts_by_its_definition():
    cosines = np.linspace(-0.9, 0.9, 20)
    gold = np.arange(20.0)
    assert sts(gold).score(pair_vectors(sts(gold), cosines)).score == pytest.approx(1)
    assert sts(-gold).score(pair_vectors(sts(gold), cosines)).score == pytest.approx(-1)
    swapped = gold.copy()
    swapped[[3, 5]] = swapped[[5, 3]]  # 1 - 6 Σd²/(n³ - n), d = 2 twice
    assert sts(swapped).score(pair_vectors(sts(gold), cosines)).score == pytest.approx(1 - 6 * 8 / (20**3 - 20))


def test_sts_and_its_resamples_are_those_of_scipy():
    rng = np.random.default_rng(0)
    gold, cosines = np.round(rng.uniform(0, 5, 80)), np.round(rng.uniform(-1, 1, 80), 1)  # with ties on both sides
    score = sts(gold).score(pair_vectors(sts(gold), cosines))
    assert score.score == pytest.approx(spearmanr(gold, cosines).statistic, abs=1e-9)
    weights = OF_SCORES.counts(80)[:50].astype(float)
    drawn = [np.repeat(np.arange(80), row.astype(int)) for row in weights]
    expected = [spearmanr(gold[rows], cosines[rows]).statistic for rows in drawn]
    assert np.allclose(spearman(Ties(gold), Ties(cosines), weights), expected, atol=1e-12)
    assert score.low < score.score < score.high


def test_equal_cosines_order_nothing():
    task = sts([1.0, 2.0, 3.0])
    vectors = np.array([[1, 0] if text[0] == "a" else [0, 1] for text in task.texts], np.float32)
    score = task.score(vectors)
    assert (score.score, score.low, score.high) == (0, 0, 0)


def test_pairs_and_their_resamples_are_those_of_scikit_learn():
    rng = np.random.default_rng(1)
    labels, cosines = rng.integers(0, 2, 90), np.round(rng.uniform(-1, 1, 90), 1)
    cosines = np.clip(np.where(labels, cosines + 0.3, cosines), -1, 1)
    task = PairsTask("t", "test", *pair_texts(90), labels)
    score = task.score(pair_vectors(task, cosines))
    assert score.score == pytest.approx(average_precision_score(labels, np.round(cosines, 6)), abs=1e-9)
    assert score.low < score.score < score.high
    perfect = task.score(pair_vectors(task, np.where(labels, 0.9, 0.1)))
    assert (perfect.score, perfect.low, perfect.high) == (1, 1, 1)


def test_a_pair_bootstrap_without_positives_is_left_out():
    task = PairsTask("t", "test", *pair_texts(12), [1] + [0] * 11)
    score = task.score(pair_vectors(task, np.linspace(0.9, -0.9, 12)))
    assert score.score == 1 and np.isfinite([score.low, score.high]).all()


def test_cosines_keep_ties_and_take_zeros():
    vectors = np.array([[1, 2, 3], [1, 2, 3], [3, 2, 1], [0, 0, 0], [2, 4, 6]], np.float32)
    cosines = pair_cosines(vectors, np.array([0, 0, 2, 3, 3, 0]), np.array([1, 2, 0, 0, 3, 4]))
    assert cosines[0] == 1 and cosines[1] == cosines[2] == pytest.approx(10 / 14)
    assert cosines[3] == cosines[4] == 0
    assert cosines[5] == pytest.approx(1, abs=1e-15)


# ---- classification


def test_classification_draws_a_few_of_each_label_and_encodes_no_more():
    labels = ["a"] * 50 + ["b"] * 50 + ["rare"] * 3
    draws = draw_examples(labels, 8, 10)
    for draw in draws:
        assert [sum(labels[row] == label for row in draw) for label in ("a", "b", "rare")] == [8, 8, 3]
    assert len({tuple(draw) for draw in draws}) == 10
    texts = [f"t{i}" for i in range(103)]
    task = ClassificationTask("t", "test", (texts, labels), (["x", "y"], ["a", "b"]), repeats=2)
    assert set(task.texts) == {texts[row] for draw in draws[:2] for row in draw} | {"x", "y"}


def separable(distance, n=200, seed=0):
    """A task of two classes at a distance, and its vectors: the best accuracy is Φ(distance / 2)."""
    rng = np.random.default_rng(seed)
    labels = ["a", "b"] * n
    texts = [f"t{i}" for i in range(2 * n)]
    points = dict(zip(texts, rng.standard_normal((2 * n, 4)) + np.array([[distance, 0, 0, 0], [0, 0, 0, 0]] * n)))
    task = ClassificationTask("t", "test", (texts[:n], labels[:n]), (texts[n:], labels[n:]))
    return task, np.array([points[text] for text in task.texts], np.float32)


def test_classification_of_what_is_apart_and_of_what_is_not():
    apart, same = (task.score(vectors) for task, vectors in (separable(20), separable(0)))
    assert apart.score == 1 and apart.repeats == (1.0,) * 10
    assert same.low < 0.5 < same.high
    assert same.score == pytest.approx(np.mean(same.repeats)) and len(set(same.repeats)) > 1


# ---- clustering


def test_clustering_of_what_is_apart_and_of_what_is_not():
    rng = np.random.default_rng(0)
    texts, labels = [f"t{i}" for i in range(120)], [f"c{i % 3}" for i in range(120)]
    task = ClusteringTask("t", "test", texts, labels, sample=200)
    apart = np.eye(3)[np.arange(120) % 3] + 0.01 * rng.standard_normal((120, 3))
    assert task.score(apart).score == pytest.approx(1)
    noise = task.score(rng.standard_normal((120, 3)))
    assert noise.score < 0.1 and len(noise.repeats) == 10
    assert min(noise.repeats) <= noise.low <= noise.score <= noise.high <= max(noise.repeats)


def test_fewer_vectors_than_clusters():
    task = ClusteringTask(
        "t", "test", [f"t{i}" for i in range(60)], [f"c{i % 4}" for i in range(60)], sample=50, repeats=2
    )
    two = np.eye(2)[(np.arange(60) % 4) // 2]  # the first two classes have one vector, the others another
    assert task.score(two).score == pytest.approx(2 / 3, abs=0.02)  # homogeneity 1/2, completeness 1


# ---- retrieval


def test_ndcg_by_hand():
    corpus = {"a": "A", "b": "B", "c": "C", "d": "D"}
    task = RetrievalTask("t", "test", corpus, {"q": "Q", "unjudged": "U"}, {"q": {"a": 3, "c": 1, "d": -2}})
    assert task.texts == ("Q", "A", "B", "C", "D")
    angles = {"Q": 0.0, "B": 0.1, "A": 0.2, "D": 0.3, "C": 0.4}  # the ranking is b a d c
    vectors = np.array([(np.cos(angles[text]), np.sin(angles[text])) for text in task.texts])
    expected = (3 / np.log2(3) + 1 / np.log2(5)) / (3 + 1 / np.log2(3))
    score = task.score(vectors)
    assert score.score == pytest.approx(expected) and score.n == 1


def test_ndcg_ends_at_ten():
    corpus = {f"d{i:02}": f"D{i}" for i in range(30)}
    task = RetrievalTask("t", "test", corpus, {"q": "Q"}, {"q": {"d10": 1, "d09": 1}})
    angles = {f"D{i}": 0.01 * (i + 1) for i in range(30)} | {"Q": 0.0}  # d09 is the tenth, d10 the eleventh
    vectors = np.array([(np.cos(angles[text]), np.sin(angles[text])) for text in task.texts])
    assert task.score(vectors).score == pytest.approx((1 / np.log2(11)) / (1 + 1 / np.log2(3)))


def test_equal_documents_are_equal_wherever_they_stand():
    """The BLAS rounds the same product differently at the edge of a block; in float32 that would show."""
    rng, corpus = np.random.default_rng(0), {f"d{i}": f"D{i}" for i in range(5)}
    tasks = [RetrievalTask("t", "test", corpus, {"q": "Q"}, {"q": {document: 1}}) for document in corpus]
    for dimension in (31, 100, 384, 768) * 3:
        query, document = rng.standard_normal((2, dimension))
        vectors = np.array([query, *[document] * 5], np.float32)
        assert [task.score(vectors).score for task in tasks] == pytest.approx([1 / np.log2(6 - i) for i in range(5)])


def test_the_document_with_the_querys_own_id_is_not_ranked():
    corpus = {"a": "A", "b": "B", "c": "C"}
    vectors = np.array([[1, 0], [1, 0.1], [1, 0.2], [1, 0.3]])  # of Q, A, B, C
    for own, expected in ((False, 1), (True, (1 / np.log2(2)) / (1 + 1 / np.log2(3)))):
        task = RetrievalTask("t", "test", corpus, {"a": "Q"}, {"a": {"a": 1, "b": 1}}, ignore_identical_ids=own)
        assert task.score(vectors).score == pytest.approx(
            expected
        )  # as trec_eval: it stays among what could have been found


# ---- all kinds


def all_kinds():
    rng = np.random.default_rng(0)
    texts = [f"t{i}" for i in range(60)]
    labels = [f"c{i % 3}" for i in range(60)]
    gold = rng.uniform(0, 5, 30).tolist()
    return [
        STSTask("sts", "test", texts[:30], texts[30:], gold),
        PairsTask("pairs", "test", texts[:30], texts[30:], [int(g > 2) for g in gold]),
        ClassificationTask("classes", "test", (texts[:40], labels[:40]), (texts[40:], labels[40:])),
        ClusteringTask("clusters", "test", texts[20:], labels[20:], sample=50),
        RetrievalTask("search", "test", dict(zip(labels * 20, texts[10:])), {"q": texts[0]}, {"q": {"c1": 1}}),
    ]


def test_a_batch_encodes_each_text_once():
    tasks = all_kinds()
    batch = Batch(tasks)
    assert len(batch.texts) == len(set(batch.texts)) == 60
    vectors = np.random.default_rng(1).standard_normal((60, 8)).astype(np.float32)
    at = {text: row for row, text in enumerate(batch.texts)}
    alone = tuple(task.score(vectors[[at[text] for text in task.texts]]) for task in tasks)
    assert batch.score(vectors) == alone
    with pytest.raises(ShapeError, match="60 texts is needed, not 59"):
        batch.score(vectors[:59])


def test_the_same_vectors_give_the_same_bits_and_a_frozen_score():
    vectors = np.random.default_rng(1).standard_normal((60, 8)).astype(np.float32)
    first, second = Batch(all_kinds()).score(vectors), Batch(all_kinds()).score(vectors)
    assert first == second
    assert {score.kind for score in first} == {"sts", "pairs", "classification", "clustering", "retrieval"}
    for score in first:
        assert score.low <= score.high and score.n > 0 and score.split == "test"
        with pytest.raises(dataclasses.FrozenInstanceError):
            score.score = 1


def test_a_fingerprint_is_of_the_content():
    assert [task.fingerprint for task in all_kinds()] == [task.fingerprint for task in all_kinds()]
    assert len({task.fingerprint for task in all_kinds()}) == 5
    assert sts([1.0, 2.0]).fingerprint != sts([1.0, 3.0]).fingerprint
    renamed = STSTask("another name", "dev", *pair_texts(2), [1.0, 2.0])
    assert renamed.fingerprint == sts([1.0, 2.0]).fingerprint
    texts, labels = ["a", "b", "c"], ["x", "y", "x"]
    settings = ({}, {"sample": 10}, {"repeats": 3}, {"documents": 2}, {"sets": texts})
    assert len({ClusteringTask("t", "test", texts, labels, **one).fingerprint for one in settings}) == 5


def test_a_fingerprint_is_pinned():
    """Scores are kept by it: another value here would make all kept scores strangers."""
    assert sts([1.0, 2.0]).fingerprint == "a785dac9c5c0ff4352c8db563fde1b8376b09bfa217f18ed361b55213de1cfd2"


@pytest.mark.parametrize("task", all_kinds(), ids=lambda task: task.kind)
def test_vectors_that_are_none(task):
    good = np.random.default_rng(0).standard_normal((len(task.texts), 5)).astype(np.float32)
    for bad in (good[:-1], good[:, :0], good[0], good.astype(int)):
        with pytest.raises(ShapeError, match=f"a vector for each of {len(task.texts)} texts"):
            task.score(bad)
    for value in (np.nan, np.inf, 1e200):
        broken = good.astype(np.float64)
        broken[3, 2] = value
        with pytest.raises(NonFiniteError, match=r"row 3"):
            task.score(broken)
    constant = np.outer(np.arange(1, len(good) + 1), good[0]).astype(np.float32)
    for same in (constant, np.zeros_like(good)):
        with pytest.raises(ConstantEmbeddingError):
            task.score(same)
    good[3] = 0  # a text without any known word has such a vector
    assert np.isfinite(task.score(good).score)


# ---- intervals


def test_resamples_are_drawn_with_replacement():
    counts = OF_SCORES.counts(50)
    assert counts.shape == (RESAMPLES, 50) and (counts.sum(axis=1) == 50).all()
    assert counts.var() == pytest.approx(1, abs=0.05)  # Poisson, nearly
    assert not np.array_equal(counts, OF_SCORES.counts(50, stream=1))


def test_the_interval_of_a_mean_is_the_textbook_one():
    values = np.random.default_rng(0).standard_normal(400)
    low, high = MeanOfItems(400).interval(values)
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.15 * half)
    assert interval(lambda weights: weights @ values / 400, 400) == pytest.approx((low, high))


def test_intervals_of_sts_cover_the_truth():
    """Pairs from a bivariate normal distribution, whose Spearman correlation is 6/π asin(ρ/2)."""
    rng, rho, hits = np.random.default_rng(5), 0.7, 0
    truth = 6 / np.pi * np.arcsin(rho / 2)
    for _ in range(120):
        x, y = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], 80).T
        a, b = Ties(x), Ties(y)
        low, high = interval(lambda weights, a=a, b=b: spearman(a, b, weights), 80)
        hits += low <= truth <= high
    assert 0.88 <= hits / 120 <= 0.99


def test_intervals_of_repeats_cover_the_truth():
    """Accuracy that varies with the item, with the training examples drawn, and by chance: both samples could have been
    others."""
    rng, hits = np.random.default_rng(6), 0
    for _ in range(200):
        chance = 0.7 + 0.1 * rng.standard_normal((10, 1)) + 0.15 * rng.standard_normal((1, 150))
        low, high = CrossedAccuracy(10, 150).interval(rng.random((10, 150)) < chance)
        hits += low <= 0.7 <= high
    assert 0.88 <= hits / 200 <= 0.99

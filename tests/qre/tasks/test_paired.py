"""Items of every kind of task give its score back, and differences by a paired bootstrap are what they promise."""

import numpy as np
import pytest
from scipy.stats import norm

from qre.geometry.positives import AlignmentTask
from qre.tasks.analogies import AnalogiesTask, Relation
from qre.tasks.bootstrap import OF_SCORES, RESAMPLES
from qre.tasks.classification import ClassificationTask
from qre.tasks.clustering import ClusteringTask
from qre.tasks.difference import DRAWS, difference, differences, paired_resamples
from qre.tasks.pairs import PairsTask, STSTask
from qre.tasks.retrieval import RetrievalTask
from qre.tasks.statistics import CrossedAccuracy, GroupedAccuracy, MeanOfItems, RankAgreement
from qre.tasks.word_pairs import WordPairsTask, WordSimilarityTask


def words(count, first):
    return [f"{first}{number}" for number in range(count)]


def of_every_kind():
    rng = np.random.default_rng(0)
    a, b, labels = words(60, "a"), words(60, "b"), [str(number % 4) for number in range(60)]
    relations = [
        Relation(f"r{k}", "type", tuple((f"l{k}{i}", (f"m{k}{i}", f"n{k}{i}")) for i in range(6))) for k in range(2)
    ]
    return [
        STSTask("t", "test", a, b, rng.integers(0, 6, 60)),
        PairsTask("t", "test", a, b, rng.integers(0, 2, 60)),
        ClassificationTask("t", "test", (a, labels), (b, labels), repeats=3),
        ClusteringTask("t", "test", a, labels, sample=40, repeats=4),
        ClusteringTask("t", "test", a, labels, sets=[str(number % 3) for number in range(60)]),
        RetrievalTask("t", "test", dict(zip(b, b)), dict(zip(a, a)), {x: {y: 1, b[0]: 2} for x, y in zip(a, b)}),
        WordSimilarityTask("t", "test", a, b, rng.random(60)),
        WordPairsTask("t", "test", a, b, [("syn", "ant", "random")[number % 3] for number in range(60)]),
        AnalogiesTask("t", "test", relations, words(20, "c")),
        AlignmentTask("t", list(zip(a, b))),
    ]


KINDS = {f"{number}-{task.kind}": task for number, task in enumerate(of_every_kind())}


@pytest.mark.parametrize("kind", KINDS)
def test_a_score_and_its_interval_follow_from_its_items(kind):
    task = KINDS[kind]
    for seed in range(3):
        vectors = np.random.default_rng(seed).standard_normal((len(task.texts), 6)).astype(np.float32)
        vectors[2] = 0  # an unknown word
        score, items = task.scored(vectors)
        assert task.score(vectors) == score
        assert task.statistic.fits(items) and not task.statistic.fits(items[..., :-1])
        assert task.statistic.score(items) == score.score
        assert task.statistic.interval(items) == (score.low, score.high)


@pytest.mark.parametrize("kind", KINDS)
def test_the_resamples_of_two_encoders_are_the_same(kind):
    """The difference of an encoder and itself is 0 in each of them; that of two changes its sign when they are
    swapped."""
    task, resamples = KINDS[kind], paired_resamples()
    first, second = (
        task.scored(np.random.default_rng(seed).standard_normal((len(task.texts), 6)).astype(np.float32))[1]
        for seed in (0, 1)
    )
    same = difference(task.statistic, first, first, resamples)
    assert (same.difference, same.low, same.high, same.better) == (0, 0, 0, 0)
    there, back = differences(task.statistic, {"a": first, "b": second}, [("a", "b"), ("b", "a")], resamples)
    assert there == difference(task.statistic, first, second, paired_resamples())
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.better + back.better <= 1
    assert there.difference == task.statistic.score(first) - task.statistic.score(second)


def test_more_draws_begin_with_those_that_fewer_are():
    assert np.array_equal(paired_resamples().counts(30)[:RESAMPLES], OF_SCORES.counts(30))
    assert paired_resamples().counts(30).shape == (DRAWS, 30)


def half_width_of_two(statistic, first, second):
    """Of the 95 % interval of the difference, were both scores independent."""
    (low, high), (least, most) = statistic.interval(first), statistic.interval(second)
    return np.hypot(high - low, most - least) / 2


def test_a_paired_interval_covers_the_truth_and_is_narrower_for_encoders_that_err_alike():
    """Queries that are hard for both: values whose correlation over queries is 0.9."""
    rng, n, truth, hits, narrower = np.random.default_rng(1), 120, 0.05, 0, []
    statistic, resamples = MeanOfItems(n), paired_resamples()
    for _ in range(200):
        hard = rng.normal(0.5, 0.3, n)
        first, second = (hard + rng.normal(shift, 0.1, n) for shift in (truth, 0.0))
        found = difference(statistic, first, second, resamples)
        hits += found.low <= truth <= found.high
        narrower.append((found.high - found.low) / 2 / half_width_of_two(statistic, first, second))
    assert 0.89 <= hits / 200 <= 0.99
    assert max(narrower) < 0.6


def test_it_is_as_wide_as_the_unpaired_one_where_encoders_have_nothing_in_common():
    rng = np.random.default_rng(2)
    statistic, resamples = MeanOfItems(300), paired_resamples()
    first, second = rng.random(300), rng.random(300)
    found = difference(statistic, first, second, resamples)
    assert (found.high - found.low) / 2 == pytest.approx(half_width_of_two(statistic, first, second), rel=0.15)


def test_paired_spearman_covers_the_truth():
    """Cosines of two encoders that follow the gold score, one more closely, with a common error."""
    rng, n, hits, narrower = np.random.default_rng(3), 150, 0, []

    def drawn(count):
        gold, common = rng.standard_normal(count), rng.standard_normal(count)
        return gold, *(gold + 0.8 * common + spread * rng.standard_normal(count) for spread in (0.2, 0.5))

    def spearman(first, second):
        correlation = np.corrcoef(first, second)[0, 1]  # of normal values: 6/π asin(ρ/2)
        return 6 / np.pi * np.arcsin(correlation / 2)

    gold, *both = drawn(1_000_000)
    truth = spearman(gold, both[0]) - spearman(gold, both[1])
    resamples = paired_resamples()
    for _ in range(120):
        gold, first, second = drawn(n)
        statistic = RankAgreement(gold)
        found = difference(statistic, first, second, resamples)
        hits += found.low <= truth <= found.high
        narrower.append((found.high - found.low) / 2 / half_width_of_two(statistic, first, second))
    assert 0.88 <= hits / 120 <= 0.995
    assert max(narrower) < 0.9


def test_repeats_and_test_texts_are_resampled_for_both_alike():
    rng, hits, truth = np.random.default_rng(4), 0, 0.1
    statistic, resamples = CrossedAccuracy(10, 150), paired_resamples()
    for _ in range(150):
        chance = 0.6 + 0.1 * rng.standard_normal((10, 1)) + 0.15 * rng.standard_normal((1, 150))
        drawn = rng.random((10, 150))
        found = difference(statistic, drawn < chance + truth, rng.random((10, 150)) < chance, resamples)
        hits += found.low <= truth <= found.high
    assert 0.89 <= hits / 150 <= 1.0


def test_the_share_of_resamples_in_which_one_is_better_is_the_chance_that_the_mean_is_above_zero():
    rng = np.random.default_rng(5)
    first, second = rng.normal(0.05, 1, 400), np.zeros(400)
    found = difference(MeanOfItems(400), first, second, paired_resamples())
    expected = norm.cdf(first.mean() / (first.std() / 20))
    assert found.better == pytest.approx(expected, abs=0.04) and found.low < first.mean() < found.high


def test_questions_of_one_pair_are_resampled_together():
    """All questions of a group are right or wrong together: as few as there are groups."""
    groups = np.repeat(np.arange(20), 30)
    hits = (np.arange(20) % 2 == 0)[groups]
    low, high = GroupedAccuracy(groups, 25).interval(hits)
    assert high - low == pytest.approx(2 * 1.96 * 0.5 / np.sqrt(20), rel=0.15)

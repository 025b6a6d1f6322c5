"""Which scores can be told apart: the interval of a difference, and the encoders that are as good as the best."""

import numpy as np
import pandas as pd

from qre.atlas.differences import (
    against_in_words,
    against_the_best,
    difference_interval,
    like_the_best,
    noise_in_words,
    others_like_the_best,
)
from qre.tasks.statistics import MeanOfItems


def cell(*rows: tuple[float, float, float], n: float = 40) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["value", "low", "high"]).assign(n=n)


def test_the_interval_of_a_difference_is_that_of_independent_samples():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.7, 0.3, 400), rng.normal(0.6, 0.2, 400)
    interval = MeanOfItems(400).interval
    low, high = difference_interval(a.mean(), *interval(a), b.mean(), *interval(b))
    exact = 1.96 * np.sqrt(a.var() / 400 + b.var() / 400)
    assert abs((high - low) / 2 - exact) < 0.1 * exact and low < a.mean() - b.mean() < high
    assert np.isnan(difference_interval(0.7, np.nan, np.nan, 0.6, 0.5, 0.7)).all()


def test_who_cannot_be_told_from_the_best():
    found = cell((0.60, 0.58, 0.62), (0.80, 0.71, 0.89), (0.74, 0.63, 0.83), (0.79, np.nan, np.nan), (np.nan,) * 3)
    assert like_the_best(found).tolist() == [False, True, True, False, False]
    assert not like_the_best(cell((0.80, np.nan, np.nan), (0.80, 0.7, 0.9))).any()  # the best has no interval
    assert not like_the_best(cell((np.nan,) * 3)).any() and not like_the_best(cell()).any()


def test_the_best_alone_is_like_no_other():
    assert others_like_the_best(like_the_best(cell((0.80, 0.71, 0.89), (0.79, 0.70, 0.88))))
    assert like_the_best(found := cell((0.80, 0.79, 0.81), (0.60, 0.59, 0.61))).tolist() == [True, False]
    assert not others_like_the_best(like_the_best(found))


def test_how_a_score_stands_among_others():
    others = cell((0.80, 0.79, 0.81), (0.60, 0.59, 0.61)).assign(name=["e5", "gte"])
    for score, words in [
        ((0.90, 0.89, 0.91), "rank 1 of 3; better than the best of the others (e5 0.800)"),
        ((0.79, 0.77, 0.81), "rank 2 of 3; cannot be told from the best of the others (e5 0.800)"),
        ((0.50, 0.49, 0.51), "rank 3 of 3; worse than the best of the others (e5 0.800)"),
        (
            (0.70, np.nan, np.nan),
            "rank 2 of 3; an interval is missing, so whether it differs from the best of the others (e5 0.800) is not "
            "known",
        ),
    ]:
        assert against_in_words(against_the_best(*score, others)) == words
    assert "no other encoder" in against_in_words(against_the_best(0.7, 0.6, 0.8, others.head(0)))


def test_noise_in_words():
    three = (0.8, 0.71, 0.89), (0.7, 0.6, 0.8), (0.5, 0.4, 0.6)  # the last can be told from the best
    assert noise_in_words("retrieval", cell(*three)) == (
        "40 queries: differences under about 0.13 from the best may be chance"
    )
    near = (0.68, 0.67, 0.69)  # so narrow that it can be told, though it is nearer
    assert "under about 0.12 " in noise_in_words("retrieval", cell(*three, near))
    assert noise_in_words("sts", cell(*three, n=1)).startswith("1 pair: ")
    assert noise_in_words("sts", cell(three[0], three[2])) == ""
    assert noise_in_words("sts", cell((0.8, np.nan, np.nan))) == "" and noise_in_words("sts", cell()) == ""

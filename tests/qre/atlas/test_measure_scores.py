"""Correlations of measures with scores: against scipy, a paradox of families, intervals that know of near-copies."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from qre.atlas.measure_scores import ALL, COLUMNS, MEAN_SCORE, WITHIN, grid, measure_scores, measured
from qre.atlas.rank_correlations import FEWEST_IN_FAMILY, rank_correlations
from qre.prediction.data import FEWEST_GROUPS


def related(seed: int, n: int, rho: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    """Two columns (n, 1) of this correlation."""
    first, noise = np.random.default_rng(seed).standard_normal((2, n, 1))
    return first, rho * first + np.sqrt(1 - rho**2) * noise


def copied(groups: int, copies: int, seed: int, rho: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Groups of near-copies: two columns, and the group of each."""
    first, second = related(seed, groups, rho)
    jitter = 1e-3 * np.random.default_rng([seed, 1]).standard_normal((2, groups * copies, 1))
    group = np.repeat(np.arange(groups), copies)
    return first[group] + jitter[0], second[group] + jitter[1], group


def paradox(families: int = 6, size: int = 15) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Simpson's: in every family more is worse, and families with more are better."""
    rng = np.random.default_rng(0)
    family = np.repeat(np.arange(families), size)
    own = rng.standard_normal(families * size)
    noise = 0.2 * rng.standard_normal(families * size)
    return (own + 10 * family)[:, None], (-own + noise + 10 * family)[:, None], family


def test_values_are_those_of_scipy_also_with_ties_and_pairs_that_lack_one():
    rng = np.random.default_rng(0)
    measures, scores = rng.standard_normal((40, 3)), rng.standard_normal((40, 4)).round(1)
    measures[:, 1] = rng.integers(0, 5, 40)
    scores[rng.random(scores.shape) < 0.2], measures[:6, 2] = np.nan, np.nan
    found = rank_correlations(measures, scores, np.arange(40) // 2)
    for i in range(3):
        for j in range(4):
            both = np.isfinite(measures[:, i]) & np.isfinite(scores[:, j])
            expected = spearmanr(measures[both, i], scores[both, j]).statistic
            assert found.spearman[i, j] == pytest.approx(expected, abs=1e-12)
            assert found.encoders[i, j] == both.sum()
            assert found.groups[i, j] == len(set((np.arange(40) // 2)[both]))
            assert found.low[i, j] < expected < found.high[i, j]


def test_within_families_it_is_the_mean_of_their_own_weighted_by_groups():
    measures, scores = related(1, 40)
    family = np.repeat([0, 1, 2, 3], [20, 12, 6, 2])
    found = rank_correlations(measures, scores, np.arange(40), family)
    own = [spearmanr(measures[family == f, 0], scores[family == f, 0]).statistic for f in range(3)]
    assert found.spearman[0, 0] == pytest.approx(np.average(own, weights=[19, 11, 5]), abs=1e-12)
    assert (found.families[0, 0], found.groups[0, 0], found.encoders[0, 0]) == (3, 38, 38)
    assert FEWEST_IN_FAMILY == 3  # so the family of two is left out


def test_simpsons_paradox():
    measures, scores, family = paradox()
    over_all = rank_correlations(measures, scores, np.arange(len(family)))
    within = rank_correlations(measures, scores, np.arange(len(family)), family)
    assert over_all.spearman[0, 0] > 0.9 and over_all.low[0, 0] > 0.5
    assert within.spearman[0, 0] < -0.9 and within.high[0, 0] < -0.5


def test_intervals_hold_what_they_promise_and_without_groups_they_do_not():
    """Thirty groups of five near-copies without a correlation: 95 % of the intervals hold 0. As if each encoder were a
    draw of its own, far fewer do."""
    grouped = alone = 0
    for seed in range(40):
        first, second, group = copied(30, 5, seed)
        kept = rank_correlations(first, second, group, seed=seed)
        each = rank_correlations(first, second, np.arange(len(group)), seed=seed)
        assert kept.high[0, 0] - kept.low[0, 0] > 1.4 * (each.high[0, 0] - each.low[0, 0])
        grouped += kept.low[0, 0] <= 0 <= kept.high[0, 0]
        alone += each.low[0, 0] <= 0 <= each.high[0, 0]
    assert grouped >= 33 and alone <= 28


def test_taken_together_fewer_exclude_0_than_one_by_one():
    rng = np.random.default_rng(3)
    measures, scores = rng.standard_normal((60, 15)), rng.standard_normal((60, 10))
    scores[:, 0] += 2 * measures[:, 0]
    found = rank_correlations(measures, scores, np.arange(60))
    alone = (found.low > 0) | (found.high < 0)
    assert found.together[0, 0] and found.together.sum() <= 2 < alone.sum() < 25
    assert not (found.together & ~alone).any()


@pytest.mark.parametrize("families", [False, True])
def test_fewer_groups_than_are_needed_say_nothing(families):
    first, second = related(0, 2 * FEWEST_GROUPS)
    group = np.arange(2 * FEWEST_GROUPS) // 2
    family = np.zeros(len(group), int) if families else None
    assert np.isfinite(rank_correlations(first, second, group, family).spearman).all()
    few = group < FEWEST_GROUPS - 1
    found = rank_correlations(first[few], second[few], group[few], None if family is None else family[few])
    assert np.isnan([found.spearman, found.low, found.high]).all() and not found.together.any()
    assert found.groups[0, 0] == FEWEST_GROUPS - 1 and found.encoders[0, 0] == 2 * (FEWEST_GROUPS - 1)


def test_a_constant_and_an_undefined_measure_say_nothing_and_disturb_nobody():
    first, second = related(2, 30)
    columns = np.column_stack([first, np.ones(30), np.full(30, np.nan)])
    found = rank_correlations(columns, second, np.arange(30))
    assert np.isfinite(found.spearman[:, 0]).tolist() == [True, False, False]
    assert np.isnan(found.low[1:]).all() and found.encoders[:, 0].tolist() == [30, 30, 0]
    alone = rank_correlations(first, second, np.arange(30))
    assert (found.spearman[0], found.low[0], found.high[0]) == (alone.spearman[0], alone.low[0], alone.high[0])


def test_the_order_of_a_perfect_measure_is_certain():
    first = np.arange(20.0)[:, None]
    found = rank_correlations(first, -(first**3), np.arange(20))
    assert found.spearman[0, 0] == -1 and found.high[0, 0] < -0.99 and found.together[0, 0]


def test_a_seed_is_one_interval():
    first, second = related(4, 40)
    one, again, other = (rank_correlations(first, second, np.arange(40), seed=seed) for seed in (1, 1, 2))
    assert one.low == again.low and one.low != other.low and one.spearman == other.spearman


def a_map(count: int = 48) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "group": np.arange(count) // 2,
            "family": [f"f{i // 12}" for i in range(count)],
            "dimension": 128,
            "effective_rank": rng.uniform(1, 300, count),
            "uniformity": rng.uniform(-4, 0, count),
            "lidar": np.nan,
            "mean_cosine": pd.array([None, *rng.uniform(0, 1, count - 1)], "Float64"),
        }
    )


def test_measures_of_a_map_are_those_that_it_has_values_of():
    table = a_map()
    assert [entry.name for entry in measured(table)] == ["mean_cosine", "effective_rank", "uniformity"]
    assert measured(table[["group", "family", "effective_rank"]]) == [] == measured(table[["group"]])


def test_the_table_has_a_row_for_each_form_measure_and_task_and_for_the_mean():
    table, rng = a_map(), np.random.default_rng(1)
    scores = rng.standard_normal((len(table), 2)) - table[["uniformity"]].to_numpy()
    scores[:10, 1] = np.nan
    told = measure_scores(table, scores, ["one", "two"])
    assert tuple(told) == COLUMNS and len(told) == 2 * 3 * 3
    row = told[(told["form"] == ALL) & (told["measure"] == "uniformity")].set_index("task")
    complete = ~np.isnan(scores[:, 1])
    expected = spearmanr(table["uniformity"][complete], scores[complete].mean(axis=1)).statistic
    assert row.at[MEAN_SCORE, "spearman"] == pytest.approx(expected, abs=1e-12)
    assert row["encoders"].to_list() == [48, 38, 38] and row["excludes_0"].all()
    assert list(grid(told, WITHIN).index) == ["mean_cosine", "effective_rank", "uniformity"]
    assert list(grid(told, WITHIN).columns) == ["one", "two", MEAN_SCORE]
    assert grid(told, ALL, "encoders").loc["mean_cosine"].to_list() == [47, 38, 38]
    # on the second task the first family has one of its six groups left
    assert grid(told, WITHIN, "families").loc["uniformity"].to_list() == [4, 3, 3]


def test_one_task_has_no_mean_and_a_dimension_that_differs_stands_beside_the_measures():
    table = a_map()
    table["dimension"] = np.arange(48) % 5
    told = measure_scores(table, table[["uniformity"]].to_numpy(), ["only"])
    assert set(told["task"]) == {"only"} and list(grid(told, ALL).index)[3:] == ["dimension"]


def test_a_task_that_is_called_as_the_mean_stays_apart_from_it():
    table = a_map()
    scores = np.random.default_rng(0).random((len(table), 2))
    told = measure_scores(table, scores, [MEAN_SCORE, "other"])
    wide = grid(told, ALL)
    assert list(wide.columns) == [f"“{MEAN_SCORE}”", "other", MEAN_SCORE]
    alone = measure_scores(table, scores[:, :1], [MEAN_SCORE])
    assert set(alone["task"]) == {f"“{MEAN_SCORE}”"}

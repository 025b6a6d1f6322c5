"""The sentences on geometry and scores say what the numbers say, whichever way."""

import numpy as np
import pandas as pd
import pytest

from qre.atlas.measure_scores import ALL, MEAN_SCORE, WITHIN, measure_scores
from qre.report.measures_part import CAUTION, measures_parts, sentences

TASKS = ("STS <b>&</b> | one", "two")


def told(**cells: tuple[float, float]) -> pd.DataFrame:
    """The table of two tasks and their mean; of each measure ρ over all encoders and within families, of which the
    interval is ± 0.2."""
    rows = [
        {
            "form": form,
            "measure": name,
            "task": task,
            "spearman": rho,
            "low": rho - 0.2,
            "high": rho + 0.2,
            "excludes_0": abs(rho) > 0.2,
            "excludes_0_together": abs(rho) > 0.5,
            "encoders": 60,
            "groups": 30,
            "families": 1 if form == ALL else 5,
        }
        for name, both in cells.items()
        for form, rho in zip((ALL, WITHIN), both, strict=True)
        for task in (*TASKS, MEAN_SCORE)
    ]
    return pd.DataFrame(rows)


def test_what_goes_together_and_what_of_it_is_left_within_families():
    table = told(
        rankme=(0.6, 0.4), hubness=(-0.4, 0.1), uniformity=(0.3, -0.3), lidar=(0.0, 0.3), mean_norm=(0.1, -0.1)
    )
    over_all, within, isotropic = sentences(table)
    assert over_all == (
        "Over all 60 encoders (30 groups of near-copies), a better mean score goes with higher RankMe (+0.60 [0.40, "
        "0.80]), uniformity (+0.30 [0.10, 0.50]) and with lower hubness (−0.40 [−0.60, −0.20]); of 10 pairs of measure "
        "and task 6 have an interval without 0 (by chance about 0), and 2 where all are judged together."
    )
    assert within == (
        "Within families (5 of them, 30 groups), a better mean score still goes with higher RankMe (+0.40 [0.20, "
        "0.60]); 1 of the 3 measures no longer does; the other way round it goes with lower uniformity (−0.30 [−0.50, "
        "−0.10]); only there it goes with higher LiDAR (+0.30 [0.10, 0.50]); of 10 pairs of measure and task 6 have an "
        "interval without 0 (by chance about 0), and 0 where all are judged together."
    )
    assert isotropic == (
        "More isotropic goes, over all encoders with better scores by 2 of 4 measures, with worse by 1, with neither "
        "by 1; within families with better scores by 2 of 4 measures, with worse by 0, with neither by 2."
    )


def test_where_nothing_goes_together_that_is_said():
    over_all, within, isotropic = sentences(told(rankme=(0.1, -0.1), isoscore=(-0.1, 0.1)))
    assert "no measure goes with the mean score: every interval includes 0" in over_all
    assert "no measure goes with the mean score either" in within
    assert isotropic == (
        "More isotropic goes, over all encoders with neither better nor worse, by any of 2 measures; within families "
        "with neither better nor worse, by any of 2 measures."
    )


def test_where_too_few_have_scores_that_is_said():
    table = told(rankme=(np.nan, np.nan), isoscore=(np.nan, np.nan)).assign(excludes_0=False)
    over_all, within, isotropic = sentences(table)
    assert over_all.startswith("Over all encoders nothing can be told: scores of 12 groups")
    assert within.startswith("Within families nothing can be told: 12 groups")
    assert (
        isotropic == "More isotropic goes, over all encoders nothing can be told; within families nothing can be told."
    )


def test_without_a_mean_most_tasks_decide():
    table = told(rankme=(0.6, 0.4), hubness=(-0.4, 0.1))
    table.loc[table["task"] == MEAN_SCORE, ["spearman", "low", "high"]] = np.nan
    table.loc[(table["task"] == "two") & (table["measure"] == "hubness"), "excludes_0"] = False
    over_all, within, _ = sentences(table)
    assert "a better score on most tasks goes with higher RankMe (2 of 2 tasks); of 4 pairs" in over_all
    assert "a better score on most tasks still goes with higher RankMe (2 of 2 tasks); of 4 pairs" in within


def test_one_task_is_called_by_its_name_which_stays_text():
    table = told(rankme=(0.6, 0.4))
    only = table[table["task"] == TASKS[0]]
    assert "a better score on STS &lt;b&gt;&amp;&lt;/b&gt; \\| one goes with higher RankMe" in sentences(only)[0]
    page = "\n".join("\n".join(part) for part in measures_parts(only, ()))
    assert "<b>" not in page


def test_the_dimension_stands_beside_the_measures_and_is_none_of_them():
    table = told(rankme=(0.6, 0.4), dimension=(0.7, 0.1))
    assert sentences(table) == sentences(told(rankme=(0.6, 0.4)))
    lines = measures_parts(table, ())[1]
    assert lines[3] == (
        "The dimension alone goes with the mean score by +0.70 [0.50, 0.90] over all encoders and +0.10 [−0.10, 0.30] "
        "within families: ranks and LiDAR grow with it, and IsoScore divides by it."
    )


@pytest.mark.parametrize("figures", [(), ("measures.png", "map.png")])
def test_the_parts_of_the_page(figures):
    parts = measures_parts(told(rankme=(0.6, 0.4), alignment=(0.3, np.nan)), figures)
    assert parts[0] == ["# Geometry and scores"] and len(parts[1]) == 4 and parts[1][-1] == CAUTION
    assert (len(parts) == 4) == bool(figures) and ("](measures.png)" in parts[2][0]) == bool(figures)
    head, _, first, second, *_ = parts[-1]
    assert head == (
        "| measure | more isotropic | mean score, all encoders | mean score, within families | tasks, all encoders | "
        "tasks, within families |"
    )
    assert first == "| RankMe | higher | +0.60 \\[0.40, 0.80\\] | +0.40 \\[0.20, 0.60\\] | 2 of 2 | 2 of 2 |"
    assert second == "| alignment |  | +0.30 \\[0.10, 0.50\\] |  | 2 of 2 | 0 of 0 |"


def test_the_sentences_of_a_real_table():
    rng = np.random.default_rng(0)
    score = rng.standard_normal((60, 1))
    table = pd.DataFrame({"rankme": score[:, 0], "isoscore": -score[:, 0], "hubness": rng.standard_normal(60)})
    table = table.assign(group=np.arange(60), dimension=1, family=np.repeat(["a", "b", "c"], 20))
    over_all, within, isotropic = sentences(measure_scores(table, score, ["only"]))
    assert (
        "goes with higher RankMe (+1.00 [1.00, 1.00]) and with lower IsoScore (−1.00 [−1.00, −1.00]); of 3" in over_all
    )
    assert "still goes with higher RankMe (+1.00 [1.00, 1.00]) and with lower IsoScore" in within
    assert isotropic.count("better scores by 1 of 3 measures, with worse by 1, with neither by 1") == 2

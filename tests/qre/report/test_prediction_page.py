"""The page of the predictions: its numbers are those of the tables, and names of strangers stay text."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from qre.prediction import MEAN
from qre.prediction.words import headline, label, pick, predictors_of
from qre.report import report_page

FACTS = {
    "neighbours": 7,
    "family_share": 0.45,
    "family_chance": 0.09,
    "family_p": 1e-4,
    "family_share_other_parents": 0.4,
    "family_chance_other_parents": 0.08,
    "family_p_other_parents": 1e-4,
    "trustworthiness": 0.99,
    "qre_smallest": 3.2,
    "qre_largest": 6.2,
}
BEST = 3  # tables before those of the predictions: the best by their mean, and on each of two tasks


def page(evaluated, **changes) -> str:
    return report_page(replace(evaluated.report, **changes), evaluated.table, evaluated.scores).decode()


def tables_of(text: str) -> list[list[list[str]]]:
    """The tables of a Markdown page as rows of cells."""
    blocks = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    return [
        [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in block.splitlines()]
        for block in blocks
    ]


def test_the_same_tables_give_the_same_page(evaluated):
    assert report_page(evaluated.report, evaluated.table, evaluated.scores) == report_page(
        evaluated.report, evaluated.table, evaluated.scores
    )


def test_every_row_has_as_many_cells_as_its_header(evaluated):
    tables = tables_of(page(evaluated))
    assert len(tables) == BEST + 5
    for table in tables:
        assert len({len(row) for row in table}) == 1
        assert set(table[1]) == {"---"}


def test_numbers_of_the_headline_table(evaluated):
    rows = tables_of(page(evaluated))[BEST + 1]
    assert rows[0] == [
        "predictor",
        "Spearman",
        "Pearson",
        "MAE",
        "R²",
        "Spearman, kinds left out",
        "Spearman, ungrouped (optimistic)",
    ]
    assert [row[0] for row in rows[2:]] == [label(name) for name in predictors_of(evaluated.report)]
    told = pick(evaluated.report.metrics, task=MEAN, predictor="paper", scheme="grouped", metric="mae").iloc[0]
    assert rows[4][3] == f"{told['value']:.3f} ({told['low']:.3f} to {told['high']:.3f})"
    told = pick(evaluated.report.metrics, task=MEAN, predictor="ours", scheme="ungrouped", metric="spearman").iloc[0]
    assert rows[2][6].startswith(f"{told['value']:.3f} ")


def test_numbers_of_the_task_table(evaluated):
    rows = tables_of(page(evaluated))[BEST + 2]
    second = dict(zip(rows[0], rows[3], strict=True))
    assert second["task"] == "Banking77" and second["encoders"] == "36" and second["metric"] == "cosine_spearman"
    told = pick(evaluated.report.metrics, task="Banking77", scheme="grouped", metric="spearman").set_index("predictor")[
        "value"
    ]
    assert second["ours"] == f"{told['ours']:.3f}" and second["the paper's protocol"] == f"{told['paper']:.3f}"
    assert second["uncertainty of a score"] == "0.010"
    covered = pick(evaluated.report.coverage, task="Banking77", scheme="grouped")["covered"].iloc[0]
    assert second["covered"] == f"{covered:.1%}"


def test_what_was_predicted_from_what(evaluated):
    text = page(evaluated)
    assert "Scores on 2 tasks are predicted for 40 encoders of 20 groups of the 44 on the map." in text
    assert "one of 2 folds" in text and "drawn anew 2 times" in text and "permuted among encoders (3 times)" in text
    assert "optimistic, because near-copies of one encoder straddle the folds" in text


def test_names_and_notes_of_strangers_stay_text(evaluated):
    text = page(evaluated, notes=("<script>x</script> `a` [b](javascript:c) | *d*\n# e", "encoder_map and _f_"))
    assert "<script" not in text and "<b>" not in text
    assert "STS &lt;b&gt;&amp;&lt;/b&gt; \\| one" in text
    assert (
        "- &lt;script&gt;x&lt;/script&gt; \\`a\\` \\[b\\](javascript:c) \\| \\*d\\* \\# e\n- encoder_map and \\_f\\_\n"
        in text
    )


def test_figures_are_shown_where_there_are_some(evaluated):
    given = evaluated.report, evaluated.table, evaluated.scores
    shown = re.findall(
        r"\]\((.*?)\)", report_page(*given, figures=["spearman.png", "spearman.svg", "epsilon.png", "map.png"]).decode()
    )
    assert shown == ["map.png", "spearman.png", "epsilon.png"]
    assert "![" not in report_page(*given).decode()


def test_without_permutations_uncertainties_or_groups(evaluated):
    null = evaluated.report.null.assign(
        null_mean=np.nan, null_low=np.nan, null_high=np.nan, p_value=1.0, permutations=0
    )
    scores = evaluated.scores.assign(low=np.nan, high=np.nan, kind=None)
    text = report_page(replace(evaluated.report, null=null), evaluated.table.drop(columns="parent"), scores).decode()
    assert "chance alone" not in text and "No permutations were run" in text
    assert "nan" not in text.lower() and "None" not in text
    assert "for 40 encoders of the 44 on the map" in text


def test_the_page_begins_with_the_picture_and_the_best_encoders(evaluated):
    text = report_page(evaluated.report, evaluated.table, evaluated.scores, ["map.png"], facts=FACTS).decode()
    at = [
        text.index(part)
        for part in (
            "# Map of 44 sentence encoders",
            "](map.png)",
            "## Best encoders",
            "## How to read the map",
            "# How well scores are predicted",
        )
    ]
    assert at == sorted(at)
    assert (
        "45% are of its own family (at random 9%, p = 0.0001)." in text
        and "they need not be equally good, so compare their scores." in text
    )
    scores = evaluated.scores[evaluated.scores["task"] == "Banking77"].dropna().sort_values("score", ascending=False)
    first = tables_of(text)[2][2]
    parent = dict(zip(evaluated.table["name"], evaluated.table["parent"], strict=True))
    copies = sum(parent[name] == parent[scores["name"].iloc[0]] for name in scores["name"]) - 1
    assert first[1] == scores["name"].iloc[0] + (" and 1 near-copy" if copies else "")
    assert first[2:] == [
        f"{scores['score'].iloc[0]:.3f}",
        f"{scores['low'].iloc[0]:.3f} to {scores['high'].iloc[0]:.3f}",
        "",
        "measured",
        "",
        "",
    ]
    shown = [row[1].removesuffix(" and 1 near-copy") for row in tables_of(text)[2][2:]]
    assert len(shown) == 5 and len({parent[name] for name in shown}) == 5


def test_predicted_scores_stand_among_the_best(evaluated):
    unscored = evaluated.table["name"].iloc[-1]
    predicted = pd.DataFrame(
        [
            {
                "name": unscored,
                "task": "Banking77",
                "predicted": 0.999,
                "low": 0.8,
                "high": 1.0,
                "familiarity": 0.9,
                "kinds": 11.0,
            }
        ]
    )
    first = tables_of(report_page(evaluated.report, evaluated.table, evaluated.scores, predicted=predicted).decode())[
        2
    ][2]
    assert first[1].startswith(unscored) and first[2:6] == ["0.999", "0.800 to 1.000", "", "predicted"]


@pytest.mark.parametrize("count", [1, 4])
def test_a_map_without_tasks_or_with_few_encoders_has_a_page(evaluated, count):
    few, none = evaluated.table.head(count), evaluated.scores[:0]
    text = report_page(None, few, none, ["map.png"], facts=FACTS, notes=["a note <b>"]).decode()
    assert (
        "made without tasks" in text
        and "## How to read the map" in text
        and "predicted" not in text
        and "- a note &lt;b&gt;" in text
    )
    text = report_page(
        None, few, evaluated.scores[evaluated.scores["name"].isin(few["name"])], notes=["12 are needed"]
    ).decode()
    assert "## Best encoders" in text and "- 12 are needed" in text and "nan" not in text.lower()


def test_headline_is_plain(evaluated):
    values = headline(evaluated.report)
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    told = pick(evaluated.report.metrics, task=MEAN, metric="spearman").set_index(["predictor", "scheme"])["value"]
    assert (
        values["spearman_ours"] == told["ours", "grouped"]
        and values["spearman_ours_ungrouped"] == told["ours", "ungrouped"]
    )
    assert values["spearman_ours_cka"] == told["ours+cka", "grouped"]
    assert values["predicted_tasks"] == 2 and values["predicted_encoders"] == 40
    assert values["coverage"] == pick(evaluated.report.coverage, task=MEAN, scheme="grouped")["covered"].iloc[0]
    assert values["coverage_nominal"] == pytest.approx(0.9)
    assert values["spearman_ours_p"] >= 0.25  # three permutations


def test_headline_leaves_out_what_was_not_measured(evaluated):
    null = evaluated.report.null.assign(null_high=np.nan, permutations=0)
    values = headline(replace(evaluated.report, null=null, coverage=evaluated.report.coverage[:0]))
    assert not {"spearman_ours_chance", "spearman_ours_p", "coverage", "coverage_nominal"} & set(values)
    assert all(math.isfinite(value) for value in values.values())

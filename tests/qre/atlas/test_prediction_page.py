"""The page of the predictions: its numbers are those of the tables, and names of strangers stay text."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from qre.atlas.report import MEAN, headline, label, pick, predictors_of, report_page


def page(evaluated, **changes) -> str:
    return report_page(replace(evaluated.report, **changes), evaluated.table, evaluated.scores).decode()


def tables_of(text: str) -> list[list[list[str]]]:
    """The tables of a Markdown page as rows of cells."""
    blocks = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    return [[[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in block.splitlines()] for block in blocks]


def test_the_same_tables_give_the_same_page(evaluated):
    assert report_page(evaluated.report, evaluated.table, evaluated.scores) == report_page(evaluated.report, evaluated.table, evaluated.scores)


def test_every_row_has_as_many_cells_as_its_header(evaluated):
    tables = tables_of(page(evaluated))
    assert len(tables) == 5
    for table in tables:
        assert len({len(row) for row in table}) == 1
        assert set(table[1]) == {"---"}


def test_numbers_of_the_headline_table(evaluated):
    rows = tables_of(page(evaluated))[1]
    assert rows[0] == ["predictor", "Spearman", "Pearson", "MAE", "R²", "Spearman, kinds left out", "Spearman, ungrouped (optimistic)"]
    assert [row[0] for row in rows[2:]] == [label(name) for name in predictors_of(evaluated.report)]
    told = pick(evaluated.report.metrics, task=MEAN, predictor="paper", scheme="grouped", metric="mae").iloc[0]
    assert rows[4][3] == f"{told['value']:.3f} ({told['low']:.3f} to {told['high']:.3f})"
    told = pick(evaluated.report.metrics, task=MEAN, predictor="ours", scheme="ungrouped", metric="spearman").iloc[0]
    assert rows[2][6].startswith(f"{told['value']:.3f} ")


def test_numbers_of_the_task_table(evaluated):
    rows = tables_of(page(evaluated))[2]
    second = dict(zip(rows[0], rows[3], strict=True))
    assert second["task"] == "Banking77" and second["encoders"] == "36" and second["metric"] == "cosine_spearman"
    told = pick(evaluated.report.metrics, task="Banking77", scheme="grouped", metric="spearman").set_index("predictor")["value"]
    assert second["ours"] == f"{told['ours']:.3f}" and second["the paper's protocol"] == f"{told['paper']:.3f}"
    assert second["uncertainty of a score"] == "0.010"
    covered = pick(evaluated.report.coverage, task="Banking77", scheme="grouped")["covered"].iloc[0]
    assert second["covered"] == f"{covered:.1%}"


def test_what_was_predicted_from_what(evaluated):
    text = page(evaluated)
    assert "Scores on 2 tasks are predicted for 40 encoders of 20 groups of the 44 on the map." in text
    assert "one of 2 folds" in text and "drawn 2 times" in text and "permuted among encoders (3 times)" in text
    assert "optimistic, because near-copies of one encoder straddle the folds" in text


def test_names_and_notes_of_strangers_stay_text(evaluated):
    text = page(evaluated, notes=("<script>x</script> `a` [b](javascript:c) | *d*\n# e", "encoder_map and _f_"))
    assert "<script" not in text and "<b>" not in text
    assert "STS &lt;b&gt;&amp;&lt;/b&gt; \\| one" in text
    assert "- &lt;script&gt;x&lt;/script&gt; \\`a\\` \\[b\\](javascript:c) \\| \\*d\\* \\# e\n- encoder_map and \\_f\\_\n" in text


def test_figures_are_shown_where_there_are_some(evaluated):
    given = evaluated.report, evaluated.table, evaluated.scores
    shown = re.findall(r"\]\((.*?)\)", report_page(*given, figures=["spearman.png", "spearman.svg", "epsilon.png", "map.png"]).decode())
    assert shown == ["spearman.png", "epsilon.png"]
    assert "![" not in report_page(*given).decode()


def test_without_permutations_uncertainties_or_groups(evaluated):
    null = evaluated.report.null.assign(null_mean=np.nan, null_low=np.nan, null_high=np.nan, p_value=1.0, permutations=0)
    scores = evaluated.scores.assign(low=np.nan, high=np.nan, kind=None)
    text = report_page(replace(evaluated.report, null=null), evaluated.table.drop(columns="parent"), scores).decode()
    assert "chance alone" not in text and "No permutations were run" in text
    assert "nan" not in text.lower() and "None" not in text
    assert "for 40 encoders of the 44 on the map" in text


def test_headline_is_plain(evaluated):
    values = headline(evaluated.report)
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    told = pick(evaluated.report.metrics, task=MEAN, metric="spearman").set_index(["predictor", "scheme"])["value"]
    assert values["spearman_ours"] == told["ours", "grouped"] and values["spearman_ours_ungrouped"] == told["ours", "ungrouped"]
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

"""The table, the part of the report and the figure of variants, from a made map."""

import itertools

import numpy as np
import pandas as pd
import pytest

from qre.atlas.beside_parents import DIFFERENCE, NO_VARIANTS, PAIR, Descended, largest, unknown_note, variant_table
from qre.atlas.ranking import SCORES
from qre.figures import style
from qre.figures.arrows import variants_figure
from qre.report.variants_part import MOST_STEPS, MOST_TASKS, MOST_VARIANTS, variants_part

ODD = "<script>alert(1)</script>|`a`\n$x_1$ \u202e ☃"


def made(variants=3, tasks=("t",), step="whiten", odd=""):
    """(table, descended, distances, scores) of one parent and its variants; variant i scores i hundredths more."""
    rng, names = np.random.default_rng(0), ["p", *(f"v{number}{odd}" for number in range(variants))]
    table = pd.DataFrame(
        {
            "name": names,
            "family": "f",
            "x": rng.random(len(names)),
            "y": rng.random(len(names)),
            "qre": 1.0,
            "isoscore_unbiased": np.arange(len(names)) / 10,
            "alignment": [None, *([0.5] * variants)],
        }
    )
    places = np.arange(len(names), dtype=float)
    pairs = pd.DataFrame([(name, "p", step) for name in names[1:]], columns=list(PAIR))
    scores = [
        (name, task, "sts", "cosine_spearman", "test", 0.5 + row / 100, 0.4, 0.6, 50, "measured")
        for (row, name), task in itertools.product(enumerate(names), tasks)
    ]
    told = [
        (name, task, row / 100 - 0.02, row / 100 + 0.02, 0.9)
        for (row, name), task in itertools.product(enumerate(names), tasks)
        if row
    ]
    descended = Descended(pairs, pd.DataFrame(told, columns=list(DIFFERENCE)))
    return table, descended, np.abs(places[:, None] - places), pd.DataFrame(scores, columns=list(SCORES))


def lines_of(variants, figure=True):
    return [line for part in variants_part(variants, figure) for line in part]


def test_a_row_for_each_variant_and_task():
    table, descended, distances, scores = made(tasks=("b", "a"))
    found = variant_table(table, descended, distances, scores)
    assert found["variant"].to_list() == ["v0", "v0", "v1", "v1", "v2", "v2"]
    assert found["task"].to_list() == ["b", "a"] * 3  # in the order of the scores
    assert np.allclose(found["difference"], [0.01, 0.01, 0.02, 0.02, 0.03, 0.03])
    assert found["apart"].to_list() == ["", "", "", "", "better", "better"]
    assert found["distance"].to_list() == [1, 1, 2, 2, 3, 3]
    assert found["isoscore_unbiased"].to_list() == [0.1, 0.1, 0.2, 0.2, 0.3, 0.3]
    assert (found["parent_isoscore_unbiased"] == 0).all() and found["parent_alignment"].isna().all()
    assert "uniformity" not in found and "alignment" in found
    worse = variant_table(
        table, Descended(descended.pairs, descended.differences.assign(low=-0.2, high=-0.1)), distances, scores
    )
    assert set(worse["apart"]) == {"worse"}


def test_scores_that_only_one_of_both_has_and_intervals_that_nobody_knows():
    table, descended, distances, scores = made()
    scores = scores[scores["name"] != "v1"]
    descended = Descended(descended.pairs, descended.differences[descended.differences["variant"] != "v0"])
    found = variant_table(table, descended, distances, scores).set_index("variant")
    assert pd.isna(found.loc["v1", "task"]) and pd.isna(found.loc["v1", "difference"])
    assert found.loc["v0", "difference"] == pytest.approx(0.01) and pd.isna(found.loc["v0", "apart"])
    assert found.loc["v2", "apart"] == "better"
    assert unknown_note(found.reset_index())[0].startswith("of 1 difference between a variant and its parent")
    assert unknown_note(NO_VARIANTS) == []
    rows = "\n".join(lines_of(found.reset_index()))
    assert "| v0 | p | whiten | 1 |" in rows and "+0.010 ? |" in rows and "+0.030 (+0.010 to +0.050) ▲ |" in rows


def test_of_many_the_report_shows_those_that_are_farthest_and_says_where_the_rest_is():
    tasks = tuple(f"task {number}" for number in range(MOST_TASKS + 2))
    variants = variant_table(*made(variants=MOST_VARIANTS + 5, tasks=tasks))
    lines = lines_of(variants)
    rows = [line for line in lines if line.startswith("| v")]
    assert len(rows) == MOST_VARIANTS + 1  # and the head
    assert rows[1].startswith("| v5 |") and rows[-1].startswith(f"| v{MOST_VARIANTS + 4} |")
    text = "\n".join(lines)
    assert f"The {MOST_VARIANTS} of {MOST_VARIANTS + 5} that are farthest from their parents. All are in" in text
    assert f"Further tasks are in `variants.csv`: task {MOST_TASKS}, task {MOST_TASKS + 1}." in text
    assert largest(variants, 2) == [f"v{MOST_VARIANTS + 3}", f"v{MOST_VARIANTS + 4}"]
    assert variants_part(NO_VARIANTS, True) == []
    assert f"| whiten | {MOST_VARIANTS + 5} | {MOST_VARIANTS + 3} ▲ 2 ≈ |" in text


def test_of_many_steps_the_most_frequent_are_counted():
    table, descended, distances, scores = made(variants=MOST_STEPS + 4)
    steps = [f"truncate:{number}" for number in range(MOST_STEPS + 3)]
    descended.pairs["done"] = [*steps, steps[-1]]
    text = "\n".join(lines_of(variant_table(table, descended, distances, scores)))
    assert f"The {MOST_STEPS} most frequent of {MOST_STEPS + 3}." in text
    assert f"| {steps[-1]} | 2 | 2 ▲ |" in text and text.count("\n| truncate") == MOST_STEPS


def test_names_of_strangers_are_harmless(monkeypatch):
    monkeypatch.setattr(style, "DPI", 40)
    table, *rest = made(tasks=(ODD,), odd=ODD, step="whiten")
    variants = variant_table(table, *rest)
    text = "\n".join(lines_of(variants))
    assert "<script" not in text and "\u202e" not in text and "&lt;script&gt;" in text
    heads = [line for line in text.splitlines() if line.startswith("|---")]
    assert [line.count("|") for line in heads] == [4, 9]
    for line in text.splitlines():
        if line.startswith("| v"):
            assert line.replace("\\|", "").count("|") == 9
    figure = variants_figure(table, variants)
    assert set(figure) == {"variants.png", "variants.svg"} and b"<script" not in figure["variants.svg"]
    assert figure == variants_figure(table, variants)


@pytest.mark.parametrize("steps", [["whiten"], [f"truncate:{k}" for k in (8, 16)], [*"abcdefghij"], ["int8, whiten"]])
def test_a_figure_of_any_steps_and_of_encoders_in_one_place(monkeypatch, steps):
    monkeypatch.setattr(style, "DPI", 40)
    table, descended, distances, scores = made(variants=12)
    table.loc[3, ["x", "y"]] = table.loc[0, ["x", "y"]]  # it has not moved
    descended.pairs["done"] = list(itertools.islice(itertools.cycle(steps), 12))
    variants = variant_table(table, descended, distances, scores)
    figure = variants_figure(table, variants)
    assert figure["variants.png"].startswith(b"\x89PNG") and variants["moved"].min() == 0
    flat = table.assign(x=1.0, y=1.0)
    assert variants_figure(flat, variants) and variant_table(flat, descended, distances, scores)["moved"].max() == 0
    assert variants_figure(table, NO_VARIANTS) == {}

"""The figures of the predictions: the same bytes twice, what they show is what the tables say, safe with strangers'
names."""

import struct
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from qre.figures import correlation, epsilon, predicted, quality
from qre.figures import style as figures
from qre.figures.looks import family_looks
from qre.figures.predictions import (
    epsilon_figure,
    predicted_figure,
    prediction_figures,
    quality_figure,
    spearman_figure,
)
from qre.figures.quality import UNSCORED, encoder_errors
from qre.prediction import MEAN
from qre.prediction.words import pick
from tests.drawn_text import texts_of

TABLES = ("metrics", "null", "coverage", "predictions", "choices")
CURVE = pd.DataFrame(
    {
        "epsilon": [1e-8, 1e-6, 1e-4, 0.1],
        "perturbation": ["clip", "clip", "clip", "<mix>"],
        "predictor": ["ours", "ours", "ours", "paper"],
        "spearman": [0.7, 0.8, 0.75, 0.6],
        "low": [0.6, 0.7, 0.7, np.nan],
        "high": [0.8, 0.9, 0.8, np.nan],
    }
)


def values_of(axes) -> set[float]:
    """Horizontal places of all markers."""
    return {float(x) for line in axes.lines if line.get_marker() != "None" for x in line.get_xdata()}


def with_tasks(report, count):
    """The report with its first task, as often as asked, under other names; the last ones have one encoder more in the
    predictions."""
    first = next(task for task in report.metrics["task"] if task != MEAN)
    tables = {}
    for name in TABLES:
        table = getattr(report, name)
        copies = [table[table["task"] == first].assign(task=f"task {i}") for i in range(count)]
        tables[name] = pd.concat([*copies, table[table["task"] == MEAN]], ignore_index=True)
    few = tables["predictions"].drop_duplicates(["task", "scheme"]).index[: 3 * (count - 12)] if count > 12 else []
    return replace(report, **{**tables, "predictions": tables["predictions"].drop(index=few)})


@pytest.fixture()
def drawn(monkeypatch):
    """The figures that were drawn, kept for a look at their artists; none is rendered, which is the slow part."""
    seen = []
    for module in (correlation, epsilon, predicted, quality):
        monkeypatch.setattr(module, "render", lambda figure, stem: seen.append(figure) or {})
    return seen


def test_the_same_bytes_twice_and_nothing_of_strangers_but_text(evaluated, monkeypatch):
    monkeypatch.setattr(figures, "DPI", 50)  # fewer pixels are sooner drawn
    given = evaluated.report, evaluated.table, evaluated.scores, CURVE
    files = prediction_figures(*given)
    assert set(files) == {
        f"{stem}.{kind}" for stem in ("predicted", "spearman", "quality_map", "epsilon") for kind in ("png", "svg")
    }
    for name, content in files.items():
        if name.endswith(".png"):
            assert content[:8] == b"\x89PNG\r\n\x1a\n"
            width, height = struct.unpack(">II", content[16:24])
            assert width == 380 and 150 < height < 500
        else:
            assert (
                b"<script" not in content
                and b"<b>" not in content
                and b"<i>" not in content
                and b"<mix>" not in content
            )
            assert texts_of(content)
    assert prediction_figures(*given) == files
    shown = {name: texts_of(content) for name, content in files.items() if name.endswith("svg")}
    assert "STS <b>&</b> | one" in shown["predicted.svg"] and "STS <b>&</b> | one" in shown["spearman.svg"]
    assert "<i>family</i> 0" in shown["predicted.svg"] and "<i>family</i> 0" in shown["quality_map.svg"]
    assert "the paper's protocol, <mix>" in shown["epsilon.svg"]
    assert "mathdefault" not in "".join(shown.values())  # ticks in mathtext, which is off


def test_without_a_curve_there_is_no_figure_of_it(evaluated, drawn):
    prediction_figures(evaluated.report, evaluated.table, evaluated.scores)
    prediction_figures(evaluated.report, evaluated.table, evaluated.scores, CURVE[:0])
    assert len(drawn) == 6


def test_points_are_predictions_in_grouped_folds(evaluated, drawn):
    predicted_figure(evaluated.report, evaluated.table, evaluated.scores)
    panels = drawn[0].axes
    assert [axes.get_title(loc="left") for axes in panels] == ["STS <b>&</b> | one", "Banking77"]
    rows = pick(evaluated.report.predictions, task="Banking77", scheme="grouped")
    points = np.vstack([np.asarray(points.get_offsets()) for points in panels[1].collections[1:]])
    assert sorted(map(tuple, points)) == sorted(zip(rows["score"], rows["predicted"], strict=True))
    low, high = panels[1].get_ylim()
    assert low <= panels[1].get_xlim()[0] and high >= panels[1].get_xlim()[1]
    assert low < rows["low"].min() and high > rows["high"].max()  # no interval is cut


@pytest.mark.parametrize("count", [1, 4, 6, 14])
def test_panels_lie_inside_and_apart(evaluated, drawn, count):
    predicted_figure(with_tasks(evaluated.report, count), evaluated.table, evaluated.scores)
    figure = drawn[0]
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    assert len(boxes) == min(count, 12)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    others = [figure.legends[0].get_window_extent(), *(text.get_window_extent() for text in figure.texts)]
    assert not any(a.overlaps(b) for a in boxes for b in others)
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width for box in [*boxes, *others])
    remark = figure.texts[-1].get_text()
    assert ("of 14" in remark) == (count == 14)
    if count == 14:
        assert [axes.get_title(loc="left") for axes in figure.axes] == [f"task {i}" for i in range(2, 14)]


def test_predictions_without_intervals_scores_or_family(evaluated, drawn):
    rows = evaluated.report.predictions.assign(low=-np.inf, high=np.inf)
    rows.loc[rows.index[0], "score"] = np.nan
    report = replace(evaluated.report, predictions=rows)
    predicted_figure(report, evaluated.table[3:], evaluated.scores[:0])
    figure = drawn[0]
    assert len(figure.axes[0].collections[0].get_segments()) == 0
    assert "without an end" in figure.texts[-1].get_text()
    assert figure.legends[0].get_texts()[-1].get_text() == "other (1 family)"


def test_values_of_the_correlation_figure(evaluated, drawn):
    spearman_figure(evaluated.report)
    mean, each = drawn[0].axes
    table = pick(evaluated.report.metrics, metric="spearman")
    drawn_values = values_of(mean)
    assert drawn_values == set(pick(table, task=MEAN)["value"])
    drawn_values = values_of(each)
    assert drawn_values == set(table[table["task"] != MEAN]["value"])
    left, right = mean.get_xlim()
    assert left < table["low"].min() and right >= table["high"].max()
    assert (left, right) == each.get_xlim()
    labels = [text.get_text() for text in mean.get_yticklabels()]
    assert labels[:3] == ["ours", "ours + CKA", "the paper's protocol"]
    assert len(mean.patches) == len(labels)  # chance


@pytest.mark.parametrize("count", [1, 9, 68])
def test_correlation_figure_of_any_number_of_tasks(evaluated, drawn, count):
    spearman_figure(with_tasks(evaluated.report, count))
    figure = drawn[0]
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    assert len(boxes) == (1 if count == 1 else 2)  # of one task the second panel would be the first again
    others = [figure.legends[0].get_window_extent(), *(text.get_window_extent() for text in figure.texts)]
    assert len(boxes) == 1 or not boxes[0].overlaps(boxes[1])
    assert not any(box.overlaps(other) for box in boxes for other in others)
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width for box in (*boxes, *others))
    assert count == 1 or len(figure.axes[1].get_yticklabels()) == count
    assert figure.get_figheight() < 16


def test_without_permutations_there_is_no_band(evaluated, drawn):
    null = evaluated.report.null.assign(null_low=np.nan, null_high=np.nan, permutations=0)
    spearman_figure(replace(evaluated.report, null=null))
    assert not drawn[0].axes[0].patches
    assert "Chance was not measured." in drawn[0].texts[-1].get_text()


def test_errors_are_in_units_of_the_spread(evaluated):
    rows = pd.DataFrame(
        {
            "encoder": ["a", "b", "a", "b", "a", "b", "a"],
            "task": ["one", "one", "two", "two", "flat", "flat", "one"],
            "scheme": ["grouped"] * 6 + ["ungrouped"],
            "score": [0.0, 2.0, 10.0, 30.0, 5.0, 5.0, 0.0],
            "predicted": [0.5, 2.0, 10.0, 0.0, 9.0, 9.0, 99.0],
        }
    )
    errors = encoder_errors(replace(evaluated.report, predictions=rows))
    assert errors.to_dict() == {"a": 0.25, "b": 1.5}  # spreads 1 and 10; a constant task has none


def test_encoders_without_scores_are_grey(evaluated, drawn):
    quality_figure(evaluated.report, evaluated.table)
    grey, coloured = drawn[0].axes[0].collections
    assert len(grey.get_offsets()) == 4 and len(coloured.get_offsets()) == 40
    assert "4 without scores in grey" in drawn[0].texts[1].get_text()
    assert tuple(grey.get_facecolor()[0][:3]) == tuple(int(UNSCORED[i : i + 2], 16) / 255 for i in (1, 3, 5))
    shown = coloured.get_array()
    assert np.all(np.diff(shown) >= 0)  # the worst are drawn last
    assert np.allclose(sorted(shown), sorted(encoder_errors(evaluated.report)))


def test_a_map_on_which_no_encoder_has_scores(evaluated, drawn):
    quality_figure(evaluated.report, evaluated.table[40:].reset_index(drop=True))
    assert len(drawn[0].axes) == 1


def test_three_encoders(evaluated, drawn):
    rows = evaluated.report.predictions
    report = replace(evaluated.report, predictions=rows[rows["encoder"].isin(evaluated.table["name"][:3])])
    prediction_figures(report, evaluated.table[:3], evaluated.scores)
    predicted, _, quality = drawn
    assert [len(axes.collections) for axes in predicted.axes] == [4, 4]  # intervals, and a family each
    assert len(quality.axes[0].texts) == 3


def test_many_families_look_as_on_the_map():
    table = pd.DataFrame({"family": [f"family {i}" for i in range(25) for _ in range(30 - i)]})
    looks = family_looks(table)
    assert len(looks) == 19 and next(iter(looks)) == "family 0"
    assert len(set(looks.values())) == 19


@pytest.mark.parametrize(
    "curve", [CURVE, CURVE[:1], CURVE.drop(columns=["low", "high"]), CURVE.assign(spearman=[0.5, np.nan, 0.6, 0.7])]
)
def test_curves(drawn, curve):
    epsilon_figure(curve[::-1])
    axes = drawn[0].axes[0]
    assert axes.get_xscale() == "log"
    points = sorted((float(x), float(y)) for line in axes.lines for x, y in zip(*line.get_data(), strict=True))
    known = curve.dropna(subset=["spearman"])
    assert points == sorted(zip(known["epsilon"], known["spearman"], strict=True))
    assert all(np.all(np.diff(line.get_xdata()) > 0) for line in axes.lines)

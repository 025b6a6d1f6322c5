"""Spearman correlation of predicted and true scores: the mean over tasks first, then task by task."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from qre.counted import counted
from qre.figures.looks import predictor_look, tidy
from qre.figures.style import PALE, footnote, heading, new_figure, plain, render, style
from qre.prediction import MEAN, PredictionReport
from qre.prediction.words import OPTIMISTIC, label, pick, predictors_of, tasks_of

WIDTH, LEFT, RIGHT = 7.6, 1.75, 1.75  # inches: of the figure, of its margins
MEAN_LINE = 0.23  # inches for a predictor in the upper panel
TASK_LINES = ((8, 0.45), (16, 0.32), (10**9, 0.16))  # inches for a task, with up to so many tasks
DENSE = 16  # with more tasks, the predictors share one line
SPREAD = 0.84  # of the height of a task, that its predictors are spread over
BAND, STRIPE, FAINT = "#D9D9D9", "#F6F6F6", 0.5


def spearman_figure(report: PredictionReport) -> dict[str, bytes]:
    """Every predictor in grouped folds (filled, with its range over repeats), with kinds left out (a stroke) and
    ungrouped (hollow, faint); chance as a band.

    Returns:
        "spearman.png" and "spearman.svg".
    """
    table = pick(report.metrics, metric="spearman")
    ours = pick(table, predictor="ours", scheme="grouped").set_index("task")["value"]
    tasks = sorted(tasks_of(report), key=lambda task: -ours.get(task, -np.inf))
    with style():
        figure, mean, each = _panels(len(predictors_of(report)), len(tasks))
        heading(figure, "How well scores are predicted", _facts(report, len(tasks)))
        _mean_panel(mean, report, table)
        if each is not None:
            _task_panel(each, report, table, tasks)
        low = np.nanmin([0.0, *table["low"], *table["value"], *report.null["null_low"]]) - 0.04
        for axes in (mean, *([each] if each is not None else [])):
            axes.set_xlim(low, 1.0)
            axes.axvline(0, lw=0.6, color=PALE, zorder=1.5)
        _legend(figure)
        footnote(figure, _remarks(report, len(tasks)))
        return render(figure, "spearman")


def _facts(report: PredictionReport, tasks: int) -> str:
    encoders, repeats = report.predictions["encoder"].nunique(), report.choices["repeat"].nunique()
    sizes = f"{counted(encoders, 'encoder')} × {counted(tasks, 'task')}"
    return f"Spearman correlation of predicted and true scores · {sizes} · folds drawn {counted(repeats, 'time')}"


def _remarks(report: PredictionReport, tasks: int) -> str:
    remarks = [f"Ungrouped values are {OPTIMISTIC}."]
    if not report.null["permutations"].max() > 0:
        remarks.append("Chance was not measured.")
    if tasks > DENSE:
        remarks.append("Ranges and ungrouped values of single tasks are in prediction_metrics.csv.")
    return " ".join(remarks)


def _panels(predictors: int, tasks: int) -> tuple[Figure, Axes, Axes | None]:
    """The figure, and its panels; the second is None of one task, of which it would show the first again."""
    if tasks == 1:
        total = 0.85 + MEAN_LINE * predictors + 0.85
        figure, side = new_figure(WIDTH, total), (WIDTH - LEFT - RIGHT) / WIDTH
        height = MEAN_LINE * predictors
        return figure, figure.add_axes((LEFT / WIDTH, (total - 0.85 - height) / total, side, height / total)), None
    heights = np.array([MEAN_LINE * predictors, next(height for most, height in TASK_LINES if tasks <= most) * tasks])
    total = 0.85 + heights.sum() + 0.55 + 0.72
    figure = new_figure(WIDTH, total)
    bottoms = total - 0.85 - heights[0], total - 0.85 - heights.sum() - 0.55
    mean, each = (
        figure.add_axes((LEFT / WIDTH, bottom / total, (WIDTH - LEFT - RIGHT) / WIDTH, height / total))
        for bottom, height in zip(bottoms, heights, strict=True)
    )
    return figure, mean, each


def _mean_panel(axes: Axes, report: PredictionReport, table: pd.DataFrame) -> None:
    """One line a predictor, its name at the left and its numbers at the right: the key to the colours below."""
    names = predictors_of(report)
    columns = (
        ("kinds", "kinds\nleft out", 1.06, "black"),
        ("grouped", "grouped", 1.19, "black"),
        ("ungrouped", "ungrouped\n(optimistic)", 1.335, PALE),
    )
    text: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "ha": "center"}
    axes.set(ylim=(len(names) - 0.5, -0.5), yticks=range(len(names)))
    for line, name in enumerate(names):
        _bands(axes, {MEAN: line}, pick(report.null, predictor=name), 0.8)
        _marks(axes, {MEAN: line}, name, table, size=5.5)
        for scheme, _, x, colour in columns:
            for value in pick(table, task=MEAN, predictor=name, scheme=scheme)["value"].dropna():
                axes.text(x, line, f"{value:.3f}", va="center", fontsize=6.5, color=colour, **text)
    for _, title, x, _ in columns:
        axes.text(x, -0.62, title, va="bottom", fontsize=6, color=PALE, **text)
    tasks = tasks_of(report)
    title = "mean of tasks" if len(tasks) > 1 else plain(tasks[0], 36)
    axes.set_title(title, fontsize=7, fontweight="bold", loc="left", pad=4)
    tidy(axes, "x")
    axes.set_yticklabels([label(name) for name in names], fontsize=7, color="black")
    axes.tick_params(axis="y", length=0, pad=4)


def _task_panel(axes: Axes, report: PredictionReport, table: pd.DataFrame, tasks: list[str]) -> None:
    names, dense = predictors_of(report), len(tasks) > DENSE
    axes.set(ylim=(len(tasks) - 0.5, -0.5), yticks=range(len(tasks)))
    axes.barh(range(0, len(tasks), 2), 1, 1, color=STRIPE, lw=0, zorder=0, transform=axes.get_yaxis_transform())
    _bands(axes, {task: line for line, task in enumerate(tasks)}, pick(report.null, predictor="ours"), 0.9)
    shifts = np.zeros(len(names)) if dense else SPREAD * (np.arange(len(names)) - (len(names) - 1) / 2) / len(names)
    for depth, (name, shift) in enumerate(zip(names, shifts, strict=True)):
        places = {task: line + shift for line, task in enumerate(tasks)}
        _marks(axes, places, name, table, size=3.2, details=not dense, depth=-depth)
    axes.set_title("by task, best predicted first", fontsize=7, fontweight="bold", loc="left", pad=4)
    tidy(axes, "x")
    axes.set_yticklabels(
        [plain(task, 32 if not dense else 36) for task in tasks], fontsize=6.5 if not dense else 5.8, color="black"
    )
    axes.tick_params(axis="y", length=0, pad=4)
    axes.set_xlabel("Spearman correlation", fontsize=6.5, color=PALE, labelpad=2)


def _bands(axes: Axes, places: dict[str, float], null: pd.DataFrame, height: float) -> None:
    """From 5 to 95 % of the permutations in grouped folds, at the place of each task."""
    rows = pick(null, scheme="grouped").dropna(subset=["null_low", "null_high"])
    rows = rows[rows["task"].isin(places)]
    axes.barh(
        rows["task"].map(places),
        rows["null_high"] - rows["null_low"],
        height,
        left=rows["null_low"],
        color=BAND,
        zorder=1,
    )


def _marks(
    axes: Axes,
    places: dict[str, float],
    predictor: str,
    table: pd.DataFrame,
    size: float,
    details: bool = True,
    depth: float = 0,
) -> None:
    """Grouped values at the place of each task, and those of kinds left out; as details their ranges over repeats, and
    the ungrouped values beside them."""
    colour, marker = predictor_look(predictor)
    look: dict[str, Any] = {"ls": "", "marker": marker, "ms": size, "color": colour}
    rows = pick(table, predictor=predictor)
    rows = rows[rows["task"].isin(places)]
    rows = rows.assign(place=rows["task"].map(places))
    grouped, ungrouped, left_out = (pick(rows, scheme=scheme) for scheme in ("grouped", "ungrouped", "kinds"))
    axes.plot(left_out["value"], left_out["place"], ls="", marker="|", ms=1.4 * size, mew=1.4, color=colour, zorder=4.5)
    if details:
        axes.plot(ungrouped["value"], ungrouped["place"], **look, mfc="white", mew=0.7, alpha=FAINT, zorder=3)
        axes.hlines(grouped["place"], grouped["low"], grouped["high"], color=colour, lw=1.2, zorder=4)
    axes.plot(grouped["value"], grouped["place"], **look, mec="white", mew=0.3, zorder=5 + 0.01 * depth)


def _legend(figure: Figure) -> None:
    look: dict[str, Any] = {"ls": "", "marker": "o", "ms": 5, "color": PALE}
    entries = {
        "grouped; bar: over repeats": Line2D([], [], **look),
        "whole kinds left out": Line2D([], [], ls="", marker="|", ms=7, mew=1.4, color=PALE),
        "ungrouped (optimistic)": Line2D([], [], **look, mfc="white", mew=0.7, alpha=FAINT),
        "chance: 5 to 95 % of permutations": Patch(color=BAND, lw=0),
    }
    figure.legend(
        entries.values(),
        entries.keys(),
        loc="lower center",
        bbox_to_anchor=(0.5, 0.26 / figure.get_figheight()),
        ncols=4,
        frameon=False,
        handletextpad=0.4,
        columnspacing=2,
        borderpad=0,
        borderaxespad=0,
    )

"""Predicted against true scores, a panel for each task."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from qre.counted import counted
from qre.figures.looks import REST, families_of, family_handles, family_looks, tidy
from qre.figures.style import PALE, footnote, heading, new_figure, plain, render, style
from qre.prediction import PredictionReport
from qre.prediction.words import pick, tasks_of

MOST_PANELS = 12
WIDTH = 7.6  # inches, as the map
LARGEST_PANEL = 3.4
GAP, ABOVE, BELOW = 0.42, 0.22, 0.26  # inches beside, above and below a panel
LEGEND_LINE, LEGEND_COLUMNS = 0.165, 4


def predicted_figure(report: PredictionReport, table: pd.DataFrame, scores: pd.DataFrame) -> dict[str, bytes]:
    """Our out-of-fold predictions in grouped folds against the true scores; with more than 12 tasks, the 12 with the
    most encoders.

    Args:
        table: the map: name, family.
        scores: task, metric: what a task's score is.

    Returns:
        "predicted.png" and "predicted.svg".
    """
    rows = pick(report.predictions, scheme="grouped").dropna(subset=["score", "predicted"])
    rows = rows.assign(family=families_of(rows["encoder"], table))
    tasks = _most_encoders(tasks_of(report, scores["task"]), rows)
    looks = family_looks(table)
    metrics = scores.dropna(subset=["metric"]).drop_duplicates("task").set_index("task")["metric"]
    correlations = pick(report.metrics, predictor="ours", scheme="grouped", metric="spearman").set_index("task")[
        "value"
    ]
    handles, texts = family_handles(rows["family"], looks)
    with style():
        figure, panels = _grid(len(tasks), -(-len(texts) // LEGEND_COLUMNS))
        heading(figure, "Predicted against true scores", _facts(rows, report))
        for task, axes in zip(tasks, panels, strict=True):
            _panel(axes, rows[rows["task"] == task], looks)
            _name(axes, task, metrics.get(task), correlations.get(task))
        figure.legend(
            handles,
            texts,
            loc="lower center",
            bbox_to_anchor=(0.5, 0.26 / figure.get_figheight()),
            ncols=LEGEND_COLUMNS,
            frameon=False,
            handletextpad=0.2,
            columnspacing=1.5,
            borderpad=0,
            borderaxespad=0,
        )
        footnote(figure, _remarks(report, rows, tasks))
        return render(figure, "predicted")


def _most_encoders(tasks: list[str], rows: pd.DataFrame) -> list[str]:
    """At most MOST_PANELS tasks, in their own order."""
    counts = rows["task"].value_counts()
    kept = sorted(tasks, key=lambda task: -counts.get(task, 0))[:MOST_PANELS]
    return [task for task in tasks if task in kept]


def _facts(rows: pd.DataFrame, report: PredictionReport) -> str:
    nominal = report.coverage["nominal"].iloc[0] if len(report.coverage) else None
    told = f" · lines: {nominal:.0%} intervals" if nominal else ""
    return (
        f"{counted(rows['encoder'].nunique(), 'encoder')}, each predicted from encoders of other groups (out of "
        f"fold){told}"
    )


def _remarks(report: PredictionReport, rows: pd.DataFrame, tasks: list[str]) -> str:
    remarks = ["Spearman: within test parts, mean over repeats; the points are of the first repeat."]
    endless = ~np.isfinite(rows.loc[rows["task"].isin(tasks), ["low", "high"]]).all(axis=1).to_numpy()
    if endless.any():
        remarks.append("Intervals without an end are not drawn.")
    if len(tasks) < len(tasks_of(report)):
        remarks.append(f"Shown: the {len(tasks)} tasks with the most encoders, of {len(tasks_of(report))}.")
    return " ".join(remarks)


def _grid(count: int, legend_lines: int) -> tuple[Figure, list[Axes]]:
    """A figure with `count` square panels and room for the heading above and the legend below."""
    columns = {1: 1, 2: 2, 4: 2}.get(count, 3 if count <= 9 else 4)
    lines = -(-count // columns)
    side = min((WIDTH - 0.35) / columns - GAP, LARGEST_PANEL)
    top, bottom = 0.62, 0.34 + LEGEND_LINE * legend_lines
    height = top + lines * (ABOVE + side + BELOW) + bottom
    figure = new_figure(WIDTH, height)
    left = (WIDTH - columns * (side + GAP) + GAP) / 2 + 0.12
    panels = []
    for number in range(count):
        line, column = divmod(number, columns)
        x, y = left + column * (side + GAP), height - top - (line + 1) * (ABOVE + side) - line * BELOW
        axes = figure.add_axes((x / WIDTH, y / height, side / WIDTH, side / height))
        if column == 0:
            axes.set_ylabel("predicted", fontsize=6, color=PALE, labelpad=2)
        if number + columns >= count:
            axes.set_xlabel("true score", fontsize=6, color=PALE, labelpad=1)
        panels.append(axes)
    return figure, panels


def _panel(axes: Axes, rows: pd.DataFrame, looks: dict[str, tuple[str, str]]) -> None:
    values = rows[["score", "predicted"]].to_numpy()
    low, high = (values.min(), values.max()) if len(values) else (0.0, 1.0)
    margin = 0.06 * (high - low) or 0.06 * abs(high) or 0.06
    low, high = low - margin, high + margin
    axes.set(xlim=(low, high), ylim=(low, high))
    axes.plot([low, high], [low, high], lw=0.6, color=PALE, zorder=2)
    ends = rows[np.isfinite(rows[["low", "high"]]).all(axis=1)]
    if len(ends):
        span = high - low
        low = max(min(low, ends["low"].min() - margin / 2), low - span)
        high = min(max(high, ends["high"].max() + margin / 2), high + span)
        axes.set_ylim(low, high)
    axes.vlines(
        ends["score"],
        ends["low"].clip(low, high),
        ends["high"].clip(low, high),
        color="#888888",
        lw=0.6,
        alpha=0.5,
        zorder=1,
    )
    size = float(np.clip(2500 / max(len(rows), 1), 5, 24)) * axes.get_position().width * WIDTH / 2
    for depth, family in enumerate(
        sorted(set(rows["family"]), key=lambda family: list(looks).index(family) if family in looks else -1)
    ):
        members, (colour, marker) = rows[rows["family"] == family], looks.get(family, REST)
        look: dict[str, Any] = {
            "c": colour,
            "marker": marker,
            "linewidths": 0.25,
            "edgecolors": "white",
            "zorder": 3 + 0.01 * depth,
        }
        axes.scatter(members["score"], members["predicted"], s=size, **look)
    tidy(axes)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(4))


def _name(axes: Axes, task: str, metric: str | None, correlation: float | None) -> None:
    """Task above the panel, its metric below the name where there is room, the Spearman in the upper left, where few
    points are."""
    side = axes.get_position().width * WIDTH
    axes.set_title(plain(task, int(side / 0.062)), fontsize=7, fontweight="bold", loc="left", pad=3)
    told = [f"Spearman {correlation:.2f}"] if correlation is not None and np.isfinite(correlation) else []
    told += [plain(metric, int(side / 0.075))] if metric else []
    box = {"boxstyle": "square,pad=0.15", "facecolor": "white", "alpha": 0.75, "linewidth": 0}
    axes.text(
        0.03,
        0.97,
        "\n".join(told),
        transform=axes.transAxes,
        fontsize=6,
        va="top",
        zorder=6,
        bbox=box if told else None,
    )

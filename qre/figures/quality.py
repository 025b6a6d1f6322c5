"""The map coloured by how well each encoder's scores are predicted."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from qre.counted import counted
from qre.figures.labels import label_points
from qre.figures.looks import tidy
from qre.figures.style import (
    LONGEST_FAMILY,
    MOST_FAMILIES,
    PALE,
    footnote,
    frame,
    heading,
    marker_size,
    new_figure,
    plain,
    render,
    style,
)
from qre.prediction import PredictionReport
from qre.prediction.words import pick

COLOUR_MAP = "viridis_r"  # perceptually uniform; a large error is dark, and stands out on white
UNSCORED = "#DDDDDD"
LABELS = 10  # of the encoders that are predicted worst


def encoder_errors(report: PredictionReport) -> pd.Series:
    """Absolute error of our predictions in grouped folds, in units of the standard deviation of each task's scores,
    averaged over tasks.

    Returns:
        encoder name -> error; encoders without scores are not in it.
    """
    rows = pick(report.predictions, scheme="grouped").dropna(subset=["score", "predicted"])
    spread = rows.groupby("task")["score"].transform(lambda scores: scores.std(ddof=0))
    rows, spread = rows[spread > 0], spread[spread > 0]
    return ((rows["predicted"] - rows["score"]).abs() / spread).groupby(rows["encoder"]).mean()


def quality_figure(report: PredictionReport, table: pd.DataFrame) -> dict[str, bytes]:
    """The map, dark where the predictions err, grey where there are no scores; beside it the families.

    Args:
        table: the map: name, family, x, y.

    Returns:
        "quality_map.png" and "quality_map.svg".
    """
    errors = table["name"].map(encoder_errors(report)).to_numpy(dtype=np.float64)
    known = np.isfinite(errors)
    with style():
        figure = new_figure(7.6, 6.0)
        heading(figure, "How far off the predicted scores are (not how good the encoders are)", _facts(known))
        axes = figure.add_axes((0.02, 0.06, 0.70, 0.82))
        frame(axes, table)
        _points(figure, axes, table, errors)
        _by_family(figure, table[known]["family"], errors[known])
        worst = np.flatnonzero(known)[np.argsort(-errors[known], kind="stable")]
        label_points(axes, table, worst[:LABELS].tolist(), LABELS)
        footnote(
            figure, "Named: encoders that are predicted worst. t-SNE: nearness has a meaning; axes and scale have none."
        )
        return render(figure, "quality_map")


def _facts(known: np.ndarray) -> str:
    grey = f" · {(~known).sum():,} without scores in grey" if not known.all() else ""
    return (
        f"{counted(int(known.sum()), 'encoder')} by error of prediction: 0 = exact, 1 = about as far off as guessing "
        f"the mean score{grey}"
    )


def _points(figure: Figure, axes: Axes, table: pd.DataFrame, errors: np.ndarray) -> None:
    known, size = np.isfinite(errors), marker_size(len(table))
    x, y = table.loc[~known, ["x", "y"]].to_numpy().T
    axes.scatter(x, y, s=size, c=UNSCORED, linewidths=0.3, edgecolors="white", zorder=2.8)
    if not known.any():
        return
    top = max(float(np.quantile(errors[known], 0.98)), 1e-9)  # one encoder far off leaves the others their colours
    order = np.flatnonzero(known)[np.argsort(errors[known], kind="stable")]  # the worst are not covered
    x, y = table.iloc[order][["x", "y"]].to_numpy().T
    points = axes.scatter(
        x,
        y,
        c=errors[order],
        s=size,
        cmap=COLOUR_MAP,
        vmin=0,
        vmax=top,
        linewidths=0.25,
        edgecolors="#888888",
        zorder=3,
    )
    figure.text(0.745, 0.885, "mean absolute error, in standard\ndeviations of the task's scores", fontsize=7, va="top")
    extend = "max" if errors[known].max() > top else "neither"
    bar = figure.colorbar(
        points,
        cax=figure.add_axes((0.745, 0.805, 0.225, 0.016)),
        orientation="horizontal",
        ticks=MaxNLocator(4),
        extend=extend,
    )
    bar.outline.set_visible(False)  # type: ignore[operator]  # the stub: Spines.__getattr__
    bar.ax.tick_params(length=2, width=0.5, labelsize=6, pad=1.5)


def _by_family(figure: Figure, families: pd.Series, errors: np.ndarray) -> None:
    """Median error of each family and its middle half, best first; with many families, the largest."""
    if families.empty:
        return
    counts = families.value_counts()
    shown = sorted(counts.index, key=lambda family: (-counts[family], family))[:MOST_FAMILIES]
    quarters = {family: np.quantile(errors[(families == family).to_numpy()], [0.25, 0.5, 0.75]) for family in shown}
    shown.sort(key=lambda family: (quarters[family][1], family))
    height = 0.031 * len(shown)  # of the figure
    figure.text(0.745, 0.735, "by family: median, middle half", fontsize=7, va="bottom")
    axes = figure.add_axes((0.895, 0.72 - height, 0.085, height))
    for line, family in enumerate(shown):
        low, median, high = quarters[family]
        axes.hlines(line, low, high, color="#BBBBBB", lw=2, zorder=2)
        axes.plot(median, line, "o", ms=3, color="black", zorder=3)
        axes.text(
            -0.08,
            line,
            plain(family, LONGEST_FAMILY - 4),
            transform=axes.get_yaxis_transform(),
            ha="right",
            va="center",
            fontsize=5.8,
        )
    axes.set(
        ylim=(len(shown) - 0.5, -0.5), yticks=[], xlim=(0, 1.08 * max(float(q[2]) for q in quarters.values()) or 1.0)
    )
    tidy(axes, "x")
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(2))
    if len(counts) > len(shown):
        figure.text(
            0.745,
            0.69 - height,
            f"the {len(shown)} largest of {len(counts)} families",
            fontsize=5.8,
            va="top",
            color=PALE,
        )

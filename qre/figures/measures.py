"""How measures of geometry go with scores: measures × tasks, over all encoders and within families."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from qre.atlas.measure_scores import ALL, DIMENSION, ENTRIES, FORMS, MEAN_SCORE, grid
from qre.counted import counted
from qre.figures.looks import tidy
from qre.figures.style import INK, PALE, footnote, heading, new_figure, plain, render, shortened, style

COLOUR_MAP = "PuOr"  # both ends differ in hue for colour-blind readers too; white is 0
UNKNOWN = "#DDDDDD"
WIDTH, LEFT, GAP = 7.6, 1.45, 0.16  # inches: of the figure, of the measures' names, between panels side by side
ROW, TITLE, ABOVE, BELOW = 0.152, 0.2, 0.62, 0.72  # of a measure, a panel's title, the heading, colour bar and footnote
NAMES = 1.15  # of the tasks' names, upright
SIDE_BY_SIDE = 9  # with more columns, the panels stand one above the other, and cells have a dot instead of their value
ARROWS = {"higher": " ↑", "lower": " ↓", "": ""}


def measures_figure(told: pd.DataFrame) -> dict[str, bytes]:
    """A panel for all encoders and one for within families, the mean score first; cells whose interval excludes 0 are
    marked: where there are few tasks their value is bold, else they have a dot.

    Args:
        told: see qre.atlas.measure_scores.measure_scores.

    Returns:
        "measures.png" and "measures.svg".
    """
    grids = {form: grid(told, form) for form in FORMS}
    tasks = sorted(grids[ALL].columns, key=lambda task: task != MEAN_SCORE)
    with style():
        figure, panels = _panels(len(grids[ALL]), len(tasks))
        heading(figure, "Geometry of the encoders and their scores", _facts(told, tasks))
        norm = TwoSlopeNorm(0, *_reach(grids))
        for form, axes in zip(FORMS, panels, strict=True):
            marks = grid(told, form, "excludes_0")[tasks].to_numpy(bool)
            image = _panel(axes, grids[form][tasks], marks, norm)
            axes.set_title(_of(told, form), fontsize=7, fontweight="bold", loc="left", pad=4)
        _names(figure, panels, list(grids[ALL].index), tasks)
        _bar(figure, image)
        footnote(figure, "Correlations over encoders: none says that a change of geometry would change a score.")
        footnote(figure, _key(len(tasks)), 1)
        return render(figure, "measures")


def _reach(grids: dict[str, pd.DataFrame]) -> tuple[float, float]:
    """The ends of the colours, the same distance from 0."""
    values = np.abs(np.concatenate([one.to_numpy().ravel() for one in grids.values()]))
    reach = max(float(np.nanmax(values)) if np.isfinite(values).any() else 1.0, 0.1)
    return -reach, reach


def _facts(told: pd.DataFrame, tasks: list[str]) -> str:
    count = len([task for task in tasks if task != MEAN_SCORE])
    measures = told.loc[told["measure"] != DIMENSION.name, "measure"].nunique()
    return (
        f"Spearman correlation of {counted(measures, 'measure')} with the scores on "
        f"{counted(count, 'task')} · arrows: which way is more isotropic"
    )


def _of(told: pd.DataFrame, form: str) -> str:
    """The title of a panel: of how many encoders, groups and families it is at most."""
    most = told[told["form"] == form][["encoders", "groups", "families"]].max()
    families = "" if form == ALL else f", {most['families']} families"
    return f"{form}: {most['encoders']:,}, {counted(most['groups'], 'group')}{families}"


def _key(tasks: int) -> str:
    mark = "bold" if _few(tasks) else "dots"
    which = "the 95 % interval over groups of near-copies excludes 0"
    return f"{mark.capitalize()}: {which}. Grey cells: too few, or constant."


def _few(tasks: int) -> bool:
    return tasks <= SIDE_BY_SIDE


def _panels(measures: int, tasks: int) -> tuple[Figure, list[Axes]]:
    """The figure and its two panels, side by side where there are few tasks."""
    side, height = (WIDTH - LEFT - 0.12), ROW * measures
    if _few(tasks):
        total = ABOVE + TITLE + height + NAMES + BELOW
        side = (side - GAP) / 2
        places = [(LEFT, total - ABOVE - TITLE - height), (LEFT + side + GAP, total - ABOVE - TITLE - height)]
    else:
        total = ABOVE + 2 * (TITLE + height) + 0.1 + NAMES + BELOW
        places = [(LEFT, total - ABOVE - TITLE - height), (LEFT, total - ABOVE - 2 * (TITLE + height) - 0.1)]
    figure = new_figure(WIDTH, total)
    return figure, [figure.add_axes((x / WIDTH, y / total, side / WIDTH, height / total)) for x, y in places]


def _panel(axes: Axes, values: pd.DataFrame, marks: np.ndarray, norm: TwoSlopeNorm) -> AxesImage:
    matrix = values.to_numpy()
    image = axes.imshow(np.ma.masked_invalid(matrix), cmap=_colours(), norm=norm, aspect="auto", interpolation="none")
    tidy(axes)
    axes.spines[:].set_visible(False)
    axes.set(xticks=[], yticks=[])
    for row, column in np.argwhere(np.isfinite(matrix)):
        value, marked = matrix[row, column], marks[row, column]
        ink = "white" if abs(norm(value) - 0.5) > 0.36 else INK
        if _few(matrix.shape[1]):
            look: dict[str, Any] = {"fontsize": 5.4, "fontweight": "bold" if marked else "normal"}
            axes.text(column, row, f"{value:+.2f}".replace("-", "−"), color=ink, ha="center", va="center", **look)
        elif marked:
            axes.plot(column, row, ".", ms=2.2, mew=0, color=ink)
    return image


def _colours() -> Colormap:
    from matplotlib import colormaps

    return colormaps[COLOUR_MAP].with_extremes(bad=UNKNOWN)


def _names(figure: Figure, panels: list[Axes], measures: list[str], tasks: list[str]) -> None:
    """Measures at the left, tasks below, the mean score in bold."""
    few, told = _few(len(tasks)), {entry.name: entry for entry in ENTRIES}
    titles = [f"{told[name].title}{ARROWS[told[name].more_isotropic]}" for name in measures]
    for axes in panels[: 1 if few else 2]:
        axes.set_yticks(range(len(measures)), titles, fontsize=6.2, color=INK)
    size = float(np.clip(330 / len(tasks), 3.4, 6.2))
    for axes in panels[0 if few else 1 :]:
        names = [shortened(figure, plain(task, 60), (NAMES - 0.1) * figure.dpi, size) for task in tasks]
        axes.set_xticks(range(len(tasks)), names, fontsize=size, color=INK, rotation=90)
        for label, task in zip(axes.get_xticklabels(), tasks, strict=True):
            label.set_fontweight("bold" if task == MEAN_SCORE else "normal")
    for axes in panels:
        axes.tick_params(length=0, pad=2)


def _bar(figure: Figure, image: AxesImage) -> None:
    height = figure.get_figheight()
    bar = figure.colorbar(
        image, cax=figure.add_axes((LEFT / WIDTH, 0.52 / height, 2.2 / WIDTH, 0.08 / height)), orientation="horizontal"
    )
    bar.outline.set_visible(False)  # type: ignore[operator]  # the stub: Spines.__getattr__
    bar.ax.tick_params(length=2, width=0.5, labelsize=6, pad=1.5)
    figure.text(
        (LEFT + 2.3) / WIDTH, 0.56 / height, "Spearman correlation with the score", fontsize=6, va="center", color=PALE
    )

"""Colours and markers that the figures of the predictions share with the map, and with each other."""

from __future__ import annotations

from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qre.figures.style import COLOURS, GREY, LONGEST_FAMILY, MARKERS, MOST_FAMILIES, PALE, plain, shortened

UNKNOWN = "not on the map"
_PREDICTORS = {
    "ours": ("#0072B2", "o"),
    "ours+cka": ("#56B4E9", "o"),
    "paper": ("#D55E00", "D"),
    "neighbours": ("#009E73", "^"),
    "dimension": ("#E69F00", "s"),
    "spectrum": ("#CC79A7", "v"),
    "cka": ("#882255", "P"),
}


def predictor_look(predictor: str) -> tuple[str, str]:
    """Colour and marker."""
    return _PREDICTORS.get(predictor, (GREY, "X"))


def family_looks(table: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Family -> colour and marker as on the map, largest family first; the families without an entry are drawn as
    REST."""
    counts = table["family"].value_counts()
    order = sorted(counts.index, key=lambda family: (-counts[family], family))
    shown = order if len(order) <= MOST_FAMILIES else order[: MOST_FAMILIES - 1]
    return {family: (COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]) for i, family in enumerate(shown)}


REST = (GREY, "h")


def families_of(encoders: pd.Series, table: pd.DataFrame) -> pd.Series:
    """The family of each encoder by name."""
    return encoders.map(table.drop_duplicates("name").set_index("name")["family"]).fillna(UNKNOWN)


def family_handles(families: pd.Series, looks: dict[str, tuple[str, str]]) -> tuple[list[Line2D], list[str]]:
    """Legend handles and texts of the families that occur, in the order of looks, the rest last."""
    present = set(families)
    shown = [family for family in looks if family in present]
    rest = present - set(shown)
    entries = [(looks[family], plain(family, LONGEST_FAMILY)) for family in shown]
    if rest:
        entries.append((REST, f"other ({len(rest)} {'family' if len(rest) == 1 else 'families'})"))
    handles = [
        Line2D([], [], ls="", marker=marker, color=colour, ms=5, mec="white", mew=0.4)
        for (colour, marker), _ in entries
    ]
    return handles, [text for _, text in entries]


LEGEND_COLUMNS, LEGEND_LINE, LEGEND_TEXT = 4, 0.14, 6.0  # of the families below a figure; inches a line; points


def family_legend_height(texts: list[str]) -> float:
    """Inches that `family_legend` takes."""
    return LEGEND_LINE * -(-len(texts) // LEGEND_COLUMNS)


def family_legend(figure: Figure, entries: tuple[list[Line2D], list[str]], left: float, bottom: float) -> None:
    """The legend of `family_handles` in LEGEND_COLUMNS columns, with its lower left corner at a place in inches."""
    handles, texts = entries
    width, height = figure.get_size_inches()
    figure.legend(
        handles,
        [shortened(figure, text, (width / LEGEND_COLUMNS - 0.4) * figure.dpi, LEGEND_TEXT) for text in texts],
        loc="lower left",
        bbox_to_anchor=(left / width, bottom / height),
        ncols=LEGEND_COLUMNS,
        fontsize=LEGEND_TEXT,
        frameon=False,
        handletextpad=0.3,
        borderpad=0,
    )


def tidy(axes: Axes, grid: Literal["x", "y", "both"] | None = None) -> None:
    """Small pale ticks, no upper and right edge; a faint grid along "x", "y" or "both"."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=2, width=0.5, labelsize=6, pad=1.5, color="#BBBBBB", labelcolor=PALE)
    if grid:
        axes.grid(axis=grid, lw=0.4, color="#EEEEEE", zorder=0)
        axes.set_axisbelow(True)

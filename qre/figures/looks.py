"""Colours and markers that the figures of the predictions share with the map, and with each other."""

from __future__ import annotations

from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from qre.figures.style import COLOURS, GREY, LONGEST_FAMILY, MARKERS, MOST_FAMILIES, PALE, plain

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


def tidy(axes: Axes, grid: Literal["x", "y", "both"] | None = None) -> None:
    """Small pale ticks, no upper and right edge; a faint grid along "x", "y" or "both"."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=2, width=0.5, labelsize=6, pad=1.5, color="#BBBBBB", labelcolor=PALE)
    if grid:
        axes.grid(axis=grid, lw=0.4, color="#EEEEEE", zorder=0)
        axes.set_axisbelow(True)

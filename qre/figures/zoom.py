"""Some encoders of the map from near, each with its nearest neighbours and their distances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from qre.atlas.clusters import most_downloaded
from qre.atlas.overview import parents_of
from qre.atlas.ranking import known_numbers
from qre.counted import counted
from qre.figures.atlas_map import telling
from qre.figures.labels import RING, label_points
from qre.figures.looks import REST, family_handles, family_legend, family_legend_height, family_looks
from qre.figures.style import (
    GREY,
    INK,
    PALE,
    footnote,
    frame,
    heading,
    marker_size,
    new_figure,
    plain,
    render,
    shortened,
    style,
    width_of,
)

WIDTH, COLUMNS, MOST_PANELS = 7.0, 2, 6  # inches; a page of two columns
MOST_NEIGHBOURS = 7
MARGIN, GAP, MAP, TITLE, LINE = 0.14, 0.24, 1.25, 0.24, 0.165  # inches; of the map; of a line of the list
ABOVE, BELOW = 0.66, 0.3  # inches: heading, footnote
TEXT = 6.0  # points
FAR = 4  # times the median distance on the map: a neighbour that lies farther off is not in the panel
EDGE = 0.07  # of a panel, more than a map leaves beside its outermost points
OTHERS = "#D8D8D8"


def zoom_figure(
    table: pd.DataFrame,
    near: np.ndarray,
    how_far: np.ndarray,
    named: tuple[Sequence[str], Sequence[str]] = ((), ()),
    distance: str = "ℓ1",
) -> dict[str, bytes]:
    """Up to MOST_PANELS encoders with their nearest neighbours by the features, wherever these lie on the map.

    Args:
        table: the map, one row an encoder: name, family, x, y, qre, effective_rank, and parent and downloads where
            they are known.
        near: nearest others of each encoder, rows of the table, (N, k), int, the nearest first.
        how_far: their distances, (N, k), float64.
        named: names of encoders that are shown in any case, and others that are shown next. Then follow the most
            downloaded, then those that tell most of the map. Near-copies of one that is shown are left out.
        distance: what the distance is called.

    Returns:
        "zoom.png" and "zoom.svg"; nothing where no encoder has a neighbour.
    """
    if not near.shape[1]:
        return {}
    near, how_far = near[:, :MOST_NEIGHBOURS], how_far[:, :MOST_NEIGHBOURS]
    centres = zoomed(table, near, *named)
    drawn = table["family"].iloc[np.unique(np.append(near[centres].ravel(), centres))]
    looks = family_looks(table)
    with style():
        entries = family_handles(drawn, looks)
        legend = family_legend_height(entries[1]) + 0.06
        lines = -(-len(centres) // COLUMNS)
        panel = TITLE + max(MAP, LINE * near.shape[1]) + 0.12
        height = ABOVE + lines * panel + legend + BELOW
        figure = new_figure(WIDTH, height)
        heading(
            figure,
            f"{counted(len(centres), 'encoder')} and {'its' if len(centres) == 1 else 'their'} nearest neighbours",
            f"with their {distance} distances by the features; hollow, dotted: near-copies; pale: other encoders",
        )
        for number, centre in enumerate(centres):
            line, column = divmod(number, COLUMNS)
            left = MARGIN + column * ((WIDTH - 2 * MARGIN + GAP) / COLUMNS)
            _panel(figure, table, centre, near[centre], how_far[centre], looks, (left, height - ABOVE - line * panel))
        family_legend(figure, entries, MARGIN / 2, BELOW)
        footnote(figure, "The panels are parts of the map; what is near by the features may lie apart on it (→).")
        return render(figure, "zoom")


def zoomed(table: pd.DataFrame, near: np.ndarray, own: Sequence[str], leading: Sequence[str]) -> list[int]:
    """Rows of the encoders that are shown from near: see `zoom_figure`. Of those that only tell of the map, encoders
    among the neighbours of one that is shown come last."""
    rows = {name: row for row, name in enumerate(table["name"])}
    told = parents_of(table)
    parents = [told.get(name, name) for name in table["name"]]
    downloads = known_numbers(table, "downloads")
    popular = most_downloaded(downloads, len(table))[: int(np.isfinite(downloads).sum())].tolist()
    chosen = [rows[name] for name in dict.fromkeys(own) if name in rows][:MOST_PANELS]
    filling = telling(table, 4 * MOST_PANELS)
    for candidates, apart in (
        ([rows[name] for name in leading if name in rows], False),
        (popular, False),
        (filling, True),
        (filling, False),
    ):
        for row in candidates:
            shown = {parents[one] for one in chosen}
            beside = apart and (np.isin(near[chosen], row).any() or np.isin(near[row], chosen).any())
            if len(chosen) < MOST_PANELS and parents[row] not in shown and not beside:
                chosen.append(row)
    return chosen


def _panel(
    figure: Figure,
    table: pd.DataFrame,
    centre: int,
    near: np.ndarray,
    how_far: np.ndarray,
    looks: dict[str, tuple[str, str]],
    corner: tuple[float, float],
) -> None:
    """One encoder: its name, the map around it, and the list of its neighbours.

    Args:
        near, how_far: rows and distances of its neighbours, (k,).
        corner: left and top of the panel, inches.
    """
    (width, height), (left, top) = figure.get_size_inches(), corner
    wide = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS
    places = table[["x", "y"]].to_numpy(dtype=np.float64)
    off = np.hypot(*(places[near] - places[centre]).T)
    beyond = off > FAR * np.median(off)
    parents = parents_of(table)
    names = table["name"].to_numpy()
    copies = np.array([parents.get(name, name) == parents.get(names[centre]) for name in names[near]])
    marks = [looks.get(family, REST) for family in table["family"].iloc[near]]
    room = wide * figure.dpi
    title = shortened(figure, plain(names[centre], 80), room, TEXT + 1, fontweight="bold")
    figure.text(left / width, (top - 0.1) / height, title, fontsize=TEXT + 1, fontweight="bold", va="center")
    axes = figure.add_axes((left / width, (top - TITLE - MAP) / height, MAP / width, MAP / height))
    _around(axes, table, centre, near, beyond, copies, marks, looks.get(table["family"].iat[centre], REST))
    for rank, row in enumerate(near):
        y = top - TITLE - LINE * (rank + 0.5)
        entry = f"{plain(names[row], 80)}{' →' if beyond[rank] else ''}"
        _entry(figure, rank, entry, how_far[rank], marks[rank], bool(copies[rank]), (left + MAP + 0.1, y, left + wide))


def _around(
    axes: Axes,
    table: pd.DataFrame,
    centre: int,
    near: np.ndarray,
    beyond: np.ndarray,
    copies: np.ndarray,
    marks: list[tuple[str, str]],
    own: tuple[str, str],
) -> None:
    """The part of the map that holds an encoder and its neighbours; a line to one that lies beyond leaves the panel."""
    seen = np.append(centre, near[~beyond])
    frame(axes, table.iloc[seen])
    for limits, change in ((axes.get_xlim(), axes.set_xlim), (axes.get_ylim(), axes.set_ylim)):
        change(np.mean(limits) + (1 + 2 * EDGE) * (np.array(limits) - np.mean(limits)))  # no ring is cut
    places = table[["x", "y"]].to_numpy(dtype=np.float64)
    (x, y), (left, right), (bottom, top) = places.T, axes.get_xlim(), axes.get_ylim()
    inside = (x >= left) & (x <= right) & (y >= bottom) & (y <= top)
    inside[[centre, *near]] = False
    local = pd.DataFrame(places[[*near[~beyond], centre, *np.flatnonzero(inside)]], columns=["x", "y"])
    local["name"] = [str(rank + 1) for rank in np.flatnonzero(~beyond)] + [""] * (1 + int(inside.sum()))
    area = marker_size(len(local)) * 0.8
    axes.set_axis_on()
    axes.set(xticks=[], yticks=[])
    axes.scatter(x[inside], y[inside], s=0.5 * area, c=OTHERS, linewidths=0, zorder=2)
    for row, copy, (colour, marker) in zip(near, copies, marks, strict=True):
        line = Line2D(*places[[centre, row]].T, lw=0.6, color=GREY, ls=(0, (1, 1.5)) if copy else "-", zorder=2.4)
        axes.add_line(line)
        axes.scatter(x[row], y[row], s=area, marker=marker, zorder=3, **_fill(colour, copy))
    axes.scatter(x[centre], y[centre], s=1.3 * area, marker=own[1], c=own[0], linewidths=0, zorder=4)
    axes.scatter(x[centre], y[centre], s=RING**2 * area, facecolors="none", edgecolors=INK, linewidths=0.9, zorder=4)
    numbered = list(range(int((~beyond).sum())))
    label_points(axes, local, numbered, len(numbered), always=numbered, size=TEXT)
    for text in axes.texts:
        text.set_path_effects([withStroke(linewidth=1.5, foreground="white")])


def _fill(colour: str, hollow: bool) -> dict[str, Any]:
    return {"facecolors": "white" if hollow else colour, "edgecolors": colour, "linewidths": 0.8 if hollow else 0.3}


def _entry(
    figure: Figure,
    rank: int,
    name: str,
    distance: float,
    mark: tuple[str, str],
    copy: bool,
    place: tuple[float, float, float],
) -> None:
    """A line of the list: number, marker, name and distance, at a place (left, middle, right; inches)."""
    (width, height), (left, y, right) = figure.get_size_inches(), place
    colour, marker = mark
    told = f"{distance:#.3g}"
    room = (right - left - 0.3) * figure.dpi - width_of(figure, told, TEXT)
    figure.text(left / width, y / height, str(rank + 1), color=PALE, fontsize=TEXT, va="center")
    figure.add_artist(
        Line2D(
            [(left + 0.15) / width],
            [y / height],
            ls="",
            marker=marker,
            ms=4,
            mfc="white" if copy else colour,
            mec=colour,
            mew=0.7 if copy else 0.3,
        )
    )
    figure.text((left + 0.23) / width, y / height, shortened(figure, name, room, TEXT), fontsize=TEXT, va="center")
    figure.text(right / width, y / height, told, ha="right", fontsize=TEXT, va="center")

"""The map in pale colours, with encoders marked that were placed on it afterwards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qre.atlas.placement import Placement
from qre.figures.labels import label_points
from qre.figures.looks import REST, family_handles, family_looks
from qre.figures.style import INK, footnote, frame, heading, marker_size, new_figure, plain, render, shortened, style

PALENESS = 0.35  # opacity of what was on the map before
NEW = "#D55E00"
STAR = 150  # area in points²
NAMED_NEAR, MOST_NEAR = 3, 12  # neighbours of each that are named on the map; of all together
MAP_HEIGHT = 6.0  # inches, without the list below
COLUMNS, LINE, LONGEST_LISTED = 2, 0.13, 44  # of the list; inches of a line; characters of a name


def placed_figure(table: pd.DataFrame, placements: Sequence[Placement]) -> dict[str, bytes]:
    """The map with the new encoders on it, and all of them by name below it, each with its nearest.

    Args:
        table: the map, one row an encoder: name, family, x, y.
        placements: at least one; a star each, hollow where the encoder is unlike those that are known.

    Returns:
        "place.png" and "place.svg".
    """
    new = pd.DataFrame(
        {
            "name": [one.name for one in placements],
            "x": [one.x for one in placements],
            "y": [one.y for one in placements],
        }
    )
    both = pd.concat([new, table[["name", "x", "y"]]], ignore_index=True)
    strange = np.array([bool(one.warning) for one in placements])
    listed = LINE * (1.6 + -(-len(new) // COLUMNS))
    with style():
        height = MAP_HEIGHT + listed
        figure = new_figure(7.6, height)
        count = f"{len(new)} encoder{'s' if len(new) > 1 else ''}"
        hollow = "; hollow: unlike those that the map knows" if strange.any() else ""
        heading(
            figure,
            f"{count} placed on the map",
            f"pale: the {len(table):,} encoders of the map, which do not move{hollow}",
        )
        axes = figure.add_axes((0.02, (0.36 + listed) / height, 0.70, (MAP_HEIGHT - 1.08) / height))
        frame(axes, both)
        _standing(figure, axes, table)
        _stars(axes, new, strange)
        rows = {name: len(new) + row for row, name in enumerate(table["name"])}
        near = [rows[name] for one in placements for name in one.neighbours["neighbour"].head(NAMED_NEAR)]
        near = list(dict.fromkeys(near))[:MOST_NEAR]
        label_points(
            axes, both, [*range(len(new)), *near], len(new) + len(near), always=range(min(len(new), MOST_NEAR))
        )
        _list(figure, placements, listed)
        footnote(
            figure,
            "t-SNE: near encoders spread the sentences in a similar way; axes, scale and the width of gaps have no "
            "meaning.",
        )
        return render(figure, "place")


def _stars(axes: Axes, new: pd.DataFrame, strange: np.ndarray) -> None:
    """A star with its number for each placed encoder: in a dense place not every name finds room, but its number is in
    the list."""
    for number, (x, y, hollow) in enumerate(zip(new["x"], new["y"], strange, strict=True), start=1):
        axes.scatter(
            x,
            y,
            s=STAR,
            marker="*",
            c="white" if hollow else NEW,
            edgecolors=NEW if hollow else INK,
            linewidths=0.6,
            zorder=5,
        )
        axes.text(
            x, y, str(number), fontsize=4.5, color=NEW if hollow else "white", ha="center", va="center", zorder=5.5
        )


def _standing(figure: Figure, axes: Axes, table: pd.DataFrame) -> None:
    """The encoders of the map in the colours and markers that they have there, pale; and their families."""
    looks = family_looks(table)
    rest = (REST, table[~table["family"].isin(looks)])
    for (colour, marker), members in [
        *((look, table[table["family"] == family]) for family, look in looks.items()),
        rest,
    ]:
        axes.scatter(
            members["x"],
            members["y"],
            s=marker_size(len(table)),
            c=colour,
            marker=marker,
            linewidths=0,
            alpha=PALENESS,
            zorder=3,
        )
    handles, texts = family_handles(table["family"], looks)
    for handle in handles:
        handle.set_alpha(PALENESS)
    figure.legend(
        handles,
        texts,
        loc="upper left",
        bbox_to_anchor=(0.735, 1 - 0.66 / figure.get_figheight()),
        frameon=False,
        handletextpad=0.3,
        borderpad=0,
    )


def _list(figure: Figure, placements: Sequence[Placement], listed: float) -> None:
    """The placed encoders by number and name, each with its nearest, in columns: also those that found no place for
    their name on the map.

    Args:
        listed: inches that the list takes.
    """
    height = figure.get_figheight()
    top = (0.30 + listed - 0.5 * LINE) / height
    figure.add_artist(Line2D([0.026], [top], marker="*", color=NEW, ls="", ms=7, mec=INK, mew=0.4))
    figure.text(0.037, top, "placed", fontsize=6, va="center")
    lines = -(-len(placements) // COLUMNS)
    for number, one in enumerate(placements):
        column, line = divmod(number, lines)
        near = plain(str(one.neighbours["neighbour"].iloc[0]), LONGEST_LISTED)
        room = 0.94 / COLUMNS * figure.bbox.width
        text = shortened(figure, f"{number + 1}  {plain(one.name, LONGEST_LISTED)}; nearest: {near}", room, 5.8)
        figure.text(0.02 + 0.96 / COLUMNS * column, top - LINE * (1.2 + line) / height, text, fontsize=5.8, va="center")

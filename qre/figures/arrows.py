"""The map with an arrow from each encoder to the variants that are made of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch
from matplotlib.patheffects import withStroke

from qre.counted import counted
from qre.figures.labels import label_points
from qre.figures.style import (
    COLOURS,
    GREY,
    LONGEST_FAMILY,
    PALE,
    footnote,
    frame,
    heading,
    map_height,
    marker_size,
    new_figure,
    plain,
    render,
    shortened,
    style,
)

WIDTH, TALLEST, LEAST = 7.6, 5.4, 2.6  # inches
ABOVE, BELOW = 0.72, 0.42  # inches beside the map
COLUMN, COLUMN_WIDTH = 0.735, 0.24  # of the figure: where the legend begins, and its width
OTHERS = "#D8D8D8"
MANY = 60  # arrows; more are drawn paler
LABELS = 12  # of the variants that moved furthest
PARENT_SIZE, VARIANT_SIZE = 0.5, 0.32  # of the area of a marker of the map


def variants_figure(table: pd.DataFrame, variants: pd.DataFrame) -> dict[str, bytes]:
    """Where each step leads: arrows from parents to variants over the grey map, a colour for each of the most frequent
    steps, the rest grey.

    Args:
        table: the map: name, x, y.
        variants: variant, parent, done, moved; see qre.atlas.beside_parents.variant_table.

    Returns:
        "variants.png" and "variants.svg"; nothing without variants.
    """
    each = variants.drop_duplicates("variant")
    if each.empty:
        return {}
    rows = {name: row for row, name in enumerate(table["name"])}
    starts, ends = ([rows[name] for name in each[column]] for column in ("parent", "variant"))
    steps = [done.partition(":")[0] if "," not in done else "several steps" for done in each["done"]]
    looks = _looks(steps)
    with style():
        height = float(np.clip(map_height(table, 0.70 * WIDTH) + ABOVE + BELOW, LEAST, TALLEST))
        figure = new_figure(WIDTH, height)
        heading(
            figure,
            "Variants beside the encoders that they are made of",
            f"{counted(len(each), 'variant')} of {counted(each['parent'].nunique(), 'encoder')}, on a map of "
            f"{counted(len(table), 'encoder')}; an arrow leads from parent to variant",
        )
        axes = figure.add_axes((0.02, BELOW / height, 0.70, 1 - (ABOVE + BELOW) / height))
        frame(axes, table)
        _points(axes, table, starts, ends, [looks[step] for step in steps])
        _arrows(axes, table, starts, ends, [looks[step] for step in steps])
        _legend(figure, steps, looks)
        far = np.argsort(-each["moved"].to_numpy(np.float64), kind="stable")
        label_points(axes, table, [ends[row] for row in far[: 3 * LABELS]], LABELS)
        for text in axes.texts:  # names may lie on arrows
            text.set_path_effects([withStroke(linewidth=1.8, foreground="white")])
        footnote(
            figure,
            "Named: variants that moved furthest. t-SNE: near encoders spread the sentences in a similar way; axes, "
            "scale and the width of gaps have no meaning.",
        )
        return render(figure, "variants")


def _looks(steps: list[str]) -> dict[str, str]:
    """Step -> colour, the most frequent first; those beyond the colours are grey."""
    order = sorted(set(steps), key=lambda step: (-steps.count(step), step))
    return {step: COLOURS[place] if place < len(COLOURS) else GREY for place, step in enumerate(order)}


def _points(axes: Axes, table: pd.DataFrame, starts: list[int], ends: list[int], colours: list[str]) -> None:
    """All encoders pale, parents dark, variants in the colour of their step."""
    places, size = table[["x", "y"]].to_numpy(np.float64), marker_size(len(table))
    x, y = places.T
    axes.scatter(x, y, s=size, c=OTHERS, linewidths=0.3, edgecolors="white", zorder=2.6)
    of = sorted(set(starts))
    axes.scatter(x[of], y[of], s=PARENT_SIZE * size, c=PALE, linewidths=0, zorder=3.4)
    axes.scatter(x[ends], y[ends], s=VARIANT_SIZE * size, c=colours, linewidths=0, zorder=3.5)


def _arrows(axes: Axes, table: pd.DataFrame, starts: list[int], ends: list[int], colours: list[str]) -> None:
    places = table[["x", "y"]].to_numpy(np.float64)
    width = float(np.clip(40 / len(starts), 0.4, 0.9))
    for start, end, colour in zip(starts, ends, colours, strict=True):
        if np.array_equal(places[start], places[end]):  # it has no direction
            continue
        axes.add_patch(
            FancyArrowPatch(
                tuple(places[start]),
                tuple(places[end]),
                arrowstyle="-|>",
                mutation_scale=5 + 3 * width,
                shrinkA=1.5,
                shrinkB=1.5,
                connectionstyle="arc3,rad=0.08",
                linewidth=width,
                color=colour,
                alpha=0.8 if len(starts) < MANY else 0.5,
                zorder=3.2,
            )
        )


def _legend(figure: Figure, steps: list[str], looks: dict[str, str]) -> None:
    coloured = [step for step in looks if looks[step] != GREY]
    rest = [step for step in looks if looks[step] == GREY]
    entries = [(looks[step], f"{plain(step, LONGEST_FAMILY)}  {steps.count(step)}") for step in coloured]
    if rest:
        entries.append((GREY, f"other ({counted(len(rest), 'step')})  {sum(steps.count(step) for step in rest)}"))
    handles = [Line2D([], [], color=colour, lw=1.4, marker=">", ms=4) for colour, _ in entries]
    figure.legend(
        [Line2D([], [], ls="", marker="o", color=PALE, ms=4), *handles],
        [
            shortened(figure, text, COLUMN_WIDTH * figure.bbox.width, 7.0)
            for text in ["parent", *(t for _, t in entries)]
        ],
        loc="upper left",
        bbox_to_anchor=(COLUMN, 1 - 0.66 / figure.get_figheight()),
        frameon=False,
        handletextpad=0.5,
        borderpad=0,
    )

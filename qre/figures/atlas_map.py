"""The map as a figure: its families, the names that tell most, and the same map by QRE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from scipy.spatial.distance import cdist

from qre.atlas.neighbours import FamilyShare
from qre.figures.labels import RING, label_points
from qre.figures.style import (
    COLOURS,
    GREY,
    INK,
    LONGEST_FAMILY,
    MARKERS,
    MOST_FAMILIES,
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

WIDTH, TALLEST, LEAST = 7.6, 6.0, 3.4  # of the figure, inches
ABOVE, BELOW = 0.72, 0.42  # inches beside the map
COLUMN, COLUMN_WIDTH = 0.735, 0.24  # of the figure: where the legend begins, and its width
MOST_OWN = 6  # encoders of the person's own that are named in any case
INSET, ENTRY = 1.85, 0.165  # inches that the map by QRE takes, and a line of the legend


def map_figure(
    table: pd.DataFrame,
    title: str,
    facts: str,
    labels: int = 24,
    best: str | None = None,
    best_at: str = "",
    named: tuple[Sequence[str], Sequence[str]] = ((), ()),
) -> dict[str, bytes]:
    """The map, its legend, and the same map coloured by QRE. A flat map makes a flat figure.

    Args:
        table: one row an encoder, with name, family, x, y, qre (nats) and effective_rank; N >= 1. Other columns are
            left alone.
        title: first line; plain text.
        facts: second line, see `facts_line`; plain text.
        labels: how many encoders are named at most; fewer where they would overlap.
        best: name of an encoder that gets a ring and a name before all others, because it is the best `best_at`, such
            as "on STS".
        named: names of encoders that are named next: those that get their name in any case, and others.

    Returns:
        "map.png" and "map.svg".
    """
    with style():
        height = _height(table)
        figure = new_figure(WIDTH, height)
        heading(figure, title, facts)
        axes = figure.add_axes((0.02, BELOW / height, 0.70, 1 - (ABOVE + BELOW) / height))
        frame(axes, table)
        rows = {name: row for row, name in enumerate(table["name"])}
        own, leading = ([rows[name] for name in names if name in rows] for names in named)
        ringed = _ring(axes, table, best)
        handles, texts = _families(axes, table, own, ringed)
        texts = [shortened(figure, text, COLUMN_WIDTH * figure.bbox.width, 7.0) for text in texts]
        figure.legend(
            handles,
            texts,
            loc="upper left",
            bbox_to_anchor=(COLUMN, 1 - 0.66 / height),
            frameon=False,
            handletextpad=0.3,
            borderpad=0,
        )
        _by_qre(figure, table)
        order = list(dict.fromkeys([*ringed, *own[:MOST_OWN], *leading, *own[MOST_OWN:], *telling(table, 3 * labels)]))
        label_points(axes, table, order, labels, next(iter(ringed), None), own[:MOST_OWN])
        if ringed:
            footnote(figure, f"Ringed: {plain(str(best), 60)}, best {plain(best_at, 80)}.", line=1)
        footnote(
            figure,
            "t-SNE: near encoders spread the sentences in a similar way; axes, scale and the width of gaps have no "
            "meaning.",
        )
        return render(figure, "map")


def facts_line(encoders: int, sentences: int, share: FamilyShare) -> str:
    """One line under the title: "227 encoders × 2,000 sentences · ..."."""
    p = f"p = {share.p_value:.2g}" if share.p_value >= 0.001 else "p < 0.001"
    copies = "; near-copies left out" if share.excluded else ""
    return (
        f"{encoders:,} encoders × {sentences:,} sentences · {share.share:.0%} of the {share.neighbours} nearest "
        f"neighbours are of the same family "
        f"(chance {share.chance:.0%}, {p}{copies})"
    )


# ---- the parts


def _height(table: pd.DataFrame) -> float:
    """Of the figure, in inches: as flat as the map is when its short side is drawn MOST_STRETCH times as large, with
    room for legend and names."""
    needed = map_height(table, 0.70 * WIDTH)
    families = min(table["family"].nunique(), MOST_FAMILIES)
    return float(np.clip(max(needed + 0.6, ENTRY * families + INSET) + ABOVE + BELOW, LEAST, TALLEST))


def _ring(axes: Axes, table: pd.DataFrame, name: str | None) -> list[int]:
    """A ring around an encoder; its row, or nothing where the map does not hold it."""
    rows = np.flatnonzero((table["name"] == name).to_numpy())[:1].tolist() if name is not None else []
    for row in rows:
        x, y = table[["x", "y"]].to_numpy()[row]
        axes.scatter(
            [x], [y], s=RING**2 * marker_size(len(table)), facecolors="none", edgecolors=INK, linewidths=1.0, zorder=5
        )
    return rows


def _families(
    axes: Axes, table: pd.DataFrame, own: Sequence[int], ringed: Sequence[int]
) -> tuple[list[Line2D], list[str]]:
    """Draw the encoders family by family, the largest family lowest, but the rows `own`, then those ringed, above all
    others; legend handles and texts, largest first, the rest last."""
    above = np.zeros(len(table))  # zorder
    above[list(own)], above[list(ringed)] = 1.0, 1.5
    counts = table["family"].value_counts()
    order = sorted(counts.index, key=lambda family: (-counts[family], family))
    shown = order if len(order) <= MOST_FAMILIES else order[: MOST_FAMILIES - 1]
    rest = ~table["family"].isin(shown).to_numpy()
    groups = [((table["family"] == family).to_numpy(), family) for family in shown]
    looks = [(COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]) for i in range(len(shown))]
    if rest.any():
        groups.append((rest, f"other ({len(order) - len(shown)} families)"))
        looks.append((GREY, "h"))
    handles, texts = [], []
    for depth, ((members, family), (colour, marker)) in enumerate(zip(groups, looks)):
        zorder = 2.8 if colour == GREY else 3.0 + 0.01 * depth
        look: dict[str, Any] = {"c": colour, "marker": marker, "linewidths": 0.4, "edgecolors": "white"}
        for lift in np.unique(above[members]):
            drawn = table[members & (above == lift)]
            axes.scatter(drawn["x"], drawn["y"], s=marker_size(len(table)), zorder=zorder + lift, **look)
        handles.append(Line2D([], [], ls="", marker=marker, color=colour, ms=6, mec="white", mew=0.4))
        texts.append(f"{plain(family, LONGEST_FAMILY)}  {members.sum()}")
    return handles, texts


def _by_qre(figure: Figure, table: pd.DataFrame) -> None:
    """The same map, small, coloured by QRE: what runs through the map beside the families."""
    height = figure.get_figheight()
    axes = figure.add_axes((0.745, 0.69 / height, 0.235, 1.2 / height))
    frame(axes, table)
    points = axes.scatter(
        table["x"], table["y"], c=table["qre"], s=marker_size(len(table)) / 5, cmap="cividis", linewidths=0
    )
    axes.set_title("the same map by QRE (nats)", fontsize=7, loc="left", pad=2)
    bar = figure.colorbar(
        points,
        cax=figure.add_axes((0.745, 0.57 / height, 0.235, 0.06 / height)),
        orientation="horizontal",
        ticks=MaxNLocator(4),
    )
    bar.outline.set_visible(False)  # type: ignore[operator]  # the stub: Spines.__getattr__
    bar.ax.tick_params(length=2, width=0.5, labelsize=6, pad=1.5)


def telling(table: pd.DataFrame, count: int) -> list[int]:
    """Row numbers of `count` encoders worth a name, the most telling first.

    The extremes of QRE and effective rank, then the medoid of each family on the map (families by size), then always
    the encoder that lies farthest from all that have a name, so that outliers and every region get one.
    """
    places = table[["x", "y"]].to_numpy(dtype=np.float64)
    places = places / np.maximum(np.ptp(places, axis=0), 1e-9)
    families, counts = table["family"].to_numpy(), table["family"].value_counts()
    extremes = [table[column].to_numpy() for column in ("qre", "effective_rank")]
    wanted = [int(find(values)) for find in (np.argmin, np.argmax) for values in extremes]
    for family in sorted(counts.index, key=lambda family: (-counts[family], family)):
        members = np.flatnonzero(families == family)
        wanted.append(int(members[cdist(places[members], places[members]).sum(axis=1).argmin()]))
    wanted = list(dict.fromkeys(wanted))
    away = cdist(places, places[wanted]).min(axis=1)
    for _ in range(min(count, len(table)) - len(wanted)):
        away[wanted] = -1.0  # also those that lie on a named one get their turn
        wanted.append(int(away.argmax()))
        away = np.minimum(away, cdist(places, places[wanted[-1:]])[:, 0])
    return wanted[:count]

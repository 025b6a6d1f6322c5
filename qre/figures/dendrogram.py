"""The cluster tree as a figure: who merges with whom, and at what distance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from qre.atlas.clusters import CUT_RULE, Clusters, ClusterTree, most_downloaded
from qre.atlas.ranking import known_numbers
from qre.counted import counted
from qre.figures.looks import REST, family_handles, family_legend, family_legend_height, family_looks
from qre.figures.style import INK, PALE, footnote, heading, new_figure, plain, render, shortened, style, width_of

WIDTH, MOST_DRAWN = 7.0, 100  # inches; encoders
MARGIN, NAMES, BESIDE, LEAF = 0.14, 2.5, 0.1, 0.095  # inches; of the names; beside them; of each leaf, at 6 points
ABOVE, BELOW, AXIS = 0.8, 0.43, 0.42  # inches: heading and cut, footnote, axis
TEXT = 6.0  # points
FLOOR = 2.0  # how many times below the smallest distance that is not 0 the distance 0 is drawn
MOST_SPAN = 1e7  # largest to smallest distance on the axis; smaller ones are drawn at its end, as 0 is
DARKER = 0.7  # of a family's colour, so that a name in it can be read on white
MOST_TICKS = 9


def dendrogram_figure(
    table: pd.DataFrame, clusters: Clusters, first: Sequence[str] = (), distance: str = "ℓ1"
) -> dict[str, bytes]:
    """The tree of up to MOST_DRAWN encoders, on a logarithmic scale of distance, with the default cut.

    Args:
        table: the map, one row an encoder: name, family, and downloads where they are known.
        clusters: of the encoders of the table.
        first: names of encoders that are drawn in any case; see `drawn_leaves` for the others.
        distance: what the distance is called.

    Returns:
        "dendrogram.png" and "dendrogram.svg"; nothing where there are not two encoders.
    """
    whole = clusters.tree
    if len(whole.leaves) < 2:
        return {}
    tree = whole.restricted(drawn_leaves(table, clusters, first))
    looks, count = family_looks(table), len(tree.leaves)
    families = table["family"].iloc[tree.leaves]
    with style():
        entries = family_handles(families, looks)
        legend = family_legend_height(entries[1]) + 0.08
        height = ABOVE + LEAF * max(count, 8) + AXIS + legend + BELOW
        figure = new_figure(WIDTH, height)
        all_of = f"{count:,} of {len(table):,} encoders" if count < len(table) else counted(count, "encoder")
        heading(
            figure,
            "Which encoders are alike, and how much",
            f"{all_of}: average linkage of {distance} distances between feature vectors; names in the colour of their "
            "family",
        )
        names = [
            shortened(figure, plain(name, 80), (NAMES - BESIDE) * figure.dpi, TEXT)
            for name in table["name"].to_numpy()[tree.leaves]
        ]
        left = MARGIN + BESIDE + max(width_of(figure, name, TEXT) for name in names) / figure.dpi
        axes = figure.add_axes(
            (
                left / WIDTH,
                (BELOW + legend + AXIS) / height,
                (WIDTH - MARGIN - left) / WIDTH,
                LEAF * max(count, 8) / height,
            )
        )
        floor = _scale(axes, tree.height, distance)
        _branches(axes, tree, floor)
        _names(axes, names, families, tree, looks)
        _cut(axes, clusters, floor)
        family_legend(figure, entries, MARGIN / 2, BELOW)
        if len(clusters.medoids) > 1:
            footnote(figure, f"Dashed: {CUT_RULE}.", line=1)
        footnote(
            figure,
            "Two encoders meet at the mean distance of the clusters that merge there, over all encoders of the map.",
        )
        return render(figure, "dendrogram")


def drawn_leaves(table: pd.DataFrame, clusters: Clusters, first: Sequence[str] = ()) -> np.ndarray:
    """Up to MOST_DRAWN leaves of a tree, (m,) int64, rising.

    Those named `first`; then the most downloaded, if so many are known; else the medoid of each cluster, and the others
    evenly: as many of each cluster as it has, spread over its part of the tree.
    """
    tree = clusters.tree
    if len(tree.leaves) <= MOST_DRAWN:
        return np.arange(len(tree.leaves))
    names = table["name"].to_numpy()[tree.leaves]
    wanted = [int(np.flatnonzero(names == name)[0]) for name in first if (names == name).any()]
    downloads = known_numbers(table, "downloads")[tree.leaves]
    if np.isfinite(downloads).sum() >= MOST_DRAWN:
        wanted += most_downloaded(downloads, len(downloads)).tolist()
    else:
        wanted += [*clusters.medoids.tolist(), *_evenly(clusters)]
    return np.sort(np.array(list(dict.fromkeys(wanted))[:MOST_DRAWN], dtype=np.int64))


def _evenly(clusters: Clusters) -> list[int]:
    """All leaves: one of each cluster in turn, those of a cluster far from each other in the tree first."""
    order, turns = clusters.tree.order(), []
    for label in range(1, len(clusters.medoids) + 1):
        members = order[clusters.labels[order] == label]
        turns += [(turn, label, int(members[place])) for turn, place in enumerate(_halving(len(members)))]
    return [leaf for _, _, leaf in sorted(turns)]


def _halving(size: int) -> np.ndarray:
    """0 to size - 1 so that each beginning is spread evenly: ordered by the reversed bits of the number."""
    bits = max(1, int(size - 1).bit_length())
    reversed_bits = [int(f"{number:0{bits}b}"[::-1], 2) for number in range(size)]
    return np.argsort(reversed_bits, kind="stable")


def _scale(axes: Axes, heights: np.ndarray, distance: str) -> float:
    """A logarithmic axis of distance, and where on it a distance of 0 is drawn."""
    top = float(heights.max()) or 1.0
    smallest = float(heights[heights > top / MOST_SPAN].min(initial=top))
    floor = smallest / FLOOR
    end = top * (top / floor) ** 0.04
    ticks = _ticks(smallest, top)
    low = bool((heights <= floor).any())
    least = "0" if not heights[heights <= floor].any() else f"<{smallest:.1g}"
    axes.set(xscale="log", xlim=(floor, end))
    axes.xaxis.set_major_locator(FixedLocator([*([floor] if low else []), *ticks]))
    axes.xaxis.set_major_formatter(FixedFormatter([*([least] if low else []), *(f"{tick:g}" for tick in ticks)]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(length=2, width=0.5, labelsize=TEXT, pad=1.5)
    axes.set_xlabel(f"{distance} distance (logarithmic)", fontsize=TEXT + 1, labelpad=2)
    axes.set_yticks([])
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.grid(axis="x", lw=0.4, color="#EEEEEE")
    axes.set_axisbelow(True)
    return floor


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from low to high, at most MOST_TICKS; the ends themselves where there are not two round ones."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= MOST_TICKS:
            break
    return ticks if len(ticks) > 1 else [float(f"{end:.2g}") for end in dict.fromkeys((low, high))]


def _branches(axes: Axes, tree: ClusterTree, floor: float) -> None:
    """Each merge as a bracket, the leaves from top to bottom."""
    count = len(tree.leaves)
    middle, height = np.empty(2 * count - 1), np.full(2 * count - 1, floor)
    middle[tree.order()] = np.arange(count)
    height[count:] = np.maximum(tree.height, floor)
    for merge, (left, right) in enumerate(zip(tree.left, tree.right, strict=True)):
        middle[count + merge] = (middle[left] + middle[right]) / 2
    brackets = [
        [(height[a], middle[a]), (height[c], middle[a]), (height[c], middle[b]), (height[b], middle[b])]
        for c, a, b in zip(range(count, 2 * count - 1), tree.left, tree.right, strict=True)
    ]
    axes.add_collection(LineCollection(brackets, colors=INK, linewidths=0.6, joinstyle="miter"), autolim=False)
    axes.set_ylim(max(count, 8) - 0.5, -0.5)


def _names(
    axes: Axes, names: Sequence[str], families: pd.Series, tree: ClusterTree, looks: dict[str, tuple[str, str]]
) -> None:
    """The name of each leaf in its family's colour, and the family's marker where the branch begins."""
    at = axes.get_yaxis_transform()
    width = axes.get_window_extent().width / axes.figure.dpi
    for line, leaf in enumerate(tree.order()):
        colour, marker = looks.get(families.iat[leaf], REST)
        axes.plot([-0.04 / width], [line], marker=marker, ms=2.8, mfc=colour, mew=0, clip_on=False, transform=at)
        shade = tuple(DARKER * part for part in to_rgb(colour))
        axes.text(-0.09 / width, line, names[leaf], color=shade, fontsize=TEXT, ha="right", va="center", transform=at)


def _cut(axes: Axes, clusters: Clusters, floor: float) -> None:
    """A line at the default cut, between the last merge below it and the first above."""
    count = len(clusters.medoids)
    if count < 2:
        return
    below, above = clusters.tree.cut_height(count)
    place = float(np.sqrt(max(below, floor) * max(above, floor)))
    axes.axvline(place, color=PALE, lw=0.8, ls=(0, (4, 2)), zorder=1.5)
    axes.text(
        place,
        1.0,
        f"{count} clusters",
        fontsize=TEXT,
        color=PALE,
        ha="center",
        va="bottom",
        transform=axes.get_xaxis_transform(),
    )

"""The map as a figure for print: PNG (300 dpi) and SVG, the same bytes for the same map.

Families differ by colour and by marker: the colours are those of Okabe and Ito (2008), which colour-blind readers can tell apart, and the
markers still do in a greyscale print. Names come from strangers: they are never read as mathtext, and characters that the font of
matplotlib lacks are drawn as boxes. The object-oriented API only: no pyplot figure, no global state left behind.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import matplotlib
import numpy as np
import pandas as pd
from adjustText import adjust_text
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from scipy.spatial.distance import cdist

from qre.atlas.neighbours import FamilyShare

# Okabe-Ito without yellow (too light for a small marker on white) and black (kept for text)
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#5B4A9C")
MARKERS = ("o", "^", "s", "D", "v", "P", "X", "<", "p", ">")  # 7 colours and 10 markers, both moving on: 70 families before one repeats
GREY, INK, PALE = "#9A9A9A", "#222222", "#666666"
MOST_FAMILIES = 20  # with more, the smallest are drawn together
OTHER = "other"
LONGEST_NAME, LONGEST_FAMILY = 40, 26
DPI = 300
STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same figure on every machine
    "font.size": 7.0,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": "#BBBBBB",
    "axes.linewidth": 0.6,
    "svg.hashsalt": "encoder-map",
    "svg.fonttype": "path",
}


def map_figure(table: pd.DataFrame, title: str, facts: str, labels: int = 24) -> dict[str, bytes]:
    """The map, its legend, and the same map coloured by QRE.

    Args:
        table: one row an encoder, with name, family, x, y, qre (nats) and effective_rank; N >= 1. Other columns are left alone.
        title: first line; plain text.
        facts: second line, see `facts_line`; plain text.
        labels: how many encoders are named at most; fewer where they would overlap.

    Returns:
        "map.png" and "map.svg".
    """
    with style():
        figure = new_figure(7.6, 6.0)
        heading(figure, title, facts)
        axes = figure.add_axes((0.02, 0.06, 0.70, 0.82))
        stretch = _frame(axes, table)
        legend = _families(axes, table)
        figure.legend(*legend, loc="upper left", bbox_to_anchor=(0.735, 0.89), frameon=False, labelspacing=0.45, handletextpad=0.3, borderpad=0)
        _by_qre(figure, table)
        _label(axes, table, _telling(table, labels))
        footnote(figure, "t-SNE: nearness has a meaning; axes, scale and the width of gaps have none." + stretch)
        return render(figure, "map")


def facts_line(encoders: int, sentences: int, share: FamilyShare) -> str:
    """One line under the title: "227 encoders × 2,000 sentences · ..."."""
    p = f"p = {share.p_value:.2g}" if share.p_value >= 0.001 else "p < 0.001"
    copies = ", near-copies left out" if share.excluded else ""
    return (
        f"{encoders:,} encoders × {sentences:,} sentences · {share.share:.0%} of the {share.neighbours} nearest neighbours{copies} "
        f"are of the same family (chance {share.chance:.0%}, {p})"
    )


# ---- what every figure of the project shares


@contextmanager
def style() -> Iterator[None]:
    """matplotlib's own defaults with STYLE over them, whatever the machine's matplotlibrc says; the old settings return at the end."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty white figure, width x height inches, with its own canvas."""
    figure = Figure(figsize=(width, height), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def heading(figure: Figure, title: str, facts: str) -> None:
    """Title and line of facts at the top left."""
    figure.text(0.02, 0.968, plain(title, 90), fontsize=11, fontweight="bold", va="center")
    figure.text(0.02, 0.925, plain(facts, 160), fontsize=7.5, color=PALE, va="center")


def footnote(figure: Figure, text: str) -> None:
    figure.text(0.02, 0.025, text, fontsize=6, color=PALE, va="center")


def render(figure: Figure, stem: str) -> dict[str, bytes]:
    """stem.png and stem.svg, without a date: the same figure gives the same bytes."""
    files = {}
    for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, dpi=DPI, metadata=metadata)
        files[f"{stem}.{kind}"] = buffer.getvalue()
    return files


def plain(text: str, longest: int) -> str:
    """Text on one line that the font can draw: control characters become spaces, unknown ones boxes, a long middle an ellipsis.

    The middle, as both ends of a name tell it apart: the model in front, the transform at the back.
    """
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    text = "".join(c if ord(c) in _drawable() else "□" for c in text)
    if len(text) <= longest:
        return text
    head = (longest - 1) // 2
    return f"{text[:head]}…{text[len(text) - (longest - 1 - head):]}"


@cache
def _drawable() -> frozenset[int]:
    """Code points of the font that comes with matplotlib."""
    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())


# ---- the parts of the map


def _frame(axes: Axes, table: pd.DataFrame) -> str:
    """Limits with a margin for labels, no ticks, no frame; returns a remark where the two axes are drawn at different scales."""
    spans = []
    for column, limits in (("x", axes.set_xlim), ("y", axes.set_ylim)):
        low, high = table[column].min(), table[column].max()
        spans.append((high - low) or 1.0)
        limits((low + high) / 2 - 0.56 * spans[-1], (low + high) / 2 + 0.56 * spans[-1])
    axes.set_axis_off()
    box = axes.get_window_extent()
    stretch = (box.height / spans[1]) / (box.width / spans[0])
    if stretch > 1.5:
        return f" The vertical is drawn {stretch:.1f} times as large as the horizontal."
    return f" The horizontal is drawn {1 / stretch:.1f} times as large as the vertical." if stretch < 1 / 1.5 else ""


def _marker_size(count: int) -> float:
    """Area in points²: large enough to tell the marker, small enough for a thousand of them."""
    return float(np.clip(5000 / count, 11, 42))


def _families(axes: Axes, table: pd.DataFrame) -> tuple[list[Line2D], list[str]]:
    """Draw the encoders family by family, the largest family lowest; legend handles and texts, largest first, `other` last."""
    counts = table["family"].value_counts()
    order = sorted(counts.index, key=lambda family: (-counts[family], family))
    shown = order if len(order) <= MOST_FAMILIES else order[: MOST_FAMILIES - 1]
    rest = table[~table["family"].isin(shown)]
    groups = [(table[table["family"] == family], family) for family in shown]
    looks = [(COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]) for i in range(len(shown))]
    if len(rest):
        groups.append((rest, f"{OTHER} ({len(order) - len(shown)} families)"))
        looks.append((GREY, "."))
    handles, texts = [], []
    for depth, ((members, family), (colour, marker)) in enumerate(zip(groups, looks)):
        zorder = 2.0 if colour == GREY else 3.0 + 0.01 * depth
        axes.scatter(
            members["x"], members["y"], s=_marker_size(len(table)), c=colour, marker=marker, linewidths=0.4, edgecolors="white", zorder=zorder
        )
        handles.append(Line2D([], [], ls="", marker=marker, color=colour, ms=6, mec="white", mew=0.4))
        texts.append(f"{plain(family, LONGEST_FAMILY)}  {len(members)}")
    return handles, texts


def _by_qre(figure: Figure, table: pd.DataFrame) -> None:
    """The same map, small, coloured by QRE: what runs through the map beside the families."""
    axes = figure.add_axes((0.745, 0.115, 0.235, 0.20))
    _frame(axes, table)
    points = axes.scatter(table["x"], table["y"], c=table["qre"], s=_marker_size(len(table)) / 5, cmap="cividis", linewidths=0)
    axes.set_title("the same map by QRE (nats)", fontsize=7, loc="left", pad=2)
    bar = figure.colorbar(points, cax=figure.add_axes((0.745, 0.095, 0.235, 0.010)), orientation="horizontal", ticks=MaxNLocator(4))
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=2, width=0.5, labelsize=6, pad=1.5)


def _telling(table: pd.DataFrame, labels: int) -> list[int]:
    """Row numbers of the encoders worth a name, the most telling first.

    The extremes of QRE and effective rank, then the medoid of each family on the map, then the member of each family farthest from it;
    families by size.
    """
    wanted = [int(table[column].to_numpy().argmin()) for column in ("qre", "effective_rank")]
    wanted += [int(table[column].to_numpy().argmax()) for column in ("qre", "effective_rank")]
    places = table[["x", "y"]].to_numpy(dtype=np.float64)
    families = table["family"].to_numpy()
    counts = table["family"].value_counts()
    medoids, outliers = [], []
    for family in sorted(counts.index, key=lambda family: (-counts[family], family)):
        members = np.flatnonzero(families == family)
        between = cdist(places[members], places[members])
        medoid = between.sum(axis=1).argmin()
        medoids.append(int(members[medoid]))
        outliers.append(int(members[between[medoid].argmax()]))
    return list(dict.fromkeys(wanted + medoids + outliers + list(range(len(table)))))[:labels]


def _label(axes: Axes, table: pd.DataFrame, rows: list[int], labels: int) -> None:
    """Name up to `labels` encoders, in the order of rows; one that has no free place near it goes without a name.

    Greedy: each name takes the nearest of its candidate places that covers no point, no name and no leader line, so what is drawn never
    overlaps (force-directed placement, as adjustText does it, left a third of the names of a dense map on points or on each other).
    """
    frame = axes.get_window_extent()
    points = axes.transData.transform(table[["x", "y"]].to_numpy(dtype=np.float64))
    radius = 0.5 * np.sqrt(_marker_size(len(table))) * axes.figure.dpi / 72
    names = table["name"].to_numpy()
    boxes, lines, placed = np.empty((0, 4)), np.empty((0, 2)), 0
    for row in rows:
        if placed == labels:
            return
        text = axes.text(0, 0, plain(names[row], LONGEST_NAME), fontsize=5.8, zorder=6, ha="center", va="center_baseline", transform=None)
        size = np.array([text.get_window_extent().width + 4, text.get_window_extent().height + 1])
        candidates = _candidates(points[row], size, radius)
        leaders = np.array([_leader(points[row], box) for box in candidates])
        inside = (candidates[:, :2] >= (frame.x0, frame.y0)).all(1) & (candidates[:, 2:] <= (frame.x1, frame.y1)).all(1)
        free = inside & ~_overlap(candidates, boxes) & ~_covers(candidates, points, radius) & ~_covers(candidates, lines, 1)
        free &= ~np.array([_covers(boxes, leader, 1).any() or _near(leader, lines, 3) for leader in leaders])
        if not free.any():
            text.remove()
            continue
        crossed = np.array([_near(leader[4:], np.delete(points, row, 0), radius) for leader in leaders])
        best = int(np.argmin(np.where(free, np.arange(len(candidates)) + 20 * crossed, np.inf)))
        text.set_position(((candidates[best, 0] + candidates[best, 2]) / 2, (candidates[best, 1] + candidates[best, 3]) / 2))
        boxes, lines, placed = np.vstack([boxes, candidates[best]]), np.vstack([lines, leaders[best]]), placed + 1
        if np.hypot(*(leaders[best][-1] - leaders[best][0])) > radius + 4:
            axes.add_line(Line2D(*leaders[best][[0, -1]].T, lw=0.45, color=PALE, zorder=2.5, transform=None))

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

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from scipy.spatial.distance import cdist

from qre.atlas.neighbours import FamilyShare

# Okabe-Ito without yellow (too light for a small marker on white) and black (kept for text), and Tol's wine as a dark seventh
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#882255")
MARKERS = ("o", "^", "s", "D", "v", "P", "X", "<", "p", ">")  # 7 colours and 10 markers, both moving on: 70 families before one repeats
GREY, INK, PALE = "#9A9A9A", "#222222", "#666666"
MOST_FAMILIES = 20  # with more, the smallest are drawn together
MOST_STRETCH = 8  # maps are often long and flat: the short side is drawn larger, and the figure says so, but no more than this
LONGEST_NAME, LONGEST_FAMILY = 40, 26
FARTHEST = 80  # pixels (of 1/100 inch) between an encoder and its name
STEPS = 12  # places looked at along a leader line
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
    "legend.labelspacing": 0.45,
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
        figure.legend(*legend, loc="upper left", bbox_to_anchor=(0.735, 0.89), frameon=False, handletextpad=0.3, borderpad=0)
        _by_qre(figure, table)
        _label(axes, table, _telling(table, 3 * labels), labels)
        footnote(figure, "t-SNE: nearness has a meaning; axes, scale and the width of gaps have none." + stretch)
        return render(figure, "map")


def facts_line(encoders: int, sentences: int, share: FamilyShare) -> str:
    """One line under the title: "227 encoders × 2,000 sentences · ..."."""
    p = f"p = {share.p_value:.2g}" if share.p_value >= 0.001 else "p < 0.001"
    copies = "; near-copies left out" if share.excluded else ""
    return (
        f"{encoders:,} encoders × {sentences:,} sentences · {share.share:.0%} of the {share.neighbours} nearest neighbours are family "
        f"(chance {share.chance:.0%}, {p}{copies})"
    )


# ---- what every figure of the project shares


@contextmanager
def style() -> Iterator[None]:
    """matplotlib's own defaults with STYLE over them, whatever the machine's matplotlibrc says; the old settings return at the end."""
    with matplotlib.style.context(["default", STYLE]):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty white figure, width x height inches, with its own canvas."""
    figure = Figure(figsize=(width, height), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def heading(figure: Figure, title: str, facts: str) -> None:
    """Title and line of facts at the top left, in the upper half inch."""
    height = figure.get_figheight()
    figure.text(0.02, 1 - 0.19 / height, plain(title, 90), fontsize=11, fontweight="bold", va="center")
    figure.text(0.02, 1 - 0.45 / height, plain(facts, 135), fontsize=7.5, color=PALE, va="center")


def footnote(figure: Figure, text: str) -> None:
    """Small and grey at the bottom left."""
    figure.text(0.02, 0.15 / figure.get_figheight(), text, fontsize=6, color=PALE, va="center")


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
    """Code points that the font that comes with matplotlib has both in regular and in bold."""
    regular, bold = (get_font(findfont(font)).get_charmap() for font in ("DejaVu Sans", "DejaVu Sans:bold"))
    return frozenset(regular) & frozenset(bold)


# ---- the parts of the map


def _frame(axes: Axes, table: pd.DataFrame) -> str:
    """Limits with a margin for labels, no ticks, no frame; returns a remark where the two axes are drawn at different scales."""
    box = axes.get_window_extent()
    low, high = table[["x", "y"]].min().to_numpy(), table[["x", "y"]].max().to_numpy()
    spans = np.maximum(high - low, 1e-9 * np.abs(high).max() + 1e-9)
    scale = np.array([box.width, box.height]) / spans
    scale = np.minimum(scale, MOST_STRETCH * scale.min())  # pixels for a unit of the map
    halves = 0.56 * np.array([box.width, box.height]) / scale
    (left, bottom), (right, top) = (low + high) / 2 - halves, (low + high) / 2 + halves
    axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.set_axis_off()
    stretch = scale[1] / scale[0]
    if stretch > 1.5:
        return f" The vertical is drawn {stretch:.1f} times as large as the horizontal."
    return f" The horizontal is drawn {1 / stretch:.1f} times as large as the vertical." if stretch < 1 / 1.5 else ""


def _marker_size(count: int) -> float:
    """Area in points²: large enough to tell the marker, small enough for a thousand of them."""
    return float(np.clip(5000 / count, 14, 42))


def _families(axes: Axes, table: pd.DataFrame) -> tuple[list[Line2D], list[str]]:
    """Draw the encoders family by family, the largest family lowest; legend handles and texts, largest first, the rest last."""
    counts = table["family"].value_counts()
    order = sorted(counts.index, key=lambda family: (-counts[family], family))
    shown = order if len(order) <= MOST_FAMILIES else order[: MOST_FAMILIES - 1]
    rest = table[~table["family"].isin(shown)]
    groups = [(table[table["family"] == family], family) for family in shown]
    looks = [(COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]) for i in range(len(shown))]
    if len(rest):
        groups.append((rest, f"other ({len(order) - len(shown)} families)"))
        looks.append((GREY, "h"))
    handles, texts = [], []
    for depth, ((members, family), (colour, marker)) in enumerate(zip(groups, looks)):
        zorder = 2.8 if colour == GREY else 3.0 + 0.01 * depth
        look = {"c": colour, "marker": marker, "linewidths": 0.4, "edgecolors": "white", "zorder": zorder}
        axes.scatter(members["x"], members["y"], s=_marker_size(len(table)), **look)
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


def _telling(table: pd.DataFrame, count: int) -> list[int]:
    """Row numbers of `count` encoders worth a name, the most telling first.

    The extremes of QRE and effective rank, then the medoid of each family on the map (families by size), then always the encoder that
    lies farthest from all that have a name, so that outliers and every region get one.
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


def _label(axes: Axes, table: pd.DataFrame, rows: list[int], labels: int) -> None:
    """Name up to `labels` encoders, in the order of rows; one that finds no free place near it goes without a name.

    Greedy: each name takes the nearest of its candidate places that covers no point, no name and no leader line, so that nothing overlaps
    whatever the map (force-directed placement with adjustText 1.4 left names of a dense map on points, and on each other).
    """
    frame = axes.get_window_extent().extents
    points = axes.transData.transform(table[["x", "y"]].to_numpy(dtype=np.float64))
    radius = 0.5 * np.sqrt(_marker_size(len(table))) * axes.figure.dpi / 72
    names = table["name"].to_numpy()
    boxes, lines = np.empty((0, 4)), np.empty((0, 2))
    for row in rows:
        if len(boxes) == labels:
            return
        text = axes.text(0, 0, plain(names[row], LONGEST_NAME), fontsize=5.8, zorder=6, ha="center", va="center")
        extent = text.get_window_extent()
        candidates, leaders = _candidates(points[row], np.array([extent.width + 3, extent.height]), radius)
        local = points[(np.abs(points - points[row]) < FARTHEST + radius + 2 * np.ptp(candidates[0].reshape(2, 2), axis=0)).all(axis=1)]
        penalty = _penalties(candidates, leaders, frame, local, radius, boxes, lines)
        best = int(penalty.argmin())
        if penalty[best] == np.inf:
            text.remove()
            continue
        boxes, lines = np.vstack([boxes, candidates[best]]), np.vstack([lines, leaders[best]])
        to_data = axes.transData.inverted().transform
        text.set_position(to_data(candidates[best].reshape(2, 2).mean(axis=0)))
        if np.hypot(*(leaders[best][-1] - points[row])) > radius + 5:
            axes.add_line(Line2D(*to_data(leaders[best][[0, -1]]).T, lw=0.5, color=PALE, zorder=2.5))


def _candidates(point: np.ndarray, size: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Places for a name of this size (2,) around a point (2,), in pixels, the best first: nearer, and to the right, is better.

    Returns:
        boxes (C, 4) as x0, y0, x1, y1, and leader lines (C, STEPS, 2), each as STEPS places from the point to the nearest edge of the box.
    """
    gaps = radius + FARTHEST * np.array([0.02, 0.06, 0.11, 0.17, 0.25, 0.35, 0.47, 0.62, 0.81, 1.0])
    angles = np.radians([0, 180, 90, 270, 45, 315, 135, 225, 22, 338, 158, 202, 68, 292, 112, 248])
    gap, angle = (grid.ravel() for grid in np.meshgrid(gaps, angles, indexing="ij"))
    centres = point + np.column_stack([np.cos(angle) * (gap + size[0] / 2), np.sin(angle) * (gap + size[1] / 2)])
    boxes = np.hstack([centres - size / 2, centres + size / 2])
    ends = np.clip(point, boxes[:, :2], boxes[:, 2:])
    return boxes, point + np.linspace(0, 1, STEPS)[None, :, None] * (ends - point)[:, None, :]


def _penalties(
    candidates: np.ndarray, leaders: np.ndarray, frame: np.ndarray, points: np.ndarray, radius: float, boxes: np.ndarray, lines: np.ndarray
) -> np.ndarray:
    """What each candidate place (C, 4) costs, shape (C,): its rank, more for every point its leader runs over, Inf where it is taken."""
    outside = (candidates[:, :2] < frame[:2]).any(axis=1) | (candidates[:, 2:] > frame[2:]).any(axis=1)
    on_name = (_gap(candidates[:, None, :2], candidates[:, None, 2:], boxes[:, :2], boxes[:, 2:]) < 1).any(axis=1)
    on_point = (_gap(candidates[:, None, :2], candidates[:, None, 2:], points, points) < radius).any(axis=1)
    on_line = (_gap(candidates[:, None, :2], candidates[:, None, 2:], lines, lines) < 1).any(axis=1)
    steps = leaders.reshape(-1, 1, 2)
    crosses_name = (_gap(steps, steps, boxes[:, :2], boxes[:, 2:]) < 1).any(axis=1).reshape(len(candidates), -1).any(axis=1)
    crosses_line = _cross(leaders[:, None, [0, -1]], lines.reshape(-1, STEPS, 2)[:, [0, -1]]).any(axis=1)
    run_over = (_gap(steps, steps, points, points) < radius).reshape(len(candidates), -1, len(points)).any(axis=1).sum(axis=1) - 1
    taken = outside | on_name | on_point | on_line | crosses_name | crosses_line | (run_over > 1)
    return np.where(taken, np.inf, np.arange(len(candidates)) + 24.0 * run_over)


def _gap(low: np.ndarray, high: np.ndarray, others_low: np.ndarray, others_high: np.ndarray) -> np.ndarray:
    """The larger of the horizontal and the vertical gap between boxes, negative where they overlap; shapes broadcast, last axis 2."""
    return np.maximum(others_low - high, low - others_high).max(axis=-1)


def _cross(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Whether line segments cross: shapes (..., 2, 2), broadcast; the last axis is x, y, the one before it the two ends."""

    def side(segment, place):  # of the segment's line, on which a place lies: a sign
        along, to = segment[..., 1, :] - segment[..., 0, :], place - segment[..., 0, :]
        return np.sign(along[..., 0] * to[..., 1] - along[..., 1] * to[..., 0])

    apart = [side(a, b[..., 0, :]) * side(a, b[..., 1, :]) < 0 for a, b in ((first, second), (second, first))]
    return apart[0] & apart[1]

"""What all figures share: PNG (300 dpi) and SVG for print, the same bytes for the same numbers.

Families differ by colour and by marker: the colours are those of Okabe and Ito (2008), which colour-blind readers can
    tell apart, and the
markers still do in a greyscale print. Names come from strangers: they are never read as mathtext, and characters that
the font of matplotlib lacks are drawn as boxes. The object-oriented API only: no pyplot figure, no global state left
behind.
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
from matplotlib.text import Text

# Okabe-Ito without yellow (too light for a small marker on white) and black (kept for text), and Tol's wine as a dark
# seventh
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#882255")
# 7 colours and 10 markers, both moving on: 70 families before one repeats
MARKERS = ("o", "^", "s", "D", "v", "P", "X", "<", "p", ">")
GREY, INK, PALE = "#9A9A9A", "#222222", "#666666"
MOST_FAMILIES = 20  # with more, the smallest are drawn together
MOST_STRETCH = (
    3  # maps are often long and flat: the short side is drawn larger, and the figure says so, but no more than this
)
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
    "legend.labelspacing": 0.45,
}


@contextmanager
def style() -> Iterator[None]:
    """matplotlib's own defaults with STYLE over them, whatever the machine's matplotlibrc says; the old settings return
    at the end."""
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
    fitted(figure, 0.02, 1 - 0.19 / height, plain(title, 90), 11, fontweight="bold")
    fitted(figure, 0.02, 1 - 0.45 / height, plain(facts, 200), 7.5, color=PALE)


def footnote(figure: Figure, text: str, line: int = 0) -> None:
    """Small and grey at the bottom left; line 1 is above line 0."""
    fitted(figure, 0.02, (0.15 + 0.13 * line) / figure.get_figheight(), text, 6, color=PALE)


def fitted(figure: Figure, x: float, y: float, text: str, size: float, right: float = 0.98, **look) -> Text:
    """A line of text from x on (of the figure, 0 to 1), at most to `right`: a little smaller where it is longer, then
    with an ellipsis in its middle."""
    room = (right - x) * figure.bbox.width
    size *= float(np.clip(room / max(width_of(figure, text, size, **look), 1e-9), 0.8, 1))
    return figure.text(x, y, shortened(figure, text, room, size, **look), fontsize=size, va="center", **look)


def shortened(figure: Figure, text: str, room: float, size: float, **look) -> str:
    """Text of this size in points that is not wider than `room` pixels."""
    longest = len(text)
    while longest > 1 and (width := width_of(figure, plain(text, longest), size, **look)) > room:
        longest = max(1, min(longest - 1, int(longest * room / width)))
    return plain(text, longest)


def width_of(figure: Figure, text: str, size: float, **look) -> float:
    """Pixels that a line of text takes."""
    drawn = figure.text(0, 0, text, fontsize=size, **look)
    try:
        return float(drawn.get_window_extent().width)
    finally:
        drawn.remove()


def render(figure: Figure, stem: str) -> dict[str, bytes]:
    """stem.png and stem.svg, without a date: the same figure gives the same bytes."""
    files = {}
    for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, dpi=DPI, metadata=metadata)
        files[f"{stem}.{kind}"] = buffer.getvalue()
    return files


def plain(text: str, longest: int) -> str:
    """Text on one line that the font can draw: control characters become spaces, unknown ones boxes, a long middle an
    ellipsis.

    The middle, as both ends of a name tell it apart: the model in front, the transform at the back.
    """
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    text = "".join(c if ord(c) in _drawable() else "□" for c in text)
    if len(text) <= longest:
        return text
    head = max(0, longest - 1) // 2
    return f"{text[:head]}…{text[len(text) - (longest - 1 - head) :]}"


@cache
def _drawable() -> frozenset[int]:
    """Code points that the font that comes with matplotlib has both in regular and in bold."""
    regular, bold = (get_font(findfont(font)).get_charmap() for font in ("DejaVu Sans", "DejaVu Sans:bold"))
    return frozenset(regular) & frozenset(bold)


def frame(axes: Axes, table: pd.DataFrame) -> None:
    """Limits with a margin for labels, no ticks, no frame."""
    box = axes.get_window_extent()
    low, high = table[["x", "y"]].min().to_numpy(), table[["x", "y"]].max().to_numpy()
    spans = np.maximum(high - low, 1e-9 * np.abs(high).max() + 1e-9)
    scale = np.array([box.width, box.height]) / spans
    scale = np.minimum(scale, MOST_STRETCH * scale.min())  # pixels for a unit of the map
    halves = 0.56 * np.array([box.width, box.height]) / scale
    (left, bottom), (right, top) = (low + high) / 2 - halves, (low + high) / 2 + halves
    axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.set_axis_off()


def map_height(table: pd.DataFrame, width: float) -> float:
    """Inches that a map takes when it is as wide as `width` and its short side is drawn MOST_STRETCH times as large."""
    spans = np.ptp(table[["x", "y"]].to_numpy(dtype=np.float64), axis=0)
    return float(width * MOST_STRETCH * spans[1] / spans[0]) if spans[0] > 0 else 0.0


def marker_size(count: int) -> float:
    """Area in points²: large enough to tell the marker, small enough for a thousand of them."""
    return float(np.clip(5000 / count, 14, 42))

"""The map as small multiples, coloured by what is known of the encoders: which attributes it follows, and which not."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from qre.counted import counted
from qre.figures.style import (
    COLOURS,
    GREY,
    MARKERS,
    MOST_STRETCH,
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
from qre.figures.varying import Attribute, varying_attributes

WIDTH, COLUMNS, MOST_PANELS = 7.0, 3, 9  # inches; a page of two columns
MARGIN, GAP = 0.14, 0.16  # inches beside the panels, and between them
TITLE, TALLEST, FLATTEST = 0.22, 1.65, 0.7  # inches of a panel: its title, and its map
ABOVE, BELOW, ENTRY, BAR = 0.62, 0.3, 0.115, 0.4  # inches: heading, footnote, a line of a legend, a colour scale
TEXT = 6.0  # points
MOST_SHAPES = 2_000  # encoders that the SVG holds as shapes; of more the points of each panel are one picture in it
INNER, FAR_OFF = (0.02, 0.98), 0.25  # quantiles; how far beyond them, in their distance, a number is off the scale
COLOUR_MAP = "viridis"


def by_attribute_figure(table: pd.DataFrame, scores: pd.DataFrame | None = None) -> dict[str, bytes]:
    """The map once for each attribute that varies, at most MOST_PANELS; by QRE alone where none does.

    Args:
        table: the map, one row an encoder: name, family, x, y, qre, and any of the columns of
            `varying.varying_attributes`; N >= 1.
        scores: with the columns ranking.SCORES; None: none.

    Returns:
        "map_by_attribute.png" and "map_by_attribute.svg".
    """
    shown = varying_attributes(table, scores, MOST_PANELS)
    shown = shown or [Attribute("QRE (nats)", table["qre"].to_numpy(dtype=np.float64))]
    shown.sort(key=lambda attribute: attribute.numeric)  # categories first: legends are taller than scales
    rows = [shown[start : start + COLUMNS] for start in range(0, len(shown), COLUMNS)]
    tall, keys = _map_height(table), [max(_key_height(attribute) for attribute in row) for row in rows]
    with style():
        height = ABOVE + BELOW + sum(TITLE + tall + key for key in keys)
        figure = new_figure(WIDTH, height)
        heading(
            figure,
            "The map by what is known of the encoders",
            f"{counted(len(table), 'encoder')}; hollow: not known of the encoder",
        )
        wide = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS
        top = height - ABOVE
        for row, key in zip(rows, keys, strict=True):
            for column, attribute in enumerate(row):
                left = MARGIN + column * (wide + GAP)
                _panel(figure, table, attribute, (left, top - TITLE - tall, wide, tall))
            top -= TITLE + tall + key
        footnote(figure, "t-SNE: nearness has a meaning; axes, scale and the width of gaps have none.")
        return render(figure, "map_by_attribute")


def _map_height(table: pd.DataFrame) -> float:
    """Inches of each small map: flat where the map is flat."""
    wide = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS
    width, height = np.ptp(table[["x", "y"]].to_numpy(dtype=np.float64), axis=0)
    return float(np.clip(wide * MOST_STRETCH * height / width, FLATTEST, TALLEST)) if width > 0 else FLATTEST


def _key_height(attribute: Attribute) -> float:
    if attribute.numeric:
        return BAR
    shown, counts = _categories(attribute)
    entries = len(shown) + (len(counts) > len(shown)) + (not attribute.known.all())
    return ENTRY * -(-entries // 2) + 0.18


def _panel(figure: Figure, table: pd.DataFrame, attribute: Attribute, box: tuple[float, float, float, float]) -> None:
    """One map with its title above and its key below.

    Args:
        box: left, bottom, width and height of the map, inches.
    """
    size = figure.get_size_inches()
    left, bottom, wide, tall = box
    axes = figure.add_axes((left / size[0], bottom / size[1], wide / size[0], tall / size[1]))
    frame(axes, table)
    title = shortened(figure, plain(attribute.title, 60), wide * figure.dpi, TEXT + 1, fontweight="bold")
    figure.text(
        left / size[0], (bottom + tall + 0.09) / size[1], title, fontsize=TEXT + 1, fontweight="bold", va="center"
    )
    unknown, area = ~attribute.known, max(marker_size(len(table)) / 4, 4.0)
    axes.scatter(
        table["x"][unknown],
        table["y"][unknown],
        s=0.7 * area,
        facecolors="none",
        edgecolors=GREY,
        linewidths=0.4,
        zorder=2.5,
        rasterized=len(table) > MOST_SHAPES,
    )
    if attribute.numeric:
        _scale(figure, axes, table, attribute, area, (left, bottom - 0.06, wide))
    else:
        _legend(figure, axes, table, attribute, area, (left, bottom - 0.02, wide))


def _scale(
    figure: Figure,
    axes: Axes,
    table: pd.DataFrame,
    attribute: Attribute,
    area: float,
    place: tuple[float, float, float],
) -> None:
    """Points coloured by a number, and the colour scale at a place (left, top, width; inches)."""
    known = attribute.known
    values = attribute.values[known]
    low, high, extend = _limits(values, attribute.logarithmic)
    norm = LogNorm(low, high) if attribute.logarithmic else Normalize(low, high if high > low else low + 1.0)
    x, y = table.loc[known, ["x", "y"]].to_numpy().T
    points = axes.scatter(x, y, c=values, norm=norm, s=area, cmap=COLOUR_MAP, linewidths=0, zorder=3)
    points.set_rasterized(len(table) > MOST_SHAPES)
    size, (left, top, wide) = figure.get_size_inches(), place
    bar = figure.colorbar(
        points,
        cax=figure.add_axes((left / size[0], (top - 0.06) / size[1], 0.94 * wide / size[0], 0.06 / size[1])),
        orientation="horizontal",
        ticks=LogLocator(numticks=5)
        if attribute.logarithmic
        else MaxNLocator(4, integer=bool((values == np.round(values)).all()), steps=[1, 2, 2.5, 5, 10]),
        extend=extend,
        format=FuncFormatter(lambda value, _: in_short(value)),
    )
    bar.outline.set_visible(False)  # type: ignore[operator]  # the stub: Spines.__getattr__
    bar.ax.xaxis.set_minor_locator(NullLocator())
    bar.ax.tick_params(length=2, width=0.5, labelsize=TEXT, pad=1.5)


def _limits(values: np.ndarray, logarithmic: bool) -> tuple[float, float, str]:
    """Ends of a colour scale, and beyond which of them there are numbers: a few far off leave the others their
    colours."""
    low, inner_low, inner_high, high = (float(end) for end in np.quantile(values, [0, *INNER, 1]))
    inner = inner_high - inner_low
    if logarithmic or inner <= 0:
        return low, high, "neither"
    below, above = inner_low - low > FAR_OFF * inner, high - inner_high > FAR_OFF * inner
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}
    return inner_low if below else low, inner_high if above else high, extend[below, above]


def in_short(value: float) -> str:
    """A number for an axis: 22M, 1.2k, 0.05, 2021."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= unit:
            return f"{value / (1e3 if letter == 'k' else unit):.3g}{letter}"
    return f"{value:.4g}"


def _categories(attribute: Attribute) -> tuple[list[str], dict[str, int]]:
    """Up to as many as there are colours, the largest first, ties by name; and how many encoders each has."""
    if attribute.numeric:
        return [], {}
    known = pd.Series(attribute.values[attribute.known], dtype=object)
    counts = {str(name): int(count) for name, count in known.value_counts().items()}
    return sorted(counts, key=lambda name: (-counts[name], name))[: len(COLOURS)], counts


def _legend(
    figure: Figure,
    axes: Axes,
    table: pd.DataFrame,
    attribute: Attribute,
    area: float,
    place: tuple[float, float, float],
) -> None:
    """Points coloured by category, the largest lowest, and their legend at a place (left, top, width; inches)."""
    shown, counts = _categories(attribute)
    rest = np.array([value is not None and value not in shown for value in attribute.values])
    groups = [
        (attribute.values == name, colour, marker, plain(name, 40), counts[name])
        for name, colour, marker in zip(shown, COLOURS, MARKERS, strict=False)
    ]
    if rest.any():
        groups.append((rest, GREY, "h", f"other ({len(counts) - len(shown)})", int(rest.sum())))
    for depth, (members, colour, marker, _, _) in enumerate(groups):
        axes.scatter(
            table["x"][members],
            table["y"][members],
            s=area,
            c=colour,
            marker=marker,
            linewidths=0,
            zorder=2.8 if colour == GREY else 3 + 0.01 * depth,
            rasterized=len(table) > MOST_SHAPES,
        )
    if (~attribute.known).any():
        groups.append((~attribute.known, "none", "o", "not known", int((~attribute.known).sum())))
    _entries(figure, groups, place)


def _entries(figure: Figure, groups: list[tuple], place: tuple[float, float, float]) -> None:
    """Marker, name and number of each group in two columns, read downwards; names as long as there is room."""
    (width, height), (left, top, wide) = figure.get_size_inches(), place
    lines = -(-len(groups) // 2)
    for number, (_, colour, marker, name, count) in enumerate(groups):
        column, line = divmod(number, lines)
        x, y = left + 0.05 + column * wide / 2, top - 0.06 - ENTRY * line
        edge = GREY if colour == "none" else colour
        figure.add_artist(
            Line2D([x / width], [y / height], ls="", marker=marker, ms=3.6, mfc=colour, mec=edge, mew=0.5)
        )
        room = (wide / 2 - 0.18) * figure.dpi - width_of(figure, f"  {count:,}", TEXT)
        text = f"{shortened(figure, name, room, TEXT)}  {count:,}"
        figure.text((x + 0.07) / width, y / height, text, fontsize=TEXT, va="center")

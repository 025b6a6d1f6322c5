"""Names beside the points of a map: none covers a point, another name or a leader line, and none leaves the axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Text

from qre.figures.style import LONGEST_NAME, PALE, marker_size, plain

FARTHEST = 80  # pixels (of 1/100 inch) between an encoder and its name
RING = 2  # times as wide as a marker is the ring around the encoder whose name is bold
APART = 1  # pixels between names in a block
STEPS = 12  # places looked at along a leader line


def label_points(
    axes: Axes,
    table: pd.DataFrame,
    rows: list[int],
    labels: int,
    bold: int | None = None,
    always: Sequence[int] = (),
    size: float = 5.8,
) -> None:
    """Name up to `labels` encoders, in the order of rows; one that finds no free place near it goes without a name.

    Args:
        bold: row whose name is bold, and is written even if no place is free: then it covers points, but no name.
        always: rows whose names are written in the same way; they come first in rows. Those that lie on each other
            have their names one above the other, in one block.
        size: of the names, points.

    Greedy: each name takes the nearest of its candidate places that covers no point, no name and no leader line, so
    that nothing overlaps whatever the map (force-directed placement with adjustText 1.4 left names of a dense map on
    points, and on each other).
    """
    frame = np.asarray(axes.get_window_extent().extents)
    points = axes.transData.transform(table[["x", "y"]].to_numpy(dtype=np.float64))
    radius = 0.5 * np.sqrt(marker_size(len(table))) * axes.figure.dpi / 72
    boxes, lines, done = np.empty((0, 4)), np.empty((0, 2)), set[int]()
    to_data, named = axes.transData.inverted().transform, 0
    must = [row for row in rows if row == bold or row in always]  # and have no name yet
    for row in rows:
        if named >= labels:
            return
        if row in done:
            continue
        own, away = radius * (RING if row == bold else 1), np.abs(points - points[row])
        forced = row in must
        block = [row, *(other for other in must if forced and other != row and (away[other] <= own).all())]
        block = block[: labels - named]
        must = [other for other in must if other not in block]
        done.update(block)
        texts, sizes = _texts(axes, table["name"].to_numpy()[block], [one == bold for one in block], size)
        room = np.array([sizes[:, 0].max(), sizes[:, 1].sum() + APART * (len(block) - 1)])
        candidates, leaders = _candidates(points[row], room, own)
        close = (away < FARTHEST + radius + 2 * np.ptp(candidates[0].reshape(2, 2), axis=0)).all(axis=1)
        close[[other for other in block[1:] if away[other].max() < 1]] = False  # the leader runs from all of them
        penalty = _penalties(candidates, leaders, frame, points[close], radius, boxes, lines)
        if forced and np.isinf(penalty).all():
            candidates, leaders, penalty = _least_bad(points[row], candidates, leaders, frame, boxes)
        best = int(penalty.argmin())
        if penalty[best] == np.inf:
            for text in texts:
                text.remove()
            continue
        boxes, lines = np.vstack([boxes, candidates[best]]), np.vstack([lines, leaders[best]])
        named += len(block)
        if row == bold:
            boxes = np.vstack([boxes, [*(points[row] - own), *(points[row] + own)]])
        for text, place in zip(texts, _stacked(candidates[best], sizes, points[row]), strict=True):
            text.set_position(tuple(to_data(place)))
        if np.hypot(*(leaders[best][-1] - points[row])) > own + 5:
            axes.add_line(Line2D(*to_data(leaders[best][[0, -1]]).T, lw=0.5, color=PALE, zorder=2.5))


def _texts(axes: Axes, names: np.ndarray, bold: list[bool], size: float) -> tuple[list[Text], np.ndarray]:
    """The names as artists that have no place yet, and the room (N, 2) that each takes, in pixels."""
    texts = [
        axes.text(
            0,
            0,
            plain(name, LONGEST_NAME),
            fontsize=size,
            zorder=6,
            ha="center",
            va="center",
            fontweight="bold" if strong else "normal",
        )
        for name, strong in zip(names, bold, strict=True)
    ]
    extents = [text.get_window_extent() for text in texts]
    return texts, np.array([[extent.width + 3, extent.height] for extent in extents])


def _stacked(box: np.ndarray, sizes: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Centres (N, 2) of names of these sizes (N, 2), one above the other in a box (4,), flush on the point's side."""
    centre = box.reshape(2, 2).mean(axis=0)
    side = np.sign(np.clip(point[0], box[0], box[2]) - point[0])  # 1: the box lies to the right of the point
    x = centre[0] - side * (box[2] - box[0] - sizes[:, 0]) / 2
    if len(sizes) == 1:
        return centre[None]
    bottoms = box[3] - np.cumsum(sizes[:, 1] + APART) + APART
    return np.column_stack([x, bottoms + sizes[:, 1] / 2])


def _candidates(point: np.ndarray, size: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Places for a name of this size (2,) around a point (2,), in pixels, the best first: nearer, and to the right, is
    better.

    Returns:
        boxes (C, 4) as x0, y0, x1, y1, and leader lines (C, STEPS, 2), each as STEPS places from the point to the
        nearest edge of the box.
    """
    gaps = radius + FARTHEST * np.array([0.02, 0.06, 0.11, 0.17, 0.25, 0.35, 0.47, 0.62, 0.81, 1.0])
    angles = np.radians([0, 180, 90, 270, 45, 315, 135, 225, 22, 338, 158, 202, 68, 292, 112, 248])
    gap, angle = (grid.ravel() for grid in np.meshgrid(gaps, angles, indexing="ij"))
    centres = point + np.column_stack([np.cos(angle) * (gap + size[0] / 2), np.sin(angle) * (gap + size[1] / 2)])
    return _with_leaders(point, size, centres)


def _everywhere(point: np.ndarray, size: np.ndarray, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `_candidates`, all over the axes, the nearest first; none where the name is wider than the axes."""
    low, high = frame[:2] + size / 2, frame[2:] - size / 2
    if (low > high).any():
        return np.empty((0, 4)), np.empty((0, STEPS, 2))
    columns = np.append(np.linspace(low[0], high[0], 9), np.clip(point[0], low[0], high[0]))
    places = np.linspace(low[1], high[1], 60)
    centres = np.column_stack([grid.ravel() for grid in np.meshgrid(columns, places, indexing="ij")])
    nearest = np.argsort(np.hypot(*(centres - point).T), kind="stable")
    return _with_leaders(point, size, centres[nearest])


def _with_leaders(point: np.ndarray, size: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    boxes = np.hstack([centres - size / 2, centres + size / 2])
    ends = np.clip(point, boxes[:, :2], boxes[:, 2:])
    return boxes, point + np.linspace(0, 1, STEPS)[None, :, None] * (ends - point)[:, None, :]


def _penalties(
    candidates: np.ndarray,
    leaders: np.ndarray,
    frame: np.ndarray,
    points: np.ndarray,
    radius: float,
    boxes: np.ndarray,
    lines: np.ndarray,
) -> np.ndarray:
    """What each candidate place (C, 4) costs, shape (C,): its rank, more for every point its leader runs over, Inf
    where it is taken."""
    outside = _outside(candidates, frame)
    on_name = _on(candidates, boxes)
    on_point = (_gap(candidates[:, None, :2], candidates[:, None, 2:], points, points) < radius).any(axis=1)
    on_line = (_gap(candidates[:, None, :2], candidates[:, None, 2:], lines, lines) < 1).any(axis=1)
    steps = leaders.reshape(-1, 1, 2)
    crosses_name = _crosses(leaders, boxes)
    crosses_line = _cross(leaders[:, None, [0, -1]], lines.reshape(-1, STEPS, 2)[:, [0, -1]]).any(axis=1)
    run_over = (_gap(steps, steps, points, points) < radius).reshape(len(candidates), -1, len(points)).any(axis=1).sum(
        axis=1
    ) - 1
    taken = outside | on_name | on_point | on_line | crosses_name | crosses_line | (run_over > 1)
    return np.where(taken, np.inf, np.arange(len(candidates)) + 24.0 * run_over)


def _least_bad(
    point: np.ndarray, candidates: np.ndarray, leaders: np.ndarray, frame: np.ndarray, boxes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Candidates, leaders and penalties for a name that has to be written though no place is free: it may cover points
    and leader lines, but no name; its leader crosses a name, and it stands far away, only if there is no other way."""
    size = np.ptp(candidates[0].reshape(2, 2), axis=0)
    far = _everywhere(point, size, frame)
    candidates, leaders = np.vstack([candidates, far[0]]), np.vstack([leaders, far[1]])
    costs = np.arange(len(candidates)) + len(candidates) * _crosses(leaders, boxes)
    costs[len(candidates) - len(far[0]) :] += 2 * len(candidates)
    return candidates, leaders, np.where(_outside(candidates, frame) | _on(candidates, boxes), np.inf, costs)


def _on(candidates: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Whether each candidate place (C, 4) touches one of the boxes (B, 4): shape (C,)."""
    return np.any(_gap(candidates[:, None, :2], candidates[:, None, 2:], boxes[:, :2], boxes[:, 2:]) < 1, axis=1)


def _crosses(leaders: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Whether each leader line (C, STEPS, 2) touches one of the boxes (B, 4): shape (C,)."""
    steps = leaders[:, :, None, :]
    return np.any(_gap(steps, steps, boxes[:, :2], boxes[:, 2:]) < 1, axis=(1, 2))


def _outside(candidates: np.ndarray, frame: np.ndarray) -> np.ndarray:
    return np.any(candidates[:, :2] < frame[:2], axis=1) | np.any(candidates[:, 2:] > frame[2:], axis=1)


def _gap(low: np.ndarray, high: np.ndarray, others_low: np.ndarray, others_high: np.ndarray) -> np.ndarray:
    """The larger of the horizontal and the vertical gap between boxes, negative where they overlap; shapes broadcast,
    last axis 2."""
    return np.maximum(others_low - high, low - others_high).max(axis=-1)


def _cross(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Whether line segments cross: shapes (..., 2, 2), broadcast; the last axis is x, y, the one before it the two
    ends."""

    def side(segment, place):  # of the segment's line, on which a place lies: a sign
        along, to = segment[..., 1, :] - segment[..., 0, :], place - segment[..., 0, :]
        return np.sign(along[..., 0] * to[..., 1] - along[..., 1] * to[..., 0])

    apart = [side(a, b[..., 0, :]) * side(a, b[..., 1, :]) < 0 for a, b in ((first, second), (second, first))]
    return apart[0] & apart[1]

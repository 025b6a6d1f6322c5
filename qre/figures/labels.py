"""Names beside the points of a map: none covers a point, another name or a leader line, and none leaves the axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from qre.figures.style import LONGEST_NAME, PALE, marker_size, plain

FARTHEST = 80  # pixels (of 1/100 inch) between an encoder and its name
RING = 2  # times as wide as a marker is the ring around the encoder whose name is bold
STEPS = 12  # places looked at along a leader line


def label_points(
    axes: Axes, table: pd.DataFrame, rows: list[int], labels: int, bold: int | None = None, always: Sequence[int] = ()
) -> None:
    """Name up to `labels` encoders, in the order of rows; one that finds no free place near it goes without a name.

    Args:
        bold: row whose name is bold, and stands in the place where it hides least if none is free.
        always: rows whose names stand there too if no place is free.

    Greedy: each name takes the nearest of its candidate places that covers no point, no name and no leader line, so
        that nothing overlaps
    whatever the map (force-directed placement with adjustText 1.4 left names of a dense map on points, and on each
    other).
    """
    frame = np.asarray(axes.get_window_extent().extents)
    points = axes.transData.transform(table[["x", "y"]].to_numpy(dtype=np.float64))
    radius = 0.5 * np.sqrt(marker_size(len(table))) * axes.figure.dpi / 72
    names = table["name"].to_numpy()
    boxes, lines, named = np.empty((0, 4)), np.empty((0, 2)), 0
    for row in rows:
        if named == labels:
            return
        text = axes.text(
            0,
            0,
            plain(names[row], LONGEST_NAME),
            fontsize=5.8,
            zorder=6,
            ha="center",
            va="center",
            fontweight="bold" if row == bold else "normal",
        )
        extent = text.get_window_extent()
        own = radius * (RING if row == bold else 1)
        candidates, leaders = _candidates(points[row], np.array([extent.width + 3, extent.height]), own)
        local = points[
            (np.abs(points - points[row]) < FARTHEST + radius + 2 * np.ptp(candidates[0].reshape(2, 2), axis=0)).all(
                axis=1
            )
        ]
        penalty = _penalties(candidates, leaders, frame, local, radius, boxes, lines)
        if (row == bold or row in always) and np.isinf(penalty).all():
            penalty = np.where(_outside(candidates, frame), np.inf, np.arange(len(candidates), dtype=float))
        best = int(penalty.argmin())
        if penalty[best] == np.inf:
            text.remove()
            continue
        boxes, lines = np.vstack([boxes, candidates[best]]), np.vstack([lines, leaders[best]])
        named += 1
        if row == bold:
            boxes = np.vstack([boxes, [*(points[row] - own), *(points[row] + own)]])
        to_data = axes.transData.inverted().transform
        x, y = to_data(candidates[best].reshape(2, 2).mean(axis=0))
        text.set_position((x, y))
        if np.hypot(*(leaders[best][-1] - points[row])) > own + 5:
            axes.add_line(Line2D(*to_data(leaders[best][[0, -1]]).T, lw=0.5, color=PALE, zorder=2.5))


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
    on_name = (_gap(candidates[:, None, :2], candidates[:, None, 2:], boxes[:, :2], boxes[:, 2:]) < 1).any(axis=1)
    on_point = (_gap(candidates[:, None, :2], candidates[:, None, 2:], points, points) < radius).any(axis=1)
    on_line = (_gap(candidates[:, None, :2], candidates[:, None, 2:], lines, lines) < 1).any(axis=1)
    steps = leaders.reshape(-1, 1, 2)
    crosses_name = (
        (_gap(steps, steps, boxes[:, :2], boxes[:, 2:]) < 1).any(axis=1).reshape(len(candidates), -1).any(axis=1)
    )
    crosses_line = _cross(leaders[:, None, [0, -1]], lines.reshape(-1, STEPS, 2)[:, [0, -1]]).any(axis=1)
    run_over = (_gap(steps, steps, points, points) < radius).reshape(len(candidates), -1, len(points)).any(axis=1).sum(
        axis=1
    ) - 1
    taken = outside | on_name | on_point | on_line | crosses_name | crosses_line | (run_over > 1)
    return np.where(taken, np.inf, np.arange(len(candidates)) + 24.0 * run_over)


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

"""What the page is given: the data contract between gather.py, which fills it, and js/data.js, which reads it.

As JSON, one object with the names of the fields below. Indices count the encoders from 0, in the order of the map. A
number that is not known is null, an index that is not known -1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

SCHEMA = 2  # raised when the script of an older page could not read the data
DIGITS = 6  # significant digits of a number that people read
Numbers = Sequence[float | None]
BASES = ("measured", "imported", "predicted")  # what a score is; in a Task as its index


@dataclass(frozen=True)
class Column:
    """Something that is known of the encoders.

    Attributes:
        id: as in map.parquet.
        label: for people.
        kind: number: values are numbers or None. category: indices into levels, -1 where not known. list: lists of such
            indices, or None. text: strings or None.
        unit: of a number; "" where it has none.
        scale: how a number is coloured and filtered: log where it spans orders of magnitude.
        group: Attributes are told by the encoder's card, Measures computed from the embedding, and so is its Geometry.
        about: what a number means, in a sentence or two; "" where its label says it.
    """

    id: str
    label: str
    kind: Literal["number", "category", "list", "text"]
    values: Sequence[Any]
    levels: Sequence[str] = ()
    unit: str = ""
    scale: Literal["linear", "log"] = "linear"
    group: Literal["Attributes", "Measures", "Geometry"] = "Attributes"
    about: str = ""


@dataclass(frozen=True)
class Task:
    """The scores of the encoders on a task, N each; a score of others where none was measured, a prediction where there
    is neither.

    Attributes:
        value, low, high: the score and its own interval: 95 % where measured, `coverage` of Page where predicted.
        basis: index into BASES, -1 where there is none.
        n: items that measured scores are over; None where not known or not the same.
    """

    id: str
    kind: str
    metric: str
    split: str
    value: Numbers
    low: Numbers
    high: Numbers
    basis: Sequence[int]
    n: int | None = None


@dataclass(frozen=True)
class Tree:
    """The cluster tree of M encoders, as scipy's linkage: node i < M is leaves[i], node M + j is merge j.

    Attributes:
        cut: clusters that the atlas cuts it into.
        central: of each of those the encoder that is nearest to the others of it.
    """

    leaves: Sequence[int]
    left: Sequence[int]
    right: Sequence[int]
    height: Numbers
    cut: int
    central: Sequence[int] = ()


@dataclass(frozen=True)
class Figure:
    """A figure as SVG; None where it is too large to be in the page."""

    id: str
    title: str
    svg: str | None


@dataclass(frozen=True)
class Page:
    """All that a page shows.

    Attributes:
        name: of each encoder, unique.
        loading: lines of Python that load each encoder; "" where none are known.
        x, y: on the map.
        same: near-copies have the same number.
        neighbours: how many, k; near: N x k indices in a row; far: their distances.
        metric: of the distances.
        coverage: of the intervals of predictions, 0 to 1.
        about: how the map was made: plain values, shown as they are.
    """

    title: str
    name: Sequence[str]
    loading: Sequence[str]
    x: Numbers
    y: Numbers
    same: Sequence[int]
    columns: Sequence[Column]
    tasks: Sequence[Task]
    neighbours: int
    near: Sequence[int]
    far: Numbers
    metric: str
    coverage: float
    tree: Tree | None
    about: dict[str, Any] = field(default_factory=dict)
    figures: Sequence[Figure] = ()
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        """ValueError where the parts do not fit together: the script of the page relies on it."""
        for problem in _problems(self):
            raise ValueError(f"the page's data: {problem}")

    def plain(self) -> dict[str, Any]:
        """As JSON holds it; nothing is copied."""
        parts = ("columns", "tasks", "figures")
        told = {**vars(self), **{part: [vars(one) for one in getattr(self, part)] for part in parts}}
        return {**told, "tree": self.tree and vars(self.tree)}


def _problems(page: Page) -> Iterator[str]:
    count = len(page.name)
    if len(set(page.name)) != count:
        yield "an encoder's name occurs twice"
    if len({column.id for column in page.columns}) != len(page.columns):
        yield "a column occurs twice"
    if len({task.id for task in page.tasks}) != len(page.tasks):
        yield "a task occurs twice"
    lengths = {"loading": page.loading, "x": page.x, "y": page.y, "same": page.same}
    lengths |= {f"column {column.id}": column.values for column in page.columns}
    for task in page.tasks:
        lengths |= {f"{task.id}, {part}": getattr(task, part) for part in ("value", "low", "high", "basis")}
    yield from (
        f"{name}: {len(values)} values of {count} encoders" for name, values in lengths.items() if len(values) != count
    )
    if not len(page.near) == len(page.far) == count * page.neighbours:
        yield f"{len(page.near)} neighbours of {count} encoders with {page.neighbours} each"
    for name, indices, end in (
        ("neighbours", page.near, count),
        *((f"column {c.id}", c.values, len(c.levels)) for c in page.columns if c.kind == "category"),
        *((f"{task.id}, basis", task.basis, len(BASES)) for task in page.tasks),
    ):
        if len(indices) and not (-1 <= min(indices) and max(indices) < end):
            yield f"{name}: an index beyond its end"
    if page.tree is not None:
        leaves, merges = len(page.tree.leaves), len(page.tree.height)
        if merges != leaves - 1 or len(page.tree.left) != merges or len(page.tree.right) != merges:
            yield f"a tree of {leaves} leaves with {merges} merges"


def numbers(values: np.ndarray, digits: int = DIGITS) -> list[float | None]:
    """Numbers (N,) as JSON writes them shortly: so many significant digits, whole numbers as such, None for NaN."""
    values = np.asarray(values, dtype=np.float64)
    known = np.isfinite(values)
    size = np.floor(np.log10(np.abs(np.where(known & (values != 0), values, 1.0))))
    places = digits - 1 - size
    up, down = 10.0 ** np.clip(places, 0, 300), 10.0 ** np.clip(-places, 0, 300)
    with np.errstate(invalid="ignore", over="ignore"):
        rounded = np.rint(values * up / down) * down / up
    return [
        None if not fine else int(value) if value == int(value) else value
        for value, fine in zip(rounded.tolist(), known.tolist(), strict=True)
    ]

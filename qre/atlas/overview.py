"""Encoders beside each other on several tasks, the best first; near-copies of one encoder as one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from qre.atlas.ranking import OUT_OF_FOLD, PREDICTED, ranking, task_table

if TYPE_CHECKING:
    from typing import Self  # Python 3.10 has none

BASES = ("measured", "imported", "predicted")
ABOUT = ("parameters", "dimension", "model", "description")  # what is told of each encoder beside its scores
MEAN_RULE = (
    "mean: over all of these tasks; an encoder without a value on one of them has no mean, and comes after the others"
)


@dataclass(frozen=True)
class Overview:
    """Encoders on T tasks: by their mean, the best first; those that lack a value on a task come after all others.

    Attributes:
        table: one row an encoder: rank, name, family, mean (NaN where a value is missing), tasks (on how many of them
            it has a value), basis (of its
            values: some of BASES, with commas), parameters, dimension, model, description (see ranking.ranking); with
            near-copies folded also near_copies, how many stand behind this one.
        cells: task -> value, low, high, basis, n; row i is of encoder i of the table, NaN where it has no value.
    """

    table: pd.DataFrame
    cells: Mapping[str, pd.DataFrame]

    def take(self, rows: Sequence[int] | np.ndarray) -> Self:
        """These rows only, in this order."""
        taken = {task: cell.iloc[rows].reset_index(drop=True) for task, cell in self.cells.items()}
        return type(self)(self.table.iloc[rows].reset_index(drop=True), taken)

    def folded(self, parents: Mapping[str, str]) -> Self:
        """The best of each parent, with the number of the others in near_copies; ranked anew."""
        table, kept = fold(self.table, parents)
        return type(self)(table, {task: cell.iloc[kept].reset_index(drop=True) for task, cell in self.cells.items()})


def overview(rankings: Mapping[str, pd.DataFrame]) -> Overview:
    """From the rankings of single tasks (see ranking.ranking), by task, to one of all."""
    by_name = {task: table.set_index("name") for task, table in rankings.items()}
    names = list(dict.fromkeys(name for table in by_name.values() for name in table.index))
    cells = {task: table.reindex(names)[["value", "low", "high", "basis", "n"]] for task, table in by_name.items()}
    values = np.column_stack([cell["value"] for cell in cells.values()]) if cells else np.empty((0, 0))
    known = np.isfinite(values)
    about = pd.concat(by_name.values()) if by_name else pd.DataFrame(columns=["family", *ABOUT])
    about = about[~about.index.duplicated()].reindex(names)
    sums = np.where(known, values, 0.0).sum(axis=1)
    table = pd.DataFrame(
        {
            "name": names,
            "family": about["family"].to_numpy(),
            "mean": np.where(known.all(axis=1), sums / max(1, len(cells)), np.nan),
            "tasks": known.sum(axis=1),
            "basis": [_bases(cells, row) for row in range(len(names))],
            **{column: about[column].to_numpy() for column in ABOUT},
        }
    )
    keys = pd.DataFrame(
        {"tasks": -table["tasks"], "mean": -sums / np.maximum(1, table["tasks"]), "name": table["name"]}
    )
    order = keys.sort_values(["tasks", "mean", "name"]).index.to_numpy()
    table = table.iloc[order].reset_index(drop=True)
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return Overview(table, {task: cell.iloc[order].reset_index(drop=True) for task, cell in cells.items()})


def best(encoders: pd.DataFrame, scores: pd.DataFrame, predicted: pd.DataFrame | None = None) -> Overview:
    """Every encoder of a map on every task that there are scores of.

    Args:
        encoders: the map: name, family, ...
        scores: with the columns ranking.SCORES.
        predicted: with the columns ranking.PREDICTED, for those without a score; None: scores only.
    """
    predicted = pd.DataFrame(columns=list(PREDICTED)) if predicted is None else predicted
    none = pd.DataFrame(columns=list(OUT_OF_FOLD))
    return overview(
        {task: ranking(task, encoders, scores, predicted, none, {}) for task in task_table(scores, predicted)["task"]}
    )


def fold(table: pd.DataFrame, parents: Mapping[str, str]) -> tuple[pd.DataFrame, np.ndarray]:
    """Near-copies (encoders of one parent) as one: the first of each in a table with a name, best first.

    Args:
        parents: name -> parent; an encoder that it does not hold stands for itself.

    Returns:
        the table, with near_copies (how many others the first stands for) and a new rank; and the positions of its rows
        in the old one.
    """
    parent = pd.Series([parents.get(name, name) for name in table["name"]], index=table.index, dtype=object)
    kept = np.flatnonzero(~parent.duplicated().to_numpy())
    counts = parent.map(parent.value_counts()).to_numpy()
    short = (
        table.iloc[kept].reset_index(drop=True).assign(near_copies=counts[kept] - 1 if len(kept) else np.empty(0, int))
    )
    if "rank" in short:
        short["rank"] = np.arange(1, len(short) + 1)
    return short, kept


def parents_of(encoders: pd.DataFrame) -> dict[str, str]:
    """Name -> parent of the encoders of a map; empty where the map does not tell."""
    return dict(zip(encoders["name"], encoders["parent"], strict=True)) if "parent" in encoders else {}


def _bases(cells: Mapping[str, pd.DataFrame], row: int) -> str:
    found = {cell["basis"].iat[row] for cell in cells.values() if np.isfinite(cell["value"].iat[row])}
    return ", ".join(one for one in BASES if one in found)

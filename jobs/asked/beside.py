"""The scores that stand beside a list of encoders of a finished map: nearness alone does not say which of them is
good."""

from __future__ import annotations

import numpy as np
import pandas as pd

from jobs.asked.opened import plain, plain_rows, print_table
from jobs.terminal.console import say
from qre.atlas.finished import FinishedAtlas
from qre.atlas.neighbours import NEARNESS
from qre.atlas.ranking import one_score_each

MOST_TASKS = 4  # that are shown one by one; of more, the mean alone


def scores_of(standing: FinishedAtlas, names: list[str]) -> pd.DataFrame:
    """Measured and imported scores of encoders, by name and task, NaN where there is none; no column where the map has
    no scores."""
    known = one_score_each(standing.scores)
    tasks = list(dict.fromkeys(known["task"]))
    return (
        known.pivot(index="name", columns="task", values="score").reindex(index=names, columns=tasks).astype(np.float64)
    )


def rows_with_scores(found: pd.DataFrame, scores: pd.DataFrame) -> list[dict]:
    """Rows of neighbours in plain values, each with its `scores` by task."""
    return [{**row, "scores": told(scores, row["neighbour"])} for row in plain_rows(found)]


def told(scores: pd.DataFrame, name: str) -> dict[str, float]:
    """The scores of one encoder by task, those that there are."""
    return plain(scores.loc[name].dropna().to_dict()) if name in scores.index else {}


def print_neighbours(
    title: str, found: pd.DataFrame, columns: dict[str, str], scores: pd.DataFrame, itself: str | None = None
) -> None:
    """Neighbours with their scores beside them, and what nearness means.

    Args:
        found: with the column neighbour; `columns` as of print_table.
        itself: name of the encoder whose neighbours they are, where it is on the map: its own scores stand above
            theirs.
    """
    tasks = list(scores.columns)
    if itself is not None and tasks:
        found = pd.concat([pd.DataFrame([{"neighbour": itself}]), found], ignore_index=True)
    beside = scores.reindex(found["neighbour"]).reset_index(drop=True)
    if len(tasks) > 1:
        found = found.assign(mean_score=beside.mean(axis=1).where(beside.notna().all(axis=1)).to_numpy())
        columns = {**columns, "mean_score": ".3f"}
    if len(tasks) <= MOST_TASKS:
        found = found.assign(**{f"score: {task}": beside[task].to_numpy() for task in tasks})
        columns = {**columns, **{f"score: {task}": ".3f" for task in tasks}}
    print_table(title, found, columns)
    told_mean = (
        [f"mean score: over the map's {len(tasks)} tasks, of encoders that have a score on each"]
        if len(tasks) > 1
        else []
    )
    for line in [*told_mean, NEARNESS if tasks else NEARNESS.partition(", so ")[0]]:
        say(line)

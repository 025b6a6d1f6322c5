"""Scores of MTEB as one long table, whatever they were read from; what can be a score, and which of several counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeGuard

import pandas as pd

TABLE = ("model", "revision", "task", "metric", "split", "subset", "score", "mteb_version", "file")
REPORT = ("file", "model", "task", "what", "done")
COMMIT = re.compile(r"[0-9a-f]{40}")


class Scores(NamedTuple):
    """`table`: one row a model, revision and task (columns TABLE; scores on 0-1). `report`: one row for everything odd
    (columns REPORT)."""

    table: pd.DataFrame
    report: pd.DataFrame


def preferred(table: pd.DataFrame, revisions: Mapping[str, str] | None = None) -> pd.DataFrame:
    """One row for each model and task of a long table.

    The revision asked for (by model) where it has the task; else a commit before a number before a revision that was
    not recorded, then the newest mteb version, then the last name of a revision.
    """
    asked = revisions or {}
    return best(table, ("model", "task"), lambda row: (row.revision == asked.get(row.model), *rank(row)))


def wide(table: pd.DataFrame, revisions: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Models × tasks, NaN where there is no score; which revision counts: see `preferred`."""
    return preferred(table, revisions).pivot(index="model", columns="task", values="score").rename_axis(columns=None)


def rank(row) -> tuple:
    """Higher is better: how a row's revision is known, and its mteb version (the newer end of a range such as
    2.12.0-2.15.4)."""
    known = 2 if COMMIT.fullmatch(row.revision) else int(row.revision.isdigit())
    return known, tuple(int(part) for part in re.findall(r"[0-9]{1,9}", row.mteb_version.split("-")[-1])), row.revision


def best(table: pd.DataFrame, key: tuple[str, ...], value: Callable[..., tuple]) -> pd.DataFrame:
    """Of the rows that are equal in the columns `key`, the first of highest value."""
    found: dict[tuple, tuple] = {}
    for row in table.itertuples():
        this, place = value(row), tuple(getattr(row, column) for column in key)
        if place not in found or this > found[place][0]:
            found[place] = (this, row.Index)
    return table.loc[[index for _, index in found.values()]]


def checked(score: float, place: tuple, problems: list) -> float | None:
    """The score, None where it cannot be one."""
    if not -1 <= score <= 1 + 1e-6:  # nor NaN
        problems.append((*place, f"{score:g} is not a score", "left out"))
        return None
    if score in (0, 1) or score < 0:
        problems.append(
            (*place, "below 0, as only a correlation can be" if score < 0 else f"exactly {score:g}", "kept")
        )
    return min(float(score), 1.0)


def deduplicated(rows: list[tuple], problems: list[tuple]) -> Scores:
    """Tables of what was found; of several files for one model, revision and task, the newest mteb version's, and of
    these the first."""
    table = pd.DataFrame(rows, columns=TABLE).astype({"score": float})
    key = ["model", "revision", "task"]
    twice = table[table.duplicated(key, keep=False)]
    kept = best(twice, tuple(key), rank)
    for row in twice.drop(kept.index).merge(kept, on=key, suffixes=("", "_kept")).itertuples():
        what = (
            f"{row.score:.6g}, but {row.score_kept:.6g}" if abs(row.score - row.score_kept) > 1e-6 else "the same score"
        )
        problems.append((row.file, row.model, row.task, f"{what} in {row.file_kept}", "left out"))
    table = table.drop(twice.index.difference(kept.index)).reset_index(drop=True)
    return Scores(table, pd.DataFrame(problems, columns=REPORT))


def good_name(name: object) -> TypeGuard[str]:
    """Whether it can be the name of a model, a task or a revision: 1 to 200 printable characters."""
    return isinstance(name, str) and 0 < len(name) <= 200 and name.isprintable() and not name.isspace()


def shown(text: str) -> str:
    """At most 200 printable characters of what may be anything."""
    if len(text) <= 200 and text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:200])[:200]

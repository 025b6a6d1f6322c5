"""Wide tables of scores: models × tasks."""

from __future__ import annotations

import io
import os
import statistics
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from qre.csv_cells import text_of
from qre.errors import UserError
from qre.near_names import did_you_mean
from qre.tables import ending, read_bytes, read_text
from qre.tasks.mteb.rules import is_task
from qre.tasks.mteb.scores import Scores, checked, deduplicated, good_name, shown

LARGEST_TABLE = 1 << 28


def read_table(path: str | os.PathLike, tasks: Collection[str] | None = None) -> Scores:
    """The scores of a wide table: a column `model` (else the first one is taken), perhaps `revision`, and a column of
    numbers for each task.

    A table whose scores are mostly above 1 is on 0-100 and is divided by 100; a column or row that is on the other
    scale than the table is left out. An empty cell is a score that is not there, and no problem.

    Args:
        tasks: the columns to read, whatever they are called; None for all that are tasks of MTEB: a leaderboard also
            has ranks, means, sizes.

    Raises:
        UserError: the file is missing, too large, neither CSV nor Parquet, cannot be read, or holds no column of
            scores.
    """
    path = Path(path)
    frame = _frame(path)
    names = {column: str(column) for column in frame.columns}
    key = next(
        (column for column, name in names.items() if name.casefold() == "model"), frame.columns[0] if names else ""
    )
    beside = [
        column
        for column, name in names.items()
        if column != key and name != "revision" and (tasks is None or name in tasks)
    ]
    numbers = [
        column
        for column in beside
        if frame[column].dtype.kind in "iuf" and good_name(names[column]) and not names[column].startswith("Unnamed:")
    ]
    problems = [
        (path.name, "", shown(names[column]), "not a column of scores", "left out")
        for column in beside
        if column not in numbers
    ]
    if tasks is None:
        strange = [column for column in numbers if not is_task(names[column])]
        problems += [
            (path.name, "", names[column], "not a task of MTEB; name it in `tasks:` where it is one", "left out")
            for column in strange
        ]
        numbers = [column for column in numbers if column not in strange]
        if strange and not numbers:
            raise UserError(
                f"{path}: no column is a task of MTEB; name in `tasks:` which of them are: "
                f"{shown(', '.join(names[one] for one in strange))}"
            )
    if not numbers and tasks and not beside:
        near = "".join(did_you_mean(task, names.values()) for task in list(tasks)[:1])
        raise UserError(f"{path}: no column {' or '.join(map(repr, list(tasks)[:3]))}{near}")
    if not numbers:
        raise UserError(f"{path}: no column of scores beside the column of models")
    large = frame[numbers].stack().median() > 1
    scale = 100 if large else 1
    if large:
        problems.append((path.name, "", "", "scores on 0-100", "divided by 100"))
    other = f"on {'0-1' if large else '0-100'}, where the table is on {'0-100' if large else '0-1'}"
    for column in [
        column for column in numbers if len(frame[column].dropna()) > 2 and (frame[column].median() > 1) != large
    ]:
        problems.append((path.name, "", names[column], other, "column left out"))
        numbers.remove(column)
    rows = []
    for line, record in enumerate(frame.to_dict("records"), start=2):
        place, model, revision = f"{path.name}:{line}", record[key], record.get("revision")
        if not good_name(model):
            problems.append((place, shown(str(model)), "", "not a name of a model", "row left out"))
            continue
        values = [record[column] for column in numbers if not pd.isna(record[column])]
        if len(values) > 2 and (statistics.median(values) > 1) != large:
            problems.append((place, model, "", other, "row left out"))
            continue
        for task in (column for column in numbers if not pd.isna(record[column])):
            score = checked(record[task] / scale, (place, model, names[task]), problems)
            if score is not None:
                rows.append(
                    (
                        model,
                        revision if good_name(revision) else "",
                        names[task],
                        "main_score",
                        "",
                        "",
                        score,
                        "",
                        place,
                    )
                )
    return deduplicated(rows, problems)


def _frame(path: Path) -> pd.DataFrame:
    if ending(path) not in (".csv", ".parquet"):
        raise UserError(f"{path}: tables of scores are read from .csv and .parquet")
    if not path.is_file() or path.stat().st_size > LARGEST_TABLE:
        raise UserError(f"{path}: no such table of scores, or one of more than {LARGEST_TABLE >> 20} MB")
    try:
        if ending(path) == ".csv":
            frame = pd.read_csv(io.StringIO(read_text(path)), low_memory=False)
            frame = frame.rename(columns=text_of).map(text_of)  # perhaps of `qre rank --csv`
        else:
            frame = pd.read_parquet(io.BytesIO(read_bytes(path)))
    except UserError as error:
        raise UserError(str(error).replace(f"{path}:", f"{path}: not a readable table:", 1)) from None
    except (ValueError, OSError) as error:  # also what pandas and pyarrow raise for a damaged file
        raise UserError(f"{path}: not a readable table: {shown(str(error))}") from None
    if not frame.columns.is_unique:
        raise UserError(f"{path}: two columns have one name")
    return frame.reset_index() if frame.index.name else frame

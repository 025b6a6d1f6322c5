"""Wide tables of scores: models × tasks."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from qre.errors import UserError
from qre.tasks.mteb.scores import Scores, checked, deduplicated, good_name, shown

LARGEST_TABLE = 1 << 28


def read_table(path: str | os.PathLike, tasks: Collection[str] | None = None) -> Scores:
    """The scores of a wide table: a column `model` (else the first one is taken), perhaps `revision`, and a column of numbers for each task.

    A table whose scores are mostly above 1 is on 0-100 and is divided by 100. An empty cell is a score that is not there, and no problem.

    Args:
        tasks: the columns to read; None for all that hold numbers.

    Raises:
        UserError: the file is missing, too large, neither CSV nor Parquet, cannot be read, or holds no column of scores.
    """
    path = Path(path)
    frame = _frame(path)
    names = {column: str(column) for column in frame.columns}
    key = next((column for column, name in names.items() if name.casefold() == "model"), frame.columns[0] if names else "")
    beside = [column for column, name in names.items() if column != key and name != "revision" and (tasks is None or name in tasks)]
    numbers = [
        column for column in beside
        if frame[column].dtype.kind in "iuf" and good_name(names[column]) and not names[column].startswith("Unnamed:")
    ]  # fmt: skip
    if not numbers:
        raise UserError(f"{path}: no column of scores beside the column of models")
    problems = [(path.name, "", shown(names[column]), "not a column of scores", "left out") for column in beside if column not in numbers]
    scale = 100 if frame[numbers].stack().median() > 1 else 1
    if scale == 100:
        problems.append((path.name, "", "", "scores on 0-100", "divided by 100"))
    rows = []
    for line, record in enumerate(frame.to_dict("records"), start=2):
        place, model, revision = f"{path.name}:{line}", record[key], record.get("revision")
        if not good_name(model):
            problems.append((place, shown(str(model)), "", "not a name of a model", "row left out"))
            continue
        for task in (column for column in numbers if not pd.isna(record[column])):
            score = checked(record[task] / scale, (place, model, names[task]), problems)
            if score is not None:
                rows.append((model, revision if good_name(revision) else "", names[task], "main_score", "", "", score, "", place))
    return deduplicated(rows, problems)


def _frame(path: Path) -> pd.DataFrame:
    if path.suffix not in (".csv", ".parquet"):
        raise UserError(f"{path}: tables of scores are read from .csv and .parquet")
    if not path.is_file() or path.stat().st_size > LARGEST_TABLE:
        raise UserError(f"{path}: no such table of scores, or one of more than {LARGEST_TABLE >> 20} MB")
    try:
        frame = pd.read_csv(path, low_memory=False) if path.suffix == ".csv" else pd.read_parquet(path)
    except (ValueError, OSError) as error:  # also what pandas and pyarrow raise for a damaged file
        raise UserError(f"{path}: not a readable table: {shown(str(error))}") from None
    if not frame.columns.is_unique:
        raise UserError(f"{path}: two columns have one name")
    return frame.reset_index() if frame.index.name else frame

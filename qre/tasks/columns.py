"""The columns of a task's file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qre.errors import UserError
from qre.tables import ENDINGS, PACKED_ENDINGS, Wanted, ending, parsed_json, read_rows, read_text
from qre.tasks.task_spec import Columns, Format

FORMATS = tuple(one for one in ENDINGS if one != ".txt")
# what BEIR calls columns that a spec does not name
BEIR = {"id": "_id", "query": "query-id", "document": "corpus-id", "relevance": "score"}


@dataclass(frozen=True)
class Table:
    """The columns that were asked for.

    Attributes:
        path: the file, for messages.
        lines: where each of the n rows begins: its line, or its number from 1 in .json and .parquet.
        columns: n values each, under the field names of the Columns; None where a row lacks one. A column that the file
            may have and has not is left out.
    """

    path: str
    lines: list[int]
    columns: dict[str, list]

    def error(self, row: int, problem: str) -> UserError:
        """What is wrong with a row."""
        return UserError(f"{self.path}:{self.lines[row]}: {problem}")

    def without(self, rows: set[int]) -> Table:
        """The table with some rows left out."""
        kept = [row for row in range(len(self.lines)) if row not in rows]
        return Table(
            self.path,
            [self.lines[row] for row in kept],
            {name: [column[row] for row in kept] for name, column in self.columns.items()},
        )


def read_table(path: str, columns: Columns, format: Format | None = None, option: str = "columns") -> Table:
    """Read the columns of a file. See spec.py for the formats.

    Args:
        option: of the spec, by which a person names the columns.

    Raises:
        UserError: the file is missing, of another format or encoding, damaged, has no rows, or lacks a column; it names
            file and line.
    """
    path, key = path_and_key(path, format)
    if format is None and ending(path) not in FORMATS:
        raise UserError(
            f"{path}: tasks are read from {', '.join(FORMATS)} (also packed: {', '.join(PACKED_ENDINGS)}); say its "
            f"format where it ends otherwise"
        )
    wanted = _wanted(columns, option)
    lines, rows = [], []
    for line, row in read_rows(path, wanted, format, key):
        lines.append(line)
        rows.append(row)
    if not rows:
        raise UserError(f"{path}: no rows")
    values = {field: [row[field] for row in rows] for field in rows[0]}
    return Table(
        path,
        lines,
        {
            field: column
            for field, column in values.items()
            if field not in wanted.optional or any(v is not None for v in column)
        },
    )


def path_and_key(path: str, format: Format | None = None) -> tuple[str, str]:
    """Of `file.json#key` the file and the key under which its list stands; of any other path itself, and ""."""
    file, _, key = path.partition("#")
    return (file, key) if "json" in (format, ending(file)[1:]) else (path, "")


def _wanted(columns: Columns, option: str) -> Wanted:
    named = columns.model_dump()
    names = {}
    for field, column in named.items():
        also = (BEIR[field],) if field in BEIR and field not in columns.model_fields_set else ()
        names[field] = column if isinstance(column, int) else (column or field, *also)
    return Wanted(
        names, option + ": {{{field}: ...}}", frozenset(field for field, column in named.items() if column is None)
    )


def read_json(path: str) -> object:
    """The content of a JSON file; UserError where it is missing or none."""
    if not Path(path).exists():
        raise UserError(f"{path}: no such file")
    return parsed_json(path, read_text(path))

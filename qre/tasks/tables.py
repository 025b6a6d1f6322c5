"""Columns of a file, each row with the line where it stands: csv, tsv, jsonl, json, parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from qre.errors import UserError
from qre.tasks.spec import Columns, Format

ENDINGS: dict[str, Format] = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".json": "json", ".parquet": "parquet"}


@dataclass(frozen=True)
class Table:
    """The columns that were asked for.

    Attributes:
        path: the file, for messages.
        lines: where each of the n rows begins: its line, or its number from 1 in .json and .parquet.
        columns: n values each, under the field names of the Columns; None where a row lacks one. A column that the file may have and has not is left out.
    """

    path: str
    lines: list[int]
    columns: dict[str, list]

    def error(self, row: int, problem: str) -> UserError:
        """What is wrong with a row."""
        return UserError(f"{self.path}:{self.lines[row]}: {problem}")


def read_table(path: str, columns: Columns, format: Format | None = None) -> Table:
    """Read the columns of a file. See spec.py for the formats.

    Raises:
        UserError: the file is missing, of another format or encoding, damaged, has no rows, or lacks a column; it names file and line.
    """
    path, _, key = path.partition("#") if "json" in (format, Path(path.partition("#")[0]).suffix[1:]) else (path, "", "")
    format = format or ENDINGS.get(Path(path).suffix)
    if format is None:
        raise UserError(f"{path}: tasks are read from {', '.join(ENDINGS)}; say its format where it ends otherwise")
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file")
    reader = _Reader(path, columns)
    lines, rows = [], []
    for line, row in _ROWS[format](path, reader, key):
        lines.append(line)
        rows.append(row)
    if not rows:
        raise UserError(f"{path}: no rows")
    values = {field: [row[field] for row in rows] for field in rows[0]}
    return Table(path, lines, {field: column for field, column in values.items() if field not in reader.optional or any(v is not None for v in column)})


class _Reader:
    """Takes the wanted columns out of a row."""

    def __init__(self, path: str, columns: Columns):
        self.path = path
        self.wanted = {field: field if column is None else column for field, column in columns.model_dump().items()}
        self.optional = {field for field, column in columns.model_dump().items() if column is None}
        self.by_position = any(isinstance(column, int) for column in self.wanted.values())

    def known(self, names: list[str], line: int = 0) -> dict[str, str]:
        """field -> column, of those that the file has; UserError where a column is missing."""
        place = f"{self.path}:{line}" if line else self.path
        for field, column in self.wanted.items():
            if names.count(column) != 1 and field not in self.optional:
                has = ", ".join(map(repr, names)) or "none"
                problem = f"{'more than one' if column in names else 'no'} column {column!r}"
                raise UserError(f"{place}: {problem}; it has {has}; say which one is meant: columns: {{{field}: ...}}")
        return {field: column for field, column in self.wanted.items() if column in names}

    def at_positions(self, row: list, line: int) -> dict[str, object]:
        """The values of a row without names."""
        places = {field: column for field, column in self.wanted.items() if isinstance(column, int)}
        if len(row) <= max(places.values()):
            raise UserError(f"{self.path}:{line}: {len(row)} fields, but a column at position {max(places.values())} (counted from 0) is asked for")
        return {field: row[place] for field, place in places.items()}


def _separated_rows(path: str, records: Iterator[tuple[int, list[str]]], reader: _Reader) -> Iterator[tuple[int, dict]]:
    """Records under a header, or by position where there is none."""
    known = header = None
    for line, record in records:
        if not record:
            continue
        if reader.by_position:
            yield line, reader.at_positions(record, line)
        elif known is None:
            known, header = reader.known(record, line), record
        elif len(record) > len(header):  # most likely a separator inside a text, which would be cut there
            raise UserError(f"{path}:{line}: {len(record)} fields under a header of {len(header)}; a text may hold the separator only where it is quoted")
        else:
            values = dict(zip(header, record))
            yield line, {field: values.get(column) for field, column in known.items()}


def _quoted(separator: str):
    def rows(path: str, reader: _Reader, _: str) -> Iterator[tuple[int, dict]]:
        yield from _separated_rows(path, _csv_records(path, separator), reader)

    return rows


def _csv_records(path: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(2**31 - 1)
    records = csv.reader(io.StringIO(_decoded(path), newline=""), delimiter=separator, strict=True)
    start = 1
    try:
        for record in records:
            yield start, record
            start = records.line_num + 1
    except csv.Error as error:
        raise UserError(f"{path}:{start}: {error} (in the record that begins here)") from None


def _unquoted_rows(path: str, reader: _Reader, _: str) -> Iterator[tuple[int, dict]]:
    lines = enumerate(_decoded(path).split("\n"), 1)
    yield from _separated_rows(path, ((number, line.split("\t")) for number, line in lines if line), reader)


def _jsonl_rows(path: str, reader: _Reader, _: str) -> Iterator[tuple[int, dict]]:
    for line, raw in enumerate(_decoded(path).split("\n"), 1):
        if raw.strip():
            yield line, _json_row(_parsed(path, raw, line), line, reader)


def _json_rows(path: str, reader: _Reader, key: str) -> Iterator[tuple[int, dict]]:
    value = _parsed(path, _decoded(path))
    if isinstance(value, dict):
        if key not in value:
            raise UserError(f"{path}: say which of its lists is meant, as {path}#KEY; it has {', '.join(value) or 'none'}")
        value = value[key]
    if not isinstance(value, list):
        raise UserError(f"{path}: a list of rows is needed, not {type(value).__name__}")
    for number, row in enumerate(value, 1):
        yield number, _json_row(row, number, reader)


def _json_row(row: object, line: int, reader: _Reader) -> dict:
    if isinstance(row, dict) and not reader.by_position:
        known = reader.known(list(row), line)
        return {field: row[known[field]] if field in known else None for field in reader.wanted}
    if isinstance(row, list) and reader.by_position:
        return reader.at_positions(row, line)
    raise UserError(f"{reader.path}:{line}: a row is {'a list, by position' if reader.by_position else 'an object, by name'}, not {type(row).__name__}")


def _parquet_rows(path: str, reader: _Reader, _: str) -> Iterator[tuple[int, dict]]:
    try:
        file = pq.ParquetFile(path)
        known = reader.known(file.schema_arrow.names)
        table = file.read(columns=list(dict.fromkeys(known.values())))
    except (pa.ArrowException, OSError) as error:  # damaged pages raise OSError
        raise UserError(f"{path}: not readable as parquet: {error}") from None
    values = [table[column].to_pylist() for column in known.values()]
    yield from ((number, dict(zip(known, row))) for number, row in enumerate(zip(*values), 1))


_ROWS = {
    "csv": _quoted(","), "tsv": _quoted("\t"), "tsv-unquoted": _unquoted_rows, "jsonl": _jsonl_rows, "json": _json_rows, "parquet": _parquet_rows,
}  # fmt: skip


def read_json(path: str) -> object:
    """The content of a JSON file; UserError where it is missing or none."""
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file")
    return _parsed(path, _decoded(path))


def _parsed(path: str, text: str, line: int = 0) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # also numbers of too many digits, and too deep a nesting
        raise UserError(f"{path}:{line or getattr(error, 'lineno', 1)}: not JSON: {getattr(error, 'msg', error)}") from None


def _decoded(path: str) -> str:
    raw = Path(path).read_bytes()
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line, bad = error.object.count(b"\n", 0, error.start) + 1, error.object[error.start]
        raise UserError(f"{path}:{line}: not UTF-8 (byte 0x{bad:02x}); convert the file, e.g. iconv -f latin1 -t utf-8") from None

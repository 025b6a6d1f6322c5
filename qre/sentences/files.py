"""Sentence sets from files: txt (a sentence a line), csv and tsv, jsonl, parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from qre.errors import UserError
from qre.sentences.sentence_set import SentenceSet

FORMATS = (".txt", ".csv", ".tsv", ".jsonl", ".parquet")
SHOWN = 5  # line numbers named in one message


def read_sentences(
    path: str | Path, column: str | None = None, limit: int | None = None, on_problem: Literal["error", "drop"] = "error"
) -> SentenceSet:
    """The distinct sentences of a file, in its order.

    Args:
        path: a .txt, .csv, .tsv, .jsonl or .parquet file, UTF-8.
        column: the column (csv, tsv, parquet) or key (jsonl) that holds the sentence; not for txt.
        limit: read at most this many good sentences; None for all.
        on_problem: "error" refuses a file with duplicates or empty sentences; "drop" leaves them out (the first of a duplicate stays)
            and says so in the set's notes.

    Raises:
        UserError: the file is missing, of another format or encoding, damaged, lacks the column, has values that are not text, fewer than
            2 sentences, or duplicates or empty sentences; the message gives line numbers (row numbers for parquet, counted from 1).
    """
    path = Path(path)
    if path.suffix not in FORMATS:
        raise UserError(f"{path}: sentences are read from {', '.join(FORMATS)}, not {path.suffix or 'a file without an ending'}")
    if not path.is_file():
        raise UserError(f"{path}: no such file of sentences")
    texts: dict[str, int] = {}
    empty: list[int] = []
    duplicates: list[tuple[int, int]] = []
    for line, value in _rows(path, column):
        text = _checked(path, line, value)
        if not text:
            empty.append(line)
        elif text in texts:
            duplicates.append((line, texts[text]))
        else:
            texts[text] = line
            if len(texts) == limit:
                break
    notes = _problems(path, empty, duplicates)
    if notes and on_problem == "error":
        raise UserError("\n".join([*notes, "mend the file, or set sentences.on_problem: drop to leave them out"]))
    if limit and len(texts) < limit:
        notes.append(f"{path}: {len(texts)} sentences, fewer than the limit of {limit}")
    if len(texts) < 2:
        raise UserError(f"{path}: {len(texts)} sentences found, at least 2 are needed")
    return SentenceSet(path.name, tuple(texts), notes=tuple(notes))


def _checked(path: Path, line: int, value: object) -> str:
    """The value as text without the space around it, empty for None."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UserError(f"{path}:{line}: the sentence is {type(value).__name__}, not text")
    try:
        value.encode()
    except UnicodeEncodeError as error:  # JSON can escape one half of a surrogate pair, which no encoder and no file can take
        raise UserError(f"{path}:{line}: {ascii(value[error.start])[1:-1]} is half a character, not text") from None
    return value.strip()


def _rows(path: Path, column: str | None) -> Iterator[tuple[int, object]]:
    """(line or row number from 1, value) of every record."""
    if path.suffix == ".parquet":
        yield from _parquet_rows(path, column)
        return
    text = _decoded(path)
    if path.suffix == ".txt":
        if column is not None:
            raise UserError(f"{path}: a txt file has no columns; leave sentences.column out")
        # a sentence a line; a final newline ends the last line, it does not begin an empty one
        lines = text.split("\n")
        yield from enumerate(lines[:-1] if lines and not lines[-1] else lines, 1)
    elif path.suffix == ".jsonl":
        yield from _jsonl_rows(path, text, column)
    else:
        yield from _csv_rows(path, text, column)


def _decoded(path: Path) -> str:
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        seen = error.object  # without the byte order mark; error.start counts from there
        line = seen.count(b"\n", 0, error.start) + 1
        bad = seen[error.start]
        raise UserError(f"{path}:{line}: not UTF-8 (byte 0x{bad:02x}); convert the file, e.g. iconv -f latin1 -t utf-8") from None


def _csv_rows(path: Path, text: str, column: str | None) -> Iterator[tuple[int, object]]:
    csv.field_size_limit(2**31 - 1)
    # no DictReader: it skips blank lines without a word, so that line numbers go wrong, and hides fields beyond the header
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t" if path.suffix == ".tsv" else ",", strict=True)
    header: list[str] = []
    at, start = 0, 1
    try:
        for row in reader:
            if not header:
                header = row
                at = header.index(_column(path, column, header)) if header else 0
            elif len(row) > len(header):  # most likely a separator inside a sentence, which would be cut there
                fields = f"{len(row)} fields under a header of {len(header)}"
                raise UserError(f"{path}:{start}: {fields}; quote a sentence that holds the separator")
            elif row:
                yield start, row[at] if at < len(row) else None
            start = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"{path}:{start}: {error} (in the record that begins here)") from None
    if not header:
        _column(path, column, header)


def _jsonl_rows(path: Path, text: str, column: str | None) -> Iterator[tuple[int, object]]:
    key = None
    for line, raw in enumerate(text.split("\n"), 1):
        if not raw.strip():
            continue
        try:
            record = json.loads(raw)
        except (ValueError, RecursionError) as error:  # also numbers of too many digits, and too deep a nesting
            raise UserError(f"{path}:{line}: not JSON: {getattr(error, 'msg', error)}") from None
        if not isinstance(record, dict):
            raise UserError(f"{path}:{line}: each line is one JSON object, not {type(record).__name__}")
        key = key or _column(path, column, list(record))
        if key not in record:
            raise UserError(f"{path}:{line}: no key {key!r}")
        yield line, record[key]


def _parquet_rows(path: Path, column: str | None) -> Iterator[tuple[int, object]]:
    try:
        file = pq.ParquetFile(path)
        key = _column(path, column, file.schema_arrow.names)
        yield from enumerate((value for batch in file.iter_batches(columns=[key]) for value in batch.column(0).to_pylist()), 1)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # damaged pages raise OSError
        raise UserError(f"{path}: not readable as parquet: {error}") from None


def _column(path: Path, column: str | None, names: list[str]) -> str:
    has = "it has " + (", ".join(map(repr, names)) or "none")
    if column is None and len(names) == 1:
        return names[0]
    if column is None:
        raise UserError(f"{path}: name the column of the sentences with sentences.column; {has}")
    if names.count(column) != 1:
        raise UserError(f"{path}: {'more than one' if column in names else 'no'} column {column!r}; {has}")
    return column


def _problems(path: Path, empty: list[int], duplicates: list[tuple[int, int]]) -> list[str]:
    problems = []
    place = "row" if path.suffix == ".parquet" else "line"
    if empty:
        problems.append(f"{path}: {len(empty)} empty, {place} {_listed(empty)}")
    if duplicates:
        pairs = [f"{line} (as {place} {first})" for line, first in duplicates]
        problems.append(f"{path}: {len(duplicates)} duplicates, {place} {_listed(pairs)}")
    return problems


def _listed(items: list) -> str:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(map(str, items[:SHOWN])) + more

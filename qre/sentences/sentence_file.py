"""Sentence sets from files: txt (a sentence a line), csv and tsv, jsonl, parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from qre.errors import UserError
from qre.sentences.sentence_set import SentenceSet
from qre.tables import PACKED_ENDINGS, Wanted, ending, read_rows

FORMATS = (".txt", ".csv", ".tsv", ".jsonl", ".parquet")
SHOWN = 5  # line numbers named in one message


def read_sentences(
    path: str | Path,
    column: str | None = None,
    limit: int | None = None,
    on_problem: Literal["error", "drop"] = "error",
) -> SentenceSet:
    """The distinct sentences of a file, in its order.

    Args:
        path: a .txt, .csv, .tsv, .jsonl or .parquet file: see qre.tables.
        column: the column (csv, tsv, parquet) or key (jsonl) that holds the sentence; not for txt.
        limit: read at most this many good sentences; None for all.
        on_problem: "error" refuses a file with duplicates or empty sentences; "drop" leaves them out (the first of a
            duplicate stays) and says so in the set's notes.

    Raises:
        UserError: the file is missing, of another format or encoding, damaged, lacks the column, has values that are
            not text, fewer than 2 sentences, or duplicates or empty sentences; the message gives line numbers (row
            numbers for parquet, counted from 1).
    """
    path = Path(path)
    if ending(path) not in FORMATS:
        told = (
            f"{path}: sentences are read from {', '.join(FORMATS)} (also packed: {', '.join(PACKED_ENDINGS)}), not "
            f"{ending(path) or 'a file without an ending'}"
        )
        raise UserError(
            told + ("; unpack it" if ending(path) in (".zip", ".zst", ".7z", ".rar", ".tar", ".tgz") else "")
        )
    if ending(path) == ".txt" and column is not None:
        raise UserError(f"{path}: a txt file has no columns; leave sentences.column out")
    wanted = Wanted(
        {"sentence": None if column is None else (column,)}, "sentences.column", alone=ending(path) != ".txt"
    )
    texts: dict[str, int] = {}
    empty: list[int] = []
    duplicates: list[tuple[int, int]] = []
    for line, row in read_rows(path, wanted):
        text = _checked(path, line, row["sentence"])
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
        raise UserError("\n".join([*notes, "fix the file, or set sentences.on_problem: drop to leave them out"]))
    if limit and len(texts) < limit:
        notes.append(f"{path}: {len(texts)} sentences, fewer than the limit of {limit}")
    if len(texts) < 2:
        raise UserError(
            f"{path}: {len(texts)} sentence{'' if len(texts) == 1 else 's'} found, and at least 2 are needed"
        )
    return SentenceSet(path.name, tuple(texts), notes=tuple(notes))


def _checked(path: Path, line: int, value: object) -> str:
    """The value as text without the space around it, empty for None."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UserError(f"{path}:{line}: the sentence is {type(value).__name__}, not text")
    try:
        value.encode()
    except (
        UnicodeEncodeError
    ) as error:  # JSON can escape one half of a surrogate pair, which no encoder and no file can take
        raise UserError(f"{path}:{line}: {ascii(value[error.start])[1:-1]} is half a character, not text") from None
    return value.strip()


def _problems(path: Path, empty: list[int], duplicates: list[tuple[int, int]]) -> list[str]:
    problems = []
    place = "row" if ending(path) == ".parquet" else "line"
    if empty:
        problems.append(f"{path}: {len(empty)} empty, {place} {_listed(empty)}")
    if duplicates:
        pairs = [f"{line} (as {place} {first})" for line, first in duplicates]
        problems.append(f"{path}: {len(duplicates)} duplicates, {place} {_listed(pairs)}")
    return problems


def _listed(items: list) -> str:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(map(str, items[:SHOWN])) + more

"""The sentences of a new config: from a person's file, from the documents of a retrieval task, or built in."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.start.headers import head_of, mean_length
from qre.errors import UserError
from qre.sentences import read_sentences
from qre.sentences.builtin import MAXIMUM
from qre.tables import ending

USUAL, USEFUL_FROM = 2_000, 1_000  # sentences that a map is made of; with fewer it is shaky
FEWEST_DOCUMENTS = 200  # that are taken as the sentences, where none are named
LONG_NAME = 30  # characters; a longer name of a column may be a sentence
USEFUL = "1,000 to 10,000 sentences are useful"


@dataclass(frozen=True)
class Chosen:
    """The sentences of a config.

    Attributes:
        entry: as in the config, its path as a person gave it.
        told: what they are, for people.
        comments: lines to stand above them in the config.
        notes: what a person should know.
    """

    entry: dict
    told: str
    comments: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def built_in(limit: int | None) -> Chosen:
    count = limit or USUAL
    if count > MAXIMUM:
        raise UserError(
            f"--limit {count:,}: there are {MAXIMUM:,} built-in sentences; give at most so many, or a file of your "
            f"own: --sentences FILE"
        )
    return Chosen(
        {"source": "builtin", "limit": count},
        f"{count:,} built-in sentences",
        ["built-in sentences; your own: qre new --sentences FILE"],
        [_few(count)] if count < USEFUL_FROM else [],
    )


def _few(count: int) -> str:
    return f"{count:,} sentences are few, and encoders that differ may look alike; {USEFUL}"


def from_file(path: Path, column: str | None, limit: int | None) -> Chosen:
    """The sentences of a file, read once to the end of what is taken, so that the plan finds nothing that was not told
    here.

    Raises:
        UserError: it cannot be read, has no column of text, or fewer than 2 sentences.
    """
    notes: list[str] = []
    comments: list[str] = []
    if column is None and ending(path) not in (".txt", ""):
        column, others = text_column(path, notes)
        comments += [f"other columns of text: {', '.join(map(ascii, others))}"] if others else []
    wanted = limit or USUAL
    try:
        read = read_sentences(path, column, wanted, "drop")
    except UserError as error:
        raise UserError(str(error).replace("sentences.column", "--column")) from None
    all_of_it = len(read) < wanted
    if all_of_it:
        read = read_sentences(path, column, None, "drop")  # without the note that there are fewer than asked for
    entry: dict[str, Any] = {"source": "file", "path": str(path)} | ({"column": column} if column is not None else {})
    if not all_of_it:
        entry["limit"] = wanted
        comments.append(f"limit: the first {wanted:,} different sentences; {USEFUL}")
        if limit is None:
            notes.append(f"{path}: the first {wanted:,} different sentences are taken; {USEFUL}: --limit takes more")
    elif limit is not None:
        notes.append(f"{path} has {len(read):,} different sentences, fewer than --limit {limit}")
    if read.notes:
        entry["on_problem"] = "drop"
        comments.append("on_problem: drop leaves out duplicates and empty sentences")
        notes += [f"{note}; left out" for note in read.notes]
    if len(read) < USEFUL_FROM:
        notes.append(_few(len(read)))
    of = f" (column {column!a})" if column is not None else ""
    return Chosen(
        entry, f"{'all' if all_of_it else 'the first'} {len(read):,} sentences of {path}{of}", comments, notes
    )


def text_column(path: Path, notes: list[str]) -> tuple[str, list[str]]:
    """The column of sentences, and the others that may be meant; what a person should know of the choice goes to the
    notes.

    Raises:
        UserError: no column holds text, or the file cannot be read.
    """
    head = head_of(path)
    found = head.texts()
    if not found:
        raise UserError(f"{path}: no column holds text; it has {head.listed()}")
    if len(found) > 1:
        means = ", ".join(
            f"{name!a} ({mean_length(head.columns[name]):.0f} characters on average)" for name in found[:5]
        )
        notes.append(f"{path} has several columns of text, and {found[0]!a} is taken: {means}; --column names another")
    if " " in found[0].strip() and (
        len(head.columns) == 1 or len(found[0]) > LONG_NAME or found[0].rstrip().endswith((".", "!", "?"))
    ):
        notes.append(
            f"{path}: the first line, {found[0][:60]!a}, is taken for the name of the column; if it is a sentence, "
            f"put a header line above it"
        )
    return found[0], found[1:]


def from_documents(path: Path, column: str, limit: int | None) -> Chosen | None:
    """The sentences of a retrieval task's documents; None where they are too few, or cannot be sentences."""
    try:
        chosen = from_file(path, column, limit)
        count = len(read_sentences(path, column, FEWEST_DOCUMENTS, "drop"))
    except UserError:
        return None
    return chosen if count >= FEWEST_DOCUMENTS else None

"""Positive pairs from a file."""

from __future__ import annotations

from pathlib import Path

from qre.errors import UserError
from qre.geometry.positives import high
from qre.tables import PACKED_ENDINGS, AllColumns, ending, read_rows
from qre.tasks.columns import FORMATS, Table, path_and_key
from qre.tasks.values import number, texts

NAMES = (("a", "b"), ("sentence1", "sentence2"))


def read_pairs(path: str | Path) -> list[tuple[str, str]]:
    """The pairs of a file, in its order: two texts that mean the same.

    Args:
        path: .csv, .tsv, .jsonl, .json (or .json#KEY) or .parquet with the columns a and b, or sentence1 and
            sentence2. With a column label the pairs with 1 count; with a column score those above four fifths of its
            scale.

    Raises:
        UserError: the file is missing, of another format, damaged, lacks the columns, or has no positive pair.
    """
    path, key = path_and_key(str(path))
    if ending(path) not in FORMATS:
        raise UserError(
            f"{path}: pairs are read from {', '.join(FORMATS)} (also packed: {', '.join(PACKED_ENDINGS)}), with the "
            f"columns a and b"
        )
    lines, rows = [], []
    for line, row in read_rows(path, AllColumns(), key=key):
        lines.append(line)
        rows.append(row)
    if not rows:
        raise UserError(f"{path}: no pairs")
    has = list(dict.fromkeys(name for row in rows for name in row))
    names = next((pair for pair in NAMES if set(pair) <= set(has)), None)
    if names is None:
        raise UserError(
            f"{path}: name the columns of the two texts a and b, or sentence1 and sentence2; it has "
            f"{', '.join(map(repr, has)) or 'none'}"
        )
    table = Table(path, lines, {name: [row.get(name) for row in rows] for name in has})
    pairs = list(zip(texts(table, names[0]), texts(table, names[1]), strict=True))
    found = [pair for pair, positive in zip(pairs, _positive(table), strict=True) if positive]
    if not found:
        raise UserError(f"{path}: no pair has a label of 1, or a score above four fifths of the largest")
    return found


def _positive(table: Table) -> list[bool]:
    """Which rows are positive pairs."""
    for name in ("label", "score"):
        if name in table.columns:
            values = [number(table, row, value, name) for row, value in enumerate(table.columns[name])]
            return [value == 1 for value in values] if name == "label" else [value > high(values) for value in values]
    return [True] * len(table.lines)

"""Which columns of a person's file are meant: by their names first, then by what is in them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qre.errors import UserError
from qre.tables import ENDINGS, PACKED_ENDINGS, AllColumns, ending, read_rows

ROWS = 500  # of a file that are looked at
TEXT = (
    "text",
    "sentence",
    "sentences",
    "texts",
    "content",
    "body",
    "passage",
    "document",
    "query",
    "question",
    "utterance",
    "abstract",
    "description",
)
ID = ("id", "_id")

Rule = Callable[[list], bool]


@dataclass(frozen=True)
class Head:
    """The first rows of a file.

    Attributes:
        path: the file.
        columns: name -> values of its first rows, None where a row lacks one; in the order of the file.
    """

    path: Path
    columns: dict[str, list]

    def find(self, what: str, names: Sequence[str], fits: Rule, without: Sequence[str] = ()) -> str:
        """The column that is meant: one of these names, else the only one that fits.

        Raises:
            UserError: there is none, or several may be meant.
        """
        found = self.named(names, without) or self.only(fits, without)
        if found is None:
            raise UserError(f"{self.path}: which column is the {what}? It has {self.listed()}; name it {names[0]!r}")
        return found

    def named(self, names: Sequence[str], without: Sequence[str] = ()) -> str | None:
        """The column with the first of these names that is there, in any case, and with a blank or hyphen for an
        underscore."""
        known = {plain(name): name for name in reversed(self.columns) if name not in without}
        return next((known[plain(name)] for name in names if plain(name) in known), None)

    def only(self, fits: Rule, without: Sequence[str] = ()) -> str | None:
        """The only column whose values fit."""
        found = [name for name, values in self.columns.items() if name not in without and fits(values)]
        return found[0] if len(found) == 1 else None

    def texts(self) -> list[str]:
        """The columns of text, the likeliest first: by a usual name, then by the mean length of the texts."""
        usual = {name: rank for rank, name in enumerate(TEXT)}
        found = [name for name, values in self.columns.items() if is_long_text(values)] or [
            name for name, values in self.columns.items() if is_text(values)
        ]
        return sorted(found, key=lambda name: (usual.get(plain(name), len(usual)), -mean_length(self.columns[name])))

    def listed(self) -> str:
        return ", ".join(map(ascii, self.columns)) or "no columns"


def head_of(path: Path) -> Head:
    """The first rows of a table.

    Raises:
        UserError: no such file, another format, damaged, or without rows.
    """
    if ending(path) not in ENDINGS or ending(path) == ".txt":
        known = ", ".join(one for one in ENDINGS if one not in (".txt", ".json"))
        raise UserError(f"{path}: a table is needed: {known} (also packed: {', '.join(PACKED_ENDINGS)})")
    rows = [row for _, row in itertools.islice(read_rows(path, AllColumns()), ROWS)]
    if not rows:
        raise UserError(f"{path}: no rows")
    if not any(rows):
        raise UserError(
            f"{path}: the header gives each of its names more than once; give the columns names of their own"
        )
    return Head(
        path, {name: [row.get(name) for row in rows] for name in dict.fromkeys(itertools.chain.from_iterable(rows))}
    )


def plain(name: str) -> str:
    """A name without what people write differently."""
    return name.strip().casefold().replace("-", "_").replace(" ", "_")


def is_text(values: list) -> bool:
    """Text, and no numbers."""
    given = _given(values)
    return (
        bool(given) and all(isinstance(one, str) for one in given) and not is_number(values) and mean_length(given) > 0
    )


def is_long_text(values: list) -> bool:
    """Text of which most values are of several words."""
    given = _given(values)
    return is_text(values) and 2 * sum(" " in one.strip() or len(one) > 40 for one in given) > len(given)


def is_number(values: list) -> bool:
    given = _given(values)
    return bool(given) and all(_number(one) for one in given)


def is_label(values: list) -> bool:
    """Few different values, each several times."""
    given = _given(values)
    return all(isinstance(one, (str, int)) for one in given) and 2 <= len(set(given)) <= max(2, len(given) // 2)


def is_id(values: list) -> bool:
    """A different value in each row."""
    given = [str(one) for one in _given(values)]
    return len(given) == len(values) == len(set(given)) and not is_long_text(given)


def mean_length(values: list) -> float:
    """Mean characters of the texts."""
    given = [len(one) for one in values if isinstance(one, str)]
    return sum(given) / len(given) if given else 0.0


def _given(values: list) -> list:
    return [one for one in values if one is not None and one != ""]


def _number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True

"""Values of a column, checked: texts, names, numbers."""

from __future__ import annotations

import math
from typing import Any

from qre.tasks.columns import Table


def texts(table: Table, field: str, may_be_empty: bool = False) -> list[str]:
    """A column of texts, as they are in the file."""
    for row, value in enumerate(table.columns[field]):
        if value is None or value == "" or (isinstance(value, str) and not value.strip()):
            if not may_be_empty:
                raise table.error(row, f"empty {field}; fix or remove the row")
        elif not isinstance(value, str):
            raise table.error(row, f"{field} is {type(value).__name__}, not text")
        elif not _is_text(value):
            raise table.error(row, f"{field} holds half a character (a lone surrogate); fix the text")
    return [value or "" for value in table.columns[field]]


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # JSON can escape one half of a surrogate pair, which no encoder can take
        return False
    return True


def names(table: Table, field: str) -> list[str]:
    """A column of ids or labels: text or whole numbers, as text without the space around it."""
    values = [
        int(value) if isinstance(value, float) and value.is_integer() else value for value in table.columns[field]
    ]
    for row, value in enumerate(values):
        if not isinstance(value, (str, int)) or isinstance(value, bool) or not str(value).strip():
            raise table.error(row, f"{field} {value!r}; text or a whole number is needed")
    return [str(value).strip() for value in values]


def number(table: Table, row: int, value: Any, field: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise table.error(row, f"{field} {value!r} is not a number")
    return number

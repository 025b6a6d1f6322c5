"""Tables as CSV that a spreadsheet shows and does not run, and what stands in their cells.

A spreadsheet takes a cell that begins with = + - @, a tab or a line break for a formula, and names come from strangers.
Such a text gets an apostrophe before it, here and nowhere else; `text_of` takes it away again.
"""

from __future__ import annotations

import csv
import re

import pandas as pd

# with apostrophes before it too, so that no two texts are written alike
FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def csv_text(table: pd.DataFrame) -> str:
    """A table as CSV with a header and without its index. Texts and headers that a spreadsheet would run are quoted;
    numbers stay as they are."""
    shown = table.set_axis([cell_of(name) for name in table.columns], axis=1)
    texts = [i for i, kind in enumerate(shown.dtypes) if not pd.api.types.is_numeric_dtype(kind)]
    for i in texts:
        shown.isetitem(i, shown.iloc[:, i].astype(object).map(cell_of))
    text = shown.to_csv(index=False)
    # a carriage return in a cell would begin a row there, since Python before 3.13 puts no quotes around it
    return text if "\r" not in text else shown.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC)


def cell_of(value):
    """A value as it stands in a cell: texts that a spreadsheet would run with an apostrophe before them."""
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value


def text_of(cell):
    """The value that `cell_of` made a cell of; any other is as it was."""
    return cell[1:] if isinstance(cell, str) and cell.startswith("'") and FORMULA.match(cell) else cell

"""What a page holds and says, for tests to compare: its data, its address."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np


def page_data(path: Path) -> dict[str, Any]:
    """The data block of a page, as qre.page.contract.Page has it."""
    packed = re.search(rb'id="data">(.*?)</script>', Path(path).read_bytes(), re.DOTALL)
    assert packed is not None
    return json.loads(gzip.decompress(base64.b64decode(packed[1])))


def column(data: dict[str, Any], name: str) -> dict[str, Any]:
    """A column of the data by its id."""
    return next(one for one in data["columns"] if one["id"] == name)


def task(data: dict[str, Any], name: str) -> dict[str, Any]:
    """A task of the data by its id."""
    return next(one for one in data["tasks"] if one["id"] == name)


def floats(values: list[float | None]) -> np.ndarray:
    """Numbers of the data, (N,) float64 with NaN for what is not known."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def fragment(page: Any) -> dict[str, list[str]]:
    """The parts of a page's address behind "#"."""
    return parse_qs(page.evaluate("location.hash").removeprefix("#"), keep_blank_values=True)  # page.url lags behind


def names(page: Any) -> list[str]:
    """The encoders in the rows of the table, from the first row on."""
    return page.locator("#view-table tbody th.name .link").all_inner_texts()


def ordered(data, values, down):
    """Names by values, those that are not known last, ties by name."""
    lower = [name.lower() for name in data["name"]]
    known = [i for i in range(len(values)) if not np.isnan(values[i])]
    unknown = [i for i in range(len(values)) if np.isnan(values[i])]
    known.sort(key=lambda i: (-values[i] if down else values[i], lower[i]))
    return [data["name"][i] for i in [*known, *sorted(unknown, key=lambda i: lower[i])]]


def at_first(data):
    """The names in the order that nobody has chosen: by the first task, as no task has a score of every encoder."""
    assert all(None in one["value"] for one in data["tasks"])
    return ordered(data, floats(data["tasks"][0]["value"]), True)

"""What a map tells of its encoders, as categories and numbers that a figure can colour."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from qre.atlas.ranking import known_numbers, one_score_each
from qre.figures.style import plain

MOST_SCORES = 3  # tasks that are looked at
LONGEST_TITLE = 44
LOG_RATIO = 100  # numbers that span more than this are coloured by their logarithm
SEVERAL = "several"


@dataclass(frozen=True)
class Attribute:
    """One attribute of N encoders.

    Attributes:
        title: what it is, with its unit; plain text that may hold a stranger's words.
        values: (N,), float64 with NaN where it is not known, or object (str) with None.
        ratios: of numbers, whether how many times one is larger than another has a meaning.
    """

    title: str
    values: np.ndarray
    ratios: bool = True

    @property
    def numeric(self) -> bool:
        return self.values.dtype == np.float64

    @property
    def known(self) -> np.ndarray:
        """Of which encoders it is known, (N,) bool."""
        return np.isfinite(self.values) if self.numeric else np.array([value is not None for value in self.values])

    @property
    def logarithmic(self) -> bool:
        """Whether it is positive and spans orders of magnitude."""
        known = self.values[self.known]
        return (
            self.numeric
            and self.ratios
            and len(known) > 0
            and known.min() > 0
            and known.max() > LOG_RATIO * known.min()
        )

    @property
    def varies(self) -> bool:
        return len(set(self.values[self.known].tolist())) > 1


def varying_attributes(table: pd.DataFrame, scores: pd.DataFrame | None, most: int) -> list[Attribute]:
    """Up to `most` attributes that have two values at least, those that tell most first; no categories that part the
    encoders as others before them do.

    Args:
        table: the map, one row an encoder: name, family, and any of the columns that are asked for here.
        scores: with the columns ranking.SCORES; None: none.
    """
    chosen: list[Attribute] = []
    parted: set[tuple[int, ...]] = set()
    for attribute in _by_interest(table, scores):
        codes = () if attribute.numeric else tuple(pd.factorize(attribute.values)[0].tolist())
        if attribute.varies and codes not in parted:
            chosen.append(attribute)
            parted |= {codes} - {()}
    return chosen[:most]


def _by_interest(table: pd.DataFrame, scores: pd.DataFrame | None) -> list[Attribute]:
    of_tasks = _scores(table, scores)
    layer = _column(table, "layer").where(_column(table, "layer") != "last", _column(table, "layers"))
    return [
        _words("family", table, "family"),
        _numbers("dimension", table, "dimension"),
        _numbers("parameters", table, "parameters"),
        *of_tasks[:1],
        _words("pooling", table, "pooling", "model_pooling"),
        _words("model type", table, "model_type", "architecture"),
        _numbers("effective rank", table, "effective_rank"),
        Attribute("training set (the commonest)", _commonest(_column(table, "training_sets"))),
        _numbers("layer", table.assign(layer=layer), "layer"),
        _numbers("QRE (nats)", table, "qre"),
        _numbers("uniformity", table, "uniformity"),
        _numbers("IsoScore, unbiased", table, "isoscore_unbiased"),
        Attribute("language", _one_or_several(_column(table, "languages"))),
        _words("source", table, "source"),
        Attribute("created (year)", _years(_column(table, "created"))),
        _numbers("most tokens", table, "model_max_tokens"),
        _words("licence", table, "licence"),
        *of_tasks[1:],
    ]


def _scores(table: pd.DataFrame, scores: pd.DataFrame | None) -> list[Attribute]:
    """The scores on the first tasks."""
    if scores is None or scores.empty:
        return []
    known = one_score_each(scores)
    tasks = []
    for task, rows in list(known.groupby("task", sort=False))[:MOST_SCORES]:
        values = table["name"].map(rows.drop_duplicates("name").set_index("name")["score"])
        title = f"score on {plain(str(task), LONGEST_TITLE // 2)} ({plain(str(rows['metric'].iloc[0]), 16)})"
        tasks.append(Attribute(title, known_numbers(pd.DataFrame({"score": values}), "score"), ratios=False))
    return tasks


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    """A column, all null where the table has none of this name."""
    return table[name].astype(object) if name in table else pd.Series(None, index=table.index, dtype=object)


def _numbers(title: str, table: pd.DataFrame, name: str) -> Attribute:
    values = known_numbers(table, name)
    return Attribute(title, np.where(np.isfinite(values), values, np.nan))


def _words(title: str, table: pd.DataFrame, name: str, otherwise: str = "") -> Attribute:
    """A column as categories; the values of a second one where the first has none."""
    first, second = _column(table, name), _column(table, otherwise)
    return Attribute(
        title,
        _objects([str(a) if _told(a) else str(b) if _told(b) else None for a, b in zip(first, second, strict=True)]),
    )


def _told(value: object) -> bool:
    return value is not None and value is not pd.NA and value == value and value != ""


def _objects(values: list[str | None]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _parts(value: object) -> list[str]:
    """The names in a list that map_table has joined."""
    return [part for part in str(value).split(", ") if part] if _told(value) else []


def _commonest(column: pd.Series) -> np.ndarray:
    """Of each encoder's list the name that most encoders have, ties by name."""
    lists = [_parts(value) for value in column]
    counts = Counter(name for names in lists for name in set(names))
    return _objects([min(names, key=lambda name: (-counts[name], name)) if names else None for names in lists])


def _one_or_several(column: pd.Series) -> np.ndarray:
    lists = [_parts(value) for value in column]
    return _objects([None if not names else names[0] if len(set(names)) == 1 else SEVERAL for names in lists])


def _years(column: pd.Series) -> np.ndarray:
    """Dates as years with a fraction, (N,) float64."""
    dates = pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601")
    return (dates.dt.year + (dates.dt.day_of_year - 1) / 365.25).to_numpy(dtype=np.float64)

"""Which measures of geometry go with which scores over the encoders of a map: a table, and the few numbers that
sentences and figures take of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from qre.atlas.rank_correlations import rank_correlations
from qre.geometry.legend import LEGEND, Entry

MEAN_SCORE = "mean score"
# told beside the measures: what grows with it may tell no more than it
DIMENSION = Entry("dimension", "dimension, to compare", ".0f", "", "of the embedding; ranks and LiDAR grow with it")
ENTRIES = (*LEGEND, DIMENSION)
ALL, WITHIN = "all encoders", "within families"
FORMS = (ALL, WITHIN)
ALWAYS_THERE = frozenset({"effective_rank"})  # columns of every map, also of one whose geometry was not measured
COLUMNS = (
    "form",
    "measure",
    "task",
    "spearman",
    "low",
    "high",
    "excludes_0",
    "excludes_0_together",
    "encoders",
    "groups",
    "families",
)


def measured(table: pd.DataFrame) -> list[Entry]:
    """The measures that a map has columns of, in the order of the legend; none where its geometry was not measured."""
    found = [entry for entry in LEGEND if entry.name in table and table[entry.name].notna().any()]
    return found if {entry.name for entry in found} - ALWAYS_THERE else []


def measure_scores(table: pd.DataFrame, scores: np.ndarray, tasks: Sequence[str], seed: int = 0) -> pd.DataFrame:
    """Spearman of each measure, and of the dimension where it differs, with the scores of each task and with their
    mean, over all encoders and within families.

    Args:
        table: the map, N rows: group, family, dimension, and a column for each measure; see measured.
        scores: (N, T), float64, NaN where unknown; in the order of the table.
        tasks: names, T.

    Returns:
        COLUMNS, a row for each form, measure and task. The mean score (MEAN_SCORE, where there are several tasks) is of
        the encoders that have all scores. excludes_0: 0 is outside of the 95 % interval; excludes_0_together: also of
        the one that holds for all rows of the form at once. See rank_correlations.
    """
    differs = table["dimension"].nunique() > 1
    entries = [*measured(table), *([DIMENSION] if differs else [])]
    names = [f"“{task}”" if task == MEAN_SCORE else task for task in tasks]  # imported results may hold such a column
    if len(names) > 1:
        scores, names = np.column_stack([scores, scores.mean(axis=1)]), [*names, MEAN_SCORE]
    values = table[[entry.name for entry in entries]].to_numpy(np.float64, na_value=np.nan)
    parts = []
    for form, families in ((ALL, None), (WITHIN, table["family"].to_numpy(str))):
        found = rank_correlations(values, scores, table["group"].to_numpy(), families, seed)
        part = pd.DataFrame(
            {
                "form": form,
                "measure": np.repeat([entry.name for entry in entries], len(names)),
                "task": np.tile(np.array(names, dtype=object), len(entries)),
                "spearman": found.spearman.ravel(),
                "low": found.low.ravel(),
                "high": found.high.ravel(),
                "excludes_0": ((found.low > 0) | (found.high < 0)).ravel(),
                "excludes_0_together": found.together.ravel(),
                "encoders": found.encoders.ravel(),
                "groups": found.groups.ravel(),
                "families": found.families.ravel(),
            }
        )
        parts.append(part)
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)]


def grid(told: pd.DataFrame, form: str, column: str = "spearman") -> pd.DataFrame:
    """A column of the table of one form as measures × tasks, both in their order."""
    rows = told[told["form"] == form]
    wide = rows.pivot(index="measure", columns="task", values=column)
    return wide.loc[list(dict.fromkeys(rows["measure"])), list(dict.fromkeys(rows["task"]))]

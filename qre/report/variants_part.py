"""Variants beside the encoders that they are made of: a part of the page."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qre.atlas.beside_parents import largest
from qre.counted import counted
from qre.geometry.legend import LEGEND
from qre.report.markdown import escaped, table_head, table_row

MOST_VARIANTS, MOST_STEPS, MOST_TASKS = 40, 20, 5  # rows of both tables, and columns of tasks
SHOWN = ("isoscore_unbiased", "uniformity", "alignment", "effective_rank")  # measures, where the map has them


def variants_part(variants: pd.DataFrame, figure: bool) -> list[list[str]]:
    """Lines of the page; none without variants.

    Args:
        variants: see qre.atlas.beside_parents.variant_table.
        figure: variants.png stands beside the page.
    """
    if variants.empty:
        return []
    count = variants["variant"].nunique()
    lead = [
        "## Variants beside their parents",
        "",
        f"{counted(count, 'encoder')} of this map {'is' if count == 1 else 'are'} made of another one on it, by what "
        f"stands under *what was done*.",
        "Its parent lacks these steps and is otherwise the same. Distance is that of the features; moved is the way on "
        "the map, as a share of its diagonal.",
    ]
    tasks = list(dict.fromkeys(variants["task"].dropna()))
    if tasks:
        lead.append(
            "A difference is the score of the variant less that of its parent, with its 95 % interval by a paired "
            "bootstrap: both are scored on the same resampled items. ▲ and ▼ mark those whose interval excludes 0, "
            "? those whose interval is not known."
        )
    picture = ["![The map in grey, an arrow from each parent to its variant.](variants.png)"] if figure else []
    return [lead, picture, *([_by_step(variants, tasks[:MOST_TASKS])] if tasks else []), _table(variants, tasks)]


def _by_step(variants: pd.DataFrame, tasks: list[str]) -> list[str]:
    """How often each step has made encoders better, and worse."""
    lines = ["### By what was done", "", *table_head("what was done", "variants", *tasks)]
    counts = variants.drop_duplicates("variant")["done"].value_counts()
    shown = list(counts.index[:MOST_STEPS])
    for done, own in variants[variants["done"].isin(shown)].groupby("done", sort=False):
        cells = [_counts(own.loc[own["task"] == task]) for task in tasks]
        lines.append(table_row(str(done), f"{own['variant'].nunique():,}", *cells))
    left = f" The {MOST_STEPS} most frequent of {len(counts):,}." if len(counts) > MOST_STEPS else ""
    return [*lines, "", f"▲ better, ▼ worse, ≈ not told apart, ? not known.{left}"]


def _counts(rows: pd.DataFrame) -> str:
    """Such as "3 ▲ 15 ▼ 4 ≈"."""
    signs = [_sign(row.apart) or "≈" for row in rows[rows["difference"].notna()].itertuples()]
    return " ".join(f"{signs.count(sign)} {sign}" for sign in "▲▼≈?" if sign in signs)


def _table(variants: pd.DataFrame, tasks: list[str]) -> list[str]:
    count = variants["variant"].nunique()
    names = largest(variants, MOST_VARIANTS)
    measures = [entry for name in SHOWN for entry in LEGEND if entry.name == name and name in variants]
    lines = ["### Each variant", ""]
    if count > len(names):
        lines += [f"The {len(names)} of {count:,} that are farthest from their parents. All are in `variants.csv`.", ""]
    if len(tasks) > MOST_TASKS:
        left = ", ".join(map(escaped, tasks[MOST_TASKS:]))
        lines += [f"Further tasks are in `variants.csv`: {left}.", ""]
    shown = tasks[:MOST_TASKS]
    lines += table_head(
        "variant", "parent", "what was done", "distance", "moved", *(entry.title for entry in measures), *shown
    )
    rows = dict(list(variants.groupby("variant", sort=False)))
    for name in names:
        own, first = rows[name], rows[name].iloc[0]
        changed = [_change(first[f"parent_{entry.name}"], first[entry.name], entry.form) for entry in measures]
        cells = [_difference(own.loc[own["task"] == task]) for task in shown]
        lines.append(
            table_row(
                name,
                first["parent"],
                first["done"],
                f"{first['distance']:.3g}",
                f"{first['moved']:.2f}",
                *changed,
                *cells,
            )
        )
    return lines


def _change(before: float, after: float, form: str) -> str:
    """Such as "0.12 → 0.34"; "" where one is not known."""
    return "" if pd.isna(before) or pd.isna(after) else f"{before:{form}} → {after:{form}}"


def _difference(rows: pd.DataFrame) -> str:
    """Such as "-0.012 (-0.020 to -0.003) ▼"; "" where there is none."""
    if rows.empty:
        return ""
    row = rows.iloc[0]
    if not np.isfinite(row["difference"]):
        return ""
    between = f" ({row['low']:+.3f} to {row['high']:+.3f})" if np.isfinite(row["low"] + row["high"]) else ""
    return f"{row['difference']:+.3f}{between} {_sign(row['apart'])}".rstrip()


def _sign(apart: str | None) -> str:
    return "?" if pd.isna(apart) else {"better": "▲", "worse": "▼"}.get(str(apart), "")

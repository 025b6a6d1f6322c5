"""The best encoders of a map, by task and by their mean: what people look for first."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qre.atlas.differences import like_the_best, noise_in_words
from qre.atlas.overview import ABOUT, MEAN_RULE, Overview, best, parents_of
from qre.counted import counted
from qre.encoders.described import loading_lines, parameters_in_words
from qre.report.markdown import escaped, number, table_head, table_row

FEW, MORE = 5, 10  # encoders shown of a task, and where there is one task only, or of the mean
MOST_TASKS = 12  # whose best are shown; the other tasks are only named
DESCRIBED = 5  # encoders of which is said what they are
CLOSE = (
    "An encoder marked ≈ cannot be told from the best on the task: the 95 % interval of their difference, from both "
    "intervals taken as independent, holds 0."
)
NO_TASKS = (
    "This map was made without tasks: it shows which encoders are alike, not which are good. Name tasks in the "
    "config, and `qre sweep` adds their scores."
)


def best_parts(table: pd.DataFrame, scores: pd.DataFrame, predicted: pd.DataFrame | None) -> list[list[str]]:
    """For the arguments see page.report_page."""
    if scores.empty:
        return [["## Best encoders", "", NO_TASKS]]
    found = best(table, _with_source(scores), predicted)
    parents, tasks = parents_of(table), list(found.cells)
    lead = ["## Best encoders", "", "Of near-copies, which differ by a transform only, the best is listed.", CLOSE]
    if len(tasks) == 1:
        return [lead, _by_task(found, tasks[0], scores, parents, MORE), _what_they_are(found, parents, table)]
    shown, left = tasks[:MOST_TASKS], tasks[MOST_TASKS:]
    more = (
        [
            [
                f"And {counted(len(left), 'more task')}: {', '.join(map(escaped, left))}. `qre rank --task NAME` "
                f"ranks the encoders on each."
            ]
        ]
        if left
        else []
    )
    return [
        lead,
        _by_mean(found.folded(parents), tasks),
        _what_they_are(found, parents, table),
        *(_by_task(found, task, scores, parents, FEW) for task in shown),
        *more,
    ]


def top_of(found: Overview, task: str, parents: dict[str, str], count: int) -> pd.DataFrame:
    """The best encoders on one task, near-copies folded: name, near_copies, value, low, high, basis, n, like_best, and
    what is told of each (see overview.ABOUT)."""
    table = pd.concat([found.table[["name", *ABOUT]], found.cells[task]], axis=1)
    table["like_best"] = like_the_best(table)
    table = table[np.isfinite(table["value"].astype(float))].sort_values(["value", "name"], ascending=[False, True])
    parent = table["name"].map(lambda name: parents.get(name, name))
    copies = parent.map(parent.value_counts()) - 1
    return table.assign(near_copies=copies)[~parent.duplicated()].head(count).reset_index(drop=True)


def with_copies(name: str, count: int) -> str:
    """Such as "MiniLM/L6/mean and 3 near-copies"."""
    return name if not count else f"{name} and {count} near-cop{'y' if count == 1 else 'ies'}"


def interval(low: float, high: float) -> str:
    """Such as "0.790 to 0.834"; "" where it is not known."""
    return f"{low:.3f} to {high:.3f}" if np.isfinite(low) and np.isfinite(high) else ""


def _by_mean(found: Overview, tasks: list[str]) -> list[str]:
    lines = [
        f"### By mean over {counted(len(tasks), 'task')}",
        "",
        f"{MEAN_RULE[0].upper()}{MEAN_RULE[1:]}.",
        "",
        *table_head("", "encoder", "mean", "scores are", "dimensions", "parameters"),
    ]
    for line in found.table.head(MORE).itertuples():
        lines.append(
            table_row(
                str(line.rank), with_copies(line.name, line.near_copies), number(line.mean), line.basis, *_size(line)
            )
        )
    return lines


def _size(line) -> tuple[str, str]:
    """Dimensions and parameters of a row, "" where they are not known."""
    return (
        f"{line.dimension:,.0f}" if pd.notna(line.dimension) else "",
        parameters_in_words(line.parameters) if pd.notna(line.parameters) else "",
    )


def _what_they_are(found: Overview, parents: dict[str, str], table: pd.DataFrame) -> list[str]:
    """The best encoders in words, and the first in Python."""
    best_of = found.folded(parents).table.head(DESCRIBED)
    told = [
        f"- {escaped(line.name)} = {escaped(line.description)}" for line in best_of.itertuples() if line.description
    ]
    code = loading_lines(table[table["name"] == best_of["name"].iloc[0]].iloc[0].to_dict())
    load = ["", f"{escaped(best_of['name'].iloc[0])} in Python, `sentences` being a list of texts:", ""] if code else []
    return [
        "### What they are",
        "",
        *told,
        *load,
        *(f"    {' '.join(line.split())}" for line in code),
        "",
        "`qre encoders show NAME --atlas MAP` tells the same of any encoder; the parts of a name are explained in "
        "docs/scores.md.",
    ]


def _by_task(found: Overview, task: str, scores: pd.DataFrame, parents: dict[str, str], count: int) -> list[str]:
    metric = scores.loc[scores["task"] == task, "metric"].iloc[0]
    kind = str(scores.loc[scores["task"] == task, "kind"].iloc[0])
    lines = [f"### {escaped(task)} ({escaped(str(metric))})", ""]
    if noise := noise_in_words(kind, found.cells[task]):
        lines += [f"{noise[0].upper()}{noise[1:]}.", ""]
    lines += table_head("", "encoder", "score", "95 % interval", "", "", "dimensions", "parameters")
    for rank, line in enumerate(top_of(found, task, parents, count).itertuples(), start=1):
        lines.append(
            table_row(
                str(rank),
                with_copies(line.name, line.near_copies),
                number(line.value),
                interval(line.low, line.high),
                "≈" if rank > 1 and line.like_best else "",
                line.basis,
                *_size(line),
            )
        )
    return lines


def _with_source(scores: pd.DataFrame) -> pd.DataFrame:
    """With the columns that a ranking needs; tables that say no more were measured."""
    missing = {name: value for name, value in (("source", "measured"), ("split", "")) if name not in scores}
    return scores.assign(**missing)

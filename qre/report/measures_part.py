"""Geometry and scores: the part of the page, and the three sentences that say what the numbers say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from qre.atlas.measure_scores import ALL, DIMENSION, ENTRIES, FORMS, MEAN_SCORE, WITHIN
from qre.atlas.rank_correlations import FEWEST_IN_FAMILY
from qre.counted import counted
from qre.geometry.legend import LEGEND
from qre.prediction.data import FEWEST_GROUPS
from qre.report.markdown import escaped, table_head, table_row

MOST_NAMED = 3
BY_CHANCE = 0.05  # of intervals of 95 %
TITLES = {entry.name: entry.title for entry in ENTRIES}
# the sign of a correlation of which says that more isotropic goes with better
TOWARDS = {"higher": 1, "lower": -1}
ISOTROPIC = {entry.name: TOWARDS[entry.more_isotropic] for entry in LEGEND if entry.more_isotropic}
IN_WORDS = {ALL: "over all encoders", WITHIN: "within families"}
CAUTION = (
    "These are correlations over the encoders of this map: none says that a change of an encoder's geometry would "
    "change its scores. The measures are kin to each other (mean cosine and norm of the mean rank alike), so that many "
    "agree is no evidence of its own."
)


def measures_parts(told: pd.DataFrame, figures: Sequence[str]) -> list[list[str]]:
    """The parts of the page, each as lines.

    Args:
        told: see qre.atlas.measure_scores.measure_scores.
        figures: names of the files beside the page; of these measures.png is shown.
    """
    title = "Spearman correlation of measures of geometry with scores, over all encoders and within families."
    return [
        ["# Geometry and scores"],
        [*sentences(told), *_dimension(told), CAUTION],
        *([[f"![{title}](measures.png)"]] if "measures.png" in figures else []),
        _table(told),
    ]


def sentences(told: pd.DataFrame) -> list[str]:
    """Three: which measures go with which scores over all encoders, which do so within families, and whether more
    isotropic goes with better; as Markdown."""
    told = told[told["measure"] != DIMENSION.name]
    return [_over_all(told), _within(told), _isotropic(told)]


def _dimension(told: pd.DataFrame) -> list[str]:
    """What the dimension alone tells, in one sentence; none where all encoders have the same."""
    rows = told[(told["measure"] == DIMENSION.name) & (told["task"] == _target(told))].dropna(subset=["spearman"])
    parts = [f"{_value(row)} {IN_WORDS[str(row.form)]}" for row in rows.itertuples()]
    grow = "ranks and LiDAR grow with it, and IsoScore divides by it"
    return [f"The dimension alone goes with the {_score(told)} by {' and '.join(parts)}: {grow}."] if parts else []


def verdicts(told: pd.DataFrame, form: str) -> pd.DataFrame:
    """What is said of each measure: sign (1 or -1 where the interval of its correlation with the mean score excludes 0,
    0 where it includes 0, NaN where there is none), strength (the correlation without its sign) and words.

    Where no mean score can be told, sign is what more than half of the tasks have, and strength their share."""
    rows = told[told["form"] == form]
    target = rows[rows["task"] == _target(told)].set_index("measure")
    if len(target):
        sign = np.sign(target["spearman"]).where(target["excludes_0"], 0.0).where(target["spearman"].notna())
        words = [_value(row) for row in target.itertuples()]
        return pd.DataFrame({"sign": sign, "strength": target["spearman"].abs(), "words": words})
    rows = rows[rows["task"] != MEAN_SCORE].dropna(subset=["spearman"])
    return pd.DataFrame.from_dict(
        {name: _of_tasks(rows[rows["measure"] == name]) for name in dict.fromkeys(told["measure"])}, orient="index"
    )


def _of_tasks(own: pd.DataFrame) -> dict[str, object]:
    """The verdict on one measure from its rows of single tasks."""
    if own.empty:
        return {"sign": np.nan, "strength": np.nan, "words": ""}
    signs = np.sign(own["spearman"]) * own["excludes_0"]
    sign = next((way for way in (1.0, -1.0) if (signs == way).sum() > len(own) / 2), 0.0)
    count = int((signs == sign).sum())
    return {"sign": sign, "strength": count / len(own), "words": f"{count} of {counted(len(own), 'task')}"}


def _target(told: pd.DataFrame) -> str | None:
    """The task whose correlations the sentences tell: the mean score, or the only one; None where it has none."""
    tasks = told["task"].unique()
    task = MEAN_SCORE if MEAN_SCORE in tasks else tasks[0] if len(tasks) == 1 else None
    return task if told.loc[(told["form"] == ALL) & (told["task"] == task), "spearman"].notna().any() else None


def _over_all(told: pd.DataFrame) -> str:
    found = verdicts(told, ALL)
    if found["sign"].isna().all():
        return f"Over all encoders nothing can be told: scores of {FEWEST_GROUPS} groups of encoders are needed."
    most = told[told["form"] == ALL][["encoders", "groups"]].max()
    clear = found["sign"].abs() == 1
    goes = (
        f"a better {_score(told)} goes with {_higher_and_lower(found, clear)}"
        if clear.any()
        else f"no measure goes with the {_score(told)}: every interval includes 0"
    )
    of = f"{counted(most['encoders'], 'encoder')} ({counted(most['groups'], 'group')} of near-copies)"
    return f"Over all {of}, {goes}; {_pairs(told, ALL)}."


def _within(told: pd.DataFrame) -> str:
    found, before = verdicts(told, WITHIN), verdicts(told, ALL)["sign"]
    if found["sign"].isna().all():
        return (
            f"Within families nothing can be told: {FEWEST_GROUPS} groups of encoders are needed, in families of at "
            f"least {FEWEST_IN_FAMILY}."
        )
    most = told[told["form"] == WITHIN][["groups", "families"]].max()
    of = f"Within families ({most['families']:,} of them, {counted(most['groups'], 'group')})"
    return f"{of}, {'; '.join([*_compared(found, before, _score(told)), _pairs(told, WITHIN)])}."


def _compared(found: pd.DataFrame, before: pd.Series, score: str) -> list[str]:
    """What becomes within families of what goes with the score over all encoders."""
    sign, clear = found["sign"], before.abs() == 1
    stays, turned, new = clear & (sign == before), clear & (sign == -before), ~clear & (sign.abs() == 1)
    lost = int((clear & ~stays & ~turned).sum())
    if not (clear.any() or new.any()):
        return [f"no measure goes with the {score} either"]
    told = [f"a better {score} still goes with {_higher_and_lower(found, stays)}"] if stays.any() else []
    told += [f"{lost:,} of the {counted(int(clear.sum()), 'measure')} no longer {_do(lost)}"] if lost else []
    told += [f"the other way round it goes with {_higher_and_lower(found, turned)}"] if turned.any() else []
    return told + ([f"only there it goes with {_higher_and_lower(found, new)}"] if new.any() else [])


def _do(count: int) -> str:
    return "does" if count == 1 else "do"


def _isotropic(told: pd.DataFrame) -> str:
    parts = []
    for form in FORMS:
        ways = verdicts(told, form)["sign"].mul(pd.Series(ISOTROPIC)).dropna()
        better, worse, neither = (int((ways == way).sum()) for way in (1, -1, 0))
        if not len(ways):
            parts.append(f"{IN_WORDS[form]} nothing can be told")
        elif not better + worse:
            parts.append(f"{IN_WORDS[form]} with neither better nor worse, by any of {counted(len(ways), 'measure')}")
        else:
            parts.append(
                f"{IN_WORDS[form]} with better scores by {better} of {counted(len(ways), 'measure')}, with worse by "
                f"{worse}, with neither by {neither}"
            )
    return f"More isotropic goes, {'; '.join(parts)}."


def _score(told: pd.DataFrame) -> str:
    target = _target(told)
    if target is None:
        return "score on most tasks"
    return MEAN_SCORE if target == MEAN_SCORE else f"score on {escaped(target)}"


def _higher_and_lower(found: pd.DataFrame, chosen: pd.Series) -> str:
    """Such as "higher RankMe (+0.61 [0.40, 0.75]) and with lower hubness (...)": those that are chosen."""
    ways = {"higher": chosen & (found["sign"] == 1), "lower": chosen & (found["sign"] == -1)}
    return " and with ".join(f"{way} {_named(found[own])}" for way, own in ways.items() if own.any())


def _named(found: pd.DataFrame) -> str:
    """The strongest of these measures, and how many more there are."""
    named = [
        f"{escaped(TITLES[str(row.Index)])} ({row.words})"
        for row in found.sort_values("strength", ascending=False, kind="stable").head(MOST_NAMED).itertuples()
    ]
    left = len(found) - len(named)
    return ", ".join(named) + (f" and {left} more" if left else "")


def _pairs(told: pd.DataFrame, form: str) -> str:
    """How many pairs of measure and task have an interval without 0, and how many would by chance."""
    rows = told[(told["form"] == form) & (told["task"] != MEAN_SCORE)].dropna(subset=["spearman"])
    return (
        f"of {counted(len(rows), 'pair')} of measure and task {rows['excludes_0'].sum():,} have an interval without 0 "
        f"(by chance about {BY_CHANCE * len(rows):.0f}), and {rows['excludes_0_together'].sum():,} where all are "
        f"judged together"
    )


def _value(row) -> str:
    """Such as "+0.61 [0.40, 0.75]"."""
    if not np.isfinite(row.spearman):
        return ""
    return f"{row.spearman:+.2f} [{row.low:.2f}, {row.high:.2f}]".replace("-", "−")


def _table(told: pd.DataFrame) -> list[str]:
    target, entries = _target(told), {entry.name: entry for entry in ENTRIES}
    heads = [f"{_score(told)}, {form}" for form in FORMS] if target is not None else []
    lines = table_head("measure", "more isotropic", *heads, *(f"tasks, {form}" for form in FORMS))
    for name, rows in told.groupby("measure", sort=False):
        cells = [_value(rows[(rows["form"] == form) & (rows["task"] == target)].iloc[0]) for form in FORMS if heads]
        for form in FORMS:
            own = rows[(rows["form"] == form) & (rows["task"] != MEAN_SCORE)].dropna(subset=["spearman"])
            cells.append(f"{own['excludes_0'].sum()} of {len(own)}")
        lines.append(table_row(entries[name].title, entries[name].more_isotropic, *cells))
    return [
        *lines,
        "",
        "Spearman correlations with 95 % intervals over resampled groups of near-copies; and on how many tasks the "
        f"interval excludes 0. Within families: the mean of the correlations inside of each family with at least "
        f"{FEWEST_IN_FAMILY} groups, weighted by its groups - 1. measure_scores.csv has all of them; docs/geometry.md "
        "says how they are computed.",
    ]

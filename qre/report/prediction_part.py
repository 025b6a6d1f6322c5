"""How well scores are predicted: the parts of the page, each as lines."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from qre.counted import counted
from qre.prediction import MEAN, PredictionReport
from qre.prediction.words import (
    FIGURES,
    LEADING,
    MEASURE,
    METRICS,
    NO_BETTER,
    OPTIMISTIC,
    PREDICTORS,
    SCHEME_NAMES,
    headline,
    label,
    new_kinds_by_chance,
    pick,
    predictors_of,
    tasks_of,
)
from qre.report.markdown import number, p_value, percent, table_head, table_row


def predicted_parts(
    report: PredictionReport, table: pd.DataFrame, scores: pd.DataFrame, figures: Sequence[str], groups: str, kinds: str
) -> list[list[str]]:
    """For the arguments see page.report_page."""
    return [
        _new_kinds(report, _count(report, table, kinds)),
        _what(report, table, groups),
        *_shown(figures, "spearman"),
        _headline_table(report),
        *_shown(figures, "predicted"),
        *([_task_table(report, scores)] if len(tasks_of(report)) > 1 else []),
        _intervals(report),
        _chance(report),
        *_shown(figures, "quality_map", "epsilon"),
        _glossary(report),
    ]


def _count(report: PredictionReport, table: pd.DataFrame, column: str) -> int:
    """Of how many groups, or kinds, the predicted encoders are; 0 where the map does not tell."""
    return table.loc[table["name"].isin(set(report.predictions["encoder"])), column].nunique() if column in table else 0


def _new_kinds(report: PredictionReport, count: int) -> list[str]:
    """What was measured with whole kinds left out: the first thing to know of an encoder of another origin."""
    lines = [
        "## For an encoder of a new kind",
        "",
        f"A kind is a whole model with everything read off it, or a whole family of vectorisers. These encoders are "
        f"of {counted(count, 'kind')}.",
    ]
    means = {name: _mean_row(report, name, "kinds", "spearman") for name in predictors_of(report)}
    if not any(means.values()):
        return [
            *lines,
            "There are too few kinds to leave one out. Nothing below is an estimate for an encoder of another origin.",
        ]
    told = ", ".join(
        f"{label(name)} {number(row.value) or 'not told'}" for name, row in means.items() if row is not None
    )
    if new_kinds_by_chance({**headline(report), "kinds": count}):
        lines += [f"**{NO_BETTER}{MEASURE}.**"]
    lines += [
        "Each kind in turn was left out and predicted from the others. This is what to expect for an encoder of "
        "another origin.",
        "",
        f"**Mean Spearman correlation inside the kind that was left out: {told}.**",
        "",
        *table_head("intervals with kinds left out, mean over tasks", "nominal", "measured", "median width"),
    ]
    for over, name in (
        ("groups", "calibrated over groups (no promise for a new kind)"),
        ("kinds", "calibrated over kinds (what qre place shows)"),
    ):
        for row in pick(report.coverage, task=MEAN, scheme="kinds", calibrated=over).itertuples():
            lines.append(table_row(name, percent(row.nominal), percent(row.covered), number(row.width)))
    return [
        *lines,
        "",
        f"Every kind has the same weight. K kinds can promise a coverage of at most K/(K + 1), which is "
        f"{count / (count + 1):.1%} with these {count}; with one left out there is one fewer.",
        "Where more is asked for, the score is not predictable from this map, and `qre` says so. Random predictions "
        "were not tried with kinds left out.",
    ]


def _what(report: PredictionReport, table: pd.DataFrame, groups: str) -> list[str]:
    encoders, tasks = set(report.predictions["encoder"]), tasks_of(report)
    count = _count(report, table, groups)
    apart = f" of {count:,} groups" if count else ""
    repeats, folds = (
        report.choices.loc[report.choices["scheme"] != "kinds", column].nunique() for column in ("repeat", "fold")
    )
    return [
        "## For an encoder of a known kind",
        "",
        f"Scores on {counted(len(tasks), 'task')} are predicted for {counted(len(encoders), 'encoder')}{apart} of the "
        f"{len(table):,} on the map.",
        f"Each score is predicted without it: its encoder is in the test part of one of {counted(folds, 'fold')}.",
        f"The folds are drawn anew {counted(repeats, 'time')}.",
        "In grouped folds all encoders of a group are in the same test part, so nothing is learnt from near-copies of "
        "an encoder.",
        *_result(report),
    ]


def _result(report: PredictionReport) -> list[str]:
    """The outcome in one sentence."""
    means = pick(report.metrics, task=MEAN, scheme="grouped", metric="spearman").set_index("predictor")["value"]
    told = [f"{label(name)} {number(means[name])}" for name in LEADING if name in means.index]
    chance = pick(report.null, task=MEAN, predictor="ours", scheme="grouped")["null_high"].dropna()
    by_chance = "".join(f"; 95 % of random predictions stay below {number(value)}" for value in chance)
    return (
        ["", f"**Mean Spearman correlation with the true scores, in grouped folds: {', '.join(told)}{by_chance}.**"]
        if told
        else []
    )


def _headline_table(report: PredictionReport) -> list[str]:
    lines = [
        "### Means over tasks" if len(tasks_of(report)) > 1 else "### The predictors compared",
        "",
        "Grouped folds; in brackets the smallest and the largest value over the repeats.",
        f"The last column is for ungrouped folds: {OPTIMISTIC}. It is not an estimate for a new encoder.",
        "",
        *table_head("predictor", *METRICS.values(), "Spearman, kinds left out", "Spearman, ungrouped (optimistic)"),
    ]
    for predictor in predictors_of(report):
        cells = [_with_range(_mean_row(report, predictor, "grouped", metric)) for metric in METRICS]
        left_out = _mean_row(report, predictor, "kinds", "spearman")
        lines.append(
            table_row(
                label(predictor),
                *cells,
                "" if left_out is None else number(left_out.value),
                _with_range(_mean_row(report, predictor, "ungrouped", "spearman")),
            )
        )
    return [
        *lines,
        "",
        "MAE is in the units of the scores. R² compares with the mean of the training part: 0 or less means that "
        "nothing was predicted.",
    ]


def _task_table(report: PredictionReport, scores: pd.DataFrame) -> list[str]:
    own = scores.assign(half=(scores["high"] - scores["low"]) / 2).groupby("task")["half"].median()
    told = scores.drop_duplicates("task").set_index("task")
    value = report.metrics.set_index(["task", "predictor", "scheme", "metric"])["value"].get
    count = report.metrics.drop_duplicates("task").set_index("task")["encoders"]
    chance = pick(report.null, predictor="ours", scheme="grouped").set_index("task")
    covered = pick(report.coverage, scheme="grouped").set_index("task")["covered"]
    left_out = pick(report.coverage, scheme="kinds", calibrated="kinds").set_index("task")["covered"]
    leading = [name for name in LEADING if name in predictors_of(report)]
    lines = [
        "### Task by task",
        "",
        "Spearman correlation of the leading predictors in grouped folds, then more about ours.",
        "",
        *table_head(
            "task",
            "kind",
            "metric",
            "encoders",
            *map(label, leading),
            "kinds left out",
            "covered there",
            "random (95 % stay below)",
            "p",
            "ungrouped (optimistic)",
            "MAE",
            "uncertainty of a score",
            "R²",
            "covered",
        ),
    ]
    for task in tasks_of(report, scores["task"]):
        about = told.loc[task] if task in told.index else {}
        lines.append(
            table_row(
                task,
                about.get("kind"),
                about.get("metric"),
                f"{int(count[task]):,}",
                *(number(value((task, name, "grouped", "spearman"))) for name in leading),
                number(value((task, "ours", "kinds", "spearman"))),
                percent(left_out.get(task)),
                number(chance["null_high"].get(task)),
                _task_p(chance, task),
                number(value((task, "ours", "ungrouped", "spearman"))),
                number(value((task, "ours", "grouped", "mae"))),
                number(own.get(task)),
                number(value((task, "ours", "grouped", "r2"))),
                percent(covered.get(task)),
            )
        )
    return [
        *lines,
        "",
        "MAE, R² and covered (the share of encoders whose score is inside its interval) are for grouped folds.",
        "The uncertainty of a score is half the median width of the score's own interval: errors of that size are "
        "noise in the scores.",
        "Kinds left out: Spearman correlation of ours, and how often intervals calibrated over kinds contain the "
        "score.",
    ]


def _intervals(report: PredictionReport) -> list[str]:
    lines = ["### Intervals", "", "How often the predicted interval contains the true score, mean over tasks.", ""]
    lines += table_head("folds", "calibrated over", "nominal", "measured", "over repeats", "median width")
    for row in pick(report.coverage, task=MEAN).itertuples():
        spread = f"{percent(row.low)} to {percent(row.high)}" if row.scheme != "kinds" else ""
        lines.append(
            table_row(
                SCHEME_NAMES.get(row.scheme, row.scheme),
                row.calibrated,
                percent(row.nominal),
                percent(row.covered),
                spread,
                number(row.width),
            )
        )
    return lines


def _chance(report: PredictionReport) -> list[str]:
    rows = pick(report.null, task=MEAN, scheme="grouped")
    if rows.empty or not rows["permutations"].max():
        return ["### Random predictions", "", "No permutations were run, so random predictions were not measured."]
    lines = [
        "### Random predictions",
        "",
        f"Spearman correlation when the scores are permuted among encoders ({int(rows['permutations'].max()):,} "
        f"times), mean over tasks,",
        "computed by the same code in the folds of the first repeat.",
        "",
    ]
    lines += table_head("predictor", "Spearman", "random (mean)", "random (5 to 95 %)", "p")
    for row in rows.set_index("predictor").reindex(predictors_of(report)).itertuples():
        band = f"{number(row.null_low)} to {number(row.null_high)}"
        lines.append(
            table_row(label(row.Index), number(row.spearman), number(row.null_mean), band, p_value(row.p_value))
        )
    return lines


def _glossary(report: PredictionReport) -> list[str]:
    told = [f"- **{label(name)}**: {PREDICTORS[name][1]}." for name in predictors_of(report) if name in PREDICTORS]
    return ["### The predictors", "", *told] if told else []


def _shown(figures: Sequence[str], *stems: str) -> list[list[str]]:
    return [[f"![{FIGURES[stem]}]({stem}.png)"] for stem in stems if f"{stem}.png" in figures]


def _mean_row(report: PredictionReport, predictor: str, scheme: str, metric: str):
    """The row of the mean over tasks, or None."""
    return next(pick(report.metrics, task=MEAN, predictor=predictor, scheme=scheme, metric=metric).itertuples(), None)


def _with_range(row) -> str:
    return "" if row is None else f"{number(row.value)} ({number(row.low)} to {number(row.high)})"


def _task_p(chance: pd.DataFrame, task: str) -> str:
    return p_value(chance.at[task, "p_value"]) if task in chance.index and chance.at[task, "permutations"] else ""

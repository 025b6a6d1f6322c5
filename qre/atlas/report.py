"""What a person reads of the predictions: one page from top to bottom, and the few numbers that a summary needs."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from qre.atlas.prediction import MEAN, PredictionReport

# predictor -> its name in a figure or table, and what it is
PREDICTORS = {
    "ours": ("ours", "kernel regression on distances between feature vectors; kernel and noise are chosen by leaving groups out"),
    "ours+cka": ("ours + CKA", "the same, with linear CKA of the embeddings among the distances"),
    "paper": ("the paper's protocol", "standardise, principal components, ElasticNet; settings chosen by nested cross-validation"),
    "neighbours": ("nearest neighbours", "baseline: the mean score of the nearest encoders on the map's features"),
    "dimension": ("size alone", "baseline: dimension and parameter count, no features"),
    "spectrum": ("spectrum alone", "baseline: eigenvalues of the density operator, no features"),
    "cka": ("CKA alone", "baseline: linear CKA of the embeddings, no features"),
}
METRICS = {"spearman": "Spearman", "pearson": "Pearson", "mae": "MAE", "r2": "R²"}
LEADING = ("ours", "ours+cka", "paper")  # told task by task
SCHEME_NAMES = {"kinds": "kinds left out", "grouped": "grouped folds", "ungrouped": "ungrouped folds (optimistic)"}
OPTIMISTIC = "optimistic, because near-copies of one encoder straddle the folds"
FIGURES = {
    "spearman": "Spearman correlation of predicted and true scores, by task.",
    "predicted": "Predicted against true scores, out of fold.",
    "quality_map": "The map coloured by prediction error.",
    "epsilon": "Prediction against ε, the value that the null space of an encoder is given.",
}


def label(predictor: str) -> str:
    """A predictor's name for people."""
    return PREDICTORS.get(predictor, (predictor, ""))[0]


def predictors_of(report: PredictionReport) -> list[str]:
    """The predictors that were measured, in the order of PREDICTORS, others after them."""
    found = list(dict.fromkeys(report.metrics["predictor"]))
    return [name for name in PREDICTORS if name in found] + [name for name in found if name not in PREDICTORS]


def tasks_of(report: PredictionReport, order: Iterable[str] = ()) -> list[str]:
    """The tasks that were predicted, in the given order, others after them."""
    found = [task for task in dict.fromkeys(report.metrics["task"]) if task != MEAN]
    return [task for task in dict.fromkeys([*order, *found]) if task in set(found)]


def pick(table: pd.DataFrame, **equal: str) -> pd.DataFrame:
    """The rows whose columns have these values."""
    kept = np.ones(len(table), dtype=bool)
    for column, value in equal.items():
        kept &= (table[column] == value).to_numpy()
    return table[kept]


def counted(number: int, noun: str) -> str:
    """Such as "1 task", "1,101 encoders"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def headline(report: PredictionReport) -> dict:
    """Means over tasks in plain values, NaN-free; what was not measured is left out.

    Returns:
        predicted_tasks, predicted_encoders; spearman_<predictor> (grouped folds), spearman_<predictor>_kinds (kinds left out) and
        spearman_<predictor>_ungrouped, "+" in a predictor's name being "_"; for ours also its _low and _high over repeats, _chance (95 % of
        permutations are below) and _p; coverage, coverage_nominal, coverage_width of grouped folds; coverage_kinds, _nominal, _width with kinds left
        out, of intervals over kinds; coverage_kinds_before, _before_nominal, _before_width, of intervals over groups; all over tasks.
    """
    values = {"predicted_tasks": len(tasks_of(report)), "predicted_encoders": report.predictions["encoder"].nunique()}
    for row in pick(report.metrics, task=MEAN, metric="spearman").itertuples():
        name = f"spearman_{row.predictor.replace('+', '_')}"
        values[name if row.scheme == "grouped" else f"{name}_{row.scheme}"] = row.value
        if row.predictor == "ours" and row.scheme == "grouped":
            values |= {f"{name}_low": row.low, f"{name}_high": row.high}
    for row in pick(report.null, task=MEAN, predictor="ours", scheme="grouped").itertuples():
        values |= {"spearman_ours_chance": row.null_high} | ({"spearman_ours_p": row.p_value} if row.permutations else {})
    names = {("grouped", "groups"): "coverage", ("kinds", "kinds"): "coverage_kinds", ("kinds", "groups"): "coverage_kinds_before"}
    for row in pick(report.coverage, task=MEAN).itertuples():
        if name := names.get((row.scheme, row.calibrated)):
            values |= {name: row.covered, f"{name}_nominal": row.nominal, f"{name}_width": row.width}
    plain = {name: value if isinstance(value, int) else float(value) for name, value in values.items()}
    return {name: value for name, value in plain.items() if np.isfinite(value)}


def report_page(
    report: PredictionReport, table: pd.DataFrame, scores: pd.DataFrame, figures: Sequence[str] = (), groups: str = "parent", kinds: str = "kind"
) -> bytes:
    """The page: Markdown, UTF-8. The tables behind it are written by qre.atlas.scored.

    Args:
        table: the map, one row an encoder: name, family, ...
        scores: name, task, kind, metric, score, low, high.
        figures: names of the files beside the page; the PNGs of FIGURES are shown.
        groups: column of the map whose encoders stayed together in a fold.
        kinds: column of the map that says of which origin an encoder is.
    """
    parts = [
        ["# Predicted scores"], _new_kinds(report, _count(report, table, kinds)), _what(report, table, groups), *_shown(figures, "spearman"), _headline_table(report),
        *_shown(figures, "predicted"), _task_table(report, scores), _intervals(report), _chance(report), *_shown(figures, "quality_map", "epsilon"),
        _glossary(report), _notes(report), _warned(table),
    ]  # fmt: skip
    return ("\n\n".join("\n".join(part) for part in parts if part) + "\n").encode()


# ---- the parts of the page, each as lines


def _count(report: PredictionReport, table: pd.DataFrame, column: str) -> int:
    """Of how many groups, or kinds, the predicted encoders are; 0 where the map does not tell."""
    return table.loc[table["name"].isin(set(report.predictions["encoder"])), column].nunique() if column in table else 0


def _new_kinds(report: PredictionReport, count: int) -> list[str]:
    """What was measured with whole kinds left out: the first thing to know of an encoder of another origin."""
    lines = [
        "## Of a kind that is not known", "",
        f"A kind is a whole model with all that is read off it, or a whole family of vectorisers; these encoders are of {counted(count, 'kind')}.",
    ]  # fmt: skip
    means = {name: _mean_row(report, name, "kinds", "spearman") for name in predictors_of(report)}
    if not any(means.values()):
        return [*lines, "With so few kinds, leaving one out was not measured. Nothing below is an estimate for an encoder of another origin."]
    told = ", ".join(f"{label(name)} {_number(row.value) or 'not told'}" for name, row in means.items() if row is not None)
    lines += [
        "Here each kind in turn was left out and predicted from the others: what an encoder of another origin is to expect.", "",
        f"**Mean Spearman correlation inside the kind that was left out: {told}.**", "",
        *_header("intervals with kinds left out, mean over tasks", "nominal", "measured", "median width"),
    ]  # fmt: skip
    for over, name in (("groups", "calibrated over groups (no promise for a new kind)"), ("kinds", "calibrated over kinds (what is told of a new encoder)")):
        for row in pick(report.coverage, task=MEAN, scheme="kinds", calibrated=over).itertuples():
            lines.append(_row(name, _percent(row.nominal), _percent(row.covered), _number(row.width)))
    return [
        *lines, "",
        f"Each kind counts as much. K kinds promise K/(K + 1) at most, {count / (count + 1):.1%} with these {count}; where one is left out, one less.",
        "What is asked for beyond that is not predictable from this map, and told so. Chance was not measured with kinds left out.",
    ]  # fmt: skip


def _what(report: PredictionReport, table: pd.DataFrame, groups: str) -> list[str]:
    encoders, tasks = set(report.predictions["encoder"]), tasks_of(report)
    count = _count(report, table, groups)
    apart = f" of {count:,} groups" if count else ""
    repeats, folds = (report.choices.loc[report.choices["scheme"] != "kinds", column].nunique() for column in ("repeat", "fold"))
    return [
        "## Of kinds that are known", "",
        f"Scores on {counted(len(tasks), 'task')} are predicted for {counted(len(encoders), 'encoder')}{apart} of the {len(table):,} on the map.",
        f"Each score is predicted without it: its encoder is in the test part of one of {counted(folds, 'fold')}.",
        f"The folds are drawn {counted(repeats, 'time')}, each time anew.",
        "In grouped folds, all encoders of a group are in one test part, so that nothing is learnt from near-copies of an encoder.",
        *_result(report),
    ]


def _result(report: PredictionReport) -> list[str]:
    """The outcome in one sentence."""
    means = pick(report.metrics, task=MEAN, scheme="grouped", metric="spearman").set_index("predictor")["value"]
    told = [f"{label(name)} {_number(means[name])}" for name in LEADING if name in means.index]
    chance = pick(report.null, task=MEAN, predictor="ours", scheme="grouped")["null_high"].dropna()
    by_chance = "".join(f"; by chance, 95 % are below {_number(value)}" for value in chance)
    return ["", f"**Mean Spearman correlation with the true scores, in grouped folds: {', '.join(told)}{by_chance}.**"] if told else []


def _headline_table(report: PredictionReport) -> list[str]:
    lines = [
        "## How well it goes", "",
        "Means over tasks, in grouped folds; in brackets the least and the most over the repeats.",
        f"The last column is of ungrouped folds: {OPTIMISTIC}. It is no estimate for a new encoder.", "",
        *_header("predictor", *METRICS.values(), "Spearman, kinds left out", "Spearman, ungrouped (optimistic)"),
    ]  # fmt: skip
    for predictor in predictors_of(report):
        cells = [_with_range(_mean_row(report, predictor, "grouped", metric)) for metric in METRICS]
        left_out = _mean_row(report, predictor, "kinds", "spearman")
        lines.append(_row(
            label(predictor), *cells, "" if left_out is None else _number(left_out.value), _with_range(_mean_row(report, predictor, "ungrouped", "spearman"))
        ))  # fmt: skip
    return [*lines, "", "MAE is in units of the scores, R² against the mean of the training part: 0 or less means that nothing was predicted."]


def _task_table(report: PredictionReport, scores: pd.DataFrame) -> list[str]:
    own = scores.assign(half=(scores["high"] - scores["low"]) / 2).groupby("task")["half"].median()
    told = scores.drop_duplicates("task").set_index("task")
    value = report.metrics.set_index(["task", "predictor", "scheme", "metric"])["value"].get
    count = report.metrics.drop_duplicates("task").set_index("task")["encoders"]
    chance = pick(report.null, predictor="ours", scheme="grouped").set_index("task")
    covered = pick(report.coverage, scheme="grouped").set_index("task")["covered"]
    left_out = pick(report.coverage, scheme="kinds", calibrated="kinds").set_index("task")["covered"]
    leading = [name for name in LEADING if name in predictors_of(report)]
    lines = ["## Task by task", "", "Spearman of the leading predictors in grouped folds, then more on ours.", "", *_header(
        "task", "kind", "metric", "encoders", *map(label, leading), "kinds left out", "covered there", "chance (95 %)", "p", "ungrouped (optimistic)", "MAE",
        "uncertainty of a score", "R²", "covered",
    )]  # fmt: skip
    for task in tasks_of(report, scores["task"]):
        about = told.loc[task] if task in told.index else {}
        lines.append(_row(
            task, about.get("kind"), about.get("metric"), f"{int(count[task]):,}",
            *(_number(value((task, name, "grouped", "spearman"))) for name in leading),
            _number(value((task, "ours", "kinds", "spearman"))), _percent(left_out.get(task)),
            _number(chance["null_high"].get(task)), _p_value(chance, task),
            _number(value((task, "ours", "ungrouped", "spearman"))), _number(value((task, "ours", "grouped", "mae"))), _number(own.get(task)),
            _number(value((task, "ours", "grouped", "r2"))), _percent(covered.get(task)),
        ))  # fmt: skip
    return [
        *lines, "",
        "MAE, R² and covered (the share of encoders whose score is inside its interval) are of grouped folds.",
        "The uncertainty of a score is half the median width of the score's own interval: errors of that size are noise of the scores.",
        "Kinds left out: Spearman of ours, and how often intervals calibrated over kinds hold.",
    ]  # fmt: skip


def _intervals(report: PredictionReport) -> list[str]:
    lines = ["## Intervals", "", "How often the true score lies inside the predicted interval, mean over tasks.", ""]
    lines += _header("folds", "calibrated over", "nominal", "measured", "over repeats", "median width")
    for row in pick(report.coverage, task=MEAN).itertuples():
        spread = f"{_percent(row.low)} to {_percent(row.high)}" if row.scheme != "kinds" else ""
        lines.append(_row(
            SCHEME_NAMES.get(row.scheme, row.scheme), row.calibrated, _percent(row.nominal), _percent(row.covered), spread, _number(row.width)
        ))  # fmt: skip
    return lines


def _chance(report: PredictionReport) -> list[str]:
    rows = pick(report.null, task=MEAN, scheme="grouped")
    if rows.empty or not rows["permutations"].max():
        return ["## Chance", "", "No permutations were run, so what chance reaches was not measured."]
    lines = [
        "## Chance", "",
        f"Spearman where the scores are permuted among encoders ({int(rows['permutations'].max()):,} times), mean over tasks,",
        "by the same code in the same folds: those of the first repeat.", "",
    ]  # fmt: skip
    lines += _header("predictor", "Spearman", "chance (mean)", "chance (5 to 95 %)", "p")
    for row in rows.set_index("predictor").reindex(predictors_of(report)).itertuples():
        band = f"{_number(row.null_low)} to {_number(row.null_high)}"
        lines.append(_row(label(row.Index), _number(row.spearman), _number(row.null_mean), band, _p(row.p_value)))
    return lines


def _glossary(report: PredictionReport) -> list[str]:
    told = [f"- **{label(name)}**: {PREDICTORS[name][1]}." for name in predictors_of(report) if name in PREDICTORS]
    return ["## The predictors", "", *told] if told else []


def _notes(report: PredictionReport) -> list[str]:
    return ["## Notes", "", *(f"- {_escaped(note)}" for note in report.notes)] if report.notes else []


def _warned(table: pd.DataFrame) -> list[str]:
    """What libraries warned of while encoders were loaded."""
    told = table.dropna(subset="warnings") if "warnings" in table else table[:0]
    lines = [f"- {_escaped(row['name'])}: {_escaped(row['warnings'])}" for _, row in told.iterrows()]
    return ["## Warned while loading", "", "None of it is known to change a number.", "", *lines] if lines else []


def _shown(figures: Sequence[str], *stems: str) -> list[list[str]]:
    return [[f"![{FIGURES[stem]}]({stem}.png)"] for stem in stems if f"{stem}.png" in figures]


# ---- numbers and cells


def _mean_row(report: PredictionReport, predictor: str, scheme: str, metric: str):
    """The row of the mean over tasks, or None."""
    return next(pick(report.metrics, task=MEAN, predictor=predictor, scheme=scheme, metric=metric).itertuples(), None)


def _with_range(row) -> str:
    return "" if row is None else f"{_number(row.value)} ({_number(row.low)} to {_number(row.high)})"


def _number(value: float | None) -> str:
    return "" if value is None or not np.isfinite(value) else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "" if value is None or not np.isfinite(value) else f"{value:.1%}"


def _p(value: float) -> str:
    return "" if not np.isfinite(value) else f"{value:.3f}" if value >= 0.001 else "< 0.001"


def _p_value(chance: pd.DataFrame, task: str) -> str:
    return _p(chance.at[task, "p_value"]) if task in chance.index and chance.at[task, "permutations"] else ""


def _header(*names: str) -> list[str]:
    return [_row(*names), "|" + "---|" * len(names)]


def _row(*cells: str | None) -> str:
    return "| " + " | ".join("" if pd.isna(cell) else _escaped(str(cell)) for cell in cells) + " |"


def _escaped(text: str) -> str:
    """Text of strangers as one line of Markdown that shows it and does nothing else."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return re.sub(r"([\\`*\[\]|~#$]|\b_|_\b)", r"\\\1", html.escape(text, quote=False))

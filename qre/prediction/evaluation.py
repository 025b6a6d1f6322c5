"""How well scores are predicted: every predictor, grouped and not, over repeated folds, beside what chance reaches.

The outer folds only measure. Everything that is chosen (features, kernel, noise, components, penalties, neighbours,
width of the intervals) is chosen from the training part of a fold alone.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from qre.prediction.conformal import fewest_groups
from qre.prediction.data import FEWEST_KINDS, PredictionData, PredictionSettings
from qre.prediction.distances import near_copies
from qre.prediction.metrics import measure
from qre.prediction.runs import PREDICTORS, Runs, fold_count, out_of_fold

SCHEMES = ("kinds", "grouped", "ungrouped")  # whole kinds left out, whole groups left out, single encoders left out
MEAN = "mean of tasks"


@dataclass(frozen=True)
class PredictionReport:
    """Tidy tables; `scheme` is one of SCHEMES, `predictor` one of runs.PREDICTORS, and `task` may be MEAN where a mean
    over tasks is told.

    Attributes:
        metrics: task, predictor, scheme, metric, value (mean over repeats), low, high (least and most of them),
            encoders.
        null: task, predictor, scheme, spearman (of the first repeat), null_mean, null_low, null_high (5 and 95 %),
            p_value, permutations.
        coverage: task, scheme, calibrated (over "groups" or "kinds"), nominal, covered (share of encoders inside their
            interval, mean over repeats; with kinds left out, of each kind, mean over kinds), low, high, width (median;
            with kinds left out, of each kind, median over kinds).
        predictions: encoder, task, scheme, score, predicted, low, high, paper: out of fold, in the first repeat; with
            kinds left out, intervals over kinds.
        choices: task, predictor, scheme, repeat, fold, chosen (JSON).
        notes: what a reader must know.
    """

    metrics: pd.DataFrame
    null: pd.DataFrame
    coverage: pd.DataFrame
    predictions: pd.DataFrame
    choices: pd.DataFrame
    notes: tuple[str, ...]


def evaluate(
    data: PredictionData,
    settings: PredictionSettings,
    predictors: Collection[str] = PREDICTORS,
    schemes: Collection[str] = SCHEMES,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> PredictionReport:
    """Measure predictors on every task that can be predicted.

    Args:
        predictors: "ours" and any others.
        schemes: "grouped" and any others.
        progress: told how many folds are done, and of how many.

    Raises:
        UserError: no task can be: too few groups of encoders with scores, or constant scores.
    """
    usable, notes = data.predictable(settings.folds)
    few = {number for number, block in enumerate(usable) if len(np.unique(data.kinds[block.rows])) < FEWEST_KINDS}
    asked = [
        (block, scheme)
        for number, block in enumerate(usable)
        for scheme in schemes
        if scheme != "kinds" or number not in few
    ]
    total, done = sum(fold_count(data, block, scheme, settings) for block, scheme in asked), itertools.count(1)
    runs = [
        out_of_fold(data, block, scheme, settings, predictors, lambda: progress(next(done), total))
        for block, scheme in asked
    ]
    tables = (
        _metrics(runs, data),
        _null(runs, data),
        _coverage(runs, data),
        _predictions(runs, data),
        _choices(runs, data),
    )
    return PredictionReport(*tables, notes=(*notes, *_few_kinds(usable, data, settings.coverage), *_near_copies(data)))


def _few_kinds(usable: list, data: PredictionData, coverage: float) -> list[str]:
    """Tasks whose scores are of too few kinds for an interval of this coverage."""
    counts = {
        data.tasks[column]: len(np.unique(data.kinds[block.rows])) for block in usable for column in block.columns
    }
    short = {task: count for task, count in counts.items() if count < fewest_groups(coverage)}
    if not short:
        return []
    named = ", ".join(list(short)[:3]) + (", ..." if len(short) > 3 else "")
    least = min(short.values())
    return [
        f"{named}: not predictable from this map for an encoder of a new kind; scores of {least} kinds of encoders, "
        f"which promise at most "
        f"{least / (least + 1):.0%}, and {fewest_groups(coverage)} are needed for intervals of {coverage:.0%}"
    ]


def _near_copies(data: PredictionData) -> list[str]:
    pairs = near_copies(next(iter(data.features.values())), data.groups)
    if not pairs:
        return []
    return [nearly_one(data, pairs, "a fold may separate them")]


def nearly_one(data: PredictionData, pairs: list[tuple[int, int]], so: str) -> str:
    """A note on pairs of rows that are near-copies of different groups, and what comes of it."""
    named = "; ".join(f"{data.encoders[i]} and {data.encoders[j]}" for i, j in pairs[:3])
    are = "pair of encoders is" if len(pairs) == 1 else "pairs of encoders are"
    return f"{len(pairs)} {are} nearly the same though of different groups; {so}: {named}"


def _metrics(runs: list[Runs], data: PredictionData) -> pd.DataFrame:
    rows = [
        {
            "task": task,
            "predictor": predictor,
            "scheme": run.scheme,
            "repeat": repeat,
            "metric": metric,
            "value": value,
            "encoders": len(run.block.rows),
        }
        for run in runs
        for predictor, repeats in run.predicted.items()
        for repeat, predicted in enumerate(repeats)
        for metric, values in measure(
            run.actual, predicted[:, : run.tasks], run.folds[repeat], run.expected[repeat][:, : run.tasks]
        ).items()
        for task, value in zip(_names(run, data), values, strict=True)
    ]
    table = _with_mean(pd.DataFrame(rows), ["predictor", "scheme", "metric", "repeat"], ["value"])
    return _over_repeats(
        table, ["task", "predictor", "scheme", "metric"], "value", "value", encoders=("encoders", "first")
    )


def _null(runs: list[Runs], data: PredictionData) -> pd.DataFrame:
    """Spearman of each permutation, beside that of the scores themselves in the same folds."""
    rows: list[dict] = []
    for run in (
        run for run in runs if run.scheme != "kinds"
    ):  # whole kinds left out are not permuted: few folds, and each costs as much
        for predictor, (predicted, *_) in run.predicted.items():
            values = measure(run.scores, predicted, run.folds[0], run.expected[0])["spearman"].reshape(-1, run.tasks)
            rows += [
                {"task": task, "predictor": predictor, "scheme": run.scheme, "permutation": number, "value": value}
                for number, line in enumerate(values)
                for task, value in zip(_names(run, data), line, strict=True)
            ]
    columns = ["task", "predictor", "scheme", "permutation", "value"]
    table = _with_mean(pd.DataFrame(rows, columns=columns), ["predictor", "scheme", "permutation"], ["value"])
    if not rows:
        return pd.DataFrame(
            columns=[
                "task",
                "predictor",
                "scheme",
                "spearman",
                "null_mean",
                "null_low",
                "null_high",
                "p_value",
                "permutations",
            ]
        )
    return pd.DataFrame(
        [
            {
                **dict(zip(("task", "predictor", "scheme"), key, strict=True)),
                **_chance(part.sort_values("permutation")["value"].to_numpy()),
            }
            for key, part in table.groupby(["task", "predictor", "scheme"], sort=False)
        ]
    )


def _chance(values: np.ndarray) -> dict:
    """The first value is of the scores as they are, the others of permutations; p with the "+1" of Phipson and Smyth
    (2010)."""
    observed, null = values[0], values[1:]
    low, high = np.quantile(null, [0.05, 0.95]) if len(null) else (np.nan, np.nan)
    mean = null.mean() if len(null) else np.nan
    p_value = (1 + np.sum(null >= observed)) / (1 + len(null))
    return {
        "spearman": observed,
        "null_mean": mean,
        "null_low": low,
        "null_high": high,
        "p_value": p_value,
        "permutations": len(null),
    }


def _coverage(runs: list[Runs], data: PredictionData) -> pd.DataFrame:
    rows = [
        {
            "task": task,
            "scheme": run.scheme,
            "calibrated": over,
            "nominal": run.nominal[over],
            "repeat": repeat,
            "covered": covered,
            "width": width,
        }
        for run in runs
        for repeat, intervals in enumerate(run.intervals)
        for over, (low, high) in intervals.items()
        for task, covered, width in zip(_names(run, data), *_held(run, low, high), strict=True)
    ]
    by = ["scheme", "calibrated"]
    table = _with_mean(pd.DataFrame(rows), [*by, "repeat"], ["nominal", "covered", "width"])
    return _over_repeats(
        table, ["task", *by], "covered", "covered", width=("width", "mean"), nominal=("nominal", "mean")
    )


def _held(run: Runs, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of scores inside intervals (M, T), and their median width, (T,) each; where kinds are left out each kind
    counts as much."""
    inside, widths = (low <= run.actual) & (run.actual <= high), high - low
    if run.scheme != "kinds":
        return inside.mean(axis=0), np.median(widths, axis=0)
    kinds = [run.kinds == kind for kind in np.unique(run.kinds)]
    return np.mean([inside[kind].mean(axis=0) for kind in kinds], axis=0), np.median(
        [np.median(widths[kind], axis=0) for kind in kinds], axis=0
    )


def _predictions(runs: list[Runs], data: PredictionData) -> pd.DataFrame:
    parts = []
    for run in runs:
        for column, task in enumerate(_names(run, data)):
            low, high = run.intervals[0]["kinds" if run.scheme == "kinds" else "groups"][..., column]
            ours, paper = (
                np.clip(run.predicted[name][0][:, column], *data.ranges[run.block.columns[column]])
                for name in ("ours", "paper")
            )
            parts.append(
                pd.DataFrame(
                    {
                        "encoder": [data.encoders[row] for row in run.block.rows],
                        "task": task,
                        "scheme": run.scheme,
                        "score": run.actual[:, column],
                        "predicted": ours,
                        "low": low,
                        "high": high,
                        "paper": paper,
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def _choices(runs: list[Runs], data: PredictionData) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "task": data.tasks[run.block.columns[task]],
                "predictor": predictor,
                "scheme": run.scheme,
                "repeat": repeat,
                "fold": fold,
                "chosen": json.dumps(chosen),
            }
            for run in runs
            for repeat, fold, predictor, task, chosen in run.chosen
        ]
    )


def _names(run: Runs, data: PredictionData) -> list[str]:
    return [data.tasks[column] for column in run.block.columns]


def _with_mean(table: pd.DataFrame, by: list[str], values: list[str]) -> pd.DataFrame:
    """The table with the mean over tasks below it, for each combination of `by`."""
    mean = table.groupby(by, sort=False, as_index=False)[values].mean().assign(task=MEAN)
    return pd.concat([table, mean], ignore_index=True)


def _over_repeats(
    table: pd.DataFrame, by: list[str], column: str, name: str, **others: tuple[str, str]
) -> pd.DataFrame:
    """Mean of a column over repeats, with the least and the most."""
    told = {name: (column, "mean"), "low": (column, "min"), "high": (column, "max"), **others}
    return table.groupby(by, sort=False, as_index=False).agg(**told)

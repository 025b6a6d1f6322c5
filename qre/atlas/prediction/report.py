"""How well scores are predicted: every predictor, grouped and not, over repeated folds, beside what chance reaches.

The outer folds only measure. Everything that is chosen (features, kernel, noise, components, penalties, neighbours, width of the intervals) is
chosen from the training part of a fold alone.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from qre.atlas.prediction.data import PredictionData, PredictionSettings
from qre.atlas.prediction.distances import near_copies
from qre.atlas.prediction.metrics import measure
from qre.atlas.prediction.runs import PREDICTORS, Runs, out_of_fold

SCHEMES = ("grouped", "ungrouped")
MEAN = "mean of tasks"


@dataclass(frozen=True)
class PredictionReport:
    """Tidy tables; `scheme` is one of SCHEMES, `predictor` one of runs.PREDICTORS, and `task` may be MEAN where a mean over tasks is told.

    Attributes:
        metrics: task, predictor, scheme, metric, value (mean over repeats), low, high (least and most of them), encoders.
        null: task, predictor, scheme, spearman (of the first repeat), null_mean, null_low, null_high (5 and 95 %), p_value, permutations.
        coverage: task, scheme, nominal, covered (share of encoders inside their interval, mean over repeats), low, high, width (median).
        predictions: encoder, task, scheme, score, predicted, low, high, paper: out of fold, in the first repeat.
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
    data: PredictionData, settings: PredictionSettings, predictors: Collection[str] = PREDICTORS, schemes: Collection[str] = SCHEMES,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> PredictionReport:  # fmt: skip
    """Measure predictors on every task that can be predicted.

    Args:
        predictors: "ours" and any others.
        schemes: "grouped" and any others.
        progress: told how many folds are done, and of how many.

    Raises:
        UserError: no task can be: too few groups of encoders with scores, or constant scores.
    """
    usable, notes = data.predictable(settings.folds)
    total, done = len(usable) * len(schemes) * settings.repeats * settings.folds, itertools.count(1)
    runs = [
        out_of_fold(data, block, scheme, settings, predictors, lambda: progress(next(done), total)) for block in usable for scheme in schemes
    ]  # fmt: skip
    tables = (_metrics(runs, data), _null(runs, data), _coverage(runs, data, settings.coverage), _predictions(runs, data), _choices(runs, data))
    return PredictionReport(*tables, notes=(*notes, *_near_copies(data)))


def _near_copies(data: PredictionData) -> list[str]:
    pairs = near_copies(next(iter(data.features.values())), data.groups)
    if not pairs:
        return []
    named = "; ".join(f"{data.encoders[i]} and {data.encoders[j]}" for i, j in pairs[:3])
    return [f"{len(pairs)} pairs of encoders are nearly one and yet of different groups, so a fold may part them: {named}"]


def _metrics(runs: list[Runs], data: PredictionData) -> pd.DataFrame:
    rows = [
        {"task": task, "predictor": predictor, "scheme": run.scheme, "repeat": repeat, "metric": metric, "value": value, "encoders": len(run.block.rows)}
        for run in runs
        for predictor, repeats in run.predicted.items()
        for repeat, predicted in enumerate(repeats)
        for metric, values in measure(run.actual, predicted[:, : run.tasks], run.folds[repeat], run.expected[repeat][:, : run.tasks]).items()
        for task, value in zip(_names(run, data), values, strict=True)
    ]  # fmt: skip
    table = _with_mean(pd.DataFrame(rows), ["predictor", "scheme", "metric", "repeat"], ["value"])
    return _over_repeats(table, ["task", "predictor", "scheme", "metric"], "value", "value", encoders=("encoders", "first"))


def _null(runs: list[Runs], data: PredictionData) -> pd.DataFrame:
    """Spearman of each permutation, beside that of the scores themselves in the same folds."""
    rows = []
    for run in runs:
        for predictor, (predicted, *_) in run.predicted.items():
            values = measure(run.scores, predicted, run.folds[0], run.expected[0])["spearman"].reshape(-1, run.tasks)
            rows += [
                {"task": task, "predictor": predictor, "scheme": run.scheme, "permutation": number, "value": value}
                for number, line in enumerate(values) for task, value in zip(_names(run, data), line, strict=True)
            ]  # fmt: skip
    table = _with_mean(pd.DataFrame(rows), ["predictor", "scheme", "permutation"], ["value"])
    return pd.DataFrame([
        {**dict(zip(("task", "predictor", "scheme"), key, strict=True)), **_chance(part.sort_values("permutation")["value"].to_numpy())}
        for key, part in table.groupby(["task", "predictor", "scheme"], sort=False)
    ])  # fmt: skip


def _chance(values: np.ndarray) -> dict:
    """The first value is of the scores as they are, the others of permutations; p with the "+1" of Phipson and Smyth (2010)."""
    observed, null = values[0], values[1:]
    low, high = np.quantile(null, [0.05, 0.95]) if len(null) else (np.nan, np.nan)
    mean = null.mean() if len(null) else np.nan
    p_value = (1 + np.sum(null >= observed)) / (1 + len(null))
    return {"spearman": observed, "null_mean": mean, "null_low": low, "null_high": high, "p_value": p_value, "permutations": len(null)}


def _coverage(runs: list[Runs], data: PredictionData, nominal: float) -> pd.DataFrame:
    rows = []
    for run in runs:
        for repeat, (predicted, half) in enumerate(zip(run.predicted["ours"], run.half, strict=True)):
            inside = np.abs(run.actual - predicted[:, : run.tasks]) <= half
            rows += [
                {"task": task, "scheme": run.scheme, "repeat": repeat, "covered": covered, "width": width}
                for task, covered, width in zip(_names(run, data), inside.mean(axis=0), 2 * np.median(half, axis=0), strict=True)
            ]  # fmt: skip
    table = _with_mean(pd.DataFrame(rows), ["scheme", "repeat"], ["covered", "width"])
    table = _over_repeats(table, ["task", "scheme"], "covered", "covered", width=("width", "mean"))
    return table.assign(nominal=nominal)


def _predictions(runs: list[Runs], data: PredictionData) -> pd.DataFrame:
    parts = []
    for run in runs:
        for column, task in enumerate(_names(run, data)):
            predicted, half = run.predicted["ours"][0][:, column], run.half[0][:, column]
            parts.append(pd.DataFrame({
                "encoder": [data.encoders[row] for row in run.block.rows], "task": task, "scheme": run.scheme, "score": run.actual[:, column],
                "predicted": predicted, "low": predicted - half, "high": predicted + half, "paper": run.predicted["paper"][0][:, column],
            }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _choices(runs: list[Runs], data: PredictionData) -> pd.DataFrame:
    return pd.DataFrame([
        {"task": data.tasks[run.block.columns[task]], "predictor": predictor, "scheme": run.scheme, "repeat": repeat, "fold": fold,
         "chosen": json.dumps(chosen)}
        for run in runs for repeat, fold, predictor, task, chosen in run.chosen
    ])  # fmt: skip


def _names(run: Runs, data: PredictionData) -> list[str]:
    return [data.tasks[column] for column in run.block.columns]


def _with_mean(table: pd.DataFrame, by: list[str], values: list[str]) -> pd.DataFrame:
    """The table with the mean over tasks below it, for each combination of `by`."""
    mean = table.groupby(by, sort=False, as_index=False)[values].mean().assign(task=MEAN)
    return pd.concat([table, mean], ignore_index=True)


def _over_repeats(table: pd.DataFrame, by: list[str], column: str, name: str, **others: tuple[str, str]) -> pd.DataFrame:
    """Mean of a column over repeats, with the least and the most."""
    told = {name: (column, "mean"), "low": (column, "min"), "high": (column, "max"), **others}
    return table.groupby(by, sort=False, as_index=False).agg(**told)

"""What predictors, tasks and figures are called, and the few numbers that a summary needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from qre.prediction import MEAN, PredictionReport

# predictor -> its name in a figure or table, and what it is
PREDICTORS = {
    "ours": (
        "ours",
        "kernel regression on distances between feature vectors; kernel and noise are chosen by leaving groups out",
    ),
    "ours+cka": ("ours + CKA", "the same, with linear CKA of the embeddings among the distances"),
    "paper": (
        "the paper's protocol",
        "standardise, principal components, ElasticNet; settings chosen by nested cross-validation",
    ),
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


MEASURE = "`qre place MODEL --atlas CONFIG --measure`"


def new_kinds_by_chance(values: Mapping[str, float]) -> bool:
    """Whether the scores of encoders of a new kind are predicted no better than by chance.

    Args:
        values: of `headline`, with kinds. What was not measured is not judged.
    """
    found = values.get("spearman_ours_kinds")
    if found is None or "kinds" not in values:
        return False
    # 95 % of random rankings stay below it: each kind is ranked in itself, and each has the same weight
    inside = 1.645 / np.sqrt(max(1.0, values["predicted_encoders"] - values["kinds"]))
    return found <= max(inside, values.get("spearman_ours_chance", 0.0))


NO_BETTER = "Predictions for a new kind of model cannot be relied on here; measure it: "


def headline(report: PredictionReport) -> dict:
    """Means over tasks in plain values, NaN-free; what was not measured is left out.

    Returns:
        predicted_tasks, predicted_encoders; spearman_<predictor> (grouped folds), spearman_<predictor>_kinds (kinds
        left out) and spearman_<predictor>_ungrouped, "+" in a predictor's name being "_"; for ours also its _low and
        _high over repeats, _chance (95 % of permutations are below) and _p; coverage, coverage_nominal, coverage_width
        of grouped folds; coverage_kinds, _nominal, _width with kinds left out, of intervals over kinds;
        coverage_kinds_before, _before_nominal, _before_width, of intervals over groups; all over tasks.
    """
    values = {"predicted_tasks": len(tasks_of(report)), "predicted_encoders": report.predictions["encoder"].nunique()}
    for row in pick(report.metrics, task=MEAN, metric="spearman").itertuples():
        name = f"spearman_{row.predictor.replace('+', '_')}"
        values[name if row.scheme == "grouped" else f"{name}_{row.scheme}"] = row.value
        if row.predictor == "ours" and row.scheme == "grouped":
            values |= {f"{name}_low": row.low, f"{name}_high": row.high}
    for row in pick(report.null, task=MEAN, predictor="ours", scheme="grouped").itertuples():
        values |= {"spearman_ours_chance": row.null_high} | (
            {"spearman_ours_p": row.p_value} if row.permutations else {}
        )
    names = {
        ("grouped", "groups"): "coverage",
        ("kinds", "kinds"): "coverage_kinds",
        ("kinds", "groups"): "coverage_kinds_before",
    }
    for row in pick(report.coverage, task=MEAN).itertuples():
        if kept := names.get((row.scheme, row.calibrated)):
            values |= {kept: row.covered, f"{kept}_nominal": row.nominal, f"{kept}_width": row.width}
    plain = {name: value if isinstance(value, int) else float(value) for name, value in values.items()}
    return {name: value for name, value in plain.items() if np.isfinite(value)}

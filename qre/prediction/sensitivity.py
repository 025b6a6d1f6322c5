"""How much the prediction depends on how the null space of an encoder is perturbed: one feature matrix a method, each
in the same folds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from qre.features import FeatureMethod
from qre.prediction.data import PredictionData, PredictionSettings
from qre.prediction.evaluation import MEAN, evaluate

COMPARED = ("ours", "paper")


def sensitivity(
    features: Mapping[FeatureMethod, np.ndarray],
    data: PredictionData,
    settings: PredictionSettings,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> pd.DataFrame:
    """Mean Spearman over tasks in grouped folds, with features of one method alone.

    Args:
        features: method -> (N, n) of the encoders of `data`, whose own features are not used.
        progress: told how many methods are done, and of how many.

    Returns:
        epsilon, perturbation, predictor, spearman (mean over repeats), low, high (least and most of them), by
        predictor, perturbation and ε.
    """
    settings = settings.model_copy(update={"permutations": 0})
    rows = []
    for done, (method, matrix) in enumerate(features.items()):
        progress(done, len(features))
        report = evaluate(replace(data, features={method.name: matrix}), settings, COMPARED, ("grouped",))
        means = report.metrics[(report.metrics["task"] == MEAN) & (report.metrics["metric"] == "spearman")]
        rows += [
            {
                "epsilon": method.epsilon,
                "perturbation": method.perturbation,
                "predictor": row.predictor,
                "spearman": row.value,
                "low": row.low,
                "high": row.high,
            }
            for row in means.itertuples()
        ]
    return pd.DataFrame(rows).sort_values(["predictor", "perturbation", "epsilon"], ignore_index=True)

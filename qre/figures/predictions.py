"""The predictions as figures: PNG and SVG, the same bytes for the same tables. See qre.figures.style for what all
figures share."""

from __future__ import annotations

import pandas as pd

from qre.figures.correlation import spearman_figure
from qre.figures.epsilon import epsilon_figure
from qre.figures.predicted import predicted_figure
from qre.figures.quality import quality_figure
from qre.prediction import PredictionReport

__all__ = ["epsilon_figure", "predicted_figure", "prediction_figures", "quality_figure", "spearman_figure"]


def prediction_figures(
    report: PredictionReport, table: pd.DataFrame, scores: pd.DataFrame, epsilon: pd.DataFrame | None = None
) -> dict[str, bytes]:
    """Every figure of the predictions.

    Args:
        table: the map, one row an encoder: name, family, x, y.
        scores: name, task, kind, metric, score, low, high.
        epsilon: epsilon, perturbation, predictor, spearman, low, high; None or empty: no figure of it.

    Returns:
        predicted, spearman, quality_map and, where asked for, epsilon, each as .png and .svg.
    """
    curve = {} if epsilon is None or epsilon.empty else epsilon_figure(epsilon)
    return predicted_figure(report, table, scores) | spearman_figure(report) | quality_figure(report, table) | curve

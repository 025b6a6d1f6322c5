"""Scores on downstream tasks, predicted from features: how well that goes (evaluate), and for new encoders (fit)."""

from qre.prediction.data import PredictionData, PredictionSettings
from qre.prediction.evaluation import MEAN, PredictionReport, evaluate
from qre.prediction.predictor import Prediction, Predictor, fit

__all__ = [
    "MEAN",
    "Prediction",
    "PredictionData",
    "PredictionReport",
    "PredictionSettings",
    "Predictor",
    "evaluate",
    "fit",
]

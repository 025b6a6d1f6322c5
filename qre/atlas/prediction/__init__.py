"""Scores on downstream tasks, predicted from features: how well that goes (evaluate), and for new encoders (fit)."""

from qre.atlas.prediction.data import PredictionData, PredictionSettings
from qre.atlas.prediction.predictor import Prediction, Predictor, fit
from qre.atlas.prediction.report import MEAN, PredictionReport, evaluate

__all__ = ["MEAN", "Prediction", "PredictionData", "PredictionReport", "PredictionSettings", "Predictor", "evaluate", "fit"]

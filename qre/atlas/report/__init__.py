"""What a person reads of a map and of its predictions: report.md, and the words that its figures share."""

from qre.atlas.prediction import MEAN
from qre.atlas.report.page import report_page
from qre.atlas.report.words import OPTIMISTIC, headline, label, pick, predictors_of, tasks_of

__all__ = ["MEAN", "OPTIMISTIC", "headline", "label", "pick", "predictors_of", "report_page", "tasks_of"]

"""What a prediction is made of, checked once, and the settings that shape it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from qre.errors import UserError
from qre.prediction.folds import Block, blocks, group_numbers

# by the parts of a metric's name, such as max_ap, ndcg_at_10, top_1_accuracy: these are from 0 to 1, all others from -1
# to 1, as every score of MTEB
UNIT_METRICS = (
    "accuracy acc ap auc f1 v_measure nmi ndcg map mrr lrap recall precision hit_rate homogeneity completeness".split()
)
SIGNED_METRICS = re.compile("spearman|pearson|kendall|mcc|matthews|p_mrr|nauc")
FEWEST_KINDS = 3  # to leave one out: what is left must be more than one
FEWEST_GROUPS = 12  # nine groups are needed for an interval of 90 %, and a fold takes some away


class PredictionSettings(BaseModel):
    """How predictions are made and measured.

    Attributes:
        folds: outer folds, which only measure.
        inner_folds: of the paper's protocol inside a training part; the other predictors leave out one group at a time.
        repeats: of the outer folds, each with other folds.
        permutations: of the scores, for what chance alone reaches.
        coverage: of the intervals.
        seed: of folds and permutations.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    folds: int = Field(5, ge=2, le=20)
    inner_folds: int = Field(5, ge=2, le=20)
    repeats: int = Field(5, ge=1, le=100)
    permutations: int = Field(100, ge=0, le=10_000)
    coverage: float = Field(0.9, gt=0.5, lt=1.0)
    seed: int = Field(0, ge=0, lt=2**31)


def score_ranges(metrics: Sequence[str], scores: np.ndarray) -> np.ndarray:
    """Least and greatest possible score of each task, (T, 2), by the name of its metric; infinite where scores (N, T)
    lie outside: then it is told in other units, such as percent."""
    ranges = np.tile([-np.inf, np.inf], (len(metrics), 1))
    for task, metric in enumerate(metrics):
        name = "_" + re.sub(r"[^a-z0-9]+", "_", str(metric).lower()) + "_"
        low = 0.0 if any(f"_{part}_" in name for part in UNIT_METRICS) and not SIGNED_METRICS.search(name) else -1.0
        known = scores[~np.isnan(scores[:, task]), task]
        if ((known >= low) & (known <= 1.0)).all():
            ranges[task] = low, 1.0
        elif ((known >= -1.0) & (known <= 1.0)).all():
            ranges[task] = -1.0, 1.0  # the metric is another than its name says
    return ranges


@dataclass(frozen=True)
class PredictionData:
    """Encoders, what is known of them, and their scores.

    Attributes:
        features: feature set -> (N, n), float64; the first is that of the paper's protocol and of the neighbours.
        scores: (N, T), float64, NaN where unknown.
        tasks: names, T.
        groups: of each encoder, (N,): near-copies are of one group.
        kinds: of each encoder, (N,): all encoders of one origin are of one kind; no group is of two.
        ranges: least and greatest possible score of each task, (T, 2): see score_ranges; infinite where not known.
        encoders: names, N.
        dimension, parameters: (N,), float64, NaN where unknown.
        spectra: leading eigenvalues, (N, k), padded with zeros.
        sketches: unit-norm centred Gram matrices, (N, m): see qre.spectra.gram_sketch.
    """

    features: Mapping[str, np.ndarray]
    scores: np.ndarray
    tasks: tuple[str, ...]
    groups: np.ndarray
    kinds: np.ndarray
    ranges: np.ndarray
    encoders: tuple[str, ...]
    dimension: np.ndarray
    parameters: np.ndarray
    spectra: np.ndarray
    sketches: np.ndarray

    def __post_init__(self):
        tables = {
            **{f"features {name!r}": matrix for name, matrix in self.features.items()},
            "scores": self.scores,
            "groups": self.groups,
            "kinds": self.kinds,
            "dimension": self.dimension,
            "parameters": self.parameters,
            "spectra": self.spectra,
            "sketches": self.sketches,
        }
        for name, table in tables.items():
            if len(table) != len(self.encoders):
                raise UserError(f"prediction: {name} of {len(table)} encoders where {len(self.encoders)} are named")
        if not self.features:
            raise UserError("prediction: no features; give at least one feature set")
        if self.scores.shape != (len(self.encoders), len(self.tasks)):
            raise UserError(
                f"prediction: scores of shape {self.scores.shape} for {len(self.encoders)} encoders and "
                f"{len(self.tasks)} tasks"
            )
        for name in (*(name for name in tables if name.startswith("features")), "spectra", "sketches"):
            bad = ~np.isfinite(tables[name]).all(axis=1)
            if bad.any():
                raise UserError(f"prediction: NaN or Inf in the {name} of encoder {self.encoders[int(bad.argmax())]!r}")
        if self.ranges.shape != (len(self.tasks), 2):
            raise UserError(f"prediction: ranges of shape {self.ranges.shape} for {len(self.tasks)} tasks")
        if len(np.unique(np.stack([group_numbers(self.groups), group_numbers(self.kinds)]), axis=1).T) > len(
            np.unique(self.groups)
        ):
            raise UserError("prediction: encoders of one group are of several kinds; kinds are coarser than groups")
        if np.isinf(self.scores).any():
            row, column = np.argwhere(np.isinf(self.scores))[0]
            raise UserError(f"prediction: the score of {self.encoders[row]!r} on {self.tasks[column]!r} is infinite")

    def predictable(self, folds: int) -> tuple[list[Block], tuple[str, ...]]:
        """Blocks of the tasks that can be predicted, and notes on those that cannot.

        Raises:
            UserError: no task can be.
        """
        usable, notes = [], []
        fewest = max(FEWEST_GROUPS, folds)
        for block in blocks(self.scores):
            count = len(np.unique(self.groups[block.rows]))
            constant = (
                np.ptp(self.scores[np.ix_(block.rows, block.columns)], axis=0) == 0
                if len(block.rows)
                else np.ones(len(block.columns), bool)
            )
            for column in block.columns:
                if count < fewest:
                    notes.append(
                        f"{self.tasks[column]}: not predicted; scores of {count} group{'' if count == 1 else 's'} of "
                        f"encoders, and {fewest} are needed"
                    )
            if count < fewest:
                continue
            notes += [
                f"{self.tasks[column]}: not predicted; all its scores are the same"
                for column in block.columns[constant]
            ]
            if not constant.all():
                usable.append(Block(block.rows, block.columns[~constant]))
        if not usable:
            raise UserError("prediction: " + ("; ".join(notes[:3]) or "no scores"))
        return usable, tuple(notes)

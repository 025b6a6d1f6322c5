"""Every predictor over repeated folds, for the tasks of one block; permuted scores ride along, so that chance is measured by the same code."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from qre.atlas.prediction.baselines import NeighboursMean
from qre.atlas.prediction.data import PredictionData, PredictionSettings
from qre.atlas.prediction.distances import (
    attribute_columns,
    profile_candidates,
    profile_terms,
    single_candidates,
    spectrum_columns,
    squared_distances,
)
from qre.atlas.prediction.folds import Block, group_numbers, grouped_folds
from qre.atlas.prediction.kernels import KernelRegression
from qre.atlas.prediction.paper import PaperProtocol

PREDICTORS = ("ours", "ours+cka", "paper", "neighbours", "dimension", "spectrum", "cka")


@dataclass(frozen=True)
class Runs:
    """Out-of-fold results of T tasks and their M encoders in one scheme.

    Attributes:
        block: which encoders and tasks.
        scheme: "grouped" or "ungrouped".
        scores: of the tasks, and after them of every permutation, (M, T (1 + permutations)).
        folds: repeat -> fold of each encoder, (M,).
        expected: repeat -> mean score of the training part of each encoder's fold, as wide as predicted.
        predicted: predictor -> repeat -> (M, T); in the first repeat as wide as the scores.
        half: repeat -> half widths of our intervals, (M, T).
        chosen: (repeat, fold, predictor, task of the block, what was chosen).
    """

    block: Block
    scheme: str
    scores: np.ndarray
    folds: list[np.ndarray]
    expected: list[np.ndarray]
    predicted: dict[str, list[np.ndarray]]
    half: list[np.ndarray]
    chosen: list[tuple]

    @property
    def tasks(self) -> int:
        return len(self.block.columns)

    @property
    def actual(self) -> np.ndarray:
        """The scores themselves, without permutations, (M, T)."""
        return self.scores[:, : self.tasks]


def out_of_fold(
    data: PredictionData, block: Block, scheme: str, settings: PredictionSettings, predictors: Collection[str] = PREDICTORS,
    told: Callable[[], None] = lambda: None,
) -> Runs:  # fmt: skip
    """Predict every encoder of a block out of fold, `repeats` times; `told` is called after each fold."""
    y = data.scores[np.ix_(block.rows, block.columns)]
    rng = np.random.default_rng([settings.seed, 1])
    scores = np.hstack([y, *(y[rng.permutation(len(y))] for _ in range(settings.permutations))])
    groups = group_numbers(data.groups[block.rows]) if scheme == "grouped" else np.arange(len(y))
    methods = {name: method for name, method in _methods(data, block, settings).items() if name in predictors}
    runs = Runs(block, scheme, scores, [], [], {name: [] for name in methods}, [], [])
    for repeat in range(settings.repeats):
        columns = scores if repeat == 0 else y  # kernels and components know no scores, so permutations cost next to nothing
        fold, half, expected = np.empty(len(y), dtype=int), np.empty_like(y), np.empty_like(columns)
        predicted = {name: np.empty_like(columns) for name in methods}
        for number, (train, test) in enumerate(grouped_folds(groups, settings.folds, settings.seed + repeat)):
            fold[test], expected[test] = number, columns[train].mean(axis=0)
            for name, method in methods.items():
                predicted[name][test], width, chosen = method.predict(train, test, columns[train], groups[train])
                if name == "ours":
                    half[test] = width[:, : y.shape[1]]
                runs.chosen.extend((repeat, number, name, task, chosen[task]) for task in range(y.shape[1]))
            told()
        runs.folds.append(fold)
        runs.expected.append(expected)
        runs.half.append(half)
        for name in methods:
            runs.predicted[name].append(predicted[name])
    return runs


def _methods(data: PredictionData, block: Block, settings: PredictionSettings) -> dict:
    """The predictors of PREDICTORS, on the encoders of a block; distances are computed here, once."""
    names = tuple(data.features)
    own: dict[str, np.ndarray] = {}
    for name in names:
        own |= profile_terms(name, data.features[name][block.rows])
    columns = {
        "dimension": attribute_columns(data.dimension[block.rows], data.parameters[block.rows]),
        "spectrum": spectrum_columns(data.spectra[block.rows]),
        "cka": data.sketches[block.rows],
    }  # fmt: skip
    others = {name: squared_distances(table) for name, table in columns.items()}
    return {
        "ours": KernelRegression(own, profile_candidates(names), settings.coverage),
        "ours+cka": KernelRegression({**own, "cka": others["cka"]}, profile_candidates(names, ["cka"]), settings.coverage),
        "paper": PaperProtocol(data.features[names[0]][block.rows], settings.inner_folds, settings.seed),
        "neighbours": NeighboursMean(own[names[0]]),
        **{name: KernelRegression({name: matrix}, single_candidates(name), settings.coverage) for name, matrix in others.items()},
    }  # fmt: skip

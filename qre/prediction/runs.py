"""Every predictor over repeated folds, for the tasks of one block; permuted scores ride along, so that chance is
measured by the same code."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from qre.prediction.baselines import NeighboursMean
from qre.prediction.conformal import interval, most_coverage
from qre.prediction.data import PredictionData, PredictionSettings
from qre.prediction.distances import (
    attribute_columns,
    profile_candidates,
    profile_terms,
    single_candidates,
    spectrum_columns,
    squared_distances,
)
from qre.prediction.folds import Block, group_numbers, grouped_folds
from qre.prediction.kernels import KernelRegression
from qre.prediction.paper import PaperProtocol

KIND_FOLDS = 20  # with up to so many kinds, each is a fold of its own
PREDICTORS = ("ours", "ours+cka", "paper", "neighbours", "dimension", "spectrum", "cka")


@dataclass(frozen=True)
class Runs:
    """Out-of-fold results of T tasks and their M encoders in one scheme.

    Attributes:
        block: which encoders and tasks.
        scheme: "kinds" (whole kinds are left out, once), "grouped" or "ungrouped".
        scores: of the tasks, and after them of every permutation, (M, T (1 + permutations)).
        folds: repeat -> fold of each encoder, (M,).
        expected: repeat -> mean score of the training part of each encoder's fold, as wide as predicted.
        predicted: predictor -> repeat -> (M, T); in the first repeat as wide as the scores.
        intervals: repeat -> what our intervals are calibrated over, "groups" or "kinds" -> their ends, (2, M, T).
        kinds: number of each encoder's kind, (M,).
        nominal: coverage of the intervals by what they are calibrated over; of those over kinds what the fewest kinds
            of a training part can promise.
        chosen: (repeat, fold, predictor, task of the block, what was chosen).
    """

    block: Block
    scheme: str
    scores: np.ndarray
    folds: list[np.ndarray]
    expected: list[np.ndarray]
    predicted: dict[str, list[np.ndarray]]
    intervals: list[dict[str, np.ndarray]]
    kinds: np.ndarray
    nominal: dict[str, float]
    chosen: list[tuple]

    @property
    def tasks(self) -> int:
        return len(self.block.columns)

    @property
    def actual(self) -> np.ndarray:
        """The scores themselves, without permutations, (M, T)."""
        return self.scores[:, : self.tasks]


def fold_count(data: PredictionData, block: Block, scheme: str, settings: PredictionSettings) -> int:
    """How many folds a scheme has, over all its repeats."""
    return (
        min(KIND_FOLDS, len(np.unique(data.kinds[block.rows])))
        if scheme == "kinds"
        else settings.repeats * settings.folds
    )


def out_of_fold(
    data: PredictionData,
    block: Block,
    scheme: str,
    settings: PredictionSettings,
    predictors: Collection[str] = PREDICTORS,
    told: Callable[[], None] = lambda: None,
) -> Runs:
    """Predict every encoder of a block out of fold, `repeats` times, with kinds left out once; `told` is called after
    each fold."""
    y, kinds = data.scores[np.ix_(block.rows, block.columns)], group_numbers(data.kinds[block.rows])
    rng = np.random.default_rng([settings.seed, 1])
    permutations = 0 if scheme == "kinds" else settings.permutations
    scores = np.hstack([y, *(y[rng.permutation(len(y))] for _ in range(permutations))])
    groups = np.arange(len(y)) if scheme == "ungrouped" else group_numbers(data.groups[block.rows])
    methods = {name: method for name, method in _methods(data, block, settings).items() if name in predictors}
    runs = Runs(
        block,
        scheme,
        scores,
        [],
        [],
        {name: [] for name in methods},
        [],
        kinds,
        _nominal(kinds, scheme, settings.coverage),
        [],
    )
    for repeat in range(1 if scheme == "kinds" else settings.repeats):
        # kernels and components know no scores, so permutations cost next to nothing
        columns = scores if repeat == 0 else y
        _one_repeat(runs, repeat, columns, groups, methods, data.ranges[block.columns], settings, told)
    return runs


def _nominal(kinds: np.ndarray, scheme: str, coverage: float) -> dict[str, float]:
    if scheme != "kinds":
        return {"groups": coverage}
    trained = [kinds[train] for train, _ in grouped_folds(kinds, min(KIND_FOLDS, len(np.unique(kinds))), 0)]
    return {"groups": coverage, "kinds": min(coverage, *(most_coverage(known) for known in trained))}


def _one_repeat(
    runs: Runs,
    repeat: int,
    columns: np.ndarray,
    groups: np.ndarray,
    methods: dict,
    ranges: np.ndarray,
    settings: PredictionSettings,
    told: Callable[[], None],
) -> None:
    """Predict the scores in `columns` (M, T or more) in the folds of one repeat, and add the results to the runs."""
    count, tasks = len(columns), runs.tasks
    whole, parts = (
        (runs.kinds, min(KIND_FOLDS, len(np.unique(runs.kinds))))
        if runs.scheme == "kinds"
        else (groups, settings.folds)
    )
    fold, expected = np.empty(count, dtype=int), np.empty_like(columns)
    predicted = {name: np.empty_like(columns) for name in methods}
    ends = {over: np.empty((2, count, tasks)) for over in runs.nominal}
    for number, (train, test) in enumerate(grouped_folds(whole, parts, settings.seed + repeat)):
        fold[test], expected[test] = number, columns[train].mean(axis=0)
        for name, method in methods.items():
            predicted[name][test], widths, chosen = method.predict(train, test, columns[train], groups[train])
            if name == "ours":
                for over, both in ends.items():
                    both[:, test] = interval(predicted[name][test, :tasks], widths[over][:, :tasks], ranges)
            runs.chosen.extend((repeat, number, name, task, chosen[task]) for task in range(tasks))
        told()
    runs.folds.append(fold)
    runs.expected.append(expected)
    runs.intervals.append(ends)
    for name in methods:
        runs.predicted[name].append(predicted[name])


def _methods(data: PredictionData, block: Block, settings: PredictionSettings) -> dict:
    """The predictors of PREDICTORS, on the encoders of a block; distances are computed here, once."""
    names, kinds = tuple(data.features), data.kinds[block.rows]
    own: dict[str, np.ndarray] = {}
    for name in names:
        own |= profile_terms(name, data.features[name][block.rows])
    columns = {
        "dimension": attribute_columns(data.dimension[block.rows], data.parameters[block.rows]),
        "spectrum": spectrum_columns(data.spectra[block.rows]),
        "cka": data.sketches[block.rows],
    }
    others = {name: squared_distances(table) for name, table in columns.items()}
    return {
        "ours": KernelRegression(own, profile_candidates(names), settings.coverage, kinds),
        "ours+cka": KernelRegression(
            {**own, "cka": others["cka"]}, profile_candidates(names, ["cka"]), settings.coverage, kinds
        ),
        "paper": PaperProtocol(data.features[names[0]][block.rows], settings.inner_folds, settings.seed),
        "neighbours": NeighboursMean(own[names[0]]),
        **{
            name: KernelRegression({name: matrix}, single_candidates(name), settings.coverage, kinds)
            for name, matrix in others.items()
        },
    }

"""The fitted predictor: scores of encoders that were never benchmarked, with intervals, and how far they are from all
that is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from qre.errors import UserError
from qre.prediction.conformal import conformal_p_values, interval
from qre.prediction.data import FEWEST_KINDS, PredictionData, PredictionSettings
from qre.prediction.distances import profile_candidates, profile_terms, squared_distances
from qre.prediction.folds import Block, group_numbers
from qre.prediction.kernels import KernelModel
from qre.schemas import newer

SCHEMA = 2
SKETCH = "cka"


@dataclass(frozen=True)
class Prediction:
    """Of M new encoders and T tasks; NaN where a task could not be fitted.

    Attributes:
        mean, low, high: (M, T), in units of the scores; low to high holds the score of an encoder of a new kind with
            the predictor's coverage. NaN and infinite where too few kinds are known for it: then the score cannot be
            predicted from this map.
        kinds: of how many the scores of each task are known, (T,).
        familiarity: (M,), from 0 to K/(K + 1): the share of known kinds that, left out, stand further between the
            others than this encoder does. An encoder of a new kind reaches f with probability 1 - f at most; NaN where
            there are too few kinds to leave one out.
        nearest: names of the nearest known encoders, M.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    kinds: np.ndarray
    familiarity: np.ndarray
    nearest: tuple[str, ...]


@dataclass(frozen=True)
class Predictor:
    """Everything that a prediction needs, as arrays and plain values.

    Attributes:
        tables: feature set -> (N, n), and "cka" -> (N, m) where sketches are used.
        scores: (N, T), NaN where unknown.
        tasks, encoders: names.
        groups, kinds: their numbers, (N,) each.
        ranges: least and greatest possible score of each task, (T, 2).
        coverage: of the intervals.
        notes: tasks that could not be fitted.
        models: a fitted regression for each block of tasks.
    """

    tables: dict[str, np.ndarray]
    scores: np.ndarray
    tasks: tuple[str, ...]
    encoders: tuple[str, ...]
    groups: np.ndarray
    kinds: np.ndarray
    ranges: np.ndarray
    coverage: float
    notes: tuple[str, ...]
    models: tuple[tuple[Block, KernelModel], ...]

    def predict(self, tables: Mapping[str, np.ndarray]) -> Prediction:
        """Scores of M new encoders.

        Args:
            tables: the same feature sets as the predictor's, (M, n) each, and "cka", (M, m), where it uses sketches.

        Raises:
            UserError: a table is missing or of another width, or holds NaN.
        """
        self._check(tables)
        across = _terms(tables, self.tables)
        count = len(next(iter(tables.values())))
        mean, low, high = np.full((3, count, len(self.tasks)), np.nan)
        for block, model in self.models:
            predicted, deviations = model.predict({name: matrix[:, block.rows] for name, matrix in across.items()})
            told = np.isfinite(model.quantile)
            ranges = self.ranges[block.columns]
            mean[:, block.columns] = np.where(told, np.clip(predicted, *ranges.T), np.nan)
            low[:, block.columns], high[:, block.columns] = interval(predicted, deviations * model.quantile, ranges)
        familiarity, nearest = self._familiarity(across)
        return Prediction(mean, low, high, self.kinds_by_task, familiarity, tuple(self.encoders[i] for i in nearest))

    @property
    def kinds_by_task(self) -> np.ndarray:
        """Of how many kinds the scores of each task are known, (T,); 0 where a task could not be fitted."""
        counts = np.zeros(len(self.tasks), dtype=int)
        for block, _ in self.models:
            counts[block.columns] = len(np.unique(self.kinds[block.rows]))
        return counts

    def _familiarity(self, across: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Prediction.familiarity and index of the nearest known encoder, (M,) each."""
        inside = _terms(self.tables, self.tables)
        medians = {name: float(np.median(matrix)) or 1.0 for name, matrix in inside.items()}
        # without the levels: how far encoders of one vectoriser are apart in QRE says little of their origin
        profiles = list(self.tables)
        known, new = (_summed(terms, medians, profiles) for terms in (inside, across))
        nearest = _summed(across, medians, across).argmin(axis=1)
        if len(np.unique(self.kinds)) < FEWEST_KINDS:
            return np.full(len(new), np.nan), nearest
        left_out = np.empty(len(self.encoders))
        for kind in np.unique(self.kinds):
            out = self.kinds == kind
            left_out[out] = between_kinds(known[np.ix_(out, ~out)], self.kinds[~out])
        return 1.0 - conformal_p_values(-left_out, self.kinds, -between_kinds(new, self.kinds)), nearest

    def _check(self, tables: Mapping[str, np.ndarray]) -> None:
        for name, known in self.tables.items():
            if name not in tables:
                raise UserError(
                    f"prediction: {name!r} is missing; this predictor was fitted on {', '.join(self.tables)}"
                )
            if tables[name].ndim != 2 or tables[name].shape[1] != known.shape[1]:
                raise UserError(
                    f"prediction: {name!r} of shape {tables[name].shape}; (M, {known.shape[1]}) is what this "
                    f"predictor was fitted on"
                )
            if not np.isfinite(tables[name]).all():
                raise UserError(f"prediction: NaN or Inf in {name!r}")

    def to_arrays(self) -> tuple[dict[str, np.ndarray], dict]:
        """Arrays, and plain values for JSON: all that from_arrays needs."""
        arrays = {f"table/{name}": table for name, table in self.tables.items()} | {
            "scores": self.scores,
            "groups": self.groups,
            "kinds": self.kinds,
            "ranges": self.ranges,
        }
        models: list[dict] = []
        meta = {
            "schema": SCHEMA,
            "coverage": self.coverage,
            "tasks": list(self.tasks),
            "encoders": list(self.encoders),
            "notes": list(self.notes),
            "models": models,
        }
        for number, (block, model) in enumerate(self.models):
            own, plain = model.to_arrays()
            arrays |= {
                f"model/{number}/{name}": array
                for name, array in {**own, "rows": block.rows, "columns": block.columns}.items()
            }
            models.append(plain)
        return arrays, meta

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], meta: dict) -> Predictor:
        """The predictor that to_arrays took apart.

        Raises:
            UserError: it is of another version.
        """
        if type(meta.get("schema")) is int and meta["schema"] > SCHEMA:
            raise newer("the predictor", meta["schema"], SCHEMA, "map")
        if meta.get("schema") != SCHEMA:
            raise UserError(
                f"prediction: a predictor of schema {meta.get('schema')}, and this version reads {SCHEMA}; make the "
                f"atlas again"
            )
        tables = {name.removeprefix("table/"): array for name, array in arrays.items() if name.startswith("table/")}
        inside, models = _terms(tables, tables), []
        for number, plain in enumerate(meta["models"]):
            prefix = f"model/{number}/"
            own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
            block = Block(own.pop("rows"), own.pop("columns"))
            models.append((block, KernelModel.from_arrays(own, plain, _part(inside, block.rows))))
        return cls(
            tables,
            arrays["scores"],
            tuple(meta["tasks"]),
            tuple(meta["encoders"]),
            arrays["groups"],
            arrays["kinds"],
            arrays["ranges"],
            meta["coverage"],
            tuple(meta["notes"]),
            tuple(models),
        )


def fit(data: PredictionData, settings: PredictionSettings, sketches: bool = True) -> Predictor:
    """Fit the best predictor that evaluate measures, on all encoders that have scores.

    Args:
        sketches: use the Gram sketches beside the features ("ours+cka"); without them it is "ours".

    Raises:
        UserError: no task can be fitted: too few groups of encoders with scores, or constant scores.
    """
    usable, notes = data.predictable(settings.folds)
    rows = np.flatnonzero(~np.isnan(data.scores).all(axis=1))
    at = np.full(len(data.encoders), -1)
    at[rows] = np.arange(len(rows))
    tables = {name: matrix[rows] for name, matrix in data.features.items()} | (
        {SKETCH: data.sketches[rows]} if sketches else {}
    )
    inside = _terms(tables, tables)
    candidates = profile_candidates(tuple(data.features), [SKETCH] if sketches else [])
    scores, groups, kinds, models = (
        data.scores[rows],
        group_numbers(data.groups[rows]),
        group_numbers(data.kinds[rows]),
        [],
    )
    for block in (Block(at[block.rows], block.columns) for block in usable):
        y = scores[np.ix_(block.rows, block.columns)]
        model = KernelModel.fit(
            _part(inside, block.rows), candidates, y, groups[block.rows], kinds[block.rows], settings.coverage
        )
        models.append((block, model))
    names = tuple(data.encoders[i] for i in rows)
    return Predictor(
        tables, scores, data.tasks, names, groups, kinds, data.ranges, settings.coverage, notes, tuple(models)
    )


def between_kinds(distances: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """How far between kinds encoders stand: distance to the nearest kind over that to the second nearest, (M,), from 0
    (of the one) to 1 (of neither).

    Args:
        distances: squared, of the encoders to known ones, (M, N).
        kinds: of the known, (N,), at least two.
    """
    nearest = np.sort(np.stack([distances[:, kinds == kind].min(axis=1) for kind in np.unique(kinds)]), axis=0)
    return np.sqrt(np.divide(nearest[0], nearest[1], out=np.ones(len(distances)), where=nearest[1] > 0))


def _terms(first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Distances of every term, rows of the first tables to rows of the second."""
    terms: dict[str, np.ndarray] = {}
    for name, known in second.items():
        if name == SKETCH:
            terms[name] = squared_distances(first[name], known)
        else:
            terms |= profile_terms(name, first[name], known)
    return terms


def _summed(terms: Mapping[str, np.ndarray], medians: Mapping[str, float], names: Iterable[str]) -> np.ndarray:
    """Distances in medians, summed over the named terms."""
    return np.asarray(sum(terms[name] / medians[name] for name in names))


def _part(terms: Mapping[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
    return {name: matrix[np.ix_(rows, rows)] for name, matrix in terms.items()}

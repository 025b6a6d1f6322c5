"""Gaussian-process regression on distances between encoders; every choice made by leaving whole groups out, in closed
form.

The kernel of a candidate is a function of two encoders alone, so that a fold needs no features, only its part of the N
x N distances: they are computed once, and shared by folds, tasks, repeats and permutations. With A = (K + s²I)⁻¹ the
prediction of a group S by all others is y_S - A_SS⁻¹ (Ay)_S and its variance diag(A_SS⁻¹) (Rasmussen and Williams 2006,
section 5.4.2, for groups): leave-group-out for the price of one eigendecomposition. Leaving out whole kinds is the same
with larger blocks.

Kernel and noise are chosen by groups, intervals are calibrated over kinds: what was not chosen by the kinds left out
has residuals there that are not flattered by the choice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qre.prediction.conformal import conformal_quantile, most_coverage
from qre.prediction.folds import members

NOISES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)  # s², where kernel and scores have unit variance
MEAN_VARIANCE = 10.0  # prior variance of the mean: wide, so that it is estimated and not assumed


@dataclass(frozen=True)
class Candidate:
    """One kernel: exp(-mean of distances / width), each distance in medians of the training encoders.

    Attributes:
        terms: names of the distances.
        width: in median distances.
    """

    terms: tuple[str, ...]
    width: float


@dataclass(frozen=True)
class Choice:
    """What leave-group-out chose for each of T tasks.

    Attributes:
        candidates: index of the kernel, (T,).
        noises: s², (T,).
        residuals: |y - prediction| / standard deviation of the encoders when their group was left out, (N, T).
        kind_residuals: the same with their whole kind left out, (N, T).
    """

    candidates: np.ndarray
    noises: np.ndarray
    residuals: np.ndarray
    kind_residuals: np.ndarray


def kernel(candidate: Candidate, distances: Mapping[str, np.ndarray], medians: Mapping[str, float]) -> np.ndarray:
    """Covariances with the mean's variance added, of the shape of the distances."""
    scale = -1.0 / (candidate.width * len(candidate.terms))
    return np.exp(sum(distances[name] * (scale / medians[name]) for name in candidate.terms)) + MEAN_VARIANCE


def leave_group_out(
    eigen: tuple[np.ndarray, np.ndarray], y: np.ndarray, groups: Sequence[np.ndarray], noise: float
) -> tuple[np.ndarray, np.ndarray]:
    """Predictions (N, T) of y (N, T) and their variances (N,), each encoder by those of other groups.

    Args:
        eigen: eigenvalues (N,) and eigenvectors (N, N) of the kernel matrix.
        groups: from folds.members.
        noise: s², added to every encoder.
    """
    values, vectors = eigen
    weights = 1.0 / (np.maximum(values, 0.0) + noise)
    solved, half = vectors @ (weights[:, None] * (vectors.T @ y)), vectors * np.sqrt(weights)
    predictions, variances = np.empty_like(y), np.empty(len(y))
    for rows in groups:
        inverse = np.linalg.inv(half[rows] @ half[rows].transpose(0, 2, 1))
        predictions[rows] = y[rows] - inverse @ solved[rows]
        variances[rows] = np.diagonal(inverse, axis1=1, axis2=2)
    return predictions, variances


def choose(
    candidates: Sequence[Candidate],
    distances: Mapping[str, np.ndarray],
    medians: Mapping[str, float],
    y: np.ndarray,
    groups: np.ndarray,
    kinds: np.ndarray,
) -> Choice:
    """Kernel and noise for each task: the least mean squared error of scores y (N, T) when each group (N,) in turn is
    left out."""
    rows = members(groups)
    best = np.full(y.shape[1], np.inf)
    candidate, noise, residuals = np.zeros(y.shape[1], dtype=int), np.zeros(y.shape[1]), np.zeros_like(y)
    for number, eigen in enumerate(_eigen(candidates, distances, medians)):
        for s2 in NOISES:
            predictions, variances = leave_group_out(eigen, y, rows, s2)
            errors = predictions - y
            loss = np.square(errors).mean(axis=0)
            better = loss < best
            best[better], candidate[better], noise[better] = loss[better], number, s2
            residuals[:, better] = np.abs(errors[:, better]) / np.sqrt(variances)[:, None]
    kind_residuals = _kind_residuals(candidates, distances, medians, y, members(kinds), candidate, noise)
    return Choice(candidate, noise, residuals, kind_residuals)


def _kind_residuals(
    candidates: Sequence[Candidate],
    distances: Mapping[str, np.ndarray],
    medians: Mapping[str, float],
    y: np.ndarray,
    rows: Sequence[np.ndarray],
    candidate: np.ndarray,
    noise: np.ndarray,
) -> np.ndarray:
    """|y - prediction| / standard deviation with each kind (`rows`, from folds.members) left out, by the kernel and
    noise of each task, (N, T)."""
    residuals = np.empty_like(y)
    for number in np.unique(candidate):
        eigen = np.linalg.eigh(kernel(candidates[number], distances, medians))
        for s2 in np.unique(noise[candidate == number]):
            tasks = (candidate == number) & (noise == s2)
            predictions, variances = leave_group_out(eigen, y[:, tasks], rows, s2)
            residuals[:, tasks] = np.abs(predictions - y[:, tasks]) / np.sqrt(variances)[:, None]
    return residuals


class KernelRegression:
    """Predictions and intervals from distances between encoders.

    Args:
        distances: term -> distances, (N, N).
        candidates: kernels to choose from.
        coverage: of the intervals.
        kinds: of all encoders, (N,).
    """

    def __init__(
        self, distances: Mapping[str, np.ndarray], candidates: Sequence[Candidate], coverage: float, kinds: np.ndarray
    ):
        self._distances, self._candidates, self._coverage, self._kinds = distances, candidates, coverage, kinds

    def predict(
        self, train: np.ndarray, test: np.ndarray, y: np.ndarray, groups: np.ndarray
    ) -> tuple[np.ndarray, dict[str, np.ndarray], list[dict]]:
        """Predictions of the test rows (M, T), half the width of their intervals (M, T), and what was chosen for each
        task.

        Intervals by what they are calibrated over: "groups"; "kinds", at no more than what the kinds of the training
        rows can promise.

        Args:
            train, test: row indices.
            y: scores of the training rows, (N, T), without NaN.
            groups: of the training rows, (N,).
        """
        inside = {name: matrix[np.ix_(train, train)] for name, matrix in self._distances.items()}
        across = {name: matrix[np.ix_(test, train)] for name, matrix in self._distances.items()}
        kinds = self._kinds[train]
        model = KernelModel.fit(inside, self._candidates, y, groups, kinds, min(self._coverage, most_coverage(kinds)))
        predictions, deviations = model.predict(across)
        over_groups = conformal_quantile(model.choice.residuals, groups, self._coverage)
        return predictions, {"groups": deviations * over_groups, "kinds": deviations * model.quantile}, model.choices()


@dataclass(frozen=True)
class KernelModel:
    """A fitted regression of T tasks.

    Attributes:
        candidates: the kernels that were chosen from.
        medians: term -> median distance of the training encoders.
        mean, deviation: of the training scores, (T,).
        choice: kernel and noise, and the residuals of groups and of kinds left out.
        quantile: of the residuals of kinds, (T,): half an interval is that many standard deviations. Infinite with too
            few kinds.
        y: standardised training scores, (N, T).
        inside: term -> distances of the training encoders, (N, N).
    """

    candidates: tuple[Candidate, ...]
    medians: dict[str, float]
    mean: np.ndarray
    deviation: np.ndarray
    choice: Choice
    quantile: np.ndarray
    y: np.ndarray
    inside: Mapping[str, np.ndarray]

    @classmethod
    def fit(
        cls,
        inside: Mapping[str, np.ndarray],
        candidates: Sequence[Candidate],
        y: np.ndarray,
        groups: np.ndarray,
        kinds: np.ndarray,
        coverage: float,
    ) -> KernelModel:
        """Choose and fit for scores y (N, T) of encoders with these distances, groups and kinds (N,)."""
        mean, deviation = y.mean(axis=0), y.std(axis=0)
        deviation = np.where(deviation > 0, deviation, 1.0)
        y = (y - mean) / deviation
        medians = {name: float(np.median(matrix)) or 1.0 for name, matrix in inside.items()}
        choice = choose(candidates, inside, medians, y, groups, kinds)
        return cls(
            tuple(candidates),
            medians,
            mean,
            deviation,
            choice,
            conformal_quantile(choice.kind_residuals, kinds, coverage),
            y,
            inside,
        )

    def predict(self, across: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Predictions and their standard deviations in units of the scores, (M, T) each, of encoders with these
        distances (M, N) to the training encoders."""
        count = len(next(iter(across.values())))
        predictions, deviations = np.empty((2, count, self.y.shape[1]))
        for number in np.unique(self.choice.candidates):
            values, vectors = np.linalg.eigh(kernel(self.candidates[number], self.inside, self.medians))
            projected = kernel(self.candidates[number], across, self.medians) @ vectors
            for s2 in np.unique(self.choice.noises[self.choice.candidates == number]):
                tasks = (self.choice.candidates == number) & (self.choice.noises == s2)
                weights = 1.0 / (np.maximum(values, 0.0) + s2)
                predictions[:, tasks] = (projected * weights) @ (vectors.T @ self.y[:, tasks])
                variance = 1.0 + MEAN_VARIANCE + s2 - np.square(projected) @ weights
                deviations[:, tasks] = np.sqrt(np.maximum(variance, s2))[:, None]
        return self.mean + self.deviation * predictions, self.deviation * deviations

    def to_arrays(self) -> tuple[dict[str, np.ndarray], dict]:
        """Arrays, and plain values for JSON; the distances follow from the features."""
        arrays = {
            "mean": self.mean,
            "deviation": self.deviation,
            "quantile": self.quantile,
            "y": self.y,
            "candidates": self.choice.candidates,
            "noises": self.choice.noises,
            "residuals": self.choice.residuals,
            "kind_residuals": self.choice.kind_residuals,
        }
        kernels = [{"terms": list(candidate.terms), "width": candidate.width} for candidate in self.candidates]
        return arrays, {"candidates": kernels, "medians": self.medians}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], plain: dict, inside: Mapping[str, np.ndarray]
    ) -> KernelModel:
        """The model that to_arrays took apart, given the distances of its training encoders."""
        candidates = tuple(Candidate(tuple(each["terms"]), each["width"]) for each in plain["candidates"])
        choice = Choice(arrays["candidates"], arrays["noises"], arrays["residuals"], arrays["kind_residuals"])
        return cls(
            candidates,
            plain["medians"],
            arrays["mean"],
            arrays["deviation"],
            choice,
            arrays["quantile"],
            arrays["y"],
            inside,
        )

    def choices(self) -> list[dict]:
        """What was chosen, task by task, in plain values."""
        chosen = zip(self.choice.candidates, self.choice.noises, strict=True)
        return [
            {"terms": list(self.candidates[number].terms), "width": self.candidates[number].width, "noise": float(s2)}
            for number, s2 in chosen
        ]


def _eigen(
    candidates: Sequence[Candidate], distances: Mapping[str, np.ndarray], medians: Mapping[str, float]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    return (np.linalg.eigh(kernel(candidate, distances, medians)) for candidate in candidates)

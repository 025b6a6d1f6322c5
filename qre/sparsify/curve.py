"""The curve: how semantic similarity, alignment and uniformity change while more of an encoder is set to zero.

A point is one share by one ranking (a score and a seed). Points are kept in a folder as they are made, each in a file
of its own that is whole or not there, so that a curve that was cut off goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from qre.errors import UserError
from qre.tasks.bootstrap import OF_SCORES, interval
from qre.tasks.difference import difference
from qre.tasks.pairs import STSTask
from qre.tasks.task import Batch, unit_rows

SCHEMA = 1
NEAR = 0.8  # of the range of a task's gold scores: pairs above it should be aligned (STS-B: above 4 of 0 to 5)
MOST_ROWS = 4000  # that uniformity is measured on, of a task with more texts the first
COLUMNS = ("task", "score", "seed", "share", "zeros", "of")
VALUES = ("spearman", "gain", "alignment", "uniformity")


@dataclass(frozen=True)
class Ranking:
    """An order of the parameters: by a score, and a seed where that has one."""

    score: str
    seed: int = 0


DENSE = Ranking("", 0)  # of share 0, where nothing is ranked


def rankings(scores: Sequence[str], seeds: int) -> list[Ranking]:
    """Every score with each seed; a magnitude has no seed."""
    return [Ranking(score, seed) for score in scores for seed in range(1 if score == "magnitude" else seeds)]


class Points:
    """The points of one curve in a folder.

    Args:
        identity: all that the points depend on, beside ranking and share.

    Raises:
        UserError: the folder holds the points of another curve, or of a newer version.
    """

    def __init__(self, folder: Path, identity: Mapping):
        self._folder = folder / "points"
        told = json.dumps({"schema": SCHEMA, **identity}, sort_keys=True, indent=1)
        run = folder / "run.json"
        try:
            there = run.read_text(encoding="utf-8")
        except FileNotFoundError:
            write_whole(run, told.encode())
        else:
            if there != told:
                raise UserError(
                    f"{folder}: holds the curve of another encoder, other tasks or other options; name another --out, "
                    f"or remove that folder"
                )

    def read(self, ranking: Ranking, share: float) -> dict | None:
        """A point; None where it is not there, or damaged."""
        try:
            point = json.loads(self._file(ranking, share).read_text(encoding="utf-8"))
            digest = point.pop("sha256")
            return point if digest == _digest(point) else None
        except (FileNotFoundError, ValueError, KeyError, AttributeError, TypeError):
            return None

    def write(self, ranking: Ranking, share: float, point: Mapping) -> None:
        whole = {**point, "sha256": _digest(point)}
        write_whole(self._file(ranking, share), json.dumps(whole).encode())

    def _file(self, ranking: Ranking, share: float) -> Path:
        name = f"{ranking.score}-s{ranking.seed}-{share:.17g}" if ranking.score else "dense"
        return self._folder / f"{name}.json"


def _digest(point: Mapping) -> str:
    return hashlib.sha256(json.dumps(point, sort_keys=True).encode()).hexdigest()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def point(tasks: Batch, vectors: np.ndarray, zeros: int, of: int) -> dict:
    """What one state of an encoder gives: of each task its score, alignment and uniformity with their intervals, and
    the cosines of its pairs.

    Args:
        tasks: STS tasks.
        vectors: of the texts of all of them, (m, d) float32.
    """
    told: dict[str, Any] = {"zeros": zeros, "of": of, "tasks": {}}
    for task, rows in zip(tasks.tasks, tasks.rows, strict=True):
        assert isinstance(task, STSTask)
        own = vectors[rows]
        score, units = task.score(own), unit_rows(own)
        told["tasks"][task.fingerprint] = {
            "spearman": [score.score, score.low, score.high],
            "alignment": _alignment(task, units),
            "uniformity": _uniformity(units[:MOST_ROWS]),
            "cosines": task.cosines(own).tolist(),
        }
    return told


def table(tasks: Sequence[STSTask], points: Mapping[tuple[Ranking, float], Mapping]) -> pd.DataFrame:
    """A row for each task, ranking and share: COLUMNS, and each of VALUES with its 95 % interval (_low, _high); `gain`
    is the score above that of the whole encoder, on the same resampled pairs. Share 0 is a row of every ranking.

    Args:
        points: of the dense encoder (DENSE, 0.0) and all others; one with a `problem` has no row.
    """
    rows = []
    for task in tasks:
        dense = points[DENSE, 0.0]["tasks"][task.fingerprint]
        before = np.array(dense["cosines"])
        for (ranking, share), one in _with_dense(points):
            own = one["tasks"][task.fingerprint]
            gained = difference(task.statistic, np.array(own["cosines"]), before, OF_SCORES)
            values = {**own, "gain": [gained.difference, gained.low, gained.high]}
            row = dict(zip(COLUMNS, (task.name, ranking.score, ranking.seed, share, one["zeros"], one["of"])))
            for name in VALUES:
                row |= dict(zip((name, f"{name}_low", f"{name}_high"), values[name], strict=True))
            rows.append(row)
    return pd.DataFrame(rows)


def better(curve: pd.DataFrame) -> pd.DataFrame:
    """The rows whose gain is above zero with its whole interval."""
    return curve[(curve["share"] > 0) & (curve["gain_low"] > 0)]


def _with_dense(points: Mapping[tuple[Ranking, float], Mapping]) -> Iterator[tuple[tuple[Ranking, float], Mapping]]:
    """The points by ranking and share, each ranking with the dense encoder as its share 0."""
    found = [place for place in points if place[0] != DENSE and "problem" not in points[place]]
    found.sort(key=lambda place: place[1])
    for ranking in dict.fromkeys(ranking for ranking, _ in points if ranking != DENSE):
        yield (ranking, 0.0), points[DENSE, 0.0]
        yield from ((place, points[place]) for place in found if place[0] == ranking)
    if set(points) == {(DENSE, 0.0)}:
        yield (DENSE, 0.0), points[DENSE, 0.0]


def _alignment(task: STSTask, units: np.ndarray) -> list[float]:
    """Mean squared distance of the pairs that people find most alike, with its interval."""
    low, high = task.scores.min(), task.scores.max()
    near = task.scores > low + NEAR * (high - low)
    first, second = (side[near] for side in task.pairs)
    squared = np.square(units[first] - units[second]).sum(axis=1)

    def mean(weights: np.ndarray) -> np.ndarray:
        return weights @ squared / len(squared)

    return [float(squared.mean()), *interval(mean, len(squared))]


def _uniformity(units: np.ndarray) -> list[float]:
    """log mean exp(-2 |x - y|²) over pairs of different texts, with its interval; texts are resampled, and a text that
    is drawn twice makes no pair with itself."""
    kernel = np.exp(-4 + 4 * np.clip(units @ units.T, -1, 1)).astype(np.float32)
    np.fill_diagonal(kernel, 0)

    def log_mean(weights: np.ndarray) -> np.ndarray:
        drawn = weights.astype(np.float32)
        pairs = np.square(weights.sum(axis=1)) - np.square(weights).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):  # one text, drawn again and again, makes no pair
            return np.log(np.einsum("bm,bm->b", drawn @ kernel, drawn, dtype=np.float64) / pairs)

    return [float(log_mean(np.ones((1, len(units))))[0]), *interval(log_mean, len(units))]

"""Downstream tasks: what they need of an encoder, and what a score is."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qre.density import check_finite
from qre.errors import ConstantEmbeddingError, ShapeError
from qre.tasks.statistics import Statistic

VERSION = 1  # of the protocols: a change that moves a score raises it, and so makes new fingerprints
SEED = 42  # MTEB's, of every draw that a protocol makes
AT_ONCE = 4096  # vectors whose unit vectors are held at a time
SAME_DIRECTION = 1e-6  # largest difference of two unit rows in any dimension that is still float32 rounding


@dataclass(frozen=True)
class TaskScore:
    """What one encoder scores on one task.

    Attributes:
        task, kind, metric, split: those of the task.
        score: the main score, 0 to 1 (Spearman: -1 to 1); higher is better.
        low, high: the 95 % bootstrap interval of the score; each kind of task says what it resamples.
        n: how many pairs, test items, documents or queries were scored.
        repeats: the single scores whose mean is the score, where the protocol repeats; else ().
        details: what stands beside the score, plain values by name, for kinds of tasks that tell more; else None.
    """

    task: str
    kind: str
    metric: str
    split: str
    score: float
    low: float
    high: float
    n: int
    repeats: tuple[float, ...] = ()
    details: dict | None = None


@dataclass(frozen=True)
class Measured:
    """A score before it is signed with its task: see TaskScore. `items` are the values of the test items, from which it
    follows by the task's `statistic`."""

    items: np.ndarray
    score: float
    interval: tuple[float, float]
    n: int
    repeats: tuple[float, ...] = ()
    details: dict | None = None


class Task(ABC):
    """A downstream task. Scores are deterministic: the same vectors give the same bits with the same number of threads.

    Attributes:
        name: what people read; not part of the fingerprint.
        split: the split that is scored, for people.
        texts: the distinct texts that the task needs, in a fixed order.
        fingerprint: sha256 (hex) of the content, the settings and the protocol's version.
        sided: queries and documents are told apart, and may get prompts of their own: see RetrievalTask.
        of_words: a text is a word, and may be unknown to an encoder: its vector is then one of zeros.
        statistic: how the score follows from the values of the test items.
        notes: what a person should know of it.
    """

    kind: ClassVar[str]
    metric: ClassVar[str]
    sided: ClassVar[bool] = False
    of_words: ClassVar[bool] = False
    notes: tuple[str, ...] = ()
    statistic: Statistic

    def __init__(self, name: str, split: str, texts: Sequence[str], content: dict):
        self.name, self.split, self.texts = name, split, tuple(dict.fromkeys(texts))
        self._at = {text: row for row, text in enumerate(self.texts)}
        whole = json.dumps({"version": VERSION, "kind": self.kind, **content}, sort_keys=True, allow_nan=False)
        self.fingerprint = hashlib.sha256(whole.encode()).hexdigest()

    def score(self, vectors: np.ndarray, known: np.ndarray | None = None) -> TaskScore:
        """The score of an encoder.

        Args:
            vectors: row i is the vector of texts[i], shape (len(texts), d), of any float dtype; read as float32.
            known: (len(texts),) bool, which texts the encoder knows; None: all whose vector is not zeros. It matters
                where a text is a word, and the encoder's transforms move the zeros of an unknown one.

        Raises:
            ShapeError: not such a matrix.
            NonFiniteError: NaN or Inf; it names the rows.
            ConstantEmbeddingError: all vectors have one direction (or none): the encoder tells no two texts apart.
        """
        return self.scored(vectors, known)[0]

    def scored(self, vectors: np.ndarray, known: np.ndarray | None = None) -> tuple[TaskScore, np.ndarray]:
        """`score`, and the values of the test items that it is the `statistic` of, float64 or bool."""
        vectors = _checked(vectors, len(self.texts))
        if self.of_words and known is not None:
            vectors = np.where(known[:, None], vectors, np.float32(0))
        measured = self._measure(vectors)
        score = TaskScore(
            self.name,
            self.kind,
            self.metric,
            self.split,
            measured.score,
            *measured.interval,
            measured.n,
            measured.repeats,
            measured.details,
        )
        return score, measured.items

    @abstractmethod
    def _measure(self, vectors: np.ndarray) -> Measured:
        """The score of checked float32 vectors (len(texts), d)."""

    def _from(self, items: np.ndarray) -> Measured:
        """The score that follows from items; n is that of the items."""
        return Measured(items, self.statistic.score(items), self.statistic.interval(items), len(items))

    def _rows(self, texts: Sequence[str]) -> np.ndarray:
        """Where the texts stand in `texts`, shape (len(texts),), int64."""
        return np.array([self._at[text] for text in texts], np.int64)


class Batch:
    """Several tasks whose texts are encoded together, each text once.

    Attributes:
        tasks: the tasks.
        texts: the distinct texts of all of them, in order of first need.
        rows: for each task, where its texts stand in `texts`, (len(task.texts),) int64.
    """

    def __init__(self, tasks: Sequence[Task]):
        self.tasks = tuple(tasks)
        self.texts = tuple(dict.fromkeys(text for task in tasks for text in task.texts))
        at = {text: row for row, text in enumerate(self.texts)}
        self.rows = tuple(np.array([at[text] for text in task.texts], np.int64) for task in tasks)

    def score(self, vectors: np.ndarray) -> tuple[TaskScore, ...]:
        """The scores of an encoder on each task: `vectors` is (len(texts), d). Raises what Task.score raises."""
        if len(vectors) != len(self.texts):
            raise ShapeError(f"a vector for each of {len(self.texts)} texts is needed, not {len(vectors)}")
        return tuple(task.score(vectors[rows]) for task, rows in zip(self.tasks, self.rows, strict=True))


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """The vectors at unit length, (m, d) float64; a vector of zeros stays one."""
    vectors = vectors.astype(np.float64)
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    return vectors / np.where(norms > 0, norms, 1.0)[:, None]


def has_vector(vectors: np.ndarray) -> np.ndarray:
    """(m,) bool: which rows (m, d) are not zeros."""
    return np.asarray(np.any(vectors, axis=1))


def cosines_with(queries: np.ndarray, vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Cosines (q, r) float32 of queries (q, d) of unit length with the rows (r,) of vectors (m, d).

    They are multiplied in float64 and rounded, so that equal vectors have equal cosines wherever the BLAS puts them.
    """
    cosines = np.empty((len(queries), len(rows)), np.float32)
    for start in range(0, len(rows), AT_ONCE):
        block = slice(start, start + AT_ONCE)
        cosines[:, block] = queries @ unit_rows(vectors[rows[block]]).T
    return cosines


def _checked(vectors: np.ndarray, texts: int) -> np.ndarray:
    vectors = np.asarray(vectors)
    if vectors.ndim != 2 or vectors.dtype.kind != "f" or len(vectors) != texts or not vectors.shape[1]:
        raise ShapeError(f"a vector for each of {texts} texts is needed, not {vectors.dtype} of shape {vectors.shape}")
    with np.errstate(over="ignore"):  # a float64 beyond the range of float32 becomes Inf, and is told of as such
        vectors = vectors.astype(np.float32, copy=False)
    check_finite(vectors)
    first = unit_rows(vectors[:1])
    # the first block nearly always tells
    blocks = (unit_rows(vectors[start : start + 256]) for start in range(0, texts, 256))
    if all(np.abs(block - first).max() < SAME_DIRECTION for block in blocks):
        raise ConstantEmbeddingError("every text has the same vector, up to its length")
    return vectors

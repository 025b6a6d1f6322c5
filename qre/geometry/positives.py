"""Positive pairs, and what they tell: alignment, and the rank of what tells their groups apart (LiDAR).

A positive pair is two sentences that mean the same: of one paraphrase group, of a task's pairs with a high score, or of
a file.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from qre.density import check_finite
from qre.errors import ShapeError, ZeroRowError
from qre.geometry.spectrum import EPSILON, entropy_rank
from qre.tasks.pairs import PairsTask, STSTask, pair_cosines
from qre.tasks.statistics import MeanOfItems
from qre.tasks.task import Measured, Task, unit_rows

DELTA = 1e-4  # of LiDAR, for rows at unit length
BLOCK_PAIRS = 2**13  # whose differences are held at a time


def alignment(first: np.ndarray, second: np.ndarray, alpha: float = 2.0) -> float:
    """E ‖x - x⁺‖^α over positive pairs of unit rows, at least 0; 0 where both of each pair have one direction.

    Source: Wang and Isola, ICML 2020 (arXiv 2005.10242), section 4.1, with α = 2.

    Args:
        first, second: shape (m, d), float: row i of both is a pair; scaled to unit length here.
        alpha: α, above 0.

    Raises:
        ShapeError: not two matrices of floats of one shape, with at least one row.
        NonFiniteError, ZeroRowError: a row has no direction.
        ValueError: α is not above 0.
    """
    for side in (first, second):
        if side.ndim != 2 or side.dtype.kind != "f" or side.shape != first.shape or not side.size:
            raise ShapeError(f"pairs are two (m, d) matrices of floats, not {first.shape} and {second.shape}")
        check_finite(side)
        if not side.any(axis=1).all():
            raise ZeroRowError("all-zero vector: the sentence has no direction", "", _first_empty(side))
    units = np.concatenate([unit_rows(first), unit_rows(second)])
    return float(pair_distances(units, np.arange(2 * len(first)).reshape(2, -1).T, alpha).mean())


def pair_distances(rows: np.ndarray, pairs: np.ndarray, alpha: float = 2.0) -> np.ndarray:
    """‖x_i - x_j‖^α of pairs (m, 2) of rows (n, K), shape (m,), float64; the rows are taken as they are. ValueError
    where α is not above 0."""
    if not alpha > 0:
        raise ValueError(f"alpha must be above 0, not {alpha}")
    squares = np.empty(len(pairs))
    for start in range(0, len(pairs), BLOCK_PAIRS):
        block = pairs[start : start + BLOCK_PAIRS]
        apart = rows[block[:, 0]] - rows[block[:, 1]]
        squares[start : start + len(block)] = np.einsum("ij,ij->i", apart, apart)
    return squares ** (alpha / 2)


def mean_distance(rows: np.ndarray, pairs: np.ndarray) -> float | None:
    """Alignment (α = 2) over pairs (m, 2) of rows (n, K) as they are; None where there is no pair."""
    return float(pair_distances(rows, pairs).mean()) if len(pairs) else None


def _first_empty(rows: np.ndarray) -> tuple[int, ...]:
    return tuple(map(int, np.flatnonzero(~rows.any(axis=1))[:10]))


@dataclass(frozen=True)
class Groups:
    """Sentences that mean the same, in groups of at least two.

    Attributes:
        rows: of the sentences, group by group, (m,), int64.
        sizes: of the groups, (g,), int64.
    """

    rows: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, labels: Sequence[Hashable]) -> Groups:
        """From the group of each of n sentences, None or NaN for a sentence without one; groups of one are left out."""
        known: dict[Hashable, int] = {}
        codes = np.array([-1 if _no_group(one) else known.setdefault(one, len(known)) for one in labels], np.int64)
        counts = np.bincount(codes[codes >= 0], minlength=len(known))
        rows = np.flatnonzero(codes >= 0)
        rows = rows[counts[codes[rows]] > 1] if len(rows) else rows
        return cls(rows[np.argsort(codes[rows], kind="stable")], counts[counts > 1])

    @property
    def pairs(self) -> int:
        """How many pairs of sentences of one group there are."""
        return int((self.sizes * (self.sizes - 1) // 2).sum())

    def apart(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The rows of the sentences (m, K) less the mean of their group, and these means (g, K), of rows (n, K)
        float32."""
        members = rows[self.rows]
        starts = np.cumsum(self.sizes) - self.sizes
        means = members[starts]
        for step in range(1, int(self.sizes.max(initial=1))):  # ten times as fast as np.add.reduceat for small groups
            longer = np.flatnonzero(self.sizes > step)
            means[longer] += members[starts[longer] + step]
        means /= self.sizes[:, None].astype(np.float32)
        return members - np.repeat(means, self.sizes, axis=0), means


def alignment_within(rows: np.ndarray, groups: Groups) -> float | None:
    """Alignment (α = 2) over all pairs inside of the groups, of rows (n, K) float32 as they are; None where there is no
    pair. Σ_{i<j} ‖x_i - x_j‖² of q sentences is q Σ_i ‖x_i - m‖², so that no pair is looked at, however large a group
    is."""
    if not groups.pairs:
        return None
    apart = groups.apart(rows)[0]
    squares = np.einsum("ij,ij->i", apart, apart)
    return float(squares @ np.repeat(groups.sizes, groups.sizes) / groups.pairs)


def high(scores: Sequence[float] | np.ndarray) -> float:
    """The score that a positive pair must exceed: four fifths of the scale, which is 0 to 1 or 0 to 5 where no score is
    beyond it, else 0 to the largest.

    Of STS-B it is 4 of 5, the rule of Gao, Yao and Chen, "SimCSE", EMNLP 2021 (arXiv 2104.08821), footnote 3.
    """
    largest = float(max(scores))
    return 0.8 * next((scale for scale in (1.0, 5.0) if largest <= scale), largest)


def positive_texts(task: Task) -> list[tuple[str, str]]:
    """The positive pairs of a task: of STS those with a `high` score, of pair classification those that belong
    together; of no other kind are there any."""
    if isinstance(task, STSTask):
        return task.pairs_above(high(task.scores))
    return task.positive_pairs() if isinstance(task, PairsTask) else []


class AlignmentTask(Task):
    """Alignment (α = 2) over pairs of texts that need not be among the sentences: it is measured as the score of a task
    is, and gets its interval, over pairs, in the same way. A vector of zeros has a cosine of 0 to all others, so ‖x -
    x⁺‖² = 2."""

    kind = "alignment"
    metric = "alignment"

    def __init__(self, name: str, pairs: Sequence[tuple[str, str]]):
        first, second = ([pair[side] for pair in pairs] for side in (0, 1))
        super().__init__(name, "", [*first, *second], {"first": first, "second": second})
        self._pairs = self._rows(first), self._rows(second)
        self.statistic = MeanOfItems(len(pairs))

    def _measure(self, vectors: np.ndarray) -> Measured:
        distances = 2.0 * (1.0 - pair_cosines(vectors, *self._pairs))
        return self._from(distances)


def lidar(rows: np.ndarray, groups: Groups) -> float | None:
    """LiDAR: the entropy rank of Σ_w^(-½) Σ_b Σ_w^(-½), with Σ_b the covariance of the means of the groups, and Σ_w
    that inside the groups, plus δI, δ = 1e-4: how many directions tell groups of paraphrases apart. At most groups - 1.

    Source: Thilak et al., ICLR 2024 (arXiv 2312.04000), with p = λ/‖λ‖₁ + ε. Both covariances are unbiased;
    a group of more sentences weighs no more in Σ_b.

    Args:
        rows: shape (n, K), float32, in any orthonormal basis; δ is for rows at unit length.
        groups: of paraphrases.

    Returns:
        None where there are fewer than 2 groups, or their means are the same.
    """
    if len(groups.sizes) < 2:
        return None
    members, means = groups.apart(rows)
    means -= means.mean(axis=0, dtype=np.float64).astype(np.float32)
    within = (members.T @ members).astype(np.float64) / (len(members) - len(means))
    between = (means.T @ means).astype(np.float64) / (len(means) - 1)
    whiten = np.linalg.inv(np.linalg.cholesky(within + DELTA * np.eye(len(within))))
    eigenvalues = np.maximum(np.linalg.eigvalsh(whiten @ between @ whiten.T), 0.0)  # those of the matrix above
    return entropy_rank(eigenvalues, EPSILON) if eigenvalues.any() else None


def _no_group(label: Hashable) -> bool:
    return label is None or label != label  # NaN, as a table has it


def checked_pairs(pairs: np.ndarray, n: int) -> np.ndarray:
    """Pairs (m, 2) of row numbers below n as int64; ShapeError where they are none."""
    pairs = np.asarray(pairs)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
        raise ShapeError(f"pairs are an (m, 2) matrix of row numbers, not {pairs.dtype} of shape {pairs.shape}")
    if pairs.size and (pairs.min() < 0 or pairs.max() >= n):
        raise ShapeError(f"pairs are of rows 0 to {n - 1}, not {pairs.min()} to {pairs.max()}")
    return pairs.astype(np.int64)

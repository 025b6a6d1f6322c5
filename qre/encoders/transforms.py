"""Transforms of a whole embedding: each makes another true encoder of it.

They are fitted on the sentence set itself; once fitted, they are a fixed function of a vector, also of the vector of
another text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qre.errors import EncoderError

SMALLEST_VARIANCE = 1e-10  # of the largest: directions below it are rounding, and whitening would blow them up

Step = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class FittedTransforms:
    """Transforms whose means and directions are known: see fit_transforms."""

    steps: tuple[Step, ...]

    def apply(self, matrix: np.ndarray) -> np.ndarray:
        """The vectors after the transforms, in their order.

        Args:
            matrix: shape (m, d), float32, d as in the fit. Applied to what they were fitted on, the result is that of
                `apply_transforms`, bit for bit.

        Returns:
            shape (m, d'), float32.
        """
        for step in self.steps:
            matrix = step(matrix).astype(np.float32)
        return matrix


def needs_fit(transforms: tuple[str, ...]) -> bool:
    """Whether transforms depend on the embedding that they are fitted on; truncate, normalize and binary do not."""
    return any(transform.partition(":")[0] not in ("truncate", "normalize", "binary") for transform in transforms)


def fit_transforms(embedding: np.ndarray, transforms: tuple[str, ...]) -> FittedTransforms:
    """Fit the transforms, each on the outcome of those before it; see `apply_transforms` for their names.

    Args:
        embedding: E of the sentence set, shape (n, d), float32.

    Raises:
        EncoderError: more dimensions are asked for than there are.
    """
    return _fit_and_apply(embedding, transforms)[0]


def apply_transforms(embedding: np.ndarray, transforms: tuple[str, ...]) -> np.ndarray:
    """The embedding after the transforms, in their order, each fitted on it.

    Args:
        embedding: E, shape (n, d), float32.
        transforms: "truncate:K" keeps the first K dimensions (Matryoshka truncation; for an LSA encoder, a smaller
            rank); "center" subtracts the mean; "standardize" also divides each dimension by its standard deviation;
            "whiten" makes the covariance the identity, "whiten:K" keeps the K leading principal directions of it (Su et
            al., arXiv 2103.15316, whitening-k); "all_but_the_top:K" subtracts the mean and the K leading principal
            directions (Mu and Viswanath, arXiv 1702.01417); "normalize" scales every row to unit length; "int8" gives
            the codes -128 to 127 of sentence-transformers' `quantize_embeddings`, with the ranges of the sentence set;
            "binary" gives 1 where a number is above 0 and -1 elsewhere, so that the cosine of two vectors is 1 - 2
            h / d for the Hamming distance h of its bits.

    Returns:
        shape (n, d'), float32; d' < d after truncation and whiten:K, or where whitening leaves out directions without
        variance.

    Raises:
        EncoderError: more dimensions are asked for than there are, or NaN or Inf comes out.
    """
    return _fit_and_apply(embedding, transforms)[1]


def _fit_and_apply(embedding: np.ndarray, transforms: tuple[str, ...]) -> tuple[FittedTransforms, np.ndarray]:
    steps = []
    for transform in transforms:
        name, _, number = transform.partition(":")
        with np.errstate(over="ignore", invalid="ignore"):
            try:
                steps.append(_TRANSFORMS[name](embedding, int(number or 0)))
                embedding = steps[-1](embedding).astype(np.float32)
            except np.linalg.LinAlgError:
                embedding = np.full_like(embedding, np.nan)
        if not np.isfinite(embedding).all():
            raise EncoderError(f"{transform}: the numbers of the embedding are too large for it: NaN or Inf comes out")
    return FittedTransforms(tuple(steps)), embedding


def _truncate(embedding: np.ndarray, k: int) -> Step:
    if k > embedding.shape[1]:
        raise EncoderError(f"truncate:{k} of an embedding with {embedding.shape[1]} dimensions")
    return lambda matrix: matrix[:, :k]


def _center(embedding: np.ndarray, _: int = 0) -> Step:
    mean = embedding.mean(axis=0, dtype=np.float64)
    return lambda matrix: matrix - mean


def _standardize(embedding: np.ndarray, _: int) -> Step:
    center = _center(embedding)
    deviation = np.sqrt(np.square(center(embedding)).mean(axis=0))
    varies = deviation > np.sqrt(SMALLEST_VARIANCE) * deviation.max(initial=0.0)
    scale = np.where(varies, deviation, 1.0)
    return lambda matrix: center(matrix) * varies / scale


def _whiten(embedding: np.ndarray, k: int) -> Step:
    center, variance, directions = _principal(embedding)
    kept = variance > SMALLEST_VARIANCE * variance[-1]
    if k > kept.sum():
        raise EncoderError(f"whiten:{k} of an embedding that varies in {kept.sum()} directions")
    if k:
        kept[:-k] = False
    scaled = directions[:, kept] / np.sqrt(variance[kept])
    return lambda matrix: center(matrix) @ scaled


def _int8(embedding: np.ndarray, _: int) -> Step:
    least, most = embedding.min(axis=0), embedding.max(axis=0)
    steps = (most - least) / np.float32(255)
    steps[steps == 0] = 1
    return lambda matrix: np.clip(np.floor((matrix - least) / steps), 0, 255) - 128


def _binary(embedding: np.ndarray, _: int) -> Step:
    return lambda matrix: np.where(matrix > 0, 1.0, -1.0)


def _normalize(embedding: np.ndarray, _: int) -> Step:
    return _unit_rows


def _unit_rows(matrix: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(matrix.astype(np.float64), axis=1, keepdims=True)
    # a row of zeros stays one, and is told of when it becomes a density operator
    return matrix / np.where(norms > 0, norms, 1.0)


def _all_but_the_top(embedding: np.ndarray, k: int) -> Step:
    if k >= embedding.shape[1]:
        raise EncoderError(f"all_but_the_top:{k} of an embedding with {embedding.shape[1]} dimensions")
    center, _, directions = _principal(embedding)
    top = directions[:, -k:]

    def without_top(matrix: np.ndarray) -> np.ndarray:
        centered = center(matrix)
        return centered - (centered @ top) @ top.T

    return without_top


def _principal(embedding: np.ndarray) -> tuple[Step, np.ndarray, np.ndarray]:
    """Centring; the variances (d,) ascending of the centred embedding, and the directions (d, d) that they belong
    to."""
    center = _center(embedding)
    centered = center(embedding)
    variance, directions = np.linalg.eigh(centered.T @ centered / len(centered))
    return center, variance, directions


_TRANSFORMS: dict[str, Callable[[np.ndarray, int], Step]] = {
    "truncate": _truncate,
    "center": _center,
    "standardize": _standardize,
    "whiten": _whiten,
    "all_but_the_top": _all_but_the_top,
    "normalize": _normalize,
    "int8": _int8,
    "binary": _binary,
}

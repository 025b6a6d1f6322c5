"""Transforms of a whole embedding: each makes another true encoder of it. Fitted on the sentence set itself."""

from __future__ import annotations

import numpy as np

from qre.errors import EncoderError

SMALLEST_VARIANCE = 1e-10  # of the largest: directions below it are rounding, and whitening would blow them up


def apply_transforms(embedding: np.ndarray, transforms: tuple[str, ...]) -> np.ndarray:
    """The embedding after the transforms, in their order.

    Args:
        embedding: E, shape (n, d), float32.
        transforms: "truncate:K" keeps the first K dimensions (Matryoshka truncation; for an LSA encoder, a smaller rank);
            "center" subtracts the mean; "whiten" also makes the covariance the identity (Su et al., arXiv 2103.15316);
            "normalize" scales every row to unit length;
            "all_but_the_top:K" subtracts the mean and the K leading principal directions (Mu and Viswanath, arXiv 1702.01417).

    Returns:
        shape (n, d'), float32; d' < d after truncation, or where whitening leaves out directions without variance.

    Raises:
        EncoderError: more dimensions are asked for than there are.
    """
    for transform in transforms:
        name, _, number = transform.partition(":")
        embedding = _TRANSFORMS[name](embedding, int(number or 0)).astype(np.float32)
    return embedding


def _truncate(embedding: np.ndarray, k: int) -> np.ndarray:
    if k > embedding.shape[1]:
        raise EncoderError(f"truncate:{k} of an embedding with {embedding.shape[1]} dimensions")
    return embedding[:, :k]


def _center(embedding: np.ndarray, _: int = 0) -> np.ndarray:
    return embedding - embedding.mean(axis=0, dtype=np.float64)


def _whiten(embedding: np.ndarray, _: int) -> np.ndarray:
    centered, variance, directions = _principal(embedding)
    kept = variance > SMALLEST_VARIANCE * variance[-1]
    return centered @ (directions[:, kept] / np.sqrt(variance[kept]))


def _normalize(embedding: np.ndarray, _: int) -> np.ndarray:
    norms = np.linalg.norm(embedding.astype(np.float64), axis=1, keepdims=True)
    return embedding / np.where(norms > 0, norms, 1.0)  # a row of zeros stays one, and is told of when it becomes a density operator


def _all_but_the_top(embedding: np.ndarray, k: int) -> np.ndarray:
    if k >= embedding.shape[1]:
        raise EncoderError(f"all_but_the_top:{k} of an embedding with {embedding.shape[1]} dimensions")
    centered, _, directions = _principal(embedding)
    top = directions[:, -k:]
    return centered - (centered @ top) @ top.T


def _principal(embedding: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centred embedding (n, d) float64, its variances (d,) ascending, and the directions (d, d) that they belong to."""
    centered = _center(embedding)
    variance, directions = np.linalg.eigh(centered.T @ centered / len(centered))
    return centered, variance, directions


_TRANSFORMS = {"truncate": _truncate, "center": _center, "whiten": _whiten, "normalize": _normalize, "all_but_the_top": _all_but_the_top}

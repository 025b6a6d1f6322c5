"""Transforms of a whole embedding: each makes another true encoder of it.

They are fitted on the sentence set itself, or on a corpus that is named; once fitted, they are a fixed function of a
vector, also of the vector of another text: see fitted.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from qre.encoders.fitted import FittedTransforms, Step
from qre.errors import EncoderError

SMALLEST_VARIANCE = 1e-10  # of the largest: directions below it are rounding, and whitening would blow them up

Learned = Mapping[str, np.ndarray]


def needs_fit(transforms: tuple[str, ...]) -> bool:
    """Whether transforms depend on the embedding that they are fitted on; truncate, normalize and binary do not."""
    return any(transform.partition(":")[0] not in ("truncate", "normalize", "binary") for transform in transforms)


def fit_transforms(embedding: np.ndarray, transforms: tuple[str, ...]) -> FittedTransforms:
    """Fit the transforms, each on the outcome of those before it; see `apply_transforms` for their names.

    `save_transforms` and `load_transforms` keep a fit in a file.

    Args:
        embedding: E of the sentence set, shape (n, d), float32.

    Raises:
        EncoderError: more dimensions are asked for than there are, or NaN or Inf comes out.
    """
    return fit_and_apply(embedding, transforms)[0]


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
    return fit_and_apply(embedding, transforms)[1]


def fit_and_apply(embedding: np.ndarray, transforms: tuple[str, ...]) -> tuple[FittedTransforms, np.ndarray]:
    """`fit_transforms` and `apply_transforms` at once."""
    steps, dimension = [], embedding.shape[1]
    for transform in transforms:
        name, _, number = transform.partition(":")
        with np.errstate(over="ignore", invalid="ignore"):
            try:
                steps.append(Step(transform, _FIT[name](embedding, int(number or 0)) if name in _FIT else {}))
                embedding = steps[-1](embedding).astype(np.float32)
            except np.linalg.LinAlgError:
                embedding = np.full_like(embedding, np.nan)
        check_numbers(embedding, transform)
    return FittedTransforms(tuple(steps), dimension), embedding


def check_numbers(embedding: np.ndarray, transform: str) -> None:
    """EncoderError where a transform has given NaN or Inf."""
    if not np.isfinite(embedding).all():
        raise EncoderError(f"{transform}: the numbers of the embedding are too large for it: NaN or Inf comes out")


def _truncate(embedding: np.ndarray, k: int) -> Learned:
    if k > embedding.shape[1]:
        raise EncoderError(f"truncate:{k} of an embedding with {embedding.shape[1]} dimensions")
    return {}


def _center(embedding: np.ndarray, _: int = 0) -> Learned:
    return {"mean": embedding.mean(axis=0, dtype=np.float64)}


def _standardize(embedding: np.ndarray, _: int) -> Learned:
    center = _center(embedding)
    deviation = np.sqrt(np.square(embedding - center["mean"]).mean(axis=0))
    varies = deviation > np.sqrt(SMALLEST_VARIANCE) * deviation.max(initial=0.0)
    _check_varies("standardize", varies)
    return {**center, "varies": varies, "scale": np.where(varies, deviation, 1.0)}


def _check_varies(transform: str, varies: np.ndarray) -> None:
    if not varies.any():
        raise EncoderError(f"{transform}: all texts that it is fitted on have the same vector")


def _whiten(embedding: np.ndarray, k: int) -> Learned:
    center, variance, directions = _principal(embedding)
    kept = variance > SMALLEST_VARIANCE * variance[-1]
    _check_varies("whiten", kept)
    if k > kept.sum():
        raise EncoderError(f"whiten:{k} of an embedding that varies in {kept.sum()} directions")
    if k:
        kept[:-k] = False
    # a direction a row, (d', d): the order in memory moves the last bits of a product
    return {**center, "directions": np.ascontiguousarray((directions[:, kept] / np.sqrt(variance[kept])).T)}


def _int8(embedding: np.ndarray, _: int) -> Learned:
    least, most = embedding.min(axis=0), embedding.max(axis=0)
    steps = (most - least) / np.float32(255)
    steps[steps == 0] = 1
    return {"least": least, "steps": steps}


def _all_but_the_top(embedding: np.ndarray, k: int) -> Learned:
    if k >= embedding.shape[1]:
        raise EncoderError(f"all_but_the_top:{k} of an embedding with {embedding.shape[1]} dimensions")
    center, _, directions = _principal(embedding)
    return {**center, "top": np.ascontiguousarray(directions[:, -k:])}  # (d, k)


def _principal(embedding: np.ndarray) -> tuple[Learned, np.ndarray, np.ndarray]:
    """The mean; the variances (d,) ascending of the centred embedding, and the directions (d, d) that they belong
    to."""
    center = _center(embedding)
    centered = embedding - center["mean"]
    variance, directions = np.linalg.eigh(centered.T @ centered / len(centered))
    return center, variance, directions


_FIT: Mapping[str, Callable[[np.ndarray, int], Learned]] = {
    "truncate": _truncate,
    "center": _center,
    "standardize": _standardize,
    "whiten": _whiten,
    "all_but_the_top": _all_but_the_top,
    "int8": _int8,
}

"""Distances between encoders, and the kernels that the regressions choose from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qre.prediction.kernels import Candidate

WIDTHS = (0.5, 2.0, 8.0, 32.0)  # in median distances
SAME_PROFILE = 2e-4  # squared distance of two profiles whose correlation is 0.9999
SAME_LEVEL = 1e-2  # relative difference of two sums


def squared_distances(first: np.ndarray, second: np.ndarray | None = None) -> np.ndarray:
    """Squared Euclidean distances of rows (M, n) to rows (N, n), or of rows to each other: (M, N), float64,
    non-negative."""
    own = second is None
    second = first if second is None else second
    middle = second.mean(axis=0)  # distances are unchanged by it, and their rounding is far smaller
    first, second = first - middle, second - middle
    squares = np.square(first).sum(axis=1)[:, None] + np.square(second).sum(axis=1) - 2.0 * first @ second.T
    if own:
        np.fill_diagonal(squares, 0.0)
    return np.maximum(squares, 0.0)


def profile_terms(name: str, first: np.ndarray, second: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """The two distances of a feature set: of the profiles, 2(1 - correlation) of two feature vectors, and of their
    sums, the QRE, squared.

    A profile says which sentences an encoder makes much of; the sum says how even its spectrum is, and its scale would
    drown the profile.
    """
    profiles, levels = zip(*(_profile(matrix) for matrix in (first, second) if matrix is not None), strict=True)
    return {name: squared_distances(*profiles), f"{name} level": squared_distances(*levels)}


def _profile(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Feature vectors (N, n) less their means, of unit length, and their sums (N, 1)."""
    centred = features - features.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    flat = norms <= 1e-12 * np.linalg.norm(features, axis=1, keepdims=True)  # the unit base encoder itself: no profile
    return np.divide(centred, norms, out=np.zeros_like(centred), where=~flat), features.sum(axis=1, keepdims=True)


def profile_candidates(names: Sequence[str], also: Sequence[str] = ()) -> tuple[Candidate, ...]:
    """Each feature set alone, and all of them together, with every width; the terms of `also` are in all of them."""
    choices = [[name] for name in names] + ([list(names)] if len(names) > 1 else [])
    return tuple(
        Candidate((*(term for name in sets for term in (name, f"{name} level")), *also), width)
        for sets in choices
        for width in WIDTHS
    )


def single_candidates(name: str) -> tuple[Candidate, ...]:
    """One distance with every width."""
    return tuple(Candidate((name,), width) for width in WIDTHS)


def attribute_columns(dimension: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """log dimension, log parameter count, and whether each is known, (N, 4): each column of unit variance where it
    varies."""
    columns = []
    for values in (dimension, parameters):
        known = np.isfinite(values) & (values > 0)
        logs = np.log(np.where(known, values, 1.0))
        columns += [np.where(known, logs, np.median(logs[known]) if known.any() else 0.0), known.astype(float)]
    table = np.stack(columns, axis=1)
    deviation = table.std(axis=0)
    return table / np.where(deviation > 0, deviation, 1.0)


def spectrum_columns(spectra: np.ndarray) -> np.ndarray:
    """log eigenvalues, (N, k), from below at 1e-7: what is smaller is padding or rounding."""
    return np.log(np.maximum(spectra, 1e-7))


def near_copies(features: np.ndarray, groups: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of encoders of different groups that are nearly one, nearest first: groups that a fold should have kept
    together.

    Args:
        features: (N, n).
        groups: (N,).
    """
    terms = profile_terms("", features)
    level = np.abs(features.sum(axis=1))
    alike = (terms[""] < SAME_PROFILE) & (terms[" level"] < np.square(SAME_LEVEL * np.maximum(level[:, None], level)))
    pairs = np.argwhere(np.triu(alike & (groups[:, None] != groups), 1))
    return [(int(i), int(j)) for i, j in sorted(pairs.tolist(), key=lambda pair: terms[""][pair[0], pair[1]])]

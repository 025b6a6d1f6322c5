"""How good out-of-fold predictions are: one number a task and metric."""

from __future__ import annotations

import numpy as np

METRICS = ("spearman", "pearson", "mae", "r2")
FEWEST_TO_RANK = 3  # encoders: the order of two is right or wrong, and nothing between
CONSTANT = 1e-12  # of the norm: a column that differs by less is one number with rounding


def measure(y: np.ndarray, predicted: np.ndarray, fold: np.ndarray, expected: np.ndarray) -> dict[str, np.ndarray]:
    """Metrics of each column.

    Args:
        y, predicted: scores and their out-of-fold predictions, (N, T).
        fold: which test part each encoder was in, (N,).
        expected: the mean score of the training part of each encoder's fold, (N, T).

    Returns:
        each (T,). spearman, pearson: within each test part of three encoders or more, averaged with the number of its
        encoders, NaN without such a part; over all parts at once they would be biased below 0, for a part with high
        scores leaves a training part with a low mean. mae: of all encoders, in units of the score.
        r2: 1 - squared error / squared error of the training mean; 0 or less where nothing is predicted.
    """
    from scipy.stats import rankdata  # here: scipy.stats is large, and every command imports this file

    parts = [fold == number for number in np.unique(fold)]
    sizes = np.array([part.sum() if part.sum() >= FEWEST_TO_RANK else 0 for part in parts])
    pearson = [columns_correlation(y[part], predicted[part]) for part in parts]
    spearman = [
        columns_correlation(rankdata(y[part], axis=0), rankdata(_rounded(predicted[part]), axis=0)) for part in parts
    ]
    squared, reference = np.square(y - predicted).sum(axis=0), np.square(y - expected).sum(axis=0)
    return {
        "spearman": _average(spearman, sizes),
        "pearson": _average(pearson, sizes),
        "mae": np.abs(y - predicted).mean(axis=0),
        "r2": 1.0 - squared / reference,
    }


def _average(values: list[np.ndarray], weights: np.ndarray) -> np.ndarray:
    return np.average(values, axis=0, weights=weights) if weights.any() else np.full(values[0].shape, np.nan)


def columns_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pearson correlation of each column of (N, T) with the same column of the other; 0 where one is constant, which
    tells nothing. (T,)"""
    scale = np.linalg.norm(first, axis=0), np.linalg.norm(second, axis=0)
    first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    norms = np.linalg.norm(first, axis=0), np.linalg.norm(second, axis=0)
    told = (norms[0] > CONSTANT * scale[0]) & (norms[1] > CONSTANT * scale[1])
    return np.divide((first * second).sum(axis=0), norms[0] * norms[1], out=np.zeros(first.shape[1]), where=told)


def _rounded(predicted: np.ndarray) -> np.ndarray:
    """Predictions with rounding taken out, so that equal ones are ties."""
    scale = np.abs(predicted).max(axis=0)
    return np.round(predicted / np.where(scale > 0, scale, 1.0), 12)

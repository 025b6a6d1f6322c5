"""Similarity of two embeddings of the same sentences that is not made of density operators: for comparison."""

from __future__ import annotations

import numpy as np


def linear_cka(first: np.ndarray, second: np.ndarray) -> float:
    """Linear centred kernel alignment: ‖XᵀY‖² / (‖XᵀX‖ ‖YᵀY‖) of the column-centred embeddings, Frobenius norms.

    Args:
        first, second: E, shapes (n, d) and (n, d'), any float dtype; row i = sentence i.

    Returns:
        between 0 and 1; 1 where one is the other up to rotation, scale and shift. 0 where one is constant.

    Raises:
        ValueError: different numbers of sentences.

    Source: Kornblith, Norouzi, Lee and Hinton, ICML 2019 (arXiv 1905.00414), equation 3.
    """
    if len(first) != len(second):
        raise ValueError(f"embeddings of {len(first)} and {len(second)} sentences cannot be compared")
    x, y = (matrix - matrix.mean(axis=0, dtype=np.float64) for matrix in (first, second))
    own = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(np.linalg.norm(x.T @ y) ** 2 / own) if own > 0 else 0.0

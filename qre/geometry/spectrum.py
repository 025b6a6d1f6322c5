"""Measures of a spectrum: how many directions an embedding uses, and how evenly.

All are ratios, so a factor on all eigenvalues changes none of them. Each takes eigenvalues, shape (K,), float64,
descending and non-negative, whose sum is above 0: μ of the density operator (not centred), or λ of the covariance
matrix (centred: see `covariance_eigenvalues`).
"""

from __future__ import annotations

import numpy as np

from qre.density import GRAM_FLOOR, DensityOperator

EPSILON = 1e-7  # of RankMe, for float32
POWER_LAW_RANKS = 11, 100  # first and last that α-ReQ is fitted on
FEWEST_RANKS = 10  # that a slope is fitted on


def covariance_eigenvalues(rho: DensityOperator) -> np.ndarray:
    """λ of the covariance matrix (divisor n) of the rows that an operator was made of, shape (K,), descending.

    In the basis V of the right singular vectors the covariance is diag(μ·tr/n) - z zᵀ with z = Vᵀm and m the mean row,
    so that it costs no second pass over the embedding, and no second Gram matrix.
    """
    mean = rho.mean_coordinates()
    covariance = np.diag(rho.eigenvalues * rho.mean_square) - np.outer(mean, mean)
    return np.maximum(np.linalg.eigvalsh(covariance)[::-1], 0.0)


def entropy_rank(weights: np.ndarray, epsilon: float = 0.0) -> float:
    """exp(-Σ p log p) with p = weights / Σ weights + ε: how many directions there are, weighted; 1 to K, but for ε.

    Of μ with ε = 0 it is exp S(ρ), the effective rank of this project, and the Vendi score with the cosine as kernel
    (Friedman and Dieng, TMLR 2023, definition 3.1). Of singular values with ε = 1e-7 it is RankMe.
    """
    p = weights / weights.sum() + epsilon
    p = p[p > 0]
    return float(np.exp(-np.sum(p * np.log(p))))


def rankme(eigenvalues: np.ndarray) -> float:
    """RankMe: the entropy rank of the singular values σ = √μ, p = σ/‖σ‖₁ + 1e-7.

    Source: Garrido, Balestriero, Najman and LeCun, ICML 2023 (arXiv 2210.02885), equations 1 and 2; without ε it is the
    effective rank of Roy and Vetterli (EUSIPCO 2007).
    """
    return entropy_rank(np.sqrt(eigenvalues), EPSILON)


def stable_rank(eigenvalues: np.ndarray) -> float:
    """‖X‖²_F / ‖X‖²₂ = Σμ / μ₁: 1 to K. Source: Rudelson and Vershynin, J. ACM 54(4), 2007."""
    return float(eigenvalues.sum() / eigenvalues[0])


def participation_ratio(eigenvalues: np.ndarray) -> float:
    """(Σλ)² / Σλ²: 1 to K. Source: Gao et al., "A theory of multineuronal dimensionality" (bioRxiv 214262), 2017."""
    return float(eigenvalues.sum() ** 2 / np.square(eigenvalues).sum())


def leading_share(eigenvalues: np.ndarray, count: int) -> float:
    """Share of the sum that the `count` largest hold, in (0, 1]; 1 where there are no more."""
    return min(1.0, float(eigenvalues[:count].sum() / eigenvalues.sum()))


def alpha_req(eigenvalues: np.ndarray) -> float | None:
    """α-ReQ: the exponent α of a power law λ_r ~ r^-α, from the covariance's eigenvalues of ranks 11 to 100.

    Least squares of log λ on log r with weights 1/r. Eigenvalues below 1e-9 of the largest are rounding, and are left
    out; None where fewer than 10 are left in that range.

    Source: Agrawal, Mondal, Ghosh and Richards, NeurIPS 2022, "α-ReQ"; the weighted fit is that of their code, after
    Stringer et al., Nature 571, 2019, who fit ranks from 11 on.
    """
    first, last = POWER_LAW_RANKS
    used = eigenvalues[first - 1 : last]
    used = used[used > GRAM_FLOOR * eigenvalues[0]]
    if len(used) < FEWEST_RANKS:
        return None
    ranks = np.arange(first, first + len(used))
    root = 1.0 / np.sqrt(ranks)  # of the weights
    sides = np.stack([-np.log(ranks) * root, root], axis=1)
    return float(np.linalg.lstsq(sides, np.log(used) * root, rcond=None)[0][0])

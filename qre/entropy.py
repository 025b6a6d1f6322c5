"""Entropies of density operators, and relative entropies between two of them, from thin factors: no n x n matrix is formed.

Natural logarithm (nats), float64.
"""

from __future__ import annotations

import numpy as np

from qre.density import DensityOperator


def von_neumann(rho: DensityOperator) -> float:
    """S(ρ) = -Σ μ log μ."""
    positive = rho.eigenvalues[rho.eigenvalues > 0]
    return float(-np.sum(positive * np.log(positive)))


def relative(rho: DensityOperator, sigma: DensityOperator, epsilon: float = 1e-6) -> float:
    """S(ρ‖σ) of two encoders on the same sentences, with the spectrum of σ clipped from below at ε.

    Σ_i λ_i [log λ_i - Σ_j (v_iᵀu_j)² log μ_j - r_i log ε] with r_i = 1 - Σ_j (v_iᵀu_j)² (Zhang and Bollegala, Theorem 1). Cost: n·K·K' for the
    overlaps of the eigenvectors. Finite for every σ, because of ε.

    Raises:
        ValueError: the operators stand on different numbers of sentences.
    """
    if rho.n != sigma.n:
        raise ValueError(f"operators on {rho.n} and {sigma.n} sentences cannot be compared")
    kept = sigma.eigenvalues > epsilon  # eigenvalues at the floor weigh nothing against log ε
    overlap = np.square(rho.eigenvectors(0.0).T @ sigma.eigenvectors(epsilon))
    weights = rho.eigenvalues[rho.eigenvalues > 0]
    captured = overlap @ np.log(sigma.eigenvalues[kept] / epsilon)
    return float(-von_neumann(rho) - weights @ captured - weights.sum() * np.log(epsilon))

"""Entropies of density operators, and relative entropies between two of them, from thin factors: no n x n matrix is
formed.

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

    Σ_i λ_i [log λ_i - Σ_j (v_iᵀu_j)² log μ_j - r_i log ε] with r_i = 1 - Σ_j (v_iᵀu_j)² (Zhang and Bollegala, Theorem
    1). Cost: n·K·K' for the overlaps of the eigenvectors. Finite for every σ, because of ε.

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


def jensen_shannon(rho: DensityOperator, sigma: DensityOperator) -> float:
    """S((ρ+σ)/2) - (S(ρ)+S(σ))/2 in nats: symmetric, 0 for equal operators, log 2 for orthogonal ones; it needs no ε.

    The eigenvalues of the mixture are those of FᵀF for F = [U diag(μ)^½, W diag(ν)^½] / √2, which needs the overlaps of
    the eigenvectors only. Source: Majtey, Lamberti and Prato, Phys. Rev. A 72, 052310 (2005).

    Raises:
        ValueError: the operators stand on different numbers of sentences.
    """
    if rho.n != sigma.n:
        raise ValueError(f"operators on {rho.n} and {sigma.n} sentences cannot be compared")
    factors = [_factor(rho), _factor(sigma)]
    joint = np.hstack(factors) / np.sqrt(2.0)
    mixed = np.linalg.eigvalsh(joint.T @ joint if joint.shape[1] <= rho.n else joint @ joint.T)
    mixed = mixed[mixed > 0]
    return max(0.0, float(-np.sum(mixed * np.log(mixed)) - (von_neumann(rho) + von_neumann(sigma)) / 2))


def _factor(rho: DensityOperator) -> np.ndarray:
    """U diag(μ)^½, shape (n, K)."""
    positive = rho.eigenvalues > 0
    return rho.eigenvectors(0.0) * np.sqrt(rho.eigenvalues[positive])

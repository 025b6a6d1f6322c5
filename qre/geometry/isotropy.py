"""Isotropy: whether an embedding spreads evenly over all directions of its space.

Rows are X (n, d), at unit length unless said otherwise. IsoScore is of the covariance matrix; it is exactly (PR - 1)/(d
- 1), PR = (Σλ)²/Σλ². On few sentences PR is far too low, however isotropic the encoder is: its bias grows with d/n. So
there are three: as published; shrunk (IsoScore*); and unbiased, from unbiased estimates of (tr Σ)² and tr Σ².
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FEWEST = 4  # sentences that unbiased estimates need
UNSHIFTED = 20.0  # coordinates whose exponentials float32 holds, and their inverses
BLOCK_ROWS = 512  # of exponentials that are summed in float32 before they go into a float64


def mean_cosine(mean_norm: float, n: int) -> float:
    """Mean cosine of two different sentences, over all pairs: (n‖m‖² - 1)/(n - 1), with m the mean of the unit rows.

    Exact, and no pair is looked at. Source of the measure: Ethayarajh, EMNLP 2019 (arXiv 1909.00512), there
    over a sample of pairs.

    Args:
        mean_norm: ‖m‖, the mean resultant length.
        n: number of sentences, at least 2.
    """
    return (n * mean_norm**2 - 1.0) / (n - 1.0)


def partition_ratio(coordinates: np.ndarray, dimension: int) -> float | None:
    """I(X) = min Z(c) / max Z(c) with Z(c) = Σ_i exp(cᵀx_i), over c and -c for all eigenvectors c of XᵀX; 1: isotropic.

    Source: Mu and Viswanath, ICLR 2018 (arXiv 1702.01417), equation 1, who take each eigenvector with the sign
    that it comes with; here both signs, so that no arbitrary choice is in it. It is not invariant to scale: of unit
    rows it is at least exp(-2), of long rows it falls to 0.

    Args:
        coordinates: X V, shape (n, K), float32: the columns of V are the eigenvectors.
        dimension: d; where d > K there are eigenvectors that are orthogonal to all rows, with Z = n.

    Returns:
        in (0, 1]; None where the rows are so long that float32 does not hold them.
    """
    ends = np.stack([coordinates.max(axis=0), -coordinates.min(axis=0)])
    if not np.isfinite(ends).all():
        return None
    short = ends.max() <= UNSHIFTED
    shift = np.zeros_like(ends) if short else ends  # of c and of -c, so that the largest exponential is 1
    sums = np.zeros(ends.shape)
    for start in range(0, len(coordinates), BLOCK_ROWS):
        block = coordinates[start : start + BLOCK_ROWS]
        with np.errstate(under="ignore"):
            up = np.exp(block if short else block - shift[0])
            sums[0] += up.sum(axis=0)
            sums[1] += (np.reciprocal(up, out=up) if short else np.exp(-block - shift[1])).sum(axis=0)
    logs = (np.log(sums) + shift).ravel()
    if dimension > coordinates.shape[1]:
        logs = np.append(logs, np.log(len(coordinates)))
    return float(np.exp(logs.min() - logs.max()))


@dataclass(frozen=True)
class CovarianceMoments:
    """What the three IsoScores are made of.

    Attributes:
        n, dimension: of the embedding.
        trace: tr S of the covariance matrix S with divisor n.
        trace_of_square: tr S².
        fourth: Σ_i ‖x_i - m‖⁴ / n.
    """

    n: int
    dimension: int
    trace: float
    trace_of_square: float
    fourth: float

    @classmethod
    def of(cls, eigenvalues: np.ndarray, centred: np.ndarray, dimension: int) -> CovarianceMoments:
        """From the covariance's eigenvalues (K,) and the centred rows (n, K), in any basis."""
        squares = np.einsum("ij,ij->i", centred, centred, dtype=np.float64)
        fourth = float(np.square(squares).mean())
        return cls(len(centred), dimension, float(eigenvalues.sum()), float(np.square(eigenvalues).sum()), fourth)

    @property
    def shrinkage(self) -> float:
        """ζ of Ledoit and Wolf (J. Multivariate Analysis 88, 2004): 0 to 1."""
        dispersion = self.trace_of_square - self.trace**2 / self.dimension
        noise = (self.fourth - self.trace_of_square) / self.n
        return 1.0 if dispersion <= noise else max(0.0, noise / dispersion)

    @property
    def unbiased_ratio(self) -> float | None:
        """PR from unbiased estimates of (tr Σ)² and tr Σ², whatever the distribution; None where the latter is not
        above 0, or with fewer than 4 sentences.

        Source: Himeno and Yamada, J. Multivariate Analysis 130, 2014.
        """
        n = self.n
        if n < FEWEST:
            return None
        one = n / (n - 1)  # from divisor n to n - 1
        square, of_square = (self.trace * one) ** 2, self.trace_of_square * one**2
        fourth = self.fourth * one
        of_sum = 2 * of_square + (n * n - 3 * n + 1) * square - n * fourth
        of_squares = (n - 1) * (n - 2) * of_square + square - n * fourth
        return None if of_squares <= 0 or of_sum <= 0 else of_sum / of_squares


def isoscore(ratio: float, dimension: int) -> float | None:
    """IsoScore, (PR - 1)/(d - 1): 0 on a line, 1 where the covariance is a multiple of the identity; None for d = 1.

    Source: Rudman, Gillman, Rayne and Eickhoff, Findings of ACL 2022 (arXiv 2108.07344), algorithm 1. There it is
    written as a distance of the covariance's spectrum to (1, ..., 1), twice rescaled: ι = ((d - δ²(d - √d))² - d)/(d(d
    - 1)) with δ = ‖√d λ/‖λ‖ - 1‖ / √(2(d - √d)). As δ²(d - √d) = d - √d Σλ/‖λ‖, what is squared is √d Σλ/‖λ‖, its
    square is d PR.

    Args:
        ratio: PR, the participation ratio of the covariance's eigenvalues.
        dimension: d.
    """
    return None if dimension < 2 else (ratio - 1.0) / (dimension - 1.0)


def isoscore_star(moments: CovarianceMoments, shrinkage: float | None = None) -> float | None:
    """IsoScore*: IsoScore of (1 - ζ)S + ζ(tr S/d)I, the covariance drawn to a multiple of the identity.

    Source: Rudman and Eickhoff, ICLR 2024 (arXiv 2305.19358), where the target is a covariance of more
    points, or the identity where there are none. The identity itself would make it depend on scale, so the target has
    the trace of S; ζ is that of Ledoit and Wolf unless given.
    """
    zeta = moments.shrinkage if shrinkage is None else shrinkage
    even = moments.trace**2 / moments.dimension
    of_square = (1.0 - zeta) ** 2 * (moments.trace_of_square - even) + even
    return isoscore(moments.trace**2 / of_square, moments.dimension)


def isoscore_unbiased(moments: CovarianceMoments) -> float | None:
    """IsoScore with PR from unbiased estimates: what encoders of different d, or on different n, are compared by. Of an
    isotropic one it is 1 on average, so it may be a little above. None: see CovarianceMoments.unbiased_ratio."""
    ratio = moments.unbiased_ratio
    return None if ratio is None else isoscore(ratio, moments.dimension)

"""All measures of one embedding, from one density operator and one pass over the pairs."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from qre.density import DensityOperator
from qre.errors import NonFiniteError, ShapeError
from qre.geometry.isotropy import (
    CovarianceMoments,
    isoscore,
    isoscore_star,
    isoscore_unbiased,
    mean_cosine,
    partition_ratio,
)
from qre.geometry.positives import Groups, alignment_within, checked_pairs, lidar, mean_distance
from qre.geometry.spectrum import (
    alpha_req,
    covariance_eigenvalues,
    entropy_rank,
    leading_share,
    participation_ratio,
    rankme,
    stable_rank,
)
from qre.geometry.uniformity import SAMPLE, all_pairs


@dataclass(frozen=True)
class Measures:
    """The geometry of one embedding. Everything is of rows at unit length unless `measures` was told otherwise; None
    where a measure is not defined. The modules of this package say formula and source of each; see also
    docs/geometry.md.

    Attributes:
        n, dimension: of the embedding; n_over_d: n / d, without which no rank and no IsoScore can be read.
        mean_norm: ‖m‖ of the mean of the unit rows (the mean resultant length), 0 to 1.
        mean_cosine: of two different sentences, exact over all pairs.
        partition_ratio: I of Mu and Viswanath, 0 to 1.
        isoscore, isoscore_star, isoscore_unbiased: of the covariance; as published, shrunk, unbiased.
        participation_ratio: of the covariance, 1 to min(n - 1, d).
        variance_1, variance_3, variance_10: share of the covariance's trace in so many leading directions.
        alpha_req: exponent of the covariance's spectrum.
        effective_rank: exp S(ρ), the Vendi score; rankme; stable_rank: of the spectrum that is not centred.
        uniformity: t = 2, always of unit rows, with its standard error uniformity_se (0: exact).
        hubness: skewness of 10-occurrences by cosine, with hubness_se.
        sampled: sentences whose pairs both are from; n where uniformity is exact. Hubness is that among so many.
        alignment: α = 2, always of unit rows; pairs: how many positive pairs it is of.
        lidar: always of unit rows; groups: how many groups of at least two sentences it is of.
    """

    n: int
    dimension: int
    n_over_d: float
    mean_norm: float
    mean_cosine: float
    partition_ratio: float
    isoscore: float | None
    isoscore_star: float | None
    isoscore_unbiased: float | None
    participation_ratio: float
    variance_1: float
    variance_3: float
    variance_10: float
    alpha_req: float | None
    effective_rank: float
    rankme: float
    stable_rank: float
    uniformity: float
    uniformity_se: float
    hubness: float | None
    hubness_se: float | None
    sampled: int
    alignment: float | None
    pairs: int
    lidar: float | None
    groups: int


def measures(
    embedding: np.ndarray,
    pairs: np.ndarray | None = None,
    groups: Sequence[Hashable] | None = None,
    operator: DensityOperator | None = None,
    *,
    normalize: bool = True,
    sample: int | None = SAMPLE,
    seed: int = 0,
    encoder: str = "",
) -> Measures:
    """All measures of an embedding.

    Args:
        embedding: E, shape (n, d), float, row i = sentence i; it is read, never written. Extra memory: two matrices
            (n, min(n, d)) of float32, and blocks of 4 MB.
        pairs: positive pairs, (m, 2) row numbers; None for those inside of the groups.
        groups: the paraphrase group of each sentence, None for a sentence without one.
        operator: of this embedding's unit rows (DensityOperator.from_embedding), where it is there already: its
            spectrum is taken, and not computed again.
        normalize: rows to unit length before ranks, spectrum and isotropy too; False takes them as they come.
        sample: sentences that are drawn where there are more, for uniformity and hubness; None for all of them.
        seed: of the sample.
        encoder: name to put into errors.

    Raises:
        EmbeddingError: see DensityOperator.from_embedding; NonFiniteError also where rows that are not brought to unit
            length are longer than float32 holds; ShapeError also where pairs, groups or operator are not of
            this embedding.
        ValueError: the sample is too small.
    """
    embedding = np.asarray(embedding)
    unit = operator or DensityOperator.from_embedding(embedding, encoder=encoder)
    _check(embedding, unit, groups, encoder)
    coordinates, mean = unit.principal_coordinates(), unit.mean_coordinates()
    rho = unit if normalize else DensityOperator.from_embedding(embedding, normalize=False, encoder=encoder)
    with np.errstate(over="ignore", invalid="ignore"):  # partition_ratio tells
        raw = coordinates if normalize else rho.principal_coordinates()
    n, d = rho.n, rho.dimension
    partition = partition_ratio(raw, d)
    if partition is None:
        raise NonFiniteError("float32 does not hold rows so long; take them at unit length", encoder)
    coordinates -= mean.astype(np.float32)  # from here on centred
    spectrum = covariance_eigenvalues(unit)
    moments = CovarianceMoments.of(spectrum, coordinates, d)
    distances = all_pairs(coordinates, moments, sample=sample, seed=seed)
    if not normalize:
        spectrum = covariance_eigenvalues(rho)
        moments = CovarianceMoments.of(spectrum, raw - rho.mean_coordinates().astype(np.float32), d)
    alike = Groups.of(groups if groups is not None else ())
    positive = None if pairs is None else checked_pairs(pairs, n)
    mean_norm = float(np.linalg.norm(mean))
    return Measures(
        n=n,
        dimension=d,
        n_over_d=n / d,
        mean_norm=mean_norm,
        mean_cosine=mean_cosine(mean_norm, n),
        partition_ratio=partition,
        isoscore=isoscore(participation_ratio(spectrum), d),
        isoscore_star=isoscore_star(moments),
        isoscore_unbiased=isoscore_unbiased(moments),
        participation_ratio=participation_ratio(spectrum),
        variance_1=leading_share(spectrum, 1),
        variance_3=leading_share(spectrum, 3),
        variance_10=leading_share(spectrum, 10),
        alpha_req=alpha_req(spectrum),
        effective_rank=entropy_rank(rho.eigenvalues),
        rankme=rankme(rho.eigenvalues),
        stable_rank=stable_rank(rho.eigenvalues),
        uniformity=distances.uniformity,
        uniformity_se=distances.uniformity_se,
        hubness=distances.hubness,
        hubness_se=distances.hubness_se,
        sampled=distances.taken,
        alignment=alignment_within(coordinates, alike) if positive is None else mean_distance(coordinates, positive),
        pairs=alike.pairs if positive is None else len(positive),
        lidar=lidar(coordinates, alike),
        groups=len(alike.sizes),
    )


def _check(embedding: np.ndarray, operator: DensityOperator, groups: Sequence[Hashable] | None, encoder: str) -> None:
    """ShapeError where an operator or groups are not of an embedding."""
    of = operator.n, operator.dimension
    if embedding.shape != of or abs(operator.mean_square - 1.0) > 1e-6:
        raise ShapeError(f"the operator is not of the unit rows of an embedding of shape {embedding.shape}", encoder)
    if groups is not None and len(groups) != operator.n:
        raise ShapeError(f"groups of {len(groups)} sentences, and there are {operator.n}", encoder)

"""Spearman correlations over encoders, of all of them and inside of families, with intervals that know of near-copies.

Encoders are no independent draws: a hundred readouts of one model are nearly one encoder. So the bootstrap draws whole
groups of near-copies (the cluster bootstrap: Field and Welsh 2007, J. R. Statist. Soc. B 69, section 3), and the
intervals are as wide as the number of groups lets them be.

Families differ in everything at once: an older one may be both less isotropic and worse, and no measure need be the
reason. Inside of families that is out of the way. There ρ is the mean of the families' own Spearman correlations, each
with the weight of its groups - 1: the inverse of its variance where nothing goes together (Taylor 1987, Biometrics 43,
for independent observations, which here are the groups). Ranks that are centred in each family and pooled would be the
alternative; there a family whose scores spread widely has more weight than its size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from qre.prediction.data import FEWEST_GROUPS
from qre.prediction.folds import blocks, group_numbers
from qre.tasks.bootstrap import LEVEL, RESAMPLES
from qre.tasks.ranks import Ties

FEWEST_IN_FAMILY = 3  # groups; of two the order is right or wrong, and nothing between
AT_ONCE = 2**22  # ranks that are held at once: 34 MB of float64
FARTHEST = 1 - 1e-9  # of a correlation, where Fisher's transform is still a number


@dataclass(frozen=True)
class RankCorrelations:
    """Of M measures and T tasks, each (M, T).

    Attributes:
        spearman: float64, NaN where there are fewer than FEWEST_GROUPS groups, or one side is constant.
        low, high: the interval of LEVEL: tanh(z ± t s), z = artanh ρ, s the standard deviation of z over RESAMPLES
            draws of groups, t Student's with groups - families degrees of freedom (groups - 1 over all encoders).
            Percentiles of the draws would count a bias twice: near-copies weigh more where groups are drawn twice.
        together: bool: 0 is outside of the intervals that hold for all M × T at once: |z| > c s, c the LEVEL quantile
            of the greatest |z* - z| / s of a draw (single-step maxT: Romano and Wolf 2005, Econometrica 73).
        encoders, groups, families: int64, how many each is of; families is 1 over all encoders.
    """

    spearman: np.ndarray
    low: np.ndarray
    high: np.ndarray
    together: np.ndarray
    encoders: np.ndarray
    groups: np.ndarray
    families: np.ndarray


def rank_correlations(
    measures: np.ndarray, scores: np.ndarray, groups: np.ndarray, families: np.ndarray | None = None, seed: int = 0
) -> RankCorrelations:
    """Spearman of each measure with each task over the encoders that have both.

    Args:
        measures: (N, M), float, NaN where a measure is not defined.
        scores: (N, T), float, NaN where there is no score.
        groups: of near-copies, (N,); whole ones are drawn.
        families: (N,): correlations inside of them, and of those with FEWEST_IN_FAMILY groups at least; None: over all
            encoders.
        seed: of the draws.
    """
    groups = group_numbers(groups)
    strata = np.zeros(len(groups), np.intp) if families is None else group_numbers(families)
    fewest = FEWEST_IN_FAMILY if families is not None else 1
    shape = measures.shape[1], scores.shape[1]
    counts = np.zeros((3, *shape), np.int64)
    total, weight = (np.zeros((RESAMPLES + 1, *shape)) for _ in range(2))
    drawn = _draws(int(groups.max(initial=-1)) + 1, seed)
    for of_measures, of_scores in product(blocks(measures), blocks(scores)):
        at = np.ix_(of_measures.columns, of_scores.columns)
        rows = np.intersect1d(of_measures.rows, of_scores.rows)
        for part in _parts(rows, strata, groups, fewest):
            for count, more in zip(counts, (len(part), len(np.unique(groups[part])), 1), strict=True):
                count[at] += more
            first, second = measures[part][:, of_measures.columns], scores[part][:, of_scores.columns]
            found, voice = _resampled(first, second, groups[part], drawn)
            told = np.isfinite(found)
            total[:, at[0], at[1]] += np.where(told, found, 0.0) * voice
            weight[:, at[0], at[1]] += told * voice
    with np.errstate(invalid="ignore", divide="ignore"):
        values = total / weight
    values[:, counts[1] < FEWEST_GROUPS] = np.nan
    return _summary(values, *counts)


def _draws(count: int, seed: int) -> np.ndarray:
    """How often each of `count` groups is drawn, (RESAMPLES + 1, count); the first row is the map itself."""
    rng = np.random.default_rng([seed, count])
    drawn = rng.multinomial(count, np.full(count, 1 / max(count, 1)), size=RESAMPLES)
    return np.concatenate([np.ones((1, count), np.int64), drawn]).astype(np.uint16)


def _parts(rows: np.ndarray, strata: np.ndarray, groups: np.ndarray, fewest: int) -> Iterator[np.ndarray]:
    """The rows of each stratum that has so many groups among them."""
    order = rows[np.argsort(strata[rows], kind="stable")]
    for part in np.split(order, np.flatnonzero(np.diff(strata[order])) + 1):
        if len(np.unique(groups[part])) >= fewest:
            yield part


def _resampled(
    first: np.ndarray, second: np.ndarray, groups: np.ndarray, drawn: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Spearman of the columns of (n, M) with those of (n, T) in each resample, (B, M, T), NaN where one is constant;
    and what it weighs, (B, 1, 1): its distinct groups - 1, as near-copies tell nothing of each other's order."""
    sides = [[Ties(column) for column in side.T] for side in (first, second)]
    own, member = np.unique(groups, return_inverse=True)
    step = max(1, AT_ONCE // (len(groups) * (first.shape[1] + second.shape[1])))
    found = []
    for start in range(0, len(drawn), step):
        weights = drawn[start : start + step][:, own].astype(np.float64)[:, member]
        (ranks, spread), (other, other_spread) = (_unit_ranks(side, weights) for side in sides)
        with np.errstate(invalid="ignore", divide="ignore"):
            scale = 1 / np.sqrt(spread[:, :, None] * other_spread[:, None, :])
        found.append(
            np.matmul(ranks * weights[:, None, :], other.transpose(0, 2, 1)) * np.where(scale < np.inf, scale, np.nan)
        )
    voice = np.maximum((drawn[:, own] > 0).sum(axis=1) - 1, 0)
    return np.concatenate(found), voice[:, None, None].astype(np.float64)


def _unit_ranks(side: list[Ties], weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centred ranks (b, k, n) of k columns, and their variances times n (b, k)."""
    told = [ties.centred_ranks(weights) for ties in side]
    return np.stack([ranks for ranks, _ in told], axis=1), np.stack([spread for _, spread in told], axis=1)


def _summary(values: np.ndarray, encoders: np.ndarray, groups: np.ndarray, families: np.ndarray) -> RankCorrelations:
    """From the values (1 + B, M, T), the first that of the map itself."""
    from scipy.stats import t as student  # here: scipy.stats is large, and every command imports this file

    known = np.isfinite(values[0]) & (np.isfinite(values[1:]).sum(axis=0) > RESAMPLES // 2)
    spearman, low, high = np.full((3, *known.shape), np.nan)
    together = np.zeros(known.shape, bool)
    if known.any():
        spearman[known] = values[0, known].clip(-1.0, 1.0)
        z = np.arctanh(values[:, known].clip(-FARTHEST, FARTHEST))
        spread = np.nanstd(z[1:], axis=0)
        reach = student.ppf((1 + LEVEL) / 2, groups[known] - families[known]) * spread
        low[known], high[known] = np.tanh(z[0] - reach), np.tanh(z[0] + reach)
        with np.errstate(invalid="ignore", divide="ignore"):
            farthest = np.nanmax(np.where(spread > 0, np.abs(z[1:] - z[0]) / spread, 0.0), axis=1)
        together[known] = np.abs(z[0]) > np.maximum(np.quantile(farthest, LEVEL) * spread, reach)
    return RankCorrelations(spearman, low, high, together, encoders, groups, families)

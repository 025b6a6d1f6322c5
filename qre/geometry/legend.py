"""What each measure means, in one line for people, and which way is more isotropic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Entry:
    """One measure as people read it.

    Attributes:
        name: field of Measures.
        title: for a table.
        form: format of its number.
        more_isotropic: which way the embedding is more isotropic; "" where that says nothing of it.
        meaning: one line.
    """

    name: str
    title: str
    form: str
    more_isotropic: Literal["higher", "lower", ""]
    meaning: str


LEGEND = (
    Entry("mean_cosine", "mean cosine", ".4f", "lower", "of two different sentences; near 1, all lie in a narrow cone"),
    Entry("mean_norm", "norm of the mean", ".4f", "lower", "of unit vectors: 0 where they cancel, 1 where all are one"),
    Entry("partition_ratio", "partition ratio I", ".4f", "higher", "least over largest Σ exp(cᵀx), c an eigenvector"),
    Entry("isoscore", "IsoScore", ".4f", "higher", "evenness of the variance over d; far too low where n/d is small"),
    Entry("isoscore_star", "IsoScore*", ".4f", "higher", "the same of the covariance shrunk towards an even one"),
    Entry(
        "isoscore_unbiased",
        "IsoScore, unbiased",
        ".4f",
        "higher",
        "the same without the bias in n/d: the one to compare encoders of different d by",
    ),
    Entry("participation_ratio", "participation ratio", ".1f", "higher", "dimensions that the variance fills"),
    Entry("variance_1", "variance in 1 direction", ".1%", "lower", "share of the leading principal direction"),
    Entry("variance_3", "variance in 3 directions", ".1%", "lower", "share of the leading three"),
    Entry("variance_10", "variance in 10 directions", ".1%", "lower", "share of the leading ten"),
    Entry("alpha_req", "α-ReQ", ".3f", "lower", "how fast the variances fall: λ ~ rank^-α, ranks 11 to 100"),
    Entry("effective_rank", "effective rank", ".1f", "higher", "exp of the entropy of the spectrum; the Vendi score"),
    Entry("rankme", "RankMe", ".1f", "higher", "the same of the singular values: small directions weigh more"),
    Entry("stable_rank", "stable rank", ".2f", "higher", "whole spectrum over its largest eigenvalue"),
    Entry("uniformity", "uniformity", ".4f", "lower", "log mean exp(-2‖x - y‖²): -4 on a sphere of many dimensions"),
    Entry("hubness", "hubness", ".3f", "lower", "skewness of how often a sentence is among the 10 nearest of another"),
    Entry("alignment", "alignment", ".4f", "", "mean ‖x - x⁺‖² of sentences that mean the same: lower, nearer"),
    Entry("lidar", "LiDAR", ".1f", "", "directions that tell groups of paraphrases apart, noise divided out"),
)

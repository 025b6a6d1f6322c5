"""What shapes an atlas beside the features."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class AtlasSettings(BaseModel):
    """How the map is laid out.

    Attributes:
        metric: distance between feature vectors, used for everything; l1 as in the paper.
        perplexity: of t-SNE; lowered, with a note, where there are too few encoders for it.
        seed: of t-SNE and of the permutation test.
        neighbours: how many of each encoder's nearest are listed and counted.
        permutations: of the family labels, for the p-value.
        labels: encoders named on the figure.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: Literal["l1", "l2", "cosine"] = "l1"
    perplexity: float = Field(30.0, gt=1)
    seed: int = Field(0, ge=0, lt=2**32)
    neighbours: int = Field(7, ge=1)
    permutations: int = Field(10_000, ge=100)
    labels: int = Field(24, ge=0)

"""Variants: what makes another encoder of the weights of a published one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, model_validator

from qre.paths import PathText

if TYPE_CHECKING:
    from qre.encoders.readouts import Reader

BUILTIN = "builtin"
# how a spec knows them: the fingerprint of sparsify.corpus.builtin_pairs
BUILTIN_PAIRS = "217f8ac1c0daf9938849ff46615af89b76b0b9f40cbc83eed58b1eb2c23dadbb"
BATCH = 256  # pairs in one batch: uniformity is that of their texts
PASSES = 4  # over each text of a batch: twice forward, and backward, which takes two
VERSION = 1  # of how contributions are computed and chosen: a change that moves a mask raises it
Score = Literal["alignment_uniformity", "alignment", "uniformity", "magnitude", "random"]
WITHOUT_PAIRS = ("magnitude", "random")
OF_SCORE = {"magnitude": (), "random": ("seed",)}  # what else fixes a mask; of all others pairs, batches and seed


class Sparsify(BaseModel):
    """The parameters that contribute least are set to zero: see qre/sparsify/contributions.py."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    share: float = Field(ge=0, lt=1, description="of the parameters, that is set to zero")
    score: Score = "alignment_uniformity"
    scope: Literal["global", "layer"] = Field(
        "global", description="of all matrices together, or the same share of each"
    )
    pairs: PathText = Field(
        BUILTIN, description="builtin, or a file with sentence1 and sentence2; of a spec: their fingerprint"
    )
    batches: int = Field(4, ge=1, le=10_000, description="of 256 pairs, at most")
    seed: int = Field(0, ge=0, lt=2**32)

    @model_validator(mode="after")
    def _used(self):
        if self.score in WITHOUT_PAIRS and self.pairs != BUILTIN:
            raise ValueError(f"score {self.score} is computed without pairs: leave pairs out")
        return self

    def identity(self) -> dict:
        """All that fixes the mask, beside the encoder."""
        fields = {"share", "score", "scope", *OF_SCORE.get(self.score, ("pairs", "batches", "seed"))}
        return {**self.model_dump(mode="json", include=fields), "version": VERSION}

    @property
    def texts(self) -> int:
        """So many encoded texts take as long as its contributions, at most."""
        return 0 if self.score in WITHOUT_PAIRS else self.batches * 2 * BATCH * PASSES

    @property
    def label(self) -> str:
        """In a name: "sparse:0.1", with what is not at its default."""
        more = [
            "" if self.score == "alignment_uniformity" else self.score,
            "" if self.scope == "global" else self.scope,
            f"s{self.seed}" if self.seed and self.score != "magnitude" else "",
        ]
        return ":".join([f"sparse:{self.share:g}", *filter(None, more)])

    @property
    def words(self) -> str:
        """Such as "10 % of the weights set to zero, those that contribute least to alignment and uniformity"."""
        chosen = {
            "alignment_uniformity": "those that contribute least to alignment and uniformity",
            "alignment": "those that contribute least to alignment",
            "uniformity": "those that contribute least to uniformity",
            "magnitude": "the smallest",
            "random": f"drawn at random (seed {self.seed})",
        }[self.score]
        each = " in each matrix" if self.scope == "layer" else ""
        return f"{self.share * 100:g} % of the weights set to zero{each}, {chosen}"


class Variant(BaseModel):
    """One kind of variant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sparsify: Sparsify

    def identity(self) -> dict:
        """All that fixes it, beside the encoder."""
        return {"sparsify": self.sparsify.identity()}


class Prepare(Protocol):
    """Makes the variant of a loaded encoder that its spec asks for."""

    def __call__(self, spec: Any, model: Any, reader: Reader) -> dict:
        """Change the model in place; returns what the record of its embeddings tells of it.

        Args:
            spec: a ModelSpec; without a variant nothing is changed.
            model: the loaded SentenceTransformer, in evaluation mode.
            reader: with the readouts that it has of those asked for.
        """

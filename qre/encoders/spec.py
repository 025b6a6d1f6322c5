"""Encoder specs: everything that fixes an encoder's numbers, in frozen records.

Three identities follow from a spec, each the canonical JSON of what it holds:

- the *encoder*: all that can change a number; with the sentence set and the encode settings it is the unit's key;
- the *pass*: what is loaded and run once. Many encoders may be read off one pass: the layers and poolings of a
  transformer, the transforms and truncations of any encoder;
- the *parent*: pass and readout, without the transforms or a variant. Encoders of one parent are near-copies of each
  other.

The name, the family and the place of a folder on this machine change no number and are in none of them.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Annotated, Literal, Union, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from qre.encoders.transforms import needs_fit
from qre.encoders.variants import Variant
from qre.near_names import did_you_mean

if TYPE_CHECKING:
    from typing import Self  # Python 3.10 has none

NAME = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
TRANSFORMS = (
    "truncate:K",
    "center",
    "standardize",
    "whiten",
    "whiten:K",
    "all_but_the_top:K",
    "normalize",
    "int8",
    "binary",
)
TRANSFORM = re.compile(
    r"(truncate|whiten|all_but_the_top):[1-9][0-9]{0,4}|center|standardize|whiten|normalize|int8|binary"
)
PoolingName = Literal["cls", "mean", "max", "weightedmean", "lasttoken"]
POOLINGS: tuple[PoolingName, ...] = get_args(PoolingName)
VERSION = 1  # of the classical encoders' algorithms: a change that moves a number raises it, and so makes new keys
# mean_sqrt_len_tokens is the mean times one number a sentence: the same encoder once rows have unit length


def stated_prompts(config: dict) -> tuple[dict[str, str], str]:
    """The prompts that a config_sentence_transformers.json names, and the one that plain `encode` applies; {} and ""
    where it names none."""
    prompts = {name: text for name, text in (config.get("prompts") or {}).items() if isinstance(text, str)}
    return prompts, prompts.get(config.get("default_prompt_name") or "", "")


class _Spec(BaseModel, ABC):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="what people read; unique in a sweep")
    family: str = Field(description="the group whose members are expected to be neighbours on the map")
    transforms: tuple[str, ...] = Field(
        (), description=f"in order, each one of {', '.join(TRANSFORMS)}: see transforms.apply_transforms"
    )
    fitted_on: str | None = Field(
        None, description="fingerprint of the corpus that the transforms are fitted on; None: the sentence set itself"
    )

    @field_validator("name", "family")
    @classmethod
    def _printable(cls, value: str) -> str:
        if not NAME.fullmatch(value):
            raise ValueError("must be 1 to 200 characters without line breaks or control characters")
        return value

    @field_validator("transforms")
    @classmethod
    def _known_transforms(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            if not TRANSFORM.fullmatch(value):
                raise ValueError(
                    f"unknown transform {value!r}; known: {', '.join(TRANSFORMS)}{did_you_mean(value, TRANSFORMS)}"
                )
        return values

    def encoder_identity(self) -> dict:
        """All that can change a number of the embedding."""
        own = {**self.pass_identity(), "readout": list(self.readout), "transforms": list(self.transforms)}
        return own if self.corpus_of_fit is None else {**own, "fitted_on": self.corpus_of_fit}

    @property
    def corpus_of_fit(self) -> str | None:
        """The fingerprint of the corpus that its transforms are fitted on; None where that is the sentence set, or
        nothing is fitted."""
        return self.fitted_on if needs_fit(self.transforms) else None

    def parent_identity(self) -> dict:
        """Pass and readout, of no variant."""
        return {**self.pass_identity(), "readout": list(self.readout)}

    @property
    def untransformed(self) -> Self:
        """The encoder whose vectors are those that its pass and readout give."""
        return self.model_copy(update={"transforms": (), "fitted_on": None})

    @abstractmethod
    def pass_identity(self) -> dict:
        """What is loaded and run once."""

    @property
    def readout(self) -> tuple:
        """What is read off the pass; () where a pass gives one matrix."""
        return ()


class ClassicalSpec(_Spec):
    """A classical encoder, fitted on the sentence set (or a named corpus) with scikit-learn and scipy.

    kind:
        hashed: feature-hashed n-gram counts, `rank` buckets.
        lsa: TF-IDF and truncated SVD of `rank`; fewer dimensions by the transform truncate:K.
        projection: TF-IDF times a Gaussian random matrix to `rank` dimensions.
        sif: PPMI word vectors (window, `rank`), averaged with smooth inverse frequency weights.
    """

    source: Literal["classical"] = "classical"
    kind: Literal["hashed", "lsa", "projection", "sif"]
    analyzer: Literal["word", "char_wb"] = "word"
    ngrams: tuple[int, int] = (1, 1)
    weighting: Literal["count", "binary", "log", "tfidf"] = "tfidf"
    rank: int = Field(256, ge=2, le=65536)
    window: int = Field(5, ge=1, le=50, description="words to each side that count as context (sif)")
    smoothing: float = Field(1e-3, gt=0, description="a of a/(a + p(word)), the weight of a word (sif)")
    seed: int = Field(0, ge=0, lt=2**32)
    corpus: str | None = Field(
        None, description="fingerprint of the corpus that it is fitted on; None: the sentence set itself"
    )

    @model_validator(mode="after")
    def _consistent(self):
        if not 1 <= self.ngrams[0] <= self.ngrams[1] <= 10:
            raise ValueError(f"ngrams {list(self.ngrams)}: give [least, most] with 1 <= least <= most <= 10")
        if self.kind == "sif" and (self.analyzer, self.ngrams) != ("word", (1, 1)):
            raise ValueError("sif averages word vectors: analyzer word and ngrams [1, 1] only")
        if self.kind == "hashed" and self.weighting == "tfidf":
            raise ValueError("hashed n-grams are not weighted by document frequency: weighting count, binary or log")
        return self

    def pass_identity(self) -> dict:
        fields = {
            "hashed": ("analyzer", "ngrams", "weighting", "rank"),
            "lsa": ("analyzer", "ngrams", "weighting", "rank", "seed", "corpus"),
            "projection": ("analyzer", "ngrams", "weighting", "rank", "seed", "corpus"),
            "sif": ("window", "smoothing", "rank", "seed", "corpus"),
        }[self.kind]
        return {
            "source": self.source,
            "version": VERSION,
            "kind": self.kind,
            **self.model_dump(mode="json", include=set(fields)),
        }


class ModelSpec(_Spec):
    """What is common to transformers, wherever they are.

    Without `layer` and `pooling` an encoder is its own pipeline of modules. `pooling` alone puts another pooling in the
    place of its own and keeps the modules that follow. With `layer` it is that hidden state (0 = the embedding layer),
    pooled, and nothing after. A plain checkpoint (without modules.json) has no pipeline, and needs a
    `pooling`.
    """

    layer: int | None = Field(None, ge=0)
    pooling: PoolingName | None = None
    prompt: str = Field("", description="put before every sentence")
    max_tokens: int | None = Field(None, ge=2, description="longer sentences are cut; None: the encoder's own limit")
    pad_token: str | None = Field(
        None, min_length=1, description="a token of its vocabulary to pad with; None: its own"
    )
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    token_budget: int | None = Field(None, ge=16, description="of this encoder; None: that of the encode settings")
    native: bool = Field(False, description="transformers' own class, where the encoder also names code of its own")
    plain: bool = Field(False, description="a plain checkpoint of transformers, without modules.json")
    pickles: tuple[tuple[str, str], ...] = Field(
        (), description="(name, sha256) of each pickle that its weights are converted from, by consent"
    )
    variant: Variant | None = Field(None, description="what is made of its weights once they are loaded")
    prompts: tuple[tuple[str, str], ...] = Field(
        (), exclude=True, description="(name, text) that its files state, fixed by the revision; in no identity"
    )
    default_prompt: str = Field(
        "", exclude=True, description="of its files: what plain `encode` puts before a sentence; in no identity"
    )

    @model_validator(mode="after")
    def _layer_and_pooling(self):
        if self.layer is not None and self.pooling is None:
            raise ValueError("a layer needs a pooling")
        if self.plain and self.pooling is None:
            raise ValueError("a plain checkpoint needs a pooling")
        return self

    def pass_identity(self) -> dict:
        # a later option is in keys only where it is set
        set_only = {field for field in ("pad_token", "native", "plain", "pickles") if getattr(self, field)}
        own = self.model_dump(mode="json", include={"source", "revision", "prompt", "max_tokens", "dtype"} | set_only)
        if self.variant is None:
            return own
        # a mask is of the weights that a readout depends on, so each readout has a pass of its own
        return {**own, "variant": self.variant.identity(), "read": list(self.readout)}

    def parent_identity(self) -> dict:
        if self.variant is None:
            return super().parent_identity()
        return self.model_copy(update={"variant": None}).parent_identity()

    @property
    def departures(self) -> dict[str, object]:
        """Field -> value of all that makes it another encoder than the published one: whatever its identity holds that
        a bare entry's does not.

        A bare entry names the encoder (and trusts the code that comes with it) and leaves the rest to it. Another
        batching is the same encoder.
        """
        named = {
            "source",
            "name",
            "family",
            "id",
            "path",
            "revision",
            "trust_remote_code",
            "code_revision",
            "files",
            "base",
            "base_files",
            "base_path",
            "pickles",
            "prompts",
            "default_prompt",
        }
        values = {field: getattr(self, field) for field in type(self).model_fields}
        bare = type(self)(prompt=self.default_prompt, **{field: values[field] for field in named & values.keys()})
        if self.encoder_identity() == bare.encoder_identity():
            return {}
        return {
            field: value
            for field, value in values.items()
            if value != getattr(bare, field) and field not in ("token_budget", "plain")
        }

    @property
    def readout(self) -> tuple:
        """() for the encoder's own pipeline; (layer, pooling); ("last", pooling) for its pipeline with another
        pooling."""
        if self.pooling is None:
            return ()
        return ("last" if self.layer is None else self.layer, self.pooling)


class FolderSpec(ModelSpec):
    """An encoder in a local folder, of sentence-transformers or plain."""

    source: Literal["folder"] = "folder"
    path: str = Field(description="the folder; not part of any identity")
    revision: str = Field(description="sha256 of the folder's content: see folders.folder_revision")
    base_path: str | None = Field(None, description="of an adapter: the folder of its base; not part of any identity")


class HubSpec(ModelSpec):
    """An encoder of the hub, at one commit."""

    source: Literal["hub"] = "hub"
    id: str = Field(description="owner/name")
    revision: str = Field(pattern=r"^[0-9a-f]{40}$", description="the commit")
    trust_remote_code: bool = Field(False, description="run the code in its repository, at this commit")
    code_revision: tuple[tuple[str, str], ...] = Field(
        (), description="(owner/name, commit) of each second repository whose code it runs"
    )
    files: tuple[tuple[str, int], ...] = Field(
        (), description="(name, bytes) of its snapshot; not part of any identity"
    )
    base: tuple[str, str] | None = Field(None, description="of an adapter: (owner/name, commit) of its base")
    base_files: tuple[tuple[str, int], ...] = Field(
        (), description="(name, bytes) of the snapshot of its base; not part of any identity"
    )

    @property
    def fetched(self) -> tuple[tuple[str, int], ...]:
        """(name, bytes) of all that it needs from the hub."""
        return self.files + self.base_files

    def pass_identity(self) -> dict:
        pinned: dict[str, object] = {"code_revision": dict(self.code_revision)} if self.code_revision else {}
        if self.base is not None:
            pinned["base"] = dict(zip(("id", "revision"), self.base, strict=True))
        return {**super().pass_identity(), "id": self.id, "trust_remote_code": self.trust_remote_code, **pinned}


class StaticSpec(_Spec):
    """A static encoder that an installed package carries: the mean of the vectors of a sentence's tokens."""

    source: Literal["static"] = "static"
    package: str = Field(description="its name for `import`; with the names of its files not part of any identity")
    vectors: str = Field(description="safetensors file in the package with one table, (tokens, d)")
    tokenizer: str = Field(description="tokenizer.json of another name in the package")
    revision: str = Field(description="sha256 of both files: see static.static_revision")

    def pass_identity(self) -> dict:
        return {"source": self.source, "revision": self.revision}


class MatrixSpec(_Spec):
    """Ready vectors that a person gives: of the sentences, and perhaps of the texts of tasks."""

    source: Literal["matrix"] = "matrix"
    revision: str = Field(description="sha256 of dtype, shape and numbers: see matrix_file.checked_digest")
    dimension: int = Field(ge=1, description="of the vectors; fixed by the revision")
    texts: str | None = Field(None, description="sha256 of the file with the vectors of the tasks' texts")

    def pass_identity(self) -> dict:
        return {"source": self.source, **self.model_dump(include={"revision", "texts"}, exclude_none=True)}


class WordsSpec(_Spec):
    """Vectors of words from a file that a person gives: a sentence is the mean of its words' vectors.

    weighting:
        mean: every word counts alike.
        sif: a word counts a/(a + p(word)), a = 1e-3, p its share of the words of the sentence set (Arora, Liang and Ma
            2017); the paper's removal of the common direction is the transform "all_but_the_top:1".
    """

    source: Literal["words"] = "words"
    revision: str = Field(description="sha256 of the words and numbers that are read: see word_vector_file.Looked")
    dimension: int = Field(ge=1, description="of the vectors; fixed by the revision")
    vocabulary: int = Field(ge=1, description="how many words are read; fixed by the revision")
    lowercase: bool = Field(False, description="words of texts are looked up in small letters")
    weighting: Literal["mean", "sif"] = "mean"

    def pass_identity(self) -> dict:
        return self.model_dump(mode="json", include={"source", "revision", "lowercase", "weighting"})


class EndpointSpec(_Spec):
    """An encoder behind an HTTP endpoint that speaks OpenAI's embeddings API: see endpoint.py.

    How it is asked (key, requests at once, texts in each, patience) and what it costs change no number.
    """

    source: Literal["endpoint"] = "endpoint"
    url: str = Field(description="see endpoint_url.checked_url")
    model: str = Field(description="as the server calls it")
    as_of: str = Field(description="the day that a person states, since no commit tells which state of a model it is")
    dimensions: int | None = Field(None, ge=1, description="that are asked for; None: nothing is asked")
    prompt: str = Field("", description="put before every sentence")
    prompts: tuple[tuple[str, str], ...] = Field((), exclude=True)
    default_prompt: str = Field("", exclude=True)
    api_key_env: str | None = Field(None, exclude=True)
    concurrency: int = Field(4, ge=1, exclude=True)
    texts_per_request: int = Field(64, ge=1, exclude=True)
    patience_minutes: float = Field(5.0, gt=0, exclude=True)
    price: float | None = Field(None, ge=0, exclude=True, description="of a million tokens")

    def pass_identity(self) -> dict:
        return self.model_dump(
            mode="json", include={"source", "url", "model", "as_of", "dimensions", "prompt"}, exclude_none=True
        )

    def model_identity(self) -> dict:
        """The model that answers, whatever is put before its texts."""
        return {**self.pass_identity(), "prompt": ""}


EncoderSpec = Annotated[
    Union[ClassicalSpec, EndpointSpec, FolderSpec, HubSpec, MatrixSpec, StaticSpec, WordsSpec],
    Field(discriminator="source"),
]


def own_prompt(spec: EncoderSpec) -> str:
    """What is put before every sentence; "" of encoders that take no prompt."""
    return spec.prompt if isinstance(spec, ModelSpec | EndpointSpec) else ""

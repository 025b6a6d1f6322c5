"""Entries of a config that are transformers: in folders, and of the hub."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator, model_validator

from jobs.config.corpora import FittedEntry, label_of
from jobs.config.entries import ForMany
from qre.encoders.conversions import Conversion, weights_of
from qre.encoders.folders import LookedAt, is_plain, look_at_folder
from qre.encoders.hub import COMMIT, REPOSITORY, HubModel
from qre.encoders.hub_problems import HubProblem
from qre.encoders.hub_query import HubQuery
from qre.encoders.spec import FolderSpec, HubSpec, PoolingName
from qre.encoders.variants import BUILTIN, BUILTIN_PAIRS, WITHOUT_PAIRS, Variant
from qre.errors import UserError
from qre.paths import PathText, below

if TYPE_CHECKING:
    from typing import Self  # Python 3.10 has none

ONE_POOLING = "plain is for the encoders of a query or a list: give pooling for this one"


class _ModelEntry(ForMany, FittedEntry):
    """A transformer, as a person writes it; what is left out is the encoder's own."""

    name: str | None = Field(
        None, description="default: the folder's name, or the id with what differs from its own pipeline"
    )
    family: str | None = None
    layer: int | None = Field(None, ge=0)
    pooling: PoolingName | None = None
    prompt: str | None = Field(None, description="put before every sentence; default: the encoder's own default prompt")
    prompt_name: str | None = Field(None, description="one of the encoder's own prompts")
    prompts: dict[str, str] = Field(
        {},
        description="name -> text, as its card gives them where its files do not: e.g. query and document, for "
        "retrieval",
    )
    max_tokens: int | None = Field(None, ge=2)
    pad_token: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="where its tokenizer has none: a token of its vocabulary to pad with",
    )
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    truncate_dim: int | None = Field(
        None, ge=1, description="the first K dimensions; the same as the transform truncate:K"
    )
    normalize: bool = Field(False, description="unit length at the end; the same as the transform normalize")
    transforms: tuple[str, ...] = ()
    token_budget: int | None = Field(None, ge=16, description="of this encoder; default: encode.token_budget")
    native: bool = Field(
        False, description="transformers' own class, where the encoder also names code of its own; no code of it runs"
    )
    variant: Variant | None = Field(None, description="what is made of its weights: sparsify")

    @field_validator("name", "family")
    @classmethod
    def _printable(cls, value: str | None) -> str | None:
        return value if value is None else FolderSpec._printable(value)

    @field_validator("transforms")
    @classmethod
    def _known_transforms(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return FolderSpec._known_transforms(value)

    @model_validator(mode="after")
    def _consistent(self):
        if self.prompt is not None and self.prompt_name is not None:
            raise ValueError("give prompt or prompt_name, not both")
        if self.layer is not None and self.pooling is None:
            raise ValueError("a layer needs a pooling")
        return self

    @property
    def pairs_file(self) -> str | None:
        """The file with the pairs of texts that it names."""
        pairs = BUILTIN if self.variant is None else self.variant.sparsify.pairs
        return None if pairs == BUILTIN else pairs

    def with_pairs(self, pairs: str) -> Self:
        """The entry with other pairs: a path, or what they are known by."""
        assert self.variant is not None  # it names pairs
        sparsify = self.variant.sparsify.model_copy(update={"pairs": pairs})
        return self.model_copy(update={"variant": Variant.model_construct(sparsify=sparsify)})

    def _variant(self) -> Variant | None:
        """Its variant, with the pairs as a spec knows them."""
        if self.variant is None or self.pairs_file is not None or self.variant.sparsify.score in WITHOUT_PAIRS:
            return self.variant
        return self.with_pairs(BUILTIN_PAIRS).variant

    def pooled(self, plain: bool) -> Self:
        """The entry with the pooling that it states for plain checkpoints, where the encoder is one."""
        if not plain or self.plain is None or self.pooling is not None:
            return self
        return self.model_copy(update={"pooling": self.plain.pooling})

    def spec_values(
        self, name: str, family: str, prompts: dict[str, str], default_prompt: str, plain: bool = False
    ) -> dict:
        """The fields of a ModelSpec, given what the encoder's own files say; of a plain checkpoint after `pooled`.
        Where the entry states its `prompts`, its `prompt` is the encoder's default.

        Raises:
            UserError: no prompt of that name.
        """
        prompts = {**prompts, **self.prompts}
        if self.prompts and self.prompt is not None:
            default_prompt = self.prompt
        if self.prompt_name is not None and self.prompt_name not in prompts:
            raise UserError(
                f"prompt_name: no prompt {self.prompt_name!r}; this encoder has {', '.join(sorted(prompts)) or 'none'}"
            )
        prompt = default_prompt if self.prompt is None else self.prompt
        transforms = (
            ((f"truncate:{self.truncate_dim}",) if self.truncate_dim else ())
            + self.transforms
            + (("normalize",) if self.normalize else ())
        )
        own = [
            f"L{self.layer}" if self.layer is not None else "",
            self.pooling or "",
            f"prompt:{self.prompt_name}" if self.prompt_name else "",
        ]
        own += [
            f"{self.max_tokens} tokens" if self.max_tokens else "",
            f"pad:{self.pad_token}" if self.pad_token else "",
        ]
        own += ["" if self.dtype == "float32" else self.dtype, "native" if self.native else ""]
        fitted_on = [] if self.fitted_on is None else [label_of(self.fitted_on)]
        own += ["" if self.variant is None else self.variant.sparsify.label, *transforms, *fitted_on]
        return {
            "name": self.name or "/".join([name, *filter(None, own)]),
            "family": self.family or family,
            "layer": self.layer,
            "pooling": self.pooling,
            "max_tokens": self.max_tokens,
            "dtype": self.dtype,
            "token_budget": self.token_budget,
            "pad_token": self.pad_token,
            "native": self.native,
            "plain": plain,
            "variant": self._variant(),
            "prompt": prompts[self.prompt_name] if self.prompt_name is not None else prompt,
            "transforms": transforms,
            "fitted_on": self.corpus_read,
            "prompts": tuple(sorted(prompts.items())),
            "default_prompt": default_prompt,
        }


class FolderEntry(_ModelEntry):
    """An encoder in a local folder: of sentence-transformers, or a plain checkpoint of transformers."""

    source: Literal["folder"]
    path: PathText
    base: PathText | None = Field(
        None,
        description="of a PEFT adapter: the folder of its base; default: the one that its adapter_config.json names",
    )

    @model_validator(mode="after")
    def _one(self):
        if self.plain is not None:
            raise ValueError(ONE_POOLING)
        return self

    def looked_at(self, folder: str = "", look: Callable[..., LookedAt] = look_at_folder) -> LookedAt:
        """What is in its folder now.

        Args:
            folder: where relative paths begin; "" for the working directory.
            look: to look through a folder; the default reads all of it each time.

        Raises:
            UserError: no folder there.
            EncoderError, PlaceError: see folders.look_at_folder.
        """
        path = Path(below(folder, self.path)).resolve()
        stated = None if self.base is None else str(Path(below(folder, self.base)).resolve())
        for key, place in (("path", path), ("base", stated)):
            if place is not None and not os.path.isdir(place):
                raise UserError(f"{key}: {place}: no such folder")
        plain = is_plain(path)
        pooled = plain and self.pooled(plain).pooling is not None
        return look(path, self.native, pooled, self.pickled_weights is True, stated)

    def spec_of(self, found: LookedAt) -> FolderSpec:
        """The spec that this entry makes of what is in its folder; UserError where it has no prompt of that name."""
        path, base = found.path, found.base
        entry = self.pooled(found.plain)
        values = entry.spec_values(path.name, path.name, found.prompts, found.default_prompt, found.plain)
        own = {"path": str(path), "revision": found.revision, "pickles": found.pickles, "base_path": base and str(base)}
        return FolderSpec(**own, **values)

    def spec_in(self, folder: str = "") -> FolderSpec:
        """The spec that this entry makes of what is in its folder now: see looked_at and spec_of."""
        return self.spec_of(self.looked_at(folder))

    def folders(self) -> dict[str, str]:
        """Key -> path of each folder that it names."""
        return {"path": self.path, **({"base": self.base} if self.base is not None else {})}


class HubEntry(_ModelEntry):
    """One encoder of the hub by its id, or those that a query finds."""

    source: Literal["hub"]
    id: str | None = None
    query: HubQuery | None = None
    revision: str | None = Field(
        None, max_length=200, description="branch, tag or commit; it is pinned to a commit before anything is keyed"
    )
    trust_remote_code: bool = False
    code_revision: dict[str, str] = Field(
        {}, description="owner/name -> commit of second repositories whose code it runs, beside trust_remote_code"
    )
    conversions: Literal["accept"] | None = Field(
        None,
        description="accept: of an encoder that is pickles alone, take the safetensors that a pull request adds; "
        "default: as the list, else the config, says",
    )

    @field_validator("code_revision")
    @classmethod
    def _commits(cls, value: dict[str, str]) -> dict[str, str]:
        for repository, commit in value.items():
            if not REPOSITORY.fullmatch(repository) or not COMMIT.fullmatch(commit):
                raise ValueError(
                    f"{repository}: {commit}: give owner/name and a 40-digit commit, so that it is the code you have "
                    f"read"
                )
        return dict(sorted(value.items()))

    @model_validator(mode="after")
    def _one_or_many(self):
        if (self.id is None) == (self.query is None):
            raise ValueError("give id or query, one of them")
        if self.query is not None and (self.name or self.revision or self.trust_remote_code):
            raise ValueError("name, revision and trust_remote_code are of one encoder: they go with id")
        if self.query is None and self.plain is not None:
            raise ValueError(ONE_POOLING)
        if self.plain is not None and self.pooling is not None:
            raise ValueError("pooling is for all that the query finds, plain for those that need one: give one of them")
        if self.trust_remote_code and not COMMIT.fullmatch(self.revision or ""):
            raise ValueError(
                "trust_remote_code runs code from the hub: it needs a 40-digit revision, so that it is the code you "
                "have read"
            )
        if self.native and self.trust_remote_code:
            raise ValueError("native takes transformers' own class, trust_remote_code the encoder's: give one of them")
        if self.code_revision and not self.trust_remote_code:
            raise ValueError("code_revision pins code that is run: it goes with trust_remote_code: true")
        return self

    @property
    def accepts(self) -> bool:
        """Whether it takes the weights of a pull request that converts them."""
        return self.conversions == "accept"

    @property
    def may_convert(self) -> bool:
        """Whether it is of use to know of such a pull request."""
        return self.accepts or self.pickled_weights is not True

    def spec_of(self, model: HubModel, family: str, looked: Conversion | None | HubProblem = None) -> HubSpec:
        """The spec that this entry makes of an encoder that the hub described; the trust is this entry's own.

        Args:
            looked: of an encoder whose weights are pickles, the pull request that converts them, or why the hub did not
                answer.

        Raises:
            HubProblem: its weights are pickles, and the entry consents to nothing; it names code that this entry does
                not let run, or is a plain checkpoint and no pooling is stated.
            UserError: no prompt of that name.
        """
        pickled = self.pickled_weights is True
        model = weights_of(model, self.accepts, pickled, looked)
        entry = self.pooled(model.plain)
        files = model.checked(
            pickled=pickled,
            pooled=entry.pooling is not None,
            trusted=self.trust_remote_code,
            native=self.native,
            code_revision=self.code_revision,
        )
        values = entry.spec_values(model.repository, family, model.prompts, model.default_prompt, model.plain)
        trust = {"trust_remote_code": self.trust_remote_code, "code_revision": tuple(self.code_revision.items())}
        base = {} if model.base is None else {"base": model.base[:2], "base_files": model.base[2]}
        pickles = tuple((name, sha256) for name, _, sha256 in model.pickles)
        own = {"id": model.repository, "revision": model.revision, "files": files, "pickles": pickles}
        return HubSpec(**own, **base, **trust, **values)

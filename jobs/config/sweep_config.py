"""The config of a sweep: one YAML file, read into records that refuse unknown keys and say where and what."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator

from jobs.config.mistakes import explained
from jobs.config.on_end import OnEnd
from jobs.config.reading import read_written
from jobs.config.slots import ClusterSettings
from qre.atlas.settings import AtlasSettings
from qre.encoders.catalogue import CATALOGUES
from qre.encoders.hub import COMMIT, REPOSITORY, HubModel, HubQuery
from qre.encoders.passes import EncodeSettings
from qre.encoders.spec import ClassicalSpec, FolderSpec, HubSpec, PoolingName
from qre.errors import UserError
from qre.features import FeatureMethod
from qre.near_names import did_you_mean
from qre.paths import PathText, below
from qre.prediction.data import PredictionSettings
from qre.tasks.task_spec import BuiltinTasks, TaskFile


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BuiltinSentences(_Record):
    """The built-in sentence set: the first `limit` sentences of its stream."""

    source: Literal["builtin"] = "builtin"
    limit: int = Field(2000, ge=2)
    seed: int = Field(0, ge=0)


class FileSentences(_Record):
    """Sentences from a .txt, .csv, .tsv, .jsonl or .parquet file."""

    source: Literal["file"]
    path: PathText
    column: str | None = None
    limit: int | None = Field(None, ge=2)
    on_problem: Literal["error", "drop"] = "error"


class CatalogueEntry(_Record):
    """A built-in list of encoders, or the part of it whose names match."""

    source: Literal["catalogue"]
    name: str
    include: tuple[str, ...] = Field(
        ("*",), min_length=1, description="shell patterns on encoder names, e.g. lsa/*; each matches at least one"
    )

    @field_validator("name")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in CATALOGUES:
            raise ValueError(
                f"no catalogue {value!r}; there are {', '.join(CATALOGUES)}{did_you_mean(value, CATALOGUES)}"
            )
        return value


class _ModelEntry(_Record):
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

    def spec_values(self, name: str, family: str, prompts: dict[str, str], default_prompt: str) -> dict:
        """The fields of a ModelSpec, given what the encoder's own files say. Where the entry states its `prompts`, its
        `prompt` is the encoder's default.

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
        own += ["" if self.dtype == "float32" else self.dtype, "native" if self.native else "", *transforms]
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
            "prompt": prompts[self.prompt_name] if self.prompt_name is not None else prompt,
            "transforms": transforms,
            "prompts": tuple(sorted(prompts.items())),
            "default_prompt": default_prompt,
        }


class FolderEntry(_ModelEntry):
    """An encoder in a local sentence-transformers folder."""

    source: Literal["folder"]
    path: PathText


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

    def spec_of(self, model: HubModel, family: str) -> HubSpec:
        """The spec that this entry makes of an encoder that the hub described; the trust is this entry's own.

        Raises:
            HubProblem: it names code that this entry does not let run.
            UserError: no prompt of that name.
        """
        files = model.checked(trusted=self.trust_remote_code, native=self.native, code_revision=self.code_revision)
        values = self.spec_values(model.repository, family, model.prompts, model.default_prompt)
        trust = {"trust_remote_code": self.trust_remote_code, "code_revision": tuple(self.code_revision.items())}
        return HubSpec(id=model.repository, revision=model.revision, files=files, **trust, **values)


class ListEntry(_Record):
    """A file of entries: .yaml (a list of entries as in a config), or .csv with columns named as their keys."""

    source: Literal["list"]
    path: PathText


class MtebScores(_Record):
    """Scores that others measured, from MTEB's public results; `qre evaluate --mteb` measures what lacks, by MTEB's own
    package."""

    source: Literal["mteb"]
    results: tuple[PathText, ...] = Field(
        (),
        description="folders in MTEB's layout (a clone of its results, a cache, one model), or tables of models × "
        "tasks (.csv, .parquet)",
    )
    tasks: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="names of MTEB tasks; default: those of the benchmark, else all that the results hold",
    )
    benchmark: str | None = Field(None, description='a benchmark of the mteb package, e.g. "MTEB(eng, v2)"')
    revisions: Literal["exact", "any"] = Field("any", description="exact: only results of the encoder's own commit")
    languages: tuple[Annotated[str, Field(pattern=r"^([a-z]{3}|all)$")], ...] = Field(
        ("eng",),
        min_length=1,
        description="three-letter codes: of a task with several languages the mean over the subsets in these counts; "
        "[all] for every one",
    )

    @model_validator(mode="after")
    def _one_list(self):
        if "all" in self.languages and len(self.languages) > 1:
            raise ValueError("languages: all stands alone")
        if self.benchmark is not None and "languages" in self.model_fields_set:
            raise ValueError(
                "a benchmark says itself which languages count: give languages with tasks, or with neither"
            )
        if self.tasks is not None and self.benchmark is not None:
            raise ValueError("give tasks or a benchmark, not both")
        if not self.results and self.tasks is None and self.benchmark is None:
            raise ValueError("give results, tasks or a benchmark: here is nothing to read and nothing to run")
        return self


class Prediction(PredictionSettings):
    """How scores are predicted from features, and how well that goes.

    Attributes:
        group_by: encoders that no split may part: "base", those of one base model, else of one vectoriser or one layer
            and pooling; "parent", of one layer and pooling, or vectoriser, only; "family".
        also: feature methods beside the sweep's own that our predictor may choose from.
        sensitivity: feature methods that are compared, for a curve over ε; none by default, since each is a feature
            matrix more.
    """

    group_by: Literal["base", "parent", "family"] = "base"
    also: tuple[FeatureMethod, ...] = (
        FeatureMethod(perturbation="mix", epsilon=0.1),
        FeatureMethod(perturbation="mix", epsilon=0.1, center=True),
    )
    sensitivity: tuple[FeatureMethod, ...] = ()


TaskEntry = Annotated[Union[BuiltinTasks, TaskFile, MtebScores], Field(discriminator="source")]
EncoderEntry = Union[CatalogueEntry, FolderEntry, HubEntry, ClassicalSpec]  # what a list may hold
Entry = Annotated[Union[CatalogueEntry, FolderEntry, HubEntry, ListEntry, ClassicalSpec], Field(discriminator="source")]


class SweepConfig(_Record):
    """One sweep: which sentences, which encoders, how, and where to."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", description="of the sweep and its atlas")
    store: PathText = Field(min_length=1, description="folder of the store, or its bucket")
    export: PathText | None = Field(None, min_length=1, description="folder that the finished atlas is copied to")
    inputs: PathText | None = Field(
        None,
        min_length=1,
        description="folder, or s3://bucket/prefix or gs://bucket/prefix, that sentences, lists, tasks and MTEB's "
        "results are looked up in; else the config's folder",
    )
    sentences: Annotated[Union[BuiltinSentences, FileSentences], Field(discriminator="source")] = BuiltinSentences()
    encoders: tuple[Entry, ...] = Field(min_length=1)
    encode: EncodeSettings = EncodeSettings()
    features: FeatureMethod = FeatureMethod()
    tasks: tuple[TaskEntry, ...] = Field(
        (), description="what encoders are scored on; from the scores follow the predictions"
    )
    prediction: Prediction = Prediction()
    atlas: AtlasSettings = AtlasSettings()
    cluster: ClusterSettings = ClusterSettings()
    on_end: OnEnd | None = Field(None, description="who is told how the sweep has ended")
    _folder: str = PrivateAttr("")
    _moved: frozenset[str] = PrivateAttr(frozenset())

    @property
    def folder(self) -> str:
        """Where relative paths start: the folder of the config's file, "" (the working directory) for one that was made
        otherwise."""
        return self._folder

    @property
    def moved(self) -> frozenset[str]:
        """Which of store, export and inputs were written as relative paths."""
        return self._moved

    def placed(self, folder: str) -> SweepConfig:
        """The config as it is in a file of this folder. Sentences, encoders and tasks stay as written: they tell what
        the config is, wherever it lies."""
        here = {
            key: below(folder, path)
            for key in ("store", "export", "inputs")
            if (path := getattr(self, key)) is not None
        }
        config = self.model_copy(update=here)
        config._folder, config._moved = (
            folder,
            frozenset(key for key, path in here.items() if path != getattr(self, key)),
        )
        return config


def load_config(path: str | Path) -> SweepConfig:
    """The config in a YAML file. Its relative paths start at its own folder: store, export and inputs are made absolute
    here, the others by whoever reads them.

    Raises:
        UserError: no such file, not YAML, an unknown key (with the nearest known one), or a wrong value; each with its
            line.
    """
    written = read_written(path)
    if not isinstance(written.value, dict):
        raise UserError(f"{written.path}: a config is a mapping of keys to values, such as name: mine")
    try:
        config = SweepConfig.model_validate(written.value)
    except ValidationError as error:
        raise UserError(explained(written, error, SweepConfig)) from None
    return config.placed(os.path.dirname(os.path.abspath(path)))


def load_list(path: str | Path) -> tuple[EncoderEntry, ...]:
    """The entries of a list file, as written: folders that it names start at its own folder.

    Raises:
        UserError: as load_config.
    """
    written = read_written(path)
    if not isinstance(written.value, list):
        raise UserError(
            f"{written.path}: a list of encoders is a sequence of entries, each after a dash: - {{source: hub, id: "
            f"owner/name}}"
        )
    if not written.value:
        raise UserError(f"{written.path}: holds no encoder")
    try:
        entries = _EncoderList.model_validate({"encoders": written.value}).encoders
    except ValidationError as error:
        raise UserError(explained(written, error, _EncoderList, below=("encoders",))) from None
    found: list[EncoderEntry] = []
    for number, entry in enumerate(entries):
        if isinstance(entry, ListEntry):
            raise UserError(f"{written.at((number,))}: encoders[{number}]: a list names encoders, not further lists")
        found.append(entry)
    return tuple(found)


class _EncoderList(_Record):
    encoders: tuple[Entry, ...]

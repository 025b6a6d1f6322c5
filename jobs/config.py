"""The config of a sweep: one YAML file, read into records that refuse unknown keys and say where and what."""

from __future__ import annotations

import csv
import difflib
import io
import re
from pathlib import Path
from types import UnionType
from typing import Annotated, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from jobs.on_end import OnEnd
from jobs.slots import ClusterSettings
from qre.atlas.prediction.data import PredictionSettings
from qre.atlas.settings import AtlasSettings
from qre.encoders.catalogue import CATALOGUES
from qre.encoders.hub import COMMIT, REPOSITORY, HubModel, HubQuery
from qre.encoders.passes import EncodeSettings
from qre.encoders.spec import POOLINGS, ClassicalSpec, FolderSpec, HubSpec
from qre.errors import UserError
from qre.features import FeatureMethod
from qre.paths import PathText
from qre.tasks.spec import BuiltinTasks, ClassificationFile, ClusteringFile, PairsFile, RetrievalFile, STSFile, TaskFile


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
    include: tuple[str, ...] = Field(("*",), description="shell patterns on encoder names, e.g. lsa/*")

    @field_validator("name")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in CATALOGUES:
            raise ValueError(f"no catalogue {value!r}; there are {', '.join(CATALOGUES)}")
        return value


class _ModelEntry(_Record):
    """A transformer, as a person writes it; what is left out is the encoder's own."""

    name: str | None = Field(None, description="default: the folder's name, or the id with what differs from its own pipeline")
    family: str | None = None
    layer: int | None = Field(None, ge=0)
    pooling: Literal[POOLINGS] | None = None
    prompt: str | None = Field(None, description="put before every sentence; default: the encoder's own default prompt")
    prompt_name: str | None = Field(None, description="one of the encoder's own prompts")
    prompts: dict[str, str] = Field({}, description="name -> text, as its card gives them where its files do not: e.g. query and document, for retrieval")
    max_tokens: int | None = Field(None, ge=2)
    pad_token: str | None = Field(None, min_length=1, max_length=100, description="where its tokenizer has none: a token of its vocabulary to pad with")
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    truncate_dim: int | None = Field(None, ge=1, description="the first K dimensions; the same as the transform truncate:K")
    normalize: bool = Field(False, description="unit length at the end; the same as the transform normalize")
    transforms: tuple[str, ...] = ()
    token_budget: int | None = Field(None, ge=16, description="of this encoder; default: encode.token_budget")
    native: bool = Field(False, description="transformers' own class, where the encoder also names code of its own; no code of it runs")

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
        """The fields of a ModelSpec, given what the encoder's own files say. Where the entry states its `prompts`, its `prompt` is the encoder's default.

        Raises:
            UserError: no prompt of that name.
        """
        prompts = {**prompts, **self.prompts}
        if self.prompts and self.prompt is not None:
            default_prompt = self.prompt
        if self.prompt_name is not None and self.prompt_name not in prompts:
            raise UserError(f"prompt_name: no prompt {self.prompt_name!r}; this encoder has {', '.join(sorted(prompts)) or 'none'}")
        prompt = default_prompt if self.prompt is None else self.prompt
        transforms = ((f"truncate:{self.truncate_dim}",) if self.truncate_dim else ()) + self.transforms + (("normalize",) if self.normalize else ())
        own = [f"L{self.layer}" if self.layer is not None else "", self.pooling or "", f"prompt:{self.prompt_name}" if self.prompt_name else ""]
        own += [f"{self.max_tokens} tokens" if self.max_tokens else "", f"pad:{self.pad_token}" if self.pad_token else ""]
        own += ["" if self.dtype == "float32" else self.dtype, "native" if self.native else "", *transforms]
        return {
            "name": self.name or "/".join([name, *filter(None, own)]), "family": self.family or family,
            "layer": self.layer, "pooling": self.pooling, "max_tokens": self.max_tokens, "dtype": self.dtype, "token_budget": self.token_budget,
            "pad_token": self.pad_token, "native": self.native,
            "prompt": prompts[self.prompt_name] if self.prompt_name is not None else prompt, "transforms": transforms,
            "prompts": tuple(sorted(prompts.items())), "default_prompt": default_prompt,
        }  # fmt: skip


class FolderEntry(_ModelEntry):
    """An encoder in a local sentence-transformers folder."""

    source: Literal["folder"]
    path: PathText


class HubEntry(_ModelEntry):
    """One encoder of the hub by its id, or those that a query finds."""

    source: Literal["hub"]
    id: str | None = None
    query: HubQuery | None = None
    revision: str | None = Field(None, max_length=200, description="branch, tag or commit; it is pinned to a commit before anything is keyed")
    trust_remote_code: bool = False
    code_revision: dict[str, str] = Field({}, description="owner/name -> commit of second repositories whose code it runs, beside trust_remote_code")

    @field_validator("code_revision")
    @classmethod
    def _commits(cls, value: dict[str, str]) -> dict[str, str]:
        for repository, commit in value.items():
            if not REPOSITORY.fullmatch(repository) or not COMMIT.fullmatch(commit):
                raise ValueError(f"{repository}: {commit}: give owner/name and a 40-digit commit, so that it is the code you have read")
        return dict(sorted(value.items()))

    @model_validator(mode="after")
    def _one_or_many(self):
        if (self.id is None) == (self.query is None):
            raise ValueError("give id or query, one of them")
        if self.query is not None and (self.name or self.revision or self.trust_remote_code):
            raise ValueError("name, revision and trust_remote_code are of one encoder: they go with id")
        if self.trust_remote_code and not COMMIT.fullmatch(self.revision or ""):
            raise ValueError("trust_remote_code runs code from the hub: it needs a 40-digit revision, so that it is the code you have read")
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
    """Scores that others measured, from MTEB's public results; `qre evaluate --mteb` measures what lacks, by MTEB's own package."""

    source: Literal["mteb"]
    results: tuple[PathText, ...] = Field((), description="folders in MTEB's layout (a clone of its results, a cache, one model), or tables of models × tasks (.csv, .parquet)")
    tasks: tuple[str, ...] | None = Field(None, min_length=1, description="names of MTEB tasks; default: those of the benchmark, else all that the results hold")
    benchmark: str | None = Field(None, description='a benchmark of the mteb package, e.g. "MTEB(eng, v2)"')
    revisions: Literal["exact", "any"] = Field("any", description="exact: only results of the encoder's own commit")
    languages: tuple[Annotated[str, Field(pattern=r"^([a-z]{3}|all)$")], ...] = Field(
        ("eng",), min_length=1, description="three-letter codes: of a task with several languages the mean over the subsets in these counts; [all] for every one"
    )

    @model_validator(mode="after")
    def _one_list(self):
        if "all" in self.languages and len(self.languages) > 1:
            raise ValueError("languages: all stands alone")
        if self.benchmark is not None and "languages" in self.model_fields_set:
            raise ValueError("a benchmark says itself which languages count: give languages with tasks, or with neither")
        if self.tasks is not None and self.benchmark is not None:
            raise ValueError("give tasks or a benchmark, not both")
        if not self.results and self.tasks is None and self.benchmark is None:
            raise ValueError("give results, tasks or a benchmark: here is nothing to read and nothing to run")
        return self


class Prediction(PredictionSettings):
    """How scores are predicted from features, and how well that goes.

    Attributes:
        group_by: encoders that no split may part: "base", those of one base model, else of one vectoriser or one layer and pooling; "parent", of one
            layer and pooling, or vectoriser, only; "family".
        also: feature methods beside the sweep's own that our predictor may choose from.
        sensitivity: feature methods that are compared, for a curve over ε; none by default, since each is a feature matrix more.
    """

    group_by: Literal["base", "parent", "family"] = "base"
    also: tuple[FeatureMethod, ...] = (
        FeatureMethod(perturbation="mix", epsilon=0.1), FeatureMethod(perturbation="mix", epsilon=0.1, center=True),
    )  # fmt: skip
    sensitivity: tuple[FeatureMethod, ...] = ()


TaskEntry = Annotated[Union[BuiltinTasks, TaskFile, MtebScores], Field(discriminator="source")]
Entry = Annotated[Union[CatalogueEntry, FolderEntry, HubEntry, ListEntry, ClassicalSpec], Field(discriminator="source")]


class SweepConfig(_Record):
    """One sweep: which sentences, which encoders, how, and where to."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", description="of the sweep and its atlas")
    store: PathText = Field(description="folder of the store, from the working directory")
    export: PathText | None = Field(None, description="folder that the finished atlas is copied to")
    inputs: PathText | None = Field(
        None, min_length=1, description="folder, or s3://bucket/prefix or gs://bucket/prefix, that sentences, lists, tasks and MTEB's results are looked up in"
    )
    sentences: Annotated[Union[BuiltinSentences, FileSentences], Field(discriminator="source")] = BuiltinSentences()
    encoders: tuple[Entry, ...] = Field(min_length=1)
    encode: EncodeSettings = EncodeSettings()
    features: FeatureMethod = FeatureMethod()
    tasks: tuple[TaskEntry, ...] = Field((), description="what encoders are scored on; from the scores follow the predictions")
    prediction: Prediction = Prediction()
    atlas: AtlasSettings = AtlasSettings()
    cluster: ClusterSettings = ClusterSettings()
    on_end: OnEnd | None = Field(None, description="who is told how the sweep has ended")


def load_config(path: str | Path) -> SweepConfig:
    """The config in a YAML file.

    Raises:
        UserError: no such file, not YAML, an unknown key (with the nearest known one), or a wrong value; each with its place.
    """
    values = read_yaml(Path(path))
    if not isinstance(values, dict):
        raise UserError(f"{path}: a config is a mapping of keys to values")
    try:
        return SweepConfig.model_validate(values)
    except ValidationError as error:
        raise UserError(explained(str(path), error)) from None


def load_list(path: str | Path) -> tuple[Entry, ...]:
    """The entries of a list file.

    Raises:
        UserError: as load_config.
    """
    path = Path(path)
    if path.suffix == ".csv":
        values = _csv_entries(path)
    else:
        values = read_yaml(path)
    if not isinstance(values, list):
        raise UserError(f"{path}: a list of encoders is a sequence of entries")
    try:
        entries = _EncoderList.model_validate({"encoders": values}).encoders
    except ValidationError as error:
        raise UserError(explained(str(path), error)) from None
    if any(isinstance(entry, ListEntry) for entry in entries):
        raise UserError(f"{path}: a list names encoders, not further lists")
    return entries


class _EncoderList(_Record):
    encoders: tuple[Entry, ...]


def read_yaml(path: Path):
    """The value of a YAML file; no objects are made. UserError where it cannot be read."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        told = re.sub(r"(https?://[^/\s'\"]*)\S*", r"\1/...", str(error))  # it quotes the line, and an address may hold a token
        raise UserError(f"{path}: not YAML: {told}") from None


def _csv_entries(path: Path) -> list[dict]:
    """Rows as entries of the hub (or of the source that a column names); empty cells are left out, transforms are separated by spaces."""
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    entries = []
    for row in rows:
        entry = {key: value for key, value in row.items() if value}
        if "transforms" in entry:
            entry["transforms"] = entry["transforms"].split()
        entries.append({"source": "hub", **entry})
    return entries


_SOURCES = {
    "builtin": BuiltinSentences, "file": FileSentences, "catalogue": CatalogueEntry, "folder": FolderEntry, "hub": HubEntry, "list": ListEntry,
    "classical": ClassicalSpec,
}  # fmt: skip
_TASKS = {
    "builtin": BuiltinTasks, "file": STSFile, "mteb": MtebScores, "sts": STSFile, "pairs": PairsFile, "classification": ClassificationFile,
    "clustering": ClusteringFile, "retrieval": RetrievalFile,
}  # fmt: skip


def explained(path: str, error: ValidationError) -> str:
    """A line for each thing that is wrong."""
    return "\n".join(dict.fromkeys(f"{path}: {_explained(problem)}" for problem in error.errors()))


def _explained(problem: dict) -> str:
    """One line: the place as a person writes it, and what is wrong there."""
    place, model = [], SweepConfig
    for part in problem["loc"]:
        if isinstance(part, int):
            place[-1:] = [f"{place[-1]}[{part}]"] if place else [f"[{part}]"]
        elif place and part in (records := _TASKS if place[0].startswith("tasks") else _SOURCES):
            model = records[part]  # pydantic names the chosen record; the person did not write it there
        else:
            place.append(str(part))
            field = model.model_fields.get(str(part)) if model else None
            inner = getattr(field, "annotation", None)
            inner = next((one for one in get_args(inner) if one is not type(None)), None) if get_origin(inner) is UnionType else inner
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                model = inner
    where = ".".join(place)
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(place[-1], list(model.model_fields), n=1)
        return f"{where}: unknown key" + (f"; did you mean {near[0]}?" if near else f"; known: {', '.join(model.model_fields)}")
    if problem["type"] == "missing":
        return f"{where}: missing"
    message = re.sub(r"^Value error, ", "", problem["msg"])
    given = problem.get("input") if place[:1] != ["on_end"] else None  # an address there may hold a token
    return f"{where}: {message}" + (f" (given: {given!r})" if isinstance(given, (str, int, float, bool)) else "")

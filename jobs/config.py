"""The config of a sweep: one YAML file, read into records that refuse unknown keys and say where and what."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Annotated, Literal, Union

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from qre.atlas.settings import AtlasSettings
from qre.encoders.catalogue import CATALOGUES
from qre.encoders.passes import EncodeSettings
from qre.encoders.spec import ClassicalSpec, FolderSpec
from qre.errors import UserError
from qre.features import FeatureMethod


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
    path: str
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


class FolderEntry(FolderSpec):
    """An encoder in a local sentence-transformers folder; name and family default to the folder's name, the prompt to the folder's own."""

    name: str = ""
    family: str = ""
    revision: Literal[""] = ""
    prompt: str | None = None

    @field_validator("name", "family")
    @classmethod
    def _printable(cls, value: str) -> str:
        return FolderSpec._printable(value) if value else value


class ClusterSettings(_Record):
    """What the sweep asks of Ray.

    Attributes:
        address: of a running cluster, or None to start a local one.
        cpus: CPUs of a local cluster; None for all of this machine's.
        cpus_per_encoder, gpus_per_encoder: held by one embed actor; BLAS and torch threads follow the CPUs.
        width: most encoders at once; None for as many as the cluster holds.
        attempts: tries of a unit whose machine failed it; an encoder's own fault is never tried again.
        shard_units: encoders in one feature shard.
        grace_seconds: how long encoders in flight may go on after a stop was asked for.
    """

    address: str | None = None
    cpus: int | None = Field(None, ge=1)
    cpus_per_encoder: int = Field(1, ge=1)
    gpus_per_encoder: int = Field(0, ge=0)
    width: int | None = Field(None, ge=1)
    attempts: int = Field(3, ge=1)
    shard_units: int = Field(16, ge=1)
    grace_seconds: float = Field(10.0, ge=0)


class SweepConfig(_Record):
    """One sweep: which sentences, which encoders, how, and where to."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", description="of the sweep and its atlas")
    store: str = Field(description="folder of the store, from the working directory")
    export: str | None = Field(None, description="folder that the finished atlas is copied to")
    sentences: Annotated[Union[BuiltinSentences, FileSentences], Field(discriminator="source")] = BuiltinSentences()
    encoders: tuple[Annotated[Union[CatalogueEntry, FolderEntry, ClassicalSpec], Field(discriminator="source")], ...] = Field(min_length=1)
    encode: EncodeSettings = EncodeSettings()
    features: FeatureMethod = FeatureMethod()
    atlas: AtlasSettings = AtlasSettings()
    cluster: ClusterSettings = ClusterSettings()


def load_config(path: str | Path) -> SweepConfig:
    """The config in a YAML file.

    Raises:
        UserError: no such file, not YAML, an unknown key (with the nearest known one), or a wrong value; each with its place.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not YAML: {error}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: a config is a mapping of keys to values")
    try:
        return SweepConfig.model_validate(values)
    except ValidationError as error:
        lines = [f"{path}: {_explained(problem)}" for problem in error.errors()]
        raise UserError("\n".join(dict.fromkeys(lines))) from None


_SOURCES = {"builtin": BuiltinSentences, "file": FileSentences, "catalogue": CatalogueEntry, "folder": FolderEntry, "classical": ClassicalSpec}


def _explained(problem: dict) -> str:
    """One line: the place as a person writes it, and what is wrong there."""
    place, model = [], SweepConfig
    for part in problem["loc"]:
        if isinstance(part, int):
            place[-1:] = [f"{place[-1]}[{part}]"] if place else [f"[{part}]"]
        elif part in _SOURCES and place:  # pydantic names the chosen record; the person did not write it there
            model = _SOURCES[part]
        else:
            place.append(str(part))
            field = model.model_fields.get(str(part)) if model else None
            inner = getattr(field, "annotation", None)
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                model = inner
    where = ".".join(place)
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(place[-1], list(model.model_fields), n=1)
        return f"{where}: unknown key" + (f"; did you mean {near[0]}?" if near else f"; known: {', '.join(model.model_fields)}")
    if problem["type"] == "missing":
        return f"{where}: missing"
    message = re.sub(r"^Value error, ", "", problem["msg"])
    given = problem.get("input")
    return f"{where}: {message}" + (f" (given: {given!r})" if isinstance(given, (str, int, float, bool)) else "")

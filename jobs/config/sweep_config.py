"""The config of a sweep: one YAML file, read into records that refuse unknown keys and say where and what."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, Union

from pydantic import Field, PrivateAttr, ValidationError, model_validator

from jobs.config.corpora import ClassicalEntry
from jobs.config.endpoint_entry import EndpointEntry
from jobs.config.entries import BuiltinSentences, CatalogueEntry, FileSentences, ListEntry, MtebScores, Record
from jobs.config.matrix_entry import MatrixEntry
from jobs.config.mistakes import explained
from jobs.config.model_entries import FolderEntry, HubEntry
from jobs.config.on_end import OnEnd
from jobs.config.reading import read_written
from jobs.config.slots import ClusterSettings
from jobs.config.words_entry import WordsEntry
from qre.atlas.settings import AtlasSettings
from qre.encoders.passes import EncodeSettings
from qre.errors import UserError
from qre.features import FeatureMethod
from qre.paths import PathText, below
from qre.prediction.data import PredictionSettings
from qre.tasks.task_spec import BuiltinTasks, TaskFile


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
# what a list may hold
EncoderEntry = Union[CatalogueEntry, EndpointEntry, FolderEntry, HubEntry, MatrixEntry, WordsEntry, ClassicalEntry]
Entry = Annotated[
    Union[CatalogueEntry, EndpointEntry, FolderEntry, HubEntry, ListEntry, MatrixEntry, WordsEntry, ClassicalEntry],
    Field(discriminator="source"),
]


class SweepConfig(Record):
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
    pickled_weights: bool | None = Field(None, description="of all encoders that do not say otherwise: see entries")
    conversions: Literal["accept"] | None = Field(None, description="of all encoders of the hub: see entries")
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

    @model_validator(mode="after")
    def _budget_can_be_kept(self):
        """A budget is of GPU hours and of tokens; a list may name endpoints that have a price."""
        paid = any(
            isinstance(entry, ListEntry) or (isinstance(entry, EndpointEntry) and entry.price_per_million_tokens)
            for entry in self.encoders
        )
        if why := self.cluster.without_price(paid):
            raise ValueError(f"cluster: {why}")
        return self

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


class _EncoderList(Record):
    encoders: tuple[Entry, ...]

"""Entries of a config: where sentences and encoders come from, and scores that others measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from qre.encoders.catalogue import CATALOGUES, PUBLIC
from qre.encoders.spec import PoolingName
from qre.near_names import did_you_mean
from qre.paths import PathText

if TYPE_CHECKING:
    from typing import Self  # Python 3.10 has none

PUBLIC_LIMIT = 1101  # encoders of the catalogue `public`, where its entry says no other number


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BuiltinSentences(Record):
    """The built-in sentence set: the first `limit` sentences of its stream."""

    source: Literal["builtin"] = "builtin"
    limit: int = Field(2000, ge=2)
    seed: int = Field(0, ge=0)


class FileSentences(Record):
    """Sentences from a .txt, .csv, .tsv, .jsonl or .parquet file."""

    source: Literal["file"]
    path: PathText
    column: str | None = None
    limit: int | None = Field(None, ge=2)
    on_problem: Literal["error", "drop"] = "error"


class Plain(Record):
    """What is stated for plain checkpoints (without modules.json) among the encoders of a query or a list."""

    pooling: PoolingName


OF_ALL = ("plain", "pickled_weights", "conversions")  # keys of a list that are of each entry in it
LATER = (*OF_ALL, "base", "limit", "variant", "fitted_on")  # keys that records of older stores do not have


class Later(Record):
    """An entry with keys that came later."""

    @model_serializer(mode="wrap")
    def _only_where_given(self, handler: SerializerFunctionWrapHandler) -> dict:
        """Records in a store are keyed by what entries hold, and are older than these options."""
        return {key: value for key, value in handler(self).items() if key not in LATER or value is not None}


class ForMany(Later):
    """What may be said of all encoders of a query or a list: of each of them, or of all in the list that it is."""

    plain: Plain | None = Field(
        None, description="of a query, a list or public: for encoders that have no modules.json and state no pooling"
    )
    pickled_weights: bool | None = Field(
        None, description="convert weights that are pickles alone; default: as the list, else the config, says"
    )

    @property
    def of_all(self) -> dict[str, object]:
        """Key -> what it states for all encoders in it."""
        return {key: getattr(self, key) for key in OF_ALL if key in type(self).model_fields}

    def given(self, stated: Mapping[str, object]) -> Self:
        """The entry with what its list or config states of all, where it has the key and says nothing itself."""
        lacks = {
            key: stated[key] for key, value in self.of_all.items() if value is None and stated.get(key) is not None
        }
        return self.model_copy(update=lacks)


class CatalogueEntry(ForMany):
    """A built-in list of encoders, or the part of it whose names match; or `public`, of the hub."""

    source: Literal["catalogue"]
    name: str
    include: tuple[str, ...] = Field(
        ("*",), min_length=1, description="shell patterns on encoder names, e.g. lsa/*; each matches at least one"
    )

    limit: int | None = Field(
        None, ge=1, le=10_000, description=f"of public: how many, by downloads; default {PUBLIC_LIMIT}"
    )
    conversions: Literal["accept"] | None = Field(None, description="of public: see HubEntry")

    @field_validator("name")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in (known := (*CATALOGUES, PUBLIC)):
            raise ValueError(f"no catalogue {value!r}; there are {', '.join(known)}{did_you_mean(value, known)}")
        return value

    @model_validator(mode="after")
    def _of_public(self):
        own = [key for key in ("limit", *OF_ALL) if getattr(self, key) is not None]
        if self.name != PUBLIC and own:
            raise ValueError(f"{own[0]} is of the catalogue public; {self.name} is built in")
        return self

    def given(self, stated: Mapping[str, object]) -> Self:
        return super().given(stated) if self.name == PUBLIC else self


class ListEntry(ForMany):
    """A file of entries: .yaml (a list of entries as in a config), or .csv with columns named as their keys."""

    source: Literal["list"]
    path: PathText
    conversions: Literal["accept"] | None = Field(None, description="of its encoders of the hub: see HubEntry")


class MtebScores(Record):
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

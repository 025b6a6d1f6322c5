"""Entries of a config that are vectors in files, of whatever system: what is common to them, and ready vectors of the
sentences."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from jobs.config.corpora import NothingFitted
from qre.encoders.matrix_file import ENDINGS, is_matrix
from qre.encoders.spec import MatrixSpec
from qre.geometry.measured_row import MAP_COLUMNS
from qre.paths import PathText

ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}")
RESERVED = frozenset(  # columns of a map that are made of other things
    "key name family source parent group kind layer pooling transforms model commit method prompt own x y qre entropy "
    "effective_rank dimension device truncated_share direction perturbation epsilon unit_rows feature description "
    "endpoint as_of dimensions_asked fitted_on "
    "warnings created released cluster medoid embedding_dimension modules prompt_names score task predicted".split()
) | frozenset(MAP_COLUMNS)
NUMBERS = frozenset("parameters layers hidden_size vocabulary model_max_tokens downloads likes".split())
TEXTS = frozenset("architecture model_type model_pooling base_model licence languages training_sets".split())
MOST, LONGEST, LARGEST = 50, 500, 2**53  # attributes; characters of a value; the whole numbers that a float holds


class GivenEntry(NothingFitted):
    """Vectors in a file: what a person says of them."""

    path: PathText
    name: str | None = Field(None, description="default: the name of the file, with the transforms")
    family: str | None = Field(None, description="default: the name of the file")
    attributes: dict[str, Any] = Field(
        {}, max_length=MOST, description="columns of the map: name -> number, text, true or false, or a list of these"
    )
    transforms: tuple[str, ...] = ()

    @field_validator("name", "family")
    @classmethod
    def _printable(cls, value: str | None) -> str | None:
        return value if value is None else MatrixSpec._printable(value)

    @field_validator("transforms")
    @classmethod
    def _known_transforms(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return MatrixSpec._known_transforms(value)

    @field_validator("attributes")
    @classmethod
    def _plain(cls, value: dict[str, Any]) -> dict[str, Any]:
        return checked_attributes(value)

    def files(self) -> dict[str, str]:
        """Key -> path of each file that it names."""
        return {"path": self.path}

    def spec_names(self) -> tuple[str, str]:
        """Name and family."""
        stem, own = Path(self.path.removesuffix(".gz")).stem, self._own()
        return self.name or "/".join([stem, *own, *self.transforms])[:200], self.family or self.name or stem

    def _own(self) -> list[str]:
        """What its default name says beside the file and the transforms."""
        return []


class MatrixEntry(GivenEntry):
    """Ready vectors of the sentences, in their order, from a file."""

    source: Literal["matrix"]
    texts: PathText | None = Field(
        None, description="Parquet with columns text and vector: vectors of the tasks' texts, to be scored on"
    )

    @field_validator("path")
    @classmethod
    def _known_format(cls, value: str) -> str:
        if not is_matrix(value):
            raise ValueError(f"vectors are read from {', '.join(ENDINGS)}")
        return value

    @field_validator("texts")
    @classmethod
    def _parquet(cls, value: str | None) -> str | None:
        if value is not None and Path(value).suffix != ".parquet":
            raise ValueError("give a .parquet file with the columns text and vector")
        return value

    def files(self) -> dict[str, str]:
        """Key -> path of each file that it names."""
        return super().files() | ({} if self.texts is None else {"texts": self.texts})


def checked_attributes(value: dict[str, Any]) -> dict[str, Any]:
    """Attributes that a person gives of an encoder; ValueError where one fits into no column of the map."""
    for name, one in value.items():
        if not ATTRIBUTE.fullmatch(name):
            raise ValueError(f"{name[:60]!r}: name a column with letters, digits and _, a letter first")
        if name.lower() in RESERVED:
            raise ValueError(f"{name}: the map has a column of this name already; use another")
        if name.lower() in NUMBERS | TEXTS and name != name.lower():
            raise ValueError(f"{name}: write {name.lower()}, as the map does")
        found = kind_of(one)
        wanted = "number" if name in NUMBERS else "text" if name in TEXTS else found
        if found is None or found != wanted:
            asked = {"number": "a number", "text": "text, or a list of texts"}.get(
                wanted or "", "a finite number, a text of at most 500 characters, true or false, or a list of these"
            )
            raise ValueError(f"{name}: give {asked}")
    return value


def kind_of(value: object) -> str | None:
    """What a column of such values holds, "number", "text" or "truth"; None where it can be in none."""
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int | float):
        return "number" if abs(value) <= LARGEST or (isinstance(value, float) and math.isfinite(value)) else None
    if isinstance(value, str):
        return "text" if value and len(value) <= LONGEST else None
    if isinstance(value, list) and value:
        inner = [None if isinstance(one, list) else kind_of(one) for one in value]
        return "text" if None not in inner and len(", ".join(map(str, value))) <= LONGEST else None
    return None


def columns_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as the table of a map takes them: lists are lists of texts."""
    return {
        name: [str(one) for one in value] if isinstance(value, list) else value for name, value in attributes.items()
    }

"""The files of a finished atlas, read and verified; nothing is written."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ValidationError

from qre.errors import UserError
from qre.schemas import ATLAS, UNSTATED, NewerSchema, check

if TYPE_CHECKING:
    from typing import Self  # Python 3.10 has none

Settings = TypeVar("Settings", bound=BaseModel)
MANIFEST = "manifest.json"
# a store that does not answer is another matter
ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)


class AtlasFiles:
    """The manifest of an atlas, and its files, each verified against the sha256 that the manifest tells.

    Args:
        source: the folder, or what gives the bytes of a file by its name and raises FileNotFoundError where there is
            none.
        where: what the atlas is called in errors; default: the folder.

    Attributes:
        manifest: as it stands in manifest.json.

    Raises:
        UserError: no manifest there, or none of an atlas.
    """

    def __init__(self, source: str | os.PathLike | Callable[[str], bytes], where: str = ""):
        self.where = where or ("the atlas" if callable(source) else os.fspath(source))
        self._bytes_of = source if callable(source) else lambda file: (Path(source) / file).read_bytes()
        try:
            self.manifest = json.loads(self._bytes_of(MANIFEST))
            check(MANIFEST, self.manifest.get("schema", UNSTATED), ATLAS, place="map")
            self._digests = {file: entry["sha256"] for file, entry in self.manifest["files"].items()}
        except ABSENT as error:
            raise UserError(
                f"{self.where}: no finished map there ({MANIFEST}: {error.strerror}); name the folder that a sweep "
                f"exports"
            ) from None
        except NewerSchema as error:
            raise UserError(f"{self.where}: {error}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError(
                f"{self.where}: its {MANIFEST} is damaged or of another version; copy or make the atlas again"
            ) from None

    @classmethod
    def in_memory(cls, files: Mapping[str, bytes], manifest: Mapping[str, object]) -> Self:
        """Those of an atlas that is not written yet; its manifest as it will be, but for the files."""
        told = {file: {"sha256": hashlib.sha256(content).hexdigest()} for file, content in files.items()}
        held = {**files, MANIFEST: json.dumps({**manifest, "files": told}).encode()}
        return cls(held.__getitem__)

    @property
    def names(self) -> list[str]:
        """Of the files that the manifest lists; without the manifest."""
        return list(self._digests)

    def has(self, file: str) -> bool:
        """Whether the atlas has a file of this name."""
        return file in self._digests

    def read(self, file: str) -> bytes:
        """The bytes of a file.

        Raises:
            UserError: the atlas has none of this name, it cannot be read, or its content has changed.
        """
        if file not in self._digests:
            raise UserError(f"{self.where}: this atlas has no {file}; make it again with this version")
        try:
            content = self._bytes_of(file)
        except ABSENT as error:
            raise UserError(
                f"{self.where}: this folder lacks {file} ({error.strerror}), which its manifest lists; copy the map "
                f"with all its files, or name the config: --atlas CONFIG"
            ) from None
        if hashlib.sha256(content).hexdigest() != self._digests[file]:
            raise UserError(
                f"{self.where}: {file} is damaged (content does not match the checksum in {MANIFEST}); copy or make "
                f"the atlas again"
            )
        return content

    def parquet(self, file: str) -> pa.Table:
        """A table; UserError as `read`, or where the file is no Parquet."""
        content = self.read(file)
        try:
            return pq.read_table(pa.BufferReader(content), page_checksum_verification=True)
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"{self.where}: {file}: not a Parquet file: {error}") from None

    def table_or_empty(self, file: str, columns: Sequence[str]) -> pd.DataFrame:
        """A table with these columns at least, empty where the atlas has no such file; UserError where it lacks one."""
        if not self.has(file):
            return pd.DataFrame(columns=list(columns))
        table = self.parquet(file).to_pandas()
        missing = [column for column in columns if column not in table]
        if missing:
            raise UserError(
                f"{self.where}: {file} has no column {missing[0]!r}; make the atlas again with this version"
            )
        return table

    def settings(self, record: type[Settings], values: object, place: str) -> Settings:
        """Values of the manifest as a record; UserError where this version does not understand them."""
        try:
            return record.model_validate(values)
        except ValidationError as error:
            problem = error.errors()[0]
            told = ".".join([place, *map(str, problem["loc"])])
            raise UserError(
                f"{self.where}: {MANIFEST}: {told}: {problem['msg']}; the atlas is of another version: make it again"
            ) from None

"""What a folder and a bucket have in common: names that cannot leave the root, and files that appear whole or not at all."""

from __future__ import annotations

import logging
import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import PurePosixPath
from typing import BinaryIO, TypeVar

from qre.errors import PlaceError, UserError

log = logging.getLogger(__name__)
PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=+-]{0,199}")  # of a path below the root: nothing that climbs, hides or needs quoting
Item, Result = TypeVar("Item"), TypeVar("Result")


class CorruptArtefact(Exception):
    """An artefact failed its checksum or could not be parsed; it has been moved to quarantine/ and counts as absent."""


def parts(name: str) -> tuple[str, ...]:
    """The parts of a name.

    Raises:
        ValueError: the name could point outside the root.
    """
    found = PurePosixPath(name).parts
    if not found or not all(PART.fullmatch(part) for part in found):
        raise ValueError(f"not a name inside the store: {name!r}")
    return found


class Files(ABC):
    """Files below one root, each there as a whole or not at all.

    Names are relative, with "/" between parts, each part of [A-Za-z0-9._=+-]: no name can point outside the root.
    """

    @abstractmethod
    def exists(self, name: str) -> bool: ...

    @abstractmethod
    def read(self, name: str) -> bytes:
        """The bytes of a file; FileNotFoundError where there is none."""

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """A file to read parts of, with seek and read; FileNotFoundError where there is none."""

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Write a file so that a reader, or a crash at any moment, sees the old file, none, or the whole new one."""

    def advise(self, name: str, content: bytes, tell: Callable[[str], None] = log.warning) -> None:
        """Write a record that nothing depends on (progress, speeds, runs, notices). Where that fails it is told, once for each kind, and no more."""
        try:
            self._write_once(name, content)
        except (OSError, UserError, PlaceError) as error:
            kind = name.partition("/")[0]
            if kind not in self._missed:
                self._missed.add(kind)
                tell(f"{kind} is not recorded: {error}; the work goes on")

    def _write_once(self, name: str, content: bytes) -> None:
        """As write, without much patience."""
        self.write(name, content)

    @cached_property
    def _missed(self) -> set[str]:
        """Kinds of records that could not be written."""
        return set()

    @abstractmethod
    def names(self, prefix: str) -> Iterator[str]:
        """Names of the files below a prefix folder, in the order of a walk: files before folders, each sorted."""

    @abstractmethod
    def sizes(self, prefix: str) -> dict[str, int]:
        """Bytes of the files below a prefix folder, by name."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""

    @abstractmethod
    def remove_folder(self, prefix: str) -> None:
        """Remove the files of a folder and the folder; files of others that appear meanwhile are left."""

    @abstractmethod
    def _move(self, name: str, target: str) -> None:
        """Move a file, if it is still there."""

    def map(self, function: Callable[[Item], Result], items: Iterable[Item], width: int = 1) -> list[Result]:
        """function of each item, in order; a bucket does up to `width` of them at once."""
        return [function(item) for item in items]

    def read_many(self, names: Iterable[str]) -> dict[str, bytes]:
        """The bytes of many small files, by name; those that are absent are left out."""

        def content(name: str) -> bytes | None:
            try:
                return self.read(name)
            except FileNotFoundError:
                return None

        names = list(dict.fromkeys(names))
        contents = self.map(content, names, width=32)
        return {name: content for name, content in zip(names, contents, strict=True) if content is not None}

    def write_many(self, contents: dict[str, bytes]) -> None:
        """Write many small files, each as `write` does."""
        self.map(lambda name: self.write(name, contents[name]), contents, width=32)

    def quarantine(self, name: str, reason: str) -> CorruptArtefact:
        """Move a corrupt file to quarantine/ and return the error to raise."""
        target = f"quarantine/{name.replace('/', '+')[-120:]}+{uuid.uuid4().hex[:8]}"
        self._move(name, target)
        return CorruptArtefact(f"{name}: {reason}; moved to {target}")

    def remove_stale(self) -> int:
        """Remove what killed writers left behind; returns how many files."""
        return 0

"""What a folder and a bucket have in common: names that cannot leave the root, and files that appear whole or not at
all."""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import os
import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import TypeVar

from qre.errors import MENDS, PlaceError, StoreRefused, UserError
from qre.store.shelves import NAME, SHELVES, TEMPORARY, is_artefact

log = logging.getLogger(__name__)
PART = re.compile(NAME)  # of a path below the root: nothing that climbs, hides or needs quoting
# why one file cannot be read while others can
OF_ONE_FILE = {errno.EACCES, errno.EPERM, errno.EIO, errno.ELOOP, errno.EBADMSG}
SHOWN = 3  # names in a note
Item = TypeVar("Item")
Result = TypeVar("Result")


class CorruptArtefact(Exception):
    """An artefact failed its checksum or could not be parsed; it has been moved to quarantine/ and counts as absent.

    Attributes:
        moved: False where this process only looks, so that it stands where it stood.
    """

    moved = True


class CorruptAsSeen(CorruptArtefact):
    """The same, seen by one who only looks: nothing was moved."""

    moved = False


class UnreadableArtefact(PlaceError):
    """One file that is there and cannot be read: rights, a bad sector. It costs what needs it, and nothing else."""


UNREADABLE = (UnreadableArtefact, StoreRefused)


@dataclass
class Seen:
    """What a reader came across and left alone.

    Attributes:
        strays: what is not this program's; by name, where it is a folder with a slash at the end.
        unread: name -> why it cannot be read.
        damaged: name -> why it does not count; only of one who only looks.
        newer: advisory records of a newer version, which count as absent.
    """

    strays: dict[str, None] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)
    newer: dict[str, None] = field(default_factory=dict)

    def notes(self) -> list[str]:
        """A line for each kind; names of strangers are escaped."""
        notes = [
            f"{name} is damaged ({why}) and left as it is; a sweep that reads it makes it again"
            for name, why in self.damaged.items()
        ]
        notes += [f"{why}; it counts as absent" for why in self.unread.values()]
        if self.newer:
            notes.append(
                f"{_listed(self.newer)} {'is' if len(self.newer) == 1 else 'are'} of a newer version of this program, "
                f"not read and left alone"
            )
        if self.strays:
            one = len(self.strays) == 1
            notes.append(
                f"{len(self.strays)} file{' that is' if one else 's that are'} not this program's "
                f"{'is' if one else 'are'} left alone: {_listed(self.strays)}"
            )
        return notes


def _listed(names: Iterable[str]) -> str:
    names = sorted(names)
    return ", ".join(ascii(name)[1:-1][:120] for name in names[:SHOWN]) + (
        f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    )


@contextlib.contextmanager
def reading(name: str) -> Iterator[None]:
    """Around the reading of one file: what is called like it and is no file is absent, and a fault of this file alone
    is told as such."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in (errno.EISDIR, errno.ENOTDIR):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name) from None
        if error.errno not in OF_ONE_FILE:
            raise
        raise UnreadableArtefact(
            f"{name} cannot be read: {os.strerror(error.errno)}"
            + (f"; {MENDS[error.errno]}" if error.errno in MENDS else "")
        ) from error


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

    Attributes:
        read_only: nothing is written, moved or removed, whatever is asked for.
        seen: what was come across and left alone.
    """

    read_only = False

    def __init__(self) -> None:
        self.seen = Seen()

    @abstractmethod
    def exists(self, name: str) -> bool: ...

    @abstractmethod
    def read(self, name: str) -> bytes:
        """The bytes of a file; FileNotFoundError where there is none, one of UNREADABLE where it cannot be read and
        others can."""

    @abstractmethod
    def open(self, name: str) -> io.IOBase:
        """A file to read parts of, with seek and read; errors as `read`."""

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Write a file so that a reader, or a crash at any moment, sees the old file, none, or the whole new one."""

    def advise(self, name: str, content: bytes, tell: Callable[[str], None] = log.warning) -> None:
        """Write a record that nothing depends on (progress, speeds, runs, notices). Where that fails it is told, once
        for each kind, and no more."""
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

    @contextlib.contextmanager
    def alone(self, prefix: str) -> Iterator[bool]:
        """Around a look and a write that no other process may come between, of what lies below a prefix folder. False:
        that is not to be had here."""
        yield False

    @abstractmethod
    def names(self, prefix: str) -> Iterator[str]:
        """Names of the artefacts below a prefix folder, in the order of a walk: files before folders, each sorted. What
        is not this program's is noted."""

    @abstractmethod
    def sizes(self, prefix: str) -> dict[str, int]:
        """Bytes of what `names` gives, by name."""

    @abstractmethod
    def look_at_root(self) -> None:
        """Note what lies beside the shelves."""

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
        """The bytes of many small files, by name; those that are absent, or cannot be read, which is noted, are left
        out."""

        def content(name: str) -> bytes | None:
            try:
                return self.read(name)
            except FileNotFoundError:
                return None
            except UNREADABLE as error:
                self.seen.unread[name] = str(error)
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

    def _is_ours(self, name: str) -> bool:
        """Whether a listed file is an artefact; what is not is noted, but for what is not whole yet."""
        if is_artefact(name):
            return True
        if not TEMPORARY.fullmatch(name.rpartition("/")[2]):
            self.seen.strays[name] = None
        return False

    def _note_roots(self, entries: Iterable[tuple[str, bool]]) -> None:
        """`entries` lie at the root: (name, whether it is a folder)."""
        for name, is_folder in entries:
            if not (is_folder and name in SHELVES):
                self.seen.strays[f"{name}/" if is_folder else name] = None


class LooksOnly(Files):
    """Before Folder or Bucket in a class's bases: whoever asks to write, to move or to remove is not obeyed, and what
    is damaged stays where it is."""

    read_only = True

    def write(self, name: str, content: bytes) -> None:
        parts(name)

    def remove(self, name: str) -> None:
        parts(name)

    def remove_folder(self, prefix: str) -> None:
        parts(prefix)

    def _move(self, name: str, target: str) -> None:
        parts(name)

    def quarantine(self, name: str, reason: str) -> CorruptArtefact:
        self.seen.damaged[name] = reason.splitlines()[0][:200] if reason else "not readable"
        return CorruptAsSeen(f"{name}: {reason}; left where it is, since nothing is changed by looking")

    def remove_stale(self) -> int:
        return 0

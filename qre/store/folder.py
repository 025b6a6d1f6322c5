"""Atomic reads and writes below one folder, and canonical JSON."""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from qre.store.files import Files, parts

STALE_SECONDS = 3600  # a temporary file older than this was left by a process that was killed


def canonical_json(value) -> str:
    """One text for one value: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_key(value) -> str:
    """sha256 (hex) of the canonical JSON of a value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


class Folder(Files):
    """A local folder: a file is written under a temporary name, synced and renamed."""

    def __init__(self, root: str | os.PathLike):
        self.root = Path(root)

    def path(self, name: str) -> Path:
        """The place of a name; ValueError where it could point outside the root."""
        return self.root.joinpath(*parts(name))

    def exists(self, name: str) -> bool:
        return self.path(name).is_file()

    def read(self, name: str) -> bytes:
        return self.path(name).read_bytes()

    def open(self, name: str) -> BinaryIO:
        return open(self.path(name), "rb")

    def write(self, name: str, content: bytes) -> None:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
        try:
            with open(temporary, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)

    def names(self, prefix: str) -> Iterator[str]:
        """As Files.names; temporary files are not seen."""
        base = self.path(prefix)
        for folder, folders, files in os.walk(base):
            folders.sort()
            relative = PurePosixPath(prefix, Path(folder).relative_to(base).as_posix())
            yield from (str(relative / file) for file in sorted(files) if not file.startswith("."))

    def sizes(self, prefix: str) -> dict[str, int]:
        found = {}
        for name in self.names(prefix):
            try:
                found[name] = self.path(name).stat().st_size
            except FileNotFoundError:  # removed meanwhile
                continue
        return found

    def remove(self, name: str) -> None:
        self.path(name).unlink(missing_ok=True)

    def remove_folder(self, prefix: str) -> None:
        base = self.path(prefix)
        for name in list(self.names(prefix)):
            self.remove(name)
        for folder, _, _ in os.walk(base, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:  # not empty: another sweep is writing here
                return

    def _move(self, name: str, target: str) -> None:
        path = self.path(target)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.replace(self.path(name), path)
        except FileNotFoundError:  # another process did it first
            pass

    def remove_stale(self) -> int:
        """Remove temporary files that killed processes left behind; returns how many."""
        removed = 0
        limit = time.time() - STALE_SECONDS
        for temporary in self.root.rglob(".*.tmp"):
            try:
                if temporary.stat().st_mtime < limit:
                    temporary.unlink()
                    removed += 1
            except FileNotFoundError:
                continue
        return removed


def _sync_folder(folder: Path) -> None:
    """Make a rename durable: the folder's own entry is data too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

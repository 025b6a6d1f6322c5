"""Atomic reads and writes below one folder, and canonical JSON."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=+-]{0,199}")  # of a path below the root: nothing that climbs, hides or needs quoting
STALE_SECONDS = 3600  # a temporary file older than this was left by a process that was killed


class CorruptArtefact(Exception):
    """An artefact failed its checksum or could not be parsed; it has been moved to quarantine/ and counts as absent."""


def canonical_json(value) -> str:
    """One text for one value: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_key(value) -> str:
    """sha256 (hex) of the canonical JSON of a value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


class Folder:
    """A local folder whose files appear whole or not at all.

    Names are relative, with "/" between parts, each part of [A-Za-z0-9._=+-]: no name can point outside the root.
    """

    def __init__(self, root: str | os.PathLike):
        self.root = Path(root)

    def path(self, name: str) -> Path:
        """The place of a name.

        Raises:
            ValueError: the name could point outside the root.
        """
        parts = PurePosixPath(name).parts
        if not parts or not all(PART.fullmatch(part) for part in parts):
            raise ValueError(f"not a name inside the store: {name!r}")
        return self.root.joinpath(*parts)

    def exists(self, name: str) -> bool:
        return self.path(name).is_file()

    def read(self, name: str) -> bytes:
        """The bytes of a file; FileNotFoundError where there is none."""
        return self.path(name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """Write a file so that a reader, or a crash at any moment, sees the old file, none, or the whole new one."""
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
        """Names of the files below a prefix folder, sorted; temporary ones are not seen."""
        base = self.path(prefix)
        for folder, folders, files in os.walk(base):
            folders.sort()
            relative = PurePosixPath(prefix, Path(folder).relative_to(base).as_posix())
            yield from (str(relative / file) for file in sorted(files) if not file.startswith("."))

    def remove(self, name: str) -> None:
        self.path(name).unlink(missing_ok=True)

    def remove_folder(self, prefix: str) -> None:
        """Remove the files of a folder and the folder; files of others that appear meanwhile are left."""
        base = self.path(prefix)
        for name in list(self.names(prefix)):
            self.remove(name)
        for folder, _, _ in os.walk(base, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:  # not empty: another sweep is writing here
                return

    def quarantine(self, name: str, reason: str) -> CorruptArtefact:
        """Move a corrupt file to quarantine/ and return the error to raise."""
        target = self.path(f"quarantine/{name.replace('/', '+')[-120:]}+{uuid.uuid4().hex[:8]}")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.replace(self.path(name), target)
        except FileNotFoundError:  # another process did it first
            pass
        return CorruptArtefact(f"{name}: {reason}; moved to {target.relative_to(self.root)}")

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

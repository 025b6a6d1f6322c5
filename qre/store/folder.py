"""Atomic reads and writes below one folder, and canonical JSON."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import io
import json
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from qre.errors import PlaceError
from qre.store.files import Files, parts, reading
from qre.store.shelves import SHELVES, TEMPORARY, may_hold

NO_SYNC = {
    errno.EINVAL,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EBADF,
    errno.EACCES,
    errno.EPERM,
    errno.EISDIR,
    errno.ENOTTY,
}
NO_RENAME = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, errno.EXDEV}
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
        super().__init__()
        self.root = Path(root)

    def path(self, name: str) -> Path:
        """The place of a name; ValueError where it could point outside the root."""
        return self.root.joinpath(*parts(name))

    def exists(self, name: str) -> bool:
        return self.path(name).is_file()

    def read(self, name: str) -> bytes:
        path = self.path(name)
        with reading(name):
            return path.read_bytes()

    def open(self, name: str) -> io.BufferedReader:
        path = self.path(name)
        with reading(name):
            return open(path, "rb")

    def write(self, name: str, content: bytes) -> None:
        """As Files.write.

        Raises:
            PlaceError: the file system cannot rename, or something that is not ours stands in the way; other faults of
                the disk are an OSError.
        """
        path = self.path(name)
        self._make_folder(path.parent)
        temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
        try:
            with open(temporary, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            _rename(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):  # the first error is the one to tell
                temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)

    @contextlib.contextmanager
    def alone(self, prefix: str) -> Iterator[bool]:
        """As Files.alone, by a lock on the folder, which the kernel lets go of when its process dies; network file
        systems may have none."""
        self._make_folder(self.path(prefix))
        descriptor = os.open(self.path(prefix), os.O_RDONLY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                locked = True
            except OSError:
                locked = False
            yield locked
        finally:
            os.close(descriptor)

    def names(self, prefix: str) -> Iterator[str]:
        """As Files.names; temporary files are not seen."""
        self.path(prefix)
        return (name for name in self._walk(prefix) if self._is_ours(name))

    def sizes(self, prefix: str) -> dict[str, int]:
        found = {}
        for name in self.names(prefix):
            try:
                found[name] = self.path(name).stat().st_size
            except FileNotFoundError:  # removed meanwhile
                continue
        return found

    def look_at_root(self) -> None:
        with contextlib.suppress(OSError), os.scandir(self.root) as entries:
            self._note_roots((entry.name, entry.is_dir()) for entry in entries)

    def remove(self, name: str) -> None:
        self.path(name).unlink(missing_ok=True)

    def remove_folder(self, prefix: str) -> None:
        base = self.path(prefix)
        for name in list(self.names(prefix)):
            self.remove(name)
        for folder, _, _ in os.walk(base, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:  # not empty: another sweep is writing here, or there is something that is not ours
                return

    def remove_stale(self) -> int:
        """Remove temporary files that killed processes left behind; returns how many."""
        removed = 0
        limit = time.time() - STALE_SECONDS
        for name in (name for shelf in SHELVES for name in self._walk(shelf)):
            if TEMPORARY.fullmatch(name.rpartition("/")[2]):
                with contextlib.suppress(OSError):  # a snapshot that is read-only, or another process was faster
                    temporary = self.root / name
                    if temporary.stat().st_mtime < limit:
                        temporary.unlink()
                        removed += 1
        return removed

    def _walk(self, prefix: str) -> Iterator[str]:
        """Names of regular files, files before folders, each sorted. A folder that cannot be ours, or that cannot be
        looked into, is noted."""
        try:
            with os.scandir(self.root / prefix) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            self.seen.unread[prefix] = f"{prefix} cannot be looked into: {error.strerror}"
            return
        folders = [entry for entry in found if entry.is_dir(follow_symlinks=False)]
        for entry in (entry for entry in found if not entry.is_dir(follow_symlinks=False)):
            if _is_file(entry):
                yield f"{prefix}/{entry.name}"
            else:  # a pipe would never end, a link leads nowhere or to a folder elsewhere
                self.seen.strays[f"{prefix}/{entry.name}"] = None
        for name in (f"{prefix}/{folder.name}" for folder in folders):
            if may_hold(name):
                yield from self._walk(name)
            else:
                self.seen.strays[f"{name}/"] = None

    def _make_folder(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise PlaceError(f"{error.filename}: a file is where the store needs a folder; move it away") from error

    def _move(self, name: str, target: str) -> None:
        path = self.path(target)
        self._make_folder(path.parent)
        try:
            _rename(self.path(name), path)
        except FileNotFoundError:  # another process did it first
            pass


def _is_file(entry: os.DirEntry) -> bool:
    """Also behind a link; False where the link leads nowhere, or round in a circle."""
    try:
        return entry.is_file()
    except OSError:
        return False


def _rename(old: Path, new: Path) -> None:
    """Rename at once; PlaceError where the file system cannot, or where a folder is called so."""
    try:
        os.replace(old, new)
    except OSError as error:
        if error.errno in (errno.EISDIR, errno.ENOTEMPTY) or new.is_dir():
            raise PlaceError(f"{new}: a folder is where the store needs a file; move it away") from error
        if error.errno in NO_RENAME:
            raise PlaceError(
                f"{new}: this mount cannot rename files here ({os.strerror(error.errno)}), so nothing can be written "
                f"in one piece; "
                "use a bucket address (s3://, gs://) instead of the mount, or another folder"
            ) from error
        raise


def _sync_folder(folder: Path) -> None:
    """Make a rename durable: the folder's own entry is data too. File systems that know no such thing have it so by
    themselves, or never."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        if error.errno in NO_SYNC:
            return
        raise
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise
    finally:
        os.close(descriptor)

"""Locks on the snapshots of the hub's cache, between all processes of a node. The kernel lets go of one when its
process dies, however it dies.

They are files beside the snapshots, open to all users where the cache is shared. Where the cache cannot be written, a
lock file that stands there is taken for reading, which is enough to hold it; where there is none, or the file system
gives no locks, they are files of this user in the machine's temporary folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from qre.errors import PlaceError

FOLDER = ".qre-locks"
SHARED = stat.S_IWGRP | stat.S_IWOTH


@contextlib.contextmanager
def locked(cache: Path, repository: str, revision: str) -> Iterator[int]:
    """A descriptor to take the lock of a snapshot with (flock); nothing is locked yet.

    Raises:
        PlaceError: nowhere on this machine can this user write a lock.
    """
    descriptor = _open(cache, _name(repository, revision))
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def touch(lock: int) -> None:
    """Say that the snapshot is used now, where this user may."""
    with contextlib.suppress(OSError):
        os.utime(lock)


def last_used(cache: Path, repository: str, revision: str) -> float | None:
    """When a snapshot was used last, seconds since the epoch; None where nobody said."""
    times = []
    for folder in (cache / FOLDER, _own_folder(cache)):
        with contextlib.suppress(OSError):
            times.append((folder / _name(repository, revision)).stat().st_mtime)
    return max(times, default=None)


def _name(repository: str, revision: str) -> str:
    return f"{hashlib.sha256(repository.encode()).hexdigest()[:32]}-{revision}"


def _open(cache: Path, name: str) -> int:
    shared = cache / FOLDER
    for ways in ((shared, os.O_RDWR | os.O_CREAT), (shared, os.O_RDONLY), (_own_folder(cache), os.O_RDWR | os.O_CREAT)):
        descriptor = -1
        try:
            descriptor = _opened(*ways, name)
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # a file system that gives no locks says so now
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            return descriptor
        except BlockingIOError:  # held by another: so there are locks
            return descriptor
        except OSError as error:
            why = error
            if descriptor >= 0:
                os.close(descriptor)
    raise PlaceError(
        f"no lock can be written, neither in {shared} nor in {_own_folder(cache)}: {why.strerror}; set TMPDIR to a "
        f"folder of your own"
    )


def _opened(folder: Path, flags: int, name: str) -> int:
    if not flags & os.O_CREAT:
        return os.open(folder / name, flags | os.O_NOFOLLOW)
    own = folder.name != FOLDER
    if not folder.is_dir():
        folder.mkdir(mode=0o700 if own else 0o777, parents=True, exist_ok=True)
        if not own and (shared := folder.parent.stat().st_mode & SHARED):
            # whatever the umask; not sticky, or the kernel would not open another user's lock for writing
            os.chmod(folder, 0o755 | shared)
    if own and (folder.is_symlink() or folder.stat().st_uid != os.getuid()):
        raise PermissionError(13, "belongs to another user", str(folder))
    descriptor = os.open(folder / name, flags | os.O_NOFOLLOW, 0o666)
    if not own and folder.stat().st_mode & SHARED:
        with contextlib.suppress(PermissionError):  # another user's, who has done it
            os.fchmod(descriptor, 0o666)
    return descriptor


def _own_folder(cache: Path) -> Path:
    """A folder of this user, for the locks of one cache."""
    digest = hashlib.sha256(str(cache.absolute()).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"qre-locks-{os.getuid()}-{digest}"

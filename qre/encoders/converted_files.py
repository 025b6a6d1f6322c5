"""Weights that were converted from pickles, in the hub's cache of this node: one safetensors file for each pickle, by
the sha256 of both. Locks on them are as those of snapshots."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from functools import lru_cache
from pathlib import Path

from qre.encoders.folders import sha256_of
from qre.encoders.locks import SHARED

FOLDER = ".qre-converted"  # also what stands for a repository in the names of locks; no repository can be called so
_ENTRY = re.compile(r"([0-9a-f]{64})(-[0-9a-f]{64}\.safetensors|\.\d+\.partial)")


def find(cache: Path, sha256: str) -> Path | None:
    """The file that a pickle was converted to; None where there is none."""
    return next((path for path in _entries(cache, sha256) if path.suffix == ".safetensors"), None)


def is_whole(file: Path) -> bool:
    """Whether a converted file holds what the digest in its name says. It is read once in a process, until it changes:
    a place in a cache is for all who may write there, and disks rot."""
    about = file.stat()
    return _digest(file, about.st_size, about.st_mtime_ns, about.st_ino) == stated_digest(file)


def stated_digest(file: Path) -> str:
    """The sha256 (hex) that the name of a converted file states."""
    return file.stem.rpartition("-")[2]


def place_for(cache: Path, sha256: str, digest: str) -> Path:
    """Where the file that a pickle was converted to belongs.

    Args:
        digest: its own sha256.
    """
    return cache / FOLDER / f"{sha256}-{digest}.safetensors"


def scratch_for(cache: Path, sha256: str) -> Path:
    """An empty folder of this user for the conversion of a pickle, whose lock is held exclusively; what an earlier one
    has left is removed.

    Raises:
        OSError: it cannot be made.
    """
    folder, scratch = cache / FOLDER, cache / FOLDER / f"{sha256}.{os.getuid()}.partial"
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        if shared := folder.parent.stat().st_mode & SHARED:
            with contextlib.suppress(PermissionError):  # another user's, who has done it
                os.chmod(folder, 0o755 | shared)
    if scratch.exists():
        shutil.rmtree(scratch)
    scratch.mkdir(mode=0o700)
    return scratch


def kept_bytes(cache: Path) -> dict[str, tuple[int, float]]:
    """sha256 of each pickle -> bytes of what was made of it, and when (seconds since the epoch)."""
    told: dict[str, tuple[int, float]] = {}
    for path in _entries(cache, "*"):
        for file in path.rglob("*") if path.is_dir() else (path,):
            with contextlib.suppress(OSError):
                about = file.stat()
                size, when = told.get(path.name[:64], (0, 0.0))
                told[path.name[:64]] = size + about.st_size, max(when, about.st_mtime)
    return told


def remove(cache: Path, sha256: str) -> bool:
    """Remove what was made of a pickle, whose lock is held exclusively; whether that was possible."""
    for path in list(_entries(cache, sha256)):
        with contextlib.suppress(OSError):  # another user's
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return not any(_entries(cache, sha256))


@lru_cache(maxsize=256)
def _digest(file: Path, size: int, changed: int, inode: int) -> str:
    return sha256_of(file)


def _entries(cache: Path, sha256: str):
    return (path for path in (cache / FOLDER).glob(f"{sha256}[-.]*") if _ENTRY.fullmatch(path.name))

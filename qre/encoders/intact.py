"""Whether the files of an encoder on this node are those that were planned: else what fails, or comes out wrong, is the
node's fault."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path

from qre.encoders.converted_files import find, stated_digest
from qre.encoders.folders import look_at_folder, sha256_of
from qre.encoders.snapshots import cache_folder, discard, snapshot_here
from qre.encoders.spec import EncoderSpec, FolderSpec, HubSpec, ModelSpec
from qre.errors import EncoderError, PlaceError, UserError

# how the hub's cache names a file: by git's sha1 of it, or where it is large by its sha256
BLOB = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def check_intact(spec: EncoderSpec) -> None:
    """Look whether an encoder's folder, or its snapshot, holds on this node what was planned. Reads all of it, once in
    a process.

    A damaged file of a snapshot, or of converted weights, is removed from the cache, so that the next try makes it
    anew.

    Raises:
        PlaceError: it does not.
    """
    if isinstance(spec, FolderSpec):
        _check_folder(spec.path, spec.revision, spec.native, spec.plain, spec.pickles, spec.base_path)
    elif isinstance(spec, HubSpec):
        _check_snapshot(spec.id, spec.revision)
        if spec.base is not None:
            _check_snapshot(*spec.base)
    if isinstance(spec, ModelSpec):
        _check_converted(spec.pickles)


@lru_cache(maxsize=16)
def _check_folder(
    path: str, revision: str, native: bool, plain: bool, pickles: tuple[tuple[str, str], ...], base: str | None
) -> None:
    try:
        here = look_at_folder(path, native, plain, bool(pickles), base)
    except UserError as error:  # of its own folder, or of its base's
        raise PlaceError(f"{error} on this node; mount it there as where the sweep was planned") from None
    except EncoderError as error:  # it was an encoder when it was planned
        raise PlaceError(f"{path} on this node is not what was planned: {error}") from None
    if (here.revision, here.pickles) != (revision, pickles):
        raise PlaceError(
            f"{path} on this node is not what was planned: files of it differ; make it the same on all nodes, and run "
            f"the same command again"
        )


@lru_cache(maxsize=16)
def _check_snapshot(repository: str, revision: str) -> None:
    path = snapshot_here(repository, revision)
    if path is not None and (broken := _damaged(path)) is not None:
        discard(broken)
        raise PlaceError(
            f"{broken.relative_to(path)} of {repository} was damaged in the hub's cache of this node; it is removed, "
            f"to be fetched again"
        )


@lru_cache(maxsize=16)
def _check_converted(pickles: tuple[tuple[str, str], ...]) -> None:
    for name, sha256 in pickles:
        file = find(cache_folder(), sha256)
        if file is not None and sha256_of(file) != stated_digest(file):
            file.unlink(missing_ok=True)
            raise PlaceError(
                f"what {name} was converted to was damaged in the hub's cache of this node; it is removed, to be made "
                f"again"
            )


def _damaged(snapshot: Path) -> Path | None:
    """The first file of a snapshot whose content is not what the cache's name of it says."""
    for file in sorted(snapshot.rglob("*")):
        blob = file.resolve()
        if file.is_symlink() and blob.is_file() and BLOB.fullmatch(blob.name) and _digest(blob) != blob.name:
            return file
    return None


def _digest(blob: Path) -> str:
    if len(blob.name) == 64:
        digest = hashlib.sha256()
    else:
        digest = hashlib.sha1(f"blob {blob.stat().st_size}\0".encode(), usedforsecurity=False)
    with open(blob, "rb") as stream:
        while block := stream.read(2**22):
            digest.update(block)
    return digest.hexdigest()

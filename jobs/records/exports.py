"""The copy of a finished atlas in a folder; whether it can be made is found before the work, not after it."""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from pathlib import Path

from jobs.config import SweepConfig
from qre.errors import PlaceError, UserError, place_error
from qre.schemas import NewerSchema
from qre.store import Atlases, Store
from qre.store.shelves import checked

PROBE_BYTES = 2**20  # that are written and removed: less than any atlas takes
MANIFEST = Atlases.MANIFEST


def check_export(folder: Path, store: Store, atlas: str, key: str = "export") -> None:
    """Write a file into the folder and remove it again; folders that are made for that are removed too.

    Args:
        atlas: its name; the map of another one in the folder is not written over.
        key: of the config or the option, for what is said.

    Raises:
        UserError: it is no folder, lies in the store, or holds something else.
        PlaceError: it cannot be written: rights, a disk that is full or read-only.
    """
    if store.is_local and Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(store.location)):
        raise UserError(f"{key}: {folder} is inside the store {store.location}; name a folder outside of it")
    if "://" in str(folder) or ":/" in str(folder)[:5]:
        raise UserError(
            f"{key}: {folder} is not a folder; the map in the store is copied to a folder of this machine, by qre "
            f"report --out too"
        )
    try:
        _check_kept(folder, atlas, key)
        _probe(folder)
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(
            f"{key}: {error.filename or folder} is a file, so {folder} cannot be a folder; name another"
        ) from None
    except OSError as error:
        if (fault := place_error(error)) is None:
            raise UserError(
                f"{key}: {folder} cannot be written: {error.strerror or error}; name another folder"
            ) from None
        raise PlaceError(f"{key}: {folder} cannot be written: {fault}") from error


def _check_kept(folder: Path, atlas: str, key: str) -> None:
    """UserError where what is in the folder is not to be written over."""
    try:
        content = (folder / MANIFEST).read_bytes()
    except FileNotFoundError:
        return
    except IsADirectoryError:
        raise UserError(f"{key}: {folder / MANIFEST} is a folder; name another folder") from None
    try:
        found = checked(f"atlases/{MANIFEST}", json.loads(content))
        name, _ = found["name"], found["identity"]
    except NewerSchema:
        raise UserError(
            f"{key}: the map in {folder} was written by a newer version of this program: update, or name another folder"
        ) from None
    except (ValueError, KeyError, TypeError):
        if not content.strip() or not _is_foreign(content):  # cut off: it is made again
            return
        raise UserError(
            f"{key}: the {MANIFEST} in {folder} is not of a map, and is not overwritten; name another folder"
        ) from None
    if name != atlas:
        raise UserError(
            f"{key}: {folder} holds the map {name!r}, and this one is {atlas!r}; name another folder, or remove that "
            f"one"
        )


def _is_foreign(content: bytes) -> bool:
    """Whether a manifest is whole, and of something else."""
    try:
        return not {"name", "identity"} <= json.loads(content).keys()
    except (ValueError, AttributeError):
        return False


def _probe(folder: Path) -> None:
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    probe = folder / f".{uuid.uuid4().hex}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with open(probe, "xb") as file:
                file.write(bytes(PROBE_BYTES))
                file.flush()
                os.fsync(file.fileno())
        finally:
            probe.unlink(missing_ok=True)
    finally:
        for one in made:
            with contextlib.suppress(OSError):  # never made, or somebody has put something there
                one.rmdir()


def export(settings: SweepConfig, store: Store, folder: Path) -> None:
    """Copy the atlas to a folder; files that are the same already are left alone.

    Raises:
        CorruptArtefact: a file failed its checksum; the atlas counts as absent, and the next sweep makes it again.
        FileNotFoundError: it is not there, or was made anew meanwhile.
    """
    manifest = finished_manifest(settings.name, store)
    folder.mkdir(parents=True, exist_ok=True)
    for file in [*manifest["files"], "manifest.json"]:
        content = store.atlases.read(settings.name, file)
        path = folder / file
        if not path.is_file() or path.read_bytes() != content:
            temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
            try:
                temporary.write_bytes(content)
                os.replace(temporary, path)
            except IsADirectoryError:
                raise UserError(f"{path} is a folder, and a file of the map has this name; move it away") from None
            finally:
                temporary.unlink(missing_ok=True)
    if finished_manifest(settings.name, store) != manifest:
        raise FileNotFoundError(f"the atlas {settings.name} was made again while it was copied")


def verify(settings: SweepConfig, store: Store) -> None:
    """Read every file of the atlas in the store; raises as `export`."""
    for file in finished_manifest(settings.name, store)["files"]:
        store.atlases.read(settings.name, file)


def finished_manifest(name: str, store: Store) -> dict:
    """The manifest of the atlas of this name; FileNotFoundError where it is not there."""
    manifest = store.atlases.manifest(name)
    if manifest is None:
        raise FileNotFoundError(f"the atlas {name} is not there, or is being made")
    return manifest

"""The copy of a finished atlas in a folder; whether it can be made is found before the work, not after it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

from jobs.config import SweepConfig
from qre.atlas.reader import AtlasFiles
from qre.errors import PlaceError, UserError, place_error
from qre.schemas import NewerSchema
from qre.store import Atlases, CorruptArtefact, Store
from qre.store.shelves import checked

PROBE_BYTES = 2**20  # that are written and removed: less than any atlas takes
MANIFEST = Atlases.MANIFEST
PAGE = "atlas.html"  # the map as one page for a browser
ORIGIN = "copied_from"  # in the manifest of a copy: the store and the config that it is of


def check_export(folder: Path, store: Store, atlas: str, key: str = "export") -> None:
    """Write a file into the folder and remove it again; folders that are made for that are removed too.

    Args:
        atlas: its name; another map in the folder is not written over.
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
    check_kept(folder, store, atlas, key)
    with _as_place(folder, key):
        _probe(folder)


def check_kept(folder: Path, store: Store, atlas: str, key: str, instead: str = "name another folder") -> None:
    """Nothing is written here: only what is in the folder is looked at.

    Args:
        instead: what a person can do where the folder holds something else.

    Raises:
        UserError: what is in the folder is not to be written over: no map, one of another name, of another config or
            of another store.
    """
    with _as_place(folder, key):
        kept = _kept(folder, key, instead)
    if kept is None:
        return
    if (name := kept["name"]) != atlas:
        raise UserError(
            f"{key}: {folder} holds the map {name!r}, and this one is {atlas!r}; {instead}, or remove the map there"
        )
    if not _is_copy_of(kept, store, atlas):
        owner = _mapping(_mapping(kept.get(ORIGIN)).get("owner")).get("file")
        made_by = f", made by {ascii(str(owner))[1:-1][:200]}" if owner else ""
        raise UserError(
            f"{key}: {folder} holds another map named {name!r}{made_by}, which is not of the store {store.location}; "
            f"{instead}, or remove the map there"
        )


@contextlib.contextmanager
def _as_place(folder: Path, key: str) -> Iterator[None]:
    """What the file system refuses, as a fault of this folder."""
    try:
        yield
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


def _kept(folder: Path, key: str, instead: str) -> dict | None:
    """The manifest of the map in a folder; None where there is none, or one that was cut off.

    Raises:
        UserError: it is of something else, or of a newer version.
    """
    try:
        content = (folder / MANIFEST).read_bytes()
    except FileNotFoundError:
        return None
    except IsADirectoryError:
        raise UserError(f"{key}: {folder / MANIFEST} is a folder; {instead}") from None
    try:
        found = checked(f"atlases/{MANIFEST}", json.loads(content))
        _ = found["name"], found["identity"]
        return found
    except NewerSchema:
        raise UserError(
            f"{key}: the map in {folder} was written by a newer version of this program: update, or {instead}"
        ) from None
    except (ValueError, KeyError, TypeError):
        if not content.strip() or not _is_foreign(content):  # cut off: it is made again
            return None
        raise UserError(
            f"{key}: the {MANIFEST} in {folder} is not of a map, and is not overwritten; {instead}"
        ) from None


def _is_copy_of(kept: dict, store: Store, atlas: str) -> bool:
    """Whether a copied map is of this store's atlas: copied from this store; or, where the store was moved or is seen
    under another path, of the config that owns the atlas, or of the same identity."""
    origin = _mapping(kept.get(ORIGIN))
    if origin.get("store") == _place_of(store):
        return True
    known, copied = _owner(store, atlas), _mapping(origin.get("owner"))
    if known is not None and any(known.get(part) and known[part] == copied.get(part) for part in ("place", "content")):
        return True
    made = store.atlases.manifest(atlas)
    return made is not None and made.get("identity") == kept["identity"]


def _origin(store: Store, atlas: str) -> dict:
    """What a copy says of where it comes from; it tells nobody a path."""
    return {"store": _place_of(store), "owner": _owner(store, atlas)}


def _place_of(store: Store) -> str:
    """sha256 (32 digits) of where a store is."""
    place = os.path.realpath(store.location) if store.is_local else store.location
    return hashlib.sha256(os.fsencode(place)).hexdigest()[:32]


def _owner(store: Store, atlas: str) -> dict | None:
    try:
        return store.owners.read(atlas)
    except NewerSchema:
        return None


def _mapping(value: object) -> dict:
    return value if isinstance(value, dict) else {}


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
    """Copy the atlas to a folder; files that are the same already are left alone. The manifest of the copy also says
    which store and config it is of. A page that the atlas in the store lacks is made for the copy.

    Raises:
        CorruptArtefact: a file failed its checksum; the atlas counts as absent, and the next sweep makes it again.
        FileNotFoundError: it is not there, or was made anew meanwhile.
    """
    manifest = finished_manifest(settings.name, store)
    folder.mkdir(parents=True, exist_ok=True)
    origin, made = _origin(store, settings.name), _page_to_make(settings.name, store, manifest)
    for file in [*dict.fromkeys([*manifest["files"], *made]), MANIFEST]:
        content = made[file] if file in made else store.atlases.read(settings.name, file)
        if file == MANIFEST:
            told = json.loads(content)
            files = {**told["files"], **{name: Atlases.entry(page) for name, page in made.items()}}
            content = json.dumps({**told, "files": dict(sorted(files.items())), ORIGIN: origin}, indent=1).encode()
        put(folder / file, content)
    if finished_manifest(settings.name, store) != manifest:
        raise FileNotFoundError(f"the atlas {settings.name} was made again while it was copied")


def put(path: Path, content: bytes) -> None:
    """Write a file as a whole, unless it is the same already; UserError where a folder has its name."""
    if path.is_file() and path.read_bytes() == content:
        return
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except IsADirectoryError:
        raise UserError(f"{path} is a folder, and a file of the map has this name; move it away") from None
    finally:
        temporary.unlink(missing_ok=True)


def _page_to_make(name: str, store: Store, manifest: dict) -> dict[str, bytes]:
    """The page, made of the other files of the atlas: where it was made by a version without pages, or where the page
    is damaged and this command may not have it made again. {} where it is there, or cannot be made: an atlas of an
    older version may lack what it shows.

    Raises:
        CorruptArtefact, FileNotFoundError: as `export`.
    """
    if PAGE in manifest["files"]:
        try:
            store.atlases.read(name, PAGE)
            return {}
        except CorruptArtefact as error:
            if error.moved:
                raise
    from qre.page import page_of  # slow to import

    try:
        return {PAGE: page_of(AtlasFiles(lambda file: store.atlases.read(name, file), f"the atlas {name}"))}
    except UserError as error:
        print(f"note: no page was made: {error}", file=sys.stderr)
        return {}


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

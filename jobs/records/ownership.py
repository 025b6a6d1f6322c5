"""Whose an atlas is: in a store that many share, its name belongs to the config that made it, and another config of
that name is refused."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from jobs import IN_A_JOB
from jobs.config import SweepConfig
from qre.errors import PlaceError, UserError
from qre.store import Store
from qre.store.folder import content_key

# of a config: those that make the map
MAP_KEYS = {"sentences", "encoders", "encode", "features", "tasks", "prediction", "atlas"}


@dataclass(frozen=True)
class Owner:
    """What tells one config from another: one that is edited stays itself by its place, one that is copied or moved by
    its content.

    Attributes:
        file: name of the config's file, for people.
        place: sha256 (32 digits) of where the file is; the store tells nobody the path.
        content: sha256 of what makes the map.
    """

    file: str
    place: str
    content: str

    def owns(self, known: dict) -> bool:
        """Whether a record in the store is of the same config."""
        return self.place == known.get("place") or self.content == known.get("content")


def place_of(config: Path) -> str:
    """Of a config's file, sha256 (32 digits). In a submitted job its working directory is a copy, so it is the path
    from there that counts.

    Links are not followed: a mounted ConfigMap is a link to another folder each time.
    """
    path = os.path.abspath(config)
    inside = os.path.relpath(path)
    if IN_A_JOB in os.environ and not inside.startswith(os.pardir):
        path = f"job:{inside}"
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:32]


def owner_of(
    settings: SweepConfig, config: Path, fingerprint: str, units: Iterable[str], place: str | None = None
) -> Owner:
    """The owner that a config is.

    Args:
        fingerprint: of its sentence set.
        units: keys of its units.
        place: of the file that a submitted one is a copy of.
    """
    content = settings.model_dump(mode="json", include=MAP_KEYS)
    return Owner(
        config.name,
        place or place_of(config),
        content_key({"config": content, "sentences": fingerprint, "units": sorted(units)}),
    )


def another(store: Store, atlas: str, owner: Owner) -> str:
    """The file of the other config that an atlas belongs to; "" where it belongs to this one, or to nobody yet."""
    known = store.owners.read(atlas)
    return "" if known is None or owner.owns(known) else ascii(str(known.get("file", "?")))[1:-1][:200]


def check_owner(store: Store, atlas: str, owner: Owner | None) -> None:
    """Refuse to touch what belongs to another config.

    Raises:
        UserError: with the way out.
    """
    if owner is not None and (other := another(store, atlas, owner)):
        raise UserError(
            f"name: the map {atlas!r} in {store.location} belongs to another config, {other}. Give {owner.file} "
            f"another name:. If it is the same config, renamed or moved, or if it should replace that map, use "
            "--take-over once"
        )


def claim(store: Store, atlas: str, owner: Owner, take_over: bool = False) -> None:
    """Write down that an atlas is this config's.

    Raises:
        UserError: it is another's, and is not to be taken over.
    """
    if not take_over:
        check_owner(store, atlas, owner)
    if store.owners.read(atlas) != asdict(owner):
        store.owners.write(atlas, asdict(owner))


def claim_finished(store: Store, atlas: str, owner: Owner) -> None:
    """Of a finished atlas that belongs to nobody yet, write down whose it is; where the store cannot be written,
    nothing is lost."""
    with contextlib.suppress(OSError, PlaceError):
        if store.owners.read(atlas) is None:
            store.owners.write(atlas, asdict(owner))

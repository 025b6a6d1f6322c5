"""Scores, speeds, failures, the progress of a sweep, and atlases."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qre.store.files import Files
from qre.store.folder import canonical_json


class Failure(BaseModel):
    """Why a unit could not be made.

    Attributes:
        remedy: what a person can do; "" where the message says it.
        node: where it failed, as people find it; "" where that is not known. Of what is believed only when it has come twice, both.
        kind: permanent (the encoder's own fault: trying again gives the same) or transient (the machine's: worth another try).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    encoder: str
    kind: Literal["permanent", "transient"]
    exception: str
    message: str
    remedy: str = ""
    attempts: int = 1
    node: str = ""
    when: str = Field(default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds"))


class Failures:
    """failures/<key>.json"""

    def __init__(self, folder: Files):
        self._folder = folder

    def write(self, failure: Failure) -> None:
        self._folder.write(f"failures/{failure.key}.json", failure.model_dump_json(indent=1).encode())

    def read_all(self) -> dict[str, Failure]:
        """Failures by unit key; a record that cannot be read is put in quarantine and counts as absent."""
        failures = {}
        for name, content in self._folder.read_many(self._folder.names("failures")).items():
            try:
                failure = Failure.model_validate_json(content)
                failures[failure.key] = failure
            except ValidationError as error:
                self._folder.quarantine(name, str(error))
        return failures

    def keys(self) -> set[str]:
        """Keys of all recorded failures: one listing."""
        return {name.rsplit("/", 1)[1].removesuffix(".json") for name in self._folder.names("failures")}

    def clear(self, key: str) -> None:
        self._folder.remove(f"failures/{key}.json")


class Scores:
    """scores/<task>/<unit key>.json: what one encoder scores on one task, by the task's fingerprint. The name alone says what is there."""

    def __init__(self, folder: Files):
        self._folder = folder

    @staticmethod
    def name(task: str, key: str) -> str:
        return f"scores/{task}/{key}.json"

    def pairs(self) -> set[tuple[str, str]]:
        """(task, unit key) of every score: one listing for all."""
        found = (tuple(name.removesuffix(".json").split("/")[1:]) for name in self._folder.names("scores"))
        return {pair for pair in found if len(pair) == 2}

    def write(self, task: str, key: str, record: dict) -> None:
        """Write a score with all that belongs to it: plain values without NaN."""
        content = {**record, "task": task, "key": key}
        self._folder.write(self.name(task, key), canonical_json({**content, "sha256": _digest(content)}).encode())

    def read(self, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], dict]:
        """The records of these (task, unit key).

        Raises:
            FileNotFoundError: one is not in the store.
            CorruptArtefact: one has changed; those are in quarantine.
        """
        pairs, found, corrupt = list(pairs), {}, None
        contents = self._folder.read_many(self.name(*pair) for pair in pairs)
        for pair in pairs:
            name = self.name(*pair)
            if name not in contents:
                raise FileNotFoundError(errno.ENOENT, "no such score", name)
            try:
                record = json.loads(contents[name])
                if record.pop("sha256") != _digest(record) or (record["task"], record["key"]) != pair:
                    raise ValueError("content does not match its checksum")
                found[pair] = record
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                corrupt = self._folder.quarantine(name, str(error))
        if corrupt is not None:
            raise corrupt
        return found


class Speeds:
    """speeds/<pass key>.json: how fast an encoder was when it last embedded: sentences, seconds, device, threads. They change with each run."""

    def __init__(self, folder: Files):
        self._folder = folder

    def write(self, pass_key: str, record: dict) -> None:
        self._folder.advise(f"speeds/{pass_key}.json", canonical_json(record).encode())

    def read(self, pass_keys: Iterable[str]) -> dict[str, dict]:
        """What is known, by pass; a record that cannot be read counts as absent."""
        names = {f"speeds/{key}.json": key for key in pass_keys}
        found = {}
        for name, content in self._folder.read_many(names).items():
            try:
                found[names[name]] = json.loads(content)
            except ValueError:
                continue
        return found


class Notices:
    """notices/<pass key>.json: what libraries warned of while an encoder was loaded; only where they did."""

    def __init__(self, folder: Files):
        self._folder = folder

    def write(self, pass_key: str, warnings: list[str]) -> None:
        self._folder.advise(f"notices/{pass_key}.json", canonical_json({"warnings": warnings}).encode())

    def read(self, pass_keys: Iterable[str]) -> dict[str, list[str]]:
        """What was warned of, by pass: one listing, and what it found; a record that cannot be read counts as absent."""
        names = {f"notices/{key}.json": key for key in pass_keys}
        found = {}
        for name, content in self._folder.read_many(name for name in self._folder.names("notices") if name in names).items():
            try:
                found[names[name]] = [str(text) for text in json.loads(content)["warnings"]]
            except (ValueError, KeyError, TypeError):
                continue
        return found


def _digest(record: dict) -> str:
    return hashlib.sha256(canonical_json(record).encode()).hexdigest()


class Progress:
    """progress/<sweep>.json: the last sign of life of a sweep, for those who watch it from elsewhere."""

    def __init__(self, folder: Files):
        self._folder = folder

    def write(self, sweep: str, state: dict) -> None:
        self._folder.write(f"progress/{sweep}.json", canonical_json(state).encode())

    def read(self, sweep: str) -> dict | None:
        try:
            return json.loads(self._folder.read(f"progress/{sweep}.json"))
        except (FileNotFoundError, ValueError):
            return None

    def names(self) -> list[str]:
        return [name.rsplit("/", 1)[1].removesuffix(".json") for name in self._folder.names("progress")]


class Atlases:
    """atlases/<name>/: the finished map. The manifest is written last, so an atlas with a manifest is whole."""

    MANIFEST = "manifest.json"

    def __init__(self, folder: Files):
        self._folder = folder

    def write(self, atlas: str, files: dict[str, bytes], manifest: dict) -> None:
        """Write the files, then manifest.json with the sha256 and the bytes of each."""
        self._folder.remove(f"atlases/{atlas}/{self.MANIFEST}")
        for file, content in files.items():
            self._folder.write(f"atlases/{atlas}/{file}", content)
        told = {file: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)} for file, content in sorted(files.items())}
        self._folder.write(f"atlases/{atlas}/{self.MANIFEST}", json.dumps({**manifest, "files": told}, indent=1).encode())

    def manifest(self, atlas: str) -> dict | None:
        """The manifest of a whole atlas; None where it is absent, or a file is missing or of another size.

        Its "files" map each name to its sha256 and bytes; `read` verifies the sha256.
        """
        try:
            manifest = self._manifest(atlas)
            told = {f"atlases/{atlas}/{file}": entry["bytes"] for file, entry in manifest["files"].items()}
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return None
        there = self._folder.sizes(f"atlases/{atlas}")
        return manifest if all(there.get(name) == size for name, size in told.items()) else None

    def read(self, atlas: str, file: str) -> bytes:
        """The bytes of one file of an atlas.

        Raises:
            FileNotFoundError: it is not in the store, or no file of this atlas.
            CorruptArtefact: its content has changed; it is in quarantine, and so the atlas is absent and made again.
        """
        name = f"atlases/{atlas}/{file}"
        content = self._folder.read(name)
        if file == self.MANIFEST:
            return content
        try:
            digest = self._manifest(atlas)["files"][file]["sha256"]
        except (ValueError, KeyError, TypeError):
            raise FileNotFoundError(errno.ENOENT, "not in the manifest of its atlas", name) from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise self._folder.quarantine(name, "content does not match its checksum")
        return content

    def _manifest(self, atlas: str) -> dict:
        return json.loads(self._folder.read(f"atlases/{atlas}/{self.MANIFEST}"))

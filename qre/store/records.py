"""Failures, the progress of a sweep, and atlases."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timezone
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qre.store.folder import Folder, canonical_json


class Failure(BaseModel):
    """Why a unit could not be made.

    Attributes:
        remedy: what a person can do; "" where the message says it.
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
    when: str = Field(default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds"))


class Failures:
    """failures/<key>.json"""

    def __init__(self, folder: Folder):
        self._folder = folder

    def write(self, failure: Failure) -> None:
        self._folder.write(f"failures/{failure.key}.json", failure.model_dump_json(indent=1).encode())

    def read_all(self) -> dict[str, Failure]:
        """Failures by unit key; a record that cannot be read is put in quarantine and counts as absent."""
        failures = {}
        for name in list(self._folder.names("failures")):
            try:
                failure = Failure.model_validate_json(self._folder.read(name))
                failures[failure.key] = failure
            except FileNotFoundError:
                continue
            except ValidationError as error:
                self._folder.quarantine(name, str(error))
        return failures

    def clear(self, key: str) -> None:
        self._folder.remove(f"failures/{key}.json")


class Progress:
    """progress/<sweep>.json: the last sign of life of a sweep, for those who watch it from elsewhere."""

    def __init__(self, folder: Folder):
        self._folder = folder

    def write(self, sweep: str, state: dict) -> None:
        self._folder.write(f"progress/{sweep}.json", canonical_json(state).encode())

    def read(self, sweep: str) -> dict | None:
        try:
            return json.loads(self._folder.read(f"progress/{sweep}.json"))
        except (FileNotFoundError, json.JSONDecodeError):
            return None

    def names(self) -> list[str]:
        return [name.rsplit("/", 1)[1].removesuffix(".json") for name in self._folder.names("progress")]


class Atlases:
    """atlases/<name>/: the finished map. The manifest is written last, so an atlas with a manifest is whole."""

    def __init__(self, folder: Folder):
        self._folder = folder

    def write(self, atlas: str, files: dict[str, bytes], manifest: dict) -> None:
        """Write the files, then manifest.json with their sha256."""
        self._folder.remove(f"atlases/{atlas}/manifest.json")
        for file, content in files.items():
            self._folder.write(f"atlases/{atlas}/{file}", content)
        digests = {file: hashlib.sha256(content).hexdigest() for file, content in sorted(files.items())}
        self._folder.write(f"atlases/{atlas}/manifest.json", json.dumps({**manifest, "files": digests}, indent=1).encode())

    def manifest(self, atlas: str) -> dict | None:
        """The manifest of a whole atlas; None where it is absent, or a file is missing or changed."""
        try:
            manifest = json.loads(self._folder.read(f"atlases/{atlas}/manifest.json"))
            for file, digest in manifest["files"].items():
                if hashlib.sha256(self.read(atlas, file)).hexdigest() != digest:
                    return None
        except (FileNotFoundError, json.JSONDecodeError, KeyError):
            return None
        return manifest

    def read(self, atlas: str, file: str) -> bytes:
        return self._folder.read(f"atlases/{atlas}/{file}")

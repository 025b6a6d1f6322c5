"""Scores, speeds, failures, the progress of a sweep, whose it is, and atlases."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
from collections.abc import Callable, Container, Iterable
from datetime import datetime, timezone
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from qre.schemas import NewerSchema
from qre.store.files import UNREADABLE, Files, UnreadableArtefact
from qre.store.folder import canonical_json
from qre.store.shelves import checked, stating


def _parsed(name: str, content: bytes) -> dict:
    """The record in a file, without its schema. NewerSchema, or ValueError where it is none that this version reads."""
    return checked(name, json.loads(content))


def _check_no_newer(folder: Files, name: str) -> None:
    """NewerSchema where a record of a newer version stands."""
    try:
        _parsed(name, folder.read(name))
    except (FileNotFoundError, ValueError, *UNREADABLE):
        return


class Advisory:
    """Records that nothing depends on: one of a newer version counts as absent, and is not overwritten; so does one
    that cannot be read."""

    def __init__(self, folder: Files):
        self._folder = folder

    def _keep(self, name: str, record: dict, tell: Callable[[str], None] | None = None) -> None:
        """As Files.advise, which tells what goes wrong."""
        try:
            _check_no_newer(self._folder, name)
        except NewerSchema:
            self._folder.seen.newer[name] = None
            return
        except OSError:  # it will be told of the write
            pass
        self._folder.advise(
            name, canonical_json(stating(name.partition("/")[0], record)).encode(), *([tell] if tell else [])
        )

    def _kept(self, names: Iterable[str]) -> dict[str, dict]:
        """By name, those that are there and can be read."""
        found = {}
        for name, content in self._folder.read_many(names).items():
            try:
                found[name] = _parsed(name, content)
            except NewerSchema:
                self._folder.seen.newer[name] = None
            except ValueError:
                continue
        return found


class Failure(BaseModel):
    """Why a unit could not be made.

    Attributes:
        remedy: what a person can do; "" where the message says it.
        node: where it failed, as people find it; "" where that is not known. Of what is believed only when it has come
            twice, both.
        kind: permanent (the encoder's own fault: trying again gives the same) or transient (the machine's: worth
            another try).
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
        """Write a failure; NewerSchema where one of a newer version stands."""
        name = f"failures/{failure.key}.json"
        _check_no_newer(self._folder, name)
        self._folder.write(
            name,
            json.dumps(stating("failures", failure.model_dump(mode="json")), indent=1, ensure_ascii=False).encode(),
        )

    def read_all(self, wanted: Container[str] = ()) -> dict[str, Failure]:
        """Failures by key; a record that is none is put in quarantine and counts as absent, and so does one that cannot
        be read, which is noted.

        Raises:
            NewerSchema: one of `wanted` is of a newer version; others of a newer version are left out.
        """
        failures = {}
        for name, content in self._folder.read_many(self._folder.names("failures")).items():
            try:
                failure = Failure.model_validate(_parsed(name, content))
                failures[failure.key] = failure
            except NewerSchema:
                if _stem(name) in wanted:
                    raise
            except ValueError as error:  # not JSON, or no failure
                self._folder.quarantine(name, str(error))
        return failures

    def keys(self) -> set[str]:
        """Keys of all recorded failures: one listing."""
        return {_stem(name) for name in self._folder.names("failures")}

    def clear(self, key: str) -> None:
        """Remove a failure, but for one of a newer version."""
        try:
            _check_no_newer(self._folder, f"failures/{key}.json")
        except NewerSchema:
            return
        self._folder.remove(f"failures/{key}.json")


class Scores:
    """scores/<task>/<unit key>.json: what one encoder scores on one task, by the task's fingerprint. The name alone
    says what is there."""

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
        """Write a score with all that belongs to it: plain values without NaN. NewerSchema where one of a newer version
        stands."""
        if self._folder.exists(self.name(task, key)):
            _check_no_newer(self._folder, self.name(task, key))
        content = stating("scores", {**record, "task": task, "key": key})
        self._folder.write(self.name(task, key), canonical_json({**content, "sha256": _digest(content)}).encode())

    def read(self, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], dict]:
        """The records of these (task, unit key).

        Raises:
            FileNotFoundError: one is not in the store.
            CorruptArtefact: one has changed; those are in quarantine.
            UnreadableArtefact: one is there and cannot be read; `unread` tells which.
            NewerSchema: one is of a newer version.
        """
        pairs, found, corrupt = list(pairs), {}, None
        contents = self._folder.read_many(self.name(*pair) for pair in pairs)
        for pair in pairs:
            name = self.name(*pair)
            if name not in contents:
                if why := self._folder.seen.unread.get(name):
                    raise UnreadableArtefact(why)
                raise FileNotFoundError(errno.ENOENT, "no such score", name)
            try:
                record = json.loads(contents[name])
                plain = checked(name, record)
                if record.pop("sha256") != _digest(record) or (record["task"], record["key"]) != pair:
                    raise ValueError("content does not match its checksum")
                found[pair] = {field: value for field, value in plain.items() if field != "sha256"}
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                corrupt = self._folder.quarantine(name, str(error))
        if corrupt is not None:
            raise corrupt
        return found

    def unread(self, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Of these, why some could not be read when they were."""
        return {pair: why for pair in pairs if (why := self._folder.seen.unread.get(self.name(*pair)))}


class Speeds(Advisory):
    """speeds/<pass key>.json: how fast an encoder was when it last embedded: sentences, seconds, device, threads. They
    change with each run."""

    def write(self, pass_key: str, record: dict) -> None:
        self._keep(f"speeds/{pass_key}.json", record)

    def read(self, pass_keys: Iterable[str]) -> dict[str, dict]:
        """What is known, by pass; a record that cannot be read counts as absent."""
        names = {f"speeds/{key}.json": key for key in pass_keys}
        return {names[name]: record for name, record in self._kept(names).items()}


class Notices(Advisory):
    """notices/<pass key>.json: what libraries warned of while an encoder was loaded; only where they did."""

    def write(self, pass_key: str, warnings: list[str]) -> None:
        self._keep(f"notices/{pass_key}.json", {"warnings": warnings})

    def read(self, pass_keys: Iterable[str]) -> dict[str, list[str]]:
        """What was warned of, by pass: one listing, and what it found; a record that cannot be read counts as
        absent."""
        names = {f"notices/{key}.json": key for key in pass_keys}
        found = {}
        for name, record in self._kept(name for name in self._folder.names("notices") if name in names).items():
            if isinstance(told := record.get("warnings"), list):
                found[names[name]] = [str(text) for text in told]
        return found


def _digest(record: dict) -> str:
    return hashlib.sha256(canonical_json(record).encode()).hexdigest()


class Progress(Advisory):
    """progress/<sweep>.json: the last sign of life of a sweep, for those who watch it from elsewhere."""

    def write(self, sweep: str, state: dict, tell: Callable[[str], None] | None = None) -> None:
        self._keep(f"progress/{sweep}.json", state, tell)

    def read(self, sweep: str) -> dict | None:
        return self._kept([name := f"progress/{sweep}.json"]).get(name)

    def names(self) -> list[str]:
        return [_stem(name) for name in self._folder.names("progress")]


class Running(Advisory):
    """running/<sweep>.json: the process that is at work on a sweep, and its heartbeat; gone when it has ended by
    itself."""

    def write(self, sweep: str, record: dict) -> None:
        self._keep(f"running/{sweep}.json", record)

    def read(self, sweep: str) -> dict | None:
        return self._kept([name := f"running/{sweep}.json"]).get(name)

    def clear(self, sweep: str) -> None:
        self._folder.remove(f"running/{sweep}.json")

    def alone(self) -> contextlib.AbstractContextManager[bool]:
        """See Files.alone."""
        return self._folder.alone("running")


class Owners:
    """owners/<atlas>.json: the config that an atlas, and the progress beside it, belong to."""

    def __init__(self, folder: Files):
        self._folder = folder

    def write(self, atlas: str, owner: dict[str, str]) -> None:
        name = f"owners/{atlas}.json"
        _check_no_newer(self._folder, name)
        self._folder.write(name, canonical_json(stating("owners", owner)).encode())

    def read(self, atlas: str) -> dict | None:
        """The owner; None where none is known. NewerSchema where it is of a newer version."""
        name = f"owners/{atlas}.json"
        try:
            return _parsed(name, self._folder.read(name))
        except FileNotFoundError:
            return None
        except ValueError as error:
            self._folder.quarantine(name, str(error))
            return None


class Atlases:
    """atlases/<name>/: the finished map. The manifest is written last, so an atlas with a manifest is whole."""

    MANIFEST = "manifest.json"

    def __init__(self, folder: Files):
        self._folder = folder

    def write(self, atlas: str, files: dict[str, bytes], manifest: dict) -> None:
        """Write the files, then manifest.json with the sha256 and the bytes of each. NewerSchema where an atlas of a
        newer version stands."""
        _check_no_newer(self._folder, f"atlases/{atlas}/{self.MANIFEST}")
        self._folder.remove(f"atlases/{atlas}/{self.MANIFEST}")
        for file, content in files.items():
            self._folder.write(f"atlases/{atlas}/{file}", content)
        told = {file: self.entry(content) for file, content in sorted(files.items())}
        self._folder.write(
            f"atlases/{atlas}/{self.MANIFEST}",
            json.dumps(stating("atlases", {**manifest, "files": told}), indent=1).encode(),
        )

    @staticmethod
    def entry(content: bytes) -> dict:
        """What the manifest tells of a file."""
        return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}

    def manifest(self, atlas: str) -> dict | None:
        """The manifest of a whole atlas; None where it is absent, or a file is missing or of another size.

        Its "files" map each name to its sha256 and bytes; `read` verifies the sha256.

        Raises:
            NewerSchema: it is of a newer version.
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
            NewerSchema: the atlas is of a newer version.
        """
        name = f"atlases/{atlas}/{file}"
        content = self._folder.read(name)
        if file == self.MANIFEST:
            with contextlib.suppress(ValueError):
                _parsed(name, content)
            return content
        try:
            digest = self._manifest(atlas)["files"][file]["sha256"]
        except (ValueError, KeyError, TypeError):
            raise FileNotFoundError(errno.ENOENT, "not in the manifest of its atlas", name) from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise self._folder.quarantine(name, "content does not match its checksum")
        return content

    def _manifest(self, atlas: str) -> dict:
        name = f"atlases/{atlas}/{self.MANIFEST}"
        manifest = json.loads(self._folder.read(name))
        checked(name, manifest)
        return manifest


def _stem(name: str) -> str:
    return name.rpartition("/")[2].removesuffix(".json")

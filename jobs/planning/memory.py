"""What the hub said, kept in the store: what it said of a commit never changes, so a catalogue that is pinned resolves
without a request."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict

from jobs.planning.resolved import Resolved
from qre.encoders.contents import VERSION
from qre.encoders.conversions import Conversion, HubPlace
from qre.encoders.hub import COMMIT, HubModel
from qre.encoders.hub_query import HubQuery
from qre.encoders.named_code import Named
from qre.errors import place_error
from qre.store import Failure, NewerSchema, Store
from qre.store.folder import content_key
from qre.store.shelves import checked, stating

Place = tuple[str, str | None]  # an encoder of the hub, and its branch, tag or commit as the config gives it
# in every record; what came later only where it says something, so that older versions read the others
FIRST = frozenset(
    {"repository", "revision", "files", "prompts", "default_prompt", "attributes", "code", "python", "bodies", "plain"}
)


class Memory:
    """hub/<id>/<commit>.json, ref-<branch>.json, conversion-<commit>.json and base-of-<commit>.json beside it, and
    hub/queries/<query>.json in the store: what the hub said.

    Of the bases of adapters, of which other files count, the names begin with base-: base-<commit>.json.
    """

    def __init__(self, store: Store):
        self._folder, self._part = store.folder, ""
        self._failures = store.failures
        # what stood there when it was read, or was written; it is not read again
        self._looked: dict[str, bytes | None] = {}

    def of_bases(self) -> Memory:
        """What it said of the bases of adapters."""
        other = copy.copy(self)
        other._part = "base-"
        return other

    def read_all(self, places: Iterable[Place], of_rule: bool = False) -> dict[Place, HubModel]:
        """What is known of encoders at a commit, or at the last known commit of a branch; what is not known is left
        out.

        Args:
            of_rule: leave out what was kept when another rule said which files count; else such a record is taken
                without its list.
        """
        places = list(places)
        branches = {place: self._branch(*place) for place in places if not COMMIT.fullmatch(place[1] or "")}
        told = self._read(branches.values())
        commits = {place: _commit(told.get(branches[place])) if place in branches else place[1] for place in places}
        files = {place: self._name(place[0], commit) for place, commit in commits.items() if commit is not None}
        contents = self._read(files.values())
        models = {place: _model(contents.get(file), of_rule) for place, file in files.items()}
        return {place: model for place, model in models.items() if model is not None}

    def write_all(self, models: dict[Place, HubModel], whole: bool = True) -> None:
        """Keep what the hub said of encoders.

        Args:
            whole: whether their lists of files are the hub's; those of a node's cache may lack some, and are not taken
                for it.
        """
        contents = {}
        for (name, revision), model in models.items():
            told = {key: value for key, value in asdict(model).items() if value or key in FIRST}
            contents[self._name(name, model.revision)] = _bytes({**told, "rule": VERSION if whole else 0})
            if not COMMIT.fullmatch(revision or ""):
                contents[self._branch(name, revision)] = _bytes({"commit": model.revision})
        self._write(contents)

    def read_bases(self, adapters: Iterable[Place]) -> dict[Place, str]:
        """The commit of the base that each adapter, at a commit of its own, was first given."""
        names = {place: self._name(place[0], f"base-of-{place[1]}") for place in adapters}
        told = self._read(names.values())
        commits = {place: _commit(told.get(name)) for place, name in names.items()}
        return {place: commit for place, commit in commits.items() if commit is not None}

    def write_bases(self, commits: Mapping[Place, str]) -> None:
        self._write(
            {self._name(place[0], f"base-of-{place[1]}"): _bytes({"commit": to}) for place, to in commits.items()}
        )

    def read_conversions(self, models: Iterable[HubModel], of_rule: bool = False) -> dict[HubPlace, Conversion | None]:
        """What was last found of pull requests that convert the weights of models, by (id, commit); None where none
        was; what was never looked for is left out.

        Args:
            of_rule: as of `read_all`, of the commit that converts them.
        """
        names = {model.place: self._name(model.repository, f"conversion-{model.revision}") for model in models}
        contents = self._read(names.values())
        records = {place: _record(contents[name]) for place, name in names.items() if name in contents}
        at = {place: (place[0], str(record.get("revision"))) for place, record in records.items() if record}
        found = self.read_all(at.values(), of_rule)
        told: dict[HubPlace, Conversion | None] = {place: None for place, record in records.items() if record == {}}
        for place, commit in at.items():
            if (model := found.get(commit)) is not None:
                record = records[place] or {}
                told[place] = Conversion(str(record.get("ref")), str(record.get("author")), model)
        return told

    def write_conversions(self, found: Mapping[HubPlace, Conversion | None]) -> None:
        """Keep what was found of pull requests that convert weights."""
        self._write(
            {
                self._name(name, f"conversion-{commit}"): _bytes(
                    {} if one is None else {"ref": one.ref, "author": one.author, "revision": one.model.revision}
                )
                for (name, commit), one in found.items()
            }
        )
        self.write_all({one.model.place: one.model for one in found.values() if one is not None})

    def read_query(self, query: HubQuery) -> list[str] | None:
        """The names that a query found last."""
        name = self._query_name(query)
        names = (_record(content) or {}).get("names") if (content := self._read([name]).get(name)) is not None else None
        return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else None

    def write_query(self, query: HubQuery, names: list[str]) -> None:
        self._write({self._query_name(query): _bytes({"names": names})})

    def read_refused(self, keys: Collection[str]) -> dict[str, Failure]:
        """Why encoders could not be had when the hub was last asked, by the keys of their failures."""
        return {key: failure for key, failure in self._failures.read_all().items() if key in keys} if keys else {}

    def read_catalogue(self, name: str, limit: int) -> dict | None:
        """What a catalogue of the hub held when it was first asked for."""
        file = self._catalogue_name(name, limit)
        content = self._read([file]).get(file)
        return None if content is None else _record(content)

    def write_catalogue(self, name: str, limit: int, record: dict) -> None:
        self._write({self._catalogue_name(name, limit): _bytes(record)})

    def _read(self, names: Iterable[str]) -> dict[str, bytes]:
        """Those that are there, and not of a newer version: what such a version wrote down is asked for again."""
        names = list(names)
        self._look(names)
        found = {name: content for name in names if (content := self._looked[name]) is not None}
        newer = {name for name, content in found.items() if _is_newer(name, content)}
        self._folder.seen.newer |= dict.fromkeys(newer)
        return {name: content for name, content in found.items() if name not in newer}

    def _write(self, contents: dict[str, bytes]) -> None:
        """Write what is new; what a newer version wrote is left alone."""
        if self._folder.read_only:
            return
        self._look(contents)
        there = {name: self._looked[name] or b"" for name in contents}
        new = {
            name: content
            for name, content in contents.items()
            if there[name] != content and not _is_newer(name, there[name])
        }
        self._folder.write_many(new)
        self._looked |= new

    def _look(self, names: Iterable[str]) -> None:
        """Read what was not read yet."""
        unread = [name for name in names if name not in self._looked]
        found = self._folder.read_many(unread) if unread else {}
        self._looked |= {name: found.get(name) for name in unread}

    @staticmethod
    def _query_name(query: HubQuery) -> str:
        return f"hub/queries/{content_key(query.model_dump(mode='json'))}.json"

    @staticmethod
    def _catalogue_name(name: str, limit: int) -> str:
        return f"hub/queries/{content_key({'catalogue': name, 'limit': limit})}.json"

    def _name(self, repository: str, part: str) -> str:
        return f"hub/{_short(repository)}/{self._part}{part}.json"

    def _branch(self, repository: str, revision: str | None) -> str:
        return self._name(repository, f"ref-{_short(revision or '')}")


def kept(resolved: Resolved, write: Callable[[], None]) -> None:
    """Keep an answer of the hub in the store; one that cannot be written is no reason to stop looking."""
    try:
        write()
    except OSError as error:
        resolved.notes.append(f"what the hub said is not kept in the store: {place_error(error) or error}")


def _bytes(record: dict) -> bytes:
    return json.dumps(stating("hub", record)).encode()


def _record(content: bytes) -> dict | None:
    """The record in a file, without its schema; None where it is none. A list stands for the names of a query, as they
    were once kept."""
    try:
        values = json.loads(content)
        return {"names": values} if isinstance(values, list) else checked("hub/", values)
    except (ValueError, NewerSchema):
        return None


def _is_newer(name: str, content: bytes) -> bool:
    try:
        checked(name, json.loads(content))
    except NewerSchema:
        return True
    except ValueError:
        pass
    return False


def _commit(content: bytes | None) -> str | None:
    """The commit that a record of a branch names; None where it is absent or no such record."""
    record = _record(content or b"")
    commit = record.get("commit") if record is not None else None
    return commit if isinstance(commit, str) and COMMIT.fullmatch(commit) else None


def _model(content: bytes | None, of_rule: bool) -> HubModel | None:
    """The model that a record of a commit describes; None where it is absent or no such record."""
    try:
        values = _record(content or b"")
        if values is None:
            return None
        known = values.pop("rule", 1) == VERSION
        if not known and of_rule:
            return None
        if not isinstance(values["attributes"], dict) or not isinstance(values["prompts"], dict):
            return None
        pairs = {
            name: tuple(map(tuple, values[name] if known or name != "files" else ()))
            for name in ("files", "python", "bodies", "pickles")
            if name in values
        }
        adapter = tuple(values["adapter"]) if values.get("adapter") is not None else None
        values |= {"adapter": adapter, "base": None}  # the base is another record
        return HubModel(**{**values, **pairs, "code": tuple(Named(**named) for named in values.get("code", ()))})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _short(text: str) -> str:
    """A folder-safe name for any text from outside."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]

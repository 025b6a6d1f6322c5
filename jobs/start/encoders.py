"""The encoders of a new config: catalogues, well-known ones of the hub, ids, folders and lists."""

from __future__ import annotations

import contextlib
import importlib.resources
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import yaml

from jobs.config import load_list
from jobs.config.entries import PUBLIC_LIMIT
from jobs.config.reading import YAML_ENDINGS
from qre.counted import counted
from qre.encoders.catalogue import CATALOGUES, PUBLIC
from qre.encoders.folders import FolderProblem, base_of, check_folder, is_plain
from qre.encoders.hub import REPOSITORY
from qre.encoders.hub_problems import printable
from qre.encoders.spec import POOLINGS
from qre.errors import UserError
from qre.near_names import did_you_mean, near_names

FEWEST = 16  # encoders of a map that is worth looking at: t-SNE has little to go by with fewer (qre/atlas/layout.py)
FEW_NAMES = 3  # so many encoders are told by name, more by their number
POPULAR = "popular"
WORDS = ("demo", POPULAR, "all-MiniLM-L6-v2")


@dataclass(frozen=True)
class ChosenEncoders:
    """The encoders of a config.

    Attributes:
        entries: as in the config.
        own: names, as a sweep gives them, of encoders that were named one by one.
        told: what they are, for people.
        comments: by the number of an entry, what stands above it.
        notes: what a person should know.
        hub: how many are of the hub.
        only_own: nobody asked for a catalogue or a list: any that is here was added to make a map.
    """

    entries: list[dict]
    own: list[str]
    told: str
    comments: dict[int, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    hub: int = 0
    only_own: bool = False


@cache
def popular() -> list[dict]:
    """The entries of popular.yaml."""
    return yaml.safe_load(importlib.resources.files("jobs.start").joinpath("popular.yaml").read_text(encoding="utf-8"))


def chosen_encoders(asked: Sequence[str]) -> ChosenEncoders:
    """The entries of what a person names; with the demo's encoders where they are too few for a map.

    Args:
        asked: names of catalogues, "popular", ids of the hub (owner/name or owner/name@revision), folders, lists
            (.yaml, .csv); commas may separate them.

    Raises:
        UserError: it is none of these.
    """
    if asked and not any(one.strip(" ,") for one in asked):
        raise UserError(
            "--encoders: no encoder is named; give demo, popular, public, owner/name of the hub, a folder or a list"
        )
    words = [word for one in asked for word in ([one] if Path(one).expanduser().exists() else one.split(","))] or [
        "demo"
    ]
    entries: list[dict] = []
    for word in dict.fromkeys(word.strip() for word in words if word.strip()):
        for entry in _entries(word):
            if not any(_same(entry, other) for other in entries):
                entries.append(entry)
    if any(entry.get("source") == "catalogue" and entry["name"] == "demo" for entry in entries):
        # it holds the others
        entries = [entry for entry in entries if entry["source"] != "catalogue" or entry["name"] in ("demo", PUBLIC)]
    own = [_name_of(entry, entries) for entry in entries if entry["source"] in ("folder", "hub")]
    several = [entry for entry in entries if entry["source"] in ("catalogue", "list")]
    notes, comments = [], {}
    for entry in entries:
        if entry["source"] == "folder":
            notes += _needs(entry["path"])
    if not entries or (not several and len(own) < FEWEST):
        comments[len(entries)] = (
            f"a map of so few encoders says little (at least {FEWEST} are useful), so the demo's encoders are added"
        )
        notes.append(
            f"{counted(len(own), 'encoder')} {'is' if len(own) == 1 else 'are'} too few for a map, so the demo's "
            f"encoders are added"
        )
        entries = [*entries, {"source": "catalogue", "name": "demo"}]
    hub = sum(entry["source"] == "hub" for entry in entries)
    if len(own) <= FEW_NAMES:
        parts = list(map(printable, own))
    else:
        parts = [counted(len(own), "encoder") + (" of the hub" if hub == len(own) else "")]
    parts += [
        f"the {PUBLIC_LIMIT:,} most downloaded encoders of the hub"
        if entry.get("name") == PUBLIC
        else f"the {entry['name']} encoders"
        if entry["source"] == "catalogue"
        else f"those of {entry['path']}"
        for entry in entries
        if entry["source"] in ("catalogue", "list")
    ]
    return ChosenEncoders(entries, own, " and ".join(parts), comments, notes, hub, not several)


def _entries(word: str) -> list[dict]:
    path = Path(word).expanduser()
    if word == POPULAR:
        return [dict(entry) for entry in popular()]
    if word == PUBLIC:
        return [{"source": "catalogue", "name": PUBLIC, "limit": PUBLIC_LIMIT}]
    if word in CATALOGUES:
        return [{"source": "catalogue", "name": word}]
    if path.is_dir():
        if not any((path / file).is_file() for file in ("modules.json", "config.json", "adapter_config.json")):
            raise UserError(
                f"{word}: no encoder in this folder: neither modules.json nor config.json; name the folder that "
                f"sentence-transformers saved"
            )
        return [{"source": "folder", "path": str(path)}]
    if path.is_file() and path.suffix.lower() in (*YAML_ENDINGS, ".csv"):
        load_list(path)
        return [{"source": "list", "path": str(path)}]
    repository, _, revision = word.partition("@")
    if "/" in repository and not word.startswith((".", "/", "~")) and REPOSITORY.fullmatch(repository):
        known = next((entry for entry in popular() if entry["id"] == repository and not revision), None)
        return [
            dict(known)
            if known
            else {"source": "hub", "id": repository, **({"revision": revision} if revision else {})}
        ]
    there = f"{', '.join(CATALOGUES)}, {POPULAR}, {PUBLIC}"
    raise UserError(
        f"{printable(word)}: no such folder or list, and neither owner/name of the hub nor one of {there}{_near(word)}"
    )


def _needs(folder: str) -> list[str]:
    """What the entry of a folder has to state, or why it cannot be taken."""
    needs = []
    if is_plain(folder):
        needs.append(
            f"{printable(folder)} has no modules.json: give its entry a pooling: ({', '.join(POOLINGS)}), as its "
            f"authors used it"
        )
    try:
        found = check_folder(folder, pooled=True)
        if found.adapter is not None:
            base_of(Path(folder), found.adapter, None)
    except FolderProblem as problem:
        needs.append(printable(str(problem), 500))
    except OSError:  # told when it is planned
        pass
    return needs


def _near(word: str) -> str:
    """A catalogue, a folder or list, or a well-known encoder that may be meant."""
    ids = [entry["id"] for entry in popular()]
    if same := [one for one in ids if one.partition("/")[2].casefold() == word.casefold()]:
        return did_you_mean(same[0], same)
    folder = Path(word).expanduser().parent
    with contextlib.suppress(OSError):
        names = [one.name for one in folder.iterdir() if one.is_dir() or one.suffix in (*YAML_ENDINGS, ".csv")]
        found = near_names(Path(word).name, names)
        if found and "/" in word:
            return did_you_mean(str(folder / found[0]), [str(folder / found[0])])
        return did_you_mean(word, [*CATALOGUES, POPULAR, PUBLIC, *names, *ids])
    return did_you_mean(word, [*CATALOGUES, POPULAR, PUBLIC, *ids])


def _same(entry: dict, other: dict) -> bool:
    if entry["source"] == other["source"] == "folder":
        return Path(entry["path"]).resolve() == Path(other["path"]).resolve()
    if entry["source"] == other["source"] == "hub":
        return (entry["id"].casefold(), entry.get("revision")) == (other["id"].casefold(), other.get("revision"))
    return entry == other


def _name_of(entry: dict, entries: list[dict]) -> str:
    """The name that a sweep gives an encoder; where two would have the same, a longer one is put into the entry."""
    if entry["source"] == "folder":
        path = Path(entry["path"]).resolve()
        name, alike = (
            path.name,
            [
                other
                for other in entries
                if other["source"] == "folder" and Path(other["path"]).resolve().name == path.name
            ],
        )
        longer = (
            f"{path.parent.name}/{path.name}"
            if len({Path(other["path"]).resolve().parent.name for other in alike}) == len(alike)
            else str(path)
        )
    else:
        name, alike = (
            entry["id"],
            [
                other
                for other in entries
                if other["source"] == "hub" and other["id"].casefold() == entry["id"].casefold()
            ],
        )
        longer = f"{entry['id']}@{entry['revision']}" if "revision" in entry else name
    if len(alike) > 1 and longer != name:
        entry["name"] = longer[:200]
    return entry.get("name", name)

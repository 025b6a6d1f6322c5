"""What the fake hub of tests/hub.py holds: files, commits, repositories, and the errors it answers with."""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

# tokens: one that opens gated and private repos, one that is valid and opens none
READER, STRANGER = ("hf_reader", "hf_stranger")
LARGE = 10 * 2**20
# kept as LFS whatever their size
LARGE_SUFFIXES = {".safetensors", ".bin", ".pt", ".onnx", ".h5", ".msgpack", ".model", ".pkl"}
# without `expand`
LISTED = "_id id modelId private likes trendingScore downloads tags pipeline_tag library_name createdAt".split()
FULL = [*LISTED, "author", "sha", "lastModified", "gated", "disabled", "siblings"]
INFO = [
    *FULL,
    "cardData",
    "config",
    "safetensors",
    "usedStorage",
    "model-index",
    "transformersInfo",
    "spaces",
    "mask_token",
]
ONLY_EXPANDED = [
    "baseModels",
    "childrenModelCount",
    "downloadsAllTime",
    "gguf",
    "evalResults",
    "inference",
    "widgetData",
    "resourceGroup",
]
SORTS = ("downloads", "likes", "createdAt", "lastModified", "trendingScore")
UNITS = {"": 1, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
REPO = r"(?P<repo>[^/]+?(?:/[^/]+?)??)"  # old models have no organisation
API = re.compile(
    rf"/api/models/{REPO}(?:/(?P<verb>revision|tree|refs|auth-check|paths-info|commits|discussions)(?:/(?P<rest>.*))?)?"
)
DOWNLOAD = re.compile(rf"/{REPO}/(?P<verb>resolve|cdn)/(?P<revision>[^/]+)/(?P<path>.+)")


class Request(tuple):
    """(method, path with its query) of a request, equal to such a plain tuple; `headers` has its headers, names in
    lower case."""

    headers: dict[str, str]


class Refusal(Exception):
    """An error answer: HTTP status, the code and the message from which the client picks its exception class."""

    def __init__(self, status: int, message: str, code: str | None = None, headers: dict | None = None):
        super().__init__(message)
        self.status = status
        self.headers = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {}), **(headers or {})}


@dataclass(frozen=True)
class File:
    """One file of one commit; `data` None: only its name and size are known (its metadata can be asked, its bytes
    cannot)."""

    path: str
    size: int
    data: bytes | None = None

    @property
    def large(self) -> bool:
        return Path(self.path).suffix in LARGE_SUFFIXES or self.size > LARGE

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(f"{self.path} {self.size}".encode() if self.data is None else self.data).hexdigest()

    @cached_property
    def oid(self) -> str:
        """The git blob id (40 hex): of the LFS pointer where the file is large."""
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {self.size}\n".encode()
        blob = pointer if self.large or self.data is None else self.data
        return hashlib.sha1(f"blob {len(blob)}\0".encode() + blob).hexdigest()

    @cached_property
    def parameters(self) -> dict[str, int]:
        """Parameters for each dtype, by the header of a safetensors file; {} where it has none that can be read."""
        counts: dict[str, int] = {}
        try:
            (length,) = struct.unpack("<Q", (self.data or b"")[:8])
            tensors = json.loads(self.data[8 : 8 + length])
        except (struct.error, ValueError):
            return {}
        for name, tensor in tensors.items():
            if name != "__metadata__":
                size = 1
                for axis in tensor["shape"]:
                    size *= axis
                counts[tensor["dtype"]] = counts.get(tensor["dtype"], 0) + size
        return counts

    def sibling(self, blobs: bool) -> dict:
        lfs = {"lfs": {"sha256": self.sha256, "size": self.size, "pointerSize": 134}} if blobs and self.large else {}
        return {"rfilename": self.path, **({"size": self.size, "blobId": self.oid} if blobs else {}), **lfs}

    def entry(self) -> dict:
        """As the tree lists it."""
        lfs = {"lfs": {"oid": self.sha256, "size": self.size, "pointerSize": 134}} if self.large else {}
        return {"type": "file", "oid": self.oid, "size": self.size, "path": self.path, **lfs}


@dataclass(frozen=True)
class Pull:
    """A pull request; its commit is the ref refs/pr/<number> of its repository."""

    number: int
    author: str
    title: str
    status: str

    def entry(self, repo: str) -> dict:
        """As the discussions list it; of an account that is gone ("") no author."""
        return {
            "num": self.number,
            **({"author": {"name": self.author, "type": "user"}} if self.author else {}),
            "title": self.title,
            "status": self.status,
            "isPullRequest": True,
            "createdAt": "2024-02-01T00:00:00.000Z",
            "repo": {"name": repo, "type": "model"},
        }


@dataclass
class Repo:
    """A model repo; `token` is the one that opens it where it is gated, private, or in need of a token."""

    id: str
    token: str = READER
    gated: str | bool = False
    private: bool = False
    disabled: bool = False
    commits: dict[str, dict[str, File]] = field(default_factory=dict)  # sha -> path -> file, oldest first
    refs: dict[str, str] = field(default_factory=dict)  # branch or refs/... -> sha
    pulls: list[Pull] = field(default_factory=list)
    # card, downloads, likes, created, tags, base_models, safetensors_parameters
    facts: dict = field(default_factory=dict)

    def commit(self, revision: str) -> str:
        """The 40-hex commit of a branch, tag, pull request or commit."""
        names = (revision, f"refs/tags/{revision}", revision.removeprefix("refs/heads/"))
        sha = next((self.refs[name] for name in names if name in self.refs), revision)
        if sha not in self.commits:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return sha

    def date(self, sha: str) -> str:
        """When the commit was made: one day after the one before it."""
        created = datetime.fromisoformat(str(self.facts["created"]).replace("Z", ""))
        return (created + timedelta(days=list(self.commits).index(sha))).strftime("%Y-%m-%dT%H:%M:%S.000Z")

    def config(self, sha: str) -> dict:
        """The part of config.json that the hub shows."""
        file = self.commits[sha].get("config.json")
        try:
            config = json.loads(file.data) if file and file.data else {}
        except ValueError:
            return {}
        return {key: config[key] for key in ("architectures", "model_type", "auto_map") if key in config}

    def bases(self) -> dict | None:
        """{"relation": ..., "models": [{"id": ...}]}, or None where no base model is declared."""
        bases = self.facts["base_models"] or self.facts["card"].get("base_model") or None
        if bases is None or isinstance(bases, Mapping):
            return bases
        names = [bases] if isinstance(bases, str) else bases
        relation = self.facts["card"].get("base_model_relation", "finetune")
        return {"relation": relation, "models": [{"_id": identifier(name), "id": name} for name in names]}

    def tags(self, sha: str) -> list[str]:
        """The card's tags and those that the hub adds: library, licence, languages, datasets, base models, remote
        code."""
        card, config, bases = self.facts["card"], self.config(sha), self.bases()
        tags = [self.library, self.pipeline, *self.facts["tags"], *card.get("tags", []), config.get("model_type")]
        tags += ["safetensors"] if any(path.endswith(".safetensors") for path in self.commits[sha]) else []
        tags += ["custom_code"] if "auto_map" in config else []
        tags += [*listed(card.get("language")), *(f"dataset:{name}" for name in listed(card.get("datasets")))]
        tags += [f"license:{card['license']}"] if "license" in card else []
        for model in bases["models"] if bases else []:
            tags += [f"base_model:{model['id']}", f"base_model:{bases['relation']}:{model['id']}"]
        return list(dict.fromkeys(tag for tag in tags if tag))

    @property
    def library(self) -> str:
        return self.facts["card"].get("library_name", "sentence-transformers")

    @property
    def pipeline(self) -> str:
        return self.facts["card"].get("pipeline_tag", "sentence-similarity")

    def describe(self, sha: str, wanted: Sequence[str], blobs: bool = False) -> dict:
        """The wanted fields of the model's record at a commit."""
        facts, files = self.facts, self.commits[sha]
        counts = facts["safetensors_parameters"] or (
            files["model.safetensors"].parameters if "model.safetensors" in files else {}
        )
        fields = {
            "_id": identifier(self.id),
            "id": self.id,
            "modelId": self.id,
            "author": self.id.split("/")[0] if "/" in self.id else None,
            "sha": sha,
            "private": self.private,
            "gated": self.gated,
            "disabled": self.disabled,
            "library_name": self.library,
            "pipeline_tag": self.pipeline,
            "tags": self.tags(sha),
            "downloads": facts["downloads"],
            "likes": facts["likes"],
            "downloadsAllTime": 10 * facts["downloads"],
            "trendingScore": 0,
            "createdAt": self.date(next(iter(self.commits))),
            "lastModified": self.date(sha),
            "cardData": facts["card"],
            "config": self.config(sha),
            "baseModels": self.bases(),
            "siblings": [file.sibling(blobs) for file in files.values()],
            "usedStorage": sum(file.size for file in files.values()),
            "safetensors": {"parameters": counts, "total": sum(counts.values())} if counts else None,
        }
        return {name: fields[name] for name in dict.fromkeys(wanted) if fields.get(name) is not None}


def listed(value: str | Sequence[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


def identifier(name: str) -> str:
    return hashlib.sha1(name.encode()).hexdigest()[:24]


def number(text: str) -> float:
    """`110M` -> 1.1e8."""
    unit = text[-1].upper() if text[-1].isalpha() else ""
    return float(text[: len(text) - len(unit)]) * UNITS[unit]

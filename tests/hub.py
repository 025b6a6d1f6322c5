"""A model hub on 127.0.0.1 for the real `huggingface_hub` client: what the client asks, in the shapes and with the errors of the real hub.

Give the client `endpoint=hub.url` (or a subprocess `HF_ENDPOINT=hub.url`). Large files are answered with a redirect to a second origin,
`hub.cdn_url`, as the hub does: the client must not send its token there. Xet is never offered. Behaviour was read in huggingface_hub 2.4.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlencode, urlsplit

READER, STRANGER = "hf_reader", "hf_stranger"  # tokens: one that opens gated and private repos, one that is valid and opens none
LARGE = 10 * 2**20
LARGE_SUFFIXES = {".safetensors", ".bin", ".pt", ".onnx", ".h5", ".msgpack", ".model", ".pkl"}  # kept as LFS whatever their size
LISTED = "_id id modelId private likes trendingScore downloads tags pipeline_tag library_name createdAt".split()  # without `expand`
FULL = [*LISTED, "author", "sha", "lastModified", "gated", "disabled", "siblings"]
INFO = [*FULL, "cardData", "config", "safetensors", "usedStorage", "model-index", "transformersInfo", "spaces", "mask_token"]
ONLY_EXPANDED = ["baseModels", "childrenModelCount", "downloadsAllTime", "gguf", "evalResults", "inference", "widgetData", "resourceGroup"]
SORTS = ("downloads", "likes", "createdAt", "lastModified", "trendingScore")
UNITS = {"": 1, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
REPO = r"(?P<repo>[^/]+?(?:/[^/]+?)??)"  # old models have no organisation
API = re.compile(rf"/api/models/{REPO}(?:/(?P<verb>revision|tree|refs|auth-check|paths-info|commits)(?:/(?P<rest>.*))?)?")
DOWNLOAD = re.compile(rf"/{REPO}/(?P<verb>resolve|cdn)/(?P<revision>[^/]+)/(?P<path>.+)")


class Request(tuple):
    """(method, path with its query) of a request, equal to such a plain tuple; `headers` has its headers, names in lower case."""

    headers: dict[str, str]


class Refusal(Exception):
    """An error answer: HTTP status, the code and the message from which the client picks its exception class."""

    def __init__(self, status: int, message: str, code: str | None = None, headers: dict | None = None):
        super().__init__(message)
        self.status = status
        self.headers = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {}), **(headers or {})}


@dataclass(frozen=True)
class File:
    """One file of one commit; `data` None: only its name and size are known (its metadata can be asked, its bytes cannot)."""

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
    facts: dict = field(default_factory=dict)  # card, downloads, likes, created, tags, base_models, safetensors_parameters

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
        return {"relation": relation, "models": [{"_id": _identifier(name), "id": name} for name in names]}

    def tags(self, sha: str) -> list[str]:
        """The card's tags and those that the hub adds: library, licence, languages, datasets, base models, remote code."""
        card, config, bases = self.facts["card"], self.config(sha), self.bases()
        tags = [self.library, self.pipeline, *self.facts["tags"], *card.get("tags", []), config.get("model_type")]
        tags += ["safetensors"] if any(path.endswith(".safetensors") for path in self.commits[sha]) else []
        tags += ["custom_code"] if "auto_map" in config else []
        tags += [*_listed(card.get("language")), *(f"dataset:{name}" for name in _listed(card.get("datasets")))]
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
        counts = facts["safetensors_parameters"] or (files["model.safetensors"].parameters if "model.safetensors" in files else {})
        fields = {
            "_id": _identifier(self.id), "id": self.id, "modelId": self.id, "author": self.id.split("/")[0] if "/" in self.id else None,
            "sha": sha, "private": self.private, "gated": self.gated, "disabled": self.disabled, "library_name": self.library,
            "pipeline_tag": self.pipeline, "tags": self.tags(sha), "downloads": facts["downloads"], "likes": facts["likes"],
            "downloadsAllTime": 10 * facts["downloads"], "trendingScore": 0, "createdAt": self.date(next(iter(self.commits))),
            "lastModified": self.date(sha), "cardData": facts["card"], "config": self.config(sha), "baseModels": self.bases(),
            "siblings": [file.sibling(blobs) for file in files.values()], "usedStorage": sum(file.size for file in files.values()),
            "safetensors": {"parameters": counts, "total": sum(counts.values())} if counts else None,
        }  # fmt: skip
        return {name: fields[name] for name in dict.fromkeys(wanted) if fields.get(name) is not None}


def _listed(value: str | Sequence[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


def _identifier(name: str) -> str:
    return hashlib.sha1(name.encode()).hexdigest()[:24]


def _number(text: str) -> float:
    """`110M` -> 1.1e8."""
    unit = text[-1].upper() if text[-1].isalpha() else ""
    return float(text[: len(text) - len(unit)]) * UNITS[unit]


class FakeHub:
    """The hub; use it as a context manager.

    Args:
        page: most models (or files of a tree) in one answer; the rest is behind the Link header.
        tokens: token -> user, by default READER and STRANGER; any other token is refused everywhere, as the hub does.

    Attributes:
        url, cdn_url: the endpoint, and the origin that large files are served from.
        requests: (method, path with its query) of every request, in order, each with its `headers`.
        repos: id -> Repo; `repos.pop(id)` deletes a repo.
    """

    def __init__(self, page: int = 1000, tokens: Mapping[str, str] | None = None):
        self.page, self.tokens = page, dict(tokens or {READER: "reader", STRANGER: "stranger"})
        self.repos: dict[str, Repo] = {}
        self.requests: list[Request] = []
        self._faults: list[dict] = []
        self._cuts: list[dict] = []
        self._pace: dict[str, float] = {}
        self._lock = threading.Lock()
        self._servers = [_Server(self), _Server(self)]
        self.url, self.cdn_url = (f"http://127.0.0.1:{server.server_port}" for server in self._servers)

    def __enter__(self) -> FakeHub:
        for server in self._servers:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def add(
        self, repo_id: str, folder: str | Path | None = None, files: Mapping[str, bytes | int] | None = None, *,
        branches: Mapping[str, str | None] | None = None, gated: str | bool = False, private: bool = False, disabled: bool = False,
        card: dict | None = None, downloads: int = 0, likes: int = 0, created: str = "2024-01-01", tags: Sequence[str] = (),
        base_models: str | Sequence[str] | dict | None = None, safetensors_parameters: dict[str, int] | None = None,
        token_needed: str | bool | None = None,
    ) -> str:  # fmt: skip
        """Add a model, or a commit to it: the new commit holds these files only, and the repo's facts (gated, card, ...) are those given
        last; the commits before it stay downloadable.

        Args:
            files: path -> bytes, or its size alone (metadata only); `folder`: all files of a folder, read now.
            branches: name ("main", "dev", "refs/tags/v1", "refs/pr/1") -> commit; a sha that the repo does not have yet becomes that of
                this commit; None: this commit. "main" always moves to this commit unless it is named.
            token_needed: the token that opens the repo (True: READER); on a repo that is neither gated nor private it makes it private.

        Returns:
            the new commit, 40 hex.
        """
        blobs = dict(files or {})
        for file in sorted(Path(folder).rglob("*")) if folder is not None else ():
            if file.is_file():
                blobs[file.relative_to(folder).as_posix()] = file.read_bytes()
        tree = {path: File(path, *((value,) if isinstance(value, int) else (len(value), value))) for path, value in blobs.items()}
        repo = self.repos.setdefault(repo_id, Repo(repo_id))
        repo.token = token_needed if isinstance(token_needed, str) else READER
        repo.gated, repo.private, repo.disabled = gated, private or bool(token_needed and not gated), disabled
        repo.facts = {"card": card or {}, "downloads": downloads, "likes": likes, "created": created, "tags": list(tags),
                      "base_models": base_models, "safetensors_parameters": safetensors_parameters}  # fmt: skip
        branches = {"main": None, **(branches or {})}
        named = next((sha for sha in branches.values() if sha is not None and sha not in repo.commits), None)
        listing = "".join(f"{file.path}\0{file.oid}\n" for file in tree.values())
        commit = named or hashlib.sha1(f"{repo_id} {len(repo.commits)}\n{listing}".encode()).hexdigest()
        repo.commits[commit] = tree
        repo.refs.update({name: sha or commit for name, sha in branches.items()})
        return commit

    def environment(self, home: Path) -> dict[str, str]:
        """Variables that turn a subprocess to this hub: a cache of its own below `home`, no token, no proxy, no progress bars."""
        return {
            "HF_ENDPOINT": self.url, "HF_HOME": str(home), "HF_HUB_CACHE": str(Path(home) / "hub"), "HF_TOKEN": "", "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "127.0.0.1",
        }  # fmt: skip

    def adopt(self, monkeypatch, home: Path) -> None:
        """Turn this process to this hub, for one test: the client reads `environment` when it is imported, so its constants are set."""
        from huggingface_hub import close_session, constants

        for name, value in self.environment(home).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", self.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", self.url + "/{repo_id}/resolve/{revision}/{filename}")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(Path(home) / "hub"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(Path(home) / "token"))
        monkeypatch.setattr(constants, "AGENT_HARNESSES_PATH", str(Path(home) / "agents.json"))
        close_session()  # a client made before would not know of NO_PROXY

    def fail(self, repo_id: str = "*", status: int = 500, times: int = 1, retry_after: float | None = None, where: str = "resolve") -> None:
        """Refuse the next `times` requests of a repo ("*": of any, listing too); `where`: "resolve" (files), "api", or "any"."""
        self._faults.append({"repo": repo_id, "status": status, "left": times, "wait": retry_after, "where": where})

    def slow(self, repo_id: str, seconds_per_megabyte: float) -> None:
        """Send the files of a repo at this pace; 0 ends it."""
        self._pace[repo_id] = seconds_per_megabyte

    def cut(self, repo_id: str, path: str, after: int, times: int = 1) -> None:
        """Close the connection after this many bytes of the next `times` bodies of a file."""
        self._cuts.append({"repo": repo_id, "path": path, "after": after, "left": times})

    def _take(self, rules: list[dict], **wanted) -> dict | None:
        """The first rule that fits and is not used up; a rule's "*" or "any" fits everything."""
        with self._lock:
            for rule in rules:
                if rule["left"] > 0 and all(rule[key] in (value, "*", "any") for key, value in wanted.items()):
                    rule["left"] -= 1
                    return rule
        return None

    def open(self, repo_id: str, token: str | None, content: bool = False) -> Repo:
        """The repo, or the hub's refusal: a private repo looks like none; a gated one shows its metadata, not its files (`content`)."""
        repo = self.repos.get(repo_id)
        if repo is None or (repo.private and token != repo.token):
            raise Refusal(404 if token else 401, "Repository not found" if token else "Invalid username or password.", "RepoNotFound")
        if repo.disabled:
            raise Refusal(403, "Access to this resource is disabled.")
        if content and repo.gated and token != repo.token:
            stranger = " and you are not in the authorized list. Visit its page to ask for access."
            nobody = ". You must have access to it and be authenticated to access it. Please log in."
            message = f"Access to model {repo_id} is restricted{stranger if token else nobody}"
            raise Refusal(403 if token else 401, message, "GatedRepo")
        return repo

    def listing(self, query: dict[str, list[str]], token: str | None) -> list[dict]:
        """All models that a listing asks for, in its order."""
        one = {key: values[0] for key, values in query.items()}
        bounds = dict(part.split(":") for part in one.get("num_parameters", "").split(",") if part)
        low, high = _number(bounds.get("min", "0")), _number(bounds.get("max", "1000T"))
        wanted = self.wanted(query, [*(FULL if "full" in one else LISTED), *({"cardData", "config"} & set(one))])
        found = []
        for repo in list(self.repos.values()):
            sha = repo.refs["main"]
            if repo.private and token != repo.token:
                continue
            record = repo.describe(sha, [*wanted, "tags", "safetensors", *SORTS])
            parameters = record.get("safetensors", {}).get("total")
            fits = (
                set(query.get("filter", ())) <= set(record["tags"])
                and one.get("author", repo.id.split("/")[0]) == repo.id.split("/")[0]
                and one.get("search", "").lower() in repo.id.lower()
                and one.get("gated", str(bool(repo.gated)).lower()) == str(bool(repo.gated)).lower()
                and one.get("pipeline_tag", repo.pipeline) == repo.pipeline
                and ("num_parameters" not in one or (parameters is not None and low <= parameters <= high))
            )
            if fits:
                found.append(record)
        if "sort" in one:
            if one["sort"] not in SORTS:
                raise Refusal(400, f"Invalid value for sort: {one['sort']}")
            found.sort(key=lambda record: record[one["sort"]], reverse=True)
        return [{key: record[key] for key in wanted if key in record} for record in found]

    @staticmethod
    def wanted(query: dict[str, list[str]], otherwise: Sequence[str]) -> list[str]:
        """The fields of an `expand`, or those of the plain answer."""
        if "expand" not in query:
            return list(otherwise)
        if unknown := set(query["expand"]) - {*INFO, *ONLY_EXPANDED}:
            raise Refusal(400, f"Invalid value for expand: {sorted(unknown)}")
        return ["_id", "id", *query["expand"]]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # many workers connect at once

    def __init__(self, hub: FakeHub):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.hub, self.sockets = hub, set()

    def handle_error(self, request, client_address) -> None:
        """A client that went away is no news; an error of this file is."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        super().server_close()
        for connection in list(self.sockets):  # clients keep connections alive: without this their threads outlive the hub
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes: 40 ms each otherwise

    def setup(self) -> None:
        super().setup()
        self.server.sockets.add(self.connection)

    def finish(self) -> None:
        super().finish()
        self.server.sockets.discard(self.connection)

    def log_message(self, *_) -> None:
        """Not on the tests' stderr."""

    def do_GET(self) -> None:
        self._respond()

    do_HEAD = do_POST = do_GET

    def _respond(self) -> None:
        self.hub = self.server.hub
        address = urlsplit(self.path)
        self.query = parse_qs(address.query)
        self.form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode())
        if address.path == "/api/agent-harnesses":  # the client asks this once a process, for its user agent: in no test's log
            return self._json({"standardEnvVars": [], "harnesses": {}})
        request = Request((self.command, self.path))
        request.headers = {key.lower(): value for key, value in self.headers.items()}
        self.hub.requests.append(request)
        try:
            self._route(address.path)
        except Refusal as refusal:
            self._json({"error": str(refusal)}, refusal.status, refusal.headers)

    def _route(self, path: str) -> None:
        download, api = DOWNLOAD.fullmatch(path), API.fullmatch(path)
        match = download or api
        self._stumble(match["repo"] if match else "", "resolve" if download else "api")
        bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.token = bearer or None
        if self.token and self.token not in self.hub.tokens:
            raise Refusal(401, "Invalid credentials in Authorization header")
        if path == "/api/whoami-v2":
            if not self.token:
                raise Refusal(401, "Invalid username or password.")
            self._json({"type": "user", "name": self.hub.tokens[self.token], "orgs": [], "auth": {"accessToken": {"role": "read"}}})
        elif path == "/api/models":
            self._pages(self.hub.listing(self.query, self.token))
        elif download:
            self._file(match["repo"], match["verb"], unquote(match["revision"]), unquote(match["path"]))
        elif api:
            self._api(match["repo"], match["verb"], unquote(match["rest"] or ""))
        else:
            raise Refusal(404, f"Cannot {self.command} {path}")

    def _stumble(self, repo_id: str, where: str) -> None:
        if fault := self.hub._take(self.hub._faults, repo=repo_id, where=where):
            wait = {} if fault["wait"] is None else {"Retry-After": str(fault["wait"])}
            raise Refusal(fault["status"], f"HTTP {fault['status']} was asked for by the test", headers=wait)

    def _api(self, repo_id: str, verb: str | None, rest: str) -> None:
        repo = self.hub.open(repo_id, self.token, content=verb == "auth-check")
        if verb == "auth-check":
            return self._json({})
        if verb == "refs":
            return self._refs(repo)
        revision, _, path = (rest, "", "") if verb in (None, "revision") else rest.partition("/")
        sha = repo.commit(revision or "main")
        if verb is None or verb == "revision":
            self._json(repo.describe(sha, self.hub.wanted(self.query, INFO), blobs="blobs" in self.query))
        elif verb == "tree":
            self._pages(self._entries(repo.commits[sha], path, self.query.get("recursive") == ["true"]))
        elif verb == "paths-info":
            files = repo.commits[sha]
            self._json([files[name].entry() for name in self.form.get("paths", ()) if name in files])
        else:
            made = list(repo.commits)[: list(repo.commits).index(sha) + 1]
            common = {"title": "Upload", "message": "", "authors": [{"user": "author"}]}
            self._pages([{"id": commit, "date": repo.date(commit), **common} for commit in reversed(made)])

    def _refs(self, repo: Repo) -> None:
        answer = {"branches": [], "converts": [], "tags": [], "pullRequests": []}
        kinds = {"refs/tags/": "tags", "refs/pr/": "pullRequests", "refs/convert/": "converts"}
        for name, sha in repo.refs.items():
            prefix = next((prefix for prefix in kinds if name.startswith(prefix)), "")
            ref = name if prefix else f"refs/heads/{name}"
            answer[kinds.get(prefix, "branches")].append({"name": name.removeprefix(prefix), "ref": ref, "targetCommit": sha})
        self._json(answer)

    @staticmethod
    def _entries(files: dict[str, File], folder: str, recursive: bool) -> list[dict]:
        """Files and folders of a tree, below a folder ("": the root)."""
        prefix, entries, folders = f"{folder}/" if folder else "", [], {}
        for path, file in files.items():
            parents = path.removeprefix(prefix).split("/")[:-1]
            if path.startswith(prefix):
                for depth in range(1, len(parents) + 1 if recursive else min(len(parents), 1) + 1):
                    folders.setdefault(prefix + "/".join(parents[:depth]), None)
                entries += [file.entry()] if recursive or not parents else []
        if folder and not entries and not folders:
            raise Refusal(404, f"{folder} does not exist", "EntryNotFound")
        return [*({"type": "directory", "oid": "0" * 40, "size": 0, "path": name} for name in folders), *entries]

    def _file(self, repo_id: str, verb: str, revision: str, path: str) -> None:
        """HEAD or GET of a file; a large one is redirected to the other origin, which asks for no token (its addresses are signed)."""
        repo = self.hub.repos[repo_id] if verb == "cdn" else self.hub.open(repo_id, self.token, content=True)
        sha = repo.commit(revision)
        headers = {"X-Repo-Commit": sha, "Accept-Ranges": "bytes"}
        file = repo.commits[sha].get(path)
        if file is None:
            raise Refusal(404, "Entry not found", "EntryNotFound", headers)
        if file.large and verb == "resolve":
            headers |= {"X-Linked-Size": str(file.size), "X-Linked-ETag": f'"{file.sha256}"'}
            headers["Location"] = f"{self.hub.cdn_url}/{repo_id}/cdn/{sha}/{quote(path)}"
            return self._send(302, headers, b"")
        headers["ETag"] = f'"{file.sha256 if file.large else file.oid}"'
        if self.command == "HEAD":
            return self._send(200, {**headers, "Content-Length": str(file.size)}, b"")
        if file.data is None:
            raise Refusal(501, f"{path}: this hub knows its size only")
        start, stop = self._range(file)
        if "Range" in self.headers:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{file.size}"
        headers["Content-Length"] = str(stop - start)
        body = memoryview(file.data)[start:stop]
        self._send(206 if "Range" in self.headers else 200, headers, body, self.hub._pace.get(repo_id, 0), (repo_id, path))

    def _range(self, file: File) -> tuple[int, int]:
        """First byte, and one past the last, of what is asked for."""
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "bytes=0-"))
        start, stop = int(match[1]), min(file.size, int(match[2]) + 1 if match[2] else file.size)
        if start >= stop and file.size:
            raise Refusal(416, "Requested range not satisfiable", headers={"Content-Range": f"bytes */{file.size}"})
        return start, stop

    def _pages(self, items: list) -> None:
        """One page of a list; the Link header leads to the next."""
        size = min(self.hub.page, int(self.query.get("limit", [self.hub.page])[0]))
        start = int(self.query.get("cursor", [0])[0])
        headers = {}
        if start + size < len(items):
            kept = [pair for pair in parse_qsl(urlsplit(self.path).query) if pair[0] != "cursor"]
            address = f"{self.hub.url}{urlsplit(self.path).path}?{urlencode([*kept, ('cursor', start + size)])}"
            headers["Link"] = f'<{address}>; rel="next"'
        self._json(items[start : start + size], headers=headers)

    def _json(self, answer: object, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        body = json.dumps(answer).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
        self._send(status, headers, b"" if self.command == "HEAD" else body)

    def _send(
        self, status: int, headers: Mapping[str, str], body: bytes | memoryview, pace: float = 0, named: tuple[str, str] | None = None
    ) -> None:
        """Status, headers and body, in pieces at `pace` seconds a megabyte; a file that is to be cut ends early with its connection."""
        cut = self.hub._take(self.hub._cuts, repo=named[0], path=named[1]) if named else None
        self.send_response(status)
        for key, value in {"Content-Length": "0", **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if cut:
            body, self.close_connection = body[: cut["after"]], True
        step = 2**14 if pace else 2**20
        for start in range(0, len(body), step):
            time.sleep(pace * min(step, len(body) - start) / 1e6)
            self.wfile.write(body[start : start + step])

"""A model hub on 127.0.0.1 for the real `huggingface_hub` client: what the client asks, in the shapes and with the
errors of the real hub.

Give the client `endpoint=hub.url` (or a subprocess `HF_ENDPOINT=hub.url`). Large files are answered with a redirect to
a second origin, `hub.cdn_url`, as the hub does: the client must not send its token there. Xet is never offered.
Behaviour was read in huggingface_hub 2.4.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.hub_records import (
    FULL,
    INFO,
    LISTED,
    ONLY_EXPANDED,
    READER,
    SORTS,
    STRANGER,
    File,
    Pull,
    Refusal,
    Repo,
    Request,
    number,
)
from tests.hub_server import HubServer


class FakeHub:
    """The hub; use it as a context manager.

    Args:
        page: most models (or files of a tree) in one answer; the rest is behind the Link header.
        tokens: token -> user, by default READER and STRANGER; any other token is refused everywhere, as the hub does.

    Attributes:
        url, cdn_url: the endpoint, and the origin that large files are served from.
        requests: (method, path with its query) of every request, in order, each with its `headers`.
        repos: id -> Repo; `repos.pop(id)` deletes a repo.
        page_of_a_proxy: what a path begins with that is answered with a page of HTML and status 200; None: none is.
        renamed: old id -> id: what is asked under the old one is answered with a redirect (307), as the hub does.
    """

    def __init__(self, page: int = 1000, tokens: Mapping[str, str] | None = None):
        self.page, self.tokens = page, dict(tokens or {READER: "reader", STRANGER: "stranger"})
        self.repos: dict[str, Repo] = {}
        self.renamed: dict[str, str] = {}
        self.requests: list[Request] = []
        self.page_of_a_proxy: str | None = None
        self._faults: list[dict] = []
        self._cuts: list[dict] = []
        self._pace: dict[str, float] = {}
        self._lock = threading.Lock()
        self._servers = [HubServer(self), HubServer(self)]
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
        self,
        repo_id: str,
        folder: str | Path | None = None,
        files: Mapping[str, bytes | int] | None = None,
        *,
        branches: Mapping[str, str | None] | None = None,
        gated: str | bool = False,
        private: bool = False,
        disabled: bool = False,
        card: dict | None = None,
        downloads: int = 0,
        likes: int = 0,
        created: str = "2024-01-01",
        tags: Sequence[str] = (),
        base_models: str | Sequence[str] | dict | None = None,
        safetensors_parameters: dict[str, int] | None = None,
        token_needed: str | bool | None = None,
    ) -> str:
        """Add a model, or a commit to it: the new commit holds these files only, and the repo's facts (gated, card,
        ...) are those given last; the commits before it stay downloadable.

        Args:
            files: path -> bytes, or its size alone (metadata only); `folder`: all files of a folder, read now.
            branches: name ("main", "dev", "refs/tags/v1", "refs/pr/1") -> commit; a sha that the repo does not have yet
                becomes that of this commit; None: this commit. "main" always moves to this commit unless it is named.
            token_needed: the token that opens the repo (True: READER); on a repo that is neither gated nor private it
                makes it private.

        Returns:
            the new commit, 40 hex.
        """
        repo = self.repos.setdefault(repo_id, Repo(repo_id))
        repo.token = token_needed if isinstance(token_needed, str) else READER
        repo.gated, repo.private, repo.disabled = gated, private or bool(token_needed and not gated), disabled
        repo.facts = {
            "card": card or {},
            "downloads": downloads,
            "likes": likes,
            "created": created,
            "tags": list(tags),
            "base_models": base_models,
            "safetensors_parameters": safetensors_parameters,
        }
        branches = {"main": None, **(branches or {})}
        named = next((sha for sha in branches.values() if sha is not None and sha not in repo.commits), None)
        commit = self._commit(repo, folder, files, named)
        repo.refs.update({name: sha or commit for name, sha in branches.items()})
        return commit

    def propose(
        self,
        repo_id: str,
        folder: str | Path | None = None,
        files: Mapping[str, bytes | int] | None = None,
        *,
        author: str = "SFconvertbot",
        status: str = "open",
        title: str = "Adding `safetensors` variant of this model",
    ) -> str:
        """Open a pull request whose commit holds these files only (as of `add`); it gets the next number.

        Args:
            status: open, draft, closed or merged; a merged one moves main.

        Returns:
            its commit.
        """
        repo = self.repos[repo_id]
        commit = self._commit(repo, folder, files)
        pull = Pull(len(repo.pulls) + 1, author, title, status)
        repo.pulls.append(pull)
        repo.refs[f"refs/pr/{pull.number}"] = commit
        if status == "merged":
            repo.refs["main"] = commit
        return commit

    def _commit(
        self, repo: Repo, folder: str | Path | None, files: Mapping[str, bytes | int] | None, named: str | None = None
    ) -> str:
        """Add a commit of these files to a repository; `named`: the sha that it is to have."""
        blobs = dict(files or {})
        for file in sorted(Path(folder).rglob("*")) if folder is not None else ():
            if file.is_file():
                blobs[file.relative_to(folder).as_posix()] = file.read_bytes()
        tree = {
            path: File(path, *((value,) if isinstance(value, int) else (len(value), value)))
            for path, value in blobs.items()
        }
        listing = "".join(f"{file.path}\0{file.oid}\n" for file in tree.values())
        commit = named or hashlib.sha1(f"{repo.id} {len(repo.commits)}\n{listing}".encode()).hexdigest()
        repo.commits[commit] = tree
        return commit

    def environment(self, home: Path) -> dict[str, str]:
        """Variables that turn a subprocess to this hub: a cache of its own below `home`, no token, no proxy, no
        progress bars."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_CACHE": str(Path(home) / "hub"),
            "HF_TOKEN": "",
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "NO_PROXY": "127.0.0.1",
        }

    def adopt(self, monkeypatch, home: Path) -> None:
        """Turn this process to this hub, for one test: the client reads `environment` when it is imported, so its
        constants are set."""
        from huggingface_hub import close_session, constants

        for name, value in self.environment(home).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", self.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", self.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(Path(home) / "hub"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(Path(home) / "token"))
        monkeypatch.setattr(constants, "AGENT_HARNESSES_PATH", str(Path(home) / "agents.json"))
        close_session()  # a client made before would not know of NO_PROXY

    def fail(
        self,
        repo_id: str = "*",
        status: int = 500,
        times: int = 1,
        retry_after: float | None = None,
        where: str = "resolve",
    ) -> None:
        """Refuse the next `times` requests of a repo ("*": of any, listing too); `where`: "resolve" (files), "api", or
        "any"."""
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
        """The repo, or the hub's refusal: a private repo looks like none; a gated one shows its metadata, not its files
        (`content`)."""
        repo = self.repos.get(repo_id)
        if repo is None or (repo.private and token != repo.token):
            raise Refusal(
                404 if token else 401,
                "Repository not found" if token else "Invalid username or password.",
                "RepoNotFound",
            )
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
        low, high = number(bounds.get("min", "0")), number(bounds.get("max", "1000T"))
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

"""The HTTP side of the fake hub of tests/hub.py: routes, redirects, ranges, broken and slow bodies."""

from __future__ import annotations

import json
import re
import socket
import sys
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlencode, urlsplit

from tests.hub_records import API, DOWNLOAD, INFO, File, Refusal, Repo, Request

if TYPE_CHECKING:
    from tests.hub import FakeHub


class HubServer(ThreadingHTTPServer):
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
        for connection in list(
            self.sockets
        ):  # clients keep connections alive: without this their threads outlive the hub
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
        if (
            address.path == "/api/agent-harnesses"
        ):  # the client asks this once a process, for its user agent: in no test's log
            return self._json({"standardEnvVars": [], "harnesses": {}})
        request = Request((self.command, self.path))
        request.headers = {key.lower(): value for key, value in self.headers.items()}
        self.hub.requests.append(request)
        if self.hub.page_of_a_proxy and self.path.startswith(self.hub.page_of_a_proxy):
            return self._send(200, {"Content-Type": "text/html", "Content-Length": "12"}, b"<html></html"[:12])
        try:
            self._route(address.path)
        except Refusal as refusal:
            self._json({"error": str(refusal)}, refusal.status, refusal.headers)

    def _route(self, path: str) -> None:
        download, api = DOWNLOAD.fullmatch(path), API.fullmatch(path)
        match = download or api
        self._stumble(match["repo"] if match else "", "resolve" if download else "api")
        if match and match["repo"] in self.hub.renamed:
            place = self.path.replace(f"/{match['repo']}", f"/{self.hub.renamed[match['repo']]}", 1)
            return self._send(307, {"Location": f"{self.hub.url}{place}"}, b"")
        bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.token = bearer or None
        if self.token and self.token not in self.hub.tokens:
            raise Refusal(401, "Invalid credentials in Authorization header")
        if path == "/api/whoami-v2":
            if not self.token:
                raise Refusal(401, "Invalid username or password.")
            self._json(
                {
                    "type": "user",
                    "name": self.hub.tokens[self.token],
                    "orgs": [],
                    "auth": {"accessToken": {"role": "read"}},
                }
            )
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
        if verb == "discussions":
            return self._discussions(repo)
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
            answer[kinds.get(prefix, "branches")].append(
                {"name": name.removeprefix(prefix), "ref": ref, "targetCommit": sha}
            )
        if "include_prs" not in self.query:
            del answer["pullRequests"]
        self._json(answer)

    def _discussions(self, repo: Repo) -> None:
        """A page of them, the newest first; each page says where it starts and how many there are."""
        one = {key: values[0] for key, values in self.query.items()}
        states = {"open": ("open", "draft"), "closed": ("closed", "merged")}
        wanted = states.get(one.get("status", "all"), ("open", "draft", "closed", "merged"))
        found = [
            pull.entry(repo.id)
            for pull in reversed(repo.pulls)
            if one.get("author", pull.author) == pull.author and pull.status in wanted
        ]
        found = [] if one.get("type") == "discussion" else found
        size = min(self.hub.page, 50)
        start = int(one.get("p", 0)) * size
        self._json({"discussions": found[start : start + size], "count": len(found), "start": start})

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
        """HEAD or GET of a file; a large one is redirected to the other origin, which asks for no token (its addresses
        are signed)."""
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
        self._send(
            206 if "Range" in self.headers else 200, headers, body, self.hub._pace.get(repo_id, 0), (repo_id, path)
        )

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
        self,
        status: int,
        headers: Mapping[str, str],
        body: bytes | memoryview,
        pace: float = 0,
        named: tuple[str, str] | None = None,
    ) -> None:
        """Status, headers and body, in pieces at `pace` seconds a megabyte; a file that is to be cut ends early with
        its connection."""
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

"""A real S3 server for tests: moto in a process of its own, and before it a proxy that counts, delays, fails and goes
away.

    server = shared_server()
    store = Store(server.location())        # s3://bucket/prefix?endpoint_override=..., a fresh prefix each time

The credentials of CREDENTIALS must be in the environment of whoever connects: the fixture `s3` sees to that.
"""

from __future__ import annotations

import functools
import http.client
import os
import re
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "never-in-a-message",
    "AWS_EC2_METADATA_DISABLED": "true",
}
BUCKET = "maps"
MOTO = """
import os, pathlib, sys, threading
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import main

def serve_parent():  # folders to take over, a line each; no server outlives its tests, however they end
    for line in sys.stdin:
        bucket, prefix, folder = line.rstrip("\\n").split("\\t")
        for path in pathlib.Path(folder).rglob("*"):
            if path.is_file():
                name = f"{prefix}/{path.relative_to(folder).as_posix()}"
                s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(bucket, name, path.read_bytes())
        print("done", flush=True)
    os._exit(0)

threading.Thread(target=serve_parent, daemon=True).start()
main(["-H", "127.0.0.1", "-p", "0"])
"""


@pytest.fixture
def s3(monkeypatch) -> Iterator[S3Server]:
    """The server of this test process, well and without delay, and credentials for it in the environment."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    server = shared_server()
    server.requests.clear()
    yield server
    server.delay = 0.0
    server.answers.set()
    server.faults.clear()
    server.resume()


@functools.cache
def shared_server() -> S3Server:
    """One server for all tests of this process; it ends with it."""
    return S3Server()


@dataclass
class Fault:
    """An answer that the proxy gives in place of the server's."""

    pattern: re.Pattern
    status: int
    code: str
    times: int
    after: str


CUT = 0  # as a status: the server's own answer, and only half of it


class S3Server:
    """moto's S3 server, and the proxy that its clients speak to.

    Attributes:
        endpoint: host:port of the proxy.
        requests: "METHOD /path?query" of every request that reached the proxy.
        delay: seconds that every request takes longer.
        answers: where it is clear, every request waits until it is set.
    """

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.answers = threading.Event()
        self.answers.set()
        self.delay = 0.0
        self.faults: list[Fault] = []
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([sys.executable, "-c", MOTO], stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        self.upstream = ("127.0.0.1", self._port_of_moto())
        self._proxy: _Proxy | None = None
        self.resume()
        self.port = self._proxy.server_address[1]
        self.endpoint = f"127.0.0.1:{self.port}"
        self.make_bucket(BUCKET)

    def location(self, bucket: str = BUCKET, prefix: str | None = None) -> str:
        """The address of a store on this server; without a prefix, of a new and empty one."""
        prefix = f"test-{uuid.uuid4().hex[:12]}" if prefix is None else prefix
        return f"s3://{bucket}/{prefix}?endpoint_override={self.endpoint}&region=us-east-1&scheme=http"

    def make_bucket(self, name: str) -> None:
        connection = http.client.HTTPConnection(*self.upstream, timeout=30)
        connection.request("PUT", f"/{name}", headers={"Content-Length": "0"})
        assert connection.getresponse().status == 200, f"moto made no bucket {name}"
        connection.close()

    def adopt(self, folder: Path, prefix: str, bucket: str = BUCKET) -> None:
        """Take over the files of a folder, as objects below a prefix: much faster than a request for each."""
        print(bucket, prefix, folder, sep="\t", file=self._process.stdin, flush=True)
        assert self._process.stdout.readline() == "done\n", "moto did not take over the folder"

    def fail(self, pattern: str, status: int, code: str = "InternalError", times: int = 10**9, after: str = "") -> None:
        """Answer requests that match a pattern ("PUT .*embeddings") with an error, as often as is said; from the second
        on that matches `after`."""
        self.faults.append(Fault(re.compile(pattern), status, code, times, after))

    def has_seen(self, pattern: str) -> bool:
        """Whether two requests match a pattern: the first was answered, or is being so."""
        return not pattern or sum(re.search(pattern, line) is not None for line in list(self.requests)) > 1

    def cut(self, pattern: str, times: int) -> None:
        """Break the connection in the middle of the answer to requests that match."""
        self.fail(pattern, CUT, times=times)

    def pause(self) -> None:
        """Be gone: connections are cut and new ones refused. What is stored stays."""
        proxy, self._proxy = self._proxy, None
        if proxy is not None:
            proxy.shutdown()
            proxy.server_close()

    def resume(self) -> None:
        """Be there again, at the same port."""
        if self._proxy is None:
            self._proxy = _Proxy(self, getattr(self, "port", 0))
            threading.Thread(target=self._proxy.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        self.pause()
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()
        self._process.stderr.close()

    def _port_of_moto(self) -> int:
        for line in self._process.stderr:
            if match := re.search(r"Running on http://127\.0\.0\.1:(\d+)", line):
                threading.Thread(target=self._process.stderr.read, daemon=True).start()  # its access log
                return int(match[1])
        raise RuntimeError(
            f"moto's server ended with exit code {self._process.wait()}; is moto[s3] with flask and flask-cors "
            f"installed?"
        )


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, server: S3Server, port: int):
        self.s3, self.sockets = server, set()
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request, client_address) -> None:
        """A client that went away, or a server that is paused, is no news; an error of this file is."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, ValueError)):
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        super().server_close()
        for connection in list(self.sockets):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.server.sockets.add(self.connection)
        self.upstream = http.client.HTTPConnection(*self.server.s3.upstream, timeout=400)

    def finish(self) -> None:
        self.upstream.close()
        self.server.sockets.discard(self.connection)
        super().finish()

    def log_message(self, *_) -> None:
        """Not on the tests' stderr."""

    def do_GET(self) -> None:
        s3 = self.server.s3
        body = self._body()
        line = f"{self.command} {self.path}"
        s3.requests.append(line)
        time.sleep(s3.delay)
        s3.answers.wait()
        fault = next(
            (
                fault
                for fault in s3.faults
                if fault.times > 0 and fault.pattern.search(line) and s3.has_seen(fault.after)
            ),
            None,
        )
        if fault is not None:
            fault.times -= 1
        if fault is not None and fault.status != CUT:
            content = (
                b""
                if self.command == "HEAD"
                else f"<Error><Code>{fault.code}</Code><Message>asked for by the test</Message></Error>".encode()
            )
            return self._answer(fault.status, {"Content-Type": "application/xml"}, content, len(content))
        left_out = {"connection", "content-length", "expect", "transfer-encoding"}
        headers = {name: value for name, value in self.headers.items() if name.lower() not in left_out}
        self.upstream.request(self.command, self.path, body, {**headers, "Content-Length": str(len(body))})
        response = self.upstream.getresponse()
        content = response.read()
        left_out = {"connection", "content-length", "date", "server", "transfer-encoding"}
        headers = {name: value for name, value in response.getheaders() if name.lower() not in left_out}
        told = int(response.getheader("Content-Length") or 0) if self.command == "HEAD" else len(content)
        if fault is not None:
            self.close_connection, content = True, content[: len(content) // 2]
        self._answer(response.status, headers, content, told)

    do_PUT = do_POST = do_HEAD = do_DELETE = do_GET

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _answer(self, status: int, headers: dict[str, str], content: bytes, length: int) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":  # a server to try things on by hand
    server = S3Server()
    print("\n".join(f"export {name}={value}" for name, value in CREDENTIALS.items()))
    print(server.location(prefix="store"), flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        os._exit(0)

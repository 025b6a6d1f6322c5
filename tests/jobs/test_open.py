"""`qre open`: a real server in a process of its own, asked over real HTTP."""

import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.records.exports import PAGE
from tests.jobs.conftest import write_config

ROOT = Path(__file__).resolve().parents[2]
HTML = b"<!doctype html><title>map</title>"


def with_page(folder: Path, files: dict[str, bytes]) -> None:
    """Put files into a finished map, and into its manifest."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    for name, content in files.items():
        (folder / name).write_bytes(content)
        manifest["files"][name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    path.write_text(json.dumps(manifest))


@pytest.fixture(scope="module")
def place(finished_atlas, tmp_path_factory):
    """A map with a page; beside its files one that its manifest does not list."""
    folder = tmp_path_factory.mktemp("open") / "map"
    shutil.copytree(finished_atlas, folder)
    with_page(folder, {PAGE: HTML})
    (folder / "secret.txt").write_text("not of the map")
    (folder.parent / "above.txt").write_text("beside the map")
    return folder


class Served:
    """A server that runs until it is stopped."""

    def __init__(self, place: Path, *words: str, **environment: str):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jobs.cli", "open", str(place), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        )
        self.line = self.process.stdout.readline()
        self.port = int(re.search(r"http://127\.0\.0\.1:(\d+)/", self.line)[1])

    def ask(self, path: str, method: str = "GET", hosts: tuple[str, ...] | None = None):
        """Status, headers and content; the path goes over the wire as it is given."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        client.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for host in (f"127.0.0.1:{self.port}",) if hosts is None else hosts:
            client.putheader("Host", host)
        client.endheaders()
        answer = client.getresponse()
        found = answer.status, answer.headers, answer.read()
        client.close()
        return found

    def stop(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Exit code, and what was said on stderr."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        _, told = self.process.communicate(timeout=60)
        return self.process.returncode, told


@pytest.fixture(scope="module")
def served(place):
    server = Served(place, "--no-browser")
    yield server
    server.stop()


def test_the_page_and_every_file_of_the_map(served, place):
    for path in ("/", f"/{PAGE}", f"/{PAGE}?x=1"):
        status, headers, content = served.ask(path)
        assert (status, content) == (200, HTML) and headers["Content-Type"] == "text/html; charset=utf-8"
    kinds = {"map.csv": "text/csv", "map.png": "image/png", "map.svg": "image/svg+xml", "report.md": "text/markdown"}
    for name in json.loads((place / "manifest.json").read_text())["files"]:
        status, headers, content = served.ask(f"/{name}")
        assert status == 200 and content == (place / name).read_bytes()
        assert headers["Content-Type"].partition(";")[0] == kinds.get(name, headers["Content-Type"].partition(";")[0])
        assert headers["X-Content-Type-Options"] == "nosniff" and int(headers["Content-Length"]) == len(content)
        assert name == PAGE or "sandbox" in headers["Content-Security-Policy"]


def test_a_head_has_no_content(served):
    status, headers, content = served.ask("/", "HEAD")
    assert status == 200 and content == b"" and int(headers["Content-Length"]) == len(HTML)


@pytest.mark.parametrize(
    "path",
    [
        "/secret.txt",
        "/manifest.json",
        "/../above.txt",
        "/..%2fabove.txt",
        "/%2e%2e/above.txt",
        "/..\\above.txt",
        "//above.txt",
        "///etc/passwd",
        "/./atlas.html",
        "/map.csv/",
        "/map.csv%00.html",
        "/%ff",
        "/atlas.html/../../above.txt",
        "../above.txt",
        "http://elsewhere.example/../above.txt",
        "/.",
        "/*",
    ],
)
def test_nothing_else_is_served(served, path):
    status, headers, content = served.ask(path)
    assert status == 404 and content == b"the map has no such file\n"
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"])
def test_only_reading(served, method):
    status, headers, _ = served.ask("/", method)
    assert status == 405 and headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "hosts",
    [
        ("evil.example",),
        ("evil.example:80",),
        ("127.0.0.1.evil.example",),
        ("localhost.evil.example",),
        ("localhost@evil.example",),
        ("0.0.0.0",),
        ("",),
        (),
        ("127.0.0.1", "evil.example"),
    ],
)
def test_a_host_that_is_not_this_machine_gets_nothing(served, hosts):
    status, _, content = served.ask("/", hosts=hosts)
    assert status in (400, 421) and HTML not in content


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:9000"])
def test_a_host_of_this_machine_whatever_its_port(served, host):
    """The port may be another: that of a tunnel."""
    assert served.ask("/", hosts=(host,))[0] == 200


def test_what_is_no_request_gets_one_line(served):
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as client:
        client.sendall(b"<script>alert(1)</script> / HTTP/9\r\n\r\n")
        answer = client.recv(1 << 16)
    assert answer and b"script" not in answer


def test_it_listens_on_this_machine_alone(served):
    """On 127.0.0.1, as the kernel tells it."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = [row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{served.port:04X}")]
    assert listening == [f"0100007F:{served.port:04X}"]


@pytest.mark.parametrize(("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
def test_a_signal_ends_it_with_one_line(place, number, name):
    server = Served(place, "--no-browser")
    assert server.ask("/")[0] == 200
    code, told = server.stop(number)
    assert code == 128 + number and told == f"qre: stopped by {name}; the page is no longer served\n"


def test_a_file_that_is_damaged_meanwhile_is_not_served(place, tmp_path):
    shutil.copytree(place, tmp_path / "map")
    server = Served(tmp_path / "map", "--no-browser")
    try:
        (tmp_path / "map/map.csv").write_bytes(b"other")
        status, _, content = server.ask("/map.csv")
        assert status == 500 and b"map.csv is damaged" in content and b"other" not in content
        with_page(tmp_path / "map", {"map.csv": b"made again", "more.csv": b"1"})  # as another sweep does
        assert server.ask("/map.csv")[2] == b"made again" and server.ask("/more.csv")[2] == b"1"
    finally:
        server.stop()


def test_a_browser_is_opened_at_the_address(place, tmp_path):
    """With a real command in BROWSER, that fetches the page."""
    browser = tmp_path / "browser"
    fetch = "import sys, urllib.request, pathlib; page = urllib.request.urlopen(sys.argv[1]).read()"
    browser.write_text(f"#!{sys.executable}\n{fetch}\npathlib.Path({str(tmp_path / 'seen')!r}).write_bytes(page)\n")
    browser.chmod(0o755)
    server = Served(place, BROWSER=f"{browser} %s")
    try:
        while not (tmp_path / "seen").exists() or (tmp_path / "seen").read_bytes() != HTML:
            assert server.process.poll() is None
    finally:
        server.stop()


def test_a_port_of_ones_own_and_one_that_is_taken(place):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, told = fails(place, "--port", str(port))
        assert (
            code == 2
            and told == f"qre: --port {port}: is in use; name another, or leave --port out for one that is free\n"
        )
    server = Served(place, "--no-browser", "--port", str(port))
    try:
        assert server.port == port
    finally:
        server.stop()


def fails(*words) -> tuple[int, str]:
    result = subprocess.run(
        [sys.executable, "-m", "jobs.cli", "open", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert result.stdout == ""
    return result.returncode, result.stderr


def test_a_map_without_a_page_and_no_map(finished_atlas, tmp_path):
    code, told = fails(finished_atlas)
    assert code == 2 and told.count("\n") == 1 and f"this map has no {PAGE}" in told and "report CONFIG" in told
    code, told = fails(tmp_path)
    assert code == 2 and told.count("\n") == 1 and "no finished map there" in told
    config = write_config(tmp_path, [{"source": "catalogue", "name": "demo"}])
    code, told = fails(config)
    assert code == 2 and told.count("\n") == 1 and "no finished map of 't'" in told


def test_a_damaged_page_is_told_at_once(place, tmp_path):
    shutil.copytree(place, tmp_path / "map")
    (tmp_path / "map" / PAGE).write_bytes(b"x")
    code, told = fails(tmp_path / "map")
    assert code == 2 and f"{PAGE} is damaged" in told


def test_the_page_itself_names_its_map(place):
    server = Served(place / PAGE, "--no-browser")
    try:
        assert server.ask("/")[2] == HTML
    finally:
        server.stop()

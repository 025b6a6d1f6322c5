"""`qre open`: the page of a finished map in a browser, from a server that only this machine reaches.

What is served are the files that the map's manifest lists, each verified against its sha256, and nothing else. Names
are looked up in the manifest and never in a file system. A request must name a host of this machine: else a page of
the web whose name is pointed at 127.0.0.1 (DNS rebinding) could read the map.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
import threading
import webbrowser
from collections.abc import Callable, Collection
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from jobs import ending
from jobs.asked.opened import open_atlas
from jobs.config.reading import YAML_ENDINGS
from jobs.records.exports import PAGE
from jobs.terminal.console import quiet, say, verbose
from jobs.terminal.spelled import qre_command
from qre.atlas.reader import AtlasFiles
from qre.errors import UserError

HOST = "127.0.0.1"
HERE = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", re.IGNORECASE)
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".parquet": "application/vnd.apache.parquet",
}
# beside what the page says of itself: nothing of a map is guessed at, framed, kept, or told of elsewhere
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
NO_SCRIPTS = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"  # of all files but the page
IDLE_SECONDS = 30.0  # until a client that says nothing is let go


@dataclass(frozen=True)
class Served:
    """What a server gives out.

    Attributes:
        names: of the files.
        read: the bytes of one; UserError where it is damaged or cannot be read.
    """

    names: Collection[str]
    read: Callable[[str], bytes]


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD."""

    server: _Server
    timeout = IDLE_SECONDS
    server_version, sys_version = "qre", ""

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def parse_request(self) -> bool:
        """Any other method is refused before anything is looked at."""
        if not super().parse_request():
            return False
        if self.command not in ("GET", "HEAD"):
            self._send(HTTPStatus.METHOD_NOT_ALLOWED, b"only GET and HEAD\n", more={"Allow": "GET, HEAD"})
            return False
        return True

    def _answer(self) -> None:
        hosts = self.headers.get_all("Host") or []
        if len(hosts) != 1 or not HERE.fullmatch(hosts[0].strip()):
            self._send(HTTPStatus.MISDIRECTED_REQUEST, b"this server is for this machine only: open 127.0.0.1\n")
            return
        try:
            name = unquote(urlsplit(self.path).path, errors="strict").removeprefix("/") or PAGE
        except ValueError:
            name = "?"
        try:
            content = self.server.read(name)
        except (UserError, OSError) as error:
            print(f"qre: {error}", file=sys.stderr, flush=True)
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, f"{error}\n".encode(errors="backslashreplace"))
            return
        if content is None:
            self._send(HTTPStatus.NOT_FOUND, b"the map has no such file\n")
            return
        kind = TYPES.get(os.path.splitext(name)[1].lower(), "application/octet-stream")
        self._send(HTTPStatus.OK, content, kind, {} if name == PAGE else {"Content-Security-Policy": NO_SCRIPTS})

    def _send(
        self, status: int, content: bytes, kind: str = "text/plain; charset=utf-8", more: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        told = {"Content-Type": kind, "Content-Length": str(len(content)), **HEADERS, **(more or {})}
        for header, value in told.items():
            self.send_header(header, value)
        self.end_headers()
        if getattr(self, "command", None) != "HEAD":
            self.wfile.write(content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the library refuses (a request that is none), in a line of plain text."""
        self.close_connection = True
        self._send(code, f"{HTTPStatus(code).phrase}\n".encode())

    def log_message(self, format: str, *args: object) -> None:
        if verbose():
            print(f"{self.address_string()}: {format % args}", file=sys.stderr, flush=True)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, place: str, served: Served):
        super().__init__((HOST, port), _Handler)
        self.served, self._place = served, place

    def read(self, name: str) -> bytes | None:
        """A file of the map as it is now: where it was made again since, that one's. None where it has none of this
        name; UserError where it is damaged."""
        try:
            return self.served.read(name) if name in self.served.names else None
        except (UserError, FileNotFoundError):
            self.served = page_of_place(self._place)
            return self.served.read(name) if name in self.served.names else None

    def server_bind(self) -> None:
        """Without asking a name server what this machine is called, as the library does."""
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = HOST, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that has gone away is nothing to tell of."""
        if verbose() or not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def open_page(place: str, port: int = 0, browser: bool = True) -> None:
    """Serve the page of a map until the command is stopped.

    Args:
        place: a folder with a finished map (or the page in it), or a config.
        port: 0: one that is free.
        browser: open it in one, where this machine has one.

    Raises:
        UserError: no finished map there, or one without a page; or the port cannot be had.
    """
    served = page_of_place(place)
    with _server(port, place, served) as server:
        address = f"http://{HOST}:{server.server_port}/"
        say(f"page: {address}" + ("" if quiet() else "   (Ctrl-C ends it)"))
        if browser and has_browser():
            # aside, since some commands in $BROWSER return only when the browser ends
            threading.Thread(target=_show, args=(address,), daemon=True).start()
        try:
            server.serve_forever(poll_interval=0.2)
        except ending.Stopped as stop:
            ending.tell(f"qre: {stop}; the page is no longer served")
            raise


def page_of_place(place: str) -> Served:
    """The files of the map in a folder or of a config, its page among them; UserError as `open_page`."""
    in_store = Path(place).suffix in YAML_ENDINGS
    if not in_store and Path(place).name == PAGE:
        place = os.path.dirname(place) or "."
    files = open_atlas(place).files
    names = set(files.names)
    if PAGE in names:
        files.read(PAGE)  # a damaged one is told now
        return Served(names, files.read)
    if not in_store:
        raise UserError(
            f"{place}: this map has no {PAGE}: it is of an older version; {qre_command()} report CONFIG makes it, "
            f"CONFIG being the sweep's YAML file"
        )
    page = _made(files)
    return Served(names | {PAGE}, lambda name: page if name == PAGE else files.read(name))


def _made(files: AtlasFiles) -> bytes:
    from qre.page import page_of  # slow to import

    return page_of(files)


def _server(port: int, place: str, served: Served) -> _Server:
    try:
        return _Server(port, place, served)
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        why = "is in use" if error.errno == errno.EADDRINUSE else "may not be used by this user"
        raise UserError(f"--port {port}: {why}; name another, or leave --port out for one that is free") from None


def has_browser() -> bool:
    """Whether a browser can be opened that does not take the terminal: where there is no screen, Python would try one
    for terminals."""
    if os.environ.get("BROWSER") or sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _show(address: str) -> None:
    with contextlib.suppress(Exception):  # the address is printed, whatever a browser makes of it
        webbrowser.open(address)

"""A Google Cloud Storage for tests: the emulator gcp-storage-emulator in a process of its own."""

from __future__ import annotations

import functools
import subprocess
import sys
import uuid

BUCKET = "maps"
EMULATOR = f"""
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()  # no server outlives its tests, however they end
from http.server import ThreadingHTTPServer
from gcp_storage_emulator import server
ThreadingHTTPServer.request_queue_size = 128
server.server.HTTPServer = ThreadingHTTPServer  # pyarrow reads a range while an earlier answer is still open
lock = threading.Lock()  # its memory is not made for threads that write
for method in ("do_POST", "do_PUT", "do_DELETE", "do_PATCH"):
    def locked(self, act=getattr(server.RequestHandler, method)):
        with lock:
            act(self)
    setattr(server.RequestHandler, method, locked)
emulator = server.create_server("127.0.0.1", 0, in_memory=True, default_bucket={BUCKET!r})
emulator.start()
print(emulator._api._httpd.server_address[1], flush=True)
threading.Event().wait()
"""


@functools.cache
def shared_server() -> GoogleServer:
    """One server for all tests of this process; it ends with it."""
    return GoogleServer()


class GoogleServer:
    """The emulator, with one bucket and no credentials."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", EMULATOR],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.endpoint = f"127.0.0.1:{int(self._process.stdout.readline())}"

    def location(self, bucket: str = BUCKET, prefix: str | None = None) -> str:
        """The address of a store on this server; without a prefix, of a new and empty one."""
        prefix = f"test-{uuid.uuid4().hex[:12]}" if prefix is None else prefix
        return f"gs://anonymous@{bucket}/{prefix}?endpoint_override={self.endpoint}&scheme=http"

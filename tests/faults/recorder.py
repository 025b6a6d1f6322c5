"""Looks at a sweep from outside while it runs: which artefacts stood in its store, in how many versions, and when its
command began to work."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import stat
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path

LOOK_SECONDS = 0.03
KEPT = ("embeddings", "features", "scores", "chunks")
# the first line of a run: minutes and seconds since it began
BEGUN = re.compile(r"^\[(\d+):(\d+)\] (?:starting|connecting to) ", re.MULTILINE)

Versions = dict[str, tuple]


def versions(store: str) -> Versions:
    """Name -> (inode, time of writing) of the artefacts in a local store. One that is written again has others."""
    found = {}
    for kind in KEPT:
        for folder, _, files in os.walk(Path(store, kind)):
            for file in files:
                if not file.startswith("."):
                    with contextlib.suppress(FileNotFoundError):
                        mark = os.stat(os.path.join(folder, file))
                        if stat.S_ISREG(mark.st_mode):  # a pipe holds a pass up (held.py)
                            found[os.path.relpath(os.path.join(folder, file), store)] = (mark.st_ino, mark.st_mtime_ns)
    return found


def objects(server: tuple[str, int], bucket: str, prefix: str) -> Versions:
    """Name -> nothing of the artefacts below a prefix of a bucket: an upload that was cut off and sent again is no
    other version."""
    connection = http.client.HTTPConnection(*server, timeout=30)
    try:
        connection.request("GET", f"/{bucket}?list-type=2&prefix={prefix}/")
        keys = re.findall(r"<Key>([^<]+)</Key>", connection.getresponse().read().decode())
    finally:
        connection.close()
    names = [key.removeprefix(f"{prefix}/") for key in keys]
    return {name: () for name in names if name.startswith(KEPT)}


class Recorder:
    """A thread that looks at a store and a log from `__enter__` to `__exit__`.

    Attributes:
        look: what stands in the store now.
        seen: all versions in which an artefact was ever seen, by its name.
        began: for each run of the command, the wall clock when it began to work.
    """

    def __init__(self, log: Path, look: Callable[[], Versions]):
        self.seen: dict[str, set[tuple]] = {}
        self.began: list[float] = []
        self.look, self._log, self._read = look, log, 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Recorder:  # noqa: PYI034 (typing.Self is of Python 3.11)
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        self._thread.join()

    def chunks(self) -> list[str]:
        """Names of the chunks of transformers that stand now: of passes that have more than three."""
        names = [name for name in self.look() if name.startswith("chunks/")]
        passes = [name.split("/")[1] for name in names]
        return [name for name in names if passes.count(name.split("/")[1]) > 3]

    def again(self, damaged: Collection[str] = ()) -> set[str]:
        """Names of artefacts that were made more than once; the damage itself is one version more."""
        return {name for name, marks in self.seen.items() if len(marks) > 1 + (name in damaged)}

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            with contextlib.suppress(OSError):  # the store may be away for a while
                for name, mark in self.look().items():
                    self.seen.setdefault(name, set()).add(mark)
            self._read_log()

    def _read_log(self) -> None:
        if not self._log.exists() or self._log.stat().st_size == self._read:
            return
        with open(self._log, "rb") as log:
            log.seek(self._read)
            text = log.read()
        self._read += len(text)
        self.began += [
            time.time() - 60 * int(minutes) - int(seconds)
            for minutes, seconds in BEGUN.findall(text.decode(errors="replace"))
        ]

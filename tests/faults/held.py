"""A pass that stands still until the test lets it go on, so that no test bets on what is done meanwhile."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import termios
from pathlib import Path

from jobs.config import SweepConfig, load_config
from jobs.planning.plan import make_plan
from jobs.planning.resolve import resolve
from qre.store import Store
from tests.faults.in_process import until


class Held:
    """Of the sweep of a config, one pass that is still to run, the first if no other is named: one of its chunks is a
    pipe, and its actor reads that to no end. All others go on.

    Attributes:
        others: units of the other passes.
    """

    def __init__(self, config: Path | SweepConfig, chunk: int = 0, name: str | None = None):
        settings = load_config(config) if isinstance(config, Path) else config
        store = Store(settings.store)
        passes = make_plan(settings, store, resolve(settings, store)).passes
        work = next(one for one in passes if name is None or name in (unit.spec.name for unit in one.units))
        self.others = {unit.key for other in passes if other is not work for unit in other.units}
        self._path = store.folder.path(store.chunks.name(work.key, chunk))
        self._path.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(self._path)
        self._pipe = os.open(self._path, os.O_RDWR)  # a writer that writes no end
        self.rearm()

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *_) -> None:
        self.release()

    def rearm(self) -> None:
        """Where the one that was reached is dead: to be reached by the next."""
        os.write(self._pipe, b"x")

    def reached(self) -> bool:
        """Whether an actor has come to it."""
        unread = array.array("i", [0])
        fcntl.ioctl(self._pipe, termios.FIONREAD, unread)
        return not unread[0]

    def is_read_by(self, pid: int) -> bool:
        """Whether this process has it open."""
        with contextlib.suppress(OSError):
            return any(
                os.path.samefile(descriptor, self._path)
                for descriptor in Path(f"/proc/{pid}/fd").iterdir()
                if descriptor.exists()
            )
        return False

    def wait(self) -> None:
        until(self.reached, "no actor comes to the pass that is held")

    def release(self) -> None:
        """Let it go on: who reads finds a chunk that is none, and makes it."""
        if self._pipe is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._pipe)
            self._pipe = None


class Unopened:
    """A file of a store that does not open for as long as wanted, as on a dead mount: a pipe that nobody writes is in
    its place."""

    def __init__(self, path: Path):
        self._path, self._aside = path, path.with_name(f".{path.name}")

    def close(self) -> None:
        self._path.rename(self._aside)
        os.mkfifo(self._path)

    def put_back(self) -> None:
        if self._aside.exists():
            self._aside.rename(self._path)

"""One sweep at a time: who is at work on a sweep is in its store with a heartbeat, so that a second run beside it is
refused, and a resume is not.

On the same machine the process itself is looked at: what was killed is gone at once. Of another machine, whose clock
may differ, the heartbeat is watched: one that does not change for DEAD_SECONDS is of a run that has died.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

from qre.errors import PlaceError, UserError
from qre.store import Store

BEAT_SECONDS = 10.0
DEAD_SECONDS = 45.0  # without a heartbeat
LOOK_SECONDS = 3.0
OLD_SECONDS = 600.0  # by the clocks: not waited for
SETTLE_SECONDS = 2.0  # from a look at a bucket to the end of the write that follows it
TRIES = 3


def machine() -> str:
    """This machine since it was started, and what its process ids count in: one of a container says nothing of those
    outside."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return f"{socket.gethostname()} {uuid.getnode()}"


def started(pid: int) -> str | None:
    """When a process of this machine began, in the kernel's count, so that a number that is used again is told apart;
    None where it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in "ZXx" else fields[19]
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return None
    except (OSError, IndexError):
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        pass
    return "?"


def check_alone(
    store: Store, sweep: str, tell: Callable[[str], None] = lambda text: print(text, file=sys.stderr, flush=True)
) -> dict | None:
    """Return where no other run is at work on a sweep; watches the heartbeat of a run on another machine, for
    DEAD_SECONDS at most.

    Returns:
        the record of a run that has died, if there is one; `at_work` takes it, so that it is not watched again.

    Raises:
        UserError: another run is at work; with its host, process and begin, and the way out.
    """
    first = record = store.running.read(sweep)
    if record is None or _dead_here(record):
        return record
    if record.get("machine") != machine():
        if _age(record) > OLD_SECONDS:
            return record
        tell(
            f"{_named(record)} was at work on this sweep; looking for at most {DEAD_SECONDS:.0f} s whether it still is"
        )
        end = time.monotonic() + DEAD_SECONDS
        while record is not None and record == first:
            if time.monotonic() >= end:
                return record
            time.sleep(LOOK_SECONDS)
            record = store.running.read(sweep)
        if record is None:
            return None
    raise UserError(
        f"another run is at work on the sweep {sweep!r} in {store.location}: {_named(record)}, since "
        f"{_word(record, 'began')}; qre status shows its progress. "
        "Wait for it or stop it; if it is dead or hangs, say --anyway"
    )


@contextlib.contextmanager
def at_work(store: Store, sweep: str, anyway: bool = False, dead: dict | None = None) -> Iterator[None]:
    """Around the work of a sweep: it is refused beside another run (as check_alone), and tells its heartbeat. `dead`:
    what check_alone has found to be dead."""
    token, ended = uuid.uuid4().hex, threading.Event()
    own = {
        "token": token,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": started(os.getpid()),
        "machine": machine(),
        "began": _now(),
    }
    _begin(store, sweep, own, anyway, dead)

    def beat() -> None:
        beats = 0
        while not ended.wait(BEAT_SECONDS):
            beats += 1
            with contextlib.suppress(Exception):  # a heartbeat that is missed is no reason to stop
                if (store.running.read(sweep) or own).get("token") != token:
                    # another run was begun with --anyway, or at this moment, and will see that it is not alone
                    continue
                store.running.write(sweep, {**own, "beat": _now(), "beats": beats})

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=1)
        with contextlib.suppress(OSError, PlaceError, UserError):
            if (store.running.read(sweep) or {}).get("token") == token:
                store.running.clear(sweep)


def _begin(store: Store, sweep: str, own: dict, anyway: bool, dead: dict | None) -> None:
    """Write the record of a run, of which one only may begin. Of those that begin at the same moment in a bucket, the
    last to write goes on.

    Raises:
        UserError: as check_alone.
    """
    for _ in range(TRIES):
        while True:
            with store.running.alone() as alone:
                looked = time.monotonic()
                if found := None if anyway else store.running.read(sweep):
                    found = None if found == dead or _dead_here(found) else found
                if found is None:
                    store.running.write(sweep, {**own, "beat": _now(), "beats": 0})
                    break
            dead = check_alone(store, sweep)
        if anyway or alone:
            return
        slow = time.monotonic() - looked > SETTLE_SECONDS
        time.sleep(SETTLE_SECONDS)  # who has looked before our record was there has written its own by now, or is slow
        found = store.running.read(sweep)
        if found is not None and found.get("token") != own["token"]:
            raise UserError(
                f"another run began the sweep {sweep!r} at the same moment: {_named(found)}; qre status shows how far "
                f"it is"
            )
        if not slow:
            return
        # ours may stand in the place of another's, which has gone on: its next heartbeat shows it
        store.running.clear(sweep)
        time.sleep(2 * BEAT_SECONDS)
    raise UserError(
        f"store: {store.location} answers too slowly to tell whether another run is at work on the sweep {sweep!r}; "
        f"try again later, or say --anyway"
    )


def _dead_here(record: dict) -> bool:
    """Whether a run was of this machine and has ended; a run of this very process is none beside it."""
    pid = record.get("pid")
    if record.get("machine") != machine() or not isinstance(pid, int):
        return False
    return pid == os.getpid() or started(pid) != record.get("started")


def _age(record: dict) -> float:
    try:
        return time.time() - datetime.fromisoformat(str(record.get("beat"))).timestamp()
    except ValueError:
        return float("inf")


def _named(record: dict) -> str:
    return f"process {_word(record, 'pid')} on {_word(record, 'host')}"


def _word(record: dict, key: str) -> str:
    return ascii(str(record.get(key, "?")))[1:-1][:100]


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")

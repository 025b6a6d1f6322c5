"""The processes of a local cluster: which they are, and what ends them.

Run as a program it waits on its stdin for a byte, or for the end of whoever holds the other end of the pipe, and then
ends the cluster. So nothing of it is left even if its owner was killed by SIGKILL. Only the standard library is used,
and /proc.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

MARK = "QRE_LOCAL_CLUSTER"  # in the environment of all processes of a cluster


def marked(mark: str) -> list[int]:
    """Process ids of the living that bear a cluster's mark, and of their descendants: a worker overwrites its
    environment with its title."""
    wanted, found = f"{MARK}={mark}".encode(), set()
    for pid in _all():
        with contextlib.suppress(OSError):
            if wanted in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.add(pid)
    return sorted(pid for pid in found | descendants(found) if _state_and_parent(pid)[0] not in "ZX")


def descendants(pids: Iterable[int]) -> set[int]:
    """Children of these processes, and theirs."""
    children: dict[int, list[int]] = {}
    for pid in _all():
        children.setdefault(_state_and_parent(pid)[1], []).append(pid)
    found, look = set(), list(pids)
    while look:
        below = children.get(look.pop(), [])
        found.update(below)
        look += below
    return found


def command(pid: int) -> list[str]:
    """The command line of a process; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return []


def kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _all() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _state_and_parent(pid: int) -> tuple[str, int]:
    try:
        # the name before it may hold blanks
        state, parent, *_ = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return state, int(parent)
    except OSError:
        return "X", 0


def end(mark: str, folder: str | Path) -> None:
    """End a cluster and remove its folder."""
    while pids := marked(mark):
        kill(pids)
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.stdin.buffer.read(1)
    end(*sys.argv[1:])

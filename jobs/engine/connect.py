"""Connecting to Ray, and stopping cleanly."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray
from ray._common.utils import get_default_ray_temp_dir
from ray._private.authentication.authentication_token_setup import maybe_enable_token_auth_if_token_available

from jobs import IN_A_JOB, ending
from jobs.config import ClusterSettings
from jobs.planning.granted import granted_cpus
from jobs.terminal.console import verbose
from qre.errors import PlaceError, UserError, place_error

CONNECT_SECONDS = 10.0
PAUSES = (15.0,)  # seconds before another try of a local Ray that did not start
SHUTDOWN_SECONDS = 20.0  # ray.shutdown takes one to three
OBJECT_STORE_BYTES = 150 * 2**20  # little goes through Ray's object store: embeddings and features go through ours


class Interrupted(Exception):
    """The sweep was asked to stop; what is done is kept. `signal` is the number of the signal."""

    outcome = "stopped"

    def __init__(self, number: int):
        super().__init__(f"stopped by {ending.name_of(number)}")
        self.signal = number


class SweepError(Exception):
    """The sweep cannot go on; what is done is kept. `outcome` is what on_end is told."""

    outcome = "error"


class AtLimit(SweepError):
    """cluster.budget or cluster.deadline has stopped the sweep, and no new map was made of what there is."""

    outcome = "stopped"


@contextlib.contextmanager
def cluster(settings: ClusterSettings) -> Iterator[None]:
    """A connection to the cluster of the config; in a submitted job to the one it runs on; else a local Ray on
    127.0.0.1 that ends with the block.

    Raises:
        UserError: the address does not answer.
        PlaceError: a Ray cannot be started on this machine.
    """
    quiet: dict[str, Any] = {} if verbose() else {"log_to_driver": False, "logging_level": "error"}
    address = settings.address or ("auto" if IN_A_JOB in os.environ else None)
    if address is None:
        if (settings.cpus or 0) > granted_cpus():
            print(
                f"note: cluster.cpus is {settings.cpus}, but this process is granted {granted_cpus()} (affinity mask, "
                f"cgroup): encoders share them",
                file=sys.stderr,
            )
        _start(num_cpus=settings.cpus or granted_cpus(), **quiet)
    else:
        _check_answers(address)
        # it warns that the token, which is wanted, is used
        logging.getLogger(maybe_enable_token_auth_if_token_available.__module__).setLevel(logging.ERROR)
        # ray.init does so by itself for "local" and "auto" only
        maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
        try:
            with _rays_handler_kept_away():
                ray.init(address=address, **quiet)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise _unusable(address, error) from None
    try:
        yield
    finally:
        with ending.held_back(SHUTDOWN_SECONDS):
            ray.shutdown()
    ending.check()


@contextlib.contextmanager
def _rays_handler_kept_away() -> Iterator[None]:
    """ray.init puts a handler of its own in the place of ours, which would end the process in the middle of a write,
    with another exit code."""
    theirs = ray._private.utils.set_sigterm_handler
    ray._private.utils.set_sigterm_handler = lambda handler: None
    try:
        yield
    finally:
        ray._private.utils.set_sigterm_handler = theirs
        ending.take_again()


def _start(**options) -> None:
    """Start a local Ray; on a busy machine it is given a second try, after a pause.

    Raises:
        PlaceError: it does not start; with Ray's last word and what to do.
    """
    for pause in (*PAUSES, None):
        try:
            with _rays_handler_kept_away():
                ray.init(address="local", include_dashboard=False, object_store_memory=OBJECT_STORE_BYTES, **options)
            return
        except Exception as error:  # Ray raises a bare Exception too
            ray.shutdown()
            why = error
        if pause is not None:
            print(f"Ray does not start here ({_last_line(why)}); trying once more in {pause:g} s", file=sys.stderr)
            time.sleep(pause)
    raise PlaceError(f"Ray does not start on this machine: {_last_line(why)}; {_mend(why)}") from why


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1][:200]}" if lines else type(error).__name__


def _mend(error: Exception) -> str:
    """What a person can do where a local Ray does not start."""
    place = Path(get_default_ray_temp_dir())
    if not Path("/dev/shm").is_dir():
        return "it needs shared memory: mount a tmpfs on /dev/shm (Docker: --shm-size=1g)"
    if "path length" in str(error):
        return "set RAY_TMPDIR to a folder with a short name"
    if (fault := place_error(error)) is not None:
        return f"{fault}, or set RAY_TMPDIR to a folder of your own"
    if not os.access(place if place.exists() else place.parent, os.W_OK):
        return f"{place} cannot be written: set RAY_TMPDIR to a folder of your own"
    return (
        f"close other programs, or wait, and run the same command again; Ray's logs are in {place}/session_latest/logs"
    )


def _unusable(address: str, error: Exception) -> UserError:
    """Why no connection to a cluster that listens comes about, in one line."""
    versions = re.findall(r"(Ray|Python): (\S+)", str(error)) if "Version mismatch" in str(error) else []
    if len(versions) == 4:
        theirs, ours = (
            " on ".join(f"{name} {version}" for name, version in pair) for pair in (versions[:2], versions[2:])
        )
        return UserError(
            f"cluster.address: the cluster at {address} runs {theirs}, and this process {ours}; they must be the "
            f"same: use an image or an environment with "
            "these versions, or let the cluster's own run it: qre submit"
        )
    return UserError(f"cluster.address: no Ray cluster answers at {address}: {' '.join(str(error).split())}")


def _check_answers(address: str) -> None:
    """Ray itself tries a dead address for minutes; a look at the port tells in seconds."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():  # "auto"
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise UserError(f"cluster.address: no Ray cluster answers at {address}: {error}") from None


class Stop:
    """A wish to stop, from Ctrl-C, SIGTERM or SIGHUP. The first is granted within the grace period; a second ends at
    once."""

    def __init__(self, grace_seconds: float):
        self._grace = grace_seconds
        self._asked: float | None = None
        self.signal: int | None = None
        self.restore = ending.listen(self._ask, grace_seconds + SHUTDOWN_SECONDS)

    @property
    def asked(self) -> bool:
        return self._asked is not None

    @property
    def overdue(self) -> bool:
        """The grace period is over."""
        return self._asked is not None and time.monotonic() - self._asked >= self._grace

    def _ask(self, number: int) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self._asked, self.signal = time.monotonic(), number
        told = f"stopping: encoders in flight have {self._grace:g} s; press again to end at once\n"
        # in a thread of its own: where the signal came while a line was written, its console holds this one back
        threading.Thread(target=_tell, args=(told,), daemon=True).start()


def _tell(line: str) -> None:
    """Say it at once, above a bar where there is one."""
    with contextlib.suppress(OSError, ValueError):  # of a terminal that has gone
        sys.stderr.write(line)
        sys.stderr.flush()

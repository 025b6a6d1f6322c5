"""How the command ends: signals from its first moment to its last, and readers of its output that have gone.

A signal raises Stopped where the command is, which unwinds it: temporary files are removed, Ray is ended. A sweep hears
signals itself (engine/connect.py), and what must not be cut off holds them back. Where a signal is not heeded in time,
since a library is busy or has swallowed it, the process is ended all the same; what Ray has started ends with it.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE_SECONDS = 8.0  # from a signal to the end by force: containers have 10 s or more until SIGKILL
GONE = (errno.EPIPE, errno.EIO)  # of a reader, of a terminal
KEPT = "what is done is kept; run the same command to continue"


def name_of(number: int) -> str:
    """A signal as people know it."""
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name


class Stopped(KeyboardInterrupt):
    """A signal asked the command to end. `signal` is its number."""

    def __init__(self, number: int):
        super().__init__(f"stopped by {name_of(number)}")
        self.signal = number


class _State:
    """Of this process.

    Attributes:
        before: handlers that stood here, by signal; empty until signals are taken.
        first: the signal that came first.
        lost: what it raised was swallowed, where Python passes nothing on: in a __del__, or in a callback of fork.
        told: people have been told how the command ends.
        listener: who hears signals in place of the exception; `seconds`: how long it may take beyond PATIENCE_SECONDS;
            `released`: when one last ended.
        works: the command does lasting work, and goes on when nobody reads its output any more.
        over: the command has ended, and only the interpreter still runs.
    """

    def __init__(self) -> None:
        self.before: dict[int, Any] = {}
        self.first: int | None = None
        self.listener: Callable[[int], None] | None = None
        self.seconds = self.released = 0.0
        self.told = self.works = self.over = self.lost = False


_state = _State()


@contextlib.contextmanager
def handled() -> Iterator[None]:
    """The whole of a command. Whatever it ends in after a signal: it was stopped, which is told once, and its exit code
    is 128 + signal."""
    _take()
    _guard()
    _keep_what_is_raised()
    atexit.register(_too_late)  # the first that is registered is the last that runs
    sys.stdout, sys.stderr = _lasting(sys.stdout, quiet=False), _lasting(sys.stderr, quiet=True)
    code: object = 0
    try:
        yield
        sys.stdout.flush()
    except SystemExit as end:
        code = end.code
    except BaseException:
        if _state.first is None:
            raise
    finally:
        _state.over = True
    if _state.first is not None:
        if not _state.told:
            tell(f"qre: {Stopped(_state.first)}; {KEPT}")
        code = 128 + _state.first
    raise SystemExit(code)


def tell(text: str) -> None:
    """Say how a stopped command ends; no more is said of it then."""
    _state.told = True
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


def check() -> None:
    """Stopped, where a signal has come that nobody has told of."""
    if _state.first is not None and not _state.told:
        raise Stopped(_state.first)


def asked() -> int | None:
    """The signal that asked this command to end."""
    return _state.first


def outlast_readers() -> None:
    """From here on the command goes on when nobody reads its output any more; until here it ends then, as any tool in a
    pipe."""
    _state.works = True


def works() -> bool:
    """Whether lasting work has begun."""
    return _state.works


def listen(listener: Callable[[int], None], seconds: float) -> Callable[[], None]:
    """Have signals told to a listener, which may raise; returns what ends that.

    Args:
        seconds: how long the listener may take to end the command, beyond PATIENCE_SECONDS.
    """
    borrowed = not _state.before
    if borrowed:
        _take()
    before = _state.listener, _state.seconds
    _state.listener, _state.seconds = listener, seconds

    def over() -> None:
        _state.released = time.monotonic()
        _state.listener, _state.seconds = before
        if borrowed:
            for number, handler in _state.before.items():
                signal.signal(number, handler)
            _state.before, _state.first = {}, None

    return over


@contextlib.contextmanager
def held_back(seconds: float) -> Iterator[None]:
    """What must not be cut off, and takes so many seconds at most: a signal that comes meanwhile is heeded by the next
    `check`."""
    over = listen(lambda number: None, seconds)
    try:
        yield
    finally:
        over()


def _take() -> None:
    """Hear the signals, but for SIGHUP where it is ignored, as nohup has it."""
    for number in NUMBERS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            _state.before[number] = signal.signal(number, _hear)


def take_again() -> None:
    """After ray.init: its core has put a handler of its own before ours, in C, that aborts the process three seconds
    after it has called ours."""
    for number in _state.before:
        signal.signal(number, _hear)


def _hear(number: int, _frame) -> None:
    signal.alarm(0)  # see take_again
    again, _state.first, _state.lost = _state.first is not None and not _state.lost, _state.first or number, False
    if _state.over:
        _end_by_force(_state.first)
    if _state.listener is not None:
        _state.listener(number)
    elif not again:  # what unwinds already is not disturbed
        raise Stopped(number)


def _keep_what_is_raised() -> None:
    """Have what a signal has raised where Python ignores it raised once more, by the guard; and not shown, since it is
    no fault."""
    before, process = sys.unraisablehook, os.getpid()

    def hook(unraisable) -> None:
        if _state.first is None or not isinstance(unraisable.exc_value, KeyboardInterrupt):
            before(unraisable)
        elif os.getpid() == process:
            _state.lost = True

    sys.unraisablehook = hook


def _too_late() -> None:
    """The interpreter takes itself down, and its handlers with it: the command keeps the exit code that it has."""
    for number in NUMBERS:
        signal.signal(number, signal.SIG_IGN)


def _end_by_force(first: int) -> None:
    if not _state.told:
        tell(f"qre: {Stopped(first)}; {KEPT}")
    os._exit(128 + first)


def _guard() -> None:
    """Watch over the end from a thread that sees signals also while the main one runs no Python."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(read,), daemon=True, name="ending").start()


def _watch(read: int) -> None:
    while (number := os.read(read, 1)[0]) not in NUMBERS:
        pass
    if signal.getsignal(number) == signal.SIG_IGN:
        return
    began = time.monotonic()
    while time.monotonic() < max(began, _state.released) + PATIENCE_SECONDS + _state.seconds:
        time.sleep(0.1)
        if _state.lost:
            os.kill(os.getpid(), _state.first or number)
    _state.first = _state.first or number
    _end_by_force(_state.first)


def _lasting(stream: Any, quiet: bool) -> TextIO:
    """The stream as one that outlives its reader; as it is where it has no file behind it."""
    try:
        raw = _Lasting(stream.fileno(), quiet)
    except (OSError, AttributeError, ValueError):
        return stream
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        stream.encoding,
        stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _Lasting(io.FileIO):
    """A file that takes what is written when its reader has gone, and drops it; unless `quiet`, or the command does
    lasting work, it ends the command."""

    def __init__(self, descriptor: int, quiet: bool):
        super().__init__(descriptor, "w", closefd=False)
        self._quiet, self._gone = quiet, False

    def write(self, data) -> int:
        if not self._gone:
            try:
                return super().write(data)
            except OSError as error:
                if error.errno not in GONE:
                    raise
                self._gone = True
        if not self._quiet and not _state.works and not _state.over:
            self._quiet = True
            raise SystemExit(128 + signal.SIGPIPE)
        return len(data)

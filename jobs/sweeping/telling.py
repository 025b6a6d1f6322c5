"""`on_end` of a config: who is told, as JSON, how a sweep has ended. It never changes how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import typer

from jobs import ending
from jobs.config.on_end import OnEnd, wrong_url
from qre.errors import StoreRefusedNow, UserError

TRIES, PAUSE_SECONDS, ANSWER_SECONDS = 3, 2.0, 10.0
KILL_SECONDS = 2.0  # from SIGTERM to SIGKILL, for a command that takes too long
MOST_FAILURES = 20


@dataclass
class End:
    """How a sweep has ended, as far as it is known.

    Attributes:
        facts: gives what there is to tell beside outcome, exit code, message and seconds.
        outcome: done, failed (some encoders), stopped (by a signal, or at a limit), error.
        message: the last words.
    """

    facts: Callable[[], dict] = dict
    outcome: str = ""
    message: str = ""


@contextlib.contextmanager
def on_end(settings: OnEnd | None, sweep: str) -> Iterator[End]:
    """Around a sweep: whatever ends it, `settings` are told, and it ends as it would have."""
    end, began = End(), time.monotonic()
    if settings is not None and (why := unusable(settings)):
        print(f"note: on_end: {why}; nobody will be told how the sweep ends", file=sys.stderr)
    try:
        yield end
    except BaseException as error:
        code = _code(error)
        cause = error.__cause__ if isinstance(error, typer.Exit) else error
        end.outcome = end.outcome or getattr(
            cause, "outcome", "done" if code == 0 else "stopped" if code > 128 else "error"
        )
        end.message = end.message or (f"exit code {code}" if cause is None else str(cause) or type(cause).__name__)
        _tell(settings, sweep, end, code, time.monotonic() - began)
        raise
    end.outcome = end.outcome or "done"
    _tell(settings, sweep, end, 0, time.monotonic() - began)


def unusable(settings: OnEnd) -> str:
    """Why nobody could be told of an end; "" where somebody can."""
    if settings.command is not None:
        return "" if shutil.which(settings.command[0]) else f"there is no program {settings.command[0]} here"
    if settings.url_env is not None and not os.environ.get(settings.url_env):
        return f"{settings.url_env} is not set in the environment"
    return wrong_url(_url(settings)) and f"{settings.url_env}: {wrong_url(_url(settings))}"


def _url(settings: OnEnd) -> str:
    return (
        settings.url.get_secret_value()
        if settings.url is not None
        else os.environ.get(settings.url_env or "", "").strip()
    )


def _code(error: BaseException) -> int:
    """The exit code that an exception ends the command with: as `run` of jobs/commands."""
    if isinstance(error, typer.Exit):
        return error.exit_code
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    if isinstance(error, KeyboardInterrupt):
        return 128 + (getattr(error, "signal", None) or ending.asked() or signal.SIGINT)
    return 2 if isinstance(error, UserError) and not (isinstance(error, StoreRefusedNow) and ending.works()) else 1


def _tell(settings: OnEnd | None, sweep: str, end: End, code: int, seconds: float) -> None:
    """Tell it; whatever goes wrong is one line. SIGTERM or Ctrl-C ends the telling, and no more."""
    if settings is None or (settings.url_env is not None and not _url(settings)):  # told at the beginning
        return
    problem, over = "", lambda: None
    try:
        if threading.current_thread() is threading.main_thread():
            over = ending.listen(_give_up, settings.seconds + KILL_SECONDS)
        content = _content(sweep, end, code, seconds)
        if settings.command is not None:
            problem = _run(settings.command, content, settings.seconds)
        else:
            problem = _post(_url(settings), content, settings.seconds)
    except _GivenUp:
        problem = "given up, since a signal asked to end"
    except Exception as error:  # never in the way of the exit code
        problem = type(error).__name__
    finally:
        over()
    if problem:
        print(f"note: on_end: {problem}", file=sys.stderr)


def _content(sweep: str, end: End, code: int, seconds: float) -> bytes:
    try:
        facts = end.facts()
    except Exception as error:  # the store may be what has failed
        facts = {"note": f"the counts are not known: {type(error).__name__}"}
    told = {
        "sweep": sweep,
        "outcome": end.outcome,
        "exit_code": code,
        "message": end.message,
        "seconds": round(seconds, 1),
    }
    # Slack and its like show "text"
    return json.dumps({**told, "text": f"{sweep}: {end.outcome}: {end.message}", **facts}).encode()


class _GivenUp(BaseException):
    pass


def _give_up(number: int) -> None:
    raise _GivenUp


def _run(command: tuple[str, ...], content: bytes, seconds: float) -> str:
    """Run a command with the JSON on stdin; its output goes where ours goes. Returns what went wrong."""
    sys.stdout.flush()
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    except (OSError, ValueError) as error:
        return f"{command[0]}: {getattr(error, 'strerror', None) or type(error).__name__}"
    try:
        process.communicate(content, timeout=seconds)
    except subprocess.TimeoutExpired:
        return f"{command[0]} was ended after {seconds:g} s (on_end.seconds)"
    finally:
        _end(process)
    code = process.returncode
    return (
        ""
        if code == 0
        else f"{command[0]} ended with " + (f"exit code {code}" if code > 0 else signal.Signals(-code).name)
    )


def _end(process: subprocess.Popen) -> None:
    """End a command that still runs, with all that it has started."""
    if process.poll() is not None:
        return
    for number, patience in (
        (signal.SIGTERM, KILL_SECONDS),
        (signal.SIGKILL, None),
    ):  # the second for what it has started
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """What the address sends on to is not followed: the JSON, and the token in the address, are for that address
    alone."""

    def redirect_request(self, *_):
        return None


def _post(url: str, content: bytes, seconds: float) -> str:
    """POST the JSON, in a thread of its own: a server that answers drop by drop holds up nothing. Returns what went
    wrong, without the URL."""
    if why := wrong_url(url):
        return why
    host, problem = urlsplit(url).hostname, ["no answer"]
    thread = threading.Thread(target=lambda: problem.__setitem__(0, _try(url, content)), daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        return f"{host} did not take it within {seconds:g} s (on_end.seconds)"
    return f"{host} {problem[0]}" if problem[0] else ""


def _try(url: str, content: bytes) -> str:
    """Several times, where the network or the server fails; what is refused is not asked again."""
    request = urllib.request.Request(
        url, content, {"Content-Type": "application/json", "User-Agent": "encoder-map"}, method="POST"
    )
    opener, why = urllib.request.build_opener(_NoRedirects), ""
    for number in range(TRIES):
        if number:
            time.sleep(PAUSE_SECONDS * number)
        try:
            opener.open(request, timeout=ANSWER_SECONDS).close()
            return ""
        except urllib.error.HTTPError as error:
            error.close()
            why = f"answered {error.code}" + (
                ": where it sends on to is not followed" if 300 <= error.code < 400 else ""
            )
            if error.code < 500 and error.code != 429:
                return why
        except Exception as error:
            reason = getattr(error, "reason", None)
            cause = reason if isinstance(reason, Exception) else error
            why = f"cannot be reached: {getattr(reason, 'strerror', None) or type(cause).__name__}"
    return why

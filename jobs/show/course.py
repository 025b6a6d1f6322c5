"""How the last run of a sweep stands, in words: running, finished, stopped, died. From its record in the store."""

from __future__ import annotations

import signal
import socket
from datetime import datetime, timezone

from jobs.engine.remaining import in_words
from jobs.records.running import started
from jobs.terminal.bar import clock

DEAD_SECONDS = 180.0  # a running sweep writes its record every 10 s; a bucket, or a plan of thousands, may hold one up
BY = {signal.SIGINT.name: "you (Ctrl-C)", "Ctrl-C": "you (Ctrl-C)"}


def course(record: dict, done: str, config: str, now: datetime | None = None) -> list[str]:
    """Lines for people.

    Args:
        record: as engine/progress.py writes it.
        done: how far the sweep is, e.g. "40 of 116 encoders".
        config: the sweep's file, for the command that goes on.
    """
    now, when, state = now or datetime.now(timezone.utc), _moment(record.get("when")), record.get("state")
    again = f"`qre sweep {config}` continues"
    why = str(record.get("why") or "")
    after = f"{clock(record['seconds'])} into the run" if isinstance(record.get("seconds"), (int, float)) else ""
    at = f"({_local(when)})" if when else ""
    if state in ("running", "starting"):
        if _gone(record, when, now):
            return [
                f"died: no sign of life since {_local(when) if when else 'its start'}; {done}; {again}",
                *_nodes(record),
            ]
        left = record.get("seconds_left")
        words = [f"running since {_local(since) if (since := _moment(record.get('since'))) else 'some time'}", done]
        words += [in_words(left)] if isinstance(left, (int, float)) else [str(record.get("phase") or state)]
        flying = record.get("in_flight") or []
        return [", ".join(words), *(f"  now: {one}" for one in flying[:3]), *_nodes(record)]
    if state == "ended":
        return [
            " ".join(part for part in ("finished", at, f"after {clock(record['seconds'])}" if after else "") if part)
        ]
    if state == "stopped":
        by = next(
            (BY.get(name, name) for name in (*BY, *(one.name for one in signal.Signals)) if name in why.split()), ""
        )
        how = f"stopped by {by}" if by else "stopped"
    else:
        by, how = "", "ended by an error"
    return [
        f"{how} at {done}"
        + "".join(f"{sep}{part}" for sep, part in ((", ", after), (" ", at)) if part)
        + (f": {why}" if why and not by else "")
        + f"; {again}",
        *_nodes(record),
    ]


def _nodes(record: dict) -> list[str]:
    """Nodes that got no more work, and that failed passes."""
    return [f"no more work for {one}" for one in record.get("no more work for") or []] + [
        str(one) for one in record.get("nodes") or []
    ]


def _gone(record: dict, when: datetime | None, now: datetime) -> bool:
    """Whether the process of a record that says it runs is there no more: seen on its own machine at once, elsewhere by
    its silence."""
    if when is None or (now - when).total_seconds() > DEAD_SECONDS:
        return True
    pid = record.get("pid")
    return record.get("host") == socket.gethostname() and isinstance(pid, int) and pid > 0 and started(pid) is None


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _local(when: datetime) -> str:
    """A moment where it is read."""
    return when.astimezone().strftime("%Y-%m-%d %H:%M")

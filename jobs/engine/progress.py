"""Progress of a sweep: a bar on a terminal, plain lines in a log, and a record in the store that `qre status` reads
from elsewhere."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from types import TracebackType

from rich.console import Console

from jobs import ending
from jobs.engine.remaining import Remaining, in_words
from jobs.engine.schedule import Attempt
from jobs.engine.watch import described
from jobs.terminal.bar import Bar
from jobs.workers.events import Started
from qre.store import Store
from qre.store.folder import canonical_json
from qre.store.shelves import stating

SHOWN = 3  # encoders in flight that a line names
RECORD_SECONDS = 10.0  # between records in the store
LOOK_SECONDS = 0.5  # between looks at how far it is


@dataclass(frozen=True)
class Counts:
    """What is done of all that the config names: encoders that are embedded, scores that are made; and encoders that
    failed."""

    encoders: int
    of: int
    scores: int = 0
    of_scores: int = 0
    failed: int = 0

    def __str__(self) -> str:
        scores = f", scores {self.scores} of {self.of_scores}" if self.of_scores else ""
        return f"encoders {self.encoders} of {self.of}{scores}{f', {self.failed} failed' if self.failed else ''}"


class Reporter:
    """Says what a sweep is doing. Use as a context manager around the work of one sweep."""

    def __init__(self, console: Console, store: Store, sweep: str):
        self.console, self._store, self._sweep = console, store, sweep
        self._started = time.monotonic()
        self._since = _now()
        self._recorded = self._looked = float("-inf")
        self._bar = Bar(console)
        self._remaining = Remaining()
        self._told: dict = {"state": "starting"}
        self._timeline: list[dict] = []
        self._said: set[str] = set()
        self._nodes: dict[str, list[str]] = {}

    def __enter__(self) -> Reporter:
        ending.outlast_readers()
        self._bar.__enter__()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.__exit__(kind, error, trace)
        stopped = "stopped" if isinstance(error, KeyboardInterrupt) else "failed"
        state = {
            **self._told,
            **self._nodes,
            "state": "ended" if kind is None else getattr(error, "outcome", stopped),
            "in_flight": [],
        }
        self._record({**state, "seconds_left": None, "why": "" if error is None else str(error).strip()[:300]})
        if self._timeline:
            when = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
            self._store.folder.advise(
                f"runs/{self._sweep}/{when}.json", canonical_json(self._timeline).encode(), self.say
            )

    def say(self, text: str) -> None:
        """A line that stays."""
        self._bar.say(text)

    def say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self.say(text)

    def nodes(self, benched: Mapping[str, str], failures: Mapping[str, int]) -> None:
        """Which nodes get no more work, and why; how many passes each node has failed. Names of nodes as people find
        them."""
        told = [f"{count} pass{'es' if count > 1 else ''} failed on {node}" for node, count in failures.items()]
        self._nodes = {"no more work for": [f"{node}: {why}" for node, why in benched.items()], "nodes": told}

    def plan(self, earlier: float) -> None:
        """What earlier runs have done of the whole, in expected seconds; before the first update."""
        self._remaining = Remaining(earlier)

    def begin(self, phase: str) -> None:
        """Enter a phase; a log names it by the next update."""
        self._looked = float("-inf")
        self._bar.stage(phase.replace("atlas", "map", 1), aloud=not phase.startswith(("encoders", "atlas")))
        self._told = {**self._told, "phase": phase}
        if self._recorded == float("-inf"):
            self._record(self._told)

    def started(self, attempt: Attempt, event: Started) -> None:
        """An actor has begun on a pass. The timeline of all passes is written to the store when the sweep ends:
        runs/<sweep>/<when>.json."""
        assert attempt.started is not None  # the schedule was told first
        seconds = attempt.started - self._started
        self._timeline.append(
            stating(
                "runs",
                {
                    "pass": attempt.work.key,
                    "encoder": attempt.work.name,
                    "units": len(attempt.work.units),
                    "expected": attempt.work.seconds,
                    "attempt": attempt.number,
                    "slot": attempt.work.slot.name,
                    "node": event.node,
                    "gpus": list(event.gpus),
                    "pid": event.pid,
                    "waited": round(attempt.started - attempt.asked, 3),
                    "started": round(seconds, 3),
                    "ended": None,
                    "outcome": None,
                },
            )
        )

    def ended(self, attempt: Attempt, outcome: str) -> None:
        """A pass has ended: "done", or the exception that ended it."""
        for row in reversed(self._timeline):
            if row["pass"] == attempt.work.key and row["ended"] is None:
                row.update(ended=round(time.monotonic() - self._started, 3), outcome=outcome, chunks=attempt.chunks)
                return

    @property
    def slower(self) -> float:
        """How much longer the work takes now than expected."""
        return self._remaining.slower

    def due(self) -> bool:
        """Whether to work out how far it is: it is asked at every event."""
        return time.monotonic() - self._looked >= LOOK_SECONDS

    def update(self, left: float, counts: Counts, in_flight: Collection[Attempt | str] = (), doing: str = "") -> None:
        """Tell how far the sweep is, and what is under way or waits.

        Args:
            left: expected seconds of all that is left, the atlas too.
            doing: what is told in the place of the counts.
        """
        now = self._looked = time.monotonic()
        seconds = self._remaining.update(now, left)
        share = min(self._remaining.share, 0.99)  # all is done when the sweep has ended
        flying = [one if isinstance(one, str) else described(one, now) for one in in_flight]
        more = f" and {len(flying) - SHOWN} more" if len(flying) > SHOWN else ""
        self._bar.update(doing or str(counts), share, in_words(seconds), "; ".join(flying[:SHOWN]) + more)
        self._told = {
            "state": "running",
            "phase": doing or "encoders",
            "encoders": counts.encoders,
            "of": counts.of,
            "scores": counts.scores,
            "of_scores": counts.of_scores,
            "failed": counts.failed,
            "share": round(share, 3),
            "in_flight": flying,
            **self._nodes,
            "seconds_left": round(seconds),
        }
        if now - self._recorded >= RECORD_SECONDS:
            self._record(self._told)

    def _record(self, state: dict) -> None:
        self._recorded = time.monotonic()
        told = {
            **state,
            "since": self._since,
            "seconds": round(self._recorded - self._started, 1),
            "when": _now(),
            "host": socket.gethostname(),
            "pid": os.getpid(),
        }
        self._store.progress.write(self._sweep, told, self.say)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")

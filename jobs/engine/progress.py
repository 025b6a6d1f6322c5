"""Progress of a sweep: a live bar on a terminal, plain lines in a log, and a record in the store that `qre status` reads from elsewhere."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from datetime import datetime, timezone
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column

from jobs import ending
from jobs.engine.schedule import Attempt
from jobs.engine.watch import described
from jobs.workers.events import Started
from qre.store import Store
from qre.store.folder import canonical_json
from qre.store.shelves import stating

SHOWN = 3  # encoders in flight that a line names
LINE_SECONDS = 10.0  # between plain lines, and between records in the store


class Reporter:
    """Says what a sweep is doing. Use as a context manager around the work of one sweep.

    A terminal gets a bar; anything else gets a line every ten seconds with counts and the time left, since a redrawn bar is unreadable in a log.
    """

    def __init__(self, console: Console, store: Store, sweep: str):
        self.console, self._store, self._sweep = console, store, sweep
        self._started = time.monotonic()
        self._spoken = 0.0
        self._begun = 0.0
        self._state = {"state": "starting"}
        self._bar: Progress | None = None
        self._task = None
        self._timeline: list[dict] = []
        self._said: set[str] = set()
        self._nodes: dict[str, list[str]] = {}

    def __enter__(self) -> Reporter:
        ending.outlast_readers()
        if self.console.is_terminal:
            flying = TextColumn("{task.fields[flying]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))
            columns = (TextColumn("{task.description:<14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(), flying)
            self._bar = Progress(*columns, console=self.console, transient=True)
            self._bar.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()
        state = {**self._state, **self._nodes, "state": "ended" if kind is None else getattr(error, "outcome", "failed"), "in_flight": []}
        self._record({**state, "why": str(error).strip()[:300]} if isinstance(error, Exception) else state)
        if self._timeline:
            when = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
            self._store.folder.advise(f"runs/{self._sweep}/{when}.json", canonical_json(self._timeline).encode(), self.say)

    def say(self, text: str) -> None:
        """A line that stays."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self.say(text)

    def nodes(self, benched: Mapping[str, str], failures: Mapping[str, int]) -> None:
        """Which nodes get no more work, and why; how many passes each node has failed. Names of nodes as people find them."""
        told = [f"{count} passes failed on {node}" for node, count in failures.items()]
        self._nodes = {"no more work for": [f"{node}: {why}" for node, why in benched.items()], "nodes": told}

    def begin(self, phase: str, total: float) -> None:
        """Enter a phase; `total` is in what `update` counts."""
        self._begun, self._spoken = time.monotonic(), 0.0
        if self._bar:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(phase, total=total, flying="")
        self.update(phase, 0, total)

    def started(self, attempt: Attempt, event: Started) -> None:
        """An actor has begun on a pass. The timeline of all passes is written to the store when the sweep ends: runs/<sweep>/<when>.json."""
        seconds = attempt.started - self._started
        self._timeline.append(stating("runs", {
            "pass": attempt.work.key, "encoder": attempt.work.name, "units": len(attempt.work.units), "expected": attempt.work.seconds,
            "attempt": attempt.number, "slot": attempt.work.slot.name, "node": event.node, "gpus": list(event.gpus), "pid": event.pid,
            "waited": round(attempt.started - attempt.asked, 3), "started": round(seconds, 3), "ended": None, "outcome": None,
        }))  # fmt: skip

    def ended(self, attempt: Attempt, outcome: str) -> None:
        """A pass has ended: "done", or the exception that ended it."""
        for row in reversed(self._timeline):
            if row["pass"] == attempt.work.key and row["ended"] is None:
                row.update(ended=round(time.monotonic() - self._started, 3), outcome=outcome, chunks=attempt.chunks)
                return

    def update(self, phase: str, done: float, total: float, in_flight: Collection[Attempt | str] = (), failed: int = 0) -> None:
        """Tell how far a phase has come, and what is under way or waits; cheap enough to be called often."""
        if self._bar:
            self._bar.update(self._task, completed=done)
        if time.monotonic() - self._spoken < LINE_SECONDS:
            return
        now = self._spoken = time.monotonic()
        flying = [one if isinstance(one, str) else described(one, now) for one in in_flight]
        left = (now - self._begun) / done * (total - done) if done else None
        self._state = {
            "state": "running", "phase": phase, "done": done, "total": total, "failed": failed, "in_flight": flying, **self._nodes,
            "seconds": round(now - self._started, 1), "seconds_left": None if left is None else round(left),
        }  # fmt: skip
        self._record(self._state)
        if self._bar:
            self._bar.update(self._task, flying="; ".join(flying[:1]))
        else:
            eta = "" if left is None else f", about {left:.0f} s left"
            more = f" and {len(flying) - SHOWN} more" if len(flying) > SHOWN else ""
            flight = f"; {'; '.join(flying[:SHOWN])}{more}" if flying else ""
            self.say(f"[{now - self._started:6.1f} s] {phase} {done:.0f}/{total:.0f}{f', {failed} failed' if failed else ''}{eta}{flight}")

    def _record(self, state: dict) -> None:
        told = {**state, "when": datetime.now(timezone.utc).isoformat(timespec="seconds")}
        self._store.progress.write(self._sweep, told, self.say)

"""What a sweep spends while it runs: the GPU time that its passes hold, recorded so that a run that is killed is
counted too; and the tokens that they pay for, which they record themselves."""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timezone

from jobs.config import SweepConfig
from jobs.config.prices import gpu_type, price_of
from jobs.engine.nodes import accelerator
from jobs.engine.progress import Reporter
from jobs.engine.schedule import Attempt
from jobs.records.spending import UNKNOWN, Spent, summed
from jobs.workers.events import ChunkMade, Loaded, Started
from qre.store import Store

RECORD_SECONDS = 10.0  # between records
SOON_SECONDS = 2.0  # between records where a pass has begun meanwhile


@dataclass
class _Held:
    """GPUs that an attempt holds: how many (a part of one where it is shared), of which type, since when."""

    gpus: float
    kind: str
    since: float

    def seconds(self, now: float) -> float:
        return self.gpus * max(now - self.since, 0.0)


class Meter:
    """GPU seconds of the passes of one run, by GPU type, from the start of an actor's process to its end: loading,
    encoding and scoring, in attempts that were lost too. What no pass holds (idle nodes, nodes without a GPU, the head)
    is not counted.
    """

    def __init__(self, config: SweepConfig, store: Store, reporter: Reporter):
        self._config, self._store, self._reporter = config, store, reporter
        self._began = datetime.now(timezone.utc)
        self._run = f"{self._began.strftime('%Y%m%dT%H%M%SZ')}-{uuid.uuid4().hex[:8]}"
        self._held: dict[Attempt, _Held] = {}
        self._seconds: dict[str, float] = defaultdict(float)
        self._paid: dict[Attempt, tuple[int, float]] = {}
        self._accounts: dict[Attempt, str] = {}  # records that passes in flight write themselves
        self._settling: dict[Attempt, str] = {}  # those of passes that have ended, until they are read
        self._opened = 0
        self._others: dict[str, dict] = {}  # records of other runs; one that has ended is not read again
        self.unreadable: list[str] = []
        self._recorded, self._news = time.monotonic(), False
        self._look()

    def started(self, attempt: Attempt, event: Started) -> None:
        """An actor has answered. It holds its GPUs since its process was started, and no longer than it was asked
        for."""
        slot = attempt.work.slot
        if slot.gpus:
            assert attempt.started is not None  # the schedule was told first
            label = accelerator(event.node)
            since = max(attempt.asked, attempt.started - event.seconds)
            self._held[attempt] = _Held(slot.gpus / slot.share, gpu_type(label) or label[:60] or UNKNOWN, since)
            self._news = True
            self._tell_unpriced(self._held[attempt].kind)

    def loaded(self, attempt: Attempt, event: Loaded) -> None:
        """torch knows the device, and its memory too, which a label need not tell."""
        if attempt in self._held and event.gpu:
            self._held[attempt].kind = gpu_type(event.gpu) or self._held[attempt].kind.replace(UNKNOWN, event.gpu[:60])
            self._tell_unpriced(self._held[attempt].kind)

    def ended(self, attempt: Attempt) -> None:
        """The attempt holds nothing any more, whatever became of it."""
        held = self._held.pop(attempt, None)
        if held is not None:
            self._seconds[held.kind] += held.seconds(time.monotonic())
            self._news = True
        if attempt in self._accounts:  # its record holds also what was paid after its last event
            self._settling[attempt] = self._accounts.pop(attempt)
            if self._config.cluster.budget is not None:
                self._look()

    def account(self, attempt: Attempt) -> str:
        """The name of the record that a pass behind an endpoint writes of what it pays."""
        self._accounts[attempt] = name = f"{self._run}-{self._opened}"
        self._opened += 1
        return name

    def paid(self, attempt: Attempt, event: ChunkMade) -> None:
        """What an attempt has paid for until now."""
        if event.tokens:
            self._paid[attempt] = event.tokens, event.money

    def all_ended(self) -> None:
        for attempt in list(self._held):
            self.ended(attempt)

    def cost(self, attempt: Attempt) -> float:
        """Of an attempt in flight until now."""
        held = self._held.get(attempt)
        return (
            self._paid.get(attempt, (0, 0.0))[1]
            if held is None
            else held.seconds(time.monotonic()) / 3600 * (price_of(held.kind, self._config.cluster.prices) or 0.0)
        )

    @property
    def spent(self) -> Spent:
        """By all runs until now."""
        own = {
            **self._record(ended=True),
            "tokens": sum(tokens for tokens, _ in self._paid.values()),
            "tokens_cost": sum(money for _, money in self._paid.values()),
        }
        return summed([*self._others.values(), own], self.unreadable)

    def record(self, force: bool = False) -> None:
        """Write where a record is due. A run without a GPU writes none."""
        waited = time.monotonic() - self._recorded
        if not force and waited < (SOON_SECONDS if self._news else RECORD_SECONDS):
            return
        self._recorded = time.monotonic()
        if self._held or self._news:
            self._write(ended=False)
        if self._config.cluster.budget is not None:  # another run of the sweep may be spending too
            self._look()

    def close(self) -> None:
        """The last record of the run."""
        self.all_ended()
        if self._seconds:
            self._write(ended=True)

    def _write(self, ended: bool) -> None:
        try:
            self._store.spending.write(self._config.name, self._run, self._record(ended))
            self._news = False
        except OSError as error:  # the next record tells the same and more
            self._reporter.say_once(f"what is spent is not recorded: {error}")

    def _record(self, ended: bool) -> dict:
        seconds, now = defaultdict(float, self._seconds), time.monotonic()
        reserved: dict[str, float] = defaultdict(float)
        for held in self._held.values():
            seconds[held.kind] += held.seconds(now)
            reserved[held.kind] += held.gpus * RECORD_SECONDS
        return {
            "began": self._began.isoformat(timespec="seconds"),
            "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "ended": ended,
            "gpu_seconds": {kind: round(amount, 3) for kind, amount in seconds.items()},
            "reserved": dict(reserved),
        }

    def _look(self) -> None:
        done = frozenset(run for run, record in self._others.items() if record["ended"])
        try:
            records, self.unreadable = self._store.spending.read(
                self._config.name, known=done | {self._run, *self._accounts.values()}
            )
        except OSError as error:
            self._reporter.say_once(f"what other runs have spent cannot be read now: {error}")
            return
        self._others |= records
        for attempt, name in list(self._settling.items()):
            if name in self._others:
                self._paid.pop(attempt, None)
                del self._settling[attempt]

    def _tell_unpriced(self, kind: str) -> None:
        prices = self._config.cluster.prices
        if prices and price_of(kind, prices) is None:
            mend = (
                "label its nodes with ray.io/accelerator-type, or give a price of `other`"
                if kind == UNKNOWN
                else "give it in cluster.prices"
            )
            self._reporter.say_once(f"a GPU of {kind} has no price: it is counted in hours, not in money; {mend}")

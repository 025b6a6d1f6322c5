"""Which pass goes next. No Ray and no clock in here: the sweep and its simulation (`qre plan --simulate`) run on this same code."""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from jobs.planning.passes import PassWork
from jobs.slots import Slot

PAUSE_SECONDS = 1.0  # before another try; doubled with each
LONGEST_PAUSE = 120.0


@dataclass(eq=False)
class Attempt:
    """One try of a pass.

    Attributes:
        number: 1 for the first. A try that got further than the one before it does not count: a long pass on spot nodes ends at last.
        node: where its actor is to be, if it can be had: its snapshot was fetched there. Then, where it is.
        upcoming: the pass whose snapshot its node fetches meanwhile.
        asked: when its actor was asked for.
        started: when its actor first answered; None while it waits for a node.
        sign: when it was last heard of.
        chunks, of: chunks that are made, and of how many.
        moved: this try has made a chunk.
    """

    work: PassWork
    number: int = 1
    node: str | None = None
    upcoming: PassWork | None = None
    asked: float = 0.0
    started: float | None = None
    sign: float = 0.0
    chunks: int = 0
    of: int = 0
    moved: bool = False

    @property
    def _rank(self) -> tuple:
        return -self.work.seconds, self.work.key


@dataclass
class Schedule:
    """Passes waiting and in flight: the longest expected first, at most `width(slot)` of each slot at once.

    Longest first is the LPT rule (Graham 1969): on m equal machines the makespan is at most 4/3 - 1/(3m) of the best. A slot has a width of its own, so
    that encoders that wait for a rare GPU hold up no others. Passes without a GPU go when none with one is queued: they must not take
    the CPUs that a GPU needs beside it.

    Attributes:
        width: most attempts of a slot at once.
        attempts: tries of a pass that the machine fails.
        in_flight: started and not ended.
    """

    width: Callable[[Slot], int]
    attempts: int
    in_flight: list[Attempt] = field(default_factory=list)
    _queues: dict[str, list[Attempt]] = field(default_factory=dict)  # by slot, longest first
    _slots: dict[str, Slot] = field(default_factory=dict)
    _pausing: list[tuple[float, Attempt]] = field(default_factory=list)  # (until, attempt)
    _promised: dict[str, str] = field(default_factory=dict)  # pass -> the node that fetches its snapshot
    _freed: list[str] = field(default_factory=list)  # nodes where an attempt has ended, not yet followed by another

    def add(self, passes: Iterable[PassWork]) -> None:
        for work in passes:
            self._queue(Attempt(work))

    @property
    def queued(self) -> int:
        """Passes that are neither done nor in flight."""
        return len(self._pausing) + sum(map(len, self._queues.values()))

    @property
    def waking(self) -> float | None:
        """When the next pause after a fault is over; None where none is."""
        return min((until for until, _ in self._pausing), default=None)

    def next(self, now: float, cost: Callable[[PassWork], float] = lambda work: 0.0, room: float = math.inf) -> list[Attempt]:
        """The attempts to start now, which cost no more than `room` together; they are in flight from here on. What costs more holds up nothing else."""

        def allowed(queue: list[Attempt]) -> list[Attempt]:
            return queue if room == math.inf else [one for one in queue if cost(one.work) <= room]

        for pause in [pause for pause in self._pausing if pause[0] <= now]:
            self._pausing.remove(pause)
            self._queue(pause[1])
        started = []
        for name in sorted(self._queues, key=lambda name: not self._slots[name].gpus):
            slot = self._slots[name]
            if not slot.gpus and any(allowed(queue) for other, queue in self._queues.items() if self._slots[other].gpus):
                break
            free = self.width(slot) - sum(attempt.work.slot.name == name for attempt in self.in_flight)
            while free > 0 and (queue := allowed(self._queues[name])):
                started.append(self._take(self._queues[name], queue, now))
                room -= cost(started[-1].work)
                free -= 1
        for attempt in started:
            self._promise(attempt)
        return started

    def done(self, attempt: Attempt) -> None:
        """The attempt has ended, well or by its encoder's own fault."""
        self.in_flight.remove(attempt)
        if attempt.started is not None and attempt.node is not None:
            self._freed.append(attempt.node)

    def again(self, attempt: Attempt, now: float) -> Attempt | None:
        """The machine has failed the attempt: the next try, which waits for its pause; None where there have been enough."""
        self.in_flight.remove(attempt)
        number = 1 if attempt.moved else attempt.number + 1
        if number > self.attempts:
            return None
        retry = Attempt(attempt.work, number)
        self._pausing.append((now + min(PAUSE_SECONDS * 2.0 ** (number - 1), LONGEST_PAUSE), retry))
        return retry

    def withdraw(self, name: str) -> list[PassWork]:
        """Take the waiting passes of a slot off the queue: nothing can hold them."""
        return [attempt.work for attempt in self._queues.pop(name, [])]

    def withdraw_all(self) -> list[PassWork]:
        """Take all that is queued off: no more is begun."""
        works = self.waiting
        self._queues.clear()
        self._pausing.clear()
        return works

    @property
    def waiting(self) -> list[PassWork]:
        """Passes that are queued, or pause after a fault."""
        return [attempt.work for attempt in (*(one for queue in self._queues.values() for one in queue), *(one for _, one in self._pausing))]

    @property
    def waiting_slots(self) -> list[Slot]:
        """Slots that queued passes ask for."""
        return [self._slots[name] for name, queue in self._queues.items() if queue]

    def _queue(self, attempt: Attempt) -> None:
        slot = attempt.work.slot
        self._slots[slot.name] = slot
        insort(self._queues.setdefault(slot.name, []), attempt, key=lambda one: one._rank)

    def _take(self, queue: list[Attempt], allowed: list[Attempt], now: float) -> Attempt:
        """The longest of those that are allowed; or of those that are next in line anyway, one whose snapshot lies on a node that has become free."""
        window = allowed[: 1 + len(self.in_flight)]
        fetched = [one for one in window if self._promised.get(one.work.key) in self._freed]
        attempt = fetched[0] if fetched else allowed[0]
        queue.remove(attempt)
        if fetched:
            attempt.node = self._promised[attempt.work.key]
            self._freed.remove(attempt.node)
        attempt.asked = attempt.sign = now
        self.in_flight.append(attempt)
        return attempt

    def _promise(self, attempt: Attempt) -> None:
        """The snapshot that the attempt's node is to fetch meanwhile: of the next pass in line that no other node fetches."""
        queue = self._queues[attempt.work.slot.name][: 2 * len(self.in_flight)]
        attempt.upcoming = next((one.work for one in queue if one.work.fetched and one.work.key not in self._promised), None)
        if attempt.upcoming is not None:
            self._promised[attempt.upcoming.key] = ""  # which node, is known when the attempt has started

    def started(self, attempt: Attempt, node: str, now: float) -> None:
        """The actor of an attempt has answered, from this node."""
        attempt.node, attempt.started, attempt.sign = node, now, now
        if node in self._freed:
            self._freed.remove(node)
        if attempt.upcoming is not None:
            self._promised[attempt.upcoming.key] = node

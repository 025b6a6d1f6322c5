"""Which pass goes next. No Ray and no clock in here: the sweep and its simulation (`qre plan --simulate`) run on this
same code."""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from jobs.config.slots import Slot

PAUSE_SECONDS = 1.0  # before another try; doubled with each
LONGEST_PAUSE = 120.0


class _Queued(Protocol):
    """What the schedule asks of a piece of work: see PassWork."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def key(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def seconds(self) -> float: ...

    @property
    def slot(self) -> Slot: ...

    @property
    def slots(self) -> tuple[Slot, ...]: ...

    @property
    def fetched(self) -> bool: ...


Work = TypeVar("Work", bound=_Queued)


@dataclass(eq=False)
class Attempt(Generic[Work]):
    """One try of a pass.

    Attributes:
        number: 1 for the first. A try that got further than the one before it does not count: a long pass on spot nodes
            ends at last.
        node: where its actor is to be, if it can be had: its snapshot was fetched there. Then, where it is.
        upcoming: the pass whose snapshot its node fetches meanwhile.
        asked: when its actor was asked for.
        started: when its actor first answered; None while it waits for a node.
        sign: when it was last heard of.
        why: while it waits for a node: why, in Ray's words.
        chunks, of: chunks that are made, and of how many.
        moved: this try has made a chunk.
        avoid: nodes where it was failed before; it goes elsewhere, where another node holds its slot.
        kept_from: nodes that its actor may not be on.
        doubts: by piece, where it failed by what is believed only when it has come twice.
    """

    work: Work
    number: int = 1
    node: str | None = None
    upcoming: Work | None = None
    asked: float = 0.0
    started: float | None = None
    sign: float = 0.0
    chunks: int = 0
    of: int = 0
    moved: bool = False
    why: str = ""
    avoid: frozenset[str] = frozenset()
    kept_from: frozenset[str] = frozenset()
    doubts: Mapping = field(default_factory=dict)

    @property
    def held_up(self) -> bool:
        """It waits for a certain node."""
        return bool(self.avoid) and self.started is None

    @property
    def slots(self) -> tuple[Slot, ...]:
        """What it may ask for, in this order."""
        return self.work.slots or (self.work.slot,)

    @property
    def _rank(self) -> tuple:
        return -self.work.seconds, self.work.key


@dataclass
class Schedule(Generic[Work]):
    """Passes waiting and in flight: the longest expected first, at most `width(*slots)` of each slot at once.

    Longest first is the LPT rule (Graham 1969): on m equal machines the makespan is at most 4/3 - 1/(3m) of the best. A
    slot has a width of its own, so that encoders that wait for a rare GPU hold up no others. Passes without a GPU go
    when none with one is queued: they must not take the CPUs that a GPU needs beside it.

    A pass may have several slots (spot, then on-demand). It asks for the first; after `patience` seconds without a node
    it asks for the next one, and so do those after it, until the first has a place again: a pass starts or ends there.
    Once in so many seconds one of them looks.

    Attributes:
        width: most attempts at once, given their slots in order; those of one first slot are counted together.
        attempts: tries of a pass that the machine fails.
        patience: seconds that an attempt waits for a node before it asks for its next slot.
        in_flight: started and not ended.
    """

    width: Callable[..., int]
    attempts: int
    patience: float = float("inf")
    in_flight: list[Attempt[Work]] = field(default_factory=list)
    # by the name of the first slot, longest first
    _queues: dict[str, list[Attempt[Work]]] = field(default_factory=dict)
    _slots: dict[str, tuple[Slot, ...]] = field(default_factory=dict)
    # slots that gave no node, by name -> until when none is asked of them
    _dry: dict[str, float] = field(default_factory=dict)
    _gone: set[str] = field(default_factory=set)  # slots that nothing can hold
    _pausing: list[tuple[float, Attempt[Work]]] = field(default_factory=list)  # (until, attempt)
    _promised: dict[str, str] = field(default_factory=dict)  # pass -> the node that fetches its snapshot
    _freed: list[str] = field(default_factory=list)  # nodes where an attempt has ended, not yet followed by another

    def add(self, passes: Iterable[Work]) -> None:
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

    def next(
        self, now: float, cost: Callable[[Work], float] = lambda work: 0.0, room: float = math.inf
    ) -> list[Attempt[Work]]:
        """The attempts to start now, which cost no more than `room` together; they are in flight from here on. What
        costs more holds up nothing else."""

        def allowed(queue: list[Attempt[Work]]) -> list[Attempt[Work]]:
            return queue if room == math.inf else [one for one in queue if cost(one.work) <= room]

        for pause in [pause for pause in self._pausing if pause[0] <= now]:
            self._pausing.remove(pause)
            self._queue(pause[1])
        started = []
        for name in sorted(self._queues, key=lambda name: not self._slots[name][0].gpus):
            slots = self._slots[name]
            if not slots[0].gpus and any(
                allowed(queue) for other, queue in self._queues.items() if self._slots[other][0].gpus
            ):
                break
            flying = [attempt for attempt in self.in_flight if attempt.slots[0].name == name]
            free = width = self.width(*slots)
            # their node is another's for now: meanwhile others may go
            free -= len(flying) - min(width, sum(attempt.held_up for attempt in flying))
            while free > 0 and (queue := allowed(self._queues[name])):
                started.append(self._take(self._queues[name], queue, now))
                room -= cost(started[-1].work)
                free -= 1
        for attempt in started:
            self._promise(attempt)
        return started

    def done(self, attempt: Attempt[Work]) -> None:
        """The attempt has ended, well or by its encoder's own fault."""
        self.in_flight.remove(attempt)
        if attempt.started is not None and attempt.node is not None:
            self._freed.append(attempt.node)
            self._dry.pop(attempt.work.slot.name, None)

    def again(self, attempt: Attempt[Work], now: float) -> Attempt[Work] | None:
        """The machine has failed the attempt: the next try, which waits for its pause; None where there have been
        enough."""
        self.in_flight.remove(attempt)
        number = 1 if attempt.moved else attempt.number + 1
        if number > self.attempts:
            return None
        retry = Attempt(attempt.work, number, avoid=attempt.avoid | self._node(attempt), doubts=attempt.doubts)
        self._pausing.append((now + min(PAUSE_SECONDS * 2.0 ** (number - 1), LONGEST_PAUSE), retry))
        return retry

    def confirm(self, attempt: Attempt[Work], work: Work, doubts: Mapping) -> None:
        """The attempt has ended, and what is left of its pass failed by what may be of its node: it is tried once more,
        elsewhere where that is possible."""
        self.done(attempt)
        self._queue(Attempt(work, attempt.number, avoid=attempt.avoid | self._node(attempt), doubts=doubts))

    def elsewhere(self, attempt: Attempt[Work]) -> None:
        """The attempt waits where no node is left for it; it waits in the queue instead."""
        self.in_flight.remove(attempt)
        self._queue(self._as_it_was(attempt))

    def _node(self, attempt: Attempt[Work]) -> frozenset[str]:
        return frozenset({attempt.node} if attempt.node is not None else ())

    def _as_it_was(self, attempt: Attempt[Work]) -> Attempt[Work]:
        return Attempt(attempt.work, attempt.number, avoid=attempt.avoid, doubts=attempt.doubts)

    def overdue(self, now: float) -> list[Attempt[Work]]:
        """Attempts that have waited too long for a node of their slot, or whose slot nothing can hold, and that have
        another one."""
        return [
            attempt
            for attempt in self.in_flight
            if attempt.started is None
            and attempt.work.slot != self._usable(attempt)[-1]
            and (now - attempt.asked > self.patience or attempt.work.slot.name in self._gone)
        ]

    def fall_back(self, attempt: Attempt[Work], now: float) -> None:
        """The attempt gives its place up and is queued for the next of its slots."""
        self.in_flight.remove(attempt)
        self._dry[attempt.work.slot.name] = now + self.patience
        self._queue(self._as_it_was(attempt))

    def withdraw(self, name: str) -> list[Work]:
        """Nothing can hold this slot: take the waiting passes that have no other one off the queue."""
        self._gone.add(name)
        lost = [attempt for queue in self._queues.values() for attempt in queue if self.lost(attempt)]
        self._queues = {
            first: [attempt for attempt in queue if attempt not in lost] for first, queue in self._queues.items()
        }
        return [attempt.work for attempt in lost]

    def withdraw_all(self) -> list[Work]:
        """Take all that is queued off: no more is begun."""
        works = self.waiting
        self._queues.clear()
        self._pausing.clear()
        return works

    @property
    def waiting(self) -> list[Work]:
        """Passes that are queued, or pause after a fault."""
        return [
            attempt.work
            for attempt in (
                *(one for queue in self._queues.values() for one in queue),
                *(one for _, one in self._pausing),
            )
        ]

    @property
    def waiting_slots(self) -> list[Slot]:
        """Slots that queued passes may ask for."""
        return list(
            {slot.name: slot for queue in self._queues.values() for attempt in queue for slot in attempt.slots}.values()
        )

    def lost(self, attempt: Attempt[Work]) -> bool:
        """Whether nothing can hold any of its slots."""
        return all(slot.name in self._gone for slot in attempt.slots)

    def _usable(self, attempt: Attempt[Work]) -> list[Slot]:
        """Its slots without those that nothing can hold; the last one where nothing can hold any."""
        return [slot for slot in attempt.slots if slot.name not in self._gone] or [attempt.slots[-1]]

    def _next_slot(self, attempt: Attempt[Work], now: float) -> Slot:
        *before, last = self._usable(attempt)
        for slot in before:
            if now >= self._dry.get(slot.name, now):
                if slot.name in self._dry:
                    self._dry[slot.name] = now + self.patience  # this one looks, the others do not
                return slot
        return last

    def _queue(self, attempt: Attempt[Work]) -> None:
        first = attempt.slots[0].name
        self._slots[first] = attempt.slots
        insort(self._queues.setdefault(first, []), attempt, key=lambda one: one._rank)

    def _take(self, queue: list[Attempt[Work]], allowed: list[Attempt[Work]], now: float) -> Attempt[Work]:
        """The longest of those that are allowed; or of those that are next in line anyway, one whose snapshot lies on a
        node that has become free."""
        window = allowed[: 1 + len(self.in_flight)]
        fetched = [one for one in window if self._promised.get(one.work.key) in self._freed]
        attempt = fetched[0] if fetched else allowed[0]
        queue.remove(attempt)
        if fetched:
            attempt.node = self._promised[attempt.work.key]
            self._freed.remove(attempt.node)
        attempt.asked = attempt.sign = now
        if len(attempt.slots) > 1:
            attempt.work = replace(attempt.work, slot=self._next_slot(attempt, now))
        self.in_flight.append(attempt)
        return attempt

    def _promise(self, attempt: Attempt[Work]) -> None:
        """The snapshot that the attempt's node is to fetch meanwhile: of the next pass in line that no other node
        fetches."""
        queue = self._queues[attempt.slots[0].name][: 2 * len(self.in_flight)]
        attempt.upcoming = next(
            (one.work for one in queue if one.work.fetched and one.work.key not in self._promised), None
        )
        if attempt.upcoming is not None:
            self._promised[attempt.upcoming.key] = ""  # which node, is known when the attempt has started

    def started(self, attempt: Attempt[Work], node: str, now: float) -> None:
        """The actor of an attempt has answered, from this node."""
        attempt.node, attempt.started, attempt.sign = node, now, now
        self._dry.pop(attempt.work.slot.name, None)
        if node in self._freed:
            self._freed.remove(node)
        if attempt.upcoming is not None:
            self._promised[attempt.upcoming.key] = node

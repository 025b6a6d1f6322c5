"""Passes on their actors, and what becomes of those that wait for a node in vain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jobs.engine.actors import Actors
from jobs.engine.connect import SweepError
from jobs.engine.ledger import Ledger
from jobs.engine.nodes import autoscaling, fitting, holding
from jobs.engine.schedule import Attempt, Schedule
from jobs.planning.units import PassWork
from jobs.workers.events import Paused, UnitResult


@dataclass(frozen=True)
class Doubt:
    """A failure that is believed when it comes again: where it came first, and what it said."""

    node: str
    why: str


@dataclass
class Pass:
    """An attempt on its actor. `told` are keys of units, and (task, key) of scores, that have ended; `failed` are units
    that failed; `doubts` are what failed in it and is to come again before it is believed; `result` is of the unit
    whose embedding comes next; `paused` is what a pass behind an endpoint has said as its last word, and `pausing`
    that it was asked to."""

    attempt: Attempt[PassWork]
    actor: Any
    told: set[str | tuple[str, str]] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    doubts: dict[str | tuple[str, str], Doubt] = field(default_factory=dict)
    result: UnitResult | None = None
    paused: Paused | None = None
    pausing: bool = False

    @property
    def left(self) -> PassWork:
        return self.attempt.work.left(self.told, self.failed)


class Waiting:
    """The passes of a round whose actors have no node yet.

    Args:
        live: of the round; what waits in vain is taken out of it.
    """

    def __init__(self, live: dict, schedule: Schedule[PassWork], actors: Actors, ledger: Ledger):
        self._live, self._schedule, self._actors, self._ledger = live, schedule, actors, ledger

    @property
    def calls(self) -> list[Pass]:
        return [call for call in self._live.values() if isinstance(call, Pass) and call.attempt.started is None]

    @property
    def slots(self) -> list:
        """All slots that something waits for, or may ask for."""
        return [*self._schedule.waiting_slots, *(slot for call in self.calls for slot in call.attempt.slots)]

    def fall_back(self, attempt: Attempt, now: float) -> None:
        """It asks for its next slot."""
        self._end(attempt)
        self._schedule.fall_back(attempt, now)

    def free_from_lost_nodes(self) -> None:
        """What is kept from some nodes, while the others that could hold it have gone, may go to any."""
        for attempt in [call.attempt for call in self.calls if call.attempt.kept_from]:
            if not holding(attempt.work.slot) - attempt.kept_from and not autoscaling():
                self._end(attempt)
                self._schedule.elsewhere(attempt)

    def put_aside(self, stall: SweepError, minutes: float, made: int) -> None:
        """Leave what waits for a node to the next sweep, so that the others get their map: nothing else moves. First
        that which no node that is up holds; what waits for busy ones, or for its process to start, may go on then.

        Args:
            made: encoders that have features.

        Raises:
            SweepError: `stall`, where it is not that alone, or nothing would be left.
        """
        waiting = {call.attempt.work.slot.name: call.attempt for call in self.calls}
        without = {name: attempt for name, attempt in waiting.items() if not fitting(attempt.work.slot)}
        aside = without or waiting
        others = len(aside) < len(waiting) or any(slot.name not in waiting for slot in self._schedule.waiting_slots)
        if len(self.calls) < len(self._live) or not aside or not (made or others):
            raise stall
        for name, attempt in aside.items():
            why = f"no node with {name} in {minutes:g} min: {attempt.why}"
            self.withdraw([slot.name for slot in attempt.slots], "NoCapacity", why)

    def withdraw(self, names: list[str], reason: str, why: str) -> None:
        """Give up what could ask for these slots alone."""
        works: list[PassWork] = [work for name in names for work in self._schedule.withdraw(name)]
        for call in self.calls:
            if self._schedule.lost(call.attempt):
                self._end(call.attempt)
                self._schedule.done(call.attempt)
                works.append(call.attempt.work)
        for work in works:
            self._ledger.withhold(self._ledger.pieces(work), UnitResult("", "failed", reason, why), 0)

    def _end(self, attempt: Attempt) -> None:
        for events, call in [
            (events, call) for events, call in self._live.items() if isinstance(call, Pass) and call.attempt is attempt
        ]:
            del self._live[events]
            self._actors.kill(call.actor)

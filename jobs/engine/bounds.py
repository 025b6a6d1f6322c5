"""The bounds of a sweep in money and in time: no pass is begun that would pass them, and at them the sweep ends
cleanly."""

from __future__ import annotations

import math
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobs.config.deadline import seconds_left
from jobs.config.prices import price_of
from jobs.config.slots import Slot
from jobs.engine.connect import AtLimit, SweepError
from jobs.engine.meter import Meter
from jobs.engine.outcome import BUDGET, DEADLINE
from jobs.engine.schedule import Attempt
from jobs.engine.smaller import check_not_smaller
from jobs.planning.costs import expected_cost, seconds_on
from jobs.planning.estimates import Words
from jobs.planning.paid import Tokens, key_of
from jobs.planning.plan import Plan
from jobs.planning.resolve import FEWEST
from jobs.planning.units import PassWork
from jobs.records.spending import money
from jobs.workers.events import Paused
from jobs.workers.till import Paying
from qre.encoders.spec import ModelSpec
from qre.store import Failure, Store

if TYPE_CHECKING:
    from jobs.config import SweepConfig
    from jobs.engine.loop import Loop

ENOUGH = 1e-9  # money; less than that is none
LOOK_SECONDS = 0.5  # between looks at the limits
SLACK = 0.25  # of the expected cost of tokens, that an attempt may spend beyond it


@dataclass(frozen=True)
class _Reached:
    """A limit that is reached: which, what there is to say of it beside what is spent, what to do, and when it was."""

    kind: str
    more: str
    mend: str
    when: float = field(default_factory=time.monotonic)


class Limits:
    """cluster.budget and cluster.deadline.

    Attributes:
        meter: what is spent.
        stopped: in words, why the sweep has stopped; "" before that.
    """

    def __init__(self, config: SweepConfig, store: Store, meter: Meter):
        self.meter, self.stopped = meter, ""
        self._config, self._store, self._settings = config, store, config.cluster
        left = math.inf if config.cluster.deadline is None else seconds_left(config.cluster.deadline)
        self._deadline = time.monotonic() + left
        self._reached: _Reached | None = None
        self._looked = 0.0
        self._expected: dict[str, float] = {}
        self._allowed: dict[Attempt, float] = {}
        self._plan: Plan | None = None
        if config.cluster.budget is not None and meter.unreadable:
            raise SweepError(
                f"{meter.unreadable[0]} in the store cannot be read, or is of a newer version, so what was spent is "
                f"not known and cluster.budget "
                "cannot be kept; remove that file to go on without counting it"
            )

    def expect(self, plan: Plan) -> None:
        """Work out what each pass of a plan is expected to cost; only a budget needs it."""
        if self._settings.budget is None:
            return
        self._plan, words = plan, Words(plan)
        tokens = Tokens(plan, self._store)
        for work in plan.passes:
            cost = tokens.cost(work) if work.remote else _expected(work, words, plan, self._config)
            self._expected[work.key] = cost

    def cost(self, work: PassWork) -> float:
        """The expected cost of a pass."""
        return self._expected.get(work.key, 0.0)

    def room(self, in_flight: Collection[Attempt[PassWork]]) -> float:
        """What passes that are begun now may cost together: the budget without what is spent, and what those in flight
        are still expected to cost."""
        if self._settings.budget is None:
            return math.inf
        ahead = sum(
            max(self._allowed.get(attempt, self.cost(attempt.work)) - self.meter.cost(attempt), 0.0)
            for attempt in in_flight
        )
        return self._settings.budget - self._spent - ahead

    def paying(self, attempt: Attempt[PassWork], in_flight: Collection[Attempt[PassWork]]) -> Paying | None:
        """How an attempt that begins now pays; None where it is not behind an endpoint. What it may spend is no part of
        what others may: its expected cost, and a part more where there is room."""
        spec = attempt.work.remote
        if spec is None:
            return None
        allowance = math.inf
        if self._settings.budget is not None and spec.price:
            cost = self.cost(attempt.work)
            self._allowed[attempt] = allowance = cost + max(min(SLACK * cost, self.room(in_flight)), 0.0)
        return Paying(key_of(spec), self._config.name, self.meter.account(attempt), allowance)

    def paused(self, left: PassWork, event: Paused) -> None:
        """An attempt has ended before its work was done: expect what is left of it, as the server counts."""
        if left.key in self._expected and event.needs:
            assert self._plan is not None  # it was expected
            # the next attempt begins with a probe too: where that is not counted, it pays for nothing else
            self._expected[left.key] = Tokens(self._plan, self._store).cost(left, event.needs, event.ratio)

    @property
    def reached(self) -> bool:
        return self._reached is not None

    @property
    def _spent(self) -> float:
        return self.meter.spent.cost(self._settings.prices) or 0.0

    def look(self, loop: Loop) -> None:
        """Record what is spent; at a limit begin no more, give those in flight the grace period, and put aside what is
        left."""
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        self.meter.record()
        if self._reached is None and (reached := self._limit(loop)) is not None:
            self._reached = reached
            loop.reporter.say(
                f"{self._words(reached)}: no more encoders are begun; those in flight have "
                f"{self._settings.grace_seconds:g} s"
            )
        if self._reached is not None:
            self._end(loop, self._reached)

    def _limit(self, loop: Loop) -> _Reached | None:
        """Which limit is reached, and in words; None where none is, or nothing is left that it could hold up."""
        flying = loop.schedule.in_flight
        if not flying and not loop.schedule.queued:
            return None
        if time.monotonic() >= self._deadline:
            return _Reached(DEADLINE, f" ({self._settings.deadline})", "give a later cluster.deadline")
        if self._settings.budget is None:
            return None
        if unpriced := self.meter.spent.unpriced(self._settings.prices):
            return _Reached(
                BUDGET,
                f", which cannot be kept: GPUs of {', '.join(unpriced)} have no price",
                "give one in cluster.prices, or one of `other`,",
            )
        if self._spent >= self._settings.budget - ENOUGH:
            return _Reached(BUDGET, "", "raise cluster.budget")
        waiting = loop.schedule.waiting
        if not flying and waiting and (least := min(map(self.cost, waiting))) > self.room(()):
            return _Reached(
                BUDGET, f", and the cheapest pass left is expected to cost {money(least)}", "raise cluster.budget"
            )
        return None

    def _words(self, reached: _Reached) -> str:
        """Why it stops, with what is spent by now."""
        kind = reached.kind
        spent = f": {money(self._spent)} of {money(self._settings.budget or 0.0)} spent" if kind == BUDGET else ""
        return f"stopped at the {'budget' if kind == BUDGET else 'deadline'}{spent}{reached.more}"

    def _end(self, loop: Loop, reached: _Reached) -> None:
        """What waits for a node ends at once, what has begun after the grace period; when nothing is in flight, all
        that is left is put aside."""
        loop.pause()
        over = time.monotonic() - reached.when >= self._settings.grace_seconds
        for call in [one for one in loop.passes_in_flight if over or one.attempt.started is None]:
            loop.put_back(call)
        if not loop.passes_in_flight and (works := loop.schedule.withdraw_all()):
            self._set_aside(loop, works, reached)

    def _set_aside(self, loop: Loop, works: list[PassWork], reached: _Reached) -> None:
        encoders = len({unit.spec.name for work in works for unit in work.members})
        mend = f"{reached.mend} and run the same command again"
        self.stopped = (
            f"{self._words(reached)}; {'1 encoder is' if encoders == 1 else f'{encoders} encoders are'} left; {mend}"
        )
        for key, name in ((key, name) for work in works for key, name in loop.ledger.pieces(work).items()):
            loop.ledger.given_up[key] = Failure(
                key=key,
                encoder=name,
                kind="transient",
                attempts=0,
                exception=reached.kind,
                message=self.stopped,
                remedy=mend,
            )

    def check_map(self, plan: Plan, allow_smaller: bool) -> None:
        """The map of what there is may be drawn.

        Raises:
            AtLimit: a limit has left too few encoders for a map, or fewer than the finished one has.
            SweepError: that one would lack some for another reason.
        """
        if self.stopped and len(plan.on_map) < FEWEST:
            raise AtLimit(
                f"{self.stopped}; {len(plan.on_map)} encoders have features, and a map needs at least {FEWEST}"
            )
        if allow_smaller:
            return
        try:
            check_not_smaller(self._config, self._store, plan)
        except SweepError as error:
            raise (AtLimit(f"{self.stopped}; {error}") if self.stopped else error) from None


def _expected(work: PassWork, words: Words, plan: Plan, config: SweepConfig) -> float:
    """The expected cost of a pass, on the dearest GPU that one of its slots may get; where a GPU is shared, as if it
    had it alone, since sharing slows it as much."""
    unit, slots = work.members[0], work.slots or (work.slot,)
    if not slots[0].gpus or not isinstance(unit.spec, ModelSpec):
        return 0.0
    cost = expected_cost(unit.spec, unit.attributes, words.of(work), len(plan.sentences), config)
    prices = config.cluster.prices
    kinds = ((slot, kind) for slot in slots for kind in _kinds(slot, prices))
    each = (seconds_on(cost, kind) * (price_of(kind, prices) or 0.0) * slot.gpus for slot, kind in kinds)
    return max(each, default=0.0) / 3600


def _kinds(slot: Slot, prices: dict[str, float]) -> list[str]:
    """GPU types that a slot may get: the one of its label, else all that have a price."""
    return [slot.gpu_type] if slot.gpu_type is not None else list(prices)

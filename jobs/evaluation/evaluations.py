"""The bounded loop of `qre evaluate --mteb`: one encoder an actor, the longest first, faults told apart, until no task
is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone

import ray
from ray.exceptions import ActorUnschedulableError, RayError, RayTaskError

from jobs.config import SweepConfig
from jobs.engine.actors import Actors
from jobs.engine.bench import Bench
from jobs.engine.connect import Interrupted, Stop, SweepError
from jobs.engine.nodes import node_of_actor
from jobs.engine.schedule import Attempt, Schedule
from jobs.engine.watch import Watch
from jobs.evaluation.actor import Evaluation, MtebRunner, TaskEnded
from jobs.mteb.own_results import record_failures
from jobs.workers.embed import StoreNotShared
from jobs.workers.events import Loaded, Started
from qre.encoders.hub_problems import printable
from qre.store import Store

POLL_SECONDS = 0.5
LINE_SECONDS = 30.0  # between lines while no task ends, and between records in the store


@dataclass
class Ended:
    """What has become of an encoder's tasks: `scores` of those with a result in the store, `failures` with the
    reason."""

    encoder: str
    scores: dict[str, float | None] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


@dataclass
class _Call:
    attempt: Attempt[Evaluation]
    actor: object


class Evaluations:
    """The tasks that encoders lack, run on the cluster that is connected.

    Attributes:
        ended: by Evaluation.key, what is known of each encoder until now.
    """

    def __init__(
        self, config: SweepConfig, store: Store, works: Sequence[Evaluation], stop: Stop, say: Callable[[str], None]
    ):
        self._config, self._store, self._stop, self._say = config, store, stop, say
        self._works = {work.key: work for work in works}
        self.ended = {work.key: Ended(work.name) for work in works}
        self._bench = Bench(say)
        self._actors = Actors(store.location, config.cluster, self._bench, MtebRunner)
        self._schedule: Schedule[Evaluation] = Schedule(
            self._actors.width, config.cluster.attempts, config.cluster.patience_seconds
        )
        self._schedule.add(works)
        self._watch = Watch(config.cluster)
        self._record = (
            f"{config.name}+mteb"  # beside that of the sweep, which may run at the same time; no sweep has such a name
        )
        self._live: dict[ray.ObjectRefGenerator, _Call] = {}
        self._total = sum(len(work.tasks) for work in works)
        self._began = self._spoken = time.monotonic()

    def run(self) -> None:
        """Until every task has a result or a reason why not.

        Raises:
            Interrupted: a stop was asked for; what was in flight had its grace period.
            SweepError: the nodes do not see the store.
        """
        try:
            self._tell("running")  # the actors look for this record, to know that they see the store
            while self._schedule.queued or self._live:
                self._start()
                for events in self._ready():
                    self._take(events)
                self._look()
                self._stop_if_asked()
        finally:
            self._actors.kill_all()
            for key, ended in self.ended.items():
                if ended.scores or ended.failures:
                    record_failures(self._store, self._works[key].encoder, ended.failures)
            self._tell("ended")

    def _start(self) -> None:
        if not self._stop.asked:
            for attempt in self._schedule.next(time.monotonic()):
                arguments = (self._record, self._config.encode, attempt.upcoming, self._config.cluster.cache_bytes)
                actor, events = self._actors.start(attempt, *arguments)
                self._live[events] = _Call(attempt, actor)
        if not self._schedule.queued:
            self._actors.release_idle()

    def _ready(self) -> list:
        if self._live:
            return ray.wait(list(self._live), timeout=POLL_SECONDS, fetch_local=False)[0]
        time.sleep(POLL_SECONDS)  # all pause after a fault
        return []

    def _take(self, events: ray.ObjectRefGenerator) -> None:
        """What one actor has to say."""
        call, now = self._live[events], time.monotonic()
        attempt = call.attempt
        try:
            event = ray.get(next(events))
        except StopIteration:
            del self._live[events]
            self._schedule.done(attempt)
            self._actors.give(call.actor, attempt)
        except RayError as error:
            del self._live[events]
            self._actors.kill(call.actor)
            self._fault(call, error)
        else:
            attempt.sign = now
            if isinstance(event, Started):
                self._schedule.started(attempt, event.node, now)
            elif isinstance(event, Loaded):
                self._say(
                    self._line(
                        f"{attempt.work.name}: loaded on {event.device}, {len(self._left(attempt.work))} tasks to run"
                    )
                )
            else:
                self._task(attempt, event)

    def _task(self, attempt: Attempt[Evaluation], event: TaskEnded) -> None:
        ended = self.ended[attempt.work.key]
        if event.why:
            ended.failures[event.task] = event.why
            self._say(self._line(f"failed: {attempt.work.name}: {event.task}: {printable(event.why, 200)}"))
            return
        attempt.moved = True
        assert attempt.node is not None  # Started comes before
        self._bench.succeeded(attempt.node)
        ended.scores[event.task] = event.score
        score = "no main score" if event.score is None else f"{event.score:.4f}"
        self._say(self._line(f"{attempt.work.name}: {event.task} {score}, in {event.seconds:.0f} s"))

    def _left(self, work: Evaluation) -> tuple:
        ended = self.ended[work.key]
        return tuple(task for task in work.tasks if task[0] not in ended.scores and task[0] not in ended.failures)

    def _fault(self, call: _Call, error: RayError) -> None:
        """An attempt that the machine has failed: tried again with the tasks that it has left, or given up."""
        attempt, cause = call.attempt, error.cause if isinstance(error, RayTaskError) else error
        if attempt.started is None:
            attempt.node = node_of_actor(call.actor)
        if isinstance(cause, StoreNotShared) and self._bench.nowhere_else(attempt):
            raise SweepError(str(cause))
        if attempt.node is not None:
            self._bench.failed(attempt.node, attempt.work.key, type(cause).__name__, attempt.work.slot)
        why = printable(f"{type(cause).__name__}: {str(cause).strip()}", 300)
        attempt.work = replace(attempt.work, tasks=self._left(attempt.work))
        if isinstance(error, ActorUnschedulableError) or not attempt.work.tasks:
            self._schedule.done(attempt)
            self._give_up(attempt.work, why)
        elif (retry := self._schedule.again(attempt, time.monotonic())) is None:
            self._give_up(attempt.work, f"{why} (the machine's fault; tried {attempt.number} times)")
        else:
            self._say(
                self._line(
                    f"{attempt.work.name}: {why}; trying again ({retry.number} of {self._config.cluster.attempts})"
                )
            )

    def _give_up(self, work: Evaluation, why: str) -> None:
        if left := self._left(work):
            self.ended[work.key].failures |= {name: why for name, _ in left}
            self._say(self._line(f"failed: {work.name}: {len(left)} tasks: {why}"))

    def _look(self) -> None:
        """Slots that no node can hold are given up; now and then a line, and a record in the store."""
        waiting = {events: call for events, call in self._live.items() if call.attempt.started is None}
        now = time.monotonic()
        if now - self._spoken < LINE_SECONDS:
            return
        self._spoken = now
        hopeless = self._watch.hopeless(
            [*self._schedule.waiting_slots, *(slot for call in waiting.values() for slot in call.attempt.slots)]
        )
        for name, why in hopeless.items():
            for work in self._schedule.withdraw(name):
                self._give_up(work, why)
        overdue = self._schedule.overdue(now)
        for events, call in waiting.items():
            if call.attempt in overdue or self._schedule.lost(call.attempt):
                del self._live[events]
                self._actors.kill(call.actor)
                if call.attempt in overdue:
                    self._schedule.fall_back(call.attempt, now)
                    continue
                self._schedule.done(call.attempt)
                self._give_up(
                    call.attempt.work, hopeless.get(call.attempt.work.slot.name, "no node is large enough for it")
                )
        self._tell("running")
        self._say(self._line(f"{self._done} of {self._total} tasks; {len(self._live)} encoders at work"))

    def _stop_if_asked(self) -> None:
        """New work is not begun; actors that still wait for a node end at once; the others have the grace period."""
        if self._stop.signal is None:
            return
        for events, call in list(self._live.items()):
            if call.attempt.started is None:
                del self._live[events]
                self._actors.kill(call.actor)
        if not self._live or self._stop.overdue:
            raise Interrupted(self._stop.signal)

    @property
    def _done(self) -> int:
        return sum(len(ended.scores) + len(ended.failures) for ended in self.ended.values())

    def _tell(self, state: str) -> None:
        flying = [
            f"{call.attempt.work.name}: {len(self._left(call.attempt.work))} tasks left" for call in self._live.values()
        ]
        when = datetime.now(timezone.utc).isoformat(timespec="seconds")
        told = {
            "state": state,
            "phase": "MTEB tasks",
            "done": self._done,
            "total": self._total,
            "in_flight": flying,
            "when": when,
        }
        self._store.progress.write(self._record, told)

    def _line(self, text: str) -> str:
        return f"[{time.monotonic() - self._began:6.1f} s] {text}"

"""The bounded loop of one round: passes on actors, feature shards in tasks, faults told apart, until nothing is left."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import ray
from ray.exceptions import ActorUnschedulableError, RayError, RayTaskError, TaskUnschedulableError, WorkerCrashedError

from jobs.config import SweepConfig
from jobs.engine.actors import Actors
from jobs.engine.ledger import Ledger, in_short
from jobs.engine.local import Interrupted, Stop, SweepError
from jobs.engine.metrics import Metrics
from jobs.engine.nodes import autoscaling
from jobs.engine.progress import Reporter
from jobs.engine.schedule import Attempt, Schedule
from jobs.engine.shards import Shard, Shards
from jobs.engine.tasks import Call
from jobs.engine.watch import LOOK_SECONDS, POLL_SECONDS, Watch, described
from jobs.planning.passes import PassWork
from jobs.planning.plan import Plan, feature_folders
from jobs.workers.beats import Ended
from jobs.workers.embed import StoreNotShared
from jobs.workers.events import ChunkMade, Loaded, ScoreResult, Started, UnitResult
from jobs.workers.faults import place_in_words, places_fault
from qre.errors import place_error
from qre.store import Failure, Store

QUIET_SECONDS = 10.0  # in the tail: then embeddings that are held on nodes are featurized, since an autoscaler takes no node that holds one


@dataclass
class Pass:
    """An attempt on its actor. `told` are keys of units, and (task, key) of scores, that have ended; `failed` are units that failed; `result` is of the unit
    whose embedding comes next."""

    attempt: Attempt
    actor: object
    told: set[str | tuple[str, str]] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    result: UnitResult | None = None

    @property
    def left(self) -> PassWork:
        return self.attempt.work.left(self.told, self.failed)


class Loop:
    """Everything that a plan leaves to embed, to featurize and to score.

    Attributes:
        ledger: what has ended, and how.
    """

    def __init__(self, config: SweepConfig, store: Store, plan: Plan, reporter: Reporter, stop: Stop, metrics: Metrics, given_up: dict[str, Failure]):
        self.config, self.store, self.plan, self.reporter, self.stop, self.metrics = config, store, plan, reporter, stop, metrics
        self.units = {unit.key: unit for unit in plan.units}
        self.actors = Actors(store.location, config.cluster)
        self.schedule = Schedule(self.actors.width, config.cluster.attempts, config.cluster.patience_seconds)
        self.schedule.add(plan.passes)
        self.tasks = {task: ray.put(plan.tasks[task]) for task in dict.fromkeys(one.task for work in plan.passes for one in work.scorings)}
        self.shards = Shards(config, store.location, feature_folders(config, plan.sentences.fingerprint), plan.to_featurize, plan.lacking)
        self.live: dict = {}  # generator or reference -> Pass or Shard
        self.total = sum(work.pieces for work in plan.passes) + len(plan.to_featurize)
        self.phase = "encoders and scores" if self.tasks else "encoders"
        self.ledger = Ledger(store, plan, reporter, metrics, given_up)
        self.watch = Watch(config.cluster)
        self.heard, self.looked, self.made = time.monotonic(), 0.0, len(plan.featured)

    def run(self) -> None:
        """Until all is embedded and featurized, or has failed.

        Raises:
            Interrupted: a stop was asked for; what is in flight had its grace period.
            SweepError: nothing goes on any more.
        """
        self.reporter.begin(self.phase, self.total)
        if self.config.cluster.width_per_slot is None and autoscaling():
            self.reporter.say("cluster.width_per_slot is not set, so the sweep keeps to the nodes that are up: with an autoscaler, give the number of encoders at once")
        try:
            while self.schedule.queued or self.live or self.shards.waiting:
                self._start_passes()
                self._start_shards()
                for reference in self._ready():
                    self._take(reference)
                self._watch()
                self._report()
                self._stop_if_asked()
        finally:
            self.actors.kill_all()

    def _start_passes(self) -> None:
        if not self.stop.asked:
            for attempt in self.schedule.next(time.monotonic()):
                upcoming = attempt.upcoming.members[0].spec if attempt.upcoming else None
                tasks = {scoring.task: self.tasks[scoring.task] for scoring in attempt.work.scorings}
                arguments = (self.plan.sentences.fingerprint, self.config.encode, upcoming, self.config.cluster.cache_bytes, tasks)
                actor, events = self.actors.start(attempt, *arguments)
                self.live[events] = Pass(attempt, actor)
        if not self.schedule.queued:
            self.actors.release_idle()  # their CPUs are wanted by the feature tasks

    def _start_shards(self) -> None:
        """A task when a shard's worth is there, or when no more will come; in the tail also when none has come for a while."""
        tail = not self.schedule.queued and (not self.schedule.in_flight or self.shards.quiet > QUIET_SECONDS)
        while not self.stop.overdue and (shard := self.shards.cut(last=tail)):
            self.live[self.shards.start(shard)] = shard

    def _ready(self) -> list:
        """Actors and tasks that have something to say; waits a moment where none has."""
        if self.live:
            return ray.wait(list(self.live), timeout=POLL_SECONDS, fetch_local=False)[0]
        time.sleep(POLL_SECONDS)  # passes are pausing after a fault
        return []

    def _take(self, reference) -> None:
        """What one actor or task has to say."""
        call = self.live.get(reference)
        if isinstance(call, Pass):
            self._take_event(reference, call)
        elif isinstance(call, Shard):
            self._take_features(reference, call)

    def _take_event(self, events: ray.ObjectRefGenerator, call: Pass) -> None:
        attempt, now = call.attempt, time.monotonic()
        try:
            reference = next(events)
            if call.result is not None:  # an embedding: it is handed on by reference, never fetched to the driver
                self._shelve(call, reference)
                return
            event = ray.get(reference)
        except StopIteration:
            del self.live[events]
            self._ended(call)
        except RayError as error:
            del self.live[events]
            self.actors.kill(call.actor)
            self._fault(call, error)
        else:
            self.heard = attempt.sign = now
            if isinstance(event, UnitResult):
                before = call.left.pieces
                self.ledger.unit(event, attempt.number)
                call.told.add(event.key)
                call.failed |= {event.key} if event.status == "failed" else set()
                self.ledger.finished += before - call.left.pieces - 1  # scores that will not be made
                call.result = event if event.status == "done" else None
            elif isinstance(event, ScoreResult):
                self.ledger.score(event, attempt.number)
                call.told.add((event.task, event.key))
            else:
                self._sign(attempt, event, now)

    def _ended(self, call: Pass) -> None:
        if call.left.pieces:  # what came in place of an embedding was the news of its death
            self.actors.kill(call.actor)
            self._fault(call, WorkerCrashedError())
            return
        self.schedule.done(call.attempt)
        self.actors.give(call.actor, call.attempt.work.slot)
        self.reporter.ended(call.attempt, "done")

    def _sign(self, attempt: Attempt, event: Started | Loaded | ChunkMade, now: float) -> None:
        if isinstance(event, Started):
            self.schedule.started(attempt, event.node, now)
            self.reporter.started(attempt, event)
        elif isinstance(event, Loaded):
            self.metrics.seconds.observe(event.seconds, {"phase": "load"})
            if attempt.work.slot.gpus and event.device == "cpu":
                self.reporter.say_once(f"node {attempt.node[:8]} has a GPU by its own word, but torch sees none there: it encodes on the CPU")
        else:
            attempt.chunks, attempt.of = event.made, event.of
            if event.sentences:
                attempt.moved = True
                self.metrics.sentences.inc(event.sentences)
                self.metrics.seconds.observe(event.seconds, {"phase": "encode"})

    def _shelve(self, call: Pass, reference: ray.ObjectRef) -> None:
        """An embedded unit waits for its shard."""
        result, call.result = call.result, None
        self.metrics.seconds.observe(result.seconds, {"phase": "write"})
        self.metrics.bytes.inc(result.bytes)
        self.shards.add(self.units[result.key], reference, result.bytes)

    def _take_features(self, reference: ray.ObjectRefGenerator, shard: Shard) -> None:
        try:
            event = shard.call.hear()
        except RayError as error:
            self._features_fault(reference, shard, _cause(error))
            return
        self.heard = max(self.heard, shard.call.sign)
        if not isinstance(event, Ended):
            return
        del self.live[reference]
        self.shards.ended(shard)
        self.metrics.seconds.observe(self.heard - shard.call.asked, {"phase": "featurize"})
        for result in event.result:
            self.ledger.unit(result, shard.number)
            if result.status == "done":
                self.made += 1
                self.metrics.done.inc()
                self.ledger.finished += 1

    def _features_fault(self, reference: ray.ObjectRefGenerator, shard: Shard, cause: BaseException) -> None:
        """A feature task that its machine has failed: tried again, or its encoders are given up."""
        del self.live[reference]
        again = self.shards.ended(shard)
        if shard.number < self.config.cluster.attempts:
            self.reporter.say(f"{shard.call.what}: {in_short(cause)}; trying again")
            self.live[self.shards.start(again)] = again
        else:
            self.ledger.give_up({unit.key: unit.spec.name for unit in shard.units}, cause, shard.number)

    def _fault(self, call: Pass, error: Exception) -> None:
        """An attempt that did not end by itself: tried again with what it has left, or given up."""
        attempt, left, cause = call.attempt, call.left, _cause(error)
        self.reporter.ended(attempt, type(cause).__name__)
        if isinstance(cause, StoreNotShared):
            raise SweepError(f"{cause}: give a store that all nodes see (s3://, gs://, or a shared file system)")
        if isinstance(error, (ActorUnschedulableError, TaskUnschedulableError)):
            self.schedule.done(attempt)
            self.ledger.withhold(self.ledger.pieces(left), UnitResult.failed("", cause), attempt.number)
            return
        self.metrics.lost.inc()
        if not left.pieces:
            self.schedule.done(attempt)
            return
        attempt.work = left
        retry = self.schedule.again(attempt, time.monotonic())
        if retry is not None:
            kept = f", going on after chunk {attempt.chunks} of {attempt.of}" if attempt.moved else ""
            tries = f"trying again ({retry.number} of {self.config.cluster.attempts}{kept})"
            if places_fault(cause):  # others will meet it too: told once, by no encoder's name
                self.reporter.say_once(f"{place_in_words(cause)}; trying again")
            else:
                self.reporter.say(f"{attempt.work.name}: {in_short(cause)}; {tries}")
        else:
            self.ledger.give_up(self.ledger.pieces(left), cause, attempt.number)

    def _watch(self) -> None:
        """What does not go on by itself: actors without a sign of life, slots that no node holds, a sweep in which nothing moves."""
        now = time.monotonic()
        if now - self.looked < LOOK_SECONDS:
            return
        self.looked = now
        for name, why in self.watch.hopeless([*self.schedule.waiting_slots, *(slot for call in self._waiting() for slot in call.attempt.slots)]).items():
            self._withdraw([name], "NoNodeHoldsIt", why)
        for events, call in list(self.live.items()):
            if isinstance(call, Pass) and self.watch.silent(call.attempt, now):
                del self.live[events]
                self.actors.kill(call.actor)
                self.heard = now  # it is tried again: something moves
                self._fault(call, TimeoutError(f"no sign of life for {self.config.cluster.stall_minutes:g} min; its actor is ended"))
            elif isinstance(call, Shard) and self.watch.silent(call.call, now):
                call.call.end()
                self.heard = now
                self._features_fault(events, call, TimeoutError(f"no sign of life for {self.config.cluster.stall_minutes:g} min; its process is ended"))
        for attempt in self.schedule.overdue(now):
            self.reporter.say(f"{described(attempt, now)}; it asks for its next slot")
            self._unstart(attempt)
            self.schedule.fall_back(attempt, now)
            self.heard = now
        shards = [call.call for call in self.live.values() if isinstance(call, Shard)]
        self.watch.explain([*(call.attempt for call in self._waiting()), *(call for call in shards if call.begun is None)])
        if self.watch.stalled(self.heard, now):
            self._put_aside(self.watch.stall([*self.schedule.in_flight, *shards], now), shards)

    def _waiting(self) -> list[Pass]:
        """Passes whose actor has no node yet."""
        return [call for call in self.live.values() if isinstance(call, Pass) and call.attempt.started is None]

    def _put_aside(self, stall: SweepError, shards: list[Call]) -> None:
        """What waits for a node while nothing else moves is left to the next sweep, so that the others get their map.

        Raises:
            SweepError: it is not that alone, or nothing is left then.
        """
        waiting = self._waiting()
        slots = {call.attempt.work.slot.name: call.attempt.why for call in waiting}
        others = any(slot.name not in slots for slot in self.schedule.waiting_slots)
        if shards or not waiting or not (self.made or others):
            raise stall
        for name, why in slots.items():
            self._withdraw([name, *self._alternatives(name)], "NoCapacity", f"no node with {name} in {self.config.cluster.stall_minutes:g} min: {why}")
        self.heard = time.monotonic()

    def _alternatives(self, name: str) -> list[str]:
        """The other slots of what waits for a slot."""
        return [slot.name for call in self._waiting() if call.attempt.work.slot.name == name for slot in call.attempt.slots]

    def _withdraw(self, names: list[str], reason: str, why: str) -> None:
        """Give up what could ask for these slots alone: no node holds them."""
        works = [work for name in names for work in self.schedule.withdraw(name)]
        for call in self._waiting():
            if self.schedule.lost(call.attempt):
                self._unstart(call.attempt)
                self.schedule.done(call.attempt)
                works.append(call.attempt.work)
        for work in works:
            self.ledger.withhold(self.ledger.pieces(work), UnitResult("", "failed", reason, why), 0)

    def _unstart(self, attempt: Attempt) -> None:
        """End the actor of an attempt that has no node yet."""
        for events, call in list(self.live.items()):
            if isinstance(call, Pass) and call.attempt is attempt:
                del self.live[events]
                self.actors.kill(call.actor)

    def _stop_if_asked(self) -> None:
        """New work is not begun; actors that still wait for a node end at once; the others have the grace period."""
        if not self.stop.asked:
            return
        for events, call in list(self.live.items()):
            if isinstance(call, Pass) and call.attempt.started is None:
                del self.live[events]
                self.actors.kill(call.actor)
        if not self.live or self.stop.overdue:
            raise Interrupted(self.stop.signal)

    def _report(self) -> None:
        """An encoder is half done when it is embedded; chunks tell how far a long pass is."""
        flying = self.schedule.in_flight
        self.metrics.in_flight.set(len(flying))
        embedded = len(self.shards.waiting) + sum(len(call.units) for call in self.live.values() if isinstance(call, Shard))
        passes = [call for call in self.live.values() if isinstance(call, Pass) and call.attempt.of]
        under_way = sum(sum(unit.key not in call.told for unit in call.attempt.work.units) * call.attempt.chunks / call.attempt.of for call in passes)
        told = [*flying, *self._features_told()]
        self.reporter.update(self.phase, self.ledger.finished + (embedded + under_way) / 2, self.total, told, self.ledger.failed)

    def _features_told(self) -> list[str]:
        """The feature tasks in one line: how many run; of one that waits, for what."""
        calls = [call.call for call in self.live.values() if isinstance(call, Shard)]
        running = sum(call.begun is not None for call in calls)
        waits = next((str(call) for call in calls if call.begun is None), None)
        return [*([f"features: {running} task{'s' if running > 1 else ''} running"] if running else []), *([waits] if waits else [])]


def _cause(error: Exception) -> Exception:
    """What a worker has raised, a fault of its place as such; the error itself where that was Ray's."""
    return place_error(error.cause) or error.cause if isinstance(error, RayTaskError) else error

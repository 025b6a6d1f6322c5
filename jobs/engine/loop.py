"""The bounded loop of one round: passes on actors, feature shards in tasks, faults told apart, until nothing is
left."""

from __future__ import annotations

import time

import ray
from ray.exceptions import ActorUnschedulableError, RayError, RayTaskError, TaskUnschedulableError, WorkerCrashedError

from jobs.config import SweepConfig
from jobs.engine.actors import Actors
from jobs.engine.ahead import seconds_left
from jobs.engine.bench import Bench
from jobs.engine.bounds import Limits
from jobs.engine.connect import Interrupted, Stop, SweepError
from jobs.engine.doubts import Doubts
from jobs.engine.gauges import Metrics
from jobs.engine.ledger import Ledger, in_short
from jobs.engine.nodes import autoscaling, node_name, node_of_actor, on_node, several_nodes
from jobs.engine.outcome import encoder_count
from jobs.engine.progress import Counts, Reporter
from jobs.engine.schedule import Attempt, Schedule
from jobs.engine.shards import Shard, Shards
from jobs.engine.waiting import Pass, Waiting
from jobs.engine.watch import LOOK_SECONDS, POLL_SECONDS, Watch, described
from jobs.planning.plan import Plan
from jobs.planning.shard_folders import shard_folders
from jobs.planning.units import PassWork
from jobs.planning.work import Times
from jobs.workers.beats import Ended
from jobs.workers.embed import StoreNotShared
from jobs.workers.events import ChunkMade, Loaded, Paused, ScoreResult, Started, UnitResult
from jobs.workers.faults import place_in_words, places_fault
from qre.encoders.endpoint import EndpointDown
from qre.errors import StoreRefused, place_error
from qre.store import Failure, NewerSchema, Store

# in the tail: then embeddings that are held on nodes are featurized, since an autoscaler takes no node that holds one
QUIET_SECONDS = 10.0


class Loop:
    """Everything that a plan leaves to embed, to featurize and to score.

    Attributes:
        ledger: what has ended, and how.
    """

    def __init__(
        self,
        config: SweepConfig,
        store: Store,
        plan: Plan,
        reporter: Reporter,
        stop: Stop,
        metrics: Metrics,
        given_up: dict[str, Failure],
        bench: Bench,
        limits: Limits,
        times: Times,
    ):
        self.config, self.store, self.plan, self.reporter, self.stop, self.metrics = (
            config,
            store,
            plan,
            reporter,
            stop,
            metrics,
        )
        self.units = {unit.key: unit for unit in plan.units}
        self.bench = bench
        self.actors = Actors(store.location, config.cluster, self.bench)
        self.schedule: Schedule[PassWork] = Schedule(
            self.actors.width, config.cluster.attempts, config.cluster.patience_seconds
        )
        self.schedule.add(plan.passes)
        self.tasks = {
            task: ray.put(plan.tasks[task])
            for task in dict.fromkeys(one.task for work in plan.passes for one in work.scorings)
        }
        self.shards = Shards(
            config, store.location, shard_folders(config, plan.sentences), plan.to_featurize, plan.lacking, bench
        )
        self.here = ray.get_runtime_context().get_node_id()  # folders were looked at here
        self.live: dict[ray.ObjectRefGenerator, Pass | Shard] = {}
        self.times = times
        self.expected = {work.key: times.of(work).total for work in plan.passes}
        self.embedded, self.scored = set(plan.embedded | plan.featured), set(plan.scored)
        self.ledger = Ledger(store, plan, reporter, metrics, given_up)
        self.watch = Watch(config.cluster)
        self.limits = limits
        limits.expect(plan)
        self.waiting = Waiting(self.live, self.schedule, self.actors, self.ledger)
        self.doubts = Doubts(bench)
        self.heard, self.looked, self.made = time.monotonic(), 0.0, len(plan.featured)

    def run(self) -> None:
        """Until all is embedded and featurized, or has failed.

        Raises:
            Interrupted: a stop was asked for; what is in flight had its grace period.
            SweepError: nothing goes on any more.
        """
        self.reporter.begin("encoders")
        if self.config.cluster.width_per_slot is None and autoscaling():
            self.reporter.say(
                "cluster.width_per_slot is not set, so the sweep keeps to the nodes that are up: with an autoscaler, "
                "give the number of encoders at once"
            )
        try:
            while self.schedule.queued or self.live or self.shards.waiting:
                self._start_passes()
                self._start_shards()
                for reference in self._ready():
                    self._take(reference)
                self._watch()
                self.limits.look(self)
                self._report()
                self._stop_if_asked()
        finally:
            self.actors.kill_all()
            self.limits.meter.all_ended()

    def _start_passes(self) -> None:
        if not self.stop.asked and not self.limits.reached:
            for attempt in self.schedule.next(
                time.monotonic(), self.limits.cost, self.limits.room(self.schedule.in_flight)
            ):
                upcoming = attempt.upcoming.members[0].spec if attempt.upcoming else None
                tasks = {scoring.task: self.tasks[scoring.task] for scoring in attempt.work.scorings}
                arguments = (
                    self.plan.sentences.fingerprint,
                    self.config.encode,
                    upcoming,
                    self.config.cluster.cache_bytes,
                    tasks,
                    self.here,
                    self.limits.paying(attempt, self.schedule.in_flight),
                )
                actor, events = self.actors.start(attempt, *arguments)
                self.live[events] = Pass(attempt, actor)
        if not self.schedule.queued or any(attempt.started is None for attempt in self.schedule.in_flight):
            self.actors.release_idle()  # their CPUs are wanted by the feature tasks, or by what waits for a node

    def _start_shards(self) -> None:
        """A task when a shard's worth is there, or when no more will come; in the tail also when none has come for a
        while."""
        tail = not self.schedule.queued and (not self.schedule.in_flight or self.shards.quiet > QUIET_SECONDS)
        while not self.stop.overdue and (shard := self.shards.cut(last=tail)):
            self.live[self.shards.start(shard)] = shard

    def _ready(self) -> list:
        """Actors and tasks that have something to say; waits a moment where none has."""
        if self.live:
            return ray.wait(list(self.live), timeout=POLL_SECONDS, fetch_local=False)[0]
        time.sleep(POLL_SECONDS)  # passes are pausing after a fault
        return []

    def _take(self, reference: ray.ObjectRefGenerator) -> None:
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
                if self.doubts.raised(call, event.key, event):
                    return
                self.ledger.unit(event, attempt.number, self.doubts.where(call, event.key))
                call.told.add(event.key)
                call.failed |= {event.key} if event.status == "failed" else set()
                call.result = event if event.status == "done" else None
                self.embedded |= {event.key} if event.status == "done" else set()
            elif isinstance(event, ScoreResult):
                if self.doubts.raised(call, (event.task, event.key), event):
                    return
                self.ledger.score(event, attempt.number, self.doubts.where(call, (event.task, event.key)))
                call.told.add((event.task, event.key))
                self.scored |= {(event.task, event.key)} if event.status == "done" else set()
            elif isinstance(event, Paused):
                call.paused = event
            else:
                self._sign(attempt, event, now)

    def _ended(self, call: Pass) -> None:
        left = call.left
        if call.paused is not None and left.pieces:
            self.limits.paused(left, call.paused)
            self.reporter.ended(call.attempt, "stopped")
            self.limits.meter.ended(call.attempt)
            self.schedule.done(call.attempt)
            self.schedule.add([left])
            self.actors.give(call.actor, call.attempt)
            return
        if call.doubts and not left.left(call.doubts, call.doubts).pieces:
            self.reporter.ended(call.attempt, "in doubt")
            self.limits.meter.ended(call.attempt)
            self.actors.kill(call.actor)
            self.reporter.say(
                f"{left.name}: {next(iter(call.doubts.values())).why}{on_node(call.attempt.node)}; once more, to be "
                f"sure"
            )
            call.attempt.work = left
            self.schedule.confirm(call.attempt, left, {**call.attempt.doubts, **call.doubts})
            return
        if left.pieces:  # what came in place of an embedding was the news of its death
            self.actors.kill(call.actor)
            self._fault(call, WorkerCrashedError())
            return
        self.schedule.done(call.attempt)
        self.limits.meter.ended(call.attempt)
        self.actors.give(call.actor, call.attempt)
        self.reporter.ended(call.attempt, "done")

    def _sign(self, attempt: Attempt, event: Started | Loaded | ChunkMade, now: float) -> None:
        if isinstance(event, Started):
            self.schedule.started(attempt, event.node, now)
            self.reporter.started(attempt, event)
            self.limits.meter.started(attempt, event)
        elif isinstance(event, Loaded):
            self.limits.meter.loaded(attempt, event)
            self.metrics.seconds.observe(event.seconds, {"phase": "load"})
            if attempt.work.slot.gpus and event.device == "cpu":
                assert attempt.node is not None  # Started comes before
                self.reporter.say_once(
                    f"{node_name(attempt.node)} says that it has a GPU, but torch sees none there: it encodes on the "
                    f"CPU"
                )
        else:
            attempt.chunks, attempt.of = event.made, event.of
            self.limits.meter.paid(attempt, event)
            if event.sentences:
                attempt.moved = True
                assert attempt.node is not None
                self.bench.succeeded(attempt.node)
                self.metrics.sentences.inc(event.sentences)
                self.metrics.seconds.observe(event.seconds, {"phase": "encode"})

    def _shelve(self, call: Pass, reference: ray.ObjectRef) -> None:
        """An embedded unit waits for its shard."""
        result, call.result = call.result, None
        assert result is not None  # it has told of the embedding before
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
        assert shard.call.begun is not None  # it tells that first
        self.bench.succeeded(shard.call.begun.node)
        self.metrics.seconds.observe(self.heard - shard.call.asked, {"phase": "featurize"})
        for result in event.result:
            self.ledger.unit(result, shard.number)
            if result.status == "done":
                self.made += 1
                self.metrics.done.inc()

    def _features_fault(self, reference: ray.ObjectRefGenerator, shard: Shard, cause: BaseException) -> None:
        """A feature task that its machine has failed: tried again, or its encoders are given up."""
        del self.live[reference]
        again, begun = self.shards.ended(shard), shard.call.begun
        if begun is not None:
            self.bench.failed(begun.node, shard.units[0].key, in_short(cause), shard.call.asks)
        at = f"{node_name(begun.node)}: " if begun is not None and several_nodes() else ""
        if shard.number < self.config.cluster.attempts:
            self.reporter.say(f"{shard.call.what}: {at}{in_short(cause)}; trying again")
            self.live[self.shards.start(again)] = again
        else:
            self.ledger.give_up(
                {unit.key: unit.spec.name for unit in shard.units}, cause, shard.number, at.removesuffix(": ")
            )

    def _fault(self, call: Pass, error: Exception) -> None:
        """An attempt that did not end by itself: tried again with what it has left, or given up."""
        attempt, left, cause = call.attempt, call.left, _cause(error)
        if attempt.started is None:  # its actor could not even be made
            attempt.node = node_of_actor(call.actor)
        node = node_name(attempt.node) if attempt.node and several_nodes() else ""
        attempt.doubts = {**attempt.doubts, **call.doubts}
        self.reporter.ended(attempt, type(cause).__name__)
        self.limits.meter.ended(attempt)
        if isinstance(cause, StoreNotShared) and self.bench.nowhere_else(attempt):
            raise SweepError(str(cause))
        if isinstance(cause, StoreRefused):
            self.store.folder.exists("progress/any")  # refused here too, it ends the sweep; else it is that node's
        if isinstance(error, (ActorUnschedulableError, TaskUnschedulableError)):
            self.schedule.done(attempt)
            self.ledger.withhold(self.ledger.pieces(left), UnitResult.failed("", cause), attempt.number, node)
            return
        self.metrics.lost.inc()
        if attempt.node and not isinstance(cause, EndpointDown):  # what is not in the cluster says nothing of its nodes
            self.bench.failed(
                attempt.node,
                attempt.work.key,
                place_in_words(cause) if places_fault(cause) else in_short(cause),
                attempt.work.slot,
            )
        if not left.pieces:
            self.schedule.done(attempt)
            return
        attempt.work = left
        retry = self.schedule.again(attempt, time.monotonic())
        if retry is not None:
            kept = f", going on after chunk {attempt.chunks} of {attempt.of}" if attempt.moved else ""
            at = f"{node}: " if node else ""
            tries = f"trying again ({retry.number} of {self.config.cluster.attempts}{kept})"
            if places_fault(cause):  # others will meet it too: told once, by no encoder's name
                self.reporter.say_once(f"{at}{place_in_words(cause)}; trying again")
            else:
                self.reporter.say(f"{attempt.work.name}: {at}{in_short(cause)}; {tries}")
        else:
            self.ledger.give_up(self.ledger.pieces(left), cause, attempt.number, node)

    def _watch(self) -> None:
        """What does not go on by itself: actors without a sign of life, slots that no node holds, a sweep in which
        nothing moves."""
        now = time.monotonic()
        if now - self.looked < LOOK_SECONDS:
            return
        self.looked = now
        shards = [call.call for call in self.live.values() if isinstance(call, Shard)]
        unplaced = {call.asks.name: call for call in shards if call.begun is None}
        for name, why in self.watch.hopeless([*self.waiting.slots, *(call.asks for call in unplaced.values())]).items():
            if name in unplaced:
                raise SweepError(f"{unplaced[name].what}: {why}")
            self.waiting.withdraw([name], "NoNodeHoldsIt", why)
        self.waiting.free_from_lost_nodes()
        self._end_silent(now)
        for attempt in self.schedule.overdue(now):
            self.reporter.say(f"{described(attempt, now)}; it asks for its next slot")
            self.waiting.fall_back(attempt, now)
            self.heard = now
        self.watch.explain([*(call.attempt for call in self.waiting.calls), *unplaced.values()])
        if self.watch.stalled(self.heard, now):
            self.waiting.put_aside(
                self.watch.stall([*self.schedule.in_flight, *shards], now), self.config.cluster.stall_minutes, self.made
            )
            self.heard = now

    def _end_silent(self, now: float) -> None:
        """End actors and feature tasks without a sign of life; what they had is tried again, so something moves."""
        why = f"no sign of life for {self.config.cluster.stall_minutes:g} min; its"
        for events, call in list(self.live.items()):
            if isinstance(call, Pass) and self.watch.silent(call.attempt, now):
                del self.live[events]
                self.actors.kill(call.actor)
                self.heard = now
                self._fault(call, TimeoutError(f"{why} actor is ended"))
            elif isinstance(call, Shard) and self.watch.silent(call.call, now):
                call.call.end()
                self.heard = now
                self._features_fault(events, call, TimeoutError(f"{why} process is ended"))

    @property
    def passes_in_flight(self) -> list[Pass]:
        return [call for call in self.live.values() if isinstance(call, Pass)]

    def pause(self) -> None:
        """What is behind an endpoint sends nothing more, and ends when what is in flight is answered."""
        for call in self.passes_in_flight:
            if call.attempt.work.remote is not None and call.attempt.started is not None and not call.pausing:
                call.actor.pause.remote()
                call.pausing = True

    def put_back(self, call: Pass) -> None:
        """End a pass that is in flight; what it has left is queued."""
        events = next(events for events, one in self.live.items() if one is call)
        del self.live[events]
        self.actors.kill(call.actor)
        self.limits.meter.ended(call.attempt)
        self.reporter.ended(call.attempt, "stopped")
        self.schedule.done(call.attempt)
        if call.left.pieces:
            self.schedule.add([call.left])

    def _stop_if_asked(self) -> None:
        """New work is not begun; actors that still wait for a node end at once; the others have the grace period."""
        if self.stop.signal is None:
            return
        for events, call in list(self.live.items()):
            if isinstance(call, Pass) and call.attempt.started is None:
                del self.live[events]
                self.actors.kill(call.actor)
        self.pause()
        if not self.live or self.stop.overdue:
            raise Interrupted(self.stop.signal)

    def _report(self) -> None:
        """Counts of what people know, and the expected time of all that is left, the atlas too."""
        flying, bench = self.schedule.in_flight, self.bench
        self.metrics.in_flight.set(len(flying))
        if bench.failures:  # whether a report is due or not: the record of the sweep's end holds it
            self.reporter.nodes(
                {node_name(node): why for node, why in bench.benched.items()},
                {node_name(node): count for node, count in bench.failures.items()},
            )
        if not self.reporter.due():
            return
        self.reporter.update(seconds_left(self), self.counts, [*flying, *self._features_told()])

    @property
    def counts(self) -> Counts:
        return Counts(
            len(self.embedded),
            encoder_count(self.plan),
            len(self.scored),
            self.plan.scores_wanted,
            len(self.ledger.failed_encoders),
        )

    def _features_told(self) -> list[str]:
        """The feature tasks in one line: how many run; of one that waits, for what. On one machine it waits for a CPU,
        which says nothing while something runs."""
        calls = [call.call for call in self.live.values() if isinstance(call, Shard)]
        running = sum(call.begun is not None for call in calls)
        idle = several_nodes() or not (running or self.schedule.in_flight)
        waits = next((str(call) for call in calls if call.begun is None), None) if idle else None
        return [
            *([f"features: {running} task{'s' if running > 1 else ''} running"] if running else []),
            *([waits] if waits else []),
        ]


def _cause(error: Exception) -> Exception:
    """What a worker has raised, a fault of its place as such; the error itself where that was Ray's. An artefact of a
    newer version ends the sweep."""
    if isinstance(error, RayTaskError) and isinstance(error.cause, NewerSchema):
        raise error.cause
    return place_error(error.cause) or error.cause if isinstance(error, RayTaskError) else error

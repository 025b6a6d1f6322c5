"""The atlas, made by one task: the driver sees no feature. It is watched as the passes are."""

from __future__ import annotations

import time

import ray
from ray.exceptions import RayError, RayTaskError, TaskUnschedulableError

from jobs.config import SweepConfig
from jobs.config.slots import Slot
from jobs.engine.bench import Bench
from jobs.engine.capacity import look
from jobs.engine.connect import Interrupted, Stop, SweepError
from jobs.engine.gauges import Metrics
from jobs.engine.nodes import autoscaling, fitting, holding, largest, node_name, not_on, on_node, several_nodes
from jobs.engine.outcome import encoder_count, failed_encoders
from jobs.engine.progress import Counts, Reporter
from jobs.engine.ray_tasks import Call
from jobs.engine.watch import LOOK_SECONDS, POLL_SECONDS, Silent
from jobs.planning.plan import Plan
from jobs.planning.resolve import FEWEST
from jobs.planning.shard_folders import feature_folders
from jobs.planning.work import Times
from jobs.workers.beats import Begun, Ended
from jobs.workers.faults import machines_fault
from jobs.workers.reduce import Unread, reduce, reduction
from qre.errors import UserError
from qre.store import Failure, Store

ROW_COPIES = 6  # of the feature matrix that the reducer is granted memory for
PATIENCE_SECONDS = 60.0  # for a node with that memory; then any with the CPUs will do


class Reducer:
    """Makes the atlas of a plan: asks for a node, follows the task, and asks again where its machine fails it."""

    def __init__(self, config: SweepConfig, store: Store, plan: Plan, reporter: Reporter, stop: Stop, bench: Bench):
        self._config, self._store, self._plan, self._reporter, self._stop, self._bench = (
            config,
            store,
            plan,
            reporter,
            stop,
            bench,
        )
        self._avoid: set[str] = set()  # nodes that have failed it
        self._asks, self._limit = Slot(cpus=config.cluster.reduce_cpus), config.cluster.stall_minutes * 60
        copies = ROW_COPIES + 2 * len(feature_folders(config, plan.sentences.fingerprint))
        self._needs = copies * 8 * len(plan.on_map) * len(plan.sentences) + 2**29
        self._expected = Times(plan, config).atlas()
        self._stage, self._share, self._entered = "", 0.0, time.monotonic()
        scores = plan.scores_wanted
        self._counts = Counts(
            len(plan.embedded | plan.featured), encoder_count(plan), len(plan.scored), scores, failed_encoders(plan)
        )
        self._begun: Begun | None = None  # the node and process of the last try
        self._looked = 0.0
        self._infeasible = 0  # looks in a row at which no type could hold it

    def run(self) -> None:
        """Until the atlas stands, or its task found something absent or corrupt: the next round makes it again then.

        Raises:
            Interrupted: a stop was asked for.
            SweepError: it cannot be made, or no node is to be had for it.
        """
        for number in range(1, self._config.cluster.attempts + 1):
            self._reporter.begin("atlas")
            call = self._start(self._memory())
            try:
                self._follow(call)
                return
            except RayTaskError as error:
                if isinstance(
                    error.cause, (UserError, Unread)
                ):  # a newer version, or another config that the atlas belongs to; what cannot be read
                    raise error.cause from None
                why = f"{type(error.cause).__name__}: {error.cause}"
                if not machines_fault(error.cause) and not self._may_be_its_nodes():
                    at = on_node(self._begun.node) if self._begun is not None else ""
                    raise SweepError(f"the atlas could not be made{at}: {why}") from error
            except TaskUnschedulableError as error:
                raise SweepError(self._refusal(str(error).strip().splitlines()[0])) from error
            except (RayError, Silent) as error:  # its machine failed it
                why = str(error) if isinstance(error, Silent) else type(error).__name__
            if self._begun is not None:
                self._avoid.add(self._begun.node)
                why = f"{node_name(self._begun.node)}: {why}" if several_nodes() else why
            if number < self._config.cluster.attempts:
                self._reporter.say(f"atlas: {why}; trying again ({number + 1} of {self._config.cluster.attempts})")
        raise SweepError(
            f"the atlas was failed by its machine {self._config.cluster.attempts} times (cluster.attempts); the last: "
            f"{why}"
        )

    def _may_be_its_nodes(self) -> bool:
        """Whether an error that may be of the data is to come on a second node before it is believed, and there is
        one."""
        return not self._avoid and self._begun is not None and bool(holding(self._asks) - {self._begun.node})

    def _memory(self) -> float:
        """Bytes to ask for beside the CPUs: what it needs, or the most that a node has that is up and holds its
        CPUs."""
        most = largest("memory", self._asks)
        return min(self._needs, most) if most or not autoscaling() else self._needs

    def _start(self, memory: float) -> Call:
        self._begun = None
        kept_from = not_on(self._bench.kept_from(self._asks, self._avoid))
        options = {
            "num_cpus": self._asks.cpus,
            "num_returns": "streaming",
            **kept_from,
            **({"memory": int(memory)} if memory else {}),
        }
        events = reduce.options(**options).remote(
            self._store.location, reduction(self._config, self._plan), self._asks.cpus
        )
        return Call(events, "atlas", self._asks, int(memory))

    def _follow(self, call: Call) -> None:
        """Tell what the task tells, until it ends.

        Raises:
            Silent: it says nothing for too long; it is ended.
        """
        try:
            while True:
                if self._stop.signal is not None:
                    raise Interrupted(self._stop.signal)
                if ray.wait([call.events], timeout=POLL_SECONDS, fetch_local=False)[0]:
                    event, self._begun = call.hear(), call.begun
                    if isinstance(event, Ended):
                        return
                    if event is not None:
                        self._tell(*event)
                elif call.begun is None:
                    call = self._waiting(call)
                elif time.monotonic() - call.sign > self._limit:
                    raise Silent(self._limit, str(call))
                if self._reporter.due():
                    self._reporter.update(
                        self._seconds_left(),
                        self._counts,
                        [str(call)] if call.begun is None and several_nodes() else [],
                        f"map: {self._stage or 'begins'}",
                    )
        except BaseException:
            call.end()
            raise

    def _tell(self, name: str, done: int, total: int) -> None:
        if name != self._stage:
            self._stage, self._entered = name, time.monotonic()
            self._reporter.begin(f"atlas: {name}")
        self._share = done / total if total > 1 else 0.0

    def _seconds_left(self) -> float:
        """Expected seconds of the stages to come, and of what is left of this one; of one that does not tell how far it
        is, by the clock, as fast as the work went so far."""
        names = list(self._expected)
        if self._stage not in names:
            return sum(self._expected.values())
        here = self._expected[self._stage]
        gone = min((time.monotonic() - self._entered) / (here * self._reporter.slower), 0.9) if here else 1.0
        return here * (1 - (self._share or gone)) + sum(
            self._expected[name] for name in names[names.index(self._stage) + 1 :]
        )

    def _waiting(self, call: Call) -> Call:
        """A look at a task that has no node yet; returns it, or one that asks for less in its place.

        Raises:
            SweepError: no node can come, or none has come for too long.
        """
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return call
        self._looked, seen = now, look()
        fits = fitting(call.asks, call.memory)
        call.why = seen.why(call.asks, call.memory)
        if (
            call.memory
            and not fits
            and (
                seen.infeasible_for(call.asks, call.memory)
                or (not seen.starting and now - call.asked > PATIENCE_SECONDS)
            )
        ):
            self._reporter.say(
                f"atlas: {call.why} with {call.memory / 2**30:.1f} GiB of memory; it asks for the CPUs alone"
            )
            call.end()
            return self._start(0)
        self._infeasible = self._infeasible + 1 if not fits and seen.never(call.asks, call.memory) else 0
        if self._infeasible > 1 or now - call.asked > self._limit:
            raise SweepError(self._refusal(call.why))
        return call

    def _refusal(self, why: str) -> str:
        return (
            f"no node for the atlas, which asks for {self._asks.name} (cluster.reduce_cpus): {why}; the largest node "
            f"that is up has "
            f"{largest('CPU'):g} CPUs. All features are kept: set cluster.reduce_cpus to what a node holds, and run "
            f"the same command again"
        )


def make_atlas(
    config: SweepConfig,
    store: Store,
    plan: Plan,
    reporter: Reporter,
    stop: Stop,
    metrics: Metrics,
    bench: Bench,
    given_up: dict[str, Failure],
) -> None:
    """See Reducer.run. Rows and scores that are there and cannot be read are added to `given_up`: the next round makes
    the atlas without.

    Raises:
        SweepError: also where too few encoders have features.
    """
    if len(plan.on_map) < FEWEST:
        raise SweepError(f"{len(plan.on_map)} encoders have features, and a map needs at least {FEWEST}")
    began = time.monotonic()
    try:
        Reducer(config, store, plan, reporter, stop, bench).run()
    except Unread as error:
        given_up |= {failure.key: failure for failure in error.failures}
        reporter.say(f"{error}; the map is made without")
        return
    metrics.seconds.observe(time.monotonic() - began, {"phase": "reduce"})

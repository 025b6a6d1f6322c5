"""The sweep: plan, embed, featurize, reduce, and look again until nothing is left.

Every round plans afresh from the store. What was cut off, or was found corrupt on reading, is absent then and is made again; what is there is not.
"""

from __future__ import annotations

import signal
import time
from collections import deque
from dataclasses import dataclass, field

import ray
from ray.exceptions import RayError, RayTaskError

from jobs.config import SweepConfig
from jobs.embed import Embedder
from jobs.featurize import featurize
from jobs.local import Stop, cluster
from jobs.plan import PassWork, Plan, Unit, make_plan, method_folder, shown_rows
from jobs.progress import Reporter
from jobs.reduce import reduce
from jobs.resolve import FEWEST, Resolved
from jobs.results import UnitResult
from qre.store import Failure, Store

ROUNDS = 4  # of planning and doing; more are needed only while artefacts keep going bad
POLL_SECONDS = 0.5


class Interrupted(Exception):
    """The sweep was asked to stop; what is done is kept. `signal` is the number of the signal."""

    def __init__(self, number: int):
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.signal = number


class SweepError(Exception):
    """The sweep cannot go on; what is done is kept."""


def sweep(config: SweepConfig, store: Store, resolved: Resolved, plan: Plan, reporter: Reporter) -> Plan:
    """Do all that a plan leaves to do; returns the last plan, in which nothing is left but failures.

    Raises:
        UserError: no cluster answers.
        Interrupted: Ctrl-C or SIGTERM; finished units and chunks are kept.
        SweepError: too few encoders succeeded for a map, or artefacts keep going bad.
    """
    left = sum(unit.key not in plan.failures for unit in plan.units)
    if left < FEWEST:
        raise SweepError(f"{left} encoders can be had, and a map needs at least {FEWEST}")
    store.folder.remove_stale()
    store.sentences.write(plan.sentences.fingerprint, plan.sentences.to_table())
    with cluster(config.cluster):
        stop = Stop(config.cluster.grace_seconds)
        try:
            given_up: set[str] = set()
            for _ in range(ROUNDS):
                if plan.done:
                    return plan
                Round(config, store, plan, resolved, reporter, stop, given_up).run()
                plan = make_plan(config, store, resolved, given_up=given_up)
        finally:
            stop.restore()
    if not plan.done:
        raise SweepError(f"after {ROUNDS} rounds {len(plan.passes)} passes are still to do; look at the failures and quarantine/ in the store")
    return plan


@dataclass
class Round:
    """One round of work on a plan."""

    config: SweepConfig
    store: Store
    plan: Plan
    resolved: Resolved
    reporter: Reporter
    stop: Stop
    given_up: set[str]  # keys of units that the machine failed too often; added to here, and tried again by the next sweep
    failed: int = 0
    by_key: dict[str, Unit] = field(init=False)

    def __post_init__(self) -> None:
        self.by_key = {unit.key: unit for unit in self.plan.units}
        self.method_folder = method_folder(self.config, self.plan.sentences.fingerprint)

    def run(self) -> None:
        """Passes and feature shards side by side, then the atlas."""
        if self.plan.passes or self.plan.to_featurize:
            self._embed_and_featurize()
        self._reduce()

    def _embed_and_featurize(self) -> None:
        """The bounded loop: an actor a pass while there are passes, a task a shard when enough embeddings are there."""
        queue = deque((work, 1) for work in self.plan.passes)
        pending = list(self.plan.to_featurize)  # embedded, without features
        actors, live = Actors(self.config, self.store), {}
        total = sum(len(work.units) for work in self.plan.passes) + len(pending)
        finished = 0
        self.reporter.begin("encoders", total)
        try:
            while queue or live or pending:
                while queue and not self.stop.asked and actors.busy < actors.width:
                    work, attempt = queue.popleft()
                    actor = actors.take()
                    upcoming = queue[0][0].units[0].spec if queue else None
                    call = actor.run.remote(work, self.plan.sentences.fingerprint, self.config.encode, upcoming, self.config.cluster.cache_bytes)
                    live[call] = (work, attempt, actor)
                if not queue:
                    actors.release_idle()  # their CPUs are wanted by the feature tasks
                while len(pending) >= self.config.cluster.shard_units or (pending and not queue and not actors.busy):
                    batch, pending = self._shard(pending)
                    live[self._featurize(batch)] = (batch, 1, None)
                ready = ray.wait(list(live), timeout=POLL_SECONDS)[0] if live else []
                for reference in ready:
                    work, attempt, actor = live.pop(reference)
                    results, again = self._outcome(reference, work, attempt)
                    finished += sum(result.status == "failed" or actor is None for result in results)
                    if actor is not None:
                        actors.give(actor, broken=not results)
                        pending += [self.by_key[result.key] for result in results if result.status == "done"]
                        queue.extend([(work, attempt + 1)] if again else [])
                    elif again:
                        live[self._featurize(work)] = (work, attempt + 1, None)
                self._report(finished, total, pending, live)
                if self.stop.asked and (not live or self.stop.overdue):
                    raise Interrupted(self.stop.signal)
        finally:
            actors.kill_all()

    def _report(self, finished: int, total: int, pending: list[Unit], live: dict) -> None:
        """An encoder is half done when it is embedded. Chunks tell how far a long pass is."""
        embedded = len(pending) + sum(len(work) for work, _, actor in live.values() if actor is None)
        flying = [work for work, _, actor in live.values() if actor is not None]
        names = [f"{self._named(work)}, {self.store.chunks.count(work.key)} chunks" if self.reporter.due else self._named(work) for work in flying]
        self.reporter.update("encoders", finished + embedded / 2, total, names, self.failed)

    def _outcome(self, reference, work, attempt: int) -> tuple[list[UnitResult], bool]:
        """Results of a finished call, recorded; and whether it is to be tried again, where the machine failed it."""
        try:
            results = ray.get(reference)
        except RayTaskError as error:
            return self._machine_fault(work, attempt, error.cause)
        except RayError as error:  # actor, worker or node died, out of memory, object lost
            return self._machine_fault(work, attempt, error)
        for result in results:
            if result.status == "failed":
                self._record(result, "permanent", attempt)
            elif result.status == "done":
                self.store.failures.clear(result.key)
        return results, False

    def _machine_fault(self, work, attempt: int, error: BaseException) -> tuple[list[UnitResult], bool]:
        units = work.units if isinstance(work, PassWork) else work
        if attempt < self.config.cluster.attempts:
            why = str(error).strip().split("\n")[0][:120]
            tries = f"trying again ({attempt + 1} of {self.config.cluster.attempts})"
            self.reporter.say(f"{self._named(work)}: {type(error).__name__}: {why}; {tries}")
            time.sleep(min(2.0**attempt, 30.0) * 0.1)
            return [], True
        for unit in units:
            self.given_up.add(unit.key)
            self._record(UnitResult.failed(unit.key, error), "transient", attempt)
        return [], False

    def _record(self, result: UnitResult, kind: str, attempts: int) -> None:
        self.failed += 1
        name = self.by_key[result.key].spec.name
        self.reporter.say(f"failed: {name}: {result.exception}: {result.message}")
        self.store.failures.write(
            Failure(key=result.key, encoder=name, kind=kind, exception=result.exception, message=result.message, attempts=attempts)
        )

    def _shard(self, pending: list[Unit]) -> tuple[list[Unit], list[Unit]]:
        size = self.config.cluster.shard_units
        return pending[:size], pending[size:]

    def _featurize(self, batch: list[Unit]):
        threads = self.config.cluster.cpus_per_encoder
        units = [(unit.key, unit.spec.name) for unit in batch]
        return featurize.options(num_cpus=threads).remote(self.store.location, units, self.config.features, self.method_folder, threads)

    def _reduce(self) -> None:
        plan = make_plan(self.config, self.store, self.resolved, given_up=self.given_up)
        if plan.passes or plan.to_featurize or plan.atlas_done:
            return  # something went bad on the way: the next round makes it again
        if len(plan.on_map) < FEWEST:
            raise SweepError(f"{len(plan.on_map)} encoders have features, and a map needs at least {FEWEST}")
        self.reporter.begin("atlas", 1)
        failures = [failure.model_dump(mode="json") for failure in plan.failures.values()]
        reference = reduce.options(num_cpus=1).remote(
            self.store.location, self.config.name, shown_rows(plan.on_map), self.method_folder, self.config.features, self.config.atlas,
            plan.sentences.fingerprint, failures, [unit.attributes for unit in plan.on_map], threads=1,
        )  # fmt: skip
        while not ray.wait([reference], timeout=POLL_SECONDS)[0]:
            if self.stop.asked:
                raise Interrupted(self.stop.signal)
        try:
            ray.get(reference)
        except RayTaskError as error:
            raise SweepError(f"the atlas could not be made: {type(error.cause).__name__}: {error.cause}") from error
        except RayError as error:  # its machine failed it: the next round makes it again
            self.reporter.say(f"atlas: {type(error).__name__}; trying again")
        self.reporter.update("atlas", 1, 1)

    def _named(self, work) -> str:
        units = work.units if isinstance(work, PassWork) else work
        more = f" (+{len(units) - 1})" if len(units) > 1 else ""
        return f"{units[0].spec.name}{more}"


class Actors:
    """The embed actors of a round: at most `width`; on CPU an idle one is used again, on a GPU each pass gets a fresh process."""

    def __init__(self, config: SweepConfig, store: Store):
        settings = config.cluster
        self._settings, self._store = settings, store
        self._idle: list = []
        self._all: set = set()
        self.busy = 0
        self.width = settings.width or self._fitting()

    def _fitting(self) -> int:
        there = ray.cluster_resources()
        if self._settings.gpus_per_encoder:
            return max(1, int(there.get("GPU", 0)) // self._settings.gpus_per_encoder)
        return max(1, int(there.get("CPU", 1)) // self._settings.cpus_per_encoder)

    def take(self):
        self.busy += 1
        if self._idle:
            return self._idle.pop()
        settings = self._settings
        actor = Embedder.options(num_cpus=settings.cpus_per_encoder, num_gpus=settings.gpus_per_encoder).remote(
            self._store.location, settings.cpus_per_encoder
        )
        self._all.add(actor)
        return actor

    def give(self, actor, broken: bool) -> None:
        self.busy -= 1
        if broken or self._settings.gpus_per_encoder:  # a fresh process is the only sure way to get GPU memory back
            self._kill(actor)
        else:
            self._idle.append(actor)

    def release_idle(self) -> None:
        while self._idle:
            self._kill(self._idle.pop())

    def kill_all(self) -> None:
        for actor in list(self._all):
            self._kill(actor)

    def _kill(self, actor) -> None:
        self._all.discard(actor)
        ray.kill(actor)

"""The embed actors of a sweep: on a GPU each pass gets a fresh process, on CPU an idle one is used again."""

from __future__ import annotations

import time

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from jobs.config.slots import ClusterSettings, Slot
from jobs.engine.bench import Bench
from jobs.engine.nodes import fitting, not_on
from jobs.engine.schedule import Attempt
from jobs.workers.embed import Embedder

LOOK_SECONDS = 2.0  # between looks at the nodes
BACKPRESSURE = 16  # events of one actor that the driver has not yet taken; then the actor waits


class Actors:
    """Makes, hands out and kills embed actors, or actors of another kind that is made and run as they are.

    None is held for later: where nothing is queued for its slot an actor ends with its pass, so that the cluster's
        demand falls to
    zero while the last passes still run.
    """

    def __init__(self, store: str, settings: ClusterSettings, bench: Bench, kind=Embedder):
        self._store, self._settings, self._bench, self._kind = store, settings, bench, kind
        self._idle: dict[str, list] = {}
        self._all: set = set()
        self._fitting: dict[str, tuple[float, int]] = {}

    def width(self, *slots: Slot) -> int:
        """Most attempts at once of a slot and its fall-backs: what the config says, for encoders without a GPU what the
        cluster holds."""
        if self._settings.width_per_slot is not None and (slots[0].gpus or not self._settings.uses_gpus):
            return self._settings.width_per_slot
        return max(1, sum(map(self._fits, slots)))

    def _fits(self, slot: Slot) -> int:
        when, count = self._fitting.get(slot.name, (0.0, 0))
        if time.monotonic() - when > LOOK_SECONDS:  # the loop asks at every event
            self._fitting[slot.name] = when, count = (
                time.monotonic(),
                fitting(slot, without=self._bench.kept_from(slot)),
            )
        return count

    def start(self, attempt: Attempt, *arguments) -> tuple[object, ray.ObjectRefGenerator]:
        """An actor that runs the attempt's pass, and its events."""
        actor = self._take(attempt)
        run = actor.run.options(num_returns="streaming", _generator_backpressure_num_objects=BACKPRESSURE)
        return actor, run.remote(attempt.work, *arguments)

    def give(self, actor, attempt: Attempt) -> None:
        """Take back an actor that is well."""
        if attempt.work.slot.gpus:  # a fresh process is the only sure way to get GPU memory back
            self.kill(actor)
        else:
            self._idle.setdefault(_kind(attempt), []).append((actor, attempt.node))

    def release_idle(self) -> None:
        for actors in self._idle.values():
            while actors:
                self.kill(actors.pop()[0])

    def kill(self, actor) -> None:
        self._all.discard(actor)
        ray.kill(actor)

    def kill_all(self) -> None:
        for actor in list(self._all):
            self.kill(actor)

    def _take(self, attempt: Attempt):
        slot = attempt.work.slot
        attempt.kept_from = self._bench.kept_from(slot, attempt.avoid)
        idle = self._idle.get(_kind(attempt), [])
        free = next((one for one in reversed(idle) if one[1] not in attempt.kept_from), None)
        if free is not None:
            idle.remove(free)
            return free[0]
        options = slot.asked() | ({"max_concurrency": 2} if _is_remote(attempt) else {})  # to hear that it is to pause
        if attempt.kept_from:
            options |= not_on(attempt.kept_from, slot.labels)
        elif attempt.node is not None and not slot.labels:
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(attempt.node, soft=True)
        actor = self._kind.options(**options).remote(self._store, slot.cpus, slot.gpus)
        self._all.add(actor)
        return actor


def _is_remote(attempt: Attempt) -> bool:
    return getattr(attempt.work, "remote", None) is not None


def _kind(attempt: Attempt) -> str:
    """Actors of one kind can take each other's work."""
    return f"{attempt.work.slot.name}{' remote' * _is_remote(attempt)}"

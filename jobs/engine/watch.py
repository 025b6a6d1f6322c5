"""What does not go on by itself: slots that no node can hold, actors without a sign of life, a sweep in which nothing
moves."""

from __future__ import annotations

import time
from collections.abc import Iterable

from jobs.config.slots import ClusterSettings, Slot
from jobs.engine.capacity import look
from jobs.engine.connect import SweepError
from jobs.engine.nodes import autoscaling, fitting, lacking, largest, several_nodes, workers
from jobs.engine.ray_tasks import Call, no_news
from jobs.engine.schedule import Attempt
from qre.errors import UserError

POLL_SECONDS = 0.5
LOOK_SECONDS = 5.0  # between looks at the nodes
JOIN_SECONDS = 60.0  # for the first node beside a head that runs nothing: a job's nodes come up side by side


class Silent(Exception):
    """A process that says nothing for too long, with where it is."""

    def __init__(self, limit: float, where: str):
        super().__init__(
            f"no sign of life for {limit / 60:g} min (cluster.stall_minutes); its process is ended: {where}"
        )


def check_fits(settings: ClusterSettings) -> None:
    """Refuse a sweep whose features or atlas no node of this cluster can make, where no autoscaler could bring one:
    before hours of embedding.

    Raises:
        UserError: naming the setting, and the largest node.
    """
    if autoscaling():
        return
    end = time.monotonic() + JOIN_SECONDS
    while not workers() and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
    own = "cluster.slots" if settings.slots else "cluster.cpus_per_encoder"
    for setting, slot, what in (
        ("cluster.reduce_cpus", Slot(cpus=settings.reduce_cpus), "the atlas"),
        (own, settings.cpu_slot, "features"),
    ):
        if not fitting(slot):
            raise UserError(
                f"{setting}: {what} would wait for a node with {slot.name} forever: the largest node of this cluster "
                f"has {largest('CPU'):g} CPUs, and "
                "there is no autoscaler to bring a larger one"
            )


class Watch:
    """Looks at a sweep from time to time."""

    def __init__(self, settings: ClusterSettings):
        self._limit = settings.stall_minutes * 60
        self._fitted: set[str] = set()  # slots that some node has held: it may come back
        self._never: set[str] = set()  # slots that no type could hold at the last look

    def hopeless(self, slots: Iterable[Slot]) -> dict[str, str]:
        """Slots, by name, that no node has held and none can come for; with the reason."""
        wanted = {slot.name: slot for slot in slots if slot.name not in self._fitted}
        self._fitted |= {name for name, slot in wanted.items() if fitting(slot)}
        lost = {name: wanted[name] for name in wanted.keys() - self._fitted}
        if not lost:
            return {}
        if not autoscaling():
            return {
                name: f"no node of this cluster has {name}, and it has no autoscaler to bring one: {lacking(slot)}"
                for name, slot in lost.items()
            }
        seen = look()
        never = {name for name, slot in lost.items() if seen.never(slot)}
        told, self._never = never & self._never, never
        return {name: f"no node with {name}: {seen.why(lost[name])}" for name in told}

    def explain(self, waiting: Iterable[Attempt | Call]) -> None:
        """Say of what waits for a node why it does."""
        waiting = list(waiting)
        if not waiting:
            return
        seen = look()
        for one in waiting:
            one.why = seen.why(one.asks, one.memory) if isinstance(one, Call) else seen.why(one.work.slot)

    def silent(self, one: Attempt | Call, now: float) -> bool:
        """Whether an actor or a task that has begun was not heard of for too long."""
        begun = one.begun if isinstance(one, Call) else one.started
        return begun is not None and now - one.sign > self._limit

    def stalled(self, heard: float, now: float) -> bool:
        """Whether nothing has moved for too long."""
        return now - heard > self._limit

    def stall(self, in_flight: Iterable[Attempt | Call], now: float) -> SweepError:
        """The end of a sweep in which nothing moves, with the last sign of life of everything."""
        signs = "\n".join(f"  {one if isinstance(one, Call) else described(one, now)}" for one in in_flight)
        return SweepError(f"nothing has moved for {self._limit / 60:g} min (cluster.stall_minutes):\n{signs}\n")


def described(attempt: Attempt, now: float | None = None) -> str:
    """An attempt in words: where it is, how far, and when it was last heard of."""
    now = time.monotonic() if now is None else now
    if attempt.started is None:
        if not several_nodes() and fitting(attempt.work.slot):
            return f"{attempt.work.name}: starting"
        return (
            f"{attempt.work.name}: waits for a node with "
            f"{attempt.work.slot.name}{f': {attempt.why}' if attempt.why else ''}"
        )
    assert attempt.node is not None  # it has started there
    where = f"on node {attempt.node[:8]}, " if several_nodes() else ""
    doing = f"chunk {attempt.chunks} of {attempt.of}" if attempt.of else "loading"
    return f"{attempt.work.name}: {where}{doing}{no_news(now - attempt.sign)}"

"""What does not go on by itself: slots that no node can hold, actors without a sign of life, a sweep in which nothing moves."""

from __future__ import annotations

import time
from collections.abc import Iterable

from jobs.engine.local import SweepError
from jobs.engine.nodes import autoscaling, fitting
from jobs.engine.schedule import Attempt
from jobs.slots import ClusterSettings, Slot


class Watch:
    """Looks at a sweep from time to time."""

    def __init__(self, settings: ClusterSettings):
        self._limit = settings.stall_minutes * 60
        self._fitted: set[str] = set()  # slots that some node has held: it may come back

    def hopeless(self, slots: Iterable[Slot]) -> dict[str, str]:
        """Slots, by name, that no node has held and none can come for; with the reason."""
        wanted = {slot.name: slot for slot in slots if slot.name not in self._fitted}
        self._fitted |= {name for name, slot in wanted.items() if fitting(slot)}
        lost = wanted.keys() - self._fitted
        if not lost or autoscaling():
            return {}
        return {name: f"no node of this cluster holds {name}, and it has no autoscaler to bring one" for name in lost}

    def silent(self, attempt: Attempt, now: float) -> bool:
        """Whether an actor that has begun was not heard of for too long."""
        return attempt.started is not None and now - attempt.sign > self._limit

    def check(self, in_flight: Iterable[Attempt], heard: float, now: float) -> None:
        """End a sweep in which nothing has moved for too long.

        Raises:
            SweepError: with the last sign of life of every actor.
        """
        if now - heard > self._limit:
            signs = "\n".join(f"  {described(attempt, now)}" for attempt in in_flight)
            raise SweepError(f"nothing has moved for {self._limit / 60:g} min (cluster.stall_minutes):\n{signs}\n")


def described(attempt: Attempt, now: float | None = None) -> str:
    """An attempt in words: where it is, how far, and when it was last heard of."""
    now = time.monotonic() if now is None else now
    if attempt.started is None:
        return f"{attempt.work.name}: waits for a node with {attempt.work.slot.name}"
    chunks = f", chunk {attempt.chunks} of {attempt.of}" if attempt.of else ", loading"
    silent = f", last sign {now - attempt.sign:.0f} s ago" if now - attempt.sign > 10 else ""
    return f"{attempt.work.name}: on node {attempt.node[:8]}{chunks}{silent}"

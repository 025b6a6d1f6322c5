"""Tasks that tell how they are: where each runs, when it was last heard of, and how one that hangs is ended."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, WorkerCrashedError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from jobs.config.slots import Slot
from jobs.engine.nodes import several_nodes
from jobs.workers.beats import Beat, Begun

WONDER_SECONDS = 120.0  # without a sign of life: a large encoder loads, or encodes a chunk, for as long


@dataclass(eq=False)
class Call:
    """A task under way that runs `beating`.

    Attributes:
        events: what it tells.
        what: in words.
        asks, memory: what it holds on a node, and bytes of memory beside it.
        asked: when its node was asked for.
        begun: its node and process; None while it waits for one.
        sign: when it was last heard of.
        why: while it waits: why, in Ray's words.
    """

    events: ray.ObjectRefGenerator
    what: str
    asks: Slot
    memory: float = 0.0
    asked: float = field(default_factory=time.monotonic)
    begun: Begun | None = None
    sign: float = field(default_factory=time.monotonic)
    why: str = ""

    def hear(self) -> Any:
        """The next event, to be called when there is one; None where it was a sign of life alone.

        Raises:
            RayError: it has failed, or its process or node has.
        """
        try:
            event = ray.get(next(self.events))
        except StopIteration:  # before it told what it returns
            raise WorkerCrashedError from None
        if isinstance(event, Beat):
            self.sign = time.monotonic() if event.works else self.sign
            return None
        self.sign = time.monotonic()
        if isinstance(event, Begun):
            self.begun = event
            return None
        return event

    def end(self) -> None:
        """End it, also where its process hangs or is stopped and so answers no one: another one on its node kills
        it."""
        try:
            ray.cancel(self.events, force=True)
        except (RayError, ValueError):
            pass
        if self.begun is not None:
            _kill.options(scheduling_strategy=NodeAffinitySchedulingStrategy(self.begun.node, soft=False)).remote(
                self.begun.pid
            )

    def __str__(self) -> str:
        now = time.monotonic()
        if self.begun is None:
            return (
                f"{self.what}: waits for a node with "
                f"{asked_in_words(self.asks, self.memory)}{f': {self.why}' if self.why else ''}"
            )
        return (
            f"{self.what}: "
            f"{f'on node {self.begun.node[:8]}' if several_nodes() else 'running'}{no_news(now - self.sign)}"
        )


def no_news(seconds: float) -> str:
    """How long something has said nothing, where that is long enough to wonder."""
    return f", no news for {seconds / 60:.0f} min" if seconds > WONDER_SECONDS else ""


def asked_in_words(slot: Slot, memory: float) -> str:
    return f"{slot.name} and {memory / 2**30:.1f} GiB of memory" if memory else slot.name


@ray.remote(num_cpus=0, max_retries=0)
def _kill(pid: int) -> None:
    """SIGKILL to a worker of this node."""
    if Path(f"/proc/{pid}/cmdline").exists() and not Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"ray::"):
        return  # it has ended, and its number is another one's
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass

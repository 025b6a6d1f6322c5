"""Signs of life of a task that computes for long: what it tells, and between that whether its process is at work."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import ray

from jobs.workers.worker import set_threads

BEAT_SECONDS = 5.0
AT_WORK = 0.02  # CPU seconds a second; a Ray worker that waits takes less than half of it


@dataclass(frozen=True)
class Begun:
    """The task has a node: its id in Ray; and its process."""

    node: str
    pid: int


@dataclass(frozen=True)
class Beat:
    """Nothing is told for a while. `works`: the process computes; a thread that hangs, on a lock or a dead mount, takes
    no CPU time."""

    works: bool


@dataclass(frozen=True)
class Ended:
    """What the task returns; the last that it tells."""

    result: Any


def beating(work: Callable[[Callable[[object], None]], object], threads: int) -> Iterator[object]:
    """Run work(tell) in a thread of its own; yields Begun, what it tells, a Beat whenever it tells nothing for a while,
    and Ended.

    Raises:
        whatever the work raises.
    """
    told: queue.SimpleQueue = queue.SimpleQueue()
    yield Begun(ray.get_runtime_context().get_node_id(), os.getpid())
    with ThreadPoolExecutor(1, initializer=set_threads, initargs=(threads,)) as pool:
        running = pool.submit(work, told.put)
        running.add_done_callback(lambda _: told.put(None))
        before = time.monotonic(), time.process_time()
        while True:
            try:
                event = told.get(timeout=BEAT_SECONDS)
            except queue.Empty:
                now = time.monotonic(), time.process_time()
                yield Beat(works=now[1] - before[1] > AT_WORK * (now[0] - before[0]))
                before = now
                continue
            if event is None:
                break
            yield event
        yield Ended(running.result())

"""The bounded loop of `qre pairs`: a task a tile, and one that puts them together; each is watched as those of a sweep
are."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from jobs.config import SweepConfig
from jobs.config.slots import Slot
from jobs.engine.connect import Interrupted, Stop, SweepError
from jobs.engine.nodes import autoscaling, fitting, holding, largest, not_on
from jobs.engine.ray_tasks import Call
from jobs.engine.watch import POLL_SECONDS, Silent
from jobs.workers.beats import Ended
from jobs.workers.embed import StoreNotShared
from jobs.workers.faults import machines_fault
from jobs.workers.pair_tile import PairsWanted, TileWork, Unusable, pair_map, pair_tile
from qre.build.pair_files import PairFiles
from qre.errors import PlaceError, UserError
from qre.store import Store

LINE_SECONDS = 10.0  # between lines, and between records in the store


class TileLoop:
    """Runs tiles on the cluster that is connected; each asks for cluster.reduce_cpus, as the atlas does.

    Attributes:
        done: tiles that this run has made.
    """

    def __init__(self, config: SweepConfig, store: Store, stop: Stop, say: Callable[[str], None]):
        self._config, self._store, self._stop, self._say = config, store, stop, say
        self._slot = Slot(cpus=config.cluster.reduce_cpus)
        self._record = f"{config.name}+pairs"  # beside that of the sweep; no sweep has such a name
        self._began = self._spoken = time.monotonic()
        self.done = self._total = 0
        self._unusable: dict[str, Unusable] = {}
        self._live: dict[Any, tuple[Call, TileWork, int]] = {}

    def run(self, works: Sequence[TileWork]) -> list[Unusable]:
        """Until every tile is in the store; or, where encoders turn out unusable, until the tiles in flight have ended:
        then these encoders.

        Raises:
            Interrupted: a stop was asked for; tiles in flight had the grace period.
            SweepError: a machine failed a tile too often.
            UserError: no node can hold a tile.
        """
        self._check_fits()
        self._total = self.done + len(works)
        todo: list[tuple[TileWork, int, frozenset[str]]] = [(work, 1, frozenset()) for work in works]
        try:
            self._tell("running")  # the tasks look for this record, to know that they see the store
            while (todo and not self._stop.asked and not self._unusable) or self._live:
                while todo and not self._unusable and len(self._live) < self._width() and not self._stop.asked:
                    self._start(*todo.pop(0))
                for events in ray.wait(list(self._live), timeout=POLL_SECONDS, fetch_local=False)[0]:
                    todo += self._take(events)
                todo += self._silent()
                if self._stop.asked and (self._stop.overdue or not any(one[0].begun for one in self._live.values())):
                    break
                self._now_and_then()
        finally:
            for call, _, _ in self._live.values():
                call.end()
            self._live.clear()
            self._tell("ended")
        if self._stop.signal is not None:
            raise Interrupted(self._stop.signal)
        self._say(self._line())
        unusable, self._unusable = list(self._unusable.values()), {}
        return unusable

    def together(self, wanted: PairsWanted) -> PairFiles | None:
        """The files of all pairs, made by one task; None where a tile turned out absent or corrupt.

        Raises:
            Interrupted, SweepError: as run.
        """
        for number in range(1, self._config.cluster.attempts + 1):
            options = {"num_cpus": self._slot.cpus, "num_returns": "streaming"}
            call = Call(
                pair_map.options(**options).remote(self._store.location, wanted, self._slot.cpus),
                "map of the pairs",
                self._slot,
            )
            try:
                return self._followed(call)
            except (RayError, Silent) as error:
                self._believe(error, call.what, number)
        raise AssertionError("the last try has raised")

    def _followed(self, call: Call) -> PairFiles | None:
        try:
            while True:
                if self._stop.signal is not None:
                    raise Interrupted(self._stop.signal)
                if ray.wait([call.events], timeout=POLL_SECONDS, fetch_local=False)[0]:
                    event = call.hear()
                    if isinstance(event, Ended):
                        return event.result
                elif self._is_silent(call):
                    raise Silent(self._config.cluster.stall_minutes * 60, str(call))
        except BaseException:
            call.end()
            raise

    def _check_fits(self) -> None:
        if not autoscaling() and not fitting(self._slot):
            raise UserError(
                f"cluster.reduce_cpus: the pairs would wait for a node with {self._slot.name} forever: the largest "
                f"node of this cluster has {largest('CPU'):g} CPUs"
            )

    def _width(self) -> int:
        """Tasks at once: what the nodes hold; where others may come, what the config allows, or twice as many."""
        return self._config.cluster.width_per_slot or max(1, fitting(self._slot) * (2 if autoscaling() else 1))

    def _start(self, work: TileWork, number: int, avoid: frozenset[str]) -> None:
        most = largest("memory", self._slot)
        memory = int(min(work.memory, most) if most or not autoscaling() else work.memory)
        elsewhere = avoid if holding(self._slot) - avoid else frozenset()
        options = {
            "num_cpus": self._slot.cpus,
            "num_returns": "streaming",
            **not_on(elsewhere),
            **({"memory": memory} if memory else {}),
        }
        events = pair_tile.options(**options).remote(self._store.location, self._record, work, self._slot.cpus)
        self._live[events] = (Call(events, work.name, self._slot, memory), work, number)

    def _take(self, events) -> list[tuple[TileWork, int, frozenset[str]]]:
        """What a task has to say; the tile again where its machine has failed it."""
        call, work, number = self._live[events]
        try:
            event = call.hear()
        except RayError as error:
            return self._again(events, error)
        if isinstance(event, Ended):
            del self._live[events]
            self._ended(event.result)
        return []

    def _ended(self, unusable: list[Unusable]) -> None:
        if unusable:
            self._unusable |= {one.key: one for one in unusable}
            return
        self.done += 1

    def _again(self, events, error: Exception) -> list[tuple[TileWork, int, frozenset[str]]]:
        call, work, number = self._live.pop(events)
        self._believe(error, call.what, number)
        return [(work, number + 1, frozenset() if call.begun is None else frozenset({call.begun.node}))]

    def _believe(self, error: Exception, what: str, number: int) -> None:
        """Return where the machine is to blame, and another try is left; else raise."""
        cause = error.cause if isinstance(error, RayTaskError) else error
        if isinstance(cause, (UserError, PlaceError)):
            raise cause
        why = f"{type(cause).__name__}: {str(cause).strip()}"[:500]
        if isinstance(cause, StoreNotShared) or (isinstance(error, RayTaskError) and not machines_fault(cause)):
            raise SweepError(f"{what}: {why}")
        if number >= self._config.cluster.attempts:
            raise SweepError(f"{what}: {why}; its machine failed it {number} times (cluster.attempts)")
        self._say(f"{what}: {why}; trying again ({number + 1} of {self._config.cluster.attempts})")

    def _silent(self) -> list[tuple[TileWork, int, frozenset[str]]]:
        again = []
        for events, (call, _, _) in list(self._live.items()):
            if self._is_silent(call):
                call.end()
                again += self._again(events, Silent(self._config.cluster.stall_minutes * 60, str(call)))
        return again

    def _is_silent(self, call: Call) -> bool:
        """Not heard of for too long, at work or waiting for a node."""
        since = call.asked if call.begun is None else call.sign
        moved = call.begun is not None or not any(one[0].begun for one in self._live.values())
        return moved and time.monotonic() - since > self._config.cluster.stall_minutes * 60

    def _now_and_then(self) -> None:
        if time.monotonic() - self._spoken > LINE_SECONDS:
            self._spoken = time.monotonic()
            self._say(self._line())
            self._tell("running")

    def _line(self) -> str:
        return f"[{time.monotonic() - self._began:6.1f} s] {self.done} of {self._total} tiles"

    def _tell(self, state: str) -> None:
        told = {
            "state": state,
            "phase": "pairs",
            "done": self.done,
            "total": self._total,
            "in_flight": [str(call) for call, _, _ in self._live.values()],
            "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }
        self._store.progress.write(self._record, told)

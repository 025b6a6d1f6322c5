"""Embedded units on their way to a feature shard, and the tasks that make the shards."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import ray

from jobs.config import SweepConfig
from jobs.engine.bench import Bench
from jobs.engine.nodes import not_on
from jobs.engine.ray_tasks import Call
from jobs.planning.units import Unit
from jobs.workers.featurize import Held, ToFeaturize, featurize

HELD_SHARE = (
    0.3  # of the cluster's object memory, for embeddings that wait for their feature task; more is read from the store
)


@dataclass
class Shard:
    """A batch of units in one feature task.

    Attributes:
        references: of embeddings, by unit key; the others are read from the store.
        bytes: that the references hold.
        number: of the try.
        call: its feature task, from its start on.
        avoid: nodes where it was failed before.
    """

    units: list[Unit]
    references: dict = field(default_factory=dict)
    bytes: int = 0
    number: int = 1
    avoid: frozenset[str] = frozenset()
    call: Call = field(init=False, repr=False, compare=False)


class Shards:
    """Cuts shards, bounded in units and in bytes, and starts their tasks.

    Attributes:
        waiting: units that are embedded and in no task yet: (unit, reference of the embedding or None, its bytes).
    """

    def __init__(
        self,
        config: SweepConfig,
        store: str,
        folders: Mapping[str, Held],
        units: Iterable[Unit],
        lacking: Mapping[str, tuple[str, ...]],
        bench: Bench,
    ):
        """`units` are embedded already; `lacking` are the folders of shards that such a unit is not in, by its key."""
        self._config, self._store, self._folders, self._lacking, self._bench = config, store, folders, lacking, bench
        self.waiting: list[tuple[Unit, ray.ObjectRef | None, int]] = [(unit, None, 0) for unit in units]
        self._added = time.monotonic()
        self._held, self._bound = 0, HELD_SHARE * ray.cluster_resources().get("object_store_memory", 0)

    @property
    def quiet(self) -> float:
        """Seconds since a unit was added."""
        return time.monotonic() - self._added

    def add(self, unit: Unit, reference: ray.ObjectRef, size: int) -> None:
        """An embedded unit; its reference is dropped, and the object with it, where too much is held already."""
        self._added = time.monotonic()
        keep = self._held + size <= self._bound
        self._held += size if keep else 0
        self.waiting.append((unit, reference if keep else None, size))

    def cut(self, last: bool) -> Shard | None:
        """The next full shard; where no more units will come (`last`), also one that is not full."""
        settings, size, total = self._config.cluster, 0, 0
        while size < min(len(self.waiting), settings.shard_units):
            total += self.waiting[size][2]
            if size and total > settings.shard_megabytes * 1e6:
                break
            size += 1
        full = size == settings.shard_units or size < len(self.waiting)
        if not size or not (full or last):
            return None
        batch, self.waiting = self.waiting[:size], self.waiting[size:]
        held = {unit.key: (reference, bytes_) for unit, reference, bytes_ in batch if reference is not None}
        references = {key: reference for key, (reference, _) in held.items()}
        return Shard([unit for unit, _, _ in batch], references, sum(bytes_ for _, bytes_ in held.values()))

    def start(self, shard: Shard) -> ray.ObjectRefGenerator:
        """Its feature task; what that tells."""
        slot = self._config.cluster.cpu_slot
        units = [ToFeaturize(unit.key, unit.spec.name, self._lacking.get(unit.key)) for unit in shard.units]
        options = {
            "num_cpus": slot.cpus,
            "num_returns": "streaming",
            **not_on(self._bench.kept_from(slot, shard.avoid)),
        }
        events = featurize.options(**options).remote(self._store, units, shard.references, self._folders, slot.cpus)
        count = f"{len(units)} encoder{'s' if len(units) > 1 else ''}"
        shard.call = Call(events, f"features of {count}", slot)
        return events

    def ended(self, shard: Shard) -> Shard:
        """Let go of what a shard's task held; returns the shard for another try, elsewhere if that is possible, which
        reads the store."""
        self._held -= shard.bytes
        here = {shard.call.begun.node} if shard.call.begun is not None else set()
        return Shard(shard.units, number=shard.number + 1, avoid=shard.avoid | here)

"""All pairs of a sweep's encoders, cut into tiles; and the encoders that are left out, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.planning.plan import Plan
from jobs.planning.resolved import Resolved
from jobs.planning.units import Unit
from jobs.workers.pair_tile import PairUnit, TileWork
from qre.all_pairs import strip_bytes
from qre.features import FeatureMethod
from qre.store import Store

BLOCK_BYTES = 2**30  # of eigenvectors in a block: so that a task takes about 3 GiB at most
BLOCK_UNITS = 64  # encoders in a block, where no other number is asked for
BASE_BYTES = 2**29  # of a process that has imported all


@dataclass(frozen=True)
class LeftOut:
    """An encoder of the sweep that is in no pair."""

    encoder: str
    why: str


def in_pairs(plan: Plan) -> tuple[Unit, ...]:
    """Encoders on the map whose embedding is in the store, in the order of the config."""
    return tuple(unit for unit in plan.on_map if unit.key in plan.embedded)


def left_out(plan: Plan, resolved: Resolved) -> list[LeftOut]:
    """The other encoders of the config."""
    found = [LeftOut(one.encoder, f"not available: {one.exception}") for one in resolved.unresolved]
    for unit in plan.units:
        if unit.key in plan.failures:
            found.append(LeftOut(unit.spec.name, f"failed: {plan.failures[unit.key].message}"))
        elif unit.key not in plan.embedded:
            found.append(LeftOut(unit.spec.name, "its embedding is not in the store"))
        elif unit.key not in plan.featured:
            found.append(LeftOut(unit.spec.name, "it has no features yet"))
    return found


def tiles(store: Store, units: Sequence[Unit], method: FeatureMethod, n: int, block: int) -> list[TileWork]:
    """Every pair of blocks once, a block with itself too, the longest first.

    Blocks are cut in the order of the units, at `block` encoders and at BLOCK_BYTES of eigenvectors, whatever the
    cluster: a resumed run meets the same tiles, and encoders that are added at the end leave those of full blocks.
    """
    sizes = store.folder.sizes("embeddings")
    ranks = [min(n, max(1, sizes.get(store.embeddings.name(unit.key), 0) // (4 * n))) for unit in units]
    blocks = _blocks([8 * n * rank for rank in ranks], block)
    made = []
    for place, (start, stop) in enumerate(blocks):
        for other, until in blocks[place:]:
            mine, theirs = sum(ranks[start:stop]), sum(ranks[other:until])
            same = start == other
            made.append(
                TileWork(
                    _named(units[start:stop]),
                    _named(units[other:until]),
                    method,
                    (start, other),
                    BASE_BYTES + 10 * n * (mine + (0 if same else theirs)) + strip_bytes(stop - start, until - other),
                    2.0 * n * min(mine * theirs, n * (mine + theirs)),
                )
            )
    return sorted(made, key=lambda work: (-work.flops, work.starts))


def _blocks(sizes: Sequence[int], most: int) -> list[tuple[int, int]]:
    """(start, stop) of each block, from the bytes of each encoder; one that is larger than a block is one."""
    blocks, start, held = [], 0, 0
    for place, size in enumerate(sizes):
        if place > start and (place - start == most or held + size > BLOCK_BYTES):
            blocks.append((start, place))
            start, held = place, 0
        held += size
    return [*blocks, (start, len(sizes))]


def _named(units: Sequence[Unit]) -> tuple[PairUnit, ...]:
    return tuple(PairUnit(unit.key, unit.spec.name) for unit in units)

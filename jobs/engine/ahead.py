"""How long the rest of a sweep is expected to take, from where its loop is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.engine.shards import Shard
from jobs.engine.waiting import Pass

if TYPE_CHECKING:
    from jobs.engine.loop import Loop


def seconds_left(loop: Loop) -> float:
    """Expected seconds of what is left: the passes side by side, in the slots that they ask for first, then features
    and the atlas."""
    passes = {id(call.attempt): call for call in loop.live.values() if isinstance(call, Pass)}
    left: dict[str, list[float]] = {}
    # the longest that is queued: it may come last, and then others are done beside it no more
    last: dict[str, float] = {}
    widths: dict[str, int] = {}
    ahead = [(work, work.slots or (work.slot,), loop.expected[work.key], True) for work in loop.schedule.waiting]
    units = len(loop.shards.waiting) + sum(len(call.units) for call in loop.live.values() if isinstance(call, Shard))
    for attempt in loop.schedule.in_flight:
        call, chunks = passes.get(id(attempt)), attempt.chunks / attempt.of if attempt.of else 0.0
        work = attempt.work if call is None else call.left
        seconds = loop.times.of(work).left(bool(attempt.of), chunks) if work.pieces else 0.0
        ahead.append((work, attempt.slots, seconds, False))
    for work, slots, seconds, queued in ahead:
        name = slots[0].name
        widths[name] = loop.actors.width(*slots)
        left.setdefault(name, []).append(seconds)
        last[name] = max(last.get(name, 0.0), seconds if queued else 0.0)
        units += len(work.units)
    rounds = [max(last[name] + (sum(each) - last[name]) / widths[name], max(each)) for name, each in left.items()]
    return (
        sum(rounds)
        + loop.times.features(units) / loop.actors.width(loop.config.cluster.cpu_slot)
        + sum(loop.times.atlas().values())
    )

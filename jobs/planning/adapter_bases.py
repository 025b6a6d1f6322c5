"""The bases of adapters, each at a commit. An adapter names its base and most often no commit of it, so one that is
itself at a commit keeps the base that it was first given with this store."""

from __future__ import annotations

from collections.abc import Mapping

from jobs.planning.hub_answers import Answers, Progress, hub_answers
from jobs.planning.memory import Memory, Place, kept
from jobs.planning.resolved import Resolved
from qre.encoders.hub import COMMIT, HubModel


def look_for_bases(
    models: Mapping[Place, HubModel], memory: Memory, ask_hub: bool, progress: Progress, resolved: Resolved
) -> Answers:
    """Of each adapter the base, or why it cannot be had; what is not to be asked and was not heard is left out.

    Args:
        models: encoders by the place that the config names.
    """
    named = {place: (model.adapter[0], model.adapter[1] or None) for place, model in models.items() if model.adapter}
    pinned = [place for place in named if _is_commit(place[1]) and not _is_commit(named[place][1])]
    first = memory.read_bases(pinned)
    asked: dict[Place, Place] = {place: (base, first.get(place, revision)) for place, (base, revision) in named.items()}
    found = hub_answers(asked.values(), memory.of_bases(), ask_hub, progress, resolved, as_base=True)
    bases = {place: found[base] for place, base in asked.items() if base in found}
    new = {
        place: base.revision
        for place in pinned
        if place not in first and isinstance(base := bases.get(place), HubModel)
    }
    kept(resolved, lambda: memory.write_bases(new))
    return bases


def _is_commit(revision: str | None) -> bool:
    return bool(COMMIT.fullmatch(revision or ""))

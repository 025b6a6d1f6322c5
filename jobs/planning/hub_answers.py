"""What the hub says of encoders, or has said: asked at once for all, kept, and taken as it was last where the hub does
not give now what it gave before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from huggingface_hub import is_offline_mode

from jobs.planning.memory import Memory, Place, kept
from jobs.planning.resolved import Resolved, abridged
from qre.encoders.hub import COMMIT, HubModel, resolve_all
from qre.encoders.hub_problems import REMEDY, WITHHELD, HubProblem, printable
from qre.encoders.snapshots import cache_folder

Answers = dict[Place, HubModel | HubProblem]
Progress = Callable[[int, int], None]


def hub_answers(
    places: Iterable[Place],
    memory: Memory,
    ask_hub: bool,
    progress: Progress,
    resolved: Resolved,
    before: Mapping[Place, HubModel | HubProblem] = MappingProxyType({}),
    as_base: bool = False,
) -> Answers:
    """What the hub says of encoders: a moment `before`, when it was asked for a commit, or now; what is not to be asked
    (`ask_hub`) and was not heard is left out.

    Args:
        as_base: they are wanted as bases of adapters.
    """
    places = list(dict.fromkeys(places))
    known = _remembered({place: before[place] for place in places if place in before}, memory, resolved)
    sure = (place for place in places if place not in known and (not ask_hub or COMMIT.fullmatch(place[1] or "")))
    known |= memory.read_all(sure, of_rule=ask_hub)
    asked = [place for place in places if place not in known]
    if ask_hub and asked:
        found = resolve_all(asked, lambda done: progress(done, len(asked)), as_base)
        known |= _remembered(dict(zip(asked, found, strict=True)), memory, resolved)
    return known


def _remembered(
    answers: dict[Place, HubModel | HubProblem], memory: Memory, resolved: Resolved
) -> dict[Place, HubModel | HubProblem]:
    """Keep new answers; what the hub does not give from here now is taken as it was last, if it is known."""
    models = {place: answer for place, answer in answers.items() if isinstance(answer, HubModel)}
    if is_offline_mode() and models:
        resolved.notes.append(
            f"HF_HUB_OFFLINE is set: {len(models)} encoders are taken from the cache of this node, {cache_folder()}, "
            f"as they are there"
        )
        known = memory.read_all(models)
        told = {
            place: model
            for place, model in models.items()
            if place not in known or known[place].revision != model.revision
        }
        kept(resolved, lambda: memory.write_all(told, whole=False))
    else:
        kept(resolved, lambda: memory.write_all(models))
    problems = {
        place: answer
        for place, answer in answers.items()
        if isinstance(answer, HubProblem) and answer.reason in WITHHELD
    }
    last = memory.read_all(problems)
    for reason in dict.fromkeys(problems[place].reason for place in last):
        held = [
            f"{printable(place[0])} {model.revision[:8]}"
            for place, model in last.items()
            if problems[place].reason == reason
        ]
        resolved.notes.append(
            f"{reason}: {REMEDY[reason]}. Meanwhile the last known commit is used of {len(held)} of the hub's "
            f"encoders: {abridged(held)}"
        )
    return {**answers, **last}

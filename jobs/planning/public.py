"""The catalogue `public`: the open text encoders of MTEB's registry and the hub's most downloaded sentence encoders, in
the order of their downloads.

What it holds changes from day to day, so it is pinned: the first sweep of a store keeps the list with its commits, and
no other one asks for it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import islice

from jobs.config import CatalogueEntry, HubEntry
from jobs.config.entries import PUBLIC_LIMIT
from jobs.mteb.stated import stated, stated_pooling
from jobs.planning.hub_answers import Answers, Progress
from jobs.planning.memory import Memory, Place, kept
from jobs.planning.prompts import looked_up
from jobs.planning.resolved import Resolved, abridged, failed
from qre.encoders.catalogue import PUBLIC
from qre.encoders.hub import COMMIT, HubModel, resolve_all
from qre.encoders.hub_problems import HubProblem, printable
from qre.encoders.hub_query import HubQuery, downloads_of, listed
from qre.encoders.kinds import KINDS
from qre.encoders.registry import MULTIMODAL, available, text_encoders
from qre.errors import UserError
from qre.near_names import near_patterns, unmatched

MOST = 10_000  # names in one listing of the hub
WITHOUT_REGISTRY = (
    "catalogue public: mteb is not installed, so it is the hub's most downloaded encoders alone, without the prompts "
    "and commits of MTEB's registry; add it with: pip install -e \".[mteb]\" in this project's checkout"
)


@dataclass(frozen=True)
class Public:
    """The encoders of the catalogue.

    Attributes:
        entries: by downloads; at a commit, but for those that the hub did not give.
        left_out: how many others there are, by what they are.
        answers: what the hub said a moment ago.
        notes: what a person should know.
    """

    entries: tuple[HubEntry, ...]
    left_out: Mapping[str, int]
    answers: Answers = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """How many others there are, in words; "" where there are none."""
        counts = [f"{count:,} {what}{'s' * (what in KINDS and count > 1)}" for what, count in self.left_out.items()]
        return f"catalogue public: left out are {', '.join(counts)}: the map is of sentence encoders" if counts else ""


def find(limit: int, progress: Progress = lambda done, total: None) -> Public:
    """The first `limit` encoders by downloads, as MTEB's registry and the hub have them now. Their commits are those
    that MTEB's scores are of, where it states them and the hub still has them, else those of the default branch.

    Args:
        progress: told how many encoders the hub has answered, and of how many.

    Raises:
        HubProblem: the hub does not answer.
    """
    registry = text_encoders()
    names = ordered(limit, progress)
    entries: list[HubEntry] = []
    answers: Answers = {}
    notes: list[str] = []
    left_out: Counter[str] = Counter()
    while len(entries) < limit and (some := list(islice(names, limit - len(entries)))):
        asked = [HubEntry(source="hub", id=name, revision=registry.revisions.get(name)) for name in some]
        found = pinned(asked, progress)
        answers |= found.answers
        notes += found.notes
        left_out.update(found.left_out)
        entries += found.entries
    left_out.update(registry.others.values())
    notes += [] if available() else [WITHOUT_REGISTRY]
    return Public(tuple(entries), dict(left_out), answers, tuple(notes))


def ordered(limit: int, progress: Progress = lambda done, total: None):
    """Names, an iterator: those that the hub lists and the others of the registry, by downloads; an encoder that both
    have is there once, by its name in the registry.

    Raises:
        HubProblem: the hub does not answer.
    """
    registry = text_encoders()
    found = listed(HubQuery(limit=min(2 * limit, MOST)))  # some of them are no sentence encoders
    downloads = {name: count for name, count in found.items() if name not in registry.others}
    names = {name: name for name in downloads}
    rest = [name for name in registry.revisions if name not in downloads]
    answers = downloads_of(rest, lambda done: progress(done, len(rest)))
    for name, answer in zip(rest, answers, strict=True):
        if isinstance(answer, HubProblem) and answer.transient:
            raise answer  # without its downloads it would be pinned in a wrong place, for good
        now, count = (name, -1) if isinstance(answer, HubProblem) else answer  # what is missing comes last
        if now not in registry.revisions or now == name:
            names[now] = name
            downloads.setdefault(now, count)
    return iter([names[name] for name in sorted(downloads, key=lambda name: -downloads[name])])


def pinned(entries: Sequence[HubEntry], progress: Progress) -> Public:
    """The same entries at the commits that the hub gives now, without those that it knows to be something else; a
    commit that it has no more gives way to that of the default branch."""
    places: list[Place] = [(str(one.id), one.revision) for one in entries]
    found: Answers = dict(zip(places, resolve_all(places, lambda done: progress(done, len(places))), strict=True))
    gone = [place for place, answer in found.items() if place[1] and _is(answer, "revision missing")]
    newer = resolve_all([(name, None) for name, _ in gone])
    found |= dict(zip(gone, newer, strict=True))
    moved = [printable(place[0]) for place, answer in zip(gone, newer, strict=True) if isinstance(answer, HubModel)]
    notes = [
        f"catalogue public: the hub no longer has the commit that MTEB's registry names of {abridged(moved)}; the "
        f"default branch is taken"
    ]
    kept_entries: list[HubEntry] = []
    answers: Answers = {}
    kinds: Counter[str] = Counter()
    for entry, place in zip(entries, places, strict=True):
        answer = found[place]
        if (other := _other(answer)) is not None:
            kinds[other] += 1
            continue
        one = entry if isinstance(answer, HubProblem) else _stated(entry, answer)
        kept_entries.append(one)
        answers[str(one.id), one.revision] = answer
    return Public(tuple(kept_entries), kinds, answers, tuple(notes if moved else ()))


def of_public(
    place: str, entry: CatalogueEntry, memory: Memory, ask_hub: bool, progress: Progress, resolved: Resolved
) -> tuple[list[HubEntry], Answers]:
    """The encoders of an entry of the catalogue, and what the hub said of them a moment ago. What was found first
    stands; only what was not to be had then is asked for again.

    Raises:
        UserError: a pattern matches none of them.
    """
    limit = entry.limit or PUBLIC_LIMIT
    found = _remembered(memory, limit)
    if found is None and ask_hub:
        try:
            new = find(limit, progress)
        except HubProblem as problem:
            one = failed(entry, f"the encoders of {place}", problem.reason, str(problem), transient=True)
            resolved.unasked.append(one)
            resolved.incomplete.append(str(problem))
            return [], {}
        kept(resolved, lambda: _keep(memory, limit, new))
        found = new
    elif found is not None and ask_hub:
        found = _again(found, memory, limit, progress, resolved)
    if found is None:
        resolved.unknown.append(f"what {place}, the catalogue public, holds")
        return [], {}
    resolved.notes += [*found.notes, *filter(None, [found.told])]
    if len(found.entries) < limit:
        resolved.notes.append(f"{place}: {len(found.entries):,} encoders in all, fewer than its limit of {limit:,}")
    ids = [str(one.id) for one in found.entries]
    for pattern in unmatched(entry.include, ids):
        raise UserError(
            f"{place}.include: none of the {len(ids):,} encoders of catalogue 'public' matches "
            f"{pattern!r}{near_patterns(pattern, ids)}"
        )
    wanted = [one for one in found.entries if any(fnmatchcase(str(one.id), pattern) for pattern in entry.include)]
    return [one.given(entry.of_all) for one in wanted], found.answers


def _again(found: Public, memory: Memory, limit: int, progress: Progress, resolved: Resolved) -> Public:
    """What was found, with what the hub gives now of those that it did not give then."""
    places = {(str(one.id), one.revision): one for one in found.entries}
    known = memory.read_all((place for place in places if COMMIT.fullmatch(place[1] or "")), of_rule=True)
    lacking = [one for place, one in places.items() if place not in known]
    now = pinned(lacking, progress)
    new = {str(one.id): one for one in now.entries}
    gone = {str(one.id) for one in lacking} - new.keys()
    entries = tuple(new.get(str(one.id), one) for one in found.entries if str(one.id) not in gone)
    left_out = Counter(found.left_out) + Counter(now.left_out)
    again = replace(found, entries=entries, left_out=dict(left_out), answers=now.answers, notes=now.notes)
    if entries != found.entries:
        kept(resolved, lambda: _keep(memory, limit, again))
    return again


def _stated(entry: HubEntry, model: HubModel) -> HubEntry:
    """The entry at the commit of the model, with the prompts that MTEB's registry states, and the pooling where the
    encoder has none of its own."""
    told: dict[str, object] = {"revision": model.revision}
    if available() and str(entry.id) in text_encoders().revisions:
        told["prompts"] = looked_up(stated(str(entry.id)).prompts or {})
        told["pooling"] = stated_pooling(str(entry.id)) if model.plain else None
    return entry.model_copy(update=told)


def _other(answer: HubModel | HubProblem) -> str | None:
    """What it is, where it is no sentence encoder of texts alone; whether it could be had changes nothing."""
    if isinstance(answer, HubProblem) and answer.reason in KINDS:
        return answer.reason
    modules = answer.modules if isinstance(answer, HubProblem) else str(answer.attributes.get("modules"))
    return MULTIMODAL if "CLIPModel" in modules.split("+") else None


def _is(answer: HubModel | HubProblem, reason: str) -> bool:
    return isinstance(answer, HubProblem) and answer.reason == reason


def _keep(memory: Memory, limit: int, found: Public) -> None:
    entries = [one.model_dump(mode="json", exclude_defaults=True) | {"source": "hub"} for one in found.entries]
    memory.write_catalogue(PUBLIC, limit, {"entries": entries, "left_out": dict(found.left_out)})


def _remembered(memory: Memory, limit: int) -> Public | None:
    """What was found first with this store; None where nothing was, or it cannot be read."""
    record = memory.read_catalogue(PUBLIC, limit)
    if record is None:
        return None
    try:
        return Public(tuple(map(HubEntry.model_validate, record["entries"])), Counter(record["left_out"]))
    except (KeyError, TypeError, ValueError):  # pydantic's ValidationError is one
        return None

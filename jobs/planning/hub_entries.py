"""Entries of the hub: queries answered, revisions pinned, specs made, and why an encoder cannot be had.

What the hub said of a commit never changes, so it is kept in the store: a catalogue that is pinned resolves without a
request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import ValidationError

from jobs.config import HubEntry
from jobs.config.mistakes import explained
from jobs.planning.adapter_bases import look_for_bases
from jobs.planning.hub_answers import hub_answers
from jobs.planning.memory import Memory, Place, kept
from jobs.planning.pull_requests import Looked, look_for_conversions
from jobs.planning.resolved import Resolved, abridged, add, failed, key_of
from qre.counted import counted
from qre.encoders.conversions import Conversion
from qre.encoders.foreseen import Foresight
from qre.encoders.hub import HubModel, of_its_base
from qre.encoders.hub_problems import HubProblem, printable
from qre.encoders.hub_query import HubQuery, listed
from qre.encoders.kinds import KINDS
from qre.encoders.registry import MISSING, available, registry_attributes
from qre.encoders.spec import HubSpec
from qre.errors import UserError


def queried(
    place: str, entry: HubEntry, query: HubQuery, memory: Memory, ask_hub: bool, resolved: Resolved
) -> list[HubEntry]:
    """An entry for each encoder that a query finds, or found last where the hub is not asked or does not answer."""
    names = None if ask_hub else memory.read_query(query)
    if names is None and ask_hub:
        try:
            found = list(listed(query))
            found += _gone(place, query, found, memory.read_query(query) or [], resolved)
            if not found:
                raise UserError(
                    f"{place}.query: the hub has no encoder that it matches; check author, search and filter, and "
                    f"HF_TOKEN where they are private"
                )
            if len(found) == query.limit and "limit" not in query.model_fields_set:
                resolved.notes.append(
                    f"{place}.query: the first {len(found)} encoders are taken, by {query.sort}; a limit: of "
                    f"its own takes more"
                )
            kept(resolved, lambda: memory.write_query(query, found))
            names = found
        except HubProblem as problem:
            names = memory.read_query(query)
            if names is None:
                resolved.unasked.append(
                    failed(entry, f"the encoders of {place}.query", problem.reason, str(problem), transient=True)
                )
                resolved.incomplete.append(str(problem))
                return []
            resolved.notes.append(f"{place}.query: {problem.reason}; what it found last is used")
    if names is None:
        resolved.unknown.append(f"what {place}.query finds")
    return [entry.model_copy(update={"id": name, "query": None}) for name in names or ()]


def _gone(place: str, query: HubQuery, names: list[str], before: list[str], resolved: Resolved) -> list[str]:
    """What a query found before and does not find now, though it has room for more: private encoders without a token,
    say. They are still wanted."""
    gone = [name for name in before if name not in set(names)] if len(names) < query.limit else []
    if gone:
        resolved.notes.append(
            f"{place}.query does not find {abridged(gone)} any more, which it found before; they are still taken "
            f"(where they are private, check HF_TOKEN)"
        )
    return gone


@dataclass(frozen=True)
class Wanted:
    """An encoder of the hub that the config asks for.

    Attributes:
        place: of its entry in the config.
        queried: whether a query found it: what is no sentence encoder is then left out, and is no failure.
        catalogued: whether it is of a catalogue: the config may name it elsewhere too, and that entry counts.
    """

    place: str
    entry: HubEntry
    queried: bool = False
    catalogued: bool = False

    @property
    def id(self) -> str:
        assert self.entry.id is not None  # an entry is one or the other, and queries are answered before
        return self.entry.id

    @property
    def key(self) -> Place:
        return self.id, self.entry.revision


def add_hub(
    resolved: Resolved,
    wanted: list[Wanted],
    memory: Memory,
    ask_hub: bool,
    progress: Callable[[int, int], None],
    foreseen: Foresight,
    answers: Mapping[Place, HubModel | HubProblem] = MappingProxyType({}),
) -> None:
    """Specs of the hub's encoders; many requests at once, none for what is pinned and known.

    Args:
        answers: what the hub said a moment ago.
    """
    known = hub_answers((one.key for one in wanted), memory, ask_hub, progress, resolved, answers)
    described = [(one, model) for one in wanted if isinstance(model := known.get(one.key), HubModel)]
    bases = look_for_bases({one.key: model for one, model in described}, memory, ask_hub, progress, resolved)
    convertible = {model.place: model for one, model in described if one.entry.may_convert}
    looked = look_for_conversions(convertible, memory, ask_hub, resolved)
    if wanted and not available():
        resolved.notes.append(MISSING)
    renamed = {model.repository for one, model in described if model.repository != one.id}
    silent = [one for one in wanted if not _is_answered(known.get(one.key))]
    refused = memory.read_refused({key_of(one.entry) for one in silent})
    left_out: Counter[str] = Counter()
    twice: Counter[str] = Counter()
    for one in sorted(wanted, key=lambda one: one.catalogued):  # what the config names itself goes first
        if refused and (before := refused.get(key_of(one.entry))) is not None:  # what the hub said then still holds
            resolved.unresolved.append(before)
            continue
        try:
            model = _taken(one, known.get(one.key), bases.get(one.key), looked, ask_hub)
            if model is None:
                resolved.unknown.append(printable(one.id))
                continue
            told = looked.get(model.place)
            twice[one.place] += not _add_model(resolved, one, model, model.repository in renamed, foreseen, told)
        except HubProblem as problem:
            if one.queried and problem.reason in KINDS:
                left_out[f"{one.place}.query: {{}} {problem.reason}"] += 1
            elif one.catalogued and _is_there(resolved, printable(one.id, 200)):
                twice[one.place] += 1
            else:
                _add_problem(resolved, one, problem)
    resolved.notes += [
        f"{reason.format(count)}{'s' if count > 1 else ''} left out: the map is of sentence encoders"
        for reason, count in left_out.items()
    ] + [
        f"{place}: {counted(count, 'encoder')} of it the config names elsewhere too, and takes from there"
        for place, count in twice.items()
        if count
    ]


def _is_answered(answer: HubModel | HubProblem | None) -> bool:
    return isinstance(answer, HubModel) or (answer is not None and not answer.transient)


def _taken(
    one: Wanted, answer: HubModel | HubProblem | None, base: HubModel | HubProblem | None, looked: Looked, ask_hub: bool
) -> HubModel | None:
    """What the hub said of an encoder, of an adapter with its base; None where it was not asked for all of it yet.

    Raises:
        HubProblem: it cannot be had, or its base cannot, or that names code of its own.
    """
    if isinstance(answer, HubProblem):
        raise answer
    if answer is None or (one.entry.accepts and not ask_hub and answer.pickles and answer.place not in looked):
        return None
    if answer.adapter is None:
        return answer
    if isinstance(base, HubProblem):
        raise of_its_base(answer, base)
    return None if base is None else answer.onto(base, one.entry.native)


def _add_problem(resolved: Resolved, one: Wanted, problem: HubProblem) -> None:
    """Add why an encoder cannot be had."""
    name = one.entry.name or one.id
    failure = failed(one.entry, name, problem.reason, str(problem), problem.transient, problem.remedy)
    (resolved.unasked if problem.transient else resolved.unresolved).append(failure)
    resolved.incomplete += [str(problem)] if problem.transient else []


def _is_there(resolved: Resolved, name: str) -> bool:
    """Whether an encoder of this name is resolved, or known to fail."""
    absent = (*resolved.unresolved, *resolved.unasked)
    return any(spec.name == name for spec in resolved.specs) or any(one.encoder == name for one in absent)


def _add_model(
    resolved: Resolved,
    one: Wanted,
    model: HubModel,
    renamed: bool,
    foreseen: Foresight,
    looked: Conversion | None | HubProblem,
) -> bool:
    """Add the spec of one encoder, under the name that the hub knows it by now; False where it is of a catalogue and
    named elsewhere in the config.

    Args:
        renamed: whether some entry of the config knows it by an older name.
        looked: as of `HubEntry.spec_of`.

    Raises:
        HubProblem: this entry does not let its code run, or states no pooling that it needs.
    """
    entry, name = one.entry, model.repository
    told = {key: value for key, value in model.attributes.items() if value is not None}
    # the hub's own word goes first: it is of this very commit
    own = registry_attributes(one.id) | registry_attributes(name) | told
    family = own.get("base_model") or own.get("model_type") or name.split("/")[0]
    if one.id != name:
        resolved.notes.append(f"{printable(one.id)} is {printable(name)} on the hub now, and is taken under that name")
    try:
        spec = entry.spec_of(model, printable(str(family), 100), looked)
    except UserError as error:
        resolved.unresolved.append(failed(entry, entry.name or one.id, "wrong entry", f"{one.place}.{error}"))
    except ValidationError as error:
        raise UserError(explained(one.place, error, HubSpec)) from None
    else:
        if one.catalogued and _is_there(resolved, spec.name):
            return False
        if renamed and any(
            other.name == spec.name and other.encoder_identity() == spec.encoder_identity() for other in resolved.specs
        ):
            resolved.notes.append(f"{printable(one.id)!r} is the same encoder as {spec.name!r}; it is left out")
            return True
        if isinstance(looked, Conversion) and spec.revision == looked.model.revision != model.revision:
            own |= {key: value for key, value in looked.model.attributes.items() if value is not None}
            resolved.notes.append(f"{printable(name)}: weights of {looked}, {spec.revision[:8]}, are taken")
        add(resolved, entry, spec, own, foreseen)
    return True

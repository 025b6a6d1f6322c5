"""From the entries of a config to encoder specs: sentences and tasks read, revisions pinned, prompts looked up, and why
an encoder cannot be had.

What the hub said of a commit never changes, so it is kept in the store: a catalogue that is pinned resolves without a
request.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from huggingface_hub import is_offline_mode
from pydantic import ValidationError

from jobs.config import (
    BuiltinSentences,
    CatalogueEntry,
    EncoderEntry,
    Entry,
    FolderEntry,
    HubEntry,
    ListEntry,
    MatrixEntry,
    Plain,
    SweepConfig,
    load_list,
)
from jobs.config.matrix_entry import columns_of
from jobs.config.mistakes import explained
from jobs.mteb.public_scores import PublicScores, no_scores, public_scores
from jobs.planning.inputs import as_fetched, as_written, check_encoder, check_listed, inputs_here
from jobs.planning.matrix_columns import check_columns
from jobs.planning.memory import Memory, Place
from jobs.planning.ready import keep, read_entry
from jobs.planning.tasks import load_tasks
from jobs.planning.unfit import of_catalogue, too_few_to_centre
from jobs.records.ownership import Owner
from qre.encoders.catalogue import chosen
from qre.encoders.folders import folder_prompts, folder_revision, folder_shape, is_plain
from qre.encoders.foreseen import Foreseen, Foresight, TooFewSentences
from qre.encoders.hub import COMMIT, HubModel, HubQuery, resolve_all, search
from qre.encoders.hub_problems import REMEDY, WITHHELD, HubProblem, printable
from qre.encoders.kinds import KINDS
from qre.encoders.registry import MISSING, available, registry_attributes
from qre.encoders.shape import is_static
from qre.encoders.snapshots import cache_folder
from qre.encoders.spec import EncoderSpec, FolderSpec, HubSpec, MatrixSpec
from qre.errors import EncoderError, PlaceError, UserError, place_error
from qre.paths import below
from qre.sample_size import sample_notes
from qre.sentences import SentenceSet, builtin_set, read_sentences
from qre.store import Failure, Store
from qre.store.folder import content_key
from qre.tasks.task import Task

FEWEST = 4  # encoders: with fewer there is no map to draw


@dataclass
class Resolved:
    """What a config names.

    Attributes:
        specs: in the order of the config.
        attributes: by encoder name, what is known before it is loaded; they change no number.
        dimensions: of the vectors of each of the specs, as far as they are known.
        tasks: what encoders are scored on, by fingerprint.
        public: scores that others measured.
        unresolved: encoders that cannot be had, with the reason.
        unasked: encoders of which nothing is known, because the hub could not be asked from here now. It is no fault of
            theirs.
        lacking: (task, encoder name) -> why ready vectors cannot be scored on it, in words.
        incomplete: why the config names more than was found here: an encoder that was left out or could not be asked
            for.
        notes: what a person should know.
        unknown: encoders of the hub, and queries, that were never looked up; only where the hub is not to be asked.
        owner: the config that this is, where it is to be held against the atlas in the store.
    """

    sentences: SentenceSet
    specs: list[EncoderSpec] = field(default_factory=list)
    attributes: dict[str, dict] = field(default_factory=dict)
    dimensions: list[int | None] = field(default_factory=list)
    tasks: dict[str, Task] = field(default_factory=dict)
    public: PublicScores = field(default_factory=no_scores)
    unresolved: list[Failure] = field(default_factory=list)
    unasked: list[Failure] = field(default_factory=list)
    lacking: dict[tuple[str, str], str] = field(default_factory=dict)
    incomplete: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    owner: Owner | None = None


def resolve(
    config: SweepConfig,
    store: Store,
    ask_hub: bool = True,
    progress: Callable[[int, int], None] = lambda done, total: None,
    keep_vectors: bool = False,
) -> Resolved:
    """Sentences and specs of a config. Reads sentence files and encoder folders, fetching what `inputs:` has in a
    bucket; asks the hub, runs nothing.

    Args:
        store: where earlier answers of the hub are kept.
        ask_hub: False to take the last known commit of a branch, and to ask nothing: for looking on from elsewhere.
        progress: told how many encoders of the hub are answered, and of how many.
        keep_vectors: write ready vectors into the store, for a sweep that is to run now.

    Raises:
        UserError: naming the entry of the config.
        TimeoutError: the bucket of the inputs does not answer.
    """
    with inputs_here(config) as (here, shown):
        resolved = _resolve(here, store, ask_hub, progress, keep_vectors)
        return as_written(resolved, config) if shown is None else as_fetched(resolved, shown)


def _resolve(
    config: SweepConfig, store: Store, ask_hub: bool, progress: Callable[[int, int], None], keep_vectors: bool
) -> Resolved:
    resolved = Resolved(_sentences(config))
    foreseen = Foresight(resolved.sentences.texts)
    resolved.tasks, notes = load_tasks(config)
    resolved.notes += (*resolved.sentences.notes, *notes)
    wanted: list[Wanted] = []
    memory = Memory(store)
    for place, entry, folder in _entries(config.encoders, "encoders", config.folder):
        if isinstance(entry, CatalogueEntry):
            _add_catalogue(resolved, place, entry, foreseen)
        elif isinstance(entry, FolderEntry):
            check_encoder(place, entry.path, config)
            _add_folder(resolved, place, entry, folder, foreseen)
        elif isinstance(entry, MatrixEntry):
            check_listed(place, entry, config)
            _add_matrix(resolved, place, entry, folder, foreseen, store if keep_vectors else None)
        elif isinstance(entry, HubEntry):
            query = entry.query
            found = [entry] if query is None else _queried(place, entry, query, memory, ask_hub, resolved)
            wanted += [Wanted(place, one, query is not None) for one in found]
        else:
            _add(resolved, entry, entry, {}, foreseen)
    _add_hub(resolved, wanted, memory, ask_hub, progress, foreseen)
    _check_names(resolved)
    check_columns(resolved.specs, resolved.attributes)
    silent = [one.name for one in resolved.specs if isinstance(one, MatrixSpec) and one.texts is None]
    if silent and resolved.tasks:
        resolved.notes.append(f"on the map without scores, since no texts: are given of them: {abridged(silent)}")
    if resolved.unknown:
        resolved.notes.append(
            f"the sweep has not asked the hub about {abridged(resolved.unknown)} yet; they are not counted here"
        )
    resolved.notes += too_few_to_centre(config, len(resolved.sentences))
    resolved.notes += sample_notes(
        len(resolved.sentences), zip(resolved.dimensions, (spec.transforms for spec in resolved.specs), strict=True)
    )
    resolved.public = public_scores(config, store, resolved.specs)
    resolved.notes += resolved.public.notes
    return resolved


def _entries(
    entries: tuple[Entry, ...], where: str, folder: str, plain: Plain | None = None
) -> Iterator[tuple[str, EncoderEntry, str]]:
    """(place, entry, folder that its path starts at) of every entry, lists opened; `plain` of a list is of all in it
    that have none of their own."""
    for number, entry in enumerate(entries):
        if isinstance(entry, ListEntry):
            listed, inside = load_list(entry.path), os.path.dirname(entry.path)
            yield from _entries(listed, f"{entry.path}: encoders", inside, entry.plain)
        else:
            if plain is not None and isinstance(entry, FolderEntry | HubEntry) and entry.plain is None:
                entry = entry.model_copy(update={"plain": plain})
            yield f"{where}[{number}]", entry, folder


def _add(resolved: Resolved, entry: Entry, spec: EncoderSpec, attributes: dict, foreseen: Foresight) -> None:
    """Add an encoder, or why it is known to fail."""
    try:
        dimension = foreseen.check(spec, attributes)
    except Foreseen as problem:
        reason = "too few sentences" if isinstance(problem, TooFewSentences) else "wrong entry"
        resolved.unresolved.append(_failure(entry, spec.name, reason, str(problem), remedy=problem.remedy))
        return
    resolved.specs.append(spec)
    resolved.dimensions.append(dimension)
    if isinstance(spec, FolderSpec):  # its estimate is of the bytes that are there
        attributes = {"modules": attributes["modules"]} if is_static(attributes) else {}
    if attributes:
        resolved.attributes[spec.name] = attributes


def _add_catalogue(resolved: Resolved, place: str, entry: CatalogueEntry, foreseen: Foresight) -> None:
    try:
        matching, missing = chosen(entry.name, entry.include)
    except ValueError as error:
        raise UserError(f"{place}.include: {error}") from None
    resolved.notes += missing
    resolved.incomplete += missing
    made, notes = of_catalogue(entry.name, matching, foreseen, len(resolved.sentences))
    resolved.specs += made
    resolved.dimensions += made.values()
    resolved.notes += notes


def _add_folder(resolved: Resolved, place: str, entry: FolderEntry, folder: str, foreseen: Foresight) -> None:
    path = Path(below(folder, entry.path)).resolve()
    try:
        plain = is_plain(path)
        pooled = entry.pooled(plain)
        revision = folder_revision(path, entry.native, pooled.pooling is not None)
        values = pooled.spec_values(path.name, entry.name or path.name, *folder_prompts(path), plain)
        known = {key: value for key, value in folder_shape(path).items() if value is not None}
        _add(resolved, entry, FolderSpec(path=str(path), revision=revision, **values), known, foreseen)
    except EncoderError as error:  # the folder's fault, not the config's: the others go on
        resolved.unresolved.append(
            _failure(entry, entry.name or path.name, getattr(error, "reason", "unusable folder"), str(error))
        )
    except PlaceError as error:
        resolved.unasked.append(_failure(entry, entry.name or path.name, "PlaceError", str(error), transient=True))
        resolved.incomplete.append(str(error))
    except UserError as error:
        raise UserError(f"{place}.path: {error}") from None
    except ValidationError as error:
        raise UserError(explained(place, error, FolderSpec)) from None


def _add_matrix(
    resolved: Resolved, place: str, entry: MatrixEntry, folder: str, foreseen: Foresight, store: Store | None
) -> None:
    """Add ready vectors; with a store, keep them there."""
    name, path = entry.spec_names()[0], below(folder, entry.path)
    texts = None if entry.texts is None else below(folder, entry.texts)
    try:
        found, matrix, ready = read_entry(entry, path, texts, resolved.sentences.texts, resolved.tasks)
        if store is not None:
            keep(store, found, matrix, ready, resolved.tasks)
    except EncoderError as error:  # its own fault; the others go on
        named = {key: os.path.basename(one) for key, one in entry.files().items()}  # not where it is just now
        told = _failure(entry.model_copy(update=named), name, "unusable vectors", f"{place}: {error}")
        resolved.unresolved.append(told)
        return
    except UserError as error:
        raise error if isinstance(error, PlaceError) else UserError(f"{place}: {error}") from None
    except ValidationError as error:
        raise UserError(explained(place, error, MatrixSpec)) from None
    _add(resolved, entry, found.spec, columns_of(entry.attributes), foreseen)
    resolved.lacking |= {(task, found.spec.name): why for task, why in found.lacking.items()}


def _queried(
    place: str, entry: HubEntry, query: HubQuery, memory: Memory, ask_hub: bool, resolved: Resolved
) -> list[HubEntry]:
    """An entry for each encoder that a query finds, or found last where the hub is not asked or does not answer."""
    names = None if ask_hub else memory.read_query(query)
    if names is None and ask_hub:
        try:
            found = list(search(query))
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
            _kept(resolved, lambda: memory.write_query(query, found))
            names = found
        except HubProblem as problem:
            names = memory.read_query(query)
            if names is None:
                resolved.unasked.append(
                    _failure(entry, f"the encoders of {place}.query", problem.reason, str(problem), transient=True)
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
    """

    place: str
    entry: HubEntry
    queried: bool = False

    @property
    def id(self) -> str:
        assert self.entry.id is not None  # an entry is one or the other, and queries are answered before
        return self.entry.id

    @property
    def key(self) -> Place:
        return self.id, self.entry.revision


def _add_hub(
    resolved: Resolved,
    wanted: list[Wanted],
    memory: Memory,
    ask_hub: bool,
    progress: Callable[[int, int], None],
    foreseen: Foresight,
) -> None:
    """Specs of the hub's encoders; many requests at once, none for what is pinned and known."""
    places = dict.fromkeys(one.key for one in wanted)
    known: dict[Place, HubModel | HubProblem] = dict(
        memory.read_all((place for place in places if not ask_hub or COMMIT.fullmatch(place[1] or "")), of_rule=ask_hub)
    )
    asked = [place for place in places if place not in known]
    if ask_hub and asked:
        answers = resolve_all(asked, lambda done: progress(done, len(asked)))
        known |= _remembered(dict(zip(asked, answers, strict=True)), memory, resolved)
    if wanted and not available():
        resolved.notes.append(MISSING)
    renamed = {
        model.repository
        for one in wanted
        if isinstance(model := known.get(one.key), HubModel) and model.repository != one.id
    }
    left_out: Counter[str] = Counter()
    for one in wanted:
        model = known.get(one.key)
        try:
            if isinstance(model, HubProblem):
                raise model
            if isinstance(model, HubModel):
                _add_model(resolved, one, model, model.repository in renamed, foreseen)
            else:
                resolved.unknown.append(printable(one.id))
        except HubProblem as problem:
            if one.queried and problem.reason in KINDS:
                left_out[f"{one.place}.query: {{}} {problem.reason}"] += 1
            else:
                name = one.entry.name or one.id
                failure = _failure(one.entry, name, problem.reason, str(problem), problem.transient)
                (resolved.unasked if problem.transient else resolved.unresolved).append(failure)
                resolved.incomplete += [str(problem)] if problem.transient else []
    resolved.notes += [
        f"{reason.format(count)}{'s' if count > 1 else ''} left out: the map is of sentence encoders"
        for reason, count in left_out.items()
    ]


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
        _kept(resolved, lambda: memory.write_all(told, whole=False))
    else:
        _kept(resolved, lambda: memory.write_all(models))
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


def _kept(resolved: Resolved, write: Callable[[], None]) -> None:
    """Keep an answer of the hub in the store; one that cannot be written is no reason to stop looking."""
    try:
        write()
    except OSError as error:
        resolved.notes.append(f"what the hub said is not kept in the store: {place_error(error) or error}")


def abridged(names: Sequence[str], shown: int = 3) -> str:
    """The first names of many, and how many more."""
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")


def _add_model(resolved: Resolved, one: Wanted, model: HubModel, renamed: bool, foreseen: Foresight) -> None:
    """Add the spec of one encoder, under the name that the hub knows it by now.

    Args:
        renamed: whether some entry of the config knows it by an older name.

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
        spec = entry.spec_of(model, printable(str(family), 100))
    except UserError as error:
        resolved.unresolved.append(_failure(entry, entry.name or one.id, "wrong entry", f"{one.place}.{error}"))
    except ValidationError as error:
        raise UserError(explained(one.place, error, HubSpec)) from None
    else:
        if renamed and any(
            other.name == spec.name and other.encoder_identity() == spec.encoder_identity() for other in resolved.specs
        ):
            resolved.notes.append(f"{printable(one.id)!r} is the same encoder as {spec.name!r}; it is left out")
            return
        _add(resolved, entry, spec, own, foreseen)


def _failure(entry: Entry, name: str, reason: str, message: str, transient: bool = False, remedy: str = "") -> Failure:
    return Failure(
        key=content_key(entry.model_dump(mode="json")),
        encoder=printable(name, 200),
        kind="transient" if transient else "permanent",
        exception=reason,
        message=message,
        remedy=remedy or REMEDY.get(reason, message),
    )


def record_unresolved(store: Store, resolved: Resolved) -> None:
    """Write down the encoders that cannot be had, and clear those that now can."""
    keys = {failure.key for failure in resolved.unresolved}
    names = {spec.name for spec in resolved.specs}
    for failure in resolved.unresolved:
        store.failures.write(failure)
    for key, failure in store.failures.read_all().items():
        if failure.encoder in names and key not in keys and failure.remedy:
            store.failures.clear(key)


def _check_names(resolved: Resolved) -> None:
    names = [spec.name for spec in resolved.specs]
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UserError(
                f"encoders: two encoders are named {name!r}; names are what people read, so give one of them another"
            )
        seen.add(name)
    absent = [*resolved.unresolved, *resolved.unasked]
    if len(names) + len(absent) < FEWEST and not resolved.unknown:
        why = [f"not available: {one.encoder} ({one.message or one.exception})" for one in absent]
        raise UserError(
            f"encoders: {len(names) + len(absent)} in all, and a map needs at least {FEWEST}"
            + "".join(f"; {part}" for part in (*why, *resolved.notes))
        )


def _sentences(config: SweepConfig) -> SentenceSet:
    wanted = config.sentences
    if isinstance(wanted, BuiltinSentences):
        try:
            return builtin_set(wanted.limit, wanted.seed)
        except ValueError as error:
            raise UserError(f"sentences.limit: {error}") from None
    return read_sentences(wanted.path, wanted.column, wanted.limit, wanted.on_problem)

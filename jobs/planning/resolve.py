"""From the entries of a config to encoder specs, and why an encoder cannot be had: sentences and tasks read, lists and
catalogues opened, folders and vectors looked at; those of the hub in hub_entries.py."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from jobs.config import (
    BuiltinSentences,
    CatalogueEntry,
    EncoderEntry,
    EndpointEntry,
    Entry,
    FolderEntry,
    HubEntry,
    ListEntry,
    MatrixEntry,
    SweepConfig,
    WordsEntry,
    load_list,
)
from jobs.config.corpora import ClassicalEntry
from jobs.config.entries import ForMany
from jobs.config.matrix_entry import columns_of
from jobs.config.mistakes import explained
from jobs.mteb.public_scores import mteb_entries, public_scores
from jobs.mteb.score_sources import check_results
from jobs.planning.fit_corpora import Corpora
from jobs.planning.hub_entries import Wanted, add_hub, queried
from jobs.planning.inputs import as_fetched, as_written, check_encoder, check_listed, inputs_here
from jobs.planning.matrix_columns import check_columns
from jobs.planning.memory import Memory
from jobs.planning.paid import check_alike, without_price
from jobs.planning.public import Answers, of_public
from jobs.planning.ready import keep, read_entry
from jobs.planning.ready_words import keep_words, read_words
from jobs.planning.resolved import Resolved, abridged, add, failed
from jobs.planning.tasks import load_tasks
from jobs.planning.unfit import of_catalogue, too_few_to_centre
from jobs.planning.variant_pairs import keep_pairs, with_pairs
from qre.encoders.catalogue import PUBLIC, chosen
from qre.encoders.folders import LookedAt, look_at_folder
from qre.encoders.foreseen import Foresight
from qre.encoders.spec import FolderSpec, HubSpec, MatrixSpec, WordsSpec
from qre.errors import EncoderError, PlaceError, UserError
from qre.paths import below
from qre.sample_size import sample_notes
from qre.sentences import SentenceSet, builtin_set, read_sentences
from qre.store import Store

FEWEST = 4  # encoders: with fewer there is no map to draw


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
        keep_vectors: write ready vectors, pairs and corpora into the store, for a sweep that is to run now.

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
    corpora = Corpora(store if keep_vectors else None)
    resolved.corpora = corpora.sets
    foreseen = Foresight(resolved.sentences.texts, resolved.corpora)
    resolved.tasks, notes = load_tasks(config)
    check_results(mteb_entries(config))
    resolved.notes += (*resolved.sentences.notes, *notes)
    wanted: list[Wanted] = []
    answers: Answers = {}
    memory = Memory(store)
    look = cache(look_at_folder)  # many entries may be read off one folder
    stated = {"pickled_weights": config.pickled_weights, "conversions": config.conversions}
    for place, written, folder in _entries(config.encoders, "encoders", config.folder, stated):
        check_listed(place, written, config)
        entry, pairs = with_pairs(place, corpora.known(place, written, folder), folder)
        if pairs is not None and keep_vectors:
            keep_pairs(store, pairs)
        if isinstance(entry, CatalogueEntry) and entry.name == PUBLIC:
            of_hub, told = of_public(place, entry, memory, ask_hub, progress, resolved)
            wanted += [Wanted(place, one, queried=True, catalogued=True) for one in of_hub]
            answers |= told
        elif isinstance(entry, CatalogueEntry):
            _add_catalogue(resolved, place, entry, foreseen)
        elif isinstance(entry, FolderEntry):
            check_encoder(place, entry, config)
            _add_folder(resolved, place, entry, folder, foreseen, look)
        elif isinstance(entry, MatrixEntry | WordsEntry):
            _add_given(resolved, place, entry, folder, foreseen, store if keep_vectors else None)
        elif isinstance(entry, EndpointEntry):
            add(resolved, entry, entry.spec(), columns_of(entry.attributes), foreseen)
        elif isinstance(entry, HubEntry):
            query = entry.query
            found = [entry] if query is None else queried(place, entry, query, memory, ask_hub, resolved)
            wanted += [Wanted(place, one, query is not None) for one in found]
        elif isinstance(entry, ClassicalEntry):
            add(resolved, entry, entry.spec(), {}, foreseen)
    add_hub(resolved, wanted, memory, ask_hub, progress, foreseen, answers)
    _check_names(resolved)
    check_columns(resolved.specs, resolved.attributes)
    silent = [one.name for one in resolved.specs if isinstance(one, MatrixSpec) and one.texts is None]
    if silent and resolved.tasks:
        resolved.notes.append(f"on the map without scores, since no texts: are given of them: {abridged(silent)}")
    if pickled := [one.name for one in resolved.specs if isinstance(one, FolderSpec | HubSpec) and one.pickles]:
        resolved.notes.append(f"pickled weights are converted, by consent, of {abridged(pickled)}")
    check_alike(resolved.specs)
    resolved.notes += without_price(config, resolved.specs)
    if resolved.unknown:
        resolved.notes.append(
            f"the sweep has not asked the hub about {abridged(resolved.unknown)} yet; they are not counted here"
        )
    resolved.notes += too_few_to_centre(config, len(resolved.sentences))
    resolved.notes += corpora.notes(resolved.tasks.values())
    fitted_here = (spec.transforms if spec.corpus_of_fit is None else () for spec in resolved.specs)
    resolved.notes += sample_notes(len(resolved.sentences), zip(resolved.dimensions, fitted_here, strict=True))
    resolved.public = public_scores(config, store, resolved.specs)
    resolved.notes += resolved.public.notes
    return resolved


def _entries(
    entries: tuple[Entry, ...], where: str, folder: str, stated: Mapping[str, object]
) -> Iterator[tuple[str, EncoderEntry, str]]:
    """(place, entry, folder that its path starts at) of every entry, lists opened; what a list, or the config, has
    `stated` is of all in it that say nothing else."""
    for number, entry in enumerate(entries):
        if isinstance(entry, ListEntry):
            listed, inside = load_list(entry.path), os.path.dirname(entry.path)
            yield from _entries(listed, f"{entry.path}: encoders", inside, entry.given(stated).of_all)
        else:
            if isinstance(entry, ForMany):
                entry = entry.given(stated)
            yield f"{where}[{number}]", entry, folder


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


def _add_folder(
    resolved: Resolved, place: str, entry: FolderEntry, folder: str, foreseen: Foresight, look: Callable[..., LookedAt]
) -> None:
    path = Path(below(folder, entry.path)).resolve()
    try:
        found = entry.looked_at(folder, look)
        known = {key: value for key, value in found.shape.items() if value is not None}
        add(resolved, entry, entry.spec_of(found), known, foreseen)
    except EncoderError as error:  # the folder's fault, not the config's: the others go on
        resolved.unresolved.append(
            failed(entry, entry.name or path.name, getattr(error, "reason", "unusable folder"), str(error))
        )
    except PlaceError as error:
        resolved.unasked.append(failed(entry, entry.name or path.name, "PlaceError", str(error), transient=True))
        resolved.incomplete.append(str(error))
    except UserError as error:
        raise UserError(f"{place}.{error}") from None
    except ValidationError as error:
        raise UserError(explained(place, error, FolderSpec)) from None


def _add_given(
    resolved: Resolved,
    place: str,
    entry: MatrixEntry | WordsEntry,
    folder: str,
    foreseen: Foresight,
    store: Store | None,
) -> None:
    """Add ready vectors, or word vectors; with a store, keep there what nodes need of them."""
    of_words = isinstance(entry, WordsEntry)
    try:
        if isinstance(entry, WordsEntry):
            spec: WordsSpec | MatrixSpec = _words(resolved, entry, folder, store)
        else:
            spec = _matrix(resolved, entry, folder, store)
    except EncoderError as error:  # its own fault; the others go on
        named = {key: os.path.basename(one) for key, one in entry.files().items()}  # not where it is just now
        reason = "unusable word vectors" if of_words else "unusable vectors"
        remedy = "mend the file, or leave this encoder out" if of_words else ""
        known, name = entry.model_copy(update=named), entry.spec_names()[0]
        resolved.unresolved.append(failed(known, name, reason, f"{place}: {error}", remedy=remedy))
    except UserError as error:
        raise error if isinstance(error, PlaceError) else UserError(f"{place}: {error}") from None
    except ValidationError as error:
        raise UserError(explained(place, error, WordsSpec if of_words else MatrixSpec)) from None
    else:
        add(resolved, entry, spec, columns_of(entry.attributes), foreseen)


def _matrix(resolved: Resolved, entry: MatrixEntry, folder: str, store: Store | None) -> MatrixSpec:
    path, texts = below(folder, entry.path), None if entry.texts is None else below(folder, entry.texts)
    found, matrix, ready = read_entry(entry, path, texts, resolved.sentences.texts, resolved.tasks)
    if store is not None:
        keep(store, found, matrix, ready, resolved.tasks)
    resolved.lacking |= {(task, found.spec.name): why for task, why in found.lacking.items()}
    return found.spec


def _words(resolved: Resolved, entry: WordsEntry, folder: str, store: Store | None) -> WordsSpec:
    spec, file, notes = read_words(entry, below(folder, entry.path), resolved.sentences.texts)
    if store is not None:
        keep_words(store, spec, file, resolved.sentences.texts, resolved.tasks)
    resolved.notes += notes
    return spec


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
    try:
        return read_sentences(wanted.path, wanted.column, wanted.limit, wanted.on_problem)
    except UserError as error:
        if os.path.exists(wanted.path) or not str(error).endswith("no such file"):
            raise
        form = "in a column" if wanted.column is None else f"in the column {wanted.column}"
        form = "one a line" if wanted.path.endswith(".txt") else form
        raise UserError(f"sentences.path: {error}: put your sentences there, {form}, or name another file") from None

"""The files that a config names, each with its place in it: sentences, lists, vectors, pairs, corpora, tasks and
results; encoders are read on the nodes."""

from __future__ import annotations

from collections.abc import Callable

from jobs.config import Entry, FileSentences, FolderEntry, HubEntry, ListEntry, MtebScores, SweepConfig
from jobs.config.corpora import FittedEntry
from jobs.config.matrix_entry import GivenEntry
from qre.tasks.task_spec import BuiltinTasks

Change = Callable[[str, str], str]  # (place in the config, path) -> path


def named(config: SweepConfig) -> list[tuple[str, str]]:
    """(place in the config, path) of each file that the driver reads, and of folders of MTEB's results."""
    found: list[tuple[str, str]] = []
    changed(config, _noting(found))
    return found


def files_of(place: str, entry: Entry) -> list[tuple[str, str]]:
    """(place, path) of each file that the driver reads of an entry."""
    found: list[tuple[str, str]] = []
    _entry_changed(place, entry, _noting(found))
    return found


def _noting(found: list[tuple[str, str]]) -> Change:
    """A change that leaves each path as it is, and notes it."""

    def note(place: str, path: str) -> str:
        found.append((place, path))
        return path

    return note


def changed(config: SweepConfig, change: Change) -> SweepConfig:
    """The config with every path of a file as change(place, path) gives it."""
    sentences, tasks = config.sentences, list(config.tasks)
    if isinstance(sentences, FileSentences):
        sentences = sentences.model_copy(update={"path": change("sentences.path", sentences.path)})
    encoders = [_entry_changed(f"encoders[{number}]", entry, change) for number, entry in enumerate(config.encoders)]
    for number, task in enumerate(tasks):
        if isinstance(task, MtebScores):
            results = tuple(change(f"tasks[{number}].results[{row}]", path) for row, path in enumerate(task.results))
            tasks[number] = task.model_copy(update={"results": results})
        elif not isinstance(task, BuiltinTasks):
            update = {}
            for field, path in task.files().items():
                _, mark, key = getattr(task, field).partition("#")  # the key of a list inside a file
                update[field] = change(f"tasks[{number}].{field}", path) + mark + key
            tasks[number] = task.model_copy(update=update)
    return config.model_copy(update={"sentences": sentences, "encoders": tuple(encoders), "tasks": tuple(tasks)})


def _entry_changed(place: str, entry: Entry, change: Change) -> Entry:
    """An entry with every path of a file that the driver reads as change(place, path) gives it."""
    if isinstance(entry, FittedEntry) and isinstance(entry.fitted_on, FileSentences):
        path = change(f"{place}.fitted_on.path", entry.fitted_on.path)
        entry = entry.with_corpus(entry.fitted_on.model_copy(update={"path": path}))
    if isinstance(entry, ListEntry):
        return entry.model_copy(update={"path": change(f"{place}.path", entry.path)})
    if isinstance(entry, GivenEntry):
        return entry.model_copy(update={key: change(f"{place}.{key}", path) for key, path in entry.files().items()})
    if isinstance(entry, FolderEntry | HubEntry) and entry.pairs_file is not None:
        return entry.with_pairs(change(f"{place}.variant.sparsify.pairs", entry.pairs_file))
    return entry

"""The corpora that transforms are fitted on: read while planning, kept in the store for the nodes."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

from jobs.config.corpora import FittedEntry, ReadCorpus, label_of
from jobs.config.entries import BuiltinSentences, FileSentences
from qre.errors import UserError
from qre.paths import below
from qre.sentences import SentenceSet, builtin_set, read_sentences
from qre.store import Store
from qre.tasks.task import Task

Found = TypeVar("Found")


class Corpora:
    """The corpora of a config, each read once.

    Args:
        store: to keep them in; None: nothing is written.

    Attributes:
        sets: by fingerprint.
        places: of each, where the config names it first.
    """

    def __init__(self, store: Store | None = None):
        self._store = store
        self._read: dict[BuiltinSentences | FileSentences, SentenceSet] = {}
        self.sets: dict[str, SentenceSet] = {}
        self.places: dict[str, str] = {}

    def known(self, place: str, entry: Found, folder: str) -> Found:
        """An entry that knows its corpus by its content; as it is where it names none.

        Args:
            folder: where a relative path begins.

        Raises:
            UserError: the corpus is missing or not in order.
        """
        if not isinstance(entry, FittedEntry) or not isinstance(entry.fitted_on, BuiltinSentences | FileSentences):
            return entry
        asked, place = entry.fitted_on, f"{place}.fitted_on"
        if isinstance(asked, FileSentences):
            asked = asked.model_copy(update={"path": below(folder, asked.path)})
        if asked not in self._read:
            self._read[asked] = _read(place, asked)
        found = self._read[asked]
        if found.fingerprint not in self.sets:
            self.sets[found.fingerprint], self.places[found.fingerprint] = found, place
            if self._store is not None:
                self._store.sentences.write(found.fingerprint, found.to_table())
        read = ReadCorpus(fingerprint=found.fingerprint, label=label_of(entry.fitted_on))
        return entry.with_corpus(read)

    def notes(self, tasks: Collection[Task]) -> list[str]:
        """What was left out of each, and which hold texts of tasks."""
        told = []
        for fingerprint, corpus in self.sets.items():
            place, texts = self.places[fingerprint], frozenset(corpus.texts)
            told += [f"{place}: {note}" for note in corpus.notes]
            for task in tasks:
                own = set(task.texts)
                if shared := len(own & texts):
                    told.append(
                        f"{place}: the corpus holds {shared:,} of the {len(own):,} texts of {task.name}: what is "
                        f"fitted on it has seen them, so its scores there may flatter it"
                    )
        return told


def _read(place: str, asked: BuiltinSentences | FileSentences) -> SentenceSet:
    if isinstance(asked, BuiltinSentences):
        try:
            return builtin_set(asked.limit, asked.seed)
        except ValueError as error:
            raise UserError(f"{place}.limit: {error}") from None
    try:
        return read_sentences(asked.path, asked.column, asked.limit, asked.on_problem)
    except UserError as error:  # the reader speaks of the sentences of a sweep
        raise UserError(f"{place}: {str(error).replace('sentences.', 'fitted_on.')}") from None

"""Word vectors: the file is read and checked while planning, and what the nodes need of it is kept in the store, as of
ready vectors: the vectors of the words of the sentences, and of those of each task. No node but the one that plans
needs to see the file, and the driver holds one row of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jobs.config.words_entry import WordsEntry
from jobs.planning.ready import texts_key
from qre.encoders.spec import WordsSpec
from qre.encoders.word_vector_file import WordVectorFile
from qre.encoders.word_vectors import check_sentences, unknown_share, words_in
from qre.store import Store
from qre.tasks.task import Task

MANY_UNKNOWN = 0.1  # share that people are told of


def read_words(entry: WordsEntry, path: str, sentences: Sequence[str]) -> tuple[WordsSpec, WordVectorFile, list[str]]:
    """The spec of an entry, by the content of its file, which is all read (or as far as its limit); and notes.

    Args:
        path: the file as it is on this machine.

    Raises:
        UserError: it is not there, or holds no word vectors.
        EncoderError: it is broken, or knows no word of a sentence.
    """
    file = WordVectorFile(path, entry.limit)
    looked = file.look(words_in(sentences, entry.lowercase))
    check_sentences(sentences, entry.lowercase, looked.known)
    name, family = entry.spec_names()
    spec = WordsSpec(
        name=name,
        family=family,
        revision=looked.revision,
        dimension=looked.dimension,
        vocabulary=looked.count,
        lowercase=entry.lowercase,
        weighting=entry.weighting,
        transforms=entry.transforms,
    )
    share = unknown_share(sentences, entry.lowercase, looked.known)
    hint = "" if entry.lowercase else "; if the file has words in small letters only, say lowercase: true"
    notes = [f"{name}: {share:.0%} of the words of the sentences have no vector{hint}"] if share > MANY_UNKNOWN else []
    return spec, file, notes


def keep_words(
    store: Store, spec: WordsSpec, file: WordVectorFile, sentences: Sequence[str], tasks: Mapping[str, Task]
) -> None:
    """Write the vectors that nodes will ask for into the store, unless they are there.

    Raises:
        EncoderError, UserError: the file has changed meanwhile.
    """
    for texts in (sentences, *(task.texts for task in tasks.values())):
        if words := words_in(texts, spec.lowercase):
            key = texts_key(spec.revision, words)
            store.vectors.write(key, len(words), spec.dimension, file.vectors(words, spec.revision))

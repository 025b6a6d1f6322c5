"""Ready vectors: read and checked while planning, kept in the store for the nodes, and read there by them.

The files are where the other inputs are, on the machine that plans. No node but that one needs to see them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from jobs.config.matrix_entry import MatrixEntry
from qre.encoders.matrix import without_vectors
from qre.encoders.matrix_file import MatrixFile, checked_digest, open_matrix
from qre.encoders.spec import MatrixSpec, WordsSpec
from qre.encoders.text_vectors import TextVectors
from qre.errors import EncoderError, PlaceError
from qre.store import CorruptArtefact, Store
from qre.store.folder import content_key
from qre.tasks.task import Task


@dataclass(frozen=True)
class Found:
    """What an entry names.

    Attributes:
        lacking: task, by fingerprint -> why it cannot be scored.
    """

    spec: MatrixSpec
    lacking: Mapping[str, str] = field(default_factory=dict)


def read_entry(
    entry: MatrixEntry, path: str, texts: str | None, sentences: Sequence[str], tasks: Mapping[str, Task]
) -> tuple[Found, MatrixFile, TextVectors | None]:
    """The spec of an entry, by the content of its files, which is all read, in blocks.

    Args:
        path, texts: the files as they are on this machine.

    Raises:
        UserError: a file is not there, or of another format.
        EncoderError: the vectors are none of these sentences.
    """
    matrix = open_matrix(path)
    ready = None if texts is None else TextVectors(texts)
    revision = checked_digest(matrix, sentences)
    if ready is not None and ready.dimension != matrix.shape[1]:
        raise EncoderError(
            f"{texts} has vectors of {ready.dimension} dimensions, and {path} of {matrix.shape[1]}: they are of "
            f"another encoder"
        )
    name, family = entry.spec_names()
    spec = MatrixSpec(
        name=name,
        family=family,
        revision=revision,
        dimension=matrix.shape[1],
        texts=None if ready is None else ready.revision(),
        transforms=entry.transforms,
    )
    lacks = [] if ready is None else ready.lacking([task.texts for task in tasks.values()])
    lacking = {
        fingerprint: without_vectors(texts, len(task.texts))
        for (fingerprint, task), texts in zip(tasks.items(), lacks, strict=ready is not None)
        if texts
    }
    return Found(spec, lacking), matrix, ready


def keep(store: Store, found: Found, matrix: MatrixFile, ready: TextVectors | None, tasks: Mapping[str, Task]) -> None:
    """Write the vectors that nodes will ask for into the store, unless they are there: of the sentences, and of the
    texts of each task that has all of its. One block is in memory at a time.

    Raises:
        UserError: a vector of a text is of another length.
    """
    spec = found.spec
    store.vectors.write(_sentences_key(spec), *matrix.shape, _numbered(matrix))
    for fingerprint, task in tasks.items() if ready is not None else ():
        if fingerprint not in found.lacking:
            assert ready is not None
            key = texts_key(spec.texts, task.texts)
            store.vectors.write(key, len(task.texts), spec.dimension, ready.vectors(task.texts))


class VectorsInStore:
    """Ready vectors as a node reads them: see qre.encoders.matrix.ReadyVectors and word_vectors.ReadyWords."""

    def __init__(self, store: Store):
        self._store = store

    def of_sentences(self, spec: MatrixSpec) -> np.ndarray:
        return self._read(_sentences_key(spec), spec)

    def of_texts(self, spec: MatrixSpec, texts: Sequence[str]) -> np.ndarray:
        return self._read(texts_key(spec.texts, texts), spec)

    def of_words(self, spec: WordsSpec, words: Sequence[str]) -> np.ndarray:
        if not words:
            return np.empty((0, spec.dimension), np.float32)
        return self._read(texts_key(spec.revision, words), spec)

    def _read(self, key: str, spec: MatrixSpec | WordsSpec) -> np.ndarray:
        try:
            return self._store.vectors.read(key)
        except (FileNotFoundError, CorruptArtefact):
            raise PlaceError(
                f"{spec.name}: its vectors are not in the store; run the same command again, which writes them there "
                f"anew"
            ) from None


def _numbered(matrix: MatrixFile) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    start = 0
    for block in matrix.blocks():
        yield np.arange(start, start + len(block)), block.astype(np.float32, copy=False)
        start += len(block)


def _sentences_key(spec: MatrixSpec) -> str:
    return content_key({"vectors": spec.revision})


def texts_key(revision: str | None, texts: Sequence[str]) -> str:
    """Under what the store keeps the vectors of texts, or of words, from a file of this revision."""
    digest = hashlib.sha256()
    for text in texts:
        raw = text.encode("utf-8", "surrogatepass")
        digest.update(b"%d\0" % len(raw) + raw)
    return content_key({"vectors": revision, "texts": digest.hexdigest()})

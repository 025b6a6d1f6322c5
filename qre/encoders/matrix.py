"""Encoders that are no program here but ready vectors: of the sentences, and of the texts of tasks where somebody gave
them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from qre.encoders.matrix_file import read_matrix
from qre.encoders.spec import MatrixSpec
from qre.encoders.text_vectors import TextVectors
from qre.errors import EncoderError, UserError

SHOWN = 80  # characters of a text in a message


class ReadyVectors(Protocol):
    """Where the vectors of an encoder are read."""

    def of_sentences(self, spec: MatrixSpec) -> np.ndarray:
        """E (n, d) float32."""

    def of_texts(self, spec: MatrixSpec, texts: Sequence[str]) -> np.ndarray:
        """Vectors (m, d) float32 of m distinct texts; EncoderError where some have none."""


class VectorsInFiles:
    """As they lie in the files that a person named: path of the matrix, and of the texts' vectors or None."""

    def __init__(self, path: str, texts: str | None = None):
        self._path, self._texts = path, texts

    def of_sentences(self, spec: MatrixSpec) -> np.ndarray:
        return read_matrix(self._path).astype(np.float32, copy=False)

    def of_texts(self, spec: MatrixSpec, texts: Sequence[str]) -> np.ndarray:
        if self._texts is None:
            raise EncoderError("it has no vectors of the tasks' texts; give them with texts:")
        file = TextVectors(self._texts)
        vectors, filled = np.empty((len(texts), file.dimension), np.float32), np.zeros(len(texts), bool)
        for rows, part in file.vectors(texts):
            vectors[rows], filled[rows] = part, True
        if not filled.all():
            raise EncoderError(
                without_vectors([text for text, there in zip(texts, filled, strict=True) if not there], len(texts))
            )
        return vectors


def without_vectors(lacking: Sequence[str], of: int) -> str:
    """What is said of a task some of whose texts have no vector."""
    text = lacking[0]
    shown = text[:SHOWN] + ("..." if len(text) > SHOWN else "")
    return f"{len(lacking):,} of {of:,} texts of this task are not in the file of texts:, the first is {shown!r}"


class MatrixPass:
    """Ready vectors as a pass over texts: one batch, one chunk. The parts of a pass are as of TransformerPass."""

    def __init__(self, spec: MatrixSpec, sentences: Sequence[str], ready: ReadyVectors | None):
        if ready is None:
            raise UserError(f"{spec.name}: nothing says where its vectors are")
        self._spec, self._texts, self._ready, self._others = spec, sentences, ready, False
        self.batches = [np.arange(len(sentences))]
        self.record = {"device": "cpu", "dtype": "float32", "attributes": {"embedding_dimension": spec.dimension}}
        self.refused: dict[tuple, str] = {}

    def encode(self, rows: np.ndarray) -> dict[tuple, np.ndarray]:
        """Vectors of the texts of these rows, (b, d), float32.

        Raises:
            EncoderError: texts that have no vector.
        """
        read = self._ready
        vectors = read.of_texts(self._spec, self._texts) if self._others else read.of_sentences(self._spec)
        return {(): vectors[rows]}

    def over(self, texts: Sequence[str], prompt: str | None = None) -> MatrixPass:
        """The same encoder over other texts, which are looked up as they are: nothing is put before them."""
        other = copy.copy(self)
        other._texts, other._others, other.batches = texts, True, [np.arange(len(texts))]
        return other

    def close(self) -> None:
        """It holds nothing."""

"""Encoders that are vectors of words: a text is the mean of those that it holds.

What counts as a word: what stands between blanks, where the vectors have it; else its parts, which are runs of letters
and digits, and every other sign alone. A word without a vector adds nothing, and a text without any has a vector of
zeros.
"""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import scipy.sparse as sp

from qre.encoders.spec import WordsSpec
from qre.encoders.word_vector_file import WordVectorFile
from qre.errors import EncoderError, UserError

PART = re.compile(r"\w+|[^\w\s]")
SMOOTHING = 1e-3  # a of a/(a + p(word)), as in the paper


class ReadyWords(Protocol):
    """Where the vectors of words are read."""

    def of_words(self, spec: WordsSpec, words: Sequence[str]) -> np.ndarray:
        """Vectors (m, d) float32 of m distinct words; zeros where a word has none."""


class WordsInFile:
    """As they lie in the file that a person named."""

    def __init__(self, file: WordVectorFile):
        self._file = file

    def of_words(self, spec: WordsSpec, words: Sequence[str]) -> np.ndarray:
        vectors = np.empty((len(words), spec.dimension), np.float32)
        for rows, part in self._file.vectors(words, spec.revision):
            vectors[rows] = part
        return vectors


def words_in(texts: Iterable[str], lowercase: bool) -> list[str]:
    """Every word that may be looked up for some texts, distinct and in order."""
    pieces = {piece for text in texts for piece in _pieces(text, lowercase)}
    return sorted(pieces | {part for piece in pieces for part in PART.findall(piece)})


def words_of(text: str, lowercase: bool, known: Collection[str]) -> Iterator[str]:
    """The words of a text in order, as they are looked up; those that are not known among them."""
    for piece in _pieces(text, lowercase):
        if piece in known:
            yield piece
        else:
            yield from PART.findall(piece)


def unknown_share(texts: Iterable[str], lowercase: bool, known: Collection[str]) -> float:
    """Of the words of some texts, how many have no vector, 0 to 1; 0 where there are no words."""
    counted = Counter(word in known for text in texts for word in words_of(text, lowercase, known))
    return counted[False] / max(1, counted.total())


def check_sentences(sentences: Sequence[str], lowercase: bool, known: Collection[str]) -> None:
    """EncoderError where a sentence has no known word, and so no vector."""
    for row, text in enumerate(sentences):
        if not any(word in known for word in words_of(text, lowercase, known)):
            raise EncoderError(
                f"sentence {row} ({text[:60]!r}) has no word that these vectors know; leave it out, or this encoder"
            )


class WordsPass:
    """Word vectors over texts: one batch, one chunk. The parts of a pass are as of TransformerPass; `unknown_share` of
    the record is that of the words of the sentences."""

    def __init__(self, spec: WordsSpec, sentences: Sequence[str], ready: ReadyWords | None):
        if ready is None:
            raise UserError(f"{spec.name}: nothing says where its vectors are")
        self._spec, self._ready, self._texts = spec, ready, sentences
        self._table = _Table(spec, ready, sentences)
        check_sentences(sentences, spec.lowercase, self._table.rows)
        used = Counter(word for text in sentences for word in words_of(text, spec.lowercase, self._table.rows))
        self._shares = {word: count / used.total() for word, count in used.items()}
        self.batches = [np.arange(len(sentences))]
        attributes = {
            "architecture": "word vectors",
            "vocabulary": spec.vocabulary,
            "embedding_dimension": spec.dimension,
            "parameters": spec.vocabulary * spec.dimension,
        }
        unknown = unknown_share(sentences, spec.lowercase, self._table.rows)
        self.record = {"device": "cpu", "dtype": "float32", "attributes": attributes, "unknown_share": unknown}
        self.refused: dict[tuple, str] = {}

    def encode(self, rows: np.ndarray) -> dict[tuple, np.ndarray]:
        """Vectors of the texts of these rows, (b, d), float32; zeros where a text has no known word."""
        return {(): self._table.mean([self._texts[row] for row in rows], self._weight)}

    def over(self, texts: Sequence[str], prompt: str | None = None) -> WordsPass:
        """The same encoder over other texts; words are weighted by the sentences all the same."""
        other = copy.copy(self)
        other._texts, other._table = texts, _Table(self._spec, self._ready, texts)
        other.batches = [np.arange(len(texts))]
        return other

    def _weight(self, word: str) -> float:
        if self._spec.weighting == "mean":
            return 1.0
        return SMOOTHING / (SMOOTHING + self._shares.get(word, 0.0))

    def close(self) -> None:
        """It holds nothing."""


class _Table:
    """The vectors of the words of some texts.

    Attributes:
        rows: word -> its row, of those that have a vector.
    """

    def __init__(self, spec: WordsSpec, ready: ReadyWords, texts: Sequence[str]):
        self._lowercase = spec.lowercase
        words = words_in(texts, spec.lowercase)
        self._vectors = ready.of_words(spec, words)
        there: np.ndarray = np.any(self._vectors, axis=1)
        self.rows: Mapping[str, int] = {word: row for row, word in enumerate(words) if there[row]}

    def mean(self, texts: Sequence[str], weight) -> np.ndarray:
        """The weighted sum of the known words' vectors of each text, divided by their number; (m, d) float32."""
        starts, columns, weights = [0], [], []
        for text in texts:
            known = [word for word in words_of(text, self._lowercase, self.rows) if word in self.rows]
            columns += [self.rows[word] for word in known]
            weights += [weight(word) / len(known) for word in known]
            starts.append(len(columns))
        shares = sp.csr_array((weights, columns, starts), shape=(len(texts), len(self._vectors)))
        return (shares @ self._vectors.astype(np.float64)).astype(np.float32)


def _pieces(text: str, lowercase: bool) -> list[str]:
    return (text.lower() if lowercase else text).split()

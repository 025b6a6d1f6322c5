"""Vectors of words in the files that word2vec, GloVe and fastText write, read as a stream: of a large file one row is
in memory, and of each word one number.

Text is a word and its d numbers a line, with or without a first line that counts words and dimensions. The binary form
of word2vec has that first line, then each word, a blank and d little-endian float32. Both may be packed (.gz, .bz2,
.xz). What is no such file is one line that names file and line, or byte. Nothing is unpickled.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import hashlib
import io
import lzma
import re
import zlib
from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qre.encoders.hub_problems import printable
from qre.errors import EncoderError, UserError
from qre.tables import NOT_READ

PACKED: dict[bytes, Callable] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
OTHERS = {
    **NOT_READ,
    b"\xba\x16\x4f\x2f": "a model of fastText; take its .vec file, or write one from it",
    b"\x80": "a pickle (of gensim?), which is never loaded; save it with save_word2vec_format",
    b"version https://git-lfs": "a pointer of Git LFS, not the file; fetch it with `git lfs pull`",
}
DAMAGED = (EOFError, zlib.error, lzma.LZMAError, OSError)  # what unpacking raises
BUFFER = 2**20
LONGEST_LINE, LONGEST_WORD, MOST_DIMENSIONS = 2**21, 10_000, 2**16  # bytes; bytes; numbers
ROWS = 1024  # that are given at a time
COUNTS = re.compile(rb"\s*(\d{1,12})\s+(\d{1,12})\s*")
NUMBERLIKE = re.compile(rb"[-+]?[\d.]+([eE][-+]?\d+)?|[-+]?nan|[-+]?inf(inity)?", re.IGNORECASE)
BINARY = re.compile(rb"[\x00-\x08\x0e-\x1f]")  # bytes that no text has


@dataclass(frozen=True)
class Looked:
    """What a file holds.

    Attributes:
        revision: sha256 (hex) of the words and numbers that are read, as they are written.
        count, dimension: how many words, of how many dimensions.
        known: those of the wanted words that have a vector; one of zeros is none.
    """

    revision: str
    count: int
    dimension: int
    known: frozenset[str]


@dataclass(frozen=True)
class _Row:
    """A word and its numbers as they stand in the file; `at` is its line, or its byte."""

    at: int
    word: str
    numbers: bytes


class WordVectorFile:
    """The file, of which only its beginning has been read.

    Args:
        limit: read the first so many words; None: all.

    Attributes:
        dimension: of its vectors.

    Raises:
        UserError: no such file, or no word vectors.
    """

    def __init__(self, path: str | Path, limit: int | None = None):
        self.path, self._limit = Path(path), limit
        if not self.path.is_file():
            raise UserError(f"{self.path}: no such file")
        try:
            self._begin()
        except DAMAGED as error:
            raise UserError(f"{self.path}: cannot be read: {error}") from None

    def look(self, wanted: Collection[str]) -> Looked:
        """Read all of it, checked.

        Raises:
            EncoderError: it is cut off, a row is broken, a word stands twice, or a count is wrong; names line or byte.
        """
        wanted = frozenset(wanted)
        seen, known, digest = array("q"), set(), self._digest()
        for row in self._rows(digest):
            seen.append(hash(row.word))
            if row.word in wanted and self._vector(row).any():
                known.add(row.word)
        if not seen:
            raise EncoderError(f"{self.path}: holds no word")
        self._check_distinct(np.frombuffer(seen, np.int64))
        return Looked(digest.hexdigest(), len(seen), self.dimension, frozenset(known))

    def vectors(self, words: Sequence[str], revision: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Vectors of distinct words: where some stand in `words`, (b,) int64, and the vectors (b, d) float32; together
        each word once, and zeros for one that the file lacks.

        Args:
            revision: of `look`; the last vectors are given when it is clear that the file still holds the same.

        Raises:
            EncoderError: as `look`.
            UserError: the file has changed.
        """
        left, digest = {word: at for at, word in enumerate(words)}, self._digest()
        places: list[int] = []
        found: list[np.ndarray] = []
        for row in self._rows(digest):
            if row.word in left:
                if len(found) == ROWS:
                    yield np.array(places, np.int64), np.stack(found)
                    places, found = [], []
                places.append(left.pop(row.word))
                found.append(self._vector(row))
        if digest.hexdigest() != revision:
            raise UserError(f"{self.path}: has changed while it was read; run the same command again")
        if found:
            yield np.array(places, np.int64), np.stack(found)
        lacking = np.array(list(left.values()), np.int64)
        for start in range(0, len(lacking), ROWS):
            part = lacking[start : start + ROWS]
            yield part, np.zeros((len(part), self.dimension), np.float32)

    # ---- how it is written

    def _begin(self) -> None:
        """Find out which form it has: `dimension`, the stated count, and whether it is binary."""
        with self._open() as file:
            first = file.readline(LONGEST_LINE)
            sample = file.read1(2**16)
        counts = COUNTS.fullmatch(first)
        if counts is not None:
            self._stated: int | None = int(counts[1])
            self.dimension = int(counts[2])
            self._binary = BINARY.search(sample[: 4 * self.dimension + 256]) is not None
        else:
            self._stated, self._binary = None, False
            self.dimension = len(first.split()) - 1
            if (
                BINARY.search(first)
                or len(first) == LONGEST_LINE
                or not NUMBERLIKE.fullmatch(b" ".join(first.split()[-1:]))
            ):
                raise UserError(
                    f"{self.path}: no word vectors: neither counts of words and dimensions nor a word and its numbers "
                    f"stand in its first line"
                )
        if not 1 <= self.dimension <= MOST_DIMENSIONS:
            raise UserError(f"{self.path}: {self.dimension:,} dimensions, by its first line")

    def _open(self) -> io.BufferedIOBase:
        with open(self.path, "rb") as file:
            head = file.read(64)
        for magic, what in OTHERS.items():
            if head.startswith(magic):
                raise UserError(f"{self.path}: no word vectors: {what}")
        opener = next((opener for magic, opener in PACKED.items() if head.startswith(magic)), None)
        file = io.BufferedReader(io.FileIO(self.path), BUFFER) if opener is None else opener(self.path, "rb")
        if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
            file.seek(0)
        return file

    def _digest(self):
        return hashlib.sha256(b"binary" if self._binary else b"text")

    def _rows(self, digest) -> Iterator[_Row]:
        """The rows that count, checked but for their numbers' values; all of them go into the digest."""
        read = self._binary_rows if self._binary else self._text_rows
        rows, at = 0, 0
        try:
            with self._open() as file:
                if self._stated is not None:
                    file.readline(LONGEST_LINE)
                for row in read(file):
                    if rows == self._stated:
                        raise self._error(row.at, f"more words than the {rows:,} that its first line tells")
                    rows, at = rows + 1, row.at
                    digest.update(row.word.encode() + b"\0" + row.numbers + b"\n")
                    yield row
                    if rows == self._limit:
                        return
        except DAMAGED as error:
            if getattr(error, "errno", None):
                raise UserError(f"{self.path}: cannot be read: {error}") from None
            raise self._error(at, f"damaged or cut off behind here: {error}") from None
        if self._stated is not None and rows < self._stated:
            raise self._error(at, f"cut off: {rows:,} words, and its first line tells {self._stated:,}")

    def _text_rows(self, file: io.BufferedIOBase) -> Iterator[_Row]:
        line, empty = int(self._stated is not None), 0
        while raw := file.readline(LONGEST_LINE):
            line += 1
            if len(raw) == LONGEST_LINE:
                raise self._error(line, f"longer than {LONGEST_LINE:,} bytes")
            body = raw.rstrip(b" \t\r\n")
            if not body:
                empty = empty or line
                continue
            if empty:
                raise self._error(empty, "an empty line")
            if body.count(b" ") == self.dimension and b"  " not in body and b"\t" not in body:
                word, _, numbers = body.partition(b" ")
            else:
                word, numbers = self._parted(body, line)
            if not word:
                raise self._error(line, "no word before the numbers")
            if numbers.translate(None, b"0123456789+-.eE "):
                raise self._error(line, f"{_odd(numbers)} is no finite number")
            yield _Row(line, self._decoded(word, line), numbers)

    def _parted(self, body: bytes, line: int) -> tuple[bytes, bytes]:
        """A word, which may hold blanks, and its numbers."""
        fields = body.rsplit(None, self.dimension)
        if len(fields) <= self.dimension or not _are_numbers(fields[1:2]):
            numbers = sum(1 for one in body.split()[1:] if _are_numbers([one]))
            raise self._error(line, f"{numbers:,} numbers, and the file has {self.dimension:,} dimensions")
        if _are_numbers(fields[0].split()[1:][-1:]):
            raise self._error(line, f"more numbers than the {self.dimension:,} dimensions of the file")
        return fields[0], b" ".join(fields[1:])

    def _binary_rows(self, file: io.BufferedIOBase) -> Iterator[_Row]:
        size, buffer, at, start = 4 * self.dimension, b"", file.tell(), 0
        while True:
            while (cut := buffer.find(b" ", start)) < 0 or cut + 1 + size > len(buffer):
                if cut < 0 and len(buffer) - start > LONGEST_WORD:
                    raise self._error(at + start, f"no word of at most {LONGEST_WORD:,} bytes")
                more = file.read1(BUFFER)
                if not more:
                    if buffer[start:].strip():
                        raise self._error(at + start, "cut off inside of a word and its numbers")
                    return
                at, buffer, start = at + start, buffer[start:] + more, 0
            start += buffer[start:cut].startswith(b"\n")
            word = buffer[start:cut]
            if not word or len(word) > LONGEST_WORD:
                raise self._error(at + start, "no word before the numbers")
            numbers = buffer[cut + 1 : cut + 1 + size]
            if not np.isfinite(np.frombuffer(numbers, "<f4")).all():
                raise self._error(at + start, f"NaN or infinity in the vector of {_shown(word)}")
            yield _Row(at + start, self._decoded(word, at + start), numbers)
            start = cut + 1 + size

    def _decoded(self, word: bytes, at: int) -> str:
        try:
            return word.decode()
        except UnicodeDecodeError:
            raise self._error(at, f"the word {_shown(word)} is not UTF-8; convert the file") from None

    def _vector(self, row: _Row) -> np.ndarray:
        """(d,) float32."""
        if self._binary:
            return np.frombuffer(row.numbers, "<f4").astype(np.float32)
        try:
            vector = np.array(list(map(float, row.numbers.split())))
        except ValueError:
            raise self._error(row.at, f"{_odd(row.numbers)} is no finite number") from None
        with np.errstate(over="ignore"):
            vector = vector.astype(np.float32)
        if len(vector) != self.dimension or not np.isfinite(vector).all():
            raise self._error(row.at, f"no {self.dimension:,} finite numbers after {printable(row.word, 60)!r}")
        return vector

    # ---- what is wrong

    def _error(self, at: int, problem: str) -> EncoderError:
        return EncoderError(f"{self.path}{': byte ' if self._binary else ':'}{at}: {problem}")

    def _check_distinct(self, hashes: np.ndarray) -> None:
        """EncoderError where a word stands twice: by their hashes, and where two are equal, by the words."""
        ordered = np.sort(hashes)
        doubtful = set(ordered[1:][ordered[1:] == ordered[:-1]].tolist())
        first: dict[str, int] = {}
        for row in self._rows(self._digest()) if doubtful else ():
            if hash(row.word) in doubtful and first.setdefault(row.word, row.at) != row.at:
                where = f"{'at byte' if self._binary else 'in line'} {first[row.word]}"
                raise self._error(row.at, f"the word {printable(row.word, 60)!r} stands {where} already; remove one")


def _are_numbers(fields: list[bytes]) -> bool:
    try:
        return bool(fields) and all(np.isfinite(float(one)) for one in fields)
    except ValueError:
        return False


def _odd(numbers: bytes) -> str:
    """The first of the numbers that is none."""
    return next((_shown(one) for one in numbers.split() if not _are_numbers([one])), _shown(numbers))


def _shown(raw: bytes) -> str:
    return f"'{printable(raw[:60].decode(errors='backslashreplace'))}'"

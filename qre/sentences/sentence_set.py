"""A sentence set and its fingerprint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa

from qre.sentences.builtin import generate


@dataclass(frozen=True)
class SentenceSet:
    """The ordered, distinct n sentences, with labels where they are known.

    Attributes:
        name: where the sentences came from, for people; it is not part of the fingerprint.
        texts: n distinct, non-empty sentences.
        labels: further columns, each of length n; the built-in set has topic, group and meaning.
        notes: what was left out when the sentences were read, a line each.
    """

    name: str
    texts: tuple[str, ...]
    labels: dict[str, list] = field(default_factory=dict, compare=False)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def fingerprint(self) -> str:
        """sha256 (hex) of the content: every sentence's length and UTF-8 bytes, in order, so that no two sets can run
        together."""
        digest = hashlib.sha256()
        for text in self.texts:
            raw = text.encode()
            digest.update(len(raw).to_bytes(8, "big") + raw)
        return digest.hexdigest()

    def to_table(self) -> pa.Table:
        """Columns text and the labels, n rows: the form that the store keeps."""
        return pa.table({"text": pa.array(self.texts, pa.string()), **self.labels})

    @classmethod
    def from_table(cls, name: str, table: pa.Table) -> SentenceSet:
        """The inverse of `to_table`."""
        columns = {column: table[column].to_pylist() for column in table.column_names}
        return cls(name, tuple(columns.pop("text")), columns)


def builtin_set(limit: int, seed: int = 0) -> SentenceSet:
    """The first `limit` sentences of the built-in stream, with topic, paraphrase group and meaning.

    Raises:
        ValueError: more sentences are asked for than the grammar has.
    """
    sentences = generate(limit, seed)
    labels: dict[str, list] = {
        "topic": [s.topic for s in sentences],
        "group": [s.group for s in sentences],
        "meaning": [list(s.meaning) for s in sentences],
    }
    return SentenceSet(f"built-in (seed {seed})", tuple(s.text for s in sentences), labels)

"""The pairs of texts that contributions are computed over: built-in sentences, or pairs from a file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import pyarrow as pa

from qre.encoders.variants import BATCH
from qre.errors import UserError
from qre.sentences.builtin import generate
from qre.tasks.columns import read_table
from qre.tasks.task_spec import Columns
from qre.tasks.values import texts

FEWEST = 2  # pairs
BUILTIN, BUILTIN_SEED = 4000, 7  # sentences of the built-in stream, and its seed: no task and no map is made of these


class _PairOfTexts(Columns):
    sentence1: int | str = "sentence1"
    sentence2: int | str = "sentence2"


@dataclass(frozen=True)
class Pairs:
    """Pairs of texts that should be near each other.

    Attributes:
        first, second: n texts each.
        from_file: whether a person gave them: then they are taken as they are, also by an encoder with dropout.
    """

    first: tuple[str, ...]
    second: tuple[str, ...]
    from_file: bool = False

    def __len__(self) -> int:
        return len(self.first)

    @cached_property
    def fingerprint(self) -> str:
        """sha256 (hex) of the content, in its order, and of where it is from."""
        digest = hashlib.sha256(b"file" if self.from_file else b"builtin")
        for text in (*self.first, *self.second):
            raw = text.encode()
            digest.update(len(raw).to_bytes(8, "big") + raw)
        return digest.hexdigest()

    def to_table(self) -> pa.Table:
        """Columns text and paired, n rows: the form that the store keeps."""
        return pa.table({"text": pa.array(self.first, pa.string()), "paired": pa.array(self.second, pa.string())})

    @classmethod
    def from_table(cls, table: pa.Table) -> Pairs:
        """The inverse of `to_table`, of pairs from a file."""
        return cls(tuple(table["text"].to_pylist()), tuple(table["paired"].to_pylist()), from_file=True)

    def batches(self, count: int, seed: int) -> list[tuple[list[str], list[str]]]:
        """At most `count` batches of BATCH pairs, drawn by the seed; the last may be smaller, and has 2 at least."""
        order = np.random.default_rng(seed).permutation(len(self))[: count * BATCH]
        cut = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
        return [
            ([self.first[row] for row in rows], [self.second[row] for row in rows])
            for rows in cut
            if len(rows) >= FEWEST
        ]


@lru_cache(maxsize=1)
def builtin_pairs() -> Pairs:
    """Two paraphrases of each meaning that the built-in sentences say at least twice, in the order of the stream."""
    members: dict[int, list[str]] = {}
    for one in generate(BUILTIN, BUILTIN_SEED):
        members.setdefault(one.group, []).append(one.text)
    pairs = [group[:2] for group in members.values() if len(group) > 1]
    return Pairs(tuple(first for first, _ in pairs), tuple(second for _, second in pairs))


def read_pairs(path: str) -> Pairs:
    """The pairs of a file with the columns sentence1 and sentence2: .csv, .tsv, .jsonl, .json or .parquet, also packed.

    Raises:
        UserError: it is missing or not in order, or has fewer than two different pairs.
    """
    table = read_table(path, _PairOfTexts(), option="columns")
    first, second = texts(table, "sentence1"), texts(table, "sentence2")
    if len(set(zip(first, second, strict=True))) < FEWEST:
        raise UserError(f"{path}: at least {FEWEST} different pairs are needed")
    return Pairs(tuple(first), tuple(second), from_file=True)

"""The measures of an encoder of a sweep: how they are made, and the row that is kept of them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
import pyarrow as pa

from qre.errors import EmbeddingError
from qre.features import Operators
from qre.geometry.panel import Measures, measures
from qre.geometry.uniformity import SAMPLE

VERSION = 1  # raised when the same embedding would give other numbers
COUNTS = ("n", "sampled", "pairs", "groups")
VALUES = tuple(field.name for field in fields(Measures) if field.name not in (*COUNTS, "dimension", "n_over_d"))
# of a map; it has n, the dimension and, of the features, the effective rank
MAP_COLUMNS = tuple(name for name in (*VALUES, *COUNTS) if name not in ("n", "effective_rank"))


@dataclass(frozen=True)
class MeasureMethod:
    """All that fixes the measures of an embedding: see qre.geometry.measures.

    Attributes:
        groups: the paraphrase group of each of the n sentences, None for a sentence without one; () where none is
            known.
        pairs: positive pairs of row numbers; None for those inside of the groups.
        sample: sentences that uniformity and hubness are of, where there are more.
        seed: of the sample.
    """

    groups: tuple[Hashable, ...] = ()
    pairs: tuple[tuple[int, int], ...] | None = None
    sample: int = SAMPLE
    seed: int = 0

    @property
    def name(self) -> str:
        """A short folder-safe name, one for each method: "measures-1-2048-0", and the positive pairs after it."""
        alike = f"-{_digest(self.groups, self.pairs)}" if self.groups or self.pairs is not None else ""
        return f"measures-{VERSION}-{self.sample}-{self.seed}{alike}"


def measured_or_none(method: MeasureMethod, operators: Operators) -> Measures | None:
    """The measures of an embedding, from its operator of unit rows; None where there can be none, which is no reason to
    lose its features."""
    pairs = None if method.pairs is None else np.array(method.pairs, np.int64).reshape(-1, 2)
    try:
        return measures(
            operators.embedding,
            pairs,
            method.groups or None,
            operators.unit,
            sample=method.sample,
            seed=method.seed,
            encoder=operators.encoder,
        )
    except (EmbeddingError, np.linalg.LinAlgError):
        return None


def _digest(groups: Sequence[Hashable], pairs: Sequence[tuple[int, int]] | None) -> str:
    """Twelve hex digits of what means the same; the labels of groups do not matter, only who is in one."""
    known: dict[Hashable, int] = {}
    codes = [-1 if label is None else known.setdefault(label, len(known)) for label in groups]
    return hashlib.sha256(repr((codes, pairs)).encode()).hexdigest()[:12]


def measured_rows(rows: Sequence[tuple[str, Measures | None]]) -> pa.Table:
    """The shard of some encoders, by key: key (string), n, sampled, pairs and groups (int64), and each measure
    (float64). Null where a measure is not defined, all of them where it is None."""
    told = [{} if found is None else asdict(found) for _, found in rows]
    return pa.table(
        {
            "key": pa.array([key for key, _ in rows], pa.string()),
            **{name: pa.array([row.get(name) for row in told], pa.int64()) for name in COUNTS},
            **{name: pa.array([_finite(row.get(name)) for row in told], pa.float64()) for name in VALUES},
        }
    )


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value

"""The feature task: embeddings of a batch of units -> one shard in each folder of features."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import ray
from ray.exceptions import GetTimeoutError, RayError

from jobs.workers.beats import beating
from jobs.workers.events import UnitResult
from qre.errors import EmbeddingError
from qre.features import FeatureMethod, FeatureRow, Operators, feature_rows
from qre.geometry.measured_row import MeasureMethod, measured_or_none, measured_rows
from qre.spectra import gram_sketch, leading_eigenvalues, sketch_rows
from qre.store import UNREADABLE, CorruptArtefact, Store

FACTS = {
    "architecture": pa.string(),
    "model_type": pa.string(),
    "layers": pa.int64(),
    "hidden_size": pa.int64(),
    "vocabulary": pa.int64(),
    "parameters": pa.int64(),
    "model_pooling": pa.string(),
    "model_max_tokens": pa.int64(),
    "modules": pa.string(),
    "prompt_names": pa.string(),
}
REFERENCE_SECONDS = 60.0  # for an embedding to come from another node; the store is the other way
# not the seconds: equal content is to give equal bytes
RUN_FACTS = {"device": pa.string(), "truncated_share": pa.float64()}
Held = (
    FeatureMethod | MeasureMethod | None
)  # by shards: features, measures; None: leading eigenvalues and Gram sketches


@dataclass(frozen=True)
class ToFeaturize:
    """A unit, and the folders whose shards it is not in; None for all."""

    key: str
    name: str
    folders: Collection[str] | None = None


@ray.remote(max_retries=0)
def featurize(
    store: str, units: Sequence[ToFeaturize], references: dict, folders: Mapping[str, Held], threads: int
) -> Iterator[object]:
    """featurize_batch as a Ray task that yields signs of life. `references` are of embeddings, by key, that an actor
    has just made; they spare a reading of the store."""
    yield from beating(
        lambda tell: featurize_batch(
            Store(store), units, folders, lambda key: _by_reference(references.pop(key, None))
        ),
        threads,
    )


def featurize_batch(
    store: Store,
    units: Sequence[ToFeaturize],
    folders: Mapping[str, Held],
    at_hand: Callable[[str], tuple | None] = lambda key: None,
) -> list[UnitResult]:
    """Compute what each unit lacks, one embedding in memory at a time, and write it as one shard a folder. NewerSchema
    where an embedding is of a newer version.

    Args:
        folders: folder -> what its shards hold.
        at_hand: by key, the embedding (n, d) and its encoder's facts where they need not be read from the store; else
            None.
    """
    results, batch = [], _Batch(folders)
    for unit in units:
        try:
            batch.add(unit, *(at_hand(unit.key) or _from_store(store, unit.key)))
            results.append(UnitResult(unit.key, "done"))
        except (FileNotFoundError, CorruptArtefact) as error:
            results.append(UnitResult(unit.key, "absent", message=str(error)))
        except UNREADABLE as error:  # it costs this unit, not the others of the shard
            results.append(UnitResult(unit.key, "withheld", "UnreadableArtefact", str(error)))
        except EmbeddingError as error:
            results.append(UnitResult.failed(unit.key, error.naming(_sentences_of(store, unit.key))))
    for folder, table in batch.tables():
        store.features.write(folder, table)
    return results


@dataclass
class _Batch:
    """The rows of the shards that are being made, by folder."""

    folders: Mapping[str, Held]
    rows: dict[str, list[tuple]] = field(default_factory=dict)

    def add(self, unit: ToFeaturize, embedding: np.ndarray, facts: dict) -> None:
        """All that a unit lacks, or an error and nothing of it."""
        lacks = [folder for folder in self.folders if unit.folders is None or folder in unit.folders]
        operators = Operators(embedding, unit.name)
        rows = {folder: _row(self.folders[folder], operators) for folder in lacks}
        for folder, row in rows.items():
            self.rows.setdefault(folder, []).append((unit.key, row, facts))

    def tables(self) -> list[tuple[str, pa.Table]]:
        return [(folder, _table(self.folders[folder], rows)) for folder, rows in self.rows.items()]


def _row(held: Held, operators: Operators) -> Any:
    """What one embedding has in a shard; all that is of its unit rows is of one operator."""
    embedding, name = operators.embedding, operators.encoder
    if isinstance(held, FeatureMethod):
        return feature_rows(embedding, [held], name, operators)[0]
    if isinstance(held, MeasureMethod):
        return measured_or_none(held, operators)
    spectrum = leading_eigenvalues(embedding, encoder=name, operator=operators.unit)
    return spectrum, gram_sketch(embedding, sketch_rows(len(embedding)), name)


def _table(held: Held, rows: Sequence[tuple[str, Any, dict]]) -> pa.Table:
    if isinstance(held, FeatureMethod):
        return shard_table(rows, held)
    if isinstance(held, MeasureMethod):
        return measured_rows([(key, found) for key, found, _ in rows])
    return _spectra_table(rows)


def _spectra_table(rows: Sequence[tuple[str, tuple[np.ndarray, np.ndarray], dict]]) -> pa.Table:
    """One row an encoder: key, spectrum (float64), sketch (float64): see qre.spectra."""
    columns = zip(*(row for _, row, _ in rows), strict=True)
    return pa.table(
        {
            "key": [key for key, _, _ in rows],
            **{
                name: pa.array(list(column), pa.list_(pa.float64()))
                for name, column in zip(("spectrum", "sketch"), columns, strict=True)
            },
        }
    )


def _by_reference(reference: ray.ObjectRef | None) -> tuple[np.ndarray, dict] | None:
    """What a reference holds; None where its node has gone: the store has it too."""
    try:
        return None if reference is None else ray.get(reference, timeout=REFERENCE_SECONDS)
    except (RayError, GetTimeoutError):
        return None


def _from_store(store: Store, key: str) -> tuple[np.ndarray, dict]:
    embedding, record = store.embeddings.read(key)
    return embedding, encoder_facts(record)


def _sentences_of(store: Store, key: str) -> list[str]:
    """The sentences that the rows of an embedding are of; none where the store does not tell."""
    try:
        return store.sentences.read(store.embeddings.read(key)[1]["sentences"])["text"].to_pylist()
    except (FileNotFoundError, CorruptArtefact, KeyError, *UNREADABLE):
        return []


def encoder_facts(record: dict) -> dict:
    """What the record of an embedding tells of the encoder that made it: columns of the map, null where it does not
    tell."""
    own = record.get("attributes") or {}
    columns = {name: own.get(name) for name in FACTS}
    return {**columns, **{name: record.get(name) for name in RUN_FACTS}}


def shard_table(rows: Sequence[tuple[str, FeatureRow, dict]], method: FeatureMethod) -> pa.Table:
    """One row an encoder: key, feature (n float64), the spectral summary, what the encoder told of itself, and the
    method."""
    count = len(rows)
    facts = {name: pa.array([fact[name] for _, _, fact in rows], kind) for name, kind in {**FACTS, **RUN_FACTS}.items()}
    return pa.table(
        {
            "key": [key for key, _, _ in rows],
            "feature": pa.array([row.feature for _, row, _ in rows], pa.list_(pa.float64())),
            "qre": [row.qre for _, row, _ in rows],
            "entropy": [row.entropy for _, row, _ in rows],
            "effective_rank": [row.effective_rank for _, row, _ in rows],
            "dimension": [row.dimension for _, row, _ in rows],
            **facts,
            "direction": [method.direction] * count,
            "perturbation": [method.perturbation] * count,
            "epsilon": [method.epsilon] * count,
            "unit_rows": [method.normalize] * count,
        }
    )

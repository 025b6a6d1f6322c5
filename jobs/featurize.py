"""The feature task: embeddings of a batch of units -> one feature shard."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import ray
from ray.exceptions import GetTimeoutError, RayError

from jobs.events import UnitResult
from jobs.worker import set_threads
from qre.errors import EmbeddingError
from qre.features import FeatureMethod, FeatureRow, feature_row
from qre.store import CorruptArtefact, Store

FACTS = {
    "architecture": pa.string(), "model_type": pa.string(), "layers": pa.int64(), "hidden_size": pa.int64(), "vocabulary": pa.int64(),
    "parameters": pa.int64(), "model_pooling": pa.string(), "model_max_tokens": pa.int64(), "modules": pa.string(), "prompt_names": pa.string(),
}  # fmt: skip
REFERENCE_SECONDS = 60.0  # for an embedding to come from another node; the store is the other way
RUN_FACTS = {"device": pa.string(), "truncated_share": pa.float64()}  # not the seconds: equal content is to give equal bytes


@ray.remote(max_retries=0)
def featurize(store: str, units: Sequence[tuple[str, str]], references: dict, method: FeatureMethod, folder: str, threads: int) -> list[UnitResult]:
    """featurize_batch as a Ray task. `references` are of embeddings, by key, that an actor has just made; they spare a reading of the store."""
    set_threads(threads)
    return featurize_batch(Store(store), units, method, folder, lambda key: _by_reference(references.pop(key, None)))


def featurize_batch(
    store: Store, units: Sequence[tuple[str, str]], method: FeatureMethod, folder: str, at_hand: Callable[[str], tuple | None] = lambda key: None
) -> list[UnitResult]:  # fmt: skip
    """Compute the features of units, (key, name) each, one embedding in memory at a time, and write them as one shard.

    Args:
        at_hand: by key, the embedding (n, d) and its encoder's facts where they need not be read from the store; else None.
    """
    results, rows = [], []
    for key, name in units:
        try:
            embedding, facts = at_hand(key) or _from_store(store, key)
            rows.append((key, feature_row(embedding, method, name), facts))
        except (FileNotFoundError, CorruptArtefact) as error:
            results.append(UnitResult(key, "absent", message=str(error)))
        except EmbeddingError as error:
            results.append(UnitResult.failed(key, error))
    if rows:
        store.features.write(folder, shard_table(rows, method))
    return results + [UnitResult(key, "done") for key, _, _ in rows]


def _by_reference(reference: ray.ObjectRef | None) -> tuple[np.ndarray, dict] | None:
    """What a reference holds; None where its node has gone: the store has it too."""
    try:
        return None if reference is None else ray.get(reference, timeout=REFERENCE_SECONDS)
    except (RayError, GetTimeoutError):
        return None


def _from_store(store: Store, key: str) -> tuple[np.ndarray, dict]:
    embedding, record = store.embeddings.read(key)
    return embedding, encoder_facts(record)


def encoder_facts(record: dict) -> dict:
    """What the record of an embedding tells of the encoder that made it: columns of the map, null where it does not tell."""
    own = record.get("attributes") or {}
    columns = {name: own.get(name) for name in FACTS}
    return {**columns, **{name: record.get(name) for name in RUN_FACTS}}


def shard_table(rows: Sequence[tuple[str, FeatureRow, dict]], method: FeatureMethod) -> pa.Table:
    """One row an encoder: key, feature (n float64), the spectral summary, what the encoder told of itself, and the method."""
    count = len(rows)
    facts = {name: pa.array([fact[name] for _, _, fact in rows], kind) for name, kind in {**FACTS, **RUN_FACTS}.items()}
    return pa.table({
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
    })  # fmt: skip

"""The feature task: embeddings of a batch of units -> one feature shard."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import ray

from jobs.embed import set_threads
from jobs.results import UnitResult
from qre.errors import EmbeddingError
from qre.features import FeatureMethod, FeatureRow, feature_row
from qre.store import CorruptArtefact, Store


@ray.remote(max_retries=0)
def featurize(store: str, units: Sequence[tuple[str, str]], method: FeatureMethod, folder: str, threads: int) -> list[UnitResult]:
    """featurize_batch as a Ray task."""
    set_threads(threads)
    return featurize_batch(Store(store), units, method, folder)


def featurize_batch(store: Store, units: Sequence[tuple[str, str]], method: FeatureMethod, folder: str) -> list[UnitResult]:
    """Compute the features of units, (key, name) each, one embedding in memory at a time, and write them as one shard."""
    results, rows = [], []
    for key, name in units:
        try:
            embedding, _ = store.embeddings.read(key)
            rows.append((key, feature_row(embedding, method, name)))
        except (FileNotFoundError, CorruptArtefact) as error:
            results.append(UnitResult(key, "absent", message=str(error)))
        except EmbeddingError as error:
            results.append(UnitResult.failed(key, error))
    if rows:
        store.features.write(folder, shard_table(rows, method))
    return results + [UnitResult(key, "done") for key, _ in rows]


def shard_table(rows: Sequence[tuple[str, FeatureRow]], method: FeatureMethod) -> pa.Table:
    """One row an encoder: key, feature (n float64), the spectral summary, and the method that made them."""
    count = len(rows)
    return pa.table({
        "key": [key for key, _ in rows],
        "feature": pa.array([row.feature for _, row in rows], pa.list_(pa.float64())),
        "qre": [row.qre for _, row in rows],
        "entropy": [row.entropy for _, row in rows],
        "effective_rank": [row.effective_rank for _, row in rows],
        "dimension": [row.dimension for _, row in rows],
        "direction": [method.direction] * count,
        "perturbation": [method.perturbation] * count,
        "epsilon": [method.epsilon] * count,
        "unit_rows": [method.normalize] * count,
    })  # fmt: skip

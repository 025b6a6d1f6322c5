"""The embed actor: loads one encoder, keeps its chunks, and writes the embeddings of all units that are read off it."""

from __future__ import annotations

import importlib.metadata
import os
import sys
import time
from collections.abc import Sequence

import numpy as np
import ray

from jobs.plan import PassWork, Unit
from jobs.results import UnitResult
from qre.density import check_finite
from qre.encoders.hub import HubProblem
from qre.encoders.passes import EncodeSettings, Pass, readout_name
from qre.encoders.snapshots import prefetch
from qre.encoders.spec import EncoderSpec, HubSpec
from qre.encoders.transforms import apply_transforms
from qre.errors import EncoderError
from qre.sentences import SentenceSet
from qre.store import Store

RECORDED = ("numpy", "scipy", "scikit-learn", "torch", "transformers", "sentence-transformers", "encoder-map")


@ray.remote(max_restarts=0, max_task_retries=0)
class Embedder:
    """Runs passes one after another. On a GPU the driver takes a fresh actor for each; on CPU one is used again, since imports are slow.

    Ray restarts and retries nothing here: the driver tries again, with a fresh actor, so that one place knows how often.
    """

    def __init__(self, store: str, threads: int):
        set_threads(threads)
        self._store, self._threads = Store(store), threads
        self._sentences: SentenceSet | None = None

    def run(
        self, work: PassWork, fingerprint: str, settings: EncodeSettings, upcoming: EncoderSpec | None = None, cache_bytes: int | None = None
    ) -> list[UnitResult]:
        """Embed one pass: see embed_pass. Meanwhile the snapshot of the `upcoming` encoder is fetched, so that the GPU need not wait for it."""
        if isinstance(upcoming, HubSpec):
            prefetch(upcoming.id, upcoming.revision, upcoming.files, cache_bytes, upcoming.trust_remote_code)
        if self._sentences is None or self._sentences.fingerprint != fingerprint:
            self._sentences = SentenceSet.from_table("stored", self._store.sentences.read(fingerprint))
        return embed_pass(self._store, work, self._sentences, settings, self._threads, cache_bytes=cache_bytes)


def embed_pass(
    store: Store, work: PassWork, sentences: SentenceSet, settings: EncodeSettings, threads: int = 1, device: str = "auto",
    cache_bytes: int | None = None,
) -> list[UnitResult]:  # fmt: skip
    """Embed the sentences in chunks, then write the embedding of each unit.

    Chunks that an earlier, cut-off run has left are used and not computed again. An encoder's own fault ends its units as "failed"; what the
    store raises (a full disk, say) is the machine's fault and is passed on, as is a hub that does not answer now.
    """
    started = time.monotonic()
    try:
        loaded = Pass(work.units[0].spec, sentences.texts, _readouts(work.units), settings, device, cache_bytes)
    except Exception as error:  # whatever loading raises is this encoder's end, not the sweep's
        if isinstance(error, HubProblem) and error.transient:
            raise
        return [UnitResult.failed(unit.key, error) for unit in work.units]
    try:
        failed, units = _refused(work, loaded)
        fault = _encode_chunks(store, work, loaded, {readout_name(unit.spec.readout) for unit in units})
        if fault is not None:
            return failed + [UnitResult.failed(unit.key, fault) for unit in units]
    finally:
        loaded.close()
    record = {
        "sentences": sentences.fingerprint, "encode": settings.model_dump(mode="json"), "threads": threads, **loaded.record,
        "seconds": round(time.monotonic() - started, 3), "versions": versions(),
    }  # fmt: skip
    results = [_write_unit(store, work, unit, loaded.chunks, record) for unit in units]
    if all(result.status != "absent" for result in results):
        store.chunks.remove(work.key)
    return failed + results


def _refused(work: PassWork, loaded: Pass) -> tuple[list[UnitResult], list[Unit]]:
    """Results of the units whose readout the encoder does not have, and the other units."""
    why = {unit.key: loaded.refused.get(readout_name(unit.spec.readout)) for unit in work.units}
    failed = [UnitResult.failed(key, EncoderError(reason)) for key, reason in why.items() if reason]
    return failed, [unit for unit in work.units if not why[unit.key]]


def _encode_chunks(store: Store, work: PassWork, loaded: Pass, wanted: set[str]) -> Exception | None:
    """Make the chunks that are not kept already; returns the encoder's own fault, if it has one."""
    for index, rows in enumerate(loaded.chunks if wanted else []):
        kept = store.chunks.read(work.key, index, rows)
        if kept is None or not wanted <= kept.keys():
            try:
                made = loaded.encode(index)
            except Exception as error:
                return error
            store.chunks.write(work.key, index, rows, made)
    return None


def _write_unit(store: Store, work: PassWork, unit: Unit, chunks: list[np.ndarray], record: dict) -> UnitResult:
    """Put the chunks of one readout together in sentence order, apply the transforms, write."""
    name = readout_name(unit.spec.readout)
    matrix = None
    for index, rows in enumerate(chunks):
        kept = store.chunks.read(work.key, index, rows)
        if kept is None:
            return UnitResult(unit.key, "absent", message="a chunk went away or was corrupt")
        if matrix is None:
            matrix = np.empty((sum(map(len, chunks)), kept[name].shape[1]), np.float32)
        matrix[rows] = kept[name]
    try:
        check_finite(matrix, unit.spec.name)
        embedding = apply_transforms(matrix, unit.spec.transforms)
    except Exception as error:
        return UnitResult.failed(unit.key, error)
    spec = unit.spec.model_dump(mode="json", exclude={"path", "files"})  # the place of a folder on one machine says nothing on another
    store.embeddings.write(unit.key, embedding, {**record, "spec": spec})
    return UnitResult(unit.key, "done")


def _readouts(units: Sequence[Unit]) -> list[tuple]:
    return list(dict.fromkeys(unit.spec.readout for unit in units))


def set_threads(threads: int) -> None:
    """Give the BLAS and torch this many threads, whether they are loaded or will be: a reused Ray worker keeps its old count otherwise."""
    import threadpoolctl

    os.environ["OMP_NUM_THREADS"] = str(threads)
    threadpoolctl.threadpool_limits(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def versions() -> dict[str, str]:
    """Versions of the packages that can move a number."""
    found = {}
    for package in RECORDED:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found

"""The embed actor: loads one encoder, keeps its chunks, and writes the embeddings of all units that are read off it."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Union

import numpy as np
import ray

from jobs.events import ChunkMade, Loaded, Started, UnitResult
from jobs.featurize import encoder_facts
from jobs.plan import PassWork, Unit
from jobs.worker import set_threads, versions
from qre.density import check_finite
from qre.encoders.hub import HubProblem
from qre.encoders.passes import EncodeSettings, Pass, readout_name
from qre.encoders.snapshots import prefetch
from qre.encoders.spec import EncoderSpec, HubSpec
from qre.encoders.transforms import apply_transforms
from qre.errors import EncoderError
from qre.sentences import SentenceSet
from qre.store import Store

MACHINE_ERRNO = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
BROKEN_DEVICE = ("CUDA error", "CUDA driver", "No CUDA GPUs are available", "NCCL error", "CUBLAS_STATUS_", "cuDNN error")


@ray.remote(max_restarts=0, max_task_retries=0)
class Embedder:
    """Runs passes one after another. On a GPU the driver takes a fresh actor for each; on CPU one is used again, since imports are slow.

    Ray restarts and retries nothing here: the driver tries again, with a fresh actor, so that one place knows how often.
    """

    def __init__(self, store: str, threads: int, gpus: int):
        self._store, self._threads = Store(store), threads
        self._device = {0: "cpu", 1: "auto"}.get(gpus, "spread")
        self._sentences: SentenceSet | None = None

    def run(
        self, work: PassWork, fingerprint: str, settings: EncodeSettings, upcoming: EncoderSpec | None = None, cache_bytes: int | None = None
    ) -> Iterator[Event | tuple[np.ndarray, dict]]:
        """Embed one pass, telling how far it is: see embed_pass. After each unit that is done comes its embedding with the encoder's facts, for
        the driver to hand on by reference. Meanwhile the snapshot of the `upcoming` encoder is fetched, so that the GPU need not wait for it.
        """
        set_threads(self._threads)
        context = ray.get_runtime_context()
        yield Started(context.get_node_id(), os.getpid(), tuple(context.get_accelerator_ids().get("GPU", ())))
        if isinstance(upcoming, HubSpec):
            prefetch(upcoming.id, upcoming.revision, upcoming.files, cache_bytes, upcoming.trust_remote_code)
        sentences = self._sentence_set(fingerprint)
        for event in embed_pass(self._store, work, sentences, settings, self._threads, self._device, cache_bytes):
            if isinstance(event, Embedded):
                yield event.result
                yield event.embedding, event.facts
            else:
                yield event

    def _sentence_set(self, fingerprint: str) -> SentenceSet:
        if self._sentences is None or self._sentences.fingerprint != fingerprint:
            try:
                table = self._store.sentences.read(fingerprint)
            except FileNotFoundError:
                raise StoreNotShared(f"node {socket.gethostname()} does not see the store {self._store.location}") from None
            self._sentences = SentenceSet.from_table("stored", table)
        return self._sentences


class StoreNotShared(Exception):
    """A node looks at another folder than the driver."""


@dataclass(frozen=True)
class Embedded:
    """A unit that is done, its embedding (n, d) float32, and what its encoder told of itself."""

    result: UnitResult
    embedding: np.ndarray
    facts: dict


Event = Union[Started, Loaded, ChunkMade, UnitResult]


def embed_pass(
    store: Store, work: PassWork, sentences: SentenceSet, settings: EncodeSettings, threads: int = 1, device: str = "auto",
    cache_bytes: int | None = None,
) -> Iterator[Event | Embedded]:  # fmt: skip
    """Embed the sentences in chunks, then write the embedding of each unit; tells how far it is.

    Chunks that an earlier, cut-off run has left are used and not computed again. An encoder's own fault ends its units as "failed"; what the
    machine is to blame for (a full disk, a broken GPU, a hub that does not answer now) is raised.
    """
    started = time.monotonic()
    try:
        loaded = Pass(work.units[0].spec, sentences.texts, _readouts(work.units), settings, device, cache_bytes)
    except Exception as error:  # whatever loading raises is this encoder's end, not the sweep's
        if machines_fault(error):
            raise
        yield from (UnitResult.failed(unit.key, error) for unit in work.units)
        return
    yield Loaded(time.monotonic() - started, loaded.record["device"])
    try:
        failed, units = _refused(work, loaded)
        yield from failed
        matrices = yield from _encode_chunks(store, work, loaded, {readout_name(unit.spec.readout) for unit in units})
    finally:
        loaded.close()
    if isinstance(matrices, Exception):
        yield from (UnitResult.failed(unit.key, matrices) for unit in units)
        return
    record = {
        "sentences": sentences.fingerprint, "encode": settings.model_dump(mode="json"), "threads": threads, **loaded.record,
        "seconds": round(time.monotonic() - started, 3), "versions": versions(),
    }  # fmt: skip
    for unit in units:
        yield _write_unit(store, unit, matrices[readout_name(unit.spec.readout)], record)
    store.chunks.remove(work.key)


def _refused(work: PassWork, loaded: Pass) -> tuple[list[UnitResult], list[Unit]]:
    """Results of the units whose readout the encoder does not have, and the other units."""
    why = {unit.key: loaded.refused.get(readout_name(unit.spec.readout)) for unit in work.units}
    failed = [UnitResult.failed(key, EncoderError(reason)) for key, reason in why.items() if reason]
    return failed, [unit for unit in work.units if not why[unit.key]]


def _encode_chunks(
    store: Store, work: PassWork, loaded: Pass, wanted: set[str]
) -> Generator[ChunkMade, None, dict[str, np.ndarray] | Exception]:  # fmt: skip
    """Make the chunks that are not kept already; returns the matrix of each readout in sentence order, or the encoder's own fault."""
    matrices: dict[str, np.ndarray] = {}
    for index, rows in enumerate(loaded.chunks if wanted else []):
        began = time.monotonic()
        vectors = store.chunks.read(work.key, index, rows)
        missing = vectors is None or not wanted <= vectors.keys()
        if missing:
            try:
                vectors = loaded.encode(index)
            except Exception as error:
                if machines_fault(error):
                    raise
                return error
            store.chunks.write(work.key, index, rows, vectors)
        for name in wanted:
            if name not in matrices:
                matrices[name] = np.empty((sum(map(len, loaded.chunks)), vectors[name].shape[1]), np.float32)
            matrices[name][rows] = vectors[name]
        yield ChunkMade(index + 1, len(loaded.chunks), len(rows) if missing else 0, time.monotonic() - began)
    return matrices


def _write_unit(store: Store, unit: Unit, matrix: np.ndarray, record: dict) -> UnitResult | Embedded:
    """Apply a unit's transforms to the matrix (n, d) of its readout, and write."""
    began = time.monotonic()
    try:
        check_finite(matrix, unit.spec.name)
        embedding = np.ascontiguousarray(apply_transforms(matrix, unit.spec.transforms))  # as a reader of the store will have it
    except Exception as error:
        if machines_fault(error):
            raise
        return UnitResult.failed(unit.key, error)
    spec = unit.spec.model_dump(mode="json", exclude={"path", "files"})  # the place of a folder on one machine says nothing on another
    store.embeddings.write(unit.key, embedding, {**record, "spec": spec})
    result = UnitResult(unit.key, "done", bytes=embedding.nbytes, seconds=time.monotonic() - began)
    return Embedded(result, embedding, encoder_facts(record))


def machines_fault(error: Exception) -> bool:
    """Whether an exception while an encoder loads or encodes is the machine's fault, and worth another try elsewhere.

    A device-side assert is not: it is the GPU's way to say that an encoder indexes beyond its tables.
    """
    if isinstance(error, HubProblem):
        return error.transient
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in MACHINE_ERRNO):
        return True
    text = str(error)
    return any(sign in text for sign in BROKEN_DEVICE) and "device-side assert" not in text


def _readouts(units: Sequence[Unit]) -> list[tuple]:
    return list(dict.fromkeys(unit.spec.readout for unit in units))

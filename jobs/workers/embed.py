"""The embed actor: loads one encoder, keeps its chunks, writes the embeddings of all units that are read off it, and
scores them on the tasks."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Union

import numpy as np
import ray

from jobs.planning.ready import VectorsInStore
from jobs.planning.units import PassWork, Unit
from jobs.workers.chunks import encode_chunks, measured
from jobs.workers.events import ChunkMade, Loaded, Paused, ScoreResult, Started, UnitResult
from jobs.workers.faults import check_own
from jobs.workers.featurize import encoder_facts
from jobs.workers.fits import Fits
from jobs.workers.score import Scorer
from jobs.workers.sparsified import KeptMasks
from jobs.workers.till import HeldBack, Paying, Till
from jobs.workers.worker import gpu_name, process_seconds, set_threads, versions
from qre.density import check_finite
from qre.encoders.classical import check_dimensions
from qre.encoders.intact import check_intact
from qre.encoders.passes import EncodeSettings, Pass, readout_name, unit_key
from qre.encoders.snapshots import prefetch
from qre.encoders.spec import EncoderSpec, EndpointSpec, FolderSpec, HubSpec
from qre.errors import EmbeddingError, EncoderError, place_error
from qre.sentences import SentenceSet
from qre.store import NewerSchema, Store
from qre.tasks.task import Task


@ray.remote(max_restarts=0, max_task_retries=0)
class Embedder:
    """Runs passes one after another. On a GPU the driver takes a fresh actor for each; on CPU one is used again, since
    imports are slow.

    Ray restarts and retries nothing here: the driver tries again, with a fresh actor, so that one place knows how
        often.
    """

    def __init__(self, store: str, threads: int, gpus: int):
        self._store, self._threads = Store(store), threads
        self._device = {0: "cpu", 1: "auto"}.get(gpus, "spread")
        self._sentences: SentenceSet | None = None
        self._paused = threading.Event()

    def pause(self) -> None:
        """Of an actor with two threads, while a pass behind an endpoint runs: no more requests, and an end when those
        in flight are answered."""
        self._paused.set()

    def run(
        self,
        work: PassWork,
        fingerprint: str,
        settings: EncodeSettings,
        upcoming: EncoderSpec | None = None,
        cache_bytes: int | None = None,
        tasks: Mapping[str, ray.ObjectRef] | None = None,
        planned_on: str = "",
        paying: Paying | None = None,
    ) -> Iterator[Event | tuple[np.ndarray, dict]]:
        """Embed one pass, telling how far it is: see embed_pass. After each unit that is done comes its embedding with
        the encoder's facts, for the driver to hand on by reference. Meanwhile the snapshot of the `upcoming` encoder is
        fetched, so that the GPU need not wait for it. `tasks` are references of tasks by fingerprint, each fetched when
        its turn comes. `planned_on` is the node where folders were looked at: on any other they may hold something
        else. `paying`: of a pass behind an endpoint.
        """
        set_threads(self._threads)
        context = ray.get_runtime_context()
        yield Started(
            context.get_node_id(), os.getpid(), tuple(context.get_accelerator_ids().get("GPU", ())), process_seconds()
        )
        if isinstance(upcoming, HubSpec):
            prefetch(upcoming, cache_bytes)
        try:
            sentences = self._sentence_set(fingerprint)
            if planned_on != context.get_node_id() and isinstance(work.members[0].spec, FolderSpec):
                check_intact(work.members[0].spec)
            for event in embed_pass(
                self._store,
                work,
                sentences,
                settings,
                self._threads,
                self._device,
                cache_bytes,
                _Fetched(tasks or {}),
                paying or Paying(),
                self._paused,
            ):
                if isinstance(event, Embedded):
                    yield event.result
                    yield event.embedding, event.facts
                else:
                    yield event
        except HeldBack as held:
            yield Paused(held.needs, held.ratio)
        except Exception as error:  # what stands behind an exception is lost on its way to the driver
            if (fault := place_error(error)) is None:
                raise
            raise fault from error

    def _sentence_set(self, fingerprint: str) -> SentenceSet:
        if self._sentences is None or self._sentences.fingerprint != fingerprint:
            try:
                table = self._store.sentences.read(fingerprint)
            except FileNotFoundError:
                raise StoreNotShared(not_shared(self._store)) from None
            self._sentences = SentenceSet.from_table("stored", table)
        return self._sentences


class _Fetched(Mapping):
    """Tasks behind references: one at a time is in this process."""

    def __init__(self, references: Mapping[str, ray.ObjectRef]):
        self._references = references

    def __getitem__(self, fingerprint: str) -> Task:
        return ray.get(self._references[fingerprint])

    def __iter__(self) -> Iterator[str]:
        return iter(self._references)

    def __len__(self) -> int:
        return len(self._references)


class StoreNotShared(Exception):
    """A node looks at another folder than the driver."""


def not_shared(store: Store) -> str:
    return (
        f"node {socket.gethostname()} does not see the store {store.location}: give a store that all nodes see "
        f"(s3://, gs://, or a shared file system)"
    )


@dataclass(frozen=True)
class Embedded:
    """A unit that is done, its embedding (n, d) float32, and what its encoder told of itself."""

    result: UnitResult
    embedding: np.ndarray
    facts: dict


Event = Union[Started, Loaded, ChunkMade, Paused, UnitResult, ScoreResult]


def embed_pass(
    store: Store,
    work: PassWork,
    sentences: SentenceSet,
    settings: EncodeSettings,
    threads: int = 1,
    device: str = "auto",
    cache_bytes: int | None = None,
    tasks: Mapping[str, Task] | None = None,
    paying: Paying = Paying(),
    paused: threading.Event | None = None,
) -> Iterator[Event | Embedded]:
    """Embed the sentences in chunks, write the embedding of each unit, then score the units on tasks; tells how far it
    is.

    Chunks that an earlier, cut-off run has left are used and not computed again. An encoder's own fault ends its units
    as "failed"; what the machine is to blame for (a full disk, a broken GPU, a hub that does not answer now) is raised.
    Behind an endpoint HeldBack is raised where no more may be sent: when `paused` is set, or an allowance is spent.
    """
    started = time.monotonic()
    readouts = list(dict.fromkeys(unit.spec.readout for unit in work.members))
    try:
        ready = VectorsInStore(store)
        own, masks = work.members[0].spec, KeptMasks(store, work.key)
        loaded = Pass(own, sentences.texts, readouts, settings, device, cache_bytes, ready, paying.key, masks)
    except Exception as error:  # whatever loading raises is this encoder's end, not the sweep's
        check_own(error, work.members[0].spec)
        yield from _all_failed(work, {unit.key: error for unit in work.members})
        return
    if loaded.remote is not None:
        loaded.remote.till = Till(store, loaded.remote.spec, paying, paused or threading.Event())
        loaded.remote.learn(_stored(store, loaded.remote.spec, sentences, settings))
    if warned := loaded.record.get("warnings"):
        store.notices.write(work.key, warned)
    device = loaded.record["device"]
    yield Loaded(time.monotonic() - started, device, "" if device == "cpu" else gpu_name())
    try:
        refused = _refused(work, loaded)
        yield from _all_failed(work, refused)
        work = work.left(refused, refused)
        scorer = Scorer(store, work, loaded, sentences, settings, threads)
        if work.units:
            yield from _embed(store, work, loaded, sentences, settings, threads, scorer, started)
        if work.scorings:
            yield from scorer.run(tasks or {})
    finally:
        if loaded.remote is not None:
            loaded.remote.till.close()
            if doubts := loaded.remote.endpoint.doubts:
                store.notices.write(work.key, sorted(doubts))
        loaded.close()


def _embed(
    store: Store,
    work: PassWork,
    loaded: Pass,
    sentences: SentenceSet,
    settings: EncodeSettings,
    threads: int,
    scorer: Scorer,
    started: float,
) -> Iterator[Event | Embedded]:
    """The embeddings of all units; the scorer takes from the matrices what it needs of them."""
    made = encode_chunks(store, work.key, loaded, {readout_name(unit.spec.readout) for unit in work.units})
    matrices, done, seconds = yield from measured(made)
    if isinstance(matrices, Exception):
        check_own(matrices, work.members[0].spec)
        scorer.skip(unit.key for unit in work.units)
        yield from (UnitResult.failed(unit.key, matrices) for unit in work.units)
        return
    record = {
        "sentences": sentences.fingerprint,
        "encode": settings.model_dump(mode="json"),
        "threads": threads,
        **loaded.record,
        "seconds": round(time.monotonic() - started, 3),
        "versions": versions(),
    }
    if loaded.remote is not None:
        _keep_plain(store, work, loaded.remote.spec, matrices[readout_name(())], record, settings)
        loaded.remote.learn(matrices[readout_name(())])
    broken = yield from scorer.fits.on_corpora(work.units)
    scorer.skip(broken)
    yield from (UnitResult.failed(key, error) for key, error in broken.items())
    for unit in (one for one in work.units if one.key not in broken):
        matrix = matrices[readout_name(unit.spec.readout)]
        written = _write_unit(store, unit, matrix, record, sentences.texts, scorer.fits)
        if isinstance(written, UnitResult):
            scorer.skip([unit.key])
        yield written
    store.chunks.remove(work.key)
    if done:
        store.speeds.write(
            work.key,
            {"sentences": done, "seconds": round(seconds, 3), "device": loaded.record["device"], "threads": threads},
        )
    scorer.fit(matrices)


def _stored(store: Store, spec: EndpointSpec, sentences: SentenceSet, settings: EncodeSettings) -> np.ndarray | None:
    """The vectors (n, d) of the sentences before any transform, where the store has them: they are paid for."""
    return store.embeddings.kept(unit_key(spec.untransformed, sentences.fingerprint, settings))


def _keep_plain(
    store: Store, work: PassWork, spec: EndpointSpec, matrix: np.ndarray, record: dict, settings: EncodeSettings
) -> None:
    """Keep what was paid for, (n, d) before any transform: it is what the encoder without transforms is, and what other
    transforms, and a fit for a later task, need."""
    plain = spec.untransformed
    key = unit_key(plain, record["sentences"], settings)
    if key not in {unit.key for unit in work.units} and not store.folder.exists(store.embeddings.name(key)):
        store.embeddings.write(key, matrix, {**record, "spec": plain.model_dump(mode="json", exclude={"fitted_on"})})


def _all_failed(work: PassWork, why: Mapping[str, Exception]) -> Iterator[UnitResult | ScoreResult]:
    """The end of the units in `why`, by key: as units where they were to be embedded, else on each of their tasks."""
    embedded = {unit.key for unit in work.units}
    yield from (UnitResult.failed(unit.key, why[unit.key]) for unit in work.units if unit.key in why)
    for scoring in work.scorings:
        lost = (unit.key for unit in scoring.units if unit.key in why and unit.key not in embedded)
        yield from (ScoreResult.failed(scoring.task, key, why[key]) for key in lost)


def _refused(work: PassWork, loaded: Pass) -> dict[str, EncoderError]:
    """Why, by key, of the units whose readout the encoder does not have."""
    why = {unit.key: loaded.refused.get(readout_name(unit.spec.readout)) for unit in work.members}
    return {key: EncoderError(reason) for key, reason in why.items() if reason}


def _write_unit(
    store: Store, unit: Unit, matrix: np.ndarray, record: dict, sentences: Sequence[str], fits: Fits
) -> UnitResult | Embedded:
    """Apply a unit's transforms to the matrix (n, d) of its readout, and write them, as fitted, and the outcome."""
    began = time.monotonic()
    try:
        check_dimensions(unit.spec, matrix.shape[1])
        check_finite(matrix, unit.spec.name)
        embedding = fits.embedding(unit, matrix)
    except NewerSchema:
        raise
    except Exception as error:
        check_own(error, unit.spec)
        return UnitResult.failed(unit.key, error.naming(sentences) if isinstance(error, EmbeddingError) else error)
    # the place of a folder on one machine says nothing on another
    places = {"path", "files", "base_path", "base_files"}
    dumped = unit.spec.model_dump(mode="json", exclude=places)
    spec = {key: value for key, value in dumped.items() if key not in ("variant", "fitted_on") or value is not None}
    store.embeddings.write(unit.key, embedding, {**record, "spec": spec})
    result = UnitResult(unit.key, "done", bytes=embedding.nbytes, seconds=time.monotonic() - began)
    return Embedded(result, embedding, encoder_facts(record))

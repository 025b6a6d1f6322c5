"""Scores of the units of a pass on tasks, by the encoder that is loaded anyway."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import asdict

import numpy as np

from jobs.planning.prompts import prompts_of, score_file
from jobs.planning.units import PassWork, Scoring, Unit
from jobs.workers.chunks import encode_chunks, texts_key
from jobs.workers.events import ChunkMade, ScoreResult
from jobs.workers.faults import check_own
from jobs.workers.fits import Fits
from jobs.workers.worker import set_threads, versions
from qre.encoders.passes import EncodeSettings, Pass, readout_name, unit_key
from qre.encoders.spec import EncoderSpec, own_prompt
from qre.encoders.transforms import fit_transforms, needs_fit
from qre.errors import EmbeddingError, EncoderError
from qre.sentences import SentenceSet
from qre.store import NewerSchema, Store
from qre.tasks.retrieval import RetrievalTask
from qre.tasks.task import Task, has_vector


class Scorer:
    """Scores the units of one pass. Their transforms are fitted on the sentence set, or on their corpus, as for the
    map: the encoder that is scored is the one on it.

    The vectors of a task's texts are encoded in chunks that are kept until all its units have their score. They are
    scored in threads: while the next task is encoded where a GPU does that, before it on a CPU.
    """

    def __init__(
        self,
        store: Store,
        work: PassWork,
        loaded: Pass,
        sentences: SentenceSet,
        settings: EncodeSettings,
        threads: int = 1,
    ):
        self._store, self._work, self._loaded, self._sentences, self._settings, self._threads = (
            store,
            work,
            loaded,
            sentences,
            settings,
            threads,
        )
        self.fits = Fits(store, work, loaded, settings)
        self._fitted = self.fits.fitted
        self._skipped: set[str] = set()

    def skip(self, keys: Iterable[str]) -> None:
        """Units that have failed: no task is scored for them."""
        self._skipped |= set(keys)

    def fit(self, matrices: Mapping[str, np.ndarray]) -> dict[str, Exception]:
        """Fit transforms on the embeddings (n, d) of the sentence set, by readout, before any transform, where they are
        fitted on it; returns why some cannot be."""
        broken: dict[str, Exception] = {}
        for unit in self._unfitted():
            matrix = matrices.get(readout_name(unit.spec.readout))
            if matrix is None:
                continue
            try:
                self.fits.fit(unit, matrix)
            except NewerSchema:
                raise
            except Exception as error:
                check_own(error, unit.spec)
                broken[unit.key] = error
        return broken

    def run(self, tasks: Mapping[str, Task]) -> Iterator[ChunkMade | ScoreResult]:
        """Every score that is not there, each written as soon as it is known."""
        broken = yield from self._fit_the_rest()
        # threads of the BLAS move the last bits of a score
        pool = ThreadPoolExecutor(self._threads, initializer=set_threads, initargs=(1,))
        scored: Iterator[ScoreResult] = iter(())
        try:
            for scoring in self._work.scorings:
                units = [unit for unit in scoring.units if unit.key not in self._skipped]
                yield from (
                    ScoreResult.failed(scoring.task, unit.key, broken[unit.key]) for unit in units if unit.key in broken
                )
                if units := [unit for unit in units if unit.key not in broken]:
                    ahead = yield from self._begin(scoring, units, tasks[scoring.task], pool)
                    yield from scored  # of the task before: a GPU has encoded this one's texts meanwhile
                    scored = ahead
                if self._loaded.record["device"] == "cpu":  # the CPUs that encode are those that score
                    yield from scored
            yield from scored
        finally:
            pool.shutdown(cancel_futures=True)
            set_threads(self._threads)

    def _to_fit(self) -> list[Unit]:
        units = {
            unit.key: unit
            for scoring in self._work.scorings
            for unit in scoring.units
            if needs_fit(unit.spec.transforms)
        }
        return [unit for unit in units.values() if unit.key not in self._skipped]

    def _unfitted(self) -> list[Unit]:
        """Units whose fit, on the sentence set, is neither here nor in the store."""
        return [unit for unit in self._to_fit() if unit.spec.corpus_of_fit is None and not self.fits.have(unit)]

    def _fit_the_rest(self) -> Generator[ChunkMade, None, dict[str, Exception]]:
        """Transforms of units that were embedded earlier and whose fit is not in the store: on their corpus; or on
        embeddings of the sentences in the store, or made once more; returns why some could not be fitted."""
        lost = yield from self.fits.on_corpora(self._to_fit())
        plain = {readout_name(unit.spec.readout): unit.spec.untransformed for unit in self._unfitted()}
        stored = {name: self._stored(spec) for name, spec in plain.items()}
        broken = self.fit({name: matrix for name, matrix in stored.items() if matrix is not None})
        again = {name for name, matrix in stored.items() if matrix is None}
        matrices = yield from encode_chunks(self._store, self._work.key, self._loaded, again)
        if again:
            self._store.chunks.remove(self._work.key)
        if isinstance(matrices, Exception):
            check_own(matrices, self._work.members[0].spec)
            return lost | broken | {unit.key: matrices for unit in self._unfitted()}
        return lost | broken | self.fit(matrices)

    def _stored(self, spec: EncoderSpec) -> np.ndarray | None:
        """The embedding (n, d) of the sentence set by an encoder, where the store has it."""
        return self._store.embeddings.kept(unit_key(spec, self._sentences.fingerprint, self._settings))

    def _begin(
        self, scoring: Scoring, units: list[Unit], task: Task, pool: ThreadPoolExecutor
    ) -> Generator[ChunkMade, None, Iterator[ScoreResult]]:
        """Encode the texts of a task and begin to score the units; returns their results, as they come."""
        own = own_prompt(units[0].spec)
        try:
            prompts = prompts_of(task, units[0].spec)  # of one pass: all of them have the same
        except EncoderError as error:
            return iter([ScoreResult.failed(scoring.task, unit.key, error) for unit in units])
        if prompts[0] != prompts[1]:
            assert isinstance(task, RetrievalTask)
            task = task.apart()
        parts, keys = [], []
        for side, texts, prompt in sides(task, prompts):
            keys.append(texts_key(self._work.key, scoring.task, *(() if prompts == (own, own) else (prompt, side))))
            part = yield from self._encode(
                keys[-1], texts, None if prompt == own else prompt, {readout_name(unit.spec.readout) for unit in units}
            )
            if isinstance(part, Exception):
                check_own(part, units[0].spec)
                return iter([ScoreResult.failed(scoring.task, unit.key, part) for unit in units])
            parts.append(part)
        vectors = (
            parts[0] if len(parts) == 1 else {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        )
        futures = [pool.submit(self._one, scoring, unit, task, vectors, prompts) for unit in units]
        return self._results(futures, keys)

    def _encode(
        self, key: str, texts: Sequence[str], prompt: str | None, wanted: set[str]
    ) -> Generator[ChunkMade, None, Mapping[str, np.ndarray] | Exception]:
        try:
            loaded = self._loaded.over(texts, prompt)
        except Exception as error:  # a classical encoder may be fitted only now
            check_own(error, self._work.members[0].spec)
            return error
        return (yield from encode_chunks(self._store, key, loaded, wanted))

    def _results(self, futures: list[Future], keys: list[str]) -> Iterator[ScoreResult]:
        for future in as_completed(futures):
            yield future.result()
        for key in keys:
            self._store.chunks.remove(key)

    def _one(
        self, scoring: Scoring, unit: Unit, task: Task, vectors: Mapping[str, np.ndarray], prompts: tuple[str, str]
    ) -> ScoreResult:
        began = time.monotonic()
        try:
            own = vectors[readout_name(unit.spec.readout)]
            fitted = self._fitted.get(unit.key) or fit_transforms(own[:1], unit.spec.transforms)
            score, items = task.scored(fitted.apply(own), has_vector(own))
        except Exception as error:
            check_own(error, unit.spec)
            return ScoreResult.failed(
                scoring.task, unit.key, error.naming(task.texts) if isinstance(error, EmbeddingError) else error
            )
        # the task's name is not part of its identity, and may change
        record = {name: value for name, value in asdict(score).items() if name != "task"}
        if score.details is None:  # as older records have it
            del record["details"]
        name = score_file(task, unit)
        told = {"prompts": list(prompts)} if name != unit.key else {}
        self._store.items.write(scoring.task, name, items)  # first, so that a score that is there has them
        self._store.scores.write(scoring.task, name, {**record, **told, "versions": versions()})
        return ScoreResult(scoring.task, unit.key, "done", seconds=time.monotonic() - began)


def sides(task: Task, prompts: tuple[str, str]) -> list[tuple[str, Sequence[str], str]]:
    """(side, texts, prompt): all texts, or queries and documents where their prompts differ."""
    if prompts[0] == prompts[1]:
        return [("", task.texts, prompts[0])]
    assert isinstance(task, RetrievalTask)
    return [("query", task.texts[: task.queries], prompts[0]), ("document", task.texts[task.queries :], prompts[1])]

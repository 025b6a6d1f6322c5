"""The transforms of the units of one pass: fitted on the sentence set or on a corpus, and kept in the store.

A fit is read where it is needed again: for a task that came later, for an embedding that is gone.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable

import numpy as np

from jobs.planning.units import PassWork, Unit, corpus_key
from jobs.workers.chunks import encode_chunks
from jobs.workers.events import ChunkMade
from jobs.workers.faults import check_own
from jobs.workers.worker import versions
from qre.density import check_finite
from qre.encoders.fitted import FittedTransforms
from qre.encoders.passes import EncodeSettings, Pass, readout_name, unit_key
from qre.encoders.transforms import check_numbers, fit_and_apply, needs_fit
from qre.errors import EmbeddingError, PlaceError
from qre.sentences import SentenceSet
from qre.store import UNREADABLE, CorruptArtefact, NewerSchema, Store

AGAIN = "a corpus that transforms are fitted on is not in the store; run the same command again, which writes it anew"


def stored_fit(store: Store, key: str, transforms: tuple[str, ...]) -> FittedTransforms | None:
    """The fit of a unit in the store; None where there is none that can be read. One that is damaged, or of other
    transforms, is in quarantine afterwards.

    Raises:
        NewerSchema: it is of a newer version.
    """
    try:
        kept, dimension, arrays = store.fits.read(key)
        if kept != transforms:
            raise ValueError("holds the fit of other transforms")
        return FittedTransforms.of_arrays(kept, dimension, arrays)
    except (FileNotFoundError, CorruptArtefact, *UNREADABLE):
        return None
    except ValueError as error:
        store.fits.refuse(key, str(error))
        return None


class Fits:
    """The fits of one pass.

    Attributes:
        fitted: by unit key, those that are in this process: of units that are scored, or about to be written.
    """

    def __init__(self, store: Store, work: PassWork, loaded: Pass, settings: EncodeSettings):
        self._store, self._work, self._loaded, self._settings = store, work, loaded, settings
        self._scored = {unit.key for scoring in work.scorings for unit in scoring.units}
        self._absent: set[str] = set()
        self.fitted: dict[str, FittedTransforms] = {}

    def have(self, unit: Unit) -> bool:
        """Whether the fit of a unit is known here, or in the store; one that is damaged or of other transforms is
        not."""
        if unit.key in self.fitted:
            return True
        if unit.key in self._absent:
            return False
        if (kept := stored_fit(self._store, unit.key, unit.spec.transforms)) is None:
            self._absent.add(unit.key)
            return False
        self.fitted[unit.key] = kept
        return True

    def fit(self, unit: Unit, matrix: np.ndarray) -> np.ndarray:
        """Fit the transforms of a unit on vectors (n, d) float32, and keep the fit; returns the vectors after them.

        Raises:
            EncoderError: as transforms.fit_transforms.
        """
        fitted, embedding = fit_and_apply(matrix, unit.spec.transforms)
        if needs_fit(fitted.transforms):
            self._store.fits.write(unit.key, fitted.transforms, fitted.dimension, fitted.arrays())
            self.fitted[unit.key] = fitted
        return embedding

    def embedding(self, unit: Unit, matrix: np.ndarray) -> np.ndarray:
        """The embedding of the sentences, (n, d') float32, of their vectors (n, d) before any transform; of a unit with
        a corpus after `on_corpora`.

        Raises:
            EncoderError: as transforms.apply_transforms.
        """
        if unit.spec.corpus_of_fit is None:
            embedding = self.fit(unit, matrix)
        else:
            with np.errstate(over="ignore", invalid="ignore"):
                embedding = self.fitted[unit.key].apply(matrix)
            check_numbers(embedding, ", ".join(unit.spec.transforms))
        if unit.key not in self._scored:  # a fit may be as large as the embedding
            self.fitted.pop(unit.key, None)
        return np.ascontiguousarray(embedding)  # as a reader of the store will have it

    def on_corpora(self, units: Iterable[Unit]) -> Generator[ChunkMade, None, dict[str, Exception]]:
        """Fit the units that have a corpus and no fit yet. A corpus is embedded once for all of them, in chunks that
        are kept until they are fitted; returns why some cannot be, by key."""
        wanted: dict[str, list[Unit]] = {}
        for unit in units:
            if unit.spec.corpus_of_fit is not None and not self.have(unit):
                wanted.setdefault(unit.spec.corpus_of_fit, []).append(unit)
        broken: dict[str, Exception] = {}
        for fingerprint, own in wanted.items():
            corpus = self._corpus(fingerprint)
            matrices = yield from self._embedded(corpus, own)
            for unit in own:
                try:
                    if isinstance(matrices, Exception):
                        raise matrices
                    matrix = matrices[readout_name(unit.spec.readout)]
                    check_finite(matrix, unit.spec.name)
                    self.fit(unit, matrix)
                except NewerSchema:
                    raise
                except Exception as error:
                    check_own(error, unit.spec)
                    broken[unit.key] = error.naming(corpus.texts) if isinstance(error, EmbeddingError) else error
            self._store.chunks.remove(corpus_key(self._work.key, fingerprint))
        return broken

    def _corpus(self, fingerprint: str) -> SentenceSet:
        try:
            return SentenceSet.from_table("corpus", self._store.sentences.read(fingerprint))
        except (FileNotFoundError, CorruptArtefact):
            raise PlaceError(AGAIN) from None

    def _embedded(
        self, corpus: SentenceSet, units: list[Unit]
    ) -> Generator[ChunkMade, None, dict[str, np.ndarray] | Exception]:
        """The vectors (m, d) of a corpus by readout, before any transform, or the encoder's own fault."""
        remote = self._loaded.remote
        plain = units[0].spec.untransformed
        key = unit_key(plain, corpus.fingerprint, self._settings)
        names = {readout_name(one.spec.readout) for one in units}
        if remote is not None and (paid := self._store.embeddings.kept(key)) is not None:
            return dict.fromkeys(names, paid)
        try:
            loaded = self._loaded.over(corpus.texts)
        except Exception as error:  # a classical encoder may be fitted only now
            return error
        made = yield from encode_chunks(self._store, corpus_key(self._work.key, corpus.fingerprint), loaded, names)
        if remote is not None and not isinstance(made, Exception):  # what was paid for is kept, as of the sentences
            record = {
                "sentences": corpus.fingerprint,
                "encode": self._settings.model_dump(mode="json"),
                **self._loaded.record,
                "spec": plain.model_dump(mode="json", exclude={"fitted_on"}),
                "versions": versions(),
            }
            self._store.embeddings.write(key, made[readout_name(())], record)
        return made

"""Passes: what is loaded and run once, and the encoders that are read off it.

A pass yields its embedding in chunks, so that a pass that is cut off is taken up at the chunk where it stopped.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from qre.encoders.api_key import ApiKey
from qre.encoders.endpoint_pass import EndpointPass
from qre.encoders.matrix import MatrixPass, ReadyVectors
from qre.encoders.spec import ClassicalSpec, EncoderSpec, EndpointSpec, MatrixSpec, ModelSpec, StaticSpec, WordsSpec
from qre.encoders.static import StaticPass
from qre.encoders.transformer import TransformerPass, token_budget_batches
from qre.encoders.word_vectors import ReadyWords, WordsPass

if TYPE_CHECKING:
    from qre.encoders.classical import FittedClassical
    from qre.encoders.variants import Prepare

KEY_SCHEMA = 1


class EncodeSettings(BaseModel):
    """How transformers are run.

    Attributes:
        token_budget: most tokens in one batch, padding included; on CPU small batches are faster, on a GPU give 16,384
            or more. It moves the last bits of an embedding, and so is part of the unit's key.
        chunk_sentences: sentences in one kept chunk, about; changes no number.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    token_budget: int = Field(1024, ge=16)
    chunk_sentences: int = Field(256, ge=1)


def unit_key(spec: EncoderSpec, fingerprint: str, settings: EncodeSettings) -> str:
    """sha256 (hex) of all that can change a number of the unit's embedding."""
    return _key(spec.encoder_identity(), spec, fingerprint, settings)


def pass_key(spec: EncoderSpec, fingerprint: str, settings: EncodeSettings) -> str:
    """sha256 (hex) of what is loaded and run once; encoders with one pass key share it."""
    return _key(spec.pass_identity(), spec, fingerprint, settings)


def parent_key(spec: EncoderSpec) -> str:
    """sha256 (hex) of pass and readout: encoders of one parent differ in their transforms only."""
    return _sha256(spec.parent_identity())


def _key(identity: dict, spec: EncoderSpec, fingerprint: str, settings: EncodeSettings) -> str:
    batching = (spec.token_budget or settings.token_budget) if isinstance(spec, ModelSpec) else None
    content = {"schema": KEY_SCHEMA, "encoder": identity, "sentences": fingerprint, "token_budget": batching}
    return _sha256(content)


def _sha256(content: dict) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()


def readout_name(readout: tuple) -> str:
    """The name of a readout in a chunk: "default", or "3-cls" for layer 3 with cls pooling."""
    return "-".join(map(str, readout)) or "default"


class Pass:
    """A loaded pass.

    Args:
        ready: of an encoder that is ready vectors, of sentences or of words, where they are.
        key: of an encoder behind an endpoint that wants one.
        prepare: of a transformer, what makes the variant that its spec asks for.

    Attributes:
        chunks: row indices (b,) int64 of each chunk; together every row once. The same for the same sentences and
            settings.
        record: what is known of the loaded encoder.
        refused: readouts, by name, that the encoder does not have -> why.
    """

    def __init__(
        self,
        spec: EncoderSpec,
        sentences: Sequence[str],
        readouts: Sequence[tuple],
        settings: EncodeSettings,
        device: str = "auto",
        cache_bytes: int | None = None,
        ready: ReadyVectors | ReadyWords | None = None,
        key: ApiKey | None = None,
        prepare: Prepare | None = None,
    ):
        self._run: _ClassicalPass | EndpointPass | MatrixPass | StaticPass | WordsPass | _TransformerPass
        if isinstance(spec, ClassicalSpec):
            self._run = _ClassicalPass(spec, sentences)
        elif isinstance(spec, StaticSpec):
            self._run = StaticPass(spec, sentences)
        elif isinstance(spec, MatrixSpec):
            self._run = MatrixPass(spec, sentences, cast("ReadyVectors | None", ready))
        elif isinstance(spec, WordsSpec):
            self._run = WordsPass(spec, sentences, cast("ReadyWords | None", ready))
        elif isinstance(spec, EndpointSpec):
            self._run = EndpointPass(spec, sentences, key)
        else:
            budget = spec.token_budget or settings.token_budget
            self._run = _TransformerPass(
                spec, sentences, readouts, token_budget=budget, device=device, cache_bytes=cache_bytes, prepare=prepare
            )
        self._chunk_sentences = settings.chunk_sentences
        self._cut()
        self.record: dict[str, Any] = self._run.record
        self.refused = {readout_name(readout): why for readout, why in self._run.refused.items()}

    def _cut(self) -> None:
        self._batches = _grouped(self._run.batches, self._chunk_sentences)
        self.chunks = [np.concatenate(batches).astype(np.int64) for batches in self._batches]

    def over(self, texts: Sequence[str], prompt: str | None = None) -> Pass:
        """The same loaded encoder over other texts: same token budget; a classical encoder as fitted on the sentences,
        and without a prompt.

        A batch's make-up moves the last bits of a transformer's vectors, so a text that is also a sentence may differ
        there.

        Args:
            texts: m texts, at least one; they need not be distinct.
            prompt: put before each; None: that of the spec.
        """
        other = copy.copy(self)
        other._run = self._run.over(texts, prompt)
        other._cut()
        return other

    def encode(self, chunk: int) -> dict[str, np.ndarray]:
        """The embeddings of a chunk: for each readout, by its name, shape (len(chunks[chunk]), d), float32.

        Raises:
            EncoderError: the encoder's own fault. NaN in some readouts and not in others is left in the vectors.
        """
        parts = [self._run.encode(rows) for rows in self._batches[chunk]]
        return {readout_name(readout): np.concatenate([part[readout] for part in parts]) for readout in parts[0]}

    def encode_texts(self, texts: Sequence[str], prompt: str | None = None) -> dict[str, np.ndarray]:
        """All vectors of other texts at once: see `over`.

        Returns:
            for each readout that is not refused, by its name, shape (m, d), float32, before any transform.

        Raises:
            EncoderError: as `encode`; a classical encoder whose chunks were all kept is fitted only now, and may fail
                in that.
        """
        other = self.over(texts, prompt)
        vectors: dict[str, np.ndarray] = {}
        for index, rows in enumerate(other.chunks):
            for name, part in other.encode(index).items():
                vectors.setdefault(name, np.empty((len(texts), part.shape[1]), np.float32))[rows] = part
        return vectors

    @property
    def remote(self) -> EndpointPass | None:
        """The pass where it is behind an endpoint: its texts are sent side by side, and each answer is paid for."""
        return self._run if isinstance(self._run, EndpointPass) else None

    @property
    def similarity(self) -> str:
        """How the encoder itself compares two vectors: cosine, dot, euclidean or manhattan."""
        return getattr(self._run, "similarity", "cosine")

    def close(self) -> None:
        """Let go of what the pass holds on this node."""
        self._run.close()


class _TransformerPass(TransformerPass):
    """A transformer that also encodes texts that are not its sentences."""

    def __init__(self, *args, token_budget: int, **keywords):
        super().__init__(*args, token_budget=token_budget, **keywords)
        self._token_budget = token_budget

    @property
    def similarity(self) -> str:
        name = self._model.similarity_fn_name
        return str(getattr(name, "value", name) or "cosine")

    def over(self, texts: Sequence[str], prompt: str | None = None) -> _TransformerPass:
        other = copy.copy(self)  # the same model and record
        other._sentences = texts
        if prompt is not None:
            other._spec = self._spec.model_copy(update={"prompt": prompt})
        other.batches = token_budget_batches(other._token_lengths()[0], self._token_budget)
        return other


class _ClassicalPass:
    """A classical encoder is applied in one go: one batch, one chunk. It is fitted when first asked for vectors."""

    def __init__(self, spec: ClassicalSpec, sentences: Sequence[str]):
        self._spec, self._sentences, self._texts = spec, sentences, sentences
        self.batches = [np.arange(len(sentences))]
        self.record = {"device": "cpu", "attributes": {"architecture": spec.kind, "embedding_dimension": spec.rank}}
        self.refused: dict[tuple, str] = {}

    @cached_property
    def _fitted(self) -> FittedClassical:
        from qre.encoders.classical import (
            fit_classical,  # here: scikit-learn is large, and every command imports this file
        )

        return fit_classical(self._spec, self._sentences)

    def encode(self, rows: np.ndarray) -> dict[tuple, np.ndarray]:
        return {(): self._fitted.transform([self._texts[row] for row in rows])}

    def over(self, texts: Sequence[str], prompt: str | None = None) -> _ClassicalPass:
        self._fitted  # noqa: B018 (fitted once, for all that it is applied to)
        other = copy.copy(self)
        other._texts, other.batches = texts, [np.arange(len(texts))]
        return other

    def close(self) -> None:
        """It holds nothing."""


def _grouped(batches: list[np.ndarray], size: int) -> list[list[np.ndarray]]:
    """Batches in order, put together until a group has `size` rows."""
    groups: list[list[np.ndarray]] = [[]]
    rows = 0
    for batch in batches:
        if rows >= size:
            groups.append([])
            rows = 0
        groups[-1].append(batch)
        rows += len(batch)
    return groups

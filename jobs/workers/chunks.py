"""Encoding in chunks that are kept until the work is whole: of the sentences, and of the texts of a task."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import TypeVar

import numpy as np

from jobs.workers.events import ChunkMade
from jobs.workers.faults import machines_fault
from jobs.workers.requests import encode_requests
from qre.encoders.passes import Pass
from qre.store import Store
from qre.store.folder import content_key

Result = TypeVar("Result")


def texts_key(pass_key: str, task: str, prompt: str | None = None, side: str = "") -> str:
    """The key of the chunks of a task's texts (or of those of one side) by one pass: sha256 (hex); with the prompt,
    where it is not the pass's own."""
    content = {"pass": pass_key, "task": task}
    return content_key(content if prompt is None else {**content, "prompt": prompt, "side": side})


def encode_chunks(
    store: Store, key: str, loaded: Pass, wanted: set[str]
) -> Generator[ChunkMade, None, dict[str, np.ndarray] | Exception]:
    """Make the chunks that are not kept already under `key`; returns the matrix (m, d) float32 of each wanted readout
    in the order of the texts, or the encoder's own fault."""
    if loaded.remote is not None and wanted:
        return (yield from encode_requests(store, key, loaded.remote))
    matrices: dict[str, np.ndarray] = {}
    total = sum(map(len, loaded.chunks))
    for index, rows in enumerate(loaded.chunks if wanted else []):
        began = time.monotonic()
        vectors = store.chunks.read(key, index, rows)
        missing = vectors is None or not wanted <= vectors.keys()
        if vectors is None or missing:
            try:
                vectors = loaded.encode(index)
            except Exception as error:
                if machines_fault(error):
                    raise
                return error
            store.chunks.write(key, index, rows, vectors)
        for name in wanted:
            part = vectors[name]
            matrices.setdefault(name, np.empty((total, part.shape[1]), np.float32))[rows] = part
        yield ChunkMade(index + 1, len(loaded.chunks), len(rows) if missing else 0, time.monotonic() - began)
    return matrices


def measured(events: Generator[ChunkMade, None, Result]) -> Generator[ChunkMade, None, tuple[Result, int, float]]:
    """The same events; returns also how many sentences were encoded now, and in how many seconds."""
    sentences, seconds = 0, 0.0
    while True:
        try:
            event = next(events)
        except StopIteration as end:
            return end.value, sentences, seconds
        if event.sentences:
            sentences, seconds = sentences + event.sentences, seconds + event.seconds
        yield event

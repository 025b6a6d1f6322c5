"""Encoding behind an endpoint: several requests in flight, each answer kept as a chunk when it arrives.

A chunk holds the vectors of the texts of one request. Rows that any chunk holds are not sent again, however the texts
are cut into requests now.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Generator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

import numpy as np

from jobs.workers.events import ChunkMade
from jobs.workers.faults import machines_fault
from jobs.workers.probe import check_model
from jobs.workers.till import HeldBack, Till
from qre.encoders.endpoint import EndpointDown, ModelChanged, TooMuch
from qre.encoders.endpoint_client import Halted
from qre.encoders.endpoint_pass import EndpointPass
from qre.errors import EncoderError
from qre.store import Store

BEAT_SECONDS = 5.0  # between signs of life while nothing is answered
NAME = "default"  # of the one readout


@dataclass(eq=False)
class _Parted:
    """The halves of a batch that was refused: where both are taken, it was too large."""

    size: int
    left: int = 2


@dataclass(frozen=True)
class _Batch:
    rows: np.ndarray
    of: _Parted | None = None


@dataclass
class _Course:
    """One call of encode_requests."""

    queue: deque[_Batch]
    kept: int
    flying: dict[Future, _Batch] = field(default_factory=dict)
    halt: threading.Event = field(default_factory=threading.Event)
    made: list[int] = field(default_factory=list)
    error: Exception | None = None

    def went_wrong(self, error: Exception) -> None:
        """The first error counts, but the encoder's own before a wish to stop."""
        if self.error is None:
            self.error = HeldBack() if isinstance(error, Halted) else error
        elif isinstance(self.error, HeldBack) and isinstance(error, EncoderError):
            self.error = error

    @property
    def total(self) -> int:
        return self.kept + len(self.made) + len(self.queue) + len(self.flying)


def encode_requests(
    store: Store, key: str, remote: EndpointPass
) -> Generator[ChunkMade, None, dict[str, np.ndarray] | Exception]:
    """Ask for the texts whose vectors are in no chunk under `key`, after a probe of the model; returns the matrix
    (n, d) float32 of all texts, or the encoder's own fault. What is in flight when something goes wrong is awaited and
    kept.

    Raises:
        HeldBack: no more may be sent now.
        EndpointDown, OSError: the place's fault.
    """
    assert remote.till is not None
    filled, kept = _kept(store, key, remote)
    missing = [rows for batch in remote.requests if len(rows := batch[~filled.there[batch]])]
    course = _Course(deque(map(_Batch, missing)), kept)
    if course.queue or kept:  # what is kept may lack the probe at its end
        try:
            if not remote.till.probed:
                yield from _probe(store, remote, course)
                remote.till.probed = True
        except EncoderError as error:
            return error
        yield from _ask_all(store, key, remote, course, filled)
        if course.error is not None:
            if machines_fault(course.error) or isinstance(course.error, HeldBack):
                raise course.error
            return course.error
        if course.made and (changed := (yield from _still(store, key, remote, course))) is not None:
            return changed
    assert filled.vectors is not None  # there are texts, and all are there
    return {NAME: filled.vectors[remote.places]}


def _still(
    store: Store, key: str, remote: EndpointPass, course: _Course
) -> Generator[ChunkMade, None, ModelChanged | None]:
    """The probe when all is answered: that the model has changed meanwhile, None where it has not.

    Raises:
        EndpointDown: it gave no answer that tells; what was answered is kept, and the next run begins with the probe.
    """
    try:
        yield from _probe(store, remote, course)
    except ModelChanged as changed:
        store.chunks.remove_some(key, course.made)  # whose they are is not known
        return changed
    except EncoderError as error:
        raise EndpointDown(
            f"all texts are answered and kept, but not the probe at the end ({error}): run the same command again"
        ) from None
    return None


def _probe(store: Store, remote: EndpointPass, course: _Course) -> Generator[ChunkMade, None, None]:
    """check_model, with signs of life meanwhile."""
    with ThreadPoolExecutor(1, "probe") as pool:
        future = pool.submit(check_model, store, remote.endpoint, remote.till)
        while not wait([future], timeout=BEAT_SECONDS).done:
            yield _sign(remote, course)
    try:
        future.result()
    except Halted:
        raise HeldBack from None
    yield _sign(remote, course)


def _sign(remote: EndpointPass, course: _Course) -> ChunkMade:
    tokens, money = remote.till.paid
    return ChunkMade(course.kept + len(course.made), course.total, 0, 0.0, tokens, money)


@dataclass
class _Filled:
    """Vectors of the texts that are sent, as they come."""

    there: np.ndarray
    vectors: np.ndarray | None = None

    def put(self, rows: np.ndarray, part: np.ndarray) -> None:
        if self.vectors is None:
            self.vectors = np.empty((len(self.there), part.shape[1]), np.float32)
        if part.shape[1] != self.vectors.shape[1]:
            raise EncoderError(
                f"the server gives vectors of {part.shape[1]} dimensions, and gave {self.vectors.shape[1]} before"
            )
        self.vectors[rows], self.there[rows] = part, True


def _kept(store: Store, key: str, remote: EndpointPass) -> tuple[_Filled, int]:
    """What is there already: in chunks, and of texts that were sent for something else."""
    filled, count = _Filled(np.zeros(len(remote.sent), bool)), 0
    for rows, readouts in store.chunks.kept(key):
        part = readouts.get(NAME)
        if part is None or not len(part) == len(rows) > 0 or rows.min() < 0 or rows.max() >= len(filled.there):
            continue
        if filled.vectors is None or filled.vectors.shape[1] == part.shape[1]:
            filled.put(rows, part)
            count += 1
    known = [row for row, text in enumerate(remote.sent) if not filled.there[row] and text in remote.known]
    if known:
        filled.put(np.array(known), np.stack([remote.known[remote.sent[row]] for row in known]))
    return filled, count


def _ask_all(
    store: Store, key: str, remote: EndpointPass, course: _Course, filled: _Filled
) -> Generator[ChunkMade, None, None]:
    """Send until nothing is left, or something went wrong; then await what is in flight."""
    said = time.monotonic()
    with ThreadPoolExecutor(remote.spec.concurrency, "request") as pool:
        try:
            while True:
                _send(store, key, remote, course, pool)
                if not course.flying:
                    return
                done, _ = wait(course.flying, timeout=BEAT_SECONDS / 10, return_when=FIRST_COMPLETED)
                if remote.till.paused.is_set() and course.error is None:
                    course.error = HeldBack()
                if course.error is not None:
                    course.halt.set()
                for future in done:
                    batch = course.flying.pop(future)
                    try:
                        event = _take(future, batch, remote, course, filled)
                    except Exception as error:
                        course.went_wrong(error)
                        continue
                    if event is not None:
                        said = time.monotonic()
                        yield event
                if time.monotonic() - said > BEAT_SECONDS:
                    said = time.monotonic()
                    yield _sign(remote, course)
        finally:  # also where nobody takes the events any more
            course.halt.set()


def _send(store: Store, key: str, remote: EndpointPass, course: _Course, pool: ThreadPoolExecutor) -> None:
    """As many requests as may be in flight together."""
    till: Till = remote.till
    while course.queue and len(course.flying) < remote.spec.concurrency and course.error is None:
        texts = [remote.sent[row] for row in course.queue[0].rows]
        reserved = till.about(texts)
        try:
            till.check(reserved)
        except HeldBack as held:
            course.error = held
            return
        batch = course.queue.popleft()
        course.flying[pool.submit(_one, store, key, remote, batch, texts, reserved, course.halt)] = batch


def _one(
    store: Store, key: str, remote: EndpointPass, batch: _Batch, texts: list[str], reserved: int, halt: threading.Event
) -> tuple[np.ndarray, float]:
    """One request, in a thread: its vectors (b, d) and the seconds it took, when what it took is recorded and its
    chunk stands in the store."""
    began, till = time.monotonic(), remote.till
    try:
        answer = remote.endpoint.embed(texts, halt)
    except BaseException as error:
        till.settle(texts, reserved, None, sent=isinstance(error, Halted) and error.sent)
        raise
    till.settle(texts, reserved, answer.tokens)
    store.chunks.write(key, int(batch.rows[0]), batch.rows, {NAME: answer.vectors})
    return answer.vectors, time.monotonic() - began


def _take(future: Future, batch: _Batch, remote: EndpointPass, course: _Course, filled: _Filled) -> ChunkMade | None:
    """What one request has come to; a batch that is refused is parted, and asked again."""
    try:
        vectors, seconds = future.result()
    except TooMuch as error:
        if len(batch.rows) == 1:
            raise remote.refusal(int(batch.rows[0]), error) from None
        half = -(-len(batch.rows) // 2)
        parted = _Parted(half)
        course.queue.extendleft([_Batch(batch.rows[half:], parted), _Batch(batch.rows[:half], parted)])
        return None
    filled.put(batch.rows, vectors)
    course.made.append(int(batch.rows[0]))
    if batch.of is not None:
        batch.of.left -= 1
        if not batch.of.left:  # both halves are taken: the next ones are cut so from the start
            again = [rows for one in course.queue for rows in _cut(one, batch.of.size)]
            course.queue = deque(again)
    return replace(_sign(remote, course), sentences=len(batch.rows), seconds=seconds)


def _cut(batch: _Batch, size: int) -> list[_Batch]:
    if len(batch.rows) <= size:
        return [batch]
    return [_Batch(batch.rows[start : start + size]) for start in range(0, len(batch.rows), size)]

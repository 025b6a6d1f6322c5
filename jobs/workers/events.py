"""What a worker tells the driver while it works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jobs.workers.faults import doubtful
from qre.errors import EncoderError


@dataclass(frozen=True)
class Started:
    """The actor has begun on a pass: its node (Ray's id), process, the GPUs it sees, and for how many seconds its
    process has been there."""

    node: str
    pid: int
    gpus: tuple[str, ...]
    seconds: float = 0.0


@dataclass(frozen=True)
class Loaded:
    """The encoder is loaded, its snapshot fetched before if need be, onto a device of this kind (cpu, cuda); `gpu` is
    torch's name of it."""

    seconds: float
    device: str
    gpu: str = ""


@dataclass(frozen=True)
class ChunkMade:
    """A chunk of a pass, or of the texts of a task, stands in the store.

    Attributes:
        made, of: chunks that are made, and of how many.
        sentences: in this chunk; 0 where an earlier, cut-off try had made it.
        seconds: it took.
        tokens, money: that the attempt has paid for until now, behind an endpoint.
    """

    made: int
    of: int
    sentences: int
    seconds: float
    tokens: int = 0
    money: float = 0.0


@dataclass(frozen=True)
class Paused:
    """A pass behind an endpoint ends before its work is done: it was asked to, or its allowance is spent. The last
    event of its attempt.

    Attributes:
        needs: money that its next request is expected to cost, where that is why.
        ratio: tokens that the server has counted for each that was expected.
    """

    needs: float = 0.0
    ratio: float = 1.0


@dataclass(frozen=True)
class UnitResult:
    """The end of one unit in one step.

    Attributes:
        status: "done"; "failed" by the encoder's own fault; "absent" where what the step needs was not there (or was
            corrupt, and is in quarantine): the next round makes it again; "withheld" where it is there and cannot be
            read: not tried again in this sweep.
        bytes: of the embedding that was written.
        seconds: it took to put together and write.
        doubtful: it failed by what is believed only when it has come twice: see faults.doubtful.
    """

    key: str
    status: Literal["done", "failed", "absent", "withheld"]
    exception: str = ""
    message: str = ""
    bytes: int = 0
    seconds: float = 0.0
    doubtful: bool = False

    @classmethod
    def failed(cls, key: str, error: BaseException) -> UnitResult:
        return cls(key, "failed", _reason(error), str(error)[:2000], doubtful=doubtful(error))


@dataclass(frozen=True)
class ScoreResult:
    """The end of one unit on one task: see UnitResult. The score itself stands in the store.

    Attributes:
        task: its fingerprint.
        key: of the unit.
    """

    task: str
    key: str
    status: Literal["done", "failed"]
    exception: str = ""
    message: str = ""
    seconds: float = 0.0
    doubtful: bool = False

    @classmethod
    def failed(cls, task: str, key: str, error: Exception) -> ScoreResult:
        return cls(task, key, "failed", _reason(error), str(error)[:2000], doubtful=doubtful(error))


def _reason(error: BaseException) -> str:
    """The reason that an error names, as a plan would have told it; else its kind."""
    reason = getattr(error, "reason", "") if isinstance(error, EncoderError) else ""
    return str(reason or type(error).__name__)

"""What a worker tells the driver of one unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class UnitResult:
    """The end of one unit in one step.

    Attributes:
        status: "done"; "failed" by the encoder's own fault; "absent" where what the step needs was not there (or was corrupt, and is in
            quarantine): the next round makes it again.
    """

    key: str
    status: Literal["done", "failed", "absent"]
    exception: str = ""
    message: str = ""

    @classmethod
    def failed(cls, key: str, error: Exception) -> UnitResult:
        return cls(key, "failed", type(error).__name__, str(error)[:2000])

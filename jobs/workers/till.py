"""What a pass behind an endpoint may still spend, and what it has spent: recorded before its chunk is kept, so that
whatever was answered is counted, also of a run that is killed."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from qre.encoders.api_key import ApiKey
from qre.encoders.endpoint_pass import about_tokens
from qre.encoders.spec import EndpointSpec
from qre.store import Store


@dataclass(frozen=True)
class Paying:
    """How an attempt at a pass pays.

    Attributes:
        key: of the endpoint; it is nowhere but in this call.
        sweep, record: where in the store what is spent is recorded.
        allowance: what the attempt may spend, in money.
    """

    key: ApiKey | None = None
    sweep: str = ""
    record: str = ""
    allowance: float = math.inf


class HeldBack(Exception):
    """No more requests are sent: the work was asked to pause, or its allowance is spent. What is answered is kept.

    Attributes:
        needs: money that the next request is expected to cost, where that is why.
        ratio: tokens that the server has counted for each that was expected.
    """

    def __init__(self, needs: float = 0.0, ratio: float = 1.0):
        super().__init__("held back")
        self.needs, self.ratio = needs, ratio


class Till:
    """Of one attempt, for all its threads. Estimates follow what the server has counted so far."""

    def __init__(self, store: Store, spec: EndpointSpec, paying: Paying, paused: threading.Event):
        self._store, self._paying, self._price = store, paying, spec.price
        self.paused, self.probed = paused, False
        self._began = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._lock = threading.Lock()
        self._tokens = self._guessed = self._reserved = 0  # counted; guessed of the same texts; of those in flight

    def about(self, texts: Sequence[str]) -> int:
        """Tokens of texts, by what the server counted for others."""
        return math.ceil(about_tokens(texts) * self._ratio)

    def check(self, tokens: int) -> None:
        """Reserve what a request is expected to take; HeldBack where it may not be sent."""
        with self._lock:
            needs = self._money(tokens)
            if self.paused.is_set():
                raise HeldBack
            if needs and self._money(self._tokens + self._reserved) + needs > self._paying.allowance:
                raise HeldBack(needs, self._ratio)
            self._reserved += tokens

    def settle(self, texts: Sequence[str], reserved: int, counted: int | None, sent: bool = True) -> None:
        """A request has ended: count and record what it took.

        Args:
            counted: tokens by the server; None where it told none, and the estimate counts.
            sent: False where it took nothing, since it failed.
        """
        with self._lock:
            self._reserved -= reserved
            if not sent:
                return
            self._tokens += reserved if counted is None else counted
            self._guessed += about_tokens(texts)
            if self._paying.sweep:
                self._store.spending.write(self._paying.sweep, self._paying.record, self._told())

    def close(self) -> None:
        """The last word of the record."""
        if self._paying.sweep and self._tokens:
            with self._lock, contextlib.suppress(OSError):  # the one before says as much
                self._store.spending.write(self._paying.sweep, self._paying.record, {**self._told(), "ended": True})

    @property
    def paid(self) -> tuple[int, float]:
        """Tokens and money until now."""
        return self._tokens, self._money(self._tokens)

    @property
    def _ratio(self) -> float:
        return self._tokens / self._guessed if self._guessed else 1.0

    def _money(self, tokens: int) -> float:
        return tokens * (self._price or 0.0) / 1e6

    def _told(self) -> dict:
        cost = None if self._price is None else self._money(self._tokens)
        return {
            "began": self._began,
            "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "ended": False,
            "gpu_seconds": {},
            "reserved": {},
            "tokens": self._tokens,
            "tokens_cost": cost,
        }

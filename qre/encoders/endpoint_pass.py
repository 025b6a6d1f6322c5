"""An encoder behind an endpoint as a pass over texts: what is sent, cut into requests."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qre.encoders.api_key import ApiKey
from qre.encoders.endpoint import Endpoint, TooMuch, shown
from qre.encoders.spec import EndpointSpec
from qre.errors import EncoderError

BYTES_PER_TOKEN = 4  # about, for an estimate before anything is sent
REQUEST_BYTES = 200_000  # of the texts of one request: about 50,000 tokens
EMPTY = " "  # the API takes no empty text
# sent at the beginning and at the end of every attempt, to see that the model is still the same
PROBE = (
    "The ferry leaves at half past six, before the fog has lifted.",
    "How do I change the password of my account?",
    "Prices of wheat fell by three percent after the harvest.",
    "She folded the letter twice and put it back into the drawer.",
    "Die Brücke über den Fluss wird im Frühjahr erneuert.",
)


class EndpointPass:
    """The parts of a pass are as of TransformerPass. A text that is there twice is sent once.

    Attributes:
        sent: the m distinct texts as they are sent, with the prompt before each.
        places: of each text, where it is in `sent`, (n,) int64.
        requests: rows of `sent` for each request, (b,) int64; together every row once, always cut alike.
        known: texts as they are sent whose vectors are there already.
        till: who lets a request go and counts what it costs; see jobs/workers/till.py.
    """

    def __init__(self, spec: EndpointSpec, sentences: Sequence[str], key: ApiKey | None = None):
        self.spec, self.endpoint = spec, Endpoint(spec, key)
        self.record: dict = {"device": "cpu", "dtype": "float32", "attributes": {}}
        self.refused: dict[tuple, str] = {}
        self.known: Mapping[str, np.ndarray] = {}
        self.till: Any = None  # of a room above
        self._take(sentences, spec.prompt)

    def _take(self, texts: Sequence[str], prompt: str) -> None:
        first: dict[str, int] = {}
        self.places = np.array([first.setdefault(prompt + text or EMPTY, len(first)) for text in texts], np.int64)
        self.sent = list(first)
        self.requests = cut(self.sent, self.spec.texts_per_request)
        ends = np.cumsum([len(rows) for rows in self.requests])  # a request has rows that follow each other
        order = np.argsort(self.places, kind="stable")
        self.batches = np.split(order, np.searchsorted(self.places[order], ends[:-1]))

    def learn(self, vectors: np.ndarray | None) -> None:
        """The vectors (n, d) of its own texts: what is sent for another list and is among them is not sent again."""
        if vectors is not None:
            first = np.unique(self.places, return_index=True)[1]
            self.known = dict(zip(self.sent, vectors[first], strict=True))

    def encode(self, rows: np.ndarray) -> dict[tuple, np.ndarray]:
        """Vectors of the texts of these rows, (b, d), float32, one request after another."""
        wanted, back = np.unique(self.places[rows], return_inverse=True)
        found = np.concatenate([self._ask(part) for part in _parts(wanted, self.spec.texts_per_request)])
        return {(): found[back]}

    def _ask(self, rows: np.ndarray) -> np.ndarray:
        try:
            return self.endpoint.embed([self.sent[row] for row in rows]).vectors
        except TooMuch as error:
            if len(rows) == 1:
                raise self.refusal(int(rows[0]), error) from None
        return np.concatenate([self._ask(part) for part in _parts(rows, math.ceil(len(rows) / 2))])

    def refusal(self, row: int, error: TooMuch) -> EncoderError:
        """That a text alone is refused."""
        size = len(self.sent[row])
        return EncoderError(
            f"the server refuses the text {shown(self.sent[row])} ({size:,} characters): {error}; if it is too long, "
            f"leave it out or let the server cut it"
        )

    def over(self, texts: Sequence[str], prompt: str | None = None) -> EndpointPass:
        """The same encoder over other texts."""
        other = copy.copy(self)
        other._take(texts, self.spec.prompt if prompt is None else prompt)
        return other

    def close(self) -> None:
        self.endpoint.close()


def cut(texts: Sequence[str], most: int) -> list[np.ndarray]:
    """Rows of each request, in order: at most so many texts, and REQUEST_BYTES where there is more than one."""
    groups: list[list[int]] = []
    room = 0
    for row, text in enumerate(texts):
        size = len(text.encode("utf-8", "surrogatepass"))
        if not groups or len(groups[-1]) == most or size > room:
            groups.append([])
            room = REQUEST_BYTES
        groups[-1].append(row)
        room -= size
    return [np.array(group, np.int64) for group in groups]


def about_tokens(texts: Sequence[str]) -> int:
    """Tokens of texts, by their bytes: no tokenizer is known."""
    return sum(math.ceil(len(text.encode("utf-8", "surrogatepass")) / BYTES_PER_TOKEN) for text in texts)


def _parts(rows: np.ndarray, size: int) -> list[np.ndarray]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]

"""One request to a server that speaks OpenAI's embeddings API, and what its answer means.

What the network, the server's load or the key is to blame for is of the place and the hour (EndpointDown); what the
model or the address cannot do is the encoder's own (EncoderError); a batch that is refused as too much is for the
caller to part (TooMuch).
"""

from __future__ import annotations

import base64
import binascii
import email.utils
import json
import random
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from qre.encoders.endpoint_url import host_of
from qre.encoders.spec import EndpointSpec
from qre.errors import EncoderError, PlaceError

if TYPE_CHECKING:
    import openai

INSTALL = "pip install openai (or in the checkout: pip install -e '.[endpoints]')"
CONNECT_SECONDS, LEAST_SECONDS = 10.0, 30.0  # for a connection; for an answer, at least
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # before another try, at most; jittered, and doubled with each
SHOWN = 60  # characters of a text in a message
SAID = 300  # of a server's words
TRIED_AGAIN = {408, 409, 425, 429, *range(500, 600)} - {501, 505}
TOO_MUCH = {400, 413, 422}  # of a batch, or of a text


class EndpointDown(PlaceError):
    """A server does not answer, or refuses the key or the account: of the place and the hour."""


class TooMuch(Exception):
    """A server refuses this batch, or a text in it; in its words."""


class Halted(Exception):
    """The request was not sent, since the work was asked to stop while it waited."""


class ApiKey:
    """A key that shows itself nowhere but in the header of a request."""

    __slots__ = ("_value",)

    def __init__(self, value: str):
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "ApiKey(hidden)"


@dataclass(frozen=True)
class Answer:
    """Vectors (b, d) float32 of b texts, in their order; tokens that were counted, None where the server tells none."""

    vectors: np.ndarray
    tokens: int | None


class Endpoint:
    """A server and its model. One object for all requests of an encoder, from any thread."""

    def __init__(self, spec: EndpointSpec, key: ApiKey | None = None):
        self.spec, self._key, self._host = spec, key, host_of(spec.url)
        self._seconds = max(LEAST_SECONDS, 30 * spec.patience_minutes)  # half of it: a second try has the other
        self._client: openai.OpenAI | None = None
        self._lock = threading.Lock()
        self._answered = time.monotonic()
        self._not_before = 0.0  # what the server has asked for holds for all requests
        self._dimension: int | None = None

    def embed(self, texts: Sequence[str], halt: threading.Event | None = None) -> Answer:
        """Vectors of texts, each as it is sent; tried again where that may help, for the patience of the spec since
        this server last answered.

        Args:
            halt: when it is set, no further try is begun.

        Raises:
            EncoderError: no such model, or an answer that is none.
            TooMuch: the batch, or a text in it, is refused.
            EndpointDown: no answer in all that time, or the key is refused.
            Halted: halt was set before an answer came.
        """
        halt, began, tries = halt or threading.Event(), time.monotonic(), 0
        while True:
            if (wait := self._not_before - time.monotonic()) > 0 and halt.wait(wait * random.uniform(1.0, 1.1)):
                raise Halted
            if halt.is_set():
                raise Halted
            content, why, asked = self._try(texts)
            if content is not None:
                answer = self._read(content, texts)
                self._answered = time.monotonic()
                return answer
            tries += 1
            left = max(began, self._answered) + 60 * self.spec.patience_minutes - time.monotonic()
            wait = random.uniform(0.5, 1.0) * min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(tries, 30))
            wait = max(wait, asked or 0.0)
            if wait > left:
                more = f", and asks for a pause of {asked:.0f} s" if asked else ""
                raise EndpointDown(
                    f"{self._host}: {why}{more}; tried for {time.monotonic() - began:.0f} s; what was answered is "
                    f"kept: run the same command again later"
                )
            if asked is not None:
                self._not_before = max(self._not_before, time.monotonic() + wait)
            elif halt.wait(wait):
                raise Halted

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _try(self, texts: Sequence[str]) -> tuple[bytes | None, str, float | None]:
        """One request: the body of its answer; or why there is none that may come later, and the pause that the server
        asks for, in seconds."""
        openai = _client_package()
        options: dict[str, Any] = {} if self.spec.dimensions is None else {"dimensions": self.spec.dimensions}
        if self._key is None:
            options["extra_headers"] = {"Authorization": openai.Omit()}
        try:
            raw = self._connected().embeddings.with_raw_response.create(
                model=self.spec.model, input=list(texts), encoding_format="float", **options
            )
            return raw.http_response.content, "", None
        except openai.APITimeoutError:
            late = f"no answer in {self._seconds:.0f} s: fewer texts_per_request, or more patience_minutes, may help"
            return None, late, None
        except openai.APIConnectionError as error:
            return None, f"no connection ({_first_cause(error)})", None
        except openai.APIStatusError as error:
            status, headers = error.status_code, error.response.headers
            said = self._said(error.body)
            refused = self._refusal(status, said, headers.get("location", ""))
            if refused is not None:
                raise refused from None  # what is behind it holds the request, and so the key
            return None, f"HTTP {status}" + (f" ({said})" if said else ""), _pause(headers)

    def _refusal(self, status: int, said: str, location: str) -> Exception | None:
        """What an answer that is no success means; None where it may be another one later."""
        words = f": {said}" if said else ""
        model, variable = self.spec.model, self.spec.api_key_env
        if status in (401, 403):
            if variable is None:
                return EndpointDown(f"{self._host} wants a key (HTTP {status}): name its variable with api_key_env")
            what = "the key" if status == 401 else f"{model!r} to the key"
            return EndpointDown(f"{self._host} refuses {what} in ${variable} (HTTP {status}): put a valid one there")
        if status == 402 or (status == 429 and "insufficient_quota" in said):
            return EndpointDown(f"{self._host}: the account has nothing left to spend (HTTP {status}{words})")
        if status in TRIED_AGAIN:
            return None
        if status in TOO_MUCH:
            return TooMuch(said or f"HTTP {status}")
        if 300 <= status < 400:
            to = urlsplit(location)
            where = f"{to.scheme}://{to.hostname}{to.path}"[:200] if to.hostname else "another address"
            return EncoderError(f"{self._host} redirects to {where}, which is not followed: give that as url")
        if status == 404:
            return EncoderError(
                f"{self._host} has no model {model!r}, or no embeddings at this path (HTTP 404{words}): look at url "
                f"and model, then run qre sweep with --retry-failed"
            )
        return EncoderError(f"{self._host} does not take the request (HTTP {status}{words})")

    def _said(self, body: object) -> str:
        """A server's words in one line, without the key."""
        inner = body.get("error", body) if isinstance(body, Mapping) else body
        if isinstance(inner, Mapping):
            told = [inner.get(name) for name in ("message", "detail", "code")]
            text = " ".join(str(one) for one in told if isinstance(one, str | list)) or json.dumps(inner)
        else:
            text = "" if inner is None else str(inner)
        if self._key is not None:
            text = text.replace(self._key.reveal(), "***")
        return "".join(c if c.isprintable() else " " for c in text)[:SAID].strip()

    def _connected(self):
        with self._lock:
            if self._client is None:
                openai = _client_package()
                encrypted = self.spec.url.startswith("https:")  # else a proxy of the environment would see all of it
                # what the environment names for OpenAI's own account goes to no other server
                headers: dict[str, Any] = {name: openai.Omit() for name in ("OpenAI-Organization", "OpenAI-Project")}
                self._client = openai.OpenAI(
                    api_key=self._key.reveal() if self._key is not None else "none",
                    base_url=self.spec.url,
                    max_retries=0,
                    timeout=openai.Timeout(self._seconds, connect=CONNECT_SECONDS),
                    default_headers=headers,
                    http_client=openai.DefaultHttpxClient(follow_redirects=False, trust_env=encrypted),
                )
            return self._client

    def _read(self, content: bytes, texts: Sequence[str]) -> Answer:
        """The vectors of an answer, each by its index.

        Raises:
            EncoderError: it is no answer to this request.
        """
        told = None
        try:
            told = json.loads(content)
            data = told["data"]
            rows = [one["embedding"] for one in data]
            places = [one.get("index") for one in data]
        except (ValueError, KeyError, TypeError, AttributeError):
            said = self._said(told) if isinstance(told, dict) and {"error", "message", "detail"} & told.keys() else ""
            more = f" ({said})" if said else ""
            raise EncoderError(f"{self._host} gives no answer of the embeddings API{more}: look at url") from None
        if len(rows) != len(texts):
            raise EncoderError(f"{self._host} gave {len(rows)} vectors for {len(texts)} texts")
        if all(place is None for place in places):
            places = list(range(len(texts)))
        if any(type(place) is not int for place in places) or sorted(places) != list(range(len(texts))):
            raise EncoderError(f"{self._host} does not say which vector is of which text: its `index` is wrong")
        vectors = [vector for row in rows if (vector := _vector(row)) is not None]
        if len(vectors) < len(rows):
            raise EncoderError(f"{self._host} gave something else than a list of numbers as a vector")
        if len({len(vector) for vector in vectors}) > 1:
            raise EncoderError(f"{self._host} gave vectors of different lengths in one answer")
        matrix = np.empty((len(texts), len(vectors[0])), np.float32)
        matrix[places] = vectors
        self._check(matrix, texts)
        usage = told.get("usage") if isinstance(told, dict) else None
        tokens = usage.get("total_tokens") if isinstance(usage, dict) else None
        return Answer(matrix, tokens if type(tokens) is int and tokens >= 0 else None)

    def _check(self, matrix: np.ndarray, texts: Sequence[str]) -> None:
        d, asked = matrix.shape[1], self.spec.dimensions
        if d == 0:
            raise EncoderError(f"{self._host} gives an empty vector of {shown(texts[0])}")
        if asked is not None and d != asked:
            raise EncoderError(
                f"{asked} dimensions are asked for and {self._host} gives {d}: this model does not shorten its "
                f'vectors; leave `dimensions` out, or take transforms: ["truncate:{asked}", normalize]'
            )
        if self._dimension not in (None, d):
            raise EncoderError(f"{self._host} gives vectors of {self._dimension} and of {d} dimensions")
        self._dimension = d
        bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
        if len(bad):
            raise EncoderError(f"{self._host} gives NaN or Inf in the vector of {shown(texts[int(bad[0])])}")


def _client_package():
    """The package openai, imported when it is needed: it is large, and an extra."""
    try:
        import openai
    except ImportError as error:
        raise PlaceError(f"the package openai cannot be used on this machine ({error}): {INSTALL}") from None
    return openai


def shown(text: str) -> str:
    """The beginning of a text, for a message."""
    return repr(text[:SHOWN]) + ("..." if len(text) > SHOWN else "")


def _vector(row: object) -> np.ndarray | None:
    """A list of numbers, or float32 in base64, as (d,) float32; None where it is neither."""
    try:
        if isinstance(row, str):
            return np.frombuffer(base64.b64decode(row, validate=True), "<f4").astype(np.float32)
        if isinstance(row, list) and all(type(one) in (int, float) for one in row):
            with np.errstate(over="ignore"):
                return np.asarray(row, np.float64).astype(np.float32)
    except (ValueError, binascii.Error, OverflowError):
        pass
    return None


def _pause(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait, told in seconds or as a date; None where it says nothing sensible."""
    told = headers.get("retry-after", "").strip()
    try:
        seconds = float(told)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(told).timestamp() - time.time()
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return max(seconds, 0.0) if seconds == seconds and seconds != float("inf") else None


def _first_cause(error: BaseException) -> str:
    """What stands behind an exception of the client, by its kind: its words may hold the request."""
    cause = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    return (cause.strerror if isinstance(cause, OSError) and cause.strerror else "") or type(cause).__name__

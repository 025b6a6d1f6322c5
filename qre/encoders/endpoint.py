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
from urllib.parse import urlsplit

import numpy as np

from qre.encoders.api_key import ApiKey
from qre.encoders.endpoint_client import Client, Halted, Late, Unreadable, client_package
from qre.encoders.endpoint_url import host_of
from qre.encoders.spec import EndpointSpec
from qre.errors import EncoderError, PlaceError

LEAST_SECONDS, DAY_SECONDS = 30.0, 86400.0  # for an answer, at least and at most; of a pause, at most
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # before another try, at most; jittered, and doubled with each
SHOWN = 60  # characters of a text in a message
SAID, READ = 300, 4000  # of a server's words: shown; looked at
TEXT_TOKENS = 64  # that a server may count of a text beyond its bytes: marks, or words that it puts before it
TRIED_AGAIN = {408, 409, 425, 429, *range(500, 600)} - {501, 505}
TOO_MUCH = {400, 413, 422}  # of a batch, or of a text


class EndpointDown(PlaceError):
    """A server does not answer, or refuses the key or the account: of the place and the hour."""


class TooMuch(Exception):
    """A server refuses this batch, or a text in it; in its words."""


class ModelChanged(EncoderError):
    """The vectors say that another model answers than before."""


@dataclass(frozen=True)
class Answer:
    """Vectors (b, d) float32 of b texts, in their order; tokens that were counted, None where the server tells none."""

    vectors: np.ndarray
    tokens: int | None


class Endpoint:
    """A server and its model. One object for all requests of an encoder, from any thread.

    Attributes:
        doubts: of what the server told, in words.
    """

    def __init__(self, spec: EndpointSpec, key: ApiKey | None = None):
        self.spec, self._key, self._host = spec, key, host_of(spec.url)
        seconds = max(LEAST_SECONDS, 30 * spec.patience_minutes)  # half of it: a second try has the other
        self._client = Client(spec, key, min(seconds, DAY_SECONDS))
        self._answered = time.monotonic()
        self._not_before = 0.0  # what the server has asked for holds for all requests
        self._dimension: int | None = None
        self.doubts: set[str] = set()

    def embed(self, texts: Sequence[str], halt: threading.Event | None = None) -> Answer:
        """Vectors of texts, each as it is sent; tried again where that may help, for the patience of the spec since
        this server last answered.

        Args:
            halt: when it is set, no further try is begun, and an answer that has begun must end.

        Raises:
            EncoderError: no such model, or an answer that is none.
            TooMuch: the batch, or a text in it, is refused.
            EndpointDown: no answer in all that time, or the key is refused.
            Halted: halt was set before a whole answer came.
        """
        halt, began, tries = halt or threading.Event(), time.monotonic(), 0
        while True:
            if (wait := self._not_before - time.monotonic()) > 0 and halt.wait(wait * random.uniform(1.0, 1.1)):
                raise Halted
            if halt.is_set():
                raise Halted
            content, why, asked = self._try(texts, halt)
            if content is not None:
                answer = self._read(content, texts)
                self._answered = time.monotonic()
                return answer
            tries += 1
            left = max(began, self._answered) + 60 * self.spec.patience_minutes - time.monotonic()
            wait = random.uniform(0.5, 1.0) * min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(tries, 30))
            wait = max(wait, asked or 0.0)
            if wait > left or wait > DAY_SECONDS:
                more = f", and asks for a pause of {_length(asked)}" if asked else ""
                raise EndpointDown(
                    f"{self._host}: {why}{more}; tried for {time.monotonic() - began:.0f} s; what was answered is "
                    f"kept: run the same command again later"
                )
            if asked is not None:
                self._not_before = max(self._not_before, time.monotonic() + wait)
            elif halt.wait(wait):
                raise Halted

    def close(self) -> None:
        self._client.close()

    def _try(self, texts: Sequence[str], halt: threading.Event) -> tuple[bytes | None, str, float | None]:
        """One request: the body of its answer; or why there is none that may come later, and the pause that the server
        asks for, in seconds."""
        openai = client_package()
        try:
            return self._client.ask(texts, halt), "", None
        except (Late, openai.APITimeoutError):
            seconds = f"{self._client.seconds:.0f} s"
            return None, f"no answer in {seconds}: fewer texts_per_request, or more patience_minutes, may help", None
        except Unreadable as error:
            raise EncoderError(f"{self._host} {error}") from None
        except openai.APIConnectionError as error:
            return None, f"no connection ({_first_cause(error)})", None
        except openai.APIStatusError as error:
            status, headers = error.status_code, error.response.headers
            said = self._said(error.body)
            refused = self._refusal(status, said, headers.get("location", ""))
        if refused is not None:
            raise refused  # here: behind one that is raised above would be the request, and so the key
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
            where = self._shown(_origin(location, f"{urlsplit(self.spec.url).path}/embeddings"))
            return EncoderError(
                f"{self._host} redirects to {where or 'another address'}, which is not followed: give the address that "
                f"answers as url"
            )
        if status == 404:
            return EncoderError(
                f"{self._host} has no model {model!r}, or no embeddings at this path (HTTP 404{words}): look at url "
                f"and model, then run qre sweep with --retry-failed"
            )
        return EncoderError(f"{self._host} does not take the request (HTTP {status}{words})")

    def _said(self, body: object) -> str:
        """A server's words in one line, without the key."""
        inner = body.get("error", body) if isinstance(body, Mapping) else body
        try:
            if isinstance(inner, Mapping):
                told = [inner.get(name) for name in ("message", "detail", "code")]
                text = " ".join(str(one) for one in told if isinstance(one, str | list)) or json.dumps(inner)
            else:
                text = "" if inner is None else str(inner)
        except RecursionError:
            text = ""
        return self._shown(text)

    def _shown(self, text: str) -> str:
        """Another's words in one line, without the key."""
        text = "".join(c if c.isprintable() else " " for c in text[:READ])
        return (text if self._key is None else self._key.masked(text))[:SAID].strip()

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
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
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
        return Answer(matrix, self._counted(usage.get("total_tokens") if isinstance(usage, dict) else None, texts))

    def _counted(self, tokens: object, texts: Sequence[str]) -> int | None:
        """The tokens that a server tells, where there may be so many in the texts; none have none."""
        if type(tokens) is not int or tokens <= 0:
            return None
        if tokens <= sum(len(text.encode("utf-8", "surrogatepass")) + TEXT_TOKENS for text in texts):
            return tokens
        self.doubts.add(f"{self._host} tells more tokens than its texts can have; the estimate counts instead")
        return None

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
            raise ModelChanged(f"{self._host} gives vectors of {self._dimension} and of {d} dimensions")
        self._dimension = d
        bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
        if len(bad):
            raise EncoderError(f"{self._host} gives NaN or Inf in the vector of {shown(texts[int(bad[0])])}")


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
    return max(seconds, 0.0) if seconds == seconds else None


def _length(pause: float) -> str:
    return f"{pause:.0f} s" if pause <= DAY_SECONDS else "more than a day"


def _origin(location: str, path: str) -> str:
    """Where a redirect leads: scheme, host and port; the path only where it is the one that was asked for, since a
    server may put anything there."""
    try:
        to = urlsplit(location)
        if not to.hostname or to.scheme not in ("http", "https"):
            return ""
        host = f"[{to.hostname}]" if ":" in to.hostname else to.hostname
        port = "" if to.port is None else f":{to.port}"
    except ValueError:
        return ""
    return f"{to.scheme}://{host}{port}" + (path if to.path == path else "")


def _first_cause(error: BaseException) -> str:
    """What stands behind an exception of the client, by its kind: its words may hold the request."""
    cause = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    return (cause.strerror if isinstance(cause, OSError) and cause.strerror else "") or type(cause).__name__

"""The client of an endpoint: one request, bounded in time and in the size of its answer, and given up when asked to."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import zlib
from collections.abc import Sequence
from concurrent.futures import Future, wait
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from qre.encoders.api_key import ApiKey
from qre.encoders.spec import EndpointSpec
from qre.errors import PlaceError

INSTALL = "pip install openai (or in the checkout: pip install -e '.[endpoints]')"
CONNECT_SECONDS, CLOSE_SECONDS = 10.0, 5.0
TICK_SECONDS, HALT_SECONDS = 0.25, 1.0  # between looks; for the rest of an answer that has begun
TEXT_BYTES, MOST_BYTES = 65536 * 25, 2**28  # of an answer: 65,536 numbers for each text; of any
REFUSAL_BYTES = 2**16  # that are read of an answer that is no success
PACKED = {"gzip", "x-gzip", "deflate"}


class Halted(Exception):
    """The work was asked to stop.

    Attributes:
        sent: the request was; its answer had begun and was not awaited.
    """

    def __init__(self, sent: bool = False):
        super().__init__("halted")
        self.sent = sent


class Late(Exception):
    """No whole answer in the time for one."""


class Unreadable(Exception):
    """An answer that is too large, or packed in a way that nobody has asked for; in words."""


@dataclass
class _Flight:
    """One request: how many bytes its answer may have, and whether that has begun."""

    most: int
    begun: threading.Event = field(default_factory=threading.Event)


_FLIGHT: ContextVar[_Flight] = ContextVar("flight")


class Client:
    """Requests from any thread, over connections that they share. They run in a loop in a thread of its own, since only
    there a request can be given up that a server keeps alive letter by letter.

    Args:
        seconds: for one request, from its connection to the last byte of its answer.
    """

    def __init__(self, spec: EndpointSpec, key: ApiKey | None, seconds: float):
        self._spec, self._key, self.seconds = spec, key, seconds
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._client: Any = None

    def ask(self, texts: Sequence[str], halt: threading.Event) -> bytes:
        """The body of the answer. An answer that has not begun when `halt` is set is awaited: it will be paid for.

        Raises:
            Late: none in all that time.
            Halted: it has begun, and its end does not come.
            Unreadable: see there.
            openai.OpenAIError: see there.
        """
        flight = _Flight(min(len(texts) * TEXT_BYTES + 2**20, MOST_BYTES))
        future = asyncio.run_coroutine_threadsafe(self._ask(list(texts), flight), self._running())
        try:
            return self._awaited(future, flight, halt)
        finally:
            future.cancel()

    def close(self) -> None:
        with self._lock:
            loop, thread, client = self._loop, self._thread, self._client
            self._loop = self._thread = self._client = None
        if loop is None or thread is None:
            return
        with contextlib.suppress(Exception):  # what does not close now ends with this process
            asyncio.run_coroutine_threadsafe(_shut(client), loop).result(CLOSE_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CLOSE_SECONDS)
        if not loop.is_running():
            loop.close()

    def _awaited(self, future: Future[bytes], flight: _Flight, halt: threading.Event) -> bytes:
        end, halted = time.monotonic() + self.seconds, False
        while not wait([future], timeout=TICK_SECONDS).done:
            now = time.monotonic()
            if now >= end:
                raise Halted(sent=True) if halted else Late
            if not halted and halt.is_set() and flight.begun.is_set():
                halted, end = True, min(end, now + HALT_SECONDS)
        return future.result()

    async def _ask(self, texts: list[str], flight: _Flight) -> bytes:
        _FLIGHT.set(flight)
        options: dict[str, Any] = {} if self._spec.dimensions is None else {"dimensions": self._spec.dimensions}
        if self._key is None:
            options["extra_headers"] = {"Authorization": client_package().Omit()}
        raw = await self._client.embeddings.with_raw_response.create(
            model=self._spec.model, input=texts, encoding_format="float", **options
        )
        return raw.http_response.content

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._client = self._connected()
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="endpoint", daemon=True)
                self._thread.start()
            return self._loop

    def _connected(self) -> Any:
        openai = client_package()
        encrypted = self._spec.url.startswith("https:")  # else a proxy of the environment would see all of it
        # what the environment names for OpenAI's own account goes to no other server
        headers: dict[str, Any] = {name: openai.Omit() for name in ("OpenAI-Organization", "OpenAI-Project")}
        return openai.AsyncOpenAI(
            api_key=self._key.reveal() if self._key is not None else "none",
            base_url=self._spec.url,
            max_retries=0,
            timeout=openai.Timeout(self.seconds, connect=CONNECT_SECONDS),
            default_headers={**headers, "Accept-Encoding": "gzip"},
            http_client=_bounded(openai)(follow_redirects=False, trust_env=encrypted),
        )


def client_package() -> Any:
    """The package openai, imported when it is needed: it is large, and an extra."""
    try:
        import openai
    except ImportError as error:
        raise PlaceError(f"the package openai cannot be used on this machine ({error}): {INSTALL}") from None
    return openai


def _bounded(openai: Any) -> Any:
    """A client of HTTP that reads every answer itself, and never more of it than its flight allows."""

    class Bounded(openai.DefaultAsyncHttpxClient):
        async def send(self, request, *, stream=False, **options):
            response = await super().send(request, stream=True, **options)
            try:
                content = await _content(response, _FLIGHT.get())
            finally:
                await response.aclose()
            done = {"content-encoding", "content-length", "transfer-encoding"}
            headers = [(name, value) for name, value in response.headers.multi_items() if name.lower() not in done]
            return type(response)(response.status_code, headers=headers, content=content, request=request)

    return Bounded


async def _content(response: Any, flight: _Flight) -> bytes:
    """The body, unpacked; the beginning of one that is no success."""
    flight.begun.set()
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in PACKED | {"identity", ""}:
        raise Unreadable("packs its answer in a way that was not asked for")
    unpacked = zlib.decompressobj(zlib.MAX_WBITS | 32) if coding in PACKED else None
    most = flight.most if response.is_success else REFUSAL_BYTES
    parts, size = [], 0
    async for part in response.aiter_raw():
        while part:
            try:
                piece = part if unpacked is None else unpacked.decompress(part, most - size + 1)
            except zlib.error:
                raise Unreadable("gives an answer that cannot be unpacked") from None
            part = b"" if unpacked is None else unpacked.unconsumed_tail
            parts.append(piece)
            size += len(piece)
            if size > most:
                if response.is_success:
                    raise Unreadable(f"answers with more than {most / 1e6:.0f} MB: look at url, or take fewer "
                                     f"texts_per_request")  # fmt: skip
                return b"".join(parts)[:most]
    return b"".join(parts)


async def _shut(client: Any) -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await client.close()
    await asyncio.get_running_loop().shutdown_asyncgens()

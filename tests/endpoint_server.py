"""A real HTTP server on loopback that speaks OpenAI's embeddings API, with an encoder of sentence-transformers behind
it; and what can go wrong with one."""

from __future__ import annotations

import base64
import contextlib
import json
import select
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from qre.encoders.endpoint_pass import PROBE

KEY = "key-of-the-test-7f3a9c1e5b"
MODEL = "tiny"


class Behind:
    """Vectors of texts by a real encoder in a folder, one text at a time: what stands beside it moves no bit."""

    def __init__(self, folder: Path):
        from sentence_transformers import SentenceTransformer

        self._model = SentenceTransformer(str(folder), device="cpu")
        self._lock, self._known = threading.Lock(), {}

    def __call__(self, text: str) -> np.ndarray:
        with self._lock:
            if text not in self._known:
                self._known[text] = self._model.encode([text], show_progress_bar=False)[0]
            return self._known[text]


class EndpointServer(ThreadingHTTPServer):
    """The server. What it does with a request is `fault(number, texts)`: None to answer; or an action below.

    Attributes:
        vectors: of a text.
        answered: texts whose answer was sent as a whole, without those of the probe; `probes`: how often that was.
        requests: texts of each request that came, with those that were not answered.
        tokens: that the answers told.
        hold_after: requests beyond so many answered ones are held until their client has gone; None for none.
        key: that it wants.
        most_texts, longest: in a request, in characters: more is refused.
        at_once: most requests that were in flight together.
        headers, bodies: of each request.
        done, held: requests that were answered, and that are held.
        shorten, usage: whether it gives as many dimensions as are asked for, and tells tokens.
        as_base64, with_index, scale: how it writes vectors.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, vectors: Callable[[str], np.ndarray], key: str | None = None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.vectors, self.key = vectors, key
        self.answered: Counter[str] = Counter()
        self.requests: list[list[str]] = []
        self.headers: list[dict] = []
        self.bodies: list[dict] = []
        self.probes = self.tokens = self.at_once = self._now = self.done = 0
        self.fault: Callable[[int, list[str]], Callable | None] = lambda number, texts: None
        self.hold_after: int | None = None
        self.most_texts, self.longest = 2048, 10**9
        self.shorten, self.usage, self.as_base64, self.with_index, self.scale = True, True, False, True, 1.0
        self.lock = threading.Lock()
        self.held = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request, client_address) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: EndpointServer

    def log_message(self, *_) -> None:
        """Not on the tests' stderr."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server, texts = self.server, body["input"]
        with server.lock:
            server.requests.append(texts)
            server.headers.append({name.lower(): value for name, value in self.headers.items()})
            server.bodies.append(body)
            number = len(server.requests)
            server._now += 1
            server.at_once = max(server.at_once, server._now)
        try:
            self._answer(number, body, texts)
        finally:
            with server.lock:
                server._now -= 1

    def _answer(self, number: int, body: dict, texts: list[str]) -> None:
        server = self.server
        if server.key is not None and self.headers.get("Authorization") != f"Bearer {server.key}":
            return self.refuse(401, f"Incorrect API key provided: {self.headers.get('Authorization')}")
        if body["model"] != MODEL or self.path != "/v1/embeddings":
            return self.refuse(404, f"The model {body['model']} does not exist")
        if len(texts) > server.most_texts:
            return self.refuse(413, f"batch size {len(texts)} > maximum allowed batch size {server.most_texts}")
        if any(not text or len(text) > server.longest for text in texts):
            return self.refuse(400, "an input is empty, or longer than the context of this model")
        if (action := server.fault(number, texts)) is not None:
            return action(self, body, texts)
        self.give(body, texts)

    def give(self, body: dict, texts: list[str], change: Callable[[dict], dict] = lambda told: told) -> None:
        """Answer well, but for a change."""
        server = self.server
        vectors = [server.vectors(text) * server.scale for text in texts]
        if server.shorten and "dimensions" in body:
            vectors = [vector[: body["dimensions"]] for vector in vectors]
        data = [{"object": "embedding", "embedding": self._told(vector)} for vector in vectors]
        if server.with_index:
            data = [{**one, "index": index} for index, one in enumerate(data)]
        tokens = sum(1 + len(text) // 3 for text in texts)
        told = {"object": "list", "data": data, "model": MODEL}
        told |= {"usage": {"prompt_tokens": tokens, "total_tokens": tokens}} if server.usage else {}
        told = change(told)
        with server.lock:
            if server.hold_after is not None and server.done >= server.hold_after:
                server.held += 1
                held = True
            else:
                server.done += 1
                held = False
        if held:
            return self._until_gone()
        self.send(200, json.dumps(told).encode())
        with server.lock:
            server.tokens += tokens if server.usage else 0
            if tuple(texts) == PROBE:
                server.probes += 1
            else:
                server.answered.update(texts)

    def _told(self, vector: np.ndarray):
        if self.server.as_base64:
            return base64.b64encode(vector.astype("<f4").tobytes()).decode()
        return [float(one) for one in vector]

    def _until_gone(self) -> None:
        """No answer: until the client has gone."""
        while True:
            select.select([self.connection], [], [])
            try:
                if not self.connection.recv(1, socket.MSG_PEEK):
                    break
            except OSError:
                break
        self.close_connection = True

    def refuse(self, status: int, words: str, **headers: str) -> None:
        self.send(status, json.dumps({"error": {"message": words}}).encode(), headers)

    def send(self, status: int, content: bytes, headers: dict | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def refused(status: int, words: str = "busy", **headers: str) -> Callable:
    """An action: an HTTP error."""
    return lambda handler, body, texts: handler.refuse(status, words, **headers)


def cut(handler, body, texts) -> None:
    """An action: half an answer, and the connection is closed."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.wfile.write(b'{"data": [')
    handler.close_connection = True


def changed(change: Callable[[dict], dict]) -> Callable:
    """An action: an answer that is changed before it is sent."""
    return lambda handler, body, texts: handler.give(body, texts, change)


def shuffled(handler, body, texts) -> None:
    """An action: vectors in another order than the texts, each with its index."""
    handler.give(body, texts, lambda told: {**told, "data": told["data"][::-1]})


def once(faults: dict[int, Callable]) -> Callable[[int, list[str]], Callable | None]:
    """A `fault`: by the number of the request, from 1."""
    return lambda number, texts: faults.get(number)


@contextlib.contextmanager
def serving(vectors: Callable[[str], np.ndarray], **keywords) -> Iterator[EndpointServer]:
    """A server that answers until the block ends."""
    with EndpointServer(vectors, **keywords) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()

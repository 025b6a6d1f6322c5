"""Encoders behind endpoints, before anything is sent: their keys, and the tokens and the money that they will take."""

from __future__ import annotations

import importlib.util
import os
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from jobs.config import SweepConfig
from jobs.planning.plan import Plan
from jobs.planning.prompts import prompts_of
from jobs.planning.units import PassWork, corpus_key
from qre.encoders.api_key import ApiKey
from qre.encoders.endpoint_client import INSTALL
from qre.encoders.endpoint_pass import BYTES_PER_TOKEN, PROBE, about_tokens
from qre.encoders.endpoint_url import host_of
from qre.encoders.passes import EncodeSettings, unit_key
from qre.encoders.spec import EncoderSpec, EndpointSpec
from qre.errors import EncoderError, UserError
from qre.store import Store
from qre.tasks.task import Task


def key_of(spec: EncoderSpec) -> ApiKey | None:
    """The key of an encoder behind an endpoint, from this process's environment; None where it needs none.

    Raises:
        UserError: the variable is not set, or holds what is no key.
    """
    if not isinstance(spec, EndpointSpec) or spec.api_key_env is None:
        return None
    key = os.environ.get(spec.api_key_env, "").strip()
    if not key:
        raise UserError(
            f"{spec.name}: api_key_env: the environment variable {spec.api_key_env} is not set; put the key for "
            f"{host_of(spec.url)} there: export {spec.api_key_env}=..."
        )
    if not all("!" <= letter <= "~" for letter in key):
        raise UserError(f"{spec.name}: api_key_env: what {spec.api_key_env} holds is no key: it has blanks or the like")
    return ApiKey(key)


def check_endpoints(plan: Plan) -> None:
    """Look whether what is behind endpoints can be asked from here: the package, and each key that is needed.

    Raises:
        UserError: it cannot.
    """
    specs = [work.remote for work in plan.passes if work.remote is not None]
    if specs and importlib.util.find_spec("openai") is None:
        raise UserError(f"{specs[0].name}: source: endpoint needs the package openai: {INSTALL}")
    for spec in specs:
        key_of(spec)


def check_alike(specs: Iterable[EncoderSpec]) -> None:
    """Look whether all that ask one model of one server pay for it alike: several may be read off one answer.

    Raises:
        UserError: two do not.
    """
    first: dict[tuple[str, str], EndpointSpec] = {}
    for spec in specs:
        if not isinstance(spec, EndpointSpec):
            continue
        other = first.setdefault((spec.url, spec.model), spec)
        for name, one, two in (
            ("price_per_million_tokens", other.price, spec.price),
            ("api_key_env", other.api_key_env, spec.api_key_env),
        ):
            if one != two:
                raise UserError(
                    f"encoders: {other.name} and {spec.name} ask {spec.model} of {host_of(spec.url)}, one with {name} "
                    f"{'left out' if one is None else one}, the other with {'it left out' if two is None else two}: "
                    f"give both the same"
                )


def without_price(config: SweepConfig, specs: Iterable[EncoderSpec]) -> list[str]:
    """What a budget does not bound, in a note.

    Raises:
        UserError: it bounds nothing at all.
    """
    if config.cluster.budget is None:
        return []
    endpoints = [spec for spec in specs if isinstance(spec, EndpointSpec)]
    if why := config.cluster.without_price(any(spec.price for spec in endpoints)):
        raise UserError(f"cluster: {why}")
    free = [spec.name for spec in endpoints if spec.price is None]
    if not free:
        return []
    more = f" and {len(free) - 1} more" if len(free) > 1 else ""
    return [
        f"cluster.budget does not count what {free[0]}{more} costs: give price_per_million_tokens (0 for a server of "
        f"your own)"
    ]


class Tokens:
    """About how many tokens each pass behind an endpoint has to send, by the bytes of its texts; with the probes of the
    model.

    Args:
        store: what it has is not sent again.
    """

    def __init__(self, plan: Plan, store: Store | None = None):
        remote = store is not None and any(work.remote is not None for work in plan.passes)
        self._plan = plan
        self._chunks = store.chunks.counts() if store is not None and remote else Counter()
        self._embedded = store.embeddings.keys() if store is not None and remote else set()

    def of(self, work: PassWork) -> int:
        texts, lists = self._left(work)
        return texts + _probes(lists)

    def cost(self, work: PassWork, least: float = 0.0, ratio: float = 1.0) -> float:
        """In money; 0 without a price.

        Args:
            least: money that the texts of the pass take at any rate.
            ratio: tokens that the server counts for each that is expected here.
        """
        if work.remote is None or not work.remote.price:
            return 0.0
        (texts, lists), each = self._left(work), work.remote.price / 1e6 * ratio
        return max(texts * each, least) + _probes(lists or bool(least)) * each

    def _left(self, work: PassWork) -> tuple[int, int]:
        """Tokens of the texts that are to be sent, and how many lists they are: one is probed when it is answered."""
        spec = work.remote
        assert spec is not None  # nobody asks of others
        tokens, lists = 0.0, 0
        own = [(work.key, self._plan.sentences)] if work.units else []
        for key, texts in (*own, *((corpus_key(work.key, one), self._plan.corpora[one]) for one in work.corpora)):
            if unit_key(spec.untransformed, texts.fingerprint, EncodeSettings()) not in self._embedded:
                done = min(self._chunks[key] * spec.texts_per_request / len(texts), 1.0)
                tokens += (1.0 - done) * _tokens(texts.texts, len(spec.prompt.encode()))
                lists += 1
        for scoring in work.scorings:
            task = self._plan.tasks[scoring.task]
            prompts = _prompts(task, spec)
            tokens += _tokens(task.texts, max(len(prompt.encode()) for prompt in prompts))
            lists += len(prompts)  # queries and documents are lists of their own
        return round(tokens), lists


def _probes(lists: int) -> int:
    """Tokens of the probes of so many lists of texts: one before the first, and one when each is answered."""
    return about_tokens(PROBE) * (lists + 1) if lists else 0


def expected_tokens(plan: Plan, store: Store | None = None) -> list[dict]:
    """Of each pass behind an endpoint that is still to run: name, host, tokens, cost (None without a price)."""
    tokens, rows = Tokens(plan, store), []
    for work in plan.passes:
        if (spec := work.remote) is not None:
            cost = None if spec.price is None else tokens.cost(work)
            rows.append({"name": work.name, "host": host_of(spec.url), "tokens": tokens.of(work), "cost": cost})
    return rows


def _prompts(task: Task, spec: EndpointSpec) -> set[str]:
    try:
        return set(prompts_of(task, spec))
    except EncoderError:  # it gets no score
        return {""}


@lru_cache(maxsize=128)  # plan, limits and times all ask
def _tokens(texts: tuple[str, ...], prompt: int) -> int:
    distinct = set(texts)
    return -(-sum(len(text.encode("utf-8", "surrogatepass")) + prompt for text in distinct) // BYTES_PER_TOKEN)

"""What passes are expected to cost: for their order, and for the slot that holds them. By the model of
qre/encoders/cost.py."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeGuard

from jobs.config import SweepConfig
from jobs.config.prices import SIZES
from jobs.config.slots import Slot
from qre.encoders.cost import START_SECONDS, Estimate, estimate
from qre.encoders.shape import is_static
from qre.encoders.spec import (
    ClassicalSpec,
    EncoderSpec,
    EndpointSpec,
    FolderSpec,
    HubSpec,
    MatrixSpec,
    ModelSpec,
    StaticSpec,
    WordsSpec,
)

REQUEST_SECONDS = 1.0  # of a request to an endpoint, about


def is_transformer(spec: EncoderSpec, attributes: Mapping[str, object]) -> TypeGuard[FolderSpec | HubSpec]:
    """Whether an encoder runs a transformer, as far as its files tell."""
    return isinstance(spec, ModelSpec) and not is_static(attributes)


def cpu_seconds(spec: EncoderSpec, attributes: Mapping[str, object], texts: int) -> float:
    """A rough cost on one CPU core, calibrated on 90 MB of weights at 200 sentences a second; used for the order
    only."""
    if isinstance(spec, StaticSpec | MatrixSpec | WordsSpec) or is_static(attributes):
        return 5e-5 * texts
    if isinstance(spec, ClassicalSpec):
        return {"hashed": 1e-4, "projection": 3e-4, "sif": 1e-3, "lsa": 1e-3}[spec.kind] * texts
    if isinstance(spec, EndpointSpec):
        return texts / spec.texts_per_request * REQUEST_SECONDS / spec.concurrency
    return texts / 200 * weight_bytes(spec) / 90e6


def expected_cost(spec: FolderSpec | HubSpec, attributes: dict, words: int, n: int, config: SweepConfig) -> Estimate:
    """What a transformer will take for so many words, and for storing n vectors. `attributes` are what is known of
    it."""
    budget = spec.token_budget or config.encode.token_budget
    width = attributes.get("hidden_size") or attributes.get("embedding_dimension")
    gradients = spec.variant is not None
    return estimate(attributes.get("parameters"), weight_bytes(spec), width, spec.dtype, words, n, budget, gradients)


def seconds_on(cost: Estimate, kind: str | None) -> float:
    """Seconds of a pass on a GPU type, the whole of it: of A100, which may be of two sizes, on the slower one; of a
    type that there is no estimate for, and None, on the slowest that there is one for."""
    known = (cost.seconds[one] for one in (SIZES if kind == "A100" else (kind,)) if one in cost.seconds)
    return max(known, default=max(cost.seconds.values(), default=START_SECONDS))


def slots_of(spec: EncoderSpec, attributes: dict, config: SweepConfig) -> tuple[Slot, ...]:
    """The slot that holds an encoder, by its expected memory, and the fall-backs of that slot."""
    if not isinstance(spec, ModelSpec):
        return (config.cluster.cpu_slot,)
    return config.cluster.slots_for(expected_cost(spec, attributes, 0, 0, config).memory / 1e9)


def weight_bytes(spec: FolderSpec | HubSpec) -> int:
    """Bytes of the weights of an encoder."""
    pickles = dict(spec.pickles)
    if isinstance(spec, HubSpec):
        return sum(size for name, size in spec.fetched if name.endswith(".safetensors") or name in pickles)
    places = [Path(place) for place in (spec.path, spec.base_path) if place is not None]
    files = [file for place in places for file in place.rglob("*.safetensors")]
    return sum(file.stat().st_size for file in (*files, *(places[0] / name for name in pickles)))

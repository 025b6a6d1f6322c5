"""Which encoders are near-copies of each other, so that no split of a prediction may part them."""

from __future__ import annotations

from collections.abc import Mapping

from qre.encoders.spec import ClassicalSpec, EncoderSpec, HubSpec


def group_of(spec: EncoderSpec, parent: str, bases: Mapping[str, str], by: str) -> str:
    """The group of an encoder.

    Args:
        parent: key of its pass and readout.
        bases: of encoders of the hub, id -> the model that it was made from.
        by: "base": all that come from one model of the hub, over however many steps; of other encoders as "parent". "parent": those of one pass and
            readout, and of one vectoriser whatever its dimension. "family".
    """
    if by == "family":
        return spec.family
    if isinstance(spec, ClassicalSpec):
        return _vectoriser(spec)
    return _root(spec.id, bases) if by == "base" and isinstance(spec, HubSpec) else parent


def _root(model: str, bases: Mapping[str, str]) -> str:
    """Where the chain of base models begins; cards may name each other in a circle, and then its first name in order is taken."""
    seen = [model]
    while (base := bases.get(seen[-1])) is not None:
        if base in seen:
            return min(seen[seen.index(base) :])
        seen.append(base)
    return seen[-1]


def _vectoriser(spec: ClassicalSpec) -> str:
    """A classical encoder whatever its dimension and seed."""
    if spec.kind == "sif":
        return f"sif window {spec.window}"
    return f"{spec.kind} {spec.analyzer} {spec.ngrams[0]}-{spec.ngrams[1]} {spec.weighting}"

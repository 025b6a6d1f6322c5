"""Which encoders are near-copies of each other, so that no split of a prediction may part them; and which are of one
origin.

Two labels, one coarser than the other. A *group* are near-copies: one layer and pooling with its variants, one
vectoriser. A *kind* is a whole model, with all that is read off it, or a whole family of vectorisers: what a really new
encoder differs from the known in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qre.encoders.spec import ClassicalSpec, EncoderSpec, EndpointSpec, FolderSpec, HubSpec, MatrixSpec, WordsSpec

UNTOLD = (FolderSpec, MatrixSpec, EndpointSpec, WordsSpec)  # which do not say what they were made from


def group_of(spec: EncoderSpec, parent: str, bases: Mapping[str, str], by: str) -> str:
    """The group of an encoder.

    Args:
        parent: key of its pass and readout.
        bases: of encoders of the hub, id -> the model that it was made from.
        by: "base": all that come from one model of the hub, over however many steps; all of one model behind an
            endpoint, whatever its dimensions; of other encoders as "parent".
            "parent": those of one pass and readout, and of one vectoriser whatever its dimension. "family".
    """
    if by == "family":
        return spec.family
    if isinstance(spec, ClassicalSpec):
        return _vectoriser(spec)
    if isinstance(spec, WordsSpec):  # whatever its words weigh
        return _kind(spec, bases)
    if by == "base" and isinstance(spec, EndpointSpec):
        return _root(spec.model, bases)  # a server of one's own has models of the hub
    return _root(spec.id, bases) if by == "base" and isinstance(spec, HubSpec) else parent


def kinds_of(specs: Sequence[EncoderSpec], bases: Mapping[str, str]) -> list[str]:
    """The kind of each encoder: of the hub, the model where its chain of base models begins; a folder's content; a
    package; a family of vectorisers; the model behind an endpoint.

    A folder, a file of vectors or an endpoint does not say what it was made from. Those of one family, as the config
    names it, are of one kind.

    Args:
        bases: as of group_of.
    """
    labels = [_kind(spec, bases) for spec in specs]
    first: dict[str, str] = {}
    for spec, label in zip(specs, labels, strict=True):
        if isinstance(spec, UNTOLD) and first.setdefault(spec.family, label) != label:
            labels = [first[spec.family] if other == label else other for other in labels]
            first = {family: first[spec.family] if other == label else other for family, other in first.items()}
    return labels


def _kind(spec: EncoderSpec, bases: Mapping[str, str]) -> str:
    if isinstance(spec, ClassicalSpec):
        return spec.kind if spec.kind == "sif" else f"{spec.kind} {spec.analyzer}"
    if isinstance(spec, HubSpec):
        return _root(spec.id, bases)
    if isinstance(spec, EndpointSpec):
        return _root(spec.model, bases)
    if isinstance(spec, MatrixSpec):
        return f"matrix {spec.revision[:12]}"
    if isinstance(spec, WordsSpec):
        return f"words {spec.revision[:12]}"
    return f"folder {spec.revision[:12]}" if isinstance(spec, FolderSpec) else spec.package


def _root(model: str, bases: Mapping[str, str]) -> str:
    """Where the chain of base models begins; cards may name each other in a circle, and then its first name in order is
    taken."""
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

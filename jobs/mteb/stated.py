"""What MTEB's registry states of how an encoder is loaded: its prompts, or that it is no plain sentence-transformers
encoder there.

A result under an official id stands beside those of others, so it is measured as MTEB itself would measure it, or not
at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from qre.encoders.spec import POOLINGS, PoolingName

PLAIN = (
    "SentenceTransformerEncoderWrapper",
    "SentenceTransformerMultimodalEncoderWrapper",
    "sentence_transformers_loader",
)
# of a loader's arguments: used here, or of no effect on a number
HARMLESS = {"model_prompts", "trust_remote_code", "device"}
POOLING = ("pooling", "pooling_method", "pooling_mode")  # of a loader's arguments


class Stated(NamedTuple):
    """`prompts`: by which all of an encoder's own are replaced, None where the registry states none. `refusal`: why it
    cannot be measured here, or ""."""

    prompts: Mapping[str, str] | None = None
    refusal: str = ""


def stated(identifier: str) -> Stated:
    """What the installed `mteb` states of an id of the hub, in any case; nothing for one that it does not know."""
    meta = _known(identifier)
    if meta is None:
        return Stated()
    loader, arguments = getattr(meta.loader, "func", meta.loader), _arguments(meta)
    name = getattr(loader, "__name__", "nothing that is public")
    if name not in PLAIN or not loader.__module__.startswith("mteb.models.sentence_transformer_wrapper"):
        return Stated(
            refusal=f"MTEB's registry loads {meta.name} by {name}, not as a plain sentence-transformers encoder; its "
            f"numbers would differ here"
        )
    strange = sorted(key for key, value in arguments.items() if key not in HARMLESS and value is not None)
    if strange:
        return Stated(
            refusal=f"MTEB's registry loads {meta.name} with {', '.join(strange)} of its own; its numbers would "
            f"differ here"
        )
    return Stated(arguments.get("model_prompts") or None)


def stated_pooling(identifier: str) -> PoolingName | None:
    """How tokens become one vector, where the registry states it in so many words."""
    meta = _known(identifier)
    told = [str(value) for key, value in _arguments(meta).items() if key in POOLING] if meta is not None else []
    return next((name for name in POOLINGS if name in told), None)


def _known(identifier: str) -> Any:
    from mteb.models.model_implementations import MODEL_REGISTRY

    return next((meta for name, meta in MODEL_REGISTRY.items() if name.casefold() == identifier.casefold()), None)


def _arguments(meta: Any) -> dict[str, Any]:
    """What its loader is given."""
    return {**getattr(meta.loader, "keywords", {}), **(meta.loader_kwargs or {})}

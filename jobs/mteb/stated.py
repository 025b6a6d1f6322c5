"""What MTEB's registry states of how an encoder is loaded: its prompts, or that it is no plain sentence-transformers
encoder there.

A result under an official id stands beside those of others, so it is measured as MTEB itself would measure it, or not
at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

PLAIN = (
    "SentenceTransformerEncoderWrapper",
    "SentenceTransformerMultimodalEncoderWrapper",
    "sentence_transformers_loader",
)
# of a loader's arguments: used here, or of no effect on a number
HARMLESS = {"model_prompts", "trust_remote_code", "device"}


class Stated(NamedTuple):
    """`prompts`: by which all of an encoder's own are replaced, None where the registry states none. `refusal`: why it
    cannot be measured here, or ""."""

    prompts: Mapping[str, str] | None = None
    refusal: str = ""


def stated(identifier: str) -> Stated:
    """What the installed `mteb` states of an id of the hub, in any case; nothing for one that it does not know."""
    from mteb.models.model_implementations import MODEL_REGISTRY

    meta = next((meta for name, meta in MODEL_REGISTRY.items() if name.casefold() == identifier.casefold()), None)
    if meta is None:
        return Stated()
    loader = meta.loader
    arguments = {**getattr(loader, "keywords", {}), **(meta.loader_kwargs or {})}
    loader = getattr(loader, "func", loader)
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

"""What the registry of `mteb` knows: which open text encoders there are, and of each its training sets, parent,
languages. An optional extra; without it nothing is added."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from qre.encoders.hub import COMMIT, REPOSITORY

MISSING = (
    "mteb is not installed, so training sets and parents come from the hub alone; add it with: pip install -e "
    '".[mteb]" in this project\'s checkout'
)

CLOSED, MULTIMODAL = "without open weights", "of pictures, sound or video"
RERANKERS, NOWHERE = "rerankers, sparse or multi-vector", "without a repository"


def available() -> bool:
    return importlib.util.find_spec("mteb") is not None


@cache
def registry_attributes(identifier: str) -> dict:
    """Attributes of an encoder by its id on the hub: plain values, without those that the registry does not tell; {}
    where it is not known.

    The registry is a file of the package: nothing is asked of the hub.
    """
    known = _registry().get(identifier) if available() else None
    if known is None:
        return {}
    told = {
        "training_sets": sorted(known.training_datasets) if known.training_datasets else None,
        "base_model": known.adapted_from,
        "languages": [str(language) for language in known.languages or ()] or None,
        "licence": str(known.license) if known.license else None,
        "released": str(known.release_date) if known.release_date else None,
        "parameters": known.n_parameters,
        "uses_instructions": known.use_instructions,
    }
    return {name: value for name, value in told.items() if value is not None}


class TextEncoders(NamedTuple):
    """Of all that the registry has.

    `revisions`: id on the hub -> the commit that MTEB's scores are of, None where none is stated. `others`: id -> what
    it is instead.
    """

    revisions: Mapping[str, str | None]
    others: Mapping[str, str]


@cache
def text_encoders() -> TextEncoders:
    """The encoders that give one dense vector a text, and whose weights anyone may have; none without the package."""
    revisions: dict[str, str | None] = {}
    others: dict[str, str] = {}
    for name, known in _registry().items() if available() else ():
        if not known.open_weights:
            others[name] = CLOSED
        elif list(known.modalities) != ["text"]:
            others[name] = MULTIMODAL
        elif "dense" not in known.model_type:
            others[name] = RERANKERS
        elif known.reference is None or not REPOSITORY.fullmatch(name):
            others[name] = NOWHERE
        else:
            revisions[name] = known.revision if COMMIT.fullmatch(known.revision or "") else None
    return TextEncoders(revisions, others)


@cache
def _registry() -> dict:
    """All that it knows, by id. Its own look-up searches for names alike when it does not know one: 15 ms for each of a
    thousand encoders."""
    import mteb

    return {meta.name: meta for meta in mteb.get_model_metas()}

"""What the registry of `mteb` knows of an encoder: training sets, parent, languages. An optional extra; without it
nothing is added."""

from __future__ import annotations

import importlib.util
from functools import cache

MISSING = (
    "mteb is not installed, so training sets and parents come from the hub alone; add it with: pip install -e "
    '".[mteb]" in this project\'s checkout'
)


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


@cache
def _registry() -> dict:
    """All that it knows, by id. Its own look-up searches for names alike when it does not know one: 15 ms for each of a
    thousand encoders."""
    import mteb

    return {meta.name: meta for meta in mteb.get_model_metas()}

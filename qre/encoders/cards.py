"""What the card and the config of an encoder of the hub tell of it: attributes for people, which change no number."""

from __future__ import annotations


def card_attributes(info) -> dict:
    """What the hub's metadata tells of an encoder: plain values, null where it is not told, never a guess."""
    card = info.card_data.to_dict() if info.card_data else {}
    config, tags = info.config or {}, info.tags or []
    bases = card.get("base_model") or [
        tag.split(":")[-1] for tag in tags if tag.startswith("base_model:") and tag.count(":") == 1
    ]
    return {
        "architecture": next(iter(config.get("architectures") or ()), None),
        "model_type": config.get("model_type"),
        "parameters": info.safetensors.total if info.safetensors else None,
        "base_model": bases[0] if isinstance(bases, list) and bases else bases if isinstance(bases, str) else None,
        "training_sets": _listed(card.get("datasets")),
        "languages": _listed(card.get("language")),
        "licence": card.get("license") if isinstance(card.get("license"), str) else None,
        "library": info.library_name,
        "downloads": info.downloads,
        "likes": info.likes,
        "created": info.created_at.date().isoformat() if info.created_at else None,
    }


def _listed(value) -> list[str] | None:
    if value is None:
        return None
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]

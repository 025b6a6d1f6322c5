"""A hub as the public one is: sizes as those of MTEB's registry, and the kinds of repositories that a sweep of the most
downloaded meets. Only the small files have content; of weights there are the sizes alone."""

from __future__ import annotations

import json

from qre.encoders.registry import text_encoders
from tests.hub import FakeHub

# of each ten encoders: parameters in millions, width, model type, base model
SIZES = (
    (22.7, 384, "bert", "nreimers/MiniLM-L6-H384-uncased"),
    (33.4, 384, "bert", "microsoft/MiniLM-L12-H384-uncased"),
    (109.5, 768, "bert", "google-bert/bert-base-uncased"),
    (124.6, 768, "roberta", "FacebookAI/roberta-base"),
    (149.0, 768, "modernbert", "answerdotai/ModernBERT-base"),
    (278.0, 768, "xlm-roberta", "FacebookAI/xlm-roberta-base"),
    (335.1, 1024, "bert", "google-bert/bert-large-uncased"),
    (567.8, 1024, "xlm-roberta", "BAAI/bge-m3"),
    (1543.3, 1536, "qwen2", "Qwen/Qwen2-1.5B"),
    (7069.1, 3584, "qwen2", "Qwen/Qwen2-7B"),
)
# how many of a hundred
KINDS = {
    "safetensors": 62,
    "pickle": 11,
    "plain": 7,
    "cross-encoder": 5,
    "sparse": 2,
    "gated": 4,
    "disabled": 1,
    "remote code": 5,
    "adapter": 3,
}
REASONS = {"gated": "gated", "disabled": "disabled", "remote code": "remote code", "adapter": "adapter"}
LEFT_OUT = ("cross-encoder", "sparse")
POOLING = "sentence_transformers.models.Pooling"
MODULES = json.dumps(
    [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": POOLING},
    ]
).encode()


def populate(hub: FakeHub, count: int, registered: int = 150) -> list[str]:
    """Add so many repositories, the first ones with the most downloads, a part of them under names and commits of
    MTEB's registry; and say of each of which kind it is."""
    spread = [kind for kind, share in KINDS.items() for _ in range(share)]
    known = [(name, commit) for name, commit in text_encoders().revisions.items() if commit][:registered]
    every = max(count // max(len(known), 1), 1)
    kinds = []
    for number in range(count):
        kind = spread[number * 37 % 100]
        name, commit = f"lab{number % 180}/encoder-{number}", None
        if number % every == 0 and number // every < len(known):
            name, commit = known[number // every]
        _add(hub, name, commit, kind, SIZES[number * 7 % 10], downloads=10 * (count - number))
        kinds.append(kind)
    return kinds


def _add(hub: FakeHub, name: str, commit: str | None, kind: str, size: tuple, downloads: int) -> None:
    millions, width, model_type, base = size
    count = int(millions * 1e6)
    config: dict = {"model_type": model_type, "hidden_size": width, "max_position_embeddings": 512}
    files: dict = {"model.safetensors": 4 * count, "tokenizer.json": 700_000}
    if kind == "remote code":
        config["auto_map"] = {"AutoModel": "modeling.Own"}
        files["modeling.py"] = 9_000
    if kind == "pickle":
        files["pytorch_model.bin"] = files.pop("model.safetensors")
    if kind == "adapter":
        files["adapter_config.json"] = json.dumps({"base_model_name_or_path": base}).encode()
    if kind != "plain":
        files |= {"modules.json": MODULES, "1_Pooling/config.json": b'{"pooling_mode_mean_tokens": true}'}
    files["config.json"] = json.dumps(config).encode()
    hub.add(
        name,
        files=files,
        branches={"main": commit} if commit else None,
        downloads=downloads,
        gated="manual" if kind == "gated" else False,
        disabled=kind == "disabled",
        tags=["sentence-transformers", *(["cross-encoder"] * (kind == "cross-encoder"))]
        + ["sparse-encoder"] * (kind == "sparse"),
        card={"license": "mit", "base_model": base},
        safetensors_parameters=None if kind == "pickle" else {"F32": count},
    )

"""Made encoders: models in families, each read off in several ways, with the attributes that a hub and a map tell."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from qre.geometry.measured_row import MAP_COLUMNS

HOSTILE = (
    "<script>document.title = 'broken'</script>",
    '"><img src=x onerror="document.title = \'broken\'">',
    "</script><script>document.title = 'broken'</script>",
    "<!--<script>",
    "'); document.title = 'broken'; ('",
    "__proto__",
    "constructor",
    "toString",
    "null",
    "NaN",
    "javascript:document.title='broken'",
    "&lt;b&gt; &amp; #view=table&encoder=%00",
    "{{data}} ${name} `x`",
    "=1+1",
    "\u202eright to left\u202c and \u2066isolated\u2069",
    "line\u2028separator\u2029s",
    "e\u0301\u0302\u0303\u0304\u0305 \U0001f469\u200d\U0001f469\u200d\U0001f467 数据 עברית العربية",
    "n" * 200,
)
SENTENCES = tuple(
    f"The {kind} {animal} sleeps under the {place}."
    for kind in ("old", "small", "grey", "tired")
    for animal in ("cat", "dog", "owl")
    for place in ("bridge", "tree", "roof", "table")
)
FAMILIES = (
    "BERT MiniLM MPNet E5 BGE GTE Nomic Jina Arctic Qwen Mistral Llama Gemma T5 RoBERTa XLM-R Static Hashed LSA SIF"
)
LICENCES = ("apache-2.0", "mit", "cc-by-nc-4.0", "other", "llama3", "gemma")
SETS = ("msmarco", "natural_questions", "all-nli", "quora", "hotpot_qa", "squad", "eli5", "fever", "stackexchange")
LANGUAGES = ("en", "de", "fr", "zh", "es", "ja", "ko", "ar", "hi", "multilingual")
READOUTS = [("last", "mean", ""), *((f"{layer}", pooling, "") for layer in (2, 4, 6) for pooling in ("mean", "cls"))]
TRANSFORMS = ("truncate:64", "truncate:128", "center", "whiten", "all_but_the_top:1")
CLASSICAL = ("Hashed", "LSA", "SIF")
PLACES = 8  # dimensions that the made encoders lie in


def encoder_table(
    count: int, attributes: int, rng: np.random.Generator, hostile: bool
) -> tuple[pd.DataFrame, np.ndarray]:
    """map.parquet of `count` encoders with at least `attributes` columns beside those of the geometry, and where they
    lie, (count, PLACES)."""
    families = FAMILIES.split() + [f"Family {i}" for i in range(count // 150)]
    weights = 1 / np.arange(1, len(families) + 1) ** 0.7
    rows: list[dict] = []
    places: list[np.ndarray] = []
    centres = 8 * rng.standard_normal((len(families), PLACES))
    while len(rows) < count:
        family = int(rng.choice(len(families), p=weights / weights.sum()))
        _add_model(rows, places, families[family], centres[family], len(rows), rng)
    table, at = pd.DataFrame(rows[:count]), np.stack(places[:count])
    table = _measured(table, at, rng)
    if hostile:
        table = _with_hostile(table)
    made = attributes - table.shape[1]
    extra = {f"made_{i:02d}": _made_column(i, count, rng) for i in range(max(0, made))}
    return pd.concat([table, pd.DataFrame(extra), pd.DataFrame(_geometry(at))], axis=1), at


def _add_model(
    rows: list[dict], places: list[np.ndarray], family: str, centre: np.ndarray, number: int, rng: np.random.Generator
) -> None:
    """One model more, and the encoders that are read off it: their rows and places."""
    classical = family in CLASSICAL
    model = f"org-{number % 97}/{family.lower().replace(' ', '-')}-{number}"
    card = {} if classical else _card(rng)
    offset = centre + 2 * rng.standard_normal(PLACES)
    for layer, pooling, _ in READOUTS[: 1 if classical or rng.random() < 0.4 else int(rng.integers(2, len(READOUTS)))]:
        base = offset + 0.6 * rng.standard_normal(PLACES)
        for transform in ("", *rng.choice(TRANSFORMS, int(rng.integers(0, 3)), replace=False)):
            name = model + (f"/L{layer}/{pooling}" if layer != "last" else "") + (f"/{transform}" if transform else "")
            width = int(transform[9:]) if transform.startswith("truncate:") else card.get("hidden_size", 256)
            rows.append(
                {
                    "key": hashlib.sha256(name.encode()).hexdigest(),
                    "name": name,
                    "family": family,
                    "source": "classical" if classical else "hub",
                    "parent": hashlib.sha256(f"{model} {layer} {pooling}".encode()).hexdigest(),
                    "group": model,
                    "kind": family.lower(),
                    "layer": None if classical or layer == "last" else layer,
                    "pooling": None if classical or layer == "last" else pooling,
                    "transforms": transform or None,
                    "model": None if classical else model,
                    "commit": None if classical else hashlib.sha1(model.encode()).hexdigest(),
                    "method": "hashed words, counts" if classical else None,
                    "dimension": width,
                    **card,
                }
            )
            places.append(base + (0.1 * rng.standard_normal(PLACES) if transform else 0))


def _card(rng: np.random.Generator) -> dict:
    """What a hub's card and config tell: many cards lack much of it."""
    hidden = int(rng.choice([384, 512, 768, 1024, 4096], p=[0.25, 0.1, 0.35, 0.2, 0.1]))
    told = {
        "architecture": "BertModel" if hidden < 4096 else "MistralModel",
        "model_type": "bert" if hidden < 4096 else "mistral",
        "layers": 6 if hidden == 384 else 12 if hidden < 1024 else 24 if hidden == 1024 else 32,
        "hidden_size": hidden,
        "vocabulary": int(rng.choice([30522, 32000, 250002])),
        "parameters": int(hidden**2 * rng.uniform(100, 400)),
        "model_pooling": str(rng.choice(["mean", "cls", "lasttoken"])),
        "model_max_tokens": int(rng.choice([128, 256, 512, 8192, 32768])),
        "modules": "Transformer+Pooling+Normalize",
        "prompt_names": "document,query" if rng.random() < 0.3 else None,
        "base_model": f"base/model-{int(rng.integers(30))}" if rng.random() < 0.6 else None,
        "training_sets": ", ".join(rng.choice(SETS, int(rng.integers(1, 6)), replace=False)),
        "languages": ", ".join(rng.choice(LANGUAGES, int(rng.integers(1, 4)), replace=False)),
        "licence": str(rng.choice(LICENCES, p=[0.45, 0.3, 0.1, 0.05, 0.05, 0.05])),
        "library": "sentence-transformers",
        "downloads": int(10 ** rng.uniform(0, 7)),
        "likes": int(10 ** rng.uniform(0, 3)),
        "created": f"20{int(rng.integers(19, 27))}-{int(rng.integers(1, 13)):02d}-{int(rng.integers(1, 29)):02d}",
        "released": f"20{int(rng.integers(19, 27))}-01-01" if rng.random() < 0.3 else None,
        "uses_instructions": bool(rng.random() < 0.3) if rng.random() < 0.5 else None,
    }
    untold = rng.random(len(told)) < 0.12
    kept = ("hidden_size", "layers", "modules")
    return {name: None if gone and name not in kept else value for (name, value), gone in zip(told.items(), untold)}


def _measured(table: pd.DataFrame, places: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """With what is computed from embeddings, as a map's table has it."""
    count = len(table)
    rank = 20 + 60 * rng.random(count) + 5 * np.abs(places[:, 2])
    return table.assign(
        x=3 * places[:, 0] + 1.5 * places[:, 1],
        y=3 * places[:, 2] - 1.5 * places[:, 3],
        qre=3.2 + 0.05 * np.abs(places[:, 4]) + rng.gamma(2.0, 0.4, count),
        entropy=np.log(rank),
        effective_rank=rank,
        device=np.where(np.arange(count) % 2, "cpu", "NVIDIA L4"),
        truncated_share=np.where(rng.random(count) < 0.3, rng.random(count) * 0.1, np.nan),
        warnings=pd.Series(
            [f"{row} weights are not in the file" if row % 41 == 0 else None for row in range(count)], dtype=object
        ),
        own=pd.Series([True if row % 53 == 0 else None for row in range(count)], dtype=object),
        direction="base_first",
        perturbation="clip",
        epsilon=1e-6,
        unit_rows=True,
    )


def _geometry(places: np.ndarray) -> dict[str, np.ndarray]:
    """The measures of geometry, as a map has them: none of every thirteenth encoder."""
    count = len(places)
    rng, none = np.random.default_rng(count), np.where(np.arange(count) % 13 == 5, np.nan, 0.0)
    made = {name: rng.random(count) + none for name in MAP_COLUMNS}
    return made | {
        "isoscore_unbiased": 10 ** (3 * made["isoscore_unbiased"] - 3),
        "uniformity": made["uniformity"] - 4,
        "uniformity_se": 4e-5 + none,
        "sampled": 2048 + none,
        "pairs": 1000 + none,
        "groups": 500 + none,
    }


def _with_hostile(table: pd.DataFrame) -> pd.DataFrame:
    table = table.copy()
    some = table.index[: len(HOSTILE)]
    for column in ("name", "family", "licence", "languages", "training_sets", "warnings", "model", "group"):
        table[column] = table[column].astype(object)
        table.loc[some, column] = list(HOSTILE[: len(some)])
    return table


def _made_column(number: int, count: int, rng: np.random.Generator) -> pd.Series:
    """A number, a category or yes and no, with gaps."""
    if number % 3 == 0:
        values = pd.Series(rng.normal(size=count).round(4))
    elif number % 3 == 1:
        values = pd.Series(np.array([f"level {i}" for i in range(3 + number)], dtype=object)[rng.integers(0, 3, count)])
    else:
        values = pd.Series((rng.random(count) < 0.5).astype(object))
    return values.where(rng.random(count) < 0.8, None)

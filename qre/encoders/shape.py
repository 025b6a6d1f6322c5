"""How many layers and dimensions an encoder has, by its files alone: what is asked of it beyond that is known to fail
before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qre.encoders.kinds import Module

# as configs of transformers call them; the first that is there counts
LAYERS = ("num_hidden_layers", "n_layers", "n_layer", "num_layers", "encoder_layers")
HIDDEN = ("hidden_size", "d_model", "dim", "n_embd", "emb_dim")
SAME = frozenset({"Normalize", "Dropout", "LayerNorm"})  # modules that leave the dimension as it is
# first modules that look words up and run no transformer
STATIC = frozenset({"StaticEmbedding", "WordEmbeddings", "BoW"})


def shape_of(modules: Sequence[Module], documents: Mapping[str, object]) -> dict:
    """What an encoder's files tell of its size, by the names that a loaded encoder gives them; None where they do not
    tell.

    Args:
        modules: in order, those in routers after their router.
        documents: content of the JSON files, by name.

    Returns:
        hidden_size, layers, vocabulary; embedding_dimension (of its own pipeline); modules, such as
        "Transformer+Pooling".
    """
    first = modules[0] if modules else None
    config = (
        _config(first, documents)
        if first is not None and first.name == "Transformer"
        else _mapping(documents.get("config.json"))
    )
    return {
        "hidden_size": _count(config, HIDDEN),
        "layers": _count(config, LAYERS),
        "vocabulary": _count(config, ("vocab_size",)),
        "embedding_dimension": _dimension(modules, documents, _count(config, HIDDEN)),
        "modules": names_of(modules) or None,
    }


def names_of(modules: Sequence[Module]) -> str:
    """The classes of modules, such as "Transformer+Pooling"."""
    return "+".join(module.name for module in modules)


def is_static(attributes: Mapping[str, object]) -> bool:
    """Whether an encoder looks vectors up and runs no transformer, by what is known of it."""
    return str(attributes.get("modules") or "").partition("+")[0] in STATIC


def _dimension(modules: Sequence[Module], documents: Mapping[str, object], hidden: int | None) -> int | None:
    """Of the vectors that the whole pipeline gives; None where a module does not tell."""
    dimension = None
    for module in modules:
        config = _config(module, documents)
        if module.name == "Transformer":
            dimension = hidden
        elif module.name == "Pooling":
            dimension = _pooled(config, dimension)
        elif module.name == "Dense":
            dimension = _count(config, ("out_features",))
        elif module.name not in SAME:
            return None
    return dimension


def _pooled(config: Mapping[str, object], width: int | None) -> int | None:
    """Of the vectors of a pooling of tokens with `width` dimensions: those of several modes stand side by side."""
    width, named = (
        width or _count(config, ("word_embedding_dimension", "embedding_dimension")),
        config.get("pooling_mode"),
    )
    modes = (
        len(named)
        if isinstance(named, list)
        else sum(value is True for key, value in config.items() if key.startswith("pooling_mode_"))
    )
    return width * max(modes, 1) if width else None


def _config(module: Module, documents: Mapping[str, object]) -> dict:
    return _mapping(documents.get(f"{module.path}/config.json" if module.path else "config.json"))


def _mapping(value: object) -> dict:
    return value if isinstance(value, dict) else {}


def _count(config: Mapping[str, object], names: Sequence[str]) -> int | None:
    return next((value for name in names if type(value := config.get(name)) is int and value > 0), None)

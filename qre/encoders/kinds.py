"""What makes a sentence encoder: one dense vector a text. Everything else that sentence-transformers saves is refused
by its kind."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

CROSS, SPARSE, MULTI, OTHER = "cross-encoder", "sparse encoder", "multi-vector encoder", "not a sentence encoder"
KINDS = frozenset({CROSS, SPARSE, MULTI, OTHER})  # reasons; a query of the hub leaves these out
MODEL_TYPES = {"CrossEncoder": CROSS, "SparseEncoder": SPARSE, "MultiVectorEncoder": MULTI, "ColBERT": MULTI}
TASKS = {
    "sequence-classification": CROSS,
    "text-generation": CROSS,
    "any-to-any": CROSS,
    "fill-mask": SPARSE,
    "retrieval": MULTI,
}
# classes of sentence-transformers, by what they give
TO_VECTORS = frozenset({"Pooling", "StaticEmbedding", "BoW", "CLIPModel"})  # one vector a text
# one vector a token
TO_TOKENS = frozenset({"Transformer", "WordEmbeddings", "WordWeights", "CNN", "LSTM", "WeightedLayerPooling"})
OF_EITHER = frozenset({"Dense", "Normalize", "LayerNorm", "Dropout", "Router", "Asym"})
SHIPPED = TO_VECTORS | TO_TOKENS | OF_EITHER
OTHERS = {
    "MLMTransformer": SPARSE,
    "SpladePooling": SPARSE,
    "SparseAutoEncoder": SPARSE,
    "CSRSparsity": SPARSE,
    "SparseStaticEmbedding": SPARSE,
    "IDF": SPARSE,
    "LogitScore": CROSS,
    "MultiVectorMask": MULTI,
    "BaseTokenPooling": MULTI,
    "HierarchicalTokenPooling": MULTI,
    "LambdaTokenPooling": MULTI,
}
PACKAGES = {
    "sentence_transformers.sparse_encoder.": SPARSE,
    "sentence_transformers.cross_encoder.": CROSS,
    "sentence_transformers.multi_vector_encoder.": MULTI,
    "pylate.": MULTI,
    "colbert.": MULTI,
}
# the libraries' own words for a kind
TAGS = {"cross-encoder": CROSS, "text-ranking": CROSS, "sparse-encoder": SPARSE, "pylate": MULTI}
# also what others are tagged with
TOPICS = {"reranker": CROSS, "splade": SPARSE, "colbert": MULTI, "late-interaction": MULTI, "multi-vector": MULTI}


@dataclass(frozen=True)
class Module:
    """One module of an encoder.

    Attributes:
        type: its class, as the file names it.
        path: its folder, "" for the top.
        place: the file that names it.
    """

    type: str
    path: str
    place: str

    @property
    def name(self) -> str:
        return self.type.rpartition(".")[2]

    @property
    def shipped(self) -> bool:
        """Whether the class is one of sentence-transformers' own namespace."""
        return self.type.startswith("sentence_transformers.")


def kind_problem(
    modules: tuple[Module, ...], documents: Mapping[str, object], names: Collection[str], tags: Collection[str]
) -> tuple[str, str] | None:
    """Why this is not a sentence encoder: (reason, detail); None where nothing says so.

    Args:
        modules: in order, those in routers after their router; none where there is no modules.json.
        documents: content of the JSON files, by name.
        names: of all files.
        tags: of the hub, with its task.
    """
    stated = _mapping(documents, "config_sentence_transformers.json").get("model_type", "SentenceTransformer")
    if stated != "SentenceTransformer":  # sentence-transformers would convert it, to mean pooling
        return MODEL_TYPES.get(str(stated), OTHER), f"config_sentence_transformers.json: model_type is {stated}"
    for module in modules:
        kind = next(
            (
                kind
                for package, kind in PACKAGES.items()
                if module.type.startswith(package) and module.name not in SHIPPED
            ),
            None,
        )
        kind = kind or (OTHERS.get(module.name) if module.shipped else None)
        if kind is not None:
            return kind, f"{module.place}: {module.type}"
        task, file = _task(module, documents)
        if task in TASKS:
            return TASKS[task], f"{file}: transformer_task is {task}"
    if "artifact.metadata" in names:
        return MULTI, "artifact.metadata is a ColBERT's"
    config = _mapping(documents, "config.json")
    heads = [name for name in config.get("architectures") or () if str(name).endswith("ForSequenceClassification")]
    if heads and ("sentence_transformers" in config or "sbert_ce_default_activation_function" in config):
        return CROSS, f"config.json: {heads[0]} with the settings of a cross-encoder"
    lower = {str(tag).casefold() for tag in tags}
    ends = any(module.name in TO_VECTORS or not module.shipped for module in modules) or any(
        _gives_vectors(module, documents) for module in modules
    )
    for tag, kind in (TAGS if ends else {**TAGS, **TOPICS}).items():
        if tag in lower:
            return kind, f"its tag {tag} on the hub"
    if modules and not ends:
        return (
            MULTI,
            f"modules.json: none of {', '.join(dict.fromkeys(module.name for module in modules))} makes one vector of "
            f"a text's tokens",
        )
    return None


def unknown_module(modules: tuple[Module, ...]) -> tuple[str, str] | None:
    """A class in sentence-transformers' namespace that it does not ship."""
    for module in modules:
        if module.shipped and module.name not in SHIPPED and module.name not in OTHERS:
            return "unknown module", f"{module.place}: {module.type}"
    return None


def _settings(module: Module, documents: Mapping[str, object]) -> tuple[dict, str]:
    """The first sentence_*_config.json of a module, as sentence-transformers looks for them, and its name."""
    prefix = f"{module.path}/" if module.path else ""
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"):
        file = f"{prefix}sentence_{kind}_config.json"
        if settings := _mapping(documents, file):
            return settings, file
    return {}, ""


def _task(module: Module, documents: Mapping[str, object]) -> tuple[str, str]:
    settings, file = _settings(module, documents) if module.name == "Transformer" else ({}, "")
    return str(settings.get("transformer_task")), file


def _gives_vectors(module: Module, documents: Mapping[str, object]) -> bool:
    """Whether a transformer's own output is one vector a text, as of a model of pictures and texts."""
    return (
        module.name == "Transformer"
        and _settings(module, documents)[0].get("module_output_name") == "sentence_embedding"
    )


def _mapping(documents: Mapping[str, object], name: str) -> dict:
    value = documents.get(name)
    return value if isinstance(value, dict) else {}

"""Checkpoints that are no sentence encoders, each saved by sentence-transformers itself: `make_other` makes one of
OTHER_KINDS."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from tests.checkpoints import make

OTHER_KINDS = {
    "cross": "cross-encoder",
    "cross-logits": "cross-encoder",
    "sparse": "sparse encoder",
    "sparse-old": "sparse encoder",
    "sparse-static": "sparse encoder",
    "multi": "multi-vector encoder",
    "pylate": "multi-vector encoder",
}


def make_other(kind: str, folder: Path) -> Path:
    """Save a checkpoint.

    Kinds:
        cross, cross-logits: a CrossEncoder on a classification head, or with a module that reads a score off the next
        word. sparse, sparse-old, sparse-static: a SparseEncoder on a masked language model, the same by its older
        module, and on words' weights.
        multi, pylate: a MultiVectorEncoder; what PyLate saves, a Dense on each token and nothing after.
    """
    with tempfile.TemporaryDirectory() as scratch:
        model = _model(kind, Path(scratch))
        model.save(str(folder), create_model_card=False) if kind != "pylate" else model.save(str(folder))
    if kind == "pylate":
        change(folder / "config_sentence_transformers.json", lambda config: {**config, "model_type": "ColBERT"})
    return Path(folder)


def _model(kind: str, scratch: Path):
    import sentence_transformers as st
    import transformers as tf
    from sentence_transformers.base.modules import Dense, Transformer
    from sentence_transformers.cross_encoder.modules import LogitScore
    from sentence_transformers.sparse_encoder.modules import MLMTransformer, SparseStaticEmbedding, SpladePooling

    body = make("bert", scratch / "bert")
    tokenizer, config = tf.AutoTokenizer.from_pretrained(body), tf.AutoConfig.from_pretrained(body)

    def headed(name: str, network) -> str:
        network.save_pretrained(scratch / name)
        tokenizer.save_pretrained(scratch / name)
        return str(scratch / name)

    if kind == "cross":
        config.num_labels = 1
        return st.CrossEncoder(headed("cross", tf.BertForSequenceClassification(config)), device="cpu")
    if kind == "cross-logits":
        folder = headed("causal", tf.BertLMHeadModel(tf.BertConfig(**{**config.to_dict(), "is_decoder": True})))
        return st.CrossEncoder(
            modules=[Transformer(folder, transformer_task="text-generation"), LogitScore(5, 6)], device="cpu"
        )
    if kind == "sparse-static":
        return st.SparseEncoder(modules=[SparseStaticEmbedding(tokenizer)], device="cpu")
    if kind.startswith("sparse"):
        folder = headed("masked", tf.BertForMaskedLM(config))
        first = MLMTransformer(folder) if kind == "sparse-old" else Transformer(folder, transformer_task="fill-mask")
        return st.SparseEncoder(modules=[first, SpladePooling("max")], device="cpu")
    if kind == "pylate":
        dense = Dense(32, 16, module_input_name="token_embeddings", module_output_name="token_embeddings")
        return st.SentenceTransformer(modules=[Transformer(str(body)), dense], device="cpu")
    return st.MultiVectorEncoder(str(body), device="cpu")


def change(file: Path, by) -> None:
    """Write a JSON file anew: `by` of its content."""
    file.write_text(json.dumps(by(json.loads(file.read_text()))))

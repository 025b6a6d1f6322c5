"""Real sentence-transformers checkpoints of every kind of module that the library ships, beside those of
tests/checkpoints.py; all random, from a seed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.checkpoints import DIMENSION, LIMIT, PROMPTS, WORDS, _body, _spread, _static, _tokenizer

OUT = 16  # dimensions after a Dense
COMMON = (
    "is was were be been has had have it its this that they their of to and for with as by not no what when who "
    "which he she his her we you i my"
).split()
VOCABULARY = list(dict.fromkeys(["PADDING_TOKEN", *WORDS, *COMMON]))


def make_pipeline(kind: str, folder: Path, seed: int = 0) -> Path:
    """Save a checkpoint of one of PIPELINES; returns the folder. The same kind and seed give the same weights."""
    import torch
    from sentence_transformers import SentenceTransformer

    with tempfile.TemporaryDirectory() as scratch, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        modules, keywords = _BUILDERS[kind](Path(scratch))
        _spread([module for module in modules if kind != "word-weights" or type(module).__name__ != "WordWeights"])
        if hasattr(modules[0], "emb_layer"):
            modules[0].emb_layer.weight.data[0] = 0  # what sentences are padded with
        SentenceTransformer(modules=modules, device="cpu", **keywords).save(str(folder), create_model_card=False)
    return Path(folder)


def _modules():
    from sentence_transformers.sentence_transformer import modules

    return modules


def _words(tokenizer=None):
    """Word vectors, as of GloVe: a word a token, split at spaces."""
    from sentence_transformers.sentence_transformer.modules.tokenizer import WhitespaceTokenizer

    tokenizer = tokenizer or WhitespaceTokenizer(VOCABULARY, stop_words=(), do_lower_case=True)
    return _modules().WordEmbeddings(tokenizer, np.zeros((200, DIMENSION), np.float32))


def _after_words(*rest: Callable, width: int = DIMENSION) -> Callable:
    """Word vectors, what follows, and the mean of its `width` dimensions."""
    return lambda scratch: ([_words(), *(build() for build in rest), _modules().Pooling(width, "mean")], {})


def _bert(*rest: Callable, pooling: str = "mean", include_prompt: bool = True, **keywords) -> Callable:
    """BERT, pooling, and what follows."""

    def build(scratch: Path) -> tuple[list, dict]:
        pool = _modules().Pooling(DIMENSION, pooling, include_prompt=include_prompt)
        return [_body("bert", scratch), pool, *(make() for make in rest)], keywords

    return build


def _layers(states: bool) -> Callable:
    """A weighted mean of layers, which looks at hidden states where the config asks for them, and else does nothing."""

    def build(scratch: Path) -> tuple[list, dict]:
        from torch import nn
        from torch.nn import Parameter

        body = _body("bert", scratch)
        body.auto_model.config.output_hidden_states = states
        mean = _modules().WeightedLayerPooling(DIMENSION, num_hidden_layers=2, layer_start=1)
        mean.layer_weights = Parameter(nn.init.uniform_(mean.layer_weights.data, 0.2, 2.0))
        return [body, mean, _modules().Pooling(DIMENSION, "mean")], {}

    return build


def _token_dense(scratch: Path) -> tuple[list, dict]:
    return [
        _body("bert", scratch),
        _modules().Dense(DIMENSION, OUT, module_input_name="token_embeddings"),
        _modules().Pooling(OUT, "mean"),
    ], {}


def _router(scratch: Path) -> tuple[list, dict]:
    """Queries by a bag of token vectors, documents by BERT: plain `encode` takes the latter."""
    query = [*_static(scratch)[0], _modules().Normalize()]
    document = [_body("bert", scratch), _modules().Pooling(DIMENSION, "mean"), _modules().Normalize()]
    return [_modules().Router.for_query_document(query, document, default_route="document")], {}


def _asymmetric(scratch: Path) -> tuple[list, dict]:
    """One body, and another projection for queries than for documents."""
    ways = {name: [_modules().Dense(DIMENSION, OUT)] for name in ("query", "document")}
    return [
        _body("bert", scratch),
        _modules().Pooling(DIMENSION, "mean"),
        _modules().Router(ways, default_route="query"),
    ], {}


def _clip(scratch: Path) -> tuple[list, dict]:
    """The two towers of CLIP, of which text takes one."""
    import transformers as tf

    tokenizer = _tokenizer("bert")
    tokenizer.model_max_length = LIMIT
    sizes = {"hidden_size": DIMENSION, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    text = {
        **sizes,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": LIMIT,
        "eos_token_id": 3,
        "bos_token_id": 2,
        "pad_token_id": 0,
    }
    config = tf.CLIPConfig(
        text_config=text, vision_config={**sizes, "image_size": 16, "patch_size": 8}, projection_dim=OUT
    )
    tf.CLIPModel(config).save_pretrained(scratch)
    images = tf.CLIPImageProcessor(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
    tf.CLIPProcessor(image_processor=images, tokenizer=tokenizer).save_pretrained(scratch)
    return [_modules().CLIPModel(str(scratch), _from_auto_load=True)], {}


def _lstm():
    return _modules().LSTM(DIMENSION, hidden_dim=12)


def _cnn():
    return _modules().CNN(DIMENSION, out_channels=8, kernel_sizes=[1, 3])


def _weights():
    return _modules().WordWeights(VOCABULARY, {word: 1 + i % 5 for i, word in enumerate(WORDS)})


def _bag(scratch: Path) -> tuple[list, dict]:
    return [
        _modules().BoW(VOCABULARY, {word: 1 + i % 5 for i, word in enumerate(WORDS)}),
        _modules().Dense(len(VOCABULARY), OUT),
    ], {}


def _words_of_a_tokenizer(scratch: Path) -> tuple[list, dict]:
    return [_words(_tokenizer("bert")), _modules().Pooling(DIMENSION, "max")], {}


_BUILDERS: dict[str, Callable] = {
    "layers": _layers(states=True),
    "layers-unasked": _layers(states=False),
    "words": _after_words(),
    "words-of-a-tokenizer": _words_of_a_tokenizer,
    "word-weights": _after_words(_weights),
    "lstm": _after_words(_lstm, width=24),
    "cnn": _after_words(_cnn, width=16),
    "bag-of-words": _bag,
    "dropout": _bert(lambda: _modules().Dropout(0.5), lambda: _modules().Dense(DIMENSION, OUT)),
    "residual": _bert(lambda: _modules().Dense(DIMENSION, OUT, use_residual=True)),
    "token-dense": _token_dense,
    "sqrt": _bert(pooling="mean_sqrt_len_tokens"),
    "router": _router,
    "asymmetric": _asymmetric,
    "clip": _clip,
    "instructor": _bert(
        lambda: _modules().Normalize(), include_prompt=False, prompts=PROMPTS, default_prompt_name="query"
    ),
}
PIPELINES: tuple[str, ...] = tuple(_BUILDERS)

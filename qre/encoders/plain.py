"""Plain checkpoints: transformers' own repositories and folders, without modules.json. They do not say how their tokens
become one vector, so the entry of a config states the pooling, and nobody guesses it.

cls is the hidden state of the first token, not a pooler's output. All of them are padded on the right, whatever their
tokenizer says: then the positions of a sentence begin at the beginning in every model, and a causal one never sees
padding.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from qre.encoders.kinds import Module
from qre.encoders.max_tokens import position_limit, token_limit
from qre.errors import EncoderError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BODY = Module("sentence_transformers.base.modules.transformer.Transformer", "", "config.json")
# encoder-decoder models of which sentence-transformers loads the encoder alone
ENCODERS_TAKEN = frozenset({"t5", "mt5", "umt5", "longt5"})
# what sentence-transformers saves beside modules.json: with one of these and no modules.json, a part is missing
PARTS = re.compile(r"config_sentence_transformers\.json|sentence_\w[\w-]*_config\.json|\d+_[A-Z]\w*/config\.json")
TOKENIZER = re.compile(r"(tokenizer|vocab|spiece|sentencepiece|bpe)[^/]*\.(json|txt|model)|merges\.txt|[^/]+\.model")
TEXT = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}


def plain_problem(
    names: Collection[str], documents: Mapping[str, object], known: Callable[[str], bool]
) -> tuple[str, str] | None:
    """Why files without modules.json are no checkpoint that can be taken with a stated pooling: (reason, detail); None
    where they are one.

    Args:
        names: of all files.
        documents: content of the JSON files, by name.
        known: whether transformers has a class of its own for a model type.
    """
    if (part := next((name for name in sorted(names) if PARTS.fullmatch(name)), None)) is not None:
        return "not sentence-transformers", f"it has {part} and no modules.json: a part of it is missing"
    config = told if isinstance(told := documents.get("config.json"), dict) else {}
    kind = config.get("model_type")
    if not isinstance(kind, str) or not (known(kind) or "auto_map" in config):
        return (
            "not sentence-transformers",
            "it has no modules.json, and no config.json with a model type that transformers knows",
        )
    if config.get("is_encoder_decoder") is True and kind not in ENCODERS_TAKEN:
        return "encoder-decoder", f"config.json: model type {kind}"
    if not any(TOKENIZER.fullmatch(name) for name in names):
        return "not sentence-transformers", "it has no modules.json, and no tokenizer"
    return None


def load_plain(
    path: str, pooling: str, *, device: str | None, trusted: bool, model_kwargs: dict[str, Any]
) -> SentenceTransformer:
    """The transformer of a plain checkpoint with a pooling behind it.

    Args:
        pooling: of spec.POOLINGS.
        device: of torch; None where `model_kwargs` has a device_map.
        trusted: run code of its own.
        model_kwargs: of `from_pretrained`: dtype, use_safetensors, device_map.

    Raises:
        EncoderError: it gives no hidden state for each token of a text.
    """
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    own = {"trust_remote_code": trusted, "local_files_only": True}
    body = Transformer(
        path,
        model_kwargs={**own, **model_kwargs},
        processor_kwargs=dict(own),
        config_kwargs=dict(own),
        modality_config=TEXT,  # text as it stands: never through a chat template
        module_output_name="token_embeddings",
    )
    config = body.auto_model.config
    if getattr(config, "is_encoder_decoder", False) and config.model_type not in ENCODERS_TAKEN:  # code of its own, say
        raise EncoderError(f"an encoder-decoder model ({config.model_type}), whose hidden states are of its decoder")
    if body.tokenizer is None:
        raise EncoderError("it has no tokenizer")
    body.tokenizer.padding_side = "right"
    if (limit := _limit(body)) is not None:
        body.max_seq_length = limit
    modules = [body, Pooling(body.get_embedding_dimension(), pooling)]
    return SentenceTransformer(modules=modules, device=device)


def _limit(body) -> int | None:
    """Most tokens of a sentence: the least of what the tokenizer says (1e30 says nothing), the rows of the table of
    positions (those of the RoBERTa kind begin behind the padding index), and the config's max_position_embeddings."""
    stated = getattr(body.auto_model.config, "max_position_embeddings", None)
    limits = (token_limit(body), position_limit(body), stated if type(stated) is int and stated > 0 else None)
    return min((limit for limit in limits if limit is not None), default=None)

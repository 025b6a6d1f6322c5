"""Plain checkpoints of a few hundred kB, saved by transformers itself: no modules.json, random weights from a seed."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np

from tests.checkpoints import DIMENSION, LIMIT, SIZES, _tokenizer

ENDS = {"bos_token_id": 0, "eos_token_id": 0}
AFTER_PAD = {"max_position_embeddings": LIMIT + 2, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
SLIM = {"d_model": DIMENSION, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
# name -> class, class of the config, tokenizer, keywords of the config
NETWORKS = {
    "bert": ("BertModel", "BertConfig", "bert", {**SIZES, "max_position_embeddings": LIMIT}),
    "bert-mlm": ("BertForMaskedLM", "BertConfig", "bert", {**SIZES, "max_position_embeddings": LIMIT}),
    "roberta": ("RobertaForMaskedLM", "RobertaConfig", "roberta", {**SIZES, **AFTER_PAD}),
    "gpt2": ("GPT2LMHeadModel", "GPT2Config", "qwen2", {"n_embd": DIMENSION, "n_layer": 2, "n_head": 4, **ENDS}),
    "llama": ("LlamaForCausalLM", "LlamaConfig", "qwen2", {**SIZES, "num_key_value_heads": 2, **ENDS}),
    "t5": ("T5ForConditionalGeneration", "T5Config", "t5", SLIM),
    "bart": (
        "BartModel",
        "BartConfig",
        "roberta",
        {"d_model": DIMENSION, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64}
        | {"encoder_attention_heads": 4, "decoder_attention_heads": 4, "max_position_embeddings": LIMIT},
    ),
}


def make_plain(kind: str, folder: Path, seed: int = 0, **tokenizer_keywords) -> Path:
    """Save the network `kind` of NETWORKS and its tokenizer; KeyError where there is none.

    Args:
        tokenizer_keywords: attributes of the tokenizer, such as padding_side.
    """
    import torch
    import transformers

    network, config, family, keywords = NETWORKS[kind]
    words = _tokenizer(family)
    for name, value in tokenizer_keywords.items():
        setattr(words, name, value)
        words.init_kwargs[name] = value  # what is saved
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = getattr(transformers, network)(getattr(transformers, config)(vocab_size=len(words), **keywords))
        for parameter in model.parameters():
            if parameter.dim() > 1:  # with the usual 0.02 all sentences would be one vector but for rounding
                parameter.normal_(0.0, 0.3)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return Path(folder)


@cache
def _network(folder: Path) -> tuple:
    import torch
    from transformers import AutoModel, AutoTokenizer, T5EncoderModel

    kind = json.loads((folder / "config.json").read_text())["model_type"]
    network = T5EncoderModel if kind == "t5" else AutoModel
    return network.from_pretrained(folder, dtype=torch.float32).eval(), AutoTokenizer.from_pretrained(folder)


def by_hand(folder: Path, text: str, pooling: str, layer: int | None = None, limit: int | None = None) -> np.ndarray:
    """The vector (d,) of one text, alone and so without padding, by a forward pass of transformers.

    Args:
        layer: hidden state; None: the last.
        limit: most tokens; None: the text is not cut.
    """
    import torch

    model, words = _network(Path(folder))
    cut = {"truncation": True, "max_length": limit} if limit is not None else {}
    with torch.inference_mode():
        output = model(words(text, return_tensors="pt", **cut)["input_ids"], output_hidden_states=True)
        chosen = output.last_hidden_state if layer is None else output.hidden_states[layer]
        states = chosen[0].double().numpy()
    weights = np.arange(1, len(states) + 1)
    return {
        "cls": states[0],
        "mean": states.mean(0),
        "max": states.max(0),
        "weightedmean": weights @ states / weights.sum(),
        "lasttoken": states[-1],
    }[pooling]

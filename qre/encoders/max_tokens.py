"""How long a sentence may be: what an encoder cuts at, and the positions that it has."""

from __future__ import annotations

import re

import numpy as np

from qre.errors import EncoderError

POSITIONS = re.compile(r"(^|\.)(wpe|\w*positions?(_\w*)?)$")
RELATIVE = re.compile(r"relative|distance|rotary", re.I)


def token_limit(model) -> int | None:
    """Most tokens of a sentence that a model, or its first module, reads; None where there is no limit (static
    embeddings say infinity, some tokenizers 1e30)."""
    limit = getattr(model, "max_seq_length", None)
    return int(limit) if limit is not None and limit < 1e9 else None


def set_token_limit(model, limit: int) -> None:
    """Let the model cut sentences at `limit` tokens; EncoderError where it reads them whole, whatever is set."""
    known = hasattr(model[0], "max_seq_length")
    try:
        model.max_seq_length = limit
    except AttributeError:  # static embeddings: it can only be read
        known = False
    if not known or model.max_seq_length != limit:
        raise EncoderError(
            f"max_tokens: {limit} cannot be set: its first module ({type(model[0]).__name__}) reads sentences whole; "
            f"leave max_tokens out"
        )


def position_limit(module) -> int | None:
    """Most tokens for which the learned table of positions has rows; None where there is no such table (relative,
    rotary).

    Models of the RoBERTa kind begin to count behind the padding index, those of the BART kind at an offset.
    """
    from torch import nn

    tables = {
        name: part for name, part in module.named_modules() if isinstance(part, nn.Embedding) and POSITIONS.search(name)
    }
    tables = {name: part for name, part in tables.items() if not RELATIVE.search(name)}
    # beside a tower for images with a table of its own
    of_text = {name: part for name, part in tables.items() if "text" in name}
    behind = {
        name: getattr(part, "offset", 0) or (-1 if part.padding_idx is None else part.padding_idx) + 1
        for name, part in tables.items()
    }
    return max((part.num_embeddings - behind[name] for name, part in (of_text or tables).items()), default=None)


def check_lengths(lengths: np.ndarray, sentences, limit: int | None, max_tokens: int | None) -> None:
    """EncoderError where a sentence, cut as it will be, has more tokens (n,) than the encoder has positions."""
    if limit is None or not len(lengths) or lengths.max() <= limit:
        return
    row = int(lengths.argmax())
    what = (
        f"max_tokens: {max_tokens} is more"
        if max_tokens is not None
        else "its own max_seq_length (sentence_bert_config.json) is more, or is not set"
    )
    raise EncoderError(
        f"this encoder has {limit} positions, and sentence {row} ({sentences[row][:60]!r}) has {lengths[row]} tokens: "
        f"{what}; "
        f"set max_tokens: {limit} or less in its entry"
    )

"""The tokens of sentences as an encoder reads them, compared with what its tokenizer.json says.

transformers makes a tokenizer of the class that tokenizer_config.json names or, where it names none or another one, of
the class that goes with the model
type: the rules in tokenizer.json are then not those that encode.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qre.encoders.plain import TOKENIZER
from qre.errors import EncoderError

# share of unknown tokens above which a vocabulary without tokenizer.json to compare with is taken for a wrong one
FEW_KNOWN = 0.4
FEWEST = 50  # tokens that tell whether a vocabulary is a wrong one
MANY_UNKNOWN = 0.1  # share that people are told of


class Tokens:
    """Tokenizes as the encoder does, and compares.

    Attributes:
        module: the one that takes text.
        counted: `lengths` are of tokens, and not a guess from words.
        unknown_share: of the first sentences' tokens, how many are the unknown token; None where there is no such
            token.
    """

    def __init__(self, model, folder: Path, prompt: str, pad_token: str | None = None, base: Path | None = None):
        """Of an adapter without a tokenizer it is the one of its `base`.

        Raises:
            EncoderError: sentences of different lengths could not be put into one batch: there is no token to pad with.
        """
        self.module, place = input_module(model, folder)
        self._prompt = prompt
        self._tokenizer = tokenizer = getattr(self.module, "tokenizer", None)
        self.unknown_share: float | None = None
        self._stated: dict = {}
        self._said: list[str] | None = None
        self._file, self.counted = None, True
        if not callable(
            tokenizer
        ):  # static embeddings and words have a tokenizer of another kind, and no padding to save
            self._tokenizer, self.counted = None, False
            if pad_token is not None:
                raise EncoderError(
                    f"pad_token: its first module ({type(self.module).__name__}) pads with no token; leave pad_token "
                    f"out"
                )
            return
        _set_pad_token(tokenizer, pad_token)
        if base is not None and not any(TOKENIZER.fullmatch(file.name) for file in place.iterdir()):
            place = base
        if (place / "tokenizer.json").is_file():
            self._file = _from_file(place / "tokenizer.json", bool(getattr(self.module, "do_lower_case", False)))
            self._stated = _mapping(place / "tokenizer_config.json")

    def lengths(self, sentences: Sequence[str]) -> np.ndarray:
        """Tokens of each sentence with its prompt, special ones included, before any cut, shape (n,), int.

        Raises:
            EncoderError: the tokens are not those of tokenizer.json, or, where there is none, many are unknown.
        """
        if self._tokenizer is None:
            return np.array([len(sentence.split()) + 2 for sentence in sentences])
        texts = [self._prompt + sentence for sentence in sentences]
        ids = self._tokenizer(
            texts, add_special_tokens=True, return_attention_mask=False, return_token_type_ids=False, verbose=False
        )["input_ids"]
        if self._file is not None:
            self._compare(ids, texts, sentences)
        if self._said is None:
            self._said = self._not_as_stated(ids[0]) if len(ids) else []
        if self.unknown_share is None:
            self._count_unknown(ids)
        return np.array([len(one) for one in ids])

    @property
    def padding_side(self) -> str:
        return getattr(self._tokenizer, "padding_side", "right")

    def warnings(self) -> list[str]:
        """What people should know of how the first sentences were read."""
        said = list(self._said or ())
        if self.unknown_share is None or self.unknown_share <= MANY_UNKNOWN:
            return said
        return [*said, f"{self.unknown_share:.0%} of the tokens of the sentences are unknown to its vocabulary"]

    def _not_as_stated(self, ids: list[int]) -> list[str]:
        """Tokens at the ends that tokenizer_config.json states and a sentence lacks, or has against its word."""
        said = []
        for name, place in (("bos", 0), ("eos", -1)):
            token, stated = getattr(self._tokenizer, f"{name}_token_id", None), self._stated.get(f"add_{name}_token")
            if isinstance(stated, bool) and token is not None and ids and (ids[place] == token) != stated:
                how = "without" if stated else "with"
                said.append(
                    f"tokenizer_config.json states add_{name}_token: {str(stated).lower()}, and its sentences are "
                    f"read {how} that token"
                )
        return said

    def _compare(self, ids: list[list[int]], texts: Sequence[str], sentences: Sequence[str]) -> None:
        assert self._file is not None  # there is nothing to compare with, else
        expected = [encoding.ids for encoding in self._file.encode_batch_fast(texts)]
        differing = [row for row, (ours, theirs) in enumerate(zip(ids, expected, strict=True)) if ours != theirs]
        if differing and {"add_bos_token", "add_eos_token"} & self._stated.keys():
            differing = [row for row in differing if ids[row] not in self._as_stated(texts[row])]
        if not differing:
            return
        row, stated = differing[0], self._stated.get("tokenizer_class")
        named = f"tokenizer_config.json names {stated}" if stated else "tokenizer_config.json names no tokenizer_class"
        raise EncoderError(
            f"token ids differ from those of its tokenizer.json on {len(differing)} of {len(ids)} sentences, first on "
            f"sentence {row} "
            f"({sentences[row][:60]!r}): transformers made a {type(self._tokenizer).__name__}, {named}, and "
            f"tokenizer.json holds a "
            f"{type(self._file.model).__name__} model; if tokenizer.json is the right one of the two, with "
            '"tokenizer_class": "PreTrainedTokenizerFast" in tokenizer_config.json its tokenizer.json is used as it is'
        )

    def _as_stated(self, text: str) -> list[list[int]]:
        """The ids of a text by tokenizer.json with the tokens at its ends that tokenizer_config.json states; either,
        where it does not."""
        assert self._file is not None  # as in _compare
        ids = self._file.encode(text, add_special_tokens=False).ids
        ends = []
        for name in ("bos", "eos"):
            token, stated = getattr(self._tokenizer, f"{name}_token_id", None), self._stated.get(f"add_{name}_token")
            some = [[token]] if token is not None else [[]]
            ends.append(some if stated is True else [[]] if stated is False else [[], *some])
        return [[*begin, *ids, *end] for begin in ends[0] for end in ends[1]]

    def _count_unknown(self, ids: list[list[int]]) -> None:
        assert self._tokenizer is not None  # it gave the ids
        unknown, special = getattr(self._tokenizer, "unk_token_id", None), set(self._tokenizer.all_special_ids)
        kept = special - {unknown}
        words = [np.array([token for token in one if token not in kept]) for one in ids]
        silent = sum(not len(one) for one in words)  # nothing is left of the sentence: a vocabulary that is not there
        lost = sum(int((one == unknown).sum()) for one in words) + silent
        count = sum(map(len, words)) + silent
        share = lost / max(1, count)
        self.unknown_share = None if unknown is None and not silent else share
        if self._file is None and share >= FEW_KNOWN and count >= FEWEST:
            raise EncoderError(
                f"{share:.0%} of the tokens of the sentences are unknown to its vocabulary, made by "
                f"{type(self._tokenizer).__name__} without a "
                "tokenizer.json to compare with: the vocabulary is of another model, or not there; save the tokenizer "
                "again as tokenizer.json"
            )


def input_module(model, folder: Path) -> tuple[object, Path]:
    """The module that takes text, and its folder: of a router, the first of the route that plain `encode` takes."""
    if not (folder / "modules.json").is_file():  # a plain checkpoint
        return model[0], folder
    listed = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    module, place = model[0], folder / listed[0].get("path", "")
    if not hasattr(module, "sub_modules"):
        return module, place
    try:
        route = module._resolve_route(task=None, modality="text")
    except ValueError as error:
        raise EncoderError(f"it has several ways for a text, and none that is the default: {error}") from None
    structure = (_mapping(place / "router_config.json") or _mapping(place / "config.json"))["structure"]
    return module.sub_modules[route][0], place / structure[route][0]


def _set_pad_token(tokenizer, pad_token: str | None) -> None:
    if pad_token is not None:
        if pad_token not in tokenizer.get_vocab():
            raise EncoderError(f"pad_token: {pad_token!r} is not a token of its vocabulary")
        tokenizer.pad_token = pad_token
    if tokenizer.pad_token is None:
        there = next(
            (token for token in (tokenizer.eos_token, tokenizer.unk_token, tokenizer.bos_token) if token), None
        )
        such = f", such as its {there!r}" if there else ""
        raise EncoderError(
            f"its tokenizer has no pad token, so sentences cannot share a batch: name one of its tokens with "
            f"pad_token: in its entry{such}"
        )


def _from_file(file: Path, lower_case: bool):
    """The tokenizer of a file without truncation and padding; lower-casing first where the module says so, as
    sentence-transformers does it."""
    from tokenizers import Tokenizer
    from tokenizers.normalizers import Lowercase
    from tokenizers.normalizers import Sequence as InTurn

    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises plain Exception
        raise EncoderError(f"{file.name}: not a tokenizer: {error}") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if lower_case:
        tokenizer.normalizer = InTurn(
            [Lowercase(), *([tokenizer.normalizer] if tokenizer.normalizer is not None else [])]
        )
    return tokenizer


def _mapping(file: Path) -> dict:
    """The mapping in a JSON file, {} where there is none."""
    value = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return value if isinstance(value, dict) else {}

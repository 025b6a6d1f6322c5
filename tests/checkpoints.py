"""Real sentence-transformers checkpoints of a few hundred kB, randomly initialised from a seed: the architectures and
heads met on the hub.

`make` saves one of KINDS, loadable with `trust_remote_code=False, local_files_only=True` and safetensors only;
`make_odd` one of ODD_KINDS, each of which a careful loader must refuse or record. The weights are larger than a usual
initialisation (see `_spread`), so that sentences are as far apart as with a trained encoder.
"""

from __future__ import annotations

import json
import shutil
import string
import tempfile
from collections.abc import Callable
from pathlib import Path

DIMENSION = 32
WORDS = (
    "the a one old new red cat dog boat farmer judge sings runs sees likes in at on under city river morning night"
).split()
LETTERS = string.ascii_lowercase + string.digits + ".,!?'-"
SIZES = {"hidden_size": DIMENSION, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
LIMIT = 64  # tokens
MARKER = "remote-code-ran"  # the file that the remote code of `make_odd` writes beside itself
ODD_KINDS = (
    "no-modules-json",
    "pickle",
    "pickle-dense",
    "nan",
    "truncated",
    "missing-weights",
    "remote-code",
    "remote-known",
    "remote-module",
)
REMOTE = f'''"""Code that must never run."""

from pathlib import Path

(Path({{folder!r}}) / "{MARKER}").write_text("ran")


class Encoder:
    pass
'''


def make(kind: str, folder: Path, seed: int = 0) -> Path:
    """Save a checkpoint.

    Args:
        kind: one of KINDS.
        folder: where; it must not exist or be empty.
        seed: of the weights: the same kind and seed give the same bytes of weights.

    Returns:
        the folder.

    Raises:
        KeyError: no such kind.
    """
    import torch
    from sentence_transformers import SentenceTransformer

    build = _BUILDERS[kind]
    with tempfile.TemporaryDirectory() as scratch, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        modules, keywords = build(Path(scratch))
        _spread(modules)
        model = SentenceTransformer(modules=modules, device="cpu", **keywords)
        if kind == "fp16":
            model.half()
        model.save(str(folder), create_model_card=False)
    return Path(folder)


def make_odd(kind: str, folder: Path) -> Path:
    """Save a checkpoint with something wrong, one of ODD_KINDS.

    Kinds:
        no-modules-json: a plain transformers folder, which sentence-transformers would give mean pooling without a
        word.
        pickle: the weights are pytorch_model.bin alone.
        pickle-dense: so are those of its Dense module; the transformer's are safetensors.
        nan: NaN in one weight of the last layer.
        truncated: model.safetensors ends in the middle.
        missing-weights: those of the last layer are not in the file; transformers draws them anew on each load, with a
        warning only. remote-code: config.json names a class in a .py file beside it (auto_map), of a model type that
        transformers does not know. remote-known: the same with the type "bert", which transformers then loads with its
        own class, whatever the weights were made for. remote-module: modules.json names the class. The .py file, if it
        were imported, would write MARKER into the folder.

    Raises:
        ValueError: no such kind.
    """
    folder = Path(folder)
    if kind not in ODD_KINDS:
        raise ValueError(f"{kind!r} is none of {ODD_KINDS}")
    make("dense" if kind == "pickle-dense" else "bert", folder, seed=0)
    if kind == "no-modules-json":
        for name in ("modules.json", "config_sentence_transformers.json", "sentence_bert_config.json"):
            (folder / name).unlink()
        for place in folder.glob("[0-9]_*"):
            shutil.rmtree(place)
    elif kind in ("pickle", "pickle-dense"):
        _pickle(folder / ("2_Dense" if kind == "pickle-dense" else ""))
    elif kind in ("nan", "missing-weights"):
        _damage(folder / "model.safetensors", forget=kind == "missing-weights")
    elif kind == "truncated":
        weights = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    else:
        (folder / "remote.py").write_text(REMOTE.format(folder=str(folder)))
        _name_remote(folder, kind)
    return folder


def _name_remote(folder: Path, kind: str) -> None:
    """Let the checkpoint ask for the class in remote.py."""
    path = folder / ("modules.json" if kind == "remote-module" else "config.json")
    content = json.loads(path.read_text())
    if kind == "remote-module":
        content[1]["type"] = "remote.Encoder"
    else:
        content["auto_map"] = {"AutoConfig": "remote.Encoder", "AutoModel": "remote.Encoder"}
        content["model_type"] = "remote" if kind == "remote-code" else "bert"
    path.write_text(json.dumps(content, indent=2))


def _pickle(folder: Path) -> None:
    """model.safetensors becomes pytorch_model.bin."""
    import torch
    from safetensors.torch import load_file

    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def _damage(path: Path, forget: bool) -> None:
    """NaN in one weight of the last layer, or none of its weights at all."""
    from safetensors.torch import load_file, save_file

    weights = load_file(path)
    last = sorted(name for name in weights if "layer.1." in name)
    if forget:
        weights = {name: tensor for name, tensor in weights.items() if name not in last}
    else:
        weights[last[-1]].view(-1)[0] = float("nan")
    save_file(weights, path, metadata={"format": "pt"})


def _spread(modules: list) -> None:
    """Scale up the random matrices: with the usual 0.02 all sentences of so small a network are one vector but for
    rounding."""
    import torch

    with torch.no_grad():
        for module in modules:
            for parameter in module.parameters():
                if parameter.dim() > 1:
                    parameter.normal_(0.0, 0.3)


# Tokenizers: none is trained, none needs sentencepiece; words are known whole or fall into letters.


def _wordpieces(specials: tuple[str, ...]) -> dict[str, int]:
    names = [*specials, *WORDS, *sorted(set(LETTERS) - set(WORDS)), *(f"##{letter}" for letter in LETTERS)]
    return {name: index for index, name in enumerate(names)}


def _unigrams(specials: tuple[str, ...]) -> list[tuple[str, float]]:
    words = [(f"▁{word}", -2.0) for word in WORDS if len(word) > 1]
    return [*((name, 0.0) for name in specials), ("▁", -3.0), *words, *((letter, -5.0) for letter in LETTERS)]


def _bytes(specials: tuple[str, ...]) -> dict[str, int]:
    from tokenizers.pre_tokenizers import ByteLevel

    return {name: index for index, name in enumerate([*specials, *sorted(ByteLevel.alphabet())])}


def _tokenizer(family: str):
    import transformers as tf

    if family == "bert":
        return tf.BertTokenizerFast(vocab=_wordpieces(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")))
    if family == "distilbert":
        return tf.DistilBertTokenizerFast(vocab=_wordpieces(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")))
    if family == "mpnet":
        return tf.MPNetTokenizerFast(vocab=_wordpieces(("<s>", "<pad>", "</s>", "[UNK]", "<mask>")))
    if family == "xlm-roberta":
        return tf.XLMRobertaTokenizerFast(vocab=_unigrams(("<s>", "<pad>", "</s>", "<unk>", "<mask>")))
    if family == "t5":
        return tf.T5TokenizerFast(vocab=_unigrams(("<pad>", "</s>", "<unk>")), extra_ids=0)
    if family == "roberta":
        return tf.RobertaTokenizerFast(vocab=_bytes(("<s>", "<pad>", "</s>", "<unk>", "<mask>")), merges=[])
    if family == "qwen2":
        return tf.Qwen2TokenizerFast(vocab=_bytes(("<|endoftext|>",)), merges=[], padding_side="left")
    return tf.GPTNeoXTokenizerFast(vocab=_bytes(("<|endoftext|>", "<|padding|>")), merges=[])


def _architectures() -> dict[str, tuple]:
    """Name -> (model class, config class, tokenizer, config keywords)."""
    import transformers as tf

    places = {**SIZES, "max_position_embeddings": LIMIT}
    # from 2 on
    after_pad = {**SIZES, "max_position_embeddings": LIMIT + 2, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    slim = {"dim": DIMENSION, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "max_position_embeddings": LIMIT}
    encoder = {"d_model": DIMENSION, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
    ends = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    return {
        "bert": (tf.BertModel, tf.BertConfig, "bert", places),
        "mpnet": (tf.MPNetModel, tf.MPNetConfig, "mpnet", after_pad),
        "distilbert": (tf.DistilBertModel, tf.DistilBertConfig, "distilbert", slim),
        "electra": (tf.ElectraModel, tf.ElectraConfig, "bert", {**places, "embedding_size": 16}),
        "roberta": (tf.RobertaModel, tf.RobertaConfig, "roberta", after_pad),
        "xlm-roberta": (tf.XLMRobertaModel, tf.XLMRobertaConfig, "xlm-roberta", after_pad),
        "t5": (tf.T5EncoderModel, tf.T5Config, "t5", encoder),
        "qwen2": (tf.Qwen2Model, tf.Qwen2Config, "qwen2", {**places, "num_key_value_heads": 2, **ends}),
        "gpt-neox": (
            tf.GPTNeoXModel,
            tf.GPTNeoXConfig,
            "gpt-neox",
            {**places, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 1},
        ),
    }


def _body(name: str, scratch: Path):
    """A Transformer module around a random network, made as its users make it: saved by transformers, loaded from the
    folder."""
    from sentence_transformers.sentence_transformer.modules import Transformer

    network, config, family, keywords = _architectures()[name]
    tokenizer = _tokenizer(family)
    tokenizer.save_pretrained(scratch)
    network(config(vocab_size=len(tokenizer), **keywords)).save_pretrained(scratch)
    return Transformer(str(scratch), max_seq_length=LIMIT)


def _encoder(
    name: str, pooling: str | tuple[str, ...] = "mean", rest: tuple[str, ...] = ("normalize",), **keywords
) -> Callable:
    """A builder: body, pooling, and a chain of "normalize", "layernorm", "dense" (to 16 dimensions)."""

    def build(scratch: Path) -> tuple[list, dict]:
        from sentence_transformers.sentence_transformer.modules import Dense, LayerNorm, Normalize, Pooling

        modules = [_body(name, scratch), Pooling(DIMENSION, pooling)]
        width = modules[1].pooling_output_dimension
        for step in rest:
            if step == "dense":
                modules.append(Dense(width, 16))
                width = 16
            else:
                modules.append(Normalize() if step == "normalize" else LayerNorm(width))
        return modules, keywords

    return build


def _static(scratch: Path) -> tuple[list, dict]:
    """A bag of token embeddings: no transformer, no limit on tokens."""
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    return [StaticEmbedding(_tokenizer("bert"), embedding_dim=DIMENSION)], {}


PROMPTS = {"query": "search query: ", "document": "search document: "}
_BUILDERS: dict[str, Callable] = {
    "bert": _encoder("bert"),
    "mpnet": _encoder("mpnet"),
    "distilbert": _encoder("distilbert"),
    "electra": _encoder("electra", "max"),
    "roberta": _encoder("roberta", "cls"),
    "xlm-roberta": _encoder("xlm-roberta"),
    "t5": _encoder("t5", rest=("dense", "normalize")),  # as the sentence-t5 family
    "qwen2": _encoder("qwen2", "lasttoken"),
    "gpt-neox": _encoder("gpt-neox", "weightedmean"),
    "static": _static,
    "dense": _encoder("bert", "cls", ("dense", "normalize")),
    "matryoshka": _encoder("bert", truncate_dim=8),
    "fp16": _encoder("bert"),
    "prompts": _encoder("bert", prompts=PROMPTS, default_prompt_name="query"),
    "norms": _encoder("bert", rest=("normalize", "layernorm", "normalize")),
    "poolings": _encoder("bert", ("cls", "mean"), rest=()),  # two vectors side by side, of no unit length
}
KINDS: tuple[str, ...] = tuple(_BUILDERS)

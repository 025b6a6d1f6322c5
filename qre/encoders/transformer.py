"""Transformer encoders from local sentence-transformers folders.

Importing this module is cheap: torch and sentence-transformers are imported when an encoder is loaded, since a worker that only does
classical encoders never needs them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qre.encoders.spec import FolderSpec
from qre.errors import EncoderError, UserError

READ_SUFFIXES = {".json", ".txt", ".model", ".jinja", ".safetensors"}  # what loading reads; README and other formats change no number
PICKLE_SUFFIXES = {".bin", ".pt", ".pth", ".pkl", ".ckpt"}
OTHER_BACKENDS = {"onnx", "openvino"}


def folder_revision(path: str | Path) -> str:
    """sha256 (hex) over the names and contents of all that loading the folder can read.

    Raises:
        UserError: no sentence-transformers folder there: no modules.json, or weights only as pickles.
    """
    path = Path(path)
    if not (path / "modules.json").is_file():
        raise UserError(f"{path}: not a sentence-transformers folder (it has no modules.json); save it with SentenceTransformer.save()")
    files = sorted(file for file in path.rglob("*") if file.is_file() and not OTHER_BACKENDS & set(file.relative_to(path).parts))
    safe = {file.parent for file in files if file.suffix == ".safetensors"}
    for file in files:
        if file.suffix in PICKLE_SUFFIXES and file.parent not in safe:
            raise UserError(f"{file}: weights as a pickle, which is never loaded; save the encoder again as safetensors")
    digest = hashlib.sha256()
    for file in files:
        if file.suffix in READ_SUFFIXES:
            digest.update(f"{file.relative_to(path).as_posix()}\0{file.stat().st_size}\0".encode())
            with open(file, "rb") as stream:
                while block := stream.read(2**22):
                    digest.update(block)
    return digest.hexdigest()


def default_prompt(path: str | Path) -> str:
    """The prompt that plain `encode` would apply, by the folder's own config; "" where it names none."""
    try:
        config = json.loads((Path(path) / "config_sentence_transformers.json").read_text())
    except FileNotFoundError:
        return ""
    return (config.get("prompts") or {}).get(config.get("default_prompt_name") or "", "")


def token_budget_batches(lengths: np.ndarray, budget: int) -> list[np.ndarray]:
    """Batches of sentences of nearly equal length, each of at most `budget` tokens with its padding.

    Args:
        lengths: tokens a sentence, shape (n,), int.
        budget: most tokens in a batch; a longer sentence is a batch of its own.

    Returns:
        row indices, each sentence once, longest first (so that what does not fit in memory fails at once). The same for the same lengths and
        budget: a batch's make-up moves the last bits of its vectors, so it must not depend on where an earlier run stopped.
    """
    order = np.argsort(-lengths, kind="stable")
    batches, start = [], 0
    while start < len(order):
        size = max(1, budget // max(1, int(lengths[order[start]])))
        batches.append(order[start : start + size])
        start += size
    return batches


class TransformerPass:
    """One loaded encoder over one sentence set: every layer and pooling that is asked for is read off one forward pass.

    Attributes:
        batches: row indices (b,) of each batch, fixed by the sentences and the budget.
        refused: readouts that this encoder does not have -> why; the others are read all the same.
        record: what is known after loading: device, dtype, parameters, tokens, share of sentences cut at the limit.
    """

    def __init__(
        self, spec: FolderSpec, sentences: Sequence[str], readouts: Sequence[tuple], *, token_budget: int, device: str = "auto"
    ):
        import torch
        from sentence_transformers import SentenceTransformer

        self._spec, self._sentences = spec, sentences
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model = SentenceTransformer(
            spec.path, device=device, trust_remote_code=False, local_files_only=True,
            # the dtype must be said: unset, a float16 checkpoint would encode in float16
            model_kwargs={"dtype": spec.dtype, "use_safetensors": True},
        ).eval()  # fmt: skip
        if spec.max_tokens is not None:
            self._model.max_seq_length = spec.max_tokens
        self.refused = self._refused(readouts)
        self._readouts = [readout for readout in readouts if readout not in self.refused]
        if any(self._readouts):  # the folder's own pipeline alone needs no hidden states
            self._model[0].auto_model.config.output_hidden_states = True
        lengths, cut = self._token_lengths()
        self.batches = token_budget_batches(lengths, token_budget)
        self.record = {
            "device": device,
            "dtype": spec.dtype,
            "parameters": sum(p.numel() for p in self._model.parameters()),
            "tokens": int(lengths.sum()),
            "truncated_share": cut,
        }

    def encode(self, rows: np.ndarray) -> dict[tuple, np.ndarray]:
        """The embeddings of one batch of sentences.

        Args:
            rows: one of `batches`, shape (b,).

        Returns:
            for each readout that is not refused, shape (b, d), float32.

        Raises:
            EncoderError: NaN or Inf in every readout; the message names the first sentence. Where one layer is bad and others are not,
                it is left to who takes that layer.
        """
        import torch
        from sentence_transformers.util import batch_to_device

        with torch.inference_mode():
            features = self._model.preprocess([self._sentences[row] for row in rows], prompt=self._spec.prompt or None)
            features = batch_to_device(features, self._model.device)
            read = self._read(features)
        vectors = {readout: tensor.float().cpu().numpy() for readout, tensor in read.items()}
        finite = [np.isfinite(matrix).all(axis=1) for matrix in vectors.values()]
        if finite and not any(rows_finite.all() for rows_finite in finite):
            row = int(rows[np.flatnonzero(~finite[0])[0]])
            raise EncoderError(f"NaN or Inf in the embedding of sentence {row} ({self._sentences[row][:60]!r})")
        return vectors

    def _read(self, features: dict) -> dict[tuple, object]:
        """The sentence vectors of every readout, as tensors (b, d)."""
        first, *rest = list(self._model)
        features = first(features)
        layers = features.pop("all_layer_embeddings", None)
        vectors = {}
        for readout in self._readouts:
            state = dict(features)
            if readout:
                layer, pooling = readout
                # a model's pooled output, if it has one, is of its last layer: cls must be taken from this one
                state.pop("cls_token_embeddings", None)
                modules = [self._pooling(pooling, layers[layer].shape[-1])]
                state["token_embeddings"] = layers[layer]
            else:
                modules = rest
            for module in modules:
                state = module(state)
            vectors[readout] = state["sentence_embedding"]
        return vectors

    @staticmethod
    def _pooling(mode: str, dimension: int):
        from sentence_transformers.sentence_transformer.modules import Pooling

        return Pooling(dimension, mode)

    def _refused(self, readouts: Sequence[tuple]) -> dict[tuple, str]:
        layers = getattr(getattr(self._model[0], "config", None), "num_hidden_layers", None)
        has = f"hidden states 0 to {layers}" if layers is not None else "no hidden states"
        return {
            readout: f"layer {readout[0]} is asked for; this encoder has {has}"
            for readout in readouts if readout and (layers is None or readout[0] > layers)
        }  # fmt: skip

    def _token_lengths(self) -> tuple[np.ndarray, float]:
        """Tokens of each sentence as they will be encoded (n,), and the share of sentences that are cut."""
        prompt, limit = self._spec.prompt, self._model.max_seq_length
        tokenizer = getattr(self._model, "tokenizer", None)
        if not callable(tokenizer):  # static embeddings have a tokenizer of another kind, and no padding to save
            return np.array([len(sentence.split()) + 2 for sentence in self._sentences]), 0.0
        tokens = tokenizer([prompt + sentence for sentence in self._sentences], add_special_tokens=True, verbose=False)["input_ids"]
        lengths = np.array([len(ids) for ids in tokens])
        if limit is None:
            return lengths, 0.0
        return np.minimum(lengths, limit), float(np.mean(lengths > limit))

"""Transformer encoders from local sentence-transformers folders.

Importing this module is cheap: torch and sentence-transformers are imported when an encoder is loaded, since a worker that only does
classical encoders never needs them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qre.encoders.borrowed import looked_through
from qre.encoders.snapshots import acquire
from qre.encoders.spec import HubSpec, ModelSpec
from qre.errors import EncoderError


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
        record: what is known after loading: device, dtype, tokens, share of sentences cut at the limit, attributes, batches that had to be halved.
    """

    def __init__(
        self, spec: ModelSpec, sentences: Sequence[str], readouts: Sequence[tuple], *, token_budget: int, device: str = "auto",
        cache_bytes: int | None = None,
    ):  # fmt: skip
        self._spec, self._sentences = spec, sentences
        self._snapshot = acquire(spec.id, spec.revision, spec.files, cache_bytes, spec.trust_remote_code) if isinstance(spec, HubSpec) else None
        self._model = load(spec, str(self._snapshot.path) if self._snapshot else spec.path, device)
        self.refused = self._refused(readouts)
        self._readouts = [readout for readout in readouts if readout not in self.refused]
        if any(readout and readout[0] != "last" for readout in self._readouts):  # its own pipeline needs no hidden states
            self._model[0].auto_model.config.output_hidden_states = True
        lengths, cut = self._token_lengths()
        self.batches = token_budget_batches(lengths, token_budget)
        self.record = {
            "device": self._model.device.type,
            "dtype": spec.dtype,
            "prompt": spec.prompt,
            "tokens": int(lengths.sum()),
            "truncated_share": cut,
            "halved_batches": 0,
            "attributes": model_attributes(self._model),
        }

    def close(self) -> None:
        """Let go of the snapshot: from now on it may be removed to make room."""
        if self._snapshot is not None:
            self._snapshot.release()
            self._snapshot = None

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
        vectors = self._encode_halving(rows)
        finite = [np.isfinite(matrix).all(axis=1) for matrix in vectors.values()]
        if finite and not any(rows_finite.all() for rows_finite in finite):
            row = int(rows[np.flatnonzero(~finite[0])[0]])
            raise EncoderError(f"NaN or Inf in the embedding of sentence {row} ({self._sentences[row][:60]!r})")
        return vectors

    def _encode_halving(self, rows: np.ndarray) -> dict[tuple, np.ndarray]:
        """A batch that does not fit into the device's memory is encoded in halves."""
        import torch

        try:
            return self._encode_batch(rows)
        except torch.OutOfMemoryError as error:
            if len(rows) == 1:
                raise EncoderError(f"sentence {int(rows[0])} alone does not fit into the memory of this device") from error
        # outside the except block: the error holds the tensors of the failed batch alive
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self.record["halved_batches"] += 1
        halves = [self._encode_halving(half) for half in np.array_split(rows, 2)]
        return {readout: np.concatenate([half[readout] for half in halves]) for readout in halves[0]}

    def _encode_batch(self, rows: np.ndarray) -> dict[tuple, np.ndarray]:
        import torch
        from sentence_transformers.util import batch_to_device

        with torch.inference_mode():
            features = self._model.preprocess([self._sentences[row] for row in rows], prompt=self._spec.prompt or None)
            read = self._read(batch_to_device(features, self._model.device))
            return {readout: tensor.float().cpu().numpy() for readout, tensor in read.items()}

    def _read(self, features: dict) -> dict[tuple, object]:
        """The sentence vectors of every readout, as tensors (b, d)."""
        from sentence_transformers.sentence_transformer.modules import Pooling

        first, *rest = list(self._model)
        features = first(features)
        layers = features.pop("all_layer_embeddings", None)
        vectors = {}
        for readout in self._readouts:
            state, modules = dict(features), rest
            if readout:
                layer, pooling = readout
                # a model's pooled output, if it has one, is of its last layer: cls must be taken from the layer that is asked for
                state.pop("cls_token_embeddings", None)
                if layer == "last":
                    modules = [Pooling(module.embedding_dimension, pooling) if isinstance(module, Pooling) else module for module in rest]
                else:
                    state["token_embeddings"] = layers[layer]
                    modules = [Pooling(layers[layer].shape[-1], pooling)]
            for module in modules:
                state = module(state)
            vectors[readout] = state["sentence_embedding"] if readout else state["sentence_embedding"][:, : self._model.truncate_dim]
        return vectors

    def _refused(self, readouts: Sequence[tuple]) -> dict[tuple, str]:
        layers = getattr(getattr(self._model[0], "config", None), "num_hidden_layers", None)
        pooled = any(type(module).__name__ == "Pooling" for module in self._model)
        refused = {}
        for readout in filter(None, readouts):
            if readout[0] == "last":
                if not pooled:
                    refused[readout] = "another pooling is asked for; this encoder has no pooling module"
            elif layers is None or readout[0] > layers:
                has = f"hidden states 0 to {layers}" if layers is not None else "no hidden states"
                refused[readout] = f"layer {readout[0]} is asked for; this encoder has {has}"
        return refused

    def _token_lengths(self) -> tuple[np.ndarray, float]:
        """Tokens of each sentence as they will be encoded (n,), and the share of sentences that are cut."""
        prompt, limit = self._spec.prompt, token_limit(self._model)
        tokenizer = getattr(self._model, "tokenizer", None)
        if not callable(tokenizer):  # static embeddings have a tokenizer of another kind, and no padding to save
            return np.array([len(sentence.split()) + 2 for sentence in self._sentences]), 0.0
        tokens = tokenizer([prompt + sentence for sentence in self._sentences], add_special_tokens=True, verbose=False)["input_ids"]
        lengths = np.array([len(ids) for ids in tokens])
        if limit is None:
            return lengths, 0.0
        return np.minimum(lengths, limit), float(np.mean(lengths > limit))


@looked_through
def load(spec: ModelSpec, path: str, device: str = "auto"):
    """The SentenceTransformer of a spec, in evaluation mode, from a folder on this machine.

    Args:
        device: of torch; "auto" for the GPU where there is one; "spread" over all GPUs that this process sees, layer by layer.

    Raises:
        EncoderError: its files name code that the spec does not let run, or are no sentence encoder; or it does not fit into the GPUs.
    """
    import torch
    from sentence_transformers import SentenceTransformer

    trusted = isinstance(spec, HubSpec) and spec.trust_remote_code
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    placed = {"device_map": "auto"} if device == "spread" else {}
    torch.manual_seed(0)  # weights that a checkpoint lacks are drawn at random; at least it is the same encoder each time
    model = SentenceTransformer(
        path, device=None if placed else device, trust_remote_code=trusted, local_files_only=True,
        # the dtype must be said: unset, a float16 checkpoint would encode in float16
        model_kwargs={"dtype": spec.dtype, "use_safetensors": True, **placed},
    ).eval()  # fmt: skip
    if placed and torch.cuda.is_available():
        _check_on_gpus(model)
    if spec.max_tokens is not None:
        model.max_seq_length = spec.max_tokens
    wrong = {str(p.dtype).removeprefix("torch.") for p in model.parameters() if p.is_floating_point()} - {spec.dtype}
    if wrong:
        model.to(getattr(torch, spec.dtype))  # modules after the transformer load in the dtype of their file
    return model


def token_limit(model) -> int | None:
    """Most tokens of a sentence that the model reads; None where there is no limit (static embeddings say infinity, some tokenizers 1e30)."""
    limit = model.max_seq_length
    return int(limit) if limit is not None and limit < 1e9 else None


def model_attributes(model) -> dict:
    """What a loaded encoder tells of itself: plain values, null where it does not."""
    config = getattr(model[0], "config", None)
    pooling = next((module.pooling_mode for module in model if type(module).__name__ == "Pooling"), None)
    return {
        "architecture": next(iter(getattr(config, "architectures", None) or ()), None),
        "model_type": getattr(config, "model_type", None),
        "layers": getattr(config, "num_hidden_layers", None),
        "hidden_size": getattr(config, "hidden_size", None),
        "vocabulary": getattr(config, "vocab_size", None),
        "embedding_dimension": model.get_embedding_dimension(),
        "parameters": sum(p.numel() for p in model.parameters()),
        "model_pooling": pooling if pooling is None or isinstance(pooling, str) else "+".join(pooling),
        "model_max_tokens": token_limit(model),
        "modules": "+".join(type(module).__name__ for module in model),
        "prompt_names": ",".join(sorted(model.prompts or {})),
    }


def _check_on_gpus(model) -> None:
    """What does not fit is put into the host's memory, silently, and would encode at a crawl at the price of GPUs."""
    places = {str(place) for place in (getattr(model[0].auto_model, "hf_device_map", None) or {}).values()}
    if places & {"cpu", "disk"}:
        raise EncoderError(f"does not fit into {len(places - {'cpu', 'disk'})} GPUs together: give its slot more of them, or larger ones")

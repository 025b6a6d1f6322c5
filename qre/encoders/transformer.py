"""Transformer encoders from folders on this machine, of sentence-transformers or plain.

Importing this module is cheap: torch and sentence-transformers are imported when an encoder is loaded, since a worker
    that only does
classical encoders never needs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from qre.encoders.borrowed import looked_through
from qre.encoders.converted import Converted, converted
from qre.encoders.folders import is_plain
from qre.encoders.loading import Seen, checked
from qre.encoders.max_tokens import check_lengths, position_limit, set_token_limit, token_limit
from qre.encoders.plain import load_plain
from qre.encoders.readouts import Reader
from qre.encoders.snapshots import Snapshot, acquire
from qre.encoders.spec import FolderSpec, HubSpec, ModelSpec
from qre.encoders.tokens import Tokens
from qre.errors import EncoderError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from qre.encoders.variants import Prepare


SAME_BESIDE_OTHERS = 0.99  # cosine; rounding leaves it above 0.9999


def token_budget_batches(lengths: np.ndarray, budget: int) -> list[np.ndarray]:
    """Batches of sentences of nearly equal length, each of at most `budget` tokens with its padding.

    Args:
        lengths: tokens a sentence, shape (n,), int.
        budget: most tokens in a batch; a longer sentence is a batch of its own.

    Returns:
        row indices, each sentence once, longest first (so that what does not fit in memory fails at once). The same for
        the same lengths and
        budget: a batch's make-up moves the last bits of its vectors, so it must not depend on where an earlier run
            stopped.
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
        record: what is known after loading: device, dtype, tokens, share of sentences cut at the limit, share of
            unknown tokens, attributes, what libraries warned of, batches that had to be halved.

    Args:
        prepare: makes the variant that the spec asks for; none is needed where it asks for none.

    Raises:
        EncoderError: it is not the encoder that its files hold (see loading.checked, tokens.Tokens), or a sentence is
            longer than it can be.
    """

    def __init__(
        self,
        spec: HubSpec | FolderSpec,
        sentences: Sequence[str],
        readouts: Sequence[tuple],
        *,
        token_budget: int,
        device: str = "auto",
        cache_bytes: int | None = None,
        prepare: Prepare | None = None,
    ):
        self._spec, self._sentences, self._prepare = spec, sentences, prepare
        self._held: list[Snapshot | Converted] = []
        try:
            folder, base = self._places(cache_bytes)
            self._held.append(converted(spec, folder, cache_bytes))
            self._load(folder, base, readouts, token_budget, device)
        except BaseException:
            self.close()  # what cannot be loaded must not keep its snapshot from making room
            raise

    def _places(self, cache_bytes: int | None) -> tuple[Path, Path | None]:
        """The folder of the encoder on this machine, and of an adapter the one of its base."""
        spec = self._spec
        if isinstance(spec, FolderSpec):
            return Path(spec.path), None if spec.base_path is None else Path(spec.base_path)
        base = None
        if spec.base is not None:
            base = acquire(*spec.base, spec.base_files, cache_bytes)
            self._held.append(base)
        own = acquire(spec.id, spec.revision, spec.files, cache_bytes, spec.trust_remote_code)
        self._held.append(own)
        return own.path, None if base is None else base.path

    def _load(self, folder: Path, base: Path | None, readouts: Sequence[tuple], token_budget: int, device: str) -> None:
        spec = self._spec
        self._model, self._seen = load(spec, str(folder), device, base=base)
        self._reader = Reader(self._model, readouts)
        self.refused = self._reader.refused
        self._tokens = Tokens(self._model, folder, spec.prompt, spec.pad_token, base)
        self._positions = position_limit(self._tokens.module)
        lengths, cut = self._token_lengths()
        self.batches = token_budget_batches(lengths, token_budget)
        self.record = {
            "device": self._model.device.type,
            "dtype": spec.dtype,
            "prompt": spec.prompt,
            "tokens": int(lengths.sum()),
            "truncated_share": cut,
            "unknown_share": self._tokens.unknown_share,
            "halved_batches": 0,
            "warnings": [*self._seen.warnings, *self._tokens.warnings()],
            "attributes": model_attributes(self._model, spec.plain),
        }
        if self._seen.lacking and self._reader.readouts:
            self._probe()
        if self._reader.readouts and self._tokens.counted and spec.dtype == "float32":
            self._check_padding(lengths)
        if self._prepare is not None and self._reader.readouts:
            self.record |= self._prepare(spec, self._model, self._reader)
        elif spec.variant is not None and self._reader.readouts:
            raise ValueError(f"{spec.name} is a variant, and nothing is given that makes it")

    def close(self) -> None:
        """Let go of snapshots and converted weights: from now on they may be removed to make room."""
        while self._held:
            self._held.pop().release()

    def encode(self, rows: np.ndarray) -> dict[tuple, np.ndarray]:
        """The embeddings of one batch of sentences.

        Args:
            rows: one of `batches`, shape (b,).

        Returns:
            for each readout that is not refused, shape (b, d), float32.

        Raises:
            EncoderError: NaN or Inf in every readout; the message names the first sentence. Where one layer is bad and
                others are not, it is left to who takes that layer.
        """
        vectors = self._encode_halving(rows)
        finite = [np.isfinite(matrix).all(axis=1) for matrix in vectors.values()]
        lacking = self._seen.why_lacking()  # these are NaN: a vector that shows it has taken part of them
        if lacking and any(np.isnan(matrix).any() for matrix in vectors.values()):
            raise EncoderError(lacking)
        if finite and not any(rows_finite.all() for rows_finite in finite):
            row = int(rows[np.flatnonzero(~finite[0])[0]])
            raise EncoderError(f"NaN or Inf in the embedding of sentence {row} ({self._sentences[row][:60]!r})")
        return vectors

    def _probe(self) -> None:
        """Fail now, and not after hours, where a weight that is not in the files is used: on the longest and the
        shortest sentences."""
        for batch in (self.batches[0], self.batches[-1]):
            self.encode(batch[:4])

    def _check_padding(self, lengths: np.ndarray) -> None:
        """EncoderError where the vector of a short sentence (of `lengths` tokens, (n,)) is another one beside a longer
        sentence than alone: then it is a matter of chance which sentences share a batch, and there is no right
        number."""
        short, beside = (
            int(self.batches[-1][-1]),
            next((int(batch[0]) for batch in self.batches if len(batch) > 1), None),
        )
        if beside is None or lengths[short] == lengths[beside]:
            return
        alone, padded = (self._encode_halving(np.array(rows)) for rows in ([short], [beside, short]))
        for readout, vectors in alone.items():
            one, other = vectors[-1].astype(np.float64), padded[readout][-1].astype(np.float64)
            cosine = one @ other / (np.linalg.norm(one) * np.linalg.norm(other) or 1.0)
            if one.any() and cosine < SAME_BESIDE_OTHERS:
                raise EncoderError(
                    f"its vectors depend on the other sentences of a batch: sentence {short} "
                    f"({self._sentences[short][:60]!r}) alone and beside a longer one have "
                    f"a cosine of {cosine:.2f}; its tokenizer pads on the {self._tokens.padding_side}, and the model "
                    f"does not leave padding out"
                )

    def _encode_halving(self, rows: np.ndarray) -> dict[tuple, np.ndarray]:
        """A batch that does not fit into the device's memory is encoded in halves."""
        import torch

        try:
            return self._encode_batch(rows)
        except torch.OutOfMemoryError as error:
            if len(rows) == 1:
                raise EncoderError(
                    f"sentence {int(rows[0])} alone does not fit into the memory of this device"
                ) from error
        except IndexError as error:
            text = self._sentences[int(rows[0])][:60]
            raise EncoderError(
                f"in a batch that begins with sentence {int(rows[0])} ({text!r}) a token or a position lies beyond "
                f"the tables of the model ({error}): "
                "its tokenizer and its weights do not belong together"
            ) from error
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
            read = self._reader.read(batch_to_device(features, self._model.device))
            return {readout: tensor.float().cpu().numpy() for readout, tensor in read.items()}

    def _token_lengths(self) -> tuple[np.ndarray, float]:
        """Tokens of each sentence as they will be encoded (n,), and the share of sentences that are cut; EncoderError
        as Tokens.lengths."""
        lengths, limit = self._tokens.lengths(self._sentences), token_limit(self._tokens.module)
        cut, share = lengths, 0.0
        if limit is not None and self._tokens.counted:
            cut, share = np.minimum(lengths, limit), float(np.mean(lengths > limit))
        check_lengths(cut, self._sentences, self._positions, self._spec.max_tokens)
        return cut, share


@looked_through
def load(spec: ModelSpec, path: str, device: str = "auto") -> tuple[SentenceTransformer, Seen]:
    """The SentenceTransformer of a spec, in evaluation mode, from a folder on this machine, and what loading it showed.

    Args:
        device: of torch; "auto" for the GPU where there is one; "spread" over all GPUs that this process sees, layer by
            layer.

    Raises:
        EncoderError: its files name code that the spec does not let run, or are no sentence encoder; it is not what its
            files hold (see loading.checked), or it does not fit into the GPUs.
    """
    import torch
    from sentence_transformers import SentenceTransformer

    trusted = isinstance(spec, HubSpec) and spec.trust_remote_code
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    placed = {"device_map": "auto"} if device == "spread" else {}
    # the dtype must be said: unset, a float16 checkpoint would encode in float16
    model_kwargs = {"dtype": spec.dtype, "use_safetensors": True, **placed}
    on = None if placed else device
    if is_plain(path) != spec.plain:
        raise EncoderError("its modules.json came or went after it was planned; run the same command again")
    torch.manual_seed(0)  # what code of its own draws at random is at least the same each time
    with checked(Path(path), trusted) as seen:
        if spec.plain:
            assert spec.pooling is not None  # of every plain spec
            model = load_plain(path, spec.pooling, device=on, trusted=trusted, model_kwargs=model_kwargs)
        else:
            model = SentenceTransformer(
                path, device=on, trust_remote_code=trusted, local_files_only=True, model_kwargs=model_kwargs
            )
    model.eval()
    if placed and torch.cuda.is_available():
        _check_on_gpus(model)
    if spec.max_tokens is not None:
        set_token_limit(model, spec.max_tokens)
    wrong = {str(p.dtype).removeprefix("torch.") for p in model.parameters() if p.is_floating_point()} - {spec.dtype}
    if wrong:
        model.to(getattr(torch, spec.dtype))  # modules after the transformer load in the dtype of their file
    return model, seen


def model_attributes(model, plain: bool = False) -> dict:
    """What a loaded encoder tells of itself: simple values, null where it does not; of a plain checkpoint no pooling,
    since it has none of its own."""
    config = getattr(model[0], "config", None)
    modules = list(model)[:1] if plain else list(model)
    pooling = next((module.pooling_mode for module in modules if type(module).__name__ == "Pooling"), None)
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
        "modules": "+".join(type(module).__name__ for module in modules),
        "prompt_names": ",".join(sorted(model.prompts or {})),
    }


def _check_on_gpus(model) -> None:
    """What does not fit is put into the host's memory, silently, and would encode at a crawl at the price of GPUs."""
    places = {str(place) for place in (getattr(model[0].auto_model, "hf_device_map", None) or {}).values()}
    if places & {"cpu", "disk"}:
        raise EncoderError(
            f"does not fit into {len(places - {'cpu', 'disk'})} GPUs together: give its slot more of them, or larger "
            f"ones"
        )

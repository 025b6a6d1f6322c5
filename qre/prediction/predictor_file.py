"""A fitted predictor as one file: safetensors, so that nothing is pickled, with a checksum of its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import numpy as np
import safetensors.numpy

from qre.errors import UserError
from qre.prediction.predictor import Predictor

ENTRY = "predictor"  # of the metadata; the only one, since safetensors writes several in no fixed order


def predictor_bytes(predictor: Predictor) -> bytes:
    """The arrays of Predictor.to_arrays, and its plain values as one metadata entry. The same predictor gives the same
    bytes."""
    arrays, meta = predictor.to_arrays()
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    # safetensors sorts its tensors; the order of the tables is that in which distances are summed, and so moves last
    # bits
    record = {"meta": meta, "order": list(arrays)}
    return safetensors.numpy.save(arrays, {ENTRY: _canonical({**record, "sha256": _digest(record, arrays)})})


def read_predictor(raw: bytes) -> Predictor:
    """The predictor in the bytes that predictor_bytes made.

    Raises:
        UserError: truncated, changed, no predictor at all, or one of another version.
    """
    try:
        arrays = safetensors.numpy.load(raw)
        size = int.from_bytes(raw[:8], "little")
        record = json.loads(json.loads(raw[8 : 8 + size])["__metadata__"][ENTRY])
        digest = record.pop("sha256")
    except Exception as error:  # a changed header can make the parser fail in any way
        raise UserError(
            f"prediction: not a predictor, or damaged ({type(error).__name__}); make the atlas again"
        ) from error
    if _digest(record, arrays) != digest:
        raise UserError(
            "prediction: the predictor is damaged (content does not match its checksum); make the atlas again"
        )
    return Predictor.from_arrays({name: arrays[name] for name in record["order"]}, record["meta"])


def _canonical(value) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _digest(record: Mapping, arrays: Mapping[str, np.ndarray]) -> str:
    """sha256 (hex) over the plain values and every array's name, dtype, shape and content."""
    digest = hashlib.sha256(_canonical(record).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()

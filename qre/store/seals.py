"""How an artefact states its schema and its checksum, in Parquet and in safetensors, and how both are checked."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import safetensors.numpy

from qre.errors import machine_error
from qre.schemas import UNSTATED, NewerSchema
from qre.store.files import UNREADABLE, Files, UnreadableArtefact, reading
from qre.store.folder import canonical_json
from qre.store.shelves import SHELVES, check_schema

LARGEST_HEADER = 2**20  # bytes of a safetensors header that are looked through


def parquet_bytes(table: pa.Table) -> bytes:
    """A table as Parquet, the same bytes for the same table, with page checksums."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True, store_schema=True)
    return sink.getvalue()


def sealed_table(table: pa.Table, shelf: str) -> bytes:
    return parquet_bytes(
        table.replace_schema_metadata({"content": _content(table), "schema": str(SHELVES[shelf].schema)})
    )


def unsealed_table(folder: Files, name: str) -> pa.Table:
    raw = folder.read(name)
    try:
        file = pq.ParquetFile(pa.BufferReader(raw), page_checksum_verification=True)
        _check_stated(name, file)
        table = file.read()
        if (file.schema_arrow.metadata or {}).get(b"content", b"").decode() != _content(table):
            raise ValueError("content does not match its checksum")
    except (pa.ArrowException, OSError, ValueError) as error:
        if _of_this_process(error):
            raise
        raise folder.quarantine(name, str(error)) from error
    return table.replace_schema_metadata(None)  # the seal is this file's alone: it must not travel on with the rows


def _check_stated(name: str, file: pq.ParquetFile) -> None:
    """check_schema of what the footer states; nothing else of the file is read."""
    told = (file.schema_arrow.metadata or {}).get(b"schema")
    check_schema(name, UNSTATED if told is None else int(told) if told.isdigit() else told)


def key_column(folder: Files, name: str) -> list[str]:
    """The keys of a shard; of the file, only its footer and this column are read."""
    try:
        with folder.open(name) as opened, reading(name):
            file = pq.ParquetFile(opened, page_checksum_verification=True)
            _check_stated(name, file)
            table = file.read(["key"], use_threads=False)
        if table.column_names != ["key"]:
            raise pa.ArrowInvalid("no column key")
        return table["key"].to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        if (
            getattr(error, "errno", None) is not None
        ):  # a fault of the disk or the network has a number; one of the content has none
            raise
        if _of_this_process(error):
            raise UnreadableArtefact(
                f"{name} cannot be read by this process: {type(error).__name__}: {error}"
            ) from error
        raise folder.quarantine(name, str(error)) from error


def _of_this_process(error: Exception) -> bool:
    """Whether reading failed for want of memory, threads or libraries, and not by what the file holds: then nothing is
    moved."""
    return isinstance(error, (pa.ArrowNotImplementedError, ImportError)) or machine_error(error)


def keys_of_newer(folder: Files, name: str) -> list[str] | None:
    """The keys in a shard of a newer version, if it still has such a column; None where it cannot be told."""
    try:
        with folder.open(name) as opened:
            keys = pq.ParquetFile(opened).read(["key"], use_threads=False)["key"].to_pylist()
    except (pa.ArrowException, OSError, KeyError, *UNREADABLE):
        return None
    return keys if all(isinstance(key, str) for key in keys) else None


def _content(table: pa.Table) -> str:
    """sha256 over every column's name and values."""
    digest = hashlib.sha256()
    for name in table.column_names:
        column = table[name].combine_chunks()
        digest.update(name.encode())
        if pa.types.is_list(column.type) and pa.types.is_floating(column.type.value_type):
            digest.update(column.flatten().to_numpy(zero_copy_only=False).tobytes())
            digest.update(canonical_json(column.value_lengths().to_pylist()).encode())
        else:
            digest.update(json.dumps(column.to_pylist()).encode())
    return digest.hexdigest()


def sealed(tensors: Mapping[str, np.ndarray], record: Mapping) -> bytes:
    """safetensors bytes whose metadata holds the record and a sha256 over the record and the payload."""
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    # one metadata entry only: safetensors writes several in no fixed order, and equal content is to give equal bytes
    return safetensors.numpy.save(tensors, {"record": canonical_json({**record, "sha256": _digest(record, tensors)})})


def unsealed(folder: Files, name: str) -> tuple[dict[str, np.ndarray], dict]:
    raw = folder.read(name)
    try:
        record = _record(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
        check_schema(name, record.get("schema", UNSTATED))
        digest = record.pop("sha256")
        tensors = safetensors.numpy.load(raw)
    except NewerSchema:
        raise
    except Exception as error:  # a changed header can make the parser fail in any way
        if _of_this_process(error):
            raise
        raise folder.quarantine(name, f"not readable: {error}") from error
    if _digest(record, tensors) != digest:
        raise folder.quarantine(name, "content does not match its checksum")
    return tensors, record


def _record(header: bytes) -> dict:
    """The record in the header of a safetensors file."""
    return json.loads(json.loads(header)["__metadata__"]["record"])


def check_no_newer(folder: Files, name: str) -> None:
    """NewerSchema where a safetensors file of a newer version stands; of one that is there only the header is read."""
    if not folder.exists(name):
        return
    try:
        with folder.open(name) as file:
            size = int.from_bytes(file.read(8), "little")
            check_schema(name, _record(file.read(min(size, LARGEST_HEADER))).get("schema", UNSTATED))
    except NewerSchema:
        raise
    except TimeoutError:
        raise
    except Exception:  # absent again, damaged or not readable: it may be replaced
        return


def _digest(record: Mapping, tensors: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(canonical_json(record).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype.str} {tensor.shape}".encode())
        digest.update(tensor.data if tensor.size else b"")
    return digest.hexdigest()

"""Ready embeddings in files: one matrix, row i = sentence i, read in blocks of rows. Nothing is unpickled."""

from __future__ import annotations

import hashlib
import os
import tokenize
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError, safe_open

from qre.encoders.hub_problems import printable
from qre.errors import EncoderError, NonFiniteError, UserError, ZeroRowError
from qre.near_names import near_names

LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
ENDINGS = (".npy", ".safetensors", ".parquet")
BLOCK_BYTES = 2**24  # of a file that are in memory at a time, about
READ_BYTES = 2**20  # of a Parquet column at a time: else all of a row group is read at once
MOST_BAD_ROWS = 10  # that an error holds


def is_matrix(text: str) -> bool:
    """Whether a word names a file of this kind, by its ending."""
    return Path(text).suffix in ENDINGS


def near_encoders(path: str | Path) -> str:
    """ "; did you mean ...?" with the folders and matrices beside a path that is not there; "" where none is near."""
    folder, name = os.path.split(os.fspath(path).rstrip("/"))
    try:
        names = [one.name for one in Path(folder).iterdir() if one.is_dir() or is_matrix(one.name)]
    except OSError:
        return ""
    near = [printable(os.path.join(folder, one)) for one in near_names(name, names, most=2)]
    return f"; did you mean {' or '.join(near)}?" if near else ""


@dataclass(frozen=True)
class MatrixFile:
    """A matrix in a file, of which only the header has been read.

    Attributes:
        shape: (n, d).
        dtype: of its numbers in the file, floats or whole numbers, in this machine's byte order.
    """

    path: Path
    shape: tuple[int, int]
    dtype: np.dtype
    _blocks: Callable[[int], Iterator[np.ndarray]]

    def blocks(self) -> Iterator[np.ndarray]:
        """The rows in order, in blocks (b, d) of the file's dtype, about BLOCK_BYTES each.

        Raises:
            UserError: the file cannot be read to its end, a row of it is of another length, or its header tells another
            number of rows.
        """
        row_bytes, rows = max(1, self.shape[1] * self.dtype.itemsize), 0
        for block in self._blocks(max(1, BLOCK_BYTES // row_bytes)):
            if block.shape[1] != self.shape[1]:
                raise UserError(f"{self.path}: every row needs the same number of values")
            rows += len(block)
            if rows > self.shape[0]:
                break
            yield np.ascontiguousarray(block, dtype=self.dtype)
        if rows != self.shape[0]:
            raise UserError(f"{self.path}: damaged: it does not hold the {self.shape[0]:,} rows that its header tells")


def open_matrix(path: str | Path) -> MatrixFile:
    """The matrix in a file, to be read in blocks.

    Args:
        path: .npy; .safetensors with one matrix, or one that is named "embedding"; .parquet with one column of lists,
            or with columns of numbers only.

    Raises:
        UserError: no such file, another format, no matrix in it, or several.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file{near_encoders(path)}")
    if not is_matrix(path.name):
        raise UserError(f"{path}: vectors are read from {', '.join(ENDINGS)}")
    shape, dtype, blocks = {".npy": _npy, ".safetensors": _safetensors, ".parquet": _parquet}[path.suffix](path)
    if len(shape) != 2 or dtype.kind not in "fiu":
        raise UserError(
            f"{path}: an embedding is a matrix of numbers (sentences × dimensions), not {dtype} of shape {shape}"
        )
    return MatrixFile(path, (shape[0], shape[1]), dtype.newbyteorder("="), blocks)


def read_matrix(path: str | Path) -> np.ndarray:
    """The embedding in a file, shape (n, d), float; whole numbers become float32. Rows that are no embedding (NaN,
    zeros) are left to who uses it. Raises UserError as open_matrix."""
    file = open_matrix(path)
    matrix, row = np.empty(file.shape, file.dtype if file.dtype.kind == "f" else np.float32), 0
    for block in file.blocks():
        matrix[row : row + len(block)] = block
        row += len(block)
    return matrix


def checked_digest(file: MatrixFile, sentences: Sequence[str]) -> str:
    """sha256 (hex) of dtype, shape and numbers of a matrix that is an embedding of n sentences: the same in whatever
    format it lies. Reads all of it, in blocks.

    Raises:
        EncoderError: another number of rows, no floats, or NaN, infinity or zeros in a row, whose sentence is named.
        UserError: the file cannot be read to its end.
    """
    n, d = file.shape
    if n != len(sentences):
        raise EncoderError(
            f"{file.path} has {n:,} rows, and there are {len(sentences):,} sentences; row i is the vector of sentence i"
        )
    if file.dtype.kind != "f" or not d:
        raise EncoderError(f"{file.path} holds {file.dtype} of shape {file.shape}; save vectors as floats")
    digest = hashlib.sha256(f"{file.dtype.newbyteorder('<').str} {n} {d}\0".encode())
    start = 0
    for block in file.blocks():
        digest.update(block.astype(block.dtype.newbyteorder("<"), copy=False).data)
        _check_rows(block, start, sentences)
        start += len(block)
    return digest.hexdigest()


def _check_rows(block: np.ndarray, start: int, sentences: Sequence[str]) -> None:
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and told
        single = block.astype(np.float32, copy=False)
    finite = np.isfinite(single).all(axis=1)
    if not finite.all():
        raise NonFiniteError("NaN or Inf in the vectors", rows=_first(np.logical_not(finite), start)).naming(sentences)
    empty = np.logical_not(single.any(axis=1))
    if empty.any():
        raise ZeroRowError("an all-zero vector has no direction", rows=_first(empty, start)).naming(sentences)


def _first(bad: np.ndarray, start: int) -> tuple[int, ...]:
    return tuple(int(row) + start for row in np.flatnonzero(bad)[:MOST_BAD_ROWS])


# ---- the formats: shape, dtype, and what gives blocks of so many rows

_Opened = tuple[tuple[int, ...], np.dtype, Callable[[int], Iterator[np.ndarray]]]


def _npy(path: Path) -> _Opened:
    try:
        matrix = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, OverflowError, SyntaxError, tokenize.TokenError) as error:  # the last three: a broken header
        if "object" in str(error).lower():
            raise UserError(
                f"{path}: holds pickled objects, which are never loaded; save it as numbers: np.save(path, "
                f"matrix.astype('float32'))"
            ) from None
        raise UserError(f"{path}: not a .npy file, or cut off ({error}); save it with np.save") from None
    except (OSError, EOFError, RecursionError, MemoryError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    return matrix.shape, matrix.dtype, lambda rows: _npy_blocks(path, matrix.shape[0], rows)


def _npy_blocks(path: Path, n: int, rows: int) -> Iterator[np.ndarray]:
    for start in range(0, n, rows):  # mapped anew for each block: what has been read is let go
        yield np.array(np.lib.format.open_memmap(path, mode="r")[start : start + rows])


def _safetensors(path: Path) -> _Opened:
    try:
        with safe_open(path, framework="np") as file:
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}
            wanted = (
                ["embedding"] if "embedding" in shapes else [name for name, shape in shapes.items() if len(shape) == 2]
            )
            if len(wanted) != 1:
                told = ", ".join(f"{name!r} {tuple(shape)}" for name, shape in list(shapes.items())[:4]) or "nothing"
                more = f" and {len(shapes) - 4} more" if len(shapes) > 4 else ""
                raise UserError(f"{path}: holds {told}{more}; one matrix is needed, or one that is named 'embedding'")
            name, shape = wanted[0], tuple(shapes[wanted[0]])
            dtype = file.get_slice(name)[:0].dtype if len(shape) == 2 else file.get_tensor(name).dtype
    except (SafetensorError, OSError, TypeError, KeyError, AttributeError) as error:
        # the last three: a dtype that numpy has not, such as bfloat16
        raise UserError(
            f"{path}: cannot be read ({type(error).__name__}: {error}); save one float32 matrix as safetensors"
        ) from None
    return shape, dtype, lambda rows: _safetensors_blocks(path, name, shape[0], rows)


def _safetensors_blocks(path: Path, name: str, n: int, rows: int) -> Iterator[np.ndarray]:
    for start in range(0, n, rows):  # as of _npy_blocks
        with safe_open(path, framework="np") as file:
            yield file.get_slice(name)[start : min(start + rows, n)]


def _parquet(path: Path) -> _Opened:
    try:
        file = pq.ParquetFile(path, buffer_size=READ_BYTES, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: not a Parquet file: {error}") from None
    schema, n = file.schema_arrow, file.metadata.num_rows
    lists = [field for field in schema if any(is_kind(field.type) for is_kind in LISTS)]
    numbers = [field for field in schema if pa.types.is_floating(field.type) or pa.types.is_integer(field.type)]
    if len(lists) == 1:
        dtype = _numpy_type(lists[0].type.value_type)
        first = next(_lists_of(path, file, lists[0].name, 1), np.empty((0, 0)))
        return (n, first.shape[1]), dtype, lambda rows: _lists_of(path, file, lists[0].name, rows)
    if lists or not numbers or len(numbers) != len(schema):
        told = ", ".join(f"{field.name} ({field.type})" for field in schema) or "none"
        raise UserError(f"{path}: one column of lists is needed, or columns of numbers only; it has {told}")
    dtype = np.result_type(*(field.type.to_pandas_dtype() for field in numbers))
    return (n, len(numbers)), dtype, lambda rows: _columns_of(path, file, rows)


def _numpy_type(kind: pa.DataType) -> np.dtype:
    try:
        return np.dtype(kind.to_pandas_dtype())
    except NotImplementedError:  # such as a struct
        return np.dtype(object)


def _batches(path: Path, file: pq.ParquetFile, rows: int, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    try:
        yield from file.iter_batches(batch_size=rows, columns=columns, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None


def _columns_of(path: Path, file: pq.ParquetFile, rows: int) -> Iterator[np.ndarray]:
    for batch in _batches(path, file, rows, None):
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if column.null_count:
                raise UserError(f"{path}: a number is missing in column {name!r}")
        yield np.column_stack([column.to_numpy(zero_copy_only=False) for column in batch.columns])


def _lists_of(path: Path, file: pq.ParquetFile, name: str, rows: int) -> Iterator[np.ndarray]:
    for batch in _batches(path, file, rows, [name]):
        if len(batch):
            yield rows_of_lists(path, name, batch.column(0))


def rows_of_lists(path: Path, name: str, column: pa.Array) -> np.ndarray:
    """A column of lists of one length as a matrix (b, d); UserError where one is missing or of another length."""
    values = column.flatten()
    lengths = (
        set(column.value_lengths().to_pylist())
        if not pa.types.is_fixed_size_list(column.type)
        else {column.type.list_size}
    )
    if column.null_count or values.null_count or len(lengths) != 1:
        raise UserError(f"{path}: column {name!r}: every row needs the same number of values, and none may be missing")
    return values.to_numpy(zero_copy_only=False).reshape(len(column), -1)

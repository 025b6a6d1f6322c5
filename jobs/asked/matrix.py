"""Ready embeddings in files: one matrix, row i = sentence i. Nothing is unpickled."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError, safe_open

from qre.encoders.hub_problems import printable
from qre.errors import UserError
from qre.near_names import near_names

LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
ENDINGS = (".npy", ".safetensors", ".parquet")


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


def read_matrix(path: str | Path) -> np.ndarray:
    """The embedding in a file, shape (n, d), float; whole numbers become float32.

    Args:
        path: .npy; .safetensors with one matrix, or one that is named "embedding"; .parquet with one column of lists,
            or with columns of numbers only.

    Raises:
        UserError: no such file, another format, no matrix in it, or several. Rows that are no embedding (NaN, zeros)
            are left to who uses it.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file{near_encoders(path)}")
    matrix = {".npy": _npy, ".safetensors": _safetensors, ".parquet": _parquet}[path.suffix](path)
    if matrix.ndim != 2 or matrix.dtype.kind not in "fiu":
        raise UserError(
            f"{path}: an embedding is a matrix of numbers (sentences × dimensions), not {matrix.dtype} of shape "
            f"{matrix.shape}"
        )
    return matrix if matrix.dtype.kind == "f" else matrix.astype(np.float32)


def _npy(path: Path) -> np.ndarray:
    try:
        with open(path, "rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except ValueError as error:
        if "Object arrays" in str(error):
            raise UserError(
                f"{path}: holds pickled objects, which are never loaded; save it as numbers: np.save(path, "
                f"matrix.astype('float32'))"
            ) from None
        raise UserError(f"{path}: not a .npy file, or cut off ({error}); save it with np.save") from None
    except (OSError, EOFError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None


def _safetensors(path: Path) -> np.ndarray:
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
            return file.get_tensor(wanted[0])
    except (
        SafetensorError,
        OSError,
        TypeError,
        KeyError,
    ) as error:  # the last two: a dtype that numpy has not, such as bfloat16
        raise UserError(
            f"{path}: cannot be read ({type(error).__name__}: {error}); save one float32 matrix as safetensors"
        ) from None


def _parquet(path: Path) -> np.ndarray:
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: not a Parquet file: {error}") from None
    lists = [field.name for field in table.schema if any(is_kind(field.type) for is_kind in LISTS)]
    numbers = [
        field.name for field in table.schema if pa.types.is_floating(field.type) or pa.types.is_integer(field.type)
    ]
    if len(lists) == 1:
        return _of_lists(path, lists[0], table[lists[0]].combine_chunks())
    if lists or not numbers or len(numbers) != table.num_columns:
        told = ", ".join(f"{field.name} ({field.type})" for field in table.schema) or "none"
        raise UserError(f"{path}: one column of lists is needed, or columns of numbers only; it has {told}")
    if any(table[name].null_count for name in numbers):
        raise UserError(
            f"{path}: a number is missing in column {next(name for name in numbers if table[name].null_count)!r}"
        )
    return np.column_stack([table[name].to_numpy() for name in numbers])


def _of_lists(path: Path, name: str, column: pa.Array) -> np.ndarray:
    values = column.flatten()
    lengths = (
        set(column.value_lengths().to_pylist())
        if not pa.types.is_fixed_size_list(column.type)
        else {column.type.list_size}
    )
    if column.null_count or values.null_count or len(lengths) != 1:
        raise UserError(f"{path}: column {name!r}: every row needs the same number of values, and none may be missing")
    return values.to_numpy(zero_copy_only=False).reshape(len(column), -1)

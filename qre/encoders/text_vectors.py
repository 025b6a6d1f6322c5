"""Ready vectors of texts in a Parquet file, by the text itself: columns `text` and `vector`. Of a large file only what
is asked for is in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from qre.encoders.matrix_file import LISTS, READ_BYTES, rows_of_lists
from qre.errors import UserError

TEXT, VECTOR = "text", "vector"
ROWS = 4096  # that are looked through at a time
PIECE = 2**22  # bytes


class TextVectors:
    """The file, of which only the footer and one vector have been read.

    Attributes:
        dimension: of its vectors.

    Raises:
        UserError: no such file, no Parquet file, or not with these two columns.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not self.path.is_file():
            raise UserError(f"{self.path}: no such file")
        try:
            self._file = pq.ParquetFile(self.path, buffer_size=READ_BYTES, pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"{self.path}: not a Parquet file: {error}") from None
        schema = self._file.schema_arrow
        if any(schema.names.count(name) != 1 for name in (TEXT, VECTOR)):
            raise UserError(f"{self.path}: columns text and vector are needed; it has {', '.join(schema.names)}")
        text, vector = schema.field(TEXT).type, schema.field(VECTOR).type
        if not _is_text(text):
            raise UserError(f"{self.path}: column text is {text}, not text")
        if not any(is_kind(vector) for is_kind in LISTS) or not pa.types.is_floating(vector.value_type):
            raise UserError(f"{self.path}: column vector is {vector}, not a list of floats")
        first = next((batch for batch in self._batches([VECTOR], 1) if len(batch)), None)
        if first is None:
            raise UserError(f"{self.path}: has no rows")
        self.dimension = rows_of_lists(self.path, VECTOR, first.column(0)).shape[1]

    def revision(self) -> str:
        """sha256 (hex) of the file."""
        digest = hashlib.sha256()
        with open(self.path, "rb") as file:
            while piece := file.read(PIECE):
                digest.update(piece)
        return digest.hexdigest()

    def lacking(self, groups: Sequence[Sequence[str]]) -> list[list[str]]:
        """Of each group of texts those that have no vector, in their order. Reads the column of the texts, once."""
        left = {text for texts in groups for text in texts}
        for batch in self._batches([TEXT], ROWS) if left else ():
            left.difference_update(_texts(batch))
            if not left:
                break
        return [[text for text in texts if text in left] for texts in groups]

    def vectors(self, texts: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Vectors of the texts that are there, in the order of the file: where each stands in `texts`, (b,) int64, and
        the vectors (b, d) float32. Of a text that is there more than once, the first.

        Args:
            texts: distinct.

        Raises:
            UserError: a vector is missing, or of another length than the first.
        """
        at = {text: row for row, text in enumerate(texts)}
        for group in range(self._file.num_row_groups):
            for batch in self._wanted(group, at):
                told = _texts(batch)
                found = [(row, at.pop(text)) for row, text in enumerate(told) if text in at]
                if not found:
                    continue
                here, there = np.array(found, np.int64).T
                vectors = rows_of_lists(self.path, VECTOR, batch.column(VECTOR).take(pa.array(here)))
                if vectors.shape[1] != self.dimension:
                    raise UserError(f"{self.path}: column 'vector': every row needs the same number of values")
                yield there, vectors.astype(np.float32)

    def _wanted(self, group: int, at: dict[str, int]) -> Iterator[pa.RecordBatch]:
        """Batches of a row group that holds one of the texts; of others only the texts are read."""
        if any(text in at for batch in self._batches([TEXT], ROWS, [group]) for text in _texts(batch)):
            yield from self._batches([TEXT, VECTOR], self._rows(), [group])

    def _rows(self) -> int:
        return max(1, min(ROWS, PIECE // (8 * self.dimension)))

    def _batches(self, columns: list[str], rows: int, groups: list[int] | None = None) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._file.iter_batches(batch_size=rows, columns=columns, row_groups=groups)
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"{self.path}: cannot be read: {error}") from None


def _is_text(kind: pa.DataType) -> bool:
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(inner) or pa.types.is_large_string(inner)


def _texts(batch: pa.RecordBatch) -> list[str | None]:
    return pc.cast(batch.column(TEXT), pa.large_string()).to_pylist()

"""The tables of a map, and how a table stands in a file."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from qre.csv_cells import csv_text


def feature_matrix(features: pa.Table, name: str = "feature") -> np.ndarray:
    """A column of lists as one matrix (N, n) float64, without a copy where the table is in one piece."""
    column = features[name].combine_chunks()
    return column.flatten().to_numpy().reshape(len(column), -1)


def map_table(
    encoders: list[dict], features: pa.Table, coordinates: np.ndarray, attributes: list[dict]
) -> pd.DataFrame:
    """One row an encoder: what identifies it, its coordinates (N, 2), what its features tell, and what else is known of
    it."""
    place = pd.DataFrame({"x": coordinates[:, 0], "y": coordinates[:, 1]})
    told = features.drop_columns(["key", "feature"]).to_pandas()
    table = pd.concat([pd.DataFrame(encoders), place, told], axis=1)
    listed = [
        {name: ", ".join(value) if isinstance(value, list) else value for name, value in row.items()}
        for row in attributes
    ]
    for name in dict.fromkeys(name for row in listed for name in row):
        column = pd.Series([row.get(name) for row in listed], index=table.index)
        table[name] = table[name].combine_first(column) if name in table else column
    return table.dropna(axis=1, how="all")  # a column that nobody filled says nothing


def neighbour_table(names: list[str], near: np.ndarray, how_far: np.ndarray) -> pd.DataFrame:
    """A row for each encoder and neighbour, from the indices (N, k) and distances (N, k) of the nearest."""
    count, k = near.shape
    return pd.DataFrame(
        {
            "name": np.repeat(names, k),
            "rank": np.tile(np.arange(1, k + 1), count),
            "neighbour": [names[i] for i in near.ravel()],
            "distance": how_far.ravel(),
        }
    )


def table_files(name: str, table: pd.DataFrame) -> dict[str, bytes]:
    """A table as .parquet and as .csv."""
    return {f"{name}.parquet": table_bytes(table), f"{name}.csv": csv_text(table).encode()}


def table_bytes(table: pd.DataFrame) -> bytes:
    """A table of pandas as Parquet."""
    return parquet_bytes(pa.Table.from_pandas(table, preserve_index=False))


def parquet_bytes(table: pa.Table) -> bytes:
    """A table as Parquet: the same bytes for the same table."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue().to_pybytes()

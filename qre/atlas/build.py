"""From a feature matrix to the files of an atlas."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from qre.atlas.overview import best
from qre.atlas.settings import AtlasSettings
from qre.features import FeatureMethod
from qre.sample_size import sample_notes

ATLAS_SCHEMA = 4  # raised when the same features would give other files


@dataclass(frozen=True)
class Atlas:
    """A finished map.

    Attributes:
        table: one row an encoder: name, family, group, coordinates, attributes, ...
        files: file name -> content; all but the manifest.
        headline: the figures that people ask for first; plain values, NaN-free.
        notes: what a reader of the map must know.
    """

    table: pd.DataFrame
    files: dict[str, bytes]
    headline: dict
    notes: tuple[str, ...]


def atlas_identity(
    encoders: list[dict], method: FeatureMethod, settings: AtlasSettings, fingerprint: str, prediction: dict | None = None
) -> str:
    """sha256 (hex) of all that fixes an atlas's content: an atlas of the same identity need not be made again. `prediction` are plain values."""
    content = {
        "schema": ATLAS_SCHEMA,
        "encoders": encoders,
        "method": method.model_dump(mode="json"),
        "settings": settings.model_dump(mode="json"),
        "sentences": fingerprint,
        "prediction": prediction,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def build_atlas(
    encoders: list[dict], features: pa.Table, settings: AtlasSettings, threads: int = 1, attributes: list[dict] | None = None,
    scores: pd.DataFrame | None = None,
) -> Atlas:  # fmt: skip
    """The tables and figures of an atlas.

    Args:
        encoders: one row an encoder: key, name, family, parent and other attributes.
        features: the same encoders in the same order: key, feature (list of n float64), qre, entropy, effective_rank, dimension, ...
        settings: metric, perplexity, seed, ...
        threads: for the t-SNE; changes no number.
        attributes: what else is told of each encoder, in the same order; what an encoder told of itself when loaded goes before it.
        scores: of the encoders, for the best of them to be named: see qre.atlas.ranking.SCORES.

    Returns:
        features.parquet (feature matrix), map.parquet and .csv (coordinates and attributes), neighbours.parquet and .csv, map.png, map.svg, and the
        report.md of a map without scores.
    """
    # figures and t-SNE are slow to import, and only the reducer needs them
    from qre.atlas.map_figure import facts_line, map_figure
    from qre.atlas.layout import layout, trustworthiness
    from qre.atlas.neighbours import family_share, nearest, pairwise_distances
    from qre.atlas.report import report_page

    matrix = feature_matrix(features)
    distances = pairwise_distances(matrix, settings.metric)
    coordinates, notes = layout(matrix, distances, settings, n_jobs=threads)
    table = _map_table(encoders, features, coordinates, attributes or [{}] * len(encoders))
    near, how_far = nearest(distances, settings.neighbours)
    families, parents = table["family"].to_list(), table["parent"].to_list()
    share = family_share(distances, families, settings.neighbours, settings.permutations, settings.seed)
    apart = family_share(distances, families, settings.neighbours, settings.permutations, settings.seed, excluded_groups=parents)
    headline = {
        "encoders": len(table),
        "families": len(set(families)),
        "sentences": matrix.shape[1],
        "neighbours": near.shape[1],
        "family_share": share.share, "family_chance": share.chance, "family_p": share.p_value,
        "family_share_other_parents": apart.share, "family_chance_other_parents": apart.chance, "family_p_other_parents": apart.p_value,
        "trustworthiness": trustworthiness(distances, coordinates, near.shape[1]),
        "qre_smallest": float(table["qre"].min()), "qre_largest": float(table["qre"].max()),
    }  # fmt: skip
    files = {
        "features.parquet": parquet_bytes(features.select(["key", "feature"]).add_column(1, "name", pa.array(table["name"], pa.string()))),
        **table_files("map", table),
        **table_files("neighbours", _neighbour_table(table["name"].to_list(), near, how_far)),
        **map_figure(table, f"Map of {len(table)} sentence encoders", facts_line(len(table), matrix.shape[1], apart), settings.labels, *_best(table, scores)),
    }
    shapes = zip(table["dimension"].to_list(), (str(row.get("transforms") or "").split(",") for row in encoders), strict=True)
    notes = (*sample_notes(matrix.shape[1], shapes), *notes)
    none = pd.DataFrame(columns=["name", "task", "kind", "metric", "score", "low", "high", "source"])
    files["report.md"] = report_page(None, table, none, ("map.png",), facts=headline, notes=notes)
    return Atlas(table, files, headline, notes)


def _best(table: pd.DataFrame, scores: pd.DataFrame | None) -> tuple[str | None, str]:
    """Name of the encoder that is best by its scores, and at what; None where there are none."""
    if scores is None or scores.empty:
        return None, ""
    found = best(table, scores)
    tasks = list(found.cells)
    return found.table["name"].iloc[0], f"by its mean over {len(tasks)} tasks" if len(tasks) > 1 else f"at {tasks[0]}"


def feature_matrix(features: pa.Table, name: str = "feature") -> np.ndarray:
    """A column of lists as one matrix (N, n) float64, without a copy where the table is in one piece."""
    column = features[name].combine_chunks()
    return column.flatten().to_numpy().reshape(len(column), -1)


def _map_table(encoders: list[dict], features: pa.Table, coordinates: np.ndarray, attributes: list[dict]) -> pd.DataFrame:
    place = pd.DataFrame({"x": coordinates[:, 0], "y": coordinates[:, 1]})
    told = features.drop_columns(["key", "feature"]).to_pandas()
    table = pd.concat([pd.DataFrame(encoders), place, told], axis=1)
    listed = [{name: ", ".join(value) if isinstance(value, list) else value for name, value in row.items()} for row in attributes]
    for name in dict.fromkeys(name for row in listed for name in row):
        column = pd.Series([row.get(name) for row in listed], index=table.index)
        table[name] = table[name].combine_first(column) if name in table else column
    return table.dropna(axis=1, how="all")  # a column that nobody filled says nothing


def _neighbour_table(names: list[str], near: np.ndarray, how_far: np.ndarray) -> pd.DataFrame:
    count, k = near.shape
    return pd.DataFrame({
        "name": np.repeat(names, k),
        "rank": np.tile(np.arange(1, k + 1), count),
        "neighbour": [names[i] for i in near.ravel()],
        "distance": how_far.ravel(),
    })  # fmt: skip


def table_files(name: str, table: pd.DataFrame) -> dict[str, bytes]:
    """A table as .parquet and as .csv."""
    return {
        f"{name}.parquet": parquet_bytes(pa.Table.from_pandas(table, preserve_index=False)),
        f"{name}.csv": table.to_csv(index=False).encode(),
    }


def parquet_bytes(table: pa.Table) -> bytes:
    """A table as Parquet: the same bytes for the same table."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue().to_pybytes()

"""From a feature matrix to the files of an atlas."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from qre.atlas.beside_parents import NO_VARIANTS, Descended, unknown_note, variant_table
from qre.atlas.map_table import feature_matrix, map_table, neighbour_table, parquet_bytes, table_bytes, table_files
from qre.atlas.overview import best
from qre.atlas.ranking import SCORES, known_numbers
from qre.atlas.settings import AtlasSettings
from qre.features import FeatureMethod
from qre.sample_size import sample_notes

if TYPE_CHECKING:
    from qre.atlas.clusters import Clusters

ATLAS_SCHEMA = 7  # raised when the same features would give other files


@dataclass(frozen=True)
class Atlas:
    """A finished map.

    Attributes:
        table: one row an encoder: name, family, group, coordinates, attributes, ...
        files: file name -> content; all but the manifest.
        headline: the figures that people ask for first; plain values, NaN-free.
        notes: what a reader of the map must know.
        variants: see beside_parents.variant_table; no rows where no encoder is made of another one on the map.
    """

    table: pd.DataFrame
    files: dict[str, bytes]
    headline: dict
    notes: tuple[str, ...]
    variants: pd.DataFrame


def atlas_identity(
    encoders: list[dict],
    method: FeatureMethod,
    settings: AtlasSettings,
    fingerprint: str,
    prediction: dict | None = None,
) -> str:
    """sha256 (hex) of all that fixes an atlas's content: an atlas of the same identity need not be made again.
    `prediction` are plain values."""
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
    encoders: list[dict],
    features: pa.Table,
    settings: AtlasSettings,
    threads: int = 1,
    attributes: list[dict] | None = None,
    scores: pd.DataFrame | None = None,
    descended: Descended | None = None,
) -> Atlas:
    """The tables and figures of an atlas.

    Args:
        encoders: one row an encoder: key, name, family, parent and other attributes.
        features: the same encoders in the same order: key, feature (list of n float64), qre, entropy, effective_rank,
            dimension, and further columns of the map, as the measures of geometry.
        settings: metric, perplexity, seed, ...
        threads: for the t-SNE; changes no number.
        attributes: what else is told of each encoder, in the same order; what an encoder told of itself when loaded
            goes before it.
        scores: of the encoders, for the best of them to be named: see qre.atlas.ranking.SCORES.
        descended: which encoders are variants of which; None: of none.

    Returns:
        features.parquet (feature matrix), map.parquet and .csv (coordinates and attributes), neighbours.parquet and
        .csv, clusters.parquet and .csv, tree.parquet; map, map_by_attribute, zoom and dendrogram as .png and .svg, the
        last two of two encoders or more; variants.parquet, .csv, .png and .svg, where there are any; and the report.md
        of a map without scores.
    """
    # figures and t-SNE are slow to import, and only the reducer needs them
    from qre.atlas.clusters import cluster, cluster_table, tree_table
    from qre.atlas.layout import layout, trustworthiness
    from qre.atlas.neighbours import family_share, nearest, pairwise_distances
    from qre.figures.atlas_map import facts_line
    from qre.report import report_page

    matrix = feature_matrix(features)
    distances = pairwise_distances(matrix, settings.metric)
    coordinates, layout_notes = layout(matrix, distances, settings, n_jobs=threads)
    table = map_table(encoders, features, coordinates, attributes or [{}] * len(encoders))
    near, how_far = nearest(distances, settings.neighbours)
    families, parents = table["family"].to_list(), table["parent"].to_list()
    share = family_share(distances, families, settings.neighbours, settings.permutations, settings.seed)
    apart = family_share(
        distances, families, settings.neighbours, settings.permutations, settings.seed, excluded_groups=parents
    )
    clusters, cluster_notes = cluster(distances, known_numbers(table, "downloads"))
    headline = {
        "encoders": len(table),
        "families": len(set(families)),
        "sentences": matrix.shape[1],
        "neighbours": near.shape[1],
        "family_share": share.share,
        "family_chance": share.chance,
        "family_p": share.p_value,
        "family_share_other_parents": apart.share,
        "family_chance_other_parents": apart.chance,
        "family_p_other_parents": apart.p_value,
        "trustworthiness": trustworthiness(distances, coordinates, near.shape[1]),
        "clusters": len(clusters.medoids),
        "qre_smallest": float(table["qre"].min()),
        "qre_largest": float(table["qre"].max()),
    }
    files = {
        "features.parquet": parquet_bytes(
            features.select(["key", "feature"]).add_column(1, "name", pa.array(table["name"], pa.string()))
        ),
        **table_files("map", table),
        **table_files("neighbours", neighbour_table(table["name"].to_list(), near, how_far)),
        **table_files("clusters", cluster_table(table, clusters)),
        "tree.parquet": table_bytes(tree_table(clusters.tree)),
        **_figures(table, scores, settings, facts_line(len(table), matrix.shape[1], apart), near, how_far, clusters),
    }
    shapes = zip(
        table["dimension"].to_list(),
        ([] if row.get("fitted_on") else str(row.get("transforms") or "").split(",") for row in encoders),
        strict=True,
    )
    none = pd.DataFrame(columns=list(SCORES))
    variants = _variants(table, descended, distances, none if scores is None else scores)
    files |= _variant_files(table, variants)
    notes = (*sample_notes(matrix.shape[1], shapes), *layout_notes, *cluster_notes, *unknown_note(variants))
    shown = [name for name in ("map.png", "variants.png") if name in files]
    files["report.md"] = report_page(None, table, none, shown, facts=headline, notes=notes, variants=variants)
    return Atlas(table, files, headline, notes, variants)


def _variants(
    table: pd.DataFrame, descended: Descended | None, distances: np.ndarray, scores: pd.DataFrame
) -> pd.DataFrame:
    if descended is None or descended.pairs.empty:
        return NO_VARIANTS
    return variant_table(table, descended, distances, scores)


def _variant_files(table: pd.DataFrame, variants: pd.DataFrame) -> dict[str, bytes]:
    from qre.figures.arrows import variants_figure

    return {} if variants.empty else {**table_files("variants", variants), **variants_figure(table, variants)}


def _figures(
    table: pd.DataFrame,
    scores: pd.DataFrame | None,
    settings: AtlasSettings,
    facts: str,
    near: np.ndarray,
    how_far: np.ndarray,
    clusters: Clusters,
) -> dict[str, bytes]:
    """Every figure of the map; near and how_far (N, k) are the neighbours of each encoder and their distances."""
    from qre.atlas.neighbours import DISTANCE_NAMES
    from qre.figures.atlas_map import map_figure
    from qre.figures.by_attribute import by_attribute_figure
    from qre.figures.dendrogram import dendrogram_figure
    from qre.figures.zoom import zoom_figure

    named, distance = _named(table, scores), DISTANCE_NAMES[settings.metric]
    title = f"Map of {len(table)} sentence encoders"
    return {
        **map_figure(table, title, facts, settings.labels, *_best(table, scores), named=named),
        **by_attribute_figure(table, scores),
        **zoom_figure(table, near, how_far, named, distance),
        **dendrogram_figure(table, clusters, [name for names in named for name in names], distance),
    }


def _best(table: pd.DataFrame, scores: pd.DataFrame | None) -> tuple[str | None, str]:
    """Name of the encoder that is best by its scores, and at what; None where there are none."""
    if scores is None or scores.empty:
        return None, ""
    found = best(table, scores)
    tasks = list(found.cells)
    at = f"by the mean over {len(tasks)} tasks" if len(tasks) > 1 else f"on {tasks[0]}"
    return found.table["name"].iloc[0], at


def _named(table: pd.DataFrame, scores: pd.DataFrame | None) -> tuple[list[str], list[str]]:
    """Names that are written before others: of the encoders in folders that the person named, and of the best of each
    task."""
    own = table["name"][table["own"].notna()].to_list() if "own" in table else []
    if scores is None or scores.empty:
        return own, []
    cells = best(table, scores)
    names = cells.table["name"]
    leading = [names[int(cell["value"].argmax())] for cell in cells.cells.values() if cell["value"].notna().any()]
    return own, list(dict.fromkeys(leading))

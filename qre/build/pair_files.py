"""From the measures of all pairs to a table of them, a second map, and how far it agrees with the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from qre.atlas.map_table import feature_matrix, map_table, neighbour_table, table_bytes, table_files
from qre.atlas.settings import AtlasSettings

if TYPE_CHECKING:
    from qre.atlas.two_maps import Agreement

CLOSEST = 5  # pairs that are told


@dataclass(frozen=True)
class PairFiles:
    """What is written of all pairs.

    Attributes:
        files: file name -> content.
        agreement: of the two maps' distances: fields of qre.atlas.two_maps.Agreement.
        family: of the neighbours on the second and on the first map: `share` and `share_first` that are of the
            encoder's own family, near-copies left out, and `chance`.
        closest: the nearest pairs: a, b, distance, qre_ab, qre_ba, overlap, cka.
        notes: what a reader of the second map must know.
    """

    files: dict[str, bytes]
    agreement: dict
    family: dict
    closest: list[dict]
    notes: tuple[str, ...]


def symmetrised(qre: np.ndarray) -> np.ndarray:
    """(S(a‖b) + S(b‖a))/2 as a distance (N, N): the diagonal is 0, and what rounding, or a clipping of near-copies, has
    brought below 0 is 0."""
    distances = np.maximum((qre + qre.T) / 2, 0.0)
    np.fill_diagonal(distances, 0.0)
    return distances


def pair_files(
    encoders: list[dict],
    features: pa.Table,
    measures: Mapping[str, np.ndarray],
    settings: AtlasSettings,
    threads: int = 1,
) -> PairFiles:
    """The files of all pairs.

    Args:
        encoders: one row an encoder: key, name, family, ... (as of the map).
        features: of the same encoders in the same order; the first map's distances are theirs.
        measures: qre[a, b] = S(ρ_a‖σ_b), overlap and cka, each (N, N) float64; N >= 4.
        settings: of the map; the second map takes the same perplexity, seed and neighbours.
        threads: for the t-SNE; changes no number.

    Returns:
        pairs.parquet (one row an unordered pair), pairs_map and pairs_neighbours as .parquet and .csv, and the figure
        pairs_map as .png and .svg.
    """
    from qre.atlas.layout import layout
    from qre.atlas.neighbours import family_share, nearest, pairwise_distances
    from qre.atlas.two_maps import agreement
    from qre.figures.atlas_map import map_figure

    distances = symmetrised(measures["qre"])
    first = pairwise_distances(feature_matrix(features), settings.metric)
    # t-SNE begins at the principal components of the distances to all: there are no vectors that it could begin at
    coordinates, notes = layout(distances, distances, settings, n_jobs=threads)
    table = map_table(encoders, features, coordinates, [{}] * len(encoders))
    names = table["name"].to_list()
    found = agreement(first, distances, settings.neighbours, settings.seed)
    shares = [
        family_share(
            one,
            table["family"].to_list(),
            settings.neighbours,
            settings.permutations,
            settings.seed,
            excluded_groups=table["parent"].to_list(),
        )
        for one in (distances, first)
    ]
    family = {"share": shares[0].share, "share_first": shares[1].share, "chance": shares[0].chance}
    pairs = pair_table(names, measures, distances)
    figure = map_figure(table, f"{len(names)} sentence encoders by their relative entropies", facts(found))
    files = {
        "pairs.parquet": table_bytes(pairs),
        **table_files("pairs_map", table),
        **table_files("pairs_neighbours", neighbour_table(names, *nearest(distances, settings.neighbours))),
        **{f"pairs_{name}": content for name, content in figure.items()},
    }
    closest = pairs.nsmallest(CLOSEST, "distance").to_dict("records")
    return PairFiles(files, asdict(found), family, closest, tuple(notes))


def pair_table(names: Sequence[str], measures: Mapping[str, np.ndarray], distances: np.ndarray) -> pd.DataFrame:
    """One row an unordered pair, in the order of the names: a, b, qre_ab = S(a‖b), qre_ba, distance, overlap, cka."""
    a, b = np.triu_indices(len(names), 1)
    return pd.DataFrame(
        {
            "a": [names[i] for i in a.tolist()],
            "b": [names[i] for i in b.tolist()],
            "qre_ab": measures["qre"][a, b],
            "qre_ba": measures["qre"][b, a],
            "distance": distances[a, b],
            "overlap": measures["overlap"][a, b],
            "cka": measures["cka"][a, b],
        }
    )


def facts(found: Agreement) -> str:
    """The agreement of the two maps in one line."""
    return (
        f"distance: (S(a‖b) + S(b‖a))/2 · with the first map: Mantel r = {found.mantel:.2f} (p = {found.p_value:.2g}), "
        f"{found.shared:.0%} of the {found.neighbours} nearest shared (chance {found.chance:.0%})"
    )

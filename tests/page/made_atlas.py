"""The tables of a made atlas of any size, seeded and quick: the columns, types and gaps of a real one, no embedding."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial import cKDTree

from qre.atlas.map_table import neighbour_table, parquet_bytes, table_files
from qre.atlas.settings import AtlasSettings
from qre.features import FeatureMethod
from qre.prediction import PredictionSettings
from qre.store import Store
from tests.page.made_encoders import HOSTILE, SENTENCES, encoder_table
from tests.page.made_scores import made_scores

MOST_LEAVES = 5_000
NEIGHBOURS = 7


@dataclass(frozen=True)
class MadeAtlas:
    """An atlas as tables, and how it is told of.

    Attributes:
        table: map.parquet. scores, predicted, neighbours: the tables of that name.
        tree: left, right (int64), height (float64), size (int64): the merges of M leaves, as in scipy's linkage.
        clusters: name, family, cluster, leaf (Int64), size (Int64), central (bool).
        features: (N, n) float64, made: n is the number of sentences.
        manifest: all but "files".
        figures: file name -> SVG.
    """

    table: pd.DataFrame
    scores: pd.DataFrame
    predicted: pd.DataFrame
    neighbours: pd.DataFrame
    tree: pd.DataFrame
    clusters: pd.DataFrame
    features: np.ndarray
    sentences: tuple[str, ...]
    manifest: dict
    figures: dict[str, str]

    def write(self, folder: Path) -> Path:
        """Write the atlas into a store in `folder`; returns its own folder there, that FinishedAtlas opens."""
        features = pa.table(
            {
                "key": self.table["key"].to_list(),
                "name": self.table["name"].to_list(),
                "feature": pa.array(list(self.features), pa.list_(pa.float64())),
            }
        )
        tables = {"map": self.table, "neighbours": self.neighbours, "clusters": self.clusters}
        scored = {"scores": self.scores, "predicted": self.predicted} if len(self.scores) else {}
        files = {name: content for each in (tables | scored).items() for name, content in table_files(*each).items()}
        files |= {
            "features.parquet": parquet_bytes(features),
            "tree.parquet": parquet_bytes(pa.Table.from_pandas(self.tree, preserve_index=False)),
            "sentences.parquet": parquet_bytes(pa.table({"text": list(self.sentences)})),
        }
        files |= {name: svg.encode() for name, svg in self.figures.items()}
        Store(folder).atlases.write("made", files, self.manifest)
        return folder / "atlases/made"


def made_atlas(
    encoders: int = 236, attributes: int = 60, tasks: int = 68, seed: int = 0, hostile: bool = False
) -> MadeAtlas:
    """An atlas of N encoders in families of models, each read off at several layers, poolings and transforms.

    Args:
        encoders: N, 2 or more.
        attributes: columns of the map's table: the real ones, and so many made ones that it has that many in all,
            beside the measures of geometry.
        tasks: T; 0: no scores.
        hostile: the first encoders, families, tasks, licences, sentences and notes are strings that break a careless
            page: tags, quotes, names of JavaScript's own, right-to-left marks.
    """
    rng = np.random.default_rng(seed)
    table, places = encoder_table(encoders, attributes, rng, hostile)
    scores, predicted, notes = made_scores(table, tasks, rng, hostile)
    k = min(NEIGHBOURS, encoders - 1)
    far, near = cKDTree(places).query(places, k + 1, p=1)
    apart = np.arange(encoders)[:, None] != near  # of equal places the encoder itself need not come first
    apart[apart.all(axis=1), -1] = False
    near, far = near[apart].reshape(encoders, k), far[apart].reshape(encoders, k)
    tree, clusters = _clusters(table, places)
    sentences = tuple(HOSTILE) + SENTENCES if hostile else SENTENCES
    return MadeAtlas(
        table,
        scores,
        predicted,
        neighbour_table(table["name"].to_list(), near, far),
        tree,
        clusters,
        features=np.abs(places[:, np.arange(len(sentences)) % places.shape[1]]),
        sentences=sentences,
        manifest=_manifest(table, len(sentences), tasks, [*notes, *(HOSTILE if hostile else ())]),
        figures={"spearman.svg": _figure()},
    )


def _clusters(table: pd.DataFrame, places: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The average-linkage tree of the most downloaded, and the clusters that it is cut into."""
    downloads = table["downloads"] if "downloads" in table else pd.Series(np.nan, index=table.index)
    leaves = np.sort((-downloads.fillna(-1).to_numpy(dtype=float)).argsort(kind="stable")[:MOST_LEAVES])
    merges = linkage(places[leaves], "average", metric="cityblock")
    tree = pd.DataFrame(merges, columns=["left", "right", "height", "size"]).astype(
        {"left": np.int64, "right": np.int64, "size": np.int64}
    )
    cut = fcluster(merges, min(12, len(leaves)), "maxclust")
    counts = pd.Series(cut).value_counts(sort=False)
    number = {label: i + 1 for i, label in enumerate(counts.sort_values(ascending=False, kind="stable").index)}
    central = np.zeros(len(table), dtype=bool)
    for label in counts.index:
        members = leaves[cut == label]
        central[members[np.abs(places[members] - np.median(places[members], axis=0)).sum(axis=1).argmin()]] = True
    columns = {
        "cluster": [number[label] for label in cut],
        "leaf": np.arange(len(leaves)),
        "size": counts[cut].to_numpy(),
    }
    told = {name: pd.Series(values, index=leaves).reindex(table.index) for name, values in columns.items()}
    clusters = table[["name", "family"]].assign(
        **{name: values.astype("Int64") for name, values in told.items()}, central=central
    )
    return tree, clusters


def _manifest(table: pd.DataFrame, sentences: int, tasks: int, notes: list[str]) -> dict:
    method, settings = FeatureMethod(), AtlasSettings(neighbours=NEIGHBOURS)
    timed = table["name"][::3]
    return {
        "name": "made",
        "identity": hashlib.sha256(b"made").hexdigest(),
        "made": "2026-01-02T03:04:05+00:00",
        "sentences": hashlib.sha256(b"sentences").hexdigest(),
        "encode": {"token_budget": 1024, "chunk_sentences": 256},
        "features": method.model_dump(mode="json"),
        "atlas": settings.model_dump(mode="json"),
        "prediction": {"settings": PredictionSettings().model_dump(mode="json"), "methods": {}} if tasks else None,
        "headline": {
            "encoders": len(table),
            "families": int(table["family"].nunique()),
            "sentences": sentences,
            "neighbours": NEIGHBOURS,
            "family_share": 0.46,
            "family_chance": 0.09,
            "family_p": 1e-4,
            "trustworthiness": 0.99,
            "qre_smallest": float(table["qre"].min()),
            "qre_largest": float(table["qre"].max()),
            **({"predicted_tasks": tasks, "spearman_ours": 0.885, "coverage_kinds_nominal": 0.9} if tasks else {}),
        },
        "notes": notes,
        "speed": {
            name: {
                "sentences_per_second": 10.0 + 7 * (i % 500),
                "device": "cpu" if i % 2 else "NVIDIA L4",
                "threads": 1,
            }
            for i, name in enumerate(timed)
        },
        "spent": {"gpu_hours": 1.5, "by_type": {"L4": 1.5}, "cost": 1.2, "budget": 20.0, "prices": {"L4": 0.8}},
        "failures": [
            {
                "key": hashlib.sha256(name.encode()).hexdigest(),
                "encoder": name,
                "kind": "permanent",
                "exception": "EncoderError",
                "message": why,
            }
            for name, why in (
                ("broken/encoder", "weights end early"),
                ("large/encoder", "out of memory on 24 GB"),
                (HOSTILE[0], f"no file {HOSTILE[1]}"),
            )
        ],
        "versions": {"numpy": "2.4.1", "scipy": "1.17.1", "encoder-map": "0.1.0"},
    }


def _figure() -> str:
    bars = "".join(f'<rect x="{40 * i + 10}" y="{10 * i}" width="30" height="{100 - 10 * i}"/>' for i in range(5))
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 220 110" width="220" height="110">{bars}</svg>'

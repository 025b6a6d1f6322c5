"""From the files of an atlas to the data of its page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from qre.atlas.clusters import read_clusters
from qre.atlas.ranking import PREDICTED, SCORES, one_score_each
from qre.atlas.reader import AtlasFiles
from qre.encoders.described import described, loading_lines
from qre.errors import without_folders
from qre.page.attributes import columns_of
from qre.page.contract import BASES, Figure, Numbers, Page, Task, Tree, numbers
from qre.page.document import page_bytes
from qre.prediction.words import new_kinds_by_chance

FIGURES = {
    "map_by_attribute": "The map by attribute",
    "zoom": "Chosen encoders and their nearest",
    "dendrogram": "Which encoders are clustered together",
    "variants": "Variants beside the encoders that they are made of",
    "spearman": "How well scores are predicted",
    "predicted": "Predicted and true scores",
    "quality_map": "Scores on the map",
    "epsilon": "Predictions over ε",
    "measures": "Geometry and scores",
}
MOST_SVG = 3_000_000  # bytes of a figure in the page, and twice that of all; what is larger stays a file beside it
FIRST_SENTENCES = 10
DEFAULT_COVERAGE = 0.9
SCORE_DIGITS = 4


def page_of(files: AtlasFiles) -> bytes:
    """atlas.html, from the other files of an atlas.

    Raises:
        UserError: one of them is missing or damaged, or of another version.
    """
    table = files.parquet("map.parquet").to_pandas()
    scores = files.table_or_empty("scores.parquet", SCORES)
    predicted = files.table_or_empty("predicted.parquet", PREDICTED)
    manifest = files.manifest
    names, rows = table["name"].to_list(), table.to_dict("records")
    k, near, far = _neighbours(names, files.parquet("neighbours.parquet").to_pandas())
    page = Page(
        title=str(manifest.get("name") or "atlas"),
        name=names,
        loading=["\n".join(loading_lines(row)) for row in rows],
        x=numbers(table["x"]),
        y=numbers(table["y"]),
        same=_same(table),
        columns=columns_of(table.assign(description=[described(row) for row in rows])),
        tasks=_tasks(names, scores, predicted),
        neighbours=k,
        near=near,
        far=far,
        metric=str((manifest.get("atlas") or {}).get("metric", "l1")),
        coverage=float((manifest.get("headline") or {}).get("coverage_kinds_nominal", DEFAULT_COVERAGE)),
        tree=_tree(names, files),
        about=_about(files),
        figures=_figures(files),
    )
    return page_bytes(page, _run(names, manifest))


def _neighbours(names: list[str], table: pd.DataFrame) -> tuple[int, list[int], Numbers]:
    """k, and the indices and distances of the k nearest of each encoder, nearest first."""
    table = table.sort_values(["name", "rank"], kind="stable")
    at = pd.Series(np.arange(len(names)), index=names)
    k = len(table) // max(1, len(names))
    order = at[table["name"]].to_numpy().reshape(len(names), k)[:, 0] if k else np.arange(len(names))
    near, far = np.empty((len(names), k), dtype=int), np.empty((len(names), k))
    near[order] = at[table["neighbour"]].to_numpy().reshape(len(names), k)
    far[order] = table["distance"].to_numpy().reshape(len(names), k)
    return k, near.ravel().tolist(), numbers(far.ravel(), SCORE_DIGITS)


def _same(table: pd.DataFrame) -> list[int]:
    if "parent" not in table:
        return list(range(len(table)))
    return pd.factorize(table["parent"].where(table["parent"].notna(), table["key"]))[0].tolist()


def _tasks(names: list[str], scores: pd.DataFrame, predicted: pd.DataFrame) -> list[Task]:
    """Every task that there are scores of, in their order."""
    known = one_score_each(scores)
    known = known[known["name"].isin(set(names))]
    told = predicted.dropna(subset=["predicted"])
    tasks = []
    for task, own in known.groupby("task", sort=False):
        own = own.set_index("name").reindex(names)
        guess = told[told["task"] == task].drop_duplicates("name").set_index("name").reindex(names)
        scored, first = own["score"].notna(), own.dropna(subset=["score"]).iloc[0]
        basis = own["source"].map({name: code for code, name in enumerate(BASES)}).where(scored)
        basis = basis.where(scored, np.where(guess["predicted"].notna(), BASES.index("predicted"), -1))
        bounds = {
            bound: own[bound].astype(float).where(scored, guess[bound].astype(float)) for bound in ("low", "high")
        }
        counts = pd.to_numeric(own["n"], errors="coerce").dropna().unique()
        tasks.append(
            Task(
                str(task),
                kind=str(first["kind"]),
                metric=str(first["metric"]),
                split=str(first["split"]),
                value=numbers(own["score"].astype(float).where(scored, guess["predicted"].astype(float)), SCORE_DIGITS),
                low=numbers(bounds["low"], SCORE_DIGITS),
                high=numbers(bounds["high"], SCORE_DIGITS),
                basis=basis.fillna(-1).astype(int).to_list(),
                n=int(counts[0]) if len(counts) == 1 else None,
            )
        )
    return tasks


def _tree(names: list[str], files: AtlasFiles) -> Tree | None:
    if not (files.has("tree.parquet") and files.has("clusters.parquet")):
        return None
    told = files.parquet("clusters.parquet").to_pandas().set_index("name").loc[names].reset_index()
    clusters = read_clusters(files.parquet("tree.parquet").to_pandas(), told, files.where)
    tree = clusters.tree
    return Tree(
        tree.leaves.tolist(),
        tree.left.tolist(),
        tree.right.tolist(),
        numbers(tree.height),
        cut=len(clusters.medoids),
        central=tree.leaves[clusters.medoids].tolist(),
    )


def _about(files: AtlasFiles) -> dict[str, Any]:
    """How the map was made; nothing that changes from run to run."""
    manifest = files.manifest
    sentences = files.parquet("sentences.parquet")["text"]
    kept = ("identity", "config", "encode", "features", "atlas", "headline", "notes", "versions")
    return {
        **{part: manifest[part] for part in kept if manifest.get(part) is not None},
        "failures": [told_failure(one) for one in manifest.get("failures") or ()],
        "prediction": (manifest.get("prediction") or {}).get("settings"),
        "new_kinds_by_chance": bool(new_kinds_by_chance(manifest.get("headline") or {})),
        "sentences": {
            "count": len(sentences),
            "fingerprint": manifest.get("sentences"),
            "first": sentences.slice(0, FIRST_SENTENCES).to_pylist(),
        },
    }


def told_failure(failure: Mapping[str, Any]) -> dict[str, Any]:
    """What a map tells of a failure: pages are passed on, and say nothing of this machine."""
    kept = ("key", "encoder", "kind", "exception", "message")
    return {part: without_folders(str(failure[part])) for part in kept if failure.get(part) is not None}


def _figures(files: AtlasFiles) -> list[Figure]:
    found, left = [], 2 * MOST_SVG
    for name, title in FIGURES.items():
        if files.has(f"{name}.svg"):
            content = files.read(f"{name}.svg")
            fits = len(content) <= min(MOST_SVG, left)
            left -= len(content) if fits else 0
            found.append(Figure(name, title, content.decode() if fits else None))
    return found


def _run(names: list[str], manifest: Mapping[str, Any]) -> dict[str, Any]:
    speed = manifest.get("speed") or {}
    return {
        "made": manifest.get("made"),
        "spent": manifest.get("spent"),
        "speed": [(speed.get(name) or {}).get("sentences_per_second") for name in names] if speed else None,
        "devices": sorted({str(one.get("device")) for one in speed.values()}),
    }

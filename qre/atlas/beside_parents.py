"""Variants of an encoder beside the encoder that they are made of: what each step has changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from qre.atlas.differences import told_apart
from qre.atlas.ranking import one_score_each
from qre.counted import counted
from qre.geometry.legend import LEGEND

PAIR = ("variant", "parent", "done")
DIFFERENCE = ("variant", "task", "low", "high", "better")
SCORED = ("task", "metric", "score", "parent_score", "difference", "low", "high", "better", "apart")
NO_VARIANTS = pd.DataFrame(columns=[*PAIR, "distance", "moved", *SCORED])
GEOMETRY = ("qre", *(entry.name for entry in LEGEND))  # columns of a map, where it has them


@dataclass(frozen=True)
class Descended:
    """What is known of variants beside the map.

    Attributes:
        pairs: columns PAIR, names of encoders on the map, and what was done to the parent.
        differences: columns DIFFERENCE: the paired interval of the variant's score less the parent's, and the share of
            resamples in which the variant is better; where one is not known it has no row.
    """

    pairs: pd.DataFrame
    differences: pd.DataFrame


def variant_table(
    table: pd.DataFrame, descended: Descended, distances: np.ndarray, scores: pd.DataFrame
) -> pd.DataFrame:
    """A row for each variant and task; one, without a task, for each where no variant and its parent have a score.

    Args:
        table: the map, one row an encoder: name, x, y, and the columns of GEOMETRY that it has.
        distances: between all encoders by their features, (N, N).
        scores: with the columns of qre.atlas.ranking.SCORES.

    Returns:
        variant, parent, done; distance (of the features), moved (on the map, as a share of its diagonal); for each
        measure its value of the variant, and `parent_` of the parent; task, metric, score, parent_score, difference,
        low, high, better; apart: "better" or "worse" where the interval excludes 0, "" where it does not, None where
        it is not known.
    """
    at = table.drop_duplicates("name").set_index("name")
    told = descended.pairs[list(PAIR)].reset_index(drop=True)
    own, of = at.loc[told["variant"]], at.loc[told["parent"]]
    places = table[["x", "y"]].to_numpy(np.float64)
    diagonal = float(np.hypot(*np.ptp(places, axis=0))) or 1.0
    away = own[["x", "y"]].to_numpy(np.float64) - of[["x", "y"]].to_numpy(np.float64)
    rows = {name: row for row, name in enumerate(table["name"])}
    ends = ([rows[name] for name in told[side]] for side in ("variant", "parent"))
    told = told.assign(distance=distances[tuple(ends)], moved=np.hypot(*away.T) / diagonal)
    for name in GEOMETRY:
        if name in at:
            told[name], told[f"parent_{name}"] = own[name].to_numpy(), of[name].to_numpy()
    return _with_scores(told, scores, descended.differences)


def _with_scores(told: pd.DataFrame, scores: pd.DataFrame, differences: pd.DataFrame) -> pd.DataFrame:
    known = one_score_each(scores)[["name", "task", "metric", "score"]]
    own = known.rename(columns={"name": "variant"})
    parents = known.drop(columns="metric").rename(columns={"name": "parent", "score": "parent_score"})
    order = {task: place for place, task in enumerate(dict.fromkeys(known["task"]))}
    rows = told[["variant", "parent"]].assign(row=range(len(told))).merge(own, on="variant")
    rows = rows.merge(parents, on=["parent", "task"]).drop(columns="parent")
    rows = rows.merge(differences[list(DIFFERENCE)], on=["variant", "task"], how="left")
    rows = rows.assign(difference=rows["score"].astype(np.float64) - rows["parent_score"].astype(np.float64))
    whole = told.assign(row=range(len(told))).merge(rows.drop(columns="variant"), on="row", how="left")
    whole = whole.assign(place=whole["task"].map(order)).sort_values(["row", "place"], kind="stable")
    for name in ("low", "high", "better", "difference"):
        whole[name] = whole[name].astype(np.float64)
    whole["apart"] = [told_apart(low, high) for low, high in zip(whole["low"], whole["high"], strict=True)]
    return whole[[*told.columns, *SCORED]].reset_index(drop=True)


def unknown_note(variants: pd.DataFrame) -> list[str]:
    """What to tell where the interval of a difference is not known."""
    lacking = int((variants["difference"].notna() & variants["apart"].isna()).sum())
    return (
        [
            f"of {counted(lacking, 'difference')} between a variant and its parent the interval is not known: the "
            f"items of a score are missing in the store, or others measured it"
        ]
        if lacking
        else []
    )


def largest(variants: pd.DataFrame, most: int) -> list[str]:
    """Names of the variants that are farthest from their parent by their features, in the order of the table."""
    each = variants.drop_duplicates("variant")
    chosen = set(each.sort_values("distance", ascending=False, kind="stable")["variant"].head(most))
    return [name for name in each["variant"] if name in chosen]

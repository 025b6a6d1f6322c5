"""Which encoders are best at a task: measured scores, and predictions where there are none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from qre.encoders.described import described

# of the tables that a sweep without tasks does not make
SCORES = ("name", "task", "kind", "metric", "split", "score", "low", "high", "n", "source")
PREDICTED = ("name", "task", "predicted", "low", "high", "familiarity", "kinds")
OUT_OF_FOLD = ("encoder", "task", "scheme", "score", "predicted", "low", "high", "paper")


def task_table(scores: pd.DataFrame, predicted: pd.DataFrame) -> pd.DataFrame:
    """The tasks that there are scores for, in their order.

    Args:
        scores, predicted: with the columns SCORES and PREDICTED.

    Returns:
        task, kind, metric, split, and how many encoders have a score that was measured, imported, or predicted only.
    """
    known = one_score_each(scores)
    told = known.drop_duplicates("task")[["task", "kind", "metric", "split"]].reset_index(drop=True)
    for source in ("measured", "imported"):
        told[source] = told["task"].map(known[known["source"] == source]["task"].value_counts()).fillna(0).astype(int)
    counts = predicted.dropna(subset=["predicted"])["task"].value_counts()
    return told.assign(predicted=told["task"].map(counts).fillna(0).astype(int))


def one_score_each(scores: pd.DataFrame) -> pd.DataFrame:
    """One score of each encoder on each task: what was measured here goes before what others published."""
    known = scores.dropna(subset=["score"])
    order = np.argsort((known["source"] != "measured").to_numpy(), kind="stable")
    return known.iloc[order].drop_duplicates(["name", "task"]).sort_index()


def ranking(
    task: str,
    encoders: pd.DataFrame,
    scores: pd.DataFrame,
    predicted: pd.DataFrame,
    out_of_fold: pd.DataFrame,
    speed: Mapping[str, Mapping],
    by: Literal["score", "predicted"] = "score",
) -> pd.DataFrame:
    """The encoders of a map by their scores on a task, the best first, ties by name; those of which nothing is known
    are left out.

    Args:
        encoders: the map: name, family, and parameters and dimension where they are known.
        scores, predicted, out_of_fold: with the columns SCORES, PREDICTED and OUT_OF_FOLD.
        speed: encoder name -> sentences_per_second, device and threads, of those that were timed.
        by: "score": the score, or its prediction where there is none. "predicted": the prediction of all; that of an
            encoder with a score was made without it (out of fold, grouped), so that the two can be compared.

    Returns:
        name, family, value, low, high (the value's own interval), basis ("measured", "imported" or "predicted": what
        the value is), score, predicted, kinds (of encoders that a predicted interval is calibrated over; NaN of one
        that was predicted out of fold: over groups), familiarity, parameters, dimension, n (items that a measured
        score is over), model (its id on the hub), description (what the encoder is, in words), sentences_per_second,
        device, threads; NaN or None where not known.
    """
    names = encoders["name"]
    own = one_score_each(scores[scores["task"] == task]).set_index("name").reindex(names).reset_index(drop=True)
    apart = out_of_fold[(out_of_fold["task"] == task) & (out_of_fold["scheme"] == "grouped")].rename(
        columns={"encoder": "name"}
    )
    columns = ["predicted", "low", "high", "familiarity", "kinds"]
    told = pd.concat(
        [
            part.set_index("name").reindex(columns=columns).astype(float)
            for part in (apart, predicted[predicted["task"] == task])
        ]
    )
    told = told[~told.index.duplicated()].reindex(names).reset_index(drop=True)
    scored = own["score"].notna() if by == "score" else pd.Series(False, index=own.index)
    table = pd.DataFrame(
        {
            "name": names.to_numpy(),
            "family": encoders["family"].to_numpy(),
            "value": own["score"].where(scored, told["predicted"]),
            **{bound: own[bound].where(scored, told[bound]) for bound in ("low", "high")},
            "basis": own["source"].where(scored, "predicted"),
            "score": own["score"],
            "predicted": told["predicted"],
            "kinds": told["kinds"].where(~scored),
            "familiarity": told["familiarity"],
            **{name: known_numbers(encoders, name) for name in ("parameters", "dimension")},
            "n": pd.Series(known_numbers(own, "n"), index=own.index).where(scored),
            "model": encoders["model"].to_numpy() if "model" in encoders else None,
            "description": [described(row) for row in encoders.to_dict("records")],
            "sentences_per_second": [speed.get(name, {}).get("sentences_per_second", np.nan) for name in names],
            "device": [speed.get(name, {}).get("device") for name in names],
            "threads": [speed.get(name, {}).get("threads", np.nan) for name in names],
        }
    )
    return table.dropna(subset=["value"]).sort_values(["value", "name"], ascending=[False, True]).reset_index(drop=True)


def known_numbers(table: pd.DataFrame, column: str) -> np.ndarray:
    """A column as float64, (N,); NaN where it is not known, or not in the table at all."""
    if column not in table:
        return np.full(len(table), np.nan)
    return pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=np.float64)

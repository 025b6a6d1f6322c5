"""Made scores of made encoders: measured, imported, predicted, and many that nobody knows."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qre.atlas.ranking import PREDICTED, SCORES
from tests.page.made_encoders import HOSTILE

KINDS = (
    ("sts", "cosine_spearman"),
    ("retrieval", "ndcg_at_10"),
    ("classification", "accuracy"),
    ("clustering", "v_measure"),
)
MEASURED, IMPORTED, GUESSED = 0.25, 0.15, 0.35  # shares of encoders and tasks; of the rest nothing is known


def made_scores(
    table: pd.DataFrame, tasks: int, rng: np.random.Generator, hostile: bool
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """scores.parquet and predicted.parquet of N encoders on T tasks, and notes. Every tenth task has imported scores
    only; one of twenty is not predicted, and a note says why."""
    count = len(table)
    names = [f"Task{i:02d}" for i in range(tasks)]
    if hostile:
        names[: len(HOSTILE)] = HOSTILE[: len(names)]
    quality = rng.normal(size=(count, 3)) + 0.5 * pd.factorize(table["family"])[0][:, None] % 3
    truth = 1 / (1 + np.exp(-(quality @ rng.normal(0.4, 0.2, (3, tasks)) + rng.normal(0, 0.7, tasks))))
    draw = rng.random((count, tasks))
    draw[:, 1::10] = np.where(draw[:, 1::10] < MEASURED, 0.3, draw[:, 1::10])
    draw[: min(count, 2), :] = 0.0  # every task has scores
    draw[: min(count, 2), 1::10] = 0.3
    row, column = np.nonzero((draw < MEASURED + IMPORTED).T)[::-1]
    score, own = truth[row, column], draw[row, column] < MEASURED
    half = rng.uniform(0.005, 0.05, len(score))
    items = rng.integers(100, 3000, tasks)
    labels, encoders = np.array(names, dtype=object), table["name"].to_numpy(dtype=object)
    kind = np.array([KINDS[i % len(KINDS)] for i in range(tasks)], dtype=object).reshape(tasks, 2)
    scores = pd.DataFrame(
        {
            "name": encoders[row],
            "task": labels[column],
            "kind": kind[column, 0],
            "metric": kind[column, 1],
            "split": "test",
            "score": score,
            "low": np.where(own, score - half, np.nan),
            "high": np.where(own, score + half, np.nan),
            "n": np.where(own, items[column], np.nan),
            "source": np.where(own, "measured", "imported").astype(object),
        },
        columns=list(SCORES),
    )
    known = (draw >= MEASURED + IMPORTED) & (draw < MEASURED + IMPORTED + GUESSED)
    known[:, 3::20] = False
    notes = [f"{name}: not predicted; its scores are of 2 kinds of encoders, 5 are needed" for name in names[3::20]]
    return scores, _predicted(truth, known, encoders, labels, rng), notes


def _predicted(
    truth: np.ndarray, known: np.ndarray, encoders: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> pd.DataFrame:
    """predicted.parquet; the intervals of one in a hundred are infinite, as those that the map cannot tell."""
    row, column = np.nonzero(known.T)[::-1]
    told = np.clip(truth[row, column] + rng.normal(0, 0.05, len(row)), 0, 1)
    half = np.where(rng.random(len(row)) < 0.01, np.inf, rng.uniform(0.03, 0.25, len(row)))
    familiarity = rng.random(len(encoders))
    return pd.DataFrame(
        {
            "name": encoders[row],
            "task": labels[column],
            "predicted": told,
            "low": told - half,
            "high": told + half,
            "familiarity": familiarity[row],
            "kinds": 9.0,
        },
        columns=list(PREDICTED),
    )

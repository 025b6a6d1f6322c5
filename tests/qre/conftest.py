"""A small evaluation, made once, that the tests of the figures and of the page share."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from qre.prediction import PredictionData, PredictionReport, PredictionSettings, evaluate
from qre.prediction.data import score_ranges

NAMES = ["<script>alert(1)</script> & | co", "x" * 200, "日本語", "$x_2$", "a\x00\nb"]
TASKS = ("STS <b>&</b> | one", "Banking77")


@dataclass(frozen=True)
class Evaluated:
    """An evaluation and the tables that go with it; encoders 40 and after have no scores, 36 and after none on the
    second task."""

    report: PredictionReport
    table: pd.DataFrame
    scores: pd.DataFrame


@pytest.fixture(scope="session")
def evaluated() -> Evaluated:
    rng = np.random.default_rng(0)
    size, parents = 44, np.arange(44) // 2
    latent = rng.normal(size=(22, 2))[parents] + 0.1 * rng.normal(size=(size, 2))
    truth = 0.5 + 0.1 * latent + 0.02 * rng.normal(size=(size, 2))
    truth[40:], truth[36:, 1] = np.nan, np.nan
    names = (*NAMES, *(f"organisation/encoder-{i}" for i in range(size - len(NAMES))))
    sketches = rng.normal(size=(size, 8))
    data = PredictionData(
        features={"features": latent @ rng.normal(size=(2, 30)) + 0.1 * rng.normal(size=(size, 30))},
        scores=truth,
        tasks=TASKS,
        groups=parents,
        kinds=parents // 2,
        ranges=score_ranges(["cosine_spearman"] * 2, truth),
        encoders=names,
        dimension=np.full(size, 384.0),
        parameters=np.full(size, np.nan),
        spectra=rng.uniform(size=(size, 5)),
        sketches=sketches / np.linalg.norm(sketches, axis=1, keepdims=True),
    )
    settings = PredictionSettings(folds=2, inner_folds=2, repeats=2, permutations=3)
    table = pd.DataFrame(
        {
            "name": names,
            "family": [f"<i>family</i> {i % 3}" for i in range(size)],
            "parent": parents,
            "kind": parents // 2,
            "x": latent[:, 0],
            "y": latent[:, 1],
        }
    )
    rows = [
        (name, task, "sts", "cosine_spearman", truth[i, j])
        for j, task in enumerate(TASKS)
        for i, name in enumerate(names)
    ]
    scores = pd.DataFrame(rows, columns=["name", "task", "kind", "metric", "score"])
    scores = scores.assign(low=scores["score"] - 0.01, high=scores["score"] + 0.01)
    return Evaluated(evaluate(data, settings), table, scores)

"""The paper's protocol (standardise, PCA, ElasticNet; nested cross-validation) against scikit-learn's own, on encoders
× sentences of the paper's size.

    python tests/benchmarks/protocol.py

Ours shares principal components between tasks, penalties and permutations, and solves the ElasticNet in closed form,
for components of the training rows are uncorrelated there. scikit-learn is run for one task and one outer fold of five,
with its pipeline's steps cached, and its time is multiplied; both give the same predictions.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.linear_model import ElasticNet
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from qre.prediction.folds import grouped_folds  # noqa: E402
from qre.prediction.paper import COMPONENTS, PENALTIES, RATIOS, PaperProtocol  # noqa: E402

FOLDS = 5


def world(encoders: int, sentences: int, tasks: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (N, n), scores (N, T) that follow from them, and groups (N,)."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((encoders, 40)) @ rng.standard_normal((40, sentences)) + 0.3 * rng.standard_normal(
        (encoders, sentences)
    )
    scores = features[:, :10] @ rng.standard_normal((10, tasks)) + rng.standard_normal((encoders, tasks))
    return features, scores, np.arange(encoders) // 2


def literal(folder: str) -> GridSearchCV:
    steps = [("scale", StandardScaler()), ("pca", PCA(svd_solver="full")), ("net", ElasticNet(max_iter=20_000))]
    model = TransformedTargetRegressor(Pipeline(steps, memory=folder), transformer=StandardScaler())
    grid = {
        "regressor__pca__n_components": COMPONENTS,
        "regressor__net__alpha": PENALTIES,
        "regressor__net__l1_ratio": RATIOS,
    }
    return GridSearchCV(model, grid, scoring="neg_mean_squared_error")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoders", type=int, default=112)
    parser.add_argument("--sentences", type=int, default=10_000)
    parser.add_argument("--tasks", type=int, default=68)
    arguments = parser.parse_args()
    features, scores, groups = world(arguments.encoders, arguments.sentences, arguments.tasks)
    protocol = PaperProtocol(features, FOLDS, seed=0)
    folds = list(grouped_folds(groups, FOLDS, seed=0))
    began = time.perf_counter()
    predictions = [protocol.predict(train, test, scores[train], groups[train])[0] for train, test in folds]
    ours = time.perf_counter() - began
    train, test = folds[0]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of duality gaps that are rounding
        began = time.perf_counter()
        search = (
            literal(folder)
            .set_params(cv=list(grouped_folds(groups[train], FOLDS, seed=0)))
            .fit(features[train], scores[train, 0])
        )
        theirs = time.perf_counter() - began
        difference = np.abs(search.predict(features[test]) - predictions[0][:, 0]).max() / scores[:, 0].std()
    whole = theirs * FOLDS * arguments.tasks
    print(
        f"{arguments.encoders} encoders × {arguments.sentences:,} sentences × {arguments.tasks} tasks, nested {FOLDS} "
        f"× {FOLDS} folds, {len(COMPONENTS) * len(PENALTIES) * len(RATIOS)} settings"
    )
    print(
        f"ours: {ours:.2f} s; scikit-learn: {theirs:.1f} s a task and outer fold, {whole:,.0f} s in all: "
        f"{whole / ours:,.0f} ×"
    )
    print(f"largest difference of a prediction: {difference:.1e} standard deviations of the scores")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

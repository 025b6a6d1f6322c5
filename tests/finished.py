"""A finished atlas of made encoders, small and made by the real functions: what people place encoders on and rank."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from qre.atlas.settings import AtlasSettings
from qre.build.atlas_files import build_atlas
from qre.features import FeatureMethod, feature_row
from qre.prediction import PredictionData, PredictionSettings, evaluate, fit
from qre.prediction.data import score_ranges
from qre.prediction.predictor_file import predictor_bytes
from qre.sentences import builtin_set
from qre.spectra import gram_sketch, leading_eigenvalues, sketch_rows
from qre.store import Store

SENTENCES, GROUPS, SIZE, UNSCORED = 120, 26, 2, 4
METHODS = {"own": FeatureMethod(), "mixed": FeatureMethod(perturbation="mix", epsilon=0.1, center=True)}
TASKS = ("STS <b>", "Banking")
PREDICTION = PredictionSettings(folds=3, inner_folds=2, repeats=1, permutations=2)
STRANGE = "<script>alert(1)</script> [red]x[/red]"  # the name of the first encoder


def embedding_at(x: float, y: float) -> np.ndarray:
    """E of an encoder at a point of the plane, (SENTENCES, 24) float32: encoders of near points have near features."""
    directions = np.random.default_rng(0).standard_normal((SENTENCES, 24))
    angles = np.arange(24) * 2.4
    return (directions * np.exp(x * np.cos(angles) + y * np.sin(angles))).astype(np.float32)


def scores_at(x: float, y: float) -> tuple[float, float]:
    """What such an encoder scores on the two tasks."""
    return 0.6 + 0.1 * np.sin(2 * x) + 0.1 * y, 0.5 + 0.1 * x * y


def points() -> np.ndarray:
    """Where the encoders are, (GROUPS * SIZE, 2): groups of near-copies."""
    rng = np.random.default_rng(1)
    return np.repeat(rng.uniform(-1, 1, (GROUPS, 2)), SIZE, axis=0) + 0.03 * rng.standard_normal((GROUPS * SIZE, 2))


def finished(folder: Path, tasks: bool = True, strange: str = STRANGE) -> Path:
    """Write the atlas "t" into the store `folder`/store; returns its folder there. With tasks, all but the last
    UNSCORED encoders have scores. The first encoder is called `strange`."""
    places = points()
    names = [strange, *(f"made/e{i}" for i in range(1, len(places)))]
    encoders = [
        {
            "key": f"{i:064x}",
            "name": name,
            "family": f"family {i % 5}",
            "parent": f"p{i // SIZE}",
            "parameters": 1e6 * (i + 1) if i % 3 else None,
        }
        for i, name in enumerate(names)
    ]
    embeddings = [embedding_at(*place) for place in places]
    rows = {name: [feature_row(embedding, method) for embedding in embeddings] for name, method in METHODS.items()}
    table = pa.table(
        {
            "key": [row["key"] for row in encoders],
            "feature": pa.array([row.feature for row in rows["own"]], pa.list_(pa.float64())),
            **{
                name: [getattr(row, name) for row in rows["own"]]
                for name in ("qre", "entropy", "effective_rank", "dimension")
            },
        }
    )
    settings, sentences = AtlasSettings(perplexity=5, permutations=100), builtin_set(SENTENCES)
    files = build_atlas(encoders, table, settings).files | {"sentences.parquet": parquet(sentences.to_table())}
    manifest = {
        "schema": 1,
        "name": "t",
        "sentences": sentences.fingerprint,
        "features": METHODS["own"].model_dump(mode="json"),
        "atlas": settings.model_dump(mode="json"),
        "encode": {"token_budget": 512, "chunk_sentences": 50},
        "speed": {names[1]: {"sentences_per_second": 321.0, "device": "cpu"}},
    }
    if tasks:
        files |= prediction_files(
            names, places, embeddings, {name: np.stack([row.feature for row in made]) for name, made in rows.items()}
        )
        methods = {name: method.model_dump(mode="json") for name, method in METHODS.items()}
        manifest["prediction"] = {"settings": PREDICTION.model_dump(mode="json"), "methods": methods}
    store = Store(folder / "store")
    store.atlases.write("t", files, manifest)
    return folder / "store/atlases/t"


def prediction_files(
    names: list[str], places: np.ndarray, embeddings: list[np.ndarray], features: dict[str, np.ndarray]
) -> dict[str, bytes]:
    """scores, predicted and predictions as Parquet, and the predictor."""
    truth = np.array([scores_at(*place) for place in places]) + 0.005 * np.random.default_rng(2).standard_normal(
        (len(places), 2)
    )
    truth[-UNSCORED:] = np.nan
    sketched = sketch_rows(SENTENCES, 30)
    data = PredictionData(
        features=features,
        scores=truth,
        tasks=TASKS,
        groups=np.arange(len(names)) // SIZE,
        kinds=np.arange(len(names)) // SIZE,
        ranges=score_ranges(["cosine_spearman"] * 2, truth),
        encoders=tuple(names),
        dimension=np.full(len(names), 24.0),
        parameters=np.full(len(names), np.nan),
        spectra=np.stack([leading_eigenvalues(embedding, 10) for embedding in embeddings]),
        sketches=np.stack([gram_sketch(embedding, sketched) for embedding in embeddings]),
    )
    predictor = fit(data, PREDICTION, sketches=False)
    scores = pd.DataFrame(
        [
            {
                "name": name,
                "task": task,
                "kind": "sts",
                "metric": "cosine_spearman",
                "split": "test",
                "score": truth[i, j],
                "low": truth[i, j] - 0.01,
                "high": truth[i, j] + 0.01,
                "n": 100.0,
                "source": "imported" if i % 7 == 3 else "measured",
            }
            for j, task in enumerate(TASKS)
            for i, name in enumerate(names)
            if np.isfinite(truth[i, j])
        ]
    )
    lacking = np.arange(len(names) - UNSCORED, len(names))
    told = predictor.predict({name: matrix[lacking] for name, matrix in features.items()})
    predicted = pd.DataFrame(
        [
            {
                "name": names[i],
                "task": task,
                "predicted": told.mean[row, j],
                "low": told.low[row, j],
                "high": told.high[row, j],
                "familiarity": told.familiarity[row],
                "kinds": told.kinds[j],
            }
            for j, task in enumerate(TASKS)
            for row, i in enumerate(lacking)
        ]
    )
    tables = {"scores": scores, "predicted": predicted, "predictions": evaluate(data, PREDICTION).predictions}
    return {
        f"{name}.parquet": parquet(pa.Table.from_pandas(table, preserve_index=False)) for name, table in tables.items()
    } | {"predictor.safetensors": predictor_bytes(predictor)}


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()

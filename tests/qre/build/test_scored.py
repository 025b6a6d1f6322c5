"""What scores add to an atlas: tables, report, figures and a predictor, from synthetic encoders whose scores follow
from their features."""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from qre.atlas.map_table import table_files
from qre.build.scored import SCORES, Descriptions, _told, saturation_notes, scored_part
from qre.features import FeatureMethod
from qre.prediction import PredictionSettings
from qre.prediction.data import score_ranges
from qre.prediction.folds import joined
from qre.prediction.predictor_file import read_predictor
from tests.qre.prediction.test_predict import made

SETTINGS = PredictionSettings(folds=4, inner_folds=3, repeats=1, permutations=5)
CLIP, MIX = FeatureMethod(), FeatureMethod(perturbation="mix")


def world(compare: bool = False, groups: int = 20, twin: bool = False):
    """(table, scores, descriptions): the scores of the last group of encoders are not known."""
    data = made(groups=groups)
    features = {CLIP: data.features["clip"].copy(), MIX: data.features["mix"].copy()}
    if twin:
        for matrix in features.values():
            matrix[20] = matrix[3] + 1e-6
    table = pd.DataFrame(
        {
            "name": data.encoders,
            "family": data.groups,
            "group": data.groups,
            "kind": data.groups,
            "x": data.scores[:, 0],
            "y": data.scores[:, 1],
            "dimension": 128,
        }
    )
    rows = [
        {
            "name": name,
            "task": task,
            "kind": "sts",
            "metric": "cosine_spearman",
            "split": "test",
            "score": score,
            "low": score - 0.02,
            "high": score + 0.02,
            "n": 100,
            "source": "measured",
        }
        for column, task in enumerate(data.tasks)
        for name, score in zip(data.encoders[:-4], data.scores[:-4, column])
    ]
    compared = {FeatureMethod(epsilon=1e-3): features[CLIP], CLIP: features[CLIP]} if compare else {}
    return (
        table,
        pd.DataFrame(rows, columns=list(SCORES)),
        Descriptions(features, compared, data.spectra, data.sketches),
    )


def read(part, name) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(part.files[f"{name}.parquet"]))


def test_tables_figures_and_a_predictor_that_predicts_the_unmeasured():
    part = scored_part(*world(compare=True), SETTINGS)
    assert part.predicts and not part.notes
    tables = (
        "scores",
        "predictions",
        "prediction_metrics",
        "prediction_null",
        "prediction_coverage",
        "predicted",
        "sensitivity",
    )
    figures = ("spearman", "predicted", "quality_map", "epsilon")
    assert set(part.files) == {
        "report.md",
        "predictor.safetensors",
        *(f"{t}.{end}" for t in tables for end in ("parquet", "csv")),
        *(f"{f}.{end}" for f in figures for end in ("png", "svg")),
    }
    assert part.headline["spearman_ours"] > 0.7 and part.headline["predicted_encoders"] == 76
    predicted = read(part, "predicted")
    assert set(predicted["name"]) == {"e76", "e77", "e78", "e79"} and len(predicted) == 8
    assert (predicted["low"] < predicted["predicted"]).all() and (predicted["predicted"] < predicted["high"]).all()
    predictor = read_predictor(part.files["predictor.safetensors"])
    assert predictor.encoders[:2] == ("e0", "e1") and set(predictor.tables) == {CLIP.name, MIX.name}
    curve = read(part, "sensitivity")
    assert list(curve["epsilon"]) == [1e-6, 1e-3] * 2 and set(curve["predictor"]) == {"ours", "paper"}
    assert curve["spearman"].nunique() == 2  # the same features at both ε give the same numbers


def test_the_tables_are_the_ones_given(evaluated):
    files, *_ = _told(
        evaluated.report, evaluated.table.assign(group=evaluated.table["parent"]), evaluated.scores, pd.DataFrame()
    )
    files |= table_files("scores", evaluated.scores)
    given = (
        ("scores", evaluated.scores),
        ("predictions", evaluated.report.predictions),
        ("prediction_metrics", evaluated.report.metrics),
    )
    for name, table in given:
        read = pd.read_csv(io.BytesIO(files[f"{name}.csv"]))
        pd.testing.assert_frame_equal(read, table.reset_index(drop=True), check_dtype=False, rtol=1e-12)
        pd.testing.assert_frame_equal(
            pd.read_parquet(io.BytesIO(files[f"{name}.parquet"])), table.reset_index(drop=True), check_dtype=False
        )


def test_near_copies_of_different_groups_are_kept_together():
    part = scored_part(*world(twin=True), SETTINGS)
    assert part.notes == (
        "1 pair of encoders is nearly the same though of different groups; no fold separates them: e3 and e20",
    )
    assert "of 18 groups" in part.files["report.md"].decode()
    assert list(joined(np.array(["a", "b", "c", "b"]), [(0, 1)])) == [0, 0, 1, 0]
    assert list(joined(np.arange(4), [(0, 1), (2, 1)])) == [0, 0, 0, 1]


def test_a_saturated_task_is_told_once_and_predictions_keep_to_the_range_of_the_metric():
    table, scores, about = world()
    first, second = dict.fromkeys(scores["task"])
    order = scores.loc[scores["task"] == first, "score"].rank()
    scores.loc[scores["task"] == first, "metric"] = "max_ap"
    # the best half of 76 is at 1, or nearly
    scores.loc[scores["task"] == first, "score"] = np.minimum(1.0, 0.5 + order / 80)
    part = scored_part(table, scores, about, SETTINGS, notes=["60 sentences are few"])
    told = [note for note in part.notes if "saturated" in note]
    assert (
        len(told) == 1
        and told[0].startswith(f"{first} is saturated: 37 of 76 scores are 0.99 or more")
        and "60 sentences are few" not in part.notes
    )
    page = part.files["report.md"].decode()
    assert page.count("is saturated") == 1 and page.count("60 sentences are few") == 1
    for name in ("predictions", "predicted"):
        rows = read(part, name)
        rows = rows[rows["task"] == first]
        columns = [column for column in ("predicted", "low", "high", "paper") if column in rows]
        values = rows[columns].to_numpy()[np.isfinite(rows[columns].to_numpy())]
        assert len(values) and values.min() >= 0 and values.max() == 1, name


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ([0.99, 0.995, 1.0, *[0.5] * 12], "x is saturated: 3 of 15 scores are 0.99 or more"),
        ([1.0, 1.0, *[0.5] * 8], None),
        ([1.0, 1.0, 1.0, *[0.5] * 13], None),
        ([0.500, 0.504, 0.509], "x hardly tells encoders apart: all 3 scores lie between 0.5000 and 0.5090"),
        ([0.5, 0.5, 0.5], None),
        ([0.5, 0.52, 0.54], None),
        ([99.5, 99.8, 99.9, 20.0], None),
        ([np.nan, 1.0, 0.0], None),
    ],
)
def test_what_is_saturated(scores, said):
    column = np.array(scores)[:, None]
    data = replace(changed_to(column), tasks=("x",), scores=column, ranges=score_ranges(["max_ap"], column))
    notes = saturation_notes(data)
    assert [note.partition(",")[0] for note in notes] == ([said] if said else [])


def changed_to(column: np.ndarray):
    """Data of as many encoders as there are rows."""
    data = made()
    rows = {
        name: getattr(data, name)[: len(column)]
        for name in ("groups", "kinds", "encoders", "dimension", "parameters", "spectra", "sketches", "scores")
    }
    return replace(data, features={name: matrix[: len(column)] for name, matrix in data.features.items()}, **rows)


@pytest.mark.parametrize("groups", [5, 20])
def test_measures_of_geometry_are_told_beside_the_scores_also_where_nothing_is_predicted(groups):
    table, scores, about = world(groups=groups)
    table = table.assign(effective_rank=1.0, family=[f"f{i // 4 % 3}" for i in range(len(table))])
    assert "measure_scores.csv" not in scored_part(table, scores, about, SETTINGS).files
    part = scored_part(table.assign(uniformity=table["x"], lidar=np.nan), scores, about, SETTINGS)
    names = {"measure_scores.parquet", "measure_scores.csv", "measures.png", "measures.svg"}
    assert names <= set(part.files) and part.predicts == (groups > 5)
    told = read(part, "measure_scores").set_index(["form", "measure", "task"])
    first = told.loc["all encoders", "uniformity", "first"]
    assert (first["spearman"] > 0.999) == (groups > 5) and first["groups"] == groups - 1
    page = part.files["report.md"].decode()
    assert page.count("# Geometry and scores") == page.count("](measures.png)") == 1
    assert ("Over all encoders nothing can be told" in page) == (groups == 5)


def test_near_copies_that_turn_up_are_drawn_together():
    table, scores, about = world(twin=True)
    told = read(scored_part(table.assign(uniformity=table["x"]), scores, about, SETTINGS), "measure_scores")
    assert set(told.loc[told["form"] == "all encoders", "groups"]) == {18}


def test_the_same_input_gives_the_same_bytes():
    first, second = (scored_part(*world(), SETTINGS) for _ in range(2))
    assert first.files == second.files


@pytest.mark.parametrize("groups", [5, 20])
def test_without_enough_scores_the_scores_alone_are_told(groups):
    table, scores, about = world(groups=groups)
    some = scores if groups == 5 else scores[scores["name"] == "nobody"]
    part = scored_part(table, some, about, SETTINGS)
    assert set(part.files) == {"scores.parquet", "scores.csv", "report.md"} and not part.predicts
    assert (
        "scores of 4 groups of encoders, and 12 are needed" in part.notes[0]
        if groups == 5
        else "no encoder on the map has a score" in part.notes[0]
    )

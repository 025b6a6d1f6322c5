"""The `qre` command on a real Ray: done, failing and refused sweeps, each judged by what a user sees."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from qre.store import Store
from tests.conftest import save_tiny_bert

pytestmark = pytest.mark.cluster
ROOT = Path(__file__).resolve().parents[2]
CLASSICAL = {
    "source": "catalogue",
    "name": "classical",
    "include": ["hash/word*", "projection/*d128*", "lsa/word1-1/tfidf/d32"],
}


class Case:
    """A config in a folder, and the command on it."""

    def __init__(self, folder: Path, *encoders: dict, **values):
        self.folder = folder
        config = {
            "name": "t",
            "store": str(folder / "store"),
            "export": str(folder / "out"),
            "sentences": {"source": "builtin", "limit": 400},
            "encoders": list(encoders),
            "cluster": {"cpus": 1, "shard_units": 4},
            **values,
        }
        self.config = folder / "config.yaml"
        self.config.write_text(yaml.safe_dump(config))
        self.store = Store(folder / "store")

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-c", "from jobs.cli import main; main()", words[0], str(self.config), *words[1:]]

    def qre(self, *words: str) -> subprocess.CompletedProcess:
        return subprocess.run(self.command(*words), cwd=ROOT, capture_output=True, text=True, timeout=400)

    def table(self) -> bytes:
        return self.store.atlases.read("t", "features.parquet")


@pytest.fixture
def folder_encoder(tiny_encoder):
    return {"source": "folder", "path": str(tiny_encoder), "family": "tiny", "pooling": "mean"}


def test_a_sweep_from_nothing_to_a_map_and_again(tmp_path, folder_encoder):
    case = Case(
        tmp_path, CLASSICAL, *({**folder_encoder, "name": f"tiny/L{layer}", "layer": layer} for layer in (1, 2))
    )
    first = case.qre("sweep")
    assert first.returncode == 0, first.stderr
    assert "map of 19 encoders on 400 sentences" in first.stdout
    out = {path.name for path in (tmp_path / "out").iterdir()}
    tables = {f"{table}.{end}" for table in ("map", "neighbours", "clusters") for end in ("csv", "parquet")}
    drawn = {
        f"{figure}.{end}" for figure in ("map", "map_by_attribute", "zoom", "dendrogram") for end in ("png", "svg")
    }
    others = {"report.md", "atlas.html", "features.parquet", "tree.parquet", "sentences.parquet", "manifest.json"}
    assert tables | drawn | others == out
    assert (tmp_path / "out/map.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    marks = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    second = case.qre("sweep")
    assert second.returncode == 0
    assert "all is done: 19 encoders on the map" in second.stdout
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == marks
    status = json.loads(case.qre("status", "--json").stdout)
    assert (status["featured"], status["to_embed"], status["atlas_done"]) == (19, 0, True)
    # one more encoder: only it is computed, and the map is made anew
    config = yaml.safe_load(case.config.read_text())
    config["encoders"].append({"source": "classical", "name": "new", "family": "LSA words", "kind": "lsa", "rank": 40})
    case.config.write_text(yaml.safe_dump(config))
    third = case.qre("sweep")
    assert "map of 20 encoders" in third.stdout, third.stderr
    kept = [path for path in marks if "embeddings" in path.parts]
    assert len(kept) == 19
    assert all(path.stat().st_mtime_ns == marks[path] for path in kept)


def test_scores_and_what_is_predicted_of_them(tmp_path, folder_encoder):
    """From tasks in the config to a report, and a new encoder placed by it; a score that is damaged is made again, a
    task that is added is scored alone."""
    include = ["hash/*", "projection/*d128*", "lsa/*/d32", "sif/w2/d100"]
    case = Case(
        tmp_path,
        {**CLASSICAL, "include": include},
        *({**folder_encoder, "name": f"tiny/L{layer}", "layer": layer} for layer in (1, 2)),
        tasks=[{"source": "builtin", "include": ["builtin/sts"]}],
        prediction={"repeats": 1, "permutations": 5, "sensitivity": [{"epsilon": 1e-3}]},
        sentences={"source": "builtin", "limit": 500},
    )
    first = case.qre("sweep")
    assert first.returncode == 0, first.stderr + first.stdout
    assert re.search(
        r"mean Spearman correlation with the true scores [-\d.]+ for encoders of known kinds.*; 1 task, 44 encoders",
        first.stdout,
    )
    assert f"page: {tmp_path / 'out/atlas.html'}\npicture: {tmp_path / 'out/map.png'}\n" in first.stdout and re.search(
        r"builtin/sts +│ \S+.*measured", first.stdout
    )
    out = {path.name for path in (tmp_path / "out").iterdir()}
    assert {
        "atlas.html",
        "report.md",
        "scores.csv",
        "predictions.parquet",
        "predictor.safetensors",
        "spearman.png",
        "predicted.svg",
        "quality_map.png",
        "epsilon.png",
    } <= out
    scores = (tmp_path / "out/scores.csv").read_text()
    assert len(scores.splitlines()) == 45 and "tiny/L2,builtin/sts,sts,cosine_spearman,built-in," in scores
    placed = subprocess.run(
        [
            sys.executable,
            "-c",
            "from jobs.cli import main; main()",
            "place",
            folder_encoder["path"],
            "--layer",
            "1",
            "--pooling",
            "mean",
            "--atlas",
            str(tmp_path / "out"),
            "--json",
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=400,
    )
    assert placed.returncode == 0, placed.stderr
    assert "tiny/L1" in placed.stdout
    damaged = sorted((tmp_path / "store/scores").rglob("*.json"))[7]
    damaged.write_bytes(damaged.read_bytes().replace(b'"score":', b'"score":1'))
    (tmp_path / "store/atlases/t/report.md").unlink()
    again = case.qre("sweep")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "out/scores.csv").read_text() == scores
    config = yaml.safe_load(case.config.read_text())
    config["tasks"][0]["include"].append("builtin/retrieval")
    case.config.write_text(yaml.safe_dump(config))
    marks = {
        path: path.stat().st_mtime_ns
        for path in (tmp_path / "store").rglob("*")
        if path.parts[-3] in ("embeddings", "features", "scores")
    }
    more = case.qre("sweep")
    assert "2 tasks, 44 encoders" in more.stdout and "mean over 2 tasks" in more.stdout, more.stderr
    assert {path: path.stat().st_mtime_ns for path in marks} == marks
    status = json.loads(case.qre("status", "--json").stdout)
    assert (status["scored"], status["to_score"], status["atlas_done"]) == (88, 0, True)


def test_bad_encoders_end_as_recorded_failures(tmp_path, folder_encoder):
    import safetensors.torch

    save_tiny_bert(tmp_path / "nan", seed=1)
    weights = safetensors.torch.load_file(tmp_path / "nan/model.safetensors")
    weights["embeddings.LayerNorm.bias"][3] = float("nan")
    safetensors.torch.save_file(weights, tmp_path / "nan/model.safetensors", {"format": "pt"})
    save_tiny_bert(tmp_path / "cut", seed=2)
    weights_file = tmp_path / "cut/model.safetensors"
    weights_file.write_bytes(weights_file.read_bytes()[:5000])
    case = Case(
        tmp_path,
        CLASSICAL,
        {"source": "folder", "path": str(tmp_path / "nan")},
        {"source": "folder", "path": str(tmp_path / "cut")},
        {**folder_encoder, "name": "no such layer", "layer": 9},
        {**folder_encoder, "name": "constant", "layer": 0, "pooling": "cls"},
        {"source": "classical", "name": "rank", "family": "f", "kind": "lsa", "rank": 5000},
    )
    result = case.qre("sweep")
    assert result.returncode == 1, result.stderr
    assert "map of 17 encoders" in result.stdout
    failures = {failure.encoder: failure for failure in case.store.failures.read_all().values()}
    assert set(failures) == {"nan", "cut", "no such layer", "constant", "rank"}
    assert {failure.kind for failure in failures.values()} == {"permanent"}
    assert "NaN or Inf in the embedding of sentence" in failures["nan"].message
    assert "layer 9 is asked for" in failures["no such layer"].message
    assert failures["constant"].exception == "ConstantEmbeddingError"
    assert "rank 5000 is more than" in failures["rank"].message
    again = case.qre("sweep")
    assert again.returncode == 1
    assert "all is done" in again.stdout
    assert "--retry-failed" in again.stdout
    save_tiny_bert(tmp_path / "mended", seed=2)
    weights_file.write_bytes((tmp_path / "mended/model.safetensors").read_bytes())
    mended = case.qre("sweep")  # another content is another revision, and so another unit
    assert "map of 18 encoders" in mended.stdout, mended.stderr


def test_wrong_configs_end_at_once_with_exit_code_2(tmp_path):
    case = Case(tmp_path, CLASSICAL)
    case.config.write_text(case.config.read_text().replace("include:", "inclde:"))
    for command in ("plan", "sweep", "status"):
        result = case.qre(command)
        assert result.returncode == 2
        assert "encoders[0].inclde: unknown key; did you mean 'include'?" in result.stderr
        assert "Traceback" not in result.stderr
    assert not (tmp_path / "store").exists()


def test_no_cluster_at_the_address(tmp_path):
    case = Case(tmp_path, CLASSICAL, cluster={"address": "127.0.0.1:1"})
    result = case.qre("sweep")
    assert result.returncode == 2, result.stderr
    assert "cluster.address: no Ray cluster answers at 127.0.0.1:1" in result.stderr

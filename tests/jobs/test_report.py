"""`qre report`: from the store alone, and an atlas that has gone bad on the disk."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from qre.store import Store

pytestmark = pytest.mark.cluster
ROOT = Path(__file__).resolve().parents[2]


class Case:
    """A config whose export is a folder beside it."""

    def __init__(self, folder: Path):
        self.folder, self.config, self.store = folder, folder / "config.yaml", Store(folder / "store")
        encoders = [{"source": "catalogue", "name": "classical", "include": ["hash/word*"]}]
        values = {
            "name": "t", "store": str(folder / "store"), "export": str(folder / "out"), "sentences": {"source": "builtin", "limit": 200},
            "encoders": encoders, "cluster": {"cpus": 2},
        }  # fmt: skip
        self.config.write_text(yaml.safe_dump(values))

    def qre(self, command: str, *words: str) -> subprocess.CompletedProcess:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        result = subprocess.run(
            [sys.executable, "-m", "jobs.cli", command, str(self.config), *words], cwd=self.folder, env=environment,
            capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
        assert "Traceback" not in result.stderr, result.stderr
        return result

    def files(self, folder: str = "out") -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.folder / folder).iterdir() if path.name != "manifest.json"}


def damage(path: Path) -> None:
    """Another byte in the middle; the same size."""
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def test_before_a_sweep_after_it_with_a_bad_atlas_and_with_encoders_to_come(tmp_path):
    case = Case(tmp_path)
    before = case.qre("report")
    assert before.returncode == 1
    assert "there is no store yet, or it is not on this machine" in before.stdout
    assert not (tmp_path / "out").exists()
    swept = case.qre("sweep", "--no-export")
    assert swept.returncode == 0, swept.stderr
    assert "copies it to" in swept.stdout
    assert not (tmp_path / "out").exists()
    copied = case.qre("report")
    assert copied.returncode == 0, copied.stderr
    assert "map of 12 encoders" in copied.stdout
    assert case.qre("report", "--out", str(tmp_path / "copy")).returncode == 0
    expected = case.files()
    assert len(expected) == 7
    assert case.files("copy") == expected
    atlas = tmp_path / "store/atlases/t"
    damage(atlas / "map.csv")
    bad = case.qre("report")
    assert bad.returncode == 1
    assert "the atlas" in bad.stdout + bad.stderr
    assert case.files() == expected
    (atlas / "map.csv").write_bytes(expected["map.csv"])
    damage(atlas / "map.svg")
    again = case.qre("sweep")  # the plan may count the atlas as whole; copying it does not
    assert again.returncode == 0, again.stderr
    assert case.files() == expected
    assert (atlas / "map.svg").read_bytes() == expected["map.svg"]
    # one encoder is to come: the atlas of those that are there is shown
    values = yaml.safe_load(case.config.read_text())
    values["encoders"].append({"source": "catalogue", "name": "classical", "include": ["lsa/word1-1/tfidf/d32"]})
    case.config.write_text(yaml.safe_dump(values))
    more = case.qre("report", "--out", str(tmp_path / "more"))
    assert more.returncode == 1
    assert "map of 12 encoders" in more.stdout
    assert (tmp_path / "more/map.png").is_file()
    assert json.loads(case.qre("status", "--json").stdout)["to_embed"] == 1
    case.config.write_text(case.config.read_text().replace("export:", "exprot:"))
    wrong = case.qre("report")
    assert wrong.returncode == 2
    assert "exprot: unknown key; did you mean export?" in wrong.stderr

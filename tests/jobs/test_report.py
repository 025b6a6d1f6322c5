"""`qre report`: from the store alone, and an atlas that has gone bad on the disk."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from jobs.cli import app
from jobs.terminal.spelled import quoted
from qre.errors import UserError
from tests.atlas_content import content_of

ROOT = Path(__file__).resolve().parents[2]


class Case:
    """A config whose store and export are folders beside it."""

    def __init__(self, folder: Path):
        self.folder, self.config = folder, folder / "config.yaml"
        self.values = {
            "name": "t",
            "store": str(folder / "store"),
            "export": str(folder / "out"),
            "sentences": {"source": "builtin", "limit": 200},
            "encoders": [{"source": "catalogue", "name": "classical", "include": ["hash/word*"]}],
            "cluster": {"cpus": 2},
        }
        self.configure()

    def configure(self, **values) -> None:
        self.config.write_text(yaml.safe_dump({**self.values, **values}))

    def qre(self, command: str, *words: str):
        """A command that needs no Ray, in this process."""
        result = CliRunner().invoke(app, [command, str(self.config), *words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def sweep(self, *words: str) -> str:
        command = [sys.executable, "-m", "jobs.cli", "sweep", str(self.config), *words]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        result = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=400, check=False
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    def files(self, folder: str = "out") -> dict[str, bytes]:
        return content_of(self.folder / folder)


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep that is done, and has left its atlas in the store."""
    case = Case(tmp_path_factory.mktemp("swept"))
    assert f"qre report {case.config} copies it to {case.folder / 'out'}" in case.sweep("--no-export")
    return case


def test_before_a_sweep(tmp_path):
    case = Case(tmp_path)
    result = case.qre("report")
    assert result.exit_code == 1
    assert "there is no store yet, or it is not on this machine" in result.output
    assert "the map is not made yet" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


def test_a_wrong_config(tmp_path):
    case = Case(tmp_path)
    case.configure(exprot="out")
    with pytest.raises(UserError, match=r"exprot: unknown key; did you mean 'export'\?"):
        case.qre("report")


@pytest.mark.cluster
def test_the_map_is_copied(swept):
    assert not (swept.folder / "out").exists()
    result = swept.qre("report")
    assert result.exit_code == 0, result.output
    assert "map of 12 encoders" in result.output
    assert f"page: {swept.folder / 'out/atlas.html'}\n" in result.output
    assert f"picture: {swept.folder / 'out/map.png'}\n" in result.output
    assert (
        f"qre rank --atlas {quoted(swept.folder / 'out')} " in result.output
        and "qre new mine.yaml --sentences FILE" in result.output
    )
    page = swept.files()["report.md"].decode()
    assert page.startswith("# Map of 12 sentence encoders") and "made without tasks" in page
    assert len(swept.files()) == 19
    assert swept.qre("report", "--out", str(swept.folder / "copy")).exit_code == 0
    assert swept.files("copy") == swept.files()


@pytest.mark.cluster
def test_with_an_encoder_to_come_the_map_of_the_others_is_copied(swept):
    swept.configure(
        encoders=[
            *swept.values["encoders"],
            {"source": "catalogue", "name": "classical", "include": ["lsa/word1-1/tfidf/d32"]},
        ]
    )
    result = swept.qre("report", "--out", str(swept.folder / "more"))
    assert result.exit_code == 1
    assert "map of 12 encoders" in result.output
    assert (swept.folder / "more/map.png").is_file()
    assert json.loads(swept.qre("status", "--json").output)["to_embed"] == 1
    swept.configure()


@pytest.mark.cluster
def test_an_atlas_that_has_gone_bad_is_made_again(swept):
    swept.qre("report", "--out", str(swept.folder / "good"))
    atlas, expected = swept.folder / "store/atlases/t", swept.files("good")
    damage(atlas / "map.csv")
    result = swept.qre("report")
    assert result.exit_code == 1
    assert "the next sweep makes the atlas again" in result.output
    (atlas / "map.csv").write_bytes(expected["map.csv"])  # else the plan sees that a file is missing
    damage(atlas / "map.svg")
    swept.sweep()
    assert swept.files() == expected
    assert (atlas / "map.svg").read_bytes() == expected["map.svg"]


def damage(path: Path) -> None:
    """Another byte in the middle; the same size."""
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)

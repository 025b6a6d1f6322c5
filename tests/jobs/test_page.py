"""The page of a map: in the store, in the copy, in the closing words and behind `qre open`, and where it is missing."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli import app
from jobs.config import load_config
from jobs.records.exports import PAGE
from jobs.terminal.spelled import quoted
from qre.atlas.reader import AtlasFiles
from tests.faults.in_process import HASHED, without_ray
from tests.jobs.conftest import write_config
from tests.jobs.test_open import Served


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A config with a finished map in its store; nobody may write there."""
    folder = tmp_path_factory.mktemp("made")
    config = write_config(folder, [HASHED], tasks=[{"source": "builtin", "include": ["builtin/sts"]}])
    without_ray(load_config(config), folder / "store")
    return folder


@pytest.fixture
def case(made, tmp_path):
    """The same in a folder of its own; returns its config and the folder of the atlas in the store."""
    shutil.copytree(made / "store", tmp_path / "store")
    config = write_config(
        tmp_path, [HASHED], tasks=[{"source": "builtin", "include": ["builtin/sts"]}], export=str(tmp_path / "out")
    )
    return config, tmp_path / "store/atlases/t"


def report(config: Path) -> str:
    result = CliRunner().invoke(app, ["report", str(config)])
    assert result.exit_code == 0, result.output
    return result.output


def without_page(atlas: Path, also: tuple[str, ...] = ()) -> None:
    """The atlas as a version without pages has made it."""
    manifest = json.loads((atlas / "manifest.json").read_text())
    for name in (PAGE, *also):
        (atlas / name).unlink()
        del manifest["files"][name]
    (atlas / "manifest.json").write_text(json.dumps(manifest))


def test_the_copy_has_the_page_and_the_closing_words_say_it(case):
    config, atlas = case
    told = report(config)
    out = config.with_name("out")
    lines = told.splitlines()
    assert f"page: {out / PAGE}" in lines and f"picture: {out / 'map.png'}" in lines
    assert any(line.split("   ")[0].strip().endswith(f"open {quoted(out)}") for line in lines)
    assert (out / PAGE).read_bytes() == (atlas / PAGE).read_bytes()
    assert told.count("\n") < 40


@pytest.mark.parametrize("fault", ["older", "damaged"])
def test_a_page_that_is_missing_is_made_from_the_store_alone(case, fault):
    config, atlas = case
    expected = (atlas / PAGE).read_bytes()
    if fault == "older":
        without_page(atlas)
    else:
        raw = bytearray(expected)
        raw[len(raw) // 2] ^= 1
        (atlas / PAGE).write_bytes(raw)
    before = {path.name: path.read_bytes() for path in atlas.iterdir()}
    told = report(config)
    out = config.with_name("out")
    assert f"page: {out / PAGE}" in told
    assert {path.name: path.read_bytes() for path in atlas.iterdir()} == before  # a report changes no store
    page, entry = (out / PAGE).read_bytes(), json.loads((out / "manifest.json").read_text())["files"][PAGE]
    assert entry == {"sha256": hashlib.sha256(page).hexdigest(), "bytes": len(page)}
    assert AtlasFiles(out).read(PAGE) == page
    assert page.startswith(b"<!") and b"Content-Security-Policy" in page
    assert report(config) == told  # again, the same
    if fault == "older":
        server = Served(config, "--no-browser")  # from the store, whose atlas has none
        try:
            status, headers, content = server.ask("/")
            assert status == 200 and content == page and headers["Content-Type"].startswith("text/html")
            assert server.ask("/map.csv")[2] == (atlas / "map.csv").read_bytes()
        finally:
            server.stop()


def test_a_map_that_lacks_what_a_page_shows_is_copied_without_one(case):
    config, atlas = case
    without_page(atlas, also=("sentences.parquet",))
    told = report(config)
    out = config.with_name("out")
    assert "note: no page was made: " in told and f"no page: this map was made without one; report: {out}" in told
    assert "qre open" not in told and (out / "map.png").is_file() and not (out / PAGE).exists()


def test_the_manifest_tells_the_config_and_no_path_of_the_machine(case):
    config, atlas = case
    told = json.loads((atlas / "manifest.json").read_text())["config"]
    assert told["encoders"] == [HASHED] and told["sentences"]["limit"] == 120 and told["name"] == "t"
    assert str(config.parent) not in json.dumps(told) and "store" not in told and "cluster" not in told


def test_the_page_of_a_store_is_served_for_its_config(case):
    config, atlas = case
    server = Served(config, "--no-browser")
    try:
        assert server.ask("/")[2] == (atlas / PAGE).read_bytes()
    finally:
        server.stop()

"""`qre pairs` on a real Ray, after a real sweep: what it writes, what it leaves out, and that it goes on where it was
killed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from qre.density import DensityOperator
from qre.entropy import relative
from qre.similarity import linear_cka
from qre.store import Store
from tests.faults.in_process import PATIENCE, until
from tests.jobs.conftest import in_this_process, write_config

pytestmark = pytest.mark.cluster
ROOT = Path(__file__).resolve().parents[2]
CLASSICAL = {
    "source": "catalogue",
    "name": "classical",
    "include": ["hash/word1-1/*", "projection/*d128*", "lsa/word1-1/tfidf/d32"],
}


def command(*words) -> list[str]:
    return [sys.executable, "-c", "from jobs.cli import main; main()", *map(str, words)]


def qre(*words) -> subprocess.CompletedProcess:
    return subprocess.run(command(*words), cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """The config of a finished sweep of 10 to 12 encoders; its store holds no pairs, and every test leaves it so."""
    folder = tmp_path_factory.mktemp("pairs")
    config = write_config(folder, [CLASSICAL], limit=200, export=str(folder / "out"))
    done = qre("sweep", config)
    assert done.returncode == 0, done.stdout + done.stderr
    return config


@pytest.fixture
def store(swept):
    found = Store(swept.parent / "store")
    yield found
    found.folder.remove_folder("pairs")


def tiles(store: Store) -> dict[str, bytes]:
    return {name: store.folder.read(name) for name in store.folder.names("pairs")}


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_pair_is_what_its_two_embeddings_give(swept, store, tmp_path):
    done = qre("pairs", swept, "--block", "4", "--out", tmp_path / "made")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Mantel r = " in done.stdout and "closest pairs" in done.stdout
    pairs = pd.read_parquet(tmp_path / "made" / "pairs.parquet")
    table = pd.read_parquet(tmp_path / "made" / "pairs_map.parquet")
    many = len(table)
    assert len(pairs) == many * (many - 1) // 2
    embeddings = {row.name: store.embeddings.read(row.key)[0] for row in table[["name", "key"]].itertuples(index=False)}
    for row in pairs.iloc[::7].itertuples():
        a, b = (DensityOperator.from_embedding(embeddings[name]) for name in (row.a, row.b))
        assert row.qre_ab == pytest.approx(relative(a, b), rel=1e-9)
        assert row.qre_ba == pytest.approx(relative(b, a), rel=1e-9)
        rows = [one / np.linalg.norm(one.astype(float), axis=1, keepdims=True) for one in map(embeddings.get, row[1:3])]
        assert row.cka == pytest.approx(linear_cka(*rows), rel=1e-9)
    told = json.loads((tmp_path / "made" / "pairs.json").read_text())
    assert told["encoders"] == table["name"].to_list()
    assert sorted([*told["files"], "pairs.json"]) == sorted(written(tmp_path / "made"))

    # again: nothing is left to do, and the files are the same bytes; --json is one object on stdout
    again = qre("pairs", swept, "--block", "4", "--out", tmp_path / "again", "--json")
    assert again.returncode == 0, again.stderr
    shown = json.loads(again.stdout)
    assert shown["tiles"]["made"] == 0 and shown["tiles"]["found"] > 3
    assert shown["compared"]["p_value"] <= 1
    assert written(tmp_path / "again") == written(tmp_path / "made")


def cut_off(config: Path, out: Path, store: Store, number: signal.Signals, when: int) -> tuple[int, str]:
    """A run that gets a signal as soon as so many tiles are there: exit code and stderr."""
    process = subprocess.Popen(
        command("pairs", config, "--block", "1", "--out", out),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        until(lambda: len(tiles(store)) >= when or process.poll() is not None, f"{when} tiles")
        if number == signal.SIGKILL:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        return process.wait(PATIENCE), process.stderr.read()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_a_run_that_was_killed_or_stopped_goes_on_and_gives_the_same_bytes(swept, store, tmp_path):
    assert cut_off(swept, tmp_path / "killed", store, signal.SIGKILL, 2)[0] == -signal.SIGKILL
    code, told = cut_off(swept, tmp_path / "killed", store, signal.SIGTERM, len(tiles(store)) + 2)
    assert code == 128 + signal.SIGTERM
    assert "tiles that are done are kept; run the same command to continue" in told
    assert not (tmp_path / "killed").exists()
    before = tiles(store)
    made = qre("pairs", swept, "--block", "1", "--out", tmp_path / "killed", "--json")
    assert made.returncode == 0, made.stderr
    counts = json.loads(made.stdout)["tiles"]
    assert counts["found"] >= len(before) and counts["found"] + counts["made"] == len(tiles(store))
    after = tiles(store)
    assert {name: after[name] for name in before} == before

    store.folder.remove_folder("pairs")
    whole = qre("pairs", swept, "--block", "1", "--out", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    assert tiles(store) == after
    assert written(tmp_path / "whole") == written(tmp_path / "killed")


def test_encoders_without_an_embedding_are_left_out_and_damaged_tiles_made_again(swept, store, tmp_path):
    assert qre("pairs", swept, "--block", "6", "--out", tmp_path / "one").returncode == 0
    table = pd.read_parquet(tmp_path / "one" / "pairs_map.parquet")
    place = store.folder.root / store.embeddings.name(table["key"].iloc[-1])
    bad = next(iter((store.folder.root / "pairs").iterdir()))
    whole, tile = place.read_bytes(), bad.read_bytes()
    try:
        bad.write_bytes(tile[:-1] + bytes([tile[-1] ^ 1]))
        assert qre("pairs", swept, "--block", "6", "--out", tmp_path / "two").returncode == 0
        assert bad.read_bytes() == tile
        assert written(tmp_path / "two") == written(tmp_path / "one")

        place.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))  # found out by the task that reads it
        done = qre("pairs", swept, "--block", "5", "--out", tmp_path / "three")
        assert done.returncode == 1
        assert f"left out: {table['name'].iloc[-1]}: " in done.stdout
        assert len(pd.read_parquet(tmp_path / "three" / "pairs_map.parquet")) == len(table) - 1
        assert not place.exists()  # in quarantine
        done = qre("pairs", swept, "--block", "5", "--out", tmp_path / "three", "--json")
        assert done.returncode == 1
        assert json.loads(done.stdout)["left_out"] == [
            {"encoder": table["name"].iloc[-1], "why": "its embedding is not in the store"}
        ]
    finally:
        place.write_bytes(whole)


def test_what_cannot_be_done_is_told_before_ray_starts(swept, tmp_path):
    nothing = write_config(tmp_path, [CLASSICAL], export=str(tmp_path / "out"))
    code, _, told = in_this_process("pairs", nothing)
    assert code == 2
    assert "0 encoders of this sweep with embedding and features in the store" in told
    assert f"sweep {nothing}" in told
    code, _, told = in_this_process("pairs", swept, "--out", swept.parent / "store" / "pairs")
    assert code == 2
    assert "--out" in told and "inside the store" in told
    (tmp_path / "out").mkdir()
    for content, why in (
        ('{"name": "other"}', "of the pairs of 'other', and these are of 't'"),
        ("[]", "of something"),
    ):
        (tmp_path / "out" / "pairs.json").write_text(content)
        code, _, told = in_this_process("pairs", swept, "--out", tmp_path / "out")
        assert code == 2
        assert why in told
    config = write_config(tmp_path, [CLASSICAL])
    code, _, told = in_this_process("pairs", config)
    assert code == 2
    assert "the config has no export: name a folder for the pairs with --out DIR" in told

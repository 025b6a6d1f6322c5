"""The `qre` command on a real Ray, disturbed: stopped, damaged and killed sweeps, each judged by what a user sees."""

import json
import os
import signal
import subprocess

import pytest

from cluster.guard import command
from tests.faults.held import Held
from tests.faults.in_process import PATIENCE, until
from tests.faults.kill_sweep import Sweep
from tests.faults.kill_sweep import run as run_kills
from tests.jobs.test_sweep import CLASSICAL, ROOT, Case, folder_encoder  # noqa: F401

pytestmark = pytest.mark.cluster


def test_ctrl_c_and_sigterm_keep_what_is_done(tmp_path):
    """Once all but one pass are done, and the second time that one alone was begun."""
    case = Case(
        tmp_path, {**CLASSICAL, "include": ["hash/word*"]}, cluster={"cpus": 2, "shard_units": 4, "grace_seconds": 1}
    )
    with Held(case.config) as held:
        for number in (signal.SIGINT, signal.SIGTERM):
            process = subprocess.Popen(
                case.command("sweep"), cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
            )
            until(lambda: held.reached() and case.store.embeddings.keys() == held.others, "the others are not embedded")
            os.kill(process.pid, number)
            _, errors = process.communicate(timeout=PATIENCE)
            assert process.returncode == 128 + number, errors
            assert "what is done is kept" in errors
            assert "Traceback" not in errors
            assert case.store.embeddings.keys() == held.others
            held.rearm()
    assert json.loads(case.qre("plan", "--json").stdout)["to_embed"] == 1


def test_damaged_artefacts_are_made_again_to_the_same_bytes(tmp_path, folder_encoder):  # noqa: F811
    case = Case(tmp_path, CLASSICAL, {**folder_encoder, "name": "tiny/L1", "layer": 1})
    assert case.qre("sweep").returncode == 0
    expected = case.table()
    for shard in (tmp_path / "store/features").rglob("*.parquet"):
        shard.write_bytes(shard.read_bytes()[:-200])
    damaged = sorted((tmp_path / "store/embeddings").rglob("*.safetensors"))[:3]
    for path in damaged:
        raw = bytearray(path.read_bytes())
        raw[-5] ^= 1
        path.write_bytes(raw)
    (tmp_path / "store/atlases/t/map.csv").unlink()
    result = case.qre("sweep")
    assert result.returncode == 0, result.stderr
    assert case.table() == expected
    assert len(list((tmp_path / "store/quarantine").iterdir())) >= 4


def test_killed_sweeps_lose_nothing(tmp_path, folder_encoder):  # noqa: F811
    encoders = [
        {"source": "catalogue", "name": "classical", "include": ["hash/word*", "lsa/*d32"]},
        *({**folder_encoder, "name": f"tiny/L{layer}", "layer": layer} for layer in (0, 1, 2)),
    ]
    assert run_kills(kills=2, seed=1, folder=tmp_path, encoders=encoders, sentences=400) == []


def test_an_actor_that_dies_is_replaced(tmp_path):
    """One embed actor is killed in the middle of its work: its pass is tried again, and nothing is missing in the
    end."""
    sweep = Sweep(tmp_path, [{"source": "catalogue", "name": "classical", "include": ["hash/word*"]}], sentences=120)
    with Held(tmp_path / "config.yaml") as held:
        process = sweep.start()
        held.wait()
        (reader,) = (pid for pid in sweep.pids() if command(pid)[:1] == ["ray::Embedder.run"] and held.is_read_by(pid))
        os.kill(reader, signal.SIGKILL)
    assert process.wait(PATIENCE) == 0, sweep.log()
    assert "trying again (2 of 3)" in sweep.log()
    assert "map of 12 encoders" in sweep.log()
    assert list((tmp_path / "store").glob("failures/*")) == []

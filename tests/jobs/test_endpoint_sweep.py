"""Sweeps over encoders behind an endpoint: killed, stopped, at their budget, without their server. What was answered is
paid once, and no key is left anywhere."""

import json
import os
import shutil
import signal
import tempfile
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from jobs.cli import app
from jobs.records.spending import read_spent
from qre.encoders.passes import EncodeSettings, Pass
from qre.encoders.spec import FolderSpec
from qre.store import Store
from tests.endpoint_server import KEY, MODEL, Behind, once, refused, serving, shuffled
from tests.faults.in_process import HASHED, PATIENCE, until
from tests.faults.kill_sweep import Sweep

pytestmark = pytest.mark.cluster
SENTENCES = 120
VARIABLE = "QRE_TEST_ENDPOINT_KEY"


@pytest.fixture(scope="module")
def behind(tiny_encoder):
    return Behind(tiny_encoder)


@pytest.fixture
def server(behind):
    with serving(behind, key=KEY) as server:
        yield server


def entry(server, **values) -> dict:
    own = {"source": "endpoint", "url": server.url, "model": MODEL, "as_of": "2026-11-01", "api_key_env": VARIABLE}
    return {**own, "texts_per_request": 16, "concurrency": 3, **values}


def command(folder: Path, *entries: dict, cluster: dict | None = None, environment: dict | None = None, **keywords):
    settings = {"cpus": 1, "shard_units": 4, **(cluster or {})}
    environment = {VARIABLE: KEY, **(environment or {})}
    return Sweep(folder, [HASHED, *entries], SENTENCES, cluster=settings, environment=environment, **keywords)


def prices_are_right(server, store: Store) -> None:
    assert read_spent(store, "kills").tokens == server.tokens > 0


def test_killed_three_times_it_pays_for_each_text_once(server, tiny_encoder, tmp_path):
    entries = [entry(server), entry(server, prompt="passage: ", name="prompted", transforms=["center"])]
    undisturbed = command(tmp_path / "undisturbed", *entries, tasks=("builtin/sts",))
    assert undisturbed.start().wait(PATIENCE) == 0, undisturbed.log()
    texts, price = dict(server.answered), server.tokens
    assert set(texts.values()) == {1}
    server.answered.clear()
    server.tokens = server.probes = server.done = 0
    server.fault = once({3: refused(429, Retry_After="1"), 7: refused(500), 9: shuffled})  # of all requests
    server.requests.clear()
    killed = command(tmp_path / "killed", *entries, tasks=("builtin/sts",))
    for answered in (4, 15, len(texts) // 16):
        server.hold_after, server.held = answered, 0
        process = killed.start()
        until(lambda process=process: server.held == 3 or process.poll() is not None, "no requests in flight")
        assert process.poll() is None, killed.log()
        killed.kill()
        process.wait()
    server.hold_after = None
    assert killed.start().wait(PATIENCE) == 0, killed.log()
    assert dict(server.answered) == texts
    assert price <= server.tokens < 1.5 * price  # some probes more
    prices_are_right(server, Store(killed.store))
    assert killed.atlas() == undisturbed.atlas()
    assert not killed.chunks()
    store = Store(killed.store)
    table = store.sentences.read(next(iter(store.folder.names("sentences"))).split("/")[1].split(".")[0])
    sentences = table["text"].to_pylist()
    spec = FolderSpec(name="x", family="x", path=str(tiny_encoder), revision="0" * 64)
    own = Pass(spec, sentences, [()], EncodeSettings(), device="cpu").encode_texts(sentences)["default"]
    found = [store.embeddings.read(key) for key in store.embeddings.keys()]
    (matrix,) = (matrix for matrix, told in found if told["spec"]["name"] == MODEL)
    assert np.abs(matrix - own).max() < 1e-6


def test_the_key_is_nowhere(server, tmp_path):
    """In no file of the store or of Ray, on no command line, in no word; not while it runs, nor after it."""
    temporary = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # short: Ray's sockets lie in it
    try:
        cli = command(tmp_path, entry(server), environment={"RAY_TMPDIR": str(temporary), "OPENAI_LOG": "debug"})
        server.hold_after = 4
        process = cli.start()
        until(lambda: server.held or process.poll() is not None, "no request is held")
        assert process.poll() is None, cli.log()
        lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in cli.pids()]
        assert len(lines) > 3 and not any(KEY.encode() in line for line in lines)
        assert holders(temporary, tmp_path) == []
        cli.kill()
        process.wait()
        server.hold_after, server.key = None, "another"
        assert cli.start().wait(PATIENCE) == 1, cli.log()
        assert f"refuses the key in ${VARIABLE} (HTTP 401)" in cli.log()
        server.key = KEY
        assert cli.start().wait(PATIENCE) == 0, cli.log()
        assert any(temporary.rglob("*.log")) and holders(temporary, tmp_path) == []
        assert set(server.answered.values()) == {1}
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def holders(*folders: Path) -> list[Path]:
    """Files that hold the key."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(files) > 10
    return [path for path in files if KEY.encode() in path.read_bytes()]


def test_a_budget_stops_it_before_it_is_passed(server, tmp_path):
    """Over all runs; with a higher one it goes on where it was."""
    price = 1e5
    cli = command(tmp_path, entry(server, price_per_million_tokens=price), cluster={"budget": 100.0})
    config = tmp_path / "config.yaml"
    shown = CliRunner().invoke(app, ["plan", str(config), "--json"], env={VARIABLE: KEY})
    (row,) = json.loads(shown.output)["cost"]["endpoints"]

    def budget(amount: float) -> None:
        written = yaml.safe_load(config.read_text())
        written["cluster"]["budget"] = amount
        config.write_text(yaml.safe_dump(written))

    budget(round(row["cost"] / 3, 2))  # the estimate alone says that it is too little
    assert cli.start().wait(PATIENCE) == 1
    assert "stopped at the budget" in cli.log() and "1 encoder is left" in cli.log()
    assert not server.requests
    # the server counts more than the estimate: a pass that was begun within it stops itself
    told = counted_more(server, 3.0)
    budget(round(row["cost"] * 1.1, 2))
    assert cli.start().wait(PATIENCE) == 1, cli.log()
    spent = read_spent(Store(cli.store), "kills").cost({})
    assert 0 < spent <= row["cost"] * 1.1 + 3 * max(told) * price / 1e6
    assert set(server.answered.values()) == {1} and len(server.answered) < SENTENCES
    budget(row["cost"] * 10)
    assert cli.start().wait(PATIENCE) == 0, cli.log()
    assert set(server.answered.values()) == {1} and len(server.answered) == SENTENCES
    shown = CliRunner().invoke(app, ["status", str(config), "--json"])
    assert json.loads(shown.output)["spent"]["tokens"] == sum(told)
    assert "tokens of endpoints" in CliRunner().invoke(app, ["status", str(config)]).output


def counted_more(server, factor: float) -> list[int]:
    """From now on the server counts so many times as many tokens; what each answer told."""
    told: list[int] = []

    def more(answer: dict) -> dict:
        answer["usage"]["total_tokens"] = tokens = int(factor * answer["usage"]["total_tokens"])
        told.append(tokens)
        return answer

    server.fault = lambda number, texts: lambda handler, body, texts: handler.give(body, texts, more)
    return told


def test_a_stop_awaits_what_is_in_flight(server, tmp_path):
    cli, gate, asked = command(tmp_path, entry(server), cluster={"grace_seconds": 60}), threading.Event(), []

    def slow(handler, body, texts):
        asked.append(texts)
        gate.wait(PATIENCE)
        handler.give(body, texts)

    server.fault = lambda number, texts: slow if number > 3 else None
    process = cli.start()
    until(lambda: len(asked) == 3 or process.poll() is not None, "no request is in flight")
    assert process.poll() is None, cli.log()
    os.kill(process.pid, signal.SIGTERM)
    until(lambda: "stopping: encoders in flight" in cli.log(), "the signal is not heard")
    gate.set()
    assert process.wait(PATIENCE) == 128 + signal.SIGTERM, cli.log()
    answered = sum(server.answered.values())
    assert cli.chunks() * 16 == answered < SENTENCES
    server.fault = lambda number, texts: None
    assert cli.start().wait(PATIENCE) == 0, cli.log()
    assert set(server.answered.values()) == {1}
    prices_are_right(server, Store(cli.store))


def test_without_its_server_the_others_get_their_map(server, tmp_path):
    names = [f"e{number}" for number in range(7)]  # more than would end a sweep if a machine had failed them
    entries = [entry(server, name=name, prompt=f"{name}: ", patience_minutes=0.005) for name in names]
    cli = command(tmp_path, *entries, cluster={"attempts": 1})
    server.fault = lambda number, texts: refused(503)
    assert cli.start().wait(PATIENCE) == 1, cli.log()
    assert cli.log().count("HTTP 503 (busy)") >= 1 and "map of 6 encoders" in cli.log()
    assert not list(Store(cli.store).folder.names("failures"))  # it is none of theirs
    atlas = Path(cli.store) / "atlases/kills"
    assert "a private server: HTTP 503" in (atlas / "manifest.json").read_text()
    server.fault = lambda number, texts: None
    assert cli.start().wait(PATIENCE) == 0, cli.log()
    assert "map of 13 encoders" in cli.log() and set(server.answered.values()) == {1}
    assert json.loads((atlas / "manifest.json").read_text())["spent"]["tokens"] == server.tokens
    table = pd.read_csv(atlas / "map.csv").set_index("name")
    assert table.loc["e1", ["model", "endpoint", "as_of", "prompt"]].tolist() == [
        MODEL,
        "a private server",
        "2026-11-01",
        "e1: ",
    ]
    address = server.url.encode()
    assert not [path for path in atlas.iterdir() if address in path.read_bytes()]

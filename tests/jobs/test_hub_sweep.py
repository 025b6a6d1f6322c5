"""Encoders of the hub through the whole way: plan, sweep, map; the odd ones end as recorded failures with what to
do."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml

from jobs.cli import app
from jobs.config import load_config
from jobs.planning.plan import make_plan
from jobs.planning.resolve import record_unresolved, resolve
from qre.sentences import builtin_set
from qre.store import Store
from tests.checkpoints import KINDS, MARKER, make, make_odd
from tests.hub import READER
from tests.jobs.conftest import write_config
from tests.public_hub import LEFT_OUT, REASONS, populate

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "modules.json": b"[]",
    "config.json": b'{"model_type": "bert", "hidden_size": 384}',
    "model.safetensors": 90_000_000,
}


def qre(hub, folder: Path, *words: str, **environment) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", "from jobs.cli import main; main()", *map(str, words)]
    variables = {**os.environ, **hub.environment(folder / "home"), **environment}
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=400)


@pytest.mark.cluster
def test_a_catalogue_of_the_hub_to_a_map(hub, tmp_path):
    for kind in KINDS:
        hub.add(
            f"tiny/{kind}",
            folder=make(kind, tmp_path / "made" / kind),
            downloads=5,
            card={"license": "mit"},
            tags=["sentence-transformers"],
        )
    for kind in ("no-modules-json", "pickle", "nan", "remote-code"):
        hub.add(f"odd/{kind}", folder=make_odd(kind, tmp_path / "odd" / kind))
    hub.add("odd/gated", files=FILES, gated="manual")
    encoders = [{"source": "hub", "query": {"author": "tiny", "limit": 50}}]
    encoders += [
        {"source": "hub", "id": f"odd/{kind}"}
        for kind in ("no-modules-json", "pickle", "nan", "remote-code", "gated", "none")
    ]
    encoders += [{"source": "hub", "id": "tiny/bert", "revision": "nobranch", "name": "wrong revision"}]
    encoders += [{"source": "hub", "id": "tiny/prompts", "prompt_name": "nothing", "name": "wrong prompt"}]
    encoders += [
        {"source": "hub", "id": "../../x", "name": "climbs"},
        {"source": "hub", "id": "<script>alert(1)</script>"},
    ]
    config = write_config(tmp_path, encoders)

    planned = json.loads(qre(hub, tmp_path, "plan", config, "--json").stdout)
    assert planned["to_embed"] == len(KINDS) + 1  # odd/nan looks good until it runs
    assert len(planned["failed"]) == 9
    assert not any(
        "safetensors" in path for method, path in hub.requests if method == "GET"
    )  # planning downloads no weights

    first = qre(hub, tmp_path, "sweep", config)
    assert first.returncode == 1, first.stderr
    assert f"map of {len(KINDS)} encoders" in first.stdout
    store = Store(tmp_path / "store")
    reasons = {failure.encoder: failure.exception for failure in store.failures.read_all().values()}
    assert reasons == {
        "odd/no-modules-json": "no pooling",
        "odd/pickle": "pickle only",
        "odd/nan": "EncoderError",
        "odd/remote-code": "remote code",
        "odd/gated": "gated",
        "odd/none": "missing",
        "wrong revision": "revision missing",
        "wrong prompt": "wrong entry",
        "climbs": "bad name",
        "<script>alert(1)</script>": "bad name",
    }
    assert "ask for access on its page" in first.stdout  # what to do stands beside what failed
    assert not list(tmp_path.rglob(MARKER))
    assert not (tmp_path / "x").exists()
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(pa.BufferReader(store.atlases.read("t", "map.parquet"))).to_pandas().set_index("name")
    assert (
        table.loc["tiny/bert", "licence"],
        table.loc["tiny/bert", "downloads"],
        table.loc["tiny/bert", "layers"],
    ) == ("mit", 5, 2)
    assert "<script>" not in store.atlases.read("t", "map.svg").decode()

    # pinned lists resolve without a request, and everything is done already
    found = qre(
        hub, tmp_path, "encoders", "search", "--author", "tiny", "--limit", "50", "--out", str(tmp_path / "tiny.yaml")
    )
    assert found.returncode == 0, found.stderr
    config = write_config(tmp_path, [{"source": "list", "path": str(tmp_path / "tiny.yaml")}])
    drawn = qre(hub, tmp_path, "sweep", config)  # the same encoders by their commits: nothing is embedded again
    assert (drawn.returncode, "encoders 0/" in drawn.stdout) == (0, False), drawn.stdout + drawn.stderr
    hub.requests.clear()
    second = qre(hub, tmp_path, "sweep", config)
    assert second.returncode == 0, second.stderr
    assert f"all is done: {len(KINDS)} encoders on the map" in second.stdout
    assert hub.requests == []


@pytest.mark.cluster
def test_a_token_is_used_and_appears_nowhere(hub, tmp_path):
    hub.add("org/gated", folder=make("bert", tmp_path / "made"), gated="manual")
    lsa = {"source": "catalogue", "name": "classical", "include": ["hash/word1-1/*"]}
    config = write_config(tmp_path, [lsa, {"source": "hub", "id": "org/gated"}])
    result = qre(hub, tmp_path, "sweep", config, HF_TOKEN=READER)
    assert result.returncode == 0, result.stderr
    assert "map of 7 encoders" in result.stdout
    assert READER not in result.stdout + result.stderr
    for path in (tmp_path / "store").rglob("*"):
        assert not path.is_file() or READER.encode() not in path.read_bytes(), path


def test_a_moved_branch_is_a_new_unit_and_a_hub_that_is_gone_leaves_the_last(hub, tmp_path, monkeypatch):
    from qre.encoders import hub_problems

    monkeypatch.setattr(hub_problems, "ATTEMPTS", 1)
    hub.adopt(monkeypatch, tmp_path / "home")
    for name in "abcd":
        hub.add(f"org/{name}", files=FILES, tags=["sentence-transformers"])
    config = load_config(write_config(tmp_path, [{"source": "hub", "query": {"author": "org", "sort": "likes"}}]))
    store = Store(config.store)

    def keys(**options):
        return [unit.key for unit in make_plan(config, store, resolve(config, store, **options)).units]

    first = keys()
    hub.add("org/b", files={**FILES, "model.safetensors": 91_000_000}, tags=["sentence-transformers"])
    second = keys()
    assert [a == b for a, b in zip(first, second, strict=True)] == [True, False, True, True]
    hub.fail("*", status=503, times=1000, where="any")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # the client waits 23 s for a listing
    resolved = resolve(config, store)
    assert [unit.key for unit in make_plan(config, store, resolved).units] == second
    told = [note for note in resolved.notes if "the last known commit is used" in note]  # once, not for each
    assert len(told) == 1 and "of 4 of the hub's encoders: org/a" in told[0] and "and 1 more" in told[0]
    assert "what it found last is used" in " ".join(resolved.notes)
    hub.requests.clear()
    assert keys(ask_hub=False) == second
    assert hub.requests == []


def test_a_plan_of_1101_encoders(hub, tmp_path, monkeypatch):
    """The paper's number: in under 30 s, in bounded memory, without a byte of weights."""
    hub.adopt(monkeypatch, tmp_path / "home")
    for number in range(1101):
        hub.add(
            f"org{number % 40}/e{number}", files=FILES, safetensors_parameters={"F32": 22_000_000 * (1 + number % 20)}
        )
    (tmp_path / "list.csv").write_text(
        "id,max_tokens\n" + "".join(f"org{number % 40}/e{number},256\n" for number in range(1101))
    )
    config = write_config(
        tmp_path,
        [{"source": "list", "path": str(tmp_path / "list.csv")}],
        sentences={"source": "builtin", "limit": 10_000},
    )
    start = time.monotonic()
    result = qre(hub, tmp_path, "plan", config, "--json")
    seconds = time.monotonic() - start
    assert result.returncode == 0, result.stderr
    planned = json.loads(result.stdout)
    assert (planned["units"], planned["to_embed"], planned["passes"]) == (1101, 1101, 1101)
    assert planned["cost"]["download"] > 1101 * 90_000_000
    assert planned["cost"]["gpus"]["H100"]["fits"] == 1101
    assert not any("safetensors" in path for method, path in hub.requests)
    print(f"1,101 encoders planned in {seconds:.1f} s, {len(hub.requests)} requests")
    again = qre(hub, tmp_path, "plan", config)
    assert "1,101 transformers to run" in again.stdout


def test_a_plan_of_the_1101_public_encoders(hub, tmp_path, monkeypatch):
    """jobs/public.yaml on a hub as the public one is: what is there and what is not, and what it costs."""
    kinds = populate(hub, 1250)
    (tmp_path / "sentences.txt").write_text("".join(f"{text}\n" for text in builtin_set(10_000, 0).texts))
    config = yaml.safe_load((ROOT / "jobs/public.yaml").read_text())
    config |= {"store": str(tmp_path / "store"), "export": str(tmp_path / "export")}
    config["sentences"] = {"source": "file", "path": str(tmp_path / "sentences.txt"), "limit": 10_000}
    table = tmp_path / "scores.csv"
    table.write_text("model,STSBenchmark\nlab7/encoder-7,80.5\n")
    config["tasks"][0]["results"] = [str(table)]
    path = tmp_path / "public.yaml"
    path.write_text(yaml.safe_dump(config))
    start = time.monotonic()
    planned = qre(hub, tmp_path, "plan", path, "--json", "--price", "L4=0.80,H100=3.50")
    seconds = time.monotonic() - start
    print(f"1,101 of {len(kinds)} encoders planned in {seconds:.1f} s, {len(hub.requests)} requests")
    assert planned.returncode == 1, planned.stderr
    told = json.loads(planned.stdout)
    taken = [kind for kind in kinds if kind not in LEFT_OUT][:1101]
    assert told["units"] + len(told["failed"]) == 1101
    assert told["reasons"] == {REASONS[kind]: count for kind, count in Counter(taken).items() if kind in REASONS}
    assert told["units"] == sum(kind in ("safetensors", "plain", "pickle") for kind in taken)  # the file consents
    assert not any("safetensors" in path for method, path in hub.requests)
    cost = told["cost"]
    assert cost["gpus"]["H100"]["fits"] == told["units"] > cost["gpus"]["L4"]["fits"]
    assert cost["download"] > 3.5 * cost["parameters"] > 2e12  # of pickles the parameters are a guess
    in_slots = sum(slot["cost"] for slot in cost["slots"].values())
    assert 0 < in_slots < cost["gpus"]["H100"]["cost"] == pytest.approx(3.5 * cost["gpus"]["H100"]["hours"])
    hub.adopt(monkeypatch, tmp_path / "home")
    settings = load_config(path)
    store = Store(settings.store)
    record_unresolved(store, resolve(settings, store))  # as a sweep does when it begins
    hub.requests.clear()
    start = time.monotonic()
    shown = qre(hub, tmp_path, "plan", path, "--price", "L4=0.80,H100=3.50")
    print(shown.stdout, f"again in {time.monotonic() - start:.1f} s, {len(hub.requests)} requests")
    assert all("/api/models?" not in asked for _, asked in hub.requests)  # the list is pinned
    hub.requests.clear()
    start = time.monotonic()
    status = json.loads(qre(hub, tmp_path, "status", path, "--json").stdout)
    print(f"status in {time.monotonic() - start:.1f} s, {len(hub.requests)} requests")
    assert (status["units"], status["reasons"], hub.requests) == (told["units"], told["reasons"], [])
    assert len(shown.stdout.splitlines()) < 90
    assert f"{Counter(taken)['remote code']} encoders: " in shown.stdout
    assert f"{in_slots:,.2f} at these prices" in shown.stdout


def test_lists_say_what_is_wrong(tmp_path):
    from typer.testing import CliRunner

    (tmp_path / "list.csv").write_text("id,revison\na/b,main\n")
    config = write_config(tmp_path, [{"source": "list", "path": str(tmp_path / "list.csv")}])
    result = CliRunner().invoke(app, ["plan", str(config)])
    assert "list.csv:1: column 'revison': unknown key; did you mean 'revision'?" in str(result.exception)

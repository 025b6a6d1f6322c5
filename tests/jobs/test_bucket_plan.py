"""A sweep whose store is a bucket: looking at it takes seconds, however far away the bucket is."""

import json
import os
import time

import numpy as np
import pyarrow as pa
import pytest

import jobs.planning.hub_entries
from jobs.config import SweepConfig
from jobs.planning.memory import Memory
from jobs.planning.plan import make_plan
from jobs.planning.resolve import resolve
from jobs.planning.shard_folders import measures_folder, method_folder
from qre.encoders.hub import HubModel
from qre.store import Store
from tests.s3 import s3  # noqa: F401

ENCODERS = 1101
IN_A_SHARD = 16


@pytest.fixture
def finished(s3, tmp_path, monkeypatch) -> SweepConfig:  # noqa: F811
    """A sweep over 1,101 encoders of the hub, half of them pinned, in whose store everything is done."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # what is made here need not survive a crash
    # mteb's registry takes its own time
    monkeypatch.setattr(jobs.planning.hub_entries, "registry_attributes", lambda name: {})
    names = [f"org{number % 40}/e{number}" for number in range(ENCODERS)]
    pinned = {name: f"{number:040x}" for number, name in enumerate(names) if number % 2}
    entries = [{"source": "hub", "id": name, "revision": pinned.get(name)} for name in names]
    (tmp_path / "list.yaml").write_text(json.dumps(entries))  # JSON is YAML
    config = SweepConfig.model_validate(
        {
            "name": "t",
            "store": s3.location(),
            "sentences": {"source": "builtin", "limit": 100},
            "encoders": [{"source": "list", "path": str(tmp_path / "list.yaml")}],
        }
    )
    store = Store(tmp_path / "made")
    Memory(store).write_all(
        {
            (name, pinned.get(name)): HubModel(name, f"{number:040x}", (("model.safetensors", 9),))
            for number, name in enumerate(names)
        }
    )
    plan = make_plan(config, store, resolve(config, store, ask_hub=False))
    keys = [unit.key for unit in plan.units]
    for key in keys:
        store.embeddings.write(key, np.zeros((1, 1), np.float32), {})
    folders = method_folder(config, plan.sentences.fingerprint), measures_folder(plan.sentences)
    # shards of 256 kB: more than a footer and its keys
    rows = list(np.random.default_rng(0).standard_normal((IN_A_SHARD, 2000)))
    for start in range(0, ENCODERS, IN_A_SHARD):
        some = keys[start : start + IN_A_SHARD]
        for folder in folders:
            store.features.write(folder, pa.table({"key": some, "feature": rows[: len(some)]}))
    identity = make_plan(config, store, resolve(config, store, ask_hub=False)).identity
    store.atlases.write("t", {"map.csv": b"x,y", "map.png": b"png"}, {"identity": identity})
    s3.adopt(tmp_path / "made", Store(config.store).folder.address.prefix)
    return config


def test_a_finished_sweep_of_1101_encoders_is_seen_in_seconds(s3, finished):  # noqa: F811
    s3.requests.clear()
    s3.delay = 0.03
    store = Store(finished.store)
    start = time.monotonic()
    resolved = resolve(finished, store, ask_hub=False)
    hub_seconds, hub_requests = time.monotonic() - start, len(s3.requests)
    plan = make_plan(finished, store, resolved)
    seconds, requests = time.monotonic() - start, len(s3.requests)
    assert plan.done
    assert len(plan.on_map) == len(plan.embedded) == ENCODERS
    assert hub_requests <= 2 * (
        ENCODERS + ENCODERS // 2 + 1
    )  # a record, and for a branch its commit; two requests each
    shards = -(-ENCODERS // IN_A_SHARD)
    assert (
        requests - hub_requests <= 2 + 2 * (1 + 3 * shards) + 1 + 3
    )  # embeddings in two pages, shards of features and of measures and parts of them, failures, atlas
    print(
        f"1,101 encoders done, 30 ms a request: hub records in {hub_seconds:.1f} s and {hub_requests} requests;",
        end=" ",
    )
    print(f"the plan in {seconds - hub_seconds:.1f} s and {requests - hub_requests} requests")


def test_what_the_hub_said_is_read_alike_from_a_folder(tmp_path):
    memory = Memory(Store(tmp_path))
    model = HubModel("org/a", "a" * 40, (("model.safetensors", 9),), {"query": "q: "}, attributes={"parameters": 3})
    memory.write_all({("org/a", None): model, ("org/b", "b" * 40): HubModel("org/b", "b" * 40, ())})
    places = [
        ("org/a", None),
        ("org/a", "a" * 40),
        ("org/a", "main"),
        ("org/b", "b" * 40),
        ("org/b", None),
        ("org/c", None),
    ]
    known = memory.read_all(places)
    assert known == {places[0]: model, places[1]: model, places[3]: HubModel("org/b", "b" * 40, ())}


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"3", b'{"commit": "../../x"}', b'{"commit": 3}', b'{"files": 3}', b'{"files": [[]]}', b"\xff"],
)
def test_a_record_of_the_hub_that_is_not_one_is_not_known(tmp_path, content):
    store = Store(tmp_path)
    Memory(store).write_all({("org/a", None): HubModel("org/a", "a" * 40, ())})
    names = list(store.folder.names("hub"))
    assert len(names) == 2
    for name in names:
        kept = store.folder.read(name)
        store.folder.write(name, content)
        assert Memory(store).read_all([("org/a", None)]) == {}
        store.folder.write(name, kept)
    assert len(Memory(store).read_all([("org/a", None)])) == 1

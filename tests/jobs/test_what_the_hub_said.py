"""What the hub said, of a newer version: asked for again, and not written over."""

import json

from jobs.planning.memory import Memory
from qre.encoders.hub import HubModel
from qre.encoders.hub_query import HubQuery
from qre.store import Store

PLACE = ("org/a", None)
MODEL = HubModel("org/a", "a" * 40, (("model.safetensors", 9),))


def test_records_of_a_newer_version_are_not_known_and_stay(tmp_path):
    store = Store(tmp_path)
    memory, query = Memory(store), HubQuery(author="org")
    memory.write_all({PLACE: MODEL})
    memory.write_query(query, ["org/a"])
    assert memory.read_all([PLACE]) == {PLACE: MODEL} and memory.read_query(query) == ["org/a"]
    names = list(store.folder.names("hub"))
    assert len(names) == 3
    for name in names:
        store.folder.write(name, json.dumps({**json.loads(store.folder.read(name)), "schema": 2}).encode())
    before = {name: store.folder.read(name) for name in names}
    assert memory.read_all([PLACE]) == {} and memory.read_query(query) is None
    memory.write_all({PLACE: MODEL})
    memory.write_query(query, ["org/b"])
    assert {name: store.folder.read(name) for name in names} == before
    assert any("of a newer version" in note for note in store.notes())


def test_what_an_older_version_kept_is_known(tmp_path):
    """Records that state no schema; the names of a query once were a list."""
    store = Store(tmp_path)
    memory, query = Memory(store), HubQuery(author="org")
    memory.write_all({PLACE: MODEL})
    memory.write_query(query, ["org/a"])
    for name in store.folder.names("hub"):
        record = json.loads(store.folder.read(name))
        assert record.pop("schema") == 1
        store.folder.write(name, json.dumps(record["names"] if "queries" in name else record).encode())
    assert memory.read_all([PLACE]) == {PLACE: MODEL} and memory.read_query(query) == ["org/a"]


def test_what_is_known_already_is_not_written_again(tmp_path):
    memory = Memory(Store(tmp_path))
    memory.write_all({PLACE: MODEL})
    marks = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    memory.write_all({PLACE: MODEL})
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")} == marks

"""What the hub said, of a newer version: asked for again, and not written over."""

import json
from dataclasses import fields

from jobs.planning.memory import Memory
from qre.encoders.hub import HubModel
from qre.encoders.hub_query import HubQuery
from qre.encoders.named_code import Named
from qre.store import Store
from tests.s3 import s3  # noqa: F401

PLACE = ("org/a", None)
MODEL = HubModel("org/a", "a" * 40, (("model.safetensors", 9),))
# the keys that older versions know: they refuse a record that has another
OLDEST = {
    "repository", "revision", "files", "prompts", "default_prompt", "attributes", "code", "python", "bodies", "plain"
}  # fmt: skip
WHOLE = HubModel(
    "org/b",
    "b" * 40,
    (("config.json", 2),),
    prompts={"query": "find: "},
    default_prompt="find: ",
    attributes={"layers": 2},
    code=(Named("config.json", "auto_map.AutoModel", "own.Model"),),
    python=(("own.py", 3),),
    bodies=(("bert", True),),
    plain=True,
    pickles=(("pytorch_model.bin", 9, "c" * 64),),
    adapter=("org/base", ""),
)


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
    memory = Memory(store)
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
    memory = Memory(store)
    assert memory.read_all([PLACE]) == {PLACE: MODEL} and memory.read_query(query) == ["org/a"]


def test_what_is_known_already_is_not_written_again(tmp_path):
    memory = Memory(Store(tmp_path))
    memory.write_all({PLACE: MODEL})
    marks = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    memory.write_all({PLACE: MODEL})
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")} == marks


def test_a_later_field_is_in_a_record_only_where_it_says_something(tmp_path):
    """Older versions find the records of all other encoders again, and theirs stay as they are."""
    store = Store(tmp_path)
    memory = Memory(store)
    memory.write_all({MODEL.place: MODEL})
    (name,) = store.folder.names("hub")
    assert json.loads(store.folder.read(name)).keys() == OLDEST | {"schema", "rule"}


def test_every_field_is_kept(tmp_path):
    memory = Memory(Store(tmp_path))
    unset = {one.name for one in fields(HubModel) if getattr(WHOLE, one.name) == getattr(MODEL, one.name)}
    assert unset == {"base"}, "the base of an adapter is a record of its own; WHOLE sets all else"
    memory.write_all({WHOLE.place: WHOLE})
    assert memory.read_all([WHOLE.place]) == {WHOLE.place: WHOLE}


def test_a_record_is_read_once_by_a_plan(s3):  # noqa: F811
    store = Store(s3.location())
    Memory(store).write_all({PLACE: MODEL, WHOLE.place: WHOLE})
    s3.requests.clear()
    memory = Memory(store)
    known = memory.read_all([PLACE, WHOLE.place])
    assert memory.read_all([PLACE, WHOLE.place]) == known == {PLACE: MODEL, WHOLE.place: WHOLE}
    memory.write_all(known)
    read = [line for line in s3.requests if line.startswith("GET") and "/hub/" in line]
    assert len(read) == len(set(read)) == 3  # the branch, and two commits

"""Artefacts of a newer version of this program are told of, and touched by nobody; of an older one they are read or
made again, by rule."""

import dataclasses
import json
import pickle

import numpy as np
import pyarrow as pa
import pytest

from qre import schemas
from qre.errors import UserError
from qre.schemas import UNSTATED
from qre.store import CorruptArtefact, Failure, NewerSchema, Store
from qre.store.seals import parquet_bytes
from qre.store.shelves import SHELVES, check_schema

KEY, TASK = "ab" * 32, "cd" * 32
E = np.arange(20, dtype=np.float32).reshape(5, 4)
ROWS = np.arange(5)
FAILURE = Failure(key=KEY, encoder="e", kind="permanent", exception="E", message="m", when="now")


def table(key: str = KEY) -> pa.Table:
    return pa.table({"key": [key], "feature": pa.array([[0.5] * 5], pa.list_(pa.float64()))})


KEPT = {  # shelf -> (write, read) of one artefact that is content, by a store
    "sentences": (lambda s: s.sentences.write(KEY, pa.table({"text": ["a", "b"]})), lambda s: s.sentences.read(KEY)),
    "embeddings": (lambda s: s.embeddings.write(KEY, E, {}), lambda s: s.embeddings.read(KEY)),
    "chunks": (lambda s: s.chunks.write(KEY, 0, ROWS, {"default": E}), lambda s: s.chunks.read(KEY, 0, ROWS)),
    "masks": (lambda s: s.masks.write(KEY, {"w": np.zeros(2, np.uint8)}, {"w": (3, 4)}), lambda s: s.masks.read(KEY)),
    "fits": (lambda s: s.fits.write(KEY, ("center",), 4, {"0.mean": np.zeros(4)}), lambda s: s.fits.read(KEY)),
    "pairs": (lambda s: s.pairs.write(KEY, {"cka": E}), lambda s: s.pairs.read(KEY, E.shape)),
    "features": (lambda s: s.features.write("m", table()), lambda s: s.features.keys("m", [KEY])),
    "scores": (lambda s: s.scores.write(TASK, KEY, {"score": 0.5}), lambda s: s.scores.read([(TASK, KEY)])),
    "failures": (lambda s: s.failures.write(FAILURE), lambda s: s.failures.read_all({KEY})),
    "atlases": (
        lambda s: s.atlases.write("t", {"map.csv": b"x"}, {"identity": "i"}),
        lambda s: s.atlases.manifest("t"),
    ),
    "owners": (lambda s: s.owners.write("t", {"place": "p"}), lambda s: s.owners.read("t")),
}
ADVISORY = {
    "speeds": (lambda s: s.speeds.write(KEY, {"seconds": 1.0}), lambda s: s.speeds.read([KEY])),
    "notices": (lambda s: s.notices.write(KEY, ["w"]), lambda s: s.notices.read([KEY])),
    "items": (lambda s: s.items.write(TASK, KEY, ROWS > 2), lambda s: s.items.read(TASK, [KEY])),
    "progress": (lambda s: s.progress.write("t", {"done": 1}), lambda s: s.progress.read("t")),
}


def as_newer(monkeypatch, shelf: str, schema: int = 2):
    """This program, as it will be when it writes another schema of a shelf."""
    monkeypatch.setitem(SHELVES, shelf, dataclasses.replace(SHELVES[shelf], schema=schema))


def contents(store: Store) -> dict[str, bytes]:
    return {name: store.folder.read(name) for shelf in (*SHELVES, "quarantine") for name in store.folder.names(shelf)}


@pytest.mark.parametrize("shelf", KEPT)
def test_what_a_newer_version_wrote_is_told_and_touched_by_nobody(store, monkeypatch, shelf):
    write, read = KEPT[shelf]
    with monkeypatch.context() as newer:
        as_newer(newer, shelf)
        write(store)
        assert read(store)  # that version reads it
    before = contents(store)
    for act in (read, *([] if shelf == "chunks" else [write])):  # chunks are read before any is written
        with pytest.raises(
            NewerSchema,
            match=rf"{shelf}/.* was written by a newer version of this program \(schema 2, this one reads 1\): update",
        ):
            act(store)
    assert contents(store) == before
    assert issubclass(NewerSchema, UserError)  # exit code 2


@pytest.mark.parametrize("shelf", ADVISORY)
def test_advisory_records_of_a_newer_version_count_as_absent_and_are_not_written_over(store, monkeypatch, shelf):
    write, read = ADVISORY[shelf]
    absent = read(store)
    with monkeypatch.context() as newer:
        as_newer(newer, shelf)
        write(store)
        assert read(store)
    before = contents(store)
    assert read(store) == absent
    write(store)
    assert contents(store) == before
    assert any("of a newer version" in note and shelf in note for note in store.notes())


@pytest.mark.parametrize("shelf", [*KEPT, *ADVISORY])
def test_what_was_written_before_schemas_were_stated_is_of_the_first(store, shelf):
    """And every artefact states one now."""
    write, read = {**KEPT, **ADVISORY}[shelf]
    write(store)
    name = next(
        name
        for name in contents(store)
        if name.endswith(("manifest.json", ".json", ".parquet", ".safetensors")) and "map.csv" not in name
    )
    raw = store.folder.read(name)
    told = read(store)
    if name.endswith(".json"):
        record = json.loads(raw)
        assert record.pop("schema") == 1
        if "sha256" in record:  # as it was sealed then
            record = {field: value for field, value in record.items() if field != "sha256"}
            from qre.store.records import _digest

            record["sha256"] = _digest(record)
        store.folder.write(name, json.dumps(record).encode())
    elif name.endswith(".parquet"):
        import pyarrow.parquet as pq

        read_back = pq.read_table(pa.BufferReader(raw))
        assert read_back.schema.metadata[b"schema"] == b"1"
        store.folder.write(
            name, parquet_bytes(read_back.replace_schema_metadata({"content": read_back.schema.metadata[b"content"]}))
        )
    else:
        assert b'\\"schema\\":1' in raw[: 8 + int.from_bytes(raw[:8], "little")]
        return  # these have stated it from the beginning
    again = read(Store(store.location))
    assert {**again, "schema": 1} == {**told, "schema": 1} if shelf == "atlases" else again == told


@pytest.mark.parametrize("stated", ["1", 1.0, True, None, 0, -1, [1], {}])
def test_what_states_no_schema_that_any_version_writes_is_damaged(store, stated):
    with pytest.raises(ValueError, match="schema"):
        check_schema("failures/x.json", stated)
    store.failures.write(FAILURE)
    name = f"failures/{KEY}.json"
    store.folder.write(name, json.dumps({**json.loads(store.folder.read(name)), "schema": stated}).encode())
    assert store.failures.read_all({KEY}) == {}
    assert not store.folder.exists(name)


def test_where_a_schema_was_always_stated_it_may_not_be_missing():
    check_schema("failures/x.json", UNSTATED)
    for shelf in ("embeddings", "chunks"):
        with pytest.raises(ValueError, match="states no schema"):
            check_schema(f"{shelf}/x", UNSTATED)


def test_an_older_schema_is_read_or_made_again_by_rule(store, monkeypatch):
    store.embeddings.write(KEY, E, {})
    store.features.write("m", table())
    for shelf in ("embeddings", "features"):
        as_newer(monkeypatch, shelf)
    assert np.array_equal(store.embeddings.read(KEY)[0], E) and store.features.keys("m") == {
        KEY
    }  # schema 2 still reads 1
    for shelf in ("embeddings", "features"):
        monkeypatch.setitem(SHELVES, shelf, dataclasses.replace(SHELVES[shelf], oldest=2))
    with pytest.raises(CorruptArtefact, match="of an older version"):
        store.embeddings.read(KEY)
    assert store.features.keys("m") == set() and store.embeddings.keys() == set()  # absent, and so made again
    assert len(list(store.folder.names("quarantine"))) == 2


def test_newer_artefacts_that_nobody_asks_for_disturb_nobody(store, monkeypatch):
    other = "ef" * 32
    store.features.write("m", table(other))
    with monkeypatch.context() as newer:
        for shelf in ("features", "failures", "embeddings"):
            as_newer(newer, shelf)
        store.features.write("m", table())
        store.failures.write(FAILURE)
        store.embeddings.write(KEY, E, {})
    assert store.features.keys("m", [other]) == {other}
    assert store.failures.read_all({other}) == {}
    assert store.embeddings.keys() == {KEY}
    store.failures.clear(KEY)
    assert store.folder.exists(f"failures/{KEY}.json")
    with pytest.raises(NewerSchema):
        store.features.keys("m", [other, KEY])


@pytest.mark.parametrize("how", ["other container", "no key column", "cut payload", "unknown type"])
def test_a_newer_schema_is_told_before_anything_else_of_the_file_is_looked_at(store, monkeypatch, how):
    with monkeypatch.context() as newer:
        for shelf in ("features", "embeddings"):
            as_newer(newer, shelf)
        store.embeddings.write(KEY, E, {})
        if how == "no key column":
            store.folder.write(
                f"features/m/{'0' * 32}.parquet",
                parquet_bytes(pa.table({"unit": ["?"]}).replace_schema_metadata({"schema": "2"})),
            )
            with pytest.raises(NewerSchema):  # whose rows are in it nobody can tell
                newer.undo()
                store.features.keys("m", [KEY])
            return
    name = store.embeddings.name(KEY)
    raw = store.folder.read(name)
    changed = {
        "other container": raw + b"more",
        "cut payload": raw[:-3],
        "unknown type": raw.replace(b'"F32"', b'"X32"'),
    }[how]
    store.folder.write(name, changed)
    with pytest.raises(NewerSchema):
        store.embeddings.read(KEY)
    assert store.folder.read(name) == changed


def test_chunks_that_a_newer_version_left_are_not_cleared_away(store, monkeypatch):
    with monkeypatch.context() as newer:
        as_newer(newer, "chunks")
        store.chunks.write(KEY, 0, ROWS, {"default": E})
    store.chunks.write(TASK, 0, ROWS, {"default": E})
    for key in (KEY, TASK):
        store.chunks.remove_left(key)
    assert store.chunks.counts() == {KEY: 1}


def test_the_error_travels_between_processes():
    error = schemas.newer("a/b", 3, 1)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)

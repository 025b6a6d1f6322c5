"""What the store keeps: round trips, and what happens to a file that was cut, changed or swapped."""

import json

import numpy as np
import pyarrow as pa
import pytest

from qre.store import CorruptArtefact, Failure, Store
from qre.store.seals import parquet_bytes

KEY, OTHER = "ab" * 32, "cd" * 32
E = np.random.default_rng(0).standard_normal((20, 5)).astype(np.float32)


def shard(*keys, length=4, value=0.5):
    return pa.table(
        {
            "key": list(keys),
            "feature": pa.array([[value + i] * length for i in range(len(keys))], pa.list_(pa.float64())),
            "qre": [value] * len(keys),
        }
    )


def damage(store, name, how):
    raw = bytearray(store.folder.read(name))
    if how == "truncated":
        raw = raw[: len(raw) // 2]
    elif how == "empty":
        raw = bytearray()
    else:
        raw[int(how * (len(raw) - 1))] ^= 0x10
    store.folder.write(name, bytes(raw))


def test_embedding_round_trip(store):
    store.embeddings.write(KEY, E, {"seconds": 1.5, "spec": {"name": "é"}})
    embedding, record = store.embeddings.read(KEY)
    assert np.array_equal(embedding, E)
    assert embedding.dtype == np.float32
    assert record["spec"] == {"name": "é"}
    assert record["key"] == KEY
    assert store.embeddings.keys() == {KEY}
    with pytest.raises(FileNotFoundError):
        store.embeddings.read(OTHER)


@pytest.mark.parametrize("how", ["truncated", "empty", 0.0, 0.02, 0.1, 0.3, 0.5, 0.8, 1.0])
def test_a_damaged_embedding_is_put_aside(store, how):
    store.embeddings.write(KEY, E, {})
    damage(store, store.embeddings.name(KEY), how)
    with pytest.raises(CorruptArtefact, match="moved to quarantine/"):
        store.embeddings.read(KEY)
    assert store.embeddings.keys() == set()
    assert len(list(store.folder.names("quarantine"))) == 1


def test_an_embedding_under_another_key_is_not_believed(store):
    store.embeddings.write(KEY, E, {})
    store.folder.write(store.embeddings.name(OTHER), store.folder.read(store.embeddings.name(KEY)))
    with pytest.raises(CorruptArtefact, match="another unit"):
        store.embeddings.read(OTHER)


def test_equal_content_gives_equal_bytes(tmp_path):
    stores = [Store(tmp_path / name) for name in "ab"]
    for store in stores:
        store.embeddings.write(KEY, E, {"b": 1, "a": 2})
        store.features.write("m", shard(KEY))
        store.chunks.write(KEY, 0, np.arange(20), {"x": E, "a": E})
    names = (
        sorted(stores[0].folder.names("embeddings"))
        + sorted(stores[0].folder.names("features"))
        + sorted(stores[0].folder.names("chunks"))
    )
    assert len(names) == 3
    for name in names:
        assert stores[0].folder.read(name) == stores[1].folder.read(name)


def test_chunks(store):
    rows = np.array([3, 1, 2])
    store.chunks.write(KEY, 4, rows, {"default": E[:3], "1-cls": E[3:6]})
    kept = store.chunks.read(KEY, 4, rows)
    assert set(kept) == {"default", "1-cls"}
    assert np.array_equal(kept["1-cls"], E[3:6])
    assert store.chunks.counts()[KEY] == 1
    assert store.chunks.read(KEY, 3, rows) is None
    assert store.chunks.read(KEY, 4, np.array([3, 1])) is None  # the chunk size was changed meanwhile
    damage(store, store.chunks.name(KEY, 4), 0.9)
    assert store.chunks.read(KEY, 4, rows) is None
    store.chunks.remove(KEY)
    assert store.chunks.counts()[KEY] == 0


def test_features_come_back_in_the_order_asked_for(store):
    store.features.write("m", shard("a", "b"))
    store.features.write("m", shard("c", value=9.0))
    store.features.write("other", shard("d"))
    assert store.features.keys("m") == {"a", "b", "c"}
    table = store.features.read("m", ["c", "a"])
    assert table["key"].to_pylist() == ["c", "a"]
    assert table["feature"].to_pylist() == [[9.0] * 4, [0.5] * 4]
    assert not table.schema.metadata  # which shards they lay in leaves no trace
    with pytest.raises(KeyError, match="'d', 'e'"):
        store.features.read("m", ["a", "d", "e"])


def test_only_the_rows_that_are_asked_for_are_kept(store):
    for first in range(0, 12, 4):
        store.features.write("m", shard(*(f"k{first + i}" for i in range(4)), value=float(first)))
    wanted = ["k9", "k0", "k10", "k3", "k0"]
    table = store.features.read("m", wanted)
    assert table["key"].to_pylist() == wanted
    assert [row[0] for row in table["feature"].to_pylist()] == [9.0, 0.0, 10.0, 3.0, 0.0]
    assert table["feature"].num_chunks == 1


def test_a_damaged_shard_that_is_not_asked_for_does_no_harm(store):
    store.features.write("m", shard("a"))
    bad = store.features.write("m", shard("b"))
    damage(store, bad, "truncated")
    assert store.features.read("m", ["a"])["key"].to_pylist() == ["a"]
    assert store.features.keys("m") == {"a"}
    assert len(list(store.folder.names("quarantine"))) == 1


def test_a_file_that_is_no_shard_is_put_aside(store):
    store.features.write("m", shard("a"))
    store.folder.write(f"features/m/{'0' * 32}.parquet", parquet_bytes(pa.table({"x": [1]})))
    assert store.features.keys("m") == {"a"}
    assert not store.folder.exists(f"features/m/{'0' * 32}.parquet")


@pytest.mark.parametrize("how", ["truncated", "empty", 0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0])
def test_a_damaged_shard_is_never_believed(store, how):
    store.features.write("m", shard("a", "b", length=50))
    name = next(iter(store.folder.names("features")))
    before = store.features.read("m", ["a", "b"])
    damage(store, name, how)
    try:
        after = store.features.read("m", ["a", "b"])
    except (CorruptArtefact, KeyError):
        assert not store.folder.exists(name)
    else:  # the bit that was turned is one that carries nothing
        assert after.equals(before)


def test_sentences(store):
    table = pa.table({"text": ["a b", "c"], "meaning": pa.array([["x"], ["y", "z"]], pa.list_(pa.string()))})
    store.sentences.write("f" * 64, table)
    assert store.sentences.read("f" * 64).equals(table)
    damage(store, f"sentences/{'f' * 64}.parquet", "truncated")
    with pytest.raises(CorruptArtefact):
        store.sentences.read("f" * 64)
    store.sentences.write("f" * 64, table)
    damage(store, f"sentences/{'f' * 64}.parquet", "truncated")
    store.sentences.write("f" * 64, table)  # a damaged set is made anew, not left
    assert store.sentences.read("f" * 64).equals(table)


def test_failures(store):
    failure = Failure(key=KEY, encoder="<x>", kind="permanent", exception="E", message="m", when="now")
    store.failures.write(failure)
    store.folder.write(f"failures/{OTHER}.json", b'{"key": 1')
    assert store.failures.read_all() == {KEY: failure}
    assert not store.folder.exists(f"failures/{OTHER}.json")
    store.failures.clear(KEY)
    assert store.failures.read_all() == {}


def test_an_atlas_is_whole_or_absent(store):
    assert store.atlases.manifest("demo") is None
    store.atlases.write("demo", {"map.csv": b"x,y", "map.png": b"png"}, {"identity": "1"})
    manifest = store.atlases.manifest("demo")
    assert manifest["identity"] == "1"
    assert list(manifest["files"]) == ["map.csv", "map.png"]
    assert store.atlases.read("demo", "map.csv") == b"x,y"
    assert json.loads(store.atlases.read("demo", "manifest.json")) == manifest
    store.folder.write("atlases/demo/map.csv", b"x,yz")
    assert store.atlases.manifest("demo") is None
    store.atlases.write("demo", {"map.csv": b"x,y"}, {"identity": "1"})
    store.folder.remove("atlases/demo/map.csv")
    assert store.atlases.manifest("demo") is None


def test_a_changed_file_of_an_atlas_makes_it_absent_when_it_is_read(store):
    store.atlases.write("demo", {"map.csv": b"x,y", "map.png": b"png"}, {"identity": "1"})
    store.folder.write("atlases/demo/map.csv", b"x,z")
    assert store.atlases.manifest("demo") is not None  # sizes are looked at, content is not
    assert store.atlases.read("demo", "map.png") == b"png"
    with pytest.raises(CorruptArtefact, match="map.csv: content does not match its checksum; moved to quarantine/"):
        store.atlases.read("demo", "map.csv")
    assert store.atlases.manifest("demo") is None
    store.folder.write("atlases/demo/stray.txt", b"?")
    with pytest.raises(FileNotFoundError, match="not in the manifest"):
        store.atlases.read("demo", "stray.txt")


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"files": {"map.csv": "0123"}}', '{"files": ["map.csv"]}', '{"files": {"map.csv": {}}}']
)
def test_a_manifest_that_is_not_one(tmp_path, text):
    store = Store(tmp_path)
    store.atlases.write("demo", {"map.csv": b"x,y"}, {})
    store.folder.write("atlases/demo/manifest.json", text.encode())
    assert store.atlases.manifest("demo") is None
    with pytest.raises(FileNotFoundError):
        store.atlases.read("demo", "map.csv")


def test_progress(store):
    assert store.progress.read("demo") is None
    store.progress.write("demo", {"done": 3})
    assert store.progress.read("demo") == {"done": 3}
    store.folder.write("progress/demo.json", b"{")
    assert store.progress.read("demo") is None
    assert store.progress.names() == ["demo"]


def test_nothing_is_pickled(store):
    store.embeddings.write(KEY, E, {})
    raw = store.folder.read(store.embeddings.name(KEY))
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    assert header["embedding"] == {"dtype": "F32", "shape": [20, 5], "data_offsets": [0, 400]}


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("can't start new thread"), ImportError("libx.so: cannot open shared object file")],
)
def test_what_a_process_cannot_read_for_want_of_memory_or_libraries_is_not_damaged(tmp_path, monkeypatch, error):
    store, key = Store(tmp_path), "ab" * 32
    store.embeddings.write(key, np.ones((3, 2), np.float32), {})

    def fails(*_, **__):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("safetensors.numpy.load", fails)
        with pytest.raises(type(error)):
            store.embeddings.read(key)
    assert store.embeddings.read(key)[0].shape == (3, 2)
    assert list(store.folder.names("quarantine")) == []


def test_a_shard_that_this_process_cannot_read_is_not_damaged(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.features.write("m", pa.table({"key": ["ab" * 32], "feature": [[1.0]]}))

    def fails(*_, **__):
        raise pa.ArrowNotImplementedError("Support for codec 'zstd' not built")

    with monkeypatch.context() as patch:
        patch.setattr("pyarrow.parquet.ParquetFile", fails)
        assert store.features.keys("m") == set()
    assert store.features.keys("m") == {"ab" * 32} and list(store.folder.names("quarantine")) == []

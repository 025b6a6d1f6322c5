"""What is not this program's in a folder or a bucket is left alone and noted; a file that cannot be read costs what
needs it and nothing else."""

import http.client
import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pytest

from qre.errors import PlaceError
from qre.store import Failure, Store, UnreadableArtefact

ROOT = Path(__file__).resolve().parents[3]
KEY, OTHER = "ab" * 32, "cd" * 32
E = np.arange(20, dtype=np.float32).reshape(5, 4)
SHARD = f"{'0' * 32}.parquet"
STRAYS = [
    "features/m/x (1).parquet",
    f"features/m/{SHARD} (1)",
    f"features/m/{SHARD}.bak",
    f"features/m/copy of {SHARD}",
    f"features/m/{'A' * 32}.PARQUET",
    f"features/m/.snapshot/{SHARD}",
    f"features/m/@eaDir/{SHARD}",
    f"features/m/lost+found/{SHARD}",
    f"features/m/.ipynb_checkpoints/{SHARD}",
    "features/m/Thumbs.db",
    "features/m/desktop.ini",
    "features/m/.DS_Store",
    f"features/m/._{SHARD}",
    "features/m/.nfs0000000000a1",
    "features/m/.editor.tmp",
    f"embeddings/ab/{KEY} (1).safetensors",
    f"embeddings/cd/{KEY}.safetensors",
    f"embeddings/{KEY}.safetensors",
    "embeddings/ab/copy.safetensors",
    f"failures/{KEY}.json~",
    f"failures/{KEY}(1).json",
    "failures/notes.txt",
    "failures/x/y.json",
    "scores/readme.md",
    f"scores/{KEY}/x y.json",
    "progress/.x.json",
    f"chunks/{KEY}/00000 (1).safetensors",
    "chunks/x/y",
    "sentences/old.csv",
    "notices/a",
    "hub/x",
    "runs/t/x",
    "quarantine/.x",
    "lost+found/x",
    "@eaDir/x",
    ".snapshot/hourly/embeddings/x",
    "Thumbs.db",
    "notes.txt",
]


def table(key: str) -> pa.Table:
    return pa.table({"key": [key], "feature": pa.array([[0.5] * 5], pa.list_(pa.float64()))})


def fill(store: Store) -> dict:
    """One of each; what a reader sees of them."""
    store.embeddings.write(KEY, E, {})
    store.features.write("m", table(KEY))
    store.scores.write(OTHER, KEY, {"score": 0.5})
    store.chunks.write(KEY, 0, np.arange(5), {"default": E})
    store.failures.write(Failure(key=OTHER, encoder="e", kind="permanent", exception="E", message="m", when="now"))
    store.progress.write("t", {"done": 1})
    store.notices.write(KEY, ["w"])
    store.atlases.write("t", {"map.csv": b"x"}, {"identity": "i"})
    return seen(store)


def seen(store: Store) -> dict:
    return {
        "embeddings": store.embeddings.keys(),
        "features": store.features.keys("m"),
        "row": store.features.read("m", [KEY])["key"].to_pylist(),
        "scores": store.scores.pairs(),
        "chunks": dict(store.chunks.counts()),
        "failures": sorted(store.failures.read_all()),
        "keys": store.failures.keys(),
        "progress": store.progress.names(),
        "notices": store.notices.read([KEY]),
        "atlas": store.atlases.manifest("t"),
    }


def put(s3, store: Store, name: str, content: bytes = b"stray") -> None:
    """An object by a client that knows no rules."""
    connection = http.client.HTTPConnection(*s3.upstream, timeout=30)
    connection.request(
        "PUT", f"/{store.folder.address.bucket}/{quote(f'{store.folder.address.prefix}/{name}')}", content
    )
    assert connection.getresponse().status == 200
    connection.close()


def tree(folder: Path) -> dict[str, object]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_strays_in_a_folder_are_left_alone_and_noted_once(tmp_path):
    store = Store(tmp_path / "s")
    before = fill(store)
    for name in STRAYS:
        path = tmp_path / "s" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"stray")
        os.utime(path, (0, 0))
    for name in (
        "features/m/empty",
        "embeddings/zz",
        f"embeddings/ab/{OTHER}.safetensors",
        f"features/m/{SHARD}",
        "scores/a b",
        "failures/new\nline",
    ):
        (tmp_path / "s" / name).mkdir(parents=True)
    os.mkfifo(tmp_path / "s" / "features" / "m" / f"{'1' * 32}.parquet")  # who opens it waits for ever
    (tmp_path / "s" / "features" / "m" / f"{'2' * 32}.parquet").symlink_to("nowhere")
    (tmp_path / "s" / "features" / "m" / "loop").symlink_to("..")
    os.mkdir(os.fsencode(tmp_path / "s" / "embeddings") + b"/\xff\xfe")
    with open(os.fsencode(tmp_path / "s" / "failures") + b"/\xff.json", "wb") as file:
        file.write(b"{}")
    stands = tree(tmp_path / "s")
    store = Store(tmp_path / "s")
    assert seen(store) == before
    assert store.folder.remove_stale() == 0
    store.chunks.remove(KEY)
    (note,) = store.notes()
    assert (
        "files that are not this program's are left alone: " in note
        and "more" in note
        and "\n" not in note
        and note.isascii()
    )
    assert store.notes() == [note]
    left = tree(tmp_path / "s")
    assert {name: left.get(name) for name in stands if name != f"chunks/{KEY}/00000.safetensors"} == {
        name: content for name, content in stands.items() if name != f"chunks/{KEY}/00000.safetensors"
    }


def test_strays_in_a_bucket_are_left_alone_and_noted_once(s3):
    store = Store(s3.location())
    before = fill(store)
    for name in [
        *STRAYS,
        "features/m/",
        "embeddings/",
        "failures/ü.json",
        "embeddings/ab/",
        "embeddings//x",
        "features/m//y",
    ]:
        put(s3, store, name, b"" if name.endswith("/") else b"stray")
    store = Store(store.location)
    assert seen(store) == before
    store.chunks.remove(KEY)
    assert store.chunks.counts() == {}
    (note,) = store.notes()
    assert "files that are not this program's are left alone: " in note and "\n" not in note
    from pyarrow import fs

    root = f"{store.folder.address.bucket}/{store.folder.address.prefix}"
    listed = {
        info.path.removeprefix(f"{root}/")
        for info in store.folder._client.get_file_info(fs.FileSelector(root, recursive=True))
    }
    assert set(STRAYS) <= listed
    assert f"chunks/{KEY}/00000.safetensors" not in listed


def test_one_stray_is_named(tmp_path):
    fill(Store(tmp_path))
    (tmp_path / "features" / "m" / "x (1).parquet").write_bytes(b"")
    store = Store(tmp_path)
    store.features.keys("m")
    assert store.notes() == ["1 file that is not this program's is left alone: features/m/x (1).parquet"]


def test_a_folder_in_the_place_of_an_artefact_is_told_when_it_is_in_the_way(tmp_path):
    store = Store(tmp_path)
    (tmp_path / store.embeddings.name(KEY)).mkdir(parents=True)
    with pytest.raises(FileNotFoundError):
        store.embeddings.read(KEY)
    with pytest.raises(PlaceError, match="a folder is where the store needs a file; move it away"):
        store.embeddings.write(KEY, E, {})
    (tmp_path / "scores").write_bytes(b"a file")
    assert store.scores.pairs() == set()
    with pytest.raises(PlaceError, match="a file is where the store needs a folder; move it away"):
        store.scores.write(OTHER, KEY, {"score": 1.0})
    assert not list(tmp_path.rglob("*.tmp"))


READER = """
import json, sys
from qre.store import Store, UnreadableArtefact
key, other = "ab" * 32, "cd" * 32
store = Store(sys.argv[1])
told = {"keys": sorted(store.features.keys("m")), "failures": sorted(store.failures.read_all()), "progress": store.progress.read("t"),
        "notices": store.notices.read([key]), "embeddings": sorted(store.embeddings.keys())}
for name, act in (("embedding", lambda: store.embeddings.read(key)), ("score", lambda: store.scores.read([(other, key)]))):
    try:
        act()
    except UnreadableArtefact as error:
        told[name] = str(error)
import pyarrow as pa
told["beside"] = store.features.write("m", pa.table({"key": [key], "feature": pa.array([[0.5] * 5], pa.list_(pa.float64()))}))
told["again"] = sorted(store.features.keys("m"))
told["notes"] = store.notes()
print(json.dumps(told))
"""


def test_a_file_that_cannot_be_read_is_named_and_counts_for_itself_only(tmp_path, bound_by_rights):
    prefix, _ = bound_by_rights
    store = Store(tmp_path / "s")
    fill(store)
    store.features.write("m", table(OTHER))
    closed = [
        store.embeddings.name(KEY),
        next(name for name in store.folder.names("features/m")),
        f"failures/{OTHER}.json",
        f"scores/{OTHER}/{KEY}.json",
        "progress/t.json",
        f"notices/{KEY}.json",
    ]
    held = {name: store.features.keys("m") for name in store.folder.names("features/m")}
    for name in closed:
        (tmp_path / "s" / name).chmod(0)
    (tmp_path / "s" / "features" / "m" / "lost+found").mkdir(mode=0)
    result = subprocess.run(
        [*prefix, sys.executable, "-c", READER, str(tmp_path / "s")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert len(told["keys"]) == 1 and held
    assert (told["failures"], told["progress"], told["notices"], told["embeddings"]) == ([], None, {}, [KEY])
    for name, kind in ((closed[0], "embedding"), (closed[3], "score")):
        assert (
            told[kind]
            == f"{name} cannot be read: Permission denied; give this user the right, or name a place of its own"
        )
    assert KEY in told["again"]  # what is lost with its shard can be made beside it
    notes = "\n".join(told["notes"])
    for name in (closed[1], closed[2], closed[4], closed[5]):
        assert notes.count(f"{name} cannot be read: Permission denied") == 1
    for name in closed:
        assert (tmp_path / "s" / name).stat().st_mode & 0o777 == 0


def test_an_error_of_the_disk_is_told_of_its_file(tmp_path, monkeypatch):
    """EIO of one file; a fault of the whole place, such as a mount that has gone, is no file's."""
    store = Store(tmp_path)
    fill(store)
    real = Path.read_bytes
    bad = tmp_path / store.embeddings.name(KEY)

    def read(path, number=5):
        if path == bad:
            raise OSError(number, os.strerror(number), str(path))
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", read)
    with pytest.raises(UnreadableArtefact, match="Input/output error; the disk or the network behind it fails"):
        store.embeddings.read(KEY)
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path, 116))
    with pytest.raises(OSError, match="Stale"):
        store.embeddings.read(KEY)

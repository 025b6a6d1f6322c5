"""Atomic files below one folder."""

import os

import pytest

from qre.store import Folder
from qre.store.folder import canonical_json, content_key


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "store")


def test_write_read_list_remove(folder):
    folder.write("a/b/one.bin", b"1")
    folder.write("a/two.bin", b"2")
    folder.write("a/two.bin", b"22")
    assert folder.read("a/two.bin") == b"22"
    assert list(folder.names("a")) == ["a/two.bin", "a/b/one.bin"]
    assert folder.exists("a/two.bin")
    assert not folder.exists("a/b")
    folder.remove("a/two.bin")
    folder.remove("a/two.bin")
    folder.remove_folder("a")
    assert list(folder.names("a")) == []
    assert not folder.path("a").exists()


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "a/../../x", "", ".", "a//../b", "a/.hidden", "a\nb", "a/b c", "x" * 201, "a\\b", "~", "-rf", "a/\x00"]
)  # fmt: skip
def test_no_name_leaves_the_root(folder, name):
    for act in (folder.path, folder.read, folder.exists, folder.remove, lambda name: folder.write(name, b"")):
        with pytest.raises(ValueError, match="not a name inside the store"):
            act(name)


def test_a_write_that_fails_leaves_the_old_file_and_no_other(folder, monkeypatch):
    folder.write("a/one.bin", b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        folder.write("a/one.bin", b"new")
    assert folder.read("a/one.bin") == b"old"
    assert os.listdir(folder.path("a")) == ["one.bin"]


def test_temporary_files_are_not_seen_and_old_ones_are_removed(folder):
    folder.write("a/one.bin", b"1")
    fresh, stale = (folder.path("a") / name for name in (".fresh.tmp", ".stale.tmp"))
    for path in (fresh, stale):
        path.write_bytes(b"half")
    os.utime(stale, (0, 0))
    assert list(folder.names("a")) == ["a/one.bin"]
    assert folder.remove_stale() == 1
    assert fresh.exists()
    assert not stale.exists()


def test_quarantine_makes_absent(folder):
    folder.write("a/one.bin", b"bad")
    error = folder.quarantine("a/one.bin", "changed")
    assert "a/one.bin: changed; moved to quarantine/" in str(error)
    assert not folder.exists("a/one.bin")
    assert [folder.read(name) for name in folder.names("quarantine")] == [b"bad"]
    folder.quarantine("a/one.bin", "a second process saw it too")


def test_canonical_json():
    assert canonical_json({"b": 1, "a": [1.5, None, "é"]}) == '{"a":[1.5,null,"é"],"b":1}'
    assert content_key({"a": 1, "b": 2}) == content_key({"b": 2, "a": 1}) != content_key({"a": 1, "b": 3})
    with pytest.raises(ValueError, match="Out of range float"):
        canonical_json(float("nan"))

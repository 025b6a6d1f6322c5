"""Atomic files below one folder."""

import os

import pytest

from qre.store import Folder
from qre.store.folder import canonical_json, content_key


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "store")


def test_a_removed_folder_is_gone(folder):
    folder.write("a/b/one.bin", b"1")
    folder.remove_folder("a")
    assert not folder.path("a").exists()


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
    name = f"speeds/{'a' * 64}.json"
    folder.write(name, b"1")
    fresh, stale, others = (
        folder.path("speeds") / name for name in (f".{'a' * 32}.tmp", f".{'b' * 32}.tmp", ".editor.tmp")
    )
    for path in (fresh, stale, others):
        path.write_bytes(b"half")
    for path in (stale, others):
        os.utime(path, (0, 0))
    assert list(folder.names("speeds")) == [name]
    assert folder.remove_stale() == 1
    assert fresh.exists() and others.exists()  # that of another program is not ours to remove
    assert not stale.exists()


def test_canonical_json():
    assert canonical_json({"b": 1, "a": [1.5, None, "é"]}) == '{"a":[1.5,null,"é"],"b":1}'
    assert content_key({"a": 1, "b": 2}) == content_key({"b": 2, "a": 1}) != content_key({"a": 1, "b": 3})
    with pytest.raises(ValueError, match="Out of range float"):
        canonical_json(float("nan"))

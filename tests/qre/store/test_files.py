"""What a folder and a bucket promise alike."""

import multiprocessing
import os

import pytest

from qre.store import Store


@pytest.fixture
def files(store):
    return store.folder


def test_write_read_list_remove(files):
    files.write("a/b/one.bin", b"1")
    files.write("a/two.bin", b"2")
    files.write("a/two.bin", b"22")
    files.write("a/empty", b"")
    files.write("ab/other", b"3")
    assert files.read("a/two.bin") == b"22"
    assert files.read("a/empty") == b""
    assert list(files.names("a")) == ["a/empty", "a/two.bin", "a/b/one.bin"]
    assert files.sizes("a") == {"a/empty": 0, "a/two.bin": 2, "a/b/one.bin": 1}
    assert files.exists("a/two.bin")
    assert not files.exists("a/b")
    files.remove("a/two.bin")
    files.remove("a/two.bin")
    assert not files.exists("a/two.bin")
    assert list(files.names("a/b")) == ["a/b/one.bin"]
    files.remove_folder("a")
    files.remove_folder("a")
    assert list(files.names("a")) == []
    assert list(files.names("ab")) == ["ab/other"]


def test_what_is_absent(files):
    assert files.sizes("a") == {}
    for read in (files.read, files.open):
        with pytest.raises(FileNotFoundError, match="a/one.bin"):
            read("a/one.bin")
    files.write("a/b/one.bin", b"1")
    with pytest.raises((FileNotFoundError, IsADirectoryError)):
        files.read("a/b")


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc/passwd",
        "a/../../x",
        "",
        ".",
        "a//../b",
        "a/.hidden",
        "a\nb",
        "a/b c",
        "x" * 201,
        "a\\b",
        "~",
        "-rf",
        "a/\x00",
        "a?b",
        "a%2e",
    ],
)
def test_no_name_leaves_the_root(files, name):
    acts = [files.read, files.open, files.exists, files.remove, files.remove_folder, files.sizes]
    for act in (
        *acts,
        lambda name: list(files.names(name)),
        lambda name: files.write(name, b""),
        lambda name: files.read_many(["a", name]),
    ):
        with pytest.raises(ValueError, match="not a name inside the store"):
            act(name)


def test_many_at_once(files):
    contents = {f"hub/{number:03d}/ref.json": str(number).encode() for number in range(40)}
    files.write_many(contents)
    assert files.read_many([*contents, "hub/none", *contents]) == contents
    assert files.read_many([]) == {}


def test_a_part_of_a_file(files):
    files.write("a/one.bin", bytes(range(256)) * 1000)
    with files.open("a/one.bin") as file:
        assert file.seek(0, os.SEEK_END) == 256_000
        file.seek(1000)
        assert file.read(3) == bytes([232, 233, 234])
        assert file.tell() == 1003
        file.seek(255_999)
        assert file.read(10) == bytes([255])
        assert file.read() == b""


def test_quarantine_makes_absent(files):
    files.write("a/one.bin", b"bad")
    error = files.quarantine("a/one.bin", "changed")
    assert "a/one.bin: changed; moved to quarantine/" in str(error)
    assert not files.exists("a/one.bin")
    assert [files.read(name) for name in files.names("quarantine")] == [b"bad"]
    files.quarantine("a/one.bin", "a second process saw it too")
    assert len(list(files.names("quarantine"))) == 1


def write_often(location, start, letter, times):
    """Write one name again and again, every time the same content of one letter."""
    files = Store(location).folder
    start.wait(400)
    for _ in range(times):
        files.write("a/one.bin", letter * 300_000)


def test_two_processes_that_write_one_name(location):
    spawn = multiprocessing.get_context("spawn")  # as Ray starts its workers
    start = spawn.Barrier(3)
    writers = [spawn.Process(target=write_often, args=(location, start, letter, 15)) for letter in (b"x", b"y")]
    for writer in writers:
        writer.start()
    files, seen = Store(location).folder, set()
    start.wait(400)
    while any(writer.is_alive() for writer in writers):
        try:
            content = files.read("a/one.bin")
        except FileNotFoundError:
            continue
        assert len(content) == 300_000  # a reader sees the whole of one, never a mixture
        assert len(set(content)) == 1
        seen.add(content[:1])
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert seen <= {b"x", b"y"}
    assert list(files.names("a")) == ["a/one.bin"]

"""Snapshots: fetched once a node, whole or not at all, bounded, never removed while in use."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qre.encoders import snapshots
from qre.encoders.hub import resolve
from qre.encoders.snapshots import acquire, make_room, prefetch
from qre.encoders.spec import HubSpec
from qre.errors import EncoderError

ROOT = Path(__file__).resolve().parents[3]


def files(size: int, letter: bytes = b"x") -> dict:
    return {
        "modules.json": b"[]",
        "config.json": b"{}",
        "1_Pooling/config.json": b"{}",
        "model.safetensors": letter * size,
        "code.py": b"boom",
    }


def bodies(hub, name: str) -> int:
    """How often a file was sent."""
    return sum(1 for method, path in hub.requests if method == "GET" and path.split("?")[0].endswith(name))


def taken(hub, name: str, size: int = 3000, **options):
    hub.add(name, files=files(size))
    model = resolve(name)
    return acquire(name, model.revision, model.files, **options)


def test_what_loading_reads_and_nothing_else(hub):
    with taken(hub, "org/a") as snapshot:
        names = {path.relative_to(snapshot.path).as_posix() for path in snapshot.path.rglob("*") if path.is_file()}
    assert names == {"modules.json", "config.json", "1_Pooling/config.json", "model.safetensors"}


def test_code_only_where_it_is_trusted(hub):
    with taken(hub, "org/a", code=True) as snapshot:
        assert (snapshot.path / "code.py").read_bytes() == b"boom"


def test_a_snapshot_that_is_here_is_not_fetched_again(hub):
    taken(hub, "org/a").release()
    before = bodies(hub, "model.safetensors")
    taken_again = acquire("org/a", resolve("org/a").revision)
    taken_again.release()
    assert bodies(hub, "model.safetensors") == before


def test_a_connection_that_breaks_off_is_taken_up(hub):
    hub.cut("org/a", "model.safetensors", after=1000, times=2)
    with taken(hub, "org/a") as snapshot:
        assert (snapshot.path / "model.safetensors").read_bytes() == b"x" * 3000


def test_content_of_another_size_is_not_taken(hub):
    hub.add("org/a", files=files(3000))
    model = resolve("org/a")
    wrong = tuple((name, size + 1 if name == "model.safetensors" else size) for name, size in model.files)
    with pytest.raises(EncoderError, match="model.safetensors came broken 3 times"):
        acquire("org/a", model.revision, wrong)


def test_a_file_that_was_cut_on_disk_is_fetched_again(hub):
    taken(hub, "org/a").release()
    model = resolve("org/a")
    path = acquire("org/a", model.revision, model.files).path
    os.truncate((path / "model.safetensors").resolve(), 10)
    with acquire("org/a", model.revision, model.files) as snapshot:
        assert (snapshot.path / "model.safetensors").read_bytes() == b"x" * 3000


def test_many_use_one_snapshot_at_once(hub):
    with taken(hub, "org/a") as first:
        model = resolve("org/a")
        with acquire("org/a", model.revision, model.files) as second:
            assert second.path == first.path


def test_four_processes_fetch_once(hub, tmp_path):
    hub.add("org/a", files=files(200_000))
    hub.slow("org/a", seconds_per_megabyte=3)
    model = resolve("org/a")
    hub.requests.clear()
    script = (
        f"from qre.encoders.snapshots import acquire; acquire('org/a', {model.revision!r}, {model.files!r}).release()"
    )
    environment = {**os.environ, **hub.environment(tmp_path / "node")}
    processes = [subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, env=environment) for _ in range(4)]
    assert [process.wait(400) for process in processes] == [0] * 4
    assert bodies(hub, "model.safetensors") <= 1 + 1  # one body; the hub answers a large file with a redirect first


def test_the_least_recently_used_goes_first_and_none_in_use(hub):
    snapshots_taken = {name: taken(hub, name, 100_000) for name in ("org/a", "org/b", "org/c")}
    for name in ("org/b", "org/c"):
        snapshots_taken[name].release()
    time.sleep(0.05)  # more than a tick of the file system
    acquire("org/b", resolve("org/b").revision).release()  # used after c
    assert [name.split("@")[0] for name in make_room(250_000)] == ["org/c"]
    assert [name.split("@")[0] for name in make_room(0)] == ["org/b"]
    assert snapshots_taken["org/a"].path.is_dir()
    snapshots_taken["org/a"].release()
    assert [name.split("@")[0] for name in make_room(0)] == ["org/a"]


def test_the_bound_is_held_while_encoders_come_and_go(hub):
    for number in range(6):
        taken(hub, f"org/e{number}", 100_000, bound=250_000).release()
        size = sum(
            path.stat().st_size
            for path in snapshots.cache_folder().rglob("*")
            if path.is_file() and not path.is_symlink()
        )
        assert size <= 250_000 + 5000


def test_prefetch_leaves_its_errors_to_who_needs_it(hub):
    hub.add("org/a", files=files(3000))
    model = resolve("org/a")
    prefetch(HubSpec(id="org/a", name="a", family="a", revision=model.revision, files=model.files)).join()
    before = bodies(hub, "model.safetensors")
    acquire("org/a", model.revision, model.files).release()
    assert bodies(hub, "model.safetensors") == before > 0
    prefetch(HubSpec(id="org/none", name="a", family="a", revision="0" * 40)).join()
    with pytest.raises(EncoderError):
        acquire("org/none", "0" * 40)

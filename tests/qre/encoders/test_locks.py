"""Locks on snapshots: shared between users where the cache is shared, and to be had where it can only be read."""

import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from qre.encoders import locks
from qre.encoders.locks import FOLDER, last_used, locked, touch
from qre.errors import PlaceError

ROOT = Path(__file__).resolve().parents[3]
COMMIT = "a" * 40
HOLD = """
import fcntl, sys, tempfile
from pathlib import Path
from qre.encoders.locks import locked
with locked(Path(sys.argv[1]), "org/a", "{commit}") as lock:
    try:
        fcntl.flock(lock, {how} | fcntl.LOCK_NB)
        print("held", Path("/proc/self/fd/%d" % lock).resolve())
    except BlockingIOError:
        print("busy")
"""


def hold(cache: Path, how: str, prefix: list[str] = (), **environment) -> str:
    command = [*prefix, sys.executable, "-c", HOLD.format(how=how, commit=COMMIT), str(cache)]
    result = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=400
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.mark.parametrize(("mode", "shared"), [(0o777, True), (0o1777, True), (0o2775, True), (0o755, False)])
def test_all_who_may_write_in_the_cache_may_use_its_locks(tmp_path, mode, shared):
    cache = tmp_path / "hub"
    cache.mkdir()
    cache.chmod(mode)
    old = os.umask(0o077)
    try:
        with locked(cache, "org/a", COMMIT):
            pass
    finally:
        os.umask(old)
    (lock,) = (cache / FOLDER).iterdir()
    folder = stat.S_IMODE((cache / FOLDER).stat().st_mode)
    assert (stat.S_IMODE(lock.stat().st_mode) == 0o666) is shared
    assert (
        folder & 0o022 == mode & 0o022 and not folder & stat.S_ISVTX
    )  # in a sticky folder the kernel opens no other user's file for writing


def test_a_cache_that_can_only_be_read_has_locks(tmp_path, bound_by_rights):
    """One that stands there is taken as it is, so that its owner sees that the snapshot is in use; else it is a file of
    this user."""
    prefix, closed = bound_by_rights
    cache, own = tmp_path / "hub", tmp_path / "own"
    cache.mkdir()
    own.mkdir()
    closed(cache)
    told = hold(cache, "fcntl.LOCK_SH", prefix, TMPDIR=str(own))
    assert told.startswith(f"held {own}") and not list(cache.iterdir())
    assert stat.S_IMODE(next(own.iterdir()).stat().st_mode) == 0o700
    cache.chmod(0o755)
    with locked(cache, "org/a", COMMIT) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        closed(cache)
        assert hold(cache, "fcntl.LOCK_SH", prefix, TMPDIR=str(own)) == "busy"
        fcntl.flock(lock, fcntl.LOCK_SH)
        assert hold(cache, "fcntl.LOCK_SH", prefix, TMPDIR=str(own)) == f"held {next((cache / FOLDER).iterdir())}"


def test_where_no_lock_can_be_written_it_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(locks.tempfile, "gettempdir", lambda: str(tmp_path / "file"))
    with (
        pytest.raises(PlaceError, match="no lock can be written.*set TMPDIR"),
        locked(tmp_path / "file" / "hub", "org/a", COMMIT),
    ):
        pass


def test_a_folder_that_somebody_laid_in_the_way_is_not_used(tmp_path, monkeypatch):
    """The temporary folder is open to all: what stands there under our name, and is a link or another's, is not
    ours."""
    monkeypatch.setattr(locks.tempfile, "gettempdir", lambda: str(tmp_path))
    (tmp_path / "file").write_text("")
    (tmp_path / "elsewhere").mkdir()
    locks._own_folder(tmp_path / "file" / "hub").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PlaceError, match="belongs to another user"), locked(tmp_path / "file" / "hub", "org/a", COMMIT):
        pass
    assert not list((tmp_path / "elsewhere").iterdir())


def test_when_a_snapshot_was_used(tmp_path):
    assert last_used(tmp_path, "org/a", COMMIT) is None
    with locked(tmp_path, "org/a", COMMIT) as lock:
        os.utime(lock, (1, 1))
        assert last_used(tmp_path, "org/a", COMMIT) == 1
        touch(lock)
    assert last_used(tmp_path, "org/a", COMMIT) > 1

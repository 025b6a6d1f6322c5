"""Snapshots of encoders on this node: fetched once, however many actors ask; kept within a bound; never removed while
in use.

The cache is the hub client's own, so what other programs fetched is found. A snapshot has a lock (locks.py): who
fetches holds it exclusively, who uses the snapshot holds it shared, and who makes room takes it exclusively without
waiting. A cache that can only be read gives what it holds.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import shutil
import threading
import time
from pathlib import Path

from qre.encoders import adapters, converted_files
from qre.encoders.contents import is_code, kept
from qre.encoders.hub_problems import HubProblem, retried
from qre.encoders.locks import last_used, locked, touch
from qre.encoders.spec import HubSpec
from qre.errors import EncoderError, PlaceError, place_error

TRIES = 3  # of a download whose content came broken
POLL_SECONDS = 0.2


def cache_folder() -> Path:
    """Where snapshots are kept: the hub client's cache (HF_HUB_CACHE, HF_HOME)."""
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE)


class Snapshot:
    """A snapshot that is on this node and stays until it is released.

    Attributes:
        path: the folder.
    """

    def __init__(self, path: Path, lock: int):
        self.path, self._lock = path, lock

    def release(self) -> None:
        """Let it be removed when room is needed."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    __del__ = release

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *_) -> None:
        self.release()


def acquire(
    repository: str,
    revision: str,
    files: tuple[tuple[str, int], ...] = (),
    bound: int | None = None,
    code: bool = False,
) -> Snapshot:
    """The snapshot of an encoder at a commit, fetched if it is not here; one process of a node fetches, the others wait
    for it.

    Args:
        repository, revision: owner/name and 40-digit commit.
        files: (name, bytes) that must be there, from the hub's list.
        bound: most bytes of the cache; what was used longest ago is removed to make room. None: no bound.
        code: fetch its Python files too; only for encoders whose code the config trusts.

    Raises:
        HubProblem: it cannot be had.
        PlaceError: it is not here, and the cache cannot be written.
        EncoderError: its content came broken, again and again.
    """
    with locked(cache_folder(), repository, revision) as lock:
        for _ in range(TRIES):
            fcntl.flock(lock, fcntl.LOCK_SH)  # many may use it at once
            path = snapshot_here(repository, revision)
            if path is not None and not _broken(path, files):
                touch(lock)
                names = {name for name, _ in files}
                if names & {"config.json", adapters.CONFIG} and "modules.json" not in names:  # a plain one
                    _note_absence(path, "modules.json")
                return Snapshot(path, os.dup(lock))
            fcntl.flock(lock, fcntl.LOCK_EX)  # one fetches, when nobody uses what is left of it
            if bound is not None:
                make_room(bound - sum(size for _, size in files))
            _fetch(repository, revision, files, code)
            # from exclusive to shared is not one step: who makes room may come between, so look again
    raise EncoderError(
        f"{repository}: its snapshot was removed {TRIES} times while it was taken; raise cluster.cache_gigabytes"
    )


def prefetch(spec: HubSpec, bound: int | None = None) -> threading.Thread:
    """Begin to fetch the snapshot of an encoder, and of an adapter's base, in the background; whoever needs it waits
    for the same lock. Its errors are left to be met there."""

    def run() -> None:
        with contextlib.suppress(Exception):
            if spec.base is not None:
                acquire(*spec.base, spec.base_files, bound).release()
            acquire(spec.id, spec.revision, spec.files, bound, spec.trust_remote_code).release()

    thread = threading.Thread(target=run, daemon=True, name=f"prefetch {spec.id}")
    thread.start()
    return thread


def make_room(bytes_kept: int) -> list[str]:
    """Remove snapshots, and weights that were converted from pickles, least recently used first, until the cache holds
    at most so many bytes; never what is in use.

    Returns:
        what was removed, as repository@revision; of converted weights the revision is the pickle's sha256.
    """
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    cache = cache_folder()
    try:
        report = scan_cache_dir(cache)
    except CacheNotFound:
        return []
    revisions = {
        (repo.repo_id, revision.commit_hash): revision
        for repo in report.repos
        if repo.repo_type == "model"
        for revision in repo.revisions
    }
    made = converted_files.kept_bytes(cache)
    when = {key: revision.last_modified for key, revision in revisions.items()}
    when |= {(converted_files.FOLDER, sha256): since for sha256, (_, since) in made.items()}
    size, removed = report.size_on_disk + sum(taken for taken, _ in made.values()), []
    for key in sorted(when, key=lambda key: last_used(cache, *key) or when[key]):
        if size <= bytes_kept:
            break
        with locked(cache, *key) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # in use
                continue
            if key[0] == converted_files.FOLDER:
                freed = made[key[1]][0]
                is_gone = converted_files.remove(cache, key[1])
            else:
                strategy = report.delete_revisions(key[1])
                strategy.execute()
                freed, is_gone = strategy.expected_freed_size, not revisions[key].snapshot_path.exists()
            if is_gone:  # what is another user's stays: the client only warns
                size -= freed
                removed.append("@".join(key))
    return removed


def fetch_code(repository: str, revision: str, folder: Path) -> None:
    """Copy the Python files of a repository at a commit into a folder, and nothing else of it.

    Raises:
        HubProblem: it cannot be had.
    """
    from huggingface_hub import is_offline_mode

    with locked(cache_folder(), repository, revision) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_offline_mode():
            path = snapshot_here(repository, revision)
            if path is None or not any(path.rglob("*.py")):
                raise HubProblem(
                    repository,
                    "offline",
                    f"HF_HUB_OFFLINE is set, and its code at {revision[:8]} is not in the cache of this node",
                )
        else:  # what is here may be a part of it only
            path = retried(repository, lambda: _written(repository, revision, ["*.py"]))
        for file in sorted(path.rglob("*.py")):
            (folder / file.relative_to(path)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / file.relative_to(path))


def _download(repository: str, revision: str, patterns: list[str]) -> Path:
    from huggingface_hub import snapshot_download

    return Path(
        snapshot_download(
            repository, revision=revision, allow_patterns=patterns, cache_dir=cache_folder(), max_workers=4
        )
    )


def _written(repository: str, revision: str, patterns: list[str]) -> Path:
    """_download into the cache; a disk that does not take it is told as such."""
    try:
        return _download(repository, revision, patterns)
    except Exception as error:
        fault = place_error(error, f"the hub's cache {cache_folder()}")
        if (
            fault is None and isinstance(error, OSError) and error.errno and error.filename
        ):  # of a file, not of a request
            fault = PlaceError(
                f"the hub's cache {cache_folder()} cannot be used: {os.fsdecode(error.filename)}: {error.strerror}"
            )
        if fault is None:
            raise
        raise type(fault)(f"{fault} (HF_HOME or HF_HUB_CACHE names another)") from error


def snapshot_here(repository: str, revision: str) -> Path | None:
    """The folder of a snapshot that is in the cache, whoever fetched it; no request is made."""
    from huggingface_hub.file_download import repo_folder_name

    path = cache_folder() / repo_folder_name(repo_id=repository, repo_type="model") / "snapshots" / revision
    return path if path.is_dir() else None


def has_no(snapshot: Path, name: str) -> bool:
    """Whether the cache knows that a repository has no such file at this commit, as the hub client notes it."""
    return (snapshot.parent.parent / ".no_exist" / snapshot.name / name).is_file()


def _note_absence(snapshot: Path, name: str) -> None:
    """Note for `has_no` what the hub's list says: without the hub, a part of an encoder looks like a plain one."""
    note = snapshot.parent.parent / ".no_exist" / snapshot.name / name
    with contextlib.suppress(OSError):  # of a cache that can only be read
        note.parent.mkdir(parents=True, exist_ok=True)
        note.touch()


def _names(repository: str, revision: str, files: tuple[tuple[str, int], ...], code: bool) -> list[str]:
    """What is to be fetched: what the plan knows of, and all that counts by the hub's list now, whatever rule made the
    plan's."""
    from huggingface_hub import HfApi

    info = retried(repository, lambda: HfApi().model_info(repository, revision=revision, files_metadata=True))
    listed = {sibling.rfilename: sibling.size or 0 for sibling in info.siblings or ()}
    return sorted({name for name, _ in (*kept(listed, code=code), *files) if code or not is_code(name)})


def _fetch(repository: str, revision: str, files: tuple[tuple[str, int], ...], code: bool) -> None:
    broken, patterns = "", [glob.escape(name) for name in _names(repository, revision, files, code)]
    for _ in range(TRIES):
        path = retried(repository, lambda: _written(repository, revision, patterns))
        broken = _broken(path, files)
        if not broken:
            return
        discard(path / broken)
        time.sleep(POLL_SECONDS)
    raise EncoderError(f"{repository}@{revision[:8]}: {broken} came broken {TRIES} times")


def _broken(path: Path, files: tuple[tuple[str, int], ...]) -> str:
    """The first file that is missing or of another size; "" where all are whole."""
    for name, size in files:
        file = path / name
        if not file.is_file() or (size and file.stat().st_size != size):
            return name
    return ""


def discard(file: Path) -> None:
    """Remove a file of a snapshot and the blob that it links to, so that it is fetched anew."""
    if file.is_symlink():
        file.resolve().unlink(missing_ok=True)
    file.unlink(missing_ok=True)

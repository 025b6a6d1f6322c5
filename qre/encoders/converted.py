"""Pickled weights of an encoder whose entry consents, converted to safetensors once on a node, in a process that has no
network: see unpickling.py, and converted_files.py for where they are kept.

No pickle is ever read in a process of ours.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from qre.encoders import unpickling
from qre.encoders.converted_files import FOLDER, find, is_whole, place_for, scratch_for
from qre.encoders.folders import FolderProblem, sha256_of
from qre.encoders.hub_problems import HubProblem, printable
from qre.encoders.linked import Replacement
from qre.encoders.locks import locked, touch
from qre.encoders.pickled import INDEX, SAFE_INDEX, SHARD, safe_index, safe_name
from qre.encoders.snapshots import cache_folder, discard, make_room
from qre.encoders.spec import HubSpec, ModelSpec
from qre.errors import EncoderError, PlaceError, place_error

LONGEST = 400  # characters of why a pickle is refused: some are its own words
TRIES = 3  # to find what was converted before it is removed to make room
COPIES = 4  # a weight that has several names is written once for each
SPARE_BYTES = 2**30  # of memory, beside the tensors
SECONDS, BYTES_A_SECOND = 60, 10_000_000  # of processor time: at least, and more for a large pickle
PATIENCE = 10  # seconds of the clock for one of the processor: the disk may be slow


@dataclass
class Converted:
    """The files that stand in the place of an encoder's pickles, for `linked`; they stay until it is released.

    Attributes:
        files: name -> what stands there.
    """

    files: dict[str, Replacement] = field(default_factory=dict)
    _locks: list[int] = field(default_factory=list)

    def release(self) -> None:
        """Let them be removed when room is needed."""
        while self._locks:
            os.close(self._locks.pop())

    __del__ = release

    def __enter__(self) -> Converted:
        return self

    def __exit__(self, *_) -> None:
        self.release()


def converted(spec: ModelSpec, folder: Path, bound: int | None = None) -> Converted:
    """The converted weights of an encoder, made if they are not on this node; nothing where none of it is pickled.

    Args:
        folder: its snapshot or folder, which holds the pickles.
        bound: most bytes of the hub's cache; what was used longest ago is removed to make room. None: no bound.

    Raises:
        HubProblem, FolderProblem: "unsafe pickle": one asks for more than tensors.
        PlaceError: this node cannot convert one, or a pickle is not what was planned.
    """
    made = Converted()
    try:
        for name, sha256 in spec.pickles:
            made.files |= {name: None, safe_name(name): _taken(spec, folder, name, sha256, bound, made._locks)}
            parent, slash, file = name.rpartition("/")
            if SHARD.fullmatch(file) and parent + slash + SAFE_INDEX not in made.files:
                index = json.loads((folder / parent / INDEX).read_text(encoding="utf-8"))
                made.files |= {parent + slash + INDEX: None, parent + slash + SAFE_INDEX: json.dumps(safe_index(index))}
    except BaseException:
        made.release()
        raise
    return made


def _taken(spec: ModelSpec, folder: Path, name: str, sha256: str, bound: int | None, locks: list[int]) -> Path:
    """The file that a pickle was converted to, with the content that its name says; its lock is held shared, among
    `locks`."""
    cache = cache_folder()
    with locked(cache, FOLDER, sha256) as lock:
        for _ in range(TRIES):
            fcntl.flock(lock, fcntl.LOCK_SH)
            file = find(cache, sha256)
            if file is not None and is_whole(file):
                touch(lock)
                locks.append(os.dup(lock))
                return file
            if file is not None:
                _remove_damaged(file, name, lock)
            fcntl.flock(lock, fcntl.LOCK_EX)  # one converts, the others wait
            if find(cache, sha256) is None:
                try:
                    _convert(spec, folder / name, name, sha256, bound)
                except OSError as error:
                    raise _of_cache(error) or error from None
    raise EncoderError(f"{name}: what it was converted to was removed {TRIES} times; raise cluster.cache_gigabytes")


def _remove_damaged(file: Path, name: str, lock: int) -> None:
    """Remove a file that is not what its name says, and hold its lock exclusively.

    Raises:
        PlaceError: another pass uses it, maybe of this process, for which nobody can wait; or it cannot be removed.
    """
    told = f"what {name} was converted to was damaged in the hub's cache of this node; "
    try:
        file.unlink(missing_ok=True)
    except OSError as error:  # another user's
        raise PlaceError(f"{told}remove {file} ({error.strerror})") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise PlaceError(f"{told}it is removed, to be made again") from None


def _convert(spec: ModelSpec, pickle: Path, name: str, sha256: str, bound: int | None) -> None:
    cache, size = cache_folder(), pickle.stat().st_size
    _check_same(spec, pickle, name, sha256)
    if bound is not None:
        make_room(bound - size)
    scratch = scratch_for(cache, sha256)
    try:
        made = scratch / "weights.safetensors"
        told = _run_apart(pickle, made, size, scratch)
        if "refused" in told:
            raise _problem(spec, f"{name}: {printable(str(told['refused']), LONGEST)}")
        if "place" in told:
            raise PlaceError(f"a pickle cannot be converted here: {told['place']}")
        if "errno" in told:
            raise OSError(told["errno"], os.strerror(told["errno"]), told["file"])
        _check_same(spec, pickle, name, sha256)  # what was read is what was planned
        made.chmod(0o644)
        os.replace(made, place_for(cache, sha256, sha256_of(made)))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run_apart(pickle: Path, target: Path, size: int, scratch: Path) -> dict:
    """What unpickling.py tells of its work, in a process of its own."""
    seconds, output = SECONDS + size // BYTES_A_SECOND, COPIES * size + 2**20
    job = {
        "path": [os.path.abspath(path) for path in sys.path if path],
        "target": str(target.absolute()),
        "memory": size + 2 * output + SPARE_BYTES,
        "output": output,
        "seconds": seconds,
    }
    kept = {key: os.environ[key] for key in ("LD_LIBRARY_PATH",) if key in os.environ}  # where torch has its libraries
    environment = {
        **kept,
        "HOME": str(scratch.absolute()),
        "TMPDIR": str(scratch.absolute()),
        "LC_ALL": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    try:
        with open(pickle, "rb") as opened:
            done = subprocess.run(
                [sys.executable, "-I", "-S", "-B", os.path.abspath(unpickling.__file__)],
                input=json.dumps({**job, "pickle": opened.fileno()}).encode(),
                capture_output=True,
                env=environment,
                cwd=scratch,
                timeout=PATIENCE * seconds,
                pass_fds=(opened.fileno(),),
            )
    except subprocess.TimeoutExpired:
        raise PlaceError(
            f"{pickle.name} was not converted in {PATIENCE * seconds} s: the disk or the processor is too slow here"
        ) from None
    if done.returncode == -signal.SIGKILL:
        raise PlaceError(f"the process that converts {pickle.name} was killed: free memory on this machine")
    if done.returncode == -signal.SIGXCPU:
        return {"refused": f"took more than {seconds} s of processor time"}
    if done.returncode < 0:
        return {"refused": f"ended the process that read it ({signal.Signals(-done.returncode).name})"}
    try:
        return dict(json.loads(done.stdout))
    except (ValueError, TypeError):
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise PlaceError(f"a pickle cannot be converted here: {last[:300] or f'exit code {done.returncode}'}") from None


def _check_same(spec: ModelSpec, pickle: Path, name: str, sha256: str) -> None:
    """PlaceError where a pickle on this node is not the one that was planned."""
    if sha256_of(pickle) == sha256:
        return
    if isinstance(spec, HubSpec):
        discard(pickle)
        raise PlaceError(
            f"{name} of {spec.id} was damaged in the hub's cache of this node; it is removed, to be fetched again"
        )
    raise PlaceError(f"{pickle} is not what was planned: make it the same on all nodes, and run the same command again")


def _problem(spec: ModelSpec, detail: str) -> EncoderError:
    if isinstance(spec, HubSpec):
        return HubProblem(spec.id, "unsafe pickle", detail)
    return FolderProblem(getattr(spec, "path", spec.name), "unsafe pickle", detail)


def _of_cache(error: OSError) -> PlaceError | None:
    fault = place_error(error, f"the hub's cache {cache_folder()}")
    return None if fault is None else PlaceError(f"{fault} (HF_HOME or HF_HUB_CACHE names another)")

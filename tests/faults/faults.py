"""The faults of machines, one function each: every one runs a sweep, strikes it in the middle of its transformer, and
sees it to its end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from cluster.guard import command, descendants
from cluster.local import LocalCluster, Node
from qre.store import Store
from qre.store.shelves import SHELVES
from tests.faults.kill_sweep import Sweep
from tests.faults.recorder import Recorder, objects

PATIENCE = 400.0  # seconds for one step of a sweep, also on a machine that does much else
RUN = "ray::Embedder.run"  # the title of an actor's process while it works on a pass
OUT_OF_MEMORY = """
import ray, ray.exceptions, jobs.engine.loop
from jobs.workers.events import ChunkMade
real, killed = ray.get, []
def get(reference, **options):
    event = real(reference, **options)
    if isinstance(event, ChunkMade) and event.made == 4 and event.of > 4 and not killed:
        import time
        killed.append(print(f'struck at {time.time()}', flush=True))
        raise ray.exceptions.OutOfMemoryError('Task was killed due to the node running low on memory.')
    return event
jobs.engine.loop.ray.get = get
"""


STRAYS = (
    "features/@eaDir/x.parquet",
    "embeddings/.snapshot/x.safetensors",
    "embeddings/lost+found/x",
    "scores/.ipynb_checkpoints/x.json",
    "failures/Thumbs.db",
    "lost+found/x",
    ".snapshot/hourly/x",
    "embeddings/ab/copy.safetensors",
)


class NotHere(Exception):
    """This fault cannot be made on this machine."""


@dataclass
class Case:
    """A sweep on a cluster, what was done to it, and when.

    Attributes:
        struck: wall clock of the fault, or of the resume where the driver itself was struck.
        standing: finished artefacts that stood when the fault came.
        kept: chunks of the pass in flight that stood then.
        damaged: artefacts that were damaged on purpose.
        twice: the pass was under way twice at once, so its artefacts may be written twice.
        seconds: it took to recover, where that is not the time until the pass had begun again.
        after: what is to be undone when the case has been judged.
        expected: files of the undisturbed run's atlas, where it is another run than that of all cases.
    """

    cluster: LocalCluster
    sweep: Sweep
    recorder: Recorder
    struck: float = 0.0
    standing: set[str] = field(default_factory=set)
    kept: int = 0
    damaged: set[str] = field(default_factory=set)
    twice: bool = False
    seconds: float | None = None
    expected: dict[str, bytes] | None = None
    process: subprocess.Popen | None = None
    after: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def store(self) -> Store:
        return Store(self.sweep.store)

    def start(self, before: str = "") -> None:
        self.process = self.sweep.start(before)

    def end(self) -> int:
        """The exit code of the command."""
        return self.process.wait(PATIENCE)

    def until(self, condition: Callable):
        """What the condition gives as soon as it is true; the sweep must not have ended before."""
        end = time.monotonic() + PATIENCE
        while not (value := condition()):
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"the sweep ended, or took too long, before its fault: {self.sweep.log()[-2000:]}")
            time.sleep(0.02)
        return value

    def in_the_middle(self) -> tuple[int, Node]:
        """Waits for the middle of the transformer's pass; the process of its actor, and its node."""
        self.until(self.recorder.chunks)
        return self.until(self._actor)

    def strike(self, blow: Callable, *arguments) -> None:
        """The fault: it is marked what stands and what time it is."""
        blow(*arguments)
        self.mark()

    def mark(self) -> None:
        self.struck, self.kept = time.time(), len(self.recorder.chunks())
        self.standing = {name for name in self.recorder.seen if not name.startswith("chunks/")}

    def timeline(self) -> list[dict]:
        """Of the last run."""
        folder = self.store.folder
        names = list(folder.names("runs/kills"))
        return json.loads(folder.read(names[-1])) if names else []

    def recovered(self) -> float | None:
        """Seconds from the fault to the moment that the transformer's pass had begun again; None where it never did."""
        if self.seconds is not None:
            return self.seconds
        rows = [row for row in self.timeline() if row["slot"] == "1 CPU, 1 GPU"]
        starts = [self.recorder.began[-1] + row["started"] for row in rows]
        return next((start - self.struck for start in sorted(starts) if start > self.struck), None)

    def _actor(self) -> tuple[int, Node] | None:
        """The actor that has torch loaded, at work."""
        for node in self.cluster.workers:
            for pid in descendants([node.pid]):
                with contextlib.suppress(OSError):
                    if command(pid)[:1] == [RUN] and "libtorch" in Path(f"/proc/{pid}/maps").read_text():
                        return pid, node
        return None


def node_killed(case: Case) -> int:
    """The raylet and all its workers get SIGKILL: the machine is gone."""
    case.start()
    _, node = case.in_the_middle()
    case.strike(case.cluster.kill, node)
    return case.end()


def actor_killed(case: Case) -> int:
    """The actor's process gets SIGKILL: as where a CUDA library ends its process."""
    case.start()
    pid, _ = case.in_the_middle()
    case.strike(os.kill, pid, signal.SIGKILL)
    return case.end()


def out_of_memory(case: Case) -> int:
    """The driver hears once that the memory monitor has killed the actor (injected: the real monitor looks at the whole
    machine)."""
    case.start(OUT_OF_MEMORY)
    case.in_the_middle()
    case.mark()
    code = case.end()
    case.struck = float(re.search(r"struck at ([\d.]+)", case.sweep.log())[1])
    return code


def raylet_stopped(case: Case) -> int:
    """The raylet stops until it was declared dead, while its actor goes on; then it continues, and its pass is under
    way twice."""
    case.start()
    _, node = case.in_the_middle()
    case.twice = True
    case.strike(case.cluster.stop, node)
    try:
        case.until(lambda: "trying again" in case.sweep.log())
    finally:
        case.cluster.cont(node)
    return case.end()


def driver_killed(case: Case) -> int:
    """The driver gets SIGKILL; the same command runs again."""
    _kill_driver(case)
    case.strike(case.start)
    return case.end()


def chunks_damaged(case: Case) -> int:
    """The driver gets SIGKILL; one kept chunk is truncated and one has a flipped bit; the same command runs again."""
    _kill_driver(case)
    _quiet(case)
    cut, flipped, *_ = sorted(case.recorder.chunks())
    _truncate(Path(case.sweep.store, cut))
    _flip(Path(case.sweep.store, flipped))
    case.damaged |= {cut, flipped}
    case.strike(case.start)
    return case.end()


def artefacts_damaged(case: Case) -> int:
    """A finished sweep has lost its atlas, a feature shard has a flipped bit, of its embeddings one too, and one is
    truncated; the command runs again."""
    case.start()
    if code := case.end():
        return code
    shard = max(
        (name for name in case.recorder.look() if name.startswith("features/")), key=lambda name: len(_keys(case, name))
    )
    cut, flipped, *_ = [case.store.embeddings.name(key) for key in _keys(case, shard)]
    _truncate(Path(case.sweep.store, cut))
    for name in (flipped, shard):
        _flip(Path(case.sweep.store, name))
    case.damaged |= {cut, flipped, shard}
    case.store.folder.remove("atlases/kills/manifest.json")  # so that the features are read again
    # a pass may be run again
    case.recorder.seen = {name: marks for name, marks in case.recorder.seen.items() if not name.startswith("chunks/")}
    case.strike(case.start)
    code = case.end()
    case.seconds = time.time() - case.struck
    return code


def newer_schema(case: Case) -> int:
    """Of a finished sweep one embedding is of a newer version, its rows turned round, and its shard is gone: the
    command ends; with the right one it goes on."""
    case.start()
    if code := case.end():
        return code
    shard = max(
        (name for name in case.recorder.look() if name.startswith("features/")), key=lambda name: len(_keys(case, name))
    )
    key = _keys(case, shard)[0]
    name = case.store.embeddings.name(key)
    path, aside = Path(case.sweep.store, name), case.sweep.folder / "aside"
    embedding, record = case.store.embeddings.read(key)
    path.rename(aside)
    known = SHELVES["embeddings"]
    try:
        SHELVES["embeddings"] = replace(known, schema=known.schema + 1)
        case.store.embeddings.write(key, embedding[::-1], record)
    finally:
        SHELVES["embeddings"] = known
    case.damaged.add(shard)
    for gone in (shard, "atlases/kills/manifest.json"):
        case.store.folder.remove(gone)
    newer = path.read_bytes()
    case.strike(case.start)
    code, log = case.end(), case.sweep.log()
    case.seconds = time.time() - case.struck
    if (
        code != 2
        or f"{name} was written by a newer version" not in log
        or "Traceback" in log
        or path.read_bytes() != newer
    ):
        raise AssertionError(f"an embedding of a newer version ended the sweep with exit code {code}: {log[-2000:]}")
    aside.rename(path)
    case.recorder.seen[name] = {case.recorder.look()[name]}
    case.start()
    return case.end()


def stray_files(case: Case) -> int:
    """The driver gets SIGKILL; a file server and an editor leave their files all over the store; the same command runs
    again."""
    _kill_driver(case)
    _quiet(case)
    strays = {Path(case.sweep.store, name) for name in STRAYS}
    strays |= {
        Path(case.sweep.store, folder, "x (1).parquet")
        for folder in {name.rpartition("/")[0] for name in case.recorder.look()}
        if "chunks" not in folder
    }
    for stray in strays:
        stray.parent.mkdir(parents=True, exist_ok=True)
        stray.write_bytes(b"stray")
    case.strike(case.start)
    code, log = case.end(), case.sweep.log()
    if any(stray.read_bytes() != b"stray" for stray in strays) or "not this program's" not in log or "Traceback" in log:
        raise AssertionError(f"stray files were not left alone, or not told of: {log[-2000:]}")
    return code


def disk_full(case: Case) -> int:
    """The store's file system is full in the middle of the pass; the sweep ends; more room is given and the same
    command runs again."""
    if os.geteuid() != 0:
        raise NotHere("only root can mount a small file system")
    store = Path(case.sweep.store)
    store.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "qre", store], check=True)
    case.after.callback(subprocess.run, ["umount", store], check=True)
    case.start()
    code, log = case.end(), case.sweep.log()
    if code != 1 or "No space left on device" not in log or "Traceback" in log:
        raise AssertionError(f"a full disk ended the sweep with exit code {code}: {log[-2000:]}")
    subprocess.run(["mount", "-o", "remount,size=512m", store], check=True)
    case.strike(case.start)
    return case.end()


def spot_notice(case: Case) -> int:
    """The node is drained with a deadline, as after a cloud's notice, and goes at the deadline."""
    case.start()
    _, node = case.in_the_middle()
    drain = [
        "drain-node",
        "--address",
        case.cluster.address,
        "--node-id",
        node.id,
        "--reason",
        "DRAIN_NODE_REASON_PREEMPTION",
        "--reason-message",
        "spot",
        "--deadline-remaining-seconds",
        "2",
    ]
    program = [sys.executable, "-c", "from ray.scripts.scripts import main; main()"]
    subprocess.run([*program, *drain], check=True, capture_output=True)
    time.sleep(2)
    case.strike(case.cluster.kill, node)
    return case.end()


def store_away(case: Case) -> int:
    """The server of an object store is gone for twenty seconds; whoever waits for it goes on then, and no pass is begun
    again."""
    try:
        from tests.s3 import BUCKET, shared_server
    except ImportError as error:
        raise NotHere(str(error)) from None
    server = shared_server()
    prefix = server.location().partition(f"{BUCKET}/")[2].partition("?")[0]
    case.sweep = replace(case.sweep, store=server.location(prefix=prefix))
    case.recorder.look = lambda: objects(server.upstream, BUCKET, prefix)
    case.start()
    case.until(case.recorder.chunks)
    case.strike(server.pause)
    before = set(case.recorder.look())
    time.sleep(20)
    server.resume()
    case.until(lambda: case.recorder.look().keys() - before)
    case.seconds = time.time() - case.struck
    code = case.end()
    if lost := [row["encoder"] for row in case.timeline() if row["outcome"] != "done"]:
        raise AssertionError(f"passes were begun again: {lost}")
    return code


def reducer_too_large(case: Case) -> int:
    """`cluster.reduce_cpus` is above every node: refused before anything is embedded; mended, the same command runs.
    Its seconds are those of the refusal."""
    fits, began = case.sweep, time.time()
    case.sweep = replace(fits, cluster={**fits.cluster, "reduce_cpus": 64})
    case.start()
    code, log, seconds = case.end(), case.sweep.log(), time.time() - began
    if (
        code != 2
        or "cluster.reduce_cpus: the atlas would wait for a node with 64 CPUs for ever" not in log
        or case.recorder.look()
    ):
        raise AssertionError(
            f"a reducer that no node holds ended the sweep with exit code {code}, or was told too late: {log[-2000:]}"
        )
    case.sweep = replace(fits)
    case.strike(case.start)
    code, case.seconds = case.end(), seconds
    return code


def _kill_driver(case: Case) -> None:
    case.start()
    case.in_the_middle()
    case.process.kill()
    case.process.wait()


def _quiet(case: Case) -> None:
    """Waits until no actor works any more: Ray ends those of a driver that has gone."""
    end = time.monotonic() + PATIENCE
    while case._actor():
        assert time.monotonic() < end, "the actors of a killed driver go on"
        time.sleep(0.1)


def _keys(case: Case, shard: str) -> list[str]:
    """Of the units in a feature shard."""
    import pyarrow.parquet as pq

    return pq.read_table(Path(case.sweep.store, shard), columns=["key"])["key"].to_pylist()


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def _flip(path: Path) -> None:
    """One bit in the middle."""
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)

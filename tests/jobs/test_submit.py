"""`qre submit` on a real Ray with its dashboard: done, failing, wrong, refused, stopped and taken up again, judged by
what a user sees."""

import contextlib
import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml
from ray.dashboard.modules.job.pydantic_models import JobDetails

from cluster.guard import command
from cluster.local import LocalCluster
from jobs.config import SweepConfig
from jobs.submission.job import check_config, exit_code
from qre.errors import UserError
from qre.sentences import builtin_set
from qre.store import Store
from tests.atlas_content import content_of
from tests.faults.held import Held
from tests.faults.in_process import PATIENCE, until

pytestmark = pytest.mark.cluster
ROOT = Path(__file__).resolve().parents[2]
FEW = {"source": "catalogue", "name": "classical", "include": ["hash/word*"]}
SENTENCES = {"source": "builtin", "limit": 120}
# the cluster's image, as it were
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def head():
    """A cluster of one node, on whose disk a store may be."""
    with LocalCluster(nodes=0, head_cpus=2, dashboard=True, environment=ENVIRONMENT) as cluster:
        yield cluster


class Case:
    """A working directory with a config, and the commands on it. The store is beside it."""

    def __init__(self, folder: Path, address: str | None, *encoders: dict, **values):
        self.folder, self.address, self.work = folder, address, folder / "work"
        self.work.mkdir()
        self.values = {
            "name": "t",
            "store": str(folder / "store"),
            "export": "out",
            "sentences": SENTENCES,
            "encoders": list(encoders or (FEW,)),
            "cluster": {"shard_units": 4},
            **values,
        }
        self.store = Store(folder / "store")
        self.configure()

    def configure(self, **values) -> None:
        (self.work / "sweep.yaml").write_text(yaml.safe_dump({**self.values, **values}))

    def start(self, *words: str, environment: dict | None = None, before: str = "") -> subprocess.Popen:
        """The command in a process; `before` is Python that this runs first."""
        words = [*words, "--address", self.address] if words[0] == "submit" and "--address" not in words else words
        return subprocess.Popen(
            [sys.executable, "-c", f"{before}\nfrom jobs.cli import main; main()", *words],
            cwd=self.work,
            env={**os.environ, **ENVIRONMENT, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def qre(self, *words: str, **keywords) -> subprocess.CompletedProcess:
        process = self.start(*words, **keywords)
        out, errors = process.communicate(timeout=PATIENCE)
        assert "Traceback" not in errors, errors
        return subprocess.CompletedProcess(words, process.returncode, out, errors)

    def submit(self, *words: str, **keywords) -> subprocess.CompletedProcess:
        return self.qre("submit", "sweep.yaml", *words, **keywords)

    def embedded(self) -> dict[str, int]:
        """Embeddings in the store, and when each was written."""
        return {
            path.name: path.stat().st_mtime_ns for path in (self.folder / "store").glob("embeddings/*/*.safetensors")
        }


def job_of(text: str) -> str:
    return re.search(r"^job (\S+) on ", text, re.MULTILINE)[1]


def test_a_submitted_sweep_is_a_local_one(tmp_path, head, tiny_encoder):
    """A config that names files of the working directory: the exported atlas has the bytes of a sweep without a
    cluster."""
    folder = {"source": "folder", "path": "encoders/tiny", "family": "tiny", "pooling": "mean"}
    case = Case(
        tmp_path,
        head.dashboard,
        FEW,
        {"source": "list", "path": "list.yaml"},
        sentences={"source": "file", "path": "data/sentences.txt"},
    )
    shutil.copytree(tiny_encoder, case.work / "encoders/tiny")
    (case.work / "list.yaml").write_text(
        yaml.safe_dump([{**folder, "name": f"tiny/L{layer}", "layer": layer} for layer in (1, 2)])
    )
    (case.work / "data").mkdir()
    (case.work / "data/sentences.txt").write_text("\n".join(builtin_set(200).texts))
    local = {**case.values, "store": str(tmp_path / "local"), "export": str(tmp_path / "expected")}
    (case.work / "local.yaml").write_text(yaml.safe_dump(local))
    beside = case.start("sweep", "local.yaml")
    result = case.submit()
    assert result.returncode == 0, result.stdout + result.stderr
    assert "map of 14 encoders" in result.stdout
    assert "qre report sweep.yaml copies it to out" in result.stdout
    assert not (case.work / "out").exists()
    report = case.qre("report", "sweep.yaml")
    assert report.returncode == 0, report.stderr
    _, errors = beside.communicate(timeout=PATIENCE)
    assert beside.returncode == 0, errors
    expected = content_of(tmp_path / "expected")
    assert "atlas.html" in expected and "map.png" in expected
    assert content_of(case.work / "out") == expected


def test_failing_encoders_end_with_1(tmp_path, head):
    case = Case(
        tmp_path,
        head.dashboard,
        FEW,
        {"source": "classical", "name": "too high", "family": "f", "kind": "lsa", "rank": 5000},
    )
    result = case.submit()
    assert result.returncode == 1, result.stdout + result.stderr
    assert "map of 12 encoders" in result.stdout
    assert "rank 5000 is more than" in result.stdout
    report = case.qre("report", "sweep.yaml", "--out", "elsewhere")
    assert report.returncode == 1
    assert "rank 5000 is more than" in report.stdout
    assert (case.work / "elsewhere/map.png").is_file()


def test_a_config_that_only_the_cluster_can_judge_ends_with_2(tmp_path, head):
    case = Case(tmp_path, head.dashboard, {**FEW, "include": ["no such*"]})
    result = case.submit()
    assert result.returncode == 2, result.stdout + result.stderr
    assert "encoders[0].include: no encoder of catalogue 'classical' matches 'no such*'" in result.stdout


def test_stopped_and_submitted_again(tmp_path, head):
    """A stop keeps what is done; the next job does the rest, and only the rest. Ctrl-C leaves a job running; a dropped
    connection loses no line."""
    case = Case(tmp_path, head.dashboard, cluster={"grace_seconds": 1})
    with Held(case.work / "sweep.yaml") as held:
        following = case.start("submit", "sweep.yaml")
        first = job_of(following.stdout.readline())
        until(lambda: held.reached() and case.store.embeddings.keys() == held.others, "the others are not embedded")
        stopped = case.qre("submit", "--stop", first)
        assert (stopped.returncode, stopped.stdout.split(";")[0]) == (0, f"job {first}: stopped")
        out, errors = following.communicate(timeout=PATIENCE)
        assert following.returncode == 143, errors
        assert "qre: stopped by SIGTERM; what is done is kept" in out
        kept = case.embedded()
        assert (
            len(kept) == len(held.others) == json.loads(case.qre("status", "sweep.yaml", "--json").stdout)["units"] - 1
        )
        assert case.qre("report", "sweep.yaml").returncode == 1

        held.rearm()
        following = case.start("submit", "sweep.yaml")
        second = job_of(following.stdout.readline())
        following.send_signal(signal.SIGINT)
        _, errors = following.communicate(timeout=PATIENCE)
        assert following.returncode == 130, errors
        assert f"qre submit --follow {second} --address {head.dashboard}" in errors
        with Dropping(head.dashboard) as proxy:
            dropped = case.start("submit", "--follow", second, "--address", proxy.address)
            until(lambda: held.reached() and proxy.drops >= 2, "no connection is dropped while the job runs")
            held.release()
            out, errors = dropped.communicate(timeout=PATIENCE)
    assert dropped.returncode == 0, out + errors
    log = out.partition("\n")[2]  # the first line names the address
    assert log == case.qre("submit", "--follow", second).stdout.partition("\n")[2]  # each line once
    assert f"map of {len(kept) + 1} encoders" in out
    now = case.embedded()
    assert {name: now[name] for name in kept} == kept


class Dropping:
    """A way to the dashboard that cuts all connections every two seconds."""

    def __init__(self, address: str):
        self._target = ("127.0.0.1", int(address.rpartition(":")[2]))
        self._server = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._over = threading.Event()
        self.address, self.drops = f"http://127.0.0.1:{self._server.getsockname()[1]}", 0

    def __enter__(self):
        for work in (self._accept, self._drop):
            threading.Thread(target=work, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                pair = self._server.accept()[0], socket.create_connection(self._target)
                self._open |= set(pair)
                for one, other in (pair, pair[::-1]):
                    threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(2**16):
                other.sendall(data)
        self._close(one, other)

    def _drop(self) -> None:
        while not self._over.wait(2):
            self.drops += bool(self._open)
            self._close(*self._open)

    def _close(self, *sockets: socket.socket) -> None:
        for one in sockets:
            self._open.discard(one)
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


class Busy:
    """SIGSTOP to the dashboard of a head, for as long as the block lasts."""

    def __init__(self, cluster: LocalCluster):
        self._pids = [
            pid for pid in cluster.processes if any("dashboard/dashboard.py" in word for word in command(pid))
        ]
        assert self._pids, "no dashboard"

    def __enter__(self) -> None:
        for pid in self._pids:
            os.kill(pid, signal.SIGSTOP)

    def __exit__(self, *_) -> None:
        for pid in self._pids:
            os.kill(pid, signal.SIGCONT)


def test_a_head_that_is_busy_is_waited_for_and_one_that_dies_is_told_with_the_command_that_goes_on(tmp_path):
    with LocalCluster(nodes=0, head_cpus=1, dashboard=True, environment=ENVIRONMENT) as cluster:
        case = Case(tmp_path, cluster.dashboard)
        with Held(case.work / "sweep.yaml") as held:
            impatient = (
                "import jobs.submission.follow as f; f.ANSWER_SECONDS, f.SILENT_SECONDS, f.GONE_SECONDS = 1, 3, 3"
            )
            following = case.start("submit", "sweep.yaml", "--allow-smaller", before=impatient)
            job = job_of(following.stdout.readline())
            errors = iter(following.stderr.readline, "")
            held.wait()
            with Busy(cluster):
                told = next(line for line in errors if line.startswith("no answer of the cluster for"))
                assert f"qre submit --follow {job} --address {cluster.dashboard}" in told
            assert next(errors) == "the cluster answers again\n"
            assert following.poll() is None
            cluster.close()
            rest = "".join(errors)
    assert following.wait(PATIENCE) == 1, rest
    assert f"nobody answers at {cluster.dashboard} any more" in rest and "Traceback" not in rest
    assert f"go on:      qre submit sweep.yaml --allow-smaller --address {cluster.dashboard}" in rest


def test_refused_before_anything_is_uploaded(tmp_path, head):
    case = Case(tmp_path, head.dashboard, store="store")
    before = jobs_on(head)
    relative = case.submit()
    assert relative.returncode == 2, relative.stdout
    assert "store is written as a relative folder" in relative.stderr
    case.configure(store=str(tmp_path / "store"), sentences={"source": "file", "path": "../outside.txt"})
    (tmp_path / "outside.txt").write_text("one\ntwo\n")
    outside = case.submit()
    assert outside.returncode == 2, outside.stdout
    assert "qre: sentences.path: ../outside.txt is not in what is uploaded" in outside.stderr
    assert jobs_on(head) == before


def jobs_on(cluster: LocalCluster) -> list[str]:
    """Submission ids of all jobs that a cluster has ever had."""
    script = (
        "import sys; from ray.job_submission import JobSubmissionClient as C; print([j.submission_id for j in "
        "C(sys.argv[1]).list_jobs()])"
    )
    environment = {**os.environ, "RAY_AUTH_MODE": "token"}
    return subprocess.run(
        [sys.executable, "-c", script, cluster.dashboard], env=environment, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"store": "store"}, "store: .*store is written as a relative folder"),
        ({"store": "s3://key:secret@bucket/prefix"}, "store: no credentials in the address"),
        (
            {"cluster": {"address": "10.0.0.1:6379"}},
            "cluster.address: 10.0.0.1:6379: a submitted sweep runs on the cluster",
        ),
    ],
)
def test_configs_that_are_for_no_cluster(change, message):
    with pytest.raises(UserError, match=f"^{message}"):
        check_config(SweepConfig.model_validate({"name": "t", "store": "/shared/store", "encoders": [FEW], **change}))
    check_config(SweepConfig.model_validate({"name": "t", "store": "s3://bucket/prefix", "encoders": [FEW]}))


@pytest.mark.parametrize(
    ("status", "driver", "expected"),
    [
        ("SUCCEEDED", 0, 0),
        ("FAILED", 1, 1),
        ("FAILED", 2, 2),
        ("FAILED", -9, 137),
        ("FAILED", None, 1),
        ("STOPPED", None, 143),
    ],
)
def test_exit_codes(status, driver, expected):
    assert (
        exit_code(JobDetails(type="SUBMISSION", status=status, entrypoint="qre sweep", driver_exit_code=driver))
        == expected
    )


def test_addresses_that_do_not_serve(tmp_path, head):
    case = Case(tmp_path, head.dashboard)
    dead = case.submit("--address", "http://127.0.0.1:1")
    assert dead.returncode == 2
    assert "qre: --address: no Ray cluster answers at http://127.0.0.1:1" in dead.stderr
    wrong = case.submit(environment={"RAY_AUTH_TOKEN": "0" * 32})
    assert wrong.returncode == 2
    assert "does not take this token; set RAY_AUTH_TOKEN" in wrong.stderr
    assert len(wrong.stderr.splitlines()) == 1
    unknown = case.qre("submit", "--follow", "nobody")
    assert (unknown.returncode, "knows no job 'nobody'" in unknown.stderr) == (2, True)


def test_a_cluster_of_another_ray(tmp_path):
    class Older(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"version": "4", "ray_version": "2.40.0"}).encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Older) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        result = Case(tmp_path, f"http://127.0.0.1:{server.server_port}").submit()
        server.shutdown()
    assert result.returncode == 2
    assert "runs Ray 2.40.0, and this is for Ray 2.60" in result.stderr


@pytest.mark.parametrize("autoscaler", ["v1", "v2"])
def test_a_folder_is_no_store_where_nodes_come_and_go(tmp_path, autoscaler):
    with LocalCluster(autoscale=1, autoscaler=autoscaler, dashboard=True) as cluster:
        result = Case(tmp_path, cluster.dashboard).submit()
    assert result.returncode == 2, result.stdout
    assert f"store: {tmp_path / 'store'} is a folder, and the cluster" in result.stderr
    assert "cluster.shared_store: true" in result.stderr


def test_a_folder_is_no_store_of_two_nodes(tmp_path, head):
    """Refused, unless the config says that both see it. The last test of the head: it has two nodes from here on."""
    head.add_node()
    case = Case(tmp_path, head.dashboard)
    refused = case.submit()
    assert refused.returncode == 2, refused.stdout
    assert "is a folder, and the cluster has 2 nodes" in refused.stderr
    case.configure(cluster={"shared_store": True})
    with Held(case.work / "sweep.yaml"):
        taken = case.submit("--no-wait")
        assert taken.returncode == 0, taken.stderr
        beside = case.submit("--no-wait")
        assert beside.returncode == 2 and f"job {job_of(taken.stdout)} of this sweep has not ended" in beside.stderr
        assert f"--stop {job_of(taken.stdout)}" in beside.stderr
    assert case.qre("submit", "--follow", job_of(taken.stdout)).returncode == 0

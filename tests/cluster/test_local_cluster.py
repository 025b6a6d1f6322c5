"""The local cluster: real Ray nodes, real signals."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import ray

from cluster.guard import command, descendants, marked
from cluster.local import LocalCluster

ROOT = Path(__file__).resolve().parents[2]
L4 = {"ray.io/accelerator-type": "L4"}
# 127.0.0.1, the same in IPv6, ::1
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
pytestmark = pytest.mark.cluster


@ray.remote(num_cpus=1, num_gpus=1, label_selector=L4, max_restarts=0)
class Worker:
    def where(self) -> tuple[str, str, int]:
        """The GPU that is visible, the node, the process."""
        return os.environ["CUDA_VISIBLE_DEVICES"], ray.get_runtime_context().get_node_id(), os.getpid()


@pytest.fixture(scope="module")
def pair():
    """Two clusters side by side."""
    with ThreadPoolExecutor() as pool:
        starts = [pool.submit(LocalCluster, nodes=2, gpus=1, labels=L4), pool.submit(LocalCluster, nodes=0)]
        first, second = (start.result() for start in starts)
    with first, second:
        yield first, second


@contextlib.contextmanager
def driver(cluster: LocalCluster):
    """This process as a driver of the cluster."""
    ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
    try:
        yield
    finally:
        ray.shutdown()


def until(condition, seconds: float = 400.0):
    """What the condition gives as soon as it is true."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {seconds:g} s"
        time.sleep(0.1)
    return value


def alive() -> set[str]:
    return {node["NodeID"] for node in ray.nodes() if node["Alive"]}


def listening(pids: list[int]) -> set[str]:
    """Addresses that these processes listen on, as /proc writes them."""
    sockets = set()
    for pid in pids:
        with contextlib.suppress(
            FileNotFoundError, ProcessLookupError
        ):  # a process of the list may have ended meanwhile
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                if descriptor.is_symlink() and os.readlink(descriptor).startswith("socket:["):
                    sockets.add(os.readlink(descriptor)[8:-1])
    rows = [line.split() for file in ("tcp", "tcp6") for line in Path("/proc/net", file).read_text().splitlines()[1:]]
    return {row[1].partition(":")[0] for row in rows if row[3] == "0A" and row[9] in sockets}


def test_workers_see_the_declared_gpu_of_each_node(pair):
    first, _ = pair
    with driver(first):
        seen = ray.get([worker.where.remote() for worker in [Worker.remote() for _ in range(2)]])
    assert [gpu for gpu, _, _ in seen] == ["0", "0"]
    assert {node for _, node, _ in seen} == {node.id for node in first.workers}


def test_clusters_side_by_side_share_nothing_and_listen_on_loopback_only(pair):
    first, second = pair
    with driver(first):
        assert alive() == {node.id for node in first.nodes}
    assert (len(first.nodes), len(second.nodes)) == (3, 1)
    assert not set(first.processes) & set(second.processes)
    addresses = listening(first.processes)
    assert addresses and addresses <= LOOPBACK


def test_a_killed_node_takes_its_workers_along_and_a_stopped_one_is_given_up(pair):
    first, _ = pair
    with driver(first):
        worker = Worker.remote()
        _, identity, pid = ray.get(worker.where.remote())
        first.kill(next(node for node in first.workers if node.id == identity))
        with pytest.raises(ray.exceptions.RayActorError):
            ray.get(worker.where.remote())
        until(lambda: identity not in alive() and not Path(f"/proc/{pid}").exists())
        (other,) = first.workers
        first.stop(other)
        until(lambda: other.id not in alive())
        assert other in first.nodes
        first.cont(other)
        until(lambda: other not in first.nodes)
        added = first.add_node()
        assert ray.get(Worker.remote().where.remote())[1] == added.id


def test_closing_one_ends_all_of_it_and_nothing_else(pair):
    first, second = pair
    before = first.nodes  # workers that are not needed end by themselves
    assert second._folder.exists() and second.processes
    second.close()
    assert second.processes == [] and not second._folder.exists()
    assert len(before) > 1 and first.nodes == before


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_however_the_owner_ends(number):
    owner = subprocess.Popen(
        [sys.executable, "cluster/local.py", "--nodes", "1", "--gpus", "1", "--labels", '{"a": "b"}'],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    lines = iter(owner.stdout.readline, "")
    shown = []
    for line in lines:
        shown.append(line.strip())
        if line.startswith("Ctrl-C"):
            break
    assert shown[0] == "1 worker nodes: 1 CPUs and 1 GPUs, which are only declared"
    assert "cluster: {address: 'LOCALHOST:" in shown[1]
    mark = next(command(pid)[-3] for pid in descendants([owner.pid]) if "guard.py" in " ".join(command(pid)))
    assert {"gcs_server", "raylet"} <= {Path(words[0]).name for pid in marked(mark) if (words := command(pid))}
    owner.send_signal(number)
    assert owner.wait(400) == (-signal.SIGKILL if number == signal.SIGKILL else 143)
    until(lambda: not marked(mark))
    owner.stdout.close()


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_autoscaler_goes_from_none_to_one_and_back(version):
    with LocalCluster(gpus=1, labels=L4, autoscale=1, autoscaler=version, idle_seconds=2) as cluster:
        assert cluster.workers == []
        with driver(cluster):
            worker = Worker.remote()
            gpu, node, _ = ray.get(worker.where.remote(), timeout=400)
            assert gpu == "0" and [worker.id for worker in cluster.workers] == [node]
            ray.kill(worker)
            until(lambda: not cluster.workers)
    assert cluster.processes == []


def test_a_node_that_does_not_start_says_why():
    with pytest.raises(RuntimeError, match="did not start") as told:
        LocalCluster(nodes=0, head_cpus=-1)
    assert "CPU" in str(told.value)

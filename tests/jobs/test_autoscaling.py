"""Sweeps on a cluster that starts with no worker node: an autoscaler of Ray, the first or the second, brings nodes and
takes them away."""

import contextlib
import os
import signal
import threading
import time

import pytest
import ray

from cluster.local import LocalCluster
from jobs.engine.nodes import autoscaling
from jobs.engine.progress import Reporter
from tests.conftest import save_tiny_bert
from tests.faults.in_process import HASHED, PATIENCE, Case, given_time, pinned, until

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module", params=["v1", "v2"])
def cluster(request):
    """Up to two nodes with a GPU each, which go when they have been idle for three seconds."""
    # the second autoscaler then says at once what it can bring no node for
    known = {"RAY_enable_infeasible_task_early_exit": "true"}
    with LocalCluster(
        cpus=2, gpus=1, resources={"pin": 1}, autoscale=2, autoscaler=request.param, idle_seconds=3, environment=known
    ) as cluster:
        cluster.version = request.param
        yield cluster


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("encoders")
    for layers in (1, 2):
        save_tiny_bert(root / f"e{layers}", seed=layers, layers=layers)
    return [{"source": "folder", "path": str(root / f"e{layers}")} for layers in (1, 2)]


class Disturbing(Reporter):
    """Kills the node of e2 when it begins. e1 is held up until e2 has begun again, and e2 then until the other node has
    gone.

    Attributes:
        seen: all worker nodes that there ever were.
        most: worker nodes at once.
        alone: whether the other node has gone while e2 was still at work.
        scaled: whether nodes were thought to come.
    """

    def __init__(self, cluster, *arguments):
        super().__init__(*arguments)
        self.cluster, self.seen, self.most, self.alone, self.scaled = cluster, set(), 0, False, set()
        self._again = threading.Event()
        self._ended = threading.Event()
        threading.Thread(target=self._look).start()

    def __exit__(self, *error):
        self._ended.set()
        super().__exit__(*error)

    def started(self, attempt, event):
        super().started(attempt, event)
        self._count()
        self.scaled.add(autoscaling())
        if attempt.work.name == "e1":
            self._hold(event.pid, self._again.is_set)
        elif attempt.work.name == "e2" and attempt.number == 1:
            self.cluster.kill(next(node for node in self.cluster.workers if node.id == event.node))
        elif attempt.work.name == "e2":
            self._again.set()
            self._hold(event.pid, self._is_alone)

    def _hold(self, pid: int, until_true) -> None:
        """SIGSTOP to an actor; SIGCONT as soon as the condition is true."""
        os.kill(pid, signal.SIGSTOP)

        def wait() -> None:
            end = time.monotonic() + PATIENCE
            while not until_true() and time.monotonic() < end:
                time.sleep(0.1)
            os.kill(pid, signal.SIGCONT)

        threading.Thread(target=wait).start()

    def _is_alone(self) -> bool:
        self.alone = self.alone or len(self.cluster.workers) == 1
        return self.alone

    def _look(self) -> None:
        while not self._ended.wait(0.3):
            self._count()

    def _count(self) -> None:
        workers = {node.id for node in self.cluster.workers}
        self.seen |= workers
        self.most = max(self.most, len(workers))


def test_nodes_come_with_the_work_and_go_with_its_tail(cluster, folders, tmp_path):
    asked = {"address": cluster.address, "gpus_per_encoder": 1, "width_per_slot": 2}
    case = Case(tmp_path, [*folders, HASHED], asked, tasks=("builtin/sts", "builtin/retrieval"))
    assert cluster.workers == []
    plan = case.sweep(lambda *arguments: Disturbing(cluster, *arguments))
    assert (len(plan.on_map), len(plan.scored), plan.done) == (8, 16, True)
    until(lambda: not cluster.workers, "nodes are left")
    told, rows = case.reporter, case.rows()
    assert told.scaled == {True}
    first, again = (row for row in rows if row["encoder"] == "e2")
    (other,) = (row for row in rows if row["encoder"] == "e1")
    assert first["outcome"] != "done" == again["outcome"] == other["outcome"]
    assert len({first["node"], again["node"], other["node"]}) == 3, "the killed node was not replaced"
    assert {first["node"], again["node"], other["node"]} <= told.seen
    assert told.most == 2
    assert told.alone, "no node went while the tail was at work on the other"


def test_a_slot_that_no_node_type_holds_does_not_hang(cluster, folders, tmp_path):
    """The second autoscaler says so at once; the first says nothing, and its encoder is put aside when nothing else has
    moved for too long."""

    def check(minutes: float) -> None:
        case = Case(
            tmp_path,
            [folders[0], HASHED],
            {"address": cluster.address, "gpus_per_encoder": 8, "stall_minutes": minutes},
        )
        with (
            pinned(cluster) if cluster.version == "v1" else contextlib.nullcontext()
        ):  # what the others wait for is up already
            plan = case.sweep()
        assert (len(plan.on_map), plan.done) == (6, True)
        (failure,) = plan.failures.values()
        why = "ActorUnschedulableError" if cluster.version == "v2" else "NoCapacity"
        assert (failure.encoder, failure.exception, failure.kind) == ("e1", why, "transient")
        if cluster.version == "v1":
            assert failure.message.startswith(
                f"no node with 1 CPU, 8 GPUs in {minutes:g} min: no node is large enough for it, and none is starting"
            )

    given_time(check, 0.4) if cluster.version == "v1" else check(30)


def test_a_static_cluster_of_the_second_kind_is_known_as_such():
    """Ray's second monitor runs there too, and can bring no node. (test_nodes.py has one of the first kind.)"""
    with LocalCluster(nodes=1, environment={"RAY_enable_autoscaler_v2": "1"}) as static:
        ray.init(address=static.address, log_to_driver=False, logging_level="error")
        try:
            until(lambda: len(ray.nodes()) == 2, "the node is not there")
            assert not autoscaling()
        finally:
            ray.shutdown()

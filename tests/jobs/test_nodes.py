"""Sweeps on a real Ray of two nodes; their GPUs are only declared. Judged by the timeline, the store's files and the
log."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import ray

from cluster.guard import command
from cluster.local import LocalCluster
from jobs.config import load_config
from jobs.engine.connect import SweepError
from jobs.engine.nodes import autoscaling
from jobs.engine.progress import Reporter
from jobs.workers.embed import Embedder
from jobs.workers.featurize import ToFeaturize, featurize
from qre.features import feature_row
from qre.store import Store
from tests.conftest import save_tiny_bert
from tests.faults import faults
from tests.faults.held import Held
from tests.faults.in_process import HASHED, PATIENCE, Case, given_time, most_at_once, timeline, until, without_ray
from tests.faults.kill_sweep import Sweep
from tests.faults.table import strike, tiny_encoders

pytestmark = pytest.mark.cluster
KIND = "ray.io/accelerator-type"
QUIET = {"log_to_driver": False, "logging_level": "error"}


@pytest.fixture(scope="module")
def cluster():
    """Two nodes with a GPU each, of two kinds."""
    with LocalCluster(
        nodes=1, cpus=2, gpus=1, labels={KIND: "L4"}, environment={"RAY_metrics_report_interval_ms": "500"}
    ) as cluster:
        cluster.add_node(labels={KIND: "A100"})
        yield cluster


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Encoders of 1 to 4 layers, so that they are expected to take longer and longer."""
    root = tmp_path_factory.mktemp("encoders")
    for layers in range(1, 5):
        save_tiny_bert(root / f"e{layers}", seed=layers, layers=layers)
    return [{"source": "folder", "path": str(root / f"e{layers}")} for layers in range(1, 5)]


class Damaging(Reporter):
    """Damages every embedding on disk as soon as its pass has ended, before its features are made; and looks at the
    cluster meanwhile.

    Attributes:
        ports: where the nodes tell their metrics.
        in_flight: values of that metric when the first pass had ended.
        scaled: whether nodes were thought to come.
    """

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.ports, self.in_flight, self.scaled = (), set(), set()

    def ended(self, attempt, outcome):
        super().ended(attempt, outcome)
        self.ports = tuple(
            f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
            for node in ray.nodes()
            if node["Alive"]
        )
        # the driver tells its metrics every few seconds, and the whole sweep may be over by then: it is held up once
        if not self.in_flight:
            self.in_flight = until(
                lambda: set(metrics(self.ports, "qre_units_in_flight")), "no metric of encoders in flight"
            )
        self.scaled.add(autoscaling())
        for unit in attempt.work.units:
            flip(self._store.folder.path(self._store.embeddings.name(unit.key)))


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-5] ^= 64
    path.write_bytes(raw)


def metrics(ports: tuple[str, ...], name: str, **tags: str) -> list[float]:
    """Values of a metric of the sweep, on all nodes."""
    found = []
    for port in ports:
        with urllib.request.urlopen(port, timeout=PATIENCE) as answer:
            lines = answer.read().decode().splitlines()
        wanted = [f'{key}="{value}"' for key, value in {"sweep": "t", **tags}.items()]
        found += [
            float(line.split()[-1])
            for line in lines
            if line.startswith(f"ray_{name}{{") and all(one in line for one in wanted)
        ]
    return found


@pytest.fixture(scope="module")
def on_gpus(cluster, folders, tmp_path_factory):
    """Four encoders with a GPU each and six classical ones, on two nodes; every embedding on disk is damaged before it
    is featurized."""
    case = Case(
        tmp_path_factory.mktemp("gpus"), [*folders, HASHED], {"address": cluster.address, "gpus_per_encoder": 1}
    )
    assert len(case.sweep(Damaging).on_map) == 10
    return case


def test_each_encoder_has_one_gpu_and_a_process_of_its_own(on_gpus, cluster):
    rows = on_gpus.rows()
    mine = [row for row in rows if row["slot"] == "1 CPU, 1 GPU"]
    assert sorted(row["encoder"] for row in mine) == ["e1", "e2", "e3", "e4"]
    assert {row["outcome"] for row in rows} == {"done"}
    assert [row["gpus"] for row in mine] == [["0"]] * 4
    assert len({row["pid"] for row in mine}) == 4
    assert not {row["pid"] for row in mine} & {row["pid"] for row in rows if row not in mine}
    assert {row["node"] for row in mine} == {node.id for node in cluster.workers}
    for node in cluster.workers:
        here = sorted((row["started"], row["ended"]) for row in mine if row["node"] == node.id)
        assert all(before[1] <= after[0] for before, after in pairwise(here)), "two encoders on one GPU"


def test_the_longest_go_first_and_no_more_than_the_cluster_holds(on_gpus):
    rows = [row for row in on_gpus.rows() if row["gpus"]]
    assert len({row["expected"] for row in rows}) == 4
    assert most_at_once(rows) == 2
    for row in rows:
        assert all(later["expected"] < row["expected"] for later in rows if later["asked"] > row["asked"] + 0.1), (
            "not the longest first"
        )


def test_classical_encoders_hold_no_gpu_and_share_processes(on_gpus):
    rows = on_gpus.rows()
    classical = [row for row in rows if row["encoder"].startswith("hash/")]
    assert [row["gpus"] for row in classical] == [[]] * 6
    assert len({row["pid"] for row in classical}) <= 4 < len(classical)  # the two nodes have four CPUs
    assert min(row["asked"] for row in classical) > max(row["asked"] for row in rows if row["gpus"]) - 0.01


def test_features_come_from_embeddings_by_reference(on_gpus, tmp_path):
    """What was on disk is damaged, and nobody has read it: the features are the right ones, and nothing is in
    quarantine."""
    assert list(on_gpus.store.folder.names("quarantine")) == []
    assert on_gpus.store.atlases.read("t", "features.parquet") == without_ray(on_gpus.config, tmp_path)


def test_metrics_stand_on_the_port_of_a_node(on_gpus):
    ports = on_gpus.reporter.ports
    until(lambda: metrics(ports, "qre_phase_seconds_count", phase="reduce") == [1.0], "the last that is told")
    assert metrics(ports, "qre_units_done_total") == [10.0]
    size = sum(4 * 400 * d for d in [32] * 4 + [256, 512, 1024] * 2)
    assert metrics(ports, "qre_embedding_bytes_total") == [pytest.approx(size, rel=1e-4)]  # it is told with six digits
    assert metrics(ports, "qre_sentences_embedded_total") == [10 * 400.0]
    counts = {
        phase: metrics(ports, "qre_phase_seconds_count", phase=phase) for phase in ("load", "encode", "write", "reduce")
    }
    assert counts == {"load": [10.0], "encode": [14.0], "write": [10.0], "reduce": [1.0]}
    assert metrics(ports, "qre_phase_seconds_count", phase="featurize")[0] >= 1
    assert metrics(ports, "qre_units_failed_total") == metrics(ports, "qre_attempts_lost_total") == []
    assert on_gpus.reporter.in_flight & {1.0, 2.0, 3.0, 4.0}


def test_a_cluster_without_an_autoscaler_is_known_as_such(on_gpus):
    assert on_gpus.reporter.scaled == {False}


class Together(Reporter):
    """Passes that are held until all of them have begun."""

    def __init__(self, held: dict[str, Held], *arguments):
        super().__init__(*arguments)
        self._held, self._begun = held, set()

    def started(self, attempt, event):
        super().started(attempt, event)
        self._begun.add(attempt.work.name)
        if self._held.keys() <= self._begun:
            for one in self._held.values():
                one.release()


def test_slots_go_where_their_labels_are_and_what_no_node_holds_is_told(cluster, folders, tmp_path):
    """Two small encoders share the GPU of one kind of node, a middle one takes the other kind, a large one asks for
    what is nowhere."""
    slots = [
        {"up_to_gigabytes": 1.2, "gpus": 1, "share": 2, "labels": {KIND: "L4"}},
        {"up_to_gigabytes": 2, "gpus": 1, "labels": {KIND: "A100"}},
        {"gpus": 8},
    ]
    encoders = [*folders[:2], {**folders[2], "token_budget": 8000}, {**folders[3], "token_budget": 30000}, HASHED]
    case = Case(tmp_path, encoders, {"address": cluster.address, "slots": slots, "stall_minutes": PATIENCE / 60})
    with Held(case.config, name="e1") as first, Held(case.config, name="e2") as second:
        plan = case.sweep(lambda *arguments: Together({"e1": first, "e2": second}, *arguments))
    rows = {row["encoder"]: row for row in case.rows()}
    l4, a100 = (node.id for node in cluster.workers)
    first, second, alone = rows["e1"], rows["e2"], rows["e3"]
    assert first["node"] == second["node"] == l4
    assert alone["node"] == a100
    assert first["gpus"] == second["gpus"] == ["0"] and first["pid"] != second["pid"]
    assert max(first["started"], second["started"]) < min(first["ended"], second["ended"]), (
        "the two did not share the GPU"
    )
    assert "e4" not in rows
    (failure,) = case.store.failures.read_all().values()
    assert (failure.encoder, failure.exception, failure.kind) == ("e4", "NoNodeHoldsIt", "transient")
    assert "no node of this cluster has 1 CPU, 8 GPUs" in failure.message
    assert len(plan.on_map) == 9
    told = case.said.getvalue().index("failed: e4: NoNodeHoldsIt")
    assert told < case.said.getvalue().index("map: begins"), "told at the end only"


def test_the_driver_holds_no_embedding_and_keeps_to_its_width(cluster, tmp_path):
    """246 MB of embeddings, several times what the nodes may hold by reference: the driver grows by a small part of
    them."""
    encoders = [
        {"source": "catalogue", "name": "classical", "include": ["hash/word*/d1024", "hash/char_wb3-3/*/d1024"]}
    ]
    cli = Sweep(tmp_path, encoders, 10_000, cluster={"address": cluster.address, "width_per_slot": 1})
    process = cli.start()
    until(lambda: "encoders 0 of 6" in cli.log() or process.poll() is not None, "the sweep does not begin")
    before = most = memory(process.pid)
    while process.poll() is None:
        most = max(most, memory(process.pid))
        time.sleep(0.05)
    assert process.returncode == 0, cli.log()
    total = sum(path.stat().st_size for path in Path(cli.store).glob("embeddings/*/*"))
    assert total > 240e6
    assert before and most - before < total / 4, f"the driver grew by {(most - before) / 1e6:.0f} MB"
    rows = timeline(Store(cli.store), "kills")
    assert len(rows) == 6 and most_at_once(rows) == 1


def memory(pid: int) -> int:
    """The most that a process has held, in bytes; 0 when it has gone."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0


def test_an_embedding_whose_node_has_gone_is_read_from_the_store(cluster, tmp_path):
    case = Case(tmp_path, [HASHED], {"address": cluster.address})
    plan = case.plan()
    case.store.sentences.write(plan.sentences.fingerprint, plan.sentences.to_table())
    ray.init(address=cluster.address, **QUIET)
    try:
        node = cluster.add_node(resources={"doomed": 1})
        actor = Embedder.options(num_cpus=1, resources={"doomed": 1}).remote(case.store.location, 1, 0)
        references = {}
        for work in plan.passes[:3]:
            *_, references[work.units[0].key] = actor.run.options(num_returns="streaming").remote(
                work, plan.sentences.fingerprint, case.config.encode
            )
        cluster.kill(node)
        units = [ToFeaturize(key, key) for key in references]
        made = featurize.options(num_cpus=1).remote(
            case.store.location, units, dict(references), {"m": case.config.features}, 1
        )
        *_, ended = [ray.get(event, timeout=PATIENCE) for event in made]
        assert {result.status for result in ended.result} == {"done"}
        for reference in references.values():
            with pytest.raises(ray.exceptions.RayError):
                ray.get(reference, timeout=10)
    finally:
        ray.shutdown()
    table = case.store.features.read("m", references)
    for key, feature in zip(references, table["feature"].to_pylist(), strict=True):
        assert np.array_equal(
            feature, feature_row(case.store.embeddings.read(key)[0], case.config.features, key).feature
        )


@pytest.mark.skipif(
    os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"]).returncode != 0, reason="needs a mount namespace"
)
def test_a_node_that_sees_another_store_ends_the_sweep(cluster, folders, tmp_path, monkeypatch):
    store, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    store.mkdir()
    elsewhere.write_text(
        f'#!/bin/sh\nexec unshare -m sh -c \'mount -t tmpfs none {store} && exec {sys.executable} "$@"\' sh "$@"\n'
    )
    elsewhere.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(elsewhere))
        node = cluster.add_node(labels={KIND: "elsewhere"})
    try:
        slots = [{"gpus": 1, "labels": {KIND: "elsewhere"}}]
        case = Case(tmp_path, [folders[0], HASHED], {"address": cluster.address, "slots": slots})
        with pytest.raises(SweepError, match=rf"does not see the store {store}: give a store that all nodes see"):
            case.sweep()
    finally:
        cluster.kill(node)


class Stopping(Reporter):
    """SIGSTOP to the actor of the first pass as soon as it has begun."""

    stopped: int | None = None

    def started(self, attempt, event):
        super().started(attempt, event)
        if self.stopped is None:
            self.stopped = event.pid
            os.kill(event.pid, signal.SIGSTOP)


def test_an_actor_that_says_nothing_is_ended_and_its_pass_tried_again(cluster, tmp_path):
    """Also with a width of 1, where nothing else moves meanwhile."""

    def check(minutes: float) -> None:
        asked = {"address": cluster.address, "width_per_slot": 1, "stall_minutes": minutes, "attempts": 9}
        case = Case(tmp_path / str(minutes), [HASHED], asked)
        try:
            assert len(case.sweep(Stopping).on_map) == 6
            rows = case.rows()
            assert (rows[0]["pid"], rows[0]["outcome"]) == (case.reporter.stopped, "TimeoutError")
            again = [row for row in rows[1:] if row["encoder"] == rows[0]["encoder"]]
            assert again[-1]["outcome"] == "done"
            assert all(row["pid"] != case.reporter.stopped for row in rows[1:])
            assert (
                f"no sign of life for {minutes:g} min; its actor is ended; trying again (2 of 9)"
                in case.said.getvalue()
            )
            until(lambda: not command(case.reporter.stopped), "the stopped process is still there")
        finally:
            if case.reporter.stopped and command(case.reporter.stopped):
                os.kill(case.reporter.stopped, signal.SIGKILL)

    given_time(check, 0.25)


class Occupying(Reporter):
    """Before the first pass begins, others hold all CPUs of the cluster."""

    def begin(self, phase):
        if phase != "encoders":
            return

        class Other:
            def holds(self) -> bool:
                return True

        super().begin(phase)
        self.others = [ray.remote(Other).options(num_cpus=2).remote() for _ in range(2)]
        assert ray.get([other.holds.remote() for other in self.others]) == [True, True]


def test_a_sweep_in_which_nothing_moves_ends_and_says_what_it_waits_for(cluster, tmp_path):
    case = Case(tmp_path, [HASHED], {"address": cluster.address, "stall_minutes": 0.05})
    why = "the nodes that hold it are busy, or it is starting there"
    with pytest.raises(
        SweepError,
        match=rf"nothing has moved for 0.05 min \(cluster.stall_minutes\):\n  hash/.*: waits for a node with 1 CPU: "
        rf"{why}\n",
    ):
        case.sweep(Occupying)


def node_killed(case: faults.Case) -> int:
    """As the fault of that name; its pass is held in the middle until then, and all others have ended."""
    with Held(case.sweep.folder / "config.yaml", chunk=9, name="tiny/L1") as held:
        case.start()
        case.until(
            lambda: (
                held.reached()
                and case.store.embeddings.keys() == held.others
                and list(case.store.folder.names("features"))
            )
        )
        case.until(lambda: not any(command(pid)[:1] == ["ray::featurize"] for pid in case.cluster.processes))
        _, node = case.in_the_middle()
        case.strike(case.cluster.kill, node)
    return case.end()


def test_a_killed_node_costs_no_more_than_the_chunk_in_flight(cluster, tmp_path):
    """The last test of this cluster: the node that comes instead is of the first kind."""
    asked = {"address": cluster.address, "gpus_per_encoder": 1, "shard_units": 6}
    cli = Sweep(
        tmp_path / "struck", [*tiny_encoders(tmp_path / "tiny"), HASHED], 2000, chunk_sentences=8, cluster=asked
    )
    expected = without_ray(load_config(cli.folder / "config.yaml"), tmp_path / "undisturbed")
    row = strike("node killed", node_killed, cli, cluster, {"features.parquet": expected})
    assert row.problems == ()
    assert (row.lost, row.again) == (0, 0)
    assert row.kept > 3
    assert "going on after chunk" in cli.log()

"""What waits for a node, or hangs, in any stage of a sweep on a real Ray: told, ended, tried again, put aside; nothing
hangs in silence."""

import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest
import ray

from cluster.guard import command
from cluster.local import LocalCluster
from jobs.engine.connect import SweepError
from jobs.engine.progress import Reporter
from jobs.workers.beats import BEAT_SECONDS, Beat, Begun, Ended, beating
from jobs.workers.embed import embed_pass
from qre.errors import UserError
from tests.faults.held import Unopened
from tests.faults.in_process import HASHED, PATIENCE, Case, given_time, pinned, until
from tests.refusing_provider import CODE

pytestmark = pytest.mark.cluster
STORE_BYTES = 100 * 2**20
TYPES = {
    "small": {"resources": {"CPU": 1, "pin": 1, "object_store_memory": STORE_BYTES}},
    "large": {"resources": {"CPU": 2, "object_store_memory": STORE_BYTES}},
    "spot": {"resources": {"CPU": 1, "GPU": 1, "object_store_memory": STORE_BYTES}, "labels": {"market": "spot"}},
    "on-demand": {
        "resources": {"CPU": 1, "GPU": 1, "object_store_memory": STORE_BYTES},
        "labels": {"market": "on-demand"},
    },
}
SPOT, ON_DEMAND = ({"gpus": 1, "labels": {"market": market}} for market in ("spot", "on-demand"))


@pytest.fixture(scope="module")
def static():
    """One node of two CPUs, and no autoscaler."""
    with LocalCluster(nodes=1, cpus=2) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def scaled():
    """No node at first; types of nodes that state no memory; of the type `spot` the cloud gives none."""
    provider = {"module": "tests.refusing_provider.RefusingProvider", "refused": ["spot"]}
    path = {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with LocalCluster(autoscale=2, node_types=TYPES, provider=provider, idle_seconds=3, environment=path) as cluster:
        yield cluster


@pytest.fixture
def up(scaled):
    """A small node is up all along: only what waits for another type is put aside."""
    with pinned(scaled):
        yield scaled


class TestWithoutAutoscaler:
    @pytest.mark.parametrize("setting", ["reduce_cpus", "cpus_per_encoder"])
    def test_what_no_node_can_hold_is_refused_before_the_work(self, static, tmp_path, setting):
        case = Case(tmp_path, [HASHED], {"address": static.address, setting: 3})
        with pytest.raises(
            UserError, match=rf"^cluster.{setting}: .* waits? .*3 CPUs.*: the largest node of this cluster has 2 CPUs"
        ) as refused:
            case.sweep()
        assert "\n" not in str(refused.value)
        assert case.store.embeddings.keys() == set()

    def test_a_node_that_joins_while_the_sweep_begins_is_waited_for(self, tmp_path):
        with LocalCluster(nodes=0, cpus=2) as cluster:
            joins = threading.Thread(target=cluster.add_node)
            joins.start()
            try:
                assert len(Case(tmp_path, [HASHED], {"address": cluster.address}).sweep().on_map) == 6
            finally:
                joins.join()

    def test_a_stopped_reducer_is_ended_and_the_atlas_made_again(self, static, tmp_path):
        def check(minutes: float) -> None:
            case = Case(tmp_path / str(minutes), [HASHED], {"address": static.address, "stall_minutes": minutes})
            sentences = case.store.folder.path(f"sentences/{case.plan().sentences.fingerprint}.parquet")
            plan = case.sweep(lambda *arguments: StoppingReducer(static, sentences, *arguments))
            assert (len(plan.on_map), plan.done) == (6, True)
            told = (
                f": no sign of life for {minutes:g} min (cluster.stall_minutes); its process is ended: atlas: on node"
            )
            assert told in case.said.getvalue()
            until(lambda: not command(case.reporter.stopped), "the stopped process is still there")

        given_time(check, 0.3)

    def test_a_hanging_feature_task_costs_its_own_units_alone(self, static, tmp_path):
        """An embedding is a file that does not open, as on a dead mount: the process lives and does nothing."""
        made = Case(tmp_path, [HASHED], {"address": static.address})
        made.store.sentences.write(made.plan().sentences.fingerprint, made.plan().sentences.to_table())
        for work in made.plan().passes:
            list(embed_pass(made.store, work, made.plan().sentences, made.config.encode, device="cpu"))

        def check(minutes: float) -> None:
            case = Case(
                tmp_path,
                [HASHED],
                {"address": static.address, "shard_units": 1, "stall_minutes": minutes, "attempts": 2},
            )
            unit, *others = case.plan().units
            for name in (
                *case.store.folder.names("features"),
                *case.store.folder.names("atlases"),
                *case.store.folder.names("failures"),
            ):
                case.store.folder.remove(name)
            embedding = case.store.folder.path(case.store.embeddings.name(unit.key))
            plan = case.sweep(lambda *arguments: Unreadable(embedding, *arguments))
            assert {one.key for one in plan.on_map} == {one.key for one in others}
            (failure,) = plan.failures.values()
            assert (failure.encoder, failure.exception, failure.kind) == (unit.spec.name, "TimeoutError", "transient")
            assert re.search(
                rf"features of 1 encoder: node \w+ \(.*\): TimeoutError: no sign of life for {minutes:g} min",
                case.said.getvalue(),
            )

        given_time(check, 0.2)

    def test_a_process_that_computes_is_told_from_one_that_hangs(self, static):
        def working(hangs: bool):
            def work(tell) -> str:
                end = time.monotonic() + 2.5 * BEAT_SECONDS
                while time.monotonic() < end or (
                    not hangs and time.thread_time() < 1
                ):  # on a machine that is busy it is given time to compute
                    if hangs:
                        time.sleep(1)
                return "done"

            yield from beating(work, 1)

        ray.init(address=static.address, log_to_driver=False, logging_level="error")
        try:
            for hangs, told in [(hangs, ray.remote(working).remote(hangs)) for hangs in (False, True)]:  # side by side
                begun, *beats, ended = [ray.get(event, timeout=PATIENCE) for event in told]
                assert isinstance(begun, Begun) and ended == Ended("done")
                assert Beat(works=not hangs) in beats
        finally:
            ray.shutdown()


class TestWithAutoscaler:
    def test_the_atlas_is_made_where_no_node_type_states_its_memory(self, scaled, tmp_path):
        case = Case(tmp_path, [HASHED], {"address": scaled.address, "reduce_cpus": 2, "width_per_slot": 1})
        plan = case.sweep()
        assert (len(plan.on_map), plan.done) == (6, True)
        assert "it asks for the CPUs alone" in case.said.getvalue()

    def test_an_atlas_or_features_that_no_node_type_can_hold_are_told_at_once(self, scaled, tmp_path):
        """Not by the limit on stalls, which is 30 minutes."""
        case = Case(tmp_path, [HASHED], {"address": scaled.address, "reduce_cpus": 64, "width_per_slot": 1})
        why = (
            r"no node for the atlas, which asks for 64 CPUs \(cluster.reduce_cpus\): no available node type can "
            r"fulfill it; .*All features are kept"
        )
        with pytest.raises(SweepError, match=why):
            case.sweep()
        assert len(case.plan().on_map) == 6
        assert "atlas: waits for a node with 64 CPUs" in case.said.getvalue()
        for name in case.store.folder.names("features"):
            case.store.folder.remove(name)
        again = Case(tmp_path, [HASHED], {"address": scaled.address, "cpus_per_encoder": 64, "width_per_slot": 1})
        with pytest.raises(
            SweepError, match=r"^features of 6 encoders: no node with 64 CPUs: no available node type can fulfill it$"
        ):
            again.sweep()

    def test_one_encoder_without_capacity_does_not_withhold_the_map_of_the_others(self, up, tiny, tmp_path):
        """It is put aside with the cloud's own word, and the next sweep tries it again: then on demand, since spot
        still gives nothing."""
        asked = {"address": up.address, "width_per_slot": 1, "fallback_minutes": 0.1}

        def check(minutes: float) -> None:
            case = Case(tmp_path, [tiny, HASHED], {**asked, "stall_minutes": minutes, "slots": [SPOT]})
            plan = case.sweep()
            assert (len(plan.on_map), plan.done) == (6, True)
            (failure,) = plan.failures.values()
            assert (failure.encoder, failure.exception, failure.kind) == ("e1", "NoCapacity", "transient")
            assert "0 of " in failure.message and "launched (spot): " in failure.message and CODE in failure.message

        given_time(check, 0.4)
        again = Case(tmp_path, [tiny, HASHED], {**asked, "stall_minutes": 5, "slots": [SPOT, ON_DEMAND]})
        plan = again.sweep()
        assert (len(plan.on_map), plan.done, plan.failures) == (7, True, {})
        (row,) = (row for row in again.rows() if row["encoder"] == "e1")
        assert row["slot"] == "1 CPU, 1 GPU, market=on-demand"
        assert "it asks for its next slot" in again.said.getvalue()

    def test_where_everything_waits_for_capacity_the_sweep_ends_with_the_reason(self, scaled, tiny, tmp_path):
        others = [
            {**tiny, "name": f"e/{layer}", "layer": layer, "pooling": "mean", "prompt": str(layer)} for layer in (0, 1)
        ]
        more = [{**tiny, "name": f"p/{prompt}", "prompt": prompt} for prompt in ("a", "b")]

        def check(minutes: float) -> None:
            case = Case(
                tmp_path,
                [*others, *more],
                {"address": scaled.address, "slots": [SPOT], "width_per_slot": 2, "stall_minutes": minutes},
            )
            why = (
                rf"nothing has moved for {minutes:g} min .*\n(.*\n)*  .*: waits for a node with .*market=spot: "
                rf".*launched \(spot\): .*{CODE}"
            )
            with pytest.raises(SweepError, match=why):
                case.sweep()

        given_time(check, 0.4)

    def test_an_encoder_that_no_node_type_can_hold_is_put_aside(self, up, tiny, tmp_path):
        def check(minutes: float) -> None:
            case = Case(
                tmp_path,
                [tiny, HASHED],
                {"address": up.address, "gpus_per_encoder": 8, "width_per_slot": 1, "stall_minutes": minutes},
            )
            plan = case.sweep()
            assert (len(plan.on_map), plan.done) == (6, True)
            (failure,) = plan.failures.values()
            assert (failure.encoder, failure.kind) == ("e1", "transient")
            assert "no available node type can fulfill it" in failure.message

        given_time(check, 0.4)


class Unreadable(Reporter):
    """After the plan, and until its encoder has failed, a file of the store does not open."""

    def __init__(self, path: Path, *arguments):
        super().__init__(*arguments)
        self._file, self._failed = Unopened(path), False

    def __exit__(self, *error):
        self._file.put_back()
        super().__exit__(*error)

    def begin(self, phase):
        super().begin(phase)
        if phase == "encoders" and not self._failed:
            self._file.close()

    def say(self, text):
        super().say(text)
        if text.startswith("failed: "):
            self._failed = True
            self._file.put_back()


class StoppingReducer(Reporter):
    """SIGSTOP to the first process that makes the atlas, as soon as it tells what it does; it does not come to its end
    before, since the sentences do not open."""

    def __init__(self, cluster, sentences: Path, *arguments):
        super().__init__(*arguments)
        self.cluster, self.stopped, self._sentences = cluster, None, Unopened(sentences)

    def __exit__(self, *error):
        self._sentences.put_back()
        super().__exit__(*error)

    def begin(self, phase):
        super().begin(phase)
        if phase == "atlas" and self.stopped is None:
            self._sentences.close()
        elif phase == "atlas":
            self._sentences.put_back()
        if phase.startswith("atlas: ") and self.stopped is None:
            self.stopped = next(pid for pid in self.cluster.processes if command(pid)[:1] == ["ray::reduce"])
            os.kill(self.stopped, signal.SIGSTOP)

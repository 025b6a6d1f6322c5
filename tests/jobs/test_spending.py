"""Money and time of a sweep, on a real Ray whose GPUs are only declared: what is counted, and where the sweep stops."""

import json
import os
import shutil
import signal
import time
from datetime import datetime, timedelta, timezone

import pytest
from typer.testing import CliRunner

from cluster.local import LocalCluster
from jobs.cli import app
from jobs.engine.connect import AtLimit, SweepError
from jobs.engine.outcome import BUDGET, DEADLINE
from jobs.engine.progress import Reporter
from jobs.records.spending import UNKNOWN, read_spent
from qre.encoders.passes import EncodeSettings
from qre.store import Store
from tests.faults.held import Held
from tests.faults.in_process import HASHED, PATIENCE, Case, timeline, until
from tests.faults.kill_sweep import Sweep

pytestmark = pytest.mark.cluster
KIND = "ray.io/accelerator-type"
L4 = [{"gpus": 1, "labels": {KIND: "NVIDIA-L4"}}]
PLAIN = [{"gpus": 1, "labels": {"plain": "yes"}}]


@pytest.fixture(scope="module")
def cluster():
    """Two nodes with a GPU each: of one the type is told, of the other not."""
    with LocalCluster(nodes=1, cpus=2, gpus=1, labels={KIND: "NVIDIA-L4"}) as cluster:
        cluster.add_node(labels={"plain": "yes"})
        yield cluster


@pytest.fixture(scope="module")
def made(cluster, tiny, tmp_path_factory):
    """The store of a sweep without GPUs that is done: seven encoders, each in a feature shard of its own."""
    case = Case(tmp_path_factory.mktemp("made"), [HASHED, tiny], {"address": cluster.address, "shard_units": 1})
    assert len(case.sweep().on_map) == 7
    return case


@pytest.fixture
def begun(made, tiny, cluster, tmp_path):
    """Of a copy of it, in which e1 is still to do, a sweep on the GPU; the finished map is there where `finished`."""

    def begin(finished: bool = False, **settings) -> Case:
        shutil.copytree(made.store.location, tmp_path / "store")
        case = Case(tmp_path, [HASHED, tiny], {"address": cluster.address, "slots": L4, "grace_seconds": 0, **settings})
        (key,) = (unit.key for unit in case.plan().units if unit.spec.name == "e1")
        case.store.folder.remove(case.store.embeddings.name(key))
        for name in list(case.store.folder.names("features")):
            if key in case.store.folder.read(name).decode("latin-1"):
                case.store.folder.remove(name)
        if not finished:
            case.store.folder.remove_folder("atlases")
        plan = case.plan()
        assert [work.name for work in plan.passes] == ["e1"] and len(plan.on_map) == 6
        return case

    return begin


def spent_before(store: Store, seconds: float) -> None:
    """By a run of the same sweep that was killed."""
    store.spending.write(
        "t", "20200101T000000Z-killed", {"ended": False, "gpu_seconds": {"L4": seconds - 10}, "reserved": {"L4": 10.0}}
    )


def test_gpu_time_is_counted_by_type_and_told_in_money(cluster, tiny, tmp_path):
    """In the closing words, the status, and the manifest; a shared GPU counts by its share."""
    settings = {"address": cluster.address, "slots": [{**L4[0], "share": 2}], "prices": {"L4": 3600}}
    cli = Sweep(tmp_path, [tiny, HASHED], 200, cluster=settings)
    store = Store(cli.store)
    with Held(tmp_path / "config.yaml", name="e1"):
        process = cli.start()
        (first,) = until(
            lambda: [record for record in store.spending.read("kills")[0].values() if record["reserved"]],
            "no record of spending",
        )
        assert first["reserved"] == {"L4": 10.0 / 2}
    assert process.wait(PATIENCE) == 0, cli.log()
    (row,) = (row for row in timeline(store, "kills") if row["gpus"])
    spent = read_spent(store, "kills")
    assert set(spent.gpu_seconds) == {"L4"}
    assert first["gpu_seconds"]["L4"] < spent.gpu_seconds["L4"] <= (row["ended"] - row["asked"]) / 2 + 0.01
    shown = CliRunner().invoke(app, ["status", str(tmp_path / "config.yaml"), "--json"])
    told = json.loads(shown.output)["spent"]
    assert told["cost"] == pytest.approx(spent.gpu_seconds["L4"], abs=0.01)
    assert told["gpu_hours"] == pytest.approx(told["cost"] / 3600, abs=1e-4)
    line = f"spent: {spent.hours:.2f} GPU hours (L4 {spent.hours:.2f}), {told['cost']:.2f} by cluster.prices"
    assert line in cli.log()
    assert line in CliRunner().invoke(app, ["status", str(tmp_path / "config.yaml")]).output
    assert store.atlases.manifest("kills")["spent"] == told


class Killing(Reporter):
    """SIGKILL to the first actor on a GPU, as soon as it has begun; the one after it goes on when some time is over."""

    held: Held
    held_seconds = 0.5

    def started(self, attempt, event):
        super().started(attempt, event)
        if event.gpus and attempt.number == 1:
            os.kill(event.pid, signal.SIGKILL)
        elif event.gpus:
            time.sleep(self.held_seconds)
            self.held.release()


def test_attempts_that_are_lost_are_counted(begun):
    case = begun()
    with Held(case.config) as Killing.held:
        case.sweep(Killing)
    first, second = (row for row in case.rows() if row["gpus"])
    assert first["outcome"] != "done" and second["outcome"] == "done"
    assert read_spent(case.store, "t").gpu_seconds["L4"] > first["ended"] - first["started"] + Killing.held_seconds


def test_a_run_that_is_killed_is_counted_by_the_next(cluster, tiny, tmp_path):
    """SIGKILL to all of it while a GPU is held: what it had held stands in the store, and the next run adds to it."""
    settings = {"address": cluster.address, "slots": L4, "prices": {"L4": 1}}
    cli = Sweep(tmp_path, [tiny, HASHED], 200, cluster=settings)
    store = Store(cli.store)
    with Held(tmp_path / "config.yaml", name="e1"):
        process = cli.start()
        until(
            lambda: any(record["reserved"] for record in store.spending.read("kills")[0].values()),
            "no record of spending while the sweep runs",
        )
        cli.kill()
        process.wait()
    ((run, first),) = store.spending.read("kills")[0].items()
    assert (first["ended"], first["reserved"]) == (False, {"L4": 10.0}), "what may have been held until the next record"
    before = read_spent(store, "kills").gpu_seconds["L4"]
    assert before >= first["gpu_seconds"]["L4"] > 0
    assert cli.start().wait(PATIENCE) == 0, cli.log()
    after = store.spending.read("kills")[0]
    (second,) = (record for name, record in after.items() if name != run)
    assert after[run] == first and second["ended"] and second["gpu_seconds"]["L4"] > 0
    assert read_spent(store, "kills").gpu_seconds["L4"] == pytest.approx(before + second["gpu_seconds"]["L4"])


def test_a_budget_is_of_all_runs_and_the_map_of_what_there_is_is_drawn(begun):
    """A run that was killed has spent most of it, and a pass is expected to cost more than the rest: 15 s is the
    least."""
    case = begun(prices={"L4": 3600}, budget=1010)
    spent_before(case.store, 1000)
    plan = case.sweep()
    assert case.store.atlases.manifest("t")["headline"]["encoders"] == 6
    (failure,) = plan.failures.values()
    assert (failure.encoder, failure.exception, failure.kind) == ("e1", BUDGET, "transient")
    assert failure.message.startswith(
        "stopped at the budget: 1000.00 of 1010.00 spent, and the cheapest pass left is expected to cost 15."
    )
    assert failure.message.endswith("; 1 encoder is left; raise cluster.budget and run the same command again")
    assert not list(case.store.folder.names("failures")), "nothing is recorded against it"
    assert read_spent(case.store, "t").gpu_seconds == {"L4": 1000.0}


def test_the_command_at_the_budget(cluster, tiny, tmp_path):
    """Exit code 1 with words, and that too few are done for a map: what costs nothing is. With a higher budget the same
    command goes on."""
    settings = {"address": cluster.address, "slots": L4, "prices": {"L4": 3600}}
    three = {**HASHED, "include": ["hash/word1-1/count/*"]}
    cli = Sweep(tmp_path, [tiny, three], 200, cluster={**settings, "budget": 10})
    assert cli.start().wait(PATIENCE) == 1, cli.log()
    assert (
        "qre: stopped at the budget: 0.00 of 10.00 spent, and the cheapest pass left is expected to cost 15."
        in cli.log()
    )
    assert (
        "; 1 encoder is left; raise cluster.budget and run the same command again; 3 encoders have features, and a "
        "map needs" in cli.log()
    )
    assert "Traceback" not in cli.log()
    cli = Sweep(tmp_path, [tiny, three], 200, cluster={**settings, "budget": 10_000})
    assert cli.start().wait(PATIENCE) == 0, cli.log()


class Overspent(Reporter):
    """As soon as a chunk is made, another run of the sweep has spent more than there is."""

    spent = False

    def update(self, left, counts, in_flight=(), doing=""):
        super().update(left, counts, in_flight, doing)
        if not self.spent and any(not isinstance(one, str) and one.chunks and one.work.slot.gpus for one in in_flight):
            self.spent = True
            spent_before(self._store, 2000)


def test_at_the_budget_a_pass_in_flight_is_ended_and_keeps_its_chunks(begun):
    case = begun(prices={"L4": 3600}, budget=1000)
    case.config = case.config.model_copy(update={"encode": EncodeSettings(chunk_sentences=8)})
    with Held(case.config, chunk=1):
        (failure,) = case.sweep(Overspent).failures.values()
    assert (failure.encoder, failure.exception) == ("e1", BUDGET)
    assert "of 1000.00 spent; 1 encoder is left" in failure.message
    assert read_spent(case.store, "t").cost({"L4": 3600}) > 2000
    assert list(case.store.chunks.counts().values()) == [1], "the chunk that it had made is gone"


def test_a_finished_map_is_not_replaced_by_a_smaller_one_at_the_budget(begun):
    case = begun(finished=True, prices={"L4": 3600}, budget=1010)
    spent_before(case.store, 1000)
    with pytest.raises(
        AtLimit,
        match="stopped at the budget: .*; the finished map is kept, since a new one would be missing 1 of its encoders",
    ):
        case.sweep()
    assert case.store.atlases.manifest("t")["headline"]["encoders"] == 7


def test_a_gpu_without_a_price_is_counted_in_hours(begun):
    case = begun(slots=PLAIN, prices={"L4": 1})
    case.sweep()
    assert (
        "a GPU of unknown type has no price: it is counted in hours, not in money; label its nodes"
        in case.said.getvalue()
    )
    spent = read_spent(case.store, "t")
    assert spent.gpu_seconds[UNKNOWN] > 0 and spent.cost({"L4": 1}) == 0 and spent.unpriced({"L4": 1}) == [UNKNOWN]


def test_a_gpu_without_a_price_ends_a_sweep_with_a_budget(begun):
    case = begun(slots=PLAIN, prices={"L4": 1}, budget=100)
    with Held(case.config):
        (failure,) = case.sweep().failures.values()
    assert (
        "stopped at the budget: 0.00 of 100.00 spent, which cannot be kept: GPUs of unknown type have no price"
        in failure.message
    )


def test_at_the_deadline_the_sweep_stops(begun):
    """A pass that does not end is in flight."""
    case = begun(deadline="15s")
    with Held(case.config):
        (failure,) = case.sweep().failures.values()
    assert failure.exception == DEADLINE
    assert (
        failure.message
        == "stopped at the deadline (15s); 1 encoder is left; give a later cluster.deadline and run the same command "
        "again"
    )
    assert case.store.atlases.manifest("t")["headline"]["encoders"] == 6


def test_a_deadline_that_has_passed_is_refused_before_anything_starts(tmp_path):
    past = (datetime.now(timezone.utc) - timedelta(hours=1)).isoformat()
    cli = Sweep(tmp_path, [HASHED], 100, cluster={"deadline": past})
    assert cli.start().wait(PATIENCE) == 2
    assert f"qre: cluster.deadline: {past} has passed, and 6 passes are left" in cli.log()


def test_without_a_record_that_cannot_be_read_no_budget_can_be_kept(begun):
    case = begun(prices={"L4": 1}, budget=100)
    record = {"schema": 1, "gpu_seconds": {"L4": 5}, "reserved": {}, "ended": True}
    wrong = (
        "{",
        json.dumps({**record, "schema": 2}),
        json.dumps({**record, "gpu_seconds": {"L4": -5}}),
        json.dumps({**record, "reserved": None}),
        "[]",
    )
    for number, content in enumerate(wrong):
        case.store.folder.write(f"spending/t/{number}.json", content.encode())
        (line,) = (
            line
            for line in read_spent(case.store, "t").words(case.config.cluster)
            if f"spending/t/{number}.json" in line
        )
        assert "cannot be read, or is of a newer version: what that run spent is not counted" in line
    with pytest.raises(SweepError, match="spending/t/0.json in the store cannot be read, or is of a newer version"):
        case.sweep()

"""Money and time of a sweep, on a real Ray whose GPUs are only declared: what is counted, and where the sweep stops."""

import json
import os
import re
import signal
from datetime import datetime, timedelta, timezone

import pytest
from typer.testing import CliRunner

from cluster.local import LocalCluster
from jobs.cli import app
from jobs.engine.local import SweepError
from jobs.engine.progress import Reporter
from jobs.outcome import BUDGET
from jobs.spending import UNKNOWN, read_spent
from qre.store import Store
from tests.conftest import save_tiny_bert
from tests.faults.in_process import HASHED, PATIENCE, Case, timeline, until
from tests.faults.kill_sweep import Sweep

pytestmark = pytest.mark.cluster
KIND = "ray.io/accelerator-type"


@pytest.fixture(scope="module")
def cluster():
    """Two nodes with a GPU each: of one the type is told, of the other not."""
    with LocalCluster(nodes=1, cpus=2, gpus=1, labels={KIND: "NVIDIA-L4"}) as cluster:
        cluster.add_node(labels={"plain": "yes"})
        yield cluster


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("encoders")
    for number in range(1, 5):
        save_tiny_bert(root / f"e{number}", seed=number, layers=number)
    return [{"source": "folder", "path": str(root / f"e{number}")} for number in range(1, 5)]


def on(label: str, **slot) -> list[dict]:
    key, _, value = label.partition("=")
    return [{"gpus": 1, "labels": {key: value}, **slot}]


L4 = on(f"{KIND}=NVIDIA-L4")


def test_gpu_time_is_counted_by_type_and_told_in_money(cluster, folders, tmp_path):
    """In the closing words, the status, and the manifest; shared GPUs count by their share."""
    slots = on(f"{KIND}=NVIDIA-L4", share=2)
    cli = Sweep(tmp_path, [*folders[:2], HASHED], 200, cluster={"address": cluster.address, "slots": slots, "prices": {"L4": 3600}})
    assert cli.start().wait(PATIENCE) == 0, cli.log()
    store = Store(cli.store)
    rows = [row for row in timeline(store, "kills") if row["gpus"]]
    assert len(rows) == 2
    spent = read_spent(store, "kills")
    assert set(spent.gpu_seconds) == {"L4"}
    low, high = (sum(row["ended"] - row["started"] for row in rows) / 2, sum(row["ended"] - row["asked"] for row in rows) / 2)
    assert low - 0.05 <= spent.gpu_seconds["L4"] <= high + 0.05
    shown = CliRunner().invoke(app, ["status", str(tmp_path / "config.yaml"), "--json"])
    told = json.loads(shown.output)["spent"]
    assert told["cost"] == pytest.approx(spent.gpu_seconds["L4"], abs=0.01)
    assert told["gpu_hours"] == pytest.approx(told["cost"] / 3600, abs=1e-4)
    line = f"spent: {spent.hours:.2f} GPU hours (L4 {spent.hours:.2f}), {told['cost']:.2f} by cluster.prices"
    assert line in cli.log()
    assert line in CliRunner().invoke(app, ["status", str(tmp_path / "config.yaml")]).output
    assert store.atlases.manifest("kills")["spent"] == told


class Faulty(Reporter):
    """SIGKILL to the actor of the first pass on a GPU when it has begun."""

    killed = False

    def started(self, attempt, event):
        super().started(attempt, event)
        if event.gpus and not self.killed:
            self.killed = True
            os.kill(event.pid, signal.SIGKILL)


def test_attempts_that_are_lost_are_counted(cluster, folders, tmp_path):
    case = Case(tmp_path, [folders[0], HASHED], {"address": cluster.address, "slots": L4})
    case.sweep(Faulty)
    rows = [row for row in case.rows() if row["gpus"]]
    assert [row["outcome"] == "done" for row in rows] == [False, True]
    assert read_spent(case.store, "t").gpu_seconds["L4"] >= sum(row["ended"] - row["started"] for row in rows) - 0.05


def test_a_run_that_is_killed_is_counted_by_the_next(cluster, folders, tmp_path):
    """SIGKILL to all of it while a pass is held: what it had held stands in the store, and the next run adds to it."""
    cli = Sweep(tmp_path, [*folders, HASHED], 2000, chunk_sentences=8, cluster={"address": cluster.address, "slots": L4, "prices": {"L4": 1}})
    store = Store(cli.store)
    process = cli.start()
    records = until(lambda: store.spending.read("kills")[0], "no record of spending while the sweep runs")
    cli.kill()
    process.wait()
    (run, first), = store.spending.read("kills")[0].items()
    assert run in records and not first["ended"]
    assert first["reserved"] == {"L4": 10.0}, "what may have been held until the next record"
    before = read_spent(store, "kills").gpu_seconds["L4"]
    assert before >= 10
    assert cli.start().wait(PATIENCE) == 0, cli.log()
    after = store.spending.read("kills")[0]
    (second,) = (record for name, record in after.items() if name != run)
    assert after[run] == first and second["ended"] and second["gpu_seconds"]["L4"] > 1
    assert read_spent(store, "kills").gpu_seconds["L4"] == pytest.approx(before + second["gpu_seconds"]["L4"])


def test_a_budget_is_of_all_runs_and_draws_the_map_of_what_there_is(cluster, folders, tmp_path):
    """One earlier run, killed, has spent most of it."""
    case = {"address": cluster.address, "slots": L4, "prices": {"L4": 3600}, "grace_seconds": 0}
    cli = Sweep(tmp_path, [HASHED, folders[0]], 200, cluster=case)
    assert cli.start().wait(PATIENCE) == 0, cli.log()
    store = Store(cli.store)
    first = read_spent(store, "kills").gpu_seconds["L4"]
    store.spending.write("kills", "20200101T000000Z-killed", {"ended": False, "gpu_seconds": {"L4": 990.0}, "reserved": {"L4": 10.0}})
    cli = Sweep(tmp_path, [HASHED, *folders], 200, cluster={**case, "budget": 1000 + first + 20})
    assert cli.start().wait(PATIENCE) == 1, cli.log()
    told = re.findall(r"qre: stopped at the budget: (\S+) of (\S+) spent.*; (\d) encoders? (?:is|are) left; raise cluster.budget and run the same command", cli.log())
    assert len(told) == 1, cli.log()
    spent, budget, left = (float(one) for one in told[0])
    assert 1000 + first <= spent <= budget and 1 <= left <= 3
    assert "BudgetReached" not in cli.log() and "Traceback" not in cli.log()
    assert store.atlases.manifest("kills")["headline"]["encoders"] == 6 + 4 - left
    assert not list(store.folder.names("failures"))
    cli = Sweep(tmp_path, [HASHED, *folders], 200, cluster={**case, "budget": 1000 + first + 500})
    assert cli.start().wait(PATIENCE) == 0, cli.log()
    assert store.atlases.manifest("kills")["headline"]["encoders"] == 10
    assert read_spent(store, "kills").gpu_seconds["L4"] > spent


def test_at_the_budget_passes_in_flight_keep_their_chunks(cluster, folders, tmp_path):
    """More is spent than was expected: the pass in flight is ended, and goes on from its chunks when the budget is raised."""
    settings = {"address": cluster.address, "slots": L4, "prices": {"L4": 3600}, "grace_seconds": 0}
    big = save_slow(tmp_path / "slow")
    cli = Sweep(tmp_path / "sweep", [big, HASHED], 10_000, chunk_sentences=16, cluster={**settings, "budget": 21})
    assert cli.start().wait(PATIENCE) == 1, cli.log()
    assert re.search(r"qre: stopped at the budget: 2\d.\d\d of 21.00 spent; \d encoders? (is|are) left", cli.log()), cli.log()
    assert cli.chunks() > 0
    cli = Sweep(tmp_path / "sweep", [big, HASHED], 10_000, chunk_sentences=16, cluster={**settings, "budget": 10_000})
    assert cli.start().wait(PATIENCE) == 0, cli.log()


def save_slow(path):
    """A tiny encoder that takes its time: of many layers."""
    save_tiny_bert(path, seed=9, layers=24)
    return {"source": "folder", "path": str(path)}


def test_a_finished_map_is_not_replaced_by_a_smaller_one_at_the_budget(cluster, folders, tmp_path):
    settings = {"address": cluster.address, "slots": L4, "prices": {"L4": 3600}}
    case = Case(tmp_path, [HASHED, folders[0]], settings)
    case.sweep()
    (unit,) = (unit for unit in case.plan().units if unit.spec.name == "e1")
    for folder in ("embeddings", "features"):
        case.store.folder.remove_folder(folder)
    case = Case(tmp_path, [HASHED, folders[0]], {**settings, "budget": 1})
    with pytest.raises(SweepError, match=r"(?s)stopped at the budget|the finished map is kept"):
        case.sweep()
    assert case.store.atlases.manifest("t")["headline"]["encoders"] == 7


def test_a_gpu_without_a_price_is_counted_in_hours_and_ends_a_budget(cluster, folders, tmp_path):
    plain = on("plain=yes")
    case = Case(tmp_path / "told", [folders[0], HASHED], {"address": cluster.address, "slots": plain, "prices": {"L4": 1}})
    case.sweep()
    assert "a GPU of unknown type has no price: it is counted in hours, not in money; label its nodes" in case.said.getvalue()
    spent = read_spent(case.store, "t")
    assert spent.gpu_seconds[UNKNOWN] > 0 and spent.cost({"L4": 1}) == 0 and spent.unpriced({"L4": 1}) == [UNKNOWN]
    case = Case(tmp_path / "kept", [*folders[:2], HASHED], {"address": cluster.address, "slots": plain, "prices": {"L4": 1}, "budget": 100, "grace_seconds": 0})
    with pytest.raises(SweepError, match="stopped at the budget: 0.00 of 100.00 spent, which cannot be kept: GPUs of unknown type have no price"):
        case.sweep()
    case = Case(tmp_path / "other", [folders[0], HASHED], {"address": cluster.address, "slots": plain, "prices": {"L4": 1, "other": 2}, "budget": 100})
    assert not case.sweep().failures


def test_at_the_deadline_the_sweep_stops(cluster, folders, tmp_path):
    slow = save_slow(tmp_path / "slow")
    settings = {"address": cluster.address, "slots": L4, "grace_seconds": 0}
    cli = Sweep(tmp_path / "sweep", [slow, *folders, HASHED], 10_000, chunk_sentences=16, cluster={**settings, "deadline": "25s"})
    assert cli.start().wait(PATIENCE) == 1, cli.log()
    assert re.search(r"stopped at the deadline \(25s\); \d+ encoders are left; give a later cluster.deadline and run the same command again", cli.log()), cli.log()
    assert "Traceback" not in cli.log()


def test_a_deadline_that_has_passed_is_refused_before_anything_starts(tmp_path):
    past = (datetime.now(timezone.utc) - timedelta(hours=1)).isoformat()
    cli = Sweep(tmp_path, [HASHED], 100, cluster={"deadline": past})
    assert cli.start().wait(PATIENCE) == 2
    assert f"qre: cluster.deadline: {past} has passed" in cli.log()


def test_a_record_that_cannot_be_read_is_told_and_a_budget_is_not_kept_without_it(cluster, folders, tmp_path):
    settings = {"address": cluster.address, "slots": L4, "prices": {"L4": 1}, "budget": 100}
    case = Case(tmp_path, [folders[0], HASHED], settings)
    for name, content in (("a", "{"), ("b", '{"schema": 2, "gpu_seconds": {}, "reserved": {}, "ended": true}'), ("c", '{"schema": 1, "gpu_seconds": {"L4": -5}, "reserved": {}, "ended": true}')):
        case.store.folder.write(f"spending/t/{name}.json", content.encode())
        assert any(f"spending/t/{name}.json cannot be read" in line for line in read_spent(case.store, "t").words(case.config.cluster))
        with pytest.raises(SweepError, match=rf"spending/t/{name}.json in the store cannot be read, or is of a newer version"):
            case.sweep()
        case.store.folder.remove(f"spending/t/{name}.json")

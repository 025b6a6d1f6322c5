"""What people are told of time: the time left of a sweep, its course in words, small sums, and what a plan expects."""

import os
import socket
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from jobs.cli import app
from jobs.config import SweepConfig
from jobs.engine.progress import Counts
from jobs.engine.remaining import Remaining, in_words
from jobs.planning.plan import make_plan
from jobs.planning.resolve import resolve
from jobs.planning.work import Times, measured_factor
from jobs.show.cost_tables import money_in_words, print_simulation
from jobs.show.course import course
from jobs.terminal.bar import Bar
from jobs.terminal.console import console
from qre.encoders.passes import pass_key
from qre.store import Store

NOW = datetime(2026, 11, 26, 18, 2, tzinfo=timezone.utc)


@pytest.mark.parametrize("slower", [0.5, 1.0, 2.5, 4.0])
def test_the_time_left_begins_with_the_estimate_and_does_not_creep_up(slower):
    """Work of 100 s that takes so much longer: what is told rises by steps, in the second half never above the truth,
    and is near it in the end."""
    left, told, shares = Remaining(), [], []
    truth = 100 * slower
    for now in range(int(truth)):
        told.append(left.update(float(now), 100 - now / slower))
        shares.append(left.share)
    assert told[0] == pytest.approx(100)
    rises = [second for second in range(1, len(told)) if told[second] > told[second - 1] + 1]
    assert len(rises) <= 8 and all(second < truth / 2 or told[second] <= truth - second + 1 for second in rises)
    assert told[-1] < 10 and shares == sorted(shares) and shares[-1] > 0.95


@pytest.mark.parametrize("slower", [4.0, 11.0])
def test_on_a_busy_machine_the_time_left_is_soon_right(slower):
    left, truth = Remaining(), 300 * slower
    told = [left.update(float(now), 300 - now / slower) for now in range(int(truth))]
    for share, factor in ((0.1, 1.6), (0.25, 1.4), (0.5, 1.3), (0.9, 1.3)):
        now = int(share * truth)
        assert (truth - now) / factor < told[now] < (truth - now) * factor, (share, told[now])


@pytest.mark.parametrize(("first", "second"), [(1.0, 6.0), (2.0, 6.0)])
def test_the_time_left_follows_the_stage_that_runs_now(first, second):
    """100 s of work, about as fast as expected, and then 100 s of work that take much longer."""
    left, half, truth = Remaining(), 100 * first, 100 * (first + second)
    for now in range(int(truth)):
        gone = now / first if now < half else 100 + (now - half) / second
        told = left.update(float(now), 200 - gone)
        if now in (int(half + 50 * second), int(half + 90 * second)):
            assert (truth - now) / 1.7 < told < (truth - now) * 1.7


@pytest.mark.parametrize(
    ("encoders", "tasks", "repeats", "permutations", "seconds"),
    [
        (236, 6, 5, 100, 33.4),
        (236, 1, 5, 100, 21.0),
        (79, 6, 5, 100, 7.1),
        (79, 1, 5, 100, 4.3),
        (79, 6, 5, 0, 4.0),
        (79, 6, 1, 100, 3.5),
        (79, 6, 5, 1000, 29.4),
        (40, 6, 5, 100, 3.7),
    ],
)
def test_the_folds_of_predictions_take_what_was_measured(tmp_path, encoders, tasks, repeats, permutations, seconds):
    config = SweepConfig.model_validate(
        {
            "name": "t",
            "store": str(tmp_path),
            "sentences": {"source": "builtin", "limit": 60},
            "encoders": [{"source": "catalogue", "name": "classical", "include": ["hash/word1-1/*"]}],
            "tasks": [{"source": "builtin"}],
            "prediction": {"repeats": repeats, "permutations": permutations},
        }
    )
    resolved = resolve(config, Store(config.store))
    resolved.tasks = dict(list(resolved.tasks.items())[:tasks])
    plan = make_plan(config, Store(config.store), resolved)
    plan = replace(plan, units=(plan.units * encoders)[:encoders])
    expected = Times(plan, config).atlas()["folds of predictions"]
    assert seconds / 1.4 < expected < seconds * 1.4


def test_a_stall_raises_the_time_left_and_no_share_falls():
    left = Remaining(earlier=300.0)
    assert left.update(0.0, 100.0) == 100 and left.share == pytest.approx(0.75)
    assert left.update(200.0, 100.0) > 300  # 200 s for nothing
    assert left.update(201.0, 400.0) and left.share == pytest.approx(0.75)  # more work has turned up


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (3, "a few seconds left"),
        (44, "about 40 s left"),
        (170, "about 3 min left"),
        (7300, "about 2 h left"),
        (259200, "about 3 days left"),
    ],
)
def test_a_time_left_in_words(seconds, words):
    assert in_words(seconds) == words


def record(**values):
    return {
        "state": "running",
        "when": NOW.isoformat(),
        "since": (NOW - timedelta(minutes=1)).isoformat(),
        "seconds": 38.2,
        "seconds_left": 170,
        "why": "",
        **values,
    }


@pytest.mark.parametrize(
    ("values", "now", "words"),
    [
        ({}, NOW, ["running since ", "33 of 116 encoders, about 3 min left"]),
        (
            {},
            NOW + timedelta(minutes=10),
            ["died: no sign of life since ", "33 of 116 encoders; `qre sweep my.yaml` continues"],
        ),
        ({"host": socket.gethostname(), "pid": 2**22 + 1}, NOW, ["died: "]),  # no process has this number on Linux
        ({"host": socket.gethostname(), "pid": os.getpid()}, NOW, ["running since "]),
        ({"host": "elsewhere", "pid": 2**22 + 1}, NOW, ["running since "]),
        *(
            (
                {"state": "stopped", "why": f"stopped by {name}"},
                NOW,
                ["stopped by you (Ctrl-C) at 33 of 116 encoders, 00:38 into the run (20"],
            )
            for name in ("Ctrl-C", "SIGINT")  # which earlier versions wrote
        ),
        ({"state": "stopped", "why": "stopped by SIGTERM"}, NOW, ["stopped by SIGTERM at 33 of"]),
        (
            {"state": "stopped", "why": "cluster.budget is spent"},
            NOW,
            ["stopped at 33 of 116 encoders, 00:38 into the run (20", "): cluster.budget is spent; `qre"],
        ),
        ({"state": "error", "why": "no node"}, NOW, ["ended by an error at 33 of 116 encoders", "): no node; `qre"]),
        ({"state": "ended"}, NOW, ["finished (20", "after 00:38"]),
        ({"state": "failed", "when": "?", "seconds": None}, NOW, ["ended by an error at 33 of 116 encoders; `qre"]),
    ],
)
def test_the_course_of_a_sweep_in_words(values, now, words):
    told = course(record(**values), "33 of 116 encoders", "my.yaml", now)[0]
    assert all(part in told for part in words), told


def test_a_record_of_an_earlier_version_and_nodes_without_work_are_told():
    old = {
        "state": "running",
        "phase": "encoders",
        "done": 1,
        "total": 2,
        "when": NOW.isoformat(),
        "no more work for": ["node a: full"],
        "nodes": ["2 passes failed on node a"],
    }
    assert course(old, "1 of 2 encoders", "c", NOW) == [
        "running since some time, 1 of 2 encoders, encoders",
        "no more work for node a: full",
        "2 passes failed on node a",
    ]


def test_counts_are_of_what_people_know():
    assert (
        str(Counts(3, 64, 18, 384, 1)) == "encoders 3 of 64, scores 18 of 384, 1 failed"
        and str(Counts(3, 64)) == "encoders 3 of 64"
    )


def test_a_terminal_gets_a_labelled_bar_at_once(tmp_path):
    with open(tmp_path / "screen", "w") as file, Bar(Console(file=file, force_terminal=True, width=80)) as bar:
        bar.stage("starting Ray")
        bar._bar.refresh()
        file.flush()
        assert "starting Ray" in (tmp_path / "screen").read_text()
        bar.update("encoders 3 of 64", 0.21, "about 2 min left", "e: loading")
        bar._bar.refresh()
        file.flush()
        assert (
            "encoders 3 of 64" in (tmp_path / "screen").read_text()
            and "21% about 2 min left" in (tmp_path / "screen").read_text()
        )


def test_small_sums_are_not_nothing_and_nothing_has_no_sign():
    assert [money_in_words(amount) for amount in (0.0, 0.002, 0.01, 1234.5)] == ["0.00", "<0.01", "0.01", "1,234.50"]
    row = {
        "gpus": 1,
        "bound": 60.0,
        "makespan": 60.0,
        "above_bound": -1e-9,
        "above_bound_unsure": 0.1,
        "makespan_lossy": 60.0,
        "losses": 0,
        "repeated_gpu_hours": 0.0,
    }
    with console.capture() as shown:
        print_simulation([{**row, "cost": 0.002}, {**row, "gpus": 2, "cost": 0.5}], "L4", 3, 0.5, "passes")
    assert (
        "-0" not in shown.get()
        and "0 %" in shown.get()
        and "<0.01 ← cheapest" in shown.get()
        and shown.get().count("cheapest") == 1
    )


class Case:
    def __init__(self, folder, **values):
        self.file = folder / "config.yaml"
        classical = {"source": "catalogue", "name": "classical", "include": ["hash/word*"]}
        self.file.write_text(
            yaml.safe_dump(
                {
                    "name": "t",
                    "store": str(folder / "store"),
                    "sentences": {"source": "builtin", "limit": 60},
                    "encoders": [classical],
                    **values,
                }
            )
        )
        self.config = SweepConfig.model_validate(yaml.safe_load(self.file.read_text()))
        self.store = Store(self.config.store)

    def qre(self, *words: str):
        return CliRunner().invoke(app, [words[0], str(self.file), *words[1:]])


def test_plan_tells_time_on_cpus_and_gpu_types_only_where_they_are_asked_for(tmp_path, tiny_encoder):
    classical = {"source": "catalogue", "name": "classical", "include": ["hash/word*"]}
    case = Case(tmp_path, encoders=[classical, {"source": "folder", "path": str(tiny_encoder), "name": "tiny"}])
    plain = case.qre("plan")
    assert plain.exit_code == 0 and "in all on CPUs" in plain.output and "GPU hours" not in plain.output
    assert all("GPU hours" in case.qre("plan", *words).output for words in (["--gpus"], ["--price", "L4=0.8"]))


def test_speeds_in_the_store_go_before_the_model(tmp_path, tiny_encoder):
    classical = {"source": "catalogue", "name": "classical", "include": ["hash/word*"]}
    case = Case(tmp_path, encoders=[classical, {"source": "folder", "path": str(tiny_encoder), "name": "tiny"}])
    plan = make_plan(case.config, case.store, resolve(case.config, case.store))
    assert measured_factor(plan, case.config, case.store) is None
    unit = next(unit for unit in plan.units if unit.spec.name == "tiny")
    key = pass_key(unit.spec, plan.sentences.fingerprint, case.config.encode)
    work = next(work for work in plan.passes if work.key == key)
    expected = Times(plan, case.config).of(work).embed
    case.store.speeds.write(key, {"sentences": 30, "seconds": 6.0, "device": "cpu", "threads": 1})
    factor = measured_factor(plan, case.config, case.store)
    assert Times(plan, case.config, factor).of(work).embed == pytest.approx(12.0) and factor == pytest.approx(
        12.0 / expected
    )


@pytest.mark.parametrize(
    ("values", "code", "words"),
    [
        ({}, 0, ""),
        ({"on_end": {"url_env": "QRE_TEST_IS_NOT_SET"}}, 2, "refused: on_end: QRE_TEST_IS_NOT_SET is not set"),
        ({"export": "STORE/inside"}, 2, "refused: export: "),
        ({"cluster": {"max_failed": 99}}, 2, "refused: cluster.max_failed: 99 is more than the 12 encoders"),
        (
            {
                "encoders": [
                    {"source": "catalogue", "name": "classical", "include": ["hash/word*"]},
                    {"source": "folder", "path": "BROKEN"},
                ]
            },
            1,
            "1 encoder not available",
        ),
    ],
)
def test_plan_tells_by_its_exit_code_whether_a_sweep_can_begin(tmp_path, values, code, words):
    (tmp_path / "broken").mkdir()
    text = yaml.safe_dump(values).replace("STORE", str(tmp_path / "store")).replace("BROKEN", str(tmp_path / "broken"))
    ended = Case(tmp_path, **yaml.safe_load(text)).qre("plan")
    assert ended.exit_code == code and words in " ".join(ended.output.split()), ended.output

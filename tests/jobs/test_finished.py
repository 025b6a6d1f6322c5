"""The last words of a sweep: what they name is there, and can be copied."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.show import last_words as finished
from jobs.show.last_words import _print_best
from jobs.terminal.spelled import near, qre_command, quoted
from qre.atlas.finished import FinishedAtlas
from qre.atlas.overview import parents_of
from tests.finished import STRANGE, TASKS


def test_the_best_by_task_and_by_mean_near_copies_on_one_line(finished_atlas):
    atlas = FinishedAtlas(finished_atlas)
    with finished.console.capture() as captured:
        _print_best(atlas.overview(), parents_of(atlas.table), {})
    shown = captured.get()
    for task in TASKS:
        best = atlas.rank(task, folded=True).iloc[0]
        line = next(line for line in shown.splitlines() if f"│ {task} " in line)
        assert f"{best['name']} and 1 near-copy" in line and f"{best['value']:.3f}" in line and best["basis"] in line
        assert f"{best['low']:.3f} to {best['high']:.3f}" in line
    assert f"mean over {len(TASKS)} tasks" in shown
    found = atlas.overview()
    with finished.console.capture() as captured:
        _print_best(found.take([found.table["name"].to_list().index(STRANGE)]), {}, {})
    assert STRANGE in captured.get()  # rich would take [red] away


@pytest.mark.parametrize("tasks", [1, 2, 3, 6, 9])
def test_the_best_in_about_ten_lines(finished_atlas, tasks):
    found = FinishedAtlas(finished_atlas).overview()
    of_two = list(found.cells.values())
    found = replace(
        found,
        cells={f"task {number}": of_two[number % 2] for number in range(tasks)},
        table=found.table.assign(name=[f"{name}{'x' * 190}" for name in found.table["name"]]),
    )
    with finished.console.capture() as captured:
        _print_best(found, {}, {})
    lines = captured.get().splitlines()
    rows = [line for line in lines if line.startswith("│")]
    assert len(rows) <= 10 and sum("task " in line for line in rows) == min(tasks, 7), captured.get()
    assert len(lines) <= 20 and max(map(len, rows)) < 160
    assert ("and 2 more tasks" in lines) == (tasks == 9)


def test_the_command_is_spelled_as_it_can_be_run(tmp_path, monkeypatch):
    own = Path(sys.executable).parent / "qre"
    if not own.exists():
        pytest.skip("qre is not installed beside this interpreter")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which(qre_command()) is not None and qre_command() != "qre"
    monkeypatch.setenv("PATH", str(own.parent))
    assert qre_command() == "qre"
    other = tmp_path / "bin/qre"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(other.parent))
    assert Path(qre_command()).samefile(own)  # another program of this name is not ours


def test_paths_are_short_and_a_shell_takes_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert near(tmp_path / "results/demo") == "results/demo" and quoted("results/my map") == "'results/my map'"
    assert near(tmp_path / "demo") == "./demo"

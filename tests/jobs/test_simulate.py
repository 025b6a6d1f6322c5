"""The sweep on paper: near the bound, nothing lost to spot losses, and the same each time."""

import json

import numpy as np
import pytest

from jobs.engine.simulate import SLOT, on_paper, simulate, stand_in
from jobs.planning.units import PassWork


@pytest.fixture(scope="module")
def works():
    return stand_in(1101, "A100-80G")


@pytest.mark.parametrize(("gpus", "most"), [(1, 1e-9), (8, 0.05), (64, 0.15)])
@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_near_the_bound(works, gpus, most, spread):
    run = simulate(works, gpus, spread=spread)
    assert len(works) == 1101
    assert -1e-9 <= run.above_bound <= most


def test_losses_repeat_work_and_lose_none(works):
    calm, stormy = simulate(works, 8), simulate(works, 8, losses_per_hour=6.0)
    assert stormy.losses > 50
    assert stormy.repeated > 0
    assert calm.makespan < stormy.makespan < 2 * calm.makespan
    assert simulate(works, 8, losses_per_hour=6.0) == stormy


def test_one_long_pass_is_the_bound():
    works = [PassWork("long", (), 100.0, SLOT), *(PassWork(f"{i}", (), 1.0, SLOT) for i in range(20))]
    run = simulate(works, 4)
    assert (run.makespan, run.bound) == (100.0, 100.0)


def test_no_schedule_beats_the_bound():
    rng = np.random.default_rng(0)
    for gpus in (1, 3, 7):
        works = [PassWork(f"{i}", (), float(seconds), SLOT) for i, seconds in enumerate(rng.exponential(10, 30))]
        run = simulate(works, gpus)
        assert (
            run.bound - 1e-9
            <= run.makespan
            <= (4 / 3 - 1 / (3 * gpus)) * run.bound + max(work.seconds for work in works)
        )


def test_the_table_of_the_command(works):
    from typer.testing import CliRunner

    from jobs.cli import app

    shown = CliRunner().invoke(app, ["plan", "--simulate", "--json", "--losses", "2"])
    assert shown.exit_code == 0, shown.output
    table = json.loads(shown.output)
    assert table["passes"] == 1101
    assert [row["gpus"] for row in table["rows"]] == [1, 2, 4, 8, 16, 32, 64]
    assert table["rows"] == on_paper(works, 2.0)
    assert all(row["losses"] > 5 for row in table["rows"])

"""Which failures cluster.max_failed tolerates."""

from dataclasses import replace

import pytest

from jobs.config.slots import ClusterSettings
from jobs.engine.outcome import BUDGET, encoder_count, failed_encoders, most_failed, tolerated, too_few
from jobs.planning.plan import make_plan
from jobs.planning.resolve import resolve
from jobs.planning.units import score_key
from qre.store import Failure, Store
from tests.jobs.conftest import write_config


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """Six encoders and a task, nothing done."""
    from jobs.config import load_config

    folder = tmp_path_factory.mktemp("plan")
    encoders = [{"source": "catalogue", "name": "classical", "include": ["hash/word1-1/*"]}]
    settings = load_config(write_config(folder, encoders, tasks=[{"source": "builtin", "include": ["builtin/sts"]}]))
    store = Store(settings.store)
    return make_plan(settings, store, resolve(settings, store))


def failed(plan, *failures: tuple[str, str, str]):
    return replace(
        plan,
        failures={
            key: Failure(key=key, encoder=key, kind=kind, exception=exception, message="")
            for key, kind, exception in failures
        },
    )


def test_an_encoder_counts_once_however_often_it_failed(plan):
    (task,) = plan.tasks
    first, second = (unit.key for unit in plan.units[:2])
    both = failed(
        plan,
        (first, "permanent", "E"),
        (score_key(task, first), "permanent", "E"),
        (score_key(task, second), "transient", "E"),
        ("gone", "permanent", "gated"),
    )
    assert (failed_encoders(both), encoder_count(both)) == (3, 7)
    assert tolerated(ClusterSettings(max_failed=2), both) is None
    assert "3 of 7 encoders failed" in tolerated(ClusterSettings(max_failed=3), both)
    assert failed_encoders(both, also=[plan.units[2].key, first]) == 4


def test_what_is_left_at_a_limit_or_could_not_be_asked_for_is_never_tolerated(plan):
    loose = ClusterSettings(max_failed="100%")
    assert tolerated(loose, plan) == ""
    assert tolerated(loose, failed(plan, (plan.units[0].key, "permanent", "E")))
    assert tolerated(loose, failed(plan, (plan.units[0].key, "transient", BUDGET))) is None
    assert failed_encoders(failed(plan, (plan.units[0].key, "transient", BUDGET))) == 0
    assert tolerated(loose, failed(plan, ("a query", "transient", "offline"))) is None


@pytest.mark.parametrize(("share", "count"), [("0%", 0), ("16%", 0), ("17%", 1), ("50%", 3), ("100%", 6), (4, 4)])
def test_a_share_is_rounded_down(plan, share, count):
    assert most_failed(ClusterSettings(max_failed=share), plan) == count


def test_a_share_is_exact(plan):
    hundred = replace(
        plan,
        units=plan.units * 0,
        failures={
            str(number): Failure(key=str(number), encoder="", kind="permanent", exception="", message="")
            for number in range(100)
        },
    )
    assert [most_failed(ClusterSettings(max_failed=f"{share}%"), hundred) for share in range(101)] == list(range(101))


def test_too_few_encoders_are_told_with_the_fix(plan):
    keys = [unit.key for unit in plan.units]
    assert too_few(failed(plan, *((key, "transient", "E") for key in keys[:2]))) == ""
    few = too_few(failed(plan, *((key, "permanent", "E") for key in keys[:3])))
    assert few == "3 of 6 encoders are available, and a map needs at least 4"
    for reason in ("unreachable", "offline"):
        none = too_few(replace(failed(plan, *((f"org/{row}", "transient", reason) for row in range(18))), units=()))
        assert none.startswith("0 of 18 encoders are available, and a map needs at least 4; the hub cannot be reached")
        assert "{source: catalogue, name: demo}" in none and "hf download ID" in none

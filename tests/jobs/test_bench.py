"""Which nodes get no more work: the bench alone, on a cluster that is only described."""

import pytest

from jobs.config.slots import Slot
from jobs.engine import bench as module
from jobs.engine.bench import IN_A_ROW, Bench

SLOT, GPU = Slot(), Slot(gpus=1)


@pytest.fixture
def made(monkeypatch):
    """A bench over nodes a, b and c; only c has a GPU. What it says, and the nodes that are up."""
    said, up = [], {"a", "b", "c"}
    monkeypatch.setattr(module, "holding", lambda slot: up & ({"c"} if slot.gpus else {"a", "b", "c"}))
    monkeypatch.setattr(module, "autoscaling", lambda: False)
    monkeypatch.setattr(module, "node_name", lambda node: f"node {node}")
    return Bench(said.append), said, up


def fail(bench: Bench, node: str, count: int = IN_A_ROW, slot: Slot = SLOT, first: int = 0) -> None:
    for number in range(first, first + count):
        bench.failed(node, f"pass {number}", "the disk is full", slot)


def test_a_node_that_fails_in_a_row_gets_no_work_and_is_told_of_when_another_can(made):
    bench, said, _ = made
    fail(bench, "a", IN_A_ROW - 1)
    assert bench.kept_from(SLOT) == frozenset()
    fail(bench, "a", 1, first=9)
    assert bench.kept_from(SLOT) == {"a"} and said == [] and bench.benched == {}
    bench.succeeded("b")
    assert bench.kept_from(SLOT) == {"a"} and len(said) == 1 and "node a" in said[0] and "the disk is full" in said[0]
    bench.succeeded("a")  # what was in flight there may still end well
    assert bench.kept_from(SLOT) == {"a"}, "benched for the rest of the sweep"


def test_tries_of_one_pass_and_failures_with_a_success_between_are_not_a_row(made):
    bench, _, _ = made
    for _ in range(IN_A_ROW):
        bench.failed("a", "one pass", "why", SLOT)
    assert bench.kept_from(SLOT) == frozenset()
    fail(bench, "b", IN_A_ROW - 1)
    bench.succeeded("b")
    fail(bench, "b", IN_A_ROW - 1)
    assert bench.kept_from(SLOT) == frozenset() and bench.failures == {"a": 3, "b": 4}


def test_where_every_node_fails_it_is_not_the_nodes(made):
    bench, said, _ = made
    for node in "abc":
        fail(bench, node)
    assert bench.kept_from(SLOT) == frozenset()
    bench.succeeded("b")
    assert said == [] and bench.benched == {}


def test_the_only_node_that_holds_a_slot_goes_on_and_no_other_proves_anything_of_it(made):
    bench, said, _ = made
    fail(bench, "c", slot=GPU)
    assert bench.kept_from(GPU) == frozenset()
    bench.succeeded("a")
    assert said == []


def test_what_failed_on_a_node_goes_elsewhere_while_there_is_an_elsewhere(made):
    bench, _, up = made
    assert bench.kept_from(SLOT, {"a"}) == {"a"} and bench.kept_from(SLOT, {"a", "b"}) == {"a", "b"}
    assert bench.kept_from(SLOT, {"a", "b", "c"}) == frozenset()
    up.discard("c")
    assert bench.kept_from(SLOT, {"a", "b"}) == frozenset() and bench.kept_from(GPU, {"c"}) == frozenset()
    assert bench.kept_from(SLOT, {"c", "a"}) == {"a"}, "a node that is gone needs no mention"


def test_a_benched_node_is_left_for_one_that_an_autoscaler_brings(made, monkeypatch):
    bench, _, up = made
    fail(bench, "a")
    bench.succeeded("b")
    up -= {"b", "c"}
    assert bench.kept_from(SLOT) == frozenset()
    monkeypatch.setattr(module, "autoscaling", lambda: True)
    assert bench.kept_from(SLOT) == {"a"}

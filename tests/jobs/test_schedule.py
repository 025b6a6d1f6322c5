"""The schedule alone, with a clock of the test's own: order, width, pauses, what counts as a try, and where a snapshot
lies."""

import pytest

from jobs.config.slots import ClusterSettings, Slot
from jobs.engine.schedule import LONGEST_PAUSE, Schedule
from jobs.planning.units import PassWork

GPU, BIG, CPU = Slot(gpus=1), Slot(gpus=4, cpus=8), Slot()


def works(*seconds: float, slot: Slot = GPU, **values) -> list[PassWork]:
    return [PassWork(f"{slot.name} {number}", (), each, slot, **values) for number, each in enumerate(seconds)]


def schedule(*passes: PassWork, width: int = 2, attempts: int = 3) -> Schedule:
    made = Schedule(lambda *slots: width, attempts)
    made.add(passes)
    return made


def test_longest_first_within_the_width():
    made = schedule(*works(3, 9, 1, 7, 5))
    seen = []
    while made.queued or made.in_flight:
        assert len(made.in_flight) <= 2
        seen += [attempt.work.seconds for attempt in made.next(0.0)]
        made.done(made.in_flight[0])
    assert seen == [9, 7, 5, 3, 1]


def test_the_width_follows_the_cluster():
    room = [1]
    made = Schedule(lambda slot: room[0], 3)
    made.add(works(1, 2, 3, 4))
    assert len(made.next(0.0)) == 1
    room[0] = 3
    assert len(made.next(0.0)) == 2
    room[0] = 1
    assert made.next(0.0) == []
    assert len(made.in_flight) == 3  # what runs is never taken away


def test_a_rare_gpu_holds_up_no_others_and_cpus_wait_for_gpus():
    made = schedule(*works(100, 90, 80, slot=BIG), *works(3, 2, 1), *works(50, 40, slot=CPU))
    first = made.next(0.0)
    assert [attempt.work.slot for attempt in first] == [BIG, BIG, GPU, GPU]
    for attempt in first[2:]:
        made.done(attempt)
    assert [attempt.work.slot for attempt in made.next(0.0)] == [GPU]
    assert not [attempt for attempt in made.next(0.0) if attempt.work.slot == CPU]  # a BIG one is queued still
    made.done(first[0])
    assert [attempt.work.slot for attempt in made.next(0.0)] == [BIG, CPU, CPU]


def test_a_failed_try_pauses_and_there_are_so_many():
    made = schedule(*works(1), attempts=3)
    now, tries = 0.0, []
    while made.queued:
        (attempt,) = made.next(now)
        tries.append(attempt.number)
        again = made.again(attempt, now)
        if again is None:
            break
        assert made.next(now) == []  # not at once
        assert now < made.waking <= now + LONGEST_PAUSE
        now = made.waking
    assert tries == [1, 2, 3]
    assert (made.queued, made.in_flight) == (0, [])


def test_a_try_that_got_further_does_not_count():
    made = schedule(*works(1), attempts=2)
    for _ in range(20):
        (attempt,) = made.next(made.waking or 0.0)
        attempt.moved = True
        assert made.again(attempt, 0.0).number == 1


def test_others_go_on_while_one_pauses():
    made = schedule(*works(9, 1), width=1)
    (attempt,) = made.next(0.0)
    made.again(attempt, 0.0)
    assert [attempt.work.seconds for attempt in made.next(0.0)] == [1]


def test_no_two_nodes_fetch_one_snapshot_and_a_fetched_one_goes_to_its_node():
    made = schedule(*works(9, 8, 7, 6, 5, fetched=True))
    first, second = made.next(0.0)
    for attempt, node in ((first, "a"), (second, "b")):
        made.started(attempt, node, 0.0)
    assert {first.upcoming.seconds, second.upcoming.seconds} == {7, 6}
    made.done(second)
    (third,) = made.next(0.0)
    assert third.work is second.upcoming
    assert third.node == "b"


def test_what_no_node_holds_is_withdrawn():
    made = schedule(*works(2, 1, slot=BIG), *works(3), width=1)
    running = made.next(0.0)
    assert {work.seconds for work in made.withdraw(BIG.name)} == {1}
    assert made.queued == 0
    assert len(running) == 2


@pytest.mark.parametrize(
    ("slot", "name", "options"),
    [
        (CPU, "1 CPU", {"num_cpus": 1, "num_gpus": 0, "resources": {}}),
        (
            Slot(cpus=2, gpus=1, share=4),
            "2 CPUs, 1 GPU shared by 4",
            {"num_cpus": 2, "num_gpus": 0.25, "resources": {}},
        ),
        (
            Slot(cpus=8, gpus=2, labels={"zone": "x"}, resources={"nvlink": 1}),
            "8 CPUs, 2 GPUs, nvlink=1.0, zone=x",
            {"num_cpus": 8, "num_gpus": 2, "resources": {"nvlink": 1}, "label_selector": {"zone": "x"}},
        ),
    ],
)
def test_a_slot_in_words_and_as_options_of_ray(slot, name, options):
    assert slot.name == name
    assert slot.asked() == options


SPOT, ON_DEMAND = Slot(gpus=1, labels={"market": "spot"}), Slot(gpus=1, labels={"market": "on-demand"})


def either(*seconds: float) -> list[PassWork]:
    return works(*seconds, slot=SPOT, slots=(SPOT, ON_DEMAND))


def falling_back(*passes: PassWork, width: int = 2) -> Schedule:
    made = Schedule(lambda *slots: width, 3, patience=600)
    made.add(passes)
    return made


def test_what_waits_too_long_asks_for_its_next_slot_and_what_follows_asks_there_at_once():
    made = falling_back(*either(5, 4, 3, 2))
    first, second = made.next(0.0)
    assert first.work.slot == second.work.slot == SPOT
    assert made.overdue(600.0) == []
    for attempt in made.overdue(601.0):
        made.fall_back(attempt, 601.0)
    again = made.next(601.0)
    assert [(attempt.work.seconds, attempt.work.slot, attempt.number) for attempt in again] == [
        (5, ON_DEMAND, 1),
        (4, ON_DEMAND, 1),
    ]
    assert made.overdue(9999.0) == []  # there is no further one
    made.started(again[0], "a", 700.0)
    made.done(again[0])
    assert [attempt.work.slot for attempt in made.next(800.0)] == [ON_DEMAND]


def test_now_and_then_one_looks_whether_the_first_slot_has_a_place_again():
    made = falling_back(*either(9, 8, 7, 6, 5), width=3)
    for attempt in made.next(0.0)[:1]:
        made.fall_back(attempt, 600.0)
    (first,) = made.next(600.0)
    assert first.work.slot == ON_DEMAND
    made.started(first, "a", 700.0)
    made.done(first)
    (looks,) = made.next(1300.0)
    assert looks.work.slot == SPOT
    made.done(made.in_flight[0])
    assert [attempt.work.slot for attempt in made.next(1301.0)] == [ON_DEMAND]
    made.started(looks, "b", 1302.0)  # it has one
    made.done(made.in_flight[0])
    made.add(either(1))
    assert {attempt.work.slot.name for attempt in made.next(1303.0)} == {SPOT.name}


def test_a_pass_that_lost_its_node_asks_for_the_first_slot_again():
    made = falling_back(*either(9), width=1)
    made.fall_back(made.next(0.0)[0], 0.0)
    (attempt,) = made.next(0.0)
    made.started(attempt, "a", 1.0)
    made.again(attempt, 1.0)
    assert made.next(1000.0)[0].work.slot == SPOT


def test_what_nothing_can_hold_is_not_asked_for():
    made = falling_back(*either(9, 8, 7), width=1)
    (waits,) = made.next(0.0)
    assert made.withdraw(SPOT.name) == []
    assert made.overdue(0.0) == [waits]
    made.fall_back(waits, 0.0)
    assert made.next(0.0)[0].work.slot == ON_DEMAND
    assert {work.seconds for work in made.withdraw(ON_DEMAND.name)} == {8, 7}
    assert made.queued == 0


def test_no_more_is_begun_than_there_is_room_for_and_what_costs_more_holds_up_nothing():
    gpu, cpu = Slot(gpus=1), Slot()
    cost = {"dear": 9.0, "middle": 4.0, "small": 3.0, "tiny": 2.0, "free": 0.0}
    schedule = Schedule(lambda *slots: 4, 3)
    schedule.add([PassWork(name, (), money, cpu if name == "free" else gpu) for name, money in cost.items()])
    begun = schedule.next(0.0, lambda work: cost[work.key], 7.5)
    assert [attempt.work.key for attempt in begun] == ["middle", "small", "free"]
    assert [work.key for work in schedule.waiting] == ["dear", "tiny"]
    assert [attempt.work.key for attempt in schedule.next(0.0)] == ["dear", "tiny"], "without a bound all go"


def test_all_that_waits_is_withdrawn_also_what_pauses():
    schedule = Schedule(lambda *slots: 1, 3)
    schedule.add([PassWork("a", (), 2.0, Slot()), PassWork("b", (), 1.0, Slot())])
    (attempt,) = schedule.next(0.0)
    schedule.again(attempt, 0.0)
    assert {work.key for work in schedule.withdraw_all()} == {"a", "b"}
    assert schedule.queued == 0 and schedule.next(1e9) == []


def test_slots_of_one_bound_are_fall_backs_of_each_other_and_a_larger_one_is_not():
    small, again, large = (
        {"up_to_gigabytes": 20, "gpus": 1},
        {"up_to_gigabytes": 20, "gpus": 1, "labels": {"market": "on-demand"}},
        {"gpus": 8},
    )
    settings = ClusterSettings.model_validate({"slots": [small, again, large]})
    assert settings.slots_for(10) == settings.slots[:2]
    assert settings.slots_for(30) == settings.slots[2:]
    assert ClusterSettings(gpus_per_encoder=1).slots_for(10) == (Slot(gpus=1),)

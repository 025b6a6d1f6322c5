"""A second run of a sweep beside a running one is refused; after a kill the next one begins at once."""

import subprocess
import sys
import time

import pytest

from jobs.records import running
from jobs.records.running import at_work, check_alone, machine, started
from qre.errors import UserError
from qre.store import Store
from tests.s3 import s3  # noqa: F401

RUN = """
import sys, time
from jobs.records.running import at_work
from qre.store import Store
with at_work(Store(sys.argv[1]), "t"):
    print("began", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def other(store):
    process = subprocess.Popen([sys.executable, "-c", RUN, store.location], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "began\n"
    yield process
    process.kill()
    process.wait()


def refuse_to_wait(text):
    raise AssertionError(f"waits: {text}")


def test_beside_a_running_one_it_is_refused_and_after_a_kill_it_is_not(store, other):
    with pytest.raises(
        UserError, match=f"another run is at work on the sweep 't' in .*: process {other.pid} on .*, since .*--anyway"
    ):
        with at_work(store, "t"):
            raise AssertionError("begun")
    assert store.running.read("t")["pid"] == other.pid
    check_alone(store, "other")
    other.kill()
    other.wait()
    check_alone(store, "t", refuse_to_wait)
    with at_work(store, "t"):
        assert store.running.read("t")["pid"] != other.pid
    assert store.running.read("t") is None


def test_a_process_that_nobody_has_reaped_is_dead(store, other):
    other.kill()
    while started(other.pid) is not None:
        time.sleep(0.01)
    check_alone(store, "t", refuse_to_wait)


def test_anyway(store, other):
    with at_work(store, "t", anyway=True):
        assert store.running.read("t")["pid"] != other.pid


def foreign(store, **values):
    record = {
        "token": "x",
        "host": "elsewhere",
        "pid": 1,
        "started": "1",
        "machine": "another",
        "began": "2026-01-01T00:00:00+00:00",
        "beat": running._now(),
        "beats": 1,
    }
    store.running.write("t", {**record, **values})
    return record


def test_a_number_that_is_used_again_is_another_process(store):
    foreign(store, machine=machine(), pid=1, started="-1")
    check_alone(store, "t", refuse_to_wait)


def test_of_another_machine_the_heartbeat_tells(store, monkeypatch):
    beats, clock = [2], [0.0]

    def passes(seconds):
        clock[0] += seconds
        if beats:
            foreign(store, beats=beats.pop())

    monkeypatch.setattr(
        running,
        "time",
        type(
            "Clock",
            (),
            {
                "sleep": staticmethod(passes),
                "monotonic": staticmethod(lambda: clock[0]),
                "time": staticmethod(time.time),
            },
        ),
    )
    foreign(store)
    told = []
    with pytest.raises(UserError, match="process 1 on elsewhere"):
        check_alone(store, "t", told.append)
    assert told == ["process 1 on elsewhere was at work on this sweep; looking for at most 45 s whether it still is"]
    clock[0] = 0.0
    check_alone(store, "t", told.append)  # it beats no more
    assert running.DEAD_SECONDS <= clock[0] < running.DEAD_SECONDS + 2 * running.LOOK_SECONDS
    foreign(store, beat="2026-01-01T00:00:00+00:00")
    check_alone(store, "t", refuse_to_wait)


RACE = """
import sys
from jobs.records.running import at_work
from qre.errors import UserError
from qre.store import Store
for line in sys.stdin:
    dead, location = line.split()
    store = Store(location)
    record = store.running.read("t")
    try:
        with at_work(store, "t", dead=record if (record or {}).get("token") == dead else None):
            print("began", flush=True)
            sys.stdin.readline()
    except UserError as error:
        print(error, flush=True)
        sys.stdin.readline()
    print("ended", flush=True)
"""


@pytest.fixture
def racers():
    """Processes that begin one sweep in the same moment: gives what each of them says."""
    processes = [
        subprocess.Popen([sys.executable, "-c", RACE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]

    def tell(line):
        for process in processes:
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
        return [process.stdout.readline().strip() for process in processes]

    def race(location, dead="none"):
        said = tell(f"{dead} {location}")
        assert set(tell("end")) == {"ended"}
        return said

    yield race
    for process in processes:
        process.kill()
        process.wait()


def check_one_began(said):
    assert said.count("began") == 1, said
    assert all("another run" in one and "process" in one for one in said if one != "began"), said


def test_of_runs_that_begin_at_the_same_moment_one_goes_on(racers, tmp_path):
    for number in range(10):
        check_one_began(racers(tmp_path / f"store{number}"))


def test_of_runs_that_follow_a_dead_one_at_the_same_moment_one_goes_on(racers, tmp_path):
    for number in range(10):
        store = Store(tmp_path / f"store{number}")
        foreign(store, beat="2026-01-01T00:00:00+00:00")
        check_one_began(racers(store.location, "x"))


def test_in_a_bucket_too(s3, racers):
    check_one_began(racers(s3.location()))

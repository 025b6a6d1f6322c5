"""A sweep on paper: the very schedule that the sweep uses, on simulated GPUs, with spot losses."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from jobs.config import SweepConfig
from jobs.config.slots import Slot
from jobs.engine.schedule import Attempt, Schedule
from jobs.planning.costs import expected_cost, is_transformer
from jobs.planning.estimates import Words
from jobs.planning.plan import Plan
from jobs.planning.units import PassWork
from qre.encoders.cost import BYTES, GPUS, START_SECONDS, estimate
from qre.encoders.spec import FolderSpec

# parameters of the 895 encoders that mteb's registry (2.26) gives a count for: quantiles at 0, 5, ..., 100 %; the
# largest, of 58 B, is cut to 30 B
PARAMETERS = (
    1.0e5,
    2.27e7,
    3.88e7,
    9.5e7,
    1.11e8,
    1.35e8,
    1.51e8,
    2.27e8,
    3.07e8,
    3.35e8,
    3.95e8,
    5.6e8,
    5.96e8,
    9.12e8,
    1.28e9,
    2.21e9,
    3.77e9,
    4.7e9,
    7.11e9,
    8.01e9,
    3.0e10,
)
STAND_IN_WORDS, STAND_IN_SENTENCES = 180_000, 10_000
HALF_ABOVE = 1e9  # parameters: from here on the stand-in's encoders run in bfloat16, as their authors give them
FETCH_BYTES = 200e6  # a second, from the hub to a node
CHUNK_SHARE = 1 / 40  # of a pass that a lost node takes with it at most, plus its start: 10,000 sentences are 40 chunks
BOOT_SECONDS = 240.0  # until a lost node is replaced
SLOT = Slot(gpus=1)
COUNT = 1101
FLEETS = (1, 2, 4, 8, 16, 32, 64)
UNSURE = 0.3  # a true time is mostly within 30 % of the expected one


@dataclass(frozen=True)
class Run:
    """A simulated sweep.

    Attributes:
        makespan: seconds from the first start to the last end.
        bound: no schedule is faster: the longest pass, or all work shared evenly.
        losses: GPUs that were taken away.
        repeated: GPU seconds that were spent and lost.
    """

    makespan: float
    bound: float
    losses: int
    repeated: float

    @property
    def above_bound(self) -> float:
        return self.makespan / self.bound - 1


def stand_in(count: int, gpu: str, seed: int = 0) -> list[PassWork]:
    """Passes of `count` encoders of realistic sizes on 10,000 sentences, with the seconds that each takes on a GPU of
    this type."""
    sizes = np.exp(
        np.interp(np.random.default_rng(seed).random(count), np.linspace(0, 1, len(PARAMETERS)), np.log(PARAMETERS))
    )
    works = []
    for number, size in enumerate(sizes):
        dtype = "bfloat16" if size > HALF_ABOVE else "float32"
        cost = estimate(int(size), 0, None, dtype, STAND_IN_WORDS, STAND_IN_SENTENCES, 16_384)
        if gpu in cost.seconds:
            works.append(
                PassWork(f"{number:05d}", (), cost.seconds[gpu] + size * BYTES[dtype] / FETCH_BYTES, SLOT, fetched=True)
            )
    return works


def stand_in_costs(count: int) -> dict:
    """The passes of stand_in on every GPU type: how many fit, and their GPU hours; as `expected_costs` gives them."""
    works = {gpu.name: stand_in(count, gpu.name) for gpu in GPUS}
    return {
        "passes": count,
        "gpus": {
            name: {"fits": len(own), "hours": sum(work.seconds for work in own) / 3600} for name, own in works.items()
        },
    }


def passes_of(plan: Plan, config: SweepConfig, gpu: str) -> list[PassWork]:
    """The transformers that a plan still has to run and that fit a GPU of this type, with the seconds that each takes
    on it."""
    words, works = Words(plan), []
    for work in plan.passes:
        unit = work.members[0]
        if not is_transformer(unit.spec, unit.attributes):
            continue
        cost = expected_cost(unit.spec, unit.attributes, words.of(work), len(plan.sentences), config)
        fetch = 0 if isinstance(unit.spec, FolderSpec) else sum(size for _, size in unit.spec.fetched) / FETCH_BYTES
        if gpu in cost.seconds:
            works.append(replace(work, seconds=cost.seconds[gpu] + fetch, slot=SLOT, slots=()))
    return works


class _Machine:
    """GPUs, a clock, and what happens next: a pass ends, a GPU is taken away, its replacement is up."""

    def __init__(self, gpus: int, losses_per_hour: float, true: dict[str, float], rng: np.random.Generator):
        self.now = self.repeated = 0.0
        self.losses = self._count = 0
        self.up = gpus
        self._free = [f"gpu{number}" for number in range(gpus)]
        self._true, self._rate, self._rng = dict(true), losses_per_hour / 3600, rng
        self._events: list[tuple] = []  # (when, count, attempt or None, gpu, lost)

    def start(self, attempt: Attempt) -> str:
        """Begin a pass on a free GPU, the one that fetched its snapshot if it can be had; returns which."""
        gpu = attempt.node if attempt.node in self._free else self._free[0]
        self._free.remove(gpu)
        needs = self._true[attempt.work.key]
        lasts = self._rng.exponential(1 / self._rate) if self._rate else np.inf
        self._push(min(needs, lasts), attempt, gpu, lasts < needs)
        return gpu

    def advance(self, waking: float | None) -> tuple[Attempt | None, bool]:
        """Go to the next event, or to `waking` where that is sooner; returns the attempt that has ended, if one has,
        and whether it was lost."""
        if waking is not None and (not self._events or waking < self._events[0][0]):
            self.now = waking
            return None, False
        self.now, _, attempt, gpu, lost = heapq.heappop(self._events)
        if lost:
            self._lose(attempt)
            self.up -= 1
            self._push(BOOT_SECONDS, None, gpu, False)
        else:
            self.up += attempt is None
            self._free.append(gpu)
        return attempt, lost

    def _lose(self, attempt: Attempt) -> None:
        """Chunks that were made are kept; the start and the chunk in the making are spent for nothing."""
        assert attempt.started is not None
        whole, spent = self._true[attempt.work.key], self.now - attempt.started
        chunk = CHUNK_SHARE * max(whole - START_SECONDS, 0.0)
        kept = chunk * int(max(spent - START_SECONDS, 0.0) / chunk) if chunk else 0.0
        attempt.moved = kept > 0
        self._true[attempt.work.key] = whole - kept
        self.losses += 1
        self.repeated += spent - kept

    def _push(self, after: float, attempt: Attempt | None, gpu: str, lost: bool) -> None:
        self._count += 1  # events at one moment come in the order of their making
        heapq.heappush(self._events, (self.now + after, self._count, attempt, gpu, lost))


def simulate(
    works: Sequence[PassWork],
    gpus: int,
    losses_per_hour: float = 0.0,
    spread: float = 0.0,
    attempts: int = 3,
    seed: int = 0,
) -> Run:
    """Run passes on `gpus` equal GPUs.

    Args:
        works: passes, `seconds` being what the schedule expects each to take.
        losses_per_hour: of each GPU, at random moments (a Poisson process); it is replaced after a while.
        spread: standard deviation of the logarithm of true over expected time.
        attempts: as cluster.attempts.
    """
    rng = np.random.default_rng(seed)
    true = {
        work.key: work.seconds * factor
        for work, factor in zip(works, rng.lognormal(0, spread, len(works)), strict=True)
    }
    machine = _Machine(gpus, losses_per_hour, true, rng)
    schedule: Schedule[PassWork] = Schedule(lambda slot: machine.up, attempts)
    schedule.add(works)
    while schedule.queued or schedule.in_flight:
        for attempt in schedule.next(machine.now):
            schedule.started(attempt, machine.start(attempt), machine.now)
        ended, lost = machine.advance(schedule.waking)
        if ended is not None and lost:
            schedule.again(ended, machine.now)
        elif ended is not None:
            schedule.done(ended)
    bound = max(max(true.values()), sum(true.values()) / gpus)
    return Run(machine.now, bound, machine.losses, machine.repeated)


def on_paper(works: Sequence[PassWork], losses_per_hour: float) -> list[dict]:
    """A row for each fleet: seconds at best, as expected, with times that are not known well, and with spot losses
    too."""
    rows = []
    for gpus in FLEETS:
        exact = simulate(works, gpus)
        unsure = simulate(works, gpus, spread=UNSURE)
        lossy = simulate(works, gpus, losses_per_hour, UNSURE)
        rows.append(
            {
                "gpus": gpus,
                "bound": exact.bound,
                "makespan": exact.makespan,
                "above_bound": exact.above_bound,
                "above_bound_unsure": unsure.above_bound,
                "makespan_lossy": lossy.makespan,
                "losses": lossy.losses,
                "repeated_gpu_hours": lossy.repeated / 3600,
            }
        )
    return rows

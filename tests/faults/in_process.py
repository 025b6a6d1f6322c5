"""A sweep in the test's own process, so that the test sees what the driver sees; and how its timeline is read."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import ray
from rich.console import Console

from cluster.local import LocalCluster
from jobs.config import SweepConfig
from jobs.engine.connect import SweepError
from jobs.engine.progress import Reporter
from jobs.engine.rounds import sweep
from jobs.planning.plan import Plan, make_plan
from jobs.planning.resolve import resolve
from jobs.planning.shard_folders import shard_folders
from jobs.workers.embed import Embedded, embed_pass
from jobs.workers.featurize import ToFeaturize, featurize_batch
from jobs.workers.reduce import reduction, write_atlas
from qre.store import Store

HASHED = {"source": "catalogue", "name": "classical", "include": ["hash/word1-1/*"]}  # 6 encoders
PATIENCE = 400.0  # seconds for one step, also on a machine that does much else
LONG = 6.0


class Case:
    """One config and store, and the sweep on it.

    Attributes:
        reporter: of the last sweep.
        said: all that it has printed.
    """

    def __init__(
        self, folder: Path, encoders: list[dict], cluster: dict, sentences: int = 400, tasks: tuple[str, ...] = ()
    ):
        self.config = SweepConfig.model_validate(
            {
                "name": "t",
                "store": str(folder / "store"),
                "sentences": {"source": "builtin", "limit": sentences},
                "encoders": encoders,
                "cluster": {"shard_units": 16, **cluster},
                "tasks": [{"source": "builtin", "include": list(tasks)}] if tasks else [],
            }
        )
        self.store = Store(self.config.store)
        self.said = io.StringIO()
        self.reporter: Reporter | None = None

    def plan(self) -> Plan:
        return make_plan(self.config, self.store, resolve(self.config, self.store))

    def sweep(self, reporter: Callable[..., Reporter] = Reporter) -> Plan:
        with reporter(Console(file=self.said, width=180), self.store, "t") as self.reporter:
            return sweep(self.config, self.store, resolve(self.config, self.store), self.plan(), self.reporter)

    def rows(self) -> list[dict]:
        return timeline(self.store, "t")


def timeline(store: Store, name: str) -> list[dict]:
    """Of the last run, a row a pass and try, with the second in which its actor was asked for."""
    rows = json.loads(store.folder.read(list(store.folder.names(f"runs/{name}"))[-1]))
    return [{**row, "asked": row["started"] - row["waited"]} for row in rows]


def most_at_once(rows: list[dict]) -> int:
    """Passes that were under way, or waited for a node, together."""
    return max(sum(one["asked"] <= row["asked"] < one["ended"] - 0.01 for one in rows) for row in rows)


@contextlib.contextmanager
def pinned(cluster: LocalCluster) -> Iterator[None]:
    """A node whose type has the resource `pin` is up all along, and nothing of it is taken: what it can hold waits for
    no launch."""

    class Pin:
        def holds(self) -> bool:
            return True

    driver = {"address": cluster.address, "namespace": "pin", "log_to_driver": False, "logging_level": "error"}
    with ray.init(**driver):
        pin = ray.remote(Pin).options(name="pin", lifetime="detached", num_cpus=0, resources={"pin": 1}).remote()
        assert ray.get(pin.holds.remote(), timeout=PATIENCE)
    yield
    with ray.init(**driver):
        ray.kill(ray.get_actor("pin"))


def without_ray(config: SweepConfig, folder: Path) -> bytes:
    """features.parquet of a config, made in this process, one step after the other."""
    store = Store(folder)
    plan = make_plan(config, store, resolve(config, store))
    store.sentences.write(plan.sentences.fingerprint, plan.sentences.to_table())
    for work in plan.passes:
        assert [
            event
            for event in embed_pass(store, work, plan.sentences, config.encode, device="cpu", tasks=plan.tasks)
            if isinstance(event, Embedded)
        ]
    plan = make_plan(config, store, resolve(config, store))
    folders = shard_folders(config, plan.sentences)
    featurize_batch(store, [ToFeaturize(unit.key, unit.spec.name) for unit in plan.to_featurize], folders)
    plan = make_plan(config, store, resolve(config, store))
    write_atlas(store, reduction(config, plan))
    return store.atlases.read(config.name, "features.parquet")


def given_time(check: Callable[[float], None], minutes: float) -> None:
    """A check of what a limit of so many minutes ends. What is to be reached before may take longer than that on a slow
    machine: then once more, with a limit that is long enough."""
    try:
        check(minutes)
    except (AssertionError, SweepError, pytest.fail.Exception):
        check(LONG * minutes)


def until(condition: Callable, what: str):
    """What the condition gives as soon as it is true; `what` is said where it never is."""
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < end, what
        time.sleep(0.02)
    return value

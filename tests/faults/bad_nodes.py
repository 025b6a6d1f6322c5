"""One of two nodes cannot do what the other can: its encoders go to the other, and none is lost. The seconds are those
of the whole sweep."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.conftest import save_tiny_bert
from tests.faults.faults import Case, NotHere
from tests.hub import READER, FakeHub

COUNT = 6


def bad_cache(case: Case) -> int:
    """On one node the hub's cache lies below a file."""
    with FakeHub() as hub:
        (case.sweep.folder / "file").write_text("no folder")
        return _sweep(
            case,
            _of_the_hub(case, hub),
            hub.environment(case.sweep.folder / "home"),
            {"HF_HUB_CACHE": str(case.sweep.folder / "file/hub")},
        )


def missing_token(case: Case) -> int:
    """The encoders are gated, and one node has no token, and no snapshot yet."""
    with FakeHub() as hub:
        environment = {**hub.environment(case.sweep.folder / "home"), "HF_TOKEN": READER}
        lacks = {**hub.environment(case.sweep.folder / "elsewhere"), "HF_TOKEN": ""}
        return _sweep(case, _of_the_hub(case, hub, gated="manual"), environment, lacks)


def missing_mount(case: Case) -> int:
    """The folder of the models is empty on one node."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False).returncode != 0:
        raise NotHere("only root can mount a file system for one process")
    models = case.sweep.folder / "models"
    encoders = [{"source": "folder", "path": str(one)} for one in _made(models)]
    return _sweep(
        case, encoders, {}, {}, within=["unshare", "-m", "sh", "-c", f'mount -t tmpfs none {models} && exec "$@"', "sh"]
    )


def _made(folder: Path) -> list[Path]:
    paths = [folder / f"e{number}" for number in range(COUNT)]
    for number, path in enumerate(paths):
        save_tiny_bert(path, seed=number)
    return paths


def _of_the_hub(case: Case, hub: FakeHub, **values) -> list[dict]:
    for path in _made(case.sweep.folder / "made"):
        hub.add(f"org/{path.name}", folder=path, **values)
    return [{"source": "hub", "id": f"org/e{number}"} for number in range(COUNT)]


def _sweep(case: Case, encoders: list[dict], environment: dict, bad: dict, within: Sequence[str] = ()) -> int:
    """An undisturbed sweep on one good node; then the same, on another store, with a bad one beside it."""
    cluster = case.cluster
    for node in cluster.workers:
        cluster.kill(node)
    cluster.add_node(gpus=1, environment=environment)
    options = {"encoders": encoders, "environment": environment, "sentences": 400, "tasks": ()}
    undisturbed = replace(case.sweep, folder=case.sweep.folder / "undisturbed", store="", **options)
    try:
        if undisturbed.start().wait() != 0:
            raise AssertionError(f"the undisturbed run failed: {undisturbed.log()[-2000:]}")
        case.expected = {"features.parquet": undisturbed.atlas()["features.parquet"]}
        broken = cluster.add_node(gpus=1, environment={**environment, **bad}, within=within)
        case.sweep = replace(case.sweep, **options)
        began = time.time()
        case.strike(case.start)
        code, log = case.end(), case.sweep.log()
        case.seconds = time.time() - began
        if f"node {broken.id[:8]}" not in log:
            raise AssertionError(f"the bad node was not named: {log[-2000:]}")
        return code
    finally:
        for node in cluster.workers:
            cluster.kill(node)

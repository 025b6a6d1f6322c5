"""A node that cannot do what others can: its work goes elsewhere, no encoder is blamed, and it is named. On a real Ray
of two nodes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.local import LocalCluster
from qre.encoders.hub import resolve
from qre.encoders.snapshots import acquire
from qre.store import Store
from tests.checkpoints import make, make_odd
from tests.hub import READER
from tests.jobs.conftest import write_config
from tests.jobs.test_hub_sweep import ROOT

pytestmark = pytest.mark.cluster
NEEDS_MOUNTS = pytest.mark.skipif(
    os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"]).returncode != 0, reason="needs a mount namespace"
)
ENCODERS = 6


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folders of encoders, each another one."""
    root = tmp_path_factory.mktemp("made")
    return [make("bert", root / f"e{number}", seed=number) for number in range(ENCODERS)]


def command(config: Path, environment: dict, *options: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "jobs.cli", "sweep", str(config), *options],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=400,
    )


def two_nodes(environment: dict) -> LocalCluster:
    """One worker node; the bad one is added by the test, with more CPUs, so that work goes there first."""
    return LocalCluster(nodes=1, cpus=1, environment={**environment, "OMP_NUM_THREADS": "1"})


def judge(result: subprocess.CompletedProcess, store: Store, cluster: LocalCluster, bad) -> None:
    """All encoders are on the map, and the node that failed them is named; none came there twice."""
    said = result.stdout + result.stderr
    assert result.returncode == 0, said
    assert f"map of {ENCODERS} encoders" in result.stdout, said
    assert store.failures.read_all() == {}, said
    progress, name = store.progress.read("t"), f"node {bad.id[:8]} ("
    (told,) = progress["nodes"]
    failed = int(told.split()[0])
    assert told.startswith(f"{failed} pass{'es' if failed > 1 else ''} failed on {name}") and 1 <= failed <= ENCODERS, (
        progress
    )
    benched = [one for one in progress["no more work for"] if one.startswith(name)]
    # three need not be in a row: features that are made there meanwhile are a success (test_bench.py shows when a node
    # is benched)
    assert len(benched) == said.count("gets no more work in this sweep") <= (failed >= 3), (progress, said)


def hub_config(folder: Path, hub, made: list, cluster: LocalCluster, **values) -> Path:
    for number, one in enumerate(made):
        hub.add(f"org/e{number}", folder=one, **values)
    ids = [{"source": "hub", "id": f"org/e{number}"} for number in range(ENCODERS)]
    return write_config(folder, ids, cluster={"address": cluster.address, "shared_store": True})


def test_a_hub_cache_that_cannot_be_used(hub, made, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with two_nodes(hub.environment(tmp_path / "home")) as cluster:
        config = hub_config(tmp_path, hub, made, cluster)
        bad = cluster.add_node(
            cpus=2, environment={"HF_HUB_CACHE": str(tmp_path / "file" / "hub"), "HF_HOME": str(tmp_path / "file")}
        )
        result = command(config, hub.environment(tmp_path / "home"))
        judge(result, Store(tmp_path / "store"), cluster, bad)


def test_a_token_that_is_missing(hub, made, tmp_path):
    with two_nodes({**hub.environment(tmp_path / "home"), "HF_TOKEN": READER}) as cluster:
        config = hub_config(tmp_path, hub, made, cluster, gated="manual")
        bad = cluster.add_node(cpus=2, environment={**hub.environment(tmp_path / "other"), "HF_TOKEN": ""})
        result = command(config, {**hub.environment(tmp_path / "home"), "HF_TOKEN": READER})
        judge(result, Store(tmp_path / "store"), cluster, bad)
        assert READER not in result.stdout + result.stderr


@NEEDS_MOUNTS
@pytest.mark.parametrize("what", ["absent", "empty", "another version"])
def test_a_mount_that_is_missing_or_holds_something_else(made, tmp_path, what):
    """The same path on the bad node: a mount point with nothing in it, the folder without its files, or older
    encoders."""
    models, other = tmp_path / "models", tmp_path / "other"
    for number, one in enumerate(made):
        shutil.copytree(one, models / f"e{number}")
        if what != "absent":
            (other / f"e{number}").mkdir(parents=True)
        if what == "another version":
            shutil.copytree(made[(number + 1) % ENCODERS], other / f"e{number}", dirs_exist_ok=True)
    other.mkdir(exist_ok=True)
    within = ["unshare", "-m", "sh", "-c", f'mount --bind {other} {models} && exec "$@"', "sh"]
    encoders = [{"source": "folder", "path": str(models / f"e{number}")} for number in range(ENCODERS)]
    with two_nodes({}) as cluster:
        bad = cluster.add_node(cpus=2, within=within)
        config = write_config(tmp_path, encoders, cluster={"address": cluster.address, "shared_store": True})
        judge(command(config, {}), Store(tmp_path / "store"), cluster, bad)


def test_a_library_that_is_another_one(made, tmp_path):
    """On the bad node every load fails in a library, by an error that an encoder's own files may as well have brought
    about."""
    hooked = tmp_path / "site"
    hooked.mkdir()
    (hooked / "sentence_transformers.py").write_text(
        "class SentenceTransformer:\n    def __init__(self, *a, **k):\n        raise KeyError('qwen9')\n"
    )
    encoders = [{"source": "folder", "path": str(one)} for one in made]
    with two_nodes({}) as cluster:
        bad = cluster.add_node(cpus=2, environment={"PYTHONPATH": f"{hooked}{os.pathsep}{ROOT}"})
        config = write_config(tmp_path, encoders, cluster={"address": cluster.address, "shared_store": True})
        judge(command(config, {}), Store(tmp_path / "store"), cluster, bad)


def test_an_actor_that_cannot_be_made(made, tmp_path):
    """On the bad node a library does not load, so an actor dies before it says anything; the only CPU of the good one
    is not held by an idle actor meanwhile."""
    hooked = tmp_path / "site"
    (hooked / "numpy").mkdir(parents=True)
    (hooked / "numpy/__init__.py").write_text("raise ImportError('libopenblas.so.0: cannot open shared object file')\n")
    encoders = [{"source": "folder", "path": str(one)} for one in made]
    with two_nodes({}) as cluster:
        cluster.add_node(cpus=2, environment={"PYTHONPATH": f"{hooked}{os.pathsep}{ROOT}"})
        config = write_config(
            tmp_path, encoders, cluster={"address": cluster.address, "shared_store": True, "stall_minutes": 5}
        )
        result = command(config, {})
        assert result.returncode == 0 and f"map of {ENCODERS} encoders" in result.stdout, result.stdout + result.stderr
        assert Store(tmp_path / "store").failures.read_all() == {}


def test_broken_encoders_bench_no_node_and_name_both(made, tmp_path):
    """What fails on both nodes is the encoder's own: recorded once, with the nodes; and no node is blamed for it."""
    encoders = [{"source": "folder", "path": str(one)} for one in made[:3]]
    for number in range(5):
        folder = make("bert", tmp_path / f"broken{number}", seed=number)
        (folder / "tokenizer.json").write_text('{"model": 1}')
        encoders.append({"source": "folder", "path": str(folder)})
    nan = make_odd("nan", tmp_path / "nan")
    with two_nodes({}) as cluster:
        cluster.add_node(cpus=1)
        config = write_config(
            tmp_path,
            [*encoders, {"source": "folder", "path": str(nan)}],
            cluster={"address": cluster.address, "shared_store": True},
        )
        result = command(config, {})
        said = result.stdout + result.stderr
        assert result.returncode == 1 and "gets no more work" not in said, said
        failures = {failure.encoder: failure for failure in Store(tmp_path / "store").failures.read_all().values()}
        assert {failure.kind for failure in failures.values()} == {"permanent"}, said
        assert set(failures) == {*(f"broken{number}" for number in range(5)), "nan"}
        ids = {f"node {node.id[:8]}" for node in cluster.workers}
        for name, failure in failures.items():
            assert sum(one in failure.node for one in ids) == (1 if name == "nan" else 2), (name, failure)


def test_a_damaged_snapshot_is_fetched_anew(hub, made, tmp_path, monkeypatch):
    """A file of a snapshot has another content and the same size: what fails then is the cache's fault, not the
    encoder's."""
    environment = hub.environment(tmp_path / "home")
    for number in range(4):
        hub.add(f"org/e{number}", folder=made[number])
    hub.adopt(monkeypatch, tmp_path / "home")
    for model in map(resolve, (f"org/e{number}" for number in range(4))):
        acquire(model.repository, model.revision, model.files).release()
    (cached,) = {file for file in (tmp_path / "home").rglob("snapshots/*/tokenizer.json") if "e1" in str(file)}
    content = cached.read_bytes()
    cached.resolve().write_bytes(b"x" * len(content))
    again = command(
        write_config(
            tmp_path, [{"source": "hub", "id": f"org/e{number}"} for number in range(4)], store=str(tmp_path / "new")
        ),
        environment,
    )
    assert again.returncode == 0, again.stdout + again.stderr
    assert "tokenizer.json of org/e1 was damaged in the hub's cache of this node" in again.stdout
    assert cached.read_bytes() == content

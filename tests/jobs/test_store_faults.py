"""Sweeps on a store that holds artefacts of a newer version, files of strangers, or files that cannot be read."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from jobs.config import load_config
from jobs.planning.plan import make_plan
from jobs.planning.resolve import resolve
from jobs.workers.embed import embed_pass
from qre.store import Store
from qre.store.shelves import SHELVES
from tests.faults.in_process import HASHED, without_ray
from tests.jobs.conftest import write_config

ROOT = Path(__file__).resolve().parents[2]
TASKS = [{"source": "builtin", "include": ["builtin/sts"]}]


def sweep(config: Path, prefix: list[str] = ()):
    """`qre sweep` in a process of its own."""
    result = subprocess.run(
        [*prefix, sys.executable, "-m", "jobs.cli", "sweep", str(config)],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert "Traceback" not in result.stderr, result.stderr
    return result.returncode, " ".join((result.stdout + result.stderr).split())


def encoders(store: Store) -> int:
    return (store.atlases.manifest("t") or {"headline": {"encoders": 0}})["headline"]["encoders"]


def embedded(config: Path) -> tuple[Store, list]:
    """The store of a config with all embeddings and nothing after them; its units."""
    settings = load_config(config)
    store = Store(settings.store)
    plan = make_plan(settings, store, resolve(settings, store))
    store.sentences.write(plan.sentences.fingerprint, plan.sentences.to_table())
    for work in plan.passes:
        list(embed_pass(store, work, plan.sentences, settings.encode, device="cpu", tasks=plan.tasks))
    return store, list(plan.units)


@pytest.mark.cluster
def test_an_embedding_of_a_newer_version_ends_the_sweep_that_needs_it(tmp_path, monkeypatch):
    """Its rows are of another meaning (here: turned round); nothing may be made of them, and another sweep is not
    disturbed."""
    config = write_config(tmp_path, [HASHED])
    store, units = embedded(config)
    name, (embedding, record) = store.embeddings.name(units[2].key), store.embeddings.read(units[2].key)
    with monkeypatch.context() as newer:
        newer.setitem(SHELVES, "embeddings", dataclasses.replace(SHELVES["embeddings"], schema=2))
        store.embeddings.write(units[2].key, embedding[::-1], record)
    before = store.folder.read(name)
    code, told = sweep(config)
    assert code == 2
    assert (
        f"{name} was written by a newer version of this program (schema 2, this one reads 1): update, or name another "
        f"store" in told
    )
    assert store.folder.read(name) == before and not list(store.folder.names("quarantine")) and encoders(store) == 0

    values = yaml.safe_load(config.read_text())
    rest = [
        {"source": "catalogue", "name": "classical", "include": [unit.spec.name]} for unit in units if unit != units[2]
    ]
    config.write_text(yaml.safe_dump({**values, "encoders": rest}))
    code, told = sweep(config)
    assert (code, encoders(store)) == (0, 5), told
    assert store.folder.read(name) == before


@pytest.mark.cluster
def test_a_map_of_a_newer_version_is_not_replaced(tmp_path, monkeypatch):
    config = write_config(tmp_path, [HASHED])
    store, _ = embedded(config)
    with monkeypatch.context() as newer:
        newer.setitem(SHELVES, "atlases", dataclasses.replace(SHELVES["atlases"], schema=7))
        store.atlases.write("t", {"map.csv": b"of tomorrow"}, {"identity": "x"})
    before = store.folder.read("atlases/t/manifest.json")
    code, told = sweep(config)
    assert code == 2 and "atlases/t/manifest.json was written by a newer version of this program (schema 7" in told
    assert (
        store.folder.read("atlases/t/manifest.json") == before
        and store.folder.read("atlases/t/map.csv") == b"of tomorrow"
    )


@pytest.mark.cluster
def test_an_unreadable_embedding_costs_its_encoder_only(tmp_path, bound_by_rights):
    config = write_config(tmp_path, [HASHED], cluster={"cpus": 2, "shard_units": 16})
    store, units = embedded(config)
    path = store.folder.path(store.embeddings.name(units[1].key))
    path.chmod(0)
    code, told = sweep(config, bound_by_rights[0])
    assert code == 1 and encoders(store) == 5, told
    assert (
        told.count(
            "cannot be read: Permission denied; give this user the right, or name a place of its own; the others go on"
        )
        == 1
    )
    assert units[1].spec.name in told and store.failures.read_all() == {}
    assert path.stat().st_mode & 0o777 == 0 and not list(store.folder.names("quarantine"))
    path.chmod(0o644)
    code, told = sweep(config, bound_by_rights[0])
    assert (code, encoders(store)) == (0, 6), told


@pytest.mark.cluster
def test_an_unreadable_score_or_shard_costs_what_is_in_it(tmp_path, bound_by_rights):
    config = write_config(tmp_path, [HASHED], tasks=TASKS)
    settings = load_config(config)
    without_ray(settings, tmp_path / "store")
    store = Store(settings.store)
    score = store.folder.path(next(store.folder.names("scores")))
    shard = store.folder.path(next(store.folder.names("features")))
    store.folder.remove("atlases/t/manifest.json")
    for path in (score, shard):
        path.chmod(0)
    code, told = sweep(config, bound_by_rights[0])
    assert code == 1 and encoders(store) == 6, told
    assert "the map is made without" in told and f"{score.name} cannot be read: Permission denied" in told
    assert store.failures.read_all() == {}
    assert not list(store.folder.names("quarantine"))
    for path in (score, shard):
        path.chmod(0o644)
    code, told = sweep(config, bound_by_rights[0])
    assert (code, encoders(store)) == (0, 6), told


@pytest.mark.cluster
def test_a_store_on_a_file_server_with_its_litter(tmp_path):
    config = write_config(tmp_path, [HASHED], tasks=TASKS)
    store, units = embedded(config)
    expected = without_ray(load_config(config), tmp_path / "undisturbed")
    folder = make_plan(load_config(config), store, resolve(load_config(config), store))
    method = next(iter(folder.lacking.values()))[0]
    for name in (
        f"features/{method}/x (1).parquet",
        f"embeddings/ab/{'ab' * 32} (1).safetensors",
        "failures/Thumbs.db",
        "scores/.DS_Store",
        "embeddings/@eaDir/x.safetensors",
        ".snapshot/hourly/embeddings/x",
        "lost+found/y",
        f"features/{method}/.ipynb_checkpoints/a.parquet",
    ):
        path = tmp_path / "store" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"stray")
    code, told = sweep(config)
    assert code == 0, told
    assert told.count("files that are not this program's are left alone") == 1
    assert store.atlases.read("t", "features.parquet") == expected
    assert (tmp_path / "store" / "features" / method / "x (1).parquet").read_bytes() == b"stray" and not list(
        store.folder.names("quarantine")
    )
    code, told = sweep(config)
    assert code == 0 and "all is done" in told

"""Commands that look change nothing in a store: not a byte, not a date, no file more, healthy or damaged, in a folder
or a bucket."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from jobs.cli import app
from jobs.config import load_config
from jobs.planning.memory import Memory
from jobs.planning.plan import make_plan
from jobs.planning.resolve import resolve
from jobs.workers.embed import embed_pass
from jobs.workers.featurize import ToFeaturize, featurize_batch
from qre.encoders.hub import HubModel
from qre.store import Failure, Store
from tests.faults.in_process import HASHED, without_ray
from tests.jobs.conftest import write_config
from tests.s3 import s3  # noqa: F401

COMMANDS = [
    ("plan", "{config}"),
    ("plan", "{config}", "--json"),
    ("plan", "{config}", "--simulate"),
    ("status", "{config}"),
    ("status", "{config}", "--json"),
    ("report", "{config}"),
    ("report", "{config}", "--out", "{out}/copied"),
    ("evaluate", "{config}"),
    ("evaluate", "{config}", "--json"),
    ("compare", "{config}", "{a}", "{b}"),
    ("neighbours", "{a}", "--atlas", "{config}"),
    ("rank", "--atlas", "{config}"),
    ("place", "{out}/m.npy", "--atlas", "{config}", "--out", "{out}/placed"),
    ("encoders", "list"),
    ("encoders", "show", "{a}"),
    ("encoders", "show", "{a}", "--atlas", "{config}"),
]


def qre(*words) -> tuple[int, str]:
    """Exit code, and all that is told, of a command in this process, as `qre` ends it."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return 2, f"{type(result.exception).__name__}: {result.exception}"
    return result.exit_code, result.output


def tree(folder: Path) -> dict[str, tuple]:
    """What a folder holds: names, bytes, dates, folders too."""
    return {
        path.relative_to(folder).as_posix(): (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
        for path in [folder, *folder.rglob("*")]
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A config and its store, in which all is done: features, scores, a map, a failure, what the hub said, chunks and
    progress of others."""
    folder = tmp_path_factory.mktemp("made")
    config = write_config(folder, [HASHED], tasks=[{"source": "builtin", "include": ["builtin/sts"]}])
    settings = load_config(config)
    without_ray(settings, folder / "store")
    store = Store(folder / "store")
    store.failures.write(Failure(key="e" * 64, encoder="x", kind="permanent", exception="E", message="m"))
    store.progress.write("t", {"state": "ended", "done": 6})
    store.chunks.write("f" * 64, 0, np.arange(3), {"default": np.zeros((3, 2), np.float32)})
    Memory(store).write_all({("org/a", None): HubModel("org/a", "a" * 40, (("model.safetensors", 9),))})
    store.folder.write(f"features/other/{'0' * 32}.parquet", b"damaged, and of nobody's interest")
    return folder, settings


def damage(store: Path) -> None:
    """One of each shelf, but for the atlas's table of contents."""
    for shelf in (
        "features",
        "failures",
        "scores",
        "hub",
        "embeddings",
        "chunks",
        "notices",
        "speeds",
        "progress",
        "sentences",
        "atlases",
    ):
        for path in sorted(path for path in (store / shelf).rglob("*.*") if path.is_file())[:2]:
            if path.name != "manifest.json":
                raw = bytearray(path.read_bytes())
                raw[len(raw) // 2 :] = b"damaged" + bytes(max(0, len(raw) - len(raw) // 2 - 7))
                path.write_bytes(raw[: max(len(raw), 8)])
    (store / "embeddings" / f".{'a' * 32}.tmp").write_bytes(b"of a writer that was killed")
    os.utime(store / "embeddings" / f".{'a' * 32}.tmp", (0, 0))


def at(folder: Path, made, location: str, damaged: bool = False) -> tuple[Path, dict[str, str]]:
    """A copy of the made config on a store elsewhere; what the words of COMMANDS stand for."""
    config = write_config(
        folder,
        [HASHED],
        tasks=[{"source": "builtin", "include": ["builtin/sts"]}],
        store=location,
        export=str(folder / "out" / "export"),
    )
    (folder / "out").mkdir()
    np.save(folder / "out" / "m.npy", np.random.default_rng(0).standard_normal((120, 4)).astype(np.float32))
    names = [spec.name for spec in resolve(made[1], Store(folder / "none")).specs]
    return config, {"config": str(config), "out": str(folder / "out"), "a": names[0], "b": names[1]}


@pytest.mark.parametrize("damaged", [False, True], ids=["healthy", "damaged"])
def test_looking_changes_nothing_in_a_folder(tmp_path, made, damaged):
    import shutil

    store = tmp_path / "store"
    shutil.copytree(made[0] / "store", store)
    if damaged:
        damage(store)
    config, words = at(tmp_path, made, str(store))
    before, ends = tree(store), {}
    for command in COMMANDS:
        ends[" ".join(command)] = qre(*(word.format(**words) for word in command))
        assert tree(store) == before, command
    told = {name: text for name, (_, text) in ends.items()}
    if not damaged:
        assert {name: code for name, (code, _) in ends.items() if code} == {"plan {config} --simulate": 2}, (
            told
        )  # no transformer to simulate
        assert "the map is up to date" in told["status {config}"]
        assert (tmp_path / "out" / "copied" / "map.csv").read_bytes() == (
            store / "atlases" / "t" / "map.csv"
        ).read_bytes()
        return
    for name in ("plan {config}", "status {config}"):
        assert ends[name][0] == 0
        assert (
            " ".join(told[name].split()).count("is damaged (") >= 2
            and "a sweep that reads it makes it again" in told[name]
        ), told[name]
        assert "moved to quarantine" not in told[name]
    assert "is damaged" in json.dumps(json.loads(told["status {config} --json"])["notes"])


def test_looking_at_what_is_not_there_makes_nothing(tmp_path, made):
    config, words = at(tmp_path, made, str(tmp_path / "nowhere" / "store"))
    for command in COMMANDS:
        qre(*(word.format(**words) for word in command))
        assert not (tmp_path / "nowhere").exists(), command


@pytest.mark.parametrize("damaged", [False, True], ids=["healthy", "damaged"])
def test_looking_changes_nothing_in_a_bucket(tmp_path, made, s3, damaged):  # noqa: F811
    import shutil

    shutil.copytree(made[0] / "store", tmp_path / "copy")
    if damaged:
        damage(tmp_path / "copy")
    location = s3.location()
    s3.adopt(tmp_path / "copy", Store(location).folder.address.prefix)
    config, words = at(tmp_path, made, location)
    s3.requests.clear()
    for command in COMMANDS:
        code, told = qre(*(word.format(**words) for word in command))
        assert damaged or code == 0 or "--simulate" in command, told
    assert {request.split()[0] for request in s3.requests} == {"GET", "HEAD"}


def test_a_plan_that_asks_the_hub_keeps_nothing(hub, tmp_path):
    from tests.jobs.test_hub_sweep import FILES
    from tests.jobs.test_hub_sweep import qre as command

    hub.add("org/a", files=FILES)
    config = write_config(
        tmp_path, [HASHED, {"source": "hub", "id": "org/a"}, {"source": "hub", "query": {"author": "org"}}]
    )
    for name in ("plan", "evaluate", "status"):
        result = command(hub, tmp_path, name, config)
        assert "Traceback" not in result.stderr
        assert not (tmp_path / "store").exists(), name


def test_what_was_seen_damaged_is_made_again_by_a_sweep(tmp_path):
    """What the looking commands promise."""
    config = load_config(write_config(tmp_path, [HASHED]))
    store = Store(config.store)
    plan = make_plan(config, store, resolve(config, store))
    for work in plan.passes:
        list(embed_pass(store, work, plan.sentences, config.encode, device="cpu"))
    unit = make_plan(config, store, resolve(config, store)).to_featurize[0]
    path = store.folder.path(store.embeddings.name(unit.key))
    path.write_bytes(path.read_bytes()[:-9])
    looked = Store(config.store, read_only=True)
    (result,) = featurize_batch(looked, [ToFeaturize(unit.key, "x")], {"m": config.features})
    assert result.status == "absent" and path.exists() and "nothing is changed by looking" in result.message
    (result,) = featurize_batch(store, [ToFeaturize(unit.key, "x")], {"m": config.features})
    assert result.status == "absent" and not path.exists()
    assert unit.key in {
        one.key for work in make_plan(config, store, resolve(config, store)).passes for one in work.units
    }

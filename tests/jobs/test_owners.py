"""An atlas and its progress belong to the config that made them: another of the same name is refused, with the way
out."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ray._private.runtime_env.constants import RAY_JOB_CONFIG_JSON_ENV_VAR
from typer.testing import CliRunner

from jobs import IN_A_JOB
from jobs.cli import app
from jobs.config import load_config
from jobs.planning.plan import make_plan
from jobs.planning.resolve import resolve
from jobs.records.ownership import Owner, claim, owner_of, place_of
from jobs.workers.reduce import reduction, write_atlas
from qre.errors import UserError
from qre.store import Store
from tests.faults.in_process import HASHED, without_ray
from tests.jobs.conftest import write_config

ROOT = Path(__file__).resolve().parents[2]
OTHERS = {"source": "catalogue", "name": "classical", "include": ["hash/char*"]}


@pytest.fixture
def first(tmp_path):
    """A config whose map is finished, and another config of the same name on the same store."""
    (tmp_path / "one").mkdir()
    config = write_config(tmp_path / "one", [HASHED], store=str(tmp_path / "store"))
    settings = load_config(config)
    without_ray(settings, tmp_path / "store")
    store = Store(tmp_path / "store")
    claim(store, "t", owner(config, store))
    return config, store


def owner(config: Path, store: Store) -> Owner:
    settings = load_config(config)
    plan = make_plan(settings, store, resolve(settings, store))
    return owner_of(settings, config, plan.sentences.fingerprint, (unit.key for unit in plan.units))


def sweep(config: Path, *words: str, cwd: Path | None = None):
    return subprocess.run(
        [sys.executable, "-m", "jobs.cli", "sweep", str(config), *words],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.cluster
def test_another_config_of_the_name_is_refused_until_it_takes_over(tmp_path, first):
    config, store = first
    (tmp_path / "two").mkdir()
    other = write_config(tmp_path / "two", [OTHERS], store=str(tmp_path / "store"))
    before = {
        name: store.folder.read(name)
        for shelf in ("atlases", "progress", "owners", "runs")
        for name in store.folder.names(shelf)
    }
    refused = sweep(other)
    assert refused.returncode == 2 and "Traceback" not in refused.stderr
    assert (
        "belongs to another config, config.yaml. Give config.yaml another name:" in refused.stderr
        and "--take-over" in refused.stderr
    )
    assert {
        name: store.folder.read(name)
        for shelf in ("atlases", "progress", "owners", "runs")
        for name in store.folder.names(shelf)
    } == before
    status = CliRunner().invoke(app, ["status", str(other)]).output
    assert "belong to another config" in " ".join(status.split()) and "finished (" not in status

    taken = sweep(other, "--take-over")
    assert taken.returncode == 0, taken.stderr
    assert store.atlases.manifest("t")["headline"]["encoders"] > 6
    back = sweep(config)  # now it is the first that is another
    assert back.returncode == 2 and "--take-over" in back.stderr
    again = sweep(other)  # said once
    assert again.returncode == 0, again.stderr


def test_an_edited_config_is_itself(tmp_path, first):
    config, store = first
    values = yaml.safe_load(config.read_text())
    config.write_text(
        yaml.safe_dump(
            {
                **values,
                "encoders": [HASHED, OTHERS],
                "sentences": {"source": "builtin", "limit": 90},
                "atlas": {"seed": 3},
            }
        )
    )
    claim(store, "t", owner(config, store))
    assert store.owners.read("t") == {
        "file": "config.yaml",
        "place": place_of(config),
        "content": owner(config, store).content,
    }


def test_a_copy_of_a_config_is_itself_until_it_is_edited(tmp_path, first):
    """Moved, on another machine, or under another name: the same map."""
    config, store = first
    copied = tmp_path / "renamed.yaml"
    shutil.copy(config, copied)
    claim(store, "t", owner(copied, store))
    claim(store, "t", owner(copied, store))  # it is the owner now
    values = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump({**values, "atlas": {"seed": 5}}))
    with pytest.raises(UserError, match="belongs to another config, renamed.yaml"):
        claim(store, "t", owner(config, store))


def test_what_does_not_make_the_map_makes_no_other_config(tmp_path, first):
    config, store = first
    copied = tmp_path / "c.yaml"
    values = yaml.safe_load(config.read_text())
    copied.write_text(
        yaml.safe_dump({**values, "export": str(tmp_path / "out"), "cluster": {"cpus": 1, "shard_units": 2}})
    )
    claim(store, "t", owner(copied, store))


def test_a_store_of_an_older_version_belongs_to_the_first_that_comes(first):
    config, store = first
    store.folder.remove("owners/t.json")
    claim(store, "t", Owner("x.yaml", "p", "c"))
    with pytest.raises(UserError, match="another config, x.yaml"):
        claim(store, "t", owner(config, store))


def test_a_config_that_was_taken_over_while_it_ran_writes_no_map(first):
    """Two at the same time: whoever does not own the name when the map is drawn leaves it alone."""
    config, store = first
    settings = load_config(config)
    resolved = resolve(settings, store)
    resolved.owner = owner(config, store)
    plan = make_plan(settings, store, resolved)
    claim(store, "t", Owner("other.yaml", "p", "c"), take_over=True)
    before = store.atlases.read("t", "manifest.json")
    with pytest.raises(UserError, match="other.yaml"):
        write_atlas(store, reduction(settings, plan))
    assert store.atlases.read("t", "manifest.json") == before
    claim(store, "t", resolved.owner, take_over=True)
    assert write_atlas(store, reduction(settings, plan))


def test_a_submitted_config_is_where_it_was_submitted_from(tmp_path, monkeypatch):
    """In a job the working directory is another copy each time; the place that `qre submit` tells is that of the
    original."""
    assert IN_A_JOB == RAY_JOB_CONFIG_JSON_ENV_VAR
    places = []
    for name in ("a", "b"):
        (tmp_path / name / "jobs").mkdir(parents=True)
        (tmp_path / name / "jobs" / "x.yaml").write_text("")
        monkeypatch.chdir(tmp_path / name)
        assert place_of(Path("jobs/x.yaml")) == place_of(tmp_path / name / "jobs" / "x.yaml")
        places.append(place_of(Path("jobs/x.yaml")))
        monkeypatch.setenv(IN_A_JOB, "{}")
        places.append(place_of(Path("jobs/x.yaml")))
        monkeypatch.delenv(IN_A_JOB)
    assert places[1] == places[3] and len(set(places)) == 3


def test_submit_tells_the_place_and_passes_the_way_out_on(tmp_path, monkeypatch):
    from jobs.submission import job as submission

    config, asked = write_config(tmp_path, [HASHED]), []
    monkeypatch.setattr(submission, "run", lambda config, address, folder, wait, options: asked.append(options) or 0)
    CliRunner().invoke(app, ["submit", str(config), "--take-over"], catch_exceptions=False)
    assert asked == [["--take-over", "--owner", place_of(config)]]
    assert json.dumps(asked)  # plain words for the job's command line


def test_the_name_of_a_strangers_file_is_escaped(first):
    config, store = first
    claim(store, "t", Owner("\x1b[31mred\n", "p", "c"), take_over=True)
    with pytest.raises(UserError) as refused:
        claim(store, "t", owner(config, store))
    assert "\x1b" not in str(refused.value) and "\n" not in str(refused.value)

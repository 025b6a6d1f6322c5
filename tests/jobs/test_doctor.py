"""`qre doctor`: each line looks at the thing itself, and a problem comes with its fix and exit code 1."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.start import checks as doctor
from tests.hub import FakeHub

ROOT = Path(__file__).parents[2]


def config(folder: Path, **more) -> Path:
    file = folder / "sweep.yaml"
    file.write_text(
        json.dumps({"name": "t", "store": "store", "encoders": [{"source": "catalogue", "name": "demo"}], **more})
    )
    return file


def told(*words, env: dict[str, str] | None = None, prefix: tuple[str, ...] = ()) -> tuple[int, dict[str, dict]]:
    command = [*prefix, sys.executable, "-m", "jobs.cli", "doctor", "--json", *map(str, words)]
    ended = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=400, check=False
    )
    return ended.returncode, {one["what"]: one for one in json.loads(ended.stdout)["findings"]}


@pytest.mark.cluster
def test_a_machine_that_is_ready(tmp_path):
    code, lines = told(config(tmp_path), env={"HF_HUB_OFFLINE": "1"})
    assert code == 0, lines
    assert {
        "Python",
        "packages",
        "machine",
        "open files",
        "shared memory",
        "hub",
        "hub cache",
        "store",
        "Ray",
    } <= lines.keys()
    assert "1 node" in lines["Ray"]["detail"]


@pytest.mark.cluster
def test_what_is_wrong_comes_with_its_fix(tmp_path, bound_by_rights):
    prefix, closed = bound_by_rights
    (cache := tmp_path / "cache").mkdir()
    (store := tmp_path / "store").mkdir()
    closed(cache), closed(store)
    file = config(tmp_path, store=str(store), cluster={"address": "127.0.0.1:1", "gpus_per_encoder": 1})
    code, lines = told(
        file,
        env={"HF_HUB_CACHE": str(cache), "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0"},
        prefix=tuple(prefix),
    )
    assert code == 1
    wrong = {what for what, line in lines.items() if line["state"] == "problem"}
    assert wrong == {"hub cache", "store", "Ray"}, (
        lines
    )  # no encoder of this config comes from the hub, and its GPUs are the cluster's
    assert lines["hub"]["state"] == "note" and "127.0.0.1" in lines["hub"]["detail"]
    assert "HF_HOME" in lines["hub cache"]["fix"] and "127.0.0.1:1" in lines["Ray"]["detail"]


def test_gpus_that_are_asked_for_and_are_not_here(tmp_path):
    import torch

    from jobs.config import load_config

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    [line] = doctor._gpu(load_config(config(tmp_path, cluster={"gpus_per_encoder": 1})))
    assert line.state == "problem" and "gpus_per_encoder: 0" in line.fix


def test_a_hub_is_asked_with_its_token():
    with FakeHub(tokens={"hf_good": "somebody"}) as hub:
        code = (
            "from jobs.start import checks; print([(one.what, one.state, 'hf_' in str(one)) for one in "
            "checks._hub(None)])"
        )
        said = {
            token: subprocess.run(
                [sys.executable, "-c", code],
                cwd=ROOT,
                env={**os.environ, "HF_ENDPOINT": hub.url, "HF_TOKEN": token},
                capture_output=True,
                text=True,
                timeout=400,
            ).stdout
            for token in ("hf_good", "hf_bad")
        }
    assert said == {
        "hf_good": "[('hub', 'ok', False), ('token', 'ok', False)]\n",
        "hf_bad": "[('hub', 'ok', False), ('token', 'problem', False)]\n",
    }


def test_a_hub_that_does_not_answer_is_a_problem_only_where_a_config_needs_it(tmp_path):
    hub, demo = {"source": "hub", "id": "a/b"}, {"source": "catalogue", "name": "demo"}
    folder = {"source": "folder", "path": "/models/mine"}
    lists = {"folders.yaml": [folder], "mixed.yaml": [folder, hub]}
    for name, entries in lists.items():
        (tmp_path / name).write_text(json.dumps(entries))
    asked = {name: [demo, {"source": "list", "path": name}] for name in [*lists, "none.yaml"]}
    asked |= {"demo": [demo], "hub": [demo, hub]}
    for name, entries in asked.items():
        (tmp_path / name).with_suffix(".config.yaml").write_text(
            json.dumps({"name": "t", "store": "store", "encoders": entries})
        )
    code = (
        "import sys; from jobs.config import load_config; from jobs.start import checks\n"
        "for one in [None, *map(load_config, sys.argv[1:])]:\n"
        "    print(*[line.state for line in checks._hub(one)])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, *((tmp_path / name).with_suffix(".config.yaml") for name in asked)],
        cwd=ROOT,
        env={**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0"},
        capture_output=True,
        text=True,
        timeout=400,
        check=True,
    )
    states = dict(zip(["no config", *asked], ended.stdout.split(), strict=True))
    assert states == {
        "no config": "note",
        "demo": "note",
        "folders.yaml": "note",
        "hub": "problem",
        "mixed.yaml": "problem",
        "none.yaml": "problem",
    }

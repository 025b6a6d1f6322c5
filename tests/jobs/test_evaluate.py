"""`qre evaluate`: the table of scores, what would be run, and MTEB's tasks run on a real local Ray for encoders of a
hub."""

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli import app
from jobs.config import load_config
from jobs.evaluation.missing import coverage, lacking, prompts_of
from jobs.mteb.own_results import ROOT
from jobs.mteb.public_scores import public_scores
from jobs.planning.plan import make_plan
from jobs.planning.resolve import resolve
from qre.encoders.spec import HubSpec
from qre.errors import UserError
from qre.store import Store
from tests.checkpoints import make
from tests.faults.in_process import PATIENCE, until
from tests.jobs.conftest import write_config

PROJECT = Path(__file__).resolve().parents[2]
HAS_MTEB = importlib.util.find_spec("mteb") is not None
MTEB = pytest.mark.skipif(not HAS_MTEB, reason="the extra mteb is not installed")
SIMPLE = {"source": "catalogue", "name": "classical", "include": ["hash/word1-1/*"]}
DATA_SETS = {"BIOSSES": "biosses-sts", "STSBenchmark": "stsbenchmark-sts"}


def command(*words) -> list[str]:
    return [sys.executable, "-c", "from jobs.cli import main; main()", "evaluate", *map(str, words)]


def environment(hub, folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        **(hub.environment(folder / "home") if hub else {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "home")}),
    }


def begun(*words, env: dict[str, str]) -> subprocess.Popen:
    return subprocess.Popen(
        command(*words), cwd=PROJECT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def evaluate(hub, folder: Path, *words) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(*words), cwd=PROJECT, env=environment(hub, folder), capture_output=True, text=True, timeout=400
    )


def keep_data(home: Path, task: str) -> None:
    """Put pairs into the cache of `datasets`, where MTEB finds the data of a task that was loaded before; its own
    builder writes them."""
    import datasets
    import mteb

    source, made = home.parent / f"{task}.jsonl", home.parent / f"made-{task}"
    texts = ("the cat runs", "a dog sees the city", "the farmer sings in the morning", "the old judge likes the river")
    pairs = [
        {"sentence1": a, "sentence2": b, "score": float(len({*a.split()} & {*b.split()}))} for a in texts for b in texts
    ]
    source.write_text("\n".join(map(json.dumps, pairs)))
    builder = datasets.load_dataset_builder("json", data_files={"test": str(source)}, cache_dir=str(made))
    builder.download_and_prepare()
    name, revision = DATA_SETS[task], mteb.get_task(task).metadata.dataset["revision"]
    target = home / "datasets" / f"mteb___{name}" / "default" / "0.0.0" / revision
    shutil.copytree(builder.cache_dir, target)
    (target / "json-test.arrow").rename(target / f"{name}-test.arrow")


def result(score, task):
    rows = {"test": [{"main_score": score, "hf_subset": "default", "languages": ["eng-Latn"]}]}
    return {"task_name": task, "mteb_version": "2.1.0", "dataset_revision": "x", "scores": rows}


# what there is, and what lacks


def hub(identifier: str, **values) -> HubSpec:
    return HubSpec(name=identifier, family="f", id=identifier, revision="a" * 40, **values)


def test_an_encoder_that_no_registry_knows_has_its_own_prompts_and_empty_sides():
    """As sentence-transformers fills them: an encoder that states "passage" alone gets nothing before a document."""
    own = {"prompts": (("passage", "p: "), ("sts", "s: ")), "default_prompt": "s: "}
    assert prompts_of(hub("nobody/knows", **own)) == (
        {"query": "", "document": "", "passage": "p: ", "sts": "s: "},
        "s: ",
        "",
    )


@MTEB
def test_the_registrys_prompts_take_the_place_of_all_of_an_encoders_own():
    prompts, default, refusal = prompts_of(
        hub("intfloat/E5-small", prompts=(("query", "mine: "), ("sts", "s: ")), default_prompt="s: ")
    )
    assert (prompts, default, refusal) == ({"query": "query: ", "document": "passage: "}, "", "")
    assert prompts_of(hub("sentence-transformers/all-MiniLM-L6-v2")) == ({"query": "", "document": ""}, "", "")


@MTEB
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("intfloat/multilingual-e5-large-instruct", "by InstructSentenceTransformerModel"),
        ("nomic-ai/nomic-embed-text-v1.5", "by NomicWrapper"),
        ("nlpai-lab/KURE-v3", "with model_kwargs"),
    ],
)
def test_what_mteb_loads_in_another_way_is_refused_by_name(name, why):
    refusal = prompts_of(hub(name))[2]
    assert f"MTEB's registry loads {name} {why}" in refusal


@MTEB
def test_every_encoder_of_the_registry_is_taken_with_its_prompts_or_refused():
    """Whatever loader or argument a later registry has: only the plain wrapper with nothing but prompts is measured
    here."""
    from mteb.models.model_implementations import MODEL_REGISTRY
    from mteb.models.sentence_transformer_wrapper import SentenceTransformerEncoderWrapper

    taken, with_prompts = 0, 0
    for name, meta in MODEL_REGISTRY.items():
        if not re.fullmatch(r"[^/]+/[^/]+", name):
            continue
        prompts, _, refusal = prompts_of(hub(name))
        plain = meta.loader is SentenceTransformerEncoderWrapper and not meta.loader_kwargs.keys() - {
            "model_prompts",
            "trust_remote_code",
            "device",
        }
        if plain:
            assert not refusal
            assert prompts == (meta.loader_kwargs.get("model_prompts") or {"query": "", "document": ""})
        taken, with_prompts = (
            taken + (not refusal),
            with_prompts + bool(not refusal and meta.loader_kwargs.get("model_prompts")),
        )
    assert taken > 300 and with_prompts > 50


def test_the_table_and_what_would_be_run(tmp_path, tiny_encoder):
    """What has a score is not run; two names of one encoder are run once; a layer, or a prompt of a person's own, is no
    encoder as published."""
    folder = {"source": "folder", "path": str(tiny_encoder)}
    encoders = [
        SIMPLE,
        {**folder, "name": "own"},
        {**folder, "name": "same"},
        {**folder, "name": "odd", "prompt": "odd: "},
        {**folder, "name": "layer", "layer": 1, "pooling": "mean"},
    ]
    tasks = [{"source": "mteb", "tasks": ["BIOSSES", "STS12"]}, {"source": "builtin", "include": ["builtin/sts"]}]
    config = load_config(write_config(tmp_path, encoders, tasks=tasks))
    store = Store(config.store)
    resolved = resolve(config, store)

    def seen(names):
        scores, plan = public_scores(config, store, resolved.specs), make_plan(config, store, resolved)
        from jobs.evaluation.missing import _encoders

        rows = {row.pop("task"): row for row in coverage(scores, plan, _encoders(resolved), names)}
        return rows, lacking(config, store, resolved, plan, scores, names)

    rows, works = seen({"BIOSSES": None, "STS12": None})
    kind = "STS" if HAS_MTEB else ""
    assert rows["BIOSSES"] == {"kind": kind, "measured": 0, "imported": 0, "missing": 2}
    assert rows["builtin/sts"]["missing"] == len(resolved.specs) - 1  # two names of one encoder
    (work,) = works
    assert (work.name, [name for name, _ in work.tasks]) == ("own", ["BIOSSES", "STS12"])
    assert (work.spec.prompt, dict(work.prompts), work.default) == ("", {"query": "", "document": ""}, "")
    place = work.encoder.id.replace("/", "__")
    store.folder.write(
        f"{ROOT}/{place}/{work.encoder.revision}/BIOSSES.json", json.dumps(result(0.5, "BIOSSES")).encode()
    )
    rows, (work,) = seen({"BIOSSES": None, "STS12": None})
    assert rows["BIOSSES"]["imported"] == 2
    assert [name for name, _ in work.tasks] == ["STS12"]
    store.folder.write(f"{ROOT}/{place}/{work.encoder.revision}/STS13.json", json.dumps(result(0.5, "STS13")).encode())
    assert seen({"STS13": None, "BIOSSES": None})[1] == []  # of --task: no entry takes it in, and it is there


def test_the_table_writes_nothing_and_needs_no_mteb(tmp_path):
    config = write_config(tmp_path, [SIMPLE], tasks=[{"source": "mteb", "tasks": ["STS12"]}])
    told = evaluate(None, tmp_path, config, "--json")
    assert told.returncode == 0, told.stderr
    told = json.loads(told.stdout)
    assert told["tasks"] == [
        {"task": "STS12", "kind": "STS" if HAS_MTEB else "", "measured": 0, "imported": 0, "missing": 0}
    ]
    assert [row["kind"] for row in told["report"]].count("task without results") == 1
    assert not (tmp_path / "store").exists()
    shown = evaluate(None, tmp_path, config)
    assert re.search(r"STS12 .* 0 .* 0 .* 0", shown.stdout)


@pytest.mark.skipif(HAS_MTEB, reason="mteb is installed")
def test_without_the_package_running_is_refused_in_one_line(tmp_path):
    told = evaluate(None, tmp_path, write_config(tmp_path, [SIMPLE]), "--mteb", "--task", "STS12")
    assert told.returncode == 2
    assert "Python 3.11" in told.stderr
    assert len(told.stderr.strip().splitlines()) == 1


@MTEB
def test_what_is_wrong_is_said_before_anything_runs(tmp_path):
    plain = write_config(tmp_path, [SIMPLE])

    def told(*words: str):
        return CliRunner().invoke(app, ["evaluate", str(plain), "--mteb", *words])

    for words, why in ((("--task", "STS1"), "did you mean 'STS17'"), ((), "no MTEB task is named")):
        error = told(*words).exception
        assert isinstance(error, UserError) and why in str(error)
    nothing = told("--task", "STS12")
    assert (nothing.exit_code, "no encoder here has results of its own" in nothing.output) == (0, True)
    assert not (tmp_path / "store").exists()


# run


@MTEB
@pytest.mark.cluster
def test_tasks_of_hub_encoders_are_run_kept_and_taken_in(hub, tmp_path):
    """One with data at hand, one without; an encoder that cannot be loaded; then what is made is taken in, and not made
    again."""
    commits = {}
    for kind in ("bert", "prompts"):
        commits[kind] = hub.add(f"tiny/{kind}", folder=make(kind, tmp_path / "made" / kind))
    from tests.checkpoints import make_odd

    hub.add("odd/nan", folder=make_odd("nan", tmp_path / "made" / "nan"))
    keep_data(tmp_path / "home", "BIOSSES")
    encoders = [SIMPLE, *({"source": "hub", "id": name} for name in ("tiny/bert", "tiny/prompts", "odd/nan"))]
    config = write_config(tmp_path, encoders, tasks=[{"source": "mteb", "tasks": ["BIOSSES"]}])
    dry = evaluate(hub, tmp_path, config, "--mteb", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "3 MTEB tasks to run, for 3 encoders" in dry.stdout
    assert not (tmp_path / "store" / ROOT).exists()

    ran = evaluate(hub, tmp_path, config, "--mteb", "--json", "--task", "BIOSSES", "--task", "STS12")
    assert ran.returncode == 1, ran.stderr
    told = {row["encoder"]: row for row in json.loads(ran.stdout)["ran"]}
    for kind, commit in commits.items():
        row = told[f"tiny/{kind}"]
        assert (row["key"], list(row["scores"]), list(row["failures"])) == (
            f"tiny/{kind}@{commit}",
            ["BIOSSES"],
            ["STS12"],
        )
        assert sorted(path.name for path in (tmp_path / "store" / ROOT / f"tiny__{kind}" / commit).iterdir()) == [
            "BIOSSES.json",
            "model_meta.json",
        ]
    assert (list(told["odd/nan"]["failures"]), told["odd/nan"]["scores"]) == (["BIOSSES", "STS12"], {})
    assert "NaN or Inf" in told["odd/nan"]["failures"]["BIOSSES"]
    assert re.search(r"failed: odd/nan: BIOSSES: EncoderError: NaN or Inf", ran.stderr)
    meta = json.loads(
        (tmp_path / "store" / ROOT / "tiny__prompts" / commits["prompts"] / "model_meta.json").read_text()
    )
    assert set(meta["experiment_kwargs"]["prompts"]) <= {"query", "document"}

    settings = load_config(config)
    store = Store(settings.store)
    taken = public_scores(settings, store, resolve(settings, store, ask_hub=False).specs).table
    assert taken[["name", "task", "match"]].values.tolist() == [
        ["tiny/bert", "BIOSSES", "exact"],
        ["tiny/prompts", "BIOSSES", "exact"],
    ]
    assert dict(zip(taken.name, taken.score, strict=True)) == pytest.approx(
        {name: told[name]["scores"]["BIOSSES"] for name in taken.name}
    )

    again = evaluate(hub, tmp_path, config, "--mteb")
    assert again.returncode == 1
    assert "failed before: odd/nan: BIOSSES" in again.stdout
    assert "1 MTEB tasks to run, for 1 encoders" in again.stdout
    assert f"next: qre sweep {config}" in again.stdout


@MTEB
@pytest.mark.cluster
def test_a_run_that_is_stopped_keeps_what_is_made(hub, tmp_path):
    commits = [
        hub.add(f"tiny/{number}", folder=make("bert", tmp_path / "made" / str(number), seed=number))
        for number in range(3)
    ]
    keep_data(tmp_path / "home", "BIOSSES")
    hub.slow("tiny/2", 1000.0)  # its weights never come
    hub.slow("tiny/1", 1000.0)
    encoders = [SIMPLE, *({"source": "hub", "id": f"tiny/{number}"} for number in range(3))]
    config = write_config(
        tmp_path, encoders, tasks=[{"source": "mteb", "tasks": ["BIOSSES"]}], cluster={"cpus": 3, "grace_seconds": 1}
    )
    process = begun(config, "--mteb", env=environment(hub, tmp_path))
    made = tmp_path / "store" / ROOT / "tiny__0" / commits[0] / "BIOSSES.json"
    until(lambda: made.exists() or process.poll() is not None, "no result")
    process.send_signal(signal.SIGTERM)
    out, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM, out + error
    assert "results that are done are kept" in error
    assert made.exists()
    assert [path.parent.parent.name for path in (tmp_path / "store" / ROOT).rglob("BIOSSES.json")] == ["tiny__0"]


@MTEB
@pytest.mark.cluster
def test_an_actor_that_dies_is_tried_again(hub, tmp_path):
    import psutil

    commit = hub.add("tiny/bert", folder=make("bert", tmp_path / "made"))
    keep_data(tmp_path / "home", "BIOSSES")
    hub.slow("tiny/bert", 1000.0)
    config = write_config(
        tmp_path, [SIMPLE, {"source": "hub", "id": "tiny/bert"}], tasks=[{"source": "mteb", "tasks": ["BIOSSES"]}]
    )
    process = begun(config, "--mteb", env=environment(hub, tmp_path))

    def actors():
        children = psutil.Process(process.pid).children(recursive=True)
        return [child for child in children if "ray::MtebRunner.run" in " ".join(child.cmdline())]

    found = until(actors, "no actor")
    hub.slow("tiny/bert", 0.0)
    found[0].kill()
    out, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + error
    assert "trying again (2 of 3)" in out
    assert (tmp_path / "store" / ROOT / "tiny__bert" / commit / "BIOSSES.json").exists()

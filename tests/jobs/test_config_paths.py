"""Relative paths of a config start at its folder, wherever the command is run; nothing is keyed by where the folder
is."""

import shutil

import pytest
import yaml

from jobs.config import load_config
from jobs.mteb.public_scores import REPORT
from jobs.planning.plan import make_plan
from jobs.planning.resolve import resolve
from jobs.records.ownership import owner_of
from jobs.submission.upload import prepare
from qre.errors import UserError
from qre.store import Store
from tests.conftest import save_tiny_bert

HASHED = {"source": "catalogue", "name": "classical", "include": ["hash/word1-1/*"]}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """work/sweeps/mine.yaml and all that it names, by paths from there; a list in a folder of its own names an encoder
    beside itself."""
    work = tmp_path_factory.mktemp("project")
    for folder in ("sweeps", "texts", "lists"):
        (work / folder).mkdir()
    save_tiny_bert(work / "lists/tiny", seed=3)
    (work / "texts/mine.txt").write_text("".join(f"the cat sees boat {number}\n" for number in range(40)))
    (work / "texts/pairs.csv").write_text(
        "sentence1,sentence2,score\n" + "".join(f"a {n},b {n},{n % 5}\n" for n in range(12))
    )
    (work / "lists/list.yaml").write_text("- {source: folder, path: tiny}\n")
    (work / "sweeps/mine.yaml").write_text(
        yaml.safe_dump(
            {
                "name": "t",
                "store": "store",
                "export": "../out",
                "sentences": {"source": "file", "path": "../texts/mine.txt"},
                "encoders": [
                    HASHED,
                    {"source": "list", "path": "../lists/list.yaml"},
                    {"source": "folder", "path": "../lists/tiny", "name": "cls", "pooling": "cls"},
                ],
                "tasks": [{"source": "file", "kind": "sts", "name": "pairs", "path": "../texts/pairs.csv"}],
            }
        )
    )
    return work


def planned(path):
    config = load_config(path)
    store = Store(config.store)
    return config, make_plan(config, store, resolve(config, store))


def test_they_start_at_the_config(project, tmp_path, monkeypatch):
    config, here = planned(project / "sweeps/mine.yaml")
    assert (config.store, config.export) == (str(project / "sweeps/store"), str(project / "out"))
    assert len(here.units) == 8 and not here.failures and [task.name for task in here.tasks.values()] == ["pairs"]
    moved = tmp_path / "elsewhere"
    shutil.copytree(project, moved)
    monkeypatch.chdir(moved / "sweeps")
    again, there = planned("mine.yaml")
    assert [unit.key for unit in there.units] == [unit.key for unit in here.units] and there.identity == here.identity
    owners = [owner_of(one, project / "mine.yaml", "s", [unit.key for unit in here.units]) for one in (config, again)]
    assert owners[0].content == owners[1].content


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("../texts/mine.txt", "texts/mine.txt", "{work}/sweeps/texts/mine.txt"),
        ("../lists/list.yaml", "list.yaml", "{work}/sweeps/list.yaml"),
        ("../texts/pairs.csv", "gone.csv", "{work}/sweeps/gone.csv"),
    ],
)
def test_messages_tell_the_whole_path(project, tmp_path, monkeypatch, old, new, told):
    path = project / "sweeps/broken.yaml"
    path.write_text((project / "sweeps/mine.yaml").read_text().replace(old, new))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        planned(path)
    assert told.format(work=project) in str(caught.value)


def test_inputs_go_before(project, tmp_path):
    path = project / "sweeps/inputs.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "name": "t",
                "store": "store",
                "inputs": "../texts",
                "sentences": {"source": "file", "path": "mine.txt"},
                "encoders": [HASHED],
            }
        )
    )
    config, plan = planned(path)
    assert config.inputs == str(project / "texts") and len(plan.sentences) == 40


def test_what_is_submitted_is_told_from_the_working_directory(project):
    path = project / "sweeps/mine.yaml"
    upload = prepare(path, load_config(path), project)
    assert (
        upload.config == "sweeps/mine.yaml"
        and not upload.notes
        and {"texts/mine.txt", "lists/list.yaml", "texts/pairs.csv"} <= upload.sizes.keys()
    )
    with pytest.raises(UserError, match="sentences.path: .*texts/mine.txt is not in what is uploaded"):
        prepare(path, load_config(path), project / "sweeps")


def test_results_of_others_keep_their_names_in_the_map(project):
    (project / "results").mkdir(exist_ok=True)
    (project / "results/table.csv").write_text("model,STSBenchmark\norg/a,0.5\n")
    path = project / "sweeps/mteb.yaml"
    entry = {"source": "mteb", "results": ["../results/table.csv"], "tasks": ["STSBenchmark"]}
    path.write_text(yaml.safe_dump({"name": "t", "store": "store", "encoders": [HASHED], "tasks": [entry]}))
    config = load_config(path)
    report = resolve(config, Store(config.store)).public.report
    assert list(report.columns) == list(REPORT) and not report.map(lambda value: str(project) in str(value)).any(
        axis=None
    )

"""`inputs:`: the files that a config names, from a prefix of a bucket as from the working directory."""

import json
import os
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import jobs.planning.inputs
from jobs.cli import app, main
from jobs.config import SweepConfig, load_config
from jobs.planning.named_files import named
from jobs.planning.plan import make_plan
from jobs.planning.resolve import resolve
from jobs.submission.upload import prepare
from qre.errors import UserError
from qre.store import Store
from tests.conftest import save_tiny_bert
from tests.s3 import BUCKET, s3  # noqa: F401

COMMIT = "a" * 40
CLASSICAL = {"source": "catalogue", "name": "classical", "include": ["hash/word*"]}
FILES = {
    "sentences": {"source": "file", "path": "texts/mine.txt"},
    "encoders": [CLASSICAL, {"source": "list", "path": "./encoders.yaml"}],
    "tasks": [
        {"source": "file", "kind": "sts", "name": "pairs", "path": "pairs.csv"},
        {
            "source": "file",
            "kind": "clustering",
            "name": "groups",
            "path": "data.json#test",
            "label_groups": "groups.json",
            "columns": {"text": 0, "label": 1},
        },
        {"source": "mteb", "results": ["results"]},
    ],
}


@pytest.fixture
def files(tmp_path) -> Path:
    """A folder with all that FILES names, and a stray file."""
    root = tmp_path / "files"
    result = root / f"results/local__x/{COMMIT}/STS12.json"
    for path in (root / "texts", result.parent):
        path.mkdir(parents=True)
    (root / "texts/mine.txt").write_text("".join(f"sentence number {number} of the files\n" for number in range(60)))
    (root / "encoders.yaml").write_text(
        yaml.safe_dump(
            [{"source": "classical", "name": f"mine{k}", "family": "LSA", "kind": "lsa", "rank": 8 + k} for k in (0, 1)]
        )
    )
    (root / "pairs.csv").write_text(
        "sentence1,sentence2,score\n" + "".join(f"a {k},b {k * 7 % 5},{k % 4}\n" for k in range(20))
    )
    (root / "data.json").write_text(json.dumps({"test": [[f"text {k}", "xyz"[k % 3]] for k in range(30)]}))
    (root / "groups.json").write_text(json.dumps({"first": ["x"], "second": ["y", "z"]}))
    result.write_text(
        json.dumps(
            {
                "task_name": "STS12",
                "mteb_version": "1.30.0",
                "scores": {"test": [{"main_score": 0.5, "hf_subset": "default", "languages": ["eng-Latn"]}]},
            }
        )
    )
    (result.parent / "STS12 (1).json").write_text("{")
    return root


def uploaded(server, files: Path) -> str:
    """The address of a new prefix that holds these files."""
    location = server.location()
    server.adopt(files, Store(location).folder.address.prefix)
    return location


def sweep(tmp_path: Path, **values) -> SweepConfig:
    return SweepConfig.model_validate({"name": "t", "store": str(tmp_path / "store"), **FILES, **values})


def keys(config: SweepConfig, tmp_path: Path) -> tuple:
    """All that is made of the content of files: unit keys, tasks, the joined scores and the atlas's identity."""
    store = Store(tmp_path / "store")
    resolved = resolve(config, store)
    plan = make_plan(config, store, resolved)
    return [unit.key for unit in plan.units], list(plan.tasks), plan.identity, resolved.public.digest


def test_where_a_file_comes_from_changes_no_key(s3, files, tmp_path, monkeypatch, capsys):  # noqa: F811
    here = sweep(tmp_path)
    monkeypatch.chdir(files)
    expected = keys(here, tmp_path)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(UserError, match="texts/mine.txt"):
        keys(here, tmp_path)
    assert keys(sweep(tmp_path, inputs=str(files)), tmp_path) == expected
    location = uploaded(s3, files)
    assert keys(sweep(tmp_path, inputs=location), tmp_path) == expected
    assert "left alone are" in (told := capsys.readouterr().err) and "STS12 (1).json" in told
    assert not list(Path(os.environ.get("TMPDIR", "/tmp")).glob("qre-inputs-*/texts")), "what was fetched is gone again"
    (files / "texts/mine.txt").write_text("another\nsentence\nset\n")
    s3.adopt(files, Store(location).folder.address.prefix)
    assert keys(sweep(tmp_path, inputs=location), tmp_path)[0] != expected[0], "what was replaced is read anew"


def test_what_is_said_names_the_bucket_and_not_the_copy(s3, files, tmp_path):  # noqa: F811
    (files / "pairs.csv").write_text("sentence1,sentence2,score\na,b,many\n")
    location = uploaded(s3, files)
    with pytest.raises(UserError) as told:
        resolve(sweep(tmp_path, inputs=location), Store(tmp_path / "store"))
    address = str(Store(location).folder.address)
    assert f"{address}/pairs.csv" in str(told.value) and "qre-inputs" not in str(told.value)
    tasks = [{"source": "mteb", "results": ["results"]}]
    found = resolve(sweep(tmp_path, inputs=location, tasks=tasks), Store(tmp_path / "store")).public
    assert found.report.results.tolist() and "qre-inputs" not in found.report.to_csv() + found.table.to_csv()
    assert f"{address}/results" in found.report.results.tolist()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"sentences": {"source": "file", "path": "gone.txt"}},
            r"sentences.path: there is no gone.txt in s3://.*: there are 'data.json', 'encoders.yaml'",
        ),
        (
            {"encoders": [{"source": "list", "path": "texts/other.yaml"}]},
            r"encoders\[0\].path: there is no texts/other.yaml in s3://",
        ),
        (
            {"sentences": {"source": "file", "path": "../mine.txt"}},
            r"sentences.path: ../mine.txt: a path below inputs has no \.\. in it",
        ),
        (
            {"sentences": {"source": "file", "path": "texts/../../etc/passwd.txt"}},
            r"sentences.path: .*has no \.\. in it",
        ),
        ({"sentences": {"source": "file", "path": "my file.txt"}}, "sentences.path: my file.txt: a path below inputs"),
        ({"tasks": [{"source": "mteb", "results": ["result"]}]}, r"tasks\[0\].results\[0\]: there is no result in"),
        (
            {"encoders": [{"source": "folder", "path": "encoder"}]},
            r"encoders\[0\].path: encoder: an encoder's folder is read on every node",
        ),
    ],
)
def test_what_is_not_below_the_prefix_is_refused_and_nothing_is_written_outside(
    s3, files, tmp_path, monkeypatch, values, message
):  # noqa: F811
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    with pytest.raises(UserError, match=f"^{message}"):
        resolve(sweep(tmp_path, inputs=uploaded(s3, files), **values), Store(tmp_path / "store"))
    assert list((tmp_path / "tmp").iterdir()) == []


def test_an_encoder_of_a_list_has_an_absolute_folder_too(s3, files, tmp_path):  # noqa: F811
    save_tiny_bert(tmp_path / "encoder", seed=1, layers=1)
    for path, refused in (("encoder", True), (str(tmp_path / "encoder"), False)):
        (files / "encoders.yaml").write_text(yaml.safe_dump([{"source": "folder", "path": path}]))
        config = sweep(tmp_path, inputs=uploaded(s3, files))
        if refused:
            with pytest.raises(
                UserError,
                match=r"^s3://\S+ at \S+/encoders.yaml: encoders\[0\].path: encoder: an encoder's folder is read on "
                r"every node",
            ):
                resolve(config, Store(tmp_path / "store"))
        else:
            assert [
                spec.path for spec in resolve(config, Store(tmp_path / "store")).specs if spec.source == "folder"
            ] == [path]


def test_a_list_in_a_bucket_names_no_file_of_pairs(s3, files, tmp_path):  # noqa: F811
    def one(pairs) -> dict:
        return {"source": "hub", "id": "a/b", "variant": {"sparsify": {"share": 0.1, "pairs": str(pairs)}}}

    (files / "pairs.csv").write_text("sentence1,sentence2\n" + "".join(f"a {k},b {k}\n" for k in range(9)))
    (files / "encoders.yaml").write_text(yaml.safe_dump([one("pairs.csv")]))
    config = sweep(tmp_path, inputs=uploaded(s3, files), tasks=[])
    with pytest.raises(
        UserError,
        match=r"/encoders.yaml: encoders\[0\].variant.sparsify.pairs: pairs.csv: with inputs in a bucket, the files "
        r"that a list names are not fetched",
    ):
        resolve(config, Store(tmp_path / "store"))
    (files / "encoders.yaml").write_text(yaml.safe_dump([one(files / "pairs.csv")]))
    here = sweep(tmp_path, inputs=uploaded(s3, files), tasks=[])
    resolve(here, Store(tmp_path / "store"), ask_hub=False)  # an absolute path is this machine's


def test_an_absolute_path_is_this_machines(s3, files, tmp_path):  # noqa: F811
    (tmp_path / "mounted.txt").write_text("of a mounted\nvolume\n")
    config = sweep(
        tmp_path, inputs=uploaded(s3, files), sentences={"source": "file", "path": str(tmp_path / "mounted.txt")}
    )
    assert resolve(config, Store(tmp_path / "store")).sentences.texts == ("of a mounted", "volume")


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ("s3://key:secret@maps/inputs", "inputs: no credentials in the address"),
        ("ftp://maps/inputs", "inputs: an address that begins with ftp://"),
        (f"s3://{BUCKET}", "inputs: s3://maps: name a prefix of the bucket"),
        ("no/such/folder", "inputs: there is no folder /"),
    ],
)
def test_an_address_that_cannot_be_is_refused(tmp_path, inputs, message):
    with pytest.raises(UserError, match=f"^{message}"):
        resolve(sweep(tmp_path, inputs=inputs), Store(tmp_path / "store"))


def test_no_bucket_no_prefix_and_no_right_are_told_apart(s3, files, tmp_path):  # noqa: F811
    store = Store(tmp_path / "store")
    with pytest.raises(UserError, match="^inputs: there is no bucket 'absent-bucket'"):
        resolve(sweep(tmp_path, inputs=s3.location(bucket="absent-bucket")), store)
    with pytest.raises(UserError, match="there is no texts/mine.txt in s3://.*: nothing is there$"):
        resolve(sweep(tmp_path, inputs=s3.location()), store)
    location = uploaded(s3, files)
    s3.fail("mine.txt", 403, "AccessDenied")
    with pytest.raises(UserError, match="^inputs: cannot read .*texts/mine.txt in .*access denied"):
        resolve(sweep(tmp_path, inputs=location), store)


def test_more_than_can_be_meant_is_not_fetched(s3, files, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(jobs.planning.inputs, "MOST_BYTES", 1000)
    location = uploaded(s3, files)
    s3.requests.clear()
    with pytest.raises(UserError, match="^inputs: the config names 6 files of 0.0 GiB .*name fewer"):
        resolve(sweep(tmp_path, inputs=location), Store(tmp_path / "store"))
    assert not any("mine.txt" in request for request in s3.requests)


def test_only_what_is_named_is_fetched(s3, files, tmp_path):  # noqa: F811
    (files / "other.bin").write_bytes(b"0" * 100)
    location = uploaded(s3, files)
    s3.requests.clear()
    resolve(sweep(tmp_path, inputs=location), Store(tmp_path / "store"))
    assert any("pairs.csv" in request for request in s3.requests) and not any(
        "other.bin" in request for request in s3.requests
    )


def test_submitting_asks_for_no_file_that_lies_in_the_bucket(files, tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work/sweep.yaml").write_text("")
    config, work = tmp_path / "work/sweep.yaml", tmp_path / "work"
    with pytest.raises(UserError, match="there is no texts/mine.txt in the working directory"):
        prepare(config, sweep(tmp_path), work)
    assert prepare(config, sweep(tmp_path, inputs="s3://maps/inputs"), work).notes == ()
    with pytest.raises(UserError, match="there is no inputs/texts/mine.txt in the working directory"):
        prepare(config, sweep(tmp_path, inputs="inputs"), work)
    (note,) = prepare(config, sweep(tmp_path, inputs=str(files)), work).notes
    assert note.startswith(f"inputs: {files} is not uploaded; it must be there on every node")


def test_every_path_that_a_config_may_have_is_looked_up(tmp_path):
    retrieval = {
        "source": "file",
        "kind": "retrieval",
        "name": "r",
        "corpus": "c.jsonl",
        "queries": "q.jsonl",
        "qrels": "q.tsv",
    }
    classification = {
        "source": "file",
        "kind": "classification",
        "name": "k",
        "train": "a.csv",
        "test": "b.csv",
        "label_groups": "g.json#x",
    }
    config = sweep(
        tmp_path,
        tasks=[
            *FILES["tasks"],
            retrieval,
            classification,
            {"source": "file", "kind": "pairs", "name": "p", "path": "p.csv"},
        ],
    )
    assert {path for _, path in named(config)} == {
        "texts/mine.txt",
        "./encoders.yaml",
        "pairs.csv",
        "data.json",
        "groups.json",
        "results",
        "c.jsonl",
        "q.jsonl",
        "q.tsv",
        "a.csv",
        "b.csv",
        "g.json",
        "p.csv",
    }


@pytest.mark.cluster
def test_a_sweep_that_brings_its_files_from_the_bucket_is_done_and_seen_from_anywhere(s3, files, tmp_path, monkeypatch):  # noqa: F811
    """As a RayJob has it: the config alone, in a folder that holds nothing else."""
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    config = tmp_path / "config.yaml"
    values = {
        "name": "t",
        "store": s3.location(),
        "inputs": uploaded(s3, files),
        "cluster": {"cpus": 2},
        **FILES,
        "tasks": FILES["tasks"][:1],
    }
    config.write_text(yaml.safe_dump(values))
    assert "14 encoders to embed" in (planned := CliRunner().invoke(app, ["plan", str(config)])).output, planned.output
    monkeypatch.setattr("sys.argv", ["qre", "sweep", str(config)])
    try:
        main()
    except SystemExit as end:
        assert not end.code
    seen = json.loads(CliRunner().invoke(app, ["status", str(config), "--json"]).stdout)
    assert seen["atlas_done"] is True, seen


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sentences", {"source": "file", "path": "mine.csv", "column": "text"}),
        ("encoders", [{"source": "list", "path": "mine.csv"}]),
        ("encoders", [{"source": "folder", "path": "mine.csv"}]),
        ("tasks", [{"source": "file", "kind": "sts", "name": "pairs", "path": "mine.csv"}]),
    ],
)
def test_a_missing_file_is_told_with_where_its_path_begins(tmp_path, monkeypatch, key, value):
    (tmp_path / "configs").mkdir()
    config = {"name": "t", "store": "store", "sentences": {"source": "builtin", "limit": 10}, "encoders": [CLASSICAL]}
    file = tmp_path / "configs" / "t.yaml"
    file.write_text(yaml.safe_dump({**config, key: value}))
    monkeypatch.chdir(tmp_path)
    told = "configs/mine.csv: .*no such (file|folder).*; 'mine.csv' begins in the folder of the config"
    for there in (False, True):
        if there:
            (tmp_path / "mine.csv").write_text("text")
        with pytest.raises(UserError, match=f"{told}{'; .*/mine.csv is there: move the config' if there else '$'}"):
            resolve(load_config(file), Store(tmp_path / "store", read_only=True))

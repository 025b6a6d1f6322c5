"""`qre new` and `qre map`: what they write is a config that plans without a change."""

import csv
import gzip
import json

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from jobs.cli import app

WORDS = (
    "how to repair the boat",
    "paint a garden wall in the evening",
    "sell old bicycles by the harbour",
    "measure the height of the roof",
    "clean every kitchen window",
)
TEXTS = [f"{text}, part {number} of the manual" for number in range(48) for text in WORDS]

TABLE = "labelled.csv"


def rows(path, header, *columns):
    with gzip.open(path, "wt") if path.suffix == ".gz" else open(path, "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(zip(*columns, strict=True))
    return path


def files(folder):
    """Queries, documents and what is relevant, as CSV."""
    rows(folder / "documents.csv", ["id", "text"], [f"d{i}" for i in range(len(TEXTS))], TEXTS)
    rows(folder / "queries.csv", ["id", "text"], [f"q{i}" for i in range(5)], [f"who can {text}?" for text in WORDS])
    rows(folder / "relevant.csv", ["query", "document"], [f"q{i % 5}" for i in range(20)], [f"d{i}" for i in range(20)])


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A working directory with queries, documents and what is relevant."""
    monkeypatch.chdir(tmp_path)
    files(tmp_path)
    rows(tmp_path / TABLE, ["text", "topic"], TEXTS, [f"topic {number % 3}" for number in range(len(TEXTS))])
    return tmp_path


def new(*words):
    ended = CliRunner().invoke(app, ["new", *map(str, words)])
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return ended.output


def plans(file):
    """What the config holds; it must plan as it is."""
    ended = CliRunner().invoke(app, ["plan", str(file), "--json"])
    assert ended.exit_code == 0, ended.output
    return yaml.safe_load(open(file)), json.loads(ended.stdout)


def test_own_queries_and_documents(home):
    told = new("mine.yaml", "--sentences", "documents.csv", "--task", "retrieval=.")
    assert "plan ./mine.yaml" in told and "results/mine" in told
    config, plan = plans("mine.yaml")
    assert config["sentences"] == {"source": "file", "path": "documents.csv", "column": "text"} and plan[
        "sentences"
    ] == len(TEXTS)
    [task] = config["tasks"]
    assert task["name"] == "retrieval" and "task 'retrieval' (retrieval from documents.csv for queries.csv)" in told
    assert "built-in" not in told and "rank --task retrieval" in open("mine.yaml").read()
    assert (task["kind"], task["queries"], task["qrels_columns"]["relevance"]) == ("retrieval", "queries.csv", None)
    assert plan["to_score"] == plan["units"] > 200


def test_the_documents_are_the_sentences_where_none_are_named(home):
    new(
        "mine.yaml",
        "--queries",
        "queries.csv",
        "--documents",
        "documents.csv",
        "--relevant",
        "relevant.csv",
        "--limit",
        100,
    )
    config, plan = plans("mine.yaml")
    assert config["sentences"]["path"] == "documents.csv" and plan["sentences"] == 100


def test_own_sentences_with_built_in_tasks_are_told_plainly(home):
    told = new("mine.yaml", "--sentences", "documents.csv")
    assert "6 built-in tasks on built-in texts (builtin/sts, " in told
    assert "ranked on built-in texts, not on yours; --task retrieval=. takes the queries and relevant" in told
    (home / "queries.csv").unlink()
    assert "not on yours; --task gives a task of your own: retrieval=FOLDER" in new("b.yaml", "--sentences", TABLE)
    for words in (["c.yaml"], ["d.yaml", "--sentences", TABLE, "--task", f"clustering={TABLE}"]):
        assert "not on yours" not in new(*words)


def test_few_sentences_are_told(home):
    assert "240 sentences are few" in new("mine.yaml", "--sentences", "documents.csv")
    assert "999 sentences are few" in new("few.yaml", "--limit", 999)
    assert "are few" not in new("many.yaml", "--limit", 1000)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["--task", "retrieval=../home/."], "home"),
        (["--task", "retrieval=../home/sub/.."], "retrieval"),
        (["--queries", "queries.csv", "--documents", "./documents.csv", "--relevant", "relevant.csv"], "retrieval"),
    ],
)
def test_a_task_is_named_as_people_named_its_folder(tmp_path, words, name, monkeypatch):
    (tmp_path / "home" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "home")
    files(tmp_path / "home")
    assert f"task '{name}' (" in new("Mine_1.yaml", *words)
    config = yaml.safe_load(open("Mine_1.yaml"))
    assert (config["name"], config["tasks"][0]["name"]) == ("mine_1", name)


def test_nothing_named_is_the_demo(home):
    new("mine.yaml")
    config, _ = plans("mine.yaml")
    assert (config["sentences"], config["encoders"], config["tasks"]) == (
        {"source": "builtin", "limit": 2000},
        [{"source": "catalogue", "name": "demo"}],
        [{"source": "builtin"}],
    )


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("many.csv", "Question Text"),
        ("many.csv.gz", "Question Text"),
        ("many.tsv", "b c"),
        ("many.jsonl", "b c"),
        ("many.parquet", "b c"),
    ],
)
def test_the_column_is_found(home, name, column):
    table = pd.DataFrame(
        {"number": range(len(TEXTS)), "colour": ["red", "blue", "green"] * (len(TEXTS) // 3), column: TEXTS}
    )
    path = home / name
    {
        "csv": lambda: table.to_csv(path, index=False),
        "gz": lambda: table.to_csv(path, index=False),
        "tsv": lambda: table.to_csv(path, index=False, sep="\t"),
        "jsonl": lambda: table.to_json(path, orient="records", lines=True),
        "parquet": lambda: table.to_parquet(path),
    }[name.rpartition(".")[2]]()
    new("mine.yaml", "--sentences", path)
    assert plans("mine.yaml")[0]["sentences"]["column"] == column


def test_several_columns_of_text_are_told(home):
    rows(home / "two.csv", ["title", "abstract"], [text[:30] for text in TEXTS], TEXTS)
    told = new("mine.yaml", "--sentences", "two.csv")
    assert "several columns of text, and 'abstract' is taken" in told and "--column" in told
    assert plans("mine.yaml")[0]["sentences"]["column"] == "abstract"


def test_duplicates_and_empty_lines_are_left_out_with_a_count(home):
    (home / "lines.txt").write_text("\n".join([*TEXTS, TEXTS[0], "", TEXTS[1]]) + "\n")
    told = new("mine.yaml", "--sentences", "lines.txt")
    assert "left out" in told
    config, plan = plans("mine.yaml")
    assert config["sentences"]["on_problem"] == "drop" and plan["sentences"] == len(TEXTS)


@pytest.mark.parametrize(
    ("kind", "header"),
    [("sts", ["first", "second", "score"]), ("pairs", ["s1", "s2", "is_duplicate"]), ("clustering", ["text", "topic"])],
)
def test_other_tasks(home, kind, header):
    values = [
        number % 2 if kind == "pairs" else (number % 10) / 2 if kind == "sts" else f"topic {number % 3}"
        for number in range(60)
    ]
    columns = [TEXTS[:60], values] if kind == "clustering" else [TEXTS[:60], TEXTS[60:120], values]
    rows(home / "task.csv", header, *columns)
    new("mine.yaml", "--task", f"{kind}=task.csv", "--limit", 300)
    assert plans("mine.yaml")[0]["tasks"][0]["kind"] == kind


def test_a_config_elsewhere_finds_the_files_too(home):
    (home / "configs").mkdir()
    new("configs/mine.yaml", "--sentences", "documents.csv")
    config, plan = plans("configs/mine.yaml")
    assert config["sentences"]["path"] == str(home / "documents.csv") and plan["sentences"] == len(TEXTS)


def test_popular_encoders_and_own_ones(home, tiny_encoder):
    new("mine.yaml", "--encoders", f"popular,{tiny_encoder}")
    entries = yaml.safe_load(open("mine.yaml"))["encoders"]
    assert {"source": "folder", "path": str(tiny_encoder)} in entries
    assert sum(entry["source"] == "hub" for entry in entries) >= 10
    assert "demo's encoders are added" in new("few.yaml", "--encoders", tiny_encoder)
    plans("few.yaml")
    listed = CliRunner().invoke(app, ["encoders", "list", "popular"]).stdout.splitlines()
    assert listed == [entry["id"] for entry in entries if entry["source"] == "hub"] and len(listed) == 20


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["mine.yaml", "--sentences", "none.csv"], "none.csv: no such file"),
        (["mine.yaml", "--encoders", "nothing"], "neither owner/name of the hub nor one of"),
        (["mine.yaml", "--encoders", "deno"], "did you mean 'demo'"),
        (["mine.yaml", "--encoders", "all-minilm-L6-v2"], "did you mean 'sentence-transformers/all-MiniLM-L6-v2'"),
        (["mine.yaml", "--encoders", "./my-encodr"], "did you mean 'my-encoder'"),
        (["mine.yaml", "--task", "retrieva=."], "no kind 'retrieva'.*; did you mean 'retrieval'"),
        (["mine.yaml", "--task", "clasification=a,b"], "did you mean 'classification'"),
        (["mine.yaml", "--task", "builtin=topcs"], "did you mean 'topics'"),
        (["mine.yaml", "--task", "documents.csv"], "write KIND=FILE"),
        (["mine.yaml", "--queries", "queries.csv", "--documents", "documents.csv"], "^--relevant is missing: "),
        (["mine.yaml", "--task", "retrieval=.", "--relevant", "r.csv"], "^--queries and --documents are missing: "),
        (["mine.yaml", "--task", "retrieval=results"], "no such folder"),
        (["mine.yaml", "--column", "text"], "--column goes with --sentences"),
        (["mine"], "mine.yaml"),
    ],
)
def test_what_cannot_be_written_is_told(home, words, why):
    from qre.errors import UserError

    (home / "my-encoder").mkdir()
    with pytest.raises(UserError, match=why):
        new(*words)
    assert not (home / "mine.yaml").exists()


def test_a_config_is_not_overwritten_unasked(home):
    from qre.errors import UserError

    (home / "mine.yaml").write_text("mine")
    with pytest.raises(UserError, match="--force"):
        new("mine.yaml")
    assert (home / "mine.yaml").read_text() == "mine"
    new("mine.yaml", "--force")
    plans("mine.yaml")


@pytest.mark.cluster
def test_a_map_in_one_command(home, tiny_encoder):
    others = [
        {
            "source": "classical",
            "name": f"hash/{rank}",
            "family": "hash",
            "kind": "hashed",
            "weighting": "count",
            "rank": rank,
        }
        for rank in (16, 32, 64, 128)
    ]
    (home / "others.yaml").write_text(yaml.safe_dump(others))
    command = [
        "map",
        str(tiny_encoder),
        "others.yaml",
        "--sentences",
        "documents.csv",
        "--task",
        "retrieval=.",
        "--limit",
        "40",
        "--out",
        "out/mine",
    ]
    ended = CliRunner().invoke(app, command)
    assert ended.exit_code == 0, ended.output
    assert (home / "out/mine/map.png").is_file() and f"nearest to {tiny_encoder.name}" in " ".join(ended.output.split())
    plans("out/mine.yaml")
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 0 and "all is done" in again.output
    from qre.errors import UserError

    other = CliRunner().invoke(app, [*command[:-4], "--limit", "50", "--out", "out/mine"])
    assert isinstance(other.exception, UserError) and "other content" in str(other.exception)
    entries = yaml.safe_dump({"name": "mine", "store": "store", "export": "out/mine", "encoders": others})
    (home / "other.yaml").write_text(entries)
    before = (home / "out/mine/manifest.json").read_bytes()
    swept = CliRunner().invoke(app, ["sweep", "other.yaml"])
    assert isinstance(swept.exception, UserError) and "another map named 'mine', made by mine.yaml" in str(
        swept.exception
    )
    assert (home / "out/mine/manifest.json").read_bytes() == before and not (home / "store").exists()

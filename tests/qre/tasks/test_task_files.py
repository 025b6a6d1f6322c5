"""Tasks from files: every format gives the same task, and a file that is not in order is told of by file, line and
mend."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter, ValidationError

from qre.errors import UserError
from qre.tasks.task_files import read_task
from qre.tasks.task_spec import BuiltinTasks, TaskSpec

SPEC = TypeAdapter(TaskSpec)
PAIRS = [("A man sings.", 'He said: "no, never".', 1.5), ("Ein Käse", "A cheese", 4.0), ("x", "y", 0.0)]


def task(**values):
    return read_task(SPEC.validate_python({"source": "file", "name": "mine", **values}))


def write(path, rows):
    """Rows (dicts) in the format of the path's ending."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    else:
        separator = "," if path.suffix == ".csv" else "\t"
        quoted = [['"' + str(value).replace('"', '""') + '"' for value in row.values()] for row in rows]
        path.write_text("\n".join(separator.join(row) for row in [list(rows[0]), *quoted]) + "\n", encoding="utf-8")
    return str(path)


# ---- formats


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_format_gives_the_same_task(tmp_path, ending):
    rows = [{"id": i, "sentence2": b, "score": s, "sentence1": a} for i, (a, b, s) in enumerate(PAIRS)]
    read = task(kind="sts", path=write(tmp_path / f"pairs{ending}", rows))
    assert (read.name, read.kind, read.split, read.metric) == ("mine", "sts", "test", "cosine_spearman")
    assert read.texts == ("A man sings.", "Ein Käse", "x", 'He said: "no, never".', "A cheese", "y")
    expected = write(tmp_path / "expected.csv", [{"sentence1": a, "sentence2": b, "score": s} for a, b, s in PAIRS])
    assert read.fingerprint == task(kind="sts", path=expected).fingerprint


def test_tabs_without_quoting_and_without_a_header(tmp_path):
    file = tmp_path / "sts-test.csv"
    lines = [f"main\tMSRvid\t2012\t{i}\t{s:.3f}\t{a}\t{b}" + "\textra" * i for i, (a, b, s) in enumerate(PAIRS)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    columns = {"sentence1": 5, "sentence2": 6, "score": 4}
    read = task(kind="sts", path=str(file), format="tsv-unquoted", columns=columns)
    assert read.texts[3] == 'He said: "no, never".'
    assert (
        read.fingerprint
        == task(
            kind="sts",
            path=write(tmp_path / "a.csv", [{"sentence1": a, "sentence2": b, "score": s} for a, b, s in PAIRS]),
        ).fingerprint
    )
    file.write_text(lines[0] + "\nmain\tx\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"sts-test.csv:2: 2 fields, but a column at position 6 \(counted from 0\)"):
        task(kind="sts", path=str(file), format="tsv-unquoted", columns=columns)


def test_a_whole_number_beyond_all_floats(tmp_path):
    path = write(tmp_path / "a.jsonl", [{"sentence1": "a", "sentence2": "b", "score": s} for s in (1, 10**400)])
    with pytest.raises(UserError, match="a.jsonl:2: score 10+ is not a number"):
        task(kind="sts", path=path)


def test_parquet_columns_by_position_are_refused(tmp_path):
    path = write(tmp_path / "a.parquet", [{"sentence1": a, "sentence2": b, "score": s} for a, b, s in PAIRS])
    with pytest.raises(UserError, match="a.parquet: a parquet file has columns by name, .* 'sentence2', 'score'$"):
        task(kind="sts", path=path, columns={"sentence1": 0, "sentence2": 1, "score": 2})


def test_lists_in_a_json_file_and_groups_of_labels(tmp_path):
    rows = {
        "train": [["pay it", "pay"], ["freeze it", "freeze"], ["fly", "flight"]],
        "test": [["pay now", "pay"], ["a flight", "flight"]],
    }
    (tmp_path / "data.json").write_text(json.dumps(rows))
    (tmp_path / "domains.json").write_text(json.dumps({"banking": ["pay", "freeze"], "travel": ["flight"]}))
    files = {
        "train": str(tmp_path / "data.json#train"),
        "test": str(tmp_path / "data.json#test"),
        "columns": {"text": 0, "label": 1},
    }
    groups = str(tmp_path / "domains.json")
    assert task(kind="classification", **files, repeats=2).texts[-2:] == ("pay now", "a flight")
    assert (
        task(kind="classification", **files, repeats=2, label_groups=groups).fingerprint
        != task(kind="classification", **files, repeats=2).fingerprint
    )
    assert task(kind="clustering", path=files["train"], columns=files["columns"], label_groups=groups).texts == (
        "pay it",
        "freeze it",
        "fly",
    )
    with pytest.raises(UserError, match="say which of its lists is meant, as .*data.json#KEY; it has train, test"):
        task(kind="clustering", path=str(tmp_path / "data.json"), columns=files["columns"])
    (tmp_path / "domains.json").write_text(json.dumps({"banking": ["pay", "freeze"]}))
    with pytest.raises(UserError, match=r"data.json:3: label 'flight' is in no group of .*domains.json"):
        task(kind="clustering", path=files["train"], columns=files["columns"], label_groups=groups)


def test_sets_of_a_clustering_file(tmp_path):
    rows = [{"text": f"t{i}", "label": f"c{i % 2}", "set": i // 10} for i in range(30)]
    whole = task(
        kind="clustering", path=write(tmp_path / "whole.csv", [{k: r[k] for k in ("text", "label")} for r in rows])
    )
    parts = task(kind="clustering", path=write(tmp_path / "sets.csv", rows))
    named = task(
        kind="clustering",
        path=write(tmp_path / "named.csv", [{"part": r["set"], **r} for r in rows]),
        columns={"set": "part"},
    )
    assert parts.fingerprint == named.fingerprint != whole.fingerprint
    with pytest.raises(UserError, match="no column 'part'"):
        task(kind="clustering", path=str(tmp_path / "whole.csv"), columns={"set": "part"})
    with pytest.raises(UserError, match="task mine: repeats are not for several sets"):
        task(kind="clustering", path=str(tmp_path / "sets.csv"), repeats=3)
    with pytest.raises(UserError, match="one set only"):
        task(kind="clustering", path=write(tmp_path / "one.csv", [{**r, "set": 1} for r in rows]))
    with pytest.raises(UserError, match="set '0': 1 class, at least 2"):
        task(
            kind="clustering",
            path=write(tmp_path / "poor.csv", [{**r, "label": "same" if r["set"] == 0 else r["label"]} for r in rows]),
        )


@pytest.fixture
def search(tmp_path):
    """The files of a retrieval task as the BEIR collections have them."""
    corpus = [
        {"id": 1, "title": "Cards", "text": "How to freeze a card"},
        {"id": "d2", "title": "", "text": "Opening hours"},
        {"id": "d3", "text": "Fees"},
    ]
    queries = [{"id": "q1", "text": "freeze card"}, {"id": "q2", "text": "when open"}]
    judged = (("q1", 1, 2), ("q2", "d2", 1), ("q2", "d3", 0))
    qrels = [{"query": query, "document": document, "relevance": relevance} for query, document, relevance in judged]
    return {
        "corpus": write(tmp_path / "corpus.jsonl", corpus),
        "queries": write(tmp_path / "queries.jsonl", queries),
        "qrels": write(tmp_path / "qrels.tsv", qrels),
    }


def test_retrieval_files(search):
    read = task(kind="retrieval", **search)
    assert read.texts == ("freeze card", "when open", "Cards How to freeze a card", "Opening hours", "Fees")


# ---- what is not in order


def test_a_spec_refuses_what_it_does_not_know():
    for wrong in (
        {"source": "file", "kind": "sts", "name": "x", "path": "p", "colums": {}},
        {"source": "file", "kind": "stss", "name": "x", "path": "p"},
        {"source": "file", "kind": "sts", "name": "", "path": "p"},
        {
            "source": "file",
            "kind": "sts",
            "name": "x",
            "path": "p",
            "columns": {"score": 4},
        },  # by position, and two by name
        {
            "source": "file",
            "kind": "sts",
            "name": "x",
            "path": "p",
            "columns": {"sentence1": -1, "sentence2": 0, "score": 1},
        },
        {"source": "builtin", "name": "x"},
    ):
        with pytest.raises(ValidationError):
            SPEC.validate_python(wrong)
    assert SPEC.validate_python({"source": "builtin"}) == BuiltinTasks(include=("*",))
    assert SPEC.validate_python({"source": "builtin", "include": ["*/sts*", "*/topics"]}).names() == (
        "builtin/sts",
        "builtin/sts-topic",
        "builtin/topics",
    )
    with pytest.raises(ValidationError, match="no built-in task matches 'sts'; there are builtin/sts, "):
        SPEC.validate_python({"source": "builtin", "include": ["sts"]})


STS = {"kind": "sts"}
WRONG_PAIRS = [
    (
        STS,
        "sentence1,sentence2\na,b\n",
        r"f.csv:1: no column 'score'; it has 'sentence1', 'sentence2'; say which one is meant: columns: {score: ...}",
    ),
    (STS, "sentence1,score,sentence2,score\na,1,b,2\n", "f.csv:1: more than one column 'score'"),
    (STS, "sentence1,sentence2,score\na,b,1\nc,d,high\n", "f.csv:3: score 'high' is not a number"),
    (STS, "sentence1,sentence2,score\na,b,1\nc,d\n", "f.csv:3: score None is not a number"),
    (STS, "sentence1,sentence2,score\na,b,1\nc,d,nan\n", "f.csv:3: score 'nan' is not a number"),
    (STS, 'sentence1,sentence2,score\n"a\nb",b,1\nc, ,2\n', "f.csv:4: empty sentence2; fix or remove the row"),
    (
        STS,
        "sentence1,sentence2,score\na,b,c,1\n",
        "f.csv:2: 4 fields under a header of 3; a text may hold the separator only where it is quoted",
    ),
    (STS, 'sentence1,sentence2,score\na,b,1\n"c,d,1\n', "f.csv:3: unexpected end of data"),
    (STS, "sentence1,sentence2,score\na,b,1\nc,d,1\n", "f.csv: all scores are the same"),
    (STS, "sentence1,sentence2,score\n", "f.csv: no rows"),
    (STS, "", "f.csv: no rows"),
    (STS, b"sentence1,sentence2,score\na,\xe9,1\n", r"f.csv:2: not UTF-8 \(byte 0xe9\); convert the file"),
    (
        {"kind": "pairs"},
        "sentence1,sentence2,label\na,b,1\nc,d,2\n",
        "f.csv:3: label '2'; 1 for a pair that belongs together, 0 for another",
    ),
    ({"kind": "pairs"}, "sentence1,sentence2,label\na,b,yes\n", "f.csv:2: label 'yes' is not a number"),
    (
        {"kind": "pairs"},
        "sentence1,sentence2,label\na,b,1\nc,d,1\n",
        "f.csv: all labels are 1; pairs of both kinds are needed",
    ),
    ({"kind": "clustering"}, "text,label\na,x\nb,x\n", "f.csv: 1 class, at least 2 are needed"),
    ({"kind": "clustering"}, "text,label\na,x\nb,\n", "f.csv:3: label ''; text or a whole number is needed"),
]


@pytest.mark.parametrize(
    ("values", "content", "message"), WRONG_PAIRS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_files_that_are_not_in_order(tmp_path, values, content, message):
    file = tmp_path / "f.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=message.replace("{", r"\{")):
        task(path=str(file), **values)


def test_files_that_are_not_there_or_of_no_known_format(tmp_path):
    with pytest.raises(UserError, match="nowhere.csv: no such file"):
        task(kind="sts", path=str(tmp_path / "nowhere.csv"))
    with pytest.raises(UserError, match=r"pairs.txt: tasks are read from .csv, .tsv, .jsonl, .json, .parquet"):
        task(kind="sts", path=str(tmp_path / "pairs.txt"))
    (tmp_path / "f.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(UserError, match="f.parquet: not readable as parquet"):
        task(kind="sts", path=str(tmp_path / "f.parquet"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"sentence1": "a", "sentence2": "b"', "f.jsonl:2: not JSON"),
        ('["a", "b", 1]', "f.jsonl:2: a row is an object, by name, not list"),
        ('{"sentence1": "a", "sentence2": 7, "score": 1}', "f.jsonl:2: sentence2 is int, not text"),
        ('{"sentence1": "a", "sentence2": null, "score": 1}', "f.jsonl:2: empty sentence2"),
        ('{"sentence1": "a", "sentence2": "\\ud800", "score": 1}', "f.jsonl:2: sentence2 holds half a character"),
        ('{"sentence1": "a", "score": 1}', "f.jsonl:2: no column 'sentence2'; it has 'sentence1', 'score'"),
    ],
)
def test_lines_of_json_that_are_not_in_order(tmp_path, line, message):
    file = tmp_path / "f.jsonl"
    file.write_text('{"sentence1": "a", "sentence2": "b", "score": 0}\n' + line + "\n")
    with pytest.raises(UserError, match=message):
        task(kind="sts", path=str(file))


def test_a_class_that_the_training_lacks(tmp_path):
    train = write(tmp_path / "train.csv", [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}])
    test = write(tmp_path / "test.csv", [{"text": "c", "label": "x"}, {"text": "d", "label": "z"}])
    with pytest.raises(UserError, match=r"test.csv:3: class 'z' is not in the training file .*train.csv"):
        task(kind="classification", train=train, test=test)
    with pytest.raises(UserError, match=r"same.csv: 1 class, at least 2 are needed"):
        task(kind="classification", train=write(tmp_path / "same.csv", [{"text": "a", "label": "x"}]), test=test)


@pytest.mark.parametrize(
    ("file", "row", "message"),
    [
        (
            "qrels",
            {"query": "q9", "document": "d2", "relevance": 1},
            r"qrels.tsv:5: query 'q9' is not in .*queries.jsonl",
        ),
        (
            "qrels",
            {"query": "q1", "document": "d9", "relevance": 1},
            r"qrels.tsv:5: document 'd9' is not in .*corpus.jsonl",
        ),
        (
            "qrels",
            {"query": "q1", "document": 1, "relevance": 1},
            "qrels.tsv:5: query 'q1' and document '1' are here twice",
        ),
        (
            "qrels",
            {"query": "q1", "document": "d2", "relevance": 0.5},
            "qrels.tsv:5: relevance 0.5; a whole number is needed",
        ),
        ("corpus", {"id": "d2", "text": "again"}, "corpus.jsonl:4: id 'd2' is here again"),
        ("corpus", {"id": "d7", "title": "", "text": " "}, "corpus.jsonl:4: neither title nor text"),
        ("queries", {"id": True, "text": "what"}, "queries.jsonl:3: id True; text or a whole number is needed"),
    ],
)
def test_retrieval_files_that_are_not_in_order(search, file, row, message):
    with open(search[file], "a", encoding="utf-8") as stream:
        stream.write(("\t".join(map(str, row.values())) if file == "qrels" else json.dumps(row)) + "\n")
    with pytest.raises(UserError, match=message):
        task(kind="retrieval", **search)


def test_qrels_without_a_relevant_document(tmp_path, search):
    search["qrels"] = write(tmp_path / "none.tsv", [{"query": "q1", "document": "d2", "relevance": 0}])
    with pytest.raises(UserError, match="no document is relevant for any query"):
        task(kind="retrieval", **search)


# ---- retrieval as BEIR has it


@pytest.fixture
def beir(tmp_path):
    """A folder as downloaded: one document is empty, one judged document and one judged query are absent, one query has
    no judgement."""
    corpus = [
        {"_id": "d1", "title": "Cards", "text": "How to freeze a card", "metadata": {}},
        {"_id": "d2", "title": "", "text": "", "metadata": {}},
        {"_id": "d3", "title": "", "text": "Opening hours", "metadata": {}},
        {"_id": "d4", "title": "Fees", "text": "", "metadata": {}},
    ]
    queries = [
        {"_id": "q1", "text": "freeze card", "metadata": {}},
        {"_id": "q2", "text": "when open", "metadata": {}},
        {"_id": "q3", "text": "never asked", "metadata": {}},
    ]
    (tmp_path / "qrels").mkdir()
    rows = ["query-id\tcorpus-id\tscore", "q1\td1\t2", "q1\td9\t2", "q1\td2\t1", "q2\td3\t1", "q2\td3\t1", "q9\td1\t1"]
    (tmp_path / "qrels" / "test.tsv").write_text("\n".join(rows) + "\n")
    return {
        "kind": "retrieval",
        "corpus": write(tmp_path / "corpus.jsonl", corpus),
        "queries": write(tmp_path / "queries.jsonl", queries),
        "qrels": str(tmp_path / "qrels" / "test.tsv"),
    }


def test_a_folder_of_beir_loads_with_drop_and_says_what_was_left_out(beir):
    with pytest.raises(
        UserError,
        match=r"corpus.jsonl:2: neither title nor text; fix or remove the row; or on_problem: drop leaves it out",
    ):
        task(**beir)
    read = task(**beir, on_problem="drop")
    assert read.texts == ("freeze card", "when open", "Cards How to freeze a card", "Opening hours", "Fees")
    assert [
        read.notes[0].split("jsonl: ")[-1],
        *(note.removeprefix(f"task {read.name!r}: {beir['qrels'][:-3]}") for note in read.notes[1:]),
    ] == [
        "1 row with neither title nor text left out, the first in line 2",
        f"tsv line 7: query 'q9' is not in {beir['queries']}; the judgement is left out",
        f"tsv line 3: document 'd9' is not in {beir['corpus']} (and 1 more judgement of an absent document); query "
        "'q1' can never be answered fully, so every score is lower",
    ]
    ideal = 2 + 2 / np.log2(3) + 1 / np.log2(4)
    vectors = np.eye(5, dtype=np.float32)[[0, 1, 0, 1, 2]]  # each query finds its own document first
    assert read.score(vectors).score == pytest.approx((2 / ideal + 1) / 2)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("q1\td9\t1", r"test.tsv:3: document 'd9' is not in .*corpus.jsonl; or on_problem: drop"),
        ("q9\td1\t1", r"test.tsv:3: query 'q9' is not in .*queries.jsonl; or on_problem: drop"),
        ("q1\td1\t2", r"test.tsv:3: query 'q1' and document 'd1' are here twice"),
    ],
)
def test_without_drop_the_first_problem_is_named(beir, line, told):
    kept = [row for row in open(beir["corpus"], encoding="utf-8").read().splitlines() if '"d2"' not in row]
    with open(beir["corpus"], "w", encoding="utf-8") as stream:
        stream.write("\n".join(kept))
    with open(beir["qrels"], "w", encoding="utf-8") as stream:
        stream.write(f"query-id\tcorpus-id\tscore\nq1\td1\t2\n{line}\n")
    with pytest.raises(UserError, match=told):
        task(**beir)


def test_contradicting_judgements_and_ids_that_match_nowhere_are_no_matter_of_dropping(beir):
    with open(beir["qrels"], "a", encoding="utf-8") as stream:
        stream.write("q2\td3\t0\n")
    with pytest.raises(UserError, match="query 'q2' and document 'd3' are here twice"):
        task(**beir, on_problem="drop")
    with open(beir["qrels"], "w", encoding="utf-8") as stream:
        stream.write("query-id\tcorpus-id\tscore\nq1\t1\t2\n")
    with pytest.raises(UserError, match="no document is relevant for any query of those in .*corpus.jsonl"):
        task(**beir, on_problem="drop")


@pytest.mark.parametrize(
    ("file", "option", "field"),
    [("corpus", "corpus_columns", "id"), ("queries", "query_columns", "id"), ("qrels", "qrels_columns", "query")],
)
def test_the_option_that_names_the_columns_of_each_file(beir, file, option, field):
    text = open(beir[file], encoding="utf-8").read().replace('"_id"', '"key"').replace("query-id", "key")
    with open(beir[file], "w", encoding="utf-8") as stream:
        stream.write(text)
    with pytest.raises(
        UserError, match=rf"no column '{field}'; it has .*'key'.*; say which one is meant: {option}: {{{field}: ...}}"
    ):
        task(**beir, on_problem="drop")
    assert task(**beir, on_problem="drop", **{option: {field: "key"}}).kind == "retrieval"


# ---- labels


@pytest.mark.parametrize("alike", ["pos ", " pos", "pos\u00a0", "pos\u200b", "\ufeffpos"])
def test_labels_that_look_alike_are_one_class(tmp_path, alike):
    rows = [{"text": f"t{i}", "label": "neg" if i % 2 else "pos"} for i in range(8)]
    clean = task(kind="clustering", path=write(tmp_path / "clean.csv", rows))
    rows[4]["label"] = alike
    assert task(kind="clustering", path=write(tmp_path / "odd.csv", rows)).fingerprint == clean.fingerprint
    split = task(kind="classification", train=str(tmp_path / "clean.csv"), test=str(tmp_path / "odd.csv"))
    assert (
        split.fingerprint
        == task(kind="classification", train=str(tmp_path / "clean.csv"), test=str(tmp_path / "clean.csv")).fingerprint
    )


def test_composed_letters_inner_space_and_whole_numbers_are_one_class_too(tmp_path):
    def classes(*labels):
        rows = [{"text": f"t{i}", "label": label} for i, label in enumerate([*labels, "other"])]
        return task(kind="clustering", path=write(tmp_path / "a.jsonl", rows))

    for labels in (("é", "e\u0301"), ("credit card", "credit\u00a0card", "credit  card"), (1, 1.0, "1", "1.0", " 1 ")):
        read = classes(*labels)
        assert len(set(read._draws[0][1])) == 2, labels
    assert "task 'mine': label 'e\u0301' is taken as 'é'" in classes("é", "e\u0301").notes
    assert classes("Pos", "pos").notes == (
        "task 'mine': labels 'Pos' and 'pos' differ in case only, and are 2 classes",
    )
    assert classes("a", "b").notes == ()
    with pytest.raises(UserError, match="a.jsonl:1: label 0.5; text or a whole number"):
        classes(0.5)


def test_groups_of_labels_that_look_alike(tmp_path):
    data = write(
        tmp_path / "a.csv",
        [{"text": "a", "label": "pay "}, {"text": "b", "label": "flight"}, {"text": "c", "label": "pay\u00a0"}],
    )
    groups = tmp_path / "groups.json"
    groups.write_text(json.dumps({"banking": ["pay"], "travel": ["flight"]}))
    assert task(kind="clustering", path=data, label_groups=str(groups)).texts == ("a", "b", "c")
    groups.write_text(json.dumps({"banking": ["pay"], "travel": ["flight", "pay "]}))
    with pytest.raises(UserError, match="label 'pay' is in more than one group"):
        task(kind="clustering", path=data, label_groups=str(groups))

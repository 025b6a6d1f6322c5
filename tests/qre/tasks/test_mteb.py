"""MTEB's result files and tables: real ones where they are at hand, and every oddity that strangers can make."""

import importlib.util
import json
import os
import threading
from pathlib import Path

import pandas as pd
import pytest

from qre.errors import UserError
from qre.tasks.mteb import BENCHMARKS, LARGEST, Rule, official_rules, preferred, read_results, read_table, rules, wide
from qre.tasks.mteb.main_score import OTHER_LANGUAGES

DATA = Path(__file__).resolve().parents[4] / "shared/data/mteb"
REAL = pytest.mark.skipif(not DATA.is_dir(), reason="no shared/data/mteb beside the project")
MTEB = pytest.mark.skipif(importlib.util.find_spec("mteb") is None, reason="the extra mteb is not installed")
A, B = "a" * 40, "b" * 40


def result(score, task="STS12", split="test", subset="default", version="2.1.0", languages=("eng-Latn",), **more):
    row = {"main_score": score, "hf_subset": subset, "languages": list(languages), **more}
    return {"task_name": task, "mteb_version": version, "dataset_revision": "x", "scores": {split: [row]}}


def put(root, content, model="org__model", revision=A, task="STS12"):
    """Write one file of the public layout; content is JSON, or bytes as they are."""
    path = root / "results" / model / revision / f"{task}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def scores_of(found):
    return dict(zip(found.table.task, found.table.score, strict=True))


# real data


@REAL
@pytest.mark.parametrize(
    ("table", "models", "tasks"), [("scores_eng_v1_complete.csv", 146, 56), ("scores_eng_v2_complete.csv", 185, 41)]
)
def test_the_wide_tables_load_whole(table, models, tasks):
    found = read_table(DATA / table)
    assert wide(found.table).shape == (models, tasks)
    assert not wide(found.table).isna().any().any()
    assert found.table.score.between(-1, 1).all()
    assert set(found.report.done) == {"kept"}  # exact zeros and ones, negative correlations


@REAL
@pytest.mark.parametrize("rules", [pytest.param(None, marks=MTEB), {}], ids=["rules of mteb", "rules of the files"])
def test_raw_files_of_real_models_give_the_scores_of_the_wide_tables(rules):
    """224 scores of MTEB(eng, v1) and 164 of v2, for the four of five models that the complete tables have; both ways
    of finding the rule."""
    ours = wide(read_results(DATA / "results", rules=rules).table)
    for version, count in (("v1", 224), ("v2", 164)):
        theirs = wide(read_table(DATA / f"scores_eng_{version}_complete.csv").table)
        theirs = theirs.loc[theirs.index.intersection(ours.index)]
        assert theirs.size == count
        different = (ours.reindex_like(theirs) - theirs).abs().stack(future_stack=True).loc[lambda gap: ~(gap < 1e-6)]
        assert different.empty, different


@REAL
def test_what_real_files_lack_is_reported():
    report = read_results(DATA / "results", rules={}).report
    assert set(report[report.done == OTHER_LANGUAGES].task) >= {"STS17", "STS22", "MassiveIntentClassification"}
    report = report[report.done != OTHER_LANGUAGES]
    assert set(report.model) == {"sentence-transformers/all-MiniLM-L6-v2", "sentence-transformers/all-mpnet-base-v2"}
    assert set(report.what) == {"no English scores for a split that counts"}
    mpnet = report[report.model.str.endswith("mpnet-base-v2")]
    assert set(mpnet.task) == {
        "AmazonCounterfactualClassification",
        "AmazonReviewsClassification",
        "MTOPDomainClassification",
        "MTOPIntentClassification",
        "STS22",
    }


@MTEB
def test_the_rules_of_mteb():
    rules = official_rules()
    assert rules["MSMARCO"].splits == ("dev",)
    assert rules["STS17"] == Rule(("test",), ("en-en",), "cosine_spearman")
    assert rules["AmazonCounterfactualClassification"].subsets == ("en",)  # and not en-ext, which is English too
    assert rules["CQADupstackRetrieval"].subsets == ("default",)
    import mteb

    for name in BENCHMARKS:  # the two agree where they share a task
        for task in mteb.get_benchmark(name).tasks:
            assert rules[task.metadata.name].splits == tuple(task.eval_splits), task
            assert task.is_aggregate or rules[task.metadata.name].subsets == tuple(task.hf_subsets), task


# layouts


def test_a_clone_its_results_a_cache_a_model_and_a_revision_are_read_alike(tmp_path):
    clone = tmp_path / "clone"
    put(clone, {"name": "org/model", "revision": A}, task="model_meta")
    put(clone, result(0.5))
    (clone / "README.md").write_text("not a result")
    (clone / ".git").mkdir()
    expected = [("org/model", A, "STS12", "main_score", "test", "default", 0.5, "2.1.0")]
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "remote").symlink_to(clone)  # the user's own link
    for root in (
        clone,
        clone / "results",
        clone / "results/org__model",
        clone / f"results/org__model/{A}",
        tmp_path / "cache",
    ):
        found = read_results(root, rules={})
        assert [row[:-1] for row in found.table.itertuples(index=False, name=None)] == expected, root
        assert found.report.empty


def test_a_folder_outside_the_layout_is_named_by_its_model_meta(tmp_path):
    (tmp_path / "STS12.json").write_text(json.dumps(result(0.5)))
    (tmp_path / "model_meta.json").write_text(json.dumps({"name": "org/model", "revision": B}))
    assert read_results(tmp_path, rules={}).table.iloc[0, :2].tolist() == ["org/model", B]


def test_models_without_an_organisation(tmp_path):
    put(tmp_path, result(0.5), model="word2vec", revision="1")
    put(tmp_path, result(0.6), model="glove", revision="1")
    assert set(read_results(tmp_path, rules={}).table.model) == {"word2vec", "glove"}


def test_a_model_meta_that_contradicts_its_folder_is_not_believed(tmp_path):
    put(tmp_path, {"name": "famous/model"}, task="model_meta")
    put(tmp_path, result(0.5))
    found = read_results(tmp_path, rules={})
    assert set(found.table.model) == {"org/model"}
    assert found.report.what.tolist() == ["names the model famous/model"]


def test_what_lies_outside_of_the_revisions_is_reported(tmp_path):
    put(tmp_path, result(0.5))
    put(tmp_path, result(0.9), revision=f"{A}/experiments/truncated")
    put(tmp_path, result(0.9), revision=".ipynb_checkpoints")
    (tmp_path / "results/org__model/STS13.json").write_text("{}")
    (tmp_path / "results/paths.json").write_text("{}")
    found = read_results(tmp_path, rules={})
    assert found.table.score.tolist() == [0.5]
    assert dict(zip(found.report.file, found.report.what, strict=True)) == {
        "results/paths.json": "not in the folder of a revision",
        "results/org__model/STS13.json": "not in the folder of a revision",
        f"results/org__model/{A}/experiments": "other settings of the encoder",
    }


def test_only_the_tasks_and_models_asked_for_are_read(tmp_path):
    for model in ("Org__one", "org__two"):
        put(tmp_path, result(0.5), model=model)
        put(tmp_path, b"broken", model=model, task="STS13")
    seen = []
    found = read_results(
        tmp_path, tasks={"STS12"}, models={"org/ONE"}, rules={}, progress=lambda done, total: seen.append((done, total))
    )
    assert found.table.model.tolist() == ["Org/one"]
    assert found.report.empty
    assert seen == [(1, 1)]
    assert read_results(tmp_path, tasks={"STS99"}, rules={}).table.empty


def test_many_files_are_told_as_they_are_read(tmp_path):
    for task in range(600):
        put(tmp_path, result(0.5, task=f"T{task}"), task=f"T{task}")
    seen = []
    assert len(read_results(tmp_path, rules={}, progress=lambda done, total: seen.append((done, total))).table) == 600
    assert seen == [(256, 600), (512, 600), (600, 600)]


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_text("x")])
def test_no_results_is_an_error_that_says_where_they_lie(tmp_path, make):
    make(tmp_path / "here")
    with pytest.raises(UserError, match=r"no such folder|<org>__<model>/<revision>/<Task>\.json"):
        read_results(tmp_path / "here", rules={})


# which split, subset and metric


def test_the_split_and_subset_of_a_rule_and_nothing_else(tmp_path):
    rows = {
        "test": [{"main_score": 0.1, "hf_subset": "en"}, {"main_score": 0.2, "hf_subset": "de"}],
        "validation": [{"main_score": 0.3, "hf_subset": "en"}],
    }
    put(tmp_path, {"task_name": "T", "scores": rows}, task="T")
    for splits, subsets, expected in (
        (("test",), ("en",), 0.1),
        (("test",), ("en", "de"), 0.15),
        (("test", "validation"), ("en",), 0.2),
    ):
        found = read_results(tmp_path, rules={"T": Rule(splits, subsets)})
        assert scores_of(found) == {"T": pytest.approx(expected)}
        assert found.table[["split", "subset"]].values.tolist() == [["|".join(splits), "|".join(subsets)]]
    found = read_results(tmp_path, rules={"T": Rule(("test", "validation"), ("en", "de"))})
    assert found.table.empty  # no mean of what happens to be there
    assert found.report.what.tolist() == ["no scores for split validation, subset de"]


@pytest.mark.parametrize(
    ("splits", "expected"),
    [
        ({"dev": ["default"], "validation": ["default"], "test": ["default"]}, "test/default"),
        ({"dev": ["default"], "validation": ["default"]}, "validation/default"),
        ({"dev": ["default"], "train": ["default"]}, "dev/default"),
        ({"test": ["de", "en", "en-ext"]}, "test/en"),
        ({"test": ["en-de", "en-en"]}, "test/en-en"),
        ({"test": ["de", "fr"]}, None),
        ({"train": ["default"]}, None),
    ],
)
def test_the_rule_read_off_a_file(tmp_path, splits, expected):
    languages = {
        "default": ["eng-Latn"],
        "en": ["eng-Latn"],
        "en-ext": ["eng-Latn"],
        "en-en": ["eng-Latn"],
        "en-de": ["eng-Latn", "deu-Latn"],
    }
    rows = {
        split: [
            {"main_score": 0.5, "hf_subset": name, "languages": languages.get(name, ["deu-Latn"])} for name in names
        ]
        for split, names in splits.items()
    }
    put(tmp_path, {"task_name": "T", "scores": rows}, task="T")
    found = read_results(tmp_path, rules={})
    assert [f"{row.split}/{row.subset}" for row in found.table.itertuples()] == ([expected] if expected else [])
    german = [name for name in splits.get("test", ()) if name in ("de", "en-de")]
    expected_report = [f"other languages: {', '.join(german)}"] if german else []
    assert found.report.what.tolist() == (
        expected_report if expected else ["no English scores for a split that counts"]
    )


@pytest.mark.parametrize(
    ("languages", "subsets", "score"),
    [
        (("eng",), "en", 0.2),
        (("deu",), "de", 0.4),
        (("eng", "deu"), "de|de-en|en", 0.4),
        (("all",), "de|de-en|en|fr", 0.5),
    ],
)
@pytest.mark.parametrize("task", ["NobodyKnows", pytest.param("STS22.v2", marks=MTEB)])
def test_which_languages_count(tmp_path, task, languages, subsets, score):
    """By the file alone; a rule of the registry that the file does not fill gives no score."""
    rows = [
        {"main_score": value, "hf_subset": name, "languages": [f"{one}-Latn" for one in codes]}
        for name, value, codes in (
            ("de", 0.4, ["deu"]),
            ("de-en", 0.6, ["deu", "eng"]),
            ("en", 0.2, ["eng"]),
            ("fr", 0.8, ["fra"]),
        )
    ]
    put(tmp_path, {"task_name": task, "scores": {"test": rows}}, task=task)
    found = read_results(tmp_path, rules=None, languages=languages)
    others = [row.what for row in found.report.itertuples() if row.done == OTHER_LANGUAGES]
    left = [name for name in ("de", "de-en", "en", "fr") if name not in subsets.split("|")]
    if task != "NobodyKnows" and languages == ("all",):  # STS22 has more than these
        assert found.table.empty and "no scores for split test, subset" in found.report.what.iloc[-1]
        return
    assert [("|".join(sorted(row.subset.split("|"))), round(row.score, 9)) for row in found.table.itertuples()] == [
        (subsets, score)
    ]
    assert others == ([f"other languages: {', '.join(left)}"] if left else [])


LEADERBOARD = {
    "Rank (Borda)": [1, 2, 3],
    "Model": ["org/a", "org/b", "org/c"],
    "Zero-shot": [100, 95, 90],
    "Memory Usage (MB)": [90, 418, 1000],
    "Number of Parameters (B)": [0.1, 0.2, 7],
    "Embedding Dimensions": [384, 768, 1024],
    "Max Tokens": [256, 512, 512],
    "Mean (Task)": [56.1, 57.2, 60.1],
    "Mean (TaskType)": [55.1, 56.2, 59.1],
    "Classification": [70.1, 71.2, 75.5],
    "Clustering": [40.1, 42.2, 45.0],
    "PairClassification": [80.1, 82.2, 85.0],
    "Pair Classification": [80.1, 82.2, 85.0],
    "Reranking": [50.1, 52.2, 55.0],
    "Retrieval": [45.1, 46.2, 50.0],
    "STS": [80.1, 81.2, 84.0],
    "Summarization": [30.1, 30.2, 30.3],
    "Speed": [1, 2, 3],
    "Average (56 datasets)": [56.1, 57.2, 60.1],
    "n_parameters": [1, 2, 3],
    "Mean_TaskType": [55.1, 56.2, 59.1],
    "release_year": [2021, 2022, 2023],
    "Bitext Mining": [1.5, 2.5, 3.5],
    "STSBenchmark": [82.03, 84.0, 86.0],
    "Banking77Classification": [80.0, 81.0, 85.0],
    "NFCorpus": [31.0, 33.0, 38.0],
    "ArXivHierarchicalClusteringP2P": [60.0, 61.0, 64.0],
}
REAL_TASKS = {"STSBenchmark", "Banking77Classification", "NFCorpus", "ArXivHierarchicalClusteringP2P"}


@pytest.mark.parametrize("registry", [pytest.param(True, marks=MTEB), False], ids=["registry", "by the names"])
def test_of_a_leaderboard_only_tasks_are_taken(tmp_path, monkeypatch, registry):
    if not registry:
        monkeypatch.setattr(rules, "registered", lambda: frozenset())
    pd.DataFrame(LEADERBOARD).drop(columns=[] if registry else ["release_year"]).to_csv(
        tmp_path / "board.CSV", index=False
    )
    found = read_table(tmp_path / "board.CSV")
    assert set(found.table.task) == REAL_TASKS
    assert found.table.score.between(0, 1).all()
    left = found.report[found.report.what.str.startswith("not a task of MTEB")]
    assert {"Rank (Borda)", "Memory Usage (MB)", "Number of Parameters (B)", "Mean (Task)", "STS", "Retrieval"} <= set(
        left.task
    )


@MTEB
def test_what_names_of_tasks_look_like_holds_for_all_that_mteb_knows():
    known = rules.registered()
    assert len(known) > 1000
    names = [
        name
        for name in known
        if not (rules.TASK.fullmatch(name) and name.casefold() not in rules.TYPES and not rules.NO_TASK.fullmatch(name))
    ]
    assert names == []


def test_columns_and_rows_on_another_scale_than_their_table_are_left_out(tmp_path):
    frame = pd.DataFrame(
        {
            "model": [f"org/{letter}" for letter in "abcd"],
            **{f"STS{number}": [50.0, 60, 70, 0.8] for number in (12, 13, 14)},
            "STS15": [0.5, 0.6, 0.7, 0.8],
        }
    )
    frame.to_csv(tmp_path / "mixed.csv", index=False)
    found = read_table(tmp_path / "mixed.csv")
    assert set(found.table.model) == {"org/a", "org/b", "org/c"} and set(found.table.task) == {
        "STS12",
        "STS13",
        "STS14",
    }
    assert sorted(found.report.done) == ["column left out", "divided by 100", "row left out"]


def test_msmarco_counts_on_dev(tmp_path):
    rows = {split: [{"main_score": score, "hf_subset": "default"}] for split, score in (("test", 0.7), ("dev", 0.4))}
    put(tmp_path, {"task_name": "MSMARCO", "scores": rows}, task="MSMARCO")
    assert scores_of(read_results(tmp_path, rules={})) == {"MSMARCO": 0.4}


@pytest.mark.parametrize(
    ("task", "metric", "block", "expected"),
    [
        (
            "STS12",
            "cosine_spearman",
            {"cos_sim": {"pearson": 0.6, "spearman": 0.7}, "euclidean": {"spearman": 0.8}},
            0.7,
        ),
        ("TwitterURLCorpus", "max_ap", {"cos_sim": {"ap": 0.6}, "max": {"accuracy": 0.9, "ap": 0.7}}, 0.7),
        ("TwitterURLCorpus", "max_ap", {"cos_sim": {"ap": 0.6}, "dot": {"ap": 0.65}}, 0.65),
        ("SciDocsRR", "map_at_1000", {"map": 0.7, "mrr": 0.8}, 0.7),
        ("MindSmallReranking", "max_over_subqueries_map_at_1000", {"map": 0.3, "mrr": 0.8}, 0.3),
        ("NFCorpus", "ndcg_at_10", {"map_at_10": 0.1, "ndcg_at_1": 0.2, "ndcg_at_10": 0.3}, 0.3),
        ("Banking77Classification", "accuracy", {"accuracy": 0.8, "f1": 0.7, "main_score": 0.8}, 0.8),
        ("RedditClustering", "v_measure", {"v_measure": 0.4, "v_measure_std": 0.01}, 0.4),
    ],
)
def test_files_from_before_mteb_1_11(tmp_path, task, metric, block, expected):
    content = {
        "mteb_dataset_name": task,
        "mteb_version": "0.0.2",
        "test": {**block, "evaluation_time": 9.5},
        "validation": {"accuracy": 0.1},
    }
    put(tmp_path, content, task=task, revision="no_revision_available")
    assert scores_of(read_results(tmp_path, rules={task: Rule(("test",), ("default",), metric)})) == {task: expected}
    unruled = scores_of(read_results(tmp_path, rules={}))
    assert unruled == (
        {} if block.keys() == {"cos_sim", "dot"} else {task: expected}
    )  # which of the two counts, only mteb can tell


def test_old_files_with_subsets(tmp_path):
    blocks = {
        "en": {"accuracy": 0.7, "main_score": 0.7},
        "de": {"accuracy": 0.5, "main_score": 0.5},
        "evaluation_time": 3,
    }
    put(tmp_path, {"mteb_dataset_name": "T", "test": blocks}, task="T")
    assert scores_of(read_results(tmp_path, rules={})) == {"T": 0.7}


def test_the_metric_of_the_rule_stands_above_what_the_file_calls_its_main_score(tmp_path):
    put(tmp_path, result(0.2, task="T", accuracy=0.7), task="T")
    found = read_results(tmp_path, rules={"T": Rule(("test",), ("default",), "accuracy")})
    assert scores_of(found) == {"T": 0.7}
    assert found.report[["what", "done"]].values.tolist() == [
        ["main_score is 0.2, but accuracy is 0.7", "accuracy taken"]
    ]


# odd files: each is a row of the report, and only what is a score is in the table


@pytest.mark.parametrize(
    ("content", "what", "score"),
    [
        (b"{", "not JSON", None),
        (b"", "not JSON", None),
        (b"\xff\xfe\xfa", "not JSON", None),
        (b"[" * 100_000, "not JSON", None),
        (b'{"scores": ' + b"9" * 5000 + b"}", "not JSON", None),
        (b'"\\u001b[31m a text"', "not a result file", None),
        (b"[1, 2]", "not a result file", None),
        ({"name": "something else"}, "not a result file", None),
        ({"task_name": "STS12", "scores": {}}, "no English scores for a split that counts", None),
        ({"task_name": "STS12", "scores": None}, "no English scores for a split that counts", None),
        (
            {"task_name": "STS12", "scores": {"test": {"main_score": 1}}},
            "no English scores for a split that counts",
            None,
        ),
        (result("0.5"), "no main score", None),
        (result(None), "no main score", None),
        (result(True), "no main score", None),
        (result(float("nan")), "nan is not a score", None),
        (result(float("inf")), "inf is not a score", None),
        (result(10**400), "inf is not a score", None),
        (result(12345.0), "12345 is not a score", None),
        (result(-3.0), "-3 is not a score", None),
        (result(0.0), "exactly 0", 0.0),
        (result(1), "exactly 1", 1.0),
        (result(-0.1), "below 0, as only a correlation can be", -0.1),
        (result(52.5), "on 0-100 (52.5)", 0.525),
        (result(0.5, task="STS13"), "the file's name is of another task", 0.5),
    ],
)
def test_odd_files(tmp_path, content, what, score):
    put(tmp_path, result(0.25, task="Good"), task="Good")
    put(tmp_path, content)
    found = read_results(tmp_path, rules={})
    rest = found.table[found.table.task != "Good"]
    assert rest.score.tolist() == ([] if score is None else [pytest.approx(score)])
    assert found.report.what.tolist() == [what]
    assert found.report.file.tolist() == [f"results/org__model/{A}/STS12.json"]
    assert found.report.done.iloc[0]
    assert "Good" in scores_of(found)


def test_a_score_a_hair_above_one_is_one(tmp_path):
    put(tmp_path, result(1.0000000002))
    assert read_results(tmp_path, rules={}).table.score.tolist() == [1.0]


def test_a_subset_twice_and_rows_that_are_none(tmp_path):
    content = result(0.5)
    content["scores"]["test"] += [
        {"main_score": 0.9, "hf_subset": "default"},
        "row",
        {"main_score": 0.9, "hf_subset": ["en"]},
    ]
    put(tmp_path, content)
    found = read_results(tmp_path, rules={})
    assert scores_of(found) == {"STS12": 0.5}
    assert found.report.what.tolist() == [
        "split test: a subset twice",
        "split test: not a row of scores",
        "split test: not a row of scores",
    ]


def test_one_task_in_two_files_of_one_revision(tmp_path):
    put(tmp_path, result(0.5, version="1.12.75"))
    put(tmp_path, result(0.6, version="2.3.0"), task="again")
    put(tmp_path, result(0.6, version="2.3.0"), task="same")
    found = read_results(tmp_path, rules={})
    assert found.table[["score", "mteb_version"]].values.tolist() == [[0.6, "2.3.0"]]
    duplicates = found.report[found.report.done == "left out"].set_index("file").what.to_dict()
    folder = f"results/org__model/{A}"
    assert duplicates == {
        f"{folder}/STS12.json": f"0.5, but 0.6 in {folder}/again.json",
        f"{folder}/same.json": f"the same score in {folder}/again.json",
    }


# revisions


@pytest.fixture
def revisions(tmp_path):
    for revision, score, version in (
        ("no_revision_available", 0.1, "2.9.0"),
        ("external", 0.2, None),
        ("3", 0.3, "2.0"),
        (A, 0.4, "1.2.10"),
        (B, 0.5, "1.2.9"),
    ):
        put(tmp_path, result(score, version=version), revision=revision)
    return read_results(tmp_path, rules={}).table


def test_all_revisions_are_kept(revisions):
    assert sorted(revisions.score) == [0.1, 0.2, 0.3, 0.4, 0.5]


def test_which_revision_is_preferred(revisions):
    assert (
        wide(revisions).loc["org/model", "STS12"] == 0.4
    )  # a commit, and of commits the newest mteb: 1.2.10 is after 1.2.9
    assert wide(revisions, {"org/model": B}).loc["org/model", "STS12"] == 0.5
    assert wide(revisions, {"org/model": "c" * 40}).loc["org/model", "STS12"] == 0.4  # not there: as without it
    for revision, then in ((A, 0.5), (B, 0.3), ("3", 0.1), ("no_revision_available", 0.2)):
        revisions = revisions[revisions.revision != revision]
        assert preferred(revisions).score.tolist() == [then]


def test_ranges_of_versions_count_by_their_end(tmp_path):
    put(tmp_path, result(0.1, version="2.1.0-2.15.4"), revision=A)
    put(tmp_path, result(0.2, version="2.3.0"), revision=B)
    assert preferred(read_results(tmp_path, rules={}).table).score.tolist() == [0.1]


# strangers


def test_names_that_cannot_be_shown_are_left_out_and_shown_escaped(tmp_path):
    put(tmp_path, result(0.5), model="org__\x1b[31mred")
    put(tmp_path, result(0.5), model="org__two\nlines")
    put(tmp_path, result(0.5), model=os.fsdecode(b"org__\xff"))
    put(tmp_path, result(0.5, task="evil\x07"), task="evil\x07")
    put(tmp_path, result(0.5, task="\u202eOver", subset="\x1b[2J"), task="Subset")
    put(tmp_path, result(0.5, task="x" * 201, version="\x1b[0m"), task="STS13")
    found = read_results(tmp_path, rules={})
    assert found.table[["model", "task", "mteb_version"]].values.tolist() == [["org/model", "STS13", ""]]
    assert len(found.report) == 5
    assert all(text.isprintable() and len(text) <= 200 for text in found.report.to_numpy().ravel())
    found.report.to_csv(tmp_path / "report.csv")  # half characters would stop it
    found.report.to_parquet(tmp_path / "report.parquet")


def test_names_that_look_like_paths_stay_names(tmp_path):
    (tmp_path / "outside.json").write_text(json.dumps(result(0.9)))
    put(tmp_path / "clone", result(0.5, task="../../../outside"))
    put(tmp_path / "clone", {"name": "../../etc", "revision": "../.."}, task="model_meta")
    before = sorted(path for path in tmp_path.rglob("*"))
    found = read_results(tmp_path / "clone", rules={})
    assert found.table[["model", "revision", "task", "score"]].values.tolist() == [
        ["org/model", A, "../../../outside", 0.5]
    ]
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_links_and_pipes_are_not_opened(tmp_path):
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps(result(0.9)))
    here = put(tmp_path / "clone", result(0.5)).parent
    (here / "Link.json").symlink_to(secret)
    os.mkfifo(here / "Pipe.json")  # who reads it waits until the other end is closed
    end = threading.Timer(5, os.close, [os.open(here / "Pipe.json", os.O_RDWR)])
    end.start()
    (here / "Folder.json").mkdir()
    (tmp_path / "clone/results/org__linked").symlink_to(tmp_path)
    found = read_results(tmp_path / "clone", rules={})
    assert end.is_alive()
    end.cancel()
    os.close(*end.args)
    assert scores_of(found) == {"STS12": 0.5}
    assert found.report[["file", "what", "done"]].values.tolist() == [
        [f"results/org__model/{A}/Link.json", "a link", "not read"]
    ]


def test_a_file_too_large_is_not_read(tmp_path):
    path = put(tmp_path, result(0.5))
    with open(path, "ab") as file:
        file.truncate(LARGEST + 1)
    found = read_results(tmp_path, rules={})
    assert found.table.empty
    assert found.report.what.tolist() == ["larger than 16 MB"]


# wide tables


def test_wide_tables_of_both_formats(tmp_path):
    frame = pd.DataFrame({"model": ["org/a", "org/b"], "STS12": [0.5, None], "STS13": [0.25, 0.75]})
    frame.to_csv(tmp_path / "plain.csv", index=False)
    frame.to_csv(tmp_path / "numbered.csv")
    frame.to_parquet(tmp_path / "plain.parquet")
    frame.set_index("model").to_parquet(tmp_path / "indexed.parquet")
    (frame.set_index("model") * 100).to_csv(tmp_path / "percent.csv")
    for path in sorted(tmp_path.iterdir()):
        found = read_table(path)
        assert found.table[["model", "task", "score"]].values.tolist() == [
            ["org/a", "STS12", 0.5],
            ["org/a", "STS13", 0.25],
            ["org/b", "STS13", 0.75],
        ]
        what = {"numbered.csv": ["not a column of scores"], "percent.csv": ["scores on 0-100"]}.get(path.name, [])
        assert found.report.what.tolist() == what, path
    assert set(read_table(tmp_path / "plain.csv", tasks={"STS12"}).table.task) == {"STS12"}
    frame.rename(columns={"STS12": "my own"}).to_csv(tmp_path / "own.csv", index=False)
    assert set(read_table(tmp_path / "own.csv", tasks={"my own"}).table.task) == {"my own"}  # who names it means it


def test_odd_wide_tables(tmp_path):
    path = tmp_path / "odd.csv"
    path.write_text(
        f"Model,revision,licence,STS12\norg/a,{A},mit,0.5\n,,mit,0.5\norg/a,{A},mit,0.6\norg/b,,mit,7\norg/c,,mit,0\n\x1b[1m,,mit,0.5\n"
    )
    found = read_table(path)
    assert found.table[["model", "revision", "score", "file"]].values.tolist() == [
        ["org/a", A, 0.5, "odd.csv:2"],
        ["org/c", "", 0.0, "odd.csv:6"],
    ]
    assert sorted(found.report.what) == sorted(
        [
            "not a column of scores",
            "not a name of a model",
            "0.6, but 0.5 in odd.csv:2",
            "7 is not a score",
            "exactly 0",
            "not a name of a model",
        ]
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("table.xlsx", b"", r"\.csv and \.parquet"),
        ("table.csv", None, "no such table"),
        ("table.csv", b"", "not a readable table"),
        ("table.csv", b'a,b\n"', "not a readable table"),
        ("table.csv", b"\xff\xff", "not a readable table"),
        ("table.parquet", b"PAR1", "not a readable table"),
        ("table.csv", b"model,licence\na/b,mit\n", "no column of scores"),
    ],
)
def test_tables_that_cannot_be_read(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_table(tmp_path / name)

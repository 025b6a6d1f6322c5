"""From the config to public scores: read, joined by id and revision, one a task, and a report of all that did not
fit."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from jobs.config import SweepConfig
from jobs.mteb.chosen import check_names
from jobs.mteb.own_results import ROOT, local_encoders, place_of
from jobs.mteb.public_scores import COLUMNS, REPORT, public_scores
from qre.encoders.spec import ClassicalSpec, FolderSpec, HubSpec
from qre.errors import UserError
from qre.store import Store
from tests.s3 import s3  # noqa: F401

DATA = Path(__file__).resolve().parents[3] / "shared/data/mteb"
REAL = pytest.mark.skipif(not DATA.is_dir(), reason="no shared/data/mteb beside the project")
MTEB = pytest.mark.skipif(importlib.util.find_spec("mteb") is None, reason="the extra mteb is not installed")
A, B, C = "a" * 40, "b" * 40, "c" * 40
FIVE = {
    "BAAI/bge-small-en-v1.5": "5c38ec7c405ec4b44b94cc5a9bb96e735b38267a",
    "intfloat/e5-small": "e272f3049e853b47cb5ca3952268c6662abda68f",
    "sentence-transformers/all-MiniLM-L6-v2": "8b3219a92973c328a8e22fadcfa821b5dc75636a",
    "sentence-transformers/all-mpnet-base-v2": "9a3225965996d404b775526de6dbfe85d3368642",
    "thenlper/gte-small": "17e1f347d17fe144873b1201da91788898c639cd",
}


def config(*entries: dict) -> SweepConfig:
    tasks = [{"source": "mteb", **entry} for entry in entries]
    return SweepConfig.model_validate(
        {"name": "t", "store": "s", "encoders": [{"source": "catalogue", "name": "demo"}], "tasks": tasks}
    )


def hub(identifier: str, revision: str = A, **values) -> HubSpec:
    return HubSpec(**{"name": identifier, "family": "f", "id": identifier, "revision": revision, **values})


def result(score, task="STS12", version="2.1.0"):
    rows = {"test": [{"main_score": score, "hf_subset": "default", "languages": ["eng-Latn"]}]}
    return {"task_name": task, "mteb_version": version, "dataset_revision": "x", "scores": rows}


def put(root: Path, model: str, revision: str, task: str, score, **more) -> None:
    path = root / model.replace("/", "__") / revision / f"{task}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result(score, task, **more) if isinstance(score, float) else score))


def scores_of(found):
    return {
        (row.name_, row.task): (row.score, row.match)
        for row in found.table.rename(columns={"name": "name_"}).itertuples()
    }


def rows_of(found, kind):
    return [tuple(row) for row in found.report[found.report.kind == kind].drop(columns="kind").to_numpy().tolist()]


# nothing, and one place


def test_without_an_entry_there_is_an_empty_table_and_nothing_heavy_is_imported(tmp_path):
    found = public_scores(config(), Store(tmp_path / "s"), [hub("org/one")])
    assert (list(found.table), list(found.report), found.notes, found.tasks) == (list(COLUMNS), list(REPORT), (), ())
    assert found.table.score.dtype == float
    code = (
        "import sys; from jobs.config import SweepConfig; from jobs.mteb.public_scores import public_scores; from "
        "qre.store import Store\n"
        f"public_scores(SweepConfig.model_validate({config().model_dump(mode='json')!r}), Store('s'), [])\n"
        "print(sorted({'mteb', 'torch', 'ray'} & sys.modules.keys()))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert told.stdout.strip() == "[]"


def test_one_folder_gives_a_tidy_table(tmp_path):
    for revision, task, score in ((A, "STS13", 0.5), (A, "STS12", 0.25), (B, "STS12", 0.75)):
        put(tmp_path / "results", "org/one", revision, task, score)
    put(tmp_path / "results", "org/other", A, "STS12", 0.1)
    found = public_scores(config({"results": [str(tmp_path)]}), Store(tmp_path / "s"), [hub("org/one"), hub("org/two")])
    assert found.table[["name", "task", "split", "score", "source", "match"]].values.tolist() == [
        ["org/one", "STS12", "test", 0.25, "imported", "exact"],
        ["org/one", "STS13", "test", 0.5, "imported", "exact"],
    ]
    assert found.table[["low", "high", "n"]].isna().all().all()
    assert found.table.file.tolist() == [
        str(tmp_path / f"results/org__one/{A}/{task}.json") for task in ("STS12", "STS13")
    ]
    if importlib.util.find_spec("mteb"):
        assert found.table[["kind", "metric"]].values.tolist() == [["STS", "cosine_spearman"]] * 2
    assert rows_of(found, "encoder without results") == [
        ("", "org/two", "org/two", "", "", "its id is in none of the results", "")
    ]
    assert rows_of(found, "results without encoder") == [(str(tmp_path), "", "org/other", "", "", "", "not read")]
    assert rows_of(found, "revision mismatch") == [
        (str(tmp_path), "org/one", "org/one", "", "", f"0 of 1 scores of revision {B} taken", "")
    ]
    assert found.notes == ("MTEB: 1 encoders × 2 tasks joined, 2 scores; 1 without results; see scores_report.csv",)
    assert found.tasks == ("STS12", "STS13")


def test_what_is_no_encoder_as_published_gets_no_score_and_is_named(tmp_path):
    put(tmp_path, "org/one", A, "STS12", 0.5)
    specs = [
        hub("org/one", name="layer", layer=1, pooling="mean"),
        ClassicalSpec(name="lsa", family="f", kind="lsa"),
        hub("org/one", name="two names"),
    ]
    found = public_scores(config({"results": [str(tmp_path)]}), Store(tmp_path / "s"), specs)
    assert found.table.name.tolist() == ["two names"]
    assert {row[1] for row in rows_of(found, "encoder without results")} == {"lsa"}
    assert {row[1] for row in rows_of(found, "not as published")} == {"layer"}


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"prompt": "query: "}, "prompt 'query: '"),
        ({"prompt": ""}, "prompt ''"),
        ({"dtype": "bfloat16"}, "dtype 'bfloat16'"),
        ({"max_tokens": 64}, "max_tokens 64"),
        ({"transforms": ("normalize",)}, "transforms ('normalize',)"),
        ({"layer": 2, "pooling": "cls"}, "layer 2, pooling 'cls'"),
        ({"pooling": "max"}, "pooling 'max'"),
    ],
)
def test_what_a_person_has_changed_takes_no_public_score_and_is_said_in_the_report_and_a_note(tmp_path, own, told):
    """Whatever is in the encoder's identity and is not a bare entry's; the encoder as published has its own default
    prompt."""
    put(tmp_path, "org/one", A, "STS12", 0.5)
    stated = {"prompts": (("passage", "p: "), ("query", "query: ")), "default_prompt": "p: "}
    specs = [
        hub("org/one", prompt="p: ", **stated),
        hub("org/one", **{"name": "mine", "prompt": "p: ", **stated, **own}),
    ]
    found = public_scores(config({"results": [str(tmp_path)]}), Store(tmp_path / "s"), specs)
    assert found.table.name.tolist() == ["org/one"]
    assert rows_of(found, "not as published") == [
        ("", "mine", "org/one", "", "", f"of its own: {told}", "no public score taken")
    ]
    assert [note for note in found.notes if "1 encoders are not as published" in note]


def test_an_option_that_is_not_thought_of_yet_makes_another_encoder_too():
    class Later(HubSpec):
        pad_token: str = ""

        def pass_identity(self) -> dict:
            return {**super().pass_identity(), **({"pad_token": self.pad_token} if self.pad_token else {})}

    one = {"name": "one", "family": "f", "id": "org/one", "revision": A}
    assert (
        not Later(**one).departures
        and not Later(**one, token_budget=64).departures
        and not Later(**one, trust_remote_code=True).departures
    )
    assert Later(**one, pad_token="<pad>").departures == {"pad_token": "<pad>"}


# several places


def test_an_exact_revision_goes_first_then_the_order_of_the_config(tmp_path):
    put(tmp_path / "first", "org/one", "external", "STS12", 0.1)
    put(tmp_path / "first", "org/one", "external", "STS13", 0.2)
    put(tmp_path / "second", "org/one", A, "STS12", 0.3)
    put(tmp_path / "third", "org/one", A, "STS12", 0.3)
    pd.DataFrame({"model": ["org/one"], "STS12": [0.9], "STS13": [0.8], "STS14": [0.7]}).to_csv(
        tmp_path / "wide.csv", index=False
    )
    first, second, third, wide = (str(tmp_path / name) for name in ("first", "second", "third", "wide.csv"))
    found = public_scores(
        config({"results": [first, wide]}, {"results": [second, third]}), Store(tmp_path / "s"), [hub("org/one")]
    )
    one = "org/one"
    assert scores_of(found) == {
        (one, "STS12"): (0.3, "exact"),
        (one, "STS13"): (0.2, "unrecorded"),
        (one, "STS14"): (0.7, "unrecorded"),
    }
    assert [(row[0], row[3], row[5]) for row in rows_of(found, "another score")] == [
        (first, "STS12", f"0.1 of the revision external, but 0.3 in {second}/org__one/{A}/STS12.json"),
        (wide, "STS12", f"0.9 of the revision (none), but 0.3 in {second}/org__one/{A}/STS12.json"),
        (wide, "STS13", f"0.8 of the revision (none), but 0.2 in {first}/org__one/external/STS13.json"),
    ]
    assert rows_of(found, "same score") == [
        (third, one, one, "", "", f"1 scores that are also in {second}", "left out")
    ]
    assert found.notes[1:] == (
        "MTEB: of the scores, 2 of an unrecorded revision; revisions: exact leaves them out",
        "MTEB: 3 scores differ between the results; see scores_report.csv",
    )
    swapped = public_scores(config({"results": [wide, first]}), Store(tmp_path / "s"), [hub("org/one")])
    assert scores_of(swapped)[one, "STS13"] == (0.8, "unrecorded")


def test_only_exact_revisions_where_an_entry_says_so(tmp_path):
    put(tmp_path / "first", "org/one", B, "STS12", 0.1)
    found = public_scores(
        config({"results": [str(tmp_path / "first")], "revisions": "exact"}), Store(tmp_path / "s"), [hub("org/one")]
    )
    assert found.table.empty
    assert rows_of(found, "encoder without results") == [
        ("", "org/one", "org/one", "", "", "none of its own commit", "")
    ]


def test_results_measured_here_come_after_those_of_the_config(tmp_path):
    store = Store(tmp_path / "s")
    for task, score in (("STS12", 0.1), ("STS13", 0.2)):
        store.folder.write(f"{ROOT}/org__one/{A}/{task}.json", json.dumps(result(score, task)).encode())
    put(tmp_path / "first", "org/one", A, "STS12", 0.3)
    put(tmp_path / "first", "org/one", "external", "STS13", 0.4)
    found = public_scores(
        config({"results": [str(tmp_path / "first")], "tasks": ["STS12", "STS13", "STS14"]}), store, [hub("org/one")]
    )
    assert scores_of(found) == {("org/one", "STS12"): (0.3, "exact"), ("org/one", "STS13"): (0.2, "exact")}
    assert found.table.file.tolist()[1] == f"mteb/org__one/{A}/STS13.json"
    assert {row[0] for row in rows_of(found, "another score")} == {"store", str(tmp_path / "first")}
    assert [row[3] for row in rows_of(found, "task without results")] == ["STS14"]
    assert found.tasks == ("STS12", "STS13", "STS14")


def test_a_local_folder_is_joined_by_its_name_and_content_only(tmp_path):
    store = Store(tmp_path / "s")
    specs = [FolderSpec(name="mine", family="f", path="/models/My encoder!", revision="d" * 64), hub("org/one")]
    (mine,) = local_encoders(specs)
    assert (mine.id, place_of(mine)) == ("local/My-encoder", f"local__My-encoder/{'d' * 40}")
    store.folder.write(f"{ROOT}/{place_of(mine)}/STS12.json", json.dumps(result(0.5)).encode())
    # before its content changed
    store.folder.write(f"{ROOT}/local__My-encoder/{'e' * 40}/STS13.json", json.dumps(result(0.6, "STS13")).encode())
    found = public_scores(config({"tasks": ["STS12", "STS13"]}), store, specs)
    assert scores_of(found) == {("mine", "STS12"): (0.5, "exact")}


def test_results_measured_here_may_lie_in_a_bucket(s3):
    store = Store(s3.location())
    assert public_scores(config({"tasks": ["STS12"]}), store, [hub("org/one")]).table.empty
    for task, score in (("STS12", 0.1), ("STS13", 0.2)):
        store.folder.write(f"{ROOT}/org__one/{A}/{task}.json", json.dumps(result(score, task)).encode())
    found = public_scores(config({"tasks": ["STS12"]}), store, [hub("org/one")])
    assert scores_of(found) == {("org/one", "STS12"): (0.1, "exact")}
    assert found.table.file.tolist() == [f"mteb/org__one/{A}/STS12.json"]
    assert not any("STS13" in request for request in s3.requests if request.startswith("GET"))


# the choice of tasks, odd results, errors


def test_odd_results_of_the_models_of_the_sweep_are_told_and_of_others_not(tmp_path):
    put(tmp_path, "org/one", A, "STS12", 0.0)
    put(tmp_path, "org/one", A, "STS13", 1.0)
    put(tmp_path, "org/one", A, "STS14", {"odd": 1})
    put(
        tmp_path,
        "org/one",
        A,
        "Banking77Classification",
        {"mteb_dataset_name": "Banking77Classification", "mteb_version": "0.0.2", "test": {"accuracy": 0.5}},
    )
    put(tmp_path, "org/other", A, "STS12", {"odd": 1})
    (tmp_path / "org__other" / A / "experiments").mkdir()
    found = public_scores(config({"results": [str(tmp_path)]}), Store(tmp_path / "s"), [hub("org/one")])
    assert [(row[3], row[5]) for row in rows_of(found, "odd result")] == [
        ("STS12", "exactly 0"),
        ("STS13", "exactly 1"),
        ("", "not a result file"),
    ]
    ((place, encoder, *_, detail, done),) = rows_of(found, "old format")
    assert (place, encoder, done) == (str(tmp_path), "org/one", "taken by the rule")
    assert detail == "1 scores of mteb 0.0.2, whose files do not name the main score"


@MTEB
def test_a_benchmark_chooses_its_tasks_with_its_own_splits_and_subsets(tmp_path):
    put(tmp_path, "org/one", A, "STS12", 0.5)
    put(tmp_path, "org/one", A, "Nonsense", 0.5)
    rows = [
        {"main_score": score, "hf_subset": name, "languages": ["eng-Latn"]}
        for name, score in (("en", 0.1), ("de", 0.7))
    ]
    put(tmp_path, "org/one", A, "STS22", {"task_name": "STS22", "mteb_version": "2.0", "scores": {"test": rows}})
    found = public_scores(
        config({"results": [str(tmp_path)], "benchmark": "MTEB(eng, v2)"}), Store(tmp_path / "s"), [hub("org/one")]
    )
    assert (len(found.tasks), scores_of(found)) == (41, {("org/one", "STS12"): (0.5, "exact")})
    german = public_scores(
        config({"results": [str(tmp_path)], "benchmark": "MTEB(deu, v1)"}), Store(tmp_path / "s"), [hub("org/one")]
    )
    assert scores_of(german) == {("org/one", "STS22"): (0.7, "exact")}


def test_errors_name_the_entry(tmp_path):
    def error(*entries):
        with pytest.raises(UserError) as caught:
            public_scores(config(*entries), Store(tmp_path / "s"), [hub("org/one")])
        return str(caught.value)

    assert (
        error({"tasks": ["STS12"]}, {"results": [str(tmp_path / "none")]})
        == f"tasks[1].results[0]: {tmp_path}/none: no such folder of MTEB results"
    )
    assert error({"results": [str(tmp_path / "none.csv")]}).startswith("tasks[0].results[0]: ")
    if importlib.util.find_spec("mteb"):
        assert re.match(
            r"tasks\[0\].benchmark: no benchmark 'MTEB\(eng, v3\)' that the installed mteb knows; did you mean "
            r"'MTEB\(eng, v[12]\)'\?$",
            error({"benchmark": "MTEB(eng, v3)"}),
        )


def test_a_benchmark_without_the_package_is_an_error_that_says_how_to_install_it(tmp_path, monkeypatch):
    from jobs.mteb import chosen as mteb_tasks

    monkeypatch.setattr(mteb_tasks, "installed", lambda: False)
    mteb_tasks._benchmark.cache_clear()
    with pytest.raises(UserError, match=r'tasks\[0\].benchmark: .*Python 3.11.*pip install -e "\.\[mteb\]"'):
        public_scores(config({"benchmark": "MTEB(eng, v2)"}), Store(tmp_path / "s"), [hub("org/one")])


def test_the_digest_is_of_the_content(tmp_path):
    put(tmp_path / "first", "org/one", A, "STS12", 0.5)
    settings, store = config({"results": [str(tmp_path / "first")]}), Store(tmp_path / "s")
    digest = public_scores(settings, store, [hub("org/one")]).digest
    assert public_scores(settings, store, [hub("org/one")]).digest == digest
    put(tmp_path / "first", "org/one", A, "STS12", 0.6)
    assert public_scores(settings, store, [hub("org/one")]).digest != digest
    assert public_scores(config(), store, []).digest != digest


# real results


@REAL
@pytest.mark.parametrize(("version", "tasks"), [("v1", 56), ("v2", 41)])
def test_the_five_real_models_have_the_scores_of_the_complete_tables(tmp_path, version, tasks):
    """Raw files and the table of one benchmark: for four of the five models every score is in both and equal; the fifth
    is not in the table."""
    table = DATA / f"scores_eng_{version}_complete.csv"
    names = tuple(column for column in pd.read_csv(table, nrows=0).columns if column != "model")
    specs = [hub(model, revision) for model, revision in FIVE.items()]
    found = public_scores(
        config({"results": [str(DATA / "results"), str(table)], "tasks": names}), Store(tmp_path / "s"), specs
    )
    assert len(found.tasks) == tasks
    complete = found.table[found.table.name != "sentence-transformers/all-mpnet-base-v2"]
    assert len(complete) == 4 * tasks
    theirs = pd.read_csv(table).set_index("model").stack()
    gap = complete.score.to_numpy() - theirs.loc[list(zip(complete.name, complete.task, strict=True))].to_numpy()
    assert abs(gap).max() < 1e-6
    assert rows_of(found, "another score") == []  # whatever differed would be listed there
    assert {(row[0], row[5].split()[0]) for row in rows_of(found, "same score")} == {(str(table), str(tasks))}
    assert len(rows_of(found, "results without encoder")) == {"v1": 146, "v2": 185}[version] - 4
    assert found.table.match.isin(["exact", "unrecorded", "other"]).all()
    # the raw files of the encoder's own commit stand before the table
    exact = found.table[found.table.match == "exact"]
    assert set(exact.name) == set(FIVE)
    assert exact.file.str.startswith(str(DATA / "results")).all()


@REAL
@pytest.mark.parametrize(
    ("table", "models", "tasks"), [("scores_eng_v1_complete.csv", 146, 56), ("scores_eng_v2_complete.csv", 185, 41)]
)
def test_a_sweep_of_all_models_of_a_complete_table(tmp_path, table, models, tasks):
    specs = [hub(model) for model in pd.read_csv(DATA / table).model]
    found = public_scores(config({"results": [str(DATA / table)]}), Store(tmp_path / "s"), specs)
    assert found.table.pivot(index="name", columns="task", values="score").shape == (models, tasks)
    assert len(found.table) == models * tasks
    assert set(rows_of(found, "encoder without results")) == set()
    assert {row[5] for row in rows_of(found, "odd result")} <= {
        "exactly 0",
        "exactly 1",
        "below 0, as only a correlation can be",
    }


def test_a_large_clone_is_read_for_the_models_of_the_sweep_only(tmp_path):
    for model in range(300):
        for task in range(20):
            put(tmp_path / "clone/results", f"org/m{model}", A, f"T{task}", 0.5)
    # it would be in the report if it were read
    (tmp_path / "clone/results/org__m7" / A / "T3.json").write_text("broken")
    found = public_scores(config({"results": [str(tmp_path / "clone")]}), Store(tmp_path / "s"), [hub("org/m5")])
    assert (len(found.table), len(rows_of(found, "odd result")), len(rows_of(found, "results without encoder"))) == (
        20,
        0,
        299,
    )


@MTEB
@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (
            {"tasks": ["STS12", "STSBenchmrk"]},
            "tasks[0].tasks: no MTEB task 'STSBenchmrk' that the installed mteb knows; did you mean 'STSBenchmark'?",
        ),
        (
            {"tasks": ["STS12"], "languages": ["eng", "enk"]},
            "tasks[0].languages: no MTEB task is in 'enk'; did you mean ",
        ),
        (
            {"results": ["{}/wide.csv"], "tasks": ["STSBenchmrk"]},
            "tasks[0].results[0]: {}/wide.csv: no column 'STSBenchmrk'; did you mean 'STSBenchmark'?",
        ),
    ],
)
def test_a_name_that_nobody_knows_is_refused_with_the_near_one(tmp_path, entry, told):
    (tmp_path / "wide.csv").write_text("model,STSBenchmark\norg/one,0.5\n")
    entry = {key: [one.replace("{}", str(tmp_path)) for one in values] for key, values in entry.items()}
    with pytest.raises(UserError) as caught:
        public_scores(config(entry), Store(tmp_path / "s"), [hub("org/one")])
    assert str(caught.value).startswith(told.replace("{}", str(tmp_path)))


def test_a_task_of_ones_own_counts_where_results_hold_it(tmp_path):
    (tmp_path / "wide.csv").write_text("model,Ours\norg/one,0.5\n")
    found = public_scores(
        config({"results": [str(tmp_path / "wide.csv")], "tasks": ["Ours"]}), Store(tmp_path / "s"), [hub("org/one")]
    )
    assert found.tasks == ("Ours",) and len(found.table) == 1


@MTEB
def test_a_task_of_the_command_line_that_nobody_knows_is_refused():
    with pytest.raises(
        UserError, match="--task: no MTEB task 'Banking77' that the installed mteb knows; did you mean 'Banking77"
    ):
        check_names(["Banking77"], "--task")

"""Scores joined with the encoders of a sweep, and MTEB's own mock tasks run through our wrapper, with the hub switched
off."""

import importlib.util
import json
import sys

import numpy as np
import pandas as pd
import pytest
from tqdm.auto import tqdm

from jobs.mteb.joined import Encoder, join, published
from jobs.mteb.run import missing, run
from qre.encoders.spec import ClassicalSpec, FolderSpec, HubSpec
from qre.errors import UserError
from qre.tasks.mteb import TABLE, Rule, official_rules, read_results

MTEB = pytest.mark.skipif(importlib.util.find_spec("mteb") is None, reason="the extra mteb is not installed")
A, B, C = "a" * 40, "b" * 40, "c" * 40


# joining


def table(*rows):
    """A long table of rows (model, revision, task, score)."""
    return pd.DataFrame(
        [
            (model, revision, task, "main_score", "test", "en", score, "2.0", "f")
            for model, revision, task, score in rows
        ],
        columns=TABLE,
    )


SCORES = table(
    ("org/one", A, "T1", 0.1),
    ("org/one", B, "T1", 0.2),
    ("org/one", B, "T2", 0.3),
    ("org/one", "external", "T2", 0.4),
    ("org/one", "external", "T3", 0.5),
    ("Org/Two", "no_revision_available", "T1", 0.6),
    ("org/three", A, "T1", 0.7),
    ("org/three", A, "T2", 0.8),
)
ENCODERS = [
    Encoder("one", "org/one", A),
    Encoder("two", "org/two", A),
    Encoder("four", "org/four", A),
    Encoder("lsa", ""),
]


def rows_of(frame):
    return frame.values.tolist()


def test_the_own_commit_stands_before_an_unrecorded_one_before_another():
    joined = join(SCORES, ENCODERS)
    assert rows_of(joined.table[["encoder", "match", "revision", "task", "score"]]) == [
        ["one", "exact", A, "T1", 0.1],
        ["one", "unrecorded", "external", "T2", 0.4],
        ["one", "unrecorded", "external", "T3", 0.5],
        ["two", "unrecorded", "no_revision_available", "T1", 0.6],
    ]
    assert rows_of(joined.report) == [
        ["revision mismatch", "one", "org/one", f"0 of 2 scores of revision {B} taken"],
        ["revision mismatch", "one", "org/one", "2 of 2 scores of revision external taken"],
        ["other spelling", "two", "org/two", "results of Org/Two"],
        ["revision mismatch", "two", "org/two", "1 of 1 scores of revision no_revision_available taken"],
        ["encoder without results", "four", "org/four", "its id is not in the results"],
        ["encoder without results", "lsa", "", "it has no id on the hub"],
        ["results without encoder", "", "org/three", "2 tasks"],
    ]


def test_only_exact_revisions_where_asked():
    joined = join(SCORES, ENCODERS, revisions="exact")
    assert rows_of(joined.table[["encoder", "task", "score"]]) == [["one", "T1", 0.1]]
    assert ["encoder without results", "two", "org/two", "none of its own commit"] in rows_of(joined.report)
    assert ["revision mismatch", "one", "org/one", "0 of 2 scores of revision external taken"] in rows_of(joined.report)


def test_two_spellings_in_the_results_are_one_encoder():
    found = join(
        table(("ORG/one", A, "T1", 0.1), ("org/one", A, "T1", 0.2), ("ORG/one", A, "T2", 0.3)),
        [Encoder("one", "org/one", A)],
    )
    assert rows_of(found.table[["model", "task", "score"]]) == [["org/one", "T1", 0.2], ["ORG/one", "T2", 0.3]]


def test_which_revisions_are_recorded():
    results = table(*(("org/one", revision, "T1", 0.5) for revision in (A, B, "2", "main", "external", "")))
    for revision, match in (
        (A, "exact"),
        (B, "other"),
        ("2", "other"),
        ("main", "unrecorded"),
        ("external", "unrecorded"),
        ("", "unrecorded"),
    ):
        assert join(results[results.revision == revision], [Encoder("one", "org/one", A)]).table.match.tolist() == [
            match
        ]
    unpinned = join(results[results.revision == "main"], [Encoder("one", "org/one", "main")])
    assert unpinned.table.match.tolist() == ["unrecorded"]  # a branch moves: the same name is not the same encoder


def test_an_empty_join_has_its_columns():
    joined = join(SCORES.iloc[:0], ENCODERS)
    assert joined.table.empty
    assert list(joined.table) == ["encoder", "match", *TABLE]
    assert len(joined.report) == 4


def test_what_lacks():
    assert rows_of(missing(SCORES, ENCODERS, ["T1", "T3", "T1"])) == [
        ["two", "org/two", A, "T3"],
        ["four", "org/four", A, "T1"],
        ["four", "org/four", A, "T3"],
        ["lsa", "", "", "T1"],
        ["lsa", "", "", "T3"],
    ]
    assert len(missing(SCORES, ENCODERS, ["T1", "T3"], revisions="exact")) == 7


def test_a_public_score_belongs_to_an_encoder_as_published_and_to_nothing_cut_out_of_it():
    one = {"name": "one", "family": "f", "id": "org/one", "revision": A}
    specs = [
        HubSpec(**one),
        HubSpec(**one, layer=3, pooling="mean"),
        HubSpec(**one, pooling="cls"),
        HubSpec(**one, transforms=("center",)),
        HubSpec(**one, max_tokens=16),
        HubSpec(**one, prompt="query: "),
        HubSpec(**one, dtype="float16"),
        FolderSpec(name="f", family="f", path="/f", revision="0"),
        ClassicalSpec(name="c", family="f", kind="lsa"),
    ]
    assert published(specs) == [Encoder("one", "org/one", A)]


# running


@pytest.fixture
def offline(monkeypatch):
    if importlib.util.find_spec("mteb") is None:
        pytest.skip("the extra mteb is not installed")
    import datasets.config
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


class Letters:
    """An encoder without weights: counts of letters; it remembers what it was given."""

    def __init__(self):
        self.calls = []

    def __call__(self, texts, prompt=None):
        texts = [(prompt or "") + text for text in texts]
        self.calls.append(texts)
        return (
            np.array(
                [[text.lower().count(letter) for letter in "abcdefghijklmnopqrstuvwxyz: "] for text in texts],
                dtype=np.float32,
            )
            + 0.01
        )


def hostile(texts, prompt=None):
    raise ValueError("a\x1b[31m\nb")


def mocks(*names):
    from mteb.mocks import mock_tasks

    return [getattr(mock_tasks, name)() for name in names]


KINDS = (
    "MockSTSTask",
    "MockClassificationTask",
    "LegacyMockClusteringFastTask",
    "MockPairClassificationTask",
    "MockRetrievalTask",
    "MockRerankingTask",
    "MockSummarizationTask",
    "MockMultilingualSTSTask",
    "MockAggregatedTask",
)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")  # the mock tasks have two samples
def test_every_kind_of_task_gives_what_mteb_itself_gives(tmp_path, offline, capfd):
    """Against mteb with a wrapper that is as plain as its documentation has it."""
    import mteb
    from mteb.models import ModelMeta
    from mteb.similarity_functions import cos_sim, pairwise_cos_sim

    class Plain:
        mteb_model_meta = ModelMeta.create_empty({"name": "org/plain", "revision": A})
        similarity, similarity_pairwise = staticmethod(cos_sim), staticmethod(pairwise_cos_sim)

        def encode(self, inputs, **kwargs):
            return np.concatenate([Letters()(batch["text"]) for batch in inputs])

    theirs = mteb.evaluate(Plain(), mocks(*KINDS), cache=None, co2_tracker=False, show_progress_bar=False)
    capfd.readouterr()
    seen = []
    letters = Letters()
    ours = run(
        lambda texts: letters(list(tqdm(texts, disable=False))),
        "org/plain",
        A,
        mocks(*KINDS),
        tmp_path,
        progress=lambda *told: seen.append(told),
    )
    assert capfd.readouterr().err == ""  # no progress bars
    assert list(tqdm([1])) == [1]
    assert "1/1" in capfd.readouterr().err  # and they are back
    assert dict(zip(ours.table.task, ours.table.score, strict=True)) == pytest.approx(
        {one.task_name: one.get_score() for one in theirs.task_results}, abs=1e-9
    )
    assert set(ours.table.model) == {"org/plain"}
    assert set(ours.table.revision) == {A}
    assert not (ours.report.done == "no result").any()
    assert [done for _, done, _ in seen] == list(range(len(KINDS)))


def test_results_lie_where_mteb_looks_for_them_and_are_not_made_again(tmp_path, offline):
    import mteb

    first = run(Letters(), "org/one", A, mocks("MockSTSTask"), tmp_path)
    known = mteb.ResultCache(tmp_path).load_task_result("MockSTSTask", "org/one", A)
    assert known.get_score() == pytest.approx(first.table.score.item(), abs=1e-9)
    again = Letters()
    second = run(again, "org/one", A, mocks("MockSTSTask", "MockPairClassificationTask"), tmp_path)
    assert set(second.table.task) == {"MockSTSTask", "MockPairClassificationTask"}
    assert len(again.calls) == 2  # the two sides of the pairs
    assert read_results(tmp_path, rules={}).table.file.tolist() == sorted(
        f"results/org__one/{A}/{name}" for name in second.table.file
    )
    path = tmp_path / f"results/org__one/{A}/MockSTSTask.json"
    path.write_text(path.read_text()[:100])  # cut off, as by a full disk
    assert (
        run(Letters(), "org/one", A, mocks("MockSTSTask"), tmp_path).table.score.tolist() == first.table.score.tolist()
    )


def test_every_text_gets_the_one_prompt_unless_queries_and_documents_have_their_own(tmp_path, offline):
    plain, told = Letters(), Letters()
    run(plain, "org/one", A, mocks("MockRerankingTask", "MockSTSTask"), tmp_path)
    run(
        told,
        "org/one",
        B,
        mocks("MockRerankingTask", "MockSTSTask"),
        tmp_path,
        prompts={"query": "query: ", "document": "passage: "},
    )
    assert len(plain.calls) == len(told.calls) == 4
    for texts, prompt, with_prompt in zip(plain.calls, ("query: ", "passage: ", "", ""), told.calls, strict=True):
        assert all(isinstance(text, str) for text in texts)
        assert with_prompt == [prompt + text for text in texts]
    meta = json.loads((tmp_path / f"results/org__one/{B}/model_meta.json").read_text())
    assert meta["experiment_kwargs"] == {"prompts": {"query": "query: ", "document": "passage: "}}
    with pytest.raises(UserError, match="other prompts"):
        run(told, "org/one", B, mocks("MockSTSTask"), tmp_path)


def test_texts_come_in_one_call_whatever_the_batches_of_mteb(offline):
    from jobs.mteb.run import MtebEncoder

    encoder = MtebEncoder(letters := Letters(), None, {}, None, "cosine")
    batches = [{"text": ["a", "b"], "title": ["x", "y"]}, {"text": ["c"], "title": ["z"]}]
    vectors = encoder.encode(batches, task_metadata=None, hf_split="test", hf_subset="default")
    assert letters.calls == [["a", "b", "c"]]
    assert (vectors.shape, vectors.dtype) == ((3, 28), np.float32)


@pytest.mark.parametrize(
    ("encode", "why"),
    [
        (lambda texts: np.ones((1, 3)), "ShapeError: encoder 'org/one': 2 texts gave an array of shape (1, 3)"),
        (lambda texts: np.ones(len(texts)), "ShapeError: encoder 'org/one': 2 texts gave an array of shape (2,)"),
        (
            lambda texts: np.full((len(texts), 3), np.nan),
            "NonFiniteError: encoder 'org/one': NaN or Inf in texts of MockSTSTask (row 0, 1)",
        ),
        (lambda texts: 1 / 0, "ZeroDivisionError: division by zero"),
        (hostile, "ValueError: a�[31m�b"),
    ],
)
def test_a_task_that_fails_is_reported_and_stops_no_other(tmp_path, offline, encode, why):
    letters, answers = Letters(), iter([encode])
    found = run(
        lambda texts: next(answers, letters)(texts),
        "org/one",
        A,
        mocks("MockSTSTask", "MockPairClassificationTask", "MockImageClassificationTask"),
        tmp_path,
    )
    assert found.table.task.tolist() == ["MockPairClassificationTask"]
    failed = found.report[found.report.done == "no result"].set_index("task").what
    assert failed["MockSTSTask"] == why
    assert "'image'" in failed["MockImageClassification"]
    assert not (tmp_path / f"results/org__one/{A}/MockSTSTask.json").exists()


def test_a_task_whose_data_cannot_be_had_is_reported(tmp_path, offline):
    found = run(Letters(), "org/one", A, ["BIOSSES"], tmp_path)
    assert found.table.empty
    assert found.report[["task", "done"]].values.tolist() == [["BIOSSES", "no result"]]
    assert "Offline" in found.report.what.item()  # and the hub was not asked


@MTEB
def test_tasks_by_name_have_the_splits_and_subsets_that_count():
    from jobs.mteb.run import task_of

    assert (task_of("MSMARCO").eval_splits, task_of("STS17").hf_subsets) == (["dev"], ["en-en"])
    assert task_of("STS17", Rule(("test",), ("ko-ko",))).hf_subsets == ["ko-ko"]


@MTEB
def test_an_unknown_task_is_an_error_with_a_suggestion(tmp_path):
    with pytest.raises(UserError, match="'STS1' not found. Did you mean: 'STS17'"):
        run(Letters(), "org/one", A, ["STS1"], tmp_path)


@MTEB
@pytest.mark.parametrize(
    ("name", "revision"),
    [("..", A), ("../x", A), ("a/b/c", A), ("a/.b", A), ("a/b", ".."), ("a/b", "x/../.."), ("", A), ("a/b", "")],
)
def test_names_that_could_leave_the_folder_are_refused(tmp_path, name, revision):
    with pytest.raises(UserError, match="cannot be a folder of results"):
        run(Letters(), name, revision, [], tmp_path / "inner")
    assert not list(tmp_path.rglob("*"))


def test_without_the_extra_the_error_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mteb", None)
    official_rules.cache_clear()
    with pytest.raises(UserError, match=r'pip install -e "\.\[mteb\]"'):
        run(Letters(), "org/one", A, ["STS12"], tmp_path)
    assert official_rules() == {}  # and reading needs no mteb
    official_rules.cache_clear()

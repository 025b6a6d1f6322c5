"""What the MTEB actor does for one encoder, with MTEB's own mock tasks and a real small transformer; results go to the
store, in MTEB's form."""

import json
import re

import pytest

pytest.importorskip("mteb", reason="the extra mteb is not installed")

from jobs.evaluation import actor as mteb_actor
from jobs.evaluation.actor import Evaluation, run_tasks
from jobs.mteb.joined import Encoder
from jobs.mteb.own_results import known_failures, place_of, publish, record_failures
from jobs.workers.events import Loaded
from qre.encoders.passes import EncodeSettings
from qre.encoders.spec import FolderSpec
from qre.store import Store
from qre.tasks.mteb import read_results
from tests.checkpoints import make, make_odd

A = "a" * 40
SETTINGS = EncodeSettings()


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    import datasets.config
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def mocks(*names):
    from mteb.mocks import mock_tasks

    return [getattr(mock_tasks, name)() for name in names]


def work(path, prompt: str = "", prompts: tuple = ()) -> Evaluation:
    spec = FolderSpec(name="mine", family="f", path=str(path), revision="d" * 64, prompt=prompt)
    return Evaluation(Encoder("mine", "org/mine", A), spec, prompts, (), 1.0)


def ended(events):
    return {event.task: event for event in events if not isinstance(event, Loaded)}


def folder(store, place=f"org__mine/{A}"):
    return store.folder.path(f"mteb/{place}")


def test_each_result_is_in_the_store_as_soon_as_it_is_made(store, tiny_encoder):
    """And MTEB itself reads it there, as do we."""
    import mteb

    events = run_tasks(
        store, work(tiny_encoder), mocks("MockSTSTask", "MockRerankingTask", "MockAggregatedTask"), SETTINGS, "cpu"
    )
    assert isinstance(next(events), Loaded)
    first = next(events)
    assert (first.task, first.why) == ("MockSTSTask", "")
    assert sorted(path.name for path in folder(store).iterdir()) == [
        "MockSTSTask.json",
        "model_meta.json",
    ]  # while the next is to come
    rest = ended(events)
    assert len(rest) == 2
    assert not [event for event in rest.values() if event.why]
    cache = store.folder.path("mteb").parent / "cache"
    (cache / "results").parent.mkdir()
    (cache / "results").symlink_to(store.folder.path("mteb"))
    assert mteb.ResultCache(cache).load_task_result("MockSTSTask", "org/mine", A).get_score() == pytest.approx(
        first.score, abs=1e-9
    )
    ours = read_results(store.folder.path("mteb"), rules={})
    assert set(ours.table.model) == {"org/mine"}
    assert dict(zip(ours.table.task, ours.table.score, strict=True))["MockSTSTask"] == pytest.approx(first.score)


def test_prompts_for_queries_and_documents_change_the_numbers_as_they_should(store, tiny_encoder, monkeypatch):
    seen = []
    encode = mteb_actor._Encode.__call__
    monkeypatch.setattr(
        mteb_actor._Encode,
        "__call__",
        lambda self, texts, prompt: (seen.append(prompt), encode(self, texts, prompt))[1],
    )
    told = work(tiny_encoder, prompts=(("query", "query: "), ("document", "passage: ")))
    list(run_tasks(store, told, mocks("MockRerankingTask"), SETTINGS, "cpu"))
    assert set(seen) == {"query: ", "passage: "}
    meta = json.loads((folder(store) / "model_meta.json").read_text())
    assert meta["experiment_kwargs"] == {"prompts": {"query": "query: ", "document": "passage: "}}
    # results of other prompts are not mixed with these
    other = ended(run_tasks(store, work(tiny_encoder), mocks("MockSTSTask"), SETTINGS, "cpu"))
    assert "with other prompts" in other["MockSTSTask"].why
    assert not (folder(store) / "MockSTSTask.json").exists()


PROMPTS = [
    {},
    {"query": "the old "},
    {"query": "the old ", "document": "at night "},
    {"query": "the old ", "passage": "at night "},
    {"STS": "a red ", "query": "one "},
    {"Reranking-query": "the old ", "MockSTS": "at night ", "Classification": "one ", "nonsense": "a red "},
]


@pytest.mark.filterwarnings("default")  # of MTEB, on prompts that it does not know
@pytest.mark.parametrize("registry", [False, True])
@pytest.mark.parametrize("prompts", PROMPTS, ids=lambda prompts: ",".join(prompts) or "none")
def test_the_numbers_are_those_of_mtebs_own_wrapper(store, tmp_path, prompts, registry):
    """The encoder's own prompts, or those that a registry puts in their place; a default prompt; pooling that leaves
    the prompt out; a dot product."""
    import mteb
    from mteb.models.sentence_transformer_wrapper import SentenceTransformerEncoderWrapper
    from sentence_transformers import SentenceTransformer

    path = make("bert", tmp_path / "encoder")
    own = {"sts": "on the mat "} if registry else {**prompts, "sts": "on the mat "}
    config, pooling = path / "config_sentence_transformers.json", path / "1_Pooling" / "config.json"
    config.write_text(
        json.dumps(
            {
                **json.loads(config.read_text()),
                "prompts": own,
                "default_prompt_name": "sts",
                "similarity_fn_name": "dot",
            }
        )
    )
    pooling.write_text(json.dumps({**json.loads(pooling.read_text()), "include_prompt": False}))
    model = SentenceTransformer(str(path), device="cpu", model_kwargs={"dtype": "float32"})
    theirs = SentenceTransformerEncoderWrapper(model, model_prompts=prompts if registry else None)
    names = ("MockSTSTask", "MockRerankingTask", "MockClassificationTask")
    expected = {}
    for task in mocks(*names):
        (result,) = mteb.evaluate(theirs, task, cache=None, co2_tracker=False, show_progress_bar=False).task_results
        expected[task.metadata.name] = result.get_score()
    spec = FolderSpec(
        name="mine",
        family="f",
        path=str(path),
        revision="d" * 64,
        prompt="on the mat ",
        prompts=tuple(own.items()),
        default_prompt="on the mat ",
    )
    used, default = (prompts, "") if registry and prompts else ({"query": "", "document": "", **own}, "on the mat ")
    told = Evaluation(Encoder("mine", "org/mine", A), spec, tuple(used.items()), (), 1.0, default=default)
    found = ended(run_tasks(store, told, mocks(*names), SETTINGS, "cpu"))
    assert {name: event.score for name, event in found.items()} == pytest.approx(expected, abs=1e-5)


def test_a_task_that_fails_and_data_that_cannot_be_had_stop_no_other(store, tiny_encoder):
    import mteb

    tasks = [mteb.get_task("BIOSSES"), *mocks("MockImageClassificationTask", "MockSTSTask")]
    found = ended(run_tasks(store, work(tiny_encoder), tasks, SETTINGS, "cpu"))
    assert "Offline" in found["BIOSSES"].why
    assert "'image'" in found["MockImageClassification"].why
    assert found["MockSTSTask"].score is not None
    assert [path.name for path in folder(store).iterdir() if path.stem != "model_meta"] == ["MockSTSTask.json"]


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("pickle", "pickle only .*pytorch_model.bin"),
        ("nan", "NaN or Inf"),
        ("truncated", "model.safetensors: .* bytes, and its header says"),
    ],
)
def test_an_encoder_that_fails_ends_its_tasks_with_the_reason(store, tmp_path, monkeypatch, kind, why):
    monkeypatch.setattr("jobs.workers.faults.check_intact", lambda spec: None)  # the revision of `work` is none
    found = ended(
        run_tasks(
            store,
            work(make_odd(kind, tmp_path / kind)),
            mocks("MockSTSTask", "MockPairClassificationTask"),
            SETTINGS,
            "cpu",
        )
    )
    assert len(found) == 2
    for event in found.values():
        assert event.score is None
        assert re.search(why, event.why)


def test_what_the_machine_is_to_blame_for_is_raised_and_what_was_made_is_kept(store, tiny_encoder, monkeypatch):
    encode, calls = mteb_actor.Pass.encode_texts, []

    def failing(self, texts, prompt=None):
        calls.append(texts)
        if len(calls) > 2:  # the first task has two sides
            raise RuntimeError("CUDA error: unspecified launch failure")
        return encode(self, texts, prompt)

    monkeypatch.setattr(mteb_actor.Pass, "encode_texts", failing)
    events = run_tasks(store, work(tiny_encoder), mocks("MockSTSTask", "MockPairClassificationTask"), SETTINGS, "cpu")
    next(events)
    assert next(events).task == "MockSTSTask"
    with pytest.raises(RuntimeError, match="CUDA error"):
        next(events)
    assert (folder(store) / "MockSTSTask.json").exists()
    assert not (folder(store) / "MockPairClassificationTask.json").exists()


def test_a_full_disk_while_loading_is_the_machine_s(store, monkeypatch, tiny_encoder):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mteb_actor, "Pass", full)
    with pytest.raises(OSError, match="No space left"):
        list(run_tasks(store, work(tiny_encoder), mocks("MockSTSTask"), SETTINGS, "cpu"))


def test_failures_are_kept_and_cleared(store):
    encoder = Encoder("mine", "org/mine", A)
    record_failures(store, encoder, {"STS12": "why"})
    assert known_failures(store, [encoder, Encoder("other", "org/other", A)]) == {("mine", "STS12"): "why"}
    record_failures(store, encoder, {})
    assert known_failures(store, [encoder]) == {}


def test_nothing_is_published_where_nothing_was_made(store, tmp_path):
    assert publish(store, Encoder("mine", "org/mine", A), tmp_path, "STS12") is False
    assert place_of(Encoder("mine", "org/mine", A)) == f"org__mine/{A}"

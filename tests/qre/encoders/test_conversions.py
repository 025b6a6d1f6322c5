"""Pull requests of the hub that add safetensors to pickled encoders: which are offered, and which are taken."""

import json
import pickle

import pytest

from qre.encoders import hub_problems
from qre.encoders.conversions import CONVERTER, Conversion, Unanswered, find_conversion, find_conversions, weights_of
from qre.encoders.hub import resolve
from qre.encoders.hub_problems import HubProblem
from qre.encoders.snapshots import acquire
from tests.checkpoints import make
from tests.pickles import pickle_weights, with_safetensors

FILES = {
    "modules.json": json.dumps(
        [
            {"type": "sentence_transformers.models.Transformer", "path": ""},
            {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
            {"type": "sentence_transformers.models.Dense", "path": "2_Dense"},
        ]
    ).encode(),
    "config.json": b'{"model_type": "bert", "hidden_size": 32}',
    "tokenizer.json": b"{}",
    "README.md": b"old",
    "pytorch_model.bin": b"pickle",
    "1_Pooling/config.json": b"{}",
    "2_Dense/config.json": b"{}",
    "2_Dense/pytorch_model.bin": b"another",
}
ADDED = {"model.safetensors": b"safe", "2_Dense/model.safetensors": b"safe too"}


def proposed(hub, added=ADDED, without=(), **options) -> str:
    files = {name: content for name, content in {**FILES, **added}.items() if name not in without}
    return hub.propose("org/a", files=files, **options)


@pytest.fixture
def model(hub):
    hub.add("org/a", files=FILES)
    return resolve("org/a")


def test_the_converters_is_found_and_is_the_encoder_but_for_its_weights(hub, model):
    hub.propose("org/a", files={"README.md": b"x"}, author="someone", title="Typo")
    commit = proposed(hub)
    found = find_conversion(model)
    assert (found.ref, found.author, found.trusted) == ("refs/pr/2", CONVERTER, True)
    assert found.offer == "refs/pr/2 by SFconvertbot adds safetensors: conversions: accept takes it"
    assert found.model == resolve("org/a", commit)  # as if it were named by its commit
    assert found.model.revision == commit and found.model.pickles == ()
    assert set(dict(found.model.files)) - set(dict(model.files)) == set(ADDED)
    assert weights_of(model, True, False, found) == found.model == weights_of(model, True, True, found)
    assert weights_of(model, False, True, found) is model


def test_shards_and_their_index(hub, model):
    index = b'{"weight_map": {"w": "model-00001-of-00001.safetensors"}}'
    shards = {"model.safetensors.index.json": index, "model-00001-of-00001.safetensors": b"safe"}
    proposed(hub, {**shards, "2_Dense/model.safetensors": b"safe"})
    assert find_conversion(model).ref == "refs/pr/1"


@pytest.mark.parametrize(
    ("added", "without"),
    [
        ({"model.safetensors": b"safe"}, ()),  # of one module only
        ({**ADDED, "config.json": b'{"model_type": "bert", "hidden_size": 64}'}, ()),
        ({**ADDED, "pytorch_model.bin": b"newer"}, ()),  # the weights that it converts are others
        ({**ADDED, "tokenizer.json": b"{ }"}, ()),
        ({**ADDED, "vocab.txt": b"a"}, ()),
        ({**ADDED, "modeling.py": b"boom"}, ()),
        ({**ADDED, "3_Dense/config.json": b"{}"}, ()),
        ({**ADDED, "1_Pooling/model.safetensors": b"safe"}, ()),
        ({**ADDED, "adapter_model.safetensors": b"safe"}, ()),
        (ADDED, ("tokenizer.json",)),
        (ADDED, ("pytorch_model.bin",)),
        ({"model-00001-of-00001.safetensors": b"safe", "2_Dense/model.safetensors": b"safe"}, ()),
    ],
)
def test_one_that_changes_more_or_less_is_none(hub, model, added, without):
    proposed(hub, added, without)
    assert find_conversion(model) is None
    with pytest.raises(HubProblem, match="pickle only"):
        weights_of(model, True, False, None)


@pytest.mark.parametrize(
    ("size", "found"), [(0, False), (400_000, False), (600_000, True), (1_900_000, True), (2_200_000, False)]
)
def test_what_cannot_hold_the_pickle_is_none(hub, size, found):
    files = {**FILES, "pytorch_model.bin": bytes(10**6)}
    hub.add("org/a", files=files)
    hub.propose("org/a", files={**files, **ADDED, "model.safetensors": bytes(size)})
    assert (find_conversion(resolve("org/a")) is not None) is found


def test_an_index_for_a_module_that_reads_one_file_is_none(hub, model):
    index = b'{"weight_map": {"w": "model-00001-of-00001.safetensors"}}'
    shards = {"2_Dense/model.safetensors.index.json": index, "2_Dense/model-00001-of-00001.safetensors": b"safe"}
    proposed(hub, {"model.safetensors": b"safe", **shards})
    assert find_conversion(model) is None


def test_what_counts_for_nothing_may_change(hub, model):
    proposed(hub, {**ADDED, "README.md": b"new", "onnx/model.onnx": b"0", ".gitattributes": b"x"})
    assert find_conversion(model) is not None


def test_it_is_of_the_pinned_commit(hub, model):
    proposed(hub)
    hub.add("org/a", files={**FILES, "pytorch_model.bin": b"trained further"})
    assert find_conversion(resolve("org/a")) is None
    assert find_conversion(resolve("org/a", model.revision)).ref == "refs/pr/1"


def test_a_strangers_is_offered_and_not_taken(hub, model):
    """Anybody can open one, with whatever numbers in it."""
    commit = proposed(hub, author="mallory")
    found = find_conversion(model)
    assert (
        found.offer == f"refs/pr/1 by mallory adds safetensors: if you trust that author, revision: {commit} takes it"
    )
    with pytest.raises(HubProblem, match="refs/pr/1 by mallory") as caught:
        weights_of(model, True, False, found)
    assert (caught.value.reason, caught.value.transient) == ("pickle only", False)
    assert weights_of(model, True, True, found) is model
    proposed(hub, author="org")
    assert (find_conversion(model).ref, find_conversion(model).trusted) == ("refs/pr/2", True)
    proposed(hub)
    assert find_conversion(model).ref == "refs/pr/3"


@pytest.mark.parametrize(("status", "found"), [("open", True), ("draft", True), ("merged", True), ("closed", False)])
def test_a_closed_one_was_refused_by_the_authors(hub, model, status, found):
    proposed(hub, status=status)
    assert (find_conversion(model) is not None) is found


def test_odd_authors(hub, model):
    proposed(hub, author="")  # of an account that is gone
    proposed(hub, author="a\nb\x1b[31m")
    assert find_conversion(model).author == "deleted" and not find_conversion(model).trusted
    assert "\x1b" not in Conversion("refs/pr/2", "a\nb\x1b[31m", model).offer
    hub.add("bare", files=FILES)
    bare = resolve("bare")
    assert not Conversion("refs/pr/1", "bare", bare).trusted and Conversion("refs/pr/1", CONVERTER, bare).trusted


def test_the_converters_is_found_among_hundreds(hub, model):
    for number in range(130):
        hub.propose("org/a", files={"README.md": b"%d" % number}, author=f"a{number}")
        if number == 60:
            proposed(hub)
    hub.requests.clear()
    assert find_conversion(model).ref == "refs/pr/62"
    assert len(hub.requests) < 10


@pytest.mark.parametrize("where", ["refs", "discussions", "revision"])
def test_a_hub_that_does_not_answer_leaves_the_refusal_as_it_was(hub, model, monkeypatch, where):
    monkeypatch.setattr(hub_problems, "ATTEMPTS", 2)
    proposed(hub)
    hub.page_of_a_proxy = f"/api/models/org/a/{where}"
    (looked,) = find_conversions([model])
    assert isinstance(looked, HubProblem) and looked.transient
    with pytest.raises(HubProblem, match="the hub did not tell \\(hub error\\)") as caught:
        weights_of(model, False, False, looked)
    assert (caught.value.reason, caught.value.transient) == ("pickle only", False)
    with pytest.raises(Unanswered, match="pickle only") as caught:  # it may well be there: no fault of the encoder
        weights_of(model, True, True, looked)
    assert (caught.value.reason, caught.value.transient) == ("pickle only", True)
    assert pickle.loads(pickle.dumps(caught.value)).transient


def test_its_snapshot_is_that_of_the_pull_request_without_pickles(hub, tmp_path):
    whole = make("dense", tmp_path / "whole")
    pickled = make("dense", tmp_path / "pickled")
    for folder in (pickled, pickled / "2_Dense"):
        pickle_weights(folder)
    hub.add("org/real", folder=pickled)
    both = with_safetensors(pickled, whole, tmp_path / "both")
    commit = hub.propose("org/real", folder=both)
    model = weights_of(resolve("org/real"), True, False, find_conversion(resolve("org/real")))
    with acquire("org/real", commit, model.checked()) as snapshot:
        names = {path.relative_to(snapshot.path).as_posix() for path in snapshot.path.rglob("*") if path.is_file()}
    assert {"model.safetensors", "2_Dense/model.safetensors"} <= names
    assert not [name for name in names if name.endswith(".bin")]

"""The hub as a real client sees it: commits, reasons, waits; nothing of a token anywhere."""

import pickle
import re

import pytest

from qre.encoders import hub as hub_module
from qre.encoders import hub_problems
from qre.encoders.hub import HubModel, resolve, resolve_all
from qre.encoders.hub_problems import HubProblem
from qre.encoders.hub_query import HubQuery, listed
from tests.hub import READER

FILES = {
    "modules.json": b"[]",
    "config.json": b'{"model_type": "bert", "hidden_size": 32, "architectures": ["BertModel"]}',
    "model.safetensors": 4000,
}


def test_commit_files_prompts_and_attributes(hub):
    config = b'{"prompts": {"query": "find: ", "passage": ""}, "default_prompt_name": "query"}'
    files = {
        **FILES,
        "config_sentence_transformers.json": config,
        "1_Pooling/config.json": b"{}",
        "onnx/model.onnx": 9_000_000,
        "tf_model.h5": 10,
    }
    card = {"license": "mit", "language": ["en", "de"], "datasets": ["snli"], "base_model": "bert-base-uncased"}
    commit = hub.add(
        "org/name",
        files=files,
        card=card,
        downloads=7,
        likes=3,
        created="2024-05-06",
        safetensors_parameters={"F32": 1000},
    )
    model = resolve("org/name")
    assert model.revision == commit
    assert dict(model.files)["model.safetensors"] == 4000
    assert {"modules.json", "1_Pooling/config.json"} <= dict(model.files).keys()
    assert not {name for name in dict(model.files) if name.startswith("onnx") or name.endswith(".h5")}
    assert (model.prompts, model.default_prompt) == ({"query": "find: ", "passage": ""}, "find: ")
    told = model.attributes
    assert (told["licence"], told["languages"], told["training_sets"]) == ("mit", ["en", "de"], ["snli"])
    assert (told["base_model"], told["model_type"], told["hidden_size"]) == ("bert-base-uncased", "bert", 32)
    assert (told["parameters"], told["downloads"], told["likes"], told["created"]) == (1000, 7, 3, "2024-05-06")


def test_what_is_not_told_is_null(hub):
    hub.add("org/bare", files={"modules.json": b"[]", "model.safetensors": 10})
    told = resolve("org/bare").attributes
    assert (told["licence"], told["languages"], told["base_model"], told["hidden_size"]) == (None, None, None, None)


def test_a_moved_branch_is_another_commit(hub):
    first = hub.add("org/name", files=FILES)
    second = hub.add("org/name", files={**FILES, "model.safetensors": 5000}, branches={"dev": None})
    assert resolve("org/name").revision == resolve("org/name", "dev").revision == second
    assert resolve("org/name", first).revision == first != second


@pytest.mark.parametrize(
    ("options", "files", "reason"),
    [
        ({"gated": "manual"}, FILES, "gated"),
        ({"private": True}, FILES, "missing"),
        ({"disabled": True}, FILES, "disabled"),
        ({}, {"config.json": b"{}", "model.safetensors": 10}, "not sentence-transformers"),
        ({}, {"modules.json": b"[]", "pytorch_model.bin": 10}, "pickle only"),
        ({}, {**FILES, "2_Dense/pytorch_model.bin": 10}, "pickle only"),
        (
            {},
            {**FILES, "config.json": b'{"auto_map": {"AutoModel": "modeling.Model"}}', "modeling.py": b"boom"},
            "remote code",
        ),
    ],
    ids=["gated", "private", "disabled", "no modules", "pickle", "pickled dense", "remote code"],
)
def test_reasons(hub, options, files, reason):
    hub.add("org/odd", files=files, **options)
    with pytest.raises(HubProblem, match="org/odd: " + reason) as caught:
        resolve("org/odd").checked()
    assert caught.value.reason == reason
    assert not caught.value.transient
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # as Ray sends it


def test_missing_names_and_revisions(hub):
    hub.add("org/name", files=FILES)
    for name, revision, reason in (
        ("org/none", None, "missing"),
        ("org/name", "nobranch", "revision missing"),
        ("org/name", "0" * 40, "revision missing"),
    ):
        with pytest.raises(HubProblem) as caught:
            resolve(name, revision)
        assert caught.value.reason == reason


def test_a_token_opens_what_is_gated_and_appears_nowhere(hub, monkeypatch, tmp_path):
    hub.add("org/gated", files=FILES, gated="manual")
    monkeypatch.setenv("HF_TOKEN", READER)
    model = resolve("org/gated")
    assert READER not in repr(model)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(HubProblem) as caught:
        resolve("org/gated")
    assert "hf_wrong" not in str(caught.value)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_load_is_waited_out(hub, status):
    hub.add("org/busy", files=FILES)
    hub.fail("org/busy", status=status, times=3, where="api", retry_after=0 if status == 429 else None)
    assert resolve("org/busy").repository == "org/busy"


def test_load_that_does_not_end_is_transient(hub, monkeypatch):
    monkeypatch.setattr(hub_problems, "ATTEMPTS", 3)
    hub.add("org/busy", files=FILES)
    for status, reason in ((429, "rate limited"), (502, "hub error")):
        hub.fail("org/busy", status=status, times=50, where="api", retry_after=0 if status == 429 else None)
        with pytest.raises(HubProblem) as caught:
            resolve("org/busy")
        assert (caught.value.reason, caught.value.transient) == (reason, True)
        hub._faults.clear()


def test_no_hub_at_all(hub, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(hub_problems, "ATTEMPTS", 2)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubProblem) as caught:
        resolve("org/name")
    assert caught.value.transient


@pytest.mark.parametrize(
    "name",
    [
        "../../x",
        "a/b/c",
        "a\nb",
        "<script>",
        "x" * 300,
        "",
        "a/..",
        "org/na me",
        "-a/b",
        "a//b",
        "/etc/passwd",
        "a/b--c",
    ],
)
def test_names_that_are_none_are_refused_before_any_request(hub, name):
    with pytest.raises(HubProblem) as caught:
        resolve(name)
    assert caught.value.reason == "bad name"
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
    assert hub.requests == []


def test_many_in_order_with_their_problems(hub):
    for number in range(40):
        hub.add(f"org/e{number}", files=FILES, gated="auto" if number % 10 == 3 else False)
    told = []
    answers = resolve_all([(f"org/e{number}", None) for number in range(40)], progress=told.append)
    assert [answer.repository for answer in answers] == [f"org/e{number}" for number in range(40)]
    assert [number for number, answer in enumerate(answers) if isinstance(answer, HubProblem)] == [3, 13, 23, 33]
    assert isinstance(answers[0], HubModel)
    assert told == list(range(1, 41))


def test_search(hub):
    for number in range(30):
        owner = "one" if number % 2 else "two"
        hub.add(
            f"{owner}/e{number}",
            files=FILES,
            downloads=number,
            tags=["sentence-transformers"],
            safetensors_parameters={"F32": 1_000_000 * (number + 1)},
        )
    hub.add("one/other", files=FILES, downloads=99, tags=["text-generation"])
    found = list(listed(HubQuery(author="one", parameters=(None, 20_000_000), limit=5)))
    assert found == ["one/e19", "one/e17", "one/e15", "one/e13", "one/e11"]


@pytest.mark.parametrize(
    ("endpoint", "told"),
    [
        ("http://127.0.0.1:9", "cannot reach the hub: 127.0.0.1 refuses the connection (no network?)"),
        ("http://nowhere.invalid", "cannot reach the hub: nowhere.invalid is not found (no network?)"),
    ],
)
def test_no_network_is_told_after_one_round(hub, monkeypatch, endpoint, told):
    from huggingface_hub import constants

    slept = []
    monkeypatch.setattr(hub_problems.time, "sleep", slept.append)
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    with pytest.raises(HubProblem, match=re.escape(told)) as caught:
        list(listed(HubQuery()))
    assert (caught.value.reason, caught.value.transient) == ("unreachable", True)
    assert len(slept) == hub_problems.REACHING - 1 and sum(slept) < 5
    answers = resolve_all([(f"org/e{number}", None) for number in range(200)])
    assert {answer.reason for answer in answers} == {"unreachable"} and [
        answer.repository for answer in answers[:2]
    ] == ["org/e0", "org/e1"]
    assert len(slept) <= (hub_problems.REACHING - 1) * (
        1 + hub_module.PARALLEL
    )  # those at once in the first round, and none after it

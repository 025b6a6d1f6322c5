"""Whose word an encoder of a config runs on, what a query leaves out, and one encoder under two names: from the entries
to the plan."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jobs.config import load_config
from jobs.planning.memory import Memory
from jobs.planning.plan import make_plan
from jobs.planning.resolve import resolve
from qre.errors import UserError
from qre.store import Store
from tests.checkpoints import make, make_odd
from tests.jobs.conftest import HASHED, resolved, write_config
from tests.other_kinds import make_other

ROOT = Path(__file__).resolve().parents[2]
FILES = {"modules.json": b"[]", "config.json": b'{"model_type": "bert"}', "model.safetensors": 4000}
CODE = {
    **FILES,
    "config.json": b'{"model_type": "bert", "auto_map": {"AutoModel": "modeling.Model"}}',
    "modeling.py": b"raise SystemExit",
}


def test_trust_is_of_one_entry_and_is_kept_nowhere(own, tmp_path):
    commit = own.add("org/own", files=CODE)
    trusted = {"source": "hub", "id": "org/own", "revision": commit, "trust_remote_code": True, "name": "trusted"}
    plain = {"source": "hub", "id": "org/own", "revision": commit, "name": "plain"}
    both = resolved(tmp_path, trusted, plain)
    assert [(failure.encoder, failure.exception) for failure in both.unresolved] == [("plain", "remote code")]
    assert "trusted" in [spec.name for spec in both.specs]
    spec = both.specs[-1]
    assert "modeling.py" in dict(spec.files)
    own.requests.clear()
    later = resolved(tmp_path, plain)  # the store knows the commit by now
    assert [failure.exception for failure in later.unresolved] == ["remote code"]
    assert own.requests == []
    native = resolved(tmp_path, {**plain, "native": True})
    assert native.specs[-1].native and "modeling.py" not in dict(native.specs[-1].files)
    assert resolved(tmp_path, {**plain, "native": True, "name": None}).specs[-1].name == "org/own/native"


def test_what_an_older_rule_kept_is_asked_again(own, tmp_path):
    """Its list may lack files that count, and it says nothing of code."""
    commit = own.add("org/own", files=CODE)
    entry = {"source": "hub", "id": "org/own", "revision": commit}
    store = Store(tmp_path / "store")
    first = resolved(tmp_path, {**entry, "trust_remote_code": True})
    (name,) = [name for name in store.folder.names("hub") if commit in name]
    record = json.loads(store.folder.read(name))
    old = {key: record[key] for key in ("repository", "revision", "files", "prompts", "default_prompt", "attributes")}
    store.folder.write(name, json.dumps(old).encode())
    assert Memory(store).read_all([("org/own", commit)], of_rule=True) == {}
    assert Memory(store).read_all([("org/own", commit)])["org/own", commit].files == ()  # fetched by the hub's list
    own.requests.clear()
    again = resolved(tmp_path, {**entry, "trust_remote_code": True})
    assert own.requests and again.specs == first.specs
    store.folder.write(name, json.dumps(old).encode())
    assert [failure.exception for failure in resolved(tmp_path, entry).unresolved] == ["remote code"]


def test_what_a_cache_told_is_not_taken_for_the_hubs_word(own, tmp_path, monkeypatch):
    """Its list may be a part; prompts and attributes of it are known all the same."""
    from huggingface_hub import constants, snapshot_download

    commit = own.add("org/a", folder=make("prompts", tmp_path / "a"))
    snapshot_download("org/a", revision=commit)
    entry, store = {"source": "hub", "id": "org/a", "revision": commit}, Store(tmp_path / "store")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    spec = resolved(tmp_path, entry).specs[-1]
    assert Memory(store).read_all([("org/a", commit)])["org/a", commit].default_prompt == spec.prompt != ""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    own.requests.clear()
    online = resolved(tmp_path, entry).specs[-1]
    assert own.requests  # asked, and from now on known
    own.requests.clear()
    assert resolved(tmp_path, entry).specs[-1] == online
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    resolved(tmp_path, entry)
    assert (
        Memory(store).read_all([("org/a", commit)], of_rule=True) and own.requests == []
    )  # and is not forgotten offline


def test_a_query_leaves_out_what_is_no_sentence_encoder(own, tmp_path):
    tags = {"tags": ["sentence-transformers"]}
    for name in ("a", "b"):
        own.add(f"org/{name}", files=FILES, **tags)
    for number in range(2):
        own.add(f"org/cross{number}", folder=make_other("cross", tmp_path / f"cross{number}"), **tags)
    own.add("org/sparse", folder=make_other("sparse", tmp_path / "sparse"), **tags)
    own.add("org/pickle", files={"modules.json": b"[]", "pytorch_model.bin": 9}, **tags)
    found = resolved(tmp_path, {"source": "hub", "query": {"author": "org"}})
    assert {spec.name for spec in found.specs if spec.source == "hub"} == {"org/a", "org/b"}
    assert [(failure.encoder, failure.exception) for failure in found.unresolved] == [("org/pickle", "pickle only")]
    notes = " ".join(found.notes)
    assert "encoders[1].query: 2 cross-encoders left out" in notes and "1 sparse encoder left out" in notes
    named = resolved(tmp_path, {"source": "hub", "id": "org/sparse"})  # named one by one, it is the person's to know
    assert [failure.exception for failure in named.unresolved] == ["sparse encoder"]
    assert "leave it out" in named.unresolved[0].remedy


def test_a_renamed_repository_is_one_encoder(own, tmp_path):
    own.add("new/name", folder=make("bert", tmp_path / "e"), card={"license": "mit"})
    own.renamed["old/name"] = "new/name"
    old, new = {"source": "hub", "id": "old/name"}, {"source": "hub", "id": "new/name"}

    def keys(*entries):
        config = load_config(write_config(tmp_path, [HASHED, *entries]))
        store = Store(config.store)
        found = resolve(config, store)
        return [unit.key for unit in make_plan(config, store, found).units if unit.spec.source == "hub"], found

    (by_old,), found = keys(old)
    assert (found.specs[-1].id, found.specs[-1].name) == ("new/name", "new/name")
    assert found.attributes["new/name"]["licence"] == "mit"
    assert "old/name is new/name on the hub now" in " ".join(found.notes)
    assert keys(new)[0] == [by_old]
    for pair in ((old, new), (new, old)):
        made, both = keys(*pair)
        assert made == [by_old]
        assert "'old/name' is the same encoder as 'new/name'; it is left out" in " ".join(
            both.notes
        ) or "'new/name' is the same" in " ".join(both.notes)
    layers = keys(old, {**new, "layer": 1, "pooling": "mean"})[0]  # another readout is another encoder
    assert len(layers) == 2


def test_folders_are_refused_with_the_reasons_of_the_hub(own, tmp_path):
    cross = make_other("cross", tmp_path / "cross")
    odd = make_odd("remote-known", tmp_path / "odd")
    found = resolved(tmp_path, {"source": "folder", "path": str(cross)}, {"source": "folder", "path": str(odd)})
    assert [failure.exception for failure in found.unresolved] == ["cross-encoder", "remote code"]
    assert "native: true" in found.unresolved[1].message
    taken = resolved(tmp_path, {"source": "folder", "path": str(odd), "native": True})
    assert taken.specs[-1].native and not taken.unresolved


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"native": True, "trust_remote_code": True, "revision": "0" * 40}, "give one of them"),
        ({"code_revision": {"a/b": "0" * 40}}, "goes with trust_remote_code"),
        ({"code_revision": {"a/b": "main"}, "trust_remote_code": True, "revision": "0" * 40}, "40-digit commit"),
        ({"code_revision": {"../b": "0" * 40}, "trust_remote_code": True, "revision": "0" * 40}, "give owner/name"),
    ],
)
def test_options_that_do_not_go_together(tmp_path, entry, message):
    with pytest.raises(UserError, match=message):
        load_config(write_config(tmp_path, [{"source": "hub", "id": "a/c", **entry}]))


def run(hub, folder: Path, *words: str, **environment) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", "from jobs.cli import main; main()", *map(str, words)]
    variables = {**os.environ, **hub.environment(folder / "home"), **environment}
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=400)


@pytest.mark.cluster
def test_a_cluster_without_the_hub_plans_and_runs_what_its_cache_holds(hub, tmp_path):
    from huggingface_hub import snapshot_download

    commit = hub.add("org/a", folder=make("bert", tmp_path / "a"))
    hub.add("org/b", folder=make("mpnet", tmp_path / "b"))
    for name in ("org/a", "org/b"):
        snapshot_download(name, cache_dir=tmp_path / "home" / "hub", endpoint=hub.url)
    hub.requests.clear()
    entries = [
        {"source": "hub", "id": "org/a", "revision": commit},
        {"source": "hub", "id": "org/b"},
        {"source": "hub", "id": "org/none"},
    ]
    config = write_config(tmp_path, [HASHED, *entries])
    planned = run(hub, tmp_path, "plan", config, HF_HUB_OFFLINE="1")
    assert planned.returncode == 1, planned.stderr  # org/none is not available
    assert "HF_HUB_OFFLINE is set: 2 encoders are taken from the cache" in " ".join(planned.stdout.split())
    swept = run(hub, tmp_path, "sweep", config, HF_HUB_OFFLINE="1")
    assert swept.returncode == 1, swept.stdout + swept.stderr  # org/none is not available
    store = Store(tmp_path / "store")
    assert (
        "org/none: offline" in " ".join(swept.stdout.split()) and store.failures.read_all() == {}
    )  # the place is to blame, not the encoder
    assert "map of 8 encoders" in swept.stdout
    assert hub.requests == []


def test_place_takes_the_native_class_and_refuses_other_kinds(tmp_path, finished_atlas):
    from jobs.asked.models import embed, given, spec_of
    from qre.encoders.passes import EncodeSettings

    odd, cross = make_odd("remote-known", tmp_path / "odd"), make_other("cross", tmp_path / "cross")
    (one,) = given([str(odd)], {"native": True}, trust_remote_code=False)
    matrix = embed(spec_of(one.source), ["a cat", "a dog runs"], EncodeSettings(), "cpu", lambda *_: None)
    assert np.isfinite(matrix).all()
    for path, options, reason in ((cross, {}, "cross-encoder"), (odd, {}, "native: true")):
        (other,) = given([str(path)], options, trust_remote_code=False)
        with pytest.raises(Exception, match=reason):
            spec_of(other.source)

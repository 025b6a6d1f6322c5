"""Adapters in a config: the base is pinned while planning, remembered, counted, and told of where it cannot be had."""

import json
import shutil

import pytest
import yaml

from jobs.asked.models import given, spec_of
from jobs.config import load_config
from jobs.planning.costs import weight_bytes
from jobs.planning.resolve import resolve
from jobs.start.search import search, show
from qre.encoders.hub_query import HubQuery
from qre.store import Store
from tests.adapters import make_adapter, said
from tests.checkpoints import make
from tests.jobs.conftest import write_config

CLASSICAL = {"source": "catalogue", "name": "classical", "include": ["hash/word1-1/*"]}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("encoders")
    base = make("bert", root / "base")
    return {"base": base, "adapter": make_adapter(base, root / "adapter", names="org/base")}


@pytest.fixture
def own(hub, monkeypatch, tmp_path, folders):
    hub.adopt(monkeypatch, tmp_path / "home")
    for name, folder in folders.items():
        hub.add(f"org/{name}", folder=folder, tags=["sentence-transformers"])
    return hub


def resolved(folder, *entries, **options):
    config = load_config(write_config(folder, [CLASSICAL, *entries]))
    return resolve(config, Store(config.store), **options)


def spec(found, name="org/adapter"):
    return next(one for one in found.specs if one.name == name)


ADAPTER = {"source": "hub", "id": "org/adapter"}


def test_its_base_is_pinned_and_counted(own, tmp_path, folders):
    found = resolved(tmp_path, ADAPTER, {"source": "hub", "id": "org/base"})
    adapter, base = spec(found), spec(found, "org/base")
    assert adapter.base == ("org/base", base.revision)
    assert weight_bytes(adapter) > weight_bytes(base)
    attributes = found.attributes["org/adapter"]
    assert (attributes["layers"], attributes["hidden_size"], attributes["base_model"]) == (2, 32, "org/base")
    assert attributes["parameters"] >= found.attributes["org/base"]["parameters"]
    own.requests.clear()
    looking_on = resolved(tmp_path, ADAPTER, ask_hub=False)
    assert (spec(looking_on), own.requests) == (adapter, [])


def test_pinned_by_both_nothing_is_asked_again(own, tmp_path, folders):
    commit = own.add("org/base", folder=folders["base"])
    pinned = said(shutil.copytree(folders["adapter"], tmp_path / "pinned"), revision=commit)
    entry = {**ADAPTER, "revision": own.add("org/adapter", folder=pinned)}
    first = resolved(tmp_path, entry)
    own.requests.clear()
    assert spec(resolved(tmp_path, entry)) == spec(first)
    assert own.requests == []


def test_a_base_that_moved_is_another_encoder(own, tmp_path):
    before = spec(resolved(tmp_path, ADAPTER))
    own.add("org/base", folder=make("bert", tmp_path / "moved", seed=9))
    after = spec(resolved(tmp_path, ADAPTER))
    assert before.revision == after.revision
    assert before.encoder_identity() != after.encoder_identity()


def test_at_a_commit_it_keeps_the_base_that_it_was_first_given(own, tmp_path, folders):
    entry = {**ADAPTER, "revision": own.add("org/adapter", folder=folders["adapter"])}
    before = spec(resolved(tmp_path, entry))
    moved = own.add("org/base", folder=make("bert", tmp_path / "moved", seed=9))
    own.requests.clear()
    assert spec(resolved(tmp_path, entry)) == spec(resolved(tmp_path, entry, ask_hub=False)) == before
    assert own.requests == []
    (tmp_path / "new").mkdir()
    assert spec(resolved(tmp_path / "new", entry)).base == ("org/base", moved)


def test_a_base_that_cannot_be_had_is_the_adapter_s_failure(own, tmp_path, folders):
    (tmp_path / "other").mkdir()

    def failure(**options):
        own.add("org/base", folder=folders["base"], **options)
        (one,) = resolved(tmp_path / "other", ADAPTER).unresolved
        return one

    gated = failure(gated="manual")
    assert (gated.encoder, gated.exception) == ("org/adapter", "gated")
    assert "of its base org/base" in gated.message
    assert "ask for access" in gated.remedy
    own.add("org/adapter", folder=said(shutil.copytree(folders["adapter"], tmp_path / "x"), revision="nobranch"))
    assert failure().exception == "revision missing"
    path = said(shutil.copytree(folders["adapter"], tmp_path / "y"), base_model_name_or_path="/home/me/base")
    own.add("org/adapter", folder=path)
    one = failure()
    assert (one.exception, "/home/me/base" in one.message) == ("bad name", True)


def test_where_the_hub_withholds_a_base_the_last_known_one_is_used(own, tmp_path, folders):
    before = spec(resolved(tmp_path, ADAPTER))
    own.add("org/base", folder=folders["base"], gated="manual")
    found = resolved(tmp_path, ADAPTER)
    assert spec(found).base == before.base
    assert any("gated" in note and "last known commit" in note for note in found.notes)


def test_in_a_folder_the_entry_says_where_its_base_is(own, tmp_path, folders):
    shutil.copytree(folders["base"], tmp_path / "near")
    entry = {"source": "folder", "path": str(folders["adapter"])}
    (failure,) = resolved(tmp_path, entry).unresolved
    assert (failure.exception, "base: FOLDER" in failure.remedy) == ("base missing", True)
    found = resolved(tmp_path, {**entry, "base": "near"})
    assert spec(found, "adapter").base_path == str(tmp_path / "near")
    assert weight_bytes(spec(found, "adapter")) > (folders["base"] / "model.safetensors").stat().st_size
    with pytest.raises(Exception, match=r"encoders\[1\].base: .*nowhere: no such folder"):
        resolved(tmp_path, {**entry, "base": "nowhere"})


def test_place_and_show_take_an_adapter(own, capsys):
    (one,) = given(["org/adapter"], {}, False)
    assert spec_of(one.source).base[0] == "org/base"
    show("org/adapter")
    told = json.loads(capsys.readouterr().out)
    assert (told["base"].partition("@")[0], told["layers"]) == ("org/base", 2)


def test_search_lists_the_adapters_whose_base_can_be_had(own, tmp_path, folders, capsys):
    lost = said(shutil.copytree(folders["adapter"], tmp_path / "lost"), base_model_name_or_path="org/none")
    own.add("org/lost", folder=lost, tags=["sentence-transformers"])
    search(HubQuery(author="org"), tmp_path / "l.yaml")
    assert "2 of 3 are available; 1 missing" in capsys.readouterr().out
    listed = yaml.safe_load((tmp_path / "l.yaml").read_text())
    assert {entry["id"] for entry in listed} == {"org/base", "org/adapter"}

"""The catalogue `public`: MTEB's registry and the hub's most downloaded, pinned by the first sweep of a store."""

import json
from collections import Counter

import pytest
import yaml

from jobs.config import load_config
from jobs.planning.resolve import record_unresolved, resolve
from qre.encoders.registry import CLOSED, MULTIMODAL, text_encoders
from qre.store import Store
from tests.checkpoints import make, make_odd
from tests.hub import FakeHub
from tests.jobs.conftest import write_config
from tests.jobs.test_hub_sweep import FILES, ROOT, qre
from tests.other_kinds import make_other
from tests.plain import make_plain

pytest.importorskip("mteb")
MINI, E5, BGE, GIST, GATED = (
    "sentence-transformers/all-MiniLM-L6-v2",
    "intfloat/e5-small-v2",
    "BAAI/bge-small-en-v1.5",
    "avsolatorio/GIST-small-Embedding-v0",
    "thenlper/gte-small",
)
TAGGED = {"tags": ["sentence-transformers"]}


def stated(name: str) -> str:
    """The commit that the registry names."""
    commit = text_encoders().revisions[name]
    assert commit is not None
    return commit


def at_stated(hub: FakeHub, name: str, **values) -> None:
    """Add an encoder of the registry at its commit, and a newer one on its default branch."""
    hub.add(name, branches={"main": stated(name)}, **TAGGED, **values)
    files = {"README.md": b"newer", **(values.pop("files", None) or {})}
    hub.add(name, files=files, **TAGGED, **values)


def public(folder, limit: int, **values):
    return write_config(folder, [{"source": "catalogue", "name": "public", "limit": limit, **values}])


def resolved_of(config, **options):
    settings = load_config(config)
    return resolve(settings, Store(settings.store), **options)


def test_the_registry_tells_open_text_encoders_and_their_commits():
    found = text_encoders()
    assert len(found.revisions) > 400 and E5 in found.revisions
    left_out = Counter(found.others.values())
    assert left_out["without open weights"] > 40 and left_out["rerankers, sparse or multi-vector"] > 50
    assert found.others["openai/clip-vit-base-patch32"] == "of pictures, sound or video"
    absent = {
        "openai/text-embedding-3-small",
        "BAAI/bge-reranker-v2-m3",
        "openai/clip-vit-base-patch32",
        "baseline/Human",
    }
    assert not absent & set(found.revisions)
    assert None in found.revisions.values()  # of two repositories, or none


@pytest.mark.cluster
def test_a_small_catalogue_to_a_map_and_again_without_a_question(hub, tmp_path):
    made = {kind: make(kind, tmp_path / "made" / kind) for kind in ("bert", "mpnet", "qwen2", "static", "distilbert")}
    at_stated(hub, MINI, folder=made["bert"], downloads=900)
    at_stated(hub, E5, folder=made["mpnet"], downloads=300)
    hub.add(BGE, folder=made["distilbert"], downloads=200, **TAGGED)  # the registry's commit is not there
    hub.add("lab/gist-now", branches={"main": stated(GIST)}, folder=made["qwen2"], downloads=100, **TAGGED)
    hub.renamed[GIST] = "lab/gist-now"
    hub.add(GATED, files=FILES, gated="manual", downloads=90, **TAGGED)
    hub.add("lab/cross", folder=make_other("cross", tmp_path / "made" / "cross"), downloads=800, **TAGGED)
    hub.add("lab/static", folder=made["static"], downloads=700, **TAGGED)
    hub.add("lab/plain", folder=make_plain("bert", tmp_path / "made" / "plain"), downloads=600, **TAGGED)
    hub.add("lab/pickle", folder=make_odd("pickle", tmp_path / "made" / "pickle"), downloads=500, **TAGGED)
    hub.add("openai/clip-vit-base-patch32", files=FILES, downloads=650, **TAGGED)  # the registry knows what it is
    clip = json.dumps([{"type": "sentence_transformers.models.CLIPModel", "path": "0_CLIP"}]).encode()
    weights = FILES["model.safetensors"]
    hub.add("lab/clip", files={"modules.json": clip, "0_CLIP/model.safetensors": weights}, downloads=640, **TAGGED)
    hub.add("lab/rare", files=FILES, downloads=1, **TAGGED)
    config = public(tmp_path, 8, plain={"pooling": "mean"})
    first = qre(hub, tmp_path, "sweep", config)
    assert first.returncode == 1, first.stdout + first.stderr
    told = " ".join((first.stdout + first.stderr).split())
    assert "map of 6 encoders" in told
    others = Counter(text_encoders().others.values()) + Counter({MULTIMODAL: 1})
    assert "left out are 1 cross-encoder, " in told
    assert f"{others[MULTIMODAL]} {MULTIMODAL}, {others[CLOSED]} {CLOSED}, " in told
    assert f"no longer has the commit that MTEB's registry names of {BGE}" in told
    store = Store(tmp_path / "store")
    reasons = {failure.encoder: failure.exception for failure in store.failures.read_all().values()}
    assert reasons == {"lab/pickle": "pickle only", GATED: "gated"}
    by_downloads = [MINI, "lab/static", "lab/plain/mean", E5, BGE, "lab/gist-now"]
    settings = load_config(config)
    hub.requests.clear()
    seen = resolve(settings, store, ask_hub=False)
    specs, known = seen.specs, {failure.encoder: failure.exception for failure in seen.unresolved}
    assert (known, seen.unknown) == (reasons, [])
    assert [spec.name for spec in specs] == by_downloads
    assert hub.requests == []
    commits = {spec.name: spec.revision for spec in specs}
    assert (commits[MINI], commits[E5], commits["lab/gist-now"]) == (stated(MINI), stated(E5), stated(GIST))
    assert dict(specs[3].prompts) == {"query": "query: ", "document": "passage: "}
    assert [spec.pooling for spec in specs] == [None, None, "mean", None, None, None]

    hub.add("lab/new", folder=made["bert"], downloads=10_000, **TAGGED)
    hub.add("lab/static", files={**FILES, "new": b"1"}, downloads=700, **TAGGED)
    again = qre(hub, tmp_path, "sweep", config)
    assert "lab/new" not in again.stdout and "all is done: 6 encoders on the map" in " ".join(again.stdout.split())
    asked = Counter(next((name for name in hub.repos if name in path), path) for _, path in hub.requests)
    assert set(asked) - {"/"} == {"lab/pickle", GATED}  # what could not be had then


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "no weights"),
        ({"0_CLIP/config.json": b"{"}, "broken config"),
        ({"0_CLIP/pytorch_model.bin": 9}, "pickle only"),
        ({"0_CLIP/pytorch_model.bin.index.json": b"[]"}, "pickle only"),
    ],
)
def test_of_pictures_is_told_whatever_its_weights_are(hub, tmp_path, monkeypatch, files, reason):
    hub.adopt(monkeypatch, tmp_path / "home")
    for number in range(4):
        hub.add(f"lab/e{number}", files=FILES, downloads=number, **TAGGED)
    clip = json.dumps([{"type": "sentence_transformers.models.CLIPModel", "path": "0_CLIP"}]).encode()
    hub.add("lab/clip", files={"modules.json": clip, **files}, downloads=9, **TAGGED)
    found = resolved_of(public(tmp_path, 4))
    assert [spec.name for spec in found.specs] == [f"lab/e{number}" for number in (3, 2, 1, 0)]
    assert found.unresolved == []
    others = Counter(text_encoders().others.values())[MULTIMODAL] + 1
    assert any(f"{others} {MULTIMODAL}" in note for note in found.notes)
    classical = {"source": "catalogue", "name": "classical", "include": ["hash/*"]}
    named = resolved_of(write_config(tmp_path, [classical, {"source": "hub", "id": "lab/clip"}]))
    assert [(one.encoder, one.exception) for one in named.unresolved] == [("lab/clip", reason)]


def test_what_could_all_be_had_is_never_asked_for_again(hub, tmp_path, monkeypatch):
    hub.adopt(monkeypatch, tmp_path / "home")
    at_stated(hub, MINI, files=FILES, downloads=3)
    for number in range(4):
        hub.add(f"lab/e{number}", files=FILES, downloads=number, **TAGGED)
    config = public(tmp_path, 4)
    first = resolved_of(config)
    assert [spec.name for spec in first.specs] == ["lab/e3", MINI, "lab/e2", "lab/e1"] or [
        spec.name for spec in first.specs
    ] == [MINI, "lab/e3", "lab/e2", "lab/e1"]
    hub.requests.clear()
    hub.add("lab/e3", files={**FILES, "newer": b"1"}, downloads=9, **TAGGED)
    second = resolved_of(config)
    assert second.specs == first.specs and hub.requests == []
    # a list of another length is another list
    assert len(resolved_of(public(tmp_path, 5)).specs) == 5 and hub.requests


def test_what_is_missing_comes_last_and_stops_nothing(hub, tmp_path, monkeypatch):
    hub.adopt(monkeypatch, tmp_path / "home")
    for number in range(4):
        hub.add(f"lab/e{number}", files=FILES, downloads=0, **TAGGED)
    found = resolved_of(public(tmp_path, 6))
    assert [spec.name for spec in found.specs] == [f"lab/e{number}" for number in range(4)]
    assert [failure.exception for failure in found.unresolved] == ["missing", "missing"]
    assert {failure.encoder for failure in found.unresolved} <= set(text_encoders().revisions)


def test_an_encoder_of_both_lists_and_of_the_config_is_one(hub, tmp_path, monkeypatch):
    hub.adopt(monkeypatch, tmp_path / "home")
    at_stated(hub, E5, files=FILES, downloads=9)
    hub.add("lab/gist-now", branches={"main": stated(GIST)}, files=FILES, downloads=8, **TAGGED)
    hub.renamed[GIST] = "lab/gist-now"
    for number in range(4):
        hub.add(f"lab/e{number}", files=FILES, downloads=number, **TAGGED)
    own = [{"source": "hub", "id": E5, "prompt": "query: "}, {"source": "hub", "query": {"author": "lab", "limit": 2}}]
    config = write_config(tmp_path, [{"source": "catalogue", "name": "public", "limit": 6}, *own])
    found = resolved_of(config)
    names = [spec.name for spec in found.specs]
    assert sorted(names) == sorted([E5, "lab/gist-now", "lab/e0", "lab/e1", "lab/e2", "lab/e3"])
    assert next(spec for spec in found.specs if spec.name == E5).prompt == "query: "
    assert any("3 encoders of it the config names elsewhere too" in note for note in found.notes)


def test_a_hub_that_does_not_answer(hub, tmp_path, monkeypatch):
    from qre.encoders import hub_problems

    monkeypatch.setattr(hub_problems, "ATTEMPTS", 1)
    hub.adopt(monkeypatch, tmp_path / "home")
    demo = {"source": "catalogue", "name": "classical", "include": ["hash/*"]}
    for number in range(4):
        hub.add(f"lab/e{number}", files=FILES, downloads=number, **TAGGED)
    config = write_config(tmp_path, [demo, {"source": "catalogue", "name": "public", "limit": 4}])
    hub.fail("*", status=503, times=1000, where="any")
    found = resolved_of(config)
    assert [failure.kind for failure in found.unasked] == ["transient"] and found.incomplete
    assert "the encoders of encoders[1]" in found.unasked[0].encoder
    hub._faults.clear()
    assert len(resolved_of(config).specs) == len(found.specs) + 4
    hub.fail("*", status=503, times=1000, where="any")
    assert len(resolved_of(config).specs) == len(found.specs) + 4  # what was found first


def test_without_the_downloads_of_one_nothing_is_pinned(hub, tmp_path, monkeypatch):
    """It would be at the end of the list for good."""
    from qre.encoders import hub_problems

    monkeypatch.setattr(hub_problems, "ATTEMPTS", 1)
    hub.adopt(monkeypatch, tmp_path / "home")
    at_stated(hub, E5, files=FILES, downloads=99)  # the hub's listing has it not
    for number in range(4):
        hub.add(f"lab/e{number}", files=FILES, downloads=number, **TAGGED)
    demo = {"source": "catalogue", "name": "classical", "include": ["hash/*"]}
    config = write_config(tmp_path, [demo, {"source": "catalogue", "name": "public", "limit": 2}])
    hub.fail(E5, status=503, times=1, where="any")
    found = resolved_of(config)
    assert [failure.kind for failure in found.unasked] == ["transient"] and found.incomplete
    assert [spec.name for spec in resolved_of(config).specs if spec.source == "hub"] == [E5, "lab/e3"]


def test_an_outage_of_the_hub_forgets_no_reason(hub, tmp_path, monkeypatch):
    from qre.encoders import hub_problems

    monkeypatch.setattr(hub_problems, "ATTEMPTS", 1)
    hub.adopt(monkeypatch, tmp_path / "home")
    for number in range(4):
        hub.add(f"lab/e{number}", files=FILES, downloads=number, **TAGGED)
    hub.add("lab/gated", files=FILES, gated="manual", downloads=9, **TAGGED)
    config = public(tmp_path, 5)
    first = resolved_of(config)
    record_unresolved(Store(load_config(config).store), first)
    hub.fail("*", status=503, times=1000, where="any")
    now = resolved_of(config)
    assert now.specs == first.specs and now.unasked == [] and now.incomplete == []
    assert [failure.exception for failure in now.unresolved] == ["gated"]
    hub._faults.clear()
    hub.add("lab/gated", files=FILES, downloads=9, **TAGGED)  # access is given
    assert [spec.name for spec in resolved_of(config).specs][0] == "lab/gated"


def test_a_commit_that_is_not_had_yet_is_pinned_when_it_is(hub, tmp_path, monkeypatch):
    from qre.encoders import hub_problems

    monkeypatch.setattr(hub_problems, "ATTEMPTS", 1)
    hub.adopt(monkeypatch, tmp_path / "home")
    for number in range(5):
        hub.add(f"lab/e{number}", files=FILES, downloads=number, **TAGGED)
    hub.fail("lab/e3", status=500, times=1, where="api")
    first = resolved_of(public(tmp_path, 5))
    assert [one.encoder for one in first.unasked] == ["lab/e3"]
    second = resolved_of(public(tmp_path, 5))
    assert [spec.name for spec in second.specs] == [f"lab/e{number}" for number in (4, 3, 2, 1, 0)]
    hub.requests.clear()
    assert resolved_of(public(tmp_path, 5)).specs == second.specs and hub.requests == []


def test_patterns_choose_by_name_and_must_match(hub, tmp_path, monkeypatch):
    from qre.errors import UserError

    hub.adopt(monkeypatch, tmp_path / "home")
    for number in range(4):
        hub.add(f"lab/e{number}", files=FILES, downloads=number, **TAGGED)
        hub.add(f"firm/e{number}", files=FILES, downloads=number, **TAGGED)
    found = resolved_of(public(tmp_path, 8, include=["firm/*"]))
    assert {spec.name for spec in found.specs} == {f"firm/e{number}" for number in range(4)}
    with pytest.raises(
        UserError, match=r"encoders\[0\].include: none of the 8 encoders of catalogue 'public'.*'lab/\*'"
    ):
        resolved_of(public(tmp_path, 8, include=["labs/*"]))


def test_keys_of_the_catalogue(tmp_path):
    from qre.errors import UserError

    config = write_config(tmp_path, [{"source": "catalogue", "name": "demo", "limit": 5}])
    with pytest.raises(UserError, match="limit is of the catalogue public"):
        load_config(config)
    with pytest.raises(UserError, match="source: catalogue, name: public"):
        load_config(write_config(tmp_path, ["public"]))


def test_status_before_the_first_sweep_says_that_nothing_was_asked(tmp_path):
    found = resolved_of(public(tmp_path, 5), ask_hub=False)
    assert any(
        "has not asked the hub about what encoders[0], the catalogue public, holds" in one for one in found.notes
    )


def test_the_pooling_that_the_registry_states_is_taken_for_a_plain_checkpoint(hub, tmp_path, monkeypatch):
    from mteb.models.model_implementations import MODEL_REGISTRY

    meta = MODEL_REGISTRY[MINI].model_copy(update={"loader_kwargs": {"pooling_method": "cls"}})
    monkeypatch.setitem(MODEL_REGISTRY, MINI, meta)
    hub.adopt(monkeypatch, tmp_path / "home")
    plain = {name: content for name, content in FILES.items() if name != "modules.json"}
    at_stated(hub, MINI, files={**plain, "tokenizer.json": b"{}"}, downloads=9)
    for number in range(4):
        hub.add(f"lab/e{number}", files={**plain, "tokenizer.json": b"{}"}, downloads=number, **TAGGED)
    found = resolved_of(public(tmp_path, 5, plain={"pooling": "mean"}))
    assert {spec.name: spec.pooling for spec in found.specs} == {f"{MINI}/cls": "cls"} | {
        f"lab/e{n}/mean": "mean" for n in range(4)
    }
    bare = resolved_of(public(tmp_path, 5))
    assert [spec.pooling for spec in bare.specs] == ["cls"]
    assert {failure.exception for failure in bare.unresolved} == {"no pooling"}


def test_what_a_list_states_for_all_holds_for_the_catalogue_in_it(hub, tmp_path, monkeypatch):
    hub.adopt(monkeypatch, tmp_path / "home")
    plain = {name: content for name, content in FILES.items() if name != "modules.json"} | {"tokenizer.json": b"{}"}
    pickle = {**{name: content for name, content in FILES.items() if "safetensors" not in name}, "pytorch_model.bin": 9}
    for number, files in enumerate((FILES, FILES, plain, pickle, pickle)):
        hub.add(f"lab/e{number}", files=files, downloads=9 - number, **TAGGED)
    converted = hub.propose("lab/e4", files={**pickle, "model.safetensors": 9})
    entry = {"source": "catalogue", "name": "public", "limit": 5}
    every = {"plain": {"pooling": "mean"}, "pickled_weights": True, "conversions": "accept"}

    def found(**stated):
        (tmp_path / "l.yaml").write_text(yaml.safe_dump([entry]))
        return resolved_of(write_config(tmp_path, [{"source": "list", "path": "l.yaml", **stated}]))

    listed = found(**every)
    assert listed.specs == resolved_of(public(tmp_path, 5, **every)).specs
    own = {spec.id: spec for spec in listed.specs}
    assert own["lab/e2"].pooling == "mean" and own["lab/e3"].pickles and own["lab/e4"].revision == converted
    entry["pickled_weights"] = False  # what it says itself goes before
    assert {one.encoder for one in found(**every).unresolved} == {"lab/e3"}


def test_the_same_list_as_a_file(hub, tmp_path):
    at_stated(hub, E5, files=FILES, downloads=9)
    for number in range(4):
        hub.add(f"lab/e{number}", files=FILES, downloads=number, **TAGGED)
    hub.add(GATED, files=FILES, gated="manual", downloads=90, **TAGGED)
    out = tmp_path / "public.yaml"
    found = qre(hub, tmp_path, "encoders", "search", "--registry", "--limit", "6", "--out", str(out))
    assert found.returncode == 0, found.stderr
    assert "gated" in found.stdout and "5 of 6 are available" in found.stdout
    entries = yaml.safe_load(out.read_text())
    assert entries[0] == {
        "source": "hub",
        "id": E5,
        "revision": stated(E5),
        "prompts": {"query": "query: ", "document": "passage: "},
    }
    assert [entry["id"] for entry in entries[1:]] == ["lab/e3", "lab/e2", "lab/e1", "lab/e0"]
    assert all(len(entry["revision"]) == 40 for entry in entries)
    planned = qre(hub, tmp_path, "plan", write_config(tmp_path, [{"source": "list", "path": str(out)}]), "--json")
    assert json.loads(planned.stdout)["to_embed"] == 5
    refused = qre(hub, tmp_path, "encoders", "search", "e5", "--registry")
    assert refused.returncode == 2 and "--registry" in refused.stderr


def test_the_catalogue_listed(hub, tmp_path):
    hub.add("lab/e1", files=FILES, downloads=7, **TAGGED)
    listed = qre(hub, tmp_path, "encoders", "list", "public")
    lines = listed.stdout.splitlines()
    assert lines[0] == "lab/e1\t7" and f"{E5}\t" in lines, listed.stderr
    assert "public" in qre(hub, tmp_path, "encoders", "list").stdout


def test_public_encoders_of_a_new_config(hub, tmp_path):
    made = qre(hub, tmp_path, "new", str(tmp_path / "mine.yaml"), "--encoders", "public,demo")
    assert made.returncode == 0, made.stderr
    assert load_config(tmp_path / "mine.yaml").encoders[0].model_dump() == {
        "source": "catalogue",
        "name": "public",
        "include": ("*",),
        "limit": 1101,
    }


def test_the_popular_encoders_are_planned(hub, tmp_path):
    entries = yaml.safe_load((ROOT / "jobs/start/popular.yaml").read_text())
    assert len({entry["id"] for entry in entries}) == len(entries) == 20
    for entry in entries:
        count = parameters_of(entry["id"])
        assert count < 150e6
        hub.add(entry["id"], files={**FILES, "model.safetensors": 4 * count}, safetensors_parameters={"F32": count})
    planned = qre(hub, tmp_path, "plan", ROOT / "jobs/popular.yaml", "--json")
    assert planned.returncode == 0, planned.stderr
    told = json.loads(planned.stdout)
    assert (told["units"], told["failed"], told["cost"]["passes"]) == (20, {}, 20)


def parameters_of(name: str) -> int:
    """As the registry has them."""
    from mteb.models.model_implementations import MODEL_REGISTRY

    return int(MODEL_REGISTRY[name].n_parameters) if name in MODEL_REGISTRY else 22_713_216

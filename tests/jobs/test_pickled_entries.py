"""Consent to pickled weights, and to pull requests that convert them, in a config: of which encoders it is, what the
plan says and remembers, and the whole way to a map."""

import csv
import json

import numpy as np
import pytest
import yaml

from jobs.asked.models import embed, given_in, spec_of
from jobs.config import FolderEntry, HubEntry, ListEntry, load_config
from jobs.config.made_again import to_make_again
from jobs.planning.costs import weight_bytes
from jobs.planning.memory import Memory
from jobs.planning.plan import make_plan
from jobs.planning.resolve import record_unresolved, resolve
from jobs.start.search import search, show
from qre.encoders import hub_problems
from qre.encoders.hub import HubModel
from qre.encoders.hub_query import HubQuery
from qre.encoders.passes import EncodeSettings, unit_key
from qre.errors import UserError
from qre.store import Store
from tests.checkpoints import make, make_odd
from tests.jobs.conftest import write_config
from tests.jobs.test_hub_sweep import qre
from tests.pickles import MARKER, evil, pickle_weights, with_safetensors
from tests.plain import make_plain

LSA = {"source": "catalogue", "name": "classical", "include": ["hash/word1-1/*"]}
TAGGED = {"tags": ["sentence-transformers"]}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("encoders")
    found = {kind: make_odd(kind, root / kind) for kind in ("pickle", "pickle-dense")}
    found |= {"bert": make("bert", root / "bert"), "plain": make_plain("bert", root / "plain", seed=1)}
    pickle_weights(found["plain"])
    return {**found, "both": with_safetensors(found["pickle"], found["bert"], root / "both")}


@pytest.fixture
def own(hub, monkeypatch, tmp_path):
    monkeypatch.setattr(hub_problems, "FIRST_WAIT", 0.01)
    hub.adopt(monkeypatch, tmp_path / "home")
    return hub


def resolved(folder, *entries, keys=None, **options):
    config = load_config(write_config(folder, [LSA, *entries], **(keys or {})))
    return resolve(config, Store(config.store), **options)


def pickles(found) -> dict:
    """name -> names of the pickles of the transformers."""
    return {spec.name: [name for name, _ in spec.pickles] for spec in found.specs if spec.source in ("folder", "hub")}


def failures(found) -> dict:
    return {failure.encoder: failure.exception for failure in found.unresolved}


def folder_entry(path, **values) -> dict:
    return {"source": "folder", "path": str(path), **values}


def test_the_consent_of_a_folder_is_its_own_its_lists_or_the_configs(tmp_path, folders):
    pickle, dense = folder_entry(folders["pickle"]), folder_entry(folders["pickle-dense"])
    consent = {"pickled_weights": True}
    assert failures(resolved(tmp_path, pickle, dense)) == {"pickle": "pickle only", "pickle-dense": "pickle only"}
    one = resolved(tmp_path, {**pickle, **consent}, dense)
    assert (pickles(one), failures(one)) == ({"pickle": ["pytorch_model.bin"]}, {"pickle-dense": "pickle only"})
    all_of_it = resolved(tmp_path, pickle, {**dense, "pickled_weights": False}, keys=consent)
    assert (pickles(all_of_it), failures(all_of_it)) == (pickles(one), failures(one))
    (tmp_path / "l.yaml").write_text(yaml.safe_dump([pickle, {**dense, "pickled_weights": False}]))
    listed = resolved(tmp_path, {"source": "list", "path": "l.yaml", **consent})
    assert (pickles(listed), failures(listed)) == (pickles(one), failures(one))
    nothing = resolved(tmp_path, {"source": "list", "path": "l.yaml", "pickled_weights": False}, keys=consent)
    assert failures(nothing) == {"pickle": "pickle only", "pickle-dense": "pickle only"}
    keys = [unit_key(found.specs[-1], "s", EncodeSettings()) for found in (one, all_of_it, listed)]
    assert len(set(keys)) == 1


def test_where_it_is_not_needed_it_changes_nothing(own, tmp_path, folders):
    own.add("org/whole", folder=folders["both"])
    own.add("org/bert", folder=folders["bert"])
    entries = [{"source": "hub", "id": name} for name in ("org/whole", "org/bert")]
    entries += [folder_entry(folders[name]) for name in ("both", "bert")]
    without = resolved(tmp_path, *entries)
    assert failures(without) == {} and not any(pickles(without).values())
    own.requests.clear()
    given = resolved(tmp_path, *entries, keys={"pickled_weights": True, "conversions": "accept"})
    assert given.specs == without.specs
    assert not [path for _, path in own.requests if "refs" in path or "discussions" in path]


def test_of_a_query_and_a_csv(own, tmp_path, folders):
    commits = {name: own.add(f"org/{name}", folder=folders[name], **TAGGED) for name in ("pickle", "bert", "plain")}
    query = {"source": "hub", "query": {"author": "org"}, "plain": {"pooling": "mean"}}
    refused = resolved(tmp_path, query)
    assert failures(refused) == {"org/pickle": "pickle only", "org/plain": "pickle only"}
    taken = resolved(tmp_path, {**query, "pickled_weights": True})
    assert pickles(taken) == {
        "org/pickle": ["pytorch_model.bin"], "org/bert": [], "org/plain/mean": ["pytorch_model.bin"]
    }  # fmt: skip
    with open(tmp_path / "l.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "revision", "pickled_weights"])
        rows.writerows([f"org/{name}", commits[name], word] for name, word in (("pickle", "true"), ("bert", "")))
    listed = resolved(tmp_path, {"source": "list", "path": "l.csv"})
    assert (pickles(listed), failures(listed)) == ({"org/pickle": ["pytorch_model.bin"], "org/bert": []}, {})
    spec = next(spec for spec in listed.specs if spec.name == "org/pickle")
    assert weight_bytes(spec) == (folders["pickle"] / "pytorch_model.bin").stat().st_size
    own.requests.clear()
    again = resolved(tmp_path, {"source": "list", "path": "l.csv"})
    assert again.specs == listed.specs and own.requests == []  # the commits are known


def test_the_refusal_offers_the_pull_request_and_accept_takes_it(own, tmp_path, folders):
    base = own.add("org/a", folder=folders["pickle"])
    commit = own.propose("org/a", folder=folders["both"])
    entry = {"source": "hub", "id": "org/a"}
    refused = resolved(tmp_path, entry)
    (failure,) = refused.unresolved
    offer = "refs/pr/1 by SFconvertbot adds safetensors: conversions: accept takes it"
    assert failure.exception == "pickle only" and offer in failure.remedy and offer in failure.message
    assert "pickled_weights: true" in failure.remedy
    store = Store(tmp_path / "store")
    record_unresolved(store, refused)
    assert [one.remedy for one in store.failures.read_all().values()] == [failure.remedy]
    accept = {"conversions": "accept"}
    (tmp_path / "l.yaml").write_text(yaml.safe_dump([entry]))
    own.requests.clear()
    ways = [
        resolved(tmp_path, {**entry, **accept}),
        resolved(tmp_path, entry, keys=accept),
        resolved(tmp_path, {"source": "list", "path": "l.yaml", **accept}),
        resolved(tmp_path, {**entry, **accept, "pickled_weights": True, "revision": base}),
    ]
    assert not [path for _, path in own.requests if "refs" in path or "discussions" in path]  # it was remembered
    for found in ways:
        spec = found.specs[-1]
        assert (spec.revision, spec.pickles, failures(found)) == (commit, (), {})
        assert f"org/a: weights of refs/pr/1 by SFconvertbot, {commit[:8]}, are taken" in found.notes
    pinned = resolved(tmp_path, {**entry, "revision": commit}).specs[-1]
    assert unit_key(pinned, "s", EncodeSettings()) == unit_key(ways[0].specs[-1], "s", EncodeSettings())
    record_unresolved(store, ways[0])
    assert store.failures.read_all() == {}


def test_what_was_accepted_stays_and_asks_nothing(own, tmp_path, folders):
    base = own.add("org/a", folder=folders["pickle"])
    commit = own.propose("org/a", folder=folders["both"])
    entry = {"source": "hub", "id": "org/a", "revision": base, "conversions": "accept"}
    first = resolved(tmp_path, entry)
    own.repos["org/a"].refs["refs/pr/1"] = own._commit(own.repos["org/a"], folders["both"], None)  # it is pushed to
    own.requests.clear()
    assert resolved(tmp_path, entry).specs == first.specs and first.specs[-1].revision == commit
    assert resolved(tmp_path, entry, ask_hub=False).specs == first.specs
    assert own.requests == []
    own.repos.pop("org/a")
    branch = {key: value for key, value in entry.items() if key != "revision"}
    gone = resolved(tmp_path, entry)
    assert gone.specs == first.specs
    assert resolved(tmp_path, branch).unresolved  # of a branch nothing was known


def test_status_says_what_was_not_asked(own, tmp_path, folders):
    own.add("org/a", folder=folders["pickle"])
    entry = {"source": "hub", "id": "org/a"}
    resolved(tmp_path, {**entry, "pickled_weights": True})  # nobody looked for a pull request
    own.requests.clear()
    looked = resolved(tmp_path, {**entry, "conversions": "accept"}, ask_hub=False)
    assert looked.unknown == ["org/a"] and own.requests == []
    assert failures(resolved(tmp_path, entry, ask_hub=False)) == {"org/a": "pickle only"}
    assert failures(resolved(tmp_path, {**entry, "conversions": "accept"})) == {"org/a": "pickle only"}
    assert failures(resolved(tmp_path, {**entry, "conversions": "accept"}, ask_hub=False)) == {"org/a": "pickle only"}


def test_without_one_accept_falls_back_to_consent(own, tmp_path, folders):
    own.add("org/a", folder=folders["pickle"])
    both = resolved(tmp_path, {"source": "hub", "id": "org/a", "conversions": "accept", "pickled_weights": True})
    assert pickles(both) == {"org/a": ["pytorch_model.bin"]}
    own.propose("org/a", folder=folders["both"])  # made later: it goes before
    later = resolved(tmp_path, {"source": "hub", "id": "org/a", "conversions": "accept", "pickled_weights": True})
    assert pickles(later) == {"org/a": []}


def test_a_hub_that_does_not_answer_these_questions(own, tmp_path, folders, monkeypatch):
    monkeypatch.setattr(hub_problems, "ATTEMPTS", 2)
    own.add("org/a", folder=folders["pickle"])
    own.propose("org/a", folder=folders["both"])
    own.page_of_a_proxy = "/api/models/org/a/refs"
    entry = {"source": "hub", "id": "org/a"}
    refused = resolved(tmp_path, entry)
    assert failures(refused) == {"org/a": "pickle only"} and refused.incomplete == []
    assert "the hub did not tell whether a pull request adds safetensors (hub error): org/a" in refused.notes
    accepting = resolved(tmp_path, {**entry, "conversions": "accept", "pickled_weights": True})
    assert [(one.encoder, one.exception, one.kind) for one in accepting.unasked] == [
        ("org/a", "pickle only", "transient")
    ]
    assert accepting.incomplete and accepting.unresolved == []  # the map is not replaced by one without it
    taken = resolved(tmp_path, {**entry, "pickled_weights": True})
    assert pickles(taken) == {"org/a": ["pytorch_model.bin"]}


def test_offline_what_is_remembered_or_consented_to_is_taken(own, tmp_path, folders, monkeypatch):
    from huggingface_hub import close_session, constants, snapshot_download

    for name in ("org/a", "org/b"):
        own.add(name, folder=folders["pickle"])
        snapshot_download(name)
    commit = own.propose("org/a", folder=folders["both"])
    accept = {"conversions": "accept"}
    entry = {"source": "hub", "id": "org/a"}
    assert resolved(tmp_path, {**entry, **accept}).specs[-1].revision == commit
    close_session()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    own.requests.clear()
    assert resolved(tmp_path, {**entry, **accept}).specs[-1].revision == commit
    other = {"source": "hub", "id": "org/b"}
    assert failures(resolved(tmp_path, other)) == {"org/b": "pickle only"}
    assert failures(resolved(tmp_path, {**other, **accept})) == {"org/b": "pickle only"}
    both = resolved(tmp_path, {**other, **accept, "pickled_weights": True})
    assert pickles(both) == {"org/b": ["pytorch_model.bin"]} and own.requests == []


def test_a_hundred_of_them_are_asked_side_by_side(own, tmp_path):
    files = {
        "modules.json": b"[]",
        "config.json": b'{"model_type": "bert"}',
        "pytorch_model.bin": b"pickle",
        "tokenizer.json": b"{}",
    }
    for number in range(100):
        own.add(f"org/e{number}", files=files, **TAGGED)
        if number % 2:
            own.propose(f"org/e{number}", files={**files, "model.safetensors": b"safe"})
    own.requests.clear()
    query = {"source": "hub", "query": {"author": "org", "limit": 100}, "conversions": "accept"}
    found = resolved(tmp_path, query)
    assert len(pickles(found)) == 50 and set(failures(found).values()) == {"pickle only"} and len(failures(found)) == 50
    asked = [path for _, path in own.requests]
    assert len([path for path in asked if "/refs" in path]) == 100
    assert len([path for path in asked if "/discussions" in path]) == 50
    assert len(asked) < 100 * 6


def test_records_of_older_stores_stay(own, tmp_path, folders):
    both = set(
        "source name family layer pooling prompt prompt_name prompts max_tokens pad_token dtype truncate_dim normalize "
        "transforms token_budget native".split()
    )
    hub = both | set("id query revision trust_remote_code code_revision".split())
    # a later key is of these only where it is set: failures are recorded under what an entry holds
    assert set(HubEntry(source="hub", id="a/b").model_dump(mode="json")) == hub
    assert set(FolderEntry(source="folder", path="/x").model_dump(mode="json")) == both | {"path"}
    assert set(ListEntry(source="list", path="/l.csv").model_dump(mode="json")) == {"source", "path"}
    store, place = Store(tmp_path / "store"), ("org/a", None)
    Memory(store).write_all({place: HubModel("org/a", "a" * 40, (("model.safetensors", 9),))})
    records = [json.loads(store.folder.read(name)) for name in store.folder.names("hub")]
    assert not any("pickles" in record for record in records)
    model = HubModel("org/b", "b" * 40, (), pickles=(("pytorch_model.bin", 9, "c" * 64),))
    Memory(store).write_all({("org/b", None): model})
    assert Memory(store).read_all([("org/b", None)]) == {("org/b", None): model}


def test_what_a_map_tells_of_it(tmp_path):
    entries = [
        {"source": "hub", "id": "a/b", "conversions": "accept", "pickled_weights": False},
        {"source": "list", "path": "/l.csv", "conversions": "accept"},
        {"source": "folder", "path": "/x", "pickled_weights": True},
    ]
    keys = {"pickled_weights": True, "conversions": "accept"}
    told = to_make_again(load_config(write_config(tmp_path, entries, **keys)))
    assert {key: told[key] for key in keys} == keys
    assert [{key: one[key] for key in keys if key in one} for one in told["encoders"]] == [
        {"conversions": "accept", "pickled_weights": False}, {"conversions": "accept"}, {"pickled_weights": True}
    ]  # fmt: skip


@pytest.mark.parametrize(
    "entry",
    [
        {"source": "hub", "id": "a/b", "conversions": "yes"},
        {"source": "hub", "id": "a/b", "pickled_weights": "perhaps"},
        {"source": "folder", "path": "/x", "conversions": "accept"},
    ],
)
def test_what_is_no_consent(tmp_path, entry):
    with pytest.raises(UserError, match="conversions|pickled_weights"):
        load_config(write_config(tmp_path, [entry]))


def test_placing_takes_a_list_that_consents(own, tmp_path, folders):
    own.add("org/a", folder=folders["pickle"])
    own.add("org/b", folder=folders["pickle"])
    own.propose("org/b", folder=folders["both"])
    entries = [
        folder_entry(folders["pickle-dense"], pickled_weights=True),
        {"source": "hub", "id": "org/a", "pickled_weights": True},
        {"source": "hub", "id": "org/b", "conversions": "accept"},
    ]
    (tmp_path / "l.yaml").write_text(yaml.safe_dump(entries))
    specs = [spec_of(one.source) for one in given_in(tmp_path / "l.yaml")]
    assert [len(spec.pickles) for spec in specs] == [1, 1, 0]
    texts = ["a cat sees the boat", "a dog runs"]
    one, other = (embed(spec, texts, EncodeSettings(), "cpu", lambda *_: None) for spec in specs[1:])
    assert np.array_equal(one, other)


def test_search_and_show_say_it(own, tmp_path, folders, capsys):
    own.add("org/a", folder=folders["pickle"], **TAGGED)
    commit = own.propose("org/a", folder=folders["both"])
    own.add("org/b", folder=folders["bert"], **TAGGED)
    search(HubQuery(author="org"), tmp_path / "l.yaml")
    shown = capsys.readouterr().out
    assert "pickle only" in shown and "1 of 2 are available" in shown
    assert [entry["id"] for entry in yaml.safe_load((tmp_path / "l.yaml").read_text())] == ["org/b"]
    show("org/a")
    told = json.loads(capsys.readouterr().out)
    assert told["pickles"] == ["pytorch_model.bin"]
    assert "refs/pr/1 by SFconvertbot adds safetensors: conversions: accept takes it" in told["problem"]
    assert told["python"][0].startswith("# its weights are a pickle")
    show("org/b")
    assert "pickles" not in json.loads(capsys.readouterr().out)
    assert commit != told["revision"]


def test_the_python_that_loads_it_is_true(folders):
    from qre.encoders.described import loading_lines
    from qre.encoders.passes import Pass
    from qre.encoders.spec import FolderSpec

    entry = FolderEntry(source="folder", path=str(folders["pickle"]), pickled_weights=True)
    spec, texts = spec_of(entry), ["a cat sees the boat", "a dog runs"]
    scope: dict = {"sentences": texts}
    lines = loading_lines({"source": "folder", "model": str(folders["pickle"]), "pickles": 1})
    exec("\n".join(lines), scope)
    loaded = Pass(spec, texts, [()], EncodeSettings())
    assert isinstance(spec, FolderSpec) and len(lines) == 4
    assert np.abs(loaded.encode_texts(texts)["default"] - scope["vectors"]).max() < 1e-6


@pytest.mark.cluster
def test_from_a_config_to_a_map(hub, tmp_path, folders):
    bad = make("dense", tmp_path / "bad")
    pickle_weights(bad / "2_Dense")
    (bad / "2_Dense" / "pytorch_model.bin").write_bytes(evil("zip", tmp_path))
    hub.add("org/a", folder=folders["pickle"])
    hub.add("org/b", folder=folders["pickle"])
    hub.propose("org/b", folder=folders["both"])
    hub.add("org/bad", folder=bad)
    encoders = [
        folder_entry(folders["pickle-dense"]),
        folder_entry(folders["plain"], pooling="mean"),
        folder_entry(folders["bert"]),
        {"source": "hub", "id": "org/a"},
        {"source": "hub", "id": "org/b", "conversions": "accept"},
        {"source": "hub", "id": "org/bad"},
    ]
    config = write_config(tmp_path, encoders, pickled_weights=True)
    swept = qre(hub, tmp_path, "sweep", config)
    assert "map of 5 encoders" in swept.stdout, swept.stdout + swept.stderr
    assert swept.returncode == 1 and not (tmp_path / MARKER).exists()
    store = Store(tmp_path / "store")
    (failure,) = store.failures.read_all().values()
    assert (failure.encoder, failure.kind) == ("org/bad", "permanent")
    assert "unsafe pickle (2_Dense/pytorch_model.bin: asks for" in failure.message and "open" in failure.message
    settings = load_config(config)
    found = resolve(settings, store, ask_hub=False)
    keys = {unit.spec.name: unit.key for unit in make_plan(settings, store, found).units}
    vectors = {name: store.embeddings.read(key)[0] for name, key in keys.items() if name != "org/bad"}
    assert np.array_equal(vectors["org/a"], vectors["bert"]) and np.array_equal(vectors["org/b"], vectors["bert"])
    made = [path for path in (tmp_path / "home" / "hub").rglob("*.safetensors") if ".qre-converted" in path.parts]
    assert len(made) == 3
    hub.requests.clear()
    again = qre(hub, tmp_path, "sweep", config)
    assert "encoders 0/" not in again.stdout
    assert not [path for _, path in hub.requests if "/refs" in path and "org/b/" in path]

"""Sparsified encoders in a config: what they are called and known by, what is refused, and the whole way to a map."""

import json
import os
import signal
import subprocess

import numpy as np
import pandas as pd
import pytest
import yaml

from jobs.asked.models import embed, given_in, spec_of
from jobs.config import FolderEntry, load_config
from jobs.config.made_again import to_make_again
from jobs.planning.costs import expected_cost
from jobs.planning.groups import group_of, kinds_of
from jobs.planning.inputs import inputs_here
from jobs.planning.named_files import named
from jobs.planning.plan import make_plan, shown_rows
from jobs.planning.resolve import resolve
from jobs.planning.work import Times
from jobs.workers.embed import embed_pass
from jobs.workers.sparsified import mask_key
from qre.encoders import folders as folders_module
from qre.encoders.described import described, loading_lines, row_of
from qre.encoders.passes import EncodeSettings, Pass, parent_key, pass_key, unit_key
from qre.encoders.variants import Sparsify
from qre.errors import PlaceError, UserError
from qre.sparsify.corpus import builtin_pairs
from qre.store import Store
from tests.atlas_content import content_of
from tests.checkpoints import make
from tests.faults.held import Held
from tests.faults.in_process import until
from tests.jobs.conftest import write_config
from tests.jobs.test_sweep import Case

LSA = {"source": "catalogue", "name": "classical", "include": ["hash/word1-1/*"]}
SETTINGS = EncodeSettings()


def sparse(share: float = 0.3, **values) -> dict:
    return {"variant": {"sparsify": {"share": share, "batches": 1, **values}}}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    return {kind: make(kind, root / kind) for kind in ("bert", "static", "qwen2")}


def entry(folder, **values) -> dict:
    return {"source": "folder", "path": str(folder), **values}


def resolved(folder, *entries, **options):
    config = load_config(write_config(folder, [LSA, *entries]))
    return resolve(config, Store(config.store), **options)


def spec(folder, **values):
    return FolderEntry.model_validate(entry(folder, **values)).spec_in()


def test_names_say_what_was_done(folders):
    wanted = {
        "bert/sparse:0.3": sparse(),
        "bert/sparse:0.05:random:s2": sparse(0.05, score="random", seed=2),
        "bert/sparse:0.3:magnitude:layer": sparse(score="magnitude", scope="layer", seed=3),
        "bert/L1/mean/sparse:0.3/center": {**sparse(), "layer": 1, "pooling": "mean", "transforms": ["center"]},
    }
    assert [spec(folders["bert"], **values).name for values in wanted.values()] == list(wanted)
    told = described(row_of(spec(folders["bert"], **sparse(0.125))))
    assert "12.5 % of the weights set to zero, those that contribute least to alignment and uniformity" in told
    assert "set to zero in each matrix, the smallest" in described(
        row_of(spec(folders["bert"], **sparse(score="magnitude", scope="layer")))
    )
    assert loading_lines(row_of(spec(folders["bert"], **sparse()))) == []


def test_the_key_holds_all_that_fixes_a_mask_and_nothing_else(folders, monkeypatch):
    plain, one = spec(folders["bert"]), spec(folders["bert"], **sparse())
    assert "variant" not in plain.pass_identity()
    assert one.pass_identity()["variant"]["sparsify"] == {
        "share": 0.3, "score": "alignment_uniformity", "scope": "global", "pairs": builtin_pairs().fingerprint,
        "batches": 1, "seed": 0, "version": 1,
    }  # fmt: skip
    others = [
        sparse(0.2), sparse(score="alignment"), sparse(scope="layer"), sparse(batches=2), sparse(seed=1),
        {**sparse(), "layer": 1, "pooling": "mean"}, {**sparse(), "prompt": "a "}, {**sparse(), "dtype": "bfloat16"},
    ]  # fmt: skip
    specs = [plain, one, *(spec(folders["bert"], **values) for values in others)]
    for key in (unit_key, pass_key):
        assert len({key(each, "s", SETTINGS) for each in specs}) == len(specs)
    assert len({mask_key(each) for each in specs[1:]}) == len(specs) - 1
    # transforms are read off the same pass; what a score does not use is in no key
    centred = spec(folders["bert"], **sparse(), transforms=["center"])
    assert pass_key(centred, "s", SETTINGS) == pass_key(one, "s", SETTINGS)
    assert mask_key(centred) == mask_key(one)
    for score, values in (("magnitude", {"seed": 4, "batches": 9}), ("random", {"batches": 9})):
        same = [spec(folders["bert"], **sparse(score=score, **more)) for more in ({}, values)]
        assert mask_key(same[0]) == mask_key(same[1])
    before = mask_key(one)
    monkeypatch.setattr("qre.encoders.variants.VERSION", 2)
    assert mask_key(one) != before


def test_keys_of_before_are_the_same(folders):
    """Of a spec without a variant nothing in identity, record or row tells of variants."""
    plain = spec(folders["bert"])
    assert "variant" not in json.dumps([plain.encoder_identity(), plain.parent_identity()])
    assert "variant" not in FolderEntry.model_validate(entry(folders["bert"])).model_dump(mode="json")


def test_a_variant_is_a_near_copy_of_its_model_and_of_its_kind(folders, tmp_path):
    plain, one, layer = (
        spec(folders["bert"], **values) for values in ({}, sparse(), {**sparse(), "layer": 1, "pooling": "mean"})
    )
    assert parent_key(one) == parent_key(plain) != parent_key(layer)
    assert group_of(one, parent_key(one), {}, "base") == group_of(plain, parent_key(plain), {}, "base")
    assert len(set(kinds_of([plain, one, layer], {}))) == 1
    assert one.departures["variant"] == one.variant and plain.departures == {}
    found = resolved(tmp_path, entry(folders["bert"]), entry(folders["bert"], **sparse()))
    config = load_config(tmp_path / "config.yaml")
    rows = {row["name"]: row for row in shown_rows(make_plan(config, Store(config.store), found).units, config)}
    assert rows["bert"]["group"] == rows["bert/sparse:0.3"]["group"]
    assert "variant" not in rows["bert"] and "30 %" in rows["bert/sparse:0.3"]["variant"]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (sparse(1.0), "share"),
        (sparse(-0.1), "share"),
        (sparse(float("nan")), "share"),
        (sparse(score="gradient"), "score"),
        (sparse(scope="block"), "scope"),
        (sparse(seed=-1), "seed"),
        (sparse(batches=0), "batches"),
        ({"variant": {"sparsify": {}}}, "share"),
        ({"variant": {"sparsify": {"share": 0.1, "rate": 1}}}, "rate"),
        ({"variant": {}}, "sparsify"),
        ({"variant": {"prune": {"share": 0.1}}}, "prune"),
        (sparse(score="random", pairs="pairs.csv"), "leave pairs out"),
    ],
)
def test_what_is_wrong_is_said_with_its_key(tmp_path, folders, values, why):
    with pytest.raises(UserError, match=rf"encoders\[1\][^\n]*variant[^\n]*{why}") as told:
        resolved(tmp_path, entry(folders["bert"], **values))
    assert all("encoders[1]" in line for line in str(told.value).splitlines())


def test_encoders_without_layers_are_refused(tmp_path, folders):
    for one in (
        {"source": "classical", "name": "l", "family": "l", "kind": "lsa", **sparse()},
        {"source": "matrix", "path": "x.npy", **sparse()},
        {**LSA, **sparse()},
    ):
        with pytest.raises(UserError, match=r"encoders\[1\].*variant"):
            resolved(tmp_path, one)
    found = resolved(
        tmp_path,
        entry(folders["static"], **sparse()),
        entry(folders["bert"], **sparse(), layer=0, pooling="mean"),
        entry(folders["bert"], **sparse(), layer=1, pooling="mean"),
    )
    assert {one.encoder: one.exception for one in found.unresolved} == {
        "static/sparse:0.3": "wrong entry",
        "bert/L0/mean/sparse:0.3": "wrong entry",
    }
    assert all("sets weights of layers to zero" in one.message for one in found.unresolved)


PAIRS = "sentence1,sentence2\n" + "".join(f"the cat {i},a cat {i}\n" for i in range(20))


def test_pairs_of_a_file_are_known_by_their_content(tmp_path, folders):
    inside = tmp_path / "lists"
    inside.mkdir()
    for place in (tmp_path / "mine.csv", inside / "pairs.csv"):
        place.write_text(PAIRS)
    (inside / "all.yaml").write_text(yaml.safe_dump([entry(folders["bert"], **sparse(pairs="pairs.csv"))]))
    entries = [entry(folders["bert"], **sparse(pairs="mine.csv")), {"source": "list", "path": "lists/all.yaml"}]
    entries[0]["name"] = "direct"
    found = resolved(tmp_path, *entries)
    store = Store(tmp_path / "store")
    assert not (tmp_path / "store/sentences").exists()  # looking writes nothing
    ours = [one for one in found.specs if one.source == "folder"]
    assert len(ours) == 2 and mask_key(ours[0]) == mask_key(ours[1])
    fingerprint = ours[0].variant.sparsify.pairs
    assert str(tmp_path) not in ours[0].model_dump_json(exclude={"path"})
    resolved(tmp_path, *entries, keep_vectors=True)
    assert store.sentences.read(fingerprint)["paired"].to_pylist()[:2] == ["a cat 0", "a cat 1"]
    (tmp_path / "mine.csv").write_text(PAIRS + "one more,another\n")
    changed = resolved(tmp_path, entries[0])
    assert mask_key(changed.specs[-1]) != mask_key(ours[0])
    config = load_config(tmp_path / "config.yaml")
    assert ("encoders[1].variant.sparsify.pairs", "mine.csv") in named(config)
    told = to_make_again(config)["encoders"][1]["variant"]
    assert told == {"sparsify": {"share": 0.3, "batches": 1, "pairs": "mine.csv"}}


def test_a_plan_reads_a_folder_once_for_all_that_is_read_off_it(tmp_path, folders, monkeypatch):
    read, count = folders_module._digest, []
    monkeypatch.setattr(folders_module, "_digest", lambda *args: count.append(args[0]) or read(*args))
    layers = [entry(folders["bert"], layer=layer, pooling="mean") for layer in (0, 1, 2)]
    found = resolved(tmp_path, entry(folders["bert"]), *layers, entry(folders["bert"], **sparse()))
    assert count == [folders["bert"]] and len({spec.revision for spec in found.specs if spec.source == "folder"}) == 1
    resolved(tmp_path, entry(folders["bert"]))
    assert len(count) == 2  # by the next plan again: it may have changed


def test_pairs_that_are_not_there_are_the_configs_fault(tmp_path, folders):
    with pytest.raises(UserError, match=r"encoders\[1\]\.variant\.sparsify\.pairs: .*mine\.csv: no such file"):
        resolved(tmp_path, entry(folders["bert"], **sparse(pairs="mine.csv")))


def test_pairs_begin_in_inputs(tmp_path, folders):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/mine.csv").write_text(PAIRS)
    path = write_config(
        tmp_path, [LSA, entry(folders["bert"], **sparse(pairs="mine.csv"))], inputs=str(tmp_path / "in")
    )
    config = load_config(path)
    with inputs_here(config) as (here, _):
        assert here.encoders[1].pairs_file == str(tmp_path / "in/mine.csv")
    assert resolve(config, Store(config.store)).specs[-1].variant.sparsify.pairs != "mine.csv"


def test_what_it_costs_is_planned(tmp_path, folders):
    found = resolved(tmp_path, entry(folders["bert"]), entry(folders["bert"], **sparse(batches=4)))
    config = load_config(tmp_path / "config.yaml")
    plain, one = found.specs[-2:]
    more = expected_cost(one, {}, 10, 10, config).memory - expected_cost(plain, {}, 10, 10, config).memory
    assert more == 6 * expected_cost(plain, {}, 10, 10, config).parameters
    plan = make_plan(config, Store(config.store), found)
    starts = {work.units[0].spec.name: Times(plan, config).of(work).start for work in plan.passes}
    assert starts["bert/sparse:0.3"] > starts["bert"]


def planned(folder, *entries):
    """The passes of a config by name, with all that embedding one needs."""
    config = load_config(write_config(folder, [LSA, *entries]))
    store = Store(config.store)
    found = resolve(config, store, keep_vectors=True)
    store.sentences.write(found.sentences.fingerprint, found.sentences.to_table())
    plan = make_plan(config, store, found)
    works = {work.units[0].spec.name: work for work in plan.passes}
    return store, works, found.sentences, config.encode


def embedded(store, work, sentences, settings):
    for _ in embed_pass(store, work, sentences, settings, device="cpu"):
        pass
    return store.embeddings.read(work.units[0].key)


def test_share_0_is_the_encoder_itself(tmp_path, folders):
    store, works, *rest = planned(tmp_path, entry(folders["bert"]), entry(folders["bert"], **sparse(0.0)))
    plain, plain_record = embedded(store, works["bert"], *rest)
    none, record = embedded(store, works["bert/sparse:0"], *rest)
    assert np.array_equal(plain.view(np.int32), none.view(np.int32))
    assert record["sparsified"] == {"zeros": 0, "of": record["sparsified"]["of"], "pairs": "dropout"}
    assert "variant" not in plain_record["spec"] and record["spec"]["variant"]["sparsify"]["share"] == 0


def test_a_mask_is_made_once_and_is_what_counts(tmp_path, folders):
    path = tmp_path / "pairs.csv"
    path.write_text(PAIRS)
    store, works, *rest = planned(tmp_path, entry(folders["bert"], name="x", **sparse(pairs="pairs.csv")))
    work = works["x"]
    first, record = embedded(store, work, *rest)
    assert record["sparsified"]["zeros"] == round(0.3 * record["sparsified"]["of"])
    assert record["sparsified"]["pairs"] == "file"
    key = mask_key(work.units[0].spec)
    bits, shapes = store.masks.read(key)
    name = store.masks.name(key)
    assert sum(len(one) for one in bits.values()) * 8 < record["sparsified"]["of"] + 8 * len(bits)  # a bit a weight
    # another mask in its place is taken as it is: it is not made again
    store.masks.write(key, {part: np.zeros_like(one) for part, one in bits.items()}, shapes)
    store.folder.remove(store.embeddings.name(work.units[0].key))
    whole, record = embedded(store, work, *rest)
    assert record["sparsified"]["zeros"] == 0 and not np.array_equal(first, whole)
    # damaged, it is put aside and made again, and what was begun with the old one is gone
    store.folder.path(name).write_bytes(store.folder.read(name)[:-3])
    store.folder.remove(store.embeddings.name(work.units[0].key))
    loaded = Pass(work.units[0].spec.model_copy(update={"variant": None}), rest[0].texts, [()], rest[1], "cpu")
    store.chunks.write(work.key, 0, loaded.chunks[0], loaded.encode(0))
    again, _ = embedded(store, work, *rest)
    assert np.array_equal(again.view(np.int32), first.view(np.int32))
    # of other weights, as by another version of a library
    store.masks.write(key, {f"{part}.x": one for part, one in bits.items()}, {f"{k}.x": v for k, v in shapes.items()})
    store.folder.remove(store.embeddings.name(work.units[0].key))
    again, _ = embedded(store, work, *rest)
    assert np.array_equal(again.view(np.int32), first.view(np.int32))
    assert len(list(store.folder.names("quarantine"))) == 2


def test_without_its_pairs_nobody_is_blamed(tmp_path, folders):
    (tmp_path / "pairs.csv").write_text(PAIRS)
    store, works, *rest = planned(tmp_path, entry(folders["bert"], name="x", **sparse(pairs="pairs.csv")))
    store.folder.remove(f"sentences/{works['x'].units[0].spec.variant.sparsify.pairs}.parquet")
    with pytest.raises(PlaceError, match="pairs .* not in the store"):
        embedded(store, works["x"], *rest)


def test_a_variant_needs_what_makes_it(folders):
    with pytest.raises(ValueError, match="nothing is given that makes it"):
        Pass(spec(folders["bert"], **sparse()), ["a", "b"], [()], SETTINGS, "cpu")


def test_placing_takes_it(tmp_path, folders):
    (tmp_path / "pairs.csv").write_text(PAIRS)
    entries = [entry(folders["bert"], **sparse(pairs="pairs.csv")), entry(folders["bert"], **sparse(score="random"))]
    (tmp_path / "new.yaml").write_text(yaml.safe_dump(entries))
    store, works, sentences, settings = planned(tmp_path, *entries)
    for one in given_in(tmp_path / "new.yaml"):
        name, matrix, _ = one.embedding(sentences.texts, settings, "cpu", lambda *_: None)
        assert np.array_equal(matrix, embedded(store, works[name], sentences, settings)[0])
    plain = embed(spec_of(FolderEntry(source="folder", path=str(folders["bert"]))), sentences.texts, settings, "cpu",
                  lambda *_: None)  # fmt: skip
    assert not np.array_equal(plain, matrix)


def test_a_share_is_written_briefly():
    assert Sparsify(share=0.1).label == "sparse:0.1" and Sparsify(share=0).label == "sparse:0"


@pytest.mark.cluster
def test_a_sweep_killed_and_resumed_makes_each_mask_once(tmp_path, folder_encoder_path):
    own = {"source": "folder", "path": folder_encoder_path, "name": "tiny", "family": "tiny"}
    encoders = [
        own,
        {**own, "name": "half", **sparse(0.5)},
        {**own, "name": "half/L1", "layer": 1, "pooling": "cls", **sparse(0.5)},
        {**own, "name": "half/centred", "transforms": ["center"], **sparse(0.5)},
        {**own, "name": "random", **sparse(0.5, score="random", scope="layer")},
    ]
    tasks = [{"source": "builtin", "include": ["builtin/sts"]}]
    options = {"encode": {"chunk_sentences": 32}, "tasks": tasks}
    (tmp_path / "a").mkdir()
    case = Case(tmp_path / "a", *encoders, **options)
    with Held(case.config, chunk=1, name="tiny") as held:  # an encoder of its own: masks are made beside it or before
        first = subprocess.Popen(
            case.command("sweep"), start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        until(held.reached, 300)
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate()
    masks = {name: os.stat(tmp_path / "a/store" / name).st_mtime_ns for name in case.store.folder.names("masks")}
    second = case.qre("sweep")
    assert second.returncode == 0, second.stdout + second.stderr
    after = {name: os.stat(tmp_path / "a/store" / name).st_mtime_ns for name in case.store.folder.names("masks")}
    assert len(after) == 3 and {name: after[name] for name in masks} == masks
    # other sentences of the same store: cut off in the middle of a sparsified pass, whose mask is there already
    written = yaml.safe_load(case.config.read_text())
    other = tmp_path / "a/other.yaml"
    other.write_text(
        yaml.safe_dump({**written, "name": "u", "export": "more", "sentences": {"source": "builtin", "limit": 300}})
    )
    case.config = other
    with Held(other, chunk=2, name="half") as held:
        third = subprocess.Popen(
            case.command("sweep"), start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        until(held.reached, 300)
        os.killpg(third.pid, signal.SIGKILL)
        third.communicate()
    assert case.qre("sweep").returncode == 0
    assert {name: os.stat(tmp_path / "a/store" / name).st_mtime_ns for name in after} == after
    (tmp_path / "b").mkdir()
    undisturbed = Case(tmp_path / "b", *encoders, **options)
    assert undisturbed.qre("sweep").returncode == 0
    assert content_of(tmp_path / "a/out") == content_of(tmp_path / "b/out")
    table = pd.read_parquet(tmp_path / "a/out/map.parquet").set_index("name")
    assert table["parent"]["half"] == table["parent"]["tiny"] and "50 %" in table["variant"]["half"]
    scores = pd.read_parquet(tmp_path / "a/out/scores.parquet").set_index("name")["score"]
    assert scores["half"] != scores["tiny"]


@pytest.fixture
def folder_encoder_path(tiny_encoder):
    return str(tiny_encoder)

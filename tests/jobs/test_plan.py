"""The plan: what is resolved, what is seen as done, and what is refused before anything runs."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from jobs.config import SweepConfig
from jobs.engine.outcome import too_few
from jobs.planning.plan import make_plan as plan_of
from jobs.planning.plan import shown_rows
from jobs.planning.resolve import resolve
from jobs.planning.shard_folders import shard_folders
from jobs.workers.featurize import ToFeaturize, featurize_batch
from qre.errors import UserError
from qre.store import Failure, Store
from tests.jobs.test_embed import embed_pass


def make_plan(settings, store, **options):
    return plan_of(settings, store, resolve(settings, store), **options)


HASHED = {"source": "catalogue", "name": "classical", "include": ["hash/word*"]}


def config(tmp_path, *encoders, **values) -> SweepConfig:
    encoders = encoders or (HASHED,)
    return SweepConfig.model_validate(
        {
            "name": "t",
            "store": str(tmp_path / "store"),
            "sentences": {"source": "builtin", "limit": 60},
            "encoders": list(encoders),
            **values,
        }
    )


def test_a_fresh_plan(tmp_path):
    settings = config(tmp_path)
    plan = make_plan(settings, Store(settings.store))
    assert len(plan.units) == 12
    assert sum(len(work.units) for work in plan.passes) == 12
    assert not plan.done
    assert not (tmp_path / "store").exists()  # planning writes nothing


def test_a_layer_by_number_and_the_last_are_one_column(tmp_path, tiny_encoder):
    folder = {"source": "folder", "path": str(tiny_encoder), "pooling": "mean"}
    settings = config(tmp_path, HASHED, {**folder, "name": "one", "layer": 1}, {**folder, "name": "last"})
    rows = shown_rows(make_plan(settings, Store(settings.store)).units, settings)
    assert {row["layer"] for row in rows} == {None, "1", "last"}
    pa.Table.from_pandas(pd.DataFrame(rows))


def test_encoders_of_one_pass_are_together_and_the_longest_comes_first(tmp_path, tiny_encoder):
    folder = {"source": "folder", "path": str(tiny_encoder)}
    layers = [{**folder, "name": f"L{layer}", "layer": layer, "pooling": "mean"} for layer in (0, 1, 2)]
    lsa = {"source": "catalogue", "name": "classical", "include": ["lsa/word1-1/tfidf/*"]}
    plan = make_plan(
        config(tmp_path, HASHED, lsa, *layers, sentences={"source": "builtin", "limit": 400}), Store(tmp_path / "store")
    )
    sizes = {work.units[0].spec.family: len(work.units) for work in plan.passes}
    assert sizes["LSA words"] == 5
    assert max(len(work.units) for work in plan.passes if work.units[0].spec.source == "folder") == 3
    names = {work.units[0].spec.family: work.name for work in plan.passes}
    assert names["LSA words"] == "lsa/word1-1/tfidf (5 encoders)"
    (three,) = (work for work in plan.passes if work.name == "L0 and 2 more")
    named = tuple(
        replace(unit, spec=unit.spec.model_copy(update={"name": f"m/{unit.spec.name}"})) for unit in three.units
    )
    assert replace(three, units=named).name == "m (3 readouts)"
    assert "hash/word1-1/count/d256" in {work.name for work in plan.passes}
    seconds = [work.seconds for work in plan.passes]
    assert seconds == sorted(seconds, reverse=True)


def test_what_is_done_is_seen(tmp_path, sentences):
    settings = config(tmp_path, sentences={"source": "builtin", "limit": 200})
    store = Store(settings.store)
    plan = make_plan(settings, store)
    first, second = plan.passes[:2]
    for work in (first, second):
        assert [result.status for result in embed_pass(store, work, sentences, settings.encode)] == ["done"]
    featurize_batch(store, [ToFeaturize(first.units[0].key, "x")], shard_folders(settings, sentences))
    plan = make_plan(settings, store)
    assert len(plan.passes) == 10
    assert [unit.key for unit in plan.to_featurize] == [second.units[0].key]
    assert [unit.key for unit in plan.on_map] == [first.units[0].key]
    # features are enough: who clears the embeddings away to save room loses nothing
    store.folder.remove_folder("embeddings")
    assert len(make_plan(settings, store).passes) == 11


def test_features_of_another_method_are_not_taken(tmp_path, sentences):
    settings = config(tmp_path, sentences={"source": "builtin", "limit": 200})
    store = Store(settings.store)
    work = make_plan(settings, store).passes[0]
    embed_pass(store, work, sentences, settings.encode)
    featurize_batch(store, [ToFeaturize(work.units[0].key, "x")], shard_folders(settings, sentences))
    other = config(tmp_path, sentences={"source": "builtin", "limit": 200}, features={"epsilon": 1e-4})
    assert len(make_plan(other, store).to_featurize) == 1
    assert len(make_plan(other, store).on_map) == 0


def test_failures_are_tried_again_only_when_that_can_help(tmp_path):
    settings = config(tmp_path)
    store = Store(settings.store)
    keys = [unit.key for unit in make_plan(settings, store).units]
    failures = [
        Failure(key=key, encoder="e", kind=kind, exception="E", message="m", when="now")
        for key, kind in zip(keys, ("permanent", "transient"), strict=False)
    ]
    for failure in failures:
        store.failures.write(failure)
    todo = {unit.key for work in make_plan(settings, store).passes for unit in work.units}
    assert todo == set(keys[1:])
    assert set(make_plan(settings, store).failures) == {keys[0]}
    assert len(make_plan(settings, store, retry_failed=True).passes) == 12
    assert set(make_plan(settings, store, given_up={keys[1]: failures[1]}).failures) == set(keys[:2])


def test_one_encoder_under_two_names_is_done_once(tmp_path):
    lsa = {"source": "classical", "family": "f", "kind": "lsa", "rank": 10}
    plan = make_plan(config(tmp_path, HASHED, {**lsa, "name": "a"}, {**lsa, "name": "b"}), Store(tmp_path / "store"))
    assert len(plan.units) == 13
    assert "'b' is the same encoder as 'a'" in plan.notes[-1]


@pytest.mark.parametrize(
    ("encoders", "message"),
    [
        (
            [{**HASHED, "include": ["nothing/*"]}],
            r"encoders\[0\].include: no encoder of catalogue 'classical' matches 'nothing/\*'",
        ),
        ([HASHED, HASHED], "two encoders are named 'hash/word1-1/count/d256'"),
        (
            [HASHED, {"source": "folder", "path": "/no/such/folder"}],
            r"encoders\[1\].path: /no/such/folder: no such folder",
        ),
        ([{**HASHED, "include": ["hash/word1-1/count/*"]}], "3 in all, and a map needs at least 4"),
    ],
)
def test_what_cannot_be_resolved_is_told_at_once(tmp_path, encoders, message):
    with pytest.raises(UserError, match=message):
        make_plan(config(tmp_path, *encoders), Store(tmp_path / "store"))


@pytest.mark.parametrize("entry", [{"id": "org/unheard-of"}, {"query": {"author": "org"}}], ids=["id", "query"])
def test_a_sweep_that_has_not_asked_the_hub_yet_can_be_looked_at(tmp_path, entry):
    settings = config(tmp_path, {"source": "hub", **entry})
    store = Store(settings.store)
    resolved = resolve(settings, store, ask_hub=False)
    (note,) = (note for note in resolved.notes if "asked the hub" in note)
    assert note.count("org/unheard-of" if "id" in entry else "encoders[0].query") == 1
    plan = plan_of(settings, store, resolved)
    assert not plan.units and not plan.failures and not plan.atlas_done
    assert too_few(plan).startswith("0 of 0 encoders")


@pytest.mark.parametrize("relative", [True, False])
def test_of_a_missing_file_it_is_told_where_paths_begin(tmp_path, relative):
    path = "a.txt" if relative else str(tmp_path / "a.txt")
    for settings in (
        config(tmp_path, sentences={"source": "file", "path": path}),
        config(tmp_path, HASHED, {"source": "folder", "path": path}),
    ):
        settings._folder = str(tmp_path)
        with pytest.raises(UserError, match=r"a.txt: no such (file|folder)") as told:
            make_plan(settings, Store(tmp_path / "store"))
        assert ("begins in the folder of the config" in str(told.value)) == relative


def test_sentences_from_a_file(tmp_path):
    (tmp_path / "s.txt").write_text("\n".join(f"sentence number {i}" for i in range(50)))
    plan = make_plan(
        config(tmp_path, sentences={"source": "file", "path": str(tmp_path / "s.txt"), "limit": 40}),
        Store(tmp_path / "store"),
    )
    assert len(plan.sentences) == 40
    with pytest.raises(UserError, match="no such file"):
        make_plan(
            config(tmp_path, sentences={"source": "file", "path": str(tmp_path / "t.txt")}), Store(tmp_path / "store")
        )
    with pytest.raises(UserError, match=r"sentences.limit: .*50000"):
        make_plan(config(tmp_path, sentences={"source": "builtin", "limit": 10**6}), Store(tmp_path / "store"))


def test_the_folders_default_prompt_and_name(tmp_path):
    from tests.conftest import save_tiny_bert

    save_tiny_bert(tmp_path / "prompted", seed=0, prompts={"query": "find: "}, default_prompt_name="query")
    entry = {"source": "folder", "path": str(tmp_path / "prompted")}
    plain = make_plan(config(tmp_path, HASHED, entry), Store(tmp_path / "store")).units[-1].spec
    assert (plain.name, plain.family, plain.prompt) == ("prompted", "prompted", "find: ")
    bare = make_plan(config(tmp_path, HASHED, {**entry, "prompt": ""}), Store(tmp_path / "store")).units[-1].spec
    assert bare.prompt == ""


def test_embeddings_are_float32_in_sentence_order(tmp_path, tiny_encoder, sentences):
    """Chunks are in the order of length; what is stored is in the order of the sentences."""
    from sentence_transformers import SentenceTransformer

    settings = config(
        tmp_path,
        HASHED,
        {"source": "folder", "path": str(tiny_encoder)},
        sentences={"source": "builtin", "limit": 200},
        encode={"token_budget": 256, "chunk_sentences": 20},
    )
    store = Store(settings.store)
    work = next(work for work in make_plan(settings, store).passes if work.units[0].spec.source == "folder")
    embed_pass(store, work, sentences, settings.encode)
    embedding, record = store.embeddings.read(work.units[0].key)
    assert embedding.dtype == np.float32
    assert (
        np.abs(embedding - SentenceTransformer(str(tiny_encoder), device="cpu").encode(list(sentences.texts))).max()
        < 1e-6
    )
    assert record["spec"]["revision"] == work.units[0].spec.revision
    assert "path" not in record["spec"]
    assert record["versions"]["torch"]

"""What a plan tells of encoders that are known to fail, of small sentence sets, and of what is no transformer: before
anything runs."""

import json
import shutil

import numpy as np
import pytest

from jobs.asked.models import embed
from jobs.config import SweepConfig
from jobs.engine.outcome import tolerated
from jobs.engine.simulate import passes_of
from jobs.planning import unfit as foreseen
from jobs.planning.estimates import expected_costs
from jobs.planning.plan import make_plan
from jobs.planning.resolve import record_unresolved, resolve
from qre.encoders.foreseen import Foresight
from qre.encoders.passes import EncodeSettings
from qre.encoders.spec import ClassicalSpec, StaticSpec
from qre.errors import ConstantEmbeddingError, EncoderError, UserError
from qre.features import feature_row
from qre.sentences import builtin_set
from qre.store import Store
from tests.checkpoints import make
from tests.hub import FakeHub
from tests.jobs.test_embed import embed_pass

HASHED = {"source": "catalogue", "name": "classical", "include": ["hash/word*"]}
LSA = {"source": "catalogue", "name": "classical", "include": ["lsa/word1-1/tfidf/*", "sif/w2/*"]}


def truncated(*ranks: int) -> list[dict]:
    """Entries of one pass of LSA, each read off it at a rank."""
    lsa = {"source": "classical", "family": "f", "kind": "lsa", "rank": 384}
    return [{**lsa, "name": f"own {rank}", "transforms": [f"truncate:{rank}"]} for rank in ranks]


def planned(tmp_path, *encoders, limit=60, **values):
    """(config, store, resolved, plan)"""
    config = SweepConfig.model_validate(
        {
            "name": "t",
            "store": str(tmp_path / "store"),
            "sentences": {"source": "builtin", "limit": limit},
            "encoders": [HASHED, *encoders],
            **values,
        }
    )
    store = Store(config.store)
    resolved = resolve(config, store)
    return config, store, resolved, make_plan(config, store, resolved)


def test_what_a_catalogue_has_and_few_sentences_do_not_give_is_left_out_in_one_line(tmp_path):
    config, _, _, plan = planned(tmp_path, LSA)
    told = [note for note in plan.notes if "left out" in note]
    assert len(told) == 1 and told[0].startswith(
        "4 of 11 encoders of catalogue classical cannot be built from only 60 sentences, and are left out: "
        "lsa/word1-1/tfidf/d64, "
    )
    assert told[0].endswith("and 1 more; use at least 385")
    assert {unit.spec.name for unit in plan.units if unit.spec.name.startswith("lsa")} == {"lsa/word1-1/tfidf/d32"}
    assert not plan.failures and tolerated(config.cluster, plan) == ""
    assert not any("left out" in note for note in planned(tmp_path, LSA, limit=400)[3].notes)


def test_where_nothing_is_left_the_same_line_says_why(tmp_path):
    values = {
        "name": "t",
        "store": str(tmp_path / "store"),
        "sentences": {"source": "builtin", "limit": 12},
        "encoders": [{**LSA, "include": ["lsa/*"]}],
    }
    with pytest.raises(
        UserError,
        match="0 in all, and a map needs at least 4; 35 of 35 encoders of catalogue classical cannot be built from "
        "only 12 sentences",
    ):
        resolve(SweepConfig.model_validate(values), Store(tmp_path / "store"))


def test_readouts_that_fit_are_made_and_an_entry_that_does_not_fails_alone(tmp_path):
    own = truncated(16, 59, 60)
    config, store, resolved, plan = planned(tmp_path, *own)
    assert [(one.encoder, one.exception) for one in plan.failures.values()] == [("own 60", "too few sentences")]
    failure = next(iter(plan.failures.values()))
    assert (
        failure.message
        == "rank 60 is more than these sentences give (59); take more sentences: at least 61, with as many different "
        "words"
    )
    assert failure.message.endswith(failure.remedy)
    work = next(work for work in plan.passes if work.units[0].spec.kind == "lsa")
    assert [result.status for result in embed_pass(store, work, builtin_set(60), config.encode)] == ["done", "done"]
    record_unresolved(store, resolved)
    record_unresolved(store, planned(tmp_path, *own, limit=200)[2])  # with more sentences it is no failure any more
    assert not store.failures.read_all()


def test_where_the_plan_cannot_tell_a_readout_that_does_not_fit_fails_alone(tmp_path):
    """As of a large set with few different words: what the plan lets through is found by the pass."""
    own = truncated(16, 100)
    config, store, _, plan = planned(tmp_path, *own, limit=400)
    work = next(work for work in plan.passes if work.units[0].spec.kind == "lsa")
    results = {result.key: result for result in embed_pass(store, work, builtin_set(60), config.encode)}
    assert [results[unit.key].status for unit in work.units] == ["done", "failed"]
    assert "rank 100 is more than these sentences give (59)" in results[work.units[1].key].message


def test_placing_an_encoder_that_does_not_fit_says_so():
    texts, told = builtin_set(60).texts, lambda *_: None
    for k in (32, 64):
        spec = ClassicalSpec(name="a", family="f", kind="lsa", rank=384, transforms=(f"truncate:{k}",))
        if k == 32:
            assert embed(spec, texts, EncodeSettings(), "cpu", told).shape == (60, 32)
        else:
            with pytest.raises(EncoderError, match=r"rank 64 is more than these sentences give \(59\)"):
                embed(spec, texts, EncodeSettings(), "cpu", told)


def test_a_catalogue_whose_package_carries_fewer_dimensions():
    spec = StaticSpec(
        name="s", family="f", package="none", vectors="v", tokenizer="t", revision="0", transforms=("truncate:300",)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(foreseen, "shapes", lambda specs: [{"embedding_dimension": 256}])
        made, notes = foreseen.of_catalogue("demo", [spec], Foresight(["a", "b", "c"]), 3)
    assert not made and notes == ["s is left out: truncate:300 is asked for, and its vectors have 256 dimensions"]


def test_warnings_of_small_sets_come_once(tmp_path):
    for limit, warnings in (
        (60, ["60 sentences are few: the map may look different with others, and the map cannot "]),
        (400, ["400 sentences are few: the map cannot "]),
        (1024, []),
    ):
        notes = planned(tmp_path, limit=limit)[3].notes
        assert [note[: len(words)] for note, words in zip(notes, warnings, strict=True)] == warnings


@pytest.mark.parametrize(
    ("n", "features", "told"), [(2, {"center": True}, True), (3, {"center": True}, False), (2, {}, False)]
)
def test_two_sentences_cannot_be_centred(tmp_path, n, features, told):
    (tmp_path / "s.txt").write_text(
        "\n".join(["The cat sat on the mat.", "A dog barked at the moon.", "It rained all day."][:n])
    )
    config, store, _, plan = planned(
        tmp_path, sentences={"source": "file", "path": str(tmp_path / "s.txt")}, features=features
    )
    assert any(note.startswith(f"every encoder will fail: of {n} sentences") for note in plan.notes) == told
    embedding = np.random.default_rng(0).normal(size=(n, 8)).astype(np.float32)
    if told:
        with pytest.raises(ConstantEmbeddingError):
            feature_row(embedding, config.features)
    else:
        feature_row(embedding, config.features)


def test_a_plan_of_many_sentences_is_not_slowed(tmp_path):
    """By counting calls, not seconds: of 50,000 sentences only so many are analysed as give enough terms."""
    from sklearn.feature_extraction.text import CountVectorizer

    texts, seen = builtin_set(5000).texts, []
    build = CountVectorizer.build_analyzer

    def counting(self):
        analyze = build(self)
        return lambda text: seen.append(text) or analyze(text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CountVectorizer, "build_analyzer", counting)
        (tmp_path / "s.txt").write_text("\n".join(f"{text} {round}" for round in range(10) for text in texts))
        sentences = {"source": "file", "path": str(tmp_path / "s.txt")}
        resolved = resolve(
            SweepConfig.model_validate(
                {
                    "name": "t",
                    "store": str(tmp_path / "store"),
                    "sentences": sentences,
                    "encoders": [{"source": "catalogue", "name": "classical"}],
                }
            ),
            Store(tmp_path / "store"),
        )
    assert len(resolved.sentences) == 50_000 and len(resolved.specs) == 95 and len(seen) < 2500


def test_layers_and_dimensions_that_a_folder_does_not_have(tmp_path, tiny_encoder):
    folder = {"source": "folder", "path": str(tiny_encoder)}
    plan = planned(
        tmp_path,
        {**folder, "name": "ninety-nine", "layer": 99, "pooling": "mean"},
        {**folder, "name": "last", "layer": 2, "pooling": "mean"},
        {**folder, "name": "wide", "truncate_dim": 4096},
        {**folder, "name": "wide layer", "layer": 1, "pooling": "cls", "transforms": ["truncate:4096"]},
        {**folder, "name": "whole"},
        limit=200,
    )[3]
    told = {one.encoder: f"{one.exception}: {one.message}" for one in plan.failures.values()}
    assert set(told) == {"ninety-nine", "wide", "wide layer"}
    assert (
        told["ninety-nine"]
        == "wrong entry: layer 99 is asked for; this encoder has hidden states 0 to 2; give a layer from 0 to 2"
    )
    assert "truncate:4096 is asked for, and its vectors have" in told["wide"] and "give at most" in told["wide layer"]
    assert {unit.spec.name for unit in plan.units if unit.spec.source == "folder"} == {"last", "whole"}


def test_layers_of_an_encoder_of_the_hub(tmp_path, monkeypatch):
    config = {"model_type": "distilbert", "dim": 768, "n_layers": 6}
    modules = [
        {"type": f"sentence_transformers.models.{kind}", "path": path}
        for kind, path in (("Transformer", ""), ("Pooling", "1_Pooling"))
    ]
    files = {
        "modules.json": json.dumps(modules).encode(),
        "config.json": json.dumps(config).encode(),
        "model.safetensors": 260_000_000,
        "1_Pooling/config.json": b'{"word_embedding_dimension": 768, "pooling_mode_mean_tokens": true}',
    }
    with FakeHub() as hub:
        hub.adopt(monkeypatch, tmp_path / "home")
        hub.add("a/distil", files=files)
        one = {"source": "hub", "id": "a/distil"}
        entries = [
            {**one, "layer": 6, "pooling": "mean"},
            {**one, "layer": 7, "pooling": "mean"},
            {**one, "truncate_dim": 1024},
            {**one, "truncate_dim": 256},
        ]
        *_, first = planned(tmp_path, *entries)
        *_, again = planned(tmp_path, *entries)
        assert not any("model.safetensors" in path for method, path in hub.requests if method == "GET")
    for plan in (first, again):
        assert sorted(one.encoder for one in plan.failures.values()) == ["a/distil/L7/mean", "a/distil/truncate:1024"]


def test_broken_weights_of_a_folder_are_its_own_failure(tmp_path, tiny_encoder):
    shutil.copytree(tiny_encoder, tmp_path / "cut")
    weights = tmp_path / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4000])
    plan = planned(tmp_path, {"source": "folder", "path": str(tmp_path / "cut")})[3]
    assert [(one.encoder, one.exception) for one in plan.failures.values()] == [("cut", "broken weights")]
    assert len(plan.units) == 12


def test_static_and_classical_encoders_are_no_transformers(tmp_path, tiny_encoder):
    static = make("static", tmp_path / "static")
    config, _, _, plan = planned(
        tmp_path, {"source": "folder", "path": str(static)}, {"source": "folder", "path": str(tiny_encoder)}, limit=200
    )
    costs = expected_costs(plan, config)
    assert (costs["passes"], costs["static"], costs["classical"]) == (1, 1, 12)
    assert [row["name"] for row in costs["each"]] == [tiny_encoder.name]
    assert len(passes_of(plan, config, "L4")) == 1
    seconds = {work.units[0].spec.name: work.seconds for work in plan.passes}
    assert seconds["static"] == pytest.approx(5e-5 * 200)

"""One pass without Ray: chunks that are kept, faults that are told apart."""

import numpy as np
import pytest

from jobs.config import SweepConfig
from jobs.planning.plan import make_plan
from jobs.planning.resolve import resolve
from jobs.workers.embed import Embedded
from jobs.workers.embed import embed_pass as embed_events
from jobs.workers.events import UnitResult
from jobs.workers.featurize import ToFeaturize, featurize_batch
from qre.encoders.passes import Pass
from qre.features import FeatureMethod
from qre.store import Store


@pytest.fixture
def case(tmp_path, tiny_encoder):
    """A pass of three encoders in at least eight chunks."""
    folder = {"source": "folder", "path": str(tiny_encoder), "layer": 1, "pooling": "mean"}
    entries = [
        {"source": "catalogue", "name": "classical", "include": ["hash/word*"]},
        {**folder, "name": "plain"},
        {**folder, "name": "white", "transforms": ["whiten"]},
        {**folder, "name": "last", "layer": 2, "pooling": "cls"},
    ]
    config = SweepConfig.model_validate(
        {
            "name": "t",
            "store": str(tmp_path / "store"),
            "sentences": {"source": "builtin", "limit": 200},
            "encoders": entries,
            "encode": {"token_budget": 256, "chunk_sentences": 25},
        }
    )
    store = Store(config.store)
    work = next(work for work in make_plan(config, store, resolve(config, store)).passes if len(work.units) == 3)
    return store, work, config.encode


def embed_pass(*arguments) -> list[UnitResult]:
    """The results of all events of a pass."""
    events = list(embed_events(*arguments))
    return [
        event.result if isinstance(event, Embedded) else event
        for event in events
        if isinstance(event, (Embedded, UnitResult))
    ]


class Killed(BaseException):
    """Stands for a kill: nothing in the code under test may catch it."""


def test_a_pass_that_is_cut_off_goes_on_at_its_chunk(case, sentences, monkeypatch, tmp_path):
    store, work, settings = case
    undisturbed = Store(tmp_path / "undisturbed")
    embed_pass(undisturbed, work, sentences, settings)
    encode, calls = Pass.encode, []

    def cut_off(self, chunk):
        calls.append(chunk)
        if len(calls) == 4:
            raise Killed
        return encode(self, chunk)

    monkeypatch.setattr(Pass, "encode", cut_off)
    with pytest.raises(Killed):
        embed_pass(store, work, sentences, settings)
    assert store.chunks.counts()[work.key] == 3
    results = embed_pass(store, work, sentences, settings)
    assert [result.status for result in results] == ["done"] * 3
    assert calls[:4] == [0, 1, 2, 3]
    assert calls[4:] == list(range(3, 3 + len(calls[4:])))  # chunks 0, 1 and 2 are not encoded again
    assert store.chunks.counts()[work.key] == 0
    for unit in work.units:
        assert np.array_equal(store.embeddings.read(unit.key)[0], undisturbed.embeddings.read(unit.key)[0])


def test_a_damaged_chunk_is_made_again(case, sentences, monkeypatch):
    store, work, settings = case
    encode = Pass.encode

    def stop_at_three(self, chunk):
        if chunk == 3:
            raise Killed
        return encode(self, chunk)

    monkeypatch.setattr(Pass, "encode", stop_at_three)
    with pytest.raises(Killed):
        embed_pass(store, work, sentences, settings)
    path = store.folder.path(store.chunks.name(work.key, 1))
    path.write_bytes(path.read_bytes()[:-9])
    monkeypatch.setattr(Pass, "encode", encode)
    assert {result.status for result in embed_pass(store, work, sentences, settings)} == {"done"}
    assert len(list(store.folder.names("quarantine"))) == 1


def test_a_full_disk_is_not_the_encoders_fault(case, sentences, monkeypatch):
    store, work, settings = case

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.folder, "write", full)
    with pytest.raises(OSError, match="No space left"):
        embed_pass(store, work, sentences, settings)


def test_an_encoder_that_does_not_load_is_its_own_fault(case, sentences):
    store, work, settings = case
    unit = work.units[0]
    deeper = type(unit)(unit.key, unit.parent, unit.spec.model_copy(update={"layer": 99}))
    results = embed_pass(store, type(work)(work.key, (deeper,), 1.0), sentences, settings)
    assert [result.status for result in results] == ["failed"]
    assert "99" in results[0].message


def test_a_folder_that_is_not_on_this_node_is_the_nodes_fault(case, sentences, tmp_path):
    store, work, settings = case
    unit = work.units[0]
    gone = type(unit)(unit.key, unit.parent, unit.spec.model_copy(update={"path": str(tmp_path / "unmounted")}))
    with pytest.raises(FileNotFoundError, match="unmounted"):
        embed_pass(store, type(work)(work.key, (gone,), 1.0), sentences, settings)


def test_one_bad_transform_fails_one_unit(case, sentences):
    store, work, settings = case
    bad = work.units[1]
    bad = type(bad)("e" * 64, bad.parent, bad.spec.model_copy(update={"transforms": ("truncate:999",)}))
    results = embed_pass(store, type(work)(work.key, (work.units[0], bad, work.units[2]), 1.0), sentences, settings)
    assert [result.status for result in results] == ["done", "failed", "done"]
    assert "truncate:999 of an embedding with 32 dimensions" in results[1].message


def test_features_of_a_bad_embedding(tmp_path):
    store = Store(tmp_path)
    good, nan, cut, gone = (letter * 64 for letter in "abcd")
    matrix = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
    for key in (good, nan, cut):
        store.embeddings.write(key, np.where(np.arange(20)[:, None] == 7, np.nan, matrix) if key == nan else matrix, {})
    path = store.folder.path(store.embeddings.name(cut))
    path.write_bytes(path.read_bytes()[:100])
    units = [ToFeaturize(good, "good"), ToFeaturize(nan, "nan"), ToFeaturize(cut, "cut"), ToFeaturize(gone, "gone")]
    results = featurize_batch(store, units, {"m": FeatureMethod()})
    status = {result.key: result for result in results}
    assert status[good].status == "done"
    assert status[nan].status == "failed"
    assert "encoder 'nan'" in status[nan].message
    assert "row 7" in status[nan].message
    assert status[cut].status == status[gone].status == "absent"
    assert store.features.keys("m") == {good}

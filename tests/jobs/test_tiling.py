"""How encoders are cut into tiles: every pair once, bounded, and the same blocks when others are added at the end."""

import numpy as np
import pytest

from jobs.pairing import tiling
from jobs.pairing.tiling import tiles
from jobs.planning.units import Unit
from qre.encoders.spec import ClassicalSpec
from qre.features import FeatureMethod
from qre.store import Store

N = 1000


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def units(store: Store, dimensions) -> list[Unit]:
    """Units whose embeddings, of these dimensions, are in the store."""
    made = []
    for i, d in enumerate(dimensions):
        key = f"{i:064x}"
        store.embeddings.write(key, np.zeros((N, d), np.float32), {})
        made.append(Unit(key, "p", ClassicalSpec(name=f"e{i}", family="f", kind="sif")))
    return made


def test_every_pair_is_in_one_tile(store):
    made = units(store, [8] * 7)
    seen = np.zeros((7, 7), int)
    for work in tiles(store, made, FeatureMethod(), N, 3):
        a, b = (slice(start, start + many) for start, many in zip(work.starts, work.shape, strict=True))
        seen[a, b] += 1
        if work.first != work.second:
            seen[b, a] += 1
    assert (seen == 1).all()


def test_blocks_are_bounded_in_bytes_and_a_large_encoder_is_one(store, monkeypatch):
    monkeypatch.setattr(tiling, "BLOCK_BYTES", 8 * N * 20)
    works = tiles(store, units(store, [8, 8, 8, 40, 4, 4]), FeatureMethod(), N, 64)
    blocks = {work.starts[0]: work.shape[0] for work in works}
    assert blocks == {0: 2, 2: 1, 3: 1, 4: 2}


def test_encoders_that_are_added_leave_full_blocks_and_the_method_counts_without_its_direction(store):
    made = units(store, [8] * 7)
    before = {work.key for work in tiles(store, made[:6], FeatureMethod(), N, 3)}
    after = {work.key for work in tiles(store, made, FeatureMethod(), N, 3)}
    assert len(before) == 3 and before < after
    assert before == {work.key for work in tiles(store, made[:6], FeatureMethod(direction="base_second"), N, 3)}
    assert before.isdisjoint(work.key for work in tiles(store, made[:6], FeatureMethod(epsilon=1e-5), N, 3))

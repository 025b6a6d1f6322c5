"""Items of scores in the store: bits and numbers, the same bytes each time, and never in the way of a score."""

import numpy as np
import pytest

from qre.store import Store

TASK, KEY, OTHER = "ab" * 32, "cd" * 32, "ef" * 32
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    "items",
    [RNG.random(37), RNG.random(3) > 0.5, RNG.random((10, 333)) > 0.5, np.zeros(0)],
    ids=["numbers", "bits", "rows of bits", "none"],
)
def test_what_is_written_is_read(store, items):
    store.items.write(TASK, KEY, items)
    read = store.items.read(TASK, [KEY, OTHER, KEY])
    assert list(read) == [KEY]
    assert np.array_equal(read[KEY], items) and read[KEY].dtype == items.dtype
    before = store.folder.read(store.items.name(TASK, KEY))
    store.items.write(TASK, KEY, items)
    assert store.folder.read(store.items.name(TASK, KEY)) == before
    assert len(before) < 450 + (items.nbytes if items.dtype == np.float64 else items.size / 8 + 1)


@pytest.mark.parametrize("how", ["cut", "changed", "empty", "of another score", "of another task"])
def test_damaged_items_count_as_absent_and_are_put_away(store, how):
    store.items.write(TASK, KEY, RNG.random(5))
    store.items.write(TASK, OTHER, RNG.random(5))
    name = store.items.name(TASK, KEY)
    whole = store.folder.read(name)
    store.items.write(OTHER, KEY, RNG.random(5))
    changed = {
        "cut": whole[:-4],
        "changed": whole[:-1] + bytes([whole[-1] ^ 1]),
        "empty": b"",
        "of another score": store.folder.read(store.items.name(TASK, OTHER)),
        "of another task": store.folder.read(store.items.name(OTHER, KEY)),
    }
    store.folder.write(name, changed[how])
    fresh = Store(store.location)
    assert list(fresh.items.read(TASK, [KEY, OTHER])) == [OTHER]
    assert not fresh.folder.exists(name) and len(list(fresh.folder.names("quarantine"))) == 1
    fresh.items.write(TASK, KEY, np.ones(5))
    assert np.array_equal(fresh.items.read(TASK, [KEY])[KEY], np.ones(5))

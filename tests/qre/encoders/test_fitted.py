"""Fitted transforms as arrays and in files: the same bits, whoever applies them; and what is no such file."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from qre import fit_transforms, load_transforms, save_transforms
from qre.encoders.fitted import LEARNED, FittedTransforms
from qre.encoders.spec import TRANSFORMS
from qre.encoders.transforms import needs_fit
from qre.errors import UserError
from qre.store import CorruptArtefact, Store

ROOT = Path(__file__).parents[3]
KEY = "ab" * 32
CHAINS = [
    ("whiten",),
    ("whiten:4", "normalize"),
    ("truncate:8", "standardize", "int8"),
    ("all_but_the_top:2", "center"),
    ("truncate:5", "normalize", "binary"),
    (),
]


@pytest.fixture
def embedding():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(300, 12)) @ rng.normal(size=(12, 12)) + 3).astype(np.float32)


def test_every_transform_says_what_it_learns():
    assert LEARNED.keys() == {one.partition(":")[0] for one in TRANSFORMS}
    assert all(bool(learned) == needs_fit((name,)) for name, learned in LEARNED.items())


@pytest.mark.parametrize("transforms", CHAINS, ids="+".join)
def test_saved_and_loaded_it_gives_the_same_bits(embedding, transforms, tmp_path):
    fitted = fit_transforms(embedding, transforms)
    save_transforms(fitted, tmp_path / "one.safetensors")
    loaded = load_transforms(tmp_path / "one.safetensors")
    assert loaded.transforms == transforms and loaded.dimension == 12
    for rows in (1, 7, 300):
        assert loaded.apply(embedding[:rows]).tobytes() == fitted.apply(embedding[:rows]).tobytes()
    save_transforms(fit_transforms(embedding.copy(), transforms), tmp_path / "two.safetensors")
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()
    kept = {name: array.dtype for name, array in loaded.arrays().items()}
    assert kept == {name: array.dtype for name, array in fitted.arrays().items()}
    assert all(dtype in (np.float64, np.bool_) for name, dtype in kept.items() if not name.endswith(("least", "steps")))


def test_of_other_vectors_it_is_refused(embedding):
    with pytest.raises(ValueError, match="12 dimensions, applied to .*11"):
        fit_transforms(embedding, ("center",)).apply(embedding[:, :11])
    with pytest.raises(ValueError, match="not those of these transforms"):
        FittedTransforms.of_arrays(("whiten",), 12, fit_transforms(embedding, ("center",)).arrays())


def test_what_is_no_whole_file_is_refused(embedding, tmp_path):
    path = tmp_path / "fit.safetensors"
    with pytest.raises(UserError, match="fit.safetensors: no such file"):
        load_transforms(path)
    save_transforms(fit_transforms(embedding, ("whiten",)), path)
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[-3] ^= 1
    for content in (whole[:-4], bytes(changed), b"", b"not one", whole.replace(b'[\\"whiten\\"]', b'[\\"center\\"]')):
        path.write_bytes(content)
        with pytest.raises(UserError, match="not a whole file of fitted transforms"):
            load_transforms(path)
    path.write_bytes(whole.replace(b'\\"schema\\": 1', b'\\"schema\\": 9'))
    with pytest.raises(UserError, match="newer version"):
        load_transforms(path)


def test_a_store_keeps_what_was_learned(embedding, tmp_path):
    store = Store(tmp_path)
    fitted = fit_transforms(embedding, ("whiten", "int8"))
    store.fits.write(KEY, fitted.transforms, fitted.dimension, fitted.arrays())
    assert store.fits.keys() == {KEY}
    again = FittedTransforms.of_arrays(*store.fits.read(KEY))
    assert again.apply(embedding).tobytes() == fitted.apply(embedding).tobytes()
    with pytest.raises(FileNotFoundError):
        store.fits.read("cd" * 32)
    store.folder.write(store.fits.name("cd" * 32), store.folder.read(store.fits.name(KEY)))
    with pytest.raises(CorruptArtefact, match="holds another fit"):
        store.fits.read("cd" * 32)


def test_the_example_of_the_docs_runs(embedding, tmp_path, monkeypatch):
    page = (ROOT / "docs/python.md").read_text()
    (example,) = (code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "save_transforms" in code)
    monkeypatch.chdir(tmp_path)

    class Model:
        def encode(self, texts):
            return embedding[: len(texts)]

    exec(example, names := {"model": Model(), "corpus": ["a text"] * 300, "query": "how?"})
    assert json.dumps(names["vector"].shape) == "[1, 12]"
    assert np.array_equal(names["vector"], fit_transforms(embedding, ("whiten",)).apply(embedding[:1]))

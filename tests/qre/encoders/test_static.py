"""The static encoder that a package carries: its vectors are those of the package's own function, and what is not there
is told."""

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest

from qre.encoders import catalogue
from qre.encoders.passes import EncodeSettings, Pass, pass_key, unit_key
from qre.encoders.spec import StaticSpec
from qre.encoders.static import static_files, static_revision
from qre.errors import EncoderError, PlaceError
from qre.sentences import builtin_set

TEXTS = (*builtin_set(200).texts, "Ünïcode, 日本語 and 🙂!", " two  spaces ", "x" * 3000)
installed = pytest.mark.skipif(
    importlib.util.find_spec("wordllama") is None, reason="wordllama is not installed: pip install -e '.[demo]'"
)


def spec(**values) -> StaticSpec:
    package, vectors, tokenizer = catalogue.WORDLLAMA
    known = {
        "package": package,
        "vectors": vectors,
        "tokenizer": tokenizer,
        "revision": static_revision(*catalogue.WORDLLAMA),
    }
    return StaticSpec(name="wordllama", family="wordllama", **{**known, **values})


@installed
def test_vectors_are_those_of_the_package_itself():
    import wordllama

    own = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True).embed(list(TEXTS))
    loaded = Pass(spec(), TEXTS, [()], EncodeSettings())
    assert np.abs(loaded.encode_texts(TEXTS)["default"] - own).max() < 1e-6
    assert np.array_equal(loaded.over(TEXTS[:7]).encode(0)["default"], loaded.encode(0)["default"][:7])
    assert loaded.record["attributes"]["parameters"] == 32000 * 256
    loaded.close()


@installed
def test_a_text_without_a_vector_is_named():
    with pytest.raises(EncoderError, match=r"sentence 1 \(''\) has no token"):
        Pass(spec(), ("one", ""), [()], EncodeSettings()).encode(0)


@installed
def test_its_content_is_its_identity_wherever_it_lies(monkeypatch, tmp_path):
    package, vectors, tokenizer = catalogue.WORDLLAMA
    for path, name in zip(static_files(*catalogue.WORDLLAMA), (vectors, tokenizer), strict=True):
        (tmp_path / "elsewhere" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "elsewhere" / name)
    monkeypatch.syspath_prepend(tmp_path)
    moved = spec(package="elsewhere", revision=static_revision("elsewhere", vectors, tokenizer))
    keys = {
        unit_key(one, "f", EncodeSettings(token_budget=budget)) for one in (spec(), moved) for budget in (512, 1024)
    }
    assert len(keys) == 1  # nothing is batched, so the budget moves no bit
    cut = spec(transforms=("truncate:64",))
    assert (
        pass_key(cut, "f", EncodeSettings()) == pass_key(spec(), "f", EncodeSettings())
        and unit_key(cut, "f", EncodeSettings()) not in keys
    )
    with open(tmp_path / "elsewhere" / vectors, "ab") as file:
        file.write(b"x")
    with pytest.raises(PlaceError, match="other vectors than were planned with; install the same version everywhere"):
        Pass(moved, ("one",), [()], EncodeSettings())


def test_a_package_that_is_not_there_is_told(monkeypatch, tmp_path):
    with pytest.raises(PlaceError, match="nowhere_to_be_found is not installed on this machine"):
        static_revision("nowhere_to_be_found", "a", "b")
    (tmp_path / "hollow").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PlaceError, match="no such file; this version of the package hollow"):
        static_revision("hollow", "weights/a.safetensors", "b.json")
    monkeypatch.setattr(catalogue, "WORDLLAMA", ("nowhere_to_be_found", "a", "b"))
    specs, notes = catalogue.wordllama()
    assert specs == [] and ".[demo]" in notes[0]
    everything, told = catalogue.demo()
    assert everything and notes[0] in told


@installed
def test_the_catalogue_has_it_by_dimension_and_transform():
    specs, notes = catalogue.wordllama()
    assert not notes and len({one.name for one in specs}) == len(specs) == 9
    assert {one.family for one in specs} == {"wordllama"} and len(
        {pass_key(one, "f", EncodeSettings()) for one in specs}
    ) == 1

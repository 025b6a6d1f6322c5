"""Passes over texts that are not their sentences."""

import numpy as np
import pytest

from qre.encoders import classical
from qre.encoders.classical import embed_classical
from qre.encoders.folders import folder_revision
from qre.encoders.passes import EncodeSettings, Pass
from qre.encoders.spec import ClassicalSpec, FolderSpec
from qre.errors import EncoderError

OTHERS = [
    "the red cat sings in the night .",
    "a dog",
    "the farmer likes the old boat under the river . " * 3,
    "a dog",
    "!",
]
READOUTS = [(), (1, "mean"), (2, "cls"), ("last", "max"), (7, "mean")]


@pytest.fixture
def folder(tiny_encoder):
    def spec(**values):
        return FolderSpec(
            name="tiny", family="tiny", path=str(tiny_encoder), revision=folder_revision(tiny_encoder), **values
        )

    return spec


def test_a_transformer_encodes_other_texts_as_its_sentences(folder, sentences):
    texts = list(sentences.texts)
    loaded = Pass(folder(prompt="query: "), texts[:150], READOUTS, EncodeSettings(token_budget=200), "cpu")
    direct = Pass(folder(prompt="query: "), [*OTHERS, *texts[150:]], READOUTS, EncodeSettings(token_budget=200), "cpu")
    vectors = loaded.encode_texts([*OTHERS, *texts[150:]])
    assert set(vectors) == {"default", "1-mean", "2-cls", "last-max"} and set(loaded.refused) == {"7-mean"}
    for index, rows in enumerate(
        direct.chunks
    ):  # the same texts, budget and prompt make the same batches: the same bits
        for name, expected in direct.encode(index).items():
            assert vectors[name].dtype == np.float32 and np.array_equal(vectors[name][rows], expected)
    assert np.array_equal(vectors["default"][1], vectors["default"][3])


def test_encoding_other_texts_leaves_the_sentences_alone(folder, sentences):
    loaded = Pass(folder(), sentences.texts, [()], EncodeSettings(), "cpu")
    before = loaded.encode(0)["default"]
    loaded.encode_texts(OTHERS)
    assert np.array_equal(loaded.encode(0)["default"], before)
    again = loaded.encode_texts([sentences.texts[row] for row in loaded.chunks[0]])["default"]
    assert np.allclose(again, before, atol=1e-6)


def test_the_prompt_is_put_before_other_texts_too(folder, sentences):
    plain, prompted = (
        Pass(folder(prompt=prompt), sentences.texts[:2], [()], EncodeSettings(), "cpu") for prompt in ("", "the cat ")
    )
    expected = plain.encode_texts(["the cat " + text for text in OTHERS])["default"]
    assert np.allclose(prompted.encode_texts(OTHERS)["default"], expected, atol=1e-6)
    assert not np.allclose(plain.encode_texts(OTHERS)["default"], expected, atol=1e-2)


@pytest.mark.parametrize("kind", ["hashed", "lsa", "projection", "sif"])
def test_a_classical_encoder_is_fitted_when_it_is_asked(kind, sentences):
    """Of a resumed pass all chunks may be kept: then nothing was encoded before."""
    spec = ClassicalSpec(name="a", family="f", kind=kind, rank=20, weighting="count" if kind == "hashed" else "tfidf")
    resumed, whole = (Pass(spec, sentences.texts, [()], EncodeSettings()) for _ in range(2))
    assert np.array_equal(whole.encode(0)["default"], embed_classical(spec, sentences.texts))
    vectors = resumed.encode_texts(OTHERS)["default"]
    assert vectors.shape == (5, 20) and vectors.dtype == np.float32
    assert np.array_equal(vectors, whole.encode_texts(OTHERS)["default"])
    assert np.array_equal(vectors, embed_classical(spec, OTHERS, corpus=sentences.texts))


def test_a_classical_encoder_is_fitted_once(sentences, monkeypatch):
    fits = []
    fit = classical.fit_classical
    monkeypatch.setattr(classical, "fit_classical", lambda *args: fits.append(args) or fit(*args))
    loaded = Pass(ClassicalSpec(name="a", family="f", kind="lsa", rank=20), sentences.texts, [()], EncodeSettings())
    assert not fits  # loading a resumed pass costs no fit
    loaded.encode(0), loaded.encode_texts(OTHERS), loaded.encode_texts(OTHERS)
    assert len(fits) == 1


def test_a_fit_that_fails_is_the_encoders_fault(sentences):
    loaded = Pass(ClassicalSpec(name="a", family="f", kind="sif", rank=5000), sentences.texts, [()], EncodeSettings())
    with pytest.raises(EncoderError, match="rank 5000 is more"):
        loaded.encode_texts(OTHERS)

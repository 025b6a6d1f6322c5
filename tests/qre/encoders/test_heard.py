"""What libraries warn of while loading: kept, without paths and without being printed; what can change a number
fails."""

import json
import logging
import threading
import warnings

import numpy as np
import pytest

from qre.encoders.heard import Heard, listening
from qre.encoders.spec import FolderSpec
from qre.encoders.transformer import TransformerPass
from qre.errors import EncoderError
from tests.checkpoints import make, make_odd
from tests.pipelines import make_pipeline


def record(path, texts) -> dict:
    spec = FolderSpec(name="a", family="f", path=str(path), revision="0" * 64)
    return TransformerPass(spec, list(texts[:20]), [()], token_budget=300).record


def change(file, **values) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


@pytest.fixture
def dense(tmp_path):
    return make("dense", tmp_path / "dense")


def test_nothing_is_said_of_a_plain_encoder(dense, sentences, capfd):
    assert record(dense, sentences.texts)["warnings"] == []
    assert capfd.readouterr().err == ""  # no warning, and no progress bar


def test_what_changes_no_number_is_kept_each_time_and_not_printed(dense, sentences, capfd):
    change(dense / "config_sentence_transformers.json", __version__={"sentence_transformers": "99.0.0"})
    for _ in range(2):  # a library that warns once in a process is heard in the second load too
        (said,) = record(dense, sentences.texts)["warnings"]
        assert (
            said.startswith("This model was created with Sentence Transformers version 99.0.0")
            and str(dense) not in said
        )
    assert "99.0.0" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("file", "values", "message"),
    [("2_Dense/config.json", {"scaling": 2.0}, r"Ignoring unrecognized Dense config key\(s\) \['scaling'\]")],
)
def test_what_can_change_a_number_fails(dense, sentences, file, values, message):
    change(dense / file, **values)
    with pytest.raises(EncoderError, match=message) as told:
        record(dense, sentences.texts)
    assert str(told.value).startswith("a library warned while loading of what may change its numbers: ") and str(
        dense.parent
    ) not in str(told.value)


def test_a_folder_that_would_be_given_mean_pooling(tmp_path, sentences):
    with pytest.raises(EncoderError, match="no modules.json"):
        record(make_odd("no-modules-json", tmp_path / "plain"), sentences.texts)


def test_the_towers_of_images_say_what_does_not_concern_text(tmp_path, sentences):
    said = record(make_pipeline("clip", tmp_path / "clip"), sentences.texts)["warnings"]
    assert not [text for text in said if "ImageProcessor" not in text]


@pytest.mark.parametrize(
    "text",
    [
        "Some weights of X were not initialized from the model checkpoint and are newly initialized: ['pooler.weight']",
        "No sentence-transformers model found with name x. Creating a new one with mean pooling.",
        "The tokenizer class you load from this checkpoint is not the same type as the class this function is called "
        "from.",
        "The tokenizer you are loading with an incorrect regex pattern: this will lead to incorrect tokenization.",
        "You are using a model of type bert to instantiate a model of type nomic_bert.",
        "The model config specifies `is_causal=False`, but the installed version may not support it; it may be "
        "silently ignored",
        "Unrecognized keys in `rope_parameters`: {'attn_factor'}",
        "Converting from SentencePiece failed, so a tokenizer of another kind is made",
        "`scale` is deprecated and ignored",  # deprecated, and yet it changes a number
        "Could not find the vocabulary; a default one is taken",
    ],
)
def test_words_that_tell_of_another_encoder_than_stated(text):
    heard = Heard()
    heard.add(text)
    assert heard.harmful and not heard.shown


@pytest.mark.parametrize(
    "text",
    [
        "`torch_dtype` is deprecated! Use `dtype` instead!",
        "flash_attn is not installed, falling back to eager attention",
        "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers "
        "greater than 1",
        "This is a friendly note that no list knows",
        "A new version of the following files was downloaded from org/name: modeling.py. Make sure that they cannot "
        "do harm.",
    ],
)
def test_words_that_are_shown(text):
    heard = Heard()
    heard.add(text)
    assert heard.shown == [text] and not heard.harmful
    heard.add(text)
    assert heard.shown == [text]


def test_paths_and_colours_are_left_out_and_long_words_cut():
    heard = Heard()
    heard.add(
        "\x1b[1mnote\x1b[0m of /home/someone/models/tiny/file.json,\n see https://example.org/a/b/c and /data/tiny",
        places=("/data/tiny",),
    )
    heard.add("x" * 1000)
    assert heard.shown == [
        "note of file.json, see https://example.org/a/b/c and the encoder's folder",
        "x" * 297 + "...",
    ]


def test_python_warnings_and_loggers_are_heard_and_put_back(capfd):
    logger = logging.getLogger("transformers.some.part")
    library = logging.getLogger("transformers")
    before = (library.handlers[:], library.level, library.propagate)
    with listening() as heard:
        warnings.warn("a note", UserWarning, stacklevel=1)
        warnings.warn("old, ignored in the next version", DeprecationWarning, stacklevel=1)
        logger.warning("another %s", "note")
        logger.info("not this")
        other = threading.Thread(target=logger.warning, args=("could not fetch the next encoder",))
        other.start()
        other.join()
        library.setLevel(logging.ERROR)
        library.setLevel(logging.WARNING)
    assert sorted(heard.shown) == ["a note", "another note", "old, ignored in the next version"]
    assert (library.handlers, library.level, library.propagate) == before
    assert "note" not in "".join(capfd.readouterr())
    with pytest.raises(ZeroDivisionError), listening() as heard:
        logger.warning("said before it broke")
        raise ZeroDivisionError
    assert heard.shown == ["said before it broke"] and library.handlers == before[0]


def test_vectors_are_those_of_a_load_that_nobody_listens_to(dense, sentences):
    from sentence_transformers import SentenceTransformer

    texts = list(sentences.texts[:20])
    loaded = TransformerPass(
        FolderSpec(name="a", family="f", path=str(dense), revision="0" * 64), texts, [()], token_budget=10_000
    )
    expected = SentenceTransformer(str(dense), device="cpu").encode(texts)
    assert np.abs(loaded.encode(np.arange(20))[()] - expected).max() < 1e-6

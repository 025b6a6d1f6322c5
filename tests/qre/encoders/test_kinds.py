"""Every kind of checkpoint through our path: what sentence-transformers' own encode gives, to 1e-6, and the same bits
twice."""

from pathlib import Path

import numpy as np
import pytest

from qre.encoders.folders import folder_prompts, folder_revision
from qre.encoders.passes import EncodeSettings, Pass, readout_name
from qre.encoders.spec import FolderSpec
from qre.encoders.transformer import TransformerPass
from qre.errors import EncoderError
from tests.checkpoints import KINDS, MARKER, make, make_odd


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("kinds")
    return {kind: make(kind, root / kind) for kind in KINDS}


def spec(path, **values) -> FolderSpec:
    values = {"prompt": folder_prompts(path)[1], **values}
    return FolderSpec(name="a", family="f", path=str(path), revision=folder_revision(path), **values)


def embed(one: FolderSpec, texts) -> tuple[np.ndarray, dict]:
    loaded = Pass(one, texts, [one.readout], EncodeSettings(token_budget=200, chunk_sentences=30))
    rows = np.concatenate(loaded.chunks)
    vectors = np.concatenate([loaded.encode(index)[readout_name(one.readout)] for index in range(len(loaded.chunks))])
    return vectors[np.argsort(rows)], loaded.record


@pytest.mark.parametrize("kind", KINDS)
def test_equals_encode_and_itself(folders, sentences, kind):
    from sentence_transformers import SentenceTransformer

    texts = list(sentences.texts[:80])
    ours, record = embed(spec(folders[kind]), texts)
    theirs = SentenceTransformer(str(folders[kind]), device="cpu", model_kwargs={"dtype": "float32"}).encode(texts)
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 1e-6 * max(1.0, np.abs(theirs).max())
    assert np.array_equal(ours, embed(spec(folders[kind]), texts)[0])
    assert record["attributes"]["parameters"] > 0


def test_sixteen_bit_weights_are_used_in_the_dtype_that_was_asked_for(folders, sentences):
    texts = list(sentences.texts[:40])
    full, _ = embed(spec(folders["fp16"]), texts)
    half, record = embed(spec(folders["fp16"], dtype="bfloat16"), texts)
    assert record["dtype"] == "bfloat16"
    assert half.dtype == np.float32
    difference = np.abs(full - half).max()
    assert 1e-5 < difference < 0.2


def test_a_prompt_is_the_folders_own_and_is_recorded(folders, sentences):
    texts = list(sentences.texts[:40])
    prompts, default = folder_prompts(folders["prompts"])
    assert default
    own, record = embed(spec(folders["prompts"]), texts)
    bare, _ = embed(spec(folders["prompts"], prompt=""), texts)
    assert record["prompt"] == default in prompts.values()
    assert np.abs(own - bare).max() > 1e-4


def test_another_pooling_keeps_the_modules_after_it(folders, sentences):
    texts = list(sentences.texts[:40])
    own, _ = embed(spec(folders["dense"]), texts)
    mean, _ = embed(spec(folders["dense"], pooling="mean"), texts)
    same, _ = embed(spec(folders["dense"], pooling="cls"), texts)
    assert mean.shape == own.shape
    assert np.abs(mean - own).max() > 1e-3
    assert np.abs(same - own).max() < 1e-6


def test_an_encoder_without_pooling_cannot_have_another(folders, sentences):
    loaded = TransformerPass(
        spec(folders["static"], pooling="cls"), sentences.texts[:9], [("last", "cls")], token_budget=200
    )
    assert "no pooling module" in loaded.refused[("last", "cls")]


def test_out_of_memory_halves_the_batch(folders, sentences, monkeypatch):
    import torch

    texts = list(sentences.texts[:80])
    expected, _ = embed(spec(folders["bert"]), texts)
    encode = TransformerPass._encode_batch

    def small_device(self, rows):
        if len(rows) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return encode(self, rows)

    monkeypatch.setattr(TransformerPass, "_encode_batch", small_device)
    ours, record = embed(spec(folders["bert"]), texts)
    assert np.abs(ours - expected).max() < 1e-6
    assert record["halved_batches"] > 5
    monkeypatch.setattr(TransformerPass, "_encode_batch", lambda self, rows: small_device(self, np.zeros(9)))
    with pytest.raises(EncoderError, match=r"sentence \d+ alone does not fit"):
        embed(spec(folders["bert"]), texts)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("no-modules-json", "no modules.json"),
        ("pickle", "weights as a pickle"),
        ("pickle-dense", "weights as a pickle"),
        ("remote-code", "remote code .*auto_map.AutoConfig is remote.Encoder"),
        ("remote-known", "transformers has a class of its own for bert.*native: true"),
        ("remote-module", "remote code .*modules.json.*remote.Encoder"),
    ],
)
def test_folders_that_are_refused(tmp_path, kind, message):
    with pytest.raises(EncoderError, match=message):
        folder_revision(make_odd(kind, tmp_path / kind))


@pytest.mark.parametrize("kind", ["nan", "truncated"])
def test_folders_that_fail_when_they_are_loaded_or_run(tmp_path, sentences, kind):
    path = make_odd(kind, tmp_path / kind)
    with pytest.raises(Exception) as caught:  # noqa: B017  whatever a broken encoder raises, embed_pass records
        embed(spec(path), list(sentences.texts[:20]))
    assert str(caught.value)
    assert not list(tmp_path.rglob(MARKER)) and not Path(MARKER).exists()  # its code was not run

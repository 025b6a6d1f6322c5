"""The tiny checkpoints are what they say: every kind loads through sentence-transformers itself, and the odd ones are
odd as described."""

import json

import numpy as np
import pytest

from qre.encoders.folders import folder_revision
from qre.errors import EncoderError
from tests.checkpoints import DIMENSION, KINDS, MARKER, ODD_KINDS, PROMPTS, make, make_odd

DIMENSIONS = {"t5": 16, "dense": 16, "matryoshka": 8, "poolings": 2 * DIMENSION}  # the others: DIMENSION


def load(folder, **keywords):
    from sentence_transformers import SentenceTransformer

    strict = {"dtype": "float32", "use_safetensors": True}
    return SentenceTransformer(
        str(folder),
        device="cpu",
        trust_remote_code=False,
        local_files_only=True,
        **{"model_kwargs": strict, **keywords},
    )


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def eight(sentences):
    """Eight built-in sentences, as a plain list."""
    return list(sentences.texts[:8])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Each kind, once."""
    root = tmp_path_factory.mktemp("kinds")
    return {kind: make(kind, root / kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_encodes(made, eight, kind):
    folder = made[kind]
    assert (
        (folder / "modules.json").is_file() and list(folder.rglob("*.safetensors")) and not list(folder.rglob("*.bin"))
    )
    assert sum(len(content) for content in files(folder).values()) < 300_000
    vectors = load(folder).encode(eight)
    assert vectors.shape == (8, DIMENSIONS.get(kind, DIMENSION)) and vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    distances = np.linalg.norm(vectors[:, None] - vectors[None], axis=-1)[~np.eye(8, dtype=bool)]
    assert distances.min() > 1e-3  # no two sentences share a vector


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides(made, eight, tmp_path, kind):
    same, other = make(kind, tmp_path / "same"), make(kind, tmp_path / "other", seed=1)
    assert files(same) == files(made[kind])
    vectors = load(made[kind]).encode(eight)
    np.testing.assert_array_equal(load(same).encode(eight), vectors)
    assert np.abs(load(other).encode(eight) - vectors).max() > 1e-3


def test_making_leaves_the_callers_random_numbers_alone(tmp_path):
    import torch

    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    make("static", tmp_path / "static")
    assert torch.equal(torch.rand(3), expected)


def test_the_details_that_the_names_promise(made, eight):
    prompts = load(made["prompts"])
    assert (prompts.prompts, prompts.default_prompt_name) == (PROMPTS, "query")
    assert not np.allclose(prompts.encode(eight[:2]), prompts.encode(eight[:2], prompt=""))
    assert load(made["matryoshka"]).truncate_dim == 8
    assert [type(module).__name__ for module in load(made["norms"])][2:] == ["Normalize", "LayerNorm", "Normalize"]
    assert load(made["qwen2"])[1].pooling_mode == "lasttoken" and load(made["qwen2"]).tokenizer.padding_side == "left"
    assert [type(module).__name__ for module in load(made["static"])] == ["StaticEmbedding"]
    assert load(made["fp16"], model_kwargs={}).encode(eight[:2]).dtype == np.float16  # what the dtype must be said for


@pytest.mark.parametrize("kind", ODD_KINDS)
def test_odd_folders_have_a_revision_or_are_refused(tmp_path, kind):
    folder = make_odd(kind, tmp_path / kind)
    if kind in (
        "no-modules-json",
        "pickle",
        "pickle-dense",
        "remote-code",
        "remote-known",
        "remote-module",
        "truncated",
    ):
        with pytest.raises(EncoderError):
            folder_revision(folder)
    else:
        assert len(folder_revision(folder)) == 64


def test_without_modules_json_mean_pooling_is_made_up(tmp_path, eight):
    model = load(make_odd("no-modules-json", tmp_path / "odd"))
    assert [type(module).__name__ for module in model] == ["Transformer", "Pooling"] and model[1].pooling_mode == "mean"
    assert np.isfinite(model.encode(eight[:2])).all()


def test_a_pickled_transformer_is_refused_and_a_pickled_dense_is_not(tmp_path, eight):
    with pytest.raises(OSError, match="safetensors"):
        load(make_odd("pickle", tmp_path / "pickle"))
    folder = make_odd("pickle-dense", tmp_path / "dense")
    assert np.isfinite(
        load(folder).encode(eight[:2])
    ).all()  # use_safetensors is not asked for in modules: the caller must look
    (folder / "2_Dense" / "pytorch_model.bin").unlink()  # as a download of safetensors only leaves it
    with pytest.raises(ValueError, match="pytorch_model.bin"):
        load(folder)


def test_nan_truncated_and_missing_weights(tmp_path, eight):
    assert np.isnan(load(make_odd("nan", tmp_path / "nan")).encode(eight)).all()
    with pytest.raises(Exception, match="(?i)safetensor|incomplete|header|offset"):
        load(make_odd("truncated", tmp_path / "truncated"))
    folder = make_odd("missing-weights", tmp_path / "missing")
    first, second = (load(folder).encode(eight) for _ in range(2))
    assert np.isfinite(first).all() and np.abs(first - second).max() > 1e-4  # another encoder each time, and no error


@pytest.mark.parametrize("kind", ["remote-code", "remote-known", "remote-module"])
def test_remote_code_is_never_run(tmp_path, kind):
    folder = make_odd(kind, tmp_path / kind)
    if kind == "remote-known":
        assert "auto_map" in json.loads((folder / "config.json").read_text())
        load(folder)
    else:
        with pytest.raises(ValueError, match="trust_remote_code"):
            load(folder)
    assert not list(tmp_path.rglob(MARKER))


def test_the_marker_would_show_remote_code_that_runs(tmp_path):
    """Without this, the test above could pass because the file does nothing."""
    folder = make_odd("remote-module", tmp_path / "odd")
    exec(compile((folder / "remote.py").read_text(), "remote.py", "exec"), {})
    assert (folder / MARKER).read_text() == "ran"


def test_kinds_that_there_are_not(tmp_path):
    with pytest.raises(KeyError):
        make("bret", tmp_path / "x")
    with pytest.raises(ValueError, match="no-modules-json"):
        make_odd("bret", tmp_path / "x")

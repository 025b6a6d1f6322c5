"""Every kind of module that sentence-transformers ships, through our path: what its own encode gives, also where layers
are read in the same pass."""

import json

import numpy as np
import pytest

from qre.encoders.folders import folder_prompts
from qre.encoders.readouts import Reader
from qre.encoders.spec import FolderSpec
from qre.encoders.transformer import TransformerPass
from qre.errors import EncoderError
from tests.checkpoints import KINDS, make
from tests.pipelines import PIPELINES, make_pipeline

LAYER, POOLED = (1, "mean"), ("last", "max")
ON_BERT = {"layers", "layers-unasked", "dropout", "residual", "token-dense", "sqrt", "asymmetric", "instructor"}
NO_POOLING = {"router", "clip", "bag-of-words"}


def loaded(path, texts, readouts=((),), **values) -> TransformerPass:
    values = {"prompt": folder_prompts(path)[1], **values}
    spec = FolderSpec(name="a", family="f", path=str(path), revision="0" * 64, **values)
    return TransformerPass(spec, texts, list(readouts), token_budget=300)


def vectors(one: TransformerPass, readout=()) -> np.ndarray:
    parts = [one.encode(rows)[readout] for rows in one.batches]
    result = np.empty((sum(map(len, parts)), parts[0].shape[1]), np.float32)
    result[np.concatenate(one.batches)] = np.concatenate(parts)
    return result


def reference(path):
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(path), device="cpu", model_kwargs={"dtype": "float32"})


@pytest.fixture(scope="module")
def texts(sentences):
    return list(sentences.texts[:60])


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("pipelines")
    return {kind: make_pipeline(kind, root / kind) for kind in PIPELINES}


@pytest.mark.parametrize("kind", PIPELINES)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_own_pipeline_is_the_librarys(folders, texts, kind):
    theirs = reference(folders[kind]).encode(texts)
    alone = vectors(loaded(folders[kind], texts))
    assert alone.shape == theirs.shape
    assert np.abs(alone - theirs).max() < 1e-6 * max(1.0, np.abs(theirs).max())
    assert np.linalg.norm(theirs - theirs[0], axis=1)[1:].max() > 1e-2  # not all one vector
    beside = loaded(folders[kind], texts, [(), LAYER, POOLED])  # layers read in the same pass leave it as it is
    assert np.array_equal(vectors(beside), alone)
    assert (LAYER in beside.refused) == (kind not in ON_BERT)
    assert (POOLED in beside.refused) == (kind in NO_POOLING)


def test_layers_that_a_module_of_its_own_code_leaves_out(tmp_path):
    model = reference(make("bert", tmp_path / "bert"))

    class OwnCode(type(model[0])):
        def forward(self, features, **keywords):
            output = super().forward(features, **keywords)
            output.pop("all_layer_embeddings", None)
            return output

    model[0].__class__ = OwnCode
    with pytest.raises(EncoderError, match="layer 1 is asked for; this encoder has no hidden states"):
        Reader(model, [LAYER]).read(model.preprocess(["a sentence"]))


def test_a_weighted_mean_of_layers_is_not_skipped(folders, texts):
    with_layers, without = (vectors(loaded(folders[kind], texts)) for kind in ("layers", "layers-unasked"))
    assert np.abs(with_layers - without).max() > 1e-2


def test_a_prompt_that_the_pooling_leaves_out(folders, texts):
    """INSTRUCTOR and its like: the prompt is read, and not pooled, whatever layer or pooling is asked for."""
    path, model = folders["instructor"], reference(folders["instructor"])
    own = loaded(path, texts, [(), (2, "mean"), ("last", "mean"), (1, "mean")], prompt="search query: ")
    expected = model.encode(texts, prompt="search query: ")
    assert np.abs(vectors(own) - expected).max() < 1e-6
    assert np.abs(vectors(own, ("last", "mean")) - expected).max() < 1e-6
    unit = vectors(own, (2, "mean"))
    assert np.abs(unit / np.linalg.norm(unit, axis=1, keepdims=True) - expected).max() < 1e-6
    model[1].include_prompt = True
    assert np.abs(expected - model.encode(texts, prompt="search query: ")).max() > 1e-3
    features = model.preprocess(texts[:1], prompt="search query: ")
    hidden = (
        model[0]
        .auto_model(**{name: features[name] for name in ("input_ids", "attention_mask")}, output_hidden_states=True)
        .hidden_states[1][0]
    )
    assert (
        np.abs(vectors(own, (1, "mean"))[0] - hidden[features["prompt_length"] :].mean(0).detach().numpy()).max() < 1e-5
    )


def test_a_router_without_a_default_says_so(folders, texts, tmp_path):
    path = make_pipeline("router", tmp_path / "router")
    file = path / "router_config.json"
    config = json.loads(file.read_text())
    config["parameters"] |= {"default_route": None, "allow_empty_key": False}
    file.write_text(json.dumps(config))
    with pytest.raises(EncoderError, match="none that is the default"):
        loaded(path, texts)


@pytest.mark.parametrize("kind", ["bert", "fp16", "poolings", "qwen2"])
def test_layers_of_all_kinds_come_from_the_same_pass(tmp_path, texts, kind):
    assert kind in KINDS
    path = make(kind, tmp_path / kind)
    together = loaded(path, texts, [(), LAYER, (0, "cls"), POOLED])
    for readout in ((), LAYER, (0, "cls"), POOLED):
        assert np.array_equal(vectors(together, readout), vectors(loaded(path, texts, [readout]), readout))

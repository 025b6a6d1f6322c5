"""Which pickles an encoder's weights are, and which are debris that refuses nobody."""

import contextlib
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer

from qre.encoders.folders import FolderProblem, folder_revision, look_at_folder
from qre.encoders.hub import resolve
from qre.encoders.hub_problems import HubProblem
from qre.encoders.loading import checked
from qre.encoders.pickled import safe_index, safe_name
from qre.errors import EncoderError
from tests.checkpoints import KINDS, make, make_odd
from tests.pickles import pickle_weights
from tests.pipelines import make_pipeline
from tests.plain import make_plain

DEBRIS = (
    "best_model.pkl",
    "model.pt",
    "weights.bin",
    "last.ckpt",
    "optimizer.pt",
    "scheduler.pt",
    "training_args.bin",
    "rng_state_0.pth",
    "rust_model.ot",
    "checkpoints/pytorch_model.bin",
    "checkpoints/step1/pytorch_model-00001-of-00002.bin",
    "checkpoint-500/pytorch_model.bin",
    "checkpoint-500/optimizer.pt",
    "coreml/weights.bin",
    "coreml/x.mlpackage/Data/weights/weight.bin",
    "onnx/model.bin",
    "onnx/pytorch_model.bin",
    "old/pytorch_model.bin",
    "1_Pooling/pytorch_model.bin",
    "2_Normalize/pytorch_model.bin",
    "2_Normalize/state.pkl",
    "x/y/z/joblib.pkl",
    "adapter/adapter_model.bin",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "pytorch_model-00001-of-00002.bin",
)


def pickles_of(folder):
    return look_at_folder(folder, pooled=True, pickled=True).pickles


def written(folder, names, content=b"0"):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@pytest.fixture(params=["modules", "plain"])
def whole(request, tmp_path):
    """A folder, and how its pooling is stated."""
    if request.param == "modules":
        return make("bert", tmp_path / "e"), False
    return make_plain("bert", tmp_path / "e"), True


@pytest.mark.parametrize("name", DEBRIS)
def test_a_pickle_that_no_module_reads_refuses_nobody(hub, whole, name):
    folder, pooled = whole
    before = folder_revision(folder, pooled=pooled)
    written(folder, [name], b"{}" if name.endswith(".json") else b"0")
    if not name.endswith(".json"):  # what is no pickle is in the key, as any other
        assert folder_revision(folder, pooled=pooled) == before
    assert folder_revision(folder, pooled=pooled, pickled=True) == folder_revision(folder, pooled=pooled)
    assert pickles_of(folder) == ()
    hub.add("org/a", folder=folder)
    model = resolve("org/a")
    assert model.pickles == () and name not in dict(model.checked(pooled=pooled)) or name.endswith(".json")
    assert model.checked(pooled=pooled, pickled=True) == model.checked(pooled=pooled)


@pytest.mark.parametrize("kind", ["bert", "static", "dense"])
def test_the_pickle_that_is_taken_is_the_one_that_libraries_take(hub, tmp_path, kind):
    folder = make(kind, tmp_path / "e")
    places = [path.parent for path in folder.rglob("model.safetensors")]
    for place in places:
        pickle_weights(place)
    written(folder, [name for name in DEBRIS if name.rpartition("/")[2] not in ("pytorch_model.bin",)], b"{}")
    wanted = sorted((place / "pytorch_model.bin").relative_to(folder).as_posix() for place in places)
    with pytest.raises(FolderProblem, match=rf"pickle only \({wanted[-1]}: weights as a pickle\)"):
        folder_revision(folder)
    folder_revision(folder, pickled=True)
    assert sorted(name for name, _ in pickles_of(folder)) == wanted
    hub.add("org/a", folder=folder)
    model = resolve("org/a")
    assert tuple((name, sha256) for name, _, sha256 in model.pickles) == pickles_of(folder)
    assert set(wanted) <= set(dict(model.checked(pickled=True)))
    with pytest.raises(HubProblem, match="pickle only") as caught:
        model.checked()
    assert "pickled_weights: true" in caught.value.remedy and "conversions: accept" in caught.value.remedy


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda folder: (folder / "pytorch_model-00002-of-00003.bin").unlink(), "1 of the 3 files of weights that "),
        (lambda folder: (folder / "pytorch_model.bin.index.json").unlink(), "index.json is missing"),
        (lambda folder: (folder / "pytorch_model.bin.index.json").write_text("{}"), "is no index of weights"),
        (lambda folder: (folder / "pytorch_model.bin.index.json").write_text("{"), "not JSON"),
        (
            lambda folder: (folder / "pytorch_model.bin.index.json").write_text('{"weight_map": {"w": "../e/x.bin"}}'),
            "is no index of weights",
        ),
        (
            lambda folder: (folder / "pytorch_model.bin.index.json").write_text('{"weight_map": {"w": "config.json"}}'),
            "is no index of weights",
        ),
    ],
    ids=["shard", "index", "no map", "no json", "outside", "another"],
)
def test_shards_that_are_not_whole_are_told_while_planning(hub, tmp_path, change, told):
    folder = make("bert", tmp_path / "e")
    pickle_weights(folder, shards=3)
    folder_revision(folder, pickled=True)
    change(folder)
    with pytest.raises(FolderProblem, match=f"broken (weights|config) .*{told}"):
        folder_revision(folder, pickled=True)
    hub.add("org/a", folder=folder)
    with pytest.raises(HubProblem, match=f"broken (weights|config) .*{told}"):
        resolve("org/a").checked(pickled=True)


def test_a_pointer_of_git_lfs_is_told(tmp_path):
    folder = make_odd("pickle", tmp_path / "e")
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 90868376\n"
    (folder / "pytorch_model.bin").write_text(pointer)
    with pytest.raises(FolderProblem, match=r"pytorch_model.bin is a pointer of Git LFS.*git lfs pull"):
        folder_revision(folder, pickled=True)


def test_a_pickle_that_only_code_of_its_own_reads_is_not_converted(tmp_path):
    folder = make_odd("remote-module", tmp_path / "e")
    (folder / "1_Pooling" / "own.pt").write_bytes(b"0")
    for pickled in (False, True):
        with pytest.raises(FolderProblem, match=r"pickle only \(1_Pooling/own.pt"):
            folder_revision(folder, pickled=pickled)


STRAY = ("model-00001-of-00002.safetensors", "model.safetensors.index.json", "other.safetensors")


@pytest.mark.parametrize("stray", STRAY)
@pytest.mark.parametrize("kind", ["static", "dense", "norms", "layers", "lstm", "cnn", "words", "asymmetric"])
def test_only_what_a_class_reads_stands_for_its_pickle(hub, tmp_path, kind, stray):
    folder = (make if kind in KINDS else make_pipeline)(kind, tmp_path / "e")
    place = max((path.parent for path in folder.rglob("model.safetensors")), key=lambda path: len(path.parts))
    pickle_weights(place)
    save_file({"x": torch.zeros(1)}, place / stray)
    if stray.endswith("json"):
        (place / stray).write_text('{"metadata": {}, "weight_map": {}}')
    wanted = (place / "pytorch_model.bin").relative_to(folder).as_posix()
    with pytest.raises(FolderProblem, match=rf"pickle only \({wanted}"):
        folder_revision(folder)
    hub.add("org/a", folder=folder)
    assert [name for name, *_ in resolve("org/a").pickles] == [wanted]
    with pytest.raises(HubProblem, match=rf"pickle only \({wanted}"):
        resolve("org/a").checked()


def test_of_transformers_an_index_stands_for_it_and_a_shard_alone_does_not(tmp_path):
    folder = make("bert", tmp_path / "e")
    shutil.copy(folder / "model.safetensors", folder / "model-00001-of-00001.safetensors")
    index = {"weight_map": dict.fromkeys(load_file(folder / "model.safetensors"), "model-00001-of-00001.safetensors")}
    pickle_weights(folder)
    with pytest.raises(FolderProblem, match=r"pickle only \(pytorch_model.bin"):
        folder_revision(folder)
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    folder_revision(folder)
    assert pickles_of(folder) == ()
    for named in ({}, {"w": "pytorch_model.bin"}):
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": named}))
        with pytest.raises(FolderProblem, match="broken weights .*and no safetensors"):
            folder_revision(folder)


def test_a_module_without_weights_is_told_while_planning(tmp_path):
    folder = make("dense", tmp_path / "e")
    (folder / "2_Dense" / "model.safetensors").unlink()
    with pytest.raises(FolderProblem, match=r"no weights \(2_Dense/model.safetensors is missing"):
        folder_revision(folder)


@pytest.mark.parametrize("swallowed", [False, True])
def test_a_library_that_begins_to_unpickle_is_stopped(tmp_path, swallowed):
    folder, load = make_odd("pickle-dense", tmp_path / "e"), torch.load
    with pytest.raises(EncoderError, match="^2_Dense/pytorch_model.bin: a pickle, which is never loaded as it is"):
        with checked(folder):
            with contextlib.suppress(Exception) if swallowed else contextlib.nullcontext():
                SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    assert torch.load is load is torch.serialization.load
    with checked(folder, own_code=True):
        SentenceTransformer(str(folder), device="cpu", local_files_only=True)


def test_names_and_indices():
    assert safe_name("pytorch_model.bin") == "model.safetensors"
    assert safe_name("2_Dense/pytorch_model.bin") == "2_Dense/model.safetensors"
    assert safe_name("a/pytorch_model-00001-of-00002.bin") == "a/model-00001-of-00002.safetensors"
    index = {"metadata": {"total_size": 3}, "weight_map": {"w": "pytorch_model-00001-of-00002.bin"}}
    assert safe_index(index) == {"metadata": {"total_size": 3}, "weight_map": {"w": "model-00001-of-00002.safetensors"}}
    assert json.loads(json.dumps(index)) == index


def test_a_whole_pickle_goes_before_shards(tmp_path):
    folder = make("bert", tmp_path / "e")
    shutil.copytree(folder, tmp_path / "f")
    pickle_weights(folder, shards=2)
    pickle_weights(tmp_path / "f")
    shutil.copy(tmp_path / "f" / "pytorch_model.bin", folder)
    assert [name for name, _ in pickles_of(folder)] == ["pytorch_model.bin"]

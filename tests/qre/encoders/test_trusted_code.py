"""Code of an encoder's own: run only for the one that is named, trusted and pinned, and only its own."""

import json

import numpy as np
import pytest

from qre.encoders.folders import FolderProblem
from qre.encoders.hub import resolve
from qre.encoders.hub_problems import HubProblem
from qre.encoders.passes import EncodeSettings, Pass
from qre.encoders.spec import HubSpec
from tests.checkpoints import make
from tests.hub import FakeHub

CODE = """
import torch


class Shifted(torch.nn.Module):
    def forward(self, features):
        features["sentence_embedding"] = features["sentence_embedding"] + 1.0
        return features

    @staticmethod
    def load(*arguments, **options):
        return Shifted()
"""


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with FakeHub() as fake:
        fake.adopt(monkeypatch, tmp_path / "home")
        monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
        folder = make("bert", tmp_path / "own")
        fake.plain = fake.add("org/plain", folder=folder)
        (folder / "shifted.py").write_text(CODE)
        modules = json.loads((folder / "modules.json").read_text())
        modules.append({"idx": len(modules), "name": str(len(modules)), "path": "", "type": "shifted.Shifted"})
        (folder / "modules.json").write_text(json.dumps(modules))
        fake.commit = fake.add("org/own", folder=folder, tags=["custom_code"])
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(
            json.dumps({**config, "auto_map": {"AutoModel": "other/repository--model.Model"}})
        )
        fake.elsewhere = fake.add("org/elsewhere", folder=folder)
        yield fake


def embed(name, revision, texts, **values):
    spec = HubSpec(name="a", family="f", id=name, revision=revision, **values)
    loaded = Pass(spec, texts, [()], EncodeSettings(token_budget=4096))
    try:
        return loaded.encode(0)["default"][np.argsort(loaded.chunks[0])]
    finally:
        loaded.close()


def test_code_that_is_trusted_runs(hub, sentences):
    texts = list(sentences.texts[:20])
    assert "shifted.py" in dict(resolve("org/own", hub.commit).checked(trusted=True))
    plain = embed("org/plain", hub.plain, texts)
    own = embed("org/own", hub.commit, texts, trust_remote_code=True)
    assert np.abs(own - plain - 1.0).max() < 1e-6


def test_code_that_is_not_trusted_does_not(hub, sentences):
    with pytest.raises(HubProblem, match="remote code"):
        resolve("org/own", hub.commit).checked()
    with pytest.raises(FolderProblem, match="remote code .*shifted.Shifted"):
        embed("org/own", hub.commit, list(sentences.texts[:20]))


def test_code_of_another_repository_is_never_run(hub, sentences):
    with pytest.raises(HubProblem, match="second repository .*other/repository--model.Model"):
        resolve("org/elsewhere", hub.elsewhere).checked(trusted=True)
    with pytest.raises(FolderProblem, match="second repository .*other/repository--model.Model"):
        embed("org/elsewhere", hub.elsewhere, list(sentences.texts[:20]), trust_remote_code=True)

"""Code of a second repository: never unless a config pins it, and then that commit's for the config, the model, the
tokenizer and modules alike."""

import json

import numpy as np
import pytest

from qre.encoders.folders import FolderProblem, check_folder, folder_revision
from qre.encoders.hub import resolve
from qre.encoders.hub_problems import HubProblem
from qre.encoders.named_code import named_code
from qre.encoders.passes import EncodeSettings, Pass
from qre.encoders.spec import FolderSpec, HubSpec
from tests.checkpoints import MARKER, make, make_odd
from tests.hub import FakeHub
from tests.other_kinds import change

CODE = {
    "configuration_shifted.py": "from transformers import BertConfig\n\nSHIFT = {shift}\n\n\nclass "
    "Config(BertConfig):\n    model_type = 'shifted'\n",
    "modeling_shifted.py": """
from transformers import BertModel

from .configuration_shifted import SHIFT, Config


class Model(BertModel):
    config_class = Config

    def forward(self, *arguments, **options):
        output = super().forward(*arguments, **options)
        output.last_hidden_state = output.last_hidden_state + SHIFT
        return output
""",
    "tokenization_shifted.py": "from transformers import BertTokenizer\n\nSHIFT = {shift}\n\n\nclass "
    "Tokenizer(BertTokenizer):\n    shift = SHIFT\n",
    "head.py": """
import torch


class Head(torch.nn.Module):
    def forward(self, features):
        features["sentence_embedding"] = features["sentence_embedding"] * {factor}
        return features

    @staticmethod
    def load(*arguments, **options):
        return Head()
""",
}
HEAD = {"idx": 9, "name": "9", "path": "", "type": "org/code--head.Head"}


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with FakeHub() as fake:
        fake.adopt(monkeypatch, tmp_path / "home")
        monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
        yield fake


def code(hub, shift: float, factor: float) -> str:
    """Another commit of org/code."""
    return hub.add(
        "org/code",
        files={
            name: text.replace("{shift}", str(shift)).replace("{factor}", str(factor)).encode()
            for name, text in CODE.items()
        },
    )


@pytest.fixture
def borrowing(hub, tmp_path):
    """The commit of org/e, whose code lies in org/code; its plain twin is org/plain."""
    from transformers import AutoTokenizer

    folder = make("poolings", tmp_path / "e")  # it does not end in a unit vector, so a shift shows
    hub.plain = hub.add("org/plain", folder=folder)
    AutoTokenizer.from_pretrained(folder)
    names = {"AutoConfig": "org/code--configuration_shifted.Config", "AutoModel": "org/code--modeling_shifted.Model"}
    change(folder / "config.json", lambda config: {**config, "model_type": "shifted", "auto_map": names})
    tokenizer = {"auto_map": {"AutoTokenizer": [None, "org/code--tokenization_shifted.Tokenizer"]}}
    change(folder / "tokenizer_config.json", lambda config: {**config, **tokenizer})
    change(folder / "modules.json", lambda modules: [*modules, HEAD])
    return hub.add("org/e", folder=folder)


def loaded(name, revision, texts, **values):
    spec = HubSpec(name="a", family="f", id=name, revision=revision, **values)
    return Pass(spec, texts, [()], EncodeSettings(token_budget=4096))


def vectors(one):
    try:
        return one.encode(0)["default"][np.argsort(one.chunks[0])]
    finally:
        one.close()


def test_exactly_the_pinned_code_runs_in_every_part(hub, borrowing, sentences):
    texts = list(sentences.texts[:12])
    first, second = code(hub, 1.0, 2.0), code(hub, 10.0, 3.0)
    plain = vectors(loaded("org/plain", hub.plain, texts))
    for commit, shift, factor in ((first, 1.0, 2.0), (second, 10.0, 3.0)):
        pinned = {"org/code": commit}
        files = resolve("org/e", borrowing).checked(trusted=True, code_revision=pinned)
        one = loaded(
            "org/e", borrowing, texts, trust_remote_code=True, code_revision=tuple(pinned.items()), files=files
        )
        assert one._run._model.tokenizer.shift == shift
        assert np.abs(vectors(one) - (plain + shift) * factor).max() < 1e-4
    assert not [path for _, path in hub.requests if "/org/code/" in path and path.endswith("/main")]  # never its branch


@pytest.mark.parametrize(
    "options", [{}, {"trusted": True}, {"trusted": True, "code_revision": {"org/another": "0" * 40}}]
)
def test_without_its_commit_it_does_not(hub, borrowing, sentences, options):
    code(hub, 1.0, 2.0)
    with pytest.raises(HubProblem) as caught:
        resolve("org/e", borrowing).checked(**options)
    assert caught.value.reason == "second repository"
    assert "code_revision" in str(caught.value) and "org/code--" in str(caught.value)
    values = {"trust_remote_code": bool(options), "code_revision": tuple(options.get("code_revision", {}).items())}
    with pytest.raises(FolderProblem, match="second repository"):
        loaded("org/e", borrowing, list(sentences.texts[:12]), **values)
    assert not [path for _, path in hub.requests if path.startswith("/org/code/")]


def test_a_pinned_repository_that_is_not_there(hub, borrowing, sentences):
    with pytest.raises(HubProblem, match="org/code: missing"):
        loaded(
            "org/e",
            borrowing,
            list(sentences.texts[:12]),
            trust_remote_code=True,
            code_revision=(("org/code", "0" * 40),),
        )


def test_a_pin_that_nothing_needs_is_told(hub):
    plain = hub.add("org/plain", files={"modules.json": b"[]", "model.safetensors": 10})
    with pytest.raises(HubProblem, match="wrong code_revision .*org/code"):
        resolve("org/plain", plain).checked(trusted=True, code_revision={"org/code": "0" * 40})


CONFIGS = {
    "tokenizer": ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["a/b--t.T", None]}}, "second repository"),
    "tokenizer of its own": (
        "tokenizer_config.json",
        {"auto_map": {"AutoTokenizer": ["remote.T", None]}},
        "remote code",
    ),
    "old list": ("tokenizer_config.json", {"auto_map": [None, "remote.T"]}, "remote code"),
    "processor": ("processor_config.json", {"auto_map": {"AutoProcessor": "a/b--p.P"}}, "second repository"),
    "preprocessor": ("preprocessor_config.json", {"auto_map": {"AutoImageProcessor": "remote.P"}}, "remote code"),
    "generation": ("generation_config.json", {"auto_map": {"AutoX": "remote.P"}}, "remote code"),
    "deep": ("config.json", {"text_config": {"inner": [{"auto_map": {"AutoModel": "remote.M"}}]}}, "remote code"),
    "no auto_map": ("config.json", {"encoder_class": "a/b--m.M"}, "second repository"),
    "in a module": ("1_Pooling/config.json", {"auto_map": {"AutoModel": "a/b--m.M"}}, "second repository"),
    "of no known name": ("some/thing.json", {"a": [{"auto_map": {"AutoModel": "a/b--m.M"}}]}, "second repository"),
    "pipelines": ("config.json", {"custom_pipelines": {"x": {"impl": "a/b--p.P"}}}, "second repository"),
    "kernel": ("config.json", {"_attn_implementation": "someone/kernel"}, "second repository"),
    "kernel in settings": (
        "sentence_bert_config.json",
        {"model_kwargs": {"attn_implementation": {"": "someone/kernel:f"}}},
        "second repository",
    ),
    "other tokenizer": (
        "sentence_bert_config.json",
        {"tokenizer_name_or_path": "someone/tokenizer"},
        "second repository",
    ),
    "activation": ("2_Dense/config.json", {"activation_function": "os.path.Tanh"}, "unknown module"),
    "word tokenizer": ("wordembedding_config.json", {"tokenizer_class": "mine.tokenizers.Words"}, "unknown module"),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_every_json_that_can_name_code_is_looked_at(hub, tmp_path, sentences, case):
    """Before anything is fetched, and before anything is loaded: of the hub, of a folder, of a snapshot."""
    name, content, reason = CONFIGS[case]
    folder = make("dense", tmp_path / "e")
    before = folder_revision(folder)
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({**(json.loads(file.read_text()) if file.exists() else {}), **content}))
    (folder / "remote.py").write_text(f"open({str(tmp_path / MARKER)!r}, 'w')\n")
    with pytest.raises(FolderProblem) as caught:
        folder_revision(folder)
    assert caught.value.reason == reason and name in str(caught.value)
    with pytest.raises(FolderProblem, match=reason):  # it was another when it was planned
        Pass(
            FolderSpec(name="a", family="f", path=str(folder), revision=before),
            list(sentences.texts[:5]),
            [()],
            EncodeSettings(),
        )
    commit = hub.add("org/e", folder=folder)
    with pytest.raises(HubProblem, match=reason):
        resolve("org/e").checked()
    assert not any("safetensors" in path or path.endswith(".py") for _, path in hub.requests)
    if reason == "second repository":  # trust in one repository is none in another
        with pytest.raises(HubProblem, match=reason):
            resolve("org/e").checked(trusted=True)
    with pytest.raises(FolderProblem, match=reason):
        loaded("org/e", commit, list(sentences.texts[:5]))
    assert not (tmp_path / MARKER).exists()


@pytest.mark.parametrize(
    "type_", ["os.path", "subprocess.Popen", "mypackage.sub.Foo", "numpy.ndarray", "/etc/evil.Foo", "../evil.Foo"]
)
def test_classes_of_installed_packages_and_of_other_places_are_not_modules(hub, tmp_path, type_):
    folder = make("bert", tmp_path / "e")
    change(folder / "modules.json", lambda modules: [*modules, {**HEAD, "type": type_}])
    commit = hub.add("org/e", folder=folder)
    with pytest.raises(FolderProblem):
        folder_revision(folder)
    with pytest.raises(HubProblem, match="unknown module|second repository"):
        resolve("org/e", commit).checked(trusted=True)


def test_texts_and_vocabularies_name_no_code():
    assert not list(
        named_code(
            "config_sentence_transformers.json", {"prompts": {"query": "Instruct: a/b -- c. Query: ", "x": "a--b.c"}}
        )
    )
    assert not list(
        named_code(
            "tokenizer_config.json",
            {"tokenizer_class": "BertTokenizer", "name_or_path": "a/b", "chat_template": "{{a--b}}"},
        )
    )


def test_the_native_class_gives_what_the_same_code_gives(hub, tmp_path, sentences):
    texts = list(sentences.texts[:20])
    folder = make("bert", tmp_path / "e")
    plain = folder_revision(folder)
    (folder / "modeling.py").write_text(
        "from transformers import BertModel\n\n\nclass Model(BertModel):\n    marked = True\n"
    )
    change(folder / "config.json", lambda config: {**config, "auto_map": {"AutoModel": "modeling.Model"}})
    commit = hub.add("org/e", folder=folder)
    model = resolve("org/e")
    with pytest.raises(HubProblem, match="remote code .*transformers has a class of its own for bert.*native: true"):
        model.checked()
    own = loaded("org/e", commit, texts, trust_remote_code=True, files=model.checked(trusted=True))
    native = loaded("org/e", commit, texts, native=True, files=model.checked(native=True))
    kept = FolderSpec(
        name="a", family="f", path=str(folder), revision=folder_revision(folder, native=True), native=True
    )
    assert own._run._model[0].auto_model.marked and not hasattr(native._run._model[0].auto_model, "marked")
    expected = vectors(own)
    assert np.array_equal(vectors(native), expected)
    assert np.array_equal(vectors(Pass(kept, texts, [()], EncodeSettings(token_budget=4096))), expected)
    assert plain != kept.revision


def test_native_runs_no_code(tmp_path, sentences):
    folder = make_odd("remote-known", tmp_path / "e")
    with pytest.raises(FolderProblem, match="native: true"):
        folder_revision(folder)
    spec = FolderSpec(
        name="a", family="f", path=str(folder), revision=folder_revision(folder, native=True), native=True
    )
    assert np.isfinite(vectors(Pass(spec, list(sentences.texts[:5]), [()], EncodeSettings(token_budget=4096)))).all()
    assert not (folder / MARKER).exists()


@pytest.mark.parametrize(
    ("kind", "why"), [("remote-code", "model type remote"), ("remote-module", "modules.json.*remote.Encoder")]
)
def test_native_is_refused_where_transformers_has_no_such_class(tmp_path, kind, why):
    with pytest.raises(FolderProblem, match=f"not native .*{why}"):
        folder_revision(make_odd(kind, tmp_path / kind), native=True)


def test_native_with_a_tokenizer_of_its_own_needs_one_to_compare_with(tmp_path):
    folder = make("bert", tmp_path / "e")
    change(
        folder / "tokenizer_config.json", lambda config: {**config, "auto_map": {"AutoTokenizer": [None, "remote.T"]}}
    )
    assert len(folder_revision(folder, native=True)) == 64
    (folder / "tokenizer.json").unlink()
    with pytest.raises(FolderProblem, match="not native .*no tokenizer.json"):
        folder_revision(folder, native=True)


def test_extra_code_in_a_shared_snapshot_does_no_harm(hub, tmp_path, sentences):
    commit = hub.add("org/e", folder=make("bert", tmp_path / "e"))
    one = loaded("org/e", commit, list(sentences.texts[:5]))
    path = one._run._held[0].path
    one.close()
    (path / "remote.py").write_text(f"open({str(tmp_path / MARKER)!r}, 'w')\n")
    vectors(loaded("org/e", commit, list(sentences.texts[:5])))
    assert not (tmp_path / MARKER).exists()
    assert check_folder(path).python == ("remote.py",)

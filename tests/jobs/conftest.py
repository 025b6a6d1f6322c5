"""What tests of the command share: a fake hub, and a config in a file."""

from pathlib import Path

import pytest
import yaml

from tests.conftest import save_tiny_bert
from tests.hub import FakeHub


@pytest.fixture
def hub():
    with FakeHub() as fake:
        yield fake


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The entry of a tiny transformer, named e1."""
    path = tmp_path_factory.mktemp("encoders") / "e1"
    save_tiny_bert(path, seed=1)
    return {"source": "folder", "path": str(path)}


def write_config(folder: Path, encoders: list, limit: int = 120, **values) -> Path:
    """A config on built-in sentences, with its store beside it; one CPU, since each process that loads an encoder costs
    six seconds of it to start."""
    path = folder / "config.yaml"
    config = {
        "name": "t",
        "store": str(folder / "store"),
        "sentences": {"source": "builtin", "limit": limit},
        "encoders": encoders,
        **values,
    }
    path.write_text(yaml.safe_dump({"cluster": {"cpus": 1}, **config}))
    return path

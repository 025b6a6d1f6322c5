"""What tests of the command share: a fake hub, and a config in a file."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from jobs.cli import app
from jobs.config import load_config
from jobs.planning.resolve import resolve
from qre.errors import UserError
from qre.store import Store
from tests.conftest import save_tiny_bert
from tests.hub import FakeHub

HASHED = {"source": "catalogue", "name": "classical", "include": ["hash/word1-1/*"]}


@pytest.fixture
def hub():
    with FakeHub() as fake:
        yield fake


@pytest.fixture
def own(hub, monkeypatch, tmp_path):
    """A fake hub that is this process's own."""
    hub.adopt(monkeypatch, tmp_path / "home")
    return hub


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The entry of a tiny transformer, named e1."""
    path = tmp_path_factory.mktemp("encoders") / "e1"
    save_tiny_bert(path, seed=1)
    return {"source": "folder", "path": str(path)}


def in_this_process(*words, **environment: str) -> tuple[int, str, str]:
    """`qre WORDS` in this process: exit code, stdout, and what a person reads when it ends early."""
    result = CliRunner().invoke(app, [*map(str, words)], env=environment)
    if result.exception is not None and not isinstance(result.exception, (SystemExit, UserError)):
        raise result.exception
    code = 2 if isinstance(result.exception, UserError) else result.exit_code
    return code, result.stdout, result.stderr + (str(result.exception) if code == 2 else "")


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


def resolved(folder: Path, *entries: dict, **options):
    """What planning makes of entries, and of some encoders that need nothing."""
    config = load_config(write_config(folder, [HASHED, *entries]))
    return resolve(config, Store(config.store), **options)

"""The structure that ARCHITECTURE.md promises, and that documentation and commands go together."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli import app

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("encoders", "tasks", "atlas", "store", "sentences")
COMMANDS = [command.name or command.callback.__name__ for command in app.registered_commands]


def imports(path: Path) -> set[str]:
    """Names of the modules that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", sorted((ROOT / "qre").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_method_knows_nothing_of_ray_or_jobs(path):
    assert not {name for name in imports(path) if name.split(".")[0] in ("ray", "jobs")}


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_know_nothing_of_each_other(room):
    for path in (ROOT / "qre" / room).rglob("*.py"):
        others = [f"qre.{other}" for other in ROOMS if other != room]
        assert not {name for name in imports(path) if name.startswith(tuple(others))}, path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented_with_an_example(command):
    shown = CliRunner().invoke(app, [command, "--help"])
    assert shown.exit_code == 0
    assert f"Example: qre {command}" in re.sub(r"\s+", " ", shown.output)
    assert f"qre {command}" in (ROOT / "README.md").read_text()


def test_every_file_of_the_house_is_in_the_architecture():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rooms = [path for floor in ("jobs", "qre") for path in (ROOT / floor).iterdir() if path.is_dir() and path.name != "__pycache__"]
    for path in [*(ROOT / "jobs").rglob("*.py"), *(ROOT / "qre").glob("*.py"), *rooms]:
        if path.name != "__init__.py":
            name = path.name if path.parent == ROOT / "jobs" or path.parent == ROOT / "qre" else path.stem
            assert re.search(rf"\b{re.escape(name)}", text), f"{path.relative_to(ROOT)} is not in ARCHITECTURE.md"


def test_every_dependency_says_why():
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    start = lines.index("dependencies = [")
    for line in lines[start + 1 : lines.index("]", start)]:
        assert "#" in line, line


def test_nothing_large_is_imported_before_it_is_needed():
    """Of every command, and of every process on a node: scikit-learn alone costs a second of CPU, torch and what loads encoders six."""
    script = "import sys, jobs.sweeping, jobs.workers.embed, jobs.workers.featurize; print([name for name in sys.argv[1:] if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script, "sklearn", "scipy.stats", "matplotlib", "torch"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"

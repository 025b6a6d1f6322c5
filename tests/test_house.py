"""The structure that ARCHITECTURE.md promises, and that documentation and commands go together."""

import ast
import re
import subprocess
import sys
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli import app

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = [command.name or command.callback.__name__ for command in app.registered_commands]
FLOORS = {  # from the ground up; what stands on one line knows nothing of each other
    "qre": (
        "errors counted near_names csv_cells",
        "schemas paths sample_size tables",
        "density",
        "entropy spectra similarity",
        "features",
        "all_pairs",
        "sentences encoders tasks store",
        "prediction geometry sparsify",
        "atlas",
        "figures",
        "report page",
        "build",
    ),
    "jobs": (
        "ending",
        "terminal config",
        "records",
        "mteb",
        "planning",
        "workers",
        "engine",
        "show",
        "evaluation submission sweeping pairing",
        "asked",
        "start",
        "commands",
        "cli",
    ),
}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for floor in FLOORS
    for path in sorted((ROOT / floor).rglob("*.py"))
}


def imports(path: Path, at_once: bool = False) -> set[str]:
    """Names that a file imports; `at_once`: when it is imported itself, not later in a function, nor for a type checker
    alone."""
    tree = ast.parse(path.read_text())
    apart = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    ]
    later = {node for block in apart for node in ast.walk(block)} if at_once else set()
    names = set()
    for node in ast.walk(tree):
        if node in later:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def module_of(name: str) -> str | None:
    """The module of this project that an imported name is, or is in."""
    return name if name in MODULES else name.rpartition(".")[0] if name.rpartition(".")[0] in MODULES else None


@pytest.mark.parametrize("module", MODULES)
def test_no_arrow_runs_up(module):
    top, _, rest = module.partition(".")
    rank = {room: height for height, rooms in enumerate(FLOORS[top]) for room in rooms.split()}
    room = rest.partition(".")[0]
    assert not room or room in rank, f"{module} stands on no floor"
    for name in imports(MODULES[module]):
        assert top == "jobs" or name.split(".")[0] not in ("ray", "jobs"), f"{module} imports {name}"
        other = (module_of(name) or "").removeprefix(f"{top}.").partition(".")[0]
        if room and other in rank and other != room:
            assert rank[other] < rank[room], f"{module} imports {name}, which stands no nearer to the ground"


@pytest.mark.parametrize("module", MODULES)
def test_python_3_10_can_import_it(module):
    """`typing` has these since 3.11 or later: only a type checker may ask for them there."""
    newer = {
        "typing.Self",
        "typing.Never",
        "typing.LiteralString",
        "typing.Unpack",
        "typing.NotRequired",
        "typing.assert_never",
        "typing.override",
        "typing.reveal_type",
        "enum.StrEnum",
        "datetime.UTC",
        "tomllib",
    }
    assert not imports(MODULES[module], at_once=True) & newer


def test_nothing_imports_itself():
    """No circle of files, where imports in functions and for types are left out."""
    graph = {
        name: {module_of(other) for other in imports(path, at_once=True)} - {None, name}
        for name, path in MODULES.items()
        if path.name != "__init__.py"
    }
    TopologicalSorter(graph).prepare()


def test_the_picture_is_the_tree():
    """Of ARCHITECTURE.md: every room and file is where the picture has it, and the picture has no other."""
    picture = (ROOT / "ARCHITECTURE.md").read_text().split("```")[1]
    for floor in FLOORS:
        part = re.search(rf"^{floor}/.*?(?=^\w)", picture, re.DOTALL | re.MULTILINE)[0]
        entries = re.findall(r"^  (\w[\w./]*(?:, \w+\.py)*)\s(.*?)(?=^  \w|\Z)", part, re.DOTALL | re.MULTILINE)
        drawn = {name: text for names, text in entries for name in names.split(", ")}
        found = {
            path.name + "/" * path.is_dir()
            for path in (ROOT / floor).iterdir()
            if not path.name.startswith("__") and (path.suffix == ".py" or any(path.glob("*.py")))
        }
        assert set(drawn) == found
        for room in (name for name in drawn if name.endswith("/") and name != "commands/"):
            for path in (ROOT / floor / room).iterdir():
                if path.name != "__init__.py" and path.suffix == ".py":
                    assert re.search(rf"\b{path.stem}\b", drawn[room]), (
                        f"{path.relative_to(ROOT)} is not in ARCHITECTURE.md's picture"
                    )


def test_one_name_is_one_file():
    """But for a command, whose file bears its name."""
    names = Counter(
        path.name
        for name, path in MODULES.items()
        if path.name != "__init__.py" and not name.startswith("jobs.commands.")
    )
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented_with_an_example(command):
    shown = CliRunner().invoke(app, [command, "--help"])
    assert shown.exit_code == 0
    assert f"Example: qre {command}" in re.sub(r"\s+", " ", shown.output)
    assert f"qre {command}" in (ROOT / "README.md").read_text()


def test_every_dependency_says_why():
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    start = lines.index("dependencies = [")
    for line in lines[start + 1 : lines.index("]", start)]:
        assert "#" in line, line


def test_nothing_large_is_imported_before_it_is_needed():
    """Of every command, and of every process on a node: scikit-learn alone costs a second of CPU, torch and what loads
    encoders six."""
    script = (
        "import sys, jobs.sweeping.one_sweep, jobs.workers.embed, jobs.workers.featurize; print([name for name "
        "in sys.argv[1:] if name in sys.modules])"
    )
    command = [sys.executable, "-c", script, "sklearn", "scipy.stats", "matplotlib", "torch"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_no_two_test_files_of_folders_that_are_no_packages_have_one_name():
    """pytest imports them by their name alone."""
    files = [file for file in (ROOT / "tests").rglob("test_*.py") if not (file.parent / "__init__.py").is_file()]
    assert [name for name, count in Counter(file.name for file in files).items() if count > 1] == []

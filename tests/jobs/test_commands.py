"""What every command has in common: help at once, a version, how much is said."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from jobs.cli import app
from jobs.terminal import console

COMMANDS = (
    "plan",
    "sweep",
    "status",
    "report",
    "submit",
    "evaluate",
    "rank",
    "place",
    "measure",
    "neighbours",
    "compare",
    "open",
    "illustrate",
    "encoders search",
    "encoders list",
    "encoders show",
)
HEAVY = (
    "numpy",
    "pandas",
    "scipy",
    "sklearn",
    "torch",
    "ray",
    "pyarrow",
    "matplotlib",
    "huggingface_hub",
    "transformers",
)


@pytest.mark.parametrize("words", [["--help"], ["sweep", "--help"], ["--version"]])
def test_help_imports_nothing_large(words):
    script = (
        f"import sys; from jobs.cli import main\ntry: main()\nfinally: print(sorted(set({HEAVY!r}) & "
        f"set(sys.modules)), file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, text=True, timeout=400, check=False
    )
    assert ended.stdout and ended.stderr.strip() == "[]", ended.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_can_be_quiet_or_verbose_and_shows_an_example(command):
    told = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200"}).output
    assert "--quiet" in told and "--verbose" in told and f"qre {command}" in told


@pytest.mark.parametrize(("words", "volume"), [([], "normal"), (["-q"], "quiet"), (["-v"], "verbose")])
def test_the_volume_is_said_before_or_after_the_command(words, volume):
    for given in ([*words, "encoders", "list"], ["encoders", "list", *words]):
        assert CliRunner().invoke(app, given).exit_code == 0
        assert console.quiet() == (volume == "quiet") and console.verbose() == (volume == "verbose")


def test_quiet_leaves_results_and_errors(tmp_path, capsys):
    console.set_volume("quiet")
    try:
        console.note("a note")
        console.progress("3 of 4")
        assert capsys.readouterr() == ("", "")
    finally:
        console.set_volume("normal")


def test_quiet_and_verbose_do_not_go_together():
    command = [sys.executable, "-m", "jobs.cli", "-q", "encoders", "list", "-v"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert (ended.returncode, ended.stderr) == (2, "qre: give --quiet or --verbose, not both\n")


def test_verbose_shows_where_an_error_is_from(tmp_path):
    command = [sys.executable, "-m", "jobs.cli", "plan", "-v", str(tmp_path / "none.yaml")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert ended.returncode == 2 and "Traceback" in ended.stderr and ended.stderr.splitlines()[-1].startswith("qre: ")

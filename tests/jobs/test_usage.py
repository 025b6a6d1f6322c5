"""A command line that cannot be understood: one line in our words that names the option, what was given and what is
allowed; exit code 2."""

import sys

import pytest
import typer

from jobs.cli import app
from jobs.commands import run


@pytest.fixture
def said(capsys, monkeypatch):
    """What `qre WORDS` says, in this process: its exit code and its lines on stderr."""

    def command(*words):
        monkeypatch.setattr(sys, "argv", ["qre", *words])
        with pytest.raises(SystemExit) as ended:
            run()
        return ended.value.code, capsys.readouterr().err.splitlines()

    return command


def numeric_options():
    """(words of the command, option, least, most) of every option that takes a number."""

    def walk(command, words):
        for name, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, [*words, name])
        for param in command.params:
            if isinstance(getattr(param, "min", None), (int, float)) or isinstance(
                getattr(param, "max", None), (int, float)
            ):
                yield words, max(param.opts, key=len), param.min, param.max

    return list(walk(typer.main.get_command(app), []))


def test_every_number_is_refused_in_our_words(said):
    options = numeric_options()
    assert {option for _, option, _, _ in options} >= {
        "--top",
        "--limit",
        "-k",
        "--losses",
        "--layer",
        "--n",
        "--seed",
        "--max-parameters",
    }
    for words, option, least, most in options:
        for value in filter(
            None, (least is not None and str(least - 1), most is not None and str(most + 1), "x", "1e400x", "")
        ):
            code, lines = said(*words, f"{option}={value}" if option.startswith("--") else f"{option}{value or 'y'}")
            assert code == 2 and len(lines) == 1 and lines[0].startswith(f"qre: {option} ") and ": give " in lines[0], (
                lines
            )
            assert not any(word in lines[0] for word in ("Input", "valid", "range", "Error")), lines


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("rank --top 0 --atlas x", "--top 0: give 1 or more"),
        ("rank --top 2.5 --atlas x", "--top 2.5: give a whole number, 1 or more"),
        ("illustrate --n 5000", "--n 5000: give 16 to 4,096"),
        ("rank --by scores --atlas x", "--by scores: give score or predicted; did you mean score?"),
        ("plan --losses x", "--losses x: give a number, 0 to 60"),
        ("plan --losses nan", "--losses nan: give 0 to 60"),
        ("rank --atlass x", "rank: no option --atlass; did you mean --atlas?"),
        ("rank --zzz", "rank: no option --zzz; qre rank --help lists them"),
        ("rnk", "no command rnk; did you mean rank?"),
        ("encoders serch", "encoders: no command serch; did you mean search?"),
        ("[bold]x", "no command '[bold]x'; qre --help lists them"),
        ("zzzz", "no command zzzz; qre --help lists them"),
        ("-q", "name a command; qre --help lists them"),
        ("place x", "place: --atlas is missing; give --atlas results/here"),
        ("rank results/here", "rank: --atlas is missing; write qre rank --atlas results/here"),
        ("rank --json here.yaml", "rank: --atlas is missing; give --atlas results/here"),
        ("place x results/here -k 3", "place: --atlas is missing; write qre place x --atlas results/here -k 3"),
        ("map", "map: MODEL is missing; qre map --help shows an example"),
        ("sweep", "sweep: CONFIG is missing; qre sweep --help shows an example"),
        ("rank --atlas", "--atlas: a value is missing"),
        ("rank --json=3", "--json takes no value"),
        ("plan a b", "plan: there is no place for b; qre plan --help shows what it takes"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(said, words, line, tmp_path, monkeypatch):
    (tmp_path / "results/here").mkdir(parents=True)
    (tmp_path / "results/here/manifest.json").touch()
    monkeypatch.chdir(tmp_path)
    assert said(*words.split()) == (2, [f"qre: {line}"])


def test_the_exit_code_of_a_command_is_kept(said, tmp_path, monkeypatch):
    assert said("encoders", "list") == (0, [])
    monkeypatch.chdir(tmp_path)
    code, lines = said("new", "x.yaml", "--limit", "50001")
    assert code == 2 and lines == [
        "qre: --limit 50,001: there are 50,000 built-in sentences; give at most so many, or a file of your own: "
        "--sentences FILE"
    ]

"""Paths as people write them: the home is put in, variables are refused, in every place of a config and of the command
line."""

import os
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from jobs.cli import app
from jobs.config import load_config, load_list
from qre.errors import UserError
from qre.paths import expanded, shortened

ENCODERS = [{"source": "catalogue", "name": "classical", "include": ["hash/word1-1/*"]}]
PLACES = {  # place in the config -> values with a path P in it
    "store": {"store": "P"},
    "export": {"export": "P"},
    "sentences": {"sentences": {"source": "file", "path": "P"}},
    "folder": {"encoders": [{"source": "folder", "path": "P"}]},
    "list": {"encoders": [{"source": "list", "path": "P"}]},
    "results": {"tasks": [{"source": "mteb", "results": ["P"]}]},
    "sts": {"tasks": [{"source": "file", "kind": "sts", "name": "x", "path": "P"}]},
    "classification": {"tasks": [{"source": "file", "kind": "classification", "name": "x", "train": "P", "test": "P"}]},
    "groups": {"tasks": [{"source": "file", "kind": "clustering", "name": "x", "path": "P", "label_groups": "P"}]},
    "retrieval": {
        "tasks": [{"source": "file", "kind": "retrieval", "name": "x", "corpus": "P", "queries": "P", "qrels": "P"}]
    },
}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """A home, and another working directory."""
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "home"


def filled(values, path: str):
    """The values with a path in the place of P."""
    if isinstance(values, dict):
        return {key: filled(value, path) for key, value in values.items()}
    if isinstance(values, list):
        return [filled(value, path) for value in values]
    return path if values == "P" else values


def config(**values) -> Path:
    Path("config.yaml").write_text(yaml.safe_dump({"name": "t", "store": "store", "encoders": ENCODERS, **values}))
    return Path("config.yaml")


@pytest.mark.parametrize("place", PLACES)
def test_the_home_is_put_in_everywhere_in_a_config(home, place):
    dumped = yaml.safe_dump(load_config(config(**filled(PLACES[place], "~/x/y"))).model_dump(mode="json"))
    assert f"{home}/x/y" in dumped and "~" not in dumped


@pytest.mark.parametrize("path", ["$HOME/x", "${HOME}/x", "x/$USER", "/a/${B", "$(pwd)/x", "s3://$BUCKET/x"])
@pytest.mark.parametrize("place", PLACES)
def test_variables_are_refused_everywhere_in_a_config(place, path):
    with pytest.raises(
        UserError,
        match=r"config.yaml:\d+: .*: .* has \$.* in it, and variables are not expanded here: write the path out",
    ):
        load_config(config(**filled(PLACES[place], path)))


def test_lists_too(home):
    Path("list.yaml").write_text(yaml.safe_dump([{"source": "folder", "path": "~/e"}]))
    assert load_list("list.yaml")[0].path == f"{home}/e"
    Path("list.csv").write_text("source,path\nfolder,~/e\n")
    assert load_list("list.csv")[0].path == f"{home}/e"


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("~", "{home}"),
        ("~root/x", f"{os.path.expanduser('~root')}/x"),
        ("a/~/b", "a/~/b"),
        ("a~", "a~"),
        ("x/price$.csv", "x/price$.csv"),
        ("a$1", "a$1"),
        ("s3://b/~x", "s3://b/~x"),
        ("./~", "./~"),
    ],
)
def test_what_is_put_in(home, given, path):
    assert expanded(given) == path.format(home=home)


def test_a_home_that_nobody_has():
    with pytest.raises(ValueError, match="no home of '~nobody-of-this-name' is known"):
        expanded("~nobody-of-this-name/x")


def test_for_people_the_home_is_short(home):
    assert shortened(f"{home}/x") == "~/x" and shortened("/etc/x") == "/etc/x" and shortened(f"{home}x") == f"{home}x"


@pytest.mark.parametrize(
    "words",
    [
        ["illustrate", "--out", "P"],
        ["status", "P"],
        ["plan", "P"],
        ["sweep", "P"],
        ["report", "P"],
        ["evaluate", "P"],
        ["submit", "P"],
        ["report", "config.yaml", "--out", "P"],
        ["rank", "--atlas", "P"],
        ["place", "x.npy", "--atlas", "P"],
        ["place", "P", "--atlas", "a"],
        ["place", "x.npy", "--atlas", "a", "--out", "P"],
        ["place", "--entry", "P", "--atlas", "a"],
        ["neighbours", "x", "--atlas", "P"],
        ["compare", "a", "b", "--atlas", "P"],
        ["encoders", "show", "P"],
        ["encoders", "search", "--out", "P"],
        ["submit", "config.yaml", "--working-dir", "P"],
    ],
)
def test_variables_are_refused_everywhere_on_the_command_line(words):
    config()
    result = CliRunner().invoke(app, [word.replace("P", "$HOME/x") for word in words])
    assert isinstance(result.exception, UserError) and "variables are not expanded here" in str(result.exception)


def test_no_folder_is_called_like_a_home(home):
    result = CliRunner().invoke(app, ["illustrate", "--out=~/figures", "--n", "16"], catch_exceptions=False)
    assert result.exit_code == 0 and list((home / "figures").iterdir())
    assert not Path("~").exists()


def test_a_store_in_ones_home_is_not_submitted():
    from jobs.submission.job import run

    with pytest.raises(UserError, match="another folder on the cluster; write the path out"):
        run(config(store="~/store"), "http://127.0.0.1:1", Path("."), False)

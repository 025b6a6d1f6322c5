"""Where `qre map` may put a map: what cannot be a folder with a config beside it is told before anything is written."""

import json

import pytest

from jobs.planning.resolved import Resolved
from jobs.start.at_once import ModelsMissing, check_models, map_models
from jobs.start.encoders import chosen_encoders
from jobs.start.new_config import Wanted, new, write
from qre.errors import PlaceError, UserError
from qre.sentences import builtin_set
from qre.store import Failure


@pytest.mark.parametrize(
    ("out", "told"),
    [
        (".", "--out '.': name a folder of its own"),
        ("..", "--out '..': name a folder of its own"),
        ("/", "--out '/': name a folder of its own"),
        ("", "--out '.': name a folder of its own"),
        ("a/..", "--out 'a/..': name a folder of its own"),
        ("s3://b/x", "--out s3:/b/x: the map goes into a folder of this machine"),
        ("file", "--out file: file is a file; name a folder"),
        ("file/x", "--out file/x: file is a file; name a folder"),
    ],
)
def test_an_out_that_cannot_be_is_told_and_nothing_is_written(tmp_path, monkeypatch, out, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError) as caught:
        map_models(type(tmp_path)(out), Wanted(encoders=("classical",)), False)
    assert str(caught.value).startswith(told) and [one.name for one in tmp_path.iterdir()] == ["file"]


def test_no_model_is_told_in_the_words_of_this_command(tmp_path):
    for words in ((), ("",), (" , ",)):
        with pytest.raises(UserError, match="^map: name at least one MODEL$"):
            map_models(tmp_path / "m", Wanted(encoders=words), False)


def test_a_config_below_a_file_is_told_in_one_line(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(PlaceError):
        write(tmp_path / "file" / "x.yaml", "name: t\n")


def test_a_folder_with_another_map_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results" / "mine"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(
        json.dumps({"name": "mine", "identity": "i", "copied_from": {"store": "0", "owner": {"file": "cl.yaml"}}})
    )
    path, before = type(tmp_path), sorted(tmp_path.rglob("*"))
    told = "results/mine holds another map named 'mine', made by cl.yaml, which is not of the store .*; name another "
    with pytest.raises(UserError, match=f"^--out: {told}folder, or remove the map there$"):
        map_models(path("results/mine"), Wanted(encoders=("classical",)), False)
    with pytest.raises(UserError, match=f"^mine.yaml: {told}FILE, or remove the map there$"):
        new(path("mine.yaml"), Wanted(encoders=("classical",)), False)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_model_that_is_not_available_is_told_before_the_sweep_and_its_out_is_free_again(tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{}")
    with pytest.raises(UserError, match="^map: the model is not available: .*broken: .*SentenceTransformer.save"):
        map_models(tmp_path / "out" / "m", Wanted(encoders=(str(tmp_path / "broken"),), limit=40), False)
    assert not (tmp_path / "out" / "m.yaml").exists() and not (tmp_path / "out" / "m").exists()


def failed(name: str, kind: str) -> Failure:
    return Failure(key=name, encoder=name, kind=kind, exception="missing", message=f"{name}: missing; check the name")


@pytest.mark.parametrize(
    ("asked", "absent", "kind", "error"),
    [
        (("a/b",), ("a/b",), "permanent", UserError),
        (("a/b", "c/d"), ("a/b", "c/d"), "permanent", UserError),
        (("a/b", "c/d"), ("a/b", "c/d"), "transient", ModelsMissing),
        (("a/b", "c/d"), ("c/d",), "permanent", None),
        (("demo", "c/d"), ("c/d",), "permanent", None),
        (("a/b",), ("lsa/d32",), "permanent", None),
    ],
)
def test_which_models_are_missing(capsys, asked, absent, kind, error):
    resolved = Resolved(builtin_set(10, 0), unresolved=[failed(name, kind) for name in absent])
    if error is not None:
        with pytest.raises(error, match="not available: .*c/d: missing" if len(asked) > 1 else "the model is not ava"):
            check_models(chosen_encoders(asked), resolved)
        return
    check_models(chosen_encoders(asked), resolved)
    told = "note: not available, and left out: c/d: missing; check the name\n"
    assert capsys.readouterr().out == (told if "c/d" in absent else "")

"""Where `qre map` may put a map: what cannot be a folder with a config beside it is told before anything is written."""

import pytest

from jobs.start.at_once import map_models
from jobs.start.new_config import Wanted, write
from qre.errors import PlaceError, UserError


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

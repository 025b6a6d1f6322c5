"""A map whose config was edited since: what differs is told, and what to do."""

import pytest
import yaml

from jobs.asked.opened import open_atlas
from jobs.config import load_config
from tests.jobs.test_look import swept  # noqa: F401  a finished map of 12 encoders in its store

HASHED = {"source": "catalogue", "name": "classical", "include": ["hash/word*"]}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"sentences": {"source": "builtin", "limit": 160}}, "other sentences (the map has 150, the config 160)"),
        ({"features": {"epsilon": 0.001}}, "other settings: features.epsilon"),
        ({"atlas": {"metric": "l2", "neighbours": 3}}, "other settings: atlas.metric, atlas.neighbours"),
        (
            {"encoders": [HASHED, {"source": "catalogue", "name": "classical", "include": ["sif/w2/d100"]}]},
            "1 encoder not on the map (sif/w2/d100)",
        ),
        (
            {"encoders": [{**HASHED, "include": ["hash/word1-1/*"]}]},
            "6 encoders no longer in the config (hash/word1-2/count/d256, ",
        ),
        ({"tasks": [{"source": "builtin", "include": ["builtin/sts"]}]}, "1 task not on the map (builtin/sts)"),
    ],
)
def test_what_differs_is_told_in_one_line(swept, tmp_path, capsys, values, told):  # noqa: F811
    path, _, store = swept
    edited = tmp_path / "edited.yaml"
    edited.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **values}))
    assert load_config(edited).store == store.location
    open_atlas(str(edited))
    note = capsys.readouterr().err
    assert (
        note.startswith(f"note: the map is not of {edited} as it is now: ") and told in note and note.count("\n") == 1
    )
    assert f"qre sweep {edited} updates it" in note


def test_a_config_that_cannot_be_read_any_more_stops_nobody(swept, tmp_path, capsys):  # noqa: F811
    path, _, _ = swept
    edited = tmp_path / "edited.yaml"
    edited.write_text(
        yaml.safe_dump({**yaml.safe_load(path.read_text()), "sentences": {"source": "file", "path": "gone.txt"}})
    )
    assert len(open_atlas(str(edited)).names) == 12
    assert f"{tmp_path}/gone.txt" in capsys.readouterr().err

"""An export that cannot be written is found before the work begins."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.config import SweepConfig
from jobs.records.exports import check_export, export
from qre.atlas.reader import AtlasFiles
from qre.errors import PlaceError, UserError
from qre.store import Store
from tests.faults.in_process import HASHED
from tests.jobs.conftest import write_config

ROOT = Path(__file__).resolve().parents[2]


def sweep(config: Path, prefix: list[str] = ()):
    return subprocess.run(
        [*prefix, sys.executable, "-m", "jobs.cli", "sweep", str(config)],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize(
    ("export", "told"),
    [
        ("file", "is a file"),
        ("file/below", "is a file"),
        ("store", "is inside the store"),
        ("store/atlases/t", "is inside the store"),
        ("link", "is inside the store"),
        ("other", "holds the map 'other', and this one is 't'"),
        ("elsewhere", "holds another map named 't', made by [b]u.yaml, which is not of the store"),
        ("unsaid", "holds another map named 't', which is not of the store"),
        ("page", "is not of a map, and is not overwritten"),
        ("newer", "by a newer version"),
        ("s3://bucket/x", "is not a folder"),
    ],
)
def test_an_export_to_the_wrong_place_ends_before_any_work(tmp_path, export, told):
    (tmp_path / "file").write_text("x")
    (tmp_path / "store").mkdir()
    (tmp_path / "link").symlink_to("store")
    for name, manifest in (
        ("other", {"name": "other", "identity": "i"}),
        (
            "elsewhere",
            {"name": "t", "identity": "i", "copied_from": {"store": "0" * 32, "owner": {"file": "[b]u.yaml"}}},
        ),
        ("unsaid", {"name": "t", "identity": "i", "copied_from": ["no", "record"]}),
        ("page", {"start_url": "/"}),
        ("newer", {"name": "t", "identity": "i", "schema": 2}),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(json.dumps(manifest))
    before = names(tmp_path)
    config = write_config(tmp_path, [HASHED], export=export if "://" in export else str(tmp_path / export))
    result = sweep(config)
    assert result.returncode == 2 and result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("qre: export: ") and told in result.stderr
    assert names(tmp_path) == sorted([*before, "config.yaml"])


def test_an_export_that_may_not_be_written_ends_before_any_work(tmp_path, bound_by_rights):
    prefix, closed = bound_by_rights
    (tmp_path / "closed").mkdir()
    closed(tmp_path / "closed")
    for place in ("closed", "closed/below/here"):
        result = sweep(write_config(tmp_path, [HASHED], export=str(tmp_path / place)), prefix)
        assert result.returncode == 1 and result.stderr.count("\n") == 1, result.stderr
        assert (
            f"export: {tmp_path / place} cannot be written: " in result.stderr and "Permission denied" in result.stderr
        )
    assert names(tmp_path) == ["closed", "config.yaml"]


def test_a_full_or_read_only_disk_is_found(tmp_path):
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256k", "qre", str(tmp_path)], capture_output=True
        ).returncode
    ):
        pytest.skip("only root can mount a small file system")
    try:
        with pytest.raises(PlaceError, match="No space left on device; make room"):
            check_export(tmp_path / "a" / "b", Store(tmp_path.parent / "store"), "t")
        assert names(tmp_path) == []
        subprocess.run(["mount", "-o", "remount,ro", str(tmp_path)], check=True)
        with pytest.raises(PlaceError, match="Read-only file system"):
            check_export(tmp_path / "a", Store(tmp_path.parent / "store"), "t")
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def made(store: Path, identity: str, content: bytes = b"x", owner: str = "") -> Store:
    """A store with a finished map "t", which a config owns."""
    opened = Store(store)
    opened.owners.write("t", {"file": "t.yaml", "place": owner or "p", "content": identity})
    opened.atlases.write("t", {"map.csv": content}, {"name": "t", "identity": identity})
    return opened


def exported(store: Store, folder: Path) -> None:
    check_export(folder, store, "t")
    export(SweepConfig(name="t", store=store.location, encoders=[HASHED]), store, folder)


def test_the_map_of_another_store_and_config_is_kept(tmp_path):
    exported(made(tmp_path / "store", "one"), tmp_path / "out")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    for other in (Store(tmp_path / "empty"), made(tmp_path / "other", "two", owner="q")):
        with pytest.raises(UserError, match=r"holds another map named 't', made by t\.yaml, which is not of the store"):
            check_export(tmp_path / "out", other, "t")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert str(tmp_path) not in before["manifest.json"].decode()


def test_the_map_of_the_same_store_or_config_is_made_anew(tmp_path):
    out = tmp_path / "out"
    exported(made(tmp_path / "store", "one"), out)
    exported(made(tmp_path / "store", "two", b"y", owner="q"), out)  # the config was edited, and moved
    assert (out / "map.csv").read_bytes() == b"y"
    (tmp_path / "store").rename(tmp_path / "moved")
    check_export(out, Store(tmp_path / "store"), "t")  # a store that was removed, to begin again
    exported(made(tmp_path / "moved", "three", b"z", owner="q"), out)  # one that was moved
    manifest = json.loads((out / "manifest.json").read_text())
    assert (out / "map.csv").read_bytes() == b"z" and manifest["identity"] == "three"
    del manifest["copied_from"]  # a copy of an older version
    (out / "manifest.json").write_text(json.dumps(manifest))
    check_export(out, Store(tmp_path / "moved"), "t")
    with pytest.raises(UserError, match="holds another map named 't', which is not of the store"):
        check_export(out, Store(tmp_path / "empty"), "t")


def test_a_good_place_is_left_as_it_was(tmp_path):
    store = Store(tmp_path / "out" / "store")  # a store below the export is no trouble
    check_export(tmp_path / "out" / "deep", Store(tmp_path / "store"), "t")
    assert names(tmp_path) == []
    (tmp_path / "out").mkdir()
    for manifest in ('{"name": "t", "ident', ""):  # one that was cut off
        (tmp_path / "out" / "manifest.json").write_text(manifest)
        check_export(tmp_path / "out", store, "t")
    assert names(tmp_path) == ["out", "out/manifest.json"]


def test_another_option_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="^--out: "):
        check_export(tmp_path / "file", Store(tmp_path / "store"), "t", "--out")


def test_a_copied_map_of_a_newer_version_is_told():
    manifest = json.dumps({"schema": 2, "name": "t", "files": "of another kind"}).encode()
    with pytest.raises(
        UserError,
        match=r"the copy: manifest.json was written by a newer version of this program \(schema 2, this one reads "
        r"1\): update",
    ):
        AtlasFiles(lambda file: manifest, "the copy")

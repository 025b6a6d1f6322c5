"""A bucket that refuses from some moment on, as credentials do that expire in the middle of a sweep; and one that
refuses what nothing depends on."""

import subprocess
import sys
from pathlib import Path

import pytest

from qre.store import Store
from tests.jobs.conftest import write_config
from tests.s3 import s3  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
FEW = {"source": "catalogue", "name": "classical", "include": ["hash/word*"]}
pytestmark = pytest.mark.cluster


def started(path: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "jobs.cli", "sweep", path],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_refused_at_the_very_start(s3, tmp_path):  # noqa: F811
    s3.fail(".", 400, "ExpiredToken")
    process = started(write_config(tmp_path, [FEW], store=s3.location()))
    out, errors = process.communicate(timeout=400)
    assert process.returncode == 2, errors
    assert "ExpiredToken" in errors and "check the credentials" in errors and len(errors.splitlines()) == 1


def test_who_may_read_only_is_told_at_the_start(s3, tmp_path):  # noqa: F811
    s3.fail("PUT ", 403, "AccessDenied")
    process = started(write_config(tmp_path, [FEW], store=s3.location()))
    out, errors = process.communicate(timeout=400)
    assert process.returncode == 2, out + errors
    assert "cannot write owners/" in errors and "what they may do" in errors and "Traceback" not in errors


@pytest.mark.parametrize(
    ("refused", "status", "code"),
    [(".", 400, "ExpiredToken"), (".", 403, "InvalidAccessKeyId"), ("PUT ", 403, "AccessDenied")],
    ids=["expired", "key", "writes"],
)
def test_refused_in_the_middle(s3, tmp_path, refused, status, code):  # noqa: F811
    location = s3.location()
    path = write_config(tmp_path, [FEW], store=location, cluster={"cpus": 1})
    s3.fail(refused, status, code, after="PUT .*/embeddings/")
    process = started(path)
    out, errors = process.communicate(timeout=400)
    assert process.returncode == 1, out + errors
    assert "Traceback" not in errors
    assert (
        "the bucket refuses our credentials now: renew them" in errors + out
        and "what is done is kept" in errors.splitlines()[-1]
    )
    s3.faults.clear()
    assert not Store(location).failures.keys()  # nothing is said against an encoder
    assert (
        subprocess.run(
            [sys.executable, "-m", "jobs.cli", "sweep", path], cwd=ROOT, capture_output=True, check=False
        ).returncode
        == 0
    )


def test_records_that_nothing_depends_on_may_be_refused(s3, tmp_path):  # noqa: F811
    s3.fail("PUT .*/(progress|speeds|runs|notices)/", 403, "AccessDenied")
    process = started(write_config(tmp_path, [FEW], store=s3.location()))
    out, errors = process.communicate(timeout=400)
    assert process.returncode == 0, out + errors
    assert out.count("progress is not recorded: ") == 1 and out.count("runs is not recorded: ") == 1
    assert "access denied" in out and "map of 12 encoders" in out

"""A bucket on a real S3 server: how many requests, and what happens when the server fails, stalls, goes away or
refuses."""

import gc
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from qre.errors import UserError
from qre.store import Bucket, CorruptArtefact, Store, address
from tests.s3 import BUCKET, CREDENTIALS

LARGE = 21 * 2**20  # sent in three parts
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def files(s3):
    return Store(s3.location()).folder


def requests_of(s3, act) -> list[str]:
    s3.requests.clear()
    act()
    return [request.partition(" ")[0] for request in s3.requests]


def test_how_many_requests(s3, files):
    assert requests_of(s3, lambda: files.write("a/one.bin", b"1")) == ["PUT"]
    assert requests_of(s3, lambda: files.read("a/one.bin")) == ["HEAD", "GET"]
    assert requests_of(s3, lambda: files.exists("a/one.bin")) == ["HEAD"]
    assert requests_of(s3, lambda: files.sizes("a")) == ["GET"]
    assert requests_of(s3, lambda: files.write("a/large.bin", bytes(LARGE))) == ["POST", "PUT", "PUT", "PUT", "POST"]
    assert files.sizes("a") == {"a/large.bin": LARGE, "a/one.bin": 1}
    assert len(requests_of(s3, lambda: files.remove_folder("a"))) <= 5
    assert files.sizes("a") == {}


@pytest.mark.parametrize(
    "request_that_fails",
    ["POST .*uploads$", "PUT .*partNumber=1&", "PUT .*partNumber=2&", "PUT .*partNumber=3&", "POST .*uploadId="],
)
def test_a_cut_upload_is_never_seen(s3, files, request_that_fails):
    """pyarrow itself completes an upload on closing, and on forgetting, a file whose parts or whose beginning
    failed."""
    files.write("a/old.bin", b"old")
    s3.fail(request_that_fails, 403, "AccessDenied")
    for name in ("a/old.bin", "a/new.bin"):
        with pytest.raises(UserError, match=f"cannot write {name}.*access denied"):
            files.write(name, bytes(LARGE))
    s3.faults.clear()
    gc.collect()
    time.sleep(0.2)
    assert files.sizes("a") == {"a/old.bin": 3}
    s3.fail(request_that_fails, 503, "SlowDown", times=2)  # all of the client's own attempts
    files.write("a/new.bin", bytes(LARGE))
    assert files.sizes("a") == {"a/old.bin": 3, "a/new.bin": LARGE}


WRITE = """
import sys
from qre.store import Store
files = Store(sys.argv[1]).folder
print("ready", flush=True)
files.write("a/one.bin", b"x" * 22_020_096)
print("written", flush=True)
"""


@pytest.mark.parametrize(("number", "sizes"), [(signal.SIGKILL, [{}]), (signal.SIGINT, [{}, {"a/one.bin": LARGE}])])
def test_a_process_that_is_stopped_leaves_no_cut_object(s3, files, number, sizes):
    s3.answers.clear()
    command = [sys.executable, "-c", WRITE, files.address.location]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout.readline() == "ready\n"
        while not any("uploads" in request for request in s3.requests):
            time.sleep(0.01)
        process.send_signal(number)
        s3.answers.set()
        told, error = process.communicate(timeout=400)
    assert process.returncode == -number
    assert "written" not in told
    assert not error or "KeyboardInterrupt" in error
    time.sleep(0.5)
    assert files.sizes("a") in sizes


def test_a_server_that_is_gone_for_a_while_is_waited_for(s3, files, caplog):
    written = []

    def write_all():
        for number in range(20):
            if number == 10:
                s3.pause()  # it goes away in the middle
            files.write(f"a/{number:02d}.bin", b"x" * 1000)
            written.append(number)

    writer = threading.Thread(target=write_all)
    writer.start()
    while not caplog.messages:  # it is told when the first try has failed
        time.sleep(0.01)
    assert len(written) == 10
    s3.resume()
    writer.join()
    assert files.sizes("a") == {f"a/{number:02d}.bin": 1000 for number in range(20)}
    assert len(caplog.messages) == 1
    assert "trying again for 60 s" in caplog.text


def test_a_server_that_stays_away_is_told_at_last(s3, files, monkeypatch):
    monkeypatch.setattr(Bucket, "RETRY_SECONDS", 1.5)
    files.read_many(["a/none"])
    s3.pause()
    for doing, act in {"read a/one.bin": lambda: files.read("a/one.bin"), "list a": lambda: files.sizes("a")}.items():
        with pytest.raises(TimeoutError) as error:
            act()
        assert f"store: cannot {doing} in {files.address}: tried for 2 s: network connection" in str(error.value)
        assert s3.endpoint in str(error.value)
        assert CREDENTIALS["AWS_SECRET_ACCESS_KEY"] not in str(error.value)
    with pytest.raises(TimeoutError):
        # once more for each of them would be longer than the limit of a test
        files.read_many([f"a/{number}" for number in range(20_000)])


def test_faults_that_pass_are_tried_again(s3, files):
    acts = [
        (503, "SlowDown", lambda: files.write("a/one.bin", b"1"), None),
        (500, "InternalError", lambda: files.read("a/one.bin"), b"1"),
        (429, "TooManyRequests", lambda: files.sizes("a"), {"a/one.bin": 1}),
        (502, "BadGateway", lambda: files.remove("a/one.bin"), None),
    ]
    for status, code, act, wanted in acts:
        s3.fail(".*", status, code, times=3)  # more than the client's own attempts
        assert act() == wanted
        assert s3.faults[-1].times == 0


def test_an_answer_that_is_cut_is_asked_for_again(s3, files):
    content = np.random.default_rng(0).bytes(3_000_000)
    files.write("a/one.bin", content)
    s3.cut("GET .*one.bin", times=3)
    assert files.read("a/one.bin") == content
    s3.cut("GET .*one.bin", times=3)
    with files.open("a/one.bin") as file:
        file.seek(1_000_000)
        assert file.read(1_500_000) == content[1_000_000:2_500_000]
    assert [fault.times for fault in s3.faults] == [0, 0]


def test_a_server_that_stalls_is_asked_again(s3, monkeypatch):
    monkeypatch.setattr(address, "STALL_SECONDS", 1.0)
    files = Store(s3.location()).folder
    files.write("a/one.bin", b"1")
    s3.requests.clear()
    s3.delay = 60
    threading.Thread(target=no_delay_after_the_first, args=(s3,)).start()
    assert files.read("a/one.bin") == b"1"
    assert len(s3.requests) >= 2


def no_delay_after_the_first(s3) -> None:
    while not s3.requests:
        time.sleep(0.01)
    s3.delay = 0


def test_what_is_absent_is_told_at_once(s3, files):
    files.write("a/one.bin", b"1")
    s3.requests.clear()
    for act in (files.read, files.open):
        with pytest.raises(FileNotFoundError):
            act("a/two.bin")
    assert not files.exists("a/two.bin")
    assert len(s3.requests) <= 6  # none is tried again


@pytest.mark.parametrize("act", ["read", "open", "exists", "sizes", "write", "remove_folder"])
def test_a_bucket_that_does_not_exist_is_told_at_once(s3, act):
    files = Store(s3.location(bucket="no-such-bucket")).folder
    with pytest.raises(UserError, match=r"store: there is no bucket 'no-such-bucket' .*; make it, or fix the address"):
        getattr(files, act)(*(("a/one.bin", b"1") if act == "write" else ("a/one.bin",)))
    assert len(s3.requests) <= 3


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "AccessDenied"), (403, "SignatureDoesNotMatch"), (301, "PermanentRedirect"), (400, "ExpiredToken")],
)
@pytest.mark.parametrize("act", ["read", "sizes", "write"])
def test_a_refusal_is_told_at_once(s3, files, act, status, code):
    s3.fail(".*", status, code)
    with pytest.raises(UserError, match="check the credentials, what they may do .* and the region") as error:
        getattr(files, act)(*(("a/one.bin", b"1") if act == "write" else ("a/one.bin",)))
    assert len(s3.requests) == 1
    assert CREDENTIALS["AWS_SECRET_ACCESS_KEY"] not in str(error.value)


def test_who_may_see_a_prefix_only_is_served(s3, files):
    s3.fail(rf"HEAD /{BUCKET} ?$", 403, "AccessDenied")
    assert files.sizes("a") == {}
    with pytest.raises(FileNotFoundError):
        files.read("a/one.bin")


def test_a_fault_of_the_server_is_not_taken_for_a_corrupt_shard(s3, files, monkeypatch):
    store = Store(files.address.location)
    shard = store.features.write("m", pa.table({"key": ["a"], "feature": [[0.5] * 50_000]}))
    s3.fail(f"GET .*{shard}", 503, "SlowDown", times=3)
    assert store.features.keys("m") == {"a"}
    monkeypatch.setattr(Bucket, "RETRY_SECONDS", 1.0)
    for act in (lambda: store.features.keys("m"), lambda: store.features.read("m", ["a"])):
        s3.fail(f"GET .*{shard}", 503, "SlowDown")
        with pytest.raises(TimeoutError):
            act()
        s3.faults.clear()
    s3.fail(f"GET .*{shard}", 403, "AccessDenied")
    with pytest.raises(UserError):
        store.features.keys("m")
    s3.faults.clear()
    assert store.features.keys("m") == {"a"}
    assert list(files.names("quarantine")) == []


def test_a_fault_while_an_atlas_is_read_does_not_harm_it(s3, files, monkeypatch):
    monkeypatch.setattr(Bucket, "RETRY_SECONDS", 1.0)
    store = Store(files.address.location)
    store.atlases.write("demo", {"map.csv": b"x,y"}, {})
    s3.fail("(HEAD|GET) .*map.csv", 503)
    with pytest.raises(TimeoutError):
        store.atlases.read("demo", "map.csv")
    s3.faults.clear()
    files.write("atlases/demo/map.csv", b"x,z")
    with pytest.raises(CorruptArtefact):
        store.atlases.read("demo", "map.csv")
    assert store.atlases.manifest("demo") is None


def test_a_process_ends_cleanly(s3, files):
    code = (
        "import sys; from qre.store import Store; store = Store(sys.argv[1]); store.folder.write_many({f'a/{i}': b'1' "
        "for i in range(50)})\n"
        "assert len(store.folder.read_many(store.folder.names('a'))) == 50; store.embeddings.keys()"
    )
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", code, files.address.location]
    told = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")

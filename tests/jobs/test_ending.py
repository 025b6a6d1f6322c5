"""Signals at every stage of the command, and readers that go away: each stage is found by what the command itself has
done, not by a clock."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.guard import MARK, command, descendants, marked
from jobs.ending import name_of
from tests.faults.held import Held
from tests.faults.in_process import PATIENCE, until
from tests.jobs.conftest import write_config
from tests.s3 import s3  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
FEW = {"source": "catalogue", "name": "classical", "include": ["hash/word*"]}
NOBODY = {"HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "127.0.0.1", "HF_TOKEN": ""}


class Run:
    """A command in a process of its own, whose descendants can be found after its end."""

    def __init__(self, folder: Path, *words: object, before: str = "", **environment: str):
        """`before` is Python that its process runs first."""
        self.mark, self.out, self.errors = uuid.uuid4().hex, folder / "out.txt", folder / "errors.txt"
        with open(self.out, "wb") as out, open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-c", f"{before}\nfrom jobs.cli import main; main()", *map(str, words)],
                cwd=ROOT,
                stdout=out,
                stderr=errors,
                start_new_session=True,
                env={**os.environ, MARK: self.mark, **environment},
            )

    def said(self) -> str:
        return self.out.read_text() + self.errors.read_text()

    def runs(self, program: str) -> list[int]:
        return [pid for pid in descendants([self.process.pid]) if Path((command(pid) or [""])[0]).name == program]

    def reached(self, condition, what: str) -> "Run":
        def there():
            assert self.process.poll() is None, f"ended before {what}: {self.said()}"
            return condition()

        until(there, what)
        return self

    @contextlib.contextmanager
    def held(self, pipe: Path, what: str) -> Iterator[None]:
        """It waits where it reads this pipe (HOLDING), until the block ends."""
        opened = []

        def reads() -> bool:
            with contextlib.suppress(OSError):  # nobody has it open for reading
                opened.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
            return bool(opened)

        self.reached(reads, what)
        try:
            yield
        finally:
            os.close(opened[0])

    def stopped(self, number: int) -> str:
        """Send the signal; what it has said on stderr, once it has ended as it should."""
        self.process.send_signal(number)
        assert self.process.wait(PATIENCE) == 128 + number, self.said()
        errors = self.errors.read_text().splitlines()
        assert (
            errors[-1] == f"qre: stopped by {name_of(number)}; what is done is kept; run the same command to continue"
        )
        assert not re.search("Traceback|Exception ignored|Error", "\n".join(errors)), errors
        until(lambda: not marked(self.mark), "processes are left")
        return "\n".join(errors[:-1])


def unfinished(folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob(".*.tmp")]


@pytest.fixture
def importing(tmp_path):
    """Variables by which a command stops where it imports numpy; `wait()` until it is there, `release()` to let it go
    on."""
    hook, pipe = tmp_path / "hook", tmp_path / "pipe"
    hook.mkdir()
    os.mkfifo(pipe)
    (hook / "sitecustomize.py").write_text(HOOK.format(pipe=str(pipe)))
    opened = []
    yield (
        {"PYTHONPATH": f"{hook}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        lambda: opened.append(open(pipe, "wb")),
        lambda: opened.pop().close(),
    )
    for pipe in opened:
        pipe.close()


HOOK = """
import sys

class Stopping:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            sys.meta_path.remove(self)
            open({pipe!r}, "rb").read()

sys.meta_path.insert(0, Stopping())
"""


HOLDING = """
import functools, jobs.cli, {module} as module
*place, name = "{name}".split(".")
place = functools.reduce(getattr, place, module)
real = getattr(place, name)

def held(*arguments, **keywords):
    open({pipe!r}, "rb").read()
    return real(*arguments, **keywords)

setattr(place, name, held)
"""  # a function of a module, or of a class in it, waits where it is called until nobody holds the pipe open any more


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_while_python_imports(tmp_path, importing, number):
    variables, wait, _ = importing
    run = Run(tmp_path, "plan", write_config(tmp_path, [FEW]), **variables)
    wait()
    assert run.stopped(number) == ""
    assert not (tmp_path / "store").exists()


@pytest.fixture
def mute():
    """A server on 127.0.0.1 that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.mark.parametrize("words", [("plan",), ("sweep",), ("encoders", "show")], ids=" ".join)
def test_while_the_hub_is_asked(tmp_path, mute, words):
    asked = "a/b" if words[0] == "encoders" else write_config(tmp_path, [FEW, {"source": "hub", "id": "a/b"}])
    environment = {
        **NOBODY,
        "HF_ENDPOINT": f"http://127.0.0.1:{mute.getsockname()[1]}",
        "HF_HOME": str(tmp_path / "home"),
    }
    run = Run(tmp_path, *words, asked, **environment)
    mute.settimeout(PATIENCE)
    with mute.accept()[0] as asking:
        assert asking.recv(1)
        assert run.stopped(signal.SIGTERM) == ""
    assert unfinished(tmp_path) == []


def test_while_the_bucket_does_not_answer(s3, tmp_path):  # noqa: F811
    """The client of the bucket runs no Python: the end comes from beside it."""
    path = write_config(tmp_path, [FEW], store=s3.location())
    s3.answers.clear()
    run = Run(tmp_path, "plan", path)
    run.reached(lambda: s3.requests, "a request")
    assert run.stopped(signal.SIGTERM) == ""


@pytest.mark.cluster
def test_while_a_sweep_starts_works_and_ends(tmp_path):
    """One store all along: stopped while Ray starts, in passes, after the last file of the map, and then it goes on to
    the end. SIGHUP and SIGTERM in turn."""
    path = write_config(
        tmp_path, [FEW], limit=120, export=str(tmp_path / "map"), cluster={"cpus": 2, "grace_seconds": 2}
    )
    manifest, pipe = tmp_path / "store/atlases/t/manifest.json", tmp_path / "pipe"
    os.mkfifo(pipe)
    run = Run(
        tmp_path,
        "sweep",
        path,
        before=HOLDING.format(module="ray._private.node", name="Node.start_ray_processes", pipe=str(pipe)),
    )
    with run.held(pipe, "Ray starts"):
        assert run.runs("gcs_server") and not run.runs("raylet")
        assert run.stopped(signal.SIGHUP) == ""
    assert not re.search(r"encoders \d+ of", run.out.read_text())

    with Held(path) as held:
        run = Run(tmp_path, "sweep", path)
        run.reached(held.reached, "an embedding")
        workers = [
            pid for pid in descendants([run.process.pid]) if (command(pid) or [""])[0].startswith("ray::Embedder")
        ]
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)  # the grace period is used to its end: Ray's core aborts those who take long
        run.process.send_signal(signal.SIGTERM)
        until(lambda: "stopping: encoders in flight have 2 s" in run.errors.read_text(), "the signal is not heard")
        assert run.process.wait(PATIENCE) == 128 + signal.SIGTERM, run.said()
        assert "Traceback" not in run.said() and "what is done is kept" in run.errors.read_text().splitlines()[-1]
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not marked(run.mark), "processes are left")
    assert not manifest.exists()
    for left in unfinished(tmp_path):  # of a worker that was stopped, and then killed, in the middle of a file
        Path(left).unlink()

    exporting = HOLDING.format(module="jobs.sweeping.one_sweep", name="export", pipe=str(pipe))
    for number in (
        signal.SIGHUP,
        signal.SIGTERM,
    ):  # the map is made, and the second time it was there already: nothing is left but the copy
        run = Run(tmp_path, "sweep", path, before=exporting)
        with run.held(pipe, "the export"):
            assert manifest.exists() and not (tmp_path / "map").exists()
            run.stopped(number)
        assert ("all is done" in run.out.read_text()) == (number == signal.SIGTERM)
        assert unfinished(tmp_path) == []

    assert Run(tmp_path, "sweep", path).process.wait(PATIENCE) == 0
    assert sorted(file.name for file in (tmp_path / "map").iterdir()) == sorted(
        file.name for file in manifest.parent.iterdir()
    )


SWALLOWED = """
import os, signal, sys, threading
from jobs import ending

class Dying:
    def __del__(self):
        os.kill(os.getpid(), int(sys.argv[1]))
        sum(range(10))

with ending.handled():
    if sys.argv[2] == "fork":
        os.register_at_fork(after_in_parent=lambda: Dying() and None)
        if not os.fork():
            os._exit(0)
    try:
        Dying()
        threading.Event().wait(60)
    finally:
        print("unwound", flush=True)
"""


@pytest.mark.parametrize("where", ["del", "fork"])
def test_what_python_swallows_is_raised_again_and_not_shown(where):
    ended = subprocess.run(
        [sys.executable, "-c", SWALLOWED, str(int(signal.SIGTERM)), where],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    told = "qre: stopped by SIGTERM; what is done is kept; run the same command to continue\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (143, "unwound\n", told)


def test_hangup_is_ignored_where_it_was(tmp_path, importing):
    """As nohup has it."""
    variables, wait, release = importing
    command = f"trap '' HUP; exec {sys.executable} -m jobs.cli plan {write_config(tmp_path, [FEW])}"
    process = subprocess.Popen(
        ["bash", "-c", command], cwd=ROOT, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True
    )
    wait()
    process.send_signal(signal.SIGHUP)
    release()
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0 and "12 encoders" in out


@pytest.mark.parametrize("command", ["plan", "status"])
def test_a_reader_that_goes_away_ends_a_looking_command(tmp_path, command):
    process = subprocess.Popen(
        [sys.executable, "-m", "jobs.cli", command, write_config(tmp_path, [FEW])],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    errors = process.stderr.read()
    assert (process.wait(PATIENCE), errors) == (141, b"")


@pytest.mark.cluster
def test_a_sweep_goes_on_without_its_readers(tmp_path):
    """Of stdout and of stderr: it is the work that counts, and the store tells how far it is."""
    process = subprocess.Popen(
        [sys.executable, "-m", "jobs.cli", "sweep", write_config(tmp_path, [FEW], export=str(tmp_path / "map"))],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    process.stderr.close()
    assert process.wait(PATIENCE) == 0
    assert (tmp_path / "map/manifest.json").is_file()

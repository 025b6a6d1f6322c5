"""on_end: a command, or a real server on loopback, is told how a sweep has ended; nothing that goes wrong with it
changes how."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cluster.guard import command as command_of
from jobs.cli import app
from jobs.config import load_config
from jobs.config.on_end import OnEnd
from jobs.engine.connect import AtLimit, Interrupted, SweepError
from jobs.sweeping.telling import on_end
from qre.errors import UserError
from qre.store import Store
from tests.faults.held import Held
from tests.faults.in_process import HASHED, PATIENCE, until
from tests.jobs.conftest import write_config

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "s3cret-t0ken"


class Server:
    """Answers POSTs with the given codes in turn, the last one for ever; keeps what it was sent. A code of 0 answers
    drop by drop, without an end."""

    def __init__(self, *codes: int, location: str = ""):
        self.got, self.codes, self.over = [], list(codes), threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(handler):  # noqa: N802, N805
                body = handler.rfile.read(int(handler.headers["Content-Length"]))
                self.got.append((handler.path, handler.headers["Content-Type"], json.loads(body)))
                code = self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]
                if code == 0:
                    with contextlib.suppress(OSError):
                        while not self.over.wait(0.1):
                            handler.wfile.write(b"H")
                    return
                handler.send_response(code)
                if location:
                    handler.send_header("Location", location)
                handler.end_headers()

            do_GET = do_POST  # noqa: N815

            def log_message(handler, *_):  # noqa: N805
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook/{TOKEN}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    """Between the tries of a webhook."""
    monkeypatch.setattr("jobs.sweeping.telling.PAUSE_SECONDS", 0.02)


def writes(path: Path, then: str = "") -> list[str]:
    """A command that keeps what it reads in a file."""
    return [sys.executable, "-c", f"import sys, time, os; open({str(path)!r}, 'w').write(sys.stdin.read())\n{then}"]


def ended(settings: OnEnd, error: BaseException | None = None, message: str = "") -> int:
    """Go through on_end with a sweep that ends so; returns the exit code that the command would have."""
    try:
        with on_end(settings, "t") as end:
            end.facts, end.message = lambda: {"encoders": {"done": 7}}, message
            if error is not None:
                raise error
    except typer.Exit as stop:
        return stop.exit_code
    except BaseException as other:
        assert other is error
        return -1
    return 0


def exit_of(code: int, cause: BaseException | None) -> typer.Exit:
    stop = typer.Exit(code)
    stop.__cause__ = cause
    return stop


@pytest.mark.parametrize(
    ("error", "outcome", "code", "message"),
    [
        (None, "done", 0, "map of 7"),
        (exit_of(143, Interrupted(signal.SIGTERM)), "stopped", 143, "stopped by SIGTERM"),
        (exit_of(1, SweepError("nothing has moved")), "error", 1, "nothing has moved"),
        (exit_of(1, AtLimit("at the budget")), "stopped", 1, "at the budget"),
        (UserError("no such file"), "error", 2, "no such file"),
        (TimeoutError("the store is away"), "error", 1, "the store is away"),
        (RuntimeError("a bug"), "error", 1, "a bug"),
        (KeyboardInterrupt(), "stopped", 130, "KeyboardInterrupt"),
        (SystemExit(143), "stopped", 143, "143"),
    ],
)
def test_every_way_to_end_is_told(tmp_path, error, outcome, code, message):
    told = tmp_path / "told.json"
    ended(OnEnd(command=tuple(writes(told))), error, "map of 7" if error is None else "")
    got = json.loads(told.read_text())
    assert (got["sweep"], got["outcome"], got["exit_code"], got["message"], got["encoders"]) == (
        "t",
        outcome,
        code,
        message,
        {"done": 7},
    )
    assert got["seconds"] >= 0


@pytest.mark.parametrize(
    ("command", "note"),
    [
        (["/no/such/program"], "note: on_end: /no/such/program: No such file or directory"),
        ([sys.executable, "-c", "raise SystemExit(3)"], "ended with exit code 3"),
        ([sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"], "ended with SIGKILL"),
        ([str(ROOT)], "Permission denied"),
        (["a\0b"], "note: on_end: a\0b: ValueError"),
    ],
)
def test_a_command_that_goes_wrong_is_one_line(capfd, command, note):
    assert ended(OnEnd(command=tuple(command)), exit_of(1, SweepError("x"))) == 1
    told = capfd.readouterr().err
    assert note in told and "Traceback" not in told


def test_its_output_is_shown(capfd):
    assert (
        ended(
            OnEnd(command=(sys.executable, "-c", "import sys; print('to stdout'); print('to stderr', file=sys.stderr)"))
        )
        == 0
    )
    told = capfd.readouterr()
    assert "to stdout" in told.out and "to stderr" in told.err and "note" not in told.err


def test_a_command_that_hangs_is_ended_with_what_it_started(tmp_path, capfd, monkeypatch):
    """It ignores SIGTERM, reads nothing of a JSON that no pipe holds, and has a child."""
    child = "trap '' TERM; : > $PLACE/$$; while :; do sleep 600; done"
    monkeypatch.setenv("PLACE", str(tmp_path))
    command, error = ("sh", "-c", f'sh -c "$0" & {child}', child), exit_of(1, SweepError("x" * 200_000))
    for seconds in (1, 10, 100):
        assert ended(OnEnd(command=command, seconds=seconds), error) == 1
        assert f"was ended after {seconds} s (on_end.seconds)" in capfd.readouterr().err
        until(lambda: all(not command_of(int(path.name)) for path in tmp_path.iterdir()), "a process is left")
        if len(begun := list(tmp_path.iterdir())) == 2:
            return
        for path in begun:  # it was ended before both had begun, on a machine that is busy: it gets more seconds
            path.unlink()
    raise AssertionError("the command never began")


def test_a_command_that_does_not_read_is_no_fault(capfd):
    assert ended(OnEnd(command=(sys.executable, "-c", "pass")), exit_of(1, SweepError("x" * 200_000))) == 1
    assert "note" not in capfd.readouterr().err


def test_sigterm_ends_the_telling_and_not_the_exit_code(tmp_path):
    """In a process of its own; a scheduler that ends the machine does so."""
    script = f"""
import sys, typer
sys.path.insert(0, {str(ROOT)!r})
from jobs.config.on_end import OnEnd
from jobs.sweeping.telling import on_end
try:
    with on_end(OnEnd(command=(sys.executable, "-c", "import time; open({str(tmp_path / "here")!r}, 'w'); time.sleep(600)")), "t"):
        raise typer.Exit(1)
except typer.Exit as stop:
    sys.exit(stop.exit_code)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True)
    until((tmp_path / "here").exists, "the command was never run")
    process.terminate()
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "note: on_end: given up, since a signal asked to end" in told


def test_a_webhook_gets_the_json(capfd):
    with Server(200) as server:
        assert ended(OnEnd(url=server.url), message="map of 7") == 0
    ((path, kind, told),) = server.got
    assert (path, kind) == (f"/hook/{TOKEN}", "application/json")
    assert (told["outcome"], told["message"], told["text"]) == ("done", "map of 7", "t: done: map of 7")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("codes", "asked", "note"),
    [
        ((500, 503, 200), 3, ""),
        ((500,), 3, "127.0.0.1 answered 500"),
        ((404,), 1, "127.0.0.1 answered 404"),
        ((429, 200), 2, ""),
    ],
)
def test_a_webhook_that_fails_is_asked_again_and_one_that_refuses_is_not(capfd, codes, asked, note):
    with Server(*codes) as server:
        assert ended(OnEnd(url=server.url), exit_of(1, SweepError("x"))) == 1
    told = capfd.readouterr().err
    assert len(server.got) == asked
    assert told == (f"note: on_end: {note}\n" if note else "")


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(capfd, code):
    with Server(200) as other, Server(code, location=other.url) as server:
        ended(OnEnd(url=server.url))
    assert len(server.got) == 1 and other.got == []
    assert capfd.readouterr().err == f"note: on_end: 127.0.0.1 answered {code}: where it sends on to is not followed\n"


def test_a_server_that_does_not_come_to_an_end_is_left(capfd):
    with Server(0) as server:
        ended(OnEnd(url=server.url, seconds=0.5))
    assert capfd.readouterr().err == "note: on_end: 127.0.0.1 did not take it within 0.5 s (on_end.seconds)\n"


def test_nobody_there(capfd):
    with socket.socket() as mine:  # nobody else gets its port, and nobody listens there
        mine.bind(("127.0.0.1", 0))
        assert ended(OnEnd(url=f"http://127.0.0.1:{mine.getsockname()[1]}/hook/{TOKEN}")) == 0
    told = capfd.readouterr().err
    assert (
        told.startswith("note: on_end: 127.0.0.1 cannot be reached: ") and told.count("\n") == 1 and TOKEN not in told
    )


def test_the_address_comes_from_the_environment_and_its_lack_is_told_at_the_start(monkeypatch, capfd):
    with Server(200) as server:
        monkeypatch.setenv("QRE_HOOK", server.url)
        ended(OnEnd(url_env="QRE_HOOK"))
        assert len(server.got) == 1
        monkeypatch.delenv("QRE_HOOK")
        assert ended(OnEnd(url_env="QRE_HOOK"), exit_of(1, None)) == 1
        assert "note: on_end: QRE_HOOK is not set in the environment; nobody will be told" in capfd.readouterr().err
        monkeypatch.setenv("QRE_HOOK", f"file:///etc/{TOKEN}")
        ended(OnEnd(url_env="QRE_HOOK"))
        told = capfd.readouterr().err
        assert "not an address of the web" in told and TOKEN not in told


@pytest.mark.parametrize(
    "on_end",
    [
        f"{{url: 'ftp://h/{TOKEN}'}}",
        f"{{url: 'https://user:{TOKEN}@h/'}}",
        f"{{url: 'https:///{TOKEN}'}}",
        f"{{url: 'https://h:99999/{TOKEN}'}}",
        f"'https://h/{TOKEN}'",
        f"{{url: ['https://h/{TOKEN}']}}",
        f"{{url: 'https://h/{TOKEN}', command: [a]}}",
        f"{{url_env: 'https://h/{TOKEN}'}}",
        f"{{ulr: 'https://h/{TOKEN}'}}",
        f"{{url: 'https://h/{TOKEN}', seconds: 0}}",
        "{}",
        "{command: []}",
        "{command: [a], seconds: 1e9}",
        f"{{url: 'https://h/{TOKEN}'",
        f"{{url: 'https://h/a {TOKEN}'}}",
    ],
)
def test_a_wrong_one_is_named_without_its_token(tmp_path, on_end):
    path = tmp_path / "c.yaml"
    path.write_text(f"name: t\nstore: s\nencoders: [{{source: catalogue, name: classical}}]\non_end: {on_end}\n")
    with pytest.raises(UserError, match=r"on_end|not YAML") as caught:
        load_config(path)
    assert TOKEN not in str(caught.value)


def test_it_is_shown_nowhere_and_part_of_no_key(tmp_path):
    with_it = write_config(tmp_path, [HASHED], on_end={"url": f"https://h.example/{TOKEN}"})
    settings = load_config(with_it)
    assert TOKEN not in repr(settings) + str(settings) + settings.model_dump_json() + str(settings.model_dump())
    shown = CliRunner().invoke(app, ["plan", str(with_it), "--json"])
    plain = CliRunner().invoke(app, ["plan", str(write_config(tmp_path, [HASHED])), "--json"])
    assert shown.exit_code == 0 and shown.output == plain.output


def sweep(config: Path, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "jobs.cli", "sweep", str(config)],
        cwd=config.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.cluster
def test_a_sweep_tells_how_it_has_ended(tmp_path):
    """Failed, with max_failed done, all done already, stopped by SIGTERM, and refused: each on one server."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "modules.json").write_text("[]")
    encoders = [HASHED, {"source": "folder", "path": str(broken)}]
    with Server(200) as server:
        hook = {"url_env": "QRE_HOOK"}
        config = write_config(tmp_path, encoders, on_end=hook, export=str(tmp_path / "out"))
        process = sweep(config, QRE_HOOK=server.url)
        said, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 1, said
        told = server.got[-1][2]
        assert (told["outcome"], told["exit_code"], told["encoders"]) == (
            "failed",
            1,
            {"done": 6, "failed": 1, "waiting": 0},
        )
        assert [failure["name"] for failure in told["failures"]] == ["broken"] and told["failures"][0]["reason"]
        assert (told["gpu_hours"], told["cost"]) == (0, None)
        assert (told["store"], told["map"]) == (Store(tmp_path / "store").location, str(tmp_path / "out"))
        assert told["message"] == "map of 6 encoders; 1 failed" and TOKEN not in said
        manifest = (tmp_path / "out/manifest.json").read_text()
        assert TOKEN not in manifest and "QRE_HOOK" not in manifest
        config = write_config(tmp_path, encoders, on_end=hook, cluster={"cpus": 2, "max_failed": 1})
        process = sweep(config, QRE_HOOK=server.url)
        said, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, said
        assert "1 of 7 encoders failed, no more than cluster.max_failed (1) allows: exit code 0" in said
        assert (
            server.got[-1][2]["outcome"],
            server.got[-1][2]["exit_code"],
            server.got[-1][2]["encoders"]["failed"],
        ) == ("done", 0, 1)
        more = {"source": "catalogue", "name": "classical", "include": ["hash/word*"]}
        config = write_config(tmp_path, [more, *encoders[1:]], on_end=hook, cluster={"cpus": 1, "grace_seconds": 1})
        with Held(config) as held:
            process = sweep(config, QRE_HOOK=server.url)
            held.wait()
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=PATIENCE)
        told = server.got[-1][2]
        assert (process.returncode, told["outcome"], told["exit_code"], told["message"]) == (
            143,
            "stopped",
            143,
            "stopped by SIGTERM",
        ), said
        assert told["encoders"]["waiting"] > 0


@pytest.mark.parametrize(
    ("most", "code", "words"),
    [
        (0, 1, ""),
        (1, 0, "1 of 7 encoders failed, no more than cluster.max_failed (1) allows: exit code 0"),
        ("20%", 0, "(20%)"),
        ("10%", 1, ""),
    ],
)
def test_max_failed_in_the_sweep_and_the_report(tmp_path, finished_store, most, code, words):
    config = write_config(tmp_path, finished_store[1], store=finished_store[0], cluster={"cpus": 2, "max_failed": most})
    for command in ("sweep", "report"):
        shown = CliRunner().invoke(app, [command, str(config)])
        assert shown.exit_code == code, shown.output
        assert words in shown.output


def test_max_failed_of_more_than_there_are(tmp_path, finished_store):
    config = write_config(tmp_path, finished_store[1], store=finished_store[0], cluster={"cpus": 2, "max_failed": 8})
    words = "cluster.max_failed: 8 is more than the 7 encoders that there are"
    shown = CliRunner().invoke(app, ["sweep", str(config)])
    assert isinstance(shown.exception, UserError) and words in str(shown.exception)
    shown = CliRunner().invoke(app, ["plan", str(config)])
    assert shown.exit_code == 2 and f"qre sweep would be refused: {words}" in shown.output


@pytest.fixture(scope="module")
def finished_store(tmp_path_factory):
    """The store of a sweep in which one of seven encoders failed, and the encoders."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "broken").mkdir()
    (folder / "broken/modules.json").write_text("[]")
    encoders = [HASHED, {"source": "folder", "path": str(folder / "broken")}]
    process = sweep(write_config(folder, encoders))
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, said
    return str(folder / "store"), encoders

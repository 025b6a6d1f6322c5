"""Faults of the place (token, network, disk, rights, Ray): told once, recorded against no encoder, and a finished map
stands."""

import errno
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from jobs.config import load_config
from jobs.config.slots import ClusterSettings
from jobs.engine import connect as local
from jobs.engine.connect import SweepError, cluster
from jobs.engine.smaller import check_not_smaller
from jobs.planning.plan import make_plan
from jobs.planning.resolve import resolve
from jobs.workers.faults import doubtful, machines_fault, places_fault
from qre.encoders import hub as hub_module
from qre.encoders import hub_problems
from qre.encoders.hub_problems import HubProblem
from qre.encoders.snapshots import acquire
from qre.errors import DoubtfulError, EmbeddingError, EncoderError, PlaceError, place_error
from qre.store import Failure, Store
from tests.checkpoints import make
from tests.hub import READER
from tests.jobs.conftest import write_config
from tests.jobs.test_hub_sweep import FILES, qre

ROOT = Path(__file__).resolve().parents[2]
HASHED = {"source": "catalogue", "name": "classical", "include": ["hash/word1-1/*"]}


def atlas_encoders(store: Store) -> int:
    return store.atlases.manifest("t")["headline"]["encoders"]


@pytest.mark.cluster
def test_a_token_that_has_expired_costs_no_map(hub, tmp_path):
    """The map of before stands, exported too; no encoder is blamed; what the token opened is not called missing."""
    for name in ("a", "b"):
        hub.add(f"org/{name}", folder=make("bert", tmp_path / "made" / name, seed=ord(name)))
    hub.add("org/private", folder=make("bert", tmp_path / "made" / "private"), private=True)
    config = write_config(
        tmp_path,
        [HASHED, *({"source": "hub", "id": f"org/{name}"} for name in ("a", "b", "private"))],
        export=str(tmp_path / "out"),
    )
    first = qre(hub, tmp_path, "sweep", config, HF_TOKEN=READER)
    assert first.returncode == 0, first.stderr
    store = Store(tmp_path / "store")
    manifest = (tmp_path / "out" / "manifest.json").read_bytes()
    hub.tokens.pop(READER)

    again = qre(hub, tmp_path, "sweep", config, HF_TOKEN=READER)  # what was once asked is known: nothing is missing
    assert again.returncode == 0, again.stdout + again.stderr
    assert (
        again.stdout.count("access refused") == 1
        and "HF_TOKEN" in again.stdout
        and READER not in again.stdout + again.stderr
    )
    assert "9 encoders on the map" in again.stdout

    store.folder.remove_folder("hub")  # a store whose memory of the hub is gone
    lost = qre(hub, tmp_path, "sweep", config, HF_TOKEN=READER)
    assert lost.returncode == 1
    assert (
        "would be missing 3 of its encoders (org/a, org/b, org/private)" in lost.stderr
        and "--allow-smaller" in lost.stderr
    )
    assert "3 encoders: org/a" in " ".join(lost.stdout.split()) and "check the name" not in lost.stdout
    assert store.failures.read_all() == {}
    assert (atlas_encoders(store), (tmp_path / "out" / "manifest.json").read_bytes()) == (9, manifest)

    smaller = qre(hub, tmp_path, "sweep", config, "--allow-smaller", HF_TOKEN=READER)
    assert (
        smaller.returncode == 1 and atlas_encoders(store) == 6
    )  # asked for, so made; three were not asked, so not all is done


def test_what_a_refusal_means(hub, tmp_path, monkeypatch):
    """The hub answers a bad token, a private repository and a proxy alike with 4xx; only its own word that it has none
    makes an encoder missing."""
    hub.adopt(monkeypatch, tmp_path / "home")
    hub.add("org/a", files=FILES)

    def reason(name: str = "org/a", token: str = "") -> str:
        monkeypatch.setenv("HF_TOKEN", token)
        with pytest.raises(HubProblem) as told:
            hub_module.resolve(name)
        return told.value.reason

    assert reason(token="hf_expired") == "access refused"
    assert reason(token="hf_expired", name="org/none") == "access refused"  # with such a token nothing is said of it
    assert reason(token=READER, name="org/none") == "missing"
    assert reason(name="org/none") == "missing"
    for status, expected in (
        (401, "access refused"),
        (403, "access refused"),
        (407, "access refused"),
        (404, "hub error"),
        (451, "hub error"),
    ):
        hub.fail("org/a", status=status, where="api")
        assert reason() == expected, status


def test_without_a_hub_nothing_is_recorded_and_the_rest_goes_on(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(hub_problems, "ATTEMPTS", 1)
    hub.adopt(monkeypatch, tmp_path / "home")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    hub.fail("*", status=503, times=1000, where="any")
    entries = [
        {"source": "hub", "id": "org/a"},
        {"source": "hub", "id": "org/b"},
        {"source": "hub", "query": {"author": "org"}},
    ]
    config = load_config(write_config(tmp_path, [HASHED, *entries]))
    resolved = resolve(config, Store(config.store))
    assert [failure.exception for failure in resolved.unasked] == ["hub error"] * 3 and not resolved.unresolved
    plan = make_plan(config, Store(config.store), resolved)
    assert len(plan.units) == 6 and {failure.kind for failure in plan.failures.values()} == {"transient"}


def test_which_maps_are_too_small(tmp_path):
    """Encoders that the config names no more, and those that failed by their own fault, may go; what was only hindered
    may not."""
    config = load_config(write_config(tmp_path, [HASHED]))
    store = Store(config.store)
    plan = make_plan(config, store, resolve(config, store))
    unit = plan.units[0]

    def refused(names: list[str], failures: dict, incomplete: tuple = ()) -> bool:
        store.atlases.write("t", {"map.parquet": pd.DataFrame({"name": names}).to_parquet()}, {"identity": "x"})
        try:
            check_not_smaller(config, store, replace(plan, failures=failures, incomplete=incomplete))
        except SweepError:
            return True
        return False

    name = unit.spec.name
    hindered = {unit.key: Failure(key=unit.key, encoder=name, kind="transient", exception="PlaceError", message="m")}
    own = {unit.key: Failure(key=unit.key, encoder=name, kind="permanent", exception="EncoderError", message="m")}
    assert refused([name], hindered)
    assert refused([name], {}, ("the hub is offline",))
    assert refused(["gone from a catalogue that is not installed"], {}, ("not installed",))
    assert not refused([name], own)
    assert not refused([name], own, ("the hub is offline",))
    assert not refused([name], {})
    assert not refused(["no more in the config"], hindered)
    store.atlases.write("t", {}, {"identity": "x"})
    check_not_smaller(config, Store(tmp_path / "empty"), plan)


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.ESTALE, errno.EMFILE, errno.EIO]
)
def test_errors_of_the_disk_are_the_places_however_they_are_wrapped(number):
    try:
        try:
            raise OSError(number, "x", "/some/file")
        except OSError as inner:
            raise ValueError("the library says it in its own way") from inner
    except ValueError as error:
        wrapped = error
    for error in (OSError(number, "x", "/some/file"), wrapped, RuntimeError(f"cannot open (os error {number})")):
        fault = place_error(error)
        assert machines_fault(error) and places_fault(fault) and os.strerror(number) in str(fault)
    assert str(place_error(wrapped)).startswith(
        "/some/file: " if number in (errno.EACCES, errno.EMFILE, errno.EIO) else "/: "
    )


OWN = (EncoderError("x"), EmbeddingError("x"), HubProblem("org/a", "pickle only"))
IN_DOUBT = (
    OSError("weights are not there"),
    OSError(errno.EINVAL, "x", "f"),
    ValueError("x"),
    KeyError("qwen9"),
    DoubtfulError("x"),
    RuntimeError("shape '[1]' is invalid"),
    ModuleNotFoundError("No module named 'einops'"),
    RuntimeError("CUDA error: device-side assert triggered"),
    UnicodeDecodeError("utf-8", b"x", 0, 1, "x"),
)
OF_THE_MACHINE = (
    FileNotFoundError(errno.ENOENT, "x", "/models/a/config.json"),
    ConnectionResetError(errno.ECONNRESET, "x"),
    OSError(errno.ENETUNREACH, "x"),
    OSError(errno.EBUSY, "x"),
    MemoryError(),
    TimeoutError("x"),
    RuntimeError("can't start new thread"),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: 9"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"),
    RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("CUDA error: uncorrectable ECC error encountered"),
    RuntimeError("No CUDA GPUs are available"),
    RuntimeError("cuDNN error: CUDNN_STATUS_NOT_INITIALIZED"),
    RuntimeError("The NVIDIA driver on your system is too old (found version 11040)"),
    RuntimeError("CUDA driver version is insufficient for CUDA runtime version"),
    RuntimeError("CUDA error: no kernel image is available for execution on the device"),
    AssertionError("Torch not compiled with CUDA enabled"),
    ImportError("libcudart.so.12: cannot open shared object file: No such file or directory"),
    OSError("libcublas.so.12: undefined symbol: x"),
    ImportError("/lib/x86_64-linux-gnu/libm.so.6: version `GLIBC_2.38' not found"),
    HubProblem("org/a", "gated"),
)


def test_whose_fault_an_error_is():
    """The encoder's at once only where its files, config or numbers were read; the machine's by type, errno or words;
    and what may be either comes twice."""
    assert [(machines_fault(error), doubtful(error)) for error in OWN] == [(False, False)] * len(OWN)
    assert [error for error in IN_DOUBT if machines_fault(error) or not doubtful(error)] == []
    assert [error for error in OF_THE_MACHINE if not machines_fault(error)] == []
    for error in OF_THE_MACHINE[:-1]:  # however a library wraps it, on purpose
        try:
            raise ValueError("cannot be loaded") from error
        except ValueError as wrapped:
            assert machines_fault(wrapped), error


def test_an_exception_that_is_its_own_cause_is_judged_too():
    error = ValueError("x")
    error.__cause__ = error
    assert not machines_fault(error) and place_error(error) is None


def test_a_file_that_a_library_looked_for_in_passing_is_nobodys_fault():
    try:
        try:
            open("/no/such/added_tokens.json").close()
        except FileNotFoundError:
            raise KeyError("model") from None
    except KeyError as error:
        assert not machines_fault(error)
    try:
        try:
            open("/no/such/added_tokens.json").close()
        except FileNotFoundError:
            raise KeyError("model")  # noqa: B904
    except KeyError as error:
        assert not machines_fault(error)


@pytest.mark.parametrize("command", ["plan", "sweep"])
def test_a_store_that_cannot_be_written_is_one_line(tmp_path, bound_by_rights, command):
    """Planning only looks, so it goes on."""
    prefix, closed = bound_by_rights
    config = write_config(tmp_path, [HASHED])
    (tmp_path / "store").mkdir()
    closed(tmp_path / "store")
    result = subprocess.run(
        [*prefix, sys.executable, "-m", "jobs.cli", command, str(config)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert "Traceback" not in result.stderr
    if command == "plan":
        assert result.returncode == 0, result.stderr
    else:
        said = [line for line in result.stderr.splitlines() if line.startswith("qre:")]
        assert result.returncode == 1 and len(said) == 1, result.stderr
        assert str(tmp_path / "store") in said[0] and "Permission denied; give this user the right" in said[0]


@pytest.mark.cluster
def test_a_cache_that_cannot_be_written_blames_no_encoder(hub, tmp_path, bound_by_rights, monkeypatch):
    """What a read-only hub cache holds is used; what it lacks is told once, with the way out; nothing is recorded, and
    the others are mapped."""
    prefix, closed = bound_by_rights
    for name in ("here", "there", "elsewhere"):
        hub.add(f"org/{name}", folder=make("bert", tmp_path / "made" / name, seed=len(name)))
    hub.adopt(monkeypatch, tmp_path / "home")
    here = hub_module.resolve("org/here")
    acquire("org/here", here.revision, here.files).release()
    closed(tmp_path / "home")
    ids = [{"source": "hub", "id": f"org/{name}"} for name in ("here", "there", "elsewhere")]
    config = write_config(tmp_path, [HASHED, *ids], store=str(tmp_path / "another"))
    command = [*prefix, sys.executable, "-m", "jobs.cli", "sweep", str(config)]
    result = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **hub.environment(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert result.returncode == 1, result.stderr
    assert "map of 7 encoders" in result.stdout, result.stdout + result.stderr
    table = " ".join(result.stdout.split())
    assert "2 encoders: org/there, org/elsewhere" in table or "2 encoders: org/elsewhere, org/there" in table
    assert result.stdout.count("; trying again") == 1 and "HF_HOME" in result.stdout
    assert Store(tmp_path / "another").failures.read_all() == {}


def test_a_ray_that_does_not_start_is_one_line(tmp_path):
    """A folder whose name is too long for Ray's sockets, and one that is no folder: Ray itself answers with a page of
    traceback."""
    config = write_config(tmp_path, [HASHED])
    (tmp_path / "file").write_text("")
    for place, mend in ((tmp_path / ("long" * 30), "short name"), (tmp_path / "file" / "ray", "RAY_TMPDIR")):
        script = "from jobs.engine import connect; connect.PAUSES = (0.1,); from jobs.cli import main; main()"
        environment = {**os.environ, "RAY_TMPDIR": str(place)}
        command = [sys.executable, "-c", script, "sweep", str(config)]
        result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400)
        assert result.returncode == 1 and "Traceback" not in result.stderr, result.stderr
        said = [line for line in result.stderr.splitlines() if line.startswith("qre:")]
        assert len(said) == 1 and "Ray does not start on this machine" in said[0] and mend in said[0]
        assert "trying once more" in result.stderr


def test_a_machine_without_shared_memory_is_one_line(tmp_path):
    """A /dev of its own for the command, with what a program needs, but for /dev/shm."""
    dev = tmp_path / "dev"
    dev.mkdir()
    devices = "for d in null zero random urandom; do touch $DEV/$d && mount --bind /dev/$d $DEV/$d || exit 99; done"
    around = (
        f"mount -t tmpfs none $DEV && {devices}; mount --move $DEV /dev && ln -s /proc/self/fd /dev/fd || exit "
        f"99; exec "
    )
    script = "from jobs.engine import connect; connect.PAUSES = (); from jobs.cli import main; main()"
    command = [sys.executable, "-W", "ignore", "-c", script, "sweep", str(write_config(tmp_path, [HASHED]))]
    result = subprocess.run(
        ["unshare", "-m", "sh", "-c", f'{around} "$@"', "sh", *command],
        cwd=ROOT,
        env={**os.environ, "DEV": str(dev)},
        capture_output=True,
        text=True,
        timeout=400,
    )
    if result.returncode == 99 or "unshare" in result.stderr:
        pytest.skip("only root can give a command a /dev of its own")
    assert result.returncode == 1 and len(result.stderr.splitlines()) == 1, result.stderr
    assert "mount a tmpfs on /dev/shm (Docker: --shm-size=1g)" in result.stderr


def test_a_second_try_is_enough_where_ray_starts_then(monkeypatch):
    tries, start = [], local.ray.init

    def busy(**options):
        tries.append(options)
        if len(tries) == 1:
            raise Exception("The current node timed out during startup.")
        return start(**options)

    monkeypatch.setattr(local.ray, "init", busy)
    monkeypatch.setattr(local, "PAUSES", (0.1,))
    with cluster(ClusterSettings(cpus=1)):
        assert local.ray.is_initialized()
    assert len(tries) == 2


def test_a_fault_of_the_place_travels_between_processes():
    assert str(pickle.loads(pickle.dumps(PlaceError("x")))) == "x"


def test_pages_that_are_not_the_hubs_blame_no_encoder(hub, tmp_path, monkeypatch):
    """A proxy's page in the place of the hub's answers, with status 200: to the request for an encoder, for its files,
    for a list."""
    monkeypatch.setattr(hub_problems, "ATTEMPTS", 1)
    hub.adopt(monkeypatch, tmp_path / "home")
    hub.add("org/a", folder=make("bert", tmp_path / "a"), tags=["sentence-transformers"])
    for place in ("/api/models/org/a", "/org/a/resolve/", "/api/models?"):
        entries = (
            [{"source": "hub", "id": "org/a"}] if "org/a" in place else [{"source": "hub", "query": {"author": "org"}}]
        )
        config = load_config(write_config(tmp_path, [HASHED, *entries]))
        hub.page_of_a_proxy = place
        resolved = resolve(config, Store(tmp_path / place.strip("/?").replace("/", "-")))
        assert (
            [failure.exception for failure in resolved.unasked] == ["hub error"]
            and not resolved.unresolved
            and resolved.incomplete
        ), place
        hub.page_of_a_proxy = None


def test_private_encoders_of_a_query_stay_when_the_token_is_forgotten(hub, tmp_path, monkeypatch):
    hub.adopt(monkeypatch, tmp_path / "home")
    for name in "ab":
        hub.add(
            f"org/{name}",
            folder=make("bert", tmp_path / name, seed=ord(name)),
            private=True,
            tags=["sentence-transformers"],
        )
    config = load_config(write_config(tmp_path, [HASHED, {"source": "hub", "query": {"author": "org"}}]))
    store = Store(config.store)
    monkeypatch.setenv("HF_TOKEN", READER)
    first = [spec.encoder_identity() for spec in resolve(config, store).specs]
    monkeypatch.setenv("HF_TOKEN", "")
    again = resolve(config, store)
    assert [spec.encoder_identity() for spec in again.specs] == first
    assert any("does not find org/a, org/b any more" in note for note in again.notes)


def test_what_a_node_is_refused_is_no_encoders_fault():
    for reason in ("missing", "gated", "access refused"):
        assert machines_fault(HubProblem("org/a", reason)) and places_fault(HubProblem("org/a", reason))
    assert not machines_fault(HubProblem("org/a", "pickle only"))

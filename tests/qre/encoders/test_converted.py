"""Pickled weights by consent: converted once, apart, without a network; exactly the numbers that they held; and what is
more than tensors is refused, and runs nowhere."""

import hashlib
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
import time
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from qre.encoders import unpickling
from qre.encoders.converted import converted
from qre.encoders.converted_files import FOLDER, find
from qre.encoders.folders import FolderProblem, folder_revision, look_at_folder
from qre.encoders.hub import resolve
from qre.encoders.intact import check_intact
from qre.encoders.passes import EncodeSettings, Pass, pass_key
from qre.encoders.snapshots import acquire, cache_folder, make_room
from qre.encoders.spec import FolderSpec, HubSpec
from qre.encoders.transformer import load
from qre.errors import PlaceError
from tests.checkpoints import make, make_odd
from tests.pickles import EVIL, MARKER, bomb, evil, is_evil, pickle_weights
from tests.plain import make_plain

ROOT = Path(__file__).resolve().parents[3]
TEXTS = ["a cat sees the boat", "the old judge sings in the city at night", "a dog runs"]


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def spec_of(folder: Path, **values) -> FolderSpec:
    plain = "pooling" in values
    revision = folder_revision(folder, pooled=plain, pickled=True)
    known = {"name": "a", "family": "a", "path": str(folder), "revision": revision, "plain": plain}
    return FolderSpec(**known, pickles=look_at_folder(folder, pooled=True, pickled=True).pickles, **values)


def vectors(spec) -> np.ndarray:
    loaded = Pass(spec, TEXTS, [spec.readout], EncodeSettings())
    try:
        return np.concatenate([loaded.encode(0)[name] for name in loaded.encode(0)])
    finally:
        loaded.close()


def one_pickle(folder: Path, held: object, **options) -> FolderSpec:
    """A spec whose one pickle holds this (bytes: as they are); nothing else of it is there."""
    folder.mkdir(exist_ok=True)
    file = folder / "pytorch_model.bin"
    if isinstance(held, bytes):
        file.write_bytes(held)
    else:
        torch.save(held, file, **options)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return FolderSpec(name="a", family="a", path=str(folder), revision="0" * 64, pickles=((file.name, digest),))


def held_by(spec: FolderSpec) -> dict[str, torch.Tensor]:
    with converted(spec, Path(spec.path)) as made:
        return load_file(made.files["model.safetensors"])


@pytest.mark.parametrize("kind", ["bert", "dense", "t5", "static", "norms", "gpt-neox"])
def test_every_module_gives_the_vectors_that_its_safetensors_gave(tmp_path, kind):
    whole = make(kind, tmp_path / "whole")
    pickled = shutil.copytree(whole, tmp_path / "pickled")
    for file in list(pickled.rglob("*.safetensors")):
        pickle_weights(file.parent, name=file.name)
    before = {path: path.read_bytes() for path in pickled.rglob("*") if path.is_file()}
    spec = spec_of(pickled)
    assert spec.pickles
    same = FolderSpec(name="a", family="a", path=str(whole), revision=folder_revision(whole))
    assert np.array_equal(vectors(spec), vectors(same))
    assert {path: path.read_bytes() for path in pickled.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("kind", ["bert", "bert-mlm", "llama"])
def test_plain_checkpoints_and_shards(tmp_path, kind):
    whole = make_plain(kind, tmp_path / "whole")
    sharded = shutil.copytree(whole, tmp_path / "sharded")
    pickle_weights(sharded, shards=3)
    spec = spec_of(sharded, pooling="mean")
    assert [name for name, _ in spec.pickles] == [f"pytorch_model-0000{n}-of-00003.bin" for n in (1, 2, 3)]
    stated = {"pooling": "mean", "plain": True, "revision": folder_revision(whole, pooled=True)}
    assert np.array_equal(vectors(spec), vectors(FolderSpec(name="a", family="a", path=str(whole), **stated)))


def test_it_is_converted_once_and_by_one_of_many(tmp_path, cache):
    spec = spec_of(make_odd("pickle", tmp_path / "e"))
    script = (
        "import sys; from pathlib import Path; from qre.encoders.converted import converted\n"
        "from qre.encoders.spec import FolderSpec\n"
        f"spec = FolderSpec.model_validate_json({spec.model_dump_json()!r})\n"
        "print(converted(spec, Path(spec.path)).files['model.safetensors'].stat().st_mtime_ns)"
    )
    environment = {**os.environ, "HF_HUB_CACHE": str(cache)}
    runs = [
        subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, env=environment, stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    told = {run.communicate(timeout=300)[0] for run in runs}
    assert len(told) == 1 and told != {b""}
    assert [path.suffix for path in (cache / FOLDER).iterdir()] == [".safetensors"]


def test_the_key_holds_the_pickle_and_only_where_one_is_taken(tmp_path):
    whole, pickled = make("dense", tmp_path / "whole"), make_odd("pickle-dense", tmp_path / "odd")
    spec = spec_of(pickled)
    ((name, digest),) = spec.pickles
    assert name == "2_Dense/pytorch_model.bin" and spec.pass_identity()["pickles"] == [[name, digest]]
    with open(pickled / name, "ab") as file:
        file.write(b"0")
    other = spec_of(pickled)
    assert other.revision == spec.revision and pass_key(other, "s", EncodeSettings()) != pass_key(
        spec, "s", EncodeSettings()
    )
    assert spec_of(whole).pickles == () and "pickles" not in spec_of(whole).pass_identity()
    assert folder_revision(whole, pickled=True) == folder_revision(whole)
    (whole / "pytorch_model.bin").write_bytes(b"beside safetensors")
    (whole / "2_Dense" / "pytorch_model.bin").write_bytes(b"beside safetensors")
    assert spec_of(whole).pickles == () and folder_revision(whole, pickled=True) == folder_revision(whole)
    assert spec.departures == {}


# ---- what is refused


@pytest.mark.parametrize("kind", EVIL)
def test_a_pickle_that_would_run_is_refused_by_name_and_runs_nowhere(tmp_path, cache, kind):
    content = evil(kind, tmp_path)
    assert is_evil(content, tmp_path)
    spec = one_pickle(tmp_path / "e", content)
    asked = "posix.system" if kind == "runs" else r"(_io|io|builtins)?\.?open"
    with pytest.raises(FolderProblem, match=rf"unsafe pickle \(pytorch_model.bin: asks for {asked}\)") as caught:
        converted(spec, tmp_path / "e")
    assert caught.value.reason == "unsafe pickle" and str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert not (tmp_path / MARKER).exists() and list((cache / FOLDER).iterdir()) == []


@pytest.mark.parametrize("place", ["", "2_Dense", "shard"])
@pytest.mark.parametrize("consent", [True, False])
def test_in_every_module_and_in_a_shard_it_writes_nothing_with_and_without_consent(tmp_path, place, consent):
    folder = make("dense", tmp_path / "e")
    inside = folder / ("" if place == "shard" else place)
    pickle_weights(inside, shards=2 if place == "shard" else 0)
    file = sorted(inside.glob("pytorch_model*.bin"))[-1]
    content = evil("zip", tmp_path)
    assert is_evil(content, tmp_path)
    file.write_bytes(content)
    if consent:
        with pytest.raises(FolderProblem, match=rf"unsafe pickle \({file.relative_to(folder)}: asks for .*open"):
            vectors(spec_of(folder))
        with pytest.raises(FolderProblem, match="unsafe pickle"):
            load(spec_of(folder), str(folder), "cpu")
    else:
        with pytest.raises(FolderProblem, match="pickle only .*pickled_weights: true.*conversions: accept"):
            folder_revision(folder)
        with pytest.raises(FolderProblem, match="pickle only"):
            load(FolderSpec(name="a", family="a", path=str(folder), revision="0" * 64), str(folder), "cpu")
    assert not (tmp_path / MARKER).exists()


def tar() -> bytes:
    """As torch saved weights before 0.1.10."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as file:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            content = pickle.dumps({"protocol_version": 1000})
            told = tarfile.TarInfo(name)
            told.size = len(content)
            file.addfile(told, io.BytesIO(content))
    return stream.getvalue()


def script() -> bytes:
    stream = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), stream)
    return stream.getvalue()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("held", "told"),
    [
        (lambda: pickle.dumps({"w": np.zeros(3)}), "asks for numpy"),
        (lambda: {"w": np.zeros(3)}, "asks for numpy"),
        (tar, "not read by torch.load"),
        (script, "asks for __torch__"),
        (lambda: b"", "not read by torch.load"),
        (lambda: b"no pickle at all", "not read by torch.load"),
        (lambda: torch.zeros(2), "holds Tensor, not a dict"),
        (lambda: [torch.zeros(2)], "holds list, not a dict"),
        (dict, "holds no tensor"),
        (lambda: {"w": torch.zeros(2), "epoch": 3}, "'epoch' is int, not a tensor"),
        (lambda: {"w": {"v": torch.zeros(2)}}, "'w' is dict, not a tensor"),
        (lambda: {3: torch.zeros(2)}, "the name 3 is none of a weight"),
        (lambda: {"__metadata__": torch.zeros(2)}, "is none of a weight"),
        (lambda: {"w": torch.eye(3).to_sparse()}, "is no plain tensor"),
        (lambda: {"w": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)}, "is no plain tensor"),
        (lambda: {"w": torch.zeros(3, device="meta")}, "is no plain tensor"),
        (lambda: {"w": torch.zeros(1).expand(10**9)}, "would take 4,000,000,000 bytes"),
        (lambda: bomb(2 * 2**30), "asks for more memory"),
        (lambda: b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.", "."),
    ],
)
def test_what_is_no_dict_of_tensors_is_refused(tmp_path, held, told):
    content = held()
    with pytest.raises(FolderProblem, match=rf"unsafe pickle \(pytorch_model.bin: .*{told}"):
        converted(one_pickle(tmp_path / "e", content), tmp_path / "e")


def test_a_pickle_that_is_cut_off_or_another_is_told(tmp_path):
    spec = one_pickle(tmp_path / "e", {"w": torch.arange(1000.0)})
    file = tmp_path / "e" / "pytorch_model.bin"
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    with pytest.raises(PlaceError, match="is not what was planned"):
        converted(spec, tmp_path / "e")
    with pytest.raises(FolderProblem, match="unsafe pickle .*not read by torch.load"):
        converted(one_pickle(tmp_path / "e", whole[:-100]), tmp_path / "e")


def test_what_it_asks_for_moves_no_cursor(tmp_path):
    content = b"\x80\x02cos\x1b[2J\nsystem\x1b]0;owned\x07\n."
    with pytest.raises(FolderProblem, match="asks for os") as caught:
        converted(one_pickle(tmp_path / "e", content), tmp_path / "e")
    assert str(caught.value).isprintable()


def test_what_python_allows_elsewhere_is_not_allowed_here(tmp_path, monkeypatch):
    """Neither what this process has declared safe nor the environment's word opens anything."""
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    content = evil("zip", tmp_path)
    with torch.serialization.safe_globals([open]), pytest.raises(FolderProblem, match="unsafe pickle"):
        converted(one_pickle(tmp_path / "e", content), tmp_path / "e")
    assert not (tmp_path / MARKER).exists()


# ---- the numbers


def test_the_numbers_are_exactly_those_of_the_pickle(tmp_path):
    table = torch.randn(20, 8)
    odd = torch.tensor([float("nan"), -0.0, float("inf"), 1e-45])
    weights = OrderedDict(
        {
            "table": table,
            "tied": table,
            "rows": table[3:7],
            "turned": table.T,
            "every.other": table[::2, ::3],
            "spread": torch.ones(1, 3).expand(4, 3),
            "half": torch.randn(5).half(),
            "brain": torch.randn(5).bfloat16(),
            "double": torch.randn(5).double(),
            "ids": torch.arange(12).expand(1, -1),
            "mask": torch.tensor([True, False]),
            "scalar": torch.tensor(3.5),
            "nothing": torch.zeros(0, 4),
            "odd": odd,
            "parameter": torch.nn.Parameter(torch.randn(3)),
            "negative": torch.randn(3, dtype=torch.complex64).conj().imag,
        }
    )
    for options in ({}, {"_use_new_zipfile_serialization": False}):
        found = held_by(one_pickle(tmp_path / "e", weights, **options))
        assert set(found) == set(weights)
        for name, tensor in weights.items():
            tensor = tensor.detach()
            assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape)
            assert (
                found[name].numpy(force=True).tobytes() == tensor.contiguous().resolve_neg().numpy(force=True).tobytes()
                if tensor.dtype != torch.bfloat16
                else torch.equal(found[name], tensor)
            )


def test_a_state_dict_below_another_name(tmp_path):
    found = held_by(one_pickle(tmp_path / "e", {"epoch": 3, "state_dict": {"module.w": torch.ones(2)}}))
    assert list(found) == ["module.w"]  # names are the loaders' business
    own = held_by(one_pickle(tmp_path / "f", {"state_dict": torch.ones(2), "w": torch.ones(1)}))
    assert set(own) == {"state_dict", "w"}


# ---- apart


PROBE = """
import json, os, sys
sys.argv = ["probe"]
sys.path.insert(0, {folder!r})
import unpickling
sealed = unpickling.seal()
import socket
told = {{"sealed": sealed, "environment": sorted(os.environ), "core": None}}
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
    try:
        with socket.socket(family) as one:
            if family == socket.AF_INET:
                one.settimeout(2)
                one.connect(("127.0.0.1", {port}))
        told[str(int(family))] = "made"
    except OSError as error:
        told[str(int(family))] = type(error).__name__
try:
    os.execv("/bin/true", ["true"])
except OSError as error:
    told["exec"] = type(error).__name__
print(json.dumps(told))
"""


def test_the_process_has_no_network_and_starts_no_program(tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        code = PROBE.format(folder=str(Path(unpickling.__file__).parent), port=server.getsockname()[1])
        done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=60)
    told = json.loads(done.stdout)
    assert told["sealed"] is True
    assert {told["2"], told["10"], told["1"], told["exec"]} == {"PermissionError"}, told


def test_its_environment_holds_no_secret_and_it_is_bounded(tmp_path, monkeypatch):
    """A program in the place of ours tells what it was given."""
    spy = tmp_path / "spy.py"
    spy.write_text(
        "import json, os, sys\n"
        "job = json.load(sys.stdin)\n"
        "open(job['target'] + '.told', 'w').write(json.dumps({'environment': dict(os.environ), 'job': job, "
        "'flags': [sys.flags.isolated, sys.flags.no_site], 'descriptors': os.listdir('/proc/self/fd')}))\n"
        f"open({str(tmp_path / 'told.json')!r}, 'w').write(open(job['target'] + '.told').read())\n"
        "print(json.dumps({'refused': 'by the spy'}))\n"
    )
    for name in ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "PYTHONPATH", "PYTHONSTARTUP", "LD_PRELOAD", "SOME_OTHER"):
        monkeypatch.setenv(name, "" if name == "LD_PRELOAD" else "secret-value")
    monkeypatch.setattr(unpickling, "__file__", str(spy))
    with pytest.raises(FolderProblem, match="by the spy"):
        converted(one_pickle(tmp_path / "e", {"w": torch.ones(2)}), tmp_path / "e")
    told = json.loads((tmp_path / "told.json").read_text())
    assert "secret" not in json.dumps(told["environment"]) and "HF_TOKEN" not in told["environment"]
    assert set(told["environment"]) <= {
        "LD_LIBRARY_PATH", "HOME", "TMPDIR", "LC_ALL", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES"
    }  # fmt: skip
    assert told["flags"] == [1, 1] and told["job"]["memory"] < 2**31 and told["job"]["output"] < 2**22


UNSEALED = """
import ctypes, struct, sys
sys.path.insert(0, {root!r})
from pathlib import Path
libc = ctypes.CDLL(None, use_errno=True)
line = lambda code, value, true=0, false=0: struct.pack("HBBI", code, true, false, value)
# unshare and seccomp are refused, and of prctl what sets a filter
program = [line(0x20, 0), line(0x15, {unshare}, 0, 1), line(6, 0x50001), line(0x15, {seccomp}, 0, 1), line(6, 0x50001)]
program += [line(0x15, {prctl}, 0, 3), line(0x20, 16), line(0x15, 22, 0, 1), line(6, 0x50001), line(6, 0x7FFF0000)]
content = ctypes.create_string_buffer(b"".join(program))
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("lines", ctypes.c_void_p)]
libc.prctl(38, 1, 0, 0, 0)
assert libc.prctl(22, 2, ctypes.byref(Program(len(program), ctypes.addressof(content))), 0, 0) == 0
from qre.encoders.converted import converted
from qre.encoders.spec import FolderSpec
spec = FolderSpec.model_validate_json({spec!r})
try:
    converted(spec, Path(spec.path))
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.skipif(os.uname().machine not in ("x86_64", "aarch64"), reason="numbers of system calls are known for two")
def test_where_no_network_can_be_given_up_nothing_is_converted(tmp_path, cache):
    numbers = {"x86_64": (272, 317, 157), "aarch64": (97, 277, 167)}[os.uname().machine]
    spec = one_pickle(tmp_path / "e", {"w": torch.ones(2)})
    named = dict(zip(("unshare", "seccomp", "prctl"), numbers, strict=True))
    code = UNSEALED.format(root=str(ROOT), spec=spec.model_dump_json(), **named)
    environment = {**os.environ, "HF_HUB_CACHE": str(cache)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith("PlaceError a pickle cannot be converted here: this machine lets no process"), done
    assert list((cache / FOLDER).iterdir()) == []


@pytest.mark.parametrize(("version", "good"), [("2.5.1", False), ("1.13", False), ("2.6.0+cu124", True), ("3.0", True)])
def test_an_older_torch_is_refused(version, good):
    assert unpickling.new_enough(version) is good


def test_an_older_torch_is_the_machines_fault(tmp_path, monkeypatch):
    fake = tmp_path / "old" / "torch"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text("__version__ = '2.5.1'\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "old"), *sys.path])
    with pytest.raises(PlaceError, match=r"torch 2.5.1 is too old: update it to 2.6 or newer"):
        converted(one_pickle(tmp_path / "e", {"w": torch.ones(2)}), tmp_path / "e")


def test_a_full_disk_and_a_closed_cache_are_the_places(tmp_path, cache, bound_by_rights):
    prefix, closed = bound_by_rights
    spec = one_pickle(tmp_path / "e", {"w": torch.ones(2)})
    cache.mkdir()
    closed(cache)
    code = (
        "from pathlib import Path; from qre.encoders.converted import converted\n"
        "from qre.encoders.spec import FolderSpec\n"
        f"spec = FolderSpec.model_validate_json({spec.model_dump_json()!r})\n"
        "try: converted(spec, Path(spec.path))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    environment = {**os.environ, "HF_HUB_CACHE": str(cache)}
    done = subprocess.run(
        [*prefix, sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.startswith("PlaceError the hub's cache") and "HF_HUB_CACHE" in done.stdout, done


# ---- the cache


def hub_spec(hub, name: str, folder: Path, revision: str | None = None) -> HubSpec:
    if name not in hub.repos:
        hub.add(name, folder=folder)
    model = resolve(name, revision)
    pickles = tuple((file, sha256) for file, _, sha256 in model.pickles)
    return HubSpec(
        name=name, family="a", id=name, revision=model.revision, files=model.checked(pickled=True), pickles=pickles
    )


def test_a_pickle_of_the_hub_is_fetched_checked_and_converted(hub, tmp_path):
    folder = make_odd("pickle", tmp_path / "e")
    spec = hub_spec(hub, "org/a", folder)
    digest = hashlib.sha256((folder / "pytorch_model.bin").read_bytes()).hexdigest()
    assert spec.pickles == (("pytorch_model.bin", digest),) and "pytorch_model.bin" in dict(spec.files)
    assert np.array_equal(vectors(spec), vectors(spec_of(folder)))
    snapshot = acquire(spec.id, spec.revision, spec.files)
    assert not list(snapshot.path.rglob("*.safetensors"))
    blob = (snapshot.path / "pytorch_model.bin").resolve()
    snapshot.release()
    find(cache_folder(), digest).unlink()
    blob.write_bytes(blob.read_bytes()[:-1] + b"!")  # of the same size
    with pytest.raises(PlaceError, match="damaged in the hub's cache of this node; it is removed"):
        vectors(spec)
    assert np.array_equal(vectors(spec), vectors(spec_of(folder)))


def test_a_pickle_that_the_hub_keeps_without_lfs_is_known_by_its_content(hub, tmp_path, monkeypatch):
    from tests import hub_records

    monkeypatch.setattr(hub_records, "LARGE_SUFFIXES", set())
    folder = make_odd("pickle-dense", tmp_path / "e")
    spec = hub_spec(hub, "org/a", folder)
    digest = hashlib.sha256((folder / "2_Dense" / "pytorch_model.bin").read_bytes()).hexdigest()
    assert spec.pickles == (("2_Dense/pytorch_model.bin", digest),)
    assert np.isfinite(vectors(spec)).all()


def test_without_the_hub_it_is_taken_from_the_cache(hub, tmp_path, monkeypatch):
    from huggingface_hub import close_session, constants

    spec = hub_spec(hub, "org/a", make_odd("pickle", tmp_path / "e"))
    online = vectors(spec)
    close_session()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.requests.clear()
    again = hub_spec(hub, "org/a", tmp_path / "e", spec.revision)
    assert (again.pickles, again.pass_identity()) == (spec.pickles, spec.pass_identity())
    assert np.array_equal(vectors(again), online) and hub.requests == []


def test_converted_weights_count_and_go_when_room_is_needed(hub, tmp_path):
    spec = hub_spec(hub, "org/a", make_odd("pickle", tmp_path / "e"))
    with acquire(spec.id, spec.revision, spec.files) as snapshot:
        held = converted(spec, snapshot.path)
    ((_, digest),) = spec.pickles
    made = find(cache_folder(), digest)
    size = made.stat().st_size
    total = sum(path.stat().st_size for path in cache_folder().rglob("*") if path.is_file() and not path.is_symlink())
    assert total > 2 * size
    time.sleep(0.05)  # more than a tick of the file system
    assert make_room(0) == [f"org/a@{spec.revision}"] and made.exists()  # the other is in use
    held.release()
    assert make_room(size + 1000) == []
    assert make_room(size - 1) == [f"{FOLDER}@{digest}"] and not made.exists()
    left = make_odd("pickle", tmp_path / "f")
    partial = made.parent / f"{digest}.{os.getuid()}.partial"
    partial.mkdir()  # of a process that was killed
    (partial / "weights.safetensors").write_bytes(b"0" * 5000)
    vectors(spec_of(left))
    assert not partial.exists()


def test_the_bound_of_the_cache_is_held_while_it_is_converted(hub, tmp_path):
    folder = make_odd("pickle", tmp_path / "e")
    size = (folder / "pytorch_model.bin").stat().st_size
    old = hub_spec(hub, "org/old", make("bert", tmp_path / "old"))
    acquire(old.id, old.revision, old.files).release()
    converted(spec_of(folder), folder, bound=size + 1000).release()
    assert (
        not list(cache_folder().glob("models--*/snapshots/*")) and len(list((cache_folder() / FOLDER).iterdir())) == 1
    )


def test_damage_to_what_was_converted_is_the_nodes_and_is_mended(tmp_path):
    from qre.encoders import intact

    folder = make_odd("pickle", tmp_path / "e")
    spec = spec_of(folder)
    good = vectors(spec)
    check_intact(spec)
    intact._check_converted.cache_clear()
    ((_, digest),) = spec.pickles
    file = find(cache_folder(), digest)
    file.write_bytes(file.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(PlaceError, match="what pytorch_model.bin was converted to was damaged"):
        check_intact(spec)
    assert np.array_equal(vectors(spec), good)


@pytest.mark.parametrize("how", ["numbers", "bits", "cut", "empty"])
def test_what_is_not_the_content_that_its_name_says_is_converted_anew(tmp_path, how):
    from safetensors.torch import save_file

    spec = spec_of(make_odd("pickle", tmp_path / "e"))
    good = vectors(spec)
    ((_, digest),) = spec.pickles
    file = find(cache_folder(), digest)
    whole = file.read_bytes()
    if how == "numbers":
        save_file({name: tensor * 1.5 for name, tensor in load_file(file).items()}, file, {"format": "pt"})
    else:
        file.write_bytes({"bits": whole[:-4] + b"\0\0\0\1", "cut": whole[:-9], "empty": b""}[how])
    assert np.array_equal(vectors(spec), good)
    assert find(cache_folder(), digest).read_bytes() == whole


def test_damage_while_a_pass_uses_it_waits_for_nobody(tmp_path):
    spec = spec_of(make_odd("pickle", tmp_path / "e"))
    with converted(spec, Path(spec.path)) as made:
        file = made.files["model.safetensors"]
        whole = file.read_bytes()
        file.write_bytes(whole + b"0")
        with pytest.raises(PlaceError, match="what pytorch_model.bin was converted to was damaged"):
            converted(spec, Path(spec.path))
    with converted(spec, Path(spec.path)) as made:
        assert made.files["model.safetensors"].read_bytes() == whole


def test_on_a_node_whose_folder_holds_another_pickle_it_is_not_what_was_planned(tmp_path):
    folder = make_odd("pickle", tmp_path / "e")
    spec = spec_of(folder)
    with open(folder / "pytorch_model.bin", "ab") as file:
        file.write(b"0")
    with pytest.raises(PlaceError, match="is not what was planned"):
        check_intact(spec)
    with pytest.raises(PlaceError, match="is not what was planned"):
        vectors(spec)

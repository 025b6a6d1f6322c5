"""`qre doctor`: whether this machine has all that a sweep takes, line by line, each with its fix where it has not."""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import typer

from jobs.config import CatalogueEntry, Entry, HubEntry, ListEntry, SweepConfig, load_list
from jobs.config.slots import ClusterSettings
from jobs.terminal.console import console, progress, say
from qre.encoders.catalogue import PUBLIC
from qre.errors import PlaceError, UserError, place_error
from qre.paths import below

GIB = 2**30
FEWEST_FILES = 1024
LEAST_MEMORY, LEAST_DISK, LEAST_SHARED = 4 * GIB, 5 * GIB, 64 * 2**20
PACKAGES = ("ray", "torch", "sentence-transformers", "huggingface_hub", "numpy", "scikit-learn")


@dataclass(frozen=True)
class Finding:
    """One line.

    Attributes:
        what: was looked at.
        state: ok; note (it may be meant so); problem (a sweep would fail or suffer).
        detail: what was found.
        fix: what to do; "" where nothing.
    """

    what: str
    state: Literal["ok", "note", "problem"]
    detail: str
    fix: str = ""


def doctor(settings: SweepConfig | None, as_json: bool) -> None:
    """Look at everything, show it, and end with 1 where there is a problem.

    Args:
        settings: of a sweep, whose store and cluster are looked at; None: of no one, a local Ray and the working
            directory.
    """
    findings = []
    for look in _looks(settings):
        for found in look():
            findings.append(found)
            if not as_json:
                _print(found)
    bad = sum(found.state == "problem" for found in findings)
    if as_json:
        print(json.dumps({"ready": not bad, "findings": [asdict(found) for found in findings]}))
    else:
        console.print("ready" if not bad else f"{bad} {'problem' if bad == 1 else 'problems'} to fix", highlight=False)
    if bad:
        raise typer.Exit(1)


def _looks(settings: SweepConfig | None) -> Iterator[Callable[[], Iterator[Finding]]]:
    yield _python
    yield _packages
    yield _machine
    yield lambda: _gpu(settings)
    yield _limits
    yield lambda: _hub(settings)
    yield _cache
    yield lambda: _store(settings)
    yield lambda: _ray(settings)


def _print(found: Finding) -> None:
    sign = {
        "ok": "[green]ok[/green]     ",
        "note": "[yellow]note[/yellow]   ",
        "problem": "[bold red]problem[/bold red]",
    }[found.state]
    console.print(f"{sign} ", end="", highlight=False)
    say(f"{found.what}: {found.detail}" + (f"; {found.fix}" if found.fix else ""))


def _python() -> Iterator[Finding]:
    here = f"{platform.python_version()} ({sys.executable})"
    fits = (3, 10) <= sys.version_info[:2] <= (3, 13)
    yield (
        Finding("Python", "ok", here)
        if fits
        else Finding(
            "Python", "problem", here, "make the environment with Python 3.10 to 3.13: make PYTHON=python3.12 demo"
        )
    )


def _packages() -> Iterator[Finding]:
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        yield Finding(
            "packages",
            "problem",
            f"missing: {', '.join(missing)}",
            "run make demo in the checkout, or pip install -e .",
        )
    else:
        yield Finding("packages", "ok", ", ".join(found))


def _machine() -> Iterator[Finding]:
    from jobs.planning.granted import granted_cpus

    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    told = f"{granted_cpus()} CPUs for this process, {memory / GIB:.0f} GiB of memory"
    yield (
        Finding("machine", "ok", told)
        if memory >= LEAST_MEMORY
        else Finding("machine", "note", told, "large encoders need more memory: see qre plan")
    )


def _gpu(settings: SweepConfig | None) -> Iterator[Finding]:
    import torch

    if not torch.cuda.is_available():
        built = torch.version.cuda or torch.version.hip
        if built and (Path("/dev/nvidia0").exists() or Path("/proc/driver/nvidia").exists()):
            yield Finding(
                "GPU",
                "problem",
                f"there is one, but torch (for CUDA {built}) cannot use it",
                "install a driver that goes with it, or another torch",
            )
        elif settings is not None and settings.cluster.uses_gpus and not settings.cluster.address:
            yield Finding(
                "GPU",
                "problem",
                "the config asks for GPUs, and torch sees none here",
                "set gpus_per_encoder: 0, or name a cluster with cluster.address",
            )
        else:
            yield Finding("GPU", "note", "none that torch sees: encoders run on the CPU")
        return
    for number in range(torch.cuda.device_count()):
        try:
            one = torch.ones(64, 64, device=f"cuda:{number}")
            good = float((one @ one).sum()) == 64.0**3
            told = (
                f"{torch.cuda.get_device_name(number)}, "
                f"{torch.cuda.get_device_properties(number).total_memory / GIB:.0f} GiB, torch {torch.__version__}"
            )
            yield (
                Finding(f"GPU {number}", "ok", told)
                if good
                else Finding(f"GPU {number}", "problem", f"{told}: a product of ones came out wrong", "have it tested")
            )
        except RuntimeError as error:
            yield Finding(
                f"GPU {number}",
                "problem",
                str(error).splitlines()[0][:200],
                "nvidia-smi shows its state; reset it, or leave it out by CUDA_VISIBLE_DEVICES",
            )


def _limits() -> Iterator[Finding]:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    yield (
        Finding("open files", "ok", f"{files:,}")
        if files >= FEWEST_FILES
        else Finding("open files", "problem", f"{files:,} at most", "ulimit -n 4096")
    )
    if sys.platform != "linux":
        return
    if not Path("/dev/shm").is_dir():
        yield Finding("shared memory", "problem", "there is no /dev/shm", "mount a tmpfs there (Docker: --shm-size=1g)")
        return
    room = shutil.disk_usage("/dev/shm")
    enough = room.free >= LEAST_SHARED
    yield Finding(
        "shared memory",
        "ok" if enough else "problem",
        f"{room.free / GIB:.1f} GiB free in /dev/shm",
        "" if enough else "make it larger (Docker: --shm-size=1g)",
    )


def _hub(settings: SweepConfig | None) -> Iterator[Finding]:
    from huggingface_hub import get_token
    from huggingface_hub.constants import ENDPOINT, HF_HUB_OFFLINE

    from qre.encoders.hub_problems import token_is_refused, unreached

    host = ENDPOINT.partition("://")[2]
    if HF_HUB_OFFLINE:
        yield Finding("hub", "note", "HF_HUB_OFFLINE is set: encoders of the hub come from the cache of this machine")
        return
    if why := unreached():
        fix = "check the network or the proxy; HF_HUB_OFFLINE=1 uses what is in the cache"
        if settings is not None and _needs_hub(settings):
            yield Finding("hub", "problem", why, fix)
        else:
            what = "the demo, and encoders in folders," if settings is None else "this config"
            yield Finding("hub", "note", why, f"{what} can run without it; for encoders of the hub, {fix}")
        return
    yield Finding("hub", "ok", f"{host} answers")
    if get_token() is None:
        yield Finding(
            "token",
            "note",
            "none: public encoders only, with a lower limit of requests; `hf auth login` or HF_TOKEN sets one",
        )
    elif token_is_refused():
        yield Finding("token", "problem", "the hub refuses it", "log in again with `hf auth login`, or renew HF_TOKEN")
    else:
        yield Finding("token", "ok", "the hub takes it")


def _needs_hub(settings: SweepConfig) -> bool:
    """Whether an encoder of the config is one of the hub; a list that cannot be read may hold some."""

    def of_hub(entry: Entry) -> bool:
        return isinstance(entry, HubEntry) or (isinstance(entry, CatalogueEntry) and entry.name == PUBLIC)

    for entry in settings.encoders:
        if of_hub(entry):
            return True
        if isinstance(entry, ListEntry):
            try:
                listed = load_list(below(settings.inputs or settings.folder, entry.path))
            except UserError:
                return True
            if any(map(of_hub, listed)):
                return True
    return False


def _cache() -> Iterator[Finding]:
    from qre.encoders.snapshots import cache_folder

    yield _folder("hub cache", Path(cache_folder()), "set HF_HOME to a folder of your own")


def _store(settings: SweepConfig | None) -> Iterator[Finding]:
    if settings is None:
        yield _folder("working directory", Path.cwd(), "go to a folder that you can write")
        return
    from qre.store import Store

    try:
        store = Store(settings.store)
        if store.is_local:
            yield _folder("store", Path(store.location), "name another folder in `store:`")
            return
        store.progress.read(settings.name)
        yield Finding("store", "ok", f"{store.location} answers")
    except (UserError, PlaceError, OSError, TimeoutError) as error:
        yield Finding("store", "problem", str(place_error(error) or error))


def _folder(what: str, folder: Path, fix: str) -> Finding:
    """Whether files can be made in a folder, or where it is not there yet, in the nearest above it; and the room."""
    near = folder
    while not near.exists() and near != near.parent:
        near = near.parent
    try:
        if not near.is_dir():
            raise NotADirectoryError(f"{near} is not a folder")
        with tempfile.TemporaryFile(dir=near):
            pass
        room = shutil.disk_usage(near).free
    except OSError as error:
        return Finding(what, "problem", f"{folder}: {error.strerror or error}", fix)
    told = f"{folder}, {room / GIB:.0f} GiB free"
    return (
        Finding(what, "ok", told)
        if room >= LEAST_DISK
        else Finding(what, "note", told, "encoders of the hub take 0.1 to several GiB each")
    )


def _ray(settings: SweepConfig | None) -> Iterator[Finding]:
    """A Ray that is really started and ended, or the one that the config names."""
    progress("starting Ray ...")
    import ray

    from jobs.engine.connect import cluster

    wanted = settings.cluster if settings is not None else ClusterSettings()
    try:
        with cluster(wanted):
            total = ray.cluster_resources()
            nodes = sum(bool(node["Alive"]) for node in ray.nodes())
        told = (
            f"{f'answers at {wanted.address}' if wanted.address else 'starts and ends'}: {nodes} "
            f"node{'' if nodes == 1 else 's'}, {total.get('CPU', 0):g} CPUs, {total.get('GPU', 0):g} GPUs"
        )
        yield Finding("Ray", "ok", f"{version('ray')} {told}")
    except (UserError, PlaceError) as error:
        yield Finding("Ray", "problem", str(error))

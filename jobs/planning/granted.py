"""How many CPUs this process is granted: by the machine, by an affinity mask (Slurm, taskset), by the quota of its
cgroups (containers)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def granted_cpus(root: Path = Path("/")) -> int:
    """Whole CPUs, at least 1: of half a CPU there is one worker, and it takes its time.

    Args:
        root: of the file system in which /proc and /sys are looked for.
    """
    mask = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min([mask, *_quotas(root)])))


def _quotas(root: Path) -> Iterator[float]:
    """CPUs that each cgroup of this process grants, those above it included; of version 1 and of version 2."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            for mount in ("sys/fs/cgroup", "sys/fs/cgroup/unified"):
                for folder in _upwards(root / mount, path):
                    yield from _ratio(*(_text(folder / "cpu.max").split() or ["max"]))
        elif "cpu" in controllers.split(","):
            for mount in dict.fromkeys((controllers, "cpu,cpuacct", "cpu")):
                for folder in _upwards(root / "sys/fs/cgroup" / mount, path):
                    yield from _ratio(
                        _text(folder / "cpu.cfs_quota_us").strip(), _text(folder / "cpu.cfs_period_us").strip()
                    )


def _upwards(mount: Path, path: str) -> Iterator[Path]:
    """The folder of a cgroup and those above it. In a container the path may be the host's, and only the mount itself
    is there."""
    parts = [part for part in path.split("/") if part not in ("", "..")]
    for depth in range(len(parts), -1, -1):
        yield mount.joinpath(*parts[:depth])


def _ratio(quota: str, period: str = "100000") -> Iterator[float]:
    """quota / period, where there is a quota."""
    try:
        microseconds, of = int(quota), int(period)
    except ValueError:  # "max", or no such file
        return
    if microseconds > 0 and of > 0:
        yield microseconds / of


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""

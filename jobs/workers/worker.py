"""What every worker process does: threads for what was asked for, and the versions that made a number."""

from __future__ import annotations

import importlib.metadata
import os
import sys
import time
from pathlib import Path

RECORDED = ("numpy", "scipy", "scikit-learn", "torch", "transformers", "sentence-transformers", "encoder-map")


def set_threads(threads: int) -> None:
    """Give the BLAS and torch this many threads, whether they are loaded or will be: a reused Ray worker keeps its old
    count otherwise."""
    import threadpoolctl

    os.environ["OMP_NUM_THREADS"] = str(threads)
    threadpoolctl.threadpool_limits(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def process_seconds() -> float:
    """For how long this process has been there; 0 where the system does not tell."""
    try:
        ticks = float(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        return max(time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"), 0.0)
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0


def gpu_name() -> str:
    """torch's name of the GPU in use; "" where torch sees none."""
    torch = sys.modules.get("torch")
    try:
        return torch.cuda.get_device_name() if torch is not None and torch.cuda.is_available() else ""
    except (RuntimeError, AssertionError):
        return ""


def versions() -> dict[str, str]:
    """Versions of the packages that can move a number."""
    found = {}
    for package in RECORDED:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found

"""What every worker process does: threads for what was asked for, and the versions that made a number."""

from __future__ import annotations

import importlib.metadata
import os
import sys

RECORDED = ("numpy", "scipy", "scikit-learn", "torch", "transformers", "sentence-transformers", "encoder-map")


def set_threads(threads: int) -> None:
    """Give the BLAS and torch this many threads, whether they are loaded or will be: a reused Ray worker keeps its old count otherwise."""
    import threadpoolctl

    os.environ["OMP_NUM_THREADS"] = str(threads)
    threadpoolctl.threadpool_limits(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def versions() -> dict[str, str]:
    """Versions of the packages that can move a number."""
    found = {}
    for package in RECORDED:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found

"""Commands and paths as a person can copy them from what is shown."""

from __future__ import annotations

import itertools
import os
import shlex
import shutil
import sys
from pathlib import Path


def qre_command() -> str:
    """How this `qre` is run from here: by its name where that is on PATH, else with its folder, else through this
    interpreter."""
    own = Path(sys.executable).parent / "qre"
    on_path = shutil.which("qre")
    if on_path is not None and (not own.exists() or os.path.realpath(on_path) == os.path.realpath(own)):
        return "qre"
    return shlex.quote(near(own)) if own.exists() else f"{shlex.quote(near(sys.executable))} -m jobs.cli"


def near(path: str | Path) -> str:
    """A path from the working directory where that is shorter, else the whole path."""
    whole = os.path.abspath(path)
    try:
        relative = os.path.relpath(whole)
    except ValueError:  # another drive
        return whole
    relative = relative if relative.startswith("..") or os.sep in relative else os.path.join(".", relative)
    return min((relative, whole), key=len)


def maps_in(folder: str | Path, most: int = 100) -> list[str]:
    """Names of the folders in a folder that hold a finished map, in their order; [] where it cannot be read."""
    try:
        return sorted(path.parent.name for path in itertools.islice(Path(folder).glob("*/manifest.json"), most))
    except OSError:
        return []


def quoted(path: str | Path) -> str:
    """`near`, as a shell takes it."""
    return shlex.quote(near(path))


def yaml_line(value: object) -> str:
    """A value as YAML on one line."""
    import yaml  # slow to import

    return (
        yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**9, allow_unicode=True)
        .removesuffix("...\n")
        .strip()
    )

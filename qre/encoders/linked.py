"""A folder of links in place of an encoder's own, where some of what is loaded is another than lies there: neither a
person's folder nor a snapshot of the hub is ever changed."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Union

from qre.encoders.folders import file_sizes

Replacement = Union[Path, str, None]


@contextlib.contextmanager
def linked(source: Path, replaced: Mapping[str, Replacement]) -> Iterator[Path]:
    """A folder of links to the files of another, for as long as it is loaded.

    Args:
        replaced: name, with "/" -> what stands there instead: another file, a text, or nothing (None). A name that
            `source` does not have is added.
    """
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) / source.resolve().name
        place.mkdir(exist_ok=True)
        files: dict[str, Replacement] = {name: source / name for name in file_sizes(source)}
        for name, stands in {**files, **replaced}.items():
            file = place / name
            if stands is None:
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(stands, str):
                file.write_text(stands, encoding="utf-8")
            else:
                file.symlink_to(stands.resolve())
        yield place

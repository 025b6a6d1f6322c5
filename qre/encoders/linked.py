"""A folder of links to an encoder's files, in which some are replaced: it is loaded in the encoder's place, and the
files themselves stay as they are."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from qre.encoders.folders import file_sizes


@contextmanager
def linked(folder: Path, replaced: Mapping[str, Path | str | None]) -> Iterator[Path]:
    """The folder of links, for as long as it is loaded.

    Args:
        folder: of the encoder.
        replaced: name, with "/" -> another file or folder, a text, or None for no file; names that the encoder does not
            have are added.
    """
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) / folder.name
        for name in sorted({*file_sizes(folder), *replaced}):
            content = replaced.get(name, folder / name)
            if content is None:
                continue
            file = place / name
            file.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                file.write_text(content, encoding="utf-8")
            else:
                file.symlink_to(content.resolve())
        yield place

"""What is loaded is what was looked through: the checks again at use, and code of a second repository at its pinned
commit and no other.

Neither transformers nor sentence-transformers can pin a second repository for the config, the model, the tokenizer and
modules alike. So where a config pins some, a folder of links is loaded in place of the snapshot: it holds that code at
that commit, and its files name it there.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path

from qre.encoders.folders import check_folder, file_sizes
from qre.encoders.named_code import Named
from qre.encoders.snapshots import fetch_code
from qre.encoders.spec import HubSpec, ModelSpec


def looked_through(load: Callable) -> Callable:
    """Let `load(spec, path, ...)` see only a path whose files were looked through for that spec.

    Raises:
        EncoderError: what they name may not run, or they are no sentence encoder (any more).
    """

    @wraps(load)
    def checked(spec: ModelSpec, path: str, *args, **keywords):
        trusted = isinstance(spec, HubSpec) and spec.trust_remote_code
        pinned = dict(spec.code_revision) if isinstance(spec, HubSpec) else {}
        found = check_folder(path, spec.plain, trusted=trusted, native=spec.native, code_revision=pinned)
        elsewhere = [named for named in found.code if named.repository is not None and not spec.native]
        if not elsewhere:
            return load(spec, path, *args, **keywords)
        with _with_code(Path(path), elsewhere, pinned) as place:
            return load(spec, str(place), *args, **keywords)

    return checked


@contextlib.contextmanager
def _with_code(snapshot: Path, elsewhere: list[Named], pinned: dict[str, str]) -> Iterator[Path]:
    """A folder of links to a snapshot, with the code of other repositories in folders of its own, for as long as it is
    loaded."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) / snapshot.name
        homes = {repository: f"from_{number}" for number, repository in enumerate(sorted(pinned))}
        for repository, home in homes.items():
            fetch_code(repository, pinned[repository], place / home)
        changed = {named.file for named in elsewhere}
        for name in file_sizes(snapshot):
            file = place / name
            file.parent.mkdir(parents=True, exist_ok=True)
            if name in changed:
                file.write_text(
                    json.dumps(_brought_home(json.loads((snapshot / name).read_text(encoding="utf-8")), homes)),
                    encoding="utf-8",
                )
            else:
                file.symlink_to((snapshot / name).resolve())
        yield place


def _brought_home(value, homes: dict[str, str]):
    """A config in which `owner/name--file.Class` is `folder/file.Class`."""
    if isinstance(value, dict):
        return {key: _brought_home(inner, homes) for key, inner in value.items()}
    if isinstance(value, list):
        return [_brought_home(inner, homes) for inner in value]
    if isinstance(value, str) and "--" in value and value.split("--")[0] in homes:
        return f"{homes[value.split('--')[0]]}/{value.split('--')[1]}"
    return value

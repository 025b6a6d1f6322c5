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
from collections.abc import Callable
from functools import wraps
from pathlib import Path

from qre.encoders.adapters import EXTRA, has_peft, on_base
from qre.encoders.folders import check_base, check_folder
from qre.encoders.linked import linked
from qre.encoders.named_code import Named
from qre.encoders.snapshots import fetch_code
from qre.encoders.spec import HubSpec, ModelSpec
from qre.errors import EncoderError, PlaceError


def looked_through(load: Callable) -> Callable:
    """Let `load(spec, path, ..., base=None)` see only a path whose files were looked through for that spec; of an
    adapter those of its base too, to which the path then leads.

    Raises:
        EncoderError: what they name may not run, or they are no sentence encoder (any more).
        PlaceError: an adapter, and peft is not installed here.
    """

    @wraps(load)
    def checked(spec: ModelSpec, path: str, *args, base: Path | None = None, **keywords):
        trusted = isinstance(spec, HubSpec) and spec.trust_remote_code
        pinned = dict(spec.code_revision) if isinstance(spec, HubSpec) else {}
        if base is not None and not has_peft():
            raise PlaceError(EXTRA)
        found = check_folder(path, spec.plain, trusted=trusted, native=spec.native, code_revision=pinned)
        elsewhere = [named for named in found.code if named.repository is not None and not spec.native]
        if (found.adapter is None) != (base is None):
            raise EncoderError("its adapter_config.json came or went after it was planned; run the same command again")
        if not elsewhere and found.adapter is None:
            return load(spec, path, *args, **keywords)
        with contextlib.ExitStack() as stack:
            replaced: dict[str, Path | str | None] = {}
            if elsewhere:
                replaced |= _with_code(
                    Path(path), elsewhere, pinned, Path(stack.enter_context(tempfile.TemporaryDirectory()))
                )
            if found.adapter is not None and base is not None:
                check_base(base, spec.native)
                replaced |= on_base(found.adapter, Path(path), base)
            place = stack.enter_context(linked(Path(path), replaced))
            return load(spec, str(place), *args, **keywords)

    return checked


def _with_code(
    snapshot: Path, elsewhere: list[Named], pinned: dict[str, str], scratch: Path
) -> dict[str, Path | str | None]:
    """The code of other repositories in folders of its own, and the files of a snapshot that name it, naming it
    there."""
    homes = {repository: f"from_{number}" for number, repository in enumerate(sorted(pinned))}
    replaced: dict[str, Path | str | None] = {}
    for repository, home in homes.items():
        fetch_code(repository, pinned[repository], scratch / home)
        replaced[home] = scratch / home
    for name in {named.file for named in elsewhere}:
        told = json.loads((snapshot / name).read_text(encoding="utf-8"))
        replaced[name] = json.dumps(_brought_home(told, homes))
    return replaced


def _brought_home(value, homes: dict[str, str]):
    """A config in which `owner/name--file.Class` is `folder/file.Class`."""
    if isinstance(value, dict):
        return {key: _brought_home(inner, homes) for key, inner in value.items()}
    if isinstance(value, list):
        return [_brought_home(inner, homes) for inner in value]
    if isinstance(value, str) and "--" in value and value.split("--")[0] in homes:
        return f"{homes[value.split('--')[0]]}/{value.split('--')[1]}"
    return value

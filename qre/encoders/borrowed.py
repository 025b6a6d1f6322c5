"""What is loaded is what was looked through: the checks again at use; code of a second repository at its pinned commit
and no other; and converted weights in the place of pickles.

Neither transformers nor sentence-transformers can pin a second repository for the config, the model, the tokenizer and
modules alike. So where a config pins some, a folder of links is loaded in place of the snapshot: it holds that code at
that commit, and its files name it there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from functools import wraps
from pathlib import Path

from qre.encoders.adapters import EXTRA, has_peft, on_base
from qre.encoders.converted import converted
from qre.encoders.folders import check_base, check_folder
from qre.encoders.linked import Replacement, linked
from qre.encoders.named_code import Named
from qre.encoders.snapshots import fetch_code
from qre.encoders.spec import HubSpec, ModelSpec
from qre.errors import EncoderError, PlaceError


def looked_through(load: Callable) -> Callable:
    """Let `load(spec, path, ..., base=None)` see only a path whose files were looked through for that spec; of an
    adapter those of its base too, to which the path then leads.

    Raises:
        EncoderError: what they name may not run, or they are no sentence encoder (any more); or a pickle that is not
            converted.
        PlaceError: an adapter, and peft is not installed here.
    """

    @wraps(load)
    def checked(spec: ModelSpec, path: str, *args, base: Path | None = None, **keywords):
        trusted = isinstance(spec, HubSpec) and spec.trust_remote_code
        pinned = dict(spec.code_revision) if isinstance(spec, HubSpec) else {}
        pickled = bool(spec.pickles)
        if base is not None and not has_peft():
            raise PlaceError(EXTRA)
        found = check_folder(path, spec.plain, pickled, trusted=trusted, native=spec.native, code_revision=pinned)
        if set(found.pickles) != {name for name, _ in spec.pickles}:
            raise EncoderError("its pickled weights came or went after it was planned; run the same command again")
        if (found.adapter is None) != (base is None):
            raise EncoderError("its adapter_config.json came or went after it was planned; run the same command again")
        elsewhere = [named for named in found.code if named.repository is not None and not spec.native]
        if not elsewhere and not pickled and base is None:
            return load(spec, path, *args, **keywords)
        homes = {repository: f"from_{number}" for number, repository in enumerate(sorted(pinned))} if elsewhere else {}
        replaced = _brought_home(Path(path), elsewhere, homes)
        if base is not None:
            check_base(base, spec.native)
            replaced |= on_base(Path(path), base)
        with converted(spec, Path(path)) as weights, linked(Path(path), {**weights.files, **replaced}) as place:
            for repository, home in homes.items():
                fetch_code(repository, pinned[repository], place / home)
            return load(spec, str(place), *args, **keywords)

    return checked


def _brought_home(folder: Path, elsewhere: Collection[Named], homes: dict[str, str]) -> dict[str, Replacement]:
    """The files that name code of other repositories, naming it in folders of the encoder's own."""
    names = {named.file for named in elsewhere}
    return {
        name: json.dumps(_at_home(json.loads((folder / name).read_text(encoding="utf-8")), homes)) for name in names
    }


def _at_home(value, homes: dict[str, str]):
    """A config in which `owner/name--file.Class` is `folder/file.Class`."""
    if isinstance(value, dict):
        return {key: _at_home(inner, homes) for key, inner in value.items()}
    if isinstance(value, list):
        return [_at_home(inner, homes) for inner in value]
    if isinstance(value, str) and "--" in value and value.split("--")[0] in homes:
        return f"{homes[value.split('--')[0]]}/{value.split('--')[1]}"
    return value

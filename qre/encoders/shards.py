"""Weights in several files: every one that an index names must be there."""

from __future__ import annotations

import json
from pathlib import Path

from qre.encoders.contents import counts
from qre.errors import EncoderError


def check_shards(folder: Path) -> None:
    """Every file of weights that an index in an encoder's folder names is there.

    Raises:
        EncoderError: it names the index and the files that are missing.
    """
    for index in sorted(folder.rglob("*.safetensors.index.json")):
        name = index.relative_to(folder).as_posix()
        if not counts(name):
            continue
        try:
            shards = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise EncoderError(f"{name}: not an index of weights (it has no weight_map); save the encoder again") from None
        missing = [shard for shard in shards if not (index.parent / shard).is_file()]
        if missing:
            raise EncoderError(f"{len(missing)} of the {len(shards)} files of weights that {name} names are missing ({', '.join(missing[:3])}); fetch them")

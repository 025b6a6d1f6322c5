"""The files of an encoder's weights: every one that an index names is there, and they hold numbers that a model can
take as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from qre.encoders.adapters import CONFIG, WEIGHTS
from qre.errors import EncoderError

INTEGERS = {"I8", "U8", "I16", "U16", "I32", "U32", "I64", "U64"}
LARGEST_HEADER = 100_000_000  # bytes; the format's own bound
SHOWN = 3
LOADED = re.compile(r"model(-\d+-of-\d+)?\.safetensors")  # what libraries look for


class BrokenWeights(EncoderError):
    """Files of weights that cannot be taken as they are.

    Attributes:
        what: without what to do.
    """

    def __init__(self, what: str, remedy: str):
        self.what, self.remedy = what, remedy
        super().__init__(f"{what}; {remedy}")

    def __reduce__(self):
        return type(self), (self.what, self.remedy)


def check_weight_files(folder: Path, base: bool = False) -> None:
    """Look at the files of weights in the folders of an encoder's modules; others are debris.

    Args:
        base: it is the base of an adapter: of its weights those at the top alone are read.

    Raises:
        BrokenWeights: shards are missing; a file is cut off, or none of safetensors; or weights are integers, with
            nothing that says what they stand for.
    """
    for place in [folder] if base else _module_folders(folder):
        for index in (
            sorted(place.glob("*.safetensors.index.json")) if not (place / "model.safetensors").is_file() else ()
        ):
            _check_shards(index, index.relative_to(folder).as_posix())
        quantised = bool(_config(place).get("quantization_config"))
        for file in sorted(place.glob("*.safetensors")):
            name = file.relative_to(folder).as_posix()
            tensors = _tensors(file, name)
            if not quantised:
                _check_floating(tensors, name)


def _module_folders(folder: Path) -> Iterator[Path]:
    """The folders that modules.json names, and what lies below them; of a module at the top, and of a plain checkpoint,
    the top alone."""
    if not (folder / "modules.json").is_file():
        yield folder
        return
    try:
        listed = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
        paths = {str(module.get("path", "")) for module in listed}
    except (OSError, ValueError, AttributeError, TypeError):  # told by who looks at modules.json
        return
    for path in sorted(paths):
        place = folder / path
        yield place
        if path and place.is_dir():
            yield from sorted(inner for inner in place.rglob("*") if inner.is_dir())
        elif (place / "router_config.json").is_file():
            yield from sorted(inner for inner in place.iterdir() if inner.is_dir() and inner.name not in paths)


def _check_shards(index: Path, name: str) -> None:
    try:
        shards = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()), key=str.casefold)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BrokenWeights(
            f"{name}: not an index of weights (it has no weight_map)", "save the encoder again"
        ) from None
    if not shards or not all(shard.endswith(".safetensors") for shard in shards):
        told = next((shard for shard in shards if not shard.endswith(".safetensors")), "no file")
        raise BrokenWeights(f"{name}: it names {told}, and no safetensors", "save the encoder again")
    missing = [shard for shard in shards if not (index.parent / shard).is_file()]
    if missing:
        raise BrokenWeights(
            f"{len(missing)} of the {len(shards)} files of weights that {name} names are missing "
            f"({', '.join(missing[:SHOWN])})",
            "fetch them",
        )


def _tensors(file: Path, name: str) -> dict[str, dict]:
    """What the header of a safetensors file says of each tensor; BrokenWeights where the file is not what its header
    says. Of debris nothing is asked."""
    there = file.stat().st_size
    with open(file, "rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        header = stream.read(size) if size <= min(LARGEST_HEADER, there) else b""
    try:
        tensors = {tensor: entry for tensor, entry in json.loads(header).items() if tensor != "__metadata__"}
        wanted = 8 + size + max((entry["data_offsets"][1] for entry in tensors.values()), default=0)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        if not _is_loaded(file):
            return {}
        raise BrokenWeights(
            f"{name}: its header cannot be read; not a safetensors file, or cut off at {there:,} bytes",
            "fetch or copy it again",
        ) from None
    if there != wanted and _is_loaded(file):
        raise BrokenWeights(f"{name}: {there:,} bytes, and its header says {wanted:,}", "fetch or copy it again")
    return tensors


def _is_loaded(file: Path) -> bool:
    """Whether a library looks for a file of this name; for an adapter's weights, only beside what says that it is
    one."""
    return bool(LOADED.fullmatch(file.name)) or (file.name == WEIGHTS and (file.parent / CONFIG).is_file())


def _check_floating(tensors: dict[str, dict], name: str) -> None:
    """A library casts integers to the model's dtype without a word; quantised weights are other numbers than those that
    they stand for."""
    whole = sorted(
        tensor
        for tensor, entry in tensors.items()
        if entry.get("dtype") in INTEGERS and tensor.endswith(("weight", "bias"))
    )
    if whole:
        raise BrokenWeights(
            f"{name}: {len(whole)} weights are integers ({tensors[whole[0]]['dtype']}: {', '.join(whole[:SHOWN])}), "
            f"quantised without a quantization_config in "
            "config.json that says how",
            "save the encoder with floating-point weights",
        )


def _config(place: Path) -> dict:
    try:
        value = json.loads((place / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}

"""Files of an encoder's folder that are not there as a whole: Git LFS pointers in the place of files, shards that are missing."""

from __future__ import annotations

import json
from pathlib import Path

from qre.encoders.hub import OTHER_BACKENDS
from qre.errors import EncoderError

LFS = b"version https://git-lfs.github.com/spec/"
LARGEST_POINTER = 1024  # bytes; the specification's own limit
# what loading never reads: other formats of the weights, and what people look at
NOT_READ = {
    ".bin", ".pt", ".pth", ".ckpt", ".h5", ".ot", ".msgpack", ".onnx", ".gguf", ".md", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".pdf", ".csv", ".parquet"
}  # fmt: skip


def lfs_pointer(file: Path) -> bool:
    """Whether a file is the pointer that git leaves in the place of a large file where Git LFS has not fetched it."""
    if file.stat().st_size > LARGEST_POINTER:
        return False
    with open(file, "rb") as stream:
        return stream.read(len(LFS)) == LFS


def check_whole(folder: Path) -> None:
    """Every file that loading may read is itself, and every shard of weights that an index names is there.

    Raises:
        EncoderError: it names the file, and what fetches it.
    """
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        place = file.relative_to(folder)
        if set(OTHER_BACKENDS) & set(place.parts) or any(part.startswith(".") for part in place.parts) or file.suffix in NOT_READ:
            continue
        if lfs_pointer(file):
            raise EncoderError(f"{place.as_posix()} is a Git LFS pointer, not the file itself: run `git lfs pull` in the encoder's folder")
        if file.name.endswith(".safetensors.index.json"):
            _check_shards(file, place)


def _check_shards(index: Path, place: Path) -> None:
    try:
        shards = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise EncoderError(f"{place.as_posix()}: not an index of weights (it has no weight_map); save the encoder again") from None
    missing = [shard for shard in shards if not (index.parent / shard).is_file()]
    if missing:
        named = f"{len(missing)} of the {len(shards)} files of weights that {place.as_posix()} names"
        raise EncoderError(f"{named} are missing ({', '.join(missing[:3])}); fetch them")

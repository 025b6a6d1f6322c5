"""Pickles of weights: those that people have, and those that would write a file on loading."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import zipfile
from pathlib import Path

MARKER = "pickle-ran"


class _Writes:
    """Unpickled by Python itself, it makes a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


class _Runs(_Writes):
    """Unpickled by Python itself, it makes a file by a command."""

    def __reduce__(self):
        import os

        return (os.system, (f"touch {self.path}",))


EVIL = ("raw", "raw-4", "legacy", "zip", "zip-4", "nested", "runs")


def evil(kind: str, folder: Path) -> bytes:
    """A pickle of weights that would make `folder`/MARKER if anything ran.

    Kinds:
        raw, raw-4: a pickle of Python, in protocol 2 and 4, which spells a global otherwise.
        legacy, zip: as torch saves weights, with it among them; zip-4: in protocol 4.
        nested: below a state_dict.
        runs: by a command of the system.
    """
    import torch

    there = folder / MARKER
    one = _Runs(there) if kind == "runs" else _Writes(there)
    held: dict = {"weight": torch.zeros(2), "other": one}
    if kind.startswith("raw"):
        return pickle.dumps(held["other"], protocol=4 if kind == "raw-4" else 2)
    if kind == "nested":
        held = {"state_dict": held}
    stream = io.BytesIO()
    protocol = 4 if kind == "zip-4" else 2
    torch.save(held, stream, pickle_protocol=protocol, _use_new_zipfile_serialization=kind != "legacy")
    return stream.getvalue()


def is_evil(content: bytes, folder: Path) -> bool:
    """Whether such a pickle does write where Python itself loads it; it is then put right again."""
    import torch

    try:
        torch.load(io.BytesIO(content), weights_only=False)
    except Exception:
        pickle.loads(content)
    ran = (folder / MARKER).exists()
    (folder / MARKER).unlink(missing_ok=True)
    return ran


def pickle_weights(folder: Path, shards: int = 0, name: str = "model.safetensors") -> None:
    """The safetensors of a folder become pytorch_model.bin, or so many shards with their index."""
    import torch
    from safetensors.torch import load_file

    weights = load_file(folder / name)
    (folder / name).unlink()
    if not shards:
        torch.save(weights, folder / "pytorch_model.bin")
        return
    places: dict[str, str] = {}
    names = sorted(weights)
    for number in range(shards):
        file = f"pytorch_model-{number + 1:05}-of-{shards:05}.bin"
        own = names[number::shards]
        torch.save({one: weights[one] for one in own}, folder / file)
        places |= dict.fromkeys(own, file)
    total = sum(tensor.nbytes for tensor in weights.values())
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))


def with_safetensors(folder: Path, whole: Path, to: Path) -> Path:
    """A copy of a folder of pickles beside which the safetensors of `whole` lie, as the hub's converter adds them."""
    shutil.copytree(folder, to)
    for file in whole.rglob("*.safetensors"):
        if not (to / file.relative_to(whole)).exists():
            shutil.copy(file, to / file.relative_to(whole))
    return to


def bomb(size: int) -> bytes:
    """A small zip of torch's form in which the numbers of a tensor unpack to `size` bytes of zeros."""
    import torch

    stream, packed = io.BytesIO(), io.BytesIO()
    torch.save({"weight": torch.zeros(1)}, stream)
    with (
        zipfile.ZipFile(stream) as source,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target,
    ):
        for name in source.namelist():
            with target.open(name, "w", force_zip64=True) as file:
                if name.endswith("/data/0"):
                    for _ in range(size // 2**20):
                        file.write(bytes(2**20))
                else:
                    file.write(source.read(name))
    return packed.getvalue()

"""Which pickles an encoder's weights are, where a module has no safetensors: the files that a library would take in
their place, and what each is called once it is converted. Any other pickle is debris, and refuses nobody."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping

from qre.encoders.contents import counts, is_pickle
from qre.encoders.kinds import Module

WHOLE, INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"
SAFE_INDEX = "model.safetensors.index.json"
SHARD = re.compile(r"pytorch_model-\d+-of-\d+\.bin")
# Classes of sentence-transformers that read weights, each with the safetensors that it looks for before it takes a
# pickle; the others have none, whatever lies in their folder.
ONE_FILE = re.compile(r"model\.safetensors")
OR_SHARDS = re.compile(r"model\.safetensors(\.index\.json)?")  # of transformers: shards are found by their index alone
READ_WEIGHTS = {
    "Transformer": OR_SHARDS,
    "CLIPModel": OR_SHARDS,
    "StaticEmbedding": ONE_FILE,
    "WordEmbeddings": ONE_FILE,
    "WeightedLayerPooling": ONE_FILE,
    "LayerNorm": ONE_FILE,
    "Dense": ONE_FILE,
    "CNN": ONE_FILE,
    "LSTM": ONE_FILE,
}
ANY = re.compile(r".*\.safetensors(\.index\.json)?")  # of code of its own


def needed_pickles(
    modules: Collection[Module], names: Collection[str], document: Callable[[str], object]
) -> tuple[str, ...]:
    """The pickles that hold the weights of modules without safetensors, () where there are none. Those that an index
    names are told of whether they are there or not, and so is an index that shards lack.

    Args:
        modules: all; none where modules.json names none, and then any folder may be one.
        names: of all files, with "/".
        document: the content of a JSON file.
    """
    places = [
        (module.path, READ_WEIGHTS[module.name] if module.shipped else ANY)
        for module in modules
        if module.name in READ_WEIGHTS or not module.shipped
    ]
    if not modules:
        found = (name.rpartition("/")[0] for name in sorted(names))
        places = [(folder, ANY) for folder in found if counts(f"{folder}/x" if folder else "x")]
    needed = (name for folder, safe in dict.fromkeys(places) for name in _of(folder, safe, names, document))
    return tuple(dict.fromkeys(needed))


def may_hold(kind: str, file: str) -> bool:
    """Whether a file in the folder of a module of this class may be weights that it reads: of transformers a config may
    name another."""
    if READ_WEIGHTS[kind] is OR_SHARDS:
        return "/" not in file and file.endswith(".safetensors")
    return bool(READ_WEIGHTS[kind].fullmatch(file))


def safe_name(pickle: str) -> str:
    """What a converted pickle is called: where a library looks for safetensors."""
    folder, slash, file = pickle.rpartition("/")
    return f"{folder}{slash}{file.replace('pytorch_model', 'model', 1).removesuffix('.bin')}.safetensors"


def is_convertible(name: str) -> bool:
    """Whether a pickle is one that libraries take, and not one that only code of an encoder's own reads."""
    file = name.rpartition("/")[2]
    return file in (WHOLE, INDEX) or bool(SHARD.fullmatch(file))


def safe_index(index: Mapping) -> dict:
    """The index of shards once they are converted."""
    return {**index, "weight_map": {name: safe_name(shard) for name, shard in index["weight_map"].items()}}


def _of(folder: str, safe: re.Pattern[str], names: Collection[str], document: Callable[[str], object]) -> Iterator[str]:
    """Those of one module, whose class looks for `safe`."""
    prefix = f"{folder}/" if folder else ""
    own = sorted(name.removeprefix(prefix) for name in names if name.rpartition("/")[0] == folder)
    if any(safe.fullmatch(file) for file in own):
        return
    if WHOLE in own:
        yield prefix + WHOLE
    elif safe is ONE_FILE:
        return
    elif INDEX in own:
        yield from (prefix + shard for shard in shards_of(document(prefix + INDEX)))
    elif shards := [file for file in own if SHARD.fullmatch(file)]:
        yield from (prefix + file for file in (*shards, INDEX))
    elif safe is ANY:
        yield from (prefix + file for file in own if is_pickle(file))


def shards_of(index: object) -> list[str]:
    """The files that an index of pickles names; the index itself, as one that is missing, where it is none."""
    named = index.get("weight_map") if isinstance(index, Mapping) else None
    if not isinstance(named, Mapping) or not named:
        return [INDEX]
    shards = {shard if isinstance(shard, str) and SHARD.fullmatch(shard) else INDEX for shard in named.values()}
    return sorted(shards)

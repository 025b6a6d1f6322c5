"""Encoders of the hub without the hub: resolved from the snapshots in this node's cache, with the same checks."""

from __future__ import annotations

import json
import math
import re
import struct
from pathlib import Path
from types import SimpleNamespace

from qre.encoders.cards import card_attributes
from qre.encoders.examine import Unfit
from qre.encoders.folders import file_sizes, sha256_of
from qre.encoders.hub import COMMIT, HubModel, described
from qre.encoders.hub_problems import HubProblem
from qre.encoders.plain import BODY
from qre.encoders.snapshots import cache_folder, has_no

SHA256 = re.compile(r"[0-9a-f]{64}")
# of a snapshot in the cache these say that it is not whole
PARTS = frozenset({"no weights", "not sentence-transformers"})


def cached_model(repository: str, revision: str | None = None, as_base: bool = False) -> HubModel:
    """Commit, files and attributes of an encoder whose snapshot is in the cache; no request is made.

    Args:
        revision: branch, tag or commit as it was fetched; None: main.
        as_base: as of hub.resolve.

    Raises:
        HubProblem: its snapshot is not here, or not whole ("offline"); or as for one that the hub describes.
    """
    path = _snapshot(repository, revision or "main")
    try:
        sizes = file_sizes(path)
        model = described(
            repository,
            path.name,
            sizes,
            lambda name: (path / name).read_bytes(),
            _attributes(path, sizes),
            (),
            lambda name: _sha256(path / name),
            as_base,
        )
    except Unfit as problem:  # of the files alone: `described` has told the others
        raise HubProblem(repository, "offline", f"its snapshot in the cache is incomplete: {problem.detail}") from None
    except HubProblem as problem:
        if problem.reason in PARTS:
            raise HubProblem(
                repository, "offline", f"its snapshot in the cache is incomplete: {problem.detail}"
            ) from None
        raise
    if (
        model.plain and not as_base and not (has_no(path, "modules.json") or ".gitattributes" in sizes)
    ):  # every repository has these
        raise HubProblem(
            repository,
            "offline",
            "its snapshot in the cache has no modules.json, and may be a part of an encoder that has one",
        )
    missing = _missing(path, sizes, model)
    if missing is not None:
        raise HubProblem(repository, "offline", f"its snapshot in the cache is incomplete: {missing} is missing")
    return model


def _sha256(file: Path) -> str:
    """Of the content of a file: the name of its blob, where the cache names it so; what is converted is compared with
    it."""
    blob = file.resolve().name
    return blob if file.is_symlink() and SHA256.fullmatch(blob) else sha256_of(file)


def _snapshot(repository: str, revision: str) -> Path:
    from huggingface_hub.file_download import repo_folder_name

    folder = cache_folder() / repo_folder_name(repo_id=repository, repo_type="model")
    commit = revision
    if not COMMIT.fullmatch(revision):
        ref = folder / "refs" / revision
        commit = ref.read_text().strip() if ref.is_file() and folder.resolve() in ref.resolve().parents else ""
    path = folder / "snapshots" / commit
    if not COMMIT.fullmatch(commit) or not path.is_dir():
        there = sorted(one.name for one in (folder / "snapshots").glob("*") if COMMIT.fullmatch(one.name))
        others = f"; commits that are: {', '.join(there[:3])}" if there else ""
        raise HubProblem(
            repository, "offline", f"HF_HUB_OFFLINE is set, and {revision} is not in the cache of this node{others}"
        )
    return path


def _missing(path: Path, sizes: dict[str, int], model: HubModel) -> str | None:
    """A file that loading would want and that nobody fetched, as far as the others tell."""
    for name in sizes:
        if name.endswith(".safetensors.index.json"):
            prefix = name[: name.rfind("/") + 1]
            shards = json.loads((path / name).read_bytes()).get("weight_map") or {}
            lacks = {f"{prefix}{shard}" for shard in shards.values()} - set(sizes)
            if lacks:
                return min(lacks)
    for name, _, sha256 in model.pickles:
        if not sha256:
            return name
    plain = [{"type": BODY.type, "path": BODY.path}]
    for module in plain if model.plain else json.loads((path / "modules.json").read_bytes()):
        folder, kind = module.get("path") or "", module["type"].rpartition(".")[2]
        inside = [name.removeprefix(f"{folder}/") for name in sizes if name.startswith(f"{folder}/" if folder else "")]
        if model.adapter is not None and kind == "Transformer":  # what it lacks is its base's
            continue
        if kind in ("Pooling", "Dense", "Transformer") and "config.json" not in inside:
            return f"{folder}/config.json" if folder else "config.json"
        if kind == "Transformer" and not any(
            name.startswith(("tokenizer", "vocab")) or name.endswith((".model", ".txt")) for name in inside
        ):
            return f"{folder}/tokenizer.json" if folder else "tokenizer.json"
    return None


def _attributes(path: Path, sizes: dict[str, int]) -> dict:
    """What the card and the weights tell; downloads and likes only the hub knows."""
    from huggingface_hub.repocard import metadata_load

    card = (metadata_load(path / "README.md") or {}) if "README.md" in sizes else {}
    try:
        config = json.loads((path / "config.json").read_bytes()) if "config.json" in sizes else {}
    except ValueError:
        config = {}
    counts = [
        _parameters(path / name)
        for name in sizes
        if name == "model.safetensors" or (name.startswith("model-") and name.endswith(".safetensors"))
    ]
    return card_attributes(
        SimpleNamespace(
            card_data=SimpleNamespace(to_dict=lambda: card),
            config=config if isinstance(config, dict) else {},
            tags=[],
            library_name=card.get("library_name"),
            safetensors=SimpleNamespace(total=sum(counts)) if counts and None not in counts else None,
            downloads=None,
            likes=None,
            created_at=None,
        )
    )


def _parameters(file: Path) -> int | None:
    """Numbers in a safetensors file, by its header; None where it has none that can be read."""
    try:
        with open(file, "rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(min(length, 2**27)))
        return sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")
    except (OSError, struct.error, ValueError, KeyError, TypeError):
        return None

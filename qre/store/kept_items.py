"""Items of scores: what a score is made of, one value for each thing that its interval resamples, or more."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from qre.schemas import NewerSchema
from qre.store.files import UNREADABLE, CorruptArtefact, Files
from qre.store.seals import check_no_newer, sealed, unsealed
from qre.store.shelves import stating


class Items:
    """items/<task>/<name>.safetensors: the items of the score of the same task and name, float64, or a bit each.

    Nothing but the interval of a difference depends on them, so those that are absent, damaged, unreadable or of a
    newer version are left out.
    """

    def __init__(self, folder: Files):
        self._folder = folder

    @staticmethod
    def name(task: str, key: str) -> str:
        return f"items/{task}/{key}.safetensors"

    def write(self, task: str, key: str, items: np.ndarray) -> None:
        """Write items of any shape, float64 or bool; those of a newer version are left as they are."""
        try:
            check_no_newer(self._folder, self.name(task, key))
        except NewerSchema:
            self._folder.seen.newer[self.name(task, key)] = None
            return
        record = {"task": task, "key": key, "shape": list(items.shape), "bits": items.dtype == np.bool_}
        packed = np.packbits(items) if items.dtype == np.bool_ else items.astype(np.float64).ravel()
        self._folder.write(self.name(task, key), sealed({"items": packed}, stating("items", record)))

    def read(self, task: str, keys: Iterable[str]) -> dict[str, np.ndarray]:
        """Those of one task that are there, by the name of the score; damaged ones are in quarantine now."""
        keys = list(dict.fromkeys(keys))
        found = self._folder.map(lambda key: self._one(task, key), keys, width=32)
        return {key: items for key, items in zip(keys, found, strict=True) if items is not None}

    def _one(self, task: str, key: str) -> np.ndarray | None:
        name = self.name(task, key)
        try:
            tensors, record = unsealed(self._folder, name)
        except (FileNotFoundError, CorruptArtefact):
            return None
        except NewerSchema:
            self._folder.seen.newer[name] = None
            return None
        except UNREADABLE as error:
            self._folder.seen.unread[name] = str(error)
            return None
        try:
            return _unpacked(tensors, record, task, key)
        except (KeyError, TypeError, ValueError) as error:
            self._folder.quarantine(name, f"holds other items: {error}")
            return None


def _unpacked(tensors: dict[str, np.ndarray], record: dict, task: str, key: str) -> np.ndarray:
    """The items in a file; ValueError, KeyError or TypeError where it is not of this score."""
    if (record["task"], record["key"]) != (task, key):
        raise ValueError("of another score")
    shape, items = tuple(map(int, record["shape"])), tensors["items"]
    if record["bits"]:
        items = np.unpackbits(items, count=math.prod(shape)).astype(bool)
    return items.reshape(shape)

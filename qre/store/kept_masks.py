"""Masks of sparsified encoders: which weights are zero."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qre.store.files import Files
from qre.store.seals import check_no_newer, sealed, unsealed
from qre.store.shelves import stating


class Masks:
    """masks/<key>.safetensors: a bit for each weight of each matrix, by its name, and the shapes of the matrices."""

    def __init__(self, folder: Files):
        self._folder = folder

    @staticmethod
    def name(key: str) -> str:
        return f"masks/{key}.safetensors"

    def write(self, key: str, bits: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Write packed bits (uint8) and shapes, by name; NewerSchema where one of a newer version is there."""
        check_no_newer(self._folder, self.name(key))
        record = {"key": key, "shapes": {name: list(shape) for name, shape in shapes.items()}}
        self._folder.write(self.name(key), sealed(bits, stating("masks", record)))

    def read(self, key: str) -> tuple[dict[str, np.ndarray], dict[str, tuple[int, ...]]]:
        """The packed bits and the shapes, by name.

        Raises:
            FileNotFoundError: it is not in the store.
            CorruptArtefact: truncated, changed, or of another key; it is in quarantine now.
            NewerSchema: it is of a newer version.
        """
        bits, record = unsealed(self._folder, self.name(key))
        try:
            shapes = {name: tuple(map(int, shape)) for name, shape in record["shapes"].items()}
            fits = record["key"] == key and all(
                bits[name].dtype == np.uint8 and bits[name].shape == (-(-int(np.prod(shape)) // 8),)
                for name, shape in shapes.items()
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            fits = False
        if not fits:
            raise self.refuse(key, "holds another mask")
        return bits, shapes

    def refuse(self, key: str, why: str) -> Exception:
        """Put a mask in quarantine; returns the error to raise."""
        return self._folder.quarantine(self.name(key), why)

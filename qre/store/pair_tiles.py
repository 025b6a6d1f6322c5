"""Tiles of pairs: a block of encoders against a block."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qre.store.files import Files
from qre.store.seals import check_no_newer, sealed, unsealed
from qre.store.shelves import stating


class PairTiles:
    """pairs/<key>.safetensors: one matrix (A, B) float64 a measure; the key holds the encoders of both blocks, in
    order, and all that changes a number."""

    def __init__(self, folder: Files):
        self._folder = folder

    @staticmethod
    def name(key: str) -> str:
        return f"pairs/{key}.safetensors"

    def keys(self) -> set[str]:
        """Keys of all tiles that are present."""
        return {name.rpartition("/")[2].removesuffix(".safetensors") for name in self._folder.names("pairs")}

    def write(self, key: str, measures: Mapping[str, np.ndarray]) -> None:
        """Write the matrices of a tile, by measure; NewerSchema where one of a newer version is there."""
        check_no_newer(self._folder, self.name(key))
        self._folder.write(self.name(key), sealed(measures, stating("pairs", {"key": key})))

    def read(self, key: str, shape: tuple[int, int]) -> dict[str, np.ndarray]:
        """The matrices of a tile, each of this shape.

        Raises:
            FileNotFoundError: it is not in the store.
            CorruptArtefact: truncated, changed, of another key or shape; it is in quarantine now.
            NewerSchema: it is of a newer version.
        """
        measures, record = unsealed(self._folder, self.name(key))
        if record.get("key") != key or any(one.shape != shape for one in measures.values()):
            raise self._folder.quarantine(self.name(key), "holds other pairs")
        return measures

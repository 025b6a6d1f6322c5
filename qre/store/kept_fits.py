"""Fitted transforms of encoders: what each has learned, by the key of its unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from qre.store.files import Files
from qre.store.seals import check_no_newer, sealed, unsealed
from qre.store.shelves import stating


class Fits:
    """fits/<key[:2]>/<key>.safetensors: the arrays that the transforms of a unit have learned, by name, in their own
    dtypes; and in the record the transforms and the dimension of the vectors that they are applied to."""

    def __init__(self, folder: Files):
        self._folder = folder

    @staticmethod
    def name(key: str) -> str:
        return f"fits/{key[:2]}/{key}.safetensors"

    def keys(self) -> set[str]:
        """Keys of all units whose fit is present."""
        return {name.rsplit("/", 1)[1].removesuffix(".safetensors") for name in self._folder.names("fits")}

    def write(self, key: str, transforms: Sequence[str], dimension: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Write a fit; NewerSchema where one of a newer version is there."""
        check_no_newer(self._folder, self.name(key))
        record = {"key": key, "transforms": list(transforms), "dimension": dimension}
        self._folder.write(self.name(key), sealed(arrays, stating("fits", record)))

    def read(self, key: str) -> tuple[tuple[str, ...], int, dict[str, np.ndarray]]:
        """Transforms, dimension and arrays, as written.

        Raises:
            FileNotFoundError: it is not in the store.
            CorruptArtefact: truncated, changed, or of another key; it is in quarantine now.
            NewerSchema: it is of a newer version.
        """
        arrays, record = unsealed(self._folder, self.name(key))
        if record.get("key") != key or not {"transforms", "dimension"} <= record.keys():
            raise self.refuse(key, "holds another fit")
        return tuple(record["transforms"]), record["dimension"], arrays

    def refuse(self, key: str, why: str) -> Exception:
        """Put a fit in quarantine; returns the error to raise."""
        return self._folder.quarantine(self.name(key), why)

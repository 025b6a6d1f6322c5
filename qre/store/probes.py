"""What the models behind endpoints answered to fixed sentences."""

from __future__ import annotations

import base64
import json

import numpy as np

from qre.store.files import Files
from qre.store.folder import canonical_json
from qre.store.shelves import checked, stating


class Probes:
    """probes/<key>.json: vectors (5, d) float32, written once."""

    def __init__(self, folder: Files):
        self._folder = folder

    def write(self, key: str, vectors: np.ndarray) -> None:
        content = {
            "dimension": vectors.shape[1],
            "vectors": base64.b64encode(np.ascontiguousarray(vectors, "<f4").tobytes()).decode(),
        }
        self._folder.write(f"probes/{key}.json", canonical_json(stating("probes", content)).encode())

    def read(self, key: str) -> np.ndarray | None:
        """The vectors; None where there are none, or they are damaged, which are put in quarantine.

        Raises:
            NewerSchema: they are of a newer version.
        """
        name = f"probes/{key}.json"
        try:
            record = checked(name, json.loads(self._folder.read(name)))
            flat = np.frombuffer(base64.b64decode(record["vectors"], validate=True), "<f4")
            return flat.reshape(-1, record["dimension"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            self._folder.quarantine(name, str(error))
            return None

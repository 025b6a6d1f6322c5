"""The store as one thing with a shelf for each kind of artefact."""

from __future__ import annotations

import os

from qre.store.artefacts import Chunks, Embeddings, Features, Sentences
from qre.store.folder import Folder
from qre.store.records import Atlases, Failures, Progress


class Store:
    """A store in a local folder; the folder is made at the first write.

    Attributes:
        location: the folder, as a string: what is sent to another process to open the same store there.
    """

    def __init__(self, location: str | os.PathLike):
        self.location = os.path.abspath(location)
        self.folder = Folder(self.location)
        self.sentences = Sentences(self.folder)
        self.embeddings = Embeddings(self.folder)
        self.chunks = Chunks(self.folder)
        self.features = Features(self.folder)
        self.failures = Failures(self.folder)
        self.progress = Progress(self.folder)
        self.atlases = Atlases(self.folder)

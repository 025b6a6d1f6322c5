"""The store as one thing with a shelf for each kind of artefact."""

from __future__ import annotations

import os

from qre.store.address import parse
from qre.store.artefacts import Chunks, Embeddings, Features, Sentences
from qre.store.bucket import Bucket
from qre.store.folder import Folder
from qre.store.records import Atlases, Failures, Notices, Progress, Scores, Speeds
from qre.store.spending import Spending


class Store:
    """A store in a local folder, which is made at the first write, or below a prefix of a bucket, which must exist.

    Attributes:
        location: the folder, or the address of the bucket, as a string: what is sent to another process to open the same store there.
        is_local: it is a folder of this machine (or one that is mounted on it).

    Raises:
        UserError: an address that is not understood, or that holds credentials.
    """

    def __init__(self, location: str | os.PathLike):
        address = parse(os.fspath(location))
        self.is_local = address is None
        self.location = os.path.abspath(location) if address is None else address.location
        self.folder = Folder(self.location) if address is None else Bucket(address)
        self.sentences = Sentences(self.folder)
        self.embeddings = Embeddings(self.folder)
        self.chunks = Chunks(self.folder)
        self.features = Features(self.folder)
        self.scores = Scores(self.folder)
        self.speeds = Speeds(self.folder)
        self.notices = Notices(self.folder)
        self.failures = Failures(self.folder)
        self.progress = Progress(self.folder)
        self.spending = Spending(self.folder)
        self.atlases = Atlases(self.folder)

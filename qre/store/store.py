"""The store as one thing with a shelf for each kind of artefact."""

from __future__ import annotations

import os

from qre.errors import UserError
from qre.store.address import parse
from qre.store.artefacts import Chunks, Embeddings, Features, Sentences, Vectors
from qre.store.bucket import Bucket
from qre.store.files import LooksOnly
from qre.store.folder import Folder
from qre.store.gpu_time import Spending
from qre.store.kept_fits import Fits
from qre.store.kept_items import Items
from qre.store.kept_masks import Masks
from qre.store.pair_tiles import PairTiles
from qre.store.probes import Probes
from qre.store.records import Atlases, Failures, Notices, Owners, Progress, Running, Scores, Speeds


class FolderLookedAt(LooksOnly, Folder):
    """A folder that nothing is changed in."""


class BucketLookedAt(LooksOnly, Bucket):
    """A bucket that nothing is changed in."""


class Store:
    """A store in a local folder, which is made at the first write, or below a prefix of a bucket, which must exist.

    Args:
        read_only: for looking: nothing is written, removed or put in quarantine, whatever is asked of it.

    Attributes:
        location: the folder, or the address of the bucket, as a string: what is sent to another process to open the
            same store there.
        is_local: it is a folder of this machine (or one that is mounted on it).

    Raises:
        UserError: an address that is not understood, or that holds credentials.
    """

    def __init__(self, location: str | os.PathLike, read_only: bool = False):
        address = parse(os.fspath(location))
        self.is_local = address is None
        self.location = os.path.abspath(location) if address is None else address.location
        in_folder, in_bucket = (FolderLookedAt, BucketLookedAt) if read_only else (Folder, Bucket)
        if self.is_local and os.path.lexists(self.location) and not os.path.isdir(self.location):
            raise UserError(f"store: {self.location} is not a folder; name a folder")
        self.folder = in_folder(self.location) if address is None else in_bucket(address)
        self.sentences = Sentences(self.folder)
        self.embeddings = Embeddings(self.folder)
        self.chunks = Chunks(self.folder)
        self.vectors = Vectors(self.folder)
        self.masks = Masks(self.folder)
        self.fits = Fits(self.folder)
        self.pairs = PairTiles(self.folder)
        self.features = Features(self.folder)
        self.scores = Scores(self.folder)
        self.items = Items(self.folder)
        self.speeds = Speeds(self.folder)
        self.notices = Notices(self.folder)
        self.failures = Failures(self.folder)
        self.progress = Progress(self.folder)
        self.spending = Spending(self.folder)
        self.probes = Probes(self.folder)
        self.atlases = Atlases(self.folder)
        self.owners = Owners(self.folder)
        self.running = Running(self.folder)

    def notes(self) -> list[str]:
        """What was come across until now and left alone: a line for strays, and one for each file that cannot be
        read."""
        self.folder.look_at_root()
        return self.folder.seen.notes()

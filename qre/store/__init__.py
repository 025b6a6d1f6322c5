"""The store: content-addressed artefacts in a folder or a bucket. It is the only thing that a resume needs.

Present means complete: every artefact is written to a temporary name, synced and renamed, or is one upload to a bucket,
    and carries a checksum
that is verified on read. One that fails it is moved to quarantine/, and so is absent and made again. Nothing is
pickled. Two sweeps on one store
may run side by side: both may write one key, and the content is the same. Every artefact has a schema; one of a newer
    version is neither read
nor touched. What has no name of ours is left alone.
"""

from qre.schemas import NewerSchema
from qre.store.artefacts import Chunks, Embeddings, Features, Sentences
from qre.store.bucket import Bucket
from qre.store.files import UNREADABLE, CorruptArtefact, Files, UnreadableArtefact
from qre.store.folder import Folder
from qre.store.records import Atlases, Failure, Failures, Progress
from qre.store.store import Store

__all__ = [
    "UNREADABLE",
    "Atlases",
    "Bucket",
    "Chunks",
    "CorruptArtefact",
    "Embeddings",
    "Failure",
    "Failures",
    "Features",
    "Files",
    "Folder",
    "NewerSchema",
    "Progress",
    "Sentences",
    "Store",
    "UnreadableArtefact",
]

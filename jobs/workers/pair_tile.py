"""The tasks of all pairs: a tile of two blocks of encoders -> the store; all tiles -> the files that people read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import ray

from jobs.workers.beats import beating
from jobs.workers.embed import StoreNotShared, not_shared
from qre.all_pairs import ThinOperator, tile
from qre.atlas.settings import AtlasSettings
from qre.build.pair_files import PairFiles, pair_files
from qre.errors import EmbeddingError
from qre.features import FeatureMethod
from qre.store import CorruptArtefact, Store
from qre.store.folder import content_key

TILE_VERSION = 1  # raised when the same embeddings would give other numbers


@dataclass(frozen=True)
class PairUnit:
    """An encoder: its unit's key and its name."""

    key: str
    name: str


@dataclass(frozen=True)
class TileWork:
    """Two blocks of encoders, at these places among all; a block with itself where they are the same.

    Attributes:
        starts: of the blocks, among all encoders.
        memory: bytes that the task takes, estimated.
        flops: estimated, for ordering only.
    """

    first: tuple[PairUnit, ...]
    second: tuple[PairUnit, ...]
    method: FeatureMethod
    starts: tuple[int, int]
    memory: int
    flops: float

    @cached_property
    def key(self) -> str:
        """sha256 (hex) of the encoders, and of what changes a number; the direction of the features does not."""
        return content_key(
            {
                "version": TILE_VERSION,
                "first": [one.key for one in self.first],
                "second": [one.key for one in self.second],
                "method": self.method.model_dump(mode="json", exclude={"direction"}),
            }
        )

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.first), len(self.second)

    @property
    def name(self) -> str:
        return f"pairs of {self.shape[0]} x {self.shape[1]} encoders"


@dataclass(frozen=True)
class Unusable:
    """An encoder whose embedding gives no operator, or is not there any more."""

    key: str
    name: str
    why: str


@ray.remote(max_retries=0)
def pair_tile(location: str, record: str, work: TileWork, threads: int) -> Iterator[object]:
    """make_tile as a Ray task that yields signs of life, and how much is done, of how much.

    Args:
        record: of the progress, which the driver has written.

    Raises:
        StoreNotShared: this node does not see what the driver has written.
    """

    def run(tell: Callable[[object], None]) -> list[Unusable]:
        store = Store(location)
        if not store.folder.exists(f"progress/{record}.json"):
            raise StoreNotShared(not_shared(store))
        return make_tile(store, work, lambda done, total: tell((done, total)))

    yield from beating(run, threads)


def make_tile(
    store: Store, work: TileWork, progress: Callable[[int, int], None] = lambda done, total: None
) -> list[Unusable]:
    """Compute a tile and write it; where some encoder is unusable, name all such and write nothing."""
    unusable: list[Unusable] = []
    first = _operators(store, work.first, work.method, unusable)
    second = first if work.second == work.first else _operators(store, work.second, work.method, unusable)
    if not unusable:
        store.pairs.write(work.key, asdict(tile(first, second, progress=progress)))
    return unusable


def _operators(
    store: Store, units: Sequence[PairUnit], method: FeatureMethod, unusable: list[Unusable]
) -> list[ThinOperator]:
    made = []
    for unit in units:
        try:
            made.append(ThinOperator.from_embedding(store.embeddings.read(unit.key)[0], method, unit.name))
        except FileNotFoundError:
            unusable.append(Unusable(unit.key, unit.name, "its embedding is not in the store any more"))
        except (CorruptArtefact, EmbeddingError) as error:
            unusable.append(Unusable(unit.key, unit.name, str(error)))
    return made


@dataclass(frozen=True)
class PairsWanted:
    """What the files of all pairs are made of.

    Attributes:
        encoders: one row an encoder, as of the map.
        folder: of the feature shards of the first map.
    """

    encoders: list[dict]
    folder: str
    works: tuple[TileWork, ...]
    settings: AtlasSettings


@ray.remote(max_retries=0)
def pair_map(location: str, wanted: PairsWanted, threads: int) -> Iterator[object]:
    """make_files as a Ray task that yields signs of life."""
    yield from beating(lambda tell: make_files(Store(location), wanted, threads), threads)


def make_files(store: Store, wanted: PairsWanted, threads: int = 1) -> PairFiles | None:
    """Put the tiles together; None where one turned out absent or corrupt, so that it is made again.

    Raises:
        KeyError: the features of an encoder are absent; CorruptArtefact: they are now, and the next sweep makes them.
    """
    size = len(wanted.encoders)
    measures = {name: np.zeros((size, size)) for name in ("qre", "overlap", "cka")}
    for work in wanted.works:
        try:
            found = store.pairs.read(work.key, work.shape)
        except (FileNotFoundError, CorruptArtefact):
            return None
        rows, columns = (slice(start, start + many) for start, many in zip(work.starts, work.shape, strict=True))
        measures["qre"][rows, columns], measures["qre"][columns, rows] = found["qre_ab"], found["qre_ba"].T
        for name in ("overlap", "cka"):
            measures[name][rows, columns], measures[name][columns, rows] = found[name], found[name].T
    features = store.features.read(wanted.folder, [row["key"] for row in wanted.encoders])
    return pair_files(wanted.encoders, features, measures, wanted.settings, threads)

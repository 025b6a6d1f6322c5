"""Sentences, embeddings, chunks and feature shards: how each stands in the store."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa

from qre.errors import PlaceError
from qre.schemas import NewerSchema
from qre.store.files import UNREADABLE, CorruptArtefact, Files, UnreadableArtefact
from qre.store.seals import check_no_newer, key_column, keys_of_newer, sealed, sealed_table, unsealed, unsealed_table
from qre.store.shelves import stating

BLOCK_BYTES = 2**24  # of ready vectors in one file


class Sentences:
    """sentences/<fingerprint>.parquet: the column text, and the labels."""

    def __init__(self, folder: Files):
        self._folder = folder

    def write(self, fingerprint: str, table: pa.Table) -> None:
        """Write a set, unless it is there and whole; NewerSchema where one of a newer version is there."""
        try:
            self.read(fingerprint)
        except (FileNotFoundError, CorruptArtefact):
            self._folder.write(f"sentences/{fingerprint}.parquet", sealed_table(table, "sentences"))

    def read(self, fingerprint: str) -> pa.Table:
        """The table of the set with this fingerprint.

        Raises:
            FileNotFoundError: it is not in the store.
            CorruptArtefact: its content has changed.
            NewerSchema: it is of a newer version.
        """
        return unsealed_table(self._folder, f"sentences/{fingerprint}.parquet")


class Embeddings:
    """embeddings/<key[:2]>/<key>.safetensors: one float32 matrix E (n, d), and a record of how it was made."""

    def __init__(self, folder: Files):
        self._folder = folder

    @staticmethod
    def name(key: str) -> str:
        return f"embeddings/{key[:2]}/{key}.safetensors"

    def keys(self) -> set[str]:
        """Keys of all units whose embedding is present."""
        return {name.rsplit("/", 1)[1].removesuffix(".safetensors") for name in self._folder.names("embeddings")}

    def write(self, key: str, embedding: np.ndarray, record: Mapping) -> None:
        """Write E (n, d) float32 and its record (JSON-able); NewerSchema where one of a newer version is there."""
        check_no_newer(self._folder, self.name(key))
        self._folder.write(
            self.name(key), sealed({"embedding": embedding}, stating("embeddings", {**record, "key": key}))
        )

    def read(self, key: str) -> tuple[np.ndarray, dict]:
        """E (n, d) float32 and its record.

        Raises:
            FileNotFoundError: it is not in the store.
            CorruptArtefact: truncated, changed, or of another key.
            NewerSchema: it is of a newer version: its rows may mean something else.
        """
        tensors, record = unsealed(self._folder, self.name(key))
        if record.get("key") != key or "embedding" not in tensors:
            raise self._folder.quarantine(self.name(key), "holds another unit")
        return tensors["embedding"], record

    def kept(self, key: str) -> np.ndarray | None:
        """E, or None where it is absent, corrupt or unreadable, and is made again."""
        try:
            return self.read(key)[0]
        except (FileNotFoundError, CorruptArtefact, *UNREADABLE):
            return None


class Chunks:
    """chunks/<pass key>/<index>.safetensors: the part of a pass that is done, kept until the pass is whole."""

    def __init__(self, folder: Files):
        self._folder = folder

    @staticmethod
    def name(pass_key: str, index: int) -> str:
        return f"chunks/{pass_key}/{index:05d}.safetensors"

    def counts(self) -> Counter[str]:
        """How many chunks of each pass are kept, by its key: one listing for all."""
        return Counter(name.split("/")[1] for name in self._folder.names("chunks"))

    def write(self, pass_key: str, index: int, rows: np.ndarray, readouts: Mapping[str, np.ndarray]) -> None:
        """Write the rows (b,) int64 and, for each readout, its embedding of them (b, d) float32."""
        self._folder.write(self.name(pass_key, index), sealed({"rows": rows, **readouts}, stating("chunks", {})))

    def read(self, pass_key: str, index: int, rows: np.ndarray) -> dict[str, np.ndarray] | None:
        """The readouts of a chunk, or None where it is absent, corrupt, unreadable, or of other rows (the chunk size
        was changed).

        Raises:
            NewerSchema: a newer version is at work on this pass, or was.
        """
        try:
            tensors, _ = unsealed(self._folder, self.name(pass_key, index))
        except (FileNotFoundError, CorruptArtefact, *UNREADABLE):
            return None
        kept = tensors.pop("rows", None)
        return tensors if kept is not None and np.array_equal(kept, rows) else None

    def kept(self, pass_key: str) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
        """Rows (b,) and readouts of every chunk of a pass that can be read, however it was cut; NewerSchema as of
        read."""
        for name in sorted(self._folder.names(f"chunks/{pass_key}")):
            try:
                tensors, _ = unsealed(self._folder, name)
            except (FileNotFoundError, CorruptArtefact, *UNREADABLE):
                continue
            if (rows := tensors.pop("rows", None)) is not None:
                yield rows, tensors

    def remove_some(self, pass_key: str, indices: Iterable[int]) -> None:
        """Some of a pass."""
        for index in indices:
            self._folder.remove(self.name(pass_key, index))

    def remove(self, pass_key: str) -> None:
        """Those of a pass that this process has read or written."""
        self._folder.remove_folder(f"chunks/{pass_key}")

    def remove_left(self, pass_key: str) -> None:
        """Those that others have left; none where one is of a newer version."""
        try:
            for name in self._folder.names(f"chunks/{pass_key}"):
                check_no_newer(self._folder, name)
        except NewerSchema:
            self._folder.seen.newer[f"chunks/{pass_key}"] = None
            return
        self.remove(pass_key)


class Vectors:
    """vectors/<key>/<index>.safetensors: ready vectors that somebody gave, in blocks, kept for the nodes."""

    def __init__(self, folder: Files):
        self._folder = folder

    @staticmethod
    def name(key: str, index: int) -> str:
        return f"vectors/{key}/{index:05d}.safetensors"

    def write(self, key: str, m: int, d: int, parts: Iterable[tuple[np.ndarray, np.ndarray]]) -> None:
        """Write (m, d) float32 in blocks, unless all are there. One block is in memory at a time.

        Args:
            parts: where some rows stand, (b,) int64, and the rows (b, d); together each of the m rows once. They are
                not asked for where nothing is to be written.
        """
        rows = max(1, BLOCK_BYTES // (4 * d))
        there = set(self._folder.names(f"vectors/{key}"))
        if all(self.name(key, index) in there for index in range(-(-m // rows))):
            return
        at, block, index = np.empty(min(rows, m), np.int64), np.empty((min(rows, m), d), np.float32), 0
        filled = written = 0
        for places, vectors in parts:
            while len(places):
                take = min(len(at) - filled, len(places))
                at[filled : filled + take], block[filled : filled + take] = places[:take], vectors[:take]
                filled, places, vectors = filled + take, places[take:], vectors[take:]
                if filled == len(at) or written + filled == m:
                    tensors: dict[str, np.ndarray] = {"rows": at[:filled], "vectors": block[:filled]}
                    self._folder.write(
                        self.name(key, index), sealed(tensors, stating("vectors", {"key": key, "of": m}))
                    )
                    index, written, filled = index + 1, written + filled, 0

    def read(self, key: str) -> np.ndarray:
        """All of them, (m, d) float32.

        Raises:
            FileNotFoundError: they are not all in the store.
            CorruptArtefact: a block is truncated, changed, or of another key; it is in quarantine now.
            NewerSchema: one is of a newer version.
        """
        matrix, index, seen, of = np.empty((0, 0), np.float32), 0, 0, 1
        while seen < of:
            tensors, record = unsealed(self._folder, self.name(key, index))
            if record.get("key") != key or not {"rows", "vectors"} <= tensors.keys():
                raise self._folder.quarantine(self.name(key, index), "holds other vectors")
            of, vectors = record["of"], tensors["vectors"]
            matrix = np.empty((of, vectors.shape[1]), np.float32) if index == 0 else matrix
            matrix[tensors["rows"]] = vectors
            seen, index = seen + len(vectors), index + 1
        return matrix


class Features:
    """features/<method>/<shard>.parquet: one row an encoder; the shard is named by the keys in it."""

    def __init__(self, folder: Files):
        self._folder = folder
        # of each method: shards of a newer version, and the keys in them if known
        self._newer: dict[str, list[tuple[NewerSchema, list[str] | None]]] = {}

    def write(self, method: str, rows: pa.Table) -> str:
        """Write a shard with a column key (string), a column feature (list of n float64), and any others; returns its
        name. One that stands is left alone: it holds the same (a corrupt one would be in quarantine), and was made by a
        task that failed at another folder. Beside one that cannot be read another is made.

        Raises:
            NewerSchema: there is one of a newer version.
        """
        keys = "".join(rows["key"].to_pylist())
        for beside in ("", "beside one that cannot be read"):
            name = f"features/{method}/{hashlib.sha256((keys + beside).encode()).hexdigest()[:32]}.parquet"
            if not self._folder.exists(name):
                self._folder.write(name, sealed_table(rows, "features"))
                return name
            try:
                key_column(self._folder, name)
                return name
            except (CorruptArtefact, FileNotFoundError):  # it was bad, and is in quarantine
                self._folder.write(name, sealed_table(rows, "features"))
                return name
            except UNREADABLE:
                continue
        raise PlaceError(f"{name} is there and cannot be read; move it away")

    def keys(self, method: str, wanted: Collection[str] = ()) -> set[str]:
        """Keys of the units whose features are present; reads the key column only.

        Raises:
            NewerSchema: one of `wanted` is in no shard but one of a newer version, or may be in such a one.
        """
        held = set().union(*self._keys_by_shard(method).values())
        for error, keys in self._newer.get(method, ()):
            if any(key not in held and (keys is None or key in keys) for key in wanted):
                raise error
        return held

    def read(self, method: str, keys: Iterable[str]) -> pa.Table:
        """The rows of these units, in their order; only shards that hold one of them are read, and of these only the
        rows are kept.

        Raises:
            CorruptArtefact: a shard failed its checksum; it is in quarantine, and its units are absent from now on.
            KeyError: units that are absent.
            UnreadableArtefact: a shard cannot be read now; `unread` tells whose rows are in it.
        """
        keys = list(keys)
        shard_of = {key: shard for shard, held in self._keys_by_shard(method).items() for key in held}
        missing = [key for key in keys if key not in shard_of]
        if missing:
            raise KeyError(*missing)
        wanted: dict[str, set[str]] = {}
        for key in keys:
            wanted.setdefault(shard_of[key], set()).add(key)
        # so many whole shards are in memory
        tables = self._folder.map(lambda shard: self._rows(shard, wanted[shard]), wanted, width=4)
        place = {key: (table, row) for table in tables for row, key in enumerate(table["key"].to_pylist())}
        rows = [place[key] for key in keys]
        return pa.concat_tables([table.slice(row, 1) for table, row in rows]).combine_chunks()

    def _keys_by_shard(self, method: str) -> dict[str, list[str]]:
        """Keys in each shard, in order; corrupt shards are put in quarantine and left out, unreadable ones and those of
        a newer version left alone and out."""
        shards = list(self._folder.names(f"features/{method}"))
        self._newer[method] = []
        return dict(
            zip(shards, self._folder.map(lambda shard: self._keys_in(method, shard), shards, width=16), strict=True)
        )

    def _keys_in(self, method: str, shard: str) -> list[str]:
        try:
            return key_column(self._folder, shard)
        except (CorruptArtefact, FileNotFoundError):  # not found: another process put it in quarantine meanwhile
            return []
        except (
            UnreadableArtefact
        ) as error:  # what a bucket refuses are its credentials, more often than one shard: told at once
            self._folder.seen.unread[shard] = str(error)
            return []
        except NewerSchema as error:
            self._newer[method].append((error, keys_of_newer(self._folder, shard)))
            return []

    def unread(self, method: str) -> dict[str, str]:
        """Why the rows of some units could not be read, by key."""
        unread = self._folder.seen.unread
        return {
            key: unread[shard] for shard, keys in self._keys_by_shard(method).items() if shard in unread for key in keys
        }

    def _rows(self, shard: str, keys: set[str]) -> pa.Table:
        try:
            table = unsealed_table(self._folder, shard)
        except UNREADABLE as error:
            self._folder.seen.unread[shard] = str(error)
            raise
        kept = [key in keys for key in table["key"].to_pylist()]
        return table if all(kept) else table.filter(pa.array(kept))

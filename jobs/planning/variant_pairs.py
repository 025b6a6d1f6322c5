"""The pairs of texts from files that sparsified encoders are computed over: read while planning, kept in the store for
the nodes."""

from __future__ import annotations

from typing import TypeVar

from jobs.config import FolderEntry, HubEntry
from qre.errors import UserError
from qre.paths import below
from qre.sparsify.corpus import Pairs, read_pairs
from qre.store import Store

Found = TypeVar("Found")


def with_pairs(place: str, entry: Found, folder: str) -> tuple[Found, Pairs | None]:
    """An entry that knows its pairs by their content, and these; as it is, and None, where it names no file of pairs.

    Args:
        folder: where a relative path begins.

    Raises:
        UserError: the file is missing or not in order.
    """
    if not isinstance(entry, FolderEntry | HubEntry) or entry.pairs_file is None:
        return entry, None
    try:
        pairs = read_pairs(below(folder, entry.pairs_file))
    except UserError as error:
        raise UserError(f"{place}.variant.sparsify.pairs: {error}") from None
    return entry.with_pairs(pairs.fingerprint), pairs  # type: ignore[return-value]  # of the same class


def keep_pairs(store: Store, pairs: Pairs) -> None:
    """Write pairs where nodes read them."""
    store.sentences.write(pairs.fingerprint, pairs.to_table())

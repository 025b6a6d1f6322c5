"""Sparsified encoders on a node: a mask is computed once, where its pass is first loaded, and kept in the store.

Gradients may differ in the last bits from one machine to the next, so it is the mask in the store that counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qre.encoders.variants import Sparsify
from qre.errors import PlaceError
from qre.sparsify.corpus import Pairs, builtin_pairs
from qre.sparsify.masks import Mask
from qre.sparsify.prepared import Prepared
from qre.store import CorruptArtefact, Store
from qre.store.folder import content_key

if TYPE_CHECKING:
    from qre.encoders.readouts import Reader
    from qre.encoders.spec import ModelSpec


class KeptMasks(Prepared):
    """As Prepared, with the masks and the pairs of a store.

    Args:
        pass_key: of the pass that is loaded. Where its mask has to be made, what is kept of it is of a mask that is
            gone, and goes too.
    """

    def __init__(self, store: Store, pass_key: str):
        super().__init__()
        self._store, self._pass = store, pass_key

    def mask(self, spec: ModelSpec, asked: Sparsify, model, reader: Reader) -> Mask:
        key = mask_key(spec)
        if (kept := self._kept(key, model)) is not None:
            return kept
        made = super().mask(spec, asked, model, reader)
        if (kept := self._kept(key, model)) is not None:  # another node was first
            return kept
        self._store.chunks.remove_left(self._pass)
        self._store.masks.write(key, made.bits, made.shapes)
        return made

    def pairs(self, fingerprint: str) -> Pairs:
        if fingerprint == builtin_pairs().fingerprint:
            return builtin_pairs()
        try:
            return Pairs.from_table(self._store.sentences.read(fingerprint))
        except (FileNotFoundError, CorruptArtefact, KeyError):
            raise PlaceError(
                "the pairs of a sparsified encoder are not in the store; run the same command again, which writes them "
                "there anew"
            ) from None

    def _kept(self, key: str, model) -> Mask | None:
        """The mask of this key; None where there is none of this model's weights."""
        try:
            mask = Mask(*self._store.masks.read(key))
        except (FileNotFoundError, CorruptArtefact):
            return None
        if mask.fits(model):
            return mask
        self._store.masks.refuse(key, "is of other weights than this encoder has by this version of its library")
        return None


def mask_key(spec: ModelSpec) -> str:
    """The key of the mask of a variant: sha256 (hex) of the pass without the sentences."""
    return content_key({"mask": spec.pass_identity()})

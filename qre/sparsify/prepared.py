"""A loaded encoder becomes the variant that its spec asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from qre.encoders.variants import WITHOUT_PAIRS, Sparsify
from qre.errors import EncoderError, PlaceError
from qre.sparsify.contributions import Embed, contributions, has_dropout
from qre.sparsify.corpus import Pairs, builtin_pairs
from qre.sparsify.masks import Mask, least

if TYPE_CHECKING:
    import torch

    from qre.encoders.readouts import Reader
    from qre.encoders.spec import ModelSpec


class Prepared:
    """Sets weights to zero where a spec asks for it; the mask is computed each time. See qre.encoders.variants.Prepare.

    Args:
        pairs: those from files that specs ask for, by their fingerprint.
        told: told the share of the contributions that is computed.
    """

    def __init__(
        self, pairs: Mapping[str, Pairs] = MappingProxyType({}), told: Callable[[float], None] = lambda share: None
    ):
        self._pairs, self._told = pairs, told

    def __call__(self, spec: ModelSpec, model, reader: Reader) -> dict:
        if spec.variant is None:
            return {}
        asked = spec.variant.sparsify
        mask = self.mask(spec, asked, model, reader)
        told: dict[str, object] = {"zeros": mask.zeros, "of": mask.of}
        if asked.score not in WITHOUT_PAIRS:
            told["pairs"] = self._kind(asked, model, embedding(spec, model, reader))
        mask.apply(model)
        return {"sparsified": told}

    def mask(self, spec: ModelSpec, asked: Sparsify, model, reader: Reader) -> Mask:
        """The mask that is asked for.

        Raises:
            EncoderError: the encoder has nothing to set to zero.
        """
        pairs = builtin_pairs() if asked.score in WITHOUT_PAIRS else self.pairs(asked.pairs)
        embed = embedding(spec, model, reader)
        found = contributions(model, embed, asked.score, pairs, asked.batches, asked.seed, self._told)
        return least(found, asked.share, asked.scope)

    def pairs(self, fingerprint: str) -> Pairs:
        """The pairs of a spec.

        Raises:
            PlaceError: they are not here.
        """
        if fingerprint in self._pairs:
            return self._pairs[fingerprint]
        if fingerprint == builtin_pairs().fingerprint:
            return builtin_pairs()
        raise PlaceError("the pairs of a sparsified encoder are not here; run the same command again")

    def _kind(self, asked: Sparsify, model, embed: Embed) -> str:
        if self.pairs(asked.pairs).from_file:
            return "file"
        return "dropout" if has_dropout(model, embed) else "paraphrases"


def embedding(spec: ModelSpec, model, reader: Reader) -> Embed:
    """The vectors of texts by the readout of a spec, with its prompt, on the model's device and with gradients."""
    from sentence_transformers.util import batch_to_device

    if spec.readout not in reader.readouts:
        raise EncoderError(reader.refused.get(spec.readout, f"it has no readout {spec.readout}"))

    def embed(texts: Sequence[str]) -> torch.Tensor:
        features = model.preprocess(list(texts), prompt=spec.prompt or None)
        return reader.read(batch_to_device(features, model.device))[spec.readout]

    return embed

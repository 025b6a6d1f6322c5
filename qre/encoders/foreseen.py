"""What is known to fail before anything is loaded: layers and dimensions that an encoder does not have, and what a
sentence set is too small for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Sized
from types import MappingProxyType

from qre.encoders.classical import CorpusRanks, dimensions_taken, too_few
from qre.encoders.readouts import no_such_layer
from qre.encoders.shape import is_static
from qre.encoders.spec import ClassicalSpec, EncoderSpec, EndpointSpec, MatrixSpec, ModelSpec, WordsSpec
from qre.errors import EncoderError

FEWEST_DIRECTIONS = 2  # of all sentences together: with one, they are all the same


class Foreseen(EncoderError):
    """Why an encoder cannot be made.

    Attributes:
        remedy: what a person can do.
    """

    def __init__(self, what: str, remedy: str):
        self.what, self.remedy = what, remedy
        super().__init__(f"{what}; {remedy}")

    def __reduce__(self):
        return type(self), (self.what, self.remedy)


class TooFewSentences(Foreseen):
    """With more sentences it could be made.

    Attributes:
        least: so many at least.
    """

    def __init__(self, what: str, remedy: str, least: int):
        super().__init__(what, remedy)
        self.least = least

    def __reduce__(self):
        return type(self), (self.what, self.remedy, self.least)


class Foresight:
    """What can be told of encoders on a sentence set.

    Args:
        sentences: n distinct sentences.
        corpora: what transforms are fitted on beside them, by fingerprint.
    """

    def __init__(self, sentences: Sequence[str], corpora: Mapping[str, Sized] = MappingProxyType({})):
        self._n, self._ranks, self._corpora = len(sentences), CorpusRanks(sentences), corpora

    def check(self, spec: EncoderSpec, attributes: Mapping[str, object]) -> int | None:
        """Look whether an encoder is known to fail.

        Args:
            attributes: what is known of it: layers, hidden_size, embedding_dimension.

        Returns:
            the dimension of its vectors, at most; None where it is not known.

        Raises:
            TooFewSentences: for want of sentences.
            Foreseen: it has no such layer, or not so many dimensions, or nothing that a variant could be made of.
        """
        layers = _count(attributes, "layers")
        if isinstance(spec, ModelSpec) and spec.layer is not None and layers is not None and spec.layer > layers:
            raise Foreseen(no_such_layer(spec.layer, layers), f"give a layer from 0 to {layers}")
        if isinstance(spec, ModelSpec) and spec.variant is not None and (spec.layer == 0 or is_static(attributes)):
            what = "layer 0 is the embedding of the tokens" if spec.layer == 0 else "it runs no transformer"
            raise Foreseen(
                f"sparsify sets weights of layers to zero, and there are none: {what}",
                "leave variant out, or name another encoder" if spec.layer is None else "give a layer from 1 on",
            )
        if (
            isinstance(spec, ClassicalSpec)
            and (largest := self._ranks.largest(spec)) is not None
            and largest < dimensions_taken(spec)
        ):
            raise TooFewSentences(*too_few(spec, largest), dimensions_taken(spec) + 1)
        corpus = self._corpora.get(spec.corpus_of_fit or "")
        n, texts = (self._n, "sentences") if corpus is None else (len(corpus), "texts of the corpus")
        return _check_transforms(spec.transforms, dimension_of(spec, attributes), n, texts)


def _check_transforms(transforms: Sequence[str], dimension: int | None, n: int, texts: str) -> int | None:
    """Follow the most dimensions that there can be, and in how many directions the n sentences, or texts that the
    transforms are fitted on, can lie by their number and by the dimensions."""
    known, limited = dimension or math.inf, False
    by_number, by_dimension = n, known
    for transform in transforms:
        name, _, number = transform.partition(":")
        k = int(number or 0)
        if (name in ("truncate", "whiten") and k > known) or (name == "all_but_the_top" and k >= known):
            most = known - (name == "all_but_the_top")
            if limited:
                assert isinstance(most, int)  # whitening left as many
                what = f"{transform} after whitening: {n} {texts} leave {known} dimensions"
                raise TooFewSentences(what, f"take more {texts}, or at most {most}", n + k - most)
            raise Foreseen(f"{transform} is asked for, and its vectors have {known} dimensions", f"give at most {most}")
        if name == "truncate":
            known, by_dimension, limited = k, min(by_dimension, k), False
        elif name in ("int8", "binary"):  # no linear map: what lay in few directions may lie in many
            # but for the signs of what lay in one
            by_number = n if name == "int8" or by_number > 1 else by_number
            by_dimension = known
        elif name == "all_but_the_top":
            by_number, by_dimension = min(by_number, n - 1) - k, by_dimension - k
        elif name != "normalize":
            by_number = min(by_number, n - 1)
        if name == "whiten" and k:
            if k > by_number:
                what = f"{transform}: {n} {texts} vary in at most {by_number} directions"
                raise TooFewSentences(what, f"take more {texts}, or at most {by_number}", k + 1)
            known, by_dimension, limited = k, min(by_dimension, k), False
        elif name == "whiten" and by_number < known:
            known, limited = max(by_number, 0), True
    asked = ", ".join(transforms) or "its own pipeline"
    if by_dimension < FEWEST_DIRECTIONS:
        raise Foreseen(
            f"{asked} leaves vectors without two directions, which are the same for all sentences",
            "keep at least 2 dimensions",
        )
    if by_number < FEWEST_DIRECTIONS:
        needed = n + FEWEST_DIRECTIONS - by_number
        raise TooFewSentences(
            f"{asked} leaves {n} {texts} without two directions", f"take at least {needed} {texts}", needed
        )
    return known if isinstance(known, int) else None


def dimension_of(spec: EncoderSpec, attributes: Mapping[str, object]) -> int | None:
    """Of the vectors of an encoder before its transforms; None where it is not known."""
    if isinstance(spec, ClassicalSpec):
        return spec.rank
    if isinstance(spec, MatrixSpec | WordsSpec):
        return spec.dimension
    if isinstance(spec, EndpointSpec):
        return spec.dimensions
    if isinstance(spec, ModelSpec) and (spec.layer is not None or spec.plain):
        return _count(attributes, "hidden_size")
    if isinstance(spec, ModelSpec) and spec.pooling is not None:
        return None  # the modules after it say, and its own poolings may stand side by side
    return _count(attributes, "embedding_dimension")


def _count(attributes: Mapping[str, object], name: str) -> int | None:
    """A count that somebody's config states, where it is one."""
    value = attributes.get(name)
    return value if type(value) is int and value > 0 else None

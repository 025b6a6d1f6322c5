"""Which encoder is made of which other: by transforms that follow, by weights set to zero."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from qre.encoders.passes import EncodeSettings, unit_key
from qre.encoders.spec import EncoderSpec, ModelSpec
from qre.encoders.transforms import needs_fit


@dataclass(frozen=True)
class Descent:
    """One encoder that is made of another.

    Attributes:
        variant, parent: keys of their units.
        done: the steps that lead from the parent to the variant, as in names: "whiten", "sparse:0.2, int8".
    """

    variant: str
    parent: str
    done: str


def plainer(spec: EncoderSpec) -> Iterator[tuple[EncoderSpec, str]]:
    """The encoders that it may be made of, and what is done to them, the nearest first: those that lack its last
    transforms, one more each time; then, of a sparsified one, the whole one with its transforms, or fewer."""
    steps = spec.transforms
    for kept in range(len(steps) - 1, -1, -1):
        yield spec.model_copy(update={"transforms": steps[:kept]}), ", ".join(_done(spec, kept))
    if isinstance(spec, ModelSpec) and spec.variant is not None:
        label = spec.variant.sparsify.label
        for kept in range(len(steps), -1, -1):
            whole = spec.model_copy(update={"variant": None, "transforms": steps[:kept]})
            yield whole, ", ".join([label, *_done(spec, kept)])


def _done(spec: EncoderSpec, kept: int) -> list[str]:
    """The transforms after the first `kept`; of those that are fitted on a corpus this too."""
    of_corpus = spec.corpus_of_fit is not None
    return [f"{step} on a corpus" if of_corpus and needs_fit((step,)) else step for step in spec.transforms[kept:]]


def descents(
    encoders: Iterable[tuple[str, EncoderSpec]], fingerprint: str, settings: EncodeSettings
) -> Sequence[Descent]:
    """Of every encoder the nearest among the others that it is made of, if there is one.

    Args:
        encoders: (key of the unit, spec).
        fingerprint, settings: of the sentence set, and of the encoding, that the keys are of.
    """
    specs = dict(encoders)
    found = []
    for key, spec in specs.items():
        for other, done in plainer(spec):
            if (parent := unit_key(other, fingerprint, settings)) in specs:
                found.append(Descent(key, parent, done))
                break
    return found

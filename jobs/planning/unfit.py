"""Which encoders of a config are known to fail on its sentences, before anything is loaded."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.config import SweepConfig
from qre.encoders.catalogue import shapes
from qre.encoders.foreseen import Foreseen, Foresight, TooFewSentences
from qre.encoders.spec import EncoderSpec

SHOWN = 3
FEWEST_CENTRED = 3  # two vectors minus their mean lie in one direction


def too_few_to_centre(config: SweepConfig, n: int) -> list[str]:
    """A note where features of centred embeddings cannot be made of n sentences."""
    methods = (config.features, *((*config.prediction.also, *config.prediction.sensitivity) if config.tasks else ()))
    if n >= FEWEST_CENTRED or not any(method.center for method in methods):
        return []
    return [
        f"every encoder will fail: of {n} sentences centred features cannot be made (features, prediction.also); take "
        f"at least {FEWEST_CENTRED}"
    ]


def of_catalogue(
    name: str, specs: Sequence[EncoderSpec], foreseen: Foresight, n: int
) -> tuple[dict[EncoderSpec, int | None], list[str]]:
    """The encoders of a catalogue that n sentences are enough for, each with the dimension of its vectors; and a note
    where others are left out."""
    made: dict[EncoderSpec, int | None] = {}
    left_out: dict[str, int] = {}
    notes = []
    for spec, known in zip(specs, shapes(specs), strict=True):
        try:
            made[spec] = foreseen.check(spec, known)
        except TooFewSentences as problem:
            left_out[spec.name] = problem.least
        except Foreseen as problem:  # of another version of the package that carries it
            notes.append(f"{spec.name} is left out: {problem.what}")
    if not left_out:
        return made, notes
    names = ", ".join(list(left_out)[:SHOWN]) + (f" and {len(left_out) - SHOWN} more" if len(left_out) > SHOWN else "")
    return made, [
        *notes,
        f"{len(left_out)} of {len(specs)} encoders of catalogue {name} cannot be built from only {n} sentences, and "
        f"are left out: {names}; use at least {max(left_out.values()):,}",
    ]

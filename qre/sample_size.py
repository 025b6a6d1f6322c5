"""What a small number of sentences means for a map: told before it is made, and on it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

FEW = 100  # sentences: with fewer, another draw of them would give another map
ENOUGH = 500  # for a first map


def sample_notes(n: int, encoders: Iterable[tuple[int | None, Sequence[str]]]) -> list[str]:
    """A warning where n sentences are few, in one line with one number to take in their place.

    The rank of a density operator is at most n, so of an encoder with more dimensions a part is lost; and where
    whitening has a dimension for each sentence, all sentences come out equally far apart, whichever the encoder.

    Args:
        n: sentences.
        encoders: of each, the dimension of its vectors (None where it is not known) and its transforms.
    """
    encoders = list(encoders)
    known = [(dimension, "whiten" in transforms) for dimension, transforms in encoders if dimension is not None]
    needed = [dimension + 2 * whitened for dimension, whitened in known]
    lost = [count for count in needed if count > n]
    if not lost and n >= FEW:
        return []
    why = ["the map may look different with others"] if n < FEW else []
    if lost:
        why.append("the map cannot show all that tells encoders of more dimensions apart")
    least = -(-max([ENOUGH] * (n < FEW) + lost) // 100) * 100
    return [f"{n:,} sentence{'s are' if n > 1 else ' is'} few: {', and '.join(why)}; use at least {least:,}"]


def is_sample_note(note: str) -> bool:
    """Whether a note is one of `sample_notes`: a plan and its map tell it once."""
    return re.match(r"[\d,]+ sentences? (are|is) few: ", note) is not None

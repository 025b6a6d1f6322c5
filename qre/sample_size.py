"""What a small number of sentences means for a map: told before it is made, and on it."""

from __future__ import annotations

from collections.abc import Iterable

FEW = 100  # sentences: with fewer, another draw of them would give another map


def sample_notes(n: int, dimensions: Iterable[int | None]) -> list[str]:
    """Warnings that a reader must know of.

    Args:
        n: sentences.
        dimensions: of each encoder's vectors; None where it is not known.
    """
    notes = []
    if n < FEW:
        notes.append(f"{n} sentences are few: with others the map may look different; take several hundred, better 2,000")
    known = [dimension for dimension in dimensions if dimension is not None]
    above = sum(dimension > n for dimension in known)
    if above:
        are = "encoder has" if above == 1 else "encoders have"
        notes.append(
            f"{above} {are} more dimensions (up to {max(known):,}) than there are sentences ({n:,}): the rank of a density operator is at most the number "
            "of sentences, so what tells these encoders apart is partly lost; take more sentences than dimensions"
        )
    return notes

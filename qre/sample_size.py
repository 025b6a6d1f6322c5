"""What a small number of sentences means for a map: told before it is made, and on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

FEW = 100  # sentences: with fewer, another draw of them would give another map


def sample_notes(n: int, encoders: Iterable[tuple[int | None, Sequence[str]]]) -> list[str]:
    """Warnings that a reader must know of.

    Args:
        n: sentences.
        encoders: of each, the dimension of its vectors (None where it is not known) and its transforms.
    """
    notes = []
    if n < FEW:
        notes.append(
            f"{n} sentences are few: with others the map may look different; take several hundred, better 2,000"
        )
    known = [(dimension, transforms) for dimension, transforms in encoders if dimension is not None]
    above = [dimension for dimension, _ in known if dimension > n]
    if above:
        notes.append(
            f"{_counted(len(above), 'encoder has', 'encoders have')} more dimensions (up to {max(above):,}) than "
            f"there are sentences ({n:,}): the rank of a "
            "density operator is at most the number of sentences, so what tells these encoders apart is partly lost; "
            "take more sentences than dimensions"
        )
    alike = sum("whiten" in transforms and dimension >= n - 1 for dimension, transforms in known)
    if alike:
        notes.append(
            f"{_counted(alike, 'whitened encoder has', 'whitened encoders have')} a dimension for each of the {n:,} "
            f"sentences: whitening then makes all "
            "sentences equally far apart, whichever the encoder, so these encoders are all alike here; take more "
            "sentences than dimensions"
        )
    return notes


def _counted(count: int, one: str, more: str) -> str:
    return f"{count:,} {one if count == 1 else more}"

"""The errors that a person is meant to read: each names the place and the mend."""

from __future__ import annotations

from collections.abc import Sequence


class UserError(Exception):
    """The config, the input or the command is wrong: exit code 2, no traceback."""


class EncoderError(Exception):
    """An encoder's own fault (permanent): it is recorded for that encoder, and the sweep goes on."""


class EmbeddingError(EncoderError):
    """An embedding that cannot become a density operator.

    Attributes:
        encoder: name of the encoder, "" where none was given.
        rows: the offending row numbers (0-based, at most ten); empty where the whole matrix is at fault.
    """

    def __init__(self, problem: str, encoder: str = "", rows: tuple[int, ...] = ()):
        self.problem, self.encoder, self.rows = problem, encoder, rows
        place = f"encoder {encoder!r}: " if encoder else ""
        where = f" (row {', '.join(map(str, rows))})" if rows else ""
        super().__init__(f"{place}{problem}{where}")

    def naming(self, sentences: Sequence[str]) -> EmbeddingError:
        """The same error with the sentence of its first row named, and what can be done; as it is where it has no rows, or they are not these sentences'."""
        if not self.rows or self.rows[0] >= len(sentences):
            return self
        more = f" and {len(self.rows) - 1} more" if len(self.rows) > 1 else ""
        named = f"{self.problem}: sentence {self.rows[0]} ({sentences[self.rows[0]][:60]!r}){more}; leave it out, or this encoder"
        return type(self)(named, self.encoder)

    def __reduce__(self):  # Ray sends exceptions between processes; the default would lose the attributes
        return type(self), (self.problem, self.encoder, self.rows)


class ShapeError(EmbeddingError):
    """Not an (n, d) matrix of floats with n >= 2 and d >= 1."""


class NonFiniteError(EmbeddingError):
    """NaN or Inf in the embedding."""


class ZeroRowError(EmbeddingError):
    """A sentence whose vector is all zeros has no direction, so no quantum state."""


class ConstantEmbeddingError(EmbeddingError):
    """Every sentence has the same direction: the encoder tells no two sentences apart."""

"""Loading an encoder so that it is the one that its files hold, or saying why it is not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from qre.encoders.heard import listening
from qre.encoders.no_pickles import no_pickles
from qre.encoders.weight_files import check_weight_files
from qre.encoders.weights import lacking_message, poison, watched
from qre.errors import DoubtfulError, EncoderError, machine_error

# of torch and safetensors, where weights do not fit; of a tokenizer or a config that is not there
UNFIT = (
    "Error(s) in loading state_dict",
    "size mismatch",
    "ignore_mismatched_sizes",
    "automatic conversion of the weights",
)
# what libraries raise of a config that is none of theirs
OF_CONTENT = (TypeError, KeyError, AttributeError, ValueError, AssertionError, IndexError)


@dataclass
class Seen:
    """What loading showed, once it is over.

    Attributes:
        lacking: names of weights that the files do not hold; they are NaN, so that no vector can take part of one
            unseen.
        left_over: names in the files that found no place.
        warnings: what people should know; it changes no number, as far as is known.
    """

    lacking: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def why_lacking(self) -> str:
        """That weights are not in the file; "" where all are."""
        return lacking_message(self.lacking, self.left_over) if self.lacking else ""


@contextmanager
def checked(folder: Path, own_code: bool = False) -> Iterator[Seen]:
    """A model is loaded from this folder meanwhile: by any library, in any number of parts.

    Args:
        own_code: code of its own may run, and read what it likes.

    Raises:
        EncoderError: a file of weights is missing or quantised; a library began to load a pickle; weights are of
            another shape, or have no place in the model; a warning says that something else was taken than what the
            files say. Weights that are not in the files do not fail here: see Seen.lacking.
    """
    check_weight_files(folder)
    seen = Seen()
    with watched() as watch:
        try:
            with listening(str(folder), str(folder.resolve())) as heard:
                with nullcontext() if own_code else no_pickles(folder):
                    yield seen
        except Exception as error:
            explained = _explained(error, watch, folder)
            if explained is error:
                raise
            raise explained from error
    if problem := watch.problem():
        raise EncoderError(problem)
    lacking = watch.lacking()
    if heard.harmful:
        also = f"{lacking_message(lacking, watch.left_over())}; " if lacking else ""
        raise EncoderError(
            f"{also}a library warned while loading of what may change its numbers: {' | '.join(heard.harmful[:3])}"
        )
    poison(lacking)
    seen.lacking, seen.left_over, seen.warnings = list(lacking), watch.left_over(), [*watch.notes(), *heard.shown]


def _explained(error: Exception, watch, folder: Path) -> Exception:
    """An error of loading weights as one that names them; one that a config's content has made in one line; any other,
    and the machine's, as it is."""
    lost = (
        isinstance(error, FileNotFoundError)
        and error.filename
        and Path(os.fsdecode(error.filename)).is_relative_to(folder)
    )
    if isinstance(error, EncoderError) or (machine_error(error) and not lost):
        return error
    if isinstance(error, OF_CONTENT) or lost:
        said = " ".join(str(error).replace(str(folder), "its folder").split())[:300]
        return DoubtfulError(
            f"its files cannot be loaded: {type(error).__name__}: {said}; fix the file, or save the encoder again "
            f"with SentenceTransformer.save()"
        )
    if not (isinstance(error, RuntimeError) and any(sign in str(error) for sign in UNFIT)):
        return error
    told = watch.problem() or (lacking_message(watch.lacking(), watch.left_over()) if watch.lacking() else "")
    return EncoderError(told or str(error))

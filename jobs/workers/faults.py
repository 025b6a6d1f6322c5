"""Whose fault an exception is: the encoder's, the machine's, or the place's; or in doubt."""

from __future__ import annotations

from qre.encoders.hub_problems import WITHHELD, HubProblem
from qre.encoders.intact import check_intact
from qre.encoders.spec import EncoderSpec
from qre.errors import DoubtfulError, EncoderError, PlaceError, machine_error


def machines_fault(error: Exception) -> bool:
    """Whether an exception while an encoder loads, encodes or is scored is the machine's fault, and worth another try
    elsewhere."""
    if isinstance(error, HubProblem):  # planning was given it: a node that is refused lacks the token, say
        return error.reason in WITHHELD
    return machine_error(error)


def check_own(error: Exception, spec: EncoderSpec) -> None:
    """Return where an exception is the encoder's own, or in doubt.

    Raises:
        the exception itself: it is the machine's.
        PlaceError: the encoder's files on this node are not those that were planned.
    """
    if machines_fault(error):
        raise error
    check_intact(spec)


def doubtful(error: BaseException) -> bool:
    """Whether an exception that is not the machine's by its looks is believed to be the encoder's only when it has come
    twice, on two nodes where there are two.

    What we have read in its files, its config or its numbers is its own at once; what a library has raised may be of
    the installation.
    """
    return isinstance(error, DoubtfulError) or not isinstance(error, EncoderError)


def places_fault(error: BaseException) -> bool:
    """Whether a fault of the machine is one of the place (disk, rights, token, network), which says nothing of the
    encoder that met it."""
    return error.reason in WITHHELD if isinstance(error, HubProblem) else isinstance(error, PlaceError)


def place_in_words(error: BaseException) -> str:
    """A fault of the place as it is told, whichever encoder met it."""
    return f"hub: {error.reason}; {error.remedy}" if isinstance(error, HubProblem) else str(error)

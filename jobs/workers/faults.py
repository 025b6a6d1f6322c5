"""Whose fault an exception is: the encoder's, the machine's, or the place's."""

from __future__ import annotations

from qre.encoders.hub import WITHHELD, HubProblem
from qre.errors import EncoderError, PlaceError, place_error

BROKEN_DEVICE = ("CUDA error", "CUDA driver", "No CUDA GPUs are available", "NCCL error", "CUBLAS_STATUS_", "cuDNN error")
NO_MORE = ("can't start new thread", "can't allocate memory")  # Python's threads, torch's memory on a CPU: both are a RuntimeError


def machines_fault(error: Exception) -> bool:
    """Whether an exception while an encoder loads, encodes or is scored is the machine's fault, and worth another try elsewhere.

    A device-side assert is not: it is the GPU's way to say that an encoder indexes beyond its tables.
    """
    if isinstance(error, HubProblem):  # planning was given it: a node that is refused lacks the token, say
        return error.reason in WITHHELD
    if isinstance(error, EncoderError):
        return False
    if isinstance(error, (MemoryError, TimeoutError)) or place_error(error) is not None:
        return True
    text = str(error)
    return any(sign in text for sign in (*BROKEN_DEVICE, *NO_MORE)) and "device-side assert" not in text


def places_fault(error: BaseException) -> bool:
    """Whether a fault of the machine is one of the place (disk, rights, token, network), which says nothing of the encoder that met it."""
    return error.reason in WITHHELD if isinstance(error, HubProblem) else isinstance(error, PlaceError)


def place_in_words(error: BaseException) -> str:
    """A fault of the place as it is told, whichever encoder met it."""
    return f"hub: {error.reason}; {error.remedy}" if isinstance(error, HubProblem) else str(error)

"""Whose fault an exception is: the encoder's, or the machine's."""

from __future__ import annotations

import errno

from qre.encoders.hub import HubProblem

MACHINE_ERRNO = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
BROKEN_DEVICE = ("CUDA error", "CUDA driver", "No CUDA GPUs are available", "NCCL error", "CUBLAS_STATUS_", "cuDNN error")


def machines_fault(error: Exception) -> bool:
    """Whether an exception while an encoder loads, encodes or is scored is the machine's fault, and worth another try elsewhere.

    A device-side assert is not: it is the GPU's way to say that an encoder indexes beyond its tables.
    """
    if isinstance(error, HubProblem):
        return error.transient
    if isinstance(error, (MemoryError, TimeoutError)) or (isinstance(error, OSError) and error.errno in MACHINE_ERRNO):
        return True
    text = str(error)
    return any(sign in text for sign in BROKEN_DEVICE) and "device-side assert" not in text

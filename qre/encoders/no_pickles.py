"""No pickle is read in a process of ours, whatever lies in an encoder's folder: a library that begins to is stopped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qre.errors import EncoderError


@contextmanager
def no_pickles(folder: Path) -> Iterator[None]:
    """Nothing is unpickled by torch meanwhile, in any thread; one at a time, as torch's function is replaced.

    Args:
        folder: of the encoder that is loaded; its files are named from there.

    Raises:
        EncoderError: a library began to, whatever it made of being stopped.
    """
    import torch

    begun: list[str] = []

    def stopped(f, *args, **keywords):
        begun.append(_named(f, folder))
        raise EncoderError(_told(begun))

    load = torch.load
    try:
        torch.load = torch.serialization.load = stopped
        yield
    except Exception as error:
        if begun and not isinstance(error, EncoderError):
            raise EncoderError(_told(begun)) from error
        raise
    finally:
        torch.load = torch.serialization.load = load
    if begun:
        raise EncoderError(_told(begun))


def _told(begun: list[str]) -> str:
    return f"{begun[0]}: a pickle, which is never loaded as it is; save its weights as safetensors"


def _named(file: object, folder: Path) -> str:
    """A file by its name in the folder, or by its last name where it is of another; what has no name, by its type."""
    name = getattr(file, "name", file)
    if not isinstance(name, (str, os.PathLike)):
        return type(file).__name__
    path = Path(name)
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name

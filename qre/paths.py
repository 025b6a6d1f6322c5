"""Paths as people write them, in a config and on a command line: `~` is the home, and what only a shell would put in is
refused. The one place for both."""

from __future__ import annotations

import os
import re
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator

from qre.errors import UserError

VARIABLE = re.compile(r"\$(?:[A-Za-z_]\w*|\{[^}]*\}?|\()")
ADDRESS = re.compile(r"(?:s3|gs):/|[A-Za-z][A-Za-z0-9+.-]*://")
Given = TypeVar("Given")
LONGEST_NAME = 255  # bytes of a name in a folder, on all usual file systems


def expanded(path: str) -> str:
    """A path with the home in the place of a leading `~` or `~user`.

    Raises:
        ValueError: it has a variable of a shell in it, names a user that this machine does not know, or cannot be the
            name of a file.
    """
    if "\0" in path:
        raise ValueError(f"{path!r} has a NUL character in it, which no path can have")
    if longest := next((part for part in path.split("/") if len(os.fsencode(part)) > LONGEST_NAME), None):
        raise ValueError(
            f"{longest[:40]!r}... is a name of {len(longest)} characters, and at most {LONGEST_NAME} bytes are "
            f"possible: use a shorter one"
        )
    if found := VARIABLE.search(path):
        raise ValueError(f"{path!r} has {found[0]} in it, and variables are not expanded here: write the path out")
    if not path.startswith("~"):
        return path
    full = os.path.expanduser(path)
    if full.startswith("~"):
        raise ValueError(f"{path!r}: no home of {path.split('/')[0]!r} is known on this machine: write the path out")
    return full


def shortened(path: str) -> str:
    """A path for people: the home is `~`."""
    home = os.path.join(os.path.expanduser("~"), "")
    return f"~/{path.removeprefix(home)}" if path.startswith(home) else path


def below(folder: str, path: str) -> str:
    """A path that starts at a folder, in one spelling: absolute where the folder is. Addresses (s3://...) and absolute
    paths stay as they are."""
    return (
        path if os.path.isabs(path) or ADDRESS.match(path) or not path else os.path.normpath(os.path.join(folder, path))
    )


PathText = Annotated[str, AfterValidator(expanded)]


def given_path(value: Given) -> Given:
    """The callback of an argument or option of a command that is a path, or several, or None.

    Raises:
        UserError: as `expanded`.
    """
    given: Any = value
    try:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, (list, tuple)):
            return type(given)(given_path(one) for one in given)
        return type(given)(expanded(os.fspath(given)))
    except ValueError as error:
        raise UserError(str(error)) from None

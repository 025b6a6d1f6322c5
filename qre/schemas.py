"""What a file says of its own schema, and whether this version may read it: the one rule, for the store and for a
copied atlas."""

from __future__ import annotations

from qre.errors import UserError

UNSTATED = object()
ATLAS = 1  # of an atlas's manifest, in the store and where it is copied to


class NewerSchema(UserError):
    """A file of a newer version of this program: it is neither read nor touched."""


def check(name: str, stated: object, newest: int, oldest: int = 1, always: bool = False, place: str = "store") -> None:
    """Whether this version may read a file.

    Args:
        stated: the schema that it states; UNSTATED where it says nothing, which means 1, unless such files have
            `always` stated one.
        newest, oldest: that this version reads.

    Raises:
        NewerSchema: it is of a newer version.
        ValueError: no schema that any version writes, or one too old to be read: the file counts as damaged.
    """
    if stated is UNSTATED:
        if always:
            raise ValueError("it states no schema")
        stated = 1
    if type(stated) is not int or stated < 1:
        raise ValueError(f"it states the schema {stated!r}")
    if stated > newest:
        raise newer(name, stated, newest, place)
    if stated < oldest:
        raise ValueError(f"it is of an older version (schema {stated}, this one reads {oldest} to {newest})")


def newer(name: str, stated: int, known: int, place: str = "store") -> NewerSchema:
    return NewerSchema(
        f"{name} was written by a newer version of this program (schema {stated}, this one reads {known}): update, or "
        f"name another {place}"
    )

"""A place in a config: the keys and positions that lead to it as a person writes them, and what its records expect
there."""

from __future__ import annotations

from collections.abc import Sequence
from types import UnionType
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

SHOWN = 100  # characters of a key or a value


class Place:
    """Where a problem is: as a person writes it, and what the records expect there.

    Attributes:
        path: keys and positions from the top, as they stand in the file.
        model: the record whose key is the last of the path; None where it is no record's.
        annotation: the type that is expected.
        branch: the member of a plain union that this problem is of; "" where there is none.
    """

    def __init__(self, loc: Sequence[str | int], model: type[BaseModel]):
        self.path: list[str | int] = []
        self.model: type[BaseModel] | None = None
        self.branch = ""
        self.annotation: object = model
        rest = list(loc)
        discriminator = None
        while True:
            self.annotation, discriminator = plain_type(self.annotation, discriminator)
            if not rest:
                return
            options = members(self.annotation)
            if options and discriminator:
                self.annotation = next((one for one in options if str(rest[0]) in tags(one, discriminator)), None)
                discriminator = None
                rest.pop(0)
            elif options:
                self.branch, self.annotation = str(rest.pop(0)), None
            else:
                discriminator = self._enter(rest.pop(0))

    def _enter(self, part: str | int) -> str | None:
        """Go on into a key or a position; returns what tells the records of a union apart there."""
        field: FieldInfo | None = None
        origin, inner = get_origin(self.annotation), get_args(self.annotation)
        self.path.append(part if origin is tuple else str(part))
        if isinstance(self.annotation, type) and issubclass(self.annotation, BaseModel):
            self.model = self.annotation
            field = self.annotation.model_fields.get(str(part))
            self.annotation = field.annotation if field else None
        elif origin is tuple and isinstance(part, int):
            self.annotation = (
                inner[0] if len(inner) == 2 and inner[1] is Ellipsis else inner[part] if part < len(inner) else None
            )
        elif origin is dict:
            self.annotation = inner[1]
        else:
            self.annotation = None
        return field.discriminator if field is not None and isinstance(field.discriminator, str) else None

    def __str__(self) -> str:
        text = ""
        for part in self.path:
            text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{one_line(part)}"
        return text


def plain_type(annotation: object, discriminator: str | None) -> tuple[object, str | None]:
    """A type without Annotated and without None, and what tells its records apart."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *told = get_args(annotation)
            discriminator = next(
                (one.discriminator for one in told if isinstance(getattr(one, "discriminator", None), str)),
                discriminator,
            )
        elif get_origin(annotation) in (Union, UnionType):
            options = members(annotation)
            if len(options) > 1:
                return annotation, discriminator
            annotation = options[0]
        else:
            return annotation, discriminator


def members(annotation: object) -> list[object]:
    return (
        [one for one in get_args(annotation) if one is not type(None)]
        if get_origin(annotation) in (Union, UnionType)
        else []
    )


def tags(member: object, discriminator: str) -> list[str]:
    """The values of the key that tells records apart which mean this member of a union."""
    member, _ = plain_type(member, None)
    if isinstance(member, type) and issubclass(member, BaseModel):
        field = member.model_fields.get(discriminator)
        return (
            [str(one) for one in get_args(field.annotation)]
            if field is not None and get_origin(field.annotation) is Literal
            else []
        )
    return [tag for one in members(member) for tag in tags(one, discriminator)]


def one_line(part: object) -> str:
    """A key as it is written, in one line."""
    text = str(part)[:SHOWN]
    return text if text.isprintable() else ascii(text)[1:-1]

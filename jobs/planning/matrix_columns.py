"""Whether the attributes that people give of ready vectors and endpoints fit into the columns of the map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jobs.config.matrix_entry import kind_of
from qre.encoders.spec import EncoderSpec, EndpointSpec, MatrixSpec, WordsSpec
from qre.errors import UserError

GIVEN = (MatrixSpec, EndpointSpec, WordsSpec)  # whose attributes a person gives
WORDS = {"number": "a number", "text": "text", "truth": "true or false"}


def check_columns(specs: Sequence[EncoderSpec], attributes: Mapping[str, Mapping[str, object]]) -> None:
    """UserError where a given attribute is of another kind than that of another encoder: a column has one kind."""
    given = {name for spec in specs if isinstance(spec, GIVEN) for name in attributes.get(spec.name, ())}
    first: dict[str, tuple[str, str]] = {}  # attribute -> its kind, and whose it is
    for spec in specs:
        for name, value in attributes.get(spec.name, {}).items():
            kind = kind_of(value) if name in given else None
            if kind is None:
                continue
            known, whose = first.setdefault(name, (kind, spec.name))
            if kind != known:
                raise UserError(
                    f"encoders: attributes: {name} is {WORDS[known]} of {whose!r} and {WORDS[kind]} of {spec.name!r}; "
                    f"a column of the map has one kind: write both alike"
                )

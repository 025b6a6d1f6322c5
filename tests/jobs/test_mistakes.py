"""Every type of error that the checks of a config can give has words of ours: what pydantic would say gets through in
none."""

import re
from typing import get_args

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticKnownError, core_schema

from jobs.config import SweepConfig
from jobs.config.keys import Place, plain_type
from jobs.config.mistakes import PATTERNS, _what

CONTEXT = {
    "error": ValueError("our own words"),
    "pattern": "^x$",
    "expected": "'a', 'b' or 'c'",
    "expected_tags": "'a', 'b'",
    "discriminator": "'cpus'",
    "tag": "q",
    "min_length": 2,
    "max_length": 3,
    "actual_length": 1,
    "field_type": "Tuple",
    "gt": 1,
    "ge": 1,
    "lt": 1,
    "le": 1,
    "multiple_of": 2,
    "class": "Slot",
}
JARGON = re.compile(
    r"input|tuple|dict|valid|string|integer|boolean|pydantic|literal|instance|parse|attribute|decimal|constraint|schema|pattern|callable|NoneType|discriminator",
    re.IGNORECASE,
)
TYPES = get_args(core_schema.ErrorType)


def records(annotation, seen):
    """Every record that a config is made of."""
    annotation, _ = plain_type(annotation, None)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in seen:
        seen.add(annotation)
        for field in annotation.model_fields.values():
            records(field.annotation, seen)
    for inner in get_args(annotation):
        records(inner, seen)
    return seen


def test_there_are_types():
    assert len(TYPES) > 80 and PydanticKnownError("int_type").message() == "Input should be a valid integer"


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("value", [5, "text", [1], {"a": 1}, None])
def test_no_word_of_pydantic(kind, value):
    place = Place(("cluster", "cpus"), SweepConfig)
    told = _what(
        place,
        [
            {
                "type": kind,
                "loc": ("cluster", "cpus"),
                "msg": "Input should be a valid tuple",
                "input": value,
                "ctx": CONTEXT,
            }
        ],
    )
    assert told and not JARGON.search(told) and "\n" not in told


@pytest.mark.parametrize("kind", TYPES)
def test_a_context_that_we_do_not_know_changes_nothing(kind):
    place = Place(("cluster", "cpus"), SweepConfig)
    told = _what(
        place, [{"type": kind, "loc": ("cluster", "cpus"), "msg": "Input should be a valid tuple", "input": 5}]
    )
    assert told and not JARGON.search(told)


def test_every_pattern_of_a_config_is_in_words():
    found = records(SweepConfig, set())
    patterns = set()
    for record in found:
        patterns |= set(
            re.findall(
                r"""['"]?pattern['"]?[:=] ?'((?:[^'\\\\]|\\\\.)*)'""",
                repr(record.model_json_schema()).replace("\\\\", "\\"),
            )
        )
    assert len(found) > 20 and len(patterns) >= 3
    assert {pattern for pattern in patterns if pattern not in PATTERNS} == set()

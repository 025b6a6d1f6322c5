"""What is wrong with a config, in our words: one line for each mistake, with the file, the line, the key, what is wrong
there and what is expected.

The checks are pydantic's. Its own words, which speak of its types, are never shown: each type of error has ours here,
with a default for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, get_args

from pydantic import BaseModel, ValidationError

from jobs.config.keys import SHOWN, Place, members, plain_type, tags
from jobs.config.reading import Written
from qre.encoders.catalogue import CATALOGUES, PUBLIC
from qre.near_names import did_you_mean, near_names

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

SECRET = {"on_end"}  # keys below which a value is not shown: an address there may hold a token
ADDRESSED = {"url", "api_key_env"}  # keys whose value may hold a key by mistake
ADDRESS = re.compile(r"(https?://[^/\s'\"]*)[^\s'\"]*")

PATTERNS = {  # of the records of a config -> what they ask for
    r"^[a-z0-9][a-z0-9._-]{0,63}$": "use a-z, 0-9, '.', '_' and '-', at most 64 characters, the first one a letter or "
    "digit",
    r"^([a-z]{3}|all)$": "give three-letter codes of languages, e.g. deu, or all",
    r"^[A-Za-z_][A-Za-z0-9_]*$": "give the name of an environment variable",
    r"^[^\x00-\x1f\x7f]{1,200}$": "use 1 to 200 characters without line breaks or control characters",
    r"^[0-9a-f]{40}$": "give a 40-digit commit",
}
MAPPING, LIST, TEXT, WHOLE = "give a mapping, key: value", "give a list, [...]", "give text", "give a whole number"
WORDS = {  # by type of error; with values of its context
    "missing": "missing",
    "int_type": WHOLE,
    "int_parsing": WHOLE,
    "int_from_float": WHOLE,
    "int_parsing_size": "give a smaller whole number",
    "float_type": "give a number",
    "float_parsing": "give a number",
    "finite_number": "give a finite number",
    "bool_type": "give true or false",
    "bool_parsing": "give true or false",
    "string_type": TEXT,
    "string_sub_type": TEXT,
    "string_unicode": "give text in UTF-8",
    "string_not_ascii": "use ASCII characters",
    "string_too_long": "give at most {max_length} characters",
    "string_too_short": "give at least {min_length} characters",
    "too_long": "give at most {max_length} entries",
    "too_short": "give at least {min_length} entries",
    "greater_than": "give a number above {gt}",
    "greater_than_equal": "give a number of at least {ge}",
    "less_than": "give a number below {lt}",
    "less_than_equal": "give a number of at most {le}",
    "multiple_of": "give a multiple of {multiple_of}",
    "none_required": "leave it empty",
    "invalid_key": "a key is text: put quotes around it",
    "recursion_loop": "it holds itself: an alias (*) inside its own anchor (&)",
    "frozen_field": "cannot be given",
    "frozen_instance": "cannot be given",
}
FAMILIES = (  # of further types, by how their names begin
    (("tuple", "list", "set", "frozen_set", "iter", "unhashable"), LIST),
    (("dict", "mapping", "model", "dataclass", "get_attribute", "no_such_attribute", "typed"), MAPPING),
    (("date", "time", "timezone"), "give a date and time with its zone, e.g. 2026-11-27T08:00+01:00"),
    (("url",), "give an address, e.g. https://host/path"),
    (("bytes", "string", "uuid"), TEXT),
    (("decimal", "complex", "float"), "give a number"),
    (("int",), WHOLE),
    (("bool",), "give true or false"),
    (("json",), "give JSON"),
)
EXPECTED = {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false"}  # members of a union


def explained(
    source: Written | str, error: ValidationError, model: type[BaseModel], below: Sequence[str | int] = ()
) -> str:
    """A line for each mistake.

    Args:
        source: the file, or how its place is told.
        model: that was to be made.
        below: leading keys that only our own record has, and the file has not.
    """
    lines = []
    for place, what in _mistakes(error, model):
        own = place.path[len(below) :] if place.path[: len(below)] == list(below) else place.path
        if (
            isinstance(source, Written) and source.rows and what.startswith("unknown key")
        ):  # a column of a table: told once, of its header
            lines.append(f"{source.path}:1: column {own[-1]!r}: {what}")
            continue
        lines.append(
            ": ".join(filter(None, (source.at(own) if isinstance(source, Written) else source, str(place), what)))
        )
    return "\n".join(dict.fromkeys(lines))


def as_options(error: ValidationError, model: type[BaseModel], source: str = "") -> str:
    """A line for each mistake in a record that the options of a command line make: each is told by its option."""
    lines = []
    for place, what in _mistakes(error, model):
        option = f"--{str(place.path[0]).replace('_', '-')}" if place.path else ""
        lines.append(": ".join(filter(None, (source, option, what))))
    return "\n".join(dict.fromkeys(lines))


def _mistakes(error: ValidationError, model: type[BaseModel]) -> Iterator[tuple[Place, str]]:
    """Each mistake once: where, and what."""
    found: dict[str, tuple[Place, list[ErrorDetails]]] = {}
    for problem in error.errors(include_url=False):
        place = _placed(problem, model)
        found.setdefault(f"{place}|{'' if place.branch else problem['type']}", (place, []))[1].append(problem)
    unknown: dict[tuple[str | int, ...], list[Place]] = {}
    missing: dict[tuple[str | int, ...], list[Place]] = {}
    within: set[tuple[str | int, ...]] = set()
    for place, problems in found.values():
        holder = tuple(place.path[:-1])
        within |= {tuple(place.path[:count]) for count in range(len(place.path))}
        if problems[0]["type"] in ("extra_forbidden", "missing"):
            (unknown if problems[0]["type"] == "extra_forbidden" else missing).setdefault(holder, []).append(place)
    for place, problems in found.values():
        kind, holder = problems[0]["type"], tuple(place.path[:-1])
        if kind == "too_short" and tuple(place.path) in within:
            continue  # what is wrong with its entries is told
        if kind == "missing" and _misspelt(place, unknown.get(holder, ()), missing[holder]):
            continue
        if (
            kind == "extra_forbidden"
            and len(unknown[holder]) == len(missing.get(holder, ())) == 1
            and not did_you_mean(place.path[-1], _keys(place))
        ):
            yield place, f"unknown key; did you mean {missing[holder][0].path[-1]!r}, which is missing?"
        else:
            yield place, _what(place, problems)


def _placed(problem: ErrorDetails, model: type[BaseModel]) -> Place:
    """Where a problem is; of what tells records of a union apart, at that key, or the one that was meant for it."""
    place = Place(problem["loc"], model)
    if problem["type"] in ("union_tag_invalid", "union_tag_not_found"):
        key, value = str(problem["ctx"].get("discriminator", "")).strip("'"), problem.get("input")
        near = [one for one in value if near_names(one, [key])] if isinstance(value, dict) and key not in value else []
        place.path.append(str(near[0]) if near else key)
    return place


def _misspelt(place: Place, unknown: Sequence[Place], missing: Sequence[Place]) -> bool:
    """Whether a missing key is one that an unknown key beside it was meant for."""
    alone = len(unknown) == len(missing) == 1 and not did_you_mean(unknown[0].path[-1], _keys(unknown[0]))
    return alone or any(place.path[-1] in near_names(one.path[-1], _keys(one)) for one in unknown)


def _keys(place: Place) -> list[str]:
    return list(place.model.model_fields) if place.model is not None else []


def _what(place: Place, problems: list[ErrorDetails]) -> str:
    """What is wrong there, and what is expected."""
    problem = problems[0]
    kind, value, context = problem["type"], problem.get("input"), problem.get("ctx") or {}
    if len(problems) > 1 or place.branch:
        return _of_union(problems, place, value)
    if kind == "extra_forbidden":
        return _unknown_key(place)
    if kind in ("value_error", "assertion_error"):
        told = str(context.get("error", "")) or "cannot be used"
        return (
            told
            if isinstance(value, (dict, list, tuple)) or _scalar(value) in told
            else f"{told}{_given(place, value)}"
        )
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _which_record(place, value, context)
    if kind in ("literal_error", "enum"):
        choices = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        return (
            f"give {_or(choices)}{_given(place, value)}{did_you_mean(value, choices) if isinstance(value, str) else ''}"
        )
    if kind == "missing" and place.path and isinstance(place.path[-1], int):
        return "missing: the list is too short"
    if value is None and kind != "missing":
        needed = (
            place.model is not None
            and (field := place.model.model_fields.get(str(place.path[-1]))) is not None
            and field.is_required()
        )
        return f"nothing is given: {_words(place, kind, context)}" + ("" if needed else ", or leave the key out")
    words = _words(place, kind, context)
    if kind == "missing" or words.startswith("is empty"):
        return words
    return f"{words}{_given(place, value)}" + ("" if _hidden(place) else _as_it_is_written(place, words, value))


def _as_it_is_written(place: Place, words: str, value: object) -> str:
    """How a value is written that lacks only its brackets, its keys or its quotes; "" where that is not known."""
    if words == LIST and isinstance(value, str):
        args = get_args(place.annotation)
        return (
            f"; write [{_scalar(value)}]"
            if args[1:] == (Ellipsis,) and args[0] is str
            else _as_entry(place, value, "[{}]")
        )
    if words == MAPPING and isinstance(value, str):
        return _as_entry(place, value)
    return "; put quotes around it" if words == TEXT and isinstance(value, (bool, int, float, date)) else ""


def _words(place: Place, kind: str, context: dict) -> str:
    if kind == "string_pattern_mismatch":
        return PATTERNS.get(str(context.get("pattern")), f"give text of the form {context.get('pattern')}")
    if kind in ("too_short", "string_too_short") and context.get("min_length") == 1:
        return "is empty: give at least one" if kind == "too_short" else "is empty: give text"
    known = WORDS.get(kind) or next((words for starts, words in FAMILIES if kind.startswith(starts)), None)
    if known is None:
        expected = EXPECTED.get(getattr(place.annotation, "__name__", ""))
        known = f"give {expected}" if expected else "this does not belong here"
    try:
        return (
            known.format(**{name: _number(value) for name, value in context.items()})
            .replace(" 1 entries", " 1 entry")
            .replace(" 1 characters", " 1 character")
        )
    except (KeyError, IndexError):
        return "this does not belong here"


def _unknown_key(place: Place) -> str:
    known = _keys(place)
    if near := did_you_mean(place.path[-1], known):
        return f"unknown key{near}"
    for name, field in place.model.model_fields.items() if place.model is not None else ():
        inner, _ = plain_type(field.annotation, None)
        if isinstance(inner, type) and issubclass(inner, BaseModel) and place.path[-1] in inner.model_fields:
            return f"unknown key; it belongs in {name}: {{{place.path[-1]}: ...}}"
    return f"unknown key; known: {', '.join(known)}"


def _which_record(place: Place, value: object, context: dict) -> str:
    """Of entries that are told apart by a key, which is the last of the place: that it is absent, or names none of
    them."""
    key = str(context.get("discriminator", "")).strip("'")
    choices = re.findall(r"'([^']*)'", str(context.get("expected_tags", ""))) or [
        tag for one in members(place.annotation) for tag in tags(one, key)
    ]
    if place.path[-1:] != [key]:
        return f"unknown key; did you mean {key!r}?"
    if "tag" in context:
        return f"no {key} {_scalar(context['tag'])}; give {_or(choices)}{did_you_mean(context['tag'], choices)}"
    return f"missing; give {_or(choices)}"


def _of_union(problems: list[ErrorDetails], place: Place, value: object) -> str:
    """Of a value that several types may have: the branch that was meant, or what it may be."""
    meant = [
        one
        for one in problems
        if one["type"] not in ("string_type", "int_type", "float_type", "bool_type", "is_instance_of", "none_required")
    ]
    if len(meant) == 1:
        problem = meant[0]
        return f"{_words(place, problem['type'], problem.get('ctx') or {})}{_given(place, value)}"
    expected = {
        "int_type": "a whole number",
        "int_parsing": "a whole number",
        "int_from_float": "a whole number",
        "string_type": "text",
        "float_type": "a number",
        "bool_type": "true or false",
    }
    told = list(dict.fromkeys(expected[one["type"]] for one in problems if one["type"] in expected))
    return f"give {_or(told, quoted=False) if told else 'another value'}{_given(place, value)}"


def _as_entry(place: Place, value: str, form: str = "{}") -> str:
    """How an encoder or the built-in tasks, named by a mere word, are written."""
    if place.path[:1] == ["tasks"] and value == "builtin":
        return f"; write {form.format('{source: builtin}')}"
    if place.path[:1] != ["encoders"]:
        return ""
    if value in (*CATALOGUES, PUBLIC):
        return f"; write {form.format(f'{{source: catalogue, name: {value}}}')}"
    return f"; write {form.format(f'{{source: hub, id: {value}}}')}" if re.fullmatch(r"[\w.-]+/[\w.-]+", value) else ""


def _given(place: Place, value: object) -> str:
    """What was given, for the end of a line; "" where it is not to be shown, or is too large."""
    if _hidden(place) or value is None:
        return ""
    if isinstance(value, dict):
        return " (given: a mapping)"
    if isinstance(value, (list, tuple)):
        return f" (given: a list of {len(value)})"
    return f" (given: {_scalar(value)})"


def _hidden(place: Place) -> bool:
    return bool(SECRET & {str(part) for part in place.path[:1]} or ADDRESSED & {str(part) for part in place.path[-1:]})


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value)[:SHOWN]
    return repr(ADDRESS.sub(r"\1/...", str(value))[:SHOWN])


def _number(value: object) -> object:
    return f"{value:g}" if isinstance(value, float) else value


def _or(choices: Sequence[str], quoted: bool = True) -> str:
    told = [repr(one) if quoted else one for one in dict.fromkeys(choices)]
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} or {told[-1]}" if told else "another value"

"""What is wrong with a command line, in one line of our words: the option, what was given, and what is allowed. typer's
own words are never shown."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from jobs.terminal.spelled import maps_in
from qre.near_names import near_names

UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # of typer's click, whichever that is
SHOWN = 100  # characters of what was given


def in_our_words(error: Any) -> str:
    """One line for a command line that cannot be understood: for a UsageError; what it holds differs with its kind."""
    kind = type(error).__name__
    if kind == "MissingParameter" and "--atlas" in getattr(error.param, "opts", ()):
        fix = _atlas_without_option() or _maps_here() or _see(error, "shows an example")
        return f"{_command(error)}--atlas is missing{fix}"
    if kind == "MissingParameter":
        return f"{_command(error)}{_name(error.param)} is missing{_see(error, 'shows an example')}"
    if kind == "BadParameter" and getattr(error, "param", None) is not None:
        return _wrong_value(error)
    if kind == "NoSuchOption":
        return f"{_command(error)}no option {_shown(error.option_name)}" + (
            _near(error.option_name, _options(error)) or _see(error, "lists them")
        )
    message = str(getattr(error, "message", error)).rstrip(".")
    if kind == "BadOptionUsage":
        return (
            f"{_shown(error.option_name)} takes no value"
            if "not take a value" in message
            else f"{_shown(error.option_name)}: a value is missing"
        )
    if found := re.match(r"No such command '(.*?)'(\. Did you mean|$)", message, re.DOTALL):
        return f"{_command(error)}no command {_shown(found[1])}" + (
            _near(found[1], getattr(error.ctx.command, "commands", ())) or _see(error, "lists them")
        )
    if message.startswith("Missing command"):
        return f"{_command(error)}name a command{_see(error, 'lists them')}"
    if found := re.search(r"unexpected extra arguments?(?:\(s\))? \((.*)\)$", message, re.DOTALL):
        return f"{_command(error)}there is no place for {_shown(found[1])}{_see(error, 'shows what it takes')}"
    return f"{_command(error)}{message}"


def _wrong_value(error: typer.BadParameter) -> str:
    param = error.param
    given, allowed = _given(error), _allowed(param, str(error.message))
    value = "" if given is None else f" {_shown(given)}"
    near = near_names(given, _choices(param)) if given is not None else []
    return f"{_name(param)}{value}: {allowed}" + (f"; did you mean {near[0]}?" if near else "")


def _allowed(param: object, message: str) -> str:
    """What an option takes, or what typer says of it where that is not known."""
    if choices := _choices(param):
        return f"give {', '.join(choices[:-1])} or {choices[-1]}"
    low, high = (
        getattr(param, end, None) if hasattr(param, end) else getattr(getattr(param, "type", None), end, None)
        for end in ("min", "max")
    )
    bounds = (
        f"{low:,} to {high:,}"
        if None not in (low, high)
        else f"{low:,} or more"
        if low is not None
        else f"{high:,} or less"
        if high is not None
        else ""
    )
    words = next(
        (
            words
            for pattern, words in ((r"integer|\bint\b", "a whole number"), (r"number|float", "a number"))
            if re.search(pattern, message)
        ),
        "",
    )
    if bounds and not (words and re.search("valid|parse|fraction", message)):
        return f"give {bounds}"
    return f"give {words}" + (f", {bounds}" if bounds else "") if words else message.rstrip(".")


def _given(error: typer.BadParameter) -> object:
    """The value that is refused; None where typer does not say it."""
    cause: Any = error.__cause__
    if hasattr(cause, "errors") and (problems := cause.errors()):
        return problems[0].get("input")
    found = re.match(r"'(.*?)' is|(\S+) is not in", str(error.message), re.DOTALL)
    return (found[1] or found[2]) if found else None


def _choices(param: object) -> list[str]:
    choices = (
        getattr(getattr(param, "type_descriptor", None), "choices", None)
        or getattr(getattr(param, "type", None), "choices", None)
        or ()
    )
    return [str(one) for one in choices]


def _name(param: Any) -> str:
    """An option as it is written, an argument by its name in the help."""
    options = [one for one in getattr(param, "opts", ()) if one.startswith("-")]
    return (
        max(options, key=len)
        if options
        else str(getattr(param, "metavar", None) or param.name.upper()).strip("[]{}").removesuffix("...")
    )


def _options(error: Any) -> list[str]:
    """Of the command that was given."""
    command = error.ctx.command if error.ctx is not None else None
    return [
        one
        for param in getattr(command, "params", ())
        if not getattr(param, "hidden", False)
        for one in getattr(param, "opts", ())
        if one.startswith("-")
    ]


def _atlas_without_option() -> str:
    """The command line with --atlas before the map or config that is in it already; "" where there is none."""
    from jobs.config.reading import YAML_ENDINGS  # slow to import

    words = sys.argv[1:]
    for number, word in enumerate(words):
        option = number > 0 and words[number - 1].startswith("-")
        config = word.endswith(YAML_ENDINGS) and Path(word).is_file()
        if not option and (config or (Path(word) / "manifest.json").is_file()):
            return f"; write qre {shlex.join([*words[:number], '--atlas', *words[number:]])}"
    return ""


def _maps_here() -> str:
    """The maps that --atlas could name; "" where none is in results/."""
    names = [f"results/{name}" for name in maps_in("results")]
    more = f" ({len(names) - 3} more in results/)" if len(names) > 3 else ""
    return f"; give --atlas {' or --atlas '.join(map(_shown, names[:3]))}{more}" if names else ""


def _near(word: str, known: Iterable[str]) -> str:
    near = near_names(word, known)
    return f"; did you mean {near[0]}?" if near else ""


def _command(error: Any) -> str:
    """ "rank: ", the words of the command after qre; "" for qre itself."""
    path = error.ctx.command_path.split()[1:] if getattr(error, "ctx", None) is not None else []
    return f"{' '.join(path)}: " if path else ""


def _see(error: Any, what: str) -> str:
    return f"; {error.ctx.command_path} --help {what}" if getattr(error, "ctx", None) is not None else ""


def _shown(value: object) -> str:
    """As it was given where that is one plain word, else quoted."""
    text = str(value)
    told = text if re.fullmatch(r"[\w.,:/@%+=-]+", text, re.ASCII) else ascii(text)
    return told if len(told) <= SHOWN else f"{told[:SHOWN]}..."

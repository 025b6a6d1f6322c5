"""What the command says besides its results, and how much of it: quiet, normal or verbose, as the command line has
it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Literal

from jobs.terminal.harmless import HarmlessConsole

Volume = Literal["quiet", "normal", "verbose"]

# a log has no width of its own, and 80 would break every table
console = HarmlessConsole(width=None if sys.stdout.isatty() else 180)
_volume: Volume = "normal"


def set_volume(volume: Volume) -> None:
    global _volume
    _volume = volume


def quiet() -> bool:
    return _volume == "quiet"


def verbose() -> bool:
    return _volume == "verbose"


def say(text: str) -> None:
    """A line as it is: no markup in it is read, and none of it is broken to the width of the console."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def say_next(commands: Mapping[str, str]) -> None:
    """Commands to copy, each with what it does."""
    say("next:")
    for command, what in commands.items():
        say(f"  {command.ljust(max(map(len, commands)))}   {what}")


def note(text: str) -> None:
    """What a reader of the results should know, before them; not where it should be quiet."""
    if not quiet():
        say(f"note: {text}")


def progress(text: str) -> None:
    """How far something is, on stderr, which leaves tables and JSON on stdout alone; not where it should be quiet."""
    if not quiet():
        print(text, file=sys.stderr, flush=True)


def hub_progress(done: int, total: int) -> None:
    """Say now and then how many encoders the hub has answered about."""
    if done == total or done % 100 == 0:
        progress(f"hub: asked about {done} of {total} encoder{'s' if total > 1 else ''}")

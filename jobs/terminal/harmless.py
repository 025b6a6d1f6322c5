"""What is written to a terminal: text that moves no cursor, sets no colour or title, and turns no line around.

Names of encoders, words of libraries and of the hub come from strangers. Control characters and those that turn the
direction of text (bidi controls) are written as escapes such as \\x1b and \\u202e, wherever they come from: plain
prints go through `Harmless` streams, tables through `HarmlessConsole`, whose own control codes alone reach the terminal
as they are.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import IO, Any, cast

from rich.console import Console
from rich.segment import Segment
from rich.text import Text

# C0 but tab and line feed, DEL and C1; marks, embeddings, overrides and isolates of direction; separators of lines and
# paragraphs; halves of a character, which no terminal can be sent
HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def harmless(text: str) -> str:
    """The text with what acts on a terminal as escapes; tabs and line feeds stay."""
    return HARMFUL.sub(lambda found: ascii(found[0])[1:-1], text)


class Harmless:
    """A text stream that writes `harmless` text to the one beneath it.

    A carriage return at the beginning or the end of what is written at once stays: so libraries draw their bars anew.
    """

    def __init__(self, stream: Any):
        self._stream = stream
        self.rich_proxied_file = stream  # where rich writes, which knows its own control codes from text

    def write(self, text: str) -> int:
        inner = text.strip("\r")
        if inner:
            start = text.index(inner[0])
            text = text[:start] + harmless(inner) + text[start + len(inner) :]
        self._stream.write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str):
        return getattr(self._stream, name)


class HarmlessConsole(Console):
    """A console on which texts do nothing but stand there."""

    @property
    def file(self) -> IO[str]:
        """Where it writes: beneath all streams that make text harmless."""
        return beneath(super().file)

    @file.setter
    def file(self, new_file: IO[str]) -> None:
        self._file = new_file

    def render_str(self, text: str, **options: Any) -> Text:
        """Before it is measured, so that columns keep their width."""
        return super().render_str(harmless(text), **options)

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        """The last place before the terminal, which all else passes too."""
        return super()._render_buffer(
            part if part.control else Segment(harmless(part.text), part.style) for part in buffer
        )


def beneath(stream: Any) -> IO[str]:
    """The stream that others stand on."""
    while (below := getattr(stream, "rich_proxied_file", None)) is not None and below is not stream:
        stream = below
    return cast(IO[str], stream)


def make_output_harmless() -> None:
    """From here on, for all that this process prints. Again where something has put streams of its own in between."""
    sys.stdout, sys.stderr = _harmless(sys.stdout), _harmless(sys.stderr)


def _harmless(stream: Any) -> Any:
    return stream if stream is None or isinstance(stream, Harmless) else Harmless(stream)

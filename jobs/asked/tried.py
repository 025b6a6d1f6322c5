"""Encoders that are tried one after another, where one that fails does not stop the others."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import typer

from jobs.asked.models import Given, Told
from jobs.terminal.console import progress
from qre.encoders.folders import FolderProblem
from qre.encoders.hub_problems import HubProblem, printable
from qre.encoders.matrix_file import near_encoders
from qre.errors import EmbeddingError, EncoderError, UserError

BY_ENTRY = "put it as an entry into a list, and give that with --entry"
OPTIONS = {  # reason -> what stands for the keys of an entry that its remedy names
    "no pooling": "--pooling",
    "remote code": "--native, or OWNER/NAME@COMMIT with --trust-remote-code",
    "not native": "OWNER/NAME@COMMIT with --trust-remote-code, without --native",
    "second repository": f"--native, or {BY_ENTRY}",
    "wrong code_revision": BY_ENTRY,
    "pickle only": BY_ENTRY,
    "base missing": BY_ENTRY,
}
COUNTED = 10  # times that a log is told how far an encoder is


@dataclass
class Tried:
    """What became of the encoders that were named.

    Attributes:
        failed: label -> why, and what to do.
        input_only: whether all failures are the input's fault.
    """

    failed: dict[str, str] = field(default_factory=dict)
    input_only: bool = True

    def fail(self, one: Given, error: Exception, sentences: Sequence[str]) -> None:
        """Note what an encoder failed by, whatever loading and encoding has raised: it is its end, not that of the
        others."""
        why, input_only = _why(one, error, sentences)
        self.failed[one.label] = why
        self.input_only = self.input_only and input_only

    def exit_code(self, done: int) -> int:
        """0 where none failed; 2 where none of them is done, because the input is wrong; else 1."""
        if not self.failed:
            return 0
        return 2 if not done and self.input_only else 1

    def check_any(self, done: int) -> None:
        """UserError where there was one encoder, and the input is wrong."""
        if self.exit_code(done) == 2 and len(self.failed) == 1:
            raise UserError(next(iter(self.failed.values())))

    def end(self, done: int) -> None:
        """Name what failed, and end with the exit code; nothing where none failed."""
        for label, why in self.failed.items():
            print(f"qre: {why if why.startswith(label) else f'{label}: {why}'}", file=sys.stderr)
        if self.failed:
            raise typer.Exit(self.exit_code(done))


def _why(one: Given, error: Exception, sentences: Sequence[str]) -> tuple[str, bool]:
    """Why an encoder failed, and whether by the input alone."""
    if isinstance(error, UserError):
        return str(error), True
    if isinstance(error, EmbeddingError):  # a matrix is input; what an encoder makes is its own fault
        return str(error.naming(sentences)), isinstance(one.source, Path)
    if isinstance(error, HubProblem):
        near = "" if error.reason != "missing" else f"; and no folder of this name is here{near_encoders(one.label)}"
        return f"{error}{near}{_here(one, error.reason)}", False
    if isinstance(error, FolderProblem):
        return f"{error}{_here(one, error.reason)}", False
    if isinstance(error, EncoderError):
        return str(error), False
    return f"{type(error).__name__}: {printable(str(error), 400)}", False


def _here(one: Given, reason: str) -> str:
    """How a command line says what a remedy says by keys of an entry; "" where there is nothing to say."""
    return f"; on this command line: {OPTIONS[reason]}" if one.by_options and reason in OPTIONS else ""


def embedded_so_far() -> Told:
    """Says how far an encoder is: now and then a line on stderr, which leaves the tables and the JSON on stdout
    alone."""
    said = -1

    def told(name: str, done: int, total: int) -> None:
        nonlocal said
        step = COUNTED * done // total
        if step > said:
            said = step
            progress(f"{printable(name)}: {done:,} of {total:,} sentences embedded")

    return told

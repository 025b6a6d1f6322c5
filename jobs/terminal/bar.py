"""A labelled bar on a terminal, plain lines elsewhere. Needs no Ray, so it is there before that is imported."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from jobs.terminal.console import quiet
from jobs.terminal.harmless import make_output_harmless

LINE_SECONDS = 10.0  # between plain lines, in the first minutes
LATER_SECONDS = 30.0  # and then: a long run is no reason for a long log
FIRST_MINUTES = 3


class Bar:
    """Says what is under way, how much of the whole is done, and how long the rest takes. Use as a context manager.

    A terminal gets a bar that is redrawn; anything else gets a line now and then, since a redrawn bar is unreadable in
    a log.
    """

    def __init__(self, console: Console):
        self._console = console
        self._began, self._spoken = time.monotonic(), float("-inf")
        self._stage = ""
        self._bar: Progress | None = None
        self._task = TaskID(0)  # of the bar, once there is one

    def __enter__(self) -> Bar:
        if self._console.is_terminal and not quiet():
            aside = TextColumn(
                "{task.fields[aside]}",
                markup=False,
                style="dim",
                table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),
            )
            told = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True))
            left = TextColumn("{task.fields[left]}", markup=False, table_column=Column(no_wrap=True))
            columns = (SpinnerColumn(), told, BarColumn(bar_width=16), left, TimeElapsedColumn(), aside)
            self._bar = Progress(*columns, console=self._console, transient=True, expand=True)
            self._task = self._bar.add_task("starting", total=None, left="", aside="")
            self._bar.start()
            make_output_harmless()  # what is printed meanwhile goes through a stream of the bar's, which reads colours
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def stage(self, label: str, aloud: bool = True) -> None:
        """Enter a stage; how much of the whole is done is not known yet, or as before. `aloud`: also where a line is
        all there is."""
        if label == self._stage:
            return
        self._stage, self._spoken = label, float("-inf")
        if self._bar:
            self._bar.update(self._task, description=label, aside="")
        elif aloud:
            self._line(label)

    def due(self) -> bool:
        """Whether a line is due where there is no terminal."""
        now = time.monotonic()
        return now - self._spoken >= (LINE_SECONDS if now - self._began < 60 * FIRST_MINUTES else LATER_SECONDS)

    def update(self, label: str, share: float, left: str, aside: str = "") -> None:
        """How far it is: a share of the whole, the time left in words, and what is under way."""
        self._stage = label
        if self._bar:
            self._bar.update(
                self._task,
                description=label,
                total=1.0,
                completed=share,
                left=f"{share:4.0%} {left}".rstrip(),
                aside=aside,
            )
        elif self.due():
            self._line(
                ", ".join(part for part in (f"{share:.0%}: {label}", left) if part) + (f"; {aside}" if aside else "")
            )

    def _line(self, text: str) -> None:
        self._spoken = time.monotonic()
        if not quiet():
            self.say(f"[{clock(self._spoken - self._began)}] {text}")


def clock(seconds: float) -> str:
    """Time that has gone: minutes and seconds, from an hour on with hours."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"

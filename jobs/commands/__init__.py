"""What the `qre` command does: here it is put together, cli.py is where it begins and ends, and each file is one
command.

Nothing large is imported here or above a command's first line: `qre --help` answers at once.
"""

from __future__ import annotations

import sys
import traceback
from typing import Annotated

import typer

from jobs import ending
from jobs.commands import (
    compare,
    doctor,
    encoders,
    evaluate,
    illustrate,
    measure,
    neighbours,
    new,
    pairs,
    place,
    plan,
    rank,
    report,
    sparsify,
    status,
    submit,
    sweep,
    usage,
)
from jobs.commands import map as map_command
from jobs.commands import open as open_command
from jobs.commands.arguments import Quiet, Verbose, hear_volume, with_volume
from jobs.terminal import console
from jobs.terminal.harmless import make_output_harmless
from qre.errors import PlaceError, StoreRefusedNow, UserError, place_error

app = typer.Typer(
    help="A map of sentence encoders: which are alike, and which is best at your task.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for title, commands in (
    ("Begin", (new.new, doctor.doctor)),
    ("Make a map", (plan.plan, sweep.sweep, status.status, report.report, submit.submit, evaluate.evaluate)),
    ("Use a map", (rank.rank, place.place, neighbours.neighbours, compare.compare, pairs.pairs)),
):
    for command in commands:
        app.command(rich_help_panel=title)(with_volume(command))
app.command("open", rich_help_panel="Use a map")(with_volume(open_command.open_))
app.command("map", rich_help_panel="Begin")(with_volume(map_command.map_))
app.add_typer(encoders.app, name="encoders", rich_help_panel="Find out more")
app.command(rich_help_panel="Find out more")(with_volume(measure.measure))
app.command(rich_help_panel="Find out more")(with_volume(sparsify.sparsify))
app.command(rich_help_panel="Find out more")(with_volume(illustrate.illustrate))


def _version(asked: bool) -> None:
    if asked:
        from qre import __version__

        print(f"qre {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    console.set_volume("normal")
    hear_volume(quiet, verbose)


def run() -> None:
    """Run the command; errors that a person is meant to read end in one line, without a traceback."""
    make_output_harmless()
    try:
        code = app(prog_name="qre", standalone_mode=False)
    except usage.UsageError as error:
        if type(error).__name__ != "NoArgsIsHelpError":  # the help was shown
            print(f"qre: {usage.in_our_words(error)}", file=sys.stderr)
        raise SystemExit(2) from None
    except Exception as error:
        told = _in_one_line(error)
        if told is None:
            raise
        if console.verbose():
            traceback.print_exc()
        line, code = told
        print(f"qre: {line}", file=sys.stderr)
        raise SystemExit(code) from None
    raise SystemExit(code if isinstance(code, int) else 0)


def _in_one_line(error: Exception) -> tuple[str, int] | None:
    """What to say of an error, and the exit code; None where it is a fault of this program."""
    if isinstance(error, UserError):
        begun = isinstance(error, StoreRefusedNow) and ending.works()
        return (f"{error}{'; what is done is kept' if begun else ''}", 1 if begun else 2)
    from qre.store import CorruptArtefact

    if isinstance(error, (TimeoutError, CorruptArtefact)):  # the store does not answer now; or something in it went bad
        looked = isinstance(error, CorruptArtefact) and not error.moved
        return (f"{error}; {'a sweep that reads it makes it again' if looked else 'run the same command again'}", 1)
    fault = place_error(error) if isinstance(error, (PlaceError, OSError)) else None
    return None if fault is None else (str(fault), 1)

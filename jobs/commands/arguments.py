"""Arguments that several commands share, so that each is written alike everywhere."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, get_type_hints

import typer

from jobs.terminal import console
from qre.errors import UserError


def given_path(value):
    """A path as a person gives it; the checks are imported when one is given."""
    from qre.paths import given_path as checked

    return checked(value)


ConfigFile = Annotated[Path, typer.Argument(callback=given_path, help="the sweep's YAML file", metavar="CONFIG")]
AtlasPlace = Annotated[
    str,
    typer.Option(
        "--atlas",
        metavar="DIR",
        callback=given_path,
        help="folder of a finished map, or a sweep's YAML file: then the map in its store",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object instead of a table")]
AllowSmaller = Annotated[
    bool,
    typer.Option(
        "--allow-smaller", help="replace a finished map even if some of its encoders are not available here now"
    ),
]
TakeOver = Annotated[
    bool,
    typer.Option(
        "--take-over", help="this config owns the map of this name from now on, even if another config made it"
    ),
]
Anyway = Annotated[
    bool,
    typer.Option(
        "--anyway", help="begin even if another run seems to work on this sweep: use it if that one is dead or hangs"
    ),
]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="try encoders again that failed by their own fault")]
Neighbours = Annotated[int, typer.Option("-k", min=1, help="how many neighbours")]
ListFile = Annotated[
    Path | None,
    typer.Option("--entry", callback=given_path, help="also the encoders of a list file, with entries as in a config"),
]
TrustRemoteCode = Annotated[
    bool, typer.Option("--trust-remote-code", help="run the code of a hub encoder; needs @ and a 40-digit commit")
]
Device = Annotated[str, typer.Option(help="of torch; auto: the GPU where there is one")]
Models = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MODEL...",
        help="a hub id (owner/name or owner/name@revision), an encoder's folder, or a matrix (.npy, .safetensors, "
        ".parquet)",
    ),
]
OptionalConfig = Annotated[
    Path | None, typer.Argument(callback=given_path, help="the sweep's YAML file", metavar="[CONFIG]")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no progress and no notes, only results and errors")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="also what Ray and the libraries log, and the traceback of an error")
]
Sentences = Annotated[
    Path | None,
    typer.Option(
        callback=given_path,
        metavar="FILE",
        help=".txt, .csv, .tsv, .jsonl or .parquet; default: the documents of a retrieval task, else built-in ones",
    ),
]
Column = Annotated[str | None, typer.Option(help="the column of the sentences; default: found by its name and content")]
Limit = Annotated[int | None, typer.Option(min=2, help="how many sentences at most; default: 2,000")]
Tasks = Annotated[
    list[str] | None,
    typer.Option(
        "--task",
        metavar="KIND=FILE",
        help="retrieval=FOLDER (queries, documents and relevant in it, or BEIR's layout), sts=FILE, pairs=FILE, "
        "classification=TRAIN,TEST, clustering=FILE, or builtin (on built-in texts, the default); may be repeated",
    ),
]
Queries = Annotated[
    Path | None, typer.Option(callback=given_path, metavar="FILE", help="of a retrieval task: id and text")
]
Documents = Annotated[
    Path | None, typer.Option(callback=given_path, metavar="FILE", help="of a retrieval task: id and text")
]
Relevant = Annotated[
    Path | None,
    typer.Option(
        callback=given_path, metavar="FILE", help="of a retrieval task: query, document and, if you have it, relevance"
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="overwrite the config if it exists; another map is never overwritten")
]


def hear_volume(quiet: bool, verbose: bool) -> None:
    """Said before or after the name of a command; what is said at one place is not unsaid at the other."""
    quiet, verbose = quiet or console.quiet(), verbose or console.verbose()
    if quiet and verbose:
        raise UserError("give --quiet or --verbose, not both")
    console.set_volume("quiet" if quiet else "verbose" if verbose else "normal")


def with_volume(command: Callable) -> Callable:
    """A command that takes --quiet and --verbose too."""

    @functools.wraps(command)
    def heard(*, quiet: bool = False, verbose: bool = False, **options):
        hear_volume(quiet, verbose)
        return command(**options)

    hints = get_type_hints(command, include_extras=True)
    own = [
        one.replace(annotation=hints[one.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for one in inspect.signature(command).parameters.values()
    ]
    both = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=hint)
        for name, hint in (("quiet", Quiet), ("verbose", Verbose))
    ]
    heard.__signature__ = inspect.Signature([*own, *both])  # type: ignore[attr-defined]  # typeshed: not of a wrapper
    heard.__annotations__ = {one.name: one.annotation for one in (*own, *both)}
    return heard

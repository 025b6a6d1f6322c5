"""`qre rank`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from jobs.commands.arguments import AsJson, AtlasPlace


def rank(
    atlas: AtlasPlace,
    task: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="a task; may be repeated: then also their mean; default: all tasks"),
    ] = None,
    by: Annotated[
        Literal["score", "predicted"],
        typer.Option(help="the score, or its prediction where there is none; or the prediction of all"),
    ] = "score",
    top: Annotated[int | None, typer.Option(min=1, help="how many at most; default: 20 in a table")] = None,
    max_parameters: Annotated[
        int | None, typer.Option(min=1, help="leave out larger encoders, and those of unknown size")
    ] = None,
    measured_only: Annotated[
        bool, typer.Option("--measured-only", help="leave out encoders whose score is predicted only")
    ] = False,
    everyone: Annotated[
        bool,
        typer.Option(
            "--all", help="list every encoder, near-copies too, which differ from a listed encoder by a transform only"
        ),
    ] = False,
    speed: Annotated[
        bool, typer.Option("--speed", help="also how fast each encoder ran in the sweep, and on what")
    ] = False,
    tasks: Annotated[bool, typer.Option("--tasks", help="list the tasks instead")] = False,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="print a table with all columns as CSV")] = False,
) -> None:
    """Rank the encoders of a finished map by their scores, measured, or predicted where none was measured: on all tasks
    and by their mean, or on one.

    Example: qre rank --task STSBenchmark --atlas results/mine --max-parameters 50000000
    """
    from jobs.asked.rankings import Wanted, form_of, list_tasks
    from jobs.asked.rankings import rank as shown

    form = form_of(as_json, as_csv)
    if tasks:
        list_tasks(atlas, form)
    else:
        shown(
            atlas,
            Wanted(tuple(dict.fromkeys(task or ())), by, top, max_parameters, measured_only, everyone, speed, form),
        )

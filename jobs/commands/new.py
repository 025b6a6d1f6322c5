"""`qre new`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs.commands.arguments import Column, Documents, Force, Limit, Queries, Relevant, Sentences, Tasks, given_path


def new(
    file: Annotated[Path, typer.Argument(callback=given_path, help="the config to write", metavar="FILE")],
    sentences: Sentences = None,
    column: Column = None,
    limit: Limit = None,
    encoders: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...",
            help="demo (built in), popular (20 well-known ones of the hub), public (its 1,101 most downloaded), "
            "owner/name of the hub, a folder, a list; may be repeated; default: demo",
        ),
    ] = None,
    task: Tasks = None,
    queries: Queries = None,
    documents: Documents = None,
    relevant: Relevant = None,
    force: Force = False,
) -> None:
    """Write a short commented config that can be run as it is.

    Example: qre new mine.yaml --sentences documents.csv --encoders popular --task retrieval=.
    """
    from jobs.start.new_config import Wanted
    from jobs.start.new_config import new as written

    written(
        file,
        Wanted(sentences, column, limit, tuple(encoders or ()), tuple(task or ()), queries, documents, relevant),
        force,
    )

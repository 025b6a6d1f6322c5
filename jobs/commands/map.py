"""`qre map`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs.commands.arguments import Column, Documents, Force, Limit, Queries, Relevant, Sentences, Tasks, given_path


def map_(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...", help="owner/name of the hub, a sentence-transformers folder, a list; or demo, popular"
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            callback=given_path, metavar="DIR", help="folder of the map; its config is DIR.yaml, its store beside it"
        ),
    ],
    sentences: Sentences = None,
    column: Column = None,
    limit: Limit = None,
    task: Tasks = None,
    queries: Queries = None,
    documents: Documents = None,
    relevant: Relevant = None,
    force: Force = False,
) -> None:
    """Map models in one command: new, sweep and report. If they are too few for a map, they are shown among the demo's
    encoders.

    Example: qre map ./my-encoder BAAI/bge-small-en-v1.5 --sentences documents.csv --task retrieval=. --out results/mine
    """
    from jobs.start.at_once import map_models
    from jobs.start.new_config import Wanted

    map_models(
        out, Wanted(sentences, column, limit, tuple(models), tuple(task or ()), queries, documents, relevant), force
    )

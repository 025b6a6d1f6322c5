"""The commands to begin with: new, doctor, map."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs.commands.arguments import AsJson, OptionalConfig, given_path

Sentences = Annotated[Path | None, typer.Option(callback=given_path, metavar="FILE", help=".txt, .csv, .tsv, .jsonl or .parquet; default: the documents of a retrieval task, else built-in ones")]
Column = Annotated[str | None, typer.Option(help="the column of the sentences; default: found by its name and content")]
Limit = Annotated[int | None, typer.Option(min=2, help="how many sentences at most; default: 2,000")]
Tasks = Annotated[list[str] | None, typer.Option(
    "--task", metavar="KIND=FILE",
    help="retrieval=FOLDER (queries, documents and relevant in it, or BEIR's layout), sts=FILE, pairs=FILE, classification=TRAIN,TEST, clustering=FILE, or builtin; may be repeated",
)]
Queries = Annotated[Path | None, typer.Option(callback=given_path, metavar="FILE", help="of a retrieval task: id and text")]
Documents = Annotated[Path | None, typer.Option(callback=given_path, metavar="FILE", help="of a retrieval task: id and text")]
Relevant = Annotated[Path | None, typer.Option(callback=given_path, metavar="FILE", help="of a retrieval task: query, document and, if you have it, relevance")]
Force = Annotated[bool, typer.Option("--force", help="overwrite the config if it exists")]


def new(
    file: Annotated[Path, typer.Argument(callback=given_path, help="the config to write", metavar="FILE")],
    sentences: Sentences = None,
    column: Column = None,
    limit: Limit = None,
    encoders: Annotated[list[str] | None, typer.Option(
        metavar="NAME,...", help="demo (built in), popular (well-known ones of the hub), owner/name of the hub, a folder, a list; may be repeated; default: demo",
    )] = None,
    task: Tasks = None,
    queries: Queries = None,
    documents: Documents = None,
    relevant: Relevant = None,
    force: Force = False,
) -> None:
    """Write a short commented config that can be run as it is.

    Example: qre new mine.yaml --sentences documents.csv --encoders popular --task retrieval=.
    """
    from jobs.start.new import Wanted
    from jobs.start.new import new as written

    written(file, Wanted(sentences, column, limit, tuple(encoders or ()), tuple(task or ()), queries, documents, relevant), force)


def doctor(config: OptionalConfig = None, as_json: AsJson = False) -> None:
    """Check whether this machine has everything that a sweep needs, and say how to fix what is missing. Exit code 1 if a problem is found.

    With CONFIG, its store and its cluster are checked too.

    Example: qre doctor mine.yaml
    """
    from jobs.config import load_config
    from jobs.start.doctor import doctor as looked

    looked(load_config(config) if config is not None else None, as_json)


def map_(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="owner/name of the hub, a sentence-transformers folder, a list; or demo, popular")],
    out: Annotated[Path, typer.Option(callback=given_path, metavar="DIR", help="folder of the map; its config is DIR.yaml, its store beside it")],
    sentences: Sentences = None,
    column: Column = None,
    limit: Limit = None,
    task: Tasks = None,
    queries: Queries = None,
    documents: Documents = None,
    relevant: Relevant = None,
    force: Force = False,
) -> None:
    """Map models in one command: new, sweep and report. If they are too few for a map, they are shown among the demo's encoders.

    Example: qre map ./my-encoder BAAI/bge-small-en-v1.5 --sentences documents.csv --out results/mine
    """
    from jobs.start.map import map_models
    from jobs.start.new import Wanted

    map_models(out, Wanted(sentences, column, limit, tuple(models), tuple(task or ()), queries, documents, relevant), force)

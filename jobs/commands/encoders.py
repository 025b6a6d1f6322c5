"""`qre encoders`: what there is to map."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs.commands.arguments import given_path, with_volume

app = typer.Typer(help="What there is to map: the hub, local folders, built-in catalogues.", no_args_is_help=True)


@app.command()
@with_volume
def search(
    words: Annotated[str | None, typer.Argument(help="in the name")] = None,
    author: Annotated[str | None, typer.Option(help="owner of the repositories")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="tags that all must have; may be given again")] = None,
    min_parameters: Annotated[int | None, typer.Option(min=1, help="leave out smaller encoders")] = None,
    max_parameters: Annotated[int | None, typer.Option(min=1, help="leave out larger encoders")] = None,
    sort: Annotated[
        str | None,
        typer.Option(help="created_at, downloads, last_modified, likes or trending_score; default: downloads"),
    ] = None,
    registry: Annotated[
        bool, typer.Option("--registry", help="the catalogue public: with the open text encoders of MTEB's registry")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="how many at most; default: 30, with --registry 1101")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            callback=given_path,
            help="write the encoders that are available, pinned to their commits, as a list for a config",
        ),
    ] = None,
) -> None:
    """Search the hub for sentence encoders, and say of each whether it is available.

    Example: qre encoders search --author intfloat --max-parameters 200000000 --out e5.yaml
    """
    from pydantic import ValidationError

    from jobs.config.mistakes import as_options
    from jobs.start.search import search as found
    from jobs.start.search import search_public
    from qre.encoders.hub_query import HubQuery
    from qre.errors import UserError

    if registry:
        if words or author or tag or min_parameters or max_parameters or sort:
            raise UserError("--registry is the whole catalogue public: give --limit and --out beside it, nothing else")
        return search_public(limit, out)
    tags = tuple(tag or ["sentence-transformers"])
    try:
        query = HubQuery(
            filter=tags,
            author=author,
            search=words,
            parameters=(min_parameters, max_parameters),
            sort=sort or "downloads",
            limit=limit or 30,
        )
    except ValidationError as error:
        raise UserError(
            as_options(error, HubQuery).replace("--parameters", "--min-parameters and --max-parameters")
        ) from None
    found(query, out)


@app.command("list")
@with_volume
def list_catalogue(
    name: Annotated[
        str | None, typer.Argument(help="a catalogue, or popular; without it, all of them", metavar="[NAME]")
    ] = None,
) -> None:
    """List the built-in catalogues, or the encoders of one.

    Example: qre encoders list demo
    """
    from jobs.start.search import list_catalogue as listed

    listed(name)


@app.command()
@with_volume
def show(
    encoder: Annotated[
        str,
        typer.Argument(
            callback=given_path,
            help="a folder, a name of a catalogue, or owner/name on the hub; with --atlas a name on that map",
            metavar="ENCODER",
        ),
    ],
    atlas: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", callback=given_path, help="folder of a finished map, or a sweep's YAML file: of its encoders"
        ),
    ] = None,
) -> None:
    """Show all that is known of one encoder, as JSON: what it is, and how to load it in Python.

    Example: qre encoders show sentence-transformers/all-MiniLM-L6-v2
    """
    from jobs.start.search import show as shown

    shown(encoder, atlas)

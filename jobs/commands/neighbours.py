"""`qre neighbours`."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs.commands.arguments import AsJson, AtlasPlace, Neighbours


def neighbours(
    name: Annotated[str, typer.Argument(help="an encoder of the map", metavar="NAME")],
    atlas: AtlasPlace,
    k: Neighbours = 10,
    as_json: AsJson = False,
) -> None:
    """List the encoders nearest to one on a finished map, by the distance that the map is made of.

    Example: qre neighbours MiniLM/L6/mean --atlas results/demo
    """
    from jobs.asked.nearest import neighbours as shown

    shown(name, atlas, k, as_json)

"""`qre compare`."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs.commands.arguments import AsJson, given_path


def compare(
    names: Annotated[
        list[str],
        typer.Argument(help="two encoders by their names, or matrices (.npy, .safetensors, .parquet)", metavar="A B"),
    ],
    atlas: Annotated[
        str | None,
        typer.Option(
            "--atlas",
            metavar="DIR",
            callback=given_path,
            help="folder of a finished map, or a sweep's YAML file, which also has the embeddings in its store",
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="neighbours whose overlap is counted")] = 10,
    as_json: AsJson = False,
) -> None:
    """Compare two encoders: quantum relative entropy both ways, Jensen-Shannon divergence, linear CKA, distance on the
    map, neighbours in common, scores.

    A folder has no embeddings: of its encoders it tells the distance, the neighbours and the scores.

    Example: qre compare MiniLM/L6/mean MiniLM/L6/cls --atlas jobs/demo.yaml
    """
    from jobs.asked.comparison import compare as compared

    compared(names, atlas, k, as_json)

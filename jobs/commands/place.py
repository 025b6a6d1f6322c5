"""`qre place`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs.commands.arguments import (
    AsJson,
    AtlasPlace,
    Device,
    ListFile,
    Models,
    Neighbours,
    TrustRemoteCode,
    given_path,
)
from jobs.commands.encoder_options import with_encoder_options


@with_encoder_options
def place(
    atlas: AtlasPlace,
    options: dict,
    models: Models = None,
    entry: ListFile = None,
    trust_remote_code: TrustRemoteCode = False,
    device: Device = "auto",
    k: Neighbours = 7,
    measure: Annotated[
        bool, typer.Option("--measure", help="also measure the map's own tasks (not MTEB's), with --atlas CONFIG")
    ] = False,
    as_json: AsJson = False,
    out: Annotated[
        Path | None,
        typer.Option(
            callback=given_path, help="folder for placed.csv, predicted.csv, neighbours.csv, place.png and place.svg"
        ),
    ] = None,
) -> None:
    """Place encoders on a finished map: their coordinates, their neighbours, and their scores as the map predicts them.
    No encoder of the map moves.

    A matrix has a row for each sentence of the map, in the order of its sentences.parquet. Exit code 1 where some
    encoders failed, which are named.

    Example: qre place intfloat/e5-small ./my-encoder --atlas results/mine --out results/placed
    """
    from jobs.asked.placing import place as placed

    placed(atlas, models or [], entry, options, trust_remote_code, device, k, as_json, out, measure)

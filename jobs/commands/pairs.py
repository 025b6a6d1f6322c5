"""`qre pairs`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs.commands.arguments import AsJson, ConfigFile, given_path


def pairs(
    config: ConfigFile,
    out: Annotated[
        Path | None,
        typer.Option(
            callback=given_path,
            metavar="DIR",
            help="folder of the tables and the figure; default: pairs/ in the export",
        ),
    ] = None,
    block: Annotated[
        int, typer.Option(min=1, help="encoders on a tile's side; a tile is what is computed and kept at once")
    ] = 64,
    as_json: AsJson = False,
) -> None:
    """Compare every encoder of a finished sweep with every other: relative entropy both ways, overlap, linear CKA; and
    a second map of these distances, compared with the first.

    Encoders whose embedding is not in the store are left out and named: exit code 1. Stop it at any time; the same
    command goes on where it was. docs/pairs.md says what is written.

    Example: qre pairs jobs/demo.yaml --out results/pairs
    """
    from jobs.config import load_config
    from jobs.pairing.pairs_command import pairs_to_the_end
    from jobs.sweeping.one_sweep import resolved_aloud
    from qre.store import Store

    settings = load_config(config)
    store = Store(settings.store)
    raise typer.Exit(pairs_to_the_end(settings, config, store, resolved_aloud(settings, store), out, block, as_json))

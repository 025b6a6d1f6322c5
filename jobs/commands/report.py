"""`qre report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs.commands.arguments import ConfigFile, given_path


def report(
    config: ConfigFile,
    out: Annotated[
        Path | None,
        typer.Option(callback=given_path, help="folder for a copy of the atlas; default: the config's export"),
    ] = None,
) -> None:
    """Show the progress of a sweep, as status does; if the map is finished, copy it here and show its best encoders.
    Exit code 0: all is done; 1: something is left or failed; 2: the config is wrong.

    Example: qre report jobs/demo.yaml --out results/copy
    """
    from jobs.sweeping.one_sweep import report_to_the_end

    report_to_the_end(config, out)

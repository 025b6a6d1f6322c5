"""`qre sweep`."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs.commands.arguments import AllowSmaller, Anyway, ConfigFile, RetryFailed, TakeOver


def sweep(
    config: ConfigFile,
    retry_failed: RetryFailed = False,
    allow_smaller: AllowSmaller = False,
    no_export: Annotated[
        bool, typer.Option("--no-export", help="leave the atlas in the store; qre report copies it")
    ] = False,
    take_over: TakeOver = False,
    anyway: Anyway = False,
    place: Annotated[
        str | None,
        typer.Option(
            "--owner", hidden=True, help="where the config is that this one is a copy of: see jobs/records/ownership.py"
        ),
    ] = None,
) -> None:
    """Embed the sentences with every encoder, score the encoders, and draw the map. If it is stopped or killed, run the
    same command to continue.

    Example: qre sweep jobs/demo.yaml
    """
    from jobs.config import load_config
    from jobs.sweeping.one_sweep import Asked, sweep_to_the_end
    from jobs.sweeping.telling import on_end

    settings = load_config(config)
    with on_end(settings.on_end, settings.name) as end:
        sweep_to_the_end(config, settings, Asked(retry_failed, allow_smaller, no_export, take_over, place, anyway), end)

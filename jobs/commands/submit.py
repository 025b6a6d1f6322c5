"""`qre submit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs.commands.arguments import AllowSmaller, Anyway, RetryFailed, TakeOver, given_path


def submit(
    config: Annotated[
        Path | None,
        typer.Argument(callback=given_path, help="the sweep's YAML file, in the working directory", metavar="CONFIG"),
    ] = None,
    address: Annotated[
        str, typer.Option(help="of the cluster's dashboard", envvar="RAY_API_SERVER_ADDRESS")
    ] = "http://127.0.0.1:8265",
    working_dir: Annotated[
        Path,
        typer.Option(
            callback=given_path, help="uploaded, without what .gitignore names; the config's paths start here"
        ),
    ] = Path("."),
    wait: Annotated[bool, typer.Option(help="follow the log, and end with the sweep's exit code")] = True,
    retry_failed: RetryFailed = False,
    allow_smaller: AllowSmaller = False,
    take_over: TakeOver = False,
    anyway: Anyway = False,
    follow: Annotated[str | None, typer.Option(metavar="JOB", help="follow a job that was submitted before")] = None,
    stop: Annotated[str | None, typer.Option(metavar="JOB", help="stop a job, and wait until it has stopped")] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="list what would be uploaded, and what stays here and why; needs no cluster"),
    ] = False,
) -> None:
    """Run a sweep as a job of a Ray cluster. Ctrl-C leaves it running; submit it again to continue one that stopped.

    Example: qre submit jobs/mine.yaml --address http://127.0.0.1:8265
    """
    from jobs.records.ownership import place_of
    from jobs.submission import job as submission
    from qre.errors import UserError

    if (config is not None) + (follow is not None) + (stop is not None) != 1:
        raise UserError("give a CONFIG, or --follow JOB, or --stop JOB, one of them")
    if dry_run:
        if config is None:
            raise UserError("--dry-run goes with a CONFIG")
        code = submission.run_dry(config, working_dir)
    elif config is not None:
        asked = (
            ("--retry-failed", retry_failed),
            ("--allow-smaller", allow_smaller),
            ("--take-over", take_over),
            ("--anyway", anyway),
        )
        options = [*(option for option, given in asked if given), "--owner", place_of(config)]
        code = submission.run(config, address, working_dir, wait, options)
    elif follow is not None:
        code = submission.run_follow(address, follow)
    else:
        assert stop is not None
        code = submission.run_stop(address, stop)
    raise typer.Exit(code)

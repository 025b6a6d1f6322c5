"""`qre evaluate`."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs.commands.arguments import AsJson, ConfigFile


def evaluate(
    config: ConfigFile,
    mteb: Annotated[
        bool,
        typer.Option(
            "--mteb", help="run the MTEB tasks without a score, with MTEB's own package; their data come from the hub"
        ),
    ] = False,
    task: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="an MTEB task instead of those of the config; may be repeated"),
    ] = None,
    as_json: AsJson = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="with --mteb: say what would be run, and run nothing")
    ] = False,
) -> None:
    """Show which scores there are: measured by the sweep, imported from MTEB's results, missing. With --mteb, measure
    those that are missing.

    Example: qre evaluate jobs/mine.yaml --mteb --task STSBenchmark --dry-run
    """
    from jobs.config import load_config
    from jobs.evaluation.missing import evaluate as run_evaluation
    from jobs.sweeping.one_sweep import resolved_aloud
    from qre.store import Store

    settings = load_config(config)
    store = Store(settings.store, read_only=not mteb or dry_run)
    code = run_evaluation(
        settings, config, store, resolved_aloud(settings, store), mteb, tuple(task or ()), as_json, dry_run
    )
    raise typer.Exit(code)

"""The commands that make a map: plan, sweep, status, report, submit, evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs.commands.arguments import AllowSmaller, Anyway, AsJson, ConfigFile, OptionalConfig, RetryFailed, TakeOver, given_path


def plan(
    config: OptionalConfig = None,
    as_json: AsJson = False,
    simulate: Annotated[bool, typer.Option("--simulate", help="how long it would take on 1 to 64 GPUs, with the sweep's own scheduler")] = False,
    gpu: Annotated[str, typer.Option(help="GPU type of the simulation")] = "A100-80G",
    losses: Annotated[float, typer.Option(min=0, max=60, help="spot losses of a GPU an hour, in the simulation")] = 0.5,
    price: Annotated[list[str] | None, typer.Option(metavar="TYPE=PRICE,...", help="of a GPU hour, e.g. L4=0.80,H100=3.50; before cluster.prices")] = None,
    gpus: Annotated[bool, typer.Option("--gpus", help="show GPU types and GPU hours, also where the config asks for no GPU")] = False,
) -> None:
    """Show what a sweep would do: done, to do, failed, by family. Runs nothing.

    With --simulate also how long it would take on 1 to 64 GPUs; without CONFIG the simulation is of 1,101 encoders of usual sizes.
    Exit code 0: a sweep can begin; 1: an encoder is not available; 2: the config is wrong, or a sweep would be refused.

    Example: qre plan jobs/demo.yaml
    """
    from jobs.planning.prices import read_prices
    from jobs.planning.look import show_plan, show_simulation
    from qre.errors import UserError

    prices = read_prices(price or [])
    if config is not None:
        show_plan(config, prices, as_json, (gpu, losses) if simulate else None, gpus)
    elif simulate:
        show_simulation(None, gpu, losses, prices, as_json)
    else:
        raise UserError("plan: name a config, or give --simulate for a sweep of 1,101 encoders of usual sizes")


def sweep(
    config: ConfigFile,
    retry_failed: RetryFailed = False,
    allow_smaller: AllowSmaller = False,
    no_export: Annotated[bool, typer.Option("--no-export", help="leave the atlas in the store; qre report copies it")] = False,
    take_over: TakeOver = False,
    anyway: Anyway = False,
    place: Annotated[str | None, typer.Option("--owner", hidden=True, help="where the config is that this one is a copy of: see jobs/ownership.py")] = None,
) -> None:
    """Embed the sentences by every encoder, score them, and draw the map. Stopped or killed, the same command goes on where it was.

    Example: qre sweep jobs/demo.yaml
    """
    from jobs.config import load_config
    from jobs.on_end import on_end
    from jobs.sweeping import Asked, sweep_to_the_end

    settings = load_config(config)
    with on_end(settings.on_end, settings.name) as end:
        sweep_to_the_end(config, settings, Asked(retry_failed, allow_smaller, no_export, take_over, place, anyway), end)


def status(config: ConfigFile, as_json: AsJson = False) -> None:
    """Show how far a sweep is, from the store alone: during a run, after it, or after it died. Exit code 0, also where it is not done.

    Example: qre status jobs/demo.yaml
    """
    from jobs.config import load_config
    from jobs.show.status import print_standing, standing
    from qre.store import Store

    settings = load_config(config)
    print_standing(standing(settings, Store(settings.store, read_only=True), config), as_json)


def report(
    config: ConfigFile, out: Annotated[Path | None, typer.Option(callback=given_path, help="folder for a copy of the atlas; default: the config's export")] = None
) -> None:
    """As status; and where the map is finished, copy it here and show its figures. Exit code 0: all is done; 1: something is left or failed; 2: the config is wrong.

    Example: qre report jobs/demo.yaml --out results/copy
    """
    from jobs.sweeping import report_to_the_end

    report_to_the_end(config, out)


def submit(
    config: Annotated[Path | None, typer.Argument(callback=given_path, help="the sweep's YAML file, in the working directory", metavar="CONFIG")] = None,
    address: Annotated[str, typer.Option(help="of the cluster's dashboard", envvar="RAY_API_SERVER_ADDRESS")] = "http://127.0.0.1:8265",
    working_dir: Annotated[Path, typer.Option(callback=given_path, help="uploaded, without what .gitignore names; the config's paths start here")] = Path("."),
    wait: Annotated[bool, typer.Option(help="follow the log, and end with the sweep's exit code")] = True,
    retry_failed: RetryFailed = False,
    allow_smaller: AllowSmaller = False,
    take_over: TakeOver = False,
    anyway: Anyway = False,
    follow: Annotated[str | None, typer.Option(metavar="JOB", help="follow a job that was submitted before")] = None,
    stop: Annotated[str | None, typer.Option(metavar="JOB", help="stop a job, and wait until it has stopped")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="list what would be uploaded, and what stays here and why; needs no cluster")] = False,
) -> None:
    """Run a sweep as a job of a Ray cluster. Ctrl-C leaves it running; submitted again, it goes on where it stopped.

    Example: qre submit jobs/mine.yaml --address http://127.0.0.1:8265
    """
    from jobs.ownership import place_of
    from jobs.submission import submit as submission
    from qre.errors import UserError

    if (config is not None) + (follow is not None) + (stop is not None) != 1:
        raise UserError("give a CONFIG, or --follow JOB, or --stop JOB, one of them")
    if dry_run:
        if config is None:
            raise UserError("--dry-run goes with a CONFIG")
        code = submission.run_dry(config, working_dir)
    elif config is not None:
        asked = (("--retry-failed", retry_failed), ("--allow-smaller", allow_smaller), ("--take-over", take_over), ("--anyway", anyway))
        options = [*(option for option, given in asked if given), "--owner", place_of(config)]
        code = submission.run(config, address, working_dir, wait, options)
    else:
        code = submission.run_follow(address, follow) if follow is not None else submission.run_stop(address, stop)
    raise typer.Exit(code)


def evaluate(
    config: ConfigFile,
    mteb: Annotated[bool, typer.Option("--mteb", help="run the MTEB tasks without a score, with MTEB's own package; their data come from the hub")] = False,
    task: Annotated[list[str] | None, typer.Option(metavar="NAME", help="an MTEB task instead of those of the config; may be repeated")] = None,
    as_json: AsJson = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="with --mteb: say what would be run, and run nothing")] = False,
) -> None:
    """Show which scores there are: measured by the sweep, imported from MTEB's results, missing. With --mteb, measure those that are missing.

    Example: qre evaluate jobs/mine.yaml --mteb --task STSBenchmark --dry-run
    """
    from jobs.config import load_config
    from jobs.mteb.evaluate import evaluate as run_evaluation
    from jobs.sweeping import resolved_aloud
    from qre.store import Store

    settings = load_config(config)
    store = Store(settings.store, read_only=not mteb or dry_run)
    code = run_evaluation(settings, config, store, resolved_aloud(settings, store), mteb, tuple(task or ()), as_json, dry_run)
    raise typer.Exit(code)

"""What the `qre` command does; cli.py is where it begins and ends, and has the exit codes."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from jobs import ending
from jobs.atlas.compare import compare
from jobs.atlas.look import neighbours, rank
from jobs.atlas.place import place
from jobs.config import SweepConfig, load_config
from jobs.exports import check_export
from jobs.on_end import on_end
from jobs.outcome import check_max_failed, failed_for_now
from jobs.ownership import place_of
from jobs.planning.encoders import app as encoders_app
from jobs.planning.estimates import expected_costs, with_prices
from jobs.planning.plan import Plan, make_plan
from jobs.planning.prices import price_of, read_prices
from jobs.report import (
    console,
    counts,
    export,
    print_costs,
    print_failures,
    print_families,
    print_gpus,
    print_notes,
    print_simulation,
    print_standing,
    print_summary,
    standing,
)
from jobs.submission.dashboard import ADDRESS
from jobs.sweeping import Asked, exit_where_too_many_failed, refusals, resolved_aloud, sweep_to_the_end
from qre.encoders.cost import GPUS
from qre.errors import PlaceError, StoreRefusedNow, UserError, place_error
from qre.paths import given_path
from qre.store import CorruptArtefact, Store

app = typer.Typer(
    help="A map of sentence encoders by quantum relative entropy.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)  # fmt: skip
app.add_typer(encoders_app, name="encoders")
ConfigFile = Annotated[Path, typer.Argument(callback=given_path, help="the sweep's YAML file", metavar="CONFIG")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object instead of a table")]
AllowSmaller = Annotated[bool, typer.Option(help="replace a finished map also by one that lacks encoders because something could not be had here now")]
TakeOver = Annotated[bool, typer.Option("--take-over", help="the atlas of this name is this config's from now on, also where another config made it")]
Anyway = Annotated[bool, typer.Option("--anyway", help="begin although another run seems to be at work on this sweep: where that one is dead or hangs")]
RetryFailed = Annotated[bool, typer.Option(help="try encoders again that failed by their own fault")]


def run() -> None:
    """Run the command; errors that a person is meant to read end in one line, without a traceback."""
    try:
        app()
    except UserError as error:
        begun = isinstance(error, StoreRefusedNow) and ending.works()
        print(f"qre: {error}{'; what is done is kept' if begun else ''}", file=sys.stderr)
        raise SystemExit(1 if begun else 2) from None
    except (TimeoutError, CorruptArtefact) as error:  # the store does not answer now; or something in it went bad
        looked = isinstance(error, CorruptArtefact) and not error.moved
        print(f"qre: {error}; {'a sweep that reads it makes it again' if looked else 'run the same command again'}", file=sys.stderr)
        raise SystemExit(1) from None
    except (PlaceError, OSError) as error:
        if (fault := place_error(error)) is None:
            raise
        print(f"qre: {fault}", file=sys.stderr)
        raise SystemExit(1) from None


@app.command()
def plan(
    config: Annotated[Path | None, typer.Argument(callback=given_path, help="the sweep's YAML file", metavar="[CONFIG]")] = None,
    as_json: AsJson = False,
    simulate: Annotated[bool, typer.Option("--simulate", help="run it on paper on 1 to 64 GPUs, by the very schedule of the sweep")] = False,
    gpu: Annotated[str, typer.Option(help="GPU type of the simulation")] = "A100-80G",
    losses: Annotated[float, typer.Option(min=0, help="spot losses of a GPU an hour, in the simulation")] = 0.5,
    price: Annotated[list[str] | None, typer.Option(metavar="TYPE=PRICE,...", help="of a GPU hour, e.g. L4=0.80,H100=3.50; before cluster.prices")] = None,
) -> None:
    """Show what a sweep would do: done, to do, failed, by family. Runs nothing.

    With --simulate also how long it would take on 1 to 64 GPUs; without CONFIG the simulation is of 1,101 encoders of usual sizes.

    Example: qre plan jobs/demo.yaml
    """
    prices = read_prices(price or [])
    if config is None:
        if not simulate:
            raise UserError("plan: name a config, or give --simulate for a sweep of 1,101 encoders of usual sizes")
        _simulate(None, gpu, losses, prices, as_json)
        return
    settings = load_config(config)
    store = Store(settings.store, read_only=True)
    planned = make_plan(settings, store, resolved_aloud(settings, store))
    planned = replace(planned, notes=planned.notes + tuple(store.notes()))
    prices = {**settings.cluster.prices, **prices}
    check_max_failed(settings.cluster, planned)
    if simulate:
        _simulate((planned, settings), gpu, losses, prices, as_json)
        return
    costs = with_prices(expected_costs(planned, settings), prices)
    if as_json:
        print(json.dumps({**counts(planned), "cost": costs}))
        return
    print_notes(planned)
    for refusal in refusals(settings, store, config, planned):
        console.print(f"note: qre sweep would be refused: {refusal}", markup=False, highlight=False)
    print_families(planned)
    print_costs(costs)
    print_failures(planned)
    passes, units = len(planned.passes), sum(len(work.units) for work in planned.passes)
    console.print(f"{units} encoders to embed in {passes} passes, {len(planned.to_featurize)} to featurize", highlight=False)
    if planned.tasks:
        left = counts(planned)["to_score"]
        console.print(f"{len(planned.scored)} scores on {len(planned.tasks)} tasks are there, {left} to make", highlight=False)
    for slot, count in Counter(work.slot.name for work in planned.passes).items():
        console.print(f"  {count} with {slot} each", markup=False, highlight=False)
    console.print("the atlas is up to date" if planned.atlas_done else "the atlas is to be made", highlight=False)


@app.command()
def sweep(
    config: ConfigFile,
    retry_failed: RetryFailed = False,
    allow_smaller: AllowSmaller = False,
    no_export: Annotated[bool, typer.Option("--no-export", help="leave the atlas in the store; qre report copies it")] = False,
    take_over: TakeOver = False,
    anyway: Anyway = False,
    place: Annotated[str | None, typer.Option("--owner", hidden=True, help="where the config is that this one is a copy of: see jobs/ownership.py")] = None,
) -> None:
    """Embed, featurize and draw the map; takes up where an earlier run of the same config stopped.

    Example: qre sweep jobs/demo.yaml
    """
    settings = load_config(config)
    with on_end(settings.on_end, settings.name) as end:
        sweep_to_the_end(config, settings, Asked(retry_failed, allow_smaller, no_export, take_over, place, anyway), end)


@app.command()
def status(config: ConfigFile, as_json: AsJson = False) -> None:
    """Show how far a sweep is, from the store alone: during a run, after it, or after it died.

    Example: qre status jobs/demo.yaml
    """
    settings = load_config(config)
    print_standing(standing(settings, Store(settings.store, read_only=True), config), as_json)


@app.command()
def report(
    config: ConfigFile, out: Annotated[Path | None, typer.Option(callback=given_path, help="folder for a copy of the atlas; default: the config's export")] = None
) -> None:
    """As status; and where the atlas is whole, copy it here and show its figures. Exit code 0 where all is done.

    Example: qre report jobs/demo.yaml --out results/copy
    """
    settings = load_config(config)
    store = Store(settings.store, read_only=True)
    seen = standing(settings, store, config)
    print_standing(seen)
    target = out or (settings.export and Path(settings.export))
    if seen.plan.atlas_done:
        try:
            if target:
                check_export(target, store, settings.name, "--out" if out else "export")
                export(settings, store, target)
            print_summary(settings, store, seen.plan, target)
        except CorruptArtefact as error:
            print(f"qre: {error}; the next sweep makes the atlas again", file=sys.stderr)
            raise typer.Exit(1) from None
        except FileNotFoundError as error:  # a sweep is at work
            print(f"qre: {error}; run the same command again", file=sys.stderr)
            raise typer.Exit(1) from None
    left = failed_for_now(store, seen.plan)
    if left is None or not seen.plan.atlas_done:
        raise typer.Exit(1)
    exit_where_too_many_failed(settings, seen.plan, also=left)


@app.command()
def submit(
    config: Annotated[Path | None, typer.Argument(callback=given_path, help="the sweep's YAML file, in the working directory", metavar="CONFIG")] = None,
    address: Annotated[str, typer.Option(help="of the cluster's dashboard", envvar="RAY_API_SERVER_ADDRESS")] = ADDRESS,
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
    from jobs.submission import submit as submission

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


@app.command()
def evaluate(
    config: ConfigFile,
    mteb: Annotated[bool, typer.Option("--mteb", help="run the MTEB tasks that lack, by MTEB's own package; their data come from the hub")] = False,
    task: Annotated[list[str] | None, typer.Option(metavar="NAME", help="an MTEB task in the place of those that the config names; may be repeated")] = None,
    as_json: AsJson = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="with --mteb: say what would be run, and run nothing")] = False,
) -> None:
    """Show which scores there are: measured by the sweep, imported from MTEB's results, missing. With --mteb, measure what lacks.

    Example: qre evaluate jobs/mine.yaml --mteb --task STSBenchmark --dry-run
    """
    from jobs.mteb.evaluate import evaluate as run_evaluation

    settings = load_config(config)
    store = Store(settings.store, read_only=not mteb or dry_run)
    code = run_evaluation(settings, config, store, resolved_aloud(settings, store), mteb, tuple(task or ()), as_json, dry_run)
    raise typer.Exit(code)


@app.command()
def illustrate(
    out: Annotated[Path, typer.Option(callback=given_path, help="folder for the two figures")] = Path("results/illustration"),
    n: Annotated[int, typer.Option(min=16, max=4096, help="sentences, which is also the dimension")] = 256,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Draw low-noise and high-noise embeddings around the unit base encoder (the paper's Figure 2).

    Example: qre illustrate --out results/illustration
    """
    from qre.illustrate import illustrate as compute
    from qre.illustrate import illustration_figure

    result = compute(n=n, seed=seed)
    out.mkdir(parents=True, exist_ok=True)
    for name, content in illustration_figure(result).items():
        (out / name).write_bytes(content)
        print(out / name)


for looking in (place, neighbours, rank, compare):  # what people do with a finished map: each in a file of its own
    app.command()(looking)


def _simulate(sweep: tuple[Plan, SweepConfig] | None, gpu: str, losses: float, prices: dict[str, float], as_json: bool) -> None:
    from jobs.planning.simulate import (
        COUNT,
        on_paper,
        passes_of,
        stand_in,
        stand_in_costs,
    )

    if gpu not in (names := [one.name for one in GPUS]):
        raise UserError(f"--gpu: no type {gpu!r}; there are {', '.join(names)}")
    works = stand_in(COUNT, gpu) if sweep is None else passes_of(*sweep, gpu)
    if not works:
        raise UserError(f"nothing to simulate: no transformer is left to run, or none fits a {gpu}")
    rows = on_paper(works, losses)
    if not prices:
        costs = {}
    else:
        costs = with_prices(stand_in_costs(COUNT) if sweep is None else expected_costs(*sweep), prices)
        each = price_of(gpu, prices)
        rows = [{**row, "cost": None if each is None else row["gpus"] * row["makespan_lossy"] / 3600 * each} for row in rows]
    if as_json:
        told = {key: costs[key] for key in ("gpus", "cheapest") if costs}
        print(json.dumps({"gpu": gpu, "passes": len(works), "losses_per_hour": losses, "rows": rows, **told}))
        return
    print_simulation(rows, gpu, len(works), losses, "encoders of usual sizes" if sweep is None else "passes of this sweep")
    if costs:
        print_gpus(costs, "the same work on each GPU type, without losses and idle GPUs")

"""What `qre plan` shows: what a sweep would do, what it would cost, and how long it would take on paper."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import typer

from jobs.config import SweepConfig, load_config
from jobs.config.prices import price_of
from jobs.engine.outcome import check_max_failed, encoder_count, too_few
from jobs.engine.simulate import COUNT, on_paper, passes_of, stand_in, stand_in_costs
from jobs.planning.estimates import expected_costs, with_prices
from jobs.planning.plan import Plan, make_plan
from jobs.planning.work import RAY_SECONDS, Times, measured_factor, side_by_side
from jobs.show.cost_tables import (
    passes_in_words,
    print_costs,
    print_gpus,
    print_simulation,
    print_slots,
    print_time,
    print_tokens,
)
from jobs.show.failures import print_failures
from jobs.show.last_words import map_notes
from jobs.show.plan_tables import counts, print_families, print_notes
from jobs.sweeping.one_sweep import refusals, resolved_aloud
from jobs.terminal.console import console
from qre.counted import counted
from qre.encoders.cost import GPUS
from qre.errors import UserError
from qre.store import Store


def show_plan(
    config: Path, prices: dict[str, float], as_json: bool, simulation: tuple[str, float] | None, gpus: bool = False
) -> None:
    """What a sweep would do; with a `simulation` (GPU type, losses an hour) how long on how many GPUs instead.

    Args:
        gpus: show GPU types also where the config asks for none and no price is given.

    Raises:
        typer.Exit: 1 where an encoder is not available, 2 where a sweep would be refused.
    """
    settings = load_config(config)
    store = Store(settings.store, read_only=True)
    planned = make_plan(settings, store, resolved_aloud(settings, store))
    planned = replace(planned, notes=(*planned.notes, *map_notes(settings, store, planned), *store.notes()))
    gpus, prices = gpus or bool(prices) or settings.cluster.uses_gpus, {**settings.cluster.prices, **prices}
    if simulation is not None:
        check_max_failed(settings.cluster, planned)
        show_simulation((planned, settings), *simulation, prices, as_json)
        return
    refused = refusals(settings, store, config, planned)
    costs = with_prices(expected_costs(planned, settings, store), prices)
    if as_json:
        print(json.dumps({**counts(planned), "cost": costs, "seconds": _seconds(planned, settings, store)[0]}))
        _exit(planned, refused, aloud=False)
        return
    print_notes(planned)
    if not planned.units:
        print_failures(planned)
        _exit(planned, refused)
    print_families(planned)
    print_costs(costs, gpus)
    print_tokens(costs["endpoints"])
    print_failures(planned)
    passes, units = len(planned.passes), sum(len(work.units) for work in planned.passes)
    if passes or planned.to_featurize:
        console.print(
            f"{counted(units, 'encoder')} to embed in {passes_in_words(passes)}"
            + (f", {counted(len(planned.to_featurize), 'encoder')} without features" if planned.to_featurize else ""),
            highlight=False,
        )
    if planned.tasks:
        done, left = len(planned.scored), counts(planned)["to_score"]
        console.print(f"{done} of {done + left} scores done ({counted(len(planned.tasks), 'task')})", highlight=False)
    print_slots(costs)
    drawn = planned.atlas_done and not planned.passes
    console.print("the map is up to date" if drawn else "the map still has to be drawn", highlight=False)
    seconds, factor = _seconds(planned, settings, store)
    if seconds and not settings.cluster.uses_gpus and not settings.cluster.address:
        print_time(
            seconds, min(side_by_side(settings), max(passes, 1)), factor is not None if costs["passes"] else None
        )
    _exit(planned, refused)


def _seconds(planned: Plan, settings: SweepConfig, store: Store) -> tuple[float, float | None]:
    """Expected seconds of all that is left, on the CPUs of this machine; and the factor that was measured, where one
    was."""
    if planned.done:
        return 0.0, None
    factor = measured_factor(planned, settings, store)
    times, at_once = Times(planned, settings, factor), side_by_side(settings)
    each = [times.of(work).total for work in planned.passes]
    units = sum(len(work.units) for work in planned.passes) + len(planned.to_featurize)
    return RAY_SECONDS + max(sum(each) / at_once, max(each, default=0.0)) + times.features(units) / at_once + sum(
        times.atlas().values()
    ), factor


def _exit(planned: Plan, refused: list[str], aloud: bool = True) -> None:
    absent = encoder_count(planned) - len(planned.units)
    if why := too_few(planned):
        refused = [*refused, why]
    if absent and not refused and aloud:
        console.print(
            f"{counted(absent, 'encoder')} not available: see above for what to do; exit code 1", highlight=False
        )
    for refusal in refused if aloud else ():
        print(
            f"qre: {'nothing can run' if refusal == why else 'qre sweep would be refused'}: {refusal}", file=sys.stderr
        )
    if refused or absent:
        raise typer.Exit(2 if refused else 1)


def show_simulation(
    sweep: tuple[Plan, SweepConfig] | None, gpu: str, losses: float, prices: dict[str, float], as_json: bool
) -> None:
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
        rows = [
            {**row, "cost": None if each is None else row["gpus"] * row["makespan_lossy"] / 3600 * each} for row in rows
        ]
    if as_json:
        told = {key: costs[key] for key in ("gpus", "cheapest") if costs}
        print(json.dumps({"gpu": gpu, "passes": len(works), "losses_per_hour": losses, "rows": rows, **told}))
        return
    print_simulation(
        rows, gpu, len(works), losses, "encoders of usual sizes" if sweep is None else "passes of this sweep"
    )
    if costs:
        print_gpus(costs, "the same work on each GPU type, without losses and idle GPUs")

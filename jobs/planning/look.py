"""What `qre plan` shows: what a sweep would do, what it would cost, and how long it would take on paper."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

from jobs.config import SweepConfig, load_config
from jobs.outcome import check_max_failed
from jobs.planning.estimates import expected_costs, with_prices
from jobs.planning.plan import Plan, make_plan
from jobs.planning.prices import price_of
from jobs.planning.simulate import COUNT, on_paper, passes_of, stand_in, stand_in_costs
from jobs.show.console import console
from jobs.show.costs import print_costs, print_gpus, print_simulation
from jobs.show.failures import print_failures
from jobs.show.finished import map_notes
from jobs.show.plan import counts, print_families, print_notes
from jobs.sweeping import refusals, resolved_aloud
from qre.encoders.cost import GPUS
from qre.errors import UserError
from qre.store import Store


def show_plan(config: Path, prices: dict[str, float], as_json: bool, simulation: tuple[str, float] | None) -> None:
    """What a sweep would do; with a `simulation` (GPU type, losses an hour) how long on how many GPUs instead."""
    settings = load_config(config)
    store = Store(settings.store, read_only=True)
    planned = make_plan(settings, store, resolved_aloud(settings, store))
    planned = replace(planned, notes=(*planned.notes, *map_notes(settings, store, planned), *store.notes()))
    prices = {**settings.cluster.prices, **prices}
    check_max_failed(settings.cluster, planned)
    if simulation is not None:
        show_simulation((planned, settings), *simulation, prices, as_json)
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


def show_simulation(sweep: tuple[Plan, SweepConfig] | None, gpu: str, losses: float, prices: dict[str, float], as_json: bool) -> None:
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

"""`qre plan`."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs.commands.arguments import AsJson, OptionalConfig


def plan(
    config: OptionalConfig = None,
    as_json: AsJson = False,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="how long it would take on 1 to 64 GPUs, with the sweep's own scheduler")
    ] = False,
    gpu: Annotated[str, typer.Option(help="GPU type of the simulation")] = "A100-80G",
    losses: Annotated[float, typer.Option(min=0, max=60, help="spot losses of a GPU an hour, in the simulation")] = 0.5,
    price: Annotated[
        list[str] | None,
        typer.Option(metavar="TYPE=PRICE,...", help="of a GPU hour, e.g. L4=0.80,H100=3.50; before cluster.prices"),
    ] = None,
    gpus: Annotated[
        bool, typer.Option("--gpus", help="show GPU types and GPU hours, also where the config asks for no GPU")
    ] = False,
) -> None:
    """Show what a sweep would do: what is done, still to do, and failed, by family. Runs nothing.

    With --simulate also how long it would take on 1 to 64 GPUs; without CONFIG it simulates 1,101 encoders of usual
    sizes.
    Exit code 0: a sweep can begin; 1: an encoder is not available; 2: the config is wrong, nothing can run, or a sweep
    would be refused.

    Example: qre plan jobs/demo.yaml
    """
    from jobs.config.prices import read_prices
    from jobs.sweeping.look import show_plan, show_simulation
    from qre.errors import UserError

    prices = read_prices(price or [])
    if config is not None:
        show_plan(config, prices, as_json, (gpu, losses) if simulate else None, gpus)
    elif simulate:
        show_simulation(None, gpu, losses, prices, as_json)
    else:
        raise UserError("plan: name a config, or give --simulate for a sweep of 1,101 encoders of usual sizes")

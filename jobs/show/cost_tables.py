"""What is shown of costs: time, memory and money of what is still to run."""

from __future__ import annotations

from rich.table import Table

from jobs.records.spending import money
from jobs.terminal.console import console
from qre.counted import counted

MOST_ENDPOINTS = 5  # passes that are shown one by one


def print_costs(costs: dict, gpus: bool = True) -> None:
    """Bytes and memory of the transformers that are still to run, by the model of qre/encoders/cost.py; `gpus`: and
    their time on each GPU type."""
    if not costs["passes"]:
        return
    what = f"{counted(costs['passes'], 'transformer')} to run"
    if gpus:
        print_gpus(costs, f"{what} (estimates by a stated model: qre/encoders/cost.py)")
    else:
        console.print(what, highlight=False)
    for row in costs["largest"][:3]:
        fits = f", fits on {', '.join(row['fits']) or 'no GPU type'}" if gpus else ""
        console.print(
            f"{row['name']}: {row['parameters'] / 1e6:,.0f} M parameters, {row['memory'] / 2**30:.1f} GiB{fits}",
            markup=False,
            highlight=False,
        )
    console.print(
        f"{costs['parameters'] / 1e9:.2f} B parameters, {costs['download'] / 1e9:,.2f} GB to download, "
        f"{costs['stored'] / 1e9:,.2f} GB of embeddings "
        f"to store, at most {costs['memory'] / 2**30:.1f} GiB of memory for one",
        highlight=False,
    )


def print_tokens(endpoints: list[dict]) -> None:
    """Of each pass behind an endpoint, what it will send and what that costs; and the sum."""
    for row in endpoints[:MOST_ENDPOINTS]:
        cost = "" if row["cost"] is None else f", about {money(row['cost'])}"
        what = f"{row['name']}: about {row['tokens']:,} tokens to {row['host']}{cost}"
        console.print(what, markup=False, highlight=False)
    if len(endpoints) > 1:
        priced = [row["cost"] for row in endpoints if row["cost"] is not None]
        cost = f", about {money(sum(priced))} by price_per_million_tokens" if priced else ""
        tokens = sum(row["tokens"] for row in endpoints)
        console.print(f"{len(endpoints)} passes behind endpoints: about {tokens:,} tokens{cost}", highlight=False)


def print_gpus(costs: dict, title: str) -> None:
    """GPU hours on each type; where some have a price, their cost beside them, and which is cheapest."""
    priced = any(gpu["cost"] is not None for gpu in costs["gpus"].values())
    table = Table(title=title, title_justify="left")
    for heading in ("GPU type", "fits", "GPU hours", *(("price an hour", "cost", "") if priced else ())):
        table.add_column(heading, justify="left" if heading in ("GPU type", "") else "right")
    for name, gpu in costs["gpus"].items():
        told = (
            ("", "", "")
            if gpu["cost"] is None
            else (f"{gpu['price']:.2f}", money_in_words(gpu["cost"]), "← cheapest" * (name == costs["cheapest"]))
        )
        table.add_row(name, f"{gpu['fits']} of {costs['passes']}", _small(gpu["hours"]), *(told if priced else ()))
    console.print(table)
    for name in costs["without_estimate"]:
        console.print(f"no estimate for {name}: its price counts when it is used", highlight=False)


def print_slots(costs: dict) -> None:
    """How many passes each slot gets; where its label names a GPU type also the hours on it, and their price."""
    hours, money = 0.0, 0.0
    for name, slot in costs["slots"].items():
        told = f"; {_small(slot['hours'])} GPU hours" if slot["gpu"] else ""
        told += f", {money_in_words(slot['cost'])}" if slot["gpu"] and slot["cost"] is not None else ""
        console.print(f"  {passes_in_words(slot['passes'])}, {name} each{told}", markup=False, highlight=False)
        hours, money = hours + slot["hours"], money + (slot["cost"] or 0.0)
    if len(costs["slots"]) > 1 and hours:
        priced = all(slot["cost"] is not None for slot in costs["slots"].values() if slot["gpu"])
        with_money = f", {money_in_words(money)} at these prices" if money and priced else ""
        console.print(f"  in these slots {_small(hours)} GPU hours in all{with_money}", markup=False, highlight=False)


def passes_in_words(count: int) -> str:
    return f"{count:,} pass{'' if count == 1 else 'es'}"


def print_simulation(rows: list[dict], gpu: str, count: int, losses: float, what: str) -> None:
    """The table of `qre plan --simulate`; the cost where rows have one: of all GPUs until the end, with spot losses."""
    priced = any(row.get("cost") is not None for row in rows)
    cheapest = min((row for row in rows if row.get("cost") is not None), key=lambda row: row["cost"], default=None)
    table = Table(title=f"{count} {what} on {gpu}s, on paper", title_justify="left")
    headings = (
        "GPUs",
        "at best",
        "sweep",
        "above",
        "times ±30 %: above",
        f"and {losses:g} losses a GPU hour",
        "GPUs lost",
        "repeated",
    )
    for heading in (*headings, *(("cost",) if priced else ())):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            str(row["gpus"]),
            f"{row['bound'] / 60:.1f} min",
            f"{row['makespan'] / 60:.1f} min",
            _percent(row["above_bound"]),
            _percent(row["above_bound_unsure"]),
            f"{row['makespan_lossy'] / 60:.1f} min",
            str(row["losses"]),
            f"{_small(row['repeated_gpu_hours'])} h",
            *((money_in_words(row["cost"]) + (" ← cheapest" if row is cheapest else ""),) if priced else ()),
        )
    console.print(table)
    console.print(
        "at best: the longest pass, or all work shared evenly, whichever is more; times by the model of "
        "qre/encoders/cost.py",
        highlight=False,
    )


def money_in_words(amount: float) -> str:
    """A sum of money; one that is small is not nothing."""
    return "<0.01" if 0 < amount < 0.005 else f"{amount:,.2f}"


def _small(amount: float) -> str:
    return "<0.01" if 0 < amount < 0.005 else f"{amount:.2f}"


def _percent(share: float) -> str:
    """A share in percent, without a sign before nothing."""
    return "0 %" if abs(share) < 5e-5 else f"{share:.2%}".replace("%", " %")


def print_time(seconds: float, at_once: int, slow: bool | None) -> None:
    """The time on this machine's CPUs; `slow`: whether it is by speeds measured here, None where no transformer is
    left."""
    if seconds >= 5400:
        told = f"{seconds / 3600:.1f} h"
    elif seconds >= 90:
        told = f"{seconds / 60:.0f} min"
    else:
        told = f"{max(round(seconds / 10) * 10, 10)} s"
    by = (
        ""
        if slow is None
        else ", by speeds measured in this store"
        if slow
        else ", by speeds measured on a server's CPU: a laptop may take twice as long"
    )
    console.print(
        f"about {told} in all on CPUs, {at_once} encoder{'s' if at_once > 1 else ''} at once{by}", highlight=False
    )

"""What is shown of costs: time, memory and money of what is still to run."""

from __future__ import annotations

from rich.table import Table

from jobs.show.console import console


def print_costs(costs: dict) -> None:
    """Bytes, memory and GPU time of what is still to run, by the model of qre/encoders/cost.py."""
    if not costs["passes"]:
        return
    print_gpus(costs, f"{costs['passes']} transformers to run (estimates by a stated model: qre/encoders/cost.py)")
    for row in costs["largest"][:3]:
        console.print(
            f"{row['name']}: {row['parameters'] / 1e6:,.0f} M parameters, {row['memory'] / 2**30:.1f} GiB, fits on {', '.join(row['fits']) or 'no type'}",
            markup=False, highlight=False,
        )  # fmt: skip
    console.print(
        f"{costs['parameters'] / 1e9:.2f} B parameters, {costs['download'] / 1e9:.2f} GB to download, {costs['stored'] / 1e9:.2f} GB of embeddings "
        f"to store, at most {costs['memory'] / 2**30:.1f} GiB of memory for one", highlight=False,
    )  # fmt: skip


def print_gpus(costs: dict, title: str) -> None:
    """GPU hours on each type; where some have a price, their cost beside them, and which is cheapest."""
    priced = any(gpu["cost"] is not None for gpu in costs["gpus"].values())
    table = Table(title=title, title_justify="left")
    for heading in ("GPU type", "fits", "GPU hours", *(("price an hour", "cost", "") if priced else ())):
        table.add_column(heading, justify="left" if heading in ("GPU type", "") else "right")
    for name, gpu in costs["gpus"].items():
        money = ("", "", "") if gpu["cost"] is None else (f"{gpu['price']:.2f}", f"{gpu['cost']:.2f}", "cheapest" * (name == costs["cheapest"]))
        table.add_row(name, f"{gpu['fits']} of {costs['passes']}", f"{gpu['hours']:.2f}", *(money if priced else ()))
    console.print(table)
    for name in costs["without_estimate"]:
        console.print(f"no estimate for {name}: its price counts when it is used", highlight=False)


def print_simulation(rows: list[dict], gpu: str, count: int, losses: float, what: str) -> None:
    """The table of `qre plan --simulate`; the cost where rows have one: of all GPUs until the end, with spot losses."""
    priced = any(row.get("cost") is not None for row in rows)
    table = Table(title=f"{count} {what} on {gpu}s, on paper", title_justify="left")
    headings = ("GPUs", "at best", "sweep", "above", "times ±30 %: above", f"and {losses:g} losses a GPU hour", "GPUs lost", "repeated")
    for heading in (*headings, *(("cost",) if priced else ())):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            str(row["gpus"]), f"{row['bound'] / 60:.1f} min", f"{row['makespan'] / 60:.1f} min", f"{row['above_bound']:.2%}",
            f"{row['above_bound_unsure']:.2%}", f"{row['makespan_lossy'] / 60:.1f} min", str(row["losses"]), f"{row['repeated_gpu_hours']:.2f} h",
            *((f"{row['cost']:.2f}",) if priced else ()),
        )  # fmt: skip
    console.print(table)
    console.print(
        "at best: the longest pass, or all work shared evenly, whichever is more; times by the model of qre/encoders/cost.py", highlight=False
    )

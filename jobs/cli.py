"""The `qre` command.

Exit codes: 0 all done; 1 some encoders failed, or the sweep could not end; 2 the config or the input is wrong; 128 + signal when stopped.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jobs.config import SweepConfig, load_config
from jobs.encoders import app as encoders_app
from jobs.plan import Plan, expected_costs, make_plan
from jobs.resolve import Resolved, record_unresolved, resolve
from qre.errors import UserError
from qre.store import Store

app = typer.Typer(
    help="A map of sentence encoders by quantum relative entropy.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)  # fmt: skip
app.add_typer(encoders_app, name="encoders")
console = Console(width=None if sys.stdout.isatty() else 180)  # a log has no width of its own, and 80 would break every table
ConfigFile = Annotated[Path, typer.Argument(help="the sweep's YAML file", metavar="CONFIG")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object instead of a table")]


def main() -> None:
    """Run the command; errors that a person is meant to read end in one line, without a traceback."""
    try:
        app()
    except UserError as error:
        print(f"qre: {error}", file=sys.stderr)
        raise SystemExit(2) from None


@app.command()
def plan(config: ConfigFile, as_json: AsJson = False) -> None:
    """Show what a sweep would do: done, to do, failed, by family. Runs nothing.

    Example: qre plan jobs/demo.yaml
    """
    settings = load_config(config)
    store = Store(settings.store)
    planned = make_plan(settings, store, _resolve(settings, store))
    costs = expected_costs(planned, settings)
    if as_json:
        print(json.dumps({**_counts(planned), "cost": costs}))
        return
    _print_notes(planned)
    _print_families(planned)
    _print_costs(costs)
    _print_failures(planned)
    passes, units = len(planned.passes), sum(len(work.units) for work in planned.passes)
    console.print(f"{units} encoders to embed in {passes} passes, {len(planned.to_featurize)} to featurize", highlight=False)
    console.print("the atlas is up to date" if planned.atlas_done else "the atlas is to be made", highlight=False)


@app.command()
def sweep(
    config: ConfigFile,
    retry_failed: Annotated[bool, typer.Option(help="try encoders again that failed by their own fault")] = False,
) -> None:
    """Embed, featurize and draw the map; takes up where an earlier run of the same config stopped.

    Example: qre sweep jobs/demo.yaml
    """
    settings = load_config(config)
    store = Store(settings.store)
    resolved = _resolve(settings, store)
    planned = make_plan(settings, store, resolved, retry_failed)
    _print_notes(planned)
    record_unresolved(store, resolved)
    if planned.done:
        console.print(f"all is done: {len(planned.on_map)} encoders on the map", highlight=False)
    else:
        planned = _run(settings, store, resolved, planned)
    _export(settings, store)
    _print_summary(settings, store, planned)
    if planned.failures:
        raise typer.Exit(1)


@app.command()
def status(config: ConfigFile, as_json: AsJson = False) -> None:
    """Show how far a sweep is, from the store alone: during a run, after it, or after it died.

    Example: qre status jobs/demo.yaml
    """
    settings = load_config(config)
    store = Store(settings.store)
    planned = make_plan(settings, store, resolve(settings, store, ask_hub=False))
    progress = store.progress.read(settings.name)
    chunks = {work.units[0].spec.name: store.chunks.count(work.key) for work in planned.passes}
    chunks = {name: count for name, count in chunks.items() if count}
    if as_json:
        print(json.dumps({**_counts(planned), "chunks": chunks, "progress": progress}))
        return
    _print_families(planned)
    for name, count in chunks.items():
        console.print(f"{escape(name)}: {count} chunks kept", highlight=False)
    if progress:
        console.print("last sign of life: " + ", ".join(f"{k} {v}" for k, v in progress.items() if v not in (None, [], 0)), markup=False)
    _print_failures(planned)
    console.print("the atlas is up to date" if planned.atlas_done else "the atlas is not made yet, or not of these encoders", highlight=False)


@app.command()
def illustrate(
    out: Annotated[Path, typer.Option(help="folder for the two figures")] = Path("results/illustration"),
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


def _resolve(settings: SweepConfig, store: Store) -> Resolved:
    """The config's encoders; says how far it is while the hub is asked."""

    def told(done: int, total: int) -> None:
        if done == total or done % 100 == 0:
            print(f"hub: {done} of {total} encoders resolved", file=sys.stderr)

    return resolve(settings, store, progress=told)


def _run(settings: SweepConfig, store: Store, resolved: Resolved, planned: Plan) -> Plan:
    from jobs.progress import Reporter
    from jobs.sweep import Interrupted, SweepError
    from jobs.sweep import sweep as run_sweep

    try:
        with Reporter(console, store, settings.name) as reporter:
            return run_sweep(settings, store, resolved, planned, reporter)
    except Interrupted as stop:
        print(f"qre: {stop}; what is done is kept, and the same command goes on from there", file=sys.stderr)
        raise typer.Exit(128 + stop.signal) from None
    except KeyboardInterrupt:
        print("qre: ended at once; what is done is kept, and the same command goes on from there", file=sys.stderr)
        raise typer.Exit(130) from None
    except (SweepError, OSError) as error:
        print(f"qre: {error}; what is done is kept", file=sys.stderr)
        raise typer.Exit(1) from None


def _export(settings: SweepConfig, store: Store) -> None:
    """Copy the atlas to the folder that the config names; files that are the same already are left alone."""
    if settings.export is None:
        return
    target = Path(settings.export)
    target.mkdir(parents=True, exist_ok=True)
    for file in [*store.atlases.manifest(settings.name)["files"], "manifest.json"]:
        content = store.atlases.read(settings.name, file)
        path = target / file
        if not path.is_file() or path.read_bytes() != content:
            temporary = path.with_name(f".{file}.tmp")
            temporary.write_bytes(content)
            shutil.move(temporary, path)


def _counts(planned: Plan) -> dict:
    return {
        "units": len(planned.units),
        "embedded": len(planned.embedded),
        "featured": len(planned.featured),
        "failed": {failure.encoder: f"{failure.exception}: {failure.message}" for failure in planned.failures.values()},
        "to_embed": sum(len(work.units) for work in planned.passes),
        "passes": len(planned.passes),
        "to_featurize": len(planned.to_featurize),
        "atlas_done": planned.atlas_done,
        "sentences": len(planned.sentences),
        "notes": list(planned.notes),
    }


def _print_notes(planned: Plan) -> None:
    for note in planned.notes:
        console.print(f"note: {note}", markup=False, highlight=False)


def _print_families(planned: Plan) -> None:
    table = Table(title=f"{len(planned.units)} encoders on {len(planned.sentences)} sentences ({planned.sentences.name})", title_justify="left")
    for heading in ("family", "encoders", "embedded", "features", "failed"):
        table.add_column(heading, justify="left" if heading == "family" else "right")
    groups = {
        "encoders": [unit.key for unit in planned.units], "embedded": planned.embedded,
        "features": planned.featured, "failed": planned.failures,
    }  # fmt: skip
    family = {unit.key: unit.spec.family for unit in planned.units}
    counts = [Counter(family[key] for key in keys) for keys in groups.values()]
    for name in dict.fromkeys(family.values()):
        table.add_row(escape(name), *(str(count[name]) if count[name] else "·" for count in counts))
    console.print(table)


def _print_costs(costs: dict) -> None:
    """Bytes, memory and GPU time of what is still to run, by the model of qre/encoders/cost.py."""
    if not costs["passes"]:
        return
    table = Table(title=f"{costs['passes']} transformers to run (estimates by a stated model: qre/encoders/cost.py)", title_justify="left")
    for heading in ("GPU type", "fits", "GPU hours"):
        table.add_column(heading, justify="left" if heading == "GPU type" else "right")
    for name, gpu in costs["gpus"].items():
        table.add_row(name, f"{gpu['fits']} of {costs['passes']}", f"{gpu['hours']:.2f}")
    console.print(table)
    for row in costs["largest"][:3]:
        console.print(
            f"{row['name']}: {row['parameters'] / 1e6:,.0f} M parameters, {row['memory'] / 2**30:.1f} GiB, fits on {', '.join(row['fits']) or 'no type'}",
            markup=False, highlight=False,
        )  # fmt: skip
    console.print(
        f"{costs['parameters'] / 1e9:.2f} B parameters, {costs['download'] / 1e9:.2f} GB to download, {costs['stored'] / 1e9:.2f} GB of embeddings "
        f"to store, at most {costs['memory'] / 2**30:.1f} GiB of memory for one", highlight=False,
    )  # fmt: skip


def _print_failures(planned: Plan) -> None:
    if not planned.failures:
        return
    table = Table(title="failed", title_justify="left")
    for heading in ("encoder", "why", "what to do"):
        table.add_column(heading, overflow="fold")
    for failure in planned.failures.values():
        again = "mend it, then qre sweep --retry-failed" if failure.kind == "permanent" else "run the same command again"
        why = failure.exception if failure.remedy else f"{failure.exception}: {failure.message}"
        table.add_row(escape(failure.encoder), escape(why), escape(failure.remedy or again))
    console.print(table)


def _print_summary(settings: SweepConfig, store: Store, planned: Plan) -> None:
    """The closing word: what was made, where, and the headline figures."""
    manifest = store.atlases.manifest(settings.name)
    headline, place = manifest["headline"], settings.export or f"{store.location}/atlases/{settings.name}"
    _print_failures(planned)
    lines = [
        f"map of {headline['encoders']} encoders in {headline['families']} families on {headline['sentences']} sentences"
        + (f"; {len(planned.failures)} failed" if planned.failures else ""),
        f"of each encoder's {headline['neighbours']} nearest neighbours {headline['family_share']:.0%} are of its own family"
        f" (chance {headline['family_chance']:.0%}, p = {headline['family_p']:.1g})",
        f"not counting near-copies of itself: {headline['family_share_other_parents']:.0%}"
        f" (chance {headline['family_chance_other_parents']:.0%}, p = {headline['family_p_other_parents']:.1g})",
        f"QRE from {headline['qre_smallest']:.2f} to {headline['qre_largest']:.2f} nats; trustworthiness of the map {headline['trustworthiness']:.3f}",
        *manifest["notes"],
        f"in {place}: {', '.join([*manifest['files'], 'manifest.json'])}",
    ]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

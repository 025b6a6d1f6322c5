"""What people see of a sweep: what is done, what failed and what to do about it, the finished map. From the store alone."""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jobs.config import SweepConfig
from jobs.ownership import another, owner_of
from jobs.planning.plan import Plan, make_plan
from jobs.planning.resolve import abridged, resolve
from jobs.slots import ClusterSettings
from jobs.spending import Spent, read_spent
from jobs.workers.chunks import texts_key
from qre.encoders.passes import pass_key
from qre.errors import UserError
from qre.store import Failure, Store

console = Console(width=None if sys.stdout.isatty() else 180)  # a log has no width of its own, and 80 would break every table


@dataclass(frozen=True)
class Standing:
    """How far a sweep is.

    Attributes:
        here: the store is there, seen from this machine.
        chunks: by encoder, how many chunks of its pass are kept; only of passes that are not whole.
        progress: the last sign of life, or None.
        settings: what the config asks of Ray, with its prices.
        spent: GPU time of all runs.
        other: file of another config, which the atlas and the progress of this name belong to.
        warned: by encoder, what libraries warned of while it was loaded; of all that are read off one pass, the first is named.
    """

    plan: Plan
    here: bool
    chunks: dict[str, int]
    progress: dict | None
    settings: ClusterSettings
    spent: Spent
    warned: dict[str, list[str]] = field(default_factory=dict)
    other: str = ""


def standing(settings: SweepConfig, store: Store, config: Path | None = None) -> Standing:
    """How far a sweep is, from its store: during a run, after it, or after it died. Asks the hub nothing.

    Args:
        store: may be one that is only looked at.
        config: the file of the settings, to tell whose the atlas of this name is.

    Raises:
        UserError: naming the entry of the config; NewerSchema where an artefact that it needs is of a newer version.
    """
    plan = make_plan(settings, store, resolve(settings, store, ask_hub=False))
    kept = store.chunks.counts()
    chunks = {work.members[0].spec.name: kept[work.key] + sum(kept[texts_key(work.key, one.task)] for one in work.scorings) for work in plan.passes}
    here = not store.is_local or Path(store.location).is_dir()
    of_pass: dict[str, str] = {}
    for unit in plan.units:
        of_pass.setdefault(pass_key(unit.spec, plan.sentences.fingerprint, settings.encode), unit.spec.name)
    warned = {of_pass[key]: said for key, said in sorted(store.notices.read(of_pass).items(), key=lambda pair: of_pass[pair[0]])}
    progress, spent = store.progress.read(settings.name), read_spent(store, settings.name)
    other = ""
    if config is not None:
        other = another(store, settings.name, owner_of(settings, config, plan.sentences.fingerprint, (unit.key for unit in plan.units)))
    whose = [f"the atlas and the progress {settings.name!r} in this store belong to another config, {other}"] if other else []
    plan = replace(plan, notes=(*plan.notes, *whose, *store.notes()))
    kept_chunks = {name: count for name, count in chunks.items() if count}
    return Standing(plan, here, kept_chunks, progress, settings.cluster, spent, warned, other)


def print_standing(seen: Standing, as_json: bool = False) -> None:
    if as_json:
        progress, spent = None if seen.other else seen.progress, seen.spent.told(seen.settings)
        print(json.dumps({**counts(seen.plan), "chunks": seen.chunks, "progress": progress, "warnings": seen.warned, "spent": spent}))
        return
    if not seen.here:
        console.print("note: there is no store yet, or it is not on this machine")
    print_notes(seen.plan)
    print_families(seen.plan)
    for name, count in seen.chunks.items():
        console.print(f"{escape(name)}: {count} chunks kept", highlight=False)
    if seen.progress and not seen.other:
        told = ", ".join(
            f"{key} {'; '.join(value) if isinstance(value, list) else value}" for key, value in seen.progress.items() if value not in (None, [], 0)
        )
        console.print(f"last sign of life: {told}", markup=False)
    print_failures(seen.plan)
    print_warnings(seen.warned)
    print_spent(seen.spent, seen.settings)
    console.print("the atlas is up to date" if seen.plan.atlas_done else "the atlas is not made yet, or not of these encoders", highlight=False)


def print_spent(spent: Spent, settings: ClusterSettings) -> None:
    for line in spent.words(settings):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def export(settings: SweepConfig, store: Store, folder: Path) -> None:
    """Copy the atlas to a folder; files that are the same already are left alone.

    Raises:
        CorruptArtefact: a file failed its checksum; the atlas counts as absent, and the next sweep makes it again.
        FileNotFoundError: it is not there, or was made anew meanwhile.
    """
    manifest = _manifest(settings, store)
    folder.mkdir(parents=True, exist_ok=True)
    for file in [*manifest["files"], "manifest.json"]:
        content = store.atlases.read(settings.name, file)
        path = folder / file
        if not path.is_file() or path.read_bytes() != content:
            temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
            try:
                temporary.write_bytes(content)
                os.replace(temporary, path)
            except IsADirectoryError:
                raise UserError(f"{path} is a folder, and a file of the map is called so; move it away") from None
            finally:
                temporary.unlink(missing_ok=True)
    if _manifest(settings, store) != manifest:
        raise FileNotFoundError(f"the atlas {settings.name} was made anew while it was copied")


def verify(settings: SweepConfig, store: Store) -> None:
    """Read every file of the atlas in the store; raises as `export`."""
    for file in _manifest(settings, store)["files"]:
        store.atlases.read(settings.name, file)


def _manifest(settings: SweepConfig, store: Store) -> dict:
    manifest = store.atlases.manifest(settings.name)
    if manifest is None:
        raise FileNotFoundError(f"the atlas {settings.name} is not there, or is being made")
    return manifest


def counts(plan: Plan) -> dict:
    """A plan in numbers, for machines."""
    return {
        "units": len(plan.units),
        "embedded": len(plan.embedded),
        "featured": len(plan.featured),
        "failed": {failure.encoder: f"{failure.exception}: {failure.message}" for failure in plan.failures.values()},
        "to_embed": sum(len(work.units) for work in plan.passes),
        "passes": len(plan.passes),
        "to_featurize": len(plan.to_featurize),
        "scored": len(plan.scored),
        "to_score": sum(len(scoring.units) for work in plan.passes for scoring in work.scorings),
        "atlas_done": plan.atlas_done,
        "sentences": len(plan.sentences),
        "notes": list(plan.notes),
    }


def print_notes(plan: Plan) -> None:
    for note in plan.notes:
        console.print(f"note: {note}", markup=False, highlight=False)


def print_families(plan: Plan) -> None:
    scored = f", {len(plan.tasks)} tasks" if plan.tasks else ""
    table = Table(title=f"{len(plan.units)} encoders on {len(plan.sentences)} sentences ({plan.sentences.name}){scored}", title_justify="left")
    family = {unit.key: unit.spec.family for unit in plan.units}
    groups = {
        "encoders": [unit.key for unit in plan.units], "embedded": plan.embedded, "features": plan.featured,
        **({"scores": [key for _, key in plan.scored]} if plan.tasks else {}), "failed": [key for key in plan.failures if key in family],
    }  # fmt: skip
    for heading in ("family", *groups):
        table.add_column(heading, justify="left" if heading == "family" else "right")
    numbers = [Counter(family[key] for key in keys) for keys in groups.values()]
    for name in dict.fromkeys(family.values()):
        table.add_row(escape(name), *(str(number[name]) if number[name] else "·" for number in numbers))
    console.print(table)


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


def print_failures(plan: Plan) -> None:
    if not plan.failures:
        return
    table = Table(title="failed", title_justify="left")
    for heading in ("encoder", "why", "what to do"):
        table.add_column(heading, overflow="fold")
    for failure, names in _alike(plan.failures.values()):
        again = "mend it, then qre sweep --retry-failed" if failure.kind == "permanent" else "run the same command again"
        table.add_row(escape(names), escape(_why(failure, alone=names == failure.encoder)), escape(failure.remedy or again))
    console.print(table)


def _alike(failures: Iterable[Failure]) -> Iterator[tuple[Failure, str]]:
    """Each failure with its encoder's name; those that one fault of the machine or of the hub has made once, with the names of all."""
    groups: dict[tuple, list[Failure]] = {}
    for failure in failures:
        one = (failure.exception, failure.remedy or failure.message) if failure.kind == "transient" else failure.key
        groups.setdefault(one, []).append(failure)
    for alike in groups.values():
        names = abridged([failure.encoder for failure in alike])
        yield alike[0], f"{len(alike)} encoders: {names}" if len(alike) > 1 else names


def _why(failure: Failure, alone: bool) -> str:
    """The reason and the message, neither said twice, and where; of several encoders what is common to them."""
    where = f" (on {failure.node})" if failure.node and alone else ""
    message = failure.message.removesuffix(f"; {failure.remedy}")
    if not message or (failure.remedy and not alone):
        return failure.exception + where
    return (message if failure.exception in message else f"{failure.exception}: {message}") + where


def print_warnings(warned: dict[str, list[str]]) -> None:
    """What libraries warned of while encoders were loaded; none of it is known to change a number."""
    if not warned:
        return
    table = Table(title="warned while loading", title_justify="left")
    for heading in ("encoder", "what"):
        table.add_column(heading, overflow="fold")
    for name, said in warned.items():
        table.add_row(escape(name), escape("\n".join(said)))
    console.print(table)


def print_summary(settings: SweepConfig, store: Store, plan: Plan, folder: str | Path | None) -> None:
    """The closing word: what was made, where (None: it is in the store only), and the headline figures. FileNotFoundError where it is not there."""
    manifest = _manifest(settings, store)
    headline = manifest["headline"]
    lines = [
        f"map of {headline['encoders']} encoders in {headline['families']} families on {headline['sentences']} sentences"
        + (f"; {len(plan.failures)} failed" if plan.failures else ""),
        f"of each encoder's {headline['neighbours']} nearest neighbours {headline['family_share']:.0%} are of its own family"
        f" (chance {headline['family_chance']:.0%}, p = {headline['family_p']:.1g})",
        f"not counting near-copies of itself: {headline['family_share_other_parents']:.0%}"
        f" (chance {headline['family_chance_other_parents']:.0%}, p = {headline['family_p_other_parents']:.1g})",
        f"QRE from {headline['qre_smallest']:.2f} to {headline['qre_largest']:.2f} nats; trustworthiness of the map {headline['trustworthiness']:.3f}",
        *_prediction_lines(headline),
        *map_notes(settings, store, plan),
        f"in {folder or f'{store.location}/atlases/{settings.name}'}: {', '.join([*manifest['files'], 'manifest.json'])}",
    ]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def map_notes(settings: SweepConfig, store: Store, plan: Plan) -> tuple[str, ...]:
    """What the finished map of a plan tells its readers that the plan's own notes do not."""
    manifest = store.atlases.manifest(settings.name) if plan.atlas_done else None
    return tuple(note for note in (manifest or {}).get("notes") or () if note not in plan.notes)


def _prediction_lines(headline: dict) -> list[str]:
    """How well scores are predicted: ours, the paper's protocol, and what any reviewer would compare with."""
    from qre.atlas.report import counted, label

    if "spearman_ours" not in headline:
        return []
    told = {"ours": "", "ours+cka": "", "paper": "", "neighbours": "", "dimension": "", "spectrum": "", "cka": ""}
    for predictor in told:
        value = headline.get(f"spearman_{predictor.replace('+', '_')}")
        told[predictor] = "" if value is None else f"{label(predictor)} {value:.3f}"
    left_out = [f"{label(name)} {headline[key]:.3f}" for name in told if (key := f"spearman_{name.replace('+', '_')}_kinds") in headline]
    chance = f"; by chance 95 % are below {headline['spearman_ours_chance']:.2f}" if "spearman_ours_chance" in headline else ""
    return [
        *_left_out_lines(headline, left_out),
        f"scores on {counted(headline['predicted_tasks'], 'task')} predicted for {counted(headline['predicted_encoders'], 'encoder')}, near-copies kept "
        "together; mean Spearman:",
        f"  {told['ours']} ({headline['spearman_ours_low']:.3f} to {headline['spearman_ours_high']:.3f} over repeats), {told['ours+cka']}, {told['paper']}",
        f"  baselines: {', '.join(told[name] for name in ('neighbours', 'dimension', 'spectrum', 'cka') if told[name])}{chance}",
        f"  intervals of {headline['coverage_nominal']:.0%} hold {headline['coverage']:.1%} of the true scores of encoders of known kinds",
    ]


def _left_out_lines(headline: dict, told: list[str]) -> list[str]:
    """What is measured with kinds left out, first: it is what holds for an encoder of another origin."""
    lines = [f"scores of encoders whose whole kind was left out of {headline['kinds']}; mean Spearman: {', '.join(told)}"] if told else []
    for name, over in (("coverage_kinds_before", "groups"), ("coverage_kinds", "kinds")):
        if name in headline:
            width = f"median width {headline[f'{name}_width']:.2f}" if f"{name}_width" in headline else "without an end"
            lines.append(f"  intervals over {over} ({headline[f'{name}_nominal']:.0%}, {width}) hold {headline[name]:.1%} of their true scores")
    return lines


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

"""What is shown of a plan: what is done and what is to do, by family."""

from __future__ import annotations

from collections import Counter

from rich.markup import escape
from rich.table import Table

from jobs.engine.outcome import encoder_count
from jobs.planning.plan import Plan
from jobs.terminal.console import console, note
from qre.counted import counted

MOST_FAMILIES = 25  # rows; of more the largest are shown, and the others in one


def counts(plan: Plan) -> dict:
    """A plan in numbers, for machines."""
    return {
        "units": len(plan.units),
        "embedded": len(plan.embedded),
        "featured": len(plan.featured),
        "failed": {failure.encoder: f"{failure.exception}: {failure.message}" for failure in plan.failures.values()},
        "reasons": dict(Counter(failure.exception for failure in plan.failures.values()).most_common()),
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
    for one in plan.notes:
        note(one)


def done_in_words(plan: Plan) -> str:
    """How far a sweep is, as its bar and its record count."""
    count = encoder_count(plan)
    return f"{len(plan.embedded | plan.featured)} of {counted(count, 'encoder')}" if count else "0 encoders"


def print_families(plan: Plan) -> None:
    scored = f", {counted(len(plan.tasks), 'task')}" if plan.tasks else ""
    absent = encoder_count(plan) - len(plan.units)
    without = f" ({absent} not available)" if absent else ""
    table = Table(
        title=f"{counted(encoder_count(plan), 'encoder')}{without} on {len(plan.sentences):,} sentences "
        f"({plan.sentences.name}){scored}",
        title_justify="left",
    )
    family = {unit.key: unit.spec.family for unit in plan.units}
    groups = {
        "encoders": [unit.key for unit in plan.units],
        "embedded": plan.embedded,
        "features": plan.featured,
        **({"scores": [key for _, key in plan.scored]} if plan.tasks else {}),
        "failed": [key for key in plan.failures if key in family],
    }
    for heading in ("family", *groups):
        table.add_column(heading, justify="left" if heading == "family" else "right")
    numbers = [Counter(family[key] for key in keys) for keys in groups.values()]
    names = list(dict.fromkeys(family.values()))
    shown = names if len(names) <= MOST_FAMILIES else [name for name, _ in numbers[0].most_common(MOST_FAMILIES - 1)]
    for name in shown:
        table.add_row(escape(name), *(f"{number[name]:,}" if number[name] else "·" for number in numbers))
    if others := set(names) - set(shown):
        sums = [sum(number[name] for name in others) for number in numbers]
        table.add_row(f"{len(others):,} smaller families", *(f"{count:,}" if count else "·" for count in sums))
    console.print(table)

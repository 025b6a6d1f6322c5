"""How a sweep has ended: which failures are tolerated, and what was left at a limit."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

from jobs.config import SweepConfig
from jobs.config.slots import ClusterSettings
from jobs.planning.plan import Plan
from jobs.planning.resolve import FEWEST
from jobs.planning.units import score_key
from jobs.records.spending import read_spent
from qre.counted import counted
from qre.errors import UserError
from qre.store import Failure, Store

LIMITS = BUDGET, DEADLINE = "StoppedAtBudget", "StoppedAtDeadline"
NO_HUB = ("unreachable", "offline")  # reasons of HubProblem
MOST_TOLD = 20  # failures that on_end is told


def left_at_limit(failures: Iterable[Failure]) -> list[Failure]:
    """What was not begun, or not ended, because the budget or the time was over: no failure of an encoder."""
    return [failure for failure in failures if failure.exception in LIMITS]


def _keys(plan: Plan) -> dict[str, set[str]]:
    """By unit, the keys of its failures: its own, and those of its scores."""
    return {unit.key: {unit.key, *(score_key(task, unit.key) for task in plan.tasks)} for unit in plan.units}


def failed_encoders(plan: Plan, also: Iterable[str] = ()) -> int:
    """Encoders that failed: not available, without an embedding or features, or without a score that failed; each once.

    Args:
        also: keys of units and scores that count as failed too.
    """
    return len(failed_keys(plan, also))


def failed_keys(plan: Plan, also: Iterable[str] = ()) -> set[str]:
    """As failed_encoders: keys of units, and of encoders that are not available."""
    failed = {key for key, failure in plan.failures.items() if failure.exception not in LIMITS} | set(also)
    if not failed:
        return set()
    keys = _keys(plan)
    return {unit for unit, own in keys.items() if not failed.isdisjoint(own)} | failed.difference(*keys.values())


def failed_for_now(store: Store, plan: Plan) -> set[str] | None:
    """Keys of what is left to do, where the machine has failed all of it, on record; None where something is left that
    nobody has tried."""
    left = {unit.key for unit in plan.to_featurize} | {unit.key for work in plan.passes for unit in work.units}
    left |= {score_key(one.task, unit.key) for work in plan.passes for one in work.scorings for unit in one.units}
    return left if not left or left <= store.failures.keys() else None


def encoder_count(plan: Plan) -> int:
    """Encoders that the config names, with those that are not available."""
    return len(plan.units) + len(set(plan.failures).difference(*_keys(plan).values()))


def too_few(plan: Plan) -> str:
    """Why a map of this plan cannot be made, and the fix, where too few encoders are available; "" where enough are."""
    left = sum(unit.key not in plan.failures for unit in plan.units)
    if left >= FEWEST:
        return ""
    count = encoder_count(plan)
    are = "is" if left == 1 else "are"
    told = f"{left} of {counted(count, 'encoder')} {are} available, and a map needs at least {FEWEST}"
    if any(failure.exception in NO_HUB for failure in plan.failures.values()):
        told += (
            "; the hub cannot be reached. `encoders: [{source: catalogue, name: demo}]` in the config needs none; or "
            "fetch them on a machine "
            "with a network, `hf download ID`, into a shared HF_HOME"
        )
    return told


def most_failed(settings: ClusterSettings, plan: Plan) -> int:
    """cluster.max_failed as a count."""
    share = settings.max_failed
    return int(Fraction(share.rstrip("%")) / 100 * encoder_count(plan)) if isinstance(share, str) else share


def check_max_failed(settings: ClusterSettings, plan: Plan) -> None:
    """UserError where cluster.max_failed is more than there are encoders, as far as all of them are known."""
    most, count = most_failed(settings, plan), encoder_count(plan)
    if most > count and not plan.incomplete:
        raise UserError(
            f"cluster.max_failed: {most} is more than the {count} encoders that there are; a share is written as 5%"
        )


def tolerated(settings: ClusterSettings, plan: Plan, also: Iterable[str] = ()) -> str | None:
    """In words, where some encoders failed, and no more than cluster.max_failed: the sweep has done what it can. ""
    where none failed.

    Args:
        also: as of failed_encoders.

    Returns:
        None where too many failed, some were left at a limit, or the hub could not be asked for some: how many those
        are is not known.
    """
    also = set(also)
    if not plan.failures and not also:
        return ""
    unasked = set(plan.failures).difference(*_keys(plan).values())
    if any(plan.failures[key].kind == "transient" for key in unasked) or left_at_limit(plan.failures.values()):
        return None
    failed = failed_encoders(plan, also)
    if failed > most_failed(settings, plan):
        return None
    return (
        f"{failed} of {encoder_count(plan)} encoders failed, no more than cluster.max_failed "
        f"({settings.max_failed}) allows: exit code 0"
    )


def facts(config: SweepConfig, store: Store, plan: Plan, target: str | None) -> dict:
    """What on_end is told of a sweep: counts of encoders, the first failures, GPU hours, money, and where things
    are."""
    count, failed, waiting = (
        encoder_count(plan),
        failed_encoders(plan),
        {unit.key for work in plan.passes for unit in work.members},
    )
    done = sum(unit.key in plan.featured and unit.key not in waiting and not plan.failed(unit) for unit in plan.units)
    left = {failure.key for failure in left_at_limit(plan.failures.values())}
    failures = [failure for failure in plan.failures.values() if failure.key not in left]
    spent = read_spent(store, config.name).told(config.cluster)
    there = store.atlases.manifest(config.name) is not None
    exported = str(Path(target).absolute()) if target and (Path(target) / "manifest.json").is_file() else None
    return {
        "encoders": {"done": done, "failed": failed, "waiting": max(count - done - failed, 0)},
        "failures": [
            {"name": one.encoder, "reason": f"{one.exception}: {one.message}"[:500]} for one in failures[:MOST_TOLD]
        ],
        "gpu_hours": spent["gpu_hours"],
        "cost": spent["cost"],
        "store": store.location,
        "map": exported or f"{store.location}/atlases/{config.name}" if there else None,
    }

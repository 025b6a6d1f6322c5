"""What is shown of failures and warnings, and what to do about them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from rich.markup import escape
from rich.table import Table

from jobs.planning.plan import Plan
from jobs.planning.resolved import abridged
from jobs.planning.units import score_key
from jobs.terminal.console import console
from qre.counted import counted
from qre.store import Failure

SHOWN = 3  # names in one row, and rows of one reason
OF_CONFIG = ("wrong entry",)
OF_FILES = ("unusable folder", "ZeroRowError", "SafetensorError", "JSONDecodeError")


def print_failures(plan: Plan) -> None:
    if not plan.failures:
        return
    table = Table(title="failed", title_justify="left")
    for heading in ("encoder", "why", "what to do"):
        table.add_column(heading, overflow="fold")
    alike = list(_alike(plan.failures.values()))
    scores = {score_key(task, unit.key) for task in plan.tasks for unit in plan.units}
    for failures in alike:
        table.add_row(
            escape(_whose(failures, scores)),
            escape(_why(failures[0], alone=len(failures) == 1)),
            escape(failures[0].remedy or _what_to_do(failures[0])),
        )
    console.print(table)
    if max(map(len, alike)) > SHOWN:
        console.print("qre plan --json has all their names, each with its reason", highlight=False)


def _whose(failures: Sequence[Failure], scores: Container[str]) -> str:
    """The name of what failed; of several how many encoders and scores they are, and the first names.

    Args:
        scores: the keys of failures that are of a score alone.
    """
    names = [failure.encoder for failure in failures]
    if len(names) == 1:
        return names[0]
    of_scores = sum(failure.key in scores for failure in failures)
    counts = [("encoder", len(failures) - of_scores), ("score", of_scores)]
    return f"{' and '.join(counted(count, noun) for noun, count in counts if count)}: {abridged(names)}"


def _what_to_do(failure: Failure) -> str:
    """Where the record names no remedy: to be tried again as it is; to be changed in the config; or to be fixed in its
    files."""
    if failure.kind == "transient":
        return "run the same command again"
    if failure.exception in OF_CONFIG:
        return "change or remove its entry in the config"
    if failure.exception in OF_FILES or "file" in failure.message:
        return "fix its files, then qre sweep --retry-failed"
    if failure.exception == "EncoderError":
        return "mend what is told, then qre sweep --retry-failed"
    return "leave it out; or, if something here has changed, qre sweep --retry-failed"


def _alike(failures: Iterable[Failure]) -> list[list[Failure]]:
    """Each failure; in one row those that one fault of the machine or of the hub has made, and those of one reason and
    remedy where they are many: the largest rows first."""
    groups: dict[tuple[str, ...], list[Failure]] = {}
    for failure in failures:
        remedy = failure.remedy or (failure.message if failure.kind == "transient" else failure.key)
        groups.setdefault((failure.kind, failure.exception, remedy), []).append(failure)
    rows: list[list[Failure]] = []
    for (kind, _, _), group in groups.items():
        rows += [group] if kind == "transient" or len(group) > SHOWN else [[failure] for failure in group]
    return sorted(rows, key=lambda row: -len(row))


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

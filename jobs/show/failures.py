"""What is shown of failures and warnings, and what to do about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.markup import escape
from rich.table import Table

from jobs.planning.plan import Plan
from jobs.planning.resolved import abridged
from jobs.terminal.console import console
from qre.store import Failure

OF_CONFIG = ("wrong entry",)
OF_FILES = ("unusable folder", "ZeroRowError", "EncoderError", "SafetensorError", "JSONDecodeError")


def print_failures(plan: Plan) -> None:
    if not plan.failures:
        return
    table = Table(title="failed", title_justify="left")
    for heading in ("encoder", "why", "what to do"):
        table.add_column(heading, overflow="fold")
    for failure, names in _alike(plan.failures.values()):
        table.add_row(
            escape(names),
            escape(_why(failure, alone=names == failure.encoder)),
            escape(failure.remedy or _what_to_do(failure)),
        )
    console.print(table)


def _what_to_do(failure: Failure) -> str:
    """Where the record names no remedy: to be tried again as it is; to be changed in the config; or to be fixed in its
    files."""
    if failure.kind == "transient":
        return "run the same command again"
    if failure.exception in OF_CONFIG:
        return "change or remove its entry in the config"
    if failure.exception in OF_FILES or "file" in failure.message:
        return "fix its files, then qre sweep --retry-failed"
    return "leave it out; or, if something here has changed, qre sweep --retry-failed"


def _alike(failures: Iterable[Failure]) -> Iterator[tuple[Failure, str]]:
    """Each failure with its encoder's name; those that one fault of the machine or of the hub has made once, with the
    names of all."""
    groups: dict[tuple[str, ...], list[Failure]] = {}
    for failure in failures:
        alone = (failure.key,)
        one = (failure.exception, failure.remedy or failure.message) if failure.kind == "transient" else alone
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

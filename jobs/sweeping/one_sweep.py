"""One sweep as the command runs it: from its config to the copy of its map, the last words and the exit code."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from jobs import ending
from jobs.config import SweepConfig, load_config
from jobs.config.deadline import seconds_left
from jobs.engine.outcome import check_max_failed, facts, failed_encoders, failed_for_now, left_at_limit, tolerated
from jobs.planning.paid import check_endpoints
from jobs.planning.plan import Plan, make_plan
from jobs.planning.resolve import record_unresolved, resolve
from jobs.planning.resolved import Resolved
from jobs.records.exports import check_export, export, verify
from jobs.records.ownership import check_owner, claim, claim_finished, owner_of
from jobs.records.running import at_work, check_alone
from jobs.records.spending import money, read_spent
from jobs.show.failures import print_failures
from jobs.show.last_words import print_summary
from jobs.show.plan_tables import print_notes
from jobs.show.sweep_status import print_spent, print_standing, standing
from jobs.sweeping.telling import End, unusable
from jobs.terminal.bar import Bar
from jobs.terminal.console import console, hub_progress
from qre.errors import PlaceError, StoreRefused, StoreRefusedNow, UserError, place_error
from qre.store import CorruptArtefact, Store


@dataclass(frozen=True)
class Asked:
    """Options of `qre sweep`."""

    retry_failed: bool = False
    allow_smaller: bool = False
    no_export: bool = False
    take_over: bool = False
    place: str | None = None
    anyway: bool = False
    look: Callable[[Resolved], None] = lambda resolved: None  # at what the config names, before any work


def sweep_to_the_end(config: Path, settings: SweepConfig, asked: Asked, end: End) -> None:
    store = Store(settings.store)
    dead = None if asked.anyway else check_alone(store, settings.name)
    target = None if asked.no_export else settings.export
    if target:
        check_export(Path(target), store, settings.name)
    with Bar(console) as bar:
        bar.stage("reading the sentences, the encoders and the store", aloud=False)
        resolved = resolved_aloud(settings, store, to_run=True)
        end.facts = lambda: facts(settings, store, make_plan(settings, store, resolved), target)
        planned = make_plan(settings, store, resolved, asked.retry_failed)
    ending.outlast_readers()  # from its first line on: whoever reads may go away
    asked.look(resolved)
    print_notes(replace(planned, notes=planned.notes + tuple(store.notes())))
    _check_limits(settings, planned)
    resolved.owner = owner_of(
        settings, config, planned.sentences.fingerprint, (unit.key for unit in planned.units), asked.place
    )
    if asked.take_over or not planned.done:
        claim(store, settings.name, resolved.owner, asked.take_over)
    else:
        claim_finished(store, settings.name, resolved.owner)
    record_unresolved(store, resolved)
    with contextlib.nullcontext() if planned.done else at_work(store, settings.name, asked.anyway, dead):
        planned = _run_to_export(settings, store, resolved, planned, target, asked.allow_smaller)
    end.facts = lambda: facts(settings, store, planned, target)
    print_failures(planned)
    print_summary(settings, store, planned, target, config)
    _print_spent(settings, store)
    if asked.no_export:
        to = f" to {_as_written(settings.export, settings)}" if settings.export else ", with --out"
        console.print(f"qre report {config} copies it{to}", markup=False, highlight=False)
    end.message = _last_words(planned)
    if left := left_at_limit(planned.failures.values()):
        end.outcome, end.message = "stopped", left[0].message
        print(f"qre: {left[0].message}", file=sys.stderr)
        raise typer.Exit(1)
    exit_where_too_many_failed(settings, planned, end)


def _as_written(target: str, settings: SweepConfig) -> str:
    """The export as the config has it: a job's copy of the config lies in another folder, which tells people
    nothing."""
    return os.path.relpath(target, settings.folder) if "export" in settings.moved else target


def _last_words(planned: Plan) -> str:
    failed = failed_encoders(planned)
    return f"map of {len(planned.on_map)} encoders" + (f"; {failed} failed" if failed else "")


def _check_limits(settings: SweepConfig, planned: Plan) -> None:
    """UserError where what the config bounds the sweep by cannot be."""
    check_max_failed(settings.cluster, planned)
    check_endpoints(planned)
    deadline = settings.cluster.deadline
    if deadline is not None and planned.passes and seconds_left(deadline) <= 0:
        raise UserError(
            f"cluster.deadline: {deadline} has passed, and {len(planned.passes)} passes are left; give a later one"
        )


def refusals(settings: SweepConfig, store: Store, config: Path, planned: Plan) -> list[str]:
    """Why a sweep would be refused before it begins, as far as looking tells."""
    found = []
    owner = owner_of(settings, config, planned.sentences.fingerprint, (unit.key for unit in planned.units))
    checks = [
        lambda: _check_limits(settings, planned),
        lambda: check_owner(store, settings.name, owner),
        lambda: _check_budget(settings, store, planned),
    ]
    if target := settings.export:
        checks.append(lambda: check_export(Path(target), store, settings.name))
    if settings.on_end is not None and (why := unusable(settings.on_end)):
        found.append(f"on_end: {why}")
    for check in checks:
        try:
            check()
        except (UserError, PlaceError) as error:
            found.append(str(error))
    return found


def _check_budget(settings: SweepConfig, store: Store, planned: Plan) -> None:
    """UserError where what earlier runs have spent leaves nothing of cluster.budget."""
    budget, spent = settings.cluster.budget, read_spent(store, settings.name).cost(settings.cluster.prices) or 0.0
    if budget is not None and planned.passes and spent >= budget:
        raise UserError(
            f"cluster.budget: {money(spent)} of {money(budget)} is spent, and {len(planned.passes)} passes are left; "
            "raise it"
        )


def exit_where_too_many_failed(
    settings: SweepConfig, planned: Plan, end: End | None = None, also: set[str] | frozenset[str] = frozenset()
) -> None:
    """Exit code 1 where more encoders failed than cluster.max_failed allows."""
    words = tolerated(settings.cluster, planned, also)
    if words is None:
        if end is not None:
            end.outcome = "failed"
        raise typer.Exit(1)
    if words:
        console.print(words, markup=False, highlight=False)


def resolved_aloud(settings: SweepConfig, store: Store, to_run: bool = False) -> Resolved:
    """The config's encoders; says how far it is while the hub is asked. Where a sweep is `to_run`, ready vectors go
    into the store."""
    return resolve(settings, store, progress=hub_progress, keep_vectors=to_run)


def report_to_the_end(config: Path, out: Path | None) -> None:
    """Show how far a sweep is, and where its map is finished, copy it and show its figures; typer.Exit where it is not
    all done."""
    settings = load_config(config)
    store = Store(settings.store, read_only=True)
    seen = standing(settings, store, config)
    print_standing(seen)
    target = out or (settings.export and Path(settings.export))
    if seen.plan.atlas_done:
        try:
            if target:
                check_export(target, store, settings.name, "--out" if out else "export")
                export(settings, store, target)
            print_summary(settings, store, seen.plan, target, config)
        except CorruptArtefact as error:
            print(f"qre: {error}; the next sweep makes the atlas again", file=sys.stderr)
            raise typer.Exit(1) from None
        except FileNotFoundError as error:  # a sweep is at work
            print(f"qre: {error}; run the same command again", file=sys.stderr)
            raise typer.Exit(1) from None
    left = failed_for_now(store, seen.plan)
    if left is None or not seen.plan.atlas_done:
        raise typer.Exit(1)
    exit_where_too_many_failed(settings, seen.plan, also=left)


def _run_to_export(
    settings: SweepConfig,
    store: Store,
    resolved: Resolved,
    planned: Plan,
    target: str | None,
    allow_smaller: bool,
    again: bool = True,
) -> Plan:
    """Run what is left, and copy the atlas; once more where a file of it turns out to be corrupt."""
    standing_before = planned.done
    if standing_before:
        console.print(f"all is done: {len(planned.on_map)} encoders on the map", highlight=False)
    else:
        planned = _run(settings, store, resolved, planned, allow_smaller)
    try:
        if target:
            export(settings, store, Path(target))
        elif standing_before:
            verify(settings, store)
    except (CorruptArtefact, FileNotFoundError) as error:
        print(f"qre: {error}", file=sys.stderr)
        if not again:
            raise typer.Exit(1) from None
        return _run_to_export(
            settings, store, resolved, make_plan(settings, store, resolved), target, allow_smaller, again=False
        )
    return planned


def _print_spent(settings: SweepConfig, store: Store) -> None:
    """What all runs have spent; nothing where the store does not tell it now."""
    with contextlib.suppress(OSError):
        print_spent(read_spent(store, settings.name), settings.cluster)


def _run(settings: SweepConfig, store: Store, resolved: Resolved, planned: Plan, allow_smaller: bool) -> Plan:
    with Bar(console) as bar:
        bar.stage("loading Ray", aloud=False)  # for seconds
        from jobs.engine.connect import Interrupted, SweepError
        from jobs.engine.progress import Reporter
        from jobs.engine.rounds import sweep as run_sweep

    try:
        with Reporter(console, store, settings.name) as reporter:
            return run_sweep(settings, store, resolved, planned, reporter, allow_smaller)
    except Interrupted as stop:
        ending.tell(f"qre: {stop}; {ending.KEPT}")
        _print_spent(settings, store)
        raise typer.Exit(128 + stop.signal) from stop
    except ending.Stopped:
        raise  # Ray was starting, or ending
    except KeyboardInterrupt:
        ending.tell(f"qre: ended at once; {ending.KEPT}")
        raise typer.Exit(128 + (ending.asked() or signal.SIGINT)) from None
    except (SweepError, PlaceError, OSError) as error:
        if isinstance(error, StoreRefused) and not isinstance(error, StoreRefusedNow):
            raise  # from the start: the config or the credentials are wrong
        ending.check()  # a signal to all processes of a job ends Ray's too
        print_failures(planned)
        print(f"qre: {place_error(error) or error}; what is done is kept", file=sys.stderr)
        _print_spent(settings, store)
        raise typer.Exit(1) from error

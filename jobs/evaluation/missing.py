"""`qre evaluate`: which scores there are, and MTEB's tasks run for the encoders that lack a result."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from jobs import ending
from jobs.config import MtebScores, SweepConfig
from jobs.evaluation.actor import Evaluation
from jobs.mteb.chosen import INSTALL, by_name, check_names, chosen, installed, kinds
from jobs.mteb.joined import Encoder, published
from jobs.mteb.own_results import known_failures, local_encoders, read_own
from jobs.mteb.public_scores import PublicScores
from jobs.mteb.run import task_of
from jobs.mteb.stated import Stated, stated
from jobs.planning.costs import slots_of, weight_bytes
from jobs.planning.plan import Plan, make_plan
from jobs.planning.resolved import Resolved
from jobs.terminal.console import console, say
from qre.encoders.spec import FolderSpec, HubSpec
from qre.errors import UserError
from qre.store import Store
from qre.tasks.mteb import Rule

NOBODY = "no encoder here has results of its own: MTEB's tasks are run for whole encoders of the hub or of folders"


def evaluate(
    config: SweepConfig,
    path: Path,
    store: Store,
    resolved: Resolved,
    mteb: bool,
    names: Sequence[str],
    as_json: bool,
    dry_run: bool,
) -> int:
    """Show the scores; with `mteb` run what lacks. Returns the exit code.

    Args:
        path: of the config, for what is said.
        names: MTEB tasks in the place of those that the config names.

    Raises:
        UserError: results cannot be read, a task or benchmark is not known, or the package of MTEB is needed and not
            installed.
    """
    if mteb and not installed():
        raise UserError(f"--mteb: {INSTALL}")
    scores, plan = resolved.public, make_plan(config, store, resolved)
    tasks = _to_run(config, scores, names) if mteb or names else {}
    works = lacking(config, store, resolved, plan, scores, tasks)
    refused = {work.name: work.refusal for work in works if work.refusal}
    works = [work for work in works if not work.refusal]
    rows = coverage(scores, plan, _encoders(resolved), tasks)
    failed = {
        key: why
        for key, why in known_failures(store, _encoders(resolved)).items()
        if key in {(w.name, t) for w in works for t, _ in w.tasks}
    }
    told = {
        "tasks": rows,
        "notes": list(plan.notes),
        "report": scores.report.to_dict("records"),
        "to_run": [
            {
                "encoder": w.name,
                "id": w.encoder.id,
                "revision": w.encoder.revision,
                "tasks": [name for name, _ in w.tasks],
            }
            for w in works
        ],
        "refused": [{"encoder": encoder, "why": why} for encoder, why in refused.items()],
        "failed_before": [{"encoder": encoder, "task": task, "why": why} for (encoder, task), why in failed.items()],
    }
    if not as_json:
        _print(told, resolved, mteb or bool(names))
    code = 0
    if mteb and not dry_run:
        code, told["ran"] = _run(
            config, store, works, resolved, (lambda text: print(text, file=sys.stderr)) if as_json else say
        )
        code = code or int(bool(refused))
    if as_json:
        print(json.dumps(told))
    elif mteb:
        _print_next(config, path, works, tasks, dry_run, scores)
    return code


def _encoders(resolved: Resolved) -> list[Encoder]:
    return [*published(resolved.specs), *local_encoders(resolved.specs)]


def _to_run(config: SweepConfig, scores: PublicScores, names: Sequence[str]) -> dict[str, Rule | None]:
    """The tasks by name, with what counts of each.

    Raises:
        UserError: none are named, or one is not known.
    """
    if names:
        check_names(names, "--task", scores.tasks)
        found = {name: by_name((name,)).rules.get(name) for name in names}
    else:
        entries = [
            (f"tasks[{number}]", entry) for number, entry in enumerate(config.tasks) if isinstance(entry, MtebScores)
        ]
        found = {}
        for place, entry in entries:
            wanted = chosen(entry, place)
            for name in scores.tasks if wanted.names is None else wanted.names:
                found.setdefault(name, wanted.rules.get(name))
    if not found:
        raise UserError(
            "no MTEB task is named: add an entry {source: mteb, tasks: [...]} or {source: mteb, benchmark: ...} to "
            "tasks:, or give --task NAME"
        )
    if installed():
        for name, rule in found.items():
            task_of(name, rule)
    return found


def lacking(
    config: SweepConfig,
    store: Store,
    resolved: Resolved,
    plan: Plan,
    scores: PublicScores,
    tasks: dict[str, Rule | None],
) -> list[Evaluation]:
    """What is to run: of each encoder, once for an id and revision, the tasks that it has no score of; those with a
    `refusal` are not to run."""
    encoders = _encoders(resolved)
    have = set(zip(scores.table.name, scores.table.task, strict=True))
    if tasks and encoders:  # --task may name some that the config does not take in
        own = read_own(store, encoders, set(tasks), {name: rule for name, rule in tasks.items() if rule}).table
        made = set(zip(own.model, own.revision, own.task, strict=True))
        have |= {(one.name, task) for one in encoders for task in tasks if (one.id, one.revision, task) in made}
    specs = {spec.name: spec for spec in resolved.specs}
    works = {}
    for encoder in encoders:
        lacks = tuple((name, rule) for name, rule in tasks.items() if (encoder.name, name) not in have)
        if lacks and (encoder.id, encoder.revision) not in works:
            spec = specs[encoder.name]
            assert isinstance(spec, HubSpec | FolderSpec)  # others have no results of their own
            prompts, default, refusal = prompts_of(spec)
            slots = slots_of(spec, resolved.attributes.get(encoder.name, {}), config)
            seconds = float(weight_bytes(spec) * len(lacks))
            told = (tuple(prompts.items()), lacks, seconds, slots[0], isinstance(spec, HubSpec), default, refusal)
            works[encoder.id, encoder.revision] = Evaluation(encoder, spec, *told, slots=slots)
    return sorted(works.values(), key=lambda work: (-work.seconds, work.key))


def prompts_of(spec: HubSpec | FolderSpec) -> tuple[dict[str, str], str, str]:
    """(prompts, default, refusal): what MTEB puts before texts by name, and where none is named; and why the encoder
    cannot be measured as MTEB does, or "".

    The registry's prompts take the place of all the encoder's own. sentence-transformers has the sides "query" and
    "document", empty where no file states them.
    """
    known = stated(spec.id) if isinstance(spec, HubSpec) and installed() else Stated()
    if known.prompts is None:
        return {"query": "", "document": "", **dict(spec.prompts)}, spec.default_prompt, known.refusal
    default = next(
        (
            known.prompts.get(name, "")
            for name, text in spec.prompts
            if spec.default_prompt and text == spec.default_prompt
        ),
        "",
    )
    return dict(known.prompts), default, known.refusal


def coverage(scores: PublicScores, plan: Plan, encoders: Sequence[Encoder], tasks: Iterable[str] = ()) -> list[dict]:
    """A row (plain values) for each task: how many encoders have a score, measured by the sweep or imported, and how
    many have none.

    Of the sweep's own tasks every encoder of it is to have a score; of MTEB's those that are whole (`encoders`).
    """
    by_task: dict[str, set] = {}
    for task, key in plan.scored:
        by_task.setdefault(task, set()).add(key)
    rows = [
        {
            "task": task.name,
            "kind": task.kind,
            "measured": len(by_task.get(key, ())),
            "imported": 0,
            "missing": plan.scores_wanted // len(plan.tasks) - len(by_task.get(key, ())),
        }
        for key, task in plan.tasks.items()
    ]
    counts = scores.table.groupby("task").name.nunique()
    for task in dict.fromkeys([*scores.tasks, *tasks]):
        have = int(counts.get(task, 0))
        rows.append(
            {
                "task": task,
                "kind": kinds().get(task, ""),
                "measured": 0,
                "imported": have,
                "missing": len(encoders) - have,
            }
        )
    return rows


def _print(told: dict, resolved: Resolved, ran: bool) -> None:
    for note in told["notes"]:
        console.print(f"note: {note}", markup=False, highlight=False)
    for failure in resolved.unresolved:
        console.print(f"not available: {failure.encoder}: {failure.exception}", markup=False, highlight=False)
    table = Table(title=f"scores of {len(resolved.specs)} encoders", title_justify="left")
    for column in ("task", "kind", "measured", "imported", "missing"):
        table.add_column(column, justify="left" if column in ("task", "kind") else "right")
    for row in told["tasks"]:
        table.add_row(*(escape(str(value)) for value in row.values()))
    console.print(table if told["tasks"] else "the config names no tasks")
    for row in told["refused"]:
        console.print(f"not run: {row['encoder']}: {row['why']}", markup=False, highlight=False)
    for row in told["failed_before"]:
        console.print(f"failed before: {row['encoder']}: {row['task']}: {row['why']}", markup=False, highlight=False)
    if ran:
        count = sum(len(row["tasks"]) for row in told["to_run"])
        console.print(f"{count} MTEB tasks to run, for {len(told['to_run'])} encoders", highlight=False)
        for row in told["to_run"]:
            more = f" and {len(row['tasks']) - 5} more" if len(row["tasks"]) > 5 else ""
            console.print(f"  {row['encoder']}: {', '.join(row['tasks'][:5])}{more}", markup=False, highlight=False)


def _run(
    config: SweepConfig, store: Store, works: list[Evaluation], resolved: Resolved, say: Callable[[str], None]
) -> tuple[int, list[dict]]:
    """(exit code, what has become of each encoder: plain values)."""
    from ray.exceptions import RayError

    from jobs.engine.connect import Interrupted, Stop, SweepError, cluster
    from jobs.evaluation.evaluations import Evaluations

    if not works:
        say(
            NOBODY
            if not _encoders(resolved)
            else "nothing to run: every encoder that can be measured here has its results"
        )
        return int(bool(resolved.unresolved or resolved.unasked)), []
    ended, code = [], 0
    with cluster(config.cluster):
        ending.outlast_readers()
        stop = Stop(config.cluster.grace_seconds)
        loop = Evaluations(config, store, works, stop, say)
        try:
            loop.run()
        except Interrupted as interrupted:
            ending.tell(f"qre: {interrupted}; results that are done are kept; run the same command to continue")
            code = 128 + interrupted.signal
        except KeyboardInterrupt:
            ending.tell("qre: ended at once; results that are done are kept; run the same command to continue")
            code = 128 + (ending.asked() or signal.SIGINT)
        except (SweepError, RayError, OSError) as error:
            print(f"qre: {error}; results that are done are kept", file=sys.stderr)
            code = 1
        finally:
            stop.restore()
    for key, one in loop.ended.items():
        ended.append({"encoder": one.encoder, "key": key, "scores": one.scores, "failures": one.failures})
    return code or int(
        bool(resolved.unresolved or resolved.unasked) or any(one.failures for one in loop.ended.values())
    ), ended


def _print_next(
    config: SweepConfig, path: Path, works: list[Evaluation], tasks: dict, dry_run: bool, scores: PublicScores
) -> None:
    if dry_run:
        say("nothing was run (--dry-run)")
    elif works:
        strange = [name for name in tasks if name not in scores.tasks]
        if strange:
            say(f"to include them, name {', '.join(strange)} in an mteb entry of tasks: in {path}")
        say(f"next: qre sweep {path} adds the scores")

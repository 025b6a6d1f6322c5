"""What a person asks of `qre sparsify`, checked before any work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import TypeAdapter

from jobs.asked.models import given, spec_of
from jobs.asked.sparse_curve import Asked, check_save, curve, save
from jobs.config import FolderEntry, HubEntry
from jobs.planning.tasks import tasks_built_in
from jobs.start.own_tasks import chosen_tasks
from jobs.terminal.console import note
from qre.encoders.hub_problems import HubProblem
from qre.encoders.spec import FolderSpec, HubSpec
from qre.encoders.variants import BUILTIN, Score, Sparsify
from qre.errors import EncoderError, PlaceError, UserError
from qre.near_names import did_you_mean
from qre.paths import given_path
from qre.sparsify.corpus import builtin_pairs, read_pairs
from qre.tasks.pairs import STSTask
from qre.tasks.task import Task
from qre.tasks.task_files import read_task
from qre.tasks.task_spec import TaskFile

SCOPES = ("global", "layer")
BUILTIN_STS = ("builtin/sts", "builtin/sts-topic")


@dataclass(frozen=True)
class Options:
    """The options of the command, as they were given."""

    shares: str
    scores: str
    seeds: int
    scope: str
    pairs: str
    batches: int
    tasks: tuple[str, ...]
    pooling: str | None
    out: Path
    save: Path | None
    share: float | None
    device: str


def run(model: str, options: Options) -> None:
    """Make the curve, or save one encoder of it.

    Raises:
        UserError: an option, a file or the model is wrong; an encoder's own fault is one here, since it was named.
        PlaceError: the hub does not answer now.
    """
    try:
        _run(model, options)
    except HubProblem as problem:
        raise (PlaceError if problem.transient else UserError)(str(problem)) from None
    except EncoderError as error:
        raise UserError(f"{model}: {error}") from None


def _run(model: str, options: Options) -> None:
    scores, shares = _scores(options.scores), _shares(options.shares)
    scope: Any = _one_of("--scope", options.scope, SCOPES)
    if (options.save is None) != (options.share is None):
        raise UserError("--save and --share go together: --save DIR --share 0.1")
    if options.share is not None:
        _check_share("--share", options.share)
    if options.save is not None:
        check_save(options.save)
    elif options.out.exists() and not options.out.is_dir():
        raise UserError(f"--out {options.out}: is a file; name a folder")
    pairs = builtin_pairs() if options.pairs == BUILTIN else read_pairs(given_path(options.pairs))
    tasks = _tasks(options.tasks) if options.save is None else []
    spec = _spec(model, options.pooling)
    if options.save is not None and options.share is not None:
        if (spec.base_path if isinstance(spec, FolderSpec) else spec.base) is not None:
            raise UserError(f"--save: {model} is an adapter; merge it into its base (merge_and_unload), and save that")
        asked = Sparsify(share=options.share, score=scores[0], scope=scope, batches=options.batches)
        save(spec, asked, pairs, options.device, options.save)
        return
    for text in (text for task in tasks for text in task.notes):
        note(text)
    asked_for = Asked(shares, scores, options.seeds, scope, pairs, options.batches, options.device)
    curve(spec, tasks, asked_for, options.out)


def _spec(model: str, pooling: str | None) -> FolderSpec | HubSpec:
    """The spec of what was named, once it is known to have weights that may be zero.

    Raises:
        UserError: it is no transformer, or has a pooling of its own.
        EncoderError: see spec_of.
    """
    (named,) = given([model], {"pooling": pooling}, trust_remote_code=False)
    if not isinstance(named.source, FolderEntry | HubEntry):
        raise UserError(f"{model}: a matrix of vectors has no weights; name an encoder")
    spec = spec_of(named.source)
    assert isinstance(spec, FolderSpec | HubSpec)  # of these entries
    if pooling is not None and not spec.plain:
        raise UserError(f"--pooling is for an encoder without modules.json; {model} has a pipeline of its own")
    return spec


def _tasks(asked: Sequence[str]) -> list[STSTask]:
    """The STS tasks that are asked for.

    Raises:
        UserError: another kind of task; a file is missing or not in order.
    """
    for one in asked:
        if not one.startswith("sts=") and one not in BUILTIN_STS:
            raise UserError(f"--task {one}: give sts=FILE, or one of {', '.join(BUILTIN_STS)}")
    read = TypeAdapter(TaskFile).validate_python
    found: list[Task] = []
    for chosen in chosen_tasks(asked or BUILTIN_STS, None, None, None):
        if chosen.builtin:
            found += [task for task in tasks_built_in() if task.name in chosen.entry["include"]]
        else:
            found.append(read_task(read(chosen.entry)))
    return [task for task in {task.fingerprint: task for task in found}.values() if isinstance(task, STSTask)]


def _shares(text: str) -> tuple[float, ...]:
    """Distinct shares in order, 0 among them."""
    shares = {0.0}
    for part in text.split(","):
        try:
            shares.add(float(part))
        except ValueError:
            raise UserError(f"--shares: {part.strip()!r} is not a number; give shares such as 0,0.1,0.2") from None
        _check_share("--shares", float(part))
    return tuple(sorted(shares))


def _check_share(option: str, share: float) -> None:
    if not 0 <= share < 1:  # also NaN
        raise UserError(f"{option}: {share:g} is not a share: give 0 or more, and less than 1 (0.1 for 10 %)")


def _scores(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_one_of("--scores", part.strip(), get_args(Score)) for part in text.split(",")))


def _one_of(option: str, word: str, known: Sequence[str]) -> Any:
    if word not in known:
        raise UserError(f"{option}: {word!r} is none of {', '.join(known)}{did_you_mean(word, known)}")
    return word

"""The tasks that a config names: built in, or from files."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.config import BuiltinSentences, MtebScores, SweepConfig
from qre.errors import UserError
from qre.sentences.builtin import generate, similarity
from qre.tasks.builtin_tasks import builtin_tasks
from qre.tasks.task import Task
from qre.tasks.task_files import read_task
from qre.tasks.task_spec import BuiltinTasks

BUILTIN_SENTENCES, BUILTIN_SEED = 1500, 1  # of the built-in tasks; not the seed of the sentence set: see builtin_tasks


def load_tasks(config: SweepConfig) -> tuple[dict[str, Task], list[str]]:
    """The tasks that the sweep itself scores, by fingerprint, in the order of the config; and notes on those that are
    left out.

    Raises:
        UserError: a file is missing or not in order, or two tasks have one name; it names the entry.
    """
    tasks: dict[str, Task] = {}
    notes: list[str] = []
    places: dict[str, str] = {}
    for place, task in _tasks(config):
        if task.name in places:
            raise UserError(
                f"{place}: a task is named {task.name!r} already ({places[task.name]}); names are what people read, "
                f"so give it another"
            )
        places[task.name] = place
        notes += task.notes
        if task.fingerprint in tasks:
            notes.append(f"task {task.name!r} is the same as {tasks[task.fingerprint].name!r}; it is left out")
        tasks.setdefault(task.fingerprint, task)
    return tasks, notes


def _tasks(config: SweepConfig) -> Iterator[tuple[str, Task]]:
    for number, entry in enumerate(config.tasks):
        place = f"tasks[{number}]"
        if isinstance(entry, MtebScores):
            continue
        if isinstance(entry, BuiltinTasks):
            yield from ((place, task) for task in _builtin(config) if task.name in entry.names())
            continue
        try:
            yield place, read_task(entry)
        except UserError as error:
            raise UserError(f"{place}: {error}") from None


def _builtin(config: SweepConfig) -> tuple[Task, ...]:
    taken = config.sentences.seed if isinstance(config.sentences, BuiltinSentences) else 0
    return tasks_built_in(BUILTIN_SEED if taken != BUILTIN_SEED else BUILTIN_SEED + 1)


def tasks_built_in(seed: int = BUILTIN_SEED) -> tuple[Task, ...]:
    """The built-in tasks, on built-in sentences of this seed."""
    sentences = generate(BUILTIN_SENTENCES, seed)
    return builtin_tasks(
        [one.text for one in sentences],
        [one.topic for one in sentences],
        [one.group for one in sentences],
        lambda i, j: similarity(sentences[i], sentences[j]),
    )

"""From the files that a spec names to tasks, every value checked on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from qre.errors import UserError
from qre.tasks.classes import Spellings, spelt_alike
from qre.tasks.classification import ClassificationTask
from qre.tasks.clustering import ClusteringTask
from qre.tasks.columns import Table, read_json, read_table
from qre.tasks.pairs import PairsTask, STSTask
from qre.tasks.retrieval_files import read_retrieval
from qre.tasks.task import Task
from qre.tasks.task_spec import (
    AnalogiesFile,
    ClassificationFile,
    ClusteringFile,
    PairsFile,
    RetrievalFile,
    STSFile,
    TaskFile,
    WordPairsFile,
    WordSimilarityFile,
)
from qre.tasks.values import names, number, texts
from qre.tasks.word_task_files import read_analogies, read_word_pairs, read_word_similarity


def read_task(spec: TaskFile) -> Task:
    """The task of a spec.

    Raises:
        UserError: a file is missing or not in order; it names file, line and fix.
    """
    return _READ[type(spec)](spec)


def _noted(task: Task, notes: Sequence[str]) -> Task:
    """The task with what a person should know of it."""
    task.notes = tuple(f"task {task.name!r}: {note}" for note in notes)
    return task


def _sts(spec: STSFile) -> Task:
    table = read_table(spec.path, spec.columns, spec.format)
    scores = [number(table, row, value, "score") for row, value in enumerate(table.columns["score"])]
    if len(set(scores)) < 2:
        raise UserError(f"{spec.path}: all scores are the same, so there is nothing to order")
    return STSTask(spec.name, spec.split, texts(table, "sentence1"), texts(table, "sentence2"), scores)


def _pairs(spec: PairsFile) -> Task:
    table = read_table(spec.path, spec.columns, spec.format)
    labels = [number(table, row, value, "label") for row, value in enumerate(table.columns["label"])]
    for row, label in enumerate(labels):
        if label not in (0, 1):
            raise table.error(
                row, f"label {table.columns['label'][row]!r}; 1 for a pair that belongs together, 0 for another"
            )
    if len(set(labels)) < 2:
        raise UserError(f"{spec.path}: all labels are {labels[0]:g}; pairs of both kinds are needed")
    return PairsTask(
        spec.name, spec.split, texts(table, "sentence1"), texts(table, "sentence2"), [int(label) for label in labels]
    )


def _classification(spec: ClassificationFile) -> Task:
    train, test = (read_table(path, spec.columns, spec.format) for path in (spec.train, spec.test))
    spellings = Spellings()
    train_labels, test_labels = (_labels(table, spec.label_groups, spellings) for table in (train, test))
    known = _several(spec.train, train_labels)
    for row, label in enumerate(test_labels):
        if label not in known:
            raise test.error(row, f"class {label!r} is not in the training file {spec.train}")
    task = ClassificationTask(
        spec.name,
        spec.split,
        (texts(train, "text"), train_labels),
        (texts(test, "text"), test_labels),
        spec.samples_per_label,
        spec.repeats,
    )
    return _noted(task, spellings.notes())


def _clustering(spec: ClusteringFile) -> Task:
    table = read_table(spec.path, spec.columns, spec.format)
    spellings, of_sets = Spellings(), Spellings()
    sentences, labels = texts(table, "text"), _labels(table, spec.label_groups, spellings)
    sets = [of_sets.one(one) for one in names(table, "set")] if "set" in table.columns else None
    notes = spellings.notes() + of_sets.notes()
    _several(spec.path, labels)
    if sets is None:
        return _noted(
            ClusteringTask(spec.name, spec.split, sentences, labels, None, spec.sample, spec.repeats, spec.documents),
            notes,
        )
    if given := spec.model_fields_set & {"sample", "repeats", "documents"}:
        raise UserError(
            f"task {spec.name}: {' and '.join(sorted(given))} are not for several sets; each set is clustered once, "
            f"all of it"
        )
    if len(set(sets)) < 2:
        raise UserError(f"{spec.path}: one set only; leave the column out, and samples of it are clustered")
    for one in dict.fromkeys(sets):
        _several(f"{spec.path}: set {one!r}", [label for label, of in zip(labels, sets) if of == one])
    return _noted(ClusteringTask(spec.name, spec.split, sentences, labels, sets), notes)


_READ: dict[type, Callable[[Any], Task]] = {
    STSFile: _sts,
    PairsFile: _pairs,
    ClassificationFile: _classification,
    ClusteringFile: _clustering,
    RetrievalFile: read_retrieval,
    WordSimilarityFile: read_word_similarity,
    WordPairsFile: read_word_pairs,
    AnalogiesFile: read_analogies,
}


def _labels(table: Table, groups: str | None, spellings: Spellings) -> list[str]:
    """The classes: labels, or the groups that they belong to."""
    labels = names(table, "label")
    if groups is None:
        return [spellings.one(label) for label in labels]
    value = read_json(groups)
    if not isinstance(value, dict) or not all(isinstance(members, list) for members in value.values()):
        raise UserError(f"{groups}: an object {{group: [labels]}} is needed")
    group = {spelt_alike(str(label)): name for name, members in value.items() for label in members}
    counts = Counter(spelt_alike(str(label)) for members in value.values() for label in members)
    if twice := [label for label, count in counts.items() if count > 1]:
        raise UserError(f"{groups}: label {twice[0]!r} is in more than one group")
    for row, label in enumerate(labels):
        if spelt_alike(label) not in group:
            raise table.error(row, f"label {label!r} is in no group of {groups}")
    return [spellings.one(group[spelt_alike(label)]) for label in labels]


def _several(place: str, labels: Sequence[str]) -> set[str]:
    """The classes; UserError where there are fewer than two."""
    classes = set(labels)
    if len(classes) < 2:
        raise UserError(f"{place}: {len(classes)} class, at least 2 are needed")
    return classes

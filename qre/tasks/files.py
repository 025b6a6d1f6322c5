"""From the files that a spec names to tasks, every value checked on the way."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from qre.errors import UserError
from qre.tasks.classification import ClassificationTask
from qre.tasks.clustering import ClusteringTask
from qre.tasks.retrieval import RetrievalTask
from qre.tasks.similarity import PairsTask, STSTask
from qre.tasks.spec import ClassificationFile, ClusteringFile, PairsFile, RetrievalFile, STSFile, TaskFile
from qre.tasks.tables import Table, read_json, read_table
from qre.tasks.task import Task


def read_task(spec: TaskFile) -> Task:
    """The task of a spec.

    Raises:
        UserError: a file is missing or not in order; it names file, line and mend.
    """
    return _READ[type(spec)](spec)


def _sts(spec: STSFile) -> Task:
    table = read_table(spec.path, spec.columns, spec.format)
    scores = [_number(table, row, value, "score") for row, value in enumerate(table.columns["score"])]
    if len(set(scores)) < 2:
        raise UserError(f"{spec.path}: all scores are the same, so there is nothing to order")
    return STSTask(spec.name, spec.split, _texts(table, "sentence1"), _texts(table, "sentence2"), scores)


def _pairs(spec: PairsFile) -> Task:
    table = read_table(spec.path, spec.columns, spec.format)
    labels = [_number(table, row, value, "label") for row, value in enumerate(table.columns["label"])]
    for row, label in enumerate(labels):
        if label not in (0, 1):
            raise table.error(row, f"label {table.columns['label'][row]!r}; 1 for a pair that belongs together, 0 for another")
    if len(set(labels)) < 2:
        raise UserError(f"{spec.path}: all labels are {labels[0]:g}; pairs of both kinds are needed")
    return PairsTask(spec.name, spec.split, _texts(table, "sentence1"), _texts(table, "sentence2"), [int(label) for label in labels])


def _classification(spec: ClassificationFile) -> Task:
    train, test = (read_table(path, spec.columns, spec.format) for path in (spec.train, spec.test))
    train_labels, test_labels = (_labels(table, spec.label_groups) for table in (train, test))
    known = _several(spec.train, train_labels)
    for row, label in enumerate(test_labels):
        if label not in known:
            raise test.error(row, f"class {label!r} is not in the training file {spec.train}")
    return ClassificationTask(
        spec.name, spec.split, (_texts(train, "text"), train_labels), (_texts(test, "text"), test_labels), spec.samples_per_label, spec.repeats
    )  # fmt: skip


def _clustering(spec: ClusteringFile) -> Task:
    table = read_table(spec.path, spec.columns, spec.format)
    texts, labels = _texts(table, "text"), _labels(table, spec.label_groups)
    sets = _names(table, "set") if "set" in table.columns else None
    _several(spec.path, labels)
    if sets is None:
        return ClusteringTask(spec.name, spec.split, texts, labels, None, spec.sample, spec.repeats, spec.documents)
    if given := spec.model_fields_set & {"sample", "repeats", "documents"}:
        raise UserError(f"task {spec.name}: {' and '.join(sorted(given))} are not for several sets; each set is clustered once, all of it")
    if len(set(sets)) < 2:
        raise UserError(f"{spec.path}: one set only; leave the column out, and samples of it are clustered")
    for one in dict.fromkeys(sets):
        _several(f"{spec.path}: set {one!r}", [label for label, of in zip(labels, sets) if of == one])
    return ClusteringTask(spec.name, spec.split, texts, labels, sets)


def _retrieval(spec: RetrievalFile) -> Task:
    documents, queries, judged = (
        read_table(path, columns, spec.format)
        for path, columns in ((spec.corpus, spec.corpus_columns), (spec.queries, spec.query_columns), (spec.qrels, spec.qrels_columns))
    )
    corpus = dict(zip(_distinct_ids(documents), _titled_texts(documents)))
    asked = dict(zip(_distinct_ids(queries), _texts(queries, "text")))
    qrels: dict[str, dict[str, int]] = {}
    for row, (query, document) in enumerate(zip(_names(judged, "query"), _names(judged, "document"))):
        relevance = _number(judged, row, judged.columns["relevance"][row], "relevance")
        if relevance != int(relevance):
            raise judged.error(row, f"relevance {relevance:g}; a whole number is needed")
        for kind, key, known, path in (("query", query, asked, spec.queries), ("document", document, corpus, spec.corpus)):
            if key not in known:
                raise judged.error(row, f"{kind} {key!r} is not in {path}")
        if document in qrels.setdefault(query, {}):
            raise judged.error(row, f"query {query!r} and document {document!r} stand here twice")
        qrels[query][document] = int(relevance)
    if not any(relevance > 0 for relevances in qrels.values() for relevance in relevances.values()):
        raise UserError(f"{spec.qrels}: no document is relevant for any query")
    return RetrievalTask(spec.name, spec.split, corpus, asked, qrels, spec.ignore_identical_ids, spec.query_prompt, spec.document_prompt)


_READ = {STSFile: _sts, PairsFile: _pairs, ClassificationFile: _classification, ClusteringFile: _clustering, RetrievalFile: _retrieval}


def _texts(table: Table, field: str, may_be_empty: bool = False) -> list[str]:
    """A column of texts, as they are in the file."""
    for row, value in enumerate(table.columns[field]):
        if value is None or value == "" or (isinstance(value, str) and not value.strip()):
            if not may_be_empty:
                raise table.error(row, f"empty {field}; mend or remove the row")
        elif not isinstance(value, str):
            raise table.error(row, f"{field} is {type(value).__name__}, not text")
        elif not _is_text(value):
            raise table.error(row, f"{field} holds half a character (a lone surrogate); mend the text")
    return [value or "" for value in table.columns[field]]


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # JSON can escape one half of a surrogate pair, which no encoder can take
        return False
    return True


def _titled_texts(documents: Table) -> list[str]:
    """Title and text with a space between, as MTEB joins them."""
    if "title" not in documents.columns:
        return [text.strip() for text in _texts(documents, "text")]
    titles, texts = _texts(documents, "title", may_be_empty=True), _texts(documents, "text", may_be_empty=True)
    joined = [f"{title} {text}".strip() for title, text in zip(titles, texts)]
    for row, text in enumerate(joined):
        if not text:
            raise documents.error(row, "neither title nor text; mend or remove the row")
    return joined


def _names(table: Table, field: str) -> list[str]:
    """A column of ids or labels: text or whole numbers, as text."""
    for row, value in enumerate(table.columns[field]):
        if not isinstance(value, (str, int)) or isinstance(value, bool) or value == "":
            raise table.error(row, f"{field} {value!r}; text or a whole number is needed")
    return [str(value) for value in table.columns[field]]


def _distinct_ids(table: Table) -> list[str]:
    ids = _names(table, "id")
    seen: set[str] = set()
    for row, one in enumerate(ids):
        if one in seen:
            raise table.error(row, f"id {one!r} stands here again; ids are distinct")
        seen.add(one)
    return ids


def _labels(table: Table, groups: str | None) -> list[str]:
    """The labels, or the groups that they belong to."""
    labels = _names(table, "label")
    if groups is None:
        return labels
    value = read_json(groups)
    if not isinstance(value, dict) or not all(isinstance(members, list) for members in value.values()):
        raise UserError(f"{groups}: an object {{group: [labels]}} is needed")
    group = {str(label): name for name, members in value.items() for label in members}
    if twice := [label for label, count in Counter(str(label) for members in value.values() for label in members).items() if count > 1]:
        raise UserError(f"{groups}: label {twice[0]!r} is in more than one group")
    for row, label in enumerate(labels):
        if label not in group:
            raise table.error(row, f"label {label!r} is in no group of {groups}")
    return [group[label] for label in labels]


def _several(place: str, labels: Sequence[str]) -> set[str]:
    """The classes; UserError where there are fewer than two."""
    classes = set(labels)
    if len(classes) < 2:
        raise UserError(f"{place}: {len(classes)} class, at least 2 are needed")
    return classes


def _number(table: Table, row: int, value: object, field: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise table.error(row, f"{field} {value!r} is not a number")
    return number

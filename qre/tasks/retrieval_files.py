"""The three files of a retrieval task, as BEIR has them or under other names."""

from __future__ import annotations

from qre.counted import counted
from qre.errors import UserError
from qre.tasks.columns import Table, read_table
from qre.tasks.retrieval import RetrievalTask
from qre.tasks.task_spec import RetrievalFile
from qre.tasks.values import names, number, texts

DROP = "; or on_problem: drop leaves it out"


def read_retrieval(spec: RetrievalFile) -> RetrievalTask:
    """The task of a spec; what is left out by `on_problem: drop` is in its notes.

    A relevant document that is not in the corpus cannot be found, and stays in the ideal ranking, as MTEB and trec_eval
    have it.

    Raises:
        UserError: a file is missing or not in order; it names file, line and fix.
    """
    documents, queries, judged = (
        read_table(path, columns, spec.format, option)
        for path, columns, option in (
            (spec.corpus, spec.corpus_columns, "corpus_columns"),
            (spec.queries, spec.query_columns, "query_columns"),
            (spec.qrels, spec.qrels_columns, "qrels_columns"),
        )
    )
    notes: list[str] = []
    drop = spec.on_problem == "drop"
    documents, bodies = _without_empty(documents, _bodies(documents), drop, notes)
    queries, questions = _without_empty(queries, texts(queries, "text", may_be_empty=True), drop, notes)
    corpus, asked = dict(zip(_distinct_ids(documents), bodies)), dict(zip(_distinct_ids(queries), questions))
    qrels = _judgements(judged, spec, asked, corpus, notes)
    if not any(gain > 0 and document in corpus for gains in qrels.values() for document, gain in gains.items()):
        raise UserError(
            f"{spec.qrels}: no document is relevant for any query" + (f" of those in {spec.corpus}" if notes else "")
        )
    task = RetrievalTask(
        spec.name, spec.split, corpus, asked, qrels, spec.ignore_identical_ids, spec.query_prompt, spec.document_prompt
    )
    task.notes = tuple(f"task {spec.name!r}: {note}" for note in notes)
    return task


def _bodies(documents: Table) -> list[str]:
    """Title and text with a space between, as MTEB joins them."""
    bodies = texts(documents, "text", may_be_empty=True)
    titles = texts(documents, "title", may_be_empty=True) if "title" in documents.columns else [""] * len(bodies)
    return [f"{title} {text}".strip() for title, text in zip(titles, bodies)]


def _without_empty(table: Table, values: list[str], drop: bool, notes: list[str]) -> tuple[Table, list[str]]:
    """The rows with a text, and their texts."""
    empty = {row for row, text in enumerate(values) if not text.strip()}
    if not empty:
        return table, values
    what = "neither title nor text" if "title" in table.columns else "empty text"
    if not drop:
        raise table.error(min(empty), f"{what}; fix or remove the row{DROP}")
    notes.append(
        f"{table.path}: {counted(len(empty), 'row')} with {what} left out, the first in line {table.lines[min(empty)]}"
    )
    return table.without(empty), [text for row, text in enumerate(values) if row not in empty]


def _distinct_ids(table: Table) -> list[str]:
    ids = names(table, "id")
    seen: set[str] = set()
    for row, one in enumerate(ids):
        if one in seen:
            raise table.error(row, f"id {one!r} is here again; ids are distinct")
        seen.add(one)
    return ids


def _judgements(
    judged: Table, spec: RetrievalFile, asked: dict[str, str], corpus: dict[str, str], notes: list[str]
) -> dict[str, dict[str, int]]:
    """query -> document -> relevance; with `on_problem: drop` documents may be absent, and what is of absent queries is
    left out."""
    drop = spec.on_problem == "drop"
    qrels: dict[str, dict[str, int]] = {}
    absent: dict[str, list[int]] = {"query": [], "document": []}
    queried, found = names(judged, "query"), names(judged, "document")
    for row, (query, document) in enumerate(zip(queried, found, strict=True)):
        gain = (
            number(judged, row, judged.columns["relevance"][row], "relevance") if "relevance" in judged.columns else 1
        )
        if gain != int(gain):
            raise judged.error(row, f"relevance {gain:g}; a whole number is needed")
        for kind, key, known, path in (
            ("query", query, asked, spec.queries),
            ("document", document, corpus, spec.corpus),
        ):
            if key not in known:
                absent[kind].append(row)
                if not drop:
                    raise judged.error(row, f"{kind} {key!r} is not in {path}{DROP}")
        gains = qrels.setdefault(query, {})
        if document in gains and not (drop and gains[document] == gain):
            raise judged.error(row, f"query {query!r} and document {document!r} are here twice")
        gains[document] = int(gain)
    lost = {queried[row] for row in absent["document"] if queried[row] in asked and qrels[queried[row]][found[row]] > 0}
    lower = (
        f"; {counted(len(lost), 'query')} can never be answered fully, so every score is lower"
        if len(lost) != 1
        else f"; query {next(iter(lost))!r} can never be answered fully, so every score is lower"
    )
    for kind, ids, path, then in (
        ("query", queried, spec.queries, "; the judgement is left out"),
        ("document", found, spec.corpus, lower if lost else ""),
    ):
        if rows := absent[kind]:
            more = f" (and {counted(len(rows) - 1, 'more judgement')} of an absent {kind})" if len(rows) > 1 else ""
            notes.append(
                f"{judged.path} line {judged.lines[rows[0]]}: {kind} {ids[rows[0]]!r} is not in {path}{more}{then}"
            )
    return {query: gains for query, gains in qrels.items() if query in asked}

"""The tasks of a new config: files are found, their columns too, and each task is read once, as the sweep will read
it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from jobs.start.headers import ID, Head, head_of, is_id, is_label, is_long_text, is_number, is_text
from qre.counted import counted
from qre.errors import UserError
from qre.near_names import did_you_mean
from qre.tables import ENDINGS, PACKED_ENDINGS, ending
from qre.tasks.task_files import read_task
from qre.tasks.task_spec import BUILTIN_NAMES, TaskFile

KINDS = ("retrieval", "sts", "pairs", "classification", "clustering")
FORM = {
    "retrieval": "--task retrieval=FOLDER (with queries, documents and relevant in it, or in BEIR's layout), or "
    "--queries FILE --documents FILE --relevant FILE",
    "sts": "--task sts=FILE (two texts and a score a row)",
    "pairs": "--task pairs=FILE (two texts and a label, 0 or 1, a row)",
    "classification": "--task classification=TRAIN,TEST (a text and a label a row), or a folder that holds both",
    "clustering": "--task clustering=FILE (a text and a label a row)",
}
FILES = {
    "documents": ("documents", "corpus", "docs", "passages", "collection"),
    "queries": ("queries", "query", "questions", "topics"),
    "relevant": ("relevant", "qrels", "relevance", "judgements", "judgments", "qrels/test", "qrels/dev", "qrels/train"),
    "train": ("train", "training"),
    "test": ("test",),
}
FIRST = ("sentence1", "sentence_1", "text1", "text_1", "sent1", "question1", "s1", "a", "first", "left", "premise")
SECOND = (
    "sentence2",
    "sentence_2",
    "text2",
    "text_2",
    "sent2",
    "question2",
    "s2",
    "b",
    "second",
    "right",
    "hypothesis",
)
SCORE = ("score", "gold", "similarity", "similarity_score", "relatedness_score", "rating", "label")
PAIR_LABEL = ("label", "is_duplicate", "duplicate", "same", "match", "score")
LABEL = ("label", "labels", "class", "category", "intent", "topic", "target", "sentiment", "label_text")
QUERY = ("query", "query_id", "qid", "q", "question", "question_id", "topic")
DOCUMENT = ("document", "corpus_id", "document_id", "doc_id", "docid", "doc", "did", "pid", "passage", "passage_id")
RELEVANCE = ("relevance", "score", "rel", "relevant", "label", "grade", "gain", "rating")


@dataclass(frozen=True)
class ChosenTask:
    """A task of a config: its entry, what it is made of, and what people should know. Of a retrieval task `documents`
    are (file, column of their texts)."""

    entry: dict
    made_of: str
    notes: list[str] = field(default_factory=list)
    documents: tuple[Path, str] | None = None

    @property
    def builtin(self) -> bool:
        return self.entry["source"] == "builtin"

    @property
    def told(self) -> str:
        """With the name by which `qre rank --task` knows it, in one line."""
        words = self.made_of if self.builtin else f"task {self.entry['name']!r} ({self.made_of})"
        return words if words.isprintable() else ascii(words)[1:-1]


def chosen_tasks(
    asked: Sequence[str], queries: Path | None, documents: Path | None, relevant: Path | None
) -> list[ChosenTask]:
    """The tasks that are asked for, each KIND=PLACE, "builtin", or a name of the built-in ones; the built-in ones where
    none is.

    Raises:
        UserError: no such kind; files are missing or not in order; two tasks of one name.
    """
    three = (queries, documents, relevant)
    asked = [*asked, *(["retrieval"] if any(three) and "retrieval" not in asked else [])]
    found = [_task(one, three) for one in asked] or [_task("builtin", three)]
    names: set[str] = set()
    for task in found:
        name, number = task.entry.get("name", ""), 2
        while name and task.entry["name"] in names:
            task.entry["name"], number = f"{name}-{number}", number + 1
        names.add(task.entry.get("name", ""))
    return found


def _task(asked: str, three: tuple[Path | None, ...]) -> ChosenTask:
    kind, _, place = asked.partition("=")
    if kind == "builtin":
        return _builtin(place)
    if kind in BUILTIN_NAMES:
        return _builtin(kind)
    if kind not in KINDS:
        known = (*KINDS, "builtin")
        raise UserError(
            f"--task {asked}: no kind {kind!r}; there are {', '.join(known)}"
            f"{did_you_mean(kind, known) or did_you_mean(kind, BUILTIN_NAMES)}"
            + ("; write KIND=FILE" if Path(asked).exists() else "")
        )
    if kind == "retrieval" and not place:
        return _of_three_files(*three)
    if not place:
        raise UserError(f"--task {kind}: give its file: {FORM[kind]}")
    if kind == "retrieval":
        folder = _folder(place, kind)
        queries, documents, relevant = (_in_folder(folder, what) for what in ("queries", "documents", "relevant"))
        return _retrieval(queries, documents, relevant, _folder_name(folder, kind))
    if kind == "classification":
        return _classification(place)
    return _of_one_file(kind, Path(place).expanduser())


def _builtin(place: str) -> ChosenTask:
    """The built-in tasks; with a place, the one of this name."""
    names = [name for name in BUILTIN_NAMES if not place or name in (place, f"builtin/{place}")]
    if not names:
        near = did_you_mean(place, [name.partition("/")[2] for name in BUILTIN_NAMES])
        raise UserError(
            f"--task builtin={place}: no built-in task of this name; there are {', '.join(BUILTIN_NAMES)}{near}"
        )
    entry = {"source": "builtin"} | ({"include": names} if place else {})
    return ChosenTask(entry, f"{counted(len(names), 'built-in task')} on built-in texts ({', '.join(names)})")


def _of_three_files(queries: Path | None, documents: Path | None, relevant: Path | None) -> ChosenTask:
    given = {"--queries": queries, "--documents": documents, "--relevant": relevant}
    missing = [option for option, path in given.items() if path is None]
    if len(missing) == len(given):
        raise UserError(f"--task retrieval: give its files: {FORM['retrieval']}")
    if queries is None or documents is None or relevant is None:
        there = "is" if len(missing) == 1 else "are"
        raise UserError(f"{' and '.join(missing)} {there} missing: a retrieval task takes {FORM['retrieval']}")
    return _retrieval(queries, documents, relevant, _folder_name(documents.parent, "retrieval"))


def beside(path: Path) -> Path | None:
    """The folder of a file, where it holds a retrieval task; None where it does not."""
    try:
        for what in ("queries", "documents", "relevant"):
            _in_folder(path.parent, what)
    except (UserError, OSError):
        return None
    return path.parent


def _folder_name(folder: Path, kind: str) -> str:
    """The name of a task from the folder that a person named; where that is `.` or `..`, its kind: how the folder is
    called tells nobody what the task is."""
    return _named(folder) if folder.name not in ("", "..") else kind


def _folder(place: str, kind: str) -> Path:
    folder = Path(place).expanduser()
    if not folder.is_dir():
        raise UserError(
            f"--task {kind}={place}: {'a file, not a folder' if folder.exists() else 'no such folder'}: {FORM[kind]}"
        )
    return folder


def _in_folder(folder: Path, what: str) -> Path:
    """The file of this part of a task; UserError where there is none, or several."""
    for name in FILES[what]:
        found = [
            path
            for path in _candidates(folder / name)
            if path.name.casefold() == Path(name).name + "".join(path.suffixes).casefold()
        ]
        if len(found) > 1:
            raise UserError(
                f"{folder}: {' and '.join(path.name for path in found)}: which holds the {what}? Remove one, or name "
                f"the files one by one"
            )
        if found:
            return found[0]
    noun = {"relevant": "relevant documents", "train": "texts to learn from", "test": "texts to test on"}.get(
        what, what
    )
    raise UserError(
        f"{folder}: no file of {noun}; name it {' or '.join(FILES[what][:2])}, with the ending {', '.join(_endings())}"
    )


def _candidates(stem: Path) -> Iterator[Path]:
    """Tables in the stem's folder."""
    if stem.parent.is_dir():
        yield from sorted(path for path in stem.parent.iterdir() if ending(path) in _endings() and path.is_file())


def _endings() -> list[str]:
    return [one for one in ENDINGS if one not in (".txt", ".json")]


def _checked(
    entry: dict, task: str, notes: Sequence[str] = (), documents: tuple[Path, str] | None = None
) -> ChosenTask:
    """The task of an entry, read; where it reads only with `on_problem: drop`, with that."""
    spec = TypeAdapter(TaskFile).validate_python
    try:
        found = read_task(spec(entry))
    except UserError as error:
        if entry["kind"] != "retrieval" or "on_problem: drop" not in str(error):
            raise
        entry = {**entry, "on_problem": "drop"}
        found = read_task(spec(entry))
    return ChosenTask(entry, task, [*notes, *found.notes], documents)


def _named(place: Path) -> str:
    name = place.name
    for suffix in (*PACKED_ENDINGS, *ENDINGS):
        name = name[: -len(suffix)] if name.lower().endswith(suffix) else name
    return "".join(c if c.isprintable() else "-" for c in name)[:150] or "mine"


def _columns(
    usual: Mapping[str, str], found: Mapping[str, str | None], beir: Mapping[str, str]
) -> dict[str, str | None]:
    """The columns as they are written into a config: none where the names are those that are known anyway."""
    known = [usual[key] == column or beir.get(key) == column for key, column in found.items()]
    return {} if all(known) else dict(found)


def _retrieval(queries: Path, documents: Path, relevant: Path, name: str) -> ChosenTask:
    heads = {"queries": head_of(queries), "documents": head_of(documents), "relevant": head_of(relevant)}
    told: dict[str, dict] = {}
    for what, id_names in (("queries", (*ID, *QUERY)), ("documents", (*ID, *DOCUMENT))):
        head = heads[what]
        text = head.named(("text",)) or next(iter(head.texts()), None)
        if text is None:
            raise UserError(f"{head.path}: no column holds text; it has {head.listed()}")
        told[what] = {
            "id": head.find("id (a column of distinct ids is needed)", id_names, is_id, (text,)),
            "text": text,
        }
    judged, keys = heads["relevant"], {what: _ids(heads[what], told[what]["id"]) for what in told}
    query = judged.find("query", QUERY, lambda values: _among(values, keys["queries"]))
    document = judged.find("document", DOCUMENT, lambda values: _among(values, keys["documents"]), (query,))
    relevance = judged.named(RELEVANCE, (query, document)) or judged.only(is_number, (query, document))
    notes = (
        [] if relevance else [f"{relevant}: no relevance column, so each document that it lists counts as relevant (1)"]
    )
    entry: dict[str, Any] = {
        "source": "file",
        "kind": "retrieval",
        "name": name,
        "corpus": str(documents),
        "queries": str(queries),
        "qrels": str(relevant),
    }
    usual, beir = (
        {"id": "id", "text": "text"},
        {"id": "_id", "query": "query-id", "document": "corpus-id", "relevance": "score"},
    )
    for key, found, names in (
        ("corpus_columns", told["documents"], usual),
        ("query_columns", told["queries"], usual),
        (
            "qrels_columns",
            {"query": query, "document": document, "relevance": relevance},
            {one: one for one in ("query", "document", "relevance")},
        ),
    ):
        if columns := _columns(names, found, beir):
            entry[key] = columns
    return _checked(
        entry, f"retrieval from {documents.name} for {queries.name}", notes, (documents, told["documents"]["text"])
    )


def _ids(head: Head, column: str) -> set[str]:
    return {str(value).strip() for value in head.columns[column] if value is not None}


def _among(values: list, keys: set[str]) -> bool:
    """Some of the values are ids: only the first rows of either file are looked at."""
    return any(str(value).strip() in keys for value in values if value is not None)


def _of_one_file(kind: str, path: Path) -> ChosenTask:
    head = head_of(path)
    if kind == "clustering":
        return _checked(_entry(kind, path, _text_and_label(head)), f"clustering of {path.name}")
    first = head.named(FIRST) or next(iter(_pair(head)), None)
    if first is None:
        raise UserError(
            f"{path}: two columns of text are needed; it has {head.listed()}; name them sentence1 and sentence2"
        )
    second = head.named(SECOND, (first,)) or next((name for name in _pair(head) if name != first), None)
    if second is None:
        raise UserError(
            f"{path}: a second column of text is needed; it has {head.listed()}; name them sentence1 and sentence2"
        )
    gold = "score" if kind == "sts" else "label"
    value = head.find(gold, SCORE if kind == "sts" else PAIR_LABEL, is_number, (first, second))
    return _checked(
        _entry(kind, path, {"sentence1": first, "sentence2": second, gold: value}), f"{kind} of {path.name}"
    )


def _pair(head: Head) -> list[str]:
    return [name for name, values in head.columns.items() if is_long_text(values)] or [
        name for name, values in head.columns.items() if is_text(values)
    ]


def _text_and_label(head: Head) -> dict[str, str]:
    label = head.named(LABEL) or head.only(is_label)
    if label is None:
        raise UserError(f"{head.path}: which column is the label? It has {head.listed()}; name it 'label'")
    text = head.named(("text",), (label,)) or next((name for name in head.texts() if name != label), None)
    if text is None:
        raise UserError(f"{head.path}: two columns are needed, a text and its label; it has {head.listed()}")
    return {"text": text, "label": label}


def _entry(kind: str, path: Path, columns: dict[str, str]) -> dict:
    entry = {"source": "file", "kind": kind, "name": _named(path), "path": str(path)}
    told = _columns({name: name for name in columns}, columns, {})
    return entry | ({"columns": told} if told else {})


def _classification(place: str) -> ChosenTask:
    parts = [Path(one).expanduser() for one in place.split(",")]
    if len(parts) == 1:
        if not parts[0].is_dir():
            raise UserError(
                f"--task classification={place}: a file to learn from and one to test on are needed: "
                f"{FORM['classification']}"
            )
        name = _folder_name(parts[0], "classification")
        parts = [_in_folder(parts[0], what) for what in ("train", "test")]
    else:
        name = _named(parts[0])
    if len(parts) != 2:
        raise UserError(f"--task classification={place}: two files are needed: {FORM['classification']}")
    columns = _text_and_label(head_of(parts[0]))
    told = _columns({name: name for name in columns}, columns, {})
    entry = {"source": "file", "kind": "classification", "name": name, "train": str(parts[0]), "test": str(parts[1])}
    return _checked(
        entry | ({"columns": told} if told else {}), f"classification of {parts[1].name}, from {parts[0].name}"
    )

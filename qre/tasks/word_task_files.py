"""Readers of the files that tasks of single words come in: columns, Google's questions, BATS, lists of words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from qre.counted import counted
from qre.errors import UserError
from qre.near_names import near_patterns
from qre.tables import read_text
from qre.tasks.analogies import AnalogiesTask, Relation
from qre.tasks.columns import read_table
from qre.tasks.task_spec import AnalogiesFile, WordPairsFile, WordSimilarityFile
from qre.tasks.values import names, number, texts
from qre.tasks.word_pairs import WordPairsTask, WordSimilarityTask

TAGGED = re.compile(r"(.+)-[nvjar]")  # a word and its part of speech, as MEN has them: sun-n
SYNTACTIC = "gram"  # how Google's syntactic relations begin
Pairs = dict[str, tuple[str, ...]]  # word -> its answers


def read_word_similarity(spec: WordSimilarityFile) -> WordSimilarityTask:
    """The task of a spec; UserError where its file is missing or not in order."""
    table = read_table(spec.path, spec.columns, spec.format)
    scores = [number(table, row, value, "score") for row, value in enumerate(table.columns["score"])]
    if len(set(scores)) < 2:
        raise UserError(f"{spec.path}: all scores are the same, so there is nothing to order")
    first, second = ([word.strip() for word in texts(table, column)] for column in ("word1", "word2"))
    tagged = [TAGGED.fullmatch(word) for word in (*first, *second)]
    notes = []
    if all(tagged):
        notes = [f"its words end in their part of speech ({first[0]}), which is left out"]
        words = [match[1] for match in tagged if match]
        first, second = words[: len(first)], words[len(first) :]
    task = WordSimilarityTask(spec.name, spec.split, first, second, scores, spec.template)
    task.notes = _noted(spec, notes)
    return task


def read_word_pairs(spec: WordPairsFile) -> WordPairsTask:
    """The task of a spec; UserError where its file is missing or not in order."""
    table = read_table(spec.path, spec.columns, spec.format)
    first, second = ([word.strip() for word in texts(table, column)] for column in ("word1", "word2"))
    relations = names(table, "relation")
    if set(relations) == {spec.random}:
        raise UserError(f"{spec.path}: all pairs are {spec.random!r}; pairs of a relation are needed to hold against")
    task = WordPairsTask(spec.name, spec.split, first, second, relations, spec.random, spec.template)
    if not (drawn := task.drawn) and spec.random not in relations:
        raise UserError(f"{spec.path}: no pair is {spec.random!r}, and its words leave none that could be drawn")
    notes = [f"no pair is {spec.random!r}, so {counted(drawn, 'pair')} of its words were drawn"] if drawn else []
    task.notes = _noted(spec, notes)
    return task


def read_analogies(spec: AnalogiesFile) -> AnalogiesTask:
    """The task of a spec; UserError where its file or folder is missing or not in order."""
    notes: list[str] = []
    folder = Path(spec.path).is_dir()
    found = list(_bats(spec.path, notes) if folder else _google(spec.path, notes))
    if not found:
        raise UserError(f"{spec.path}: holds no question")
    known = [one.name for one in found]
    for pattern in spec.include:
        if not any(_meant(one, pattern) for one in found):
            raise UserError(
                f"{spec.path}: include: no relation matches {pattern!r}; there are {', '.join(known[:10])}"
                f"{' ...' if len(known) > 10 else ''}{near_patterns(pattern, known)}"
            )
    relations = [one for one in found if any(_meant(one, pattern) for pattern in spec.include)]
    words = [] if spec.vocabulary is None else _listed(spec.vocabulary, spec.vocabulary_limit)
    task = AnalogiesTask(spec.name, spec.split, relations, words, spec.methods, spec.template)
    task.notes = _noted(spec, notes)
    return task


def _noted(spec: WordSimilarityFile | WordPairsFile | AnalogiesFile, notes: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"task {spec.name!r}: {note}" for note in notes)


def _meant(relation: Relation, pattern: str) -> bool:
    """Whether a pattern is of a relation's name, or of type/name."""
    whole = f"{relation.type}/{relation.name}"
    return fnmatchcase(relation.name, pattern) or ("/" in pattern and fnmatchcase(whole, pattern))


def _google(path: str, notes: list[str]) -> Iterator[Relation]:
    """Relations of a file of questions, four words a line, under lines that name the relation after a colon."""
    sections: dict[str, tuple[dict[tuple[str, str], int], list[tuple[int, int]]]] = {}
    section = None
    for line, text in enumerate(read_text(path).split("\n"), 1):
        fields = text.split()
        if not fields:
            continue
        if fields[0].startswith(":"):
            name = text.strip()[1:].strip()
            if not name or name in sections:
                raise UserError(f"{path}:{line}: {'a relation without a name' if not name else f'{name} again'}")
            section = sections[name] = ({}, [])
        elif section is None:
            raise UserError(f"{path}:{line}: a question before the first relation; a line `: capitals` names one")
        elif len(fields) != 4:
            raise UserError(
                f"{path}:{line}: {counted(len(fields), 'word')}; a question is four: a is to b as c is to d"
            )
        else:
            pairs, questions = section
            a, b = ((fields[at], fields[at + 1]) for at in (0, 2))
            questions.append((pairs.setdefault(a, len(pairs)), pairs.setdefault(b, len(pairs))))
    for name, (pairs, questions) in sections.items():
        if not questions:
            notes.append(f"relation {name} has no question, and is left out")
            continue
        kind = "syntactic" if name.startswith(SYNTACTIC) else "semantic"
        yield Relation(name, kind, tuple((left, (right,)) for left, right in pairs), tuple(questions))


def _bats(path: str, notes: list[str]) -> Iterator[Relation]:
    """Relations of a folder as BATS lays them out: a .txt file for each, in folders of their types; a line is a word, a
    tab, and its answers with slashes between."""
    files = sorted(file for file in Path(path).rglob("*.txt") if not file.name.startswith("."))
    if not files:
        raise UserError(f"{path}: no .txt file, and so no relation, in this folder")
    names_of = [file.stem for file in files]
    for file in files:
        kind = file.parent.name if file.parent != Path(path) else Path(path).resolve().name
        below = file.relative_to(path).with_suffix("").as_posix()
        name = file.stem if names_of.count(file.stem) == 1 else below
        pairs = _pairs(file, notes)
        if len(pairs) < 2:
            notes.append(f"relation {name} has {counted(len(pairs), 'pair')}, and so no question; it is left out")
            continue
        yield Relation(name, kind, tuple(pairs.items()))


def _pairs(file: Path, notes: list[str]) -> Pairs:
    pairs: Pairs = {}
    for line, text in enumerate(read_text(file).split("\n"), 1):
        if not text.strip():
            continue
        fields = text.split("\t") if "\t" in text.strip() else text.split()
        answers = tuple(dict.fromkeys(one.strip() for one in fields[-1].split("/") if one.strip()))
        if len(fields) != 2 or not fields[0].strip() or not answers:
            raise UserError(f"{file}:{line}: a word, a tab and its answers (cat<tab>kitten/kitty) are needed")
        word = fields[0].strip()
        if word in pairs:
            notes.append(f"{file.name}:{line}: {word!r} again; its answers are taken together")
        pairs[word] = tuple(dict.fromkeys((*pairs.get(word, ()), *answers)))
    return pairs


def _listed(path: str, limit: int | None) -> list[str]:
    """The first words of a list, a word a line; what stands behind it, as its frequency, does not count."""
    words = (line.split()[0] for line in read_text(path).split("\n") if line.strip())
    found = list(dict.fromkeys(words))[:limit]
    if not found:
        raise UserError(f"{path}: holds no word")
    return found

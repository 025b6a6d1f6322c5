"""Where scores of others are read from: the files, tables and folders that a config names, and the store."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from jobs.config import MtebScores
from jobs.mteb.chosen import Chosen, chosen
from jobs.mteb.joined import Encoder
from jobs.mteb.own_results import read_own
from qre.errors import UserError
from qre.store import Store
from qre.tables import ending
from qre.tasks.mteb import Scores, read_results, read_table

TABLES = (".csv", ".parquet")


class Source(NamedTuple):
    """One place with results: its label in the report, where the config names it, what is wanted of it, and how it is
    read."""

    label: str
    place: str
    chosen: Chosen
    revisions: Literal["exact", "any"]
    read: Callable[[], Scores]


def sources_of(entries: list[tuple[str, MtebScores]], store: Store, encoders: list[Encoder]) -> Iterator[Source]:
    """Every place with results, in the order of the config; at the end the store, by what each entry wants of it."""
    means = [(place, entry, chosen(entry, place)) for place, entry in entries]
    models = {encoder.id for encoder in encoders}
    for place, entry, wanted in means:
        for number, path in enumerate(entry.results):
            if ending(path) in TABLES:
                read = _table_reader(Path(path), wanted)
            else:
                read = _folder_reader(Path(path), wanted, models)
            yield Source(path, f"{place}.results[{number}]", wanted, entry.revisions, read)
    for place, entry, wanted in means:
        yield Source("store", place, wanted, entry.revisions, partial(read_own, store, encoders, *wanted))


def check_results(entries: list[tuple[str, MtebScores]]) -> None:
    """UserError where results that an entry names are not there: known before the hub is asked about a thousand
    encoders."""
    for place, entry in entries:
        for number, path in enumerate(entry.results):
            if not os.path.exists(path):
                what = "table of scores" if ending(path) in TABLES else "folder of MTEB results"
                raise UserError(
                    f"{place}.results[{number}]: {path}: no such {what}: put it there (MTEB's are from `git clone "
                    f"--depth 1 https://github.com/embeddings-benchmark/results`), or leave it out"
                )


def _table_reader(path: Path, wanted: Chosen) -> Callable[[], Scores]:
    def read() -> Scores:
        found = read_table(path, wanted.names)
        return Scores(*(frame.assign(file=[str(path.parent / file) for file in frame.file]) for frame in found))

    return read


def _folder_reader(path: Path, wanted: Chosen, models: Collection[str]) -> Callable[[], Scores]:
    def read() -> Scores:
        found = read_results(path, wanted.names, models, wanted.rules, languages=wanted.languages)
        return Scores(*(frame.assign(file=[str(path / file) for file in frame.file]) for frame in found))

    return read


def read_source(source: Source) -> Scores:
    try:
        return source.read()
    except UserError as error:
        raise UserError(f"{source.place}: {error}") from None


def models_in(root: Path) -> list[str]:
    """Models of a clone, a cache or a folder of results, by the names of their folders."""
    top = next((inner for inner in (root / "results", root / "remote" / "results") if inner.is_dir()), root)
    with os.scandir(top) as entries:
        return sorted(
            model
            for entry in entries
            if entry.is_dir() and (model := model_of(entry.name)) and entry.name.isprintable()
        )


def model_of(part: str) -> str:
    """The model that a folder of MTEB's layout names; "" for another folder."""
    return part.replace("__", "/", 1) if "__" in part else ""

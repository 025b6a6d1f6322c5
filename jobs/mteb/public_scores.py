"""Public MTEB scores for the encoders of a sweep: read from what its config names and from the store, and joined by id
and revision.

It runs at every plan, so of a folder with the results of all the world only the models of the sweep are read. Whatever
finds no partner, or is odd, is a row of the report.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Literal, NamedTuple

import pandas as pd

from jobs.config import MtebScores, SweepConfig
from jobs.mteb.chosen import Chosen, check_languages, check_names, chosen, kinds
from jobs.mteb.own_results import local_encoders, read_own
from jobs.mteb.run import REPORT_OF_JOIN, Encoder, join, published
from qre.encoders.spec import EncoderSpec, ModelSpec
from qre.errors import UserError
from qre.store import Store
from qre.store.folder import content_key
from qre.tables import ending
from qre.tasks.mteb import Scores, read_results, read_table
from qre.tasks.mteb.main_score import OTHER_LANGUAGES

COLUMNS = ("name", "task", "kind", "metric", "split", "score", "low", "high", "n", "source", "match", "file")
REPORT = ("results", "kind", "encoder", "model", "task", "file", "detail", "done")
TYPES = {column: float if column in ("score", "low", "high", "n") else str for column in COLUMNS}
TABLES = (".csv", ".parquet")
REPORT_FILE = "scores_report.csv"
FIRST_NEW = (1, 11)  # the version of mteb from which on files name their main score
NOT_PUBLISHED = "not as published"
SAME = 1e-6  # wide tables have six digits


@dataclass(frozen=True)
class PublicScores:
    """Scores that others measured, and those that MTEB's own package measured here.

    Attributes:
        table: one row for each encoder (its name in the sweep) and task, in the order of the config and of the tasks'
            names; columns COLUMNS. `score` is on 0-1; `low`, `high` and `n` are NaN; `source` is "imported"; `match`
            says of which revision it is: exact, unrecorded, other.
        report: what did not join, and what is odd; columns REPORT. `results` is the path as the config names it, or
            "store".
        notes: a few lines for people.
        tasks: the names of the tasks that the config means, in its order.
    """

    table: pd.DataFrame
    report: pd.DataFrame
    notes: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """sha256 (hex) of the scores. What only the package of MTEB knows of a task (kind, metric) is left out: who
        looks on without it sees the same."""
        return content_key(self.table[["name", "task", "split", "score"]].to_numpy().tolist())


class Source(NamedTuple):
    """One place with results: its label in the report, where the config names it, what is wanted of it, and how it is
    read."""

    label: str
    place: str
    chosen: Chosen
    revisions: Literal["exact", "any"]
    read: Callable[[], Scores]


def no_scores() -> PublicScores:
    return PublicScores(pd.DataFrame(columns=COLUMNS).astype(TYPES), pd.DataFrame(columns=REPORT))


def public_scores(config: SweepConfig, store: Store, specs: list[EncoderSpec]) -> PublicScores:
    """The scores of all `tasks:` entries of source mteb, for the encoders that they belong to.

    They belong to encoders as published: of the hub or a local folder, with nothing of a person's own (see
        ModelSpec.departures). Where several places have one encoder
    and task, a result of the encoder's own commit goes first, then the order of the config; results measured here come
    after those it names.

    Args:
        config, specs: the config, and the encoders that it names.
        store: its results of `qre evaluate --mteb` are read too; nothing is written.

    Raises:
        UserError: results cannot be read, or a benchmark, a task or a language is not known; it names the entry.
    """
    entries = [
        (f"tasks[{number}]", entry) for number, entry in enumerate(config.tasks) if isinstance(entry, MtebScores)
    ]
    if not entries:
        return no_scores()
    for place, entry in entries:
        check_languages(entry, place)
    public, local = published(specs), local_encoders(specs)
    models = {encoder.id.casefold() for encoder in [*public, *local]}
    pieces, report = [], []
    alone: dict[str, str] = {}
    held: dict[str, set[str]] = {place: set() for place, _ in entries}
    for order, source in enumerate(_sources(entries, store, [*public, *local])):
        found = _read(source)
        held[source.place.partition(".")[0]] |= set(found.table.task)
        report += _odd(source, found, models)
        joined, rows = _joined(found, public, local, source.revisions)
        pieces.append(joined.assign(order=order, results=source.label, metric=_metrics(joined, source.chosen)))
        lone = "encoder without results"
        alone |= {row.encoder: row.detail for row in rows if row.kind == lone and "commit" in row.detail}
        report += [
            (source.label, row.kind, row.encoder, row.model, "", "", row.detail, "") for row in rows if row.kind != lone
        ]
    for place, entry in entries:
        check_names(entry.tasks or (), f"{place}.tasks", held[place])
    together = pd.concat(pieces, ignore_index=True)
    taken, twice = _first(together, {encoder.name: number for number, encoder in enumerate([*public, *local])})
    table = _table(taken)
    tasks = _meant(entries, table)
    report += twice + _old(taken) + _averaged(taken) + _lonely([*public, *local], table, tasks, alone) + _parts(specs)
    told = pd.DataFrame(list(dict.fromkeys(report)), columns=REPORT)
    return PublicScores(table, told, _notes(table, told, [*public, *local]), tasks)


def _sources(entries: list[tuple[str, MtebScores]], store: Store, encoders: list[Encoder]) -> Iterator[Source]:
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


def _read(source: Source) -> Scores:
    try:
        return source.read()
    except UserError as error:
        raise UserError(f"{source.place}: {error}") from None


def _joined(
    found: Scores, public: list[Encoder], local: list[Encoder], revisions: Literal["exact", "any"]
) -> tuple[pd.DataFrame, list]:
    """The scores that belong to encoders, and the rows of the report. Of a local folder only the very same content
    counts: its name is no id."""
    of_hub, of_here = join(found.table, public, revisions), join(found.table, local, "exact")
    here = {encoder.id for encoder in local}
    both = pd.concat(
        [of_hub.report[~of_hub.report.model.isin(here)], of_here.report[of_here.report.encoder != ""]],
        ignore_index=True,
    )
    return pd.concat([of_hub.table, of_here.table], ignore_index=True), list(
        both[list(REPORT_OF_JOIN)].itertuples(index=False)
    )


def _metrics(joined: pd.DataFrame, wanted: Chosen) -> list[str]:
    """The metric by its own name where the rule tells; "main_score" where only the file knows."""
    return [
        wanted.rules[task].metric if task in wanted.rules and wanted.rules[task].metric else metric
        for task, metric in zip(joined.task, joined.metric, strict=True)
    ]


def _first(together: pd.DataFrame, numbers: dict[str, int]) -> tuple[pd.DataFrame, list[tuple]]:
    """Of each encoder and task the row that counts; and rows of the report on those that do not, the equal ones of a
    place in one row."""
    key = ["encoder", "task"]
    by = together.assign(number=together.encoder.map(numbers), far=together.match != "exact").sort_values(
        ["number", "task", "far", "order"], kind="stable"
    )
    taken = by.drop_duplicates(key).reset_index(drop=True)
    rest = by.loc[by.duplicated(key)].merge(
        taken[[*key, "score", "match", "results", "file"]], on=key, suffixes=("", "_taken")
    )
    rest = rest[rest.file != rest.file_taken]  # several entries may read one file
    differ, rows = (rest.score - rest.score_taken).abs() > SAME, []
    for row in rest[differ].itertuples():
        detail = (
            f"{row.score:.6g} of the revision {row.revision or '(none)'}, but {row.score_taken:.6g} in {row.file_taken}"
        )
        rows.append((row.results, "another score", row.encoder, row.model, row.task, row.file, detail, "left out"))
    for (results, encoder, model), same in rest[~differ].groupby(["results", "encoder", "model"], sort=False):
        places = ", ".join(same.results_taken.unique())
        rows.append(
            (results, "same score", encoder, model, "", "", f"{len(same)} scores that are also in {places}", "left out")
        )
    return taken, rows


def _table(taken: pd.DataFrame) -> pd.DataFrame:
    """The tidy table of joined rows."""
    frame = taken.rename(columns={"encoder": "name"})
    frame = frame.assign(kind=[kinds().get(task, "") for task in frame.task] if len(frame) else "", source="imported")
    return frame.reindex(columns=COLUMNS).astype(TYPES)


def _meant(entries: list[tuple[str, MtebScores]], table: pd.DataFrame) -> tuple[str, ...]:
    """Tasks by name in the order of the config; then those that an entry without names has found."""
    named = [name for place, entry in entries for name in chosen(entry, place).names or ()]
    return tuple(dict.fromkeys([*named, *sorted(set(table.task))]))


def _odd(source: Source, found: Scores, models: set[str]) -> list[tuple]:
    """What the readers found odd, of the models of the sweep; and the models in a folder of results that are none of
    it."""
    rows = []
    for row in found.report.itertuples():
        about = row.model or next((model for part in Path(row.file).parts if (model := _model(part))), "")
        if not about or about.casefold() in models:
            kind = "other languages" if row.done == OTHER_LANGUAGES else "odd result"
            rows.append((source.label, kind, "", row.model, row.task, row.file, row.what, row.done))
    if source.label == "store" or ending(source.label) in TABLES:
        return rows
    others = [model for model in _models_in(Path(source.label)) if model.casefold() not in models]
    return rows + [(source.label, "results without encoder", "", model, "", "", "", "not read") for model in others]


def _model(part: str) -> str:
    """The model that a folder of MTEB's layout names; "" for another folder."""
    return part.replace("__", "/", 1) if "__" in part else ""


def _models_in(root: Path) -> list[str]:
    """Models of a clone, a cache or a folder of results, by the names of their folders."""
    top = next((inner for inner in (root / "results", root / "remote" / "results") if inner.is_dir()), root)
    with os.scandir(top) as entries:
        return sorted(
            model for entry in entries if entry.is_dir() and (model := _model(entry.name)) and entry.name.isprintable()
        )


def _old(taken: pd.DataFrame) -> list[tuple]:
    """Scores of files from before they named their main score, a row for each encoder and place."""
    rows = []
    for (results, encoder, model), group in taken.groupby(["results", "encoder", "model"], sort=False):
        versions = [text for text in group.mteb_version if text and _version(text) < FIRST_NEW]
        if versions:
            detail = (
                f"{len(versions)} scores of mteb {', '.join(sorted(set(versions)))}, whose files do not name the "
                f"main score"
            )
            rows.append((results, "old format", encoder, model, "", "", detail, "taken by the rule"))
    return rows


def _averaged(taken: pd.DataFrame) -> list[tuple]:
    """Of each task in several subsets, or in another than the only one, which are averaged."""
    rows = taken[~taken["subset"].isin(["", "default"])].drop_duplicates(["results", "task", "split", "subset"])
    return [
        (row.results, "subsets", "", "", row.task, "", f"{row.split}: {row.subset}".replace("|", ", "), "averaged")
        for row in rows.itertuples()
    ]


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in text.split("-")[-1].split(".")[:2])


def _lonely(encoders: list[Encoder], table: pd.DataFrame, tasks: tuple[str, ...], why: dict[str, str]) -> list[tuple]:
    """Encoders without any score, and tasks that no encoder has one of."""
    have = set(table.name)
    rows = [
        (
            "",
            "encoder without results",
            one.name,
            one.id,
            "",
            "",
            why.get(one.name, "its id is in none of the results"),
            "",
        )
        for one in encoders
        if one.name not in have
    ]
    return rows + [
        ("", "task without results", "", "", task, "", "no encoder has a score", "")
        for task in tasks
        if task not in set(table.task)
    ]


def _parts(specs: list[EncoderSpec]) -> list[tuple]:
    """A row for each encoder that is none as published, with what makes it another."""
    rows = []
    for spec in specs:
        if not isinstance(spec, ModelSpec):
            rows.append(("", "encoder without results", spec.name, "", "", "", f"{spec.source}: no public score", ""))
        elif spec.departures:
            own = ", ".join(f"{field} {value!r}" for field, value in spec.departures.items())
            rows.append(
                (
                    "",
                    NOT_PUBLISHED,
                    spec.name,
                    getattr(spec, "id", ""),
                    "",
                    "",
                    f"of its own: {own}",
                    "no public score taken",
                )
            )
    return rows


def _notes(table: pd.DataFrame, report: pd.DataFrame, encoders: list[Encoder]) -> tuple[str, ...]:
    lone = len(encoders) - table.name.nunique()
    without = f"; {lone} without results" if lone else ""
    notes = [
        f"MTEB: {table.name.nunique()} encoders × {table.task.nunique()} tasks joined, {len(table)} scores{without}; "
        f"see {REPORT_FILE}"
    ]
    other = int((report.kind == NOT_PUBLISHED).sum())
    if other:
        notes.append(
            f"MTEB: {other} encoders are not as published (prompt, dtype or more of their own), so public scores are "
            f"not theirs; see {REPORT_FILE}"
        )
    matches = table.match.value_counts()
    far = [
        f"{matches[match]} {of}"
        for match, of in (("other", "of another commit"), ("unrecorded", "of an unrecorded revision"))
        if match in matches
    ]
    if far:
        notes.append(f"MTEB: of the scores, {' and '.join(far)}; revisions: exact leaves them out")
    others = report[report.kind == "other languages"].task.nunique()
    if others:
        notes.append(
            f"MTEB: {others} tasks have results in other languages too, which do not count; languages: [all], or a "
            f"list, takes them in; see {REPORT_FILE}"
        )
    differ = int((report.kind == "another score").sum())
    return (*notes, *([f"MTEB: {differ} scores differ between the results; see {REPORT_FILE}"] if differ else ()))

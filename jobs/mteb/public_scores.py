"""Public MTEB scores for the encoders of a sweep: read from what its config names and from the store, and joined by id
and revision.

It runs at every plan, so of a folder with the results of all the world only the models of the sweep are read. Whatever
finds no partner, or is odd, is a row of the report.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import pandas as pd

from jobs.config import MtebScores, SweepConfig
from jobs.mteb.chosen import Chosen, check_languages, check_names, chosen, kinds
from jobs.mteb.joined import REPORT_OF_JOIN, Encoder, join, published
from jobs.mteb.odd_scores import averaged, lonely, notes_of, odd, old, parts
from jobs.mteb.own_results import local_encoders
from jobs.mteb.score_sources import read_source, sources_of
from qre.encoders.spec import EncoderSpec
from qre.store import Store
from qre.store.folder import content_key
from qre.tasks.mteb import Scores

COLUMNS = ("name", "task", "kind", "metric", "split", "score", "low", "high", "n", "source", "match", "file")
REPORT = ("results", "kind", "encoder", "model", "task", "file", "detail", "done")
TYPES = {column: float if column in ("score", "low", "high", "n") else str for column in COLUMNS}
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


def no_scores() -> PublicScores:
    return PublicScores(pd.DataFrame(columns=COLUMNS).astype(TYPES), pd.DataFrame(columns=REPORT))


def mteb_entries(config: SweepConfig) -> list[tuple[str, MtebScores]]:
    """(place, entry) of the `tasks:` entries of source mteb."""
    return [(f"tasks[{number}]", entry) for number, entry in enumerate(config.tasks) if isinstance(entry, MtebScores)]


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
    entries = mteb_entries(config)
    if not entries:
        return no_scores()
    for place, entry in entries:
        check_languages(entry, place)
    public, local = published(specs), local_encoders(specs)
    models = {encoder.id.casefold() for encoder in [*public, *local]}
    pieces, report = [], []
    alone: dict[str, str] = {}
    held: dict[str, set[str]] = {place: set() for place, _ in entries}
    for order, source in enumerate(sources_of(entries, store, [*public, *local])):
        found = read_source(source)
        held[source.place.partition(".")[0]] |= set(found.table.task)
        report += odd(source, found, models)
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
    report += twice + old(taken) + averaged(taken) + lonely([*public, *local], table, tasks, alone) + parts(specs)
    told = pd.DataFrame(list(dict.fromkeys(report)), columns=REPORT)
    return PublicScores(table, told, notes_of(table, told, [*public, *local]), tasks)


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

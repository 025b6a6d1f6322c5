"""What a person should know of scores that others measured: odd ones, old ones, encoders without any."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from jobs.mteb.joined import Encoder
from jobs.mteb.score_sources import TABLES, Source, model_of, models_in
from qre.encoders.spec import EncoderSpec, ModelSpec
from qre.tables import ending
from qre.tasks.mteb import Scores
from qre.tasks.mteb.main_score import OTHER_LANGUAGES

REPORT_FILE = "scores_report.csv"
NOT_PUBLISHED = "not as published"
FIRST_NEW = (1, 11)  # the version of mteb from which on files name their main score


def odd(source: Source, found: Scores, models: set[str]) -> list[tuple]:
    """What the readers found odd, of the models of the sweep; and the models in a folder of results that are none of
    it."""
    rows = []
    for row in found.report.itertuples():
        about = row.model or next((model for part in Path(row.file).parts if (model := model_of(part))), "")
        if not about or about.casefold() in models:
            kind = "other languages" if row.done == OTHER_LANGUAGES else "odd result"
            rows.append((source.label, kind, "", row.model, row.task, row.file, row.what, row.done))
    if source.label == "store" or ending(source.label) in TABLES:
        return rows
    others = [model for model in models_in(Path(source.label)) if model.casefold() not in models]
    return rows + [(source.label, "results without encoder", "", model, "", "", "", "not read") for model in others]


def old(taken: pd.DataFrame) -> list[tuple]:
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


def averaged(taken: pd.DataFrame) -> list[tuple]:
    """Of each task in several subsets, or in another than the only one, which are averaged."""
    rows = taken[~taken["subset"].isin(["", "default"])].drop_duplicates(["results", "task", "split", "subset"])
    return [
        (row.results, "subsets", "", "", row.task, "", f"{row.split}: {row.subset}".replace("|", ", "), "averaged")
        for row in rows.itertuples()
    ]


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in text.split("-")[-1].split(".")[:2])


def lonely(encoders: list[Encoder], table: pd.DataFrame, tasks: tuple[str, ...], why: dict[str, str]) -> list[tuple]:
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


def parts(specs: list[EncoderSpec]) -> list[tuple]:
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


def notes_of(table: pd.DataFrame, report: pd.DataFrame, encoders: list[Encoder]) -> tuple[str, ...]:
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

"""Scores that others measured, joined to the encoders of a sweep by id and revision."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

import pandas as pd

from qre.encoders.spec import EncoderSpec, HubSpec
from qre.tasks.mteb import COMMIT, TABLE, best, rank

MATCHES = ("other", "unrecorded", "exact")  # of revisions, from worst to best


REPORT_OF_JOIN = ("kind", "encoder", "model", "detail")


class Encoder(NamedTuple):
    """An encoder as its authors published it: its name in a sweep, its id on the hub ("" where it has none), its
    commit."""

    name: str
    id: str
    revision: str = ""


class Joined(NamedTuple):
    """`table`: columns encoder, match, and TABLE. `report`: columns REPORT_OF_JOIN."""

    table: pd.DataFrame
    report: pd.DataFrame


def published(specs: Iterable[EncoderSpec]) -> list[Encoder]:
    """The specs that a public score belongs to: of the hub, with nothing that makes them another encoder (a prompt,
    dtype, limit, layer, transform)."""
    return [
        Encoder(spec.name, spec.id, spec.revision)
        for spec in specs
        if isinstance(spec, HubSpec) and not spec.departures
    ]


def join(table: pd.DataFrame, encoders: Iterable[Encoder], revisions: Literal["exact", "any"] = "any") -> Joined:
    """The scores that belong to encoders, one row for each encoder and task, and a report of what found no partner.

    Ids are matched whatever their case, as the hub does; an organisation that was renamed is not guessed.

    Args:
        table: long, of `qre.tasks.mteb`, all revisions.
        revisions: "exact" takes only results of the encoder's own commit; "any" takes, for tasks without those, results
            whose revision was not recorded, then those of another one. The column `match` says which: exact,
            unrecorded, other.
    """
    by_id = dict(list(table.groupby(table.model.str.casefold(), sort=False)))
    pieces, report, used = [], [], set()
    for encoder in encoders:
        found = by_id.get(encoder.id.casefold())
        if found is None:
            report.append(
                _row(
                    "encoder without results",
                    encoder,
                    "its id is not in the results" if encoder.id else "it has no id on the hub",
                )
            )
            continue
        used.add(encoder.id.casefold())
        taken, odd = _join_one(found, encoder, revisions)
        pieces.append(taken)
        report += odd
    unused = [rows for model, rows in by_id.items() if model not in used]
    report += [("results without encoder", "", rows.model.iloc[0], f"{rows.task.nunique()} tasks") for rows in unused]
    columns = ["encoder", "match", *TABLE]
    joined = pd.concat(pieces, ignore_index=True)[columns] if pieces else pd.DataFrame(columns=columns)
    return Joined(joined, pd.DataFrame(report, columns=REPORT_OF_JOIN))


def _join_one(found: pd.DataFrame, encoder: Encoder, revisions: str) -> tuple[pd.DataFrame, list[tuple]]:
    """(the rows taken, one a task; rows of the report)."""
    found = found.assign(
        encoder=encoder.name, match=[_match(revision, encoder.revision) for revision in found.revision]
    )
    usable = found if revisions == "any" else found[found.match == "exact"]
    taken = best(usable, ("task",), lambda row: (MATCHES.index(row.match), row.model == encoder.id, *rank(row)))
    report = [
        _row("other spelling", encoder, f"results of {model}") for model in taken.model.unique() if model != encoder.id
    ]
    if taken.empty:
        report.append(_row("encoder without results", encoder, "none of its own commit"))
    for revision, rows in found[found.match != "exact"].groupby("revision"):
        count = int((taken.revision == revision).sum())
        report.append(
            _row(
                "revision mismatch", encoder, f"{count} of {len(rows)} scores of revision {revision or '(none)'} taken"
            )
        )
    return taken, report


def _match(revision: str, commit: str) -> str:
    if COMMIT.fullmatch(commit) and revision == commit:
        return "exact"
    return "other" if COMMIT.fullmatch(revision) or revision.isdigit() else "unrecorded"


def _row(kind: str, encoder: Encoder, detail: str) -> tuple:
    return kind, encoder.name, encoder.id, detail

"""`qre place`: new encoders on a finished map. They are embedded in this process; the map is only read."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from jobs.asked.beside import print_neighbours, rows_with_scores, scores_of
from jobs.asked.measure import COLUMNS, tasks_to_measure, with_verdicts
from jobs.asked.models import Given, Kept, given, given_in
from jobs.asked.opened import fits_of, open_atlas, plain, plain_rows, print_table
from jobs.asked.tried import Tried, embedded_so_far
from jobs.terminal.console import console, say
from qre.atlas.finished import FinishedAtlas
from qre.atlas.placement import LEARNT, NOT_PREDICTABLE, UNFAMILIAR, Placement
from qre.csv_cells import csv_text
from qre.encoders.passes import EncodeSettings
from qre.errors import UserError
from qre.prediction.words import NO_BETTER, new_kinds_by_chance
from qre.tasks.task import Task

INTERVAL = (
    "predicted interval: for the score on the very items of the map's tasks. A measured interval also says how far the "
    "score would move with other items, so it can be the wider one"
)


@dataclass
class Outcome(Tried):
    """What became of the encoders that were named.

    Attributes:
        placed: on the map.
        measured: in the order of placed, its scores on the map's tasks; None where none was measured.
    """

    placed: list[Placement] = field(default_factory=list)
    measured: list[pd.DataFrame | None] = field(default_factory=list)


def place(
    atlas: str,
    models: list[str],
    entry: Path | None,
    options: dict,
    trust_remote_code: bool,
    device: str,
    k: int,
    as_json: bool,
    out: Path | None,
    measured: bool = False,
) -> None:
    """What the command does.

    Args:
        options: of an entry of a config, for all models; None and False where they were not given.
    """
    try:
        wanted = given(models, options, trust_remote_code) + (given_in(entry) if entry is not None else [])
    except UserError:
        if known := _on_the_map(models, atlas):
            raise UserError(
                f"{known} is on the map already: qre neighbours {known} --atlas {atlas} shows where it stands"
            ) from None
        raise
    if not wanted:
        raise UserError("place: name at least one MODEL, or a list of them with --entry")
    standing = open_atlas(atlas)
    _check_out(out, atlas)
    tasks = tasks_to_measure(atlas, standing.tasks()["task"]) if measured else []
    if tasks and all(isinstance(one.source, Path) for one in wanted):
        raise UserError("--measure: a ready matrix holds no encoder to run on the tasks; name a hub id or a folder")
    _tell(standing, place_all(standing, wanted, device, k, tasks, atlas), out, as_json)


def _on_the_map(models: list[str], atlas: str) -> str | None:
    """The first of the models that is the name of an encoder of the map; None where none is, or there is no map."""
    try:
        names = set(open_atlas(atlas).names)
    except UserError:
        return None
    return next((one for one in models if one in names), None)


def place_all(
    standing: FinishedAtlas,
    wanted: list[Given],
    device: str = "auto",
    k: int | None = None,
    tasks: Sequence[Task] = (),
    place: str = "",
) -> Outcome:
    """Embed encoders one after another and place each; one that fails does not stop the others.

    Args:
        tasks: to measure each on.
        place: of the atlas. Of a config it is, in whose store fits of transforms may be.

    Raises:
        UserError: a file of the map is missing or damaged.
    """
    standing.check()
    outcome, settings = Outcome(), EncodeSettings()
    sentences: tuple[str, ...] = ()
    kept: Kept = lambda spec: None  # noqa: E731
    if any(not isinstance(one.source, Path) for one in wanted):
        settings, sentences = EncodeSettings.model_validate(standing.manifest.get("encode") or {}), standing.sentences
        kept = fits_of(place, sentences, settings)
    for one in wanted:
        try:
            name, embedding, measured = one.embedding(sentences, settings, device, embedded_so_far(), tasks, kept)
            scores, problems = measured or (None, [])
            placed = standing.place(embedding, name, k)
            outcome.placed.append(replace(placed, notes=(*placed.notes, *problems)))
            outcome.measured.append(scores)
        except Exception as error:
            outcome.fail(one, error, standing.sentences)
    return outcome


# ---- what is shown and written


def _tell(standing: FinishedAtlas, outcome: Outcome, out: Path | None, as_json: bool) -> None:
    """Write and show what was placed, then name what failed, and end with the exit code."""
    outcome.check_any(len(outcome.placed))
    files = _write(standing, outcome, out) if out is not None and outcome.placed else []
    if as_json:
        placed = [_record(standing, one, scores) for one, scores in zip(outcome.placed, outcome.measured, strict=True)]
        print(
            json.dumps(
                {
                    "atlas": standing.where,
                    "sentences": standing.features.shape[1],
                    "placed": placed,
                    "failed": outcome.failed,
                }
            )
        )
    else:
        for one, scores in zip(outcome.placed, outcome.measured, strict=True):
            _print(standing, one, scores)
        for file in files:
            say(str(file))
    outcome.end(len(outcome.placed))


def _print(standing: FinishedAtlas, one: Placement, measured: pd.DataFrame | None) -> None:
    say(f"{one.name}: QRE {one.qre:.3f} nats, effective rank {one.effective_rank:.1f} of {one.dimension} dimensions")
    for note in one.notes:
        if one.scored and note == LEARNT:  # no prediction is shown
            continue
        say(f"note: {note}")
    if one.warning:
        console.print(f"warning: {one.warning}", markup=False, highlight=False, soft_wrap=True, style="bold red")
    columns = {"rank": "d", "neighbour": "", "family": "", "distance": ".4f"}
    print_neighbours(
        "nearest on the map", one.neighbours, columns, scores_of(standing, list(one.neighbours["neighbour"]))
    )
    if (len(one.predicted) and not one.scored) or measured is not None:
        _print_scores(standing, one, measured)
    if measured is not None:
        for row in with_verdicts(measured, standing, one.same).to_dict("records"):
            say(f"{row['task']}: {row['verdict']}")


def _print_scores(standing: FinishedAtlas, one: Placement, measured: pd.DataFrame | None) -> None:
    shown = one.predicted.assign(remark=["" if math.isfinite(low) else NOT_PREDICTABLE for low in one.predicted["low"]])
    columns = (
        {"task": "", "metric": "", "predicted": ".4f", "low": ".4f", "high": ".4f", "kinds": "d"}
        if len(shown)
        else {"task": "", "metric": ""}
    )
    title = ""
    if len(shown):
        assert standing.predictor is not None  # it has predicted them
        title = f"predicted scores, with {standing.predictor.coverage:.0%} intervals"
    title += (
        ""
        if one.familiarity is None
        else f"; familiarity {one.familiarity:.3f} (below {UNFAMILIAR:g}: perhaps of a kind that is not known)"
    )
    if measured is not None:
        scores = measured.rename(columns={"score": "measured", "low": "95 % from", "high": "to"}).drop(columns="n")
        shown = scores.drop(columns=["kind", "metric"]).merge(shown, on="task", how="outer", sort=False)
        shown["metric"] = shown["metric"].fillna(
            shown["task"].map(dict(zip(measured["task"], measured["metric"], strict=True)))
        )
        shown["remark"] = shown["remark"].fillna("")
        columns = {"task": "", "metric": "", "measured": ".4f", "95 % from": ".4f", "to": ".4f", **columns} | (
            {"kinds": ".0f"} if "kinds" in columns else {}
        )
        title = "measured scores, with 95 % intervals" + (f"; {title}" if title else "")
    print_table(title, shown, columns | ({"remark": ""} if shown["remark"].any() else {}))
    for line in _about_predictions(standing, one, measured):
        say(line)


def _about_predictions(standing: FinishedAtlas, one: Placement, measured: pd.DataFrame | None) -> list[str]:
    """What to know before a predicted score is believed."""
    if not len(one.predicted):
        return []
    lines = [INTERVAL]
    if measured is None and not one.scored and new_kinds_by_chance(standing.manifest.get("headline") or {}):
        lines.append(f"{NO_BETTER}--measure, with --atlas CONFIG")
    return lines


def _record(standing: FinishedAtlas, one: Placement, measured: pd.DataFrame | None) -> dict:
    """A placement in plain values, for machines."""
    near = rows_with_scores(one.neighbours, scores_of(standing, list(one.neighbours["neighbour"])))
    told = {} if measured is None else {"measured": plain_rows(with_verdicts(measured, standing, one.same))}
    return {**plain(one.summary()), "neighbours": near, "predicted": plain_rows(one.predicted), **told}


def _check_out(out: Path | None, atlas: str) -> None:
    if out is not None and (out.resolve() == Path(atlas).resolve() or (out / "manifest.json").exists()):
        raise UserError(
            f"--out {out}: there is a map in this folder, and a map that stands is not written into; name another "
            f"folder"
        )
    if out is not None and out.exists() and not out.is_dir():
        raise UserError(f"--out {out}: not a folder")


def _write(standing: FinishedAtlas, outcome: Outcome, out: Path) -> list[Path]:
    """The tables and the figure of the placed encoders; returns the files."""
    placed = outcome.placed
    from qre.figures.placed import placed_figure  # slow to import, and only needed here

    summaries = [{**one.summary(), "notes": "; ".join(one.notes)} for one in placed]
    tables = {
        "placed": pd.DataFrame(summaries),
        "predicted": pd.concat([one.predicted.assign(name=one.name, familiarity=one.familiarity) for one in placed]),
        "neighbours": pd.concat([one.neighbours.assign(name=one.name) for one in placed]),
    }
    if known := [
        scores.assign(name=one.name) for one, scores in zip(placed, outcome.measured, strict=True) if scores is not None
    ]:
        tables["measured"] = pd.concat(known)
    columns = {
        "measured": ["name", *COLUMNS],
        "predicted": ["name", "task", "kind", "metric", "predicted", "low", "high", "kinds", "familiarity"],
        "neighbours": ["name", "rank", "neighbour", "distance"],
    }
    files = {f"{name}.csv": csv_text(table[columns.get(name, list(table))]).encode() for name, table in tables.items()}
    out.mkdir(parents=True, exist_ok=True)
    for name, content in {**files, **placed_figure(standing.table, placed)}.items():
        (out / name).write_bytes(content)
    return [out / name for name in [*files, "place.png", "place.svg"]]

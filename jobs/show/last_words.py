"""What is shown of a finished map: the page to open, the picture, the best encoders, and what to do next."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pandas as pd
from rich.console import JustifyMethod
from rich.markup import escape
from rich.table import Table

from jobs.config import BuiltinSentences, SweepConfig
from jobs.engine.outcome import failed_encoders
from jobs.planning.plan import Plan
from jobs.records.exports import PAGE, finished_manifest
from jobs.terminal.console import console, note, quiet, say, say_next
from jobs.terminal.spelled import qre_command, quoted
from qre.atlas.overview import Overview, parents_of
from qre.counted import counted
from qre.sample_size import is_sample_note
from qre.store import Store

# of the table: all; of the mean over tasks at most and at least; tasks that are shown
LINES, MOST_MEAN, FEWEST_MEAN, MOST_TASKS = 10, 5, 3, 7
LONGEST_NAME = 60  # characters


def print_summary(
    settings: SweepConfig, store: Store, plan: Plan, folder: str | Path | None, config: str | Path | None = None
) -> None:
    """The closing words. FileNotFoundError where there is no finished map.

    Args:
        folder: where its copy is; None: it is in the store only.
        config: the sweep's file, by which a map that is in the store only is named.
    """
    from qre.atlas.finished import FinishedAtlas  # slow to import

    manifest = finished_manifest(settings.name, store)
    atlas = FinishedAtlas(
        lambda file: store.atlases.read(settings.name, file), f"{store.location}/atlases/{settings.name}"
    )
    headline, failed = manifest["headline"], failed_encoders(plan)
    say(
        f"map of {counted(headline['encoders'], 'encoder')} on {headline['sentences']:,} sentences"
        + (f"; {failed} failed, see above" if failed else "")
    )
    place = os.path.abspath(folder) if folder is not None else f"{store.location}/atlases/{settings.name}"
    has_page = PAGE in manifest["files"] if folder is None else (Path(folder) / PAGE).is_file()
    say(f"page: {place}/{PAGE}" if has_page else f"no page: this map was made without one; report: {place}/report.md")
    say(f"picture: {place}/map.png")
    for line in _prediction(headline, config):
        say(line)
    if len(atlas.scores):
        kinds = dict(zip(atlas.scores["task"], atlas.scores["kind"], strict=True))
        _print_best(atlas.overview(), parents_of(atlas.table), kinds)
    for line in map_notes(settings, store, plan):
        note(line)
    if not quiet():
        _print_next(
            quoted(folder) if folder is not None else quoted(config) if config is not None else shlex.quote(place),
            own_sentences=not isinstance(settings.sentences, BuiltinSentences),
            has_page=has_page,
        )


def _print_next(atlas: str, own_sentences: bool, has_page: bool) -> None:
    qre = qre_command()
    commands = {f"{qre} open {atlas}": "the page, in a browser"} if has_page else {}
    commands |= {
        f"{qre} rank --atlas {atlas}": "all encoders on all tasks",
        f"{qre} place MODEL --atlas {atlas}": "where a model stands: a hub id, a folder, or vectors",
    }
    if not own_sentences:
        commands[f"{qre} new mine.yaml --sentences FILE"] = "a config for your own sentences"
    say_next(commands)


def map_notes(settings: SweepConfig, store: Store, plan: Plan) -> tuple[str, ...]:
    """What the finished map of a plan tells its readers that the plan's own notes do not."""
    manifest = store.atlases.manifest(settings.name) if plan.atlas_done else None
    few = any(map(is_sample_note, plan.notes))
    return tuple(
        note
        for note in (manifest or {}).get("notes") or ()
        if note not in plan.notes and not (few and is_sample_note(note))
    )


def _print_best(found: Overview, parents: dict[str, str], kinds: dict[str, str]) -> None:
    """The best by their mean and on each task, near-copies as one, in about LINES lines.

    Args:
        kinds: task -> its kind.
    """
    from qre.atlas.differences import noise_in_words, others_like_the_best
    from qre.report.best import interval, top_of, with_copies

    tasks = list(found.cells)
    left = len(tasks) - MOST_TASKS
    blocks = [(task, top_of(found, task, parents, len(found.table))) for task in tasks[:MOST_TASKS]]
    of_mean, of_task = _counts(len(blocks))
    if len(tasks) > 1:
        means = found.folded(parents).table
        none = pd.Series(float("nan"), index=means.index)
        blocks.insert(0, (f"mean over {len(tasks)} tasks", means.assign(value=means["mean"], low=none, high=none)))
    table = Table(
        title="best encoders (near-copies on one line; intervals: 95 % of a measured score)", title_justify="left"
    )
    sides: tuple[tuple[str, JustifyMethod], ...] = (
        ("task", "left"),
        ("encoder", "left"),
        ("score", "right"),
        ("interval", "left"),
        ("≈", "left"),
        ("dimensions", "right"),
        ("", "left"),
    )
    for heading, side in sides:
        table.add_column(heading, justify=side, overflow="fold")
    for name, best in blocks:
        close = int(best["like_best"].sum()) - 1 if "like_best" in best else 0  # beside the best itself
        for number, line in enumerate(best.head(of_task if name in found.cells else of_mean).itertuples()):
            score = f"{line.value:.3f}" if pd.notna(line.value) else ""
            marked = f"{close} others" if close > 1 else "1 other" if close == 1 else ""
            cells = (
                name if number == 0 else "",
                with_copies(_short(line.name), line.near_copies),
                score,
                interval(line.low, line.high),
                marked if number == 0 else "≈" if getattr(line, "like_best", False) else "",
                f"{line.dimension:,.0f}" if pd.notna(line.dimension) else "",
                line.basis,
            )
            table.add_row(*map(escape, cells))
        if len(blocks) == 1 or of_task > 1 or name not in found.cells:
            table.add_section()
    console.print(table)
    if left > 0:
        say(f"and {counted(left, 'more task')}")
    first = blocks[0][1].iloc[0]
    if first["description"]:
        say(f"{first['name']} = {first['description']}")
    for task, told in blocks:
        if (
            "like_best" in told
            and others_like_the_best(told["like_best"])
            and (noise := noise_in_words(kinds.get(task, ""), told))
        ):
            say(f"≈: cannot be told from the best; {task}, {noise}")
            break


def _short(name: str) -> str:
    """Both ends of a long name, which tell it apart: the model in front, the transform at the back."""
    half = LONGEST_NAME // 2
    return name if len(name) <= LONGEST_NAME else f"{name[:half]}…{name[-half:]}"


def _counts(tasks: int) -> tuple[int, int]:
    """How many encoders are shown by their mean and on each task, for so many tasks that are shown."""
    if tasks == 1:
        return 0, LINES
    of_mean = min(MOST_MEAN, max(FEWEST_MEAN, LINES - tasks))
    return of_mean, max(1, (LINES - of_mean) // tasks)


def _prediction(headline: dict, config: str | Path | None) -> list[str]:
    """How well scores are predicted, in a line or two; the report has the rest."""
    from qre.prediction.words import NO_BETTER, new_kinds_by_chance

    if "spearman_ours" not in headline:
        return []
    atlas = quoted(config) if config is not None else "CONFIG"
    poor = (
        [f"{NO_BETTER}{qre_command()} place MODEL --atlas {atlas} --measure"] if new_kinds_by_chance(headline) else []
    )
    new = f", of new kinds {headline['spearman_ours_kinds']:.2f}" if "spearman_ours_kinds" in headline else ""
    return [
        f"predictions: mean Spearman correlation with the true scores {headline['spearman_ours']:.2f} for encoders of "
        f"known kinds{new}; "
        f"{counted(headline['predicted_tasks'], 'task')}, {counted(headline['predicted_encoders'], 'encoder')}",
        *poor,
    ]

"""`qre rank`: which encoders of a finished map are best, at one task or at several."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from jobs.asked.opened import open_atlas, plain, plain_rows, print_csv, print_table
from jobs.terminal.console import console, say
from jobs.terminal.spelled import qre_command
from qre.atlas.differences import best_row, like_the_best, noise_in_words, others_like_the_best
from qre.atlas.finished import FinishedAtlas
from qre.atlas.overview import MEAN_RULE, Overview
from qre.atlas.placement import NOT_PREDICTABLE
from qre.counted import counted
from qre.encoders.described import parameters_in_words
from qre.errors import UserError

RANKED = {
    "rank": "d",
    "name": "",
    "near-copies": "",
    "family": "",
    "score": ".3f",
    "low": ".3f",
    "high": ".3f",
    "≈": "",
    "basis": "",
    "kinds": ".0f",
    "parameters": "",
    "dimension": ".0f",
}
ROWS = 20  # of a table on the console, where nothing else was asked for
CLOSE_RULE = "≈: cannot be told from the best by the 95 % intervals (taken as independent)"
SPEED = {"sentences/s": ",.0f", "device": "", "threads": ".0f"}
TASKS = {"task": "", "kind": "", "metric": "", "split": "", "measured": "d", "imported": "d", "predicted": "d"}
MOST_NOISES = 4  # tasks of which is told what differences may be chance
# width on the console of names, of what stands beside them, of a task with and without interval
LONGEST_NAME, BESIDE, WITH_INTERVAL, VALUE_ONLY = (44, 52, 17, 11)
SPEED_RULE = (
    "sentences/s: as each encoder ran in the sweep; compare only those of one device and number of threads. "
    "What else the machine did then is not known"
)


@dataclass(frozen=True)
class Wanted:
    """What `qre rank` was asked.

    Attributes:
        tasks: names; none: all.
        by: the score, or its prediction where there is none; or the prediction of all.
        top: None: ROWS in a table, without `everyone`; else all.
        max_parameters: None: all.
        everyone: near-copies each on a line of their own.
        speed: also how fast each encoder was.
        form: "table", "json" or "csv".
    """

    tasks: tuple[str, ...] = ()
    by: Literal["score", "predicted"] = "score"
    top: int | None = None
    max_parameters: int | None = None
    measured_only: bool = False
    everyone: bool = False
    speed: bool = False
    form: Literal["table", "json", "csv"] = "table"

    @property
    def most(self) -> int | None:
        """How many encoders are shown at most; None: all."""
        return self.top if self.top is not None or self.everyone or self.form != "table" else ROWS


def form_of(as_json: bool, as_csv: bool) -> Literal["table", "json", "csv"]:
    """UserError where both are asked for."""
    if as_json and as_csv:
        raise UserError("give --json or --csv, not both")
    return "json" if as_json else "csv" if as_csv else "table"


def rank(atlas: str, wanted: Wanted) -> None:
    """The encoders of a finished map by their scores, measured, or predicted where none was measured."""
    standing = open_atlas(atlas)
    if len(wanted.tasks) == 1:
        _one_task(standing, wanted)
    elif not wanted.tasks and not len(standing.tasks()):
        _print_tasks(standing, wanted.form)
    else:
        _several(standing, wanted)


def list_tasks(atlas: str, form: Literal["table", "json", "csv"]) -> None:
    """The tasks that a map has scores of."""
    _print_tasks(open_atlas(atlas), form)


def _print_tasks(standing: FinishedAtlas, form: Literal["table", "json", "csv"]) -> None:
    tasks = standing.tasks()
    if form == "json":
        print(json.dumps({"tasks": plain_rows(tasks), "encoders": []}))
    elif form == "csv":
        print_csv(tasks)
    elif len(tasks):
        print_table("tasks, and how many encoders have a score on each", tasks, TASKS)
    else:
        console.print("this map was made without tasks, so it has no scores", highlight=False)


# ---- one task


def _one_task(standing: FinishedAtlas, wanted: Wanted) -> None:
    task, by = wanted.tasks[0], wanted.by
    whole = standing.rank(task, by, None, wanted.max_parameters, wanted.measured_only, folded=not wanted.everyone)
    whole["like_best"] = like_the_best(whole)
    table = whole if wanted.most is None else whole.head(wanted.most)
    folded = 0 if wanted.everyone else int(whole["near_copies"].sum())
    if wanted.form == "json":
        print(json.dumps({"task": task, "by": by, "encoders": plain_rows(table), "folded": folded}))
    elif wanted.form == "csv":
        print_csv(table)
    else:
        shown = _with_copies(
            _in_words(table).rename(columns={"value": "score", "score": "own", "sentences_per_second": "sentences/s"})
        )
        print_table(
            f"{task}, by {'score' if by == 'score' else 'predicted score'}",
            shown,
            _filled(RANKED, shown) | (SPEED if wanted.speed else {}),
        )
        unknown = (
            int(standing.rank(task, by, None, None, wanted.measured_only)["parameters"].isna().sum())
            if wanted.max_parameters
            else 0
        )
        kind = standing.tasks().set_index("task").at[task, "kind"]
        close = (
            [noise_in_words(kind, whole), CLOSE_RULE]
            if others_like_the_best(whole["like_best"]) and by == "score"
            else []
        )
        _say(
            [*_more(wanted, len(whole)), *_what_the_best_is(table), *close]
            + _remarks(standing, task, by, len(table), unknown)
            + _common_remarks(standing, wanted, folded)
        )


def _remarks(standing: FinishedAtlas, task: str, by: str, shown: int, unknown: int) -> list[str]:
    """What the table does not say of itself."""
    told = standing.tasks().set_index("task").loc[task]
    lines = [
        f"{shown} shown; of the map's {len(standing.names)} encoders {told['measured']} were measured, "
        f"{told['imported']} have an imported score, "
        f"{told['predicted']} are predicted only"
    ]
    if by == "predicted":
        lines.append(
            "each prediction was made without the encoder's own score, so that it can be compared with the others"
        )
        lines.append(
            "kinds: how many kinds of encoders an interval is calibrated over; empty where an encoder has a score: it "
            "is predicted from other "
            "groups, and its interval is calibrated over groups"
        )
    if cannot := standing.unpredictable(task):
        lines.append(
            f"{counted(cannot, 'encoder')} without a score {'is' if cannot == 1 else 'are'} {NOT_PREDICTABLE}: scores "
            f"of too few kinds of encoders are known"
        )
    if unknown:
        lines.append(f"{counted(unknown, 'encoder')} of unknown size left out")
    return lines


# ---- several tasks


def _several(standing: FinishedAtlas, wanted: Wanted) -> None:
    whole = standing.overview(
        wanted.tasks, wanted.by, None, wanted.max_parameters, wanted.measured_only, folded=not wanted.everyone
    )
    folded = 0 if wanted.everyone else int(whole.table["near_copies"].sum())
    close = {task: like_the_best(cell) for task, cell in whole.cells.items()}
    whole = replace(whole, cells={task: cell.assign(like_best=close[task]) for task, cell in whole.cells.items()})
    found = whole if wanted.most is None else whole.take(np.arange(min(wanted.most, len(whole.table))))
    tasks = standing.tasks()
    if wanted.form == "json":
        about = plain_rows(tasks[tasks["task"].isin(list(found.cells))])
        print(json.dumps({"tasks": about, "by": wanted.by, "encoders": _records(found), "folded": folded}))
    elif wanted.form == "csv":
        print_csv(_wide(found))
    else:
        _print_overview(standing, wanted, found, {task: best_row(cell) for task, cell in whole.cells.items()})
        if wanted.by == "score":
            kinds = tasks.set_index("task")["kind"]
            told = [(task, noise_in_words(kinds[task], cell)) for task, cell in whole.cells.items()]
            _say([f"{task}, {words}" for task, words in told if words][:MOST_NOISES])
        _say([*_more(wanted, len(whole.table)), *_what_the_best_is(found.table)])
        left_out = [task for task in wanted.tasks or tasks["task"] if task not in found.cells]
        _say(
            [
                *(standing.why_not_predicted(task) for task in left_out[:3]),
                *([f"and {len(left_out) - 3} more tasks"] if len(left_out) > 3 else []),
            ]
            + _common_remarks(standing, wanted, folded)
        )


def _records(found: Overview) -> list[dict]:
    """Each encoder with its `scores`: by task its value, low, high, basis, n and like_best; of tasks
    without a value nothing."""
    rows = plain_rows(found.table)
    for number, row in enumerate(rows):
        row["scores"] = {
            task: plain(cell.iloc[number].to_dict())
            for task, cell in found.cells.items()
            if np.isfinite(cell["value"].iat[number])
        }
    return rows


def _wide(found: Overview) -> pd.DataFrame:
    """The table with six columns a task: its name, and the name with low, high, basis, n and like_best."""
    parts = [
        cell.set_axis([task, *(f"{task} {name}" for name in list(cell)[1:])], axis=1)
        for task, cell in found.cells.items()
    ]
    return pd.concat([found.table, *parts], axis=1)


def _print_overview(standing: FinishedAtlas, wanted: Wanted, found: Overview, best: dict[str, int | None]) -> None:
    tasks = list(found.cells)
    room = console.width - min(LONGEST_NAME, max(map(len, found.table["name"]), default=0)) - BESIDE
    intervals = len(tasks) * WITH_INTERVAL <= room
    shown_tasks = tasks if intervals else tasks[: max(1, room // VALUE_ONLY)]
    shown = _with_copies(_in_words(found.table)).assign(
        **{task: cells_of(found.cells[task], intervals, wanted.by == "score", best[task]) for task in shown_tasks}
    )
    shown["basis"] = shown["basis"].where((shown["basis"] != "measured") & (wanted.by == "score"), "")
    columns = _filled(
        {
            "rank": "d",
            "name": "",
            "near-copies": "",
            **({"mean": ".3f"} if len(tasks) > 1 else {}),
            **dict.fromkeys(shown_tasks, ""),
            "basis": "",
            "parameters": "",
            "dimension": ".0f",
        },
        shown,
    )
    if wanted.speed:
        speeds = standing.manifest.get("speed") or {}
        for column, key in zip(SPEED, ("sentences_per_second", "device", "threads"), strict=True):
            shown[column] = [speeds.get(name, {}).get(key) for name in shown["name"]]
    by = "score" if wanted.by == "score" else "predicted score"
    print_table(
        f"{len(tasks)} tasks, by mean {by}" if len(tasks) > 1 else f"1 task, by {by}",
        shown,
        columns | (SPEED if wanted.speed else {}),
    )
    lines = [MEAN_RULE] if len(tasks) > 1 else []
    lines += ["±: half the 95 % interval of a measured score"] if intervals else []
    lines += (
        [CLOSE_RULE]
        if wanted.by == "score" and any(cell.endswith("≈") for task in shown_tasks for cell in shown[task])
        else []
    )
    lines += (
        ["~: predicted, with the map's own interval"]
        if any((cell["basis"] == "predicted").any() for cell in found.cells.values()) and wanted.by == "score"
        else []
    )
    lines += (
        []
        if intervals
        else [f"{len(shown_tasks)} of {len(tasks)} tasks fit here, without intervals: --task NAME shows one, --csv all"]
    )
    _say(lines)


def cells_of(cell: pd.DataFrame, intervals: bool, marked: bool = True, best: int | None = None) -> list[str]:
    """A task's values as people read them: "0.812 ±0.021", "~0.790 ±0.200" where one is predicted and that is marked,
    "0.810 ±0.021 ≈" where it cannot be told from the best, which is in row `best`, "" where there is none."""
    told = []
    close = cell["like_best"].tolist() if "like_best" in cell and marked else [False] * len(cell)
    if best is not None and best < len(close):
        close[best] = False
    for value, low, high, basis, like in zip(
        cell["value"], cell["low"], cell["high"], cell["basis"], close, strict=True
    ):
        half = f" ±{(high - low) / 2:.3f}" if intervals and np.isfinite(high - low) else ""
        predicted = "~" if marked and basis == "predicted" else ""
        told.append(f"{predicted}{value:.3f}{half}{' ≈' if like else ''}" if np.isfinite(value) else "")
    return told


# ---- what both say


def _in_words(table: pd.DataFrame) -> pd.DataFrame:
    """With the parameters as people say them, and a mark at the best, the first, and at each that cannot be told from
    it."""
    counts = ["" if pd.isna(count) else parameters_in_words(count) for count in table["parameters"]]
    marks = (
        {"≈": [("≈" if number else "best") if close else "" for number, close in enumerate(table["like_best"])]}
        if "like_best" in table
        else {}
    )
    return table.assign(parameters=counts, **marks)


def _what_the_best_is(table: pd.DataFrame) -> list[str]:
    """The first encoder in words, and how to see that of another."""
    if table.empty or not table["description"].iloc[0]:
        return []
    return [
        f"{table['name'].iloc[0]} = {table['description'].iloc[0]} "
        f"(`{qre_command()} encoders show NAME --atlas MAP` tells how to load it)"
    ]


def _more(wanted: Wanted, count: int) -> list[str]:
    """How many encoders are not shown."""
    left = 0 if wanted.most is None else count - wanted.most
    return [f"and {counted(left, 'more encoder')}: --top N shows more, --all every one"] if left > 0 else []


def _with_copies(table: pd.DataFrame) -> pd.DataFrame:
    """With the column near-copies as people read it: "+3", or nothing."""
    return table.assign(
        **{"near-copies": [f"+{count}" if count else "" for count in table.get("near_copies", [0] * len(table))]}
    )


def _filled(columns: dict[str, str], table: pd.DataFrame) -> dict[str, str]:
    """Without the columns that are of use in some tables only and empty in this one."""
    empty = {
        name
        for name in ("near-copies", "≈", "basis", "kinds", "parameters")
        if name in columns and not table[name].replace("", None).notna().any()
    }
    return {name: form for name, form in columns.items() if name not in empty}


def _common_remarks(standing: FinishedAtlas, wanted: Wanted, folded: int) -> list[str]:
    copies = "near-copy differs" if folded == 1 else "near-copies differ"
    lines = (
        [
            f"{folded} {copies} from a listed encoder by a transform only, and {'is' if folded == 1 else 'are'} not "
            f"listed; --all shows all"
        ]
        if folded
        else []
    )
    return [*lines, *([SPEED_RULE] if wanted.speed and standing.manifest.get("speed") else [])]


def _say(lines: Sequence[str]) -> None:
    for line in lines:
        say(line)

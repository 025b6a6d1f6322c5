"""`qre neighbours` and `qre rank`: who is near whom on a finished map, and who is best at a task."""

from __future__ import annotations

import json
import sys
from typing import Literal

from jobs.atlas.standing import open_atlas, plain_rows, print_table
from jobs.show.console import console
from qre.atlas.placement import NOT_PREDICTABLE
from qre.atlas.standing import StandingAtlas
from qre.errors import UserError

RANKED = {
    "rank": "d", "name": "", "family": "", "score": ".4f", "low": ".4f", "high": ".4f", "basis": "", "kinds": ".0f", "parameters": ",.0f", "dimension": ".0f",
    "sentences/s": ",.0f", "device": "",
}  # fmt: skip


def neighbours(name: str, atlas: str, k: int, as_json: bool) -> None:
    """The encoders nearest to one on a finished map, by the distance that the map is made of."""
    standing = open_atlas(atlas)
    found = standing.neighbours(name, k)
    if as_json:
        print(json.dumps({"name": name, "metric": standing.settings.metric, "neighbours": plain_rows(found)}))
        return
    shown = found.assign(near_copy=["yes" if copy else "" for copy in found["near_copy"]])
    columns = {"rank": "d", "neighbour": "", "family": "", "near_copy": "", "distance": ".4f"}
    print_table(f"nearest to {name} ({standing.settings.metric} distance of feature vectors, nats)", shown, columns)
    if found["near_copy"].any():
        console.print("near copy: it differs from the encoder by a transform only", highlight=False)


def rank(
    atlas: str, task: str | None, by: Literal["score", "predicted"], top: int | None, max_parameters: int | None, measured_only: bool, as_json: bool, as_csv: bool
) -> None:
    """The encoders of a finished map by their scores on a task, measured, or predicted where none was measured."""
    if as_json and as_csv:
        raise UserError("give --json or --csv, not both")
    standing = open_atlas(atlas)
    if task is None:
        _tasks(standing, as_json, as_csv)
        return
    table = standing.rank(task, by, top, max_parameters, measured_only)
    if as_json:
        print(json.dumps({"task": task, "by": by, "encoders": plain_rows(table)}))
    elif as_csv:
        table.to_csv(sys.stdout, index=False)
    else:
        shown = table.rename(columns={"value": "score", "score": "own", "sentences_per_second": "sentences/s"})
        print_table(f"{task}, by {'score' if by == 'score' else 'predicted score'}", shown, RANKED)
        unknown = int(standing.rank(task, by, None, None, measured_only)["parameters"].isna().sum()) if max_parameters else 0
        _remarks(standing, task, by, len(table), unknown)


def _tasks(standing: StandingAtlas, as_json: bool, as_csv: bool) -> None:
    tasks = standing.tasks()
    if as_json:
        print(json.dumps({"tasks": plain_rows(tasks)}))
    elif as_csv:
        tasks.to_csv(sys.stdout, index=False)
    elif len(tasks):
        columns = {"task": "", "kind": "", "metric": "", "split": "", "measured": "d", "imported": "d", "predicted": "d"}
        print_table("tasks, and of how many encoders each has a score; name one with --task", tasks, columns)
    else:
        console.print("this map was made without tasks, so it has no scores", highlight=False)


def _remarks(standing: StandingAtlas, task: str, by: str, shown: int, unknown: int) -> None:
    """What the table does not say of itself."""
    told = standing.tasks().set_index("task").loc[task]
    lines = [f"{shown} shown; of the map's {len(standing.names)} encoders {told['measured']} were measured, {told['imported']} have an imported score, "
             f"{told['predicted']} are predicted only"]  # fmt: skip
    if by == "predicted":
        lines.append("each prediction was made without the encoder's own score, so that it can be compared with the others")
        lines.append("kinds: how many an interval is calibrated over; left empty where an encoder has a score: it is predicted from other groups, and "
                     "its interval is calibrated over groups")  # fmt: skip
    if cannot := standing.unpredictable(task):
        lines.append(f"{cannot} encoders without a score are {NOT_PREDICTABLE}: scores of too few kinds of encoders are known")
    if unknown:
        lines.append(f"{unknown} encoders of unknown size are left out")
    for line in lines:
        console.print(line, markup=False, highlight=False)

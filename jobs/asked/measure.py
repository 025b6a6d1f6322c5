"""Scores of an encoder that is loaded anyway, on the tasks of a map's config: what a sweep would have written of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from jobs.config import load_config
from jobs.config.reading import YAML_ENDINGS
from jobs.planning.inputs import inputs_here
from jobs.planning.prompts import prompts_of
from jobs.planning.tasks import load_tasks
from jobs.workers.score import sides
from qre.atlas.differences import against_in_words, against_the_best
from qre.atlas.finished import FinishedAtlas
from qre.encoders.hub_problems import printable
from qre.encoders.passes import Pass, readout_name
from qre.encoders.spec import EncoderSpec, own_prompt
from qre.encoders.transforms import FittedTransforms
from qre.errors import UserError
from qre.tasks.retrieval import RetrievalTask
from qre.tasks.task import Task, has_vector

COLUMNS = ("task", "kind", "metric", "score", "low", "high", "n")


def tasks_to_measure(place: str, known: Iterable[str]) -> list[Task]:
    """The tasks of a config that its map has scores of.

    Raises:
        UserError: `place` is a folder, which holds no task's texts; or the config has no task to measure here.
    """
    if Path(place).suffix not in YAML_ENDINGS:
        raise UserError(
            f"--measure: {place} holds scores, not the texts of the tasks; name the map's config: --atlas CONFIG"
        )
    known = set(known)
    with inputs_here(load_config(place)) as (config, _):
        tasks = [task for task in load_tasks(config)[0].values() if task.name in known]
    if not tasks:
        raise UserError(
            f"--measure: {place} has no built-in task and no task from files that its map has scores of; qre evaluate "
            f"--mteb measures those of MTEB"
        )
    return tasks


def measure(
    tasks: Sequence[Task], spec: EncoderSpec, loaded: Pass, fitted: FittedTransforms, told: Callable[[str], None]
) -> tuple[pd.DataFrame, list[str]]:
    """The scores of one encoder, columns COLUMNS, and why there is none on some tasks.

    Args:
        loaded: the encoder, with its one readout.
        fitted: its transforms, fitted on the sentences of the map, as a sweep has it.
        told: told the name of each task that is begun.
    """
    rows, problems = [], []
    for task in tasks:
        told(task.name)
        try:
            score = _scored(task, spec, loaded, fitted)
        except Exception as error:  # one task's end is not that of the others
            problems.append(f"{task.name}: not measured: {printable(str(error), 400) or type(error).__name__}")
            continue
        rows.append({name: getattr(score, name) for name in COLUMNS})
    return pd.DataFrame(rows, columns=list(COLUMNS)), problems


def with_verdicts(measured: pd.DataFrame, standing: FinishedAtlas, same: str | None) -> pd.DataFrame:
    """Measured scores with how each stands among those on the map: rank, of, best, best_score and apart (see
    differences.against_the_best), and verdict, in words.

    Args:
        measured: of one encoder, columns COLUMNS.
        same: its name where it is on the map already: it is not compared with itself.
    """
    rows = []
    for row in measured.to_dict("records"):
        others = standing.rank(row["task"], measured_only=True)
        found = against_the_best(row["score"], row["low"], row["high"], others[others["name"] != same])
        words = f"{'would be ' if same is None else ''}{against_in_words(found)}"
        rows.append({**row, **found, "verdict": words})
    return pd.DataFrame(rows, columns=[*COLUMNS, "rank", "of", "best", "best_score", "apart", "verdict"])


def _scored(task: Task, spec: EncoderSpec, loaded: Pass, fitted: FittedTransforms):
    own = own_prompt(spec)
    prompts = prompts_of(task, spec)
    if prompts[0] != prompts[1]:
        assert isinstance(task, RetrievalTask)
        task = task.apart()
    readout = readout_name(spec.readout)
    parts = [
        encoded(loaded.over(texts, None if prompt == own else prompt), readout, len(texts))
        for _, texts, prompt in sides(task, prompts)
    ]
    vectors = np.concatenate(parts)
    return task.score(fitted.apply(vectors), has_vector(vectors))


def encoded(loaded: Pass, readout: str, n: int, told: Callable[[int], None] = lambda done: None) -> np.ndarray:
    """The vectors (n, d) float32 of a pass's n texts; `told` after each chunk, how many are done."""
    matrix: np.ndarray | None = None
    done = 0
    for chunk, rows in enumerate(loaded.chunks):
        vectors = loaded.encode(chunk)[readout]
        matrix = np.empty((n, vectors.shape[1]), np.float32) if matrix is None else matrix
        matrix[rows] = vectors
        done += len(rows)
        told(done)
    assert matrix is not None  # there are texts
    return matrix

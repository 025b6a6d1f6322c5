"""A finished atlas, read from its files: where a new encoder would stand, who is near whom, who is best at a task.
Nothing is written in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from qre.atlas.map_table import feature_matrix
from qre.atlas.neighbours import distances_to
from qre.atlas.overview import Overview, fold, overview, parents_of
from qre.atlas.placement import LEARNT, NOT_PREDICTABLE, Placement, is_same, scores_in_words, warning_of
from qre.atlas.ranking import OUT_OF_FOLD, PREDICTED, SCORES, one_score_each, ranking, task_table
from qre.atlas.reader import AtlasFiles
from qre.atlas.settings import AtlasSettings
from qre.errors import UserError
from qre.features import FeatureMethod, FeatureRow, feature_rows
from qre.near_names import near_or_containing
from qre.prediction import Predictor
from qre.prediction.conformal import fewest_groups
from qre.prediction.predictor_file import read_predictor


class FinishedAtlas:
    """A finished atlas. Every file is verified against the manifest when it is first read.

    In three lines, for an encoder of one's own:

        atlas = FinishedAtlas("results/mine")
        placed = atlas.place(my_encoder.encode(list(atlas.sentences)), "mine")   # (n, d): row i is the vector of
        sentence i print(placed.neighbours, placed.predicted, placed.warning)

    Args:
        source: the folder, or what gives the bytes of a file by its name and raises FileNotFoundError where there is
            none.
        where: what the atlas is called in errors; default: the folder.

    Attributes:
        manifest: as it stands in manifest.json; "encode" holds the settings that its encoders were run with.
        method: of the features.
        settings: of the map: metric, neighbours, ...

    Raises:
        UserError: no manifest there, or one that this version cannot read.
    """

    def __init__(self, source: str | os.PathLike | Callable[[str], bytes], where: str = ""):
        self._files = AtlasFiles(source, where)
        self.where, self.manifest = self._files.where, self._files.manifest
        self.method = self._files.settings(FeatureMethod, self.manifest.get("features"), "features")
        self.settings = self._files.settings(AtlasSettings, self.manifest.get("atlas"), "atlas")

    @property
    def files(self) -> AtlasFiles:
        """Its files as they are, each verified when it is read."""
        return self._files

    def check(self) -> None:
        """Read now what placing needs, so that a file that is missing or damaged is told before an encoder is embedded;
        UserError as `place`."""
        _ = self.features, self._table, self.scores, self._predicted, self._feature_sets

    # ---- what people ask

    def place(self, embedding: np.ndarray, name: str = "new", k: int | None = None) -> Placement:
        """Where an encoder stands among those of the map, and what its scores would be. No encoder of the map moves.

        Args:
            embedding: E of the atlas's sentences, in their order, shape (n, d), float; read, never written.
            name: of the encoder, for people.
            k: how many neighbours; default: as many as the map lists.

        Raises:
            UserError: another number of rows than the atlas has sentences; or a file of the atlas is missing or
                damaged.
            EmbeddingError: not a matrix of floats, NaN, an all-zero row, or the same vector for every sentence.
        """
        from qre.atlas.new_points import place  # t-SNE is slow to import, and only needed here

        self._check_rows(embedding, name)
        methods = list(dict.fromkeys([self.method, *self._feature_sets.values()]))
        rows = dict(zip(methods, feature_rows(embedding, methods, name), strict=True))
        row = rows[self.method]
        distances = distances_to(row.feature[None], self.features, self.settings.metric)
        nearest = int(distances[0].argmin())
        same = self.names[nearest] if is_same(distances[0, nearest], row.feature, self.settings.metric) else None
        coordinates = self._table[["x", "y"]].to_numpy(dtype=np.float64)
        x, y = coordinates[nearest] if same is not None else place(distances, coordinates)[0]
        predicted, familiarity, notes = self._predict(rows)
        known = self._scores_of(same)
        scored = bool(len(known)) and set(predicted["task"]) <= set(known["task"])
        return Placement(
            name,
            float(x),
            float(y),
            row.qre,
            row.entropy,
            row.effective_rank,
            row.dimension,
            row.feature,
            neighbours=self._nearest(distances[0], k),
            predicted=predicted,
            familiarity=familiarity,
            same=same,
            scored=scored,
            warning="" if scored else warning_of(familiarity, self._kinds),
            notes=(*self._identity_notes(name, same), *notes),
        )

    def neighbours(self, name: str, k: int | None = None) -> pd.DataFrame:
        """The nearest encoders of one of the map, by the distance that the map is made of.

        Args:
            k: how many; default: as many as the map lists.

        Returns:
            rank, neighbour, family, near_copy (it differs by a transform only), distance; nearest first.

        Raises:
            UserError: no encoder of this name.
        """
        at = self._at(name)
        distances = distances_to(self.features[[at]], self.features, self.settings.metric)[0]
        distances[at] = np.inf
        found = self._nearest(distances, min(k or self.settings.neighbours, len(self.names) - 1))
        parent = self._table.set_index("name")["parent"]
        found.insert(3, "near_copy", [bool(parent[other] == parent[name]) for other in found["neighbour"]])
        return found

    def tasks(self) -> pd.DataFrame:
        """The tasks that the atlas has scores of: see ranking.task_table; empty where it was made without tasks."""
        return task_table(self.scores, self._predicted)

    def rank(
        self,
        task: str,
        by: Literal["score", "predicted"] = "score",
        top: int | None = None,
        max_parameters: int | None = None,
        measured_only: bool = False,
        folded: bool = False,
    ) -> pd.DataFrame:
        """The encoders by their scores on a task, the best first.

        Args:
            by: "score": the score, or its prediction where there is none; "predicted": the prediction of all, made
                without their own score.
            top: how many at most.
            max_parameters: leave out larger encoders, and those of unknown size.
            measured_only: leave out encoders without a score.
            folded: of near-copies (the same but for a transform) the best only; column near_copies says how many others
                there are.

        Returns:
            rank (among those that are left), and the columns of ranking.ranking.

        Raises:
            UserError: no scores in this atlas, no task of this name, or none that is predicted where predictions are
                asked for.
        """
        self._check_task(task)
        table = self._ranking(task, by, max_parameters, measured_only)
        self._check_predicted([task], by)
        table.insert(0, "rank", np.arange(1, len(table) + 1))
        if folded:
            table, _ = fold(table, parents_of(self._table))
        return table.head(len(table) if top is None else top)

    def overview(
        self,
        tasks: Sequence[str] = (),
        by: Literal["score", "predicted"] = "score",
        top: int | None = None,
        max_parameters: int | None = None,
        measured_only: bool = False,
        folded: bool = False,
    ) -> Overview:
        """The encoders on several tasks, by their mean; see Overview, and `rank` for the arguments.

        Args:
            tasks: names; none: all that the atlas has scores of. With by="predicted" those that are not predicted are
                left out.

        Raises:
            UserError: as `rank`.
        """
        tasks = list(dict.fromkeys(tasks)) or self.tasks()["task"].to_list() or [""]
        for task in tasks:
            self._check_task(task)
        tasks = self._check_predicted(tasks, by)
        found = overview({task: self._ranking(task, by, max_parameters, measured_only) for task in tasks})
        if folded:
            found = found.folded(parents_of(self._table))
        return found if top is None else found.take(np.arange(min(top, len(found.table))))

    def _check_task(self, task: str) -> None:
        tasks = self.tasks()["task"].to_list()
        if not tasks:
            raise UserError(
                f"{self.where}: this atlas has no scores; name tasks in its config, and qre sweep makes it with them"
            )
        if task not in tasks:
            raise UserError(f"{self.where}: no task {task!r}{_near(task, tasks)}")

    def _check_predicted(self, tasks: Sequence[str], by: Literal["score", "predicted"]) -> list[str]:
        """Those that are predicted, where predictions are asked for; UserError where none is."""
        if by == "score":
            return list(tasks)
        found = [task for task in tasks if len(self._ranking(task, by, None, False))]
        if not found:
            raise UserError(f"{self.where}: {self.why_not_predicted(tasks[0])}")
        return found

    def _ranking(
        self, task: str, by: Literal["score", "predicted"], max_parameters: int | None, measured_only: bool
    ) -> pd.DataFrame:
        table = ranking(
            task, self._table, self.scores, self._predicted, self._out_of_fold, self.manifest.get("speed") or {}, by
        )
        if measured_only:
            table = table[table["score"].notna()]
        if max_parameters is not None:
            table = table[table["parameters"] <= max_parameters]
        return table.reset_index(drop=True)

    def why_not_predicted(self, task: str) -> str:
        """Why no score on a task is predicted, in a sentence; the sweep that made the map said so in its notes."""
        for note in self.manifest.get("notes") or []:
            _, found, reason = str(note).partition(f"{task}: not predicted; ")
            if found:
                return f"{task!r} is not predicted: {reason.split('; ')[0]}"
        count = int((one_score_each(self.scores)["task"] == task).sum())
        return (
            f"{task!r} is not predicted: {count} encoders of this map have a score on it, and that is too few to "
            f"predict from"
        )

    def unpredictable(self, task: str) -> int:
        """How many encoders without a score on a task the map cannot predict, because scores of too few kinds are
        known."""
        return int(self._predicted.loc[self._predicted["task"] == task, "predicted"].isna().sum())

    # ---- what it holds

    @property
    def table(self) -> pd.DataFrame:
        """A copy of the map, one row an encoder: key, name, family, parent, x, y, qre, ..."""
        return self._table.copy()

    def encoder(self, name: str) -> dict:
        """The row of one encoder of the map, by column; UserError where there is none of this name."""
        return self._table.iloc[self._at(name)].to_dict()

    @cached_property
    def names(self) -> list[str]:
        """Names of the N encoders."""
        return self._table["name"].to_list()

    @cached_property
    def features(self) -> np.ndarray:
        """Feature vectors in the order of the names, (N, n), float64, read-only."""
        try:
            matrix = feature_matrix(self._feature_table)
        except (pa.ArrowException, ValueError, KeyError):  # nulls, or rows of several lengths
            matrix = np.full((1, 1), np.nan)
        if not np.isfinite(matrix).all():
            raise UserError(f"{self.where}: features.parquet holds features that are no numbers; make the atlas again")
        matrix.flags.writeable = False
        return matrix

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """The n sentences, in the order of the rows of an embedding."""
        return tuple(self._files.parquet("sentences.parquet")["text"].to_pylist())

    @cached_property
    def scores(self) -> pd.DataFrame:
        """name, task, kind, metric, split, score, low, high, n, source ("measured" or "imported"); empty where the
        atlas was made without tasks."""
        return self._files.table_or_empty("scores.parquet", SCORES)

    @cached_property
    def predictor(self) -> Predictor | None:
        """Fitted on the scores; None where there are none, or too few."""
        return (
            read_predictor(self._files.read("predictor.safetensors"))
            if self._files.has("predictor.safetensors")
            else None
        )

    @cached_property
    def _predicted(self) -> pd.DataFrame:
        return self._files.table_or_empty("predicted.parquet", PREDICTED)

    @cached_property
    def _out_of_fold(self) -> pd.DataFrame:
        return self._files.table_or_empty("predictions.parquet", OUT_OF_FOLD)

    @cached_property
    def _feature_table(self) -> pa.Table:
        return self._files.parquet("features.parquet")

    @cached_property
    def _table(self) -> pd.DataFrame:
        """map.parquet in the order of features.parquet."""
        table = self._files.parquet("map.parquet").to_pandas().set_index("key", drop=False)
        keys = self._feature_table["key"].to_pylist()
        if sorted(table.index) != sorted(keys):
            raise UserError(
                f"{self.where}: map.parquet and features.parquet are not of the same encoders; make the atlas again"
            )
        return table.loc[keys].reset_index(drop=True)

    # ---- placing

    def _check_rows(self, embedding: np.ndarray, name: str) -> None:
        n = self.features.shape[1]
        if np.ndim(embedding) == 2 and len(embedding) != n:
            raise UserError(
                f"{name}: {len(embedding)} rows, and {self.where} has {n} sentences: give the vector of each of them, "
                f"in their order"
            )

    @cached_property
    def _feature_sets(self) -> dict[str, FeatureMethod]:
        """How each feature set of the predictor is made."""
        methods = (self.manifest.get("prediction") or {}).get("methods") or {}
        found = {}
        for name in self.predictor.tables if self.predictor is not None else ():
            if name not in methods:
                raise UserError(
                    f"{self.where}: manifest.json does not say how the features {name!r} are made; make the atlas again"
                )
            found[name] = self._files.settings(FeatureMethod, methods[name], f"prediction.methods.{name}")
        return found

    def _predict(self, rows: Mapping[FeatureMethod, FeatureRow]) -> tuple[pd.DataFrame, float | None, list[str]]:
        """The table of Placement.predicted, the familiarity, and notes, from the features of one encoder by every
        method."""
        tasks = self.tasks()
        columns = ["task", "kind", "metric", "predicted", "low", "high", "kinds"]
        if self.predictor is None:
            why = (
                "the scores in this atlas are too few to predict from"
                if len(tasks)
                else "this atlas has no scores to predict from"
            )
            return pd.DataFrame(columns=columns), None, [why]
        found = self.predictor.predict(
            {name: rows[method].feature[None] for name, method in self._feature_sets.items()}
        )
        told = pd.DataFrame(
            {
                "task": self.predictor.tasks,
                "predicted": found.mean[0],
                "low": found.low[0],
                "high": found.high[0],
                "kinds": found.kinds,
            }
        )
        told = told[told["kinds"] > 0].merge(tasks[["task", "kind", "metric"]], on="task", how="left")
        familiarity = float(found.familiarity[0])
        return (
            told[columns].reset_index(drop=True),
            familiarity if np.isfinite(familiarity) else None,
            [*self.predictor.notes, *self._short_of_kinds()],
        )

    @property
    def _kinds(self) -> int:
        """Of how many kinds of encoders the map has scores to predict from."""
        return len(np.unique(self.predictor.kinds)) if self.predictor is not None else 0

    def _short_of_kinds(self) -> list[str]:
        """What is said of tasks that cannot be predicted because scores of too few kinds are known."""
        predictor = self.predictor
        assert predictor is not None  # else nothing is predicted
        counts, coverage = predictor.kinds_by_task, predictor.coverage
        short = sorted({int(count) for count in counts if 0 < count < fewest_groups(coverage)})
        return [
            f"{NOT_PREDICTABLE}: "
            f"{', '.join(task for task, other in zip(predictor.tasks, counts, strict=True) if other == count)}; "
            f"intervals of "
            f"{coverage:.0%} need scores of {fewest_groups(coverage)} kinds of encoders, and there are {count}, which "
            f"allow {count / (count + 1):.0%} at most"
            for count in short
        ]

    def _identity_notes(self, name: str, same: str | None) -> list[str]:
        if same is not None:
            learnt = self.predictor is not None and same in self.predictor.encoders
            return [
                f"the same encoder as {same!r}, which is on the map{scores_in_words(self._scores_of(same))}",
                *([LEARNT] if learnt else []),
            ]
        return [f"another encoder named {name!r} is on the map"] if name in self.names else []

    def _scores_of(self, name: str | None) -> pd.DataFrame:
        """The scores of an encoder of the map, one a task; none of None."""
        known = one_score_each(self.scores)
        return known[known["name"] == name]

    def _nearest(self, distances: np.ndarray, k: int | None) -> pd.DataFrame:
        """rank, neighbour, family, distance of the k nearest; distances (N,), ties by the smaller index."""
        order = np.argsort(distances, kind="stable")[: self.settings.neighbours if k is None else k]
        near = self._table.iloc[order]
        return pd.DataFrame(
            {
                "rank": np.arange(1, len(order) + 1),
                "neighbour": near["name"].to_numpy(),
                "family": near["family"].to_numpy(),
                "distance": distances[order],
            }
        )

    def _at(self, name: str) -> int:
        """Row of an encoder of the map."""
        if name not in self.names:
            raise UserError(f"{self.where}: no encoder {name!r}{_near(name, self.names)}")
        return self.names.index(name)


def _near(name: str, known: Sequence[str]) -> str:
    """What a person may have meant: "; did you mean 'a', 'b'?", or what there is where that is little."""
    if near := near_or_containing(name, known):
        return near
    return (
        f"; there are {', '.join(map(repr, known))}"
        if len(known) <= 12
        else f"; there are {len(known)}, such as {known[0]!r}"
    )

"""From the scores of the encoders on a map to the files that tell them, predict them, and say how well that goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
import pandas as pd

from qre.atlas.beside_parents import NO_VARIANTS
from qre.atlas.map_table import table_files
from qre.atlas.measure_scores import measure_scores, measured
from qre.atlas.ranking import PREDICTED
from qre.errors import UserError
from qre.features import FeatureMethod
from qre.prediction import PredictionData, PredictionReport, PredictionSettings, evaluate, fit
from qre.prediction.data import score_ranges
from qre.prediction.distances import near_copies
from qre.prediction.evaluation import nearly_one
from qre.prediction.folds import coarser, joined
from qre.prediction.predictor_file import predictor_bytes
from qre.prediction.sensitivity import sensitivity

SATURATED, FEWEST_SATURATED = 0.2, 3  # share and number of encoders that are as good as can be
NEAR = 0.01  # of a score on a task whose best is 1: less is no difference between encoders
Progress = Callable[[str, int, int], None]
SCORES = ("name", "task", "kind", "metric", "split", "score", "low", "high", "n", "source")


@dataclass(frozen=True)
class ScoredPart:
    """What scores add to an atlas: see qre.build.atlas_files.Atlas. `predicts`: predictions stand in it."""

    files: dict[str, bytes]
    headline: dict = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    predicts: bool = False


@dataclass(frozen=True)
class Descriptions:
    """What is known of N encoders beside the map, row i = encoder i of it.

    Attributes:
        features: method -> (N, n), float64; the first is the map's own.
        compared: as `features`, for the curve over ε.
        spectra, sketches: see PredictionData.
    """

    features: Mapping[FeatureMethod, np.ndarray]
    compared: Mapping[FeatureMethod, np.ndarray]
    spectra: np.ndarray
    sketches: np.ndarray


def scored_part(
    table: pd.DataFrame,
    scores: pd.DataFrame,
    about: Descriptions,
    settings: PredictionSettings,
    progress: Progress = lambda stage, done, total: None,
    facts: Mapping[str, object] = MappingProxyType({}),
    notes: Sequence[str] = (),
    variants: pd.DataFrame = NO_VARIANTS,
) -> ScoredPart:
    """The scores, and where there are enough of them: the report on predictions, its figures, the predictor, and what
    it predicts.

    Args:
        table: the map, one row an encoder: name, family, group, kind, x, y, dimension and, where known, parameters.
        scores: columns SCORES, one row for an encoder and task.
        progress: told what is being made, how much of it is done, and of how much.
        facts, notes, variants: headline, notes and variants of the map, for the report.

    Returns:
        scores.parquet, .csv, report.md; and predictions, prediction_metrics, predicted (each .parquet, .csv),
        predictor.safetensors, the figures, sensitivity (.parquet, .csv) where methods are compared. Where the map has
        measures of geometry, measure_scores (.parquet, .csv) and its figure, also where nothing is predicted.
    """
    files = table_files("scores", scores)
    page = _Page(scores, facts, variants)
    if scores.empty:
        why: tuple[str, ...] = ("no encoder on the map has a score, so none is predicted",)
        return ScoredPart({**files, "report.md": page(None, table, notes=(*notes, *why))}, notes=why)
    data = _data(table, scores, about)
    saturated = tuple(saturation_notes(data))
    pairs = near_copies(next(iter(data.features.values())), data.groups)
    if pairs:
        groups = joined(data.groups, pairs)
        data = replace(data, groups=groups, kinds=coarser(data.kinds, groups))
    grouped = table.assign(group=data.groups, kind=data.kinds)
    geometry, geometry_files = _geometry(grouped, data)
    try:
        report = evaluate(data, settings, progress=lambda done, total: progress("folds of predictions", done, total))
    except UserError as error:
        why = (*saturated, str(error))
        files |= {
            **geometry_files,
            "report.md": page(None, table, tuple(geometry_files), (*notes, *why), geometry=geometry),
        }
        return ScoredPart(files, notes=why)
    curve = (
        sensitivity(about.compared, data, settings, lambda *at: progress("methods compared", *at))
        if about.compared
        else pd.DataFrame()
    )
    progress("report and figures", 0, 1)
    own_notes = (*saturated, *report.notes, *([nearly_one(data, pairs, "no fold separates them")] if pairs else []))
    predictor = fit(data, settings, sketches=False)
    predicted = _predicted(predictor, data)
    report = replace(report, notes=own_notes)
    told, headline, figures = _told(report, grouped, scores, curve)
    told |= {
        **geometry_files,
        "report.md": page(report, grouped, (*figures, *geometry_files), notes, predicted, geometry),
        **table_files("predicted", predicted),
        "predictor.safetensors": predictor_bytes(predictor),
    }
    return ScoredPart({**files, **told}, headline, own_notes, predicts=True)


@dataclass(frozen=True)
class _Page:
    """Makes report.md, of what is the same in every case."""

    scores: pd.DataFrame
    facts: Mapping[str, object]
    variants: pd.DataFrame

    def __call__(
        self,
        report: PredictionReport | None,
        table: pd.DataFrame,
        figures: Sequence[str] = (),
        notes: Sequence[str] = (),
        predicted: pd.DataFrame | None = None,
        geometry: pd.DataFrame | None = None,
    ) -> bytes:
        from qre.report import report_page

        return report_page(
            report,
            table,
            self.scores,
            ("map.png", *([] if self.variants.empty else ["variants.png"]), *figures),
            groups="group",
            predicted=predicted,
            facts=self.facts,
            notes=notes,
            variants=self.variants,
            geometry=geometry,
        )


def _geometry(table: pd.DataFrame, data: PredictionData) -> tuple[pd.DataFrame | None, dict[str, bytes]]:
    """How the measures of geometry of a map go with its scores, with the files that tell it; None without measures."""
    if not measured(table):
        return None, {}
    from qre.figures.measures import measures_figure  # slow to import

    told = measure_scores(table, data.scores, data.tasks)
    return told, {**table_files("measure_scores", told), **measures_figure(told)}


def saturation_notes(data: PredictionData) -> list[str]:
    """A warning for each task whose scores hardly tell encoders apart; of scores that are all the same the predictions
    tell."""
    notes = []
    for task, column, (_, top) in zip(data.tasks, data.scores.T, data.ranges, strict=True):
        known = column[~np.isnan(column)]
        if len(known) < FEWEST_SATURATED or np.ptp(known) == 0:
            continue
        best = int((known >= top - NEAR).sum())
        if best >= max(FEWEST_SATURATED, SATURATED * len(known)):
            notes.append(
                f"{task} is saturated: {best} of {len(known)} scores are {top - NEAR:g} or more, so it does not rank "
                f"those encoders; take a harder task"
            )
        elif np.ptp(known) < NEAR:
            notes.append(
                f"{task} hardly tells encoders apart: all {len(known)} scores lie between {known.min():.4f} and "
                f"{known.max():.4f}"
            )
    return notes


def _data(table: pd.DataFrame, scores: pd.DataFrame, about: Descriptions) -> PredictionData:
    tasks = list(dict.fromkeys(scores["task"]))
    wide = scores.pivot(index="name", columns="task", values="score").reindex(index=table["name"], columns=tasks)
    metrics = scores.drop_duplicates("task").set_index("task")["metric"]
    parameters = table["parameters"] if "parameters" in table else pd.Series(np.nan, index=table.index)
    return PredictionData(
        features={method.name: matrix for method, matrix in about.features.items()},
        scores=wide.to_numpy(np.float64),
        tasks=tuple(tasks),
        groups=table["group"].to_numpy(),
        kinds=coarser(table["kind"].to_numpy(), table["group"].to_numpy()),
        ranges=score_ranges([metrics[task] for task in tasks], wide.to_numpy(np.float64)),
        encoders=tuple(table["name"]),
        dimension=table["dimension"].to_numpy(np.float64),
        parameters=parameters.to_numpy(np.float64, na_value=np.nan),
        spectra=about.spectra,
        sketches=about.sketches,
    )


def _told(
    report: PredictionReport, table: pd.DataFrame, scores: pd.DataFrame, curve: pd.DataFrame
) -> tuple[dict[str, bytes], dict, tuple[str, ...]]:
    """Tables and figures; the headline; and the names of the figures."""
    from qre.figures.predictions import prediction_figures  # slow to import
    from qre.prediction.words import headline

    figures = prediction_figures(report, table, scores, curve)
    tables = {
        **table_files("predictions", report.predictions),
        **table_files("prediction_metrics", report.metrics),
        **table_files("prediction_null", report.null),
        **table_files("prediction_coverage", report.coverage),
        **(table_files("sensitivity", curve) if len(curve) else {}),
    }
    kinds = int(table.loc[table["name"].isin(set(report.predictions["encoder"])), "kind"].nunique())
    return {**tables, **figures}, {**headline(report), "kinds": kinds}, tuple(figures)


def _predicted(predictor, data: PredictionData) -> pd.DataFrame:
    """Scores that nobody measured: name, task, predicted, low, high, familiarity, kinds; NaN and infinite where this
    map cannot tell."""
    rows, columns = np.nonzero(np.isnan(data.scores))
    lacking = np.unique(rows)
    if not len(lacking):
        return pd.DataFrame(columns=list(PREDICTED)).astype(
            {name: str if name in ("name", "task") else float for name in PREDICTED}
        )
    found = predictor.predict({name: matrix[lacking] for name, matrix in data.features.items()})
    at = np.searchsorted(lacking, rows)
    predicted = pd.DataFrame(
        {
            "name": [data.encoders[row] for row in rows],
            "task": [data.tasks[column] for column in columns],
            "predicted": found.mean[at, columns],
            "low": found.low[at, columns],
            "high": found.high[at, columns],
            "familiarity": found.familiarity[at],
            "kinds": found.kinds[columns],
        }
    )
    return predicted[predicted["kinds"] > 0].reset_index(drop=True)

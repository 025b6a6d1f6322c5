"""report.md: the map, the best encoders, how to read it, and how well scores are predicted; one page from top to
bottom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from qre.atlas.beside_parents import NO_VARIANTS
from qre.prediction import PredictionReport
from qre.report.best import best_parts
from qre.report.how_to_read import reading_part
from qre.report.markdown import escaped
from qre.report.measures_part import measures_parts
from qre.report.prediction_part import predicted_parts
from qre.report.variants_part import variants_part


def report_page(
    report: PredictionReport | None,
    table: pd.DataFrame,
    scores: pd.DataFrame,
    figures: Sequence[str] = (),
    groups: str = "parent",
    kinds: str = "kind",
    predicted: pd.DataFrame | None = None,
    facts: Mapping[str, object] | None = None,
    notes: Sequence[str] = (),
    geometry: pd.DataFrame | None = None,
    variants: pd.DataFrame = NO_VARIANTS,
) -> bytes:
    """The page: Markdown, UTF-8. The tables behind it are written by qre.build.scored.

    Args:
        report: None where nothing is predicted.
        table: the map, one row an encoder: name, family, ...
        scores: name, task, kind, metric, score, low, high, source; empty where the map was made without tasks.
        figures: names of the files beside the page; the PNGs of FIGURES and map.png are shown.
        groups: column of the map whose encoders stayed together in a fold.
        kinds: column of the map that says of which origin an encoder is.
        predicted: scores that nobody measured: name, task, predicted, low, high, familiarity, kinds.
        facts: the headline of the map: see qre.build.atlas_files.
        notes: what a reader of the map must know, beside the notes of the report.
        geometry: how measures of geometry go with scores: see qre.atlas.measure_scores; None where that is not known.
        variants: see qre.atlas.beside_parents.variant_table.
    """
    title = [f"# Map of {len(table):,} sentence encoders"]
    picture = (
        ["![The map: a point for each encoder, a colour for each family.](map.png)"] if "map.png" in figures else []
    )
    parts = [title, picture, *best_parts(table, scores, predicted), reading_part(facts or {})]
    parts += variants_part(variants, "variants.png" in figures)
    if report is not None:
        parts += [["# How well scores are predicted"], *predicted_parts(report, table, scores, figures, groups, kinds)]
    if geometry is not None:
        parts += measures_parts(geometry, figures)
    told = list(dict.fromkeys([*(report.notes if report is not None else ()), *notes]))
    parts += [["## Notes", "", *(f"- {escaped(note)}" for note in told)] if told else [], _warned(table)]
    return ("\n\n".join("\n".join(part) for part in parts if part) + "\n").encode()


def _warned(table: pd.DataFrame) -> list[str]:
    """What libraries warned of while encoders were loaded."""
    told = table.dropna(subset="warnings") if "warnings" in table else table[:0]
    lines = [f"- {escaped(row['name'])}: {escaped(row['warnings'])}" for _, row in told.iterrows()]
    return ["## Warnings while loading", "", "None of them is known to change a number.", "", *lines] if lines else []

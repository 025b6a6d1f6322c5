"""The columns of a map as the page shows them: what each is called, and what kind of thing it is."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from qre.geometry.legend import LEGEND, Entry
from qre.page.contract import Column, numbers

KNOWN = {  # in the order in which they are shown: label, unit
    "description": ("What it is", ""),
    "model": ("Model", ""),
    "parameters": ("Parameters", ""),
    "dimension": ("Dimension", ""),
    "family": ("Family", ""),
    "model_max_tokens": ("Max tokens", "tokens"),
    "licence": ("Licence", ""),
    "languages": ("Languages", ""),
    "source": ("Source", ""),
    "endpoint": ("Endpoint", ""),
    "as_of": ("As of", ""),
    "qre": ("QRE", "nats"),
    "entropy": ("Entropy", "nats"),
    "model_type": ("Model type", ""),
    "architecture": ("Architecture", ""),
    "pooling": ("Pooling", ""),
    "layer": ("Layer", ""),
    "transforms": ("Transforms", ""),
    "fitted_on": ("Fitted on", ""),
    "layers": ("Layers", ""),
    "hidden_size": ("Hidden size", ""),
    "vocabulary": ("Vocabulary", "tokens"),
    "base_model": ("Base model", ""),
    "training_sets": ("Training sets", ""),
    "downloads": ("Downloads", ""),
    "likes": ("Likes", ""),
    "created": ("Created", ""),
    "truncated_share": ("Share of sentences cut", ""),
    "prompt_names": ("Prompts", ""),
    "warnings": ("Warnings", ""),
    "kind": ("Kind", ""),
}
LISTS = {"languages": ", ", "training_sets": ", ", "prompt_names": ",", "modules": "+"}
CATEGORIES = ("family",)  # however many levels: the map is coloured by it
TEXTS = ("description", "model", "warnings", "commit", "prompt", "method")
MEASURES = ("qre", "entropy", "truncated_share")
FIRST = ("uniformity", "isoscore_unbiased", "effective_rank", "mean_cosine", "hubness", "alignment")  # of the geometry
_LEGEND = {entry.name: entry for entry in LEGEND}
GEOMETRY = {name: _LEGEND[name] for name in dict.fromkeys((*FIRST, *_LEGEND))}
HIDDEN = (  # shown otherwise, or of no use to people
    *("key", "name", "parent", "group", "x", "y"),
    *("uniformity_se", "hubness_se", "sampled", "pairs", "groups"),
)
SETTINGS = ("direction", "perturbation", "epsilon", "unit_rows")  # of the features: the same for all
SMALLEST = 1e-290  # of a log scale: numbers near the end of float64 are written as 0
WIDE, MOST_LEVELS = 100, 0.5  # a number that spans more is shown on a log scale; text that differs more is no category


def columns_of(table: pd.DataFrame) -> list[Column]:
    """What is known of the N encoders of a map (its columns, and description), what people ask for first in front."""
    order = [name for name in (*KNOWN, *GEOMETRY) if name in table]
    order += [name for name in table if name not in (*order, *HIDDEN, *SETTINGS)]
    columns = (_column(name, table[name]) for name in order)
    return [column for column in columns if column is not None]


def _column(name: str, values: pd.Series) -> Column | None:
    label, unit = KNOWN.get(name, (name.replace("_", " ").capitalize(), ""))
    group: Literal["Attributes", "Measures", "Geometry"] = "Measures" if name in MEASURES else "Attributes"
    about = ""
    if name in GEOMETRY:
        title = GEOMETRY[name].title
        first = title[0].upper() if title[0].isascii() else title[0]  # α-ReQ stays small
        label, group, about = first + title[1:], "Geometry", _in_words(GEOMETRY[name])
    if name in LISTS:
        return _listed(name, label, values, LISTS[name])
    if name in TEXTS:
        return Column(name, label, "text", [None if pd.isna(one) else str(one) for one in values])
    number = name not in CATEGORIES and pd.api.types.is_numeric_dtype(values)
    if number and not pd.api.types.is_bool_dtype(values):
        known = values.to_numpy(dtype=np.float64, na_value=np.nan)
        if name == "created" or not np.isfinite(known).any():
            return None
        return Column(name, label, "number", numbers(known), (), unit, _scale(known), group, about)
    text = [None if pd.isna(one) or one == "" else str(one) for one in values]
    known_text = [one for one in text if one is not None]
    if not known_text:
        return None
    if name not in CATEGORIES and len(set(known_text)) > max(12, MOST_LEVELS * len(text)):
        return Column(name, label, "text", text)
    levels = _by_count(known_text)
    code = {level: index for index, level in enumerate(levels)}
    return Column(name, label, "category", [-1 if one is None else code[one] for one in text], levels)


def _in_words(entry: Entry) -> str:
    """What a measure of geometry means, and which way it tells of more isotropy."""
    way = f" {entry.more_isotropic.capitalize()} is more isotropic." if entry.more_isotropic else ""
    return f"{entry.meaning[:1].upper()}{entry.meaning[1:]}.{way}"


def _listed(name: str, label: str, values: pd.Series, separator: str) -> Column:
    lists = [
        [part for part in str(one).split(separator) if part] if isinstance(one, str) and one else None for one in values
    ]
    levels = _by_count([part for one in lists if one for part in one])
    code = {level: index for index, level in enumerate(levels)}
    return Column(name, label, "list", [None if one is None else [code[part] for part in one] for one in lists], levels)


def _by_count(values: list[str]) -> list[str]:
    """Different values, the most frequent first, ties in the order of their names."""
    counts = pd.Series(values, dtype=object).value_counts()
    return sorted(counts.index, key=lambda value: (-counts[value], value))


def _scale(values: np.ndarray):
    known = values[np.isfinite(values)]
    return "log" if known.min() > SMALLEST and known.max() / WIDE > known.min() else "linear"

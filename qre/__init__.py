"""The method: sentence embeddings as density operators, compared by quantum relative entropy.

Nothing in this package knows of Ray; `jobs` runs it on a cluster. What a notebook needs can be had from here:

>>> import numpy as np
>>> from qre import DensityOperator, FeatureMethod, feature_row, relative_entropy
>>> embedding = np.random.default_rng(0).normal(size=(200, 16))  # (n, d): row i is the vector of sentence i
>>> row = feature_row(embedding, FeatureMethod())
>>> row.feature.shape  # one value a sentence, in nats, whatever the dimension of the encoder
(200,)
>>> base = DensityOperator.from_embedding(np.eye(200))  # the unit base encoder: n orthonormal vectors
>>> rho = DensityOperator.from_embedding(embedding)
>>> bool(np.isclose(relative_entropy(base, rho), row.feature.sum()))  # S(ρ₀‖ρ) is the sum of the features
True

A finished map is read, asked and placed on without the sweep that made it:

    from qre import FinishedAtlas
    atlas = FinishedAtlas("results/mine")
    placed = atlas.place(encoder.encode(list(atlas.sentences)), "mine")
    print(placed.neighbours, placed.predicted, placed.warning)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qre.atlas.finished import FinishedAtlas
    from qre.density import DensityOperator
    from qre.encoders.fitted import load_transforms, save_transforms
    from qre.encoders.transforms import apply_transforms, fit_transforms
    from qre.entropy import jensen_shannon, von_neumann
    from qre.entropy import relative as relative_entropy
    from qre.features import FeatureMethod, feature_row, feature_rows
    from qre.geometry import Measures, measures
    from qre.similarity import linear_cka
    from qre.store import Store

__version__ = "0.1.0"
__all__ = [
    "DensityOperator",
    "FeatureMethod",
    "FinishedAtlas",
    "Measures",
    "Store",
    "apply_transforms",
    "feature_row",
    "feature_rows",
    "fit_transforms",
    "jensen_shannon",
    "linear_cka",
    "load_transforms",
    "measures",
    "relative_entropy",
    "save_transforms",
    "von_neumann",
]
_SOURCES = {  # imported when they are first asked for: importing a room must not import them all
    "DensityOperator": "qre.density.DensityOperator",
    "FeatureMethod": "qre.features.FeatureMethod",
    "FinishedAtlas": "qre.atlas.finished.FinishedAtlas",
    "Measures": "qre.geometry.Measures",
    "Store": "qre.store.Store",
    "apply_transforms": "qre.encoders.transforms.apply_transforms",
    "feature_row": "qre.features.feature_row",
    "feature_rows": "qre.features.feature_rows",
    "fit_transforms": "qre.encoders.transforms.fit_transforms",
    "jensen_shannon": "qre.entropy.jensen_shannon",
    "linear_cka": "qre.similarity.linear_cka",
    "load_transforms": "qre.encoders.fitted.load_transforms",
    "measures": "qre.geometry.measures",
    "relative_entropy": "qre.entropy.relative",
    "save_transforms": "qre.encoders.fitted.save_transforms",
    "von_neumann": "qre.entropy.von_neumann",
}


def __getattr__(name: str):
    if name not in _SOURCES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _SOURCES[name].rpartition(".")
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

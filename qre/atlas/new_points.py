"""Placing new encoders on a map that stands: openTSNE's transform on distances, without a refit; no old point moves."""

from __future__ import annotations

import numpy as np
from openTSNE.affinity import PrecomputedAffinities, joint_probabilities_nn
from openTSNE.tsne import PartialTSNEEmbedding, TSNEEmbedding
from scipy.sparse import csr_matrix

from qre.atlas.layout import NEIGHBOURS_PER_PERPLEXITY

# openTSNE's own values for adding points, where the learning rate must be far lower than for making a map
PERPLEXITY = 5.0
DESCENT = {"learning_rate": 0.1, "exaggeration": 1.5, "momentum": 0.8, "max_grad_norm": 0.25}
STEPS = 250


def place(distances: np.ndarray, coordinates: np.ndarray) -> np.ndarray:
    """Coordinates of new encoders on an old map, each placed by itself.

    Args:
        distances: of each new encoder to each old one, in the map's own metric, shape (m, N), float64.
        coordinates: of the old ones, shape (N, 2), float64; they are read, never written.

    Returns:
        shape (m, 2), float64. The same input gives the same bits.

    Source: Poličar, Stražar and Zupan 2023 (embedding to reference t-SNE space): gradient descent from the median of
        the nearest old points, with
    affinities to the old points only.
    """
    m, count = distances.shape
    perplexity = min(PERPLEXITY, (count - 1) / NEIGHBOURS_PER_PERPLEXITY)
    reach = max(1, int(NEIGHBOURS_PER_PERPLEXITY * perplexity))
    near = np.argsort(distances, axis=1, kind="stable")[:, :reach]
    how_far = np.take_along_axis(distances, near, axis=1)
    # the old points' own affinities play no part when they do not move; openTSNE asks for some
    none = PrecomputedAffinities(csr_matrix((count, count)), normalize=False)
    old = TSNEEmbedding(np.array(coordinates, dtype=np.float64), none, n_jobs=1, negative_gradient_method="bh")
    start = np.ascontiguousarray(np.median(coordinates[near], axis=1))
    affinities = joint_probabilities_nn(
        near, how_far, [perplexity], symmetrize=False, normalization="point-wise", n_reference_samples=count, n_jobs=1
    )
    placed = PartialTSNEEmbedding(start, old, affinities, n_jobs=1, negative_gradient_method="bh")
    return np.asarray(placed.optimize(STEPS, **DESCENT), dtype=np.float64).reshape(m, 2)

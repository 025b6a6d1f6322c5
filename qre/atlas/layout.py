"""The map itself: t-SNE on the precomputed distances, begun at the first two principal components of the features.

Source: openTSNE (Poličar, Stražar and Zupan 2024); initialisation by PCA after Kobak and Berens (2019), who show that
    the large-scale
arrangement of a t-SNE map means nothing when it begins at random. Two runs with the same number of BLAS threads give
the same bits.
"""

from __future__ import annotations

import numpy as np
from openTSNE import TSNE
from openTSNE.affinity import PerplexityBasedNN
from openTSNE.initialization import jitter
from openTSNE.nearest_neighbors import PrecomputedNeighbors
from scipy.linalg import eigh
from sklearn.manifold import trustworthiness as sklearn_trustworthiness

from qre.atlas.neighbours import nearest
from qre.atlas.settings import AtlasSettings

FEWEST = 4  # encoders that t-SNE can lay out: perplexity 1 needs 3 neighbours
ENCODERS_PER_PERPLEXITY = 20
SMALLEST_USUAL = 5.0  # the least perplexity that t-SNE is commonly used with
FEW = 16  # below it the perplexity falls under the usual even at its highest, and maps turn into chains
NEIGHBOURS_PER_PERPLEXITY = 3  # t-SNE's rule: the kernel of perplexity p reaches about 3p neighbours
START_SPREAD = 0.99e-4  # standard deviation of the start; openTSNE wants at most 1e-4


def layout(
    features: np.ndarray, distances: np.ndarray, settings: AtlasSettings, n_jobs: int = 1
) -> tuple[np.ndarray, list[str]]:
    """Coordinates of the encoders on the map.

    Args:
        features: shape (N, n), float: where the layout begins.
        distances: shape (N, N), float64, symmetric: what the layout keeps, neighbourhood by neighbourhood.
        settings: perplexity and seed.
        n_jobs: threads of openTSNE; the result does not depend on it.

    Returns:
        coordinates (N, 2), float64, centred, widest along the first axis, without unit; and notes that a reader of the
        map should see.
    """
    size = len(distances)
    start = principal_coordinates(features)
    if size < FEWEST:
        return start, [f"t-SNE needs at least {FEWEST} encoders; the map of {size} shows their principal components"]
    if not distances.any():
        return np.zeros((size, 2)), ["all encoders have the same features; the map has nothing to show"]
    perplexity, notes = _perplexity(settings.perplexity, size)
    # (N - 1)/3 * 3 may round to just below N - 1
    reach = min(size - 1, int(NEIGHBOURS_PER_PERPLEXITY * perplexity + 1e-9))
    neighbours = PrecomputedNeighbors(*nearest(distances, reach))
    affinities = PerplexityBasedNN(knn_index=neighbours, perplexity=perplexity, n_jobs=n_jobs)
    # jitter: t-SNE has no gradient between encoders that start at one place
    start = jitter(start * (START_SPREAD / start.std(axis=0).max()), scale=1e-3, random_state=settings.seed)
    tsne = TSNE(n_jobs=n_jobs, random_state=settings.seed, negative_gradient_method="bh")
    coordinates = np.asarray(tsne.fit(affinities=affinities, initialization=start))
    return principal_coordinates(coordinates), notes  # the same map turned, so that it is widest from left to right


def _perplexity(wanted: float, size: int) -> tuple[float, list[str]]:
    """The perplexity that suits so many encoders, and notes where it is less than was wanted, or too little to trust
    the map.

    With a kernel that reaches a good part of all encoders the map shows only the strongest direction: 227 encoders at
    perplexity 30 make a band 13 times as long as wide, at 11 a plane, with the same trustworthiness (0.99).
    """
    suited = max(size / ENCODERS_PER_PERPLEXITY, min(SMALLEST_USUAL, (size - 1) / NEIGHBOURS_PER_PERPLEXITY))
    notes = []
    if wanted > suited:
        needed = int(np.ceil(ENCODERS_PER_PERPLEXITY * wanted))
        notes.append(f"perplexity {wanted:g} suits {needed} encoders or more; {suited:.1f} is used for {size}")
    if size < FEW:
        notes.append(f"t-SNE has little to go by with fewer than {FEW} encoders: trust the distances more than the map")
    return min(wanted, suited), notes


def principal_coordinates(features: np.ndarray) -> np.ndarray:
    """The first two principal components, shape (N, 2), float64, with signs fixed so that the largest entry of each is
    positive.

    From the N x N Gram matrix, exact: the features are far wider (n = 10,000) than there are encoders.
    """
    centred = features - features.mean(axis=0)
    size, taken = len(centred), min(2, len(centred))
    eigenvalues, vectors = eigh(centred @ centred.T, subset_by_index=[size - taken, size - 1])
    coordinates = np.zeros((size, 2))
    coordinates[:, :taken] = (vectors * np.sqrt(np.maximum(eigenvalues, 0.0)))[:, ::-1]
    return coordinates * np.where(coordinates[np.abs(coordinates).argmax(axis=0), [0, 1]] < 0, -1.0, 1.0)


def trustworthiness(distances: np.ndarray, coordinates: np.ndarray, k: int) -> float:
    """How far neighbours on the map are neighbours in truth: 1 is perfect, 0.5 about random (Venna and Kaski 2001).

    Args:
        distances: shape (N, N), float64.
        coordinates: shape (N, 2).
        k: neighbours looked at; lowered to below N/2, where the measure is defined. Fewer than 3 encoders give 1.
    """
    k = min(k, (len(distances) - 1) // 2)
    if k < 1:
        return 1.0
    return float(sklearn_trustworthiness(distances, coordinates, n_neighbors=k, metric="precomputed"))

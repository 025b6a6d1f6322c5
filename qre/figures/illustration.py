"""The illustration of the method: what noise around the unit base encoder does to the feature vector, and to the map.

After Figure 2 of Zhang and Bollegala, "Map of Encoders" (arXiv 2602.08740): ten embeddings with little noise and ten
with much, all around E = I, whose rows are n orthonormal sentences. Here E = I + sqrt(σ²/n) G with G standard normal,
so that σ² is the expected squared norm of a row's noise beside its unit signal. Without the 1/n that norm would be n
σ², and at n = 256 even σ² = 0.1 would drown the signal 26 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import silhouette_score

from qre.atlas.layout import layout
from qre.atlas.neighbours import nearest, pairwise_distances
from qre.atlas.settings import AtlasSettings
from qre.features import FeatureMethod, feature_row

EACH = 10  # embeddings in a group
LOW, HIGH = (0.0, 1.0), (3.0, 4.0)  # σ² of the two groups, drawn uniformly
BLUE, VERMILLION = "#0072B2", "#D55E00"


@dataclass(frozen=True)
class Illustration:
    """Twenty noisy embeddings, the ten of little noise first.

    Attributes:
        sigma2: σ², shape (20,), float64.
        features: shape (20, n), float64, nats.
        qre: Σ f of each, shape (20,), nats.
        coordinates: on the map, shape (20, 2), float64.
        base: the unit base encoder itself (E = I, so f = 0) on the same map, shape (2,).
        gap: (smallest QRE of the high group - largest of the low group) / (largest - smallest QRE of all); positive
            where one threshold on the QRE tells the groups apart, at most 1. Turned round where the direction of the
            method makes noise lower the QRE.
        silhouette: mean silhouette of the two groups on the map, in [-1, 1].
        agreement: share of the twenty whose nearest other on the map is of their own group.
    """

    sigma2: np.ndarray
    features: np.ndarray
    qre: np.ndarray
    coordinates: np.ndarray
    base: np.ndarray
    gap: float
    silhouette: float
    agreement: float

    @property
    def high(self) -> np.ndarray:
        """Which of the twenty are of the high group, shape (20,), bool."""
        return np.arange(2 * EACH) >= EACH


def illustrate(n: int = 256, seed: int = 0, method: FeatureMethod = FeatureMethod()) -> Illustration:
    """Draw the twenty embeddings, and put their features and the base encoder's on one map. Under a second at n = 256.

    Args:
        n: sentences, and dimensions.
        seed: of the noise and of the t-SNE.
        method: how features are made.
    """
    generator = np.random.default_rng(seed)
    sigma2 = np.concatenate([generator.uniform(*LOW, EACH), generator.uniform(*HIGH, EACH)])
    rows = [feature_row(np.eye(n) + np.sqrt(s / n) * generator.standard_normal((n, n)), method) for s in sigma2]
    rows.append(feature_row(np.eye(n), method))
    features = np.stack([row.feature for row in rows])
    coordinates, _ = layout(features, pairwise_distances(features), AtlasSettings(seed=seed))
    places, qre = coordinates[:-1], features[:-1].sum(axis=1)
    high = np.arange(2 * EACH) >= EACH
    closest = nearest(pairwise_distances(places, "l2"), 1)[0][:, 0]
    return Illustration(
        sigma2=sigma2,
        features=features[:-1],
        qre=qre,
        coordinates=places,
        base=coordinates[-1],
        gap=_gap(qre[~high], qre[high]),
        silhouette=float(silhouette_score(places, high)),
        agreement=float((high[closest] == high).mean()),
    )


def _gap(low: np.ndarray, high: np.ndarray) -> float:
    between = max(high.min() - low.max(), low.min() - high.max())
    return float(between / np.ptp(np.concatenate([low, high])))


def illustration_figure(illustration: Illustration) -> dict[str, bytes]:
    """Left the QRE over σ², right the map: "illustration.png" and "illustration.svg", the same bytes for the same
    illustration."""
    from qre.figures.style import footnote, heading, new_figure, render, style  # slow to import, and only needed here

    with style():
        figure = new_figure(7.6, 3.9)
        n = illustration.features.shape[1]
        facts = (
            f"E = I + √(σ²/n) G, n = {n} · the gap between the groups is {illustration.gap:.0%} of the QRE's "
            f"range · on the map: "
        )
        facts += f"silhouette {illustration.silhouette:.2f}, 1-NN agreement {illustration.agreement:.0%}"
        heading(figure, "Noise around the unit base encoder", facts)
        _sums(figure.add_axes((0.075, 0.17, 0.40, 0.63)), illustration)
        _map(figure.add_axes((0.54, 0.10, 0.44, 0.70)), illustration)
        footnote(
            figure, "G: standard normal noise. Right: t-SNE; nearness has a meaning, axes, scale and gaps have none."
        )
        return render(figure, "illustration")


def _groups(illustration: Illustration):
    yield ~illustration.high, BLUE, "o", f"little noise, σ² in [{LOW[0]:g}, {LOW[1]:g}]"
    yield illustration.high, VERMILLION, "^", f"much noise, σ² in [{HIGH[0]:g}, {HIGH[1]:g}]"


def _sums(axes, illustration: Illustration) -> None:
    for members, colour, marker, text in _groups(illustration):
        places = illustration.sigma2[members], illustration.qre[members]
        axes.scatter(*places, c=colour, marker=marker, s=34, edgecolors="white", lw=0.5, label=text)
    axes.scatter(
        [0], [0], c="black", marker="*", s=110, edgecolors="white", lw=0.5, label="unit base encoder, f = 0", zorder=3
    )
    axes.set_xlabel("σ², expected squared norm of a row's noise")
    axes.set_ylabel("QRE = Σ f (nats)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=2.5, width=0.6)
    axes.legend(frameon=False, loc="center right", handletextpad=0.3)


def _map(axes, illustration: Illustration) -> None:
    for members, colour, marker, _ in _groups(illustration):
        axes.scatter(*illustration.coordinates[members].T, c=colour, marker=marker, s=34, edgecolors="white", lw=0.5)
    axes.scatter(*illustration.base, c="black", marker="*", s=110, edgecolors="white", lw=0.5, zorder=3)
    axes.set_axis_off()
    axes.margins(0.08)
    axes.set_title("the map of their features", fontsize=7.5, loc="left", pad=2)

"""The feature vector of an encoder: the terms of the quantum relative entropy between it and the unit base encoder.

The unit base encoder has n orthonormal basis vectors, one a sentence: ρ₀ = I/n. Source: Zhang and Bollegala, "Map of
Encoders" (arXiv 2602.08740), Theorem 1, with σ = ρ of the encoder; natural logarithm (nats), float64. The paper prints
neither its ε nor the order of the arguments, so both are parameters here and are recorded with every feature row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from qre.density import CONSTANT_FLOOR, GRAM_FLOOR, DensityOperator, check_finite
from qre.entropy import von_neumann
from qre.errors import ConstantEmbeddingError

SMALLEST_EPSILON = 1e-16  # float64 cannot tell smaller eigenvalues of a unit-trace operator from zero


class FeatureMethod(BaseModel):
    """How features are made: everything beside the embedding that changes their values.

    Attributes:
        direction: "base_first" is S(ρ₀‖ρ), which ε makes finite; "base_second" is S(ρ‖ρ₀), which needs no ε.
        perturbation: "clip" raises the spectrum of ρ to ε from below; "mix" takes (1-δ)ρ + δI/n, with δ = epsilon.
        epsilon: ε of the clipping or δ of the mixing.
        normalize: rows to unit length first.
        center: subtract the mean over the sentences before that. What all sentences share then weighs nothing, and what
            tells them apart more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    direction: Literal["base_first", "base_second"] = "base_first"
    perturbation: Literal["clip", "mix"] = "clip"
    epsilon: float = Field(1e-6, ge=SMALLEST_EPSILON, lt=1.0)
    normalize: bool = True
    center: bool = False

    @model_validator(mode="before")
    @classmethod
    def _default_of_mixing(cls, values):
        # δ = 0.1 was the best mixing weight on 242 real encoders; 1e-6 would be a clipping in disguise
        if isinstance(values, dict) and values.get("perturbation") == "mix" and "epsilon" not in values:
            return {**values, "epsilon": 0.1}
        return values

    @property
    def name(self) -> str:
        """A short folder-safe name, one for each method: "base_first-clip-1e-06-unit", and "-centred" after it."""
        rows = "unit" if self.normalize else "raw"
        return f"{self.direction}-{self.perturbation}-{self.epsilon:g}-{rows}" + ("-centred" if self.center else "")


@dataclass(frozen=True)
class FeatureRow:
    """What one encoder contributes to the feature matrix.

    Attributes:
        feature: f, shape (n,), float64, nats: sentence i's part of the QRE.
        qre: Σ f, the quantum relative entropy itself.
        entropy: von Neumann entropy S(ρ) = -Σ μ log μ, in nats.
        effective_rank: exp S(ρ): how many directions the encoder really uses.
        dimension: d.
    """

    feature: np.ndarray
    qre: float
    entropy: float
    effective_rank: float
    dimension: int


def feature_row(embedding: np.ndarray, method: FeatureMethod, encoder: str = "") -> FeatureRow:
    """Feature vector and spectral summary of one embedding.

    Args:
        embedding: E, shape (n, d), float; read, never written. Extra memory: about 20 MB at n = 10,000, d = 384; 50 MB
            when centred.
        method: direction, perturbation, ε, normalisation, centring.
        encoder: name to put into errors.

    Raises:
        EmbeddingError: see DensityOperator.from_embedding.
    """
    return feature_rows(embedding, [method], encoder)[0]


class Operators:
    """The density operators of one embedding, each made when it is first asked for, and once."""

    def __init__(self, embedding: np.ndarray, encoder: str = ""):
        """Of E, shape (n, d), float; `encoder` is put into errors."""
        self.embedding, self.encoder = embedding, encoder
        self._made: dict[tuple, DensityOperator] = {}
        self._centred: np.ndarray | None = None

    @property
    def unit(self) -> DensityOperator:
        """That of unit rows, not centred, by the Gram route: always the same one, whatever else is asked for. Raises
        EmbeddingError."""
        return self._of(False, True, GRAM_FLOOR)

    def of(self, method: FeatureMethod) -> DensityOperator:
        """That of a feature method. Raises EmbeddingError."""
        return self._of(method.center, method.normalize, _smallest(method, len(self.embedding)))

    def exact(self, method: FeatureMethod) -> DensityOperator:
        """That of a feature method in whatever direction, exact down to its ε. Raises EmbeddingError."""
        return self._of(method.center, method.normalize, perturbed_null(method, len(self.embedding)))

    def _of(self, center: bool, normalize: bool, smallest: float) -> DensityOperator:
        key = (center, normalize, min(smallest, GRAM_FLOOR))
        if key not in self._made:
            matrix = self.embedding
            if center:
                matrix = self._centred = _centred(matrix, self.encoder) if self._centred is None else self._centred
            self._made[key] = DensityOperator.from_embedding(
                matrix, normalize=normalize, smallest=smallest, encoder=self.encoder
            )
        return self._made[key]


def feature_rows(
    embedding: np.ndarray, methods: Sequence[FeatureMethod], encoder: str = "", operators: Operators | None = None
) -> list[FeatureRow]:
    """`feature_row` by several methods: those that differ in ε, perturbation and direction only share one density
    operator. Each row has the bits that its method gives alone.

    Args:
        operators: of this embedding, where others take them too.
    """
    operators = operators or Operators(embedding, encoder)
    return [_row(operators.of(method), method) for method in methods]


def density_operator(embedding: np.ndarray, method: FeatureMethod, encoder: str = "") -> DensityOperator:
    """ρ of an embedding (n, d) with the rows that a method has: centred or not, of unit length or raw; exact down to
    the method's ε, whatever its direction. EmbeddingError as DensityOperator.from_embedding."""
    return Operators(embedding, encoder).exact(method)


def perturbed_null(method: FeatureMethod, n: int) -> float:
    """ν, what the perturbation makes of an eigenvalue of 0: ε when clipping, δ/n when mixing."""
    return method.epsilon if method.perturbation == "clip" else method.epsilon / n


def log_weights(rho: DensityOperator, method: FeatureMethod) -> np.ndarray:
    """log(μ̃_j/ν), shape (K,), non-negative: what the perturbed eigenvalues μ̃ weigh against the null eigenvalue ν."""
    null = perturbed_null(method, rho.n)
    if method.perturbation == "clip":
        return np.log(np.maximum(rho.eigenvalues, null) / null)
    return np.log1p((1.0 - method.epsilon) * rho.eigenvalues / null)


def _smallest(method: FeatureMethod, n: int) -> float:
    """The smallest eigenvalue whose value matters; from GRAM_FLOOR on all are the same to the density operator."""
    if method.direction == "base_second":
        return 1.0  # μ log μ vanishes with μ, so small eigenvalues do not matter
    return perturbed_null(method, n)


def _row(rho: DensityOperator, method: FeatureMethod) -> FeatureRow:
    feature = base_second(rho) if method.direction == "base_second" else base_first(rho, method)
    entropy = von_neumann(rho)
    return FeatureRow(feature, float(feature.sum()), entropy, float(np.exp(entropy)), rho.dimension)


def _centred(embedding: np.ndarray, encoder: str) -> np.ndarray:
    """E minus its mean row, (n, d) float64; a matrix of another shape is left to the density operator to refuse."""
    check_finite(np.atleast_2d(embedding), encoder)  # one NaN in the mean would be in every row
    centred = embedding - np.mean(embedding, axis=0, dtype=np.float64)
    if np.sum(np.square(centred)) <= CONSTANT_FLOOR * np.sum(np.square(embedding, dtype=np.float64)):
        raise ConstantEmbeddingError("every sentence has the same vector", encoder)  # what is left is rounding
    return centred


def base_first(rho: DensityOperator, method: FeatureMethod) -> np.ndarray:
    """f_i = (1/n)[-log n - Σ_j u_ij² log μ̃_j - (1 - Σ_j u_ij²) log ν], the terms of S(ρ₀‖ρ); shape (n,), nats.

    μ̃ are the perturbed eigenvalues and ν the perturbed null eigenvalue (ε when clipping, δ/n when mixing). Written as
    (1/n)[-log(nν) - Σ_j u_ij² log(μ̃_j/ν)], eigenvalues at the floor weigh nothing: no rank decision, and continuous in
    E.
    """
    null = perturbed_null(method, rho.n)
    return (-np.log(rho.n * null) - rho.mass(log_weights(rho, method))) / rho.n


def base_second(rho: DensityOperator) -> np.ndarray:
    """f_i = Σ_j u_ij² μ_j (log μ_j + log n), the terms of S(ρ‖ρ₀) = log n - S(ρ); shape (n,), nats."""
    weights = np.zeros_like(rho.eigenvalues)
    used = rho.eigenvalues > 0
    weights[used] = rho.eigenvalues[used] * (np.log(rho.eigenvalues[used]) + np.log(rho.n))
    return rho.mass(weights)

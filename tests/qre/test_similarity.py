"""Jensen-Shannon divergence and linear CKA: limits, symmetry, invariances, and the dense formula."""

import numpy as np
import pytest
from scipy.linalg import hadamard

from qre.density import DensityOperator
from qre.entropy import jensen_shannon, von_neumann
from qre.similarity import linear_cka

RNG = np.random.default_rng(0)
FIRST, SECOND = RNG.standard_normal((30, 5)), RNG.standard_normal((30, 8))


def dense(matrix: np.ndarray) -> np.ndarray:
    rows = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    return rows @ rows.T / len(rows)


def entropy(rho: np.ndarray) -> float:
    values = np.linalg.eigvalsh(rho)
    values = values[values > 1e-15]
    return float(-np.sum(values * np.log(values)))


@pytest.mark.parametrize("second", [SECOND, RNG.standard_normal((30, 40)), FIRST @ RNG.standard_normal((5, 5))])
def test_jensen_shannon_is_the_dense_formula(second):
    rho, sigma = DensityOperator.from_embedding(FIRST), DensityOperator.from_embedding(second)
    one, two = dense(FIRST), dense(second)
    expected = entropy((one + two) / 2) - (entropy(one) + entropy(two)) / 2
    assert jensen_shannon(rho, sigma) == pytest.approx(expected, abs=1e-10)
    assert jensen_shannon(sigma, rho) == pytest.approx(expected, abs=1e-10)
    assert 0 < expected < np.log(2)


def test_jensen_shannon_at_its_ends():
    rho = DensityOperator.from_embedding(FIRST)
    assert jensen_shannon(rho, rho) == pytest.approx(0.0, abs=1e-10)
    columns = hadamard(16).astype(float)  # orthogonal, and every row of a part of them is equally long
    left, right = DensityOperator.from_embedding(columns[:, :8]), DensityOperator.from_embedding(columns[:, 8:])
    assert jensen_shannon(left, right) == pytest.approx(np.log(2), rel=1e-12)
    assert von_neumann(left) == pytest.approx(np.log(8), rel=1e-12)
    with pytest.raises(ValueError, match="30 and 16"):
        jensen_shannon(rho, left)


def test_linear_cka():
    rotation, _ = np.linalg.qr(RNG.standard_normal((5, 5)))
    assert linear_cka(FIRST, 3 * FIRST @ rotation + 7) == pytest.approx(1.0)
    assert 0 <= linear_cka(FIRST, SECOND) < 0.5
    assert linear_cka(FIRST, SECOND) == pytest.approx(linear_cka(SECOND, FIRST))
    assert linear_cka(FIRST, np.ones((30, 3))) == 0.0
    with pytest.raises(ValueError, match="30 and 29"):
        linear_cka(FIRST, SECOND[1:])

"""The warning of a small sentence set: when it comes, and that it says how many sentences to use."""

import numpy as np
import pytest

from qre.encoders.transforms import apply_transforms
from qre.features import FeatureMethod, feature_row
from qre.sample_size import FEW, is_sample_note, sample_notes


@pytest.mark.parametrize(
    ("n", "encoders", "said"),
    [
        (2000, [(384, ()), (None, ("whiten",)), (1024, ("whiten",))], ""),
        (FEW, [(100, ())], ""),
        (FEW - 1, [(16, ())], "99 sentences are few: the map may look different with others; use at least 500"),
        (
            300,
            [(301, ()), (300, ()), (None, ())],
            "300 sentences are few: the map cannot show all that tells encoders of more dimensions apart; use at "
            "least 400",
        ),
        (
            300,
            [(384, ()), (1024, ("whiten",))],
            "300 sentences are few: the map cannot show all that tells encoders of more dimensions apart; use at "
            "least 1,100",
        ),
        (
            300,
            [(299, ("whiten",)), (298, ("whiten",)), (299, ())],
            "300 sentences are few: the map cannot show all that tells encoders of more dimensions apart; use at "
            "least 400",
        ),
        (
            12,
            [(700, ()), (11, ("truncate:64", "whiten"))],
            "12 sentences are few: the map may look different with others, and the map cannot show all that tells "
            "encoders of more dimensions apart; "
            "use at least 700",
        ),
    ],
)
def test_one_line_with_one_number(n, encoders, said):
    notes = sample_notes(n, encoders)
    assert notes == ([said] if said else []) and all(map(is_sample_note, notes))


@pytest.mark.parametrize(("n", "alike"), [(20, True), (200, False)])
def test_whitened_encoders_with_a_dimension_for_each_sentence_are_one(n, alike):
    whitened = [
        apply_transforms(np.random.default_rng(seed).normal(size=(n, 32)).astype(np.float32), ("whiten",))
        for seed in (0, 1)
    ]
    first, second = (feature_row(matrix, FeatureMethod()).feature for matrix in whitened)
    assert np.allclose(first, second, rtol=1e-4) == alike

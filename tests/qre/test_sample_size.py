"""Warnings about small sentence sets: when they come, and that each says how many encoders it is about."""

import numpy as np
import pytest

from qre.encoders.transforms import apply_transforms
from qre.features import FeatureMethod, feature_row
from qre.sample_size import FEW, sample_notes


@pytest.mark.parametrize(
    ("n", "encoders", "said"),
    [
        (2000, [(384, ()), (None, ("whiten",)), (1024, ("whiten",))], []),
        (FEW, [(100, ())], []),
        (FEW - 1, [(16, ())], ["99 sentences are few"]),
        (
            300,
            [(301, ()), (300, ()), (None, ())],
            ["1 encoder has more dimensions (up to 301) than there are sentences (300)"],
        ),
        (300, [(384, ()), (1024, ())], ["2 encoders have more dimensions (up to 1,024)"]),
        (
            300,
            [(299, ("whiten",)), (298, ("whiten",)), (299, ())],
            ["1 whitened encoder has a dimension for each of the 300 sentences"],
        ),
        (
            12,
            [(384, ()), (11, ("whiten",)), (11, ("truncate:64", "whiten"))],
            ["12 sentences", "1 encoder has more", "2 whitened encoders have"],
        ),
    ],
)
def test_each_warning_once(n, encoders, said):
    notes = sample_notes(n, encoders)
    assert len(notes) == len(said) and all(note.startswith(words) for note, words in zip(notes, said, strict=True))


@pytest.mark.parametrize(("n", "alike"), [(20, True), (200, False)])
def test_whitened_encoders_with_a_dimension_for_each_sentence_are_one(n, alike):
    whitened = [
        apply_transforms(np.random.default_rng(seed).normal(size=(n, 32)).astype(np.float32), ("whiten",))
        for seed in (0, 1)
    ]
    first, second = (feature_row(matrix, FeatureMethod()).feature for matrix in whitened)
    assert np.allclose(first, second, rtol=1e-4) == alike

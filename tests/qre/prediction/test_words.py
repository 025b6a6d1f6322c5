"""What is said of predictions: whether those for a new kind of encoder are any better than chance."""

import pytest

from qre.prediction.words import new_kinds_by_chance

KINDS = {"spearman_ours_kinds": 0.3, "spearman_ours_chance": 0.1, "predicted_encoders": 200, "kinds": 9}


@pytest.mark.parametrize(
    ("changed", "by_chance"),
    [
        ({}, False),
        ({"spearman_ours_kinds": 0.09}, True),  # below what random predictions reach
        ({"spearman_ours_kinds": 0.15, "predicted_encoders": 60}, True),  # 51 encoders: 95 % stay below 0.23
        ({"spearman_ours_kinds": 0.15, "spearman_ours_chance": 0.2}, True),
        ({"spearman_ours_kinds": -0.2}, True),
        ({"predicted_encoders": 9}, True),  # one of each kind: nothing is ranked
    ],
)
def test_predictions_for_new_kinds_against_chance(changed, by_chance):
    assert new_kinds_by_chance({**KINDS, **changed}) == by_chance


@pytest.mark.parametrize("missing", ["spearman_ours_kinds", "kinds"])
def test_what_was_not_measured_is_not_judged(missing):
    assert not new_kinds_by_chance({name: value for name, value in KINDS.items() if name != missing})

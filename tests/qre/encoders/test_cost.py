"""Expected costs: the model that the module states, and nothing hidden."""

import pytest

from qre.encoders.cost import CONTEXT_BYTES, GPUS, estimate


def one(**changes):
    values = {
        "parameters": 100_000_000,
        "weight_bytes": 0,
        "hidden": 768,
        "dtype": "float32",
        "words": 150_000,
        "sentences": 10_000,
        "token_budget": 16_384,
    }
    return estimate(**{**values, **changes})


def test_what_grows_with_what():
    base = one()
    assert one(parameters=200_000_000).memory - base.memory == 400_000_000
    assert one(dtype="bfloat16").memory == base.memory - 200_000_000
    assert one(words=300_000).seconds["T4"] - 15 == pytest.approx(2 * (base.seconds["T4"] - 15))
    assert one(dtype="bfloat16").seconds["T4"] < base.seconds["T4"]
    assert base.stored == 10_000 * 768 * 4
    assert base.memory > CONTEXT_BYTES


def test_what_is_not_told():
    assert one(parameters=None, weight_bytes=400_000_000).parameters == 100_000_000
    assert one(hidden=None).stored == 10_000 * 1024 * 4


def test_a_large_encoder_fits_only_on_large_gpus():
    assert one().fits == tuple(gpu.name for gpu in GPUS)
    assert one(parameters=7_000_000_000).fits == ("A100-40G", "A100-80G", "H100", "H200")
    assert one(parameters=70_000_000_000).fits == ()

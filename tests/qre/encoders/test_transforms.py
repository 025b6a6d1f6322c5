"""Transforms of an embedding."""

import numpy as np
import pytest

from qre.encoders.transforms import apply_transforms, fit_transforms
from qre.errors import EncoderError


@pytest.fixture
def embedding():
    rng = np.random.default_rng(0)
    return (rng.standard_normal((300, 12)) @ rng.standard_normal((12, 12)) + 3.0).astype(np.float32)


def test_none_changes_nothing(embedding):
    assert np.array_equal(apply_transforms(embedding, ()), embedding)


def test_truncate(embedding):
    assert np.array_equal(apply_transforms(embedding, ("truncate:5",)), embedding[:, :5])


def test_center(embedding):
    assert np.allclose(apply_transforms(embedding, ("center",)).mean(axis=0), 0, atol=1e-5)


def test_whiten_makes_the_covariance_the_identity(embedding):
    white = apply_transforms(embedding, ("whiten",)).astype(np.float64)
    assert np.allclose(np.cov(white.T, bias=True), np.eye(12), atol=1e-4)


def test_whiten_leaves_out_directions_without_variance(embedding):
    doubled = np.hstack([embedding, embedding])
    assert apply_transforms(doubled, ("whiten",)).shape == (300, 12)


def test_all_but_the_top(embedding):
    rest = apply_transforms(embedding, ("all_but_the_top:2",)).astype(np.float64)
    before = np.linalg.svd(embedding - embedding.mean(axis=0), compute_uv=False)
    after = np.linalg.svd(rest, compute_uv=False)
    assert np.allclose(after[:10], before[2:], rtol=1e-3)
    assert np.allclose(after[10:], 0, atol=1e-3)


def test_in_order(embedding):
    assert apply_transforms(embedding, ("truncate:5", "whiten")).shape == (300, 5)
    assert not np.allclose(
        apply_transforms(embedding, ("truncate:5", "whiten")),
        apply_transforms(embedding, ("whiten", "truncate:5")),
        atol=0.1,
    )


@pytest.mark.parametrize("transform", ["truncate:13", "all_but_the_top:12"])
def test_more_than_there_is(embedding, transform):
    with pytest.raises(EncoderError, match=f"{transform} of an embedding with 12 dimensions"):
        apply_transforms(embedding, (transform,))


def test_standardize(embedding):
    flat = np.hstack([embedding, np.full((300, 1), 7.0, np.float32)])
    out = apply_transforms(flat, ("standardize",)).astype(np.float64)
    assert np.allclose(out[:, :12].std(axis=0), 1, atol=1e-5)
    assert np.allclose(out.mean(axis=0), 0, atol=1e-5)
    assert not out[:, 12].any()


def test_whiten_k_keeps_the_leading_directions(embedding):
    out = apply_transforms(embedding, ("whiten:4",)).astype(np.float64)
    assert np.allclose(np.cov(out.T, bias=True), np.eye(4), atol=1e-4)
    left, _, _ = np.linalg.svd(embedding - embedding.mean(axis=0), full_matrices=False)
    assert np.allclose(np.linalg.svd(left[:, :4].T @ out / np.sqrt(300), compute_uv=False), 1, atol=1e-4)
    with pytest.raises(EncoderError, match="whiten:13 of an embedding that varies in 12 directions"):
        apply_transforms(np.hstack([embedding, embedding]), ("whiten:13",))


def test_quantised_as_sentence_transformers_does_it(embedding):
    from sentence_transformers.util import quantize_embeddings

    others = embedding[::-1] * np.float32(1.3)  # beyond the ranges, too
    flat = np.hstack([embedding, np.ones((300, 1), np.float32)])
    for matrix, fitted_on in ((embedding, embedding), (others, embedding), (flat, flat)):
        ours = fit_transforms(fitted_on, ("int8",)).apply(matrix)
        assert np.array_equal(ours, quantize_embeddings(matrix, "int8", calibration_embeddings=fitted_on))
    bits = apply_transforms(embedding, ("binary",))
    packed = quantize_embeddings(embedding, "ubinary")
    assert np.array_equal(np.packbits(bits > 0, axis=1), packed)
    hamming = np.unpackbits(packed[0] ^ packed[1]).sum()
    assert bits[0] @ bits[1] / 12 == pytest.approx(1 - 2 * hamming / 12)


CHAINS = [
    (),
    ("truncate:5",),
    ("center",),
    ("whiten",),
    ("normalize",),
    ("all_but_the_top:2",),
    ("standardize",),
    ("whiten:4",),
    ("int8",),
    ("binary",),
    ("whiten", "int8"),
    ("truncate:8", "whiten", "normalize", "all_but_the_top:1"),
]


@pytest.mark.parametrize("transforms", CHAINS, ids="+".join)
def test_fitted_transforms_repeat_themselves_bit_for_bit(embedding, transforms):
    fitted = fit_transforms(embedding, transforms)
    again = fitted.apply(embedding)
    assert again.dtype == np.float32 and again.tobytes() == apply_transforms(embedding, transforms).tobytes()


@pytest.mark.parametrize("transforms", CHAINS, ids="+".join)
def test_fitted_transforms_are_a_fixed_function_of_a_vector(embedding, transforms):
    """Whatever it stands with: fitting on other vectors would move it."""
    fitted = fit_transforms(embedding[:200], transforms)
    alone = np.concatenate([fitted.apply(embedding[row : row + 1]) for row in range(200, 210)])
    assert np.allclose(alone, fitted.apply(embedding[200:])[:10], atol=1e-5)
    if transforms and transforms[0] not in ("truncate:5", "normalize", "binary"):
        assert not np.allclose(alone, apply_transforms(embedding[200:], transforms)[:10], atol=1e-3)


def test_new_vectors_through_a_whitening(embedding):
    """By its definition: the mean and the covariance of the fitting, not their own."""
    fitting, new = embedding[:200].astype(np.float64), embedding[200:].astype(np.float64)
    white = fit_transforms(embedding[:200], ("whiten",)).apply(embedding[200:]).astype(np.float64)
    covariance = np.cov(fitting.T, bias=True)
    mahalanobis = np.einsum(
        "ij,jk,ik->i", new - fitting.mean(axis=0), np.linalg.inv(covariance), new - fitting.mean(axis=0)
    )
    assert np.allclose(np.square(white).sum(axis=1), mahalanobis, rtol=1e-3)


@pytest.mark.parametrize("transform", ["int8", "whiten", "whiten:2", "standardize", "all_but_the_top:1"])
def test_numbers_that_are_too_large_for_a_transform(embedding, transform):
    huge = (np.sign(embedding - embedding.mean(axis=0)) * 3e38).astype(np.float32)
    try:
        assert np.isfinite(apply_transforms(huge, (transform,))).all()
    except EncoderError as error:
        assert f"{transform}: the numbers of the embedding are too large" in str(error)
    if transform == "int8":
        with pytest.raises(EncoderError, match="too large"):
            apply_transforms(huge, (transform,))


@pytest.mark.parametrize("transform", ["whiten", "standardize"])
def test_what_does_not_vary_teaches_nothing(transform):
    with pytest.raises(EncoderError, match=f"{transform}: all texts that it is fitted on have the same vector"):
        fit_transforms(np.ones((5, 8), np.float32), (transform,))

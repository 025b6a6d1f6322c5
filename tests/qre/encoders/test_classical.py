"""Classical encoders: shape, determinism, what each is meant to see."""

import numpy as np
import pytest

from qre.encoders.classical import embed_classical, fit_classical
from qre.encoders.spec import ClassicalSpec
from qre.errors import EncoderError
from qre.features import FeatureMethod, feature_row

KINDS = [
    {"kind": "hashed", "weighting": "count", "rank": 64},
    {"kind": "hashed", "weighting": "log", "analyzer": "char_wb", "ngrams": (2, 4), "rank": 64},
    {"kind": "hashed", "weighting": "binary", "rank": 64},
    {"kind": "lsa", "rank": 20},
    {"kind": "lsa", "rank": 20, "weighting": "count", "ngrams": (1, 2)},
    {"kind": "lsa", "rank": 20, "analyzer": "char_wb", "ngrams": (3, 3)},
    {"kind": "projection", "rank": 30},
    {"kind": "sif", "rank": 20, "window": 2},
]


def spec(**values) -> ClassicalSpec:
    return ClassicalSpec(name="a", family="f", **values)


def cosine(embedding, i, j):
    return embedding[i] @ embedding[j] / np.linalg.norm(embedding[i]) / np.linalg.norm(embedding[j])


@pytest.mark.parametrize("values", KINDS, ids=lambda values: "-".join(map(str, values.values())))
def test_shape_determinism_and_a_feature(values, sentences):
    embedding = embed_classical(spec(**values), sentences.texts)
    assert embedding.shape == (200, values["rank"])
    assert embedding.dtype == np.float32
    assert np.array_equal(embedding, embed_classical(spec(**values), sentences.texts))
    assert np.isfinite(feature_row(embedding, FeatureMethod()).feature).all()


@pytest.mark.parametrize("values", KINDS, ids=lambda values: "-".join(map(str, values.values())))
def test_paraphrases_are_nearer_than_strangers(values, sentences):
    embedding = embed_classical(spec(**values), sentences.texts).astype(np.float64)
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    similar = embedding @ embedding.T
    group = np.array(sentences.labels["group"])
    same = (group[:, None] == group) & ~np.eye(len(group), dtype=bool)
    others = similar[~same & ~np.eye(len(group), dtype=bool)]
    assert similar[same].mean() > others.mean() + 1.5 * others.std()


def test_a_seed_makes_another_projection(sentences):
    first, second = (embed_classical(spec(kind="projection", rank=30, seed=seed), sentences.texts) for seed in (0, 1))
    assert not np.allclose(first, second)


def test_a_corpus_to_fit_on(sentences):
    texts = list(sentences.texts)
    for kind in ("lsa", "sif", "projection"):
        own = embed_classical(spec(kind=kind, rank=10), texts[:50])
        other = embed_classical(spec(kind=kind, rank=10), texts[:50], corpus=texts)
        assert own.shape == other.shape == (50, 10)
        assert not np.allclose(own, other)


@pytest.mark.parametrize("values", KINDS, ids=lambda values: "-".join(map(str, values.values())))
def test_a_fitted_encoder_is_a_fixed_function_of_a_text(values, sentences):
    """The same for a sentence of the corpus as for any text, in whatever company."""
    texts = list(sentences.texts)
    fitted = fit_classical(spec(**values), texts[:150])
    own = embed_classical(spec(**values), texts[:150])
    assert own.tobytes() == fitted.transform(texts[:150]).tobytes()
    mixed = fitted.transform([texts[170], texts[3], texts[160]])
    assert mixed.shape == (3, values["rank"]) and mixed.dtype == np.float32
    assert np.allclose(mixed[1], own[3], rtol=1e-4, atol=1e-6)
    assert np.allclose(mixed[[0, 2]], fitted.transform(texts[150:])[[20, 10]], rtol=1e-4, atol=1e-6)
    assert np.linalg.norm(mixed[0]) > 0 and not np.allclose(mixed[0], mixed[2])


def test_a_text_of_unknown_words_is_a_row_of_zeros(sentences):
    for kind, weighting in (("lsa", "tfidf"), ("lsa", "count"), ("projection", "tfidf"), ("sif", "tfidf")):
        vectors = fit_classical(spec(kind=kind, weighting=weighting, rank=10), sentences.texts).transform(
            ["xyzzy plugh", sentences.texts[0]]
        )
        assert not vectors[0].any() and vectors[1].any()


def test_no_sentence_is_without_a_token():
    texts = ["!", "a", "?!", "a b c", "the cat", "the dog", "…", "ß"]
    for values in ({"analyzer": "word"}, {"analyzer": "char_wb", "ngrams": (3, 5)}):
        embedding = embed_classical(spec(kind="hashed", weighting="count", rank=32, **values), texts)
        assert (np.linalg.norm(embedding, axis=1) > 0).all()


def test_word_vectors_follow_company():
    """Words of one company are alike without ever standing together: that is what PPMI word vectors add to counts."""
    texts = [
        f"{animal} {verb} {thing}"
        for animal in ("cat", "dog")
        for verb in ("eats", "wants", "finds")
        for thing in ("meat", "milk")
    ]
    texts += [
        f"{car} {verb} {thing}"
        for car in ("bus", "truck")
        for verb in ("burns", "carries", "needs")
        for thing in ("fuel", "load")
    ]
    texts += ["cat", "dog", "bus"]
    embedding = embed_classical(spec(kind="sif", rank=4, window=2), texts).astype(np.float64)
    assert cosine(embedding, -3, -2) > 0.9 > 0.5 > cosine(embedding, -3, -1)


def test_too_high_a_rank_is_told(sentences):
    with pytest.raises(EncoderError, match=r"rank 500 is more than these sentences give \(199\); take more sentences"):
        embed_classical(spec(kind="lsa", rank=500), sentences.texts)

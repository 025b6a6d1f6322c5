"""Classical encoders: n-gram counts, latent semantic analysis, random projections, averaged word vectors. scikit-learn and scipy do the work."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer
from sklearn.random_projection import GaussianRandomProjection

from qre.encoders.spec import ClassicalSpec
from qre.errors import EncoderError

TOKEN = r"(?u)\w+|[^\w\s]"  # punctuation counts as a token, so that no sentence is without one


def embed_classical(spec: ClassicalSpec, sentences: Sequence[str], corpus: Sequence[str] | None = None) -> np.ndarray:
    """The embedding of the sentences by a classical encoder, before its transforms.

    Args:
        spec: which encoder.
        sentences: n sentences.
        corpus: what vocabularies, document frequencies and factorisations are fitted on; None: the sentences themselves.

    Returns:
        E, shape (n, spec.rank), float32.

    Raises:
        EncoderError: the rank is more than the corpus can give.
    """
    make = {"hashed": _hashed, "lsa": _lsa, "projection": _projection, "sif": _sif}[spec.kind]
    return make(spec, sentences, sentences if corpus is None else corpus).astype(np.float32)


def _hashed(spec: ClassicalSpec, sentences: Sequence[str], corpus: Sequence[str]) -> np.ndarray:
    # without alternating signs: two n-grams of a short sentence in one bucket would otherwise cancel to an all-zero row
    vectorizer = HashingVectorizer(**_analysis(spec), n_features=spec.rank, norm=None, alternate_sign=False)
    return _weighted(vectorizer.transform(sentences), spec).toarray()


def _lsa(spec: ClassicalSpec, sentences: Sequence[str], corpus: Sequence[str]) -> np.ndarray:
    terms, fitted = _term_matrices(spec, sentences, corpus)
    svd = _svd(spec, fitted)
    projected = svd.fit_transform(fitted)
    return projected if terms is fitted else svd.transform(terms)


def _projection(spec: ClassicalSpec, sentences: Sequence[str], corpus: Sequence[str]) -> np.ndarray:
    terms, _ = _term_matrices(spec, sentences, corpus)
    return GaussianRandomProjection(spec.rank, random_state=spec.seed).fit_transform(terms)


def _sif(spec: ClassicalSpec, sentences: Sequence[str], corpus: Sequence[str]) -> np.ndarray:
    """PPMI word vectors averaged with weights a/(a + p(word)): Levy and Goldberg (2014); Arora, Liang and Ma (2017).

    The paper's removal of the common direction is the transform "all_but_the_top:1".
    """
    vectorizer = CountVectorizer(token_pattern=TOKEN)
    counts = vectorizer.fit_transform(corpus)
    ppmi = _ppmi(corpus, vectorizer, spec.window)
    svd = _svd(spec, ppmi)
    # U Σ^(1/2): the symmetric share of the spectrum, which makes better word vectors than U Σ
    vectors = svd.fit_transform(ppmi) / np.sqrt(svd.singular_values_)
    frequency = np.asarray(counts.sum(axis=0)).ravel() / counts.sum()
    weights = spec.smoothing / (spec.smoothing + frequency)
    # the sum, not the mean, over a sentence's words: the two differ by one number a row, which unit rows take out
    return vectorizer.transform(sentences) @ (vectors * weights[:, None])


def _ppmi(corpus: Sequence[str], vectorizer: CountVectorizer, window: int) -> sp.csr_array:
    """Positive pointwise mutual information (V, V) of words within `window` words of each other in one sentence."""
    analyze, vocabulary = vectorizer.build_analyzer(), vectorizer.vocabulary_
    words = [[vocabulary[token] for token in analyze(sentence)] for sentence in corpus]
    flat = np.fromiter((word for sentence in words for word in sentence), np.int64)
    owner = np.repeat(np.arange(len(words)), [len(sentence) for sentence in words])
    counts = sp.csr_array((len(vocabulary),) * 2)
    for distance in range(1, window + 1):
        together = owner[distance:] == owner[:-distance]
        left, right = flat[:-distance][together], flat[distance:][together]
        counts += sp.coo_array((np.ones(len(left)), (left, right)), counts.shape).tocsr()
    counts = (counts + counts.T).tocoo()
    total, margin = counts.sum(), np.asarray(counts.sum(axis=1)).ravel()
    information = np.log(counts.data * total / (margin[counts.row] * margin[counts.col]))
    return sp.coo_array((np.maximum(information, 0), (counts.row, counts.col)), counts.shape).tocsr()


def _analysis(spec: ClassicalSpec) -> dict:
    tokens = {"token_pattern": TOKEN} if spec.analyzer == "word" else {}
    return {"analyzer": spec.analyzer, "ngram_range": spec.ngrams, **tokens}


def _term_matrices(spec: ClassicalSpec, sentences: Sequence[str], corpus: Sequence[str]) -> tuple[sp.csr_array, sp.csr_array]:
    """Weighted term matrices of the sentences (n, V) and of the corpus (m, V); one matrix where they are the same."""
    vectorizer = CountVectorizer(**_analysis(spec), dtype=np.float64)
    fitted = _weighted(vectorizer.fit_transform(corpus), spec)
    terms = fitted if sentences is corpus else _weighted(vectorizer.transform(sentences), spec)
    if spec.weighting == "tfidf":
        tfidf = TfidfTransformer().fit(fitted)
        fitted, terms = tfidf.transform(fitted), tfidf.transform(terms)
    return terms, fitted


def _weighted(counts: sp.csr_array, spec: ClassicalSpec) -> sp.csr_array:
    if spec.weighting == "binary":
        counts.data[:] = 1.0
    elif spec.weighting == "log":
        counts.data = np.log1p(counts.data)
    return counts


def _svd(spec: ClassicalSpec, matrix: sp.csr_array) -> TruncatedSVD:
    largest = min(matrix.shape) - 1
    if spec.rank > largest:
        raise EncoderError(f"rank {spec.rank} is more than this corpus gives ({largest}); lower the rank or take more sentences")
    # LU between the power iterations: as exact as QR here, in half the time
    return TruncatedSVD(spec.rank, n_iter=4, power_iteration_normalizer="LU", random_state=spec.seed)

"""Classical encoders: n-gram counts, latent semantic analysis, random projections, averaged word vectors. scikit-learn
and scipy do the work."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from qre.encoders.spec import ClassicalSpec, EncoderSpec
from qre.errors import EncoderError

if TYPE_CHECKING:  # scikit-learn is a second of CPU, and what a plan asks here seldom needs it
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import CountVectorizer

TOKEN = r"(?u)\w+|[^\w\s]"  # punctuation counts as a token, so that no sentence is without one
MOST_COUNTED = 5_000  # sentences that are looked at for their terms: of more, the rank is known when they are encoded


def embed_classical(spec: ClassicalSpec, sentences: Sequence[str], corpus: Sequence[str] | None = None) -> np.ndarray:
    """The embedding of the sentences by a classical encoder, before its transforms.

    Args:
        spec: which encoder.
        sentences: n sentences.
        corpus: what vocabularies, document frequencies and factorisations are fitted on; None: the sentences
            themselves.

    Returns:
        E, shape (n, spec.rank), float32.

    Raises:
        EncoderError: the rank is more than the corpus can give.
    """
    embedding = fit_classical(spec, sentences if corpus is None else corpus).transform(sentences)
    check_dimensions(spec.untransformed, embedding.shape[1])
    return embedding


def check_dimensions(spec: EncoderSpec, dimensions: int) -> None:
    """EncoderError where the embedding of a classical encoder, before its transforms, has fewer dimensions than the
    encoder takes of it."""
    if isinstance(spec, ClassicalSpec) and dimensions < dimensions_taken(spec):
        raise EncoderError("; ".join(too_few(spec, dimensions)))


def dimensions_taken(spec: ClassicalSpec) -> int:
    """How many dimensions of its pass an encoder takes: all, or those that its first transform leaves."""
    kept = re.fullmatch(r"truncate:(\d+)", spec.transforms[0]) if spec.transforms else None
    return min(int(kept[1]), spec.rank) if kept and spec.kind == "lsa" else spec.rank


def too_few(spec: ClassicalSpec, largest: int) -> tuple[str, str]:
    """What is said of an encoder whose corpus gives only `largest` dimensions: what is wrong, and what to do."""
    wanted = dimensions_taken(spec)
    terms = "words" if spec.analyzer == "word" else "character n-grams"
    return (
        f"rank {wanted} is more than these sentences give ({largest})",
        f"take more sentences: at least {wanted + 1}, with as many different {terms}",
    )


class CorpusRanks:
    """The largest rank that a corpus gives, by what is counted in it: what `fit_classical` would find, without a fit.

    Args:
        corpus: distinct sentences; no more than MOST_COUNTED of them are looked at, and only as many as it takes.
    """

    def __init__(self, corpus: Sequence[str]):
        self._corpus = corpus
        self._terms: dict[tuple, tuple[int, bool]] = {}

    def largest(self, spec: ClassicalSpec) -> int | None:
        """The rank that latent semantic analysis or word vectors can have here; None where it is not below that of the
        spec, as far as looking tells."""
        if spec.kind not in ("lsa", "sif"):
            return None
        terms, all_seen = self._counted(spec, spec.rank + 1)
        sides = [terms] if all_seen else []
        sides += [len(self._corpus)] if spec.kind == "lsa" else []  # word vectors are of a matrix of words by words
        largest = min(sides, default=spec.rank + 1) - 1
        return max(largest, 0) if largest < spec.rank else None

    def _counted(self, spec: ClassicalSpec, enough: int) -> tuple[int, bool]:
        """How many different terms there are, and whether those are all; counting ends where there are enough."""
        key = (spec.analyzer, spec.ngrams)
        if key not in self._terms or (self._terms[key][0] < enough and not self._terms[key][1]):
            from sklearn.feature_extraction.text import CountVectorizer

            analyze, seen, all_seen = (
                CountVectorizer(**_analysis(spec)).build_analyzer(),
                set(),
                len(self._corpus) <= MOST_COUNTED,
            )
            for sentence in self._corpus[:MOST_COUNTED]:
                seen.update(analyze(sentence))
                if len(seen) >= enough:
                    all_seen = False
                    break
            self._terms[key] = len(seen), all_seen
        return self._terms[key]


def fit_classical(spec: ClassicalSpec, corpus: Sequence[str]) -> FittedClassical:
    """A classical encoder fitted on a corpus: from then on a fixed function of a text.

    Latent semantic analysis has fewer dimensions than its rank where the corpus gives no more: smaller truncations are
    read off it all the same. Who takes all of them asks `check_dimensions`.

    Raises:
        EncoderError: the rank of word vectors is more than the corpus can give.
    """
    kinds: dict[str, Callable[[ClassicalSpec, Sequence[str]], FittedClassical]] = {
        "hashed": _Hashed,
        "lsa": _LSA,
        "projection": _Projection,
        "sif": _SIF,
    }
    return kinds[spec.kind](spec, corpus)


class FittedClassical(ABC):
    """What fit_classical gives."""

    @abstractmethod
    def _embed(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of any float type (n, rank)."""

    def transform(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of texts, whether they are of the corpus or not.

        Returns:
            shape (n, spec.rank), float32. A text without any term of the corpus is a row of zeros (not with hashed
            n-grams).
        """
        return self._embed(texts).astype(np.float32)


class _Hashed(FittedClassical):
    """Hashing needs no corpus."""

    def __init__(self, spec: ClassicalSpec, corpus: Sequence[str]):
        # without alternating signs: two n-grams of a short sentence in one bucket would otherwise cancel to an all-zero
        # row
        from sklearn.feature_extraction.text import HashingVectorizer

        self._vectorizer = HashingVectorizer(**_analysis(spec), n_features=spec.rank, norm=None, alternate_sign=False)
        self._spec = spec

    def _embed(self, texts: Sequence[str]) -> np.ndarray:
        return _weighted(self._vectorizer.transform(texts), self._spec).toarray()


class _LSA(FittedClassical):
    def __init__(self, spec: ClassicalSpec, corpus: Sequence[str]):
        self._terms = _Terms(spec, corpus)
        rank = max(1, min(spec.rank, _largest(self._terms.of_corpus)))
        self._svd = _svd(spec.model_copy(update={"rank": rank}), self._terms.of_corpus).fit(self._terms.of_corpus)

    def _embed(self, texts: Sequence[str]) -> np.ndarray:
        return self._svd.transform(self._terms.of(texts))


class _Projection(FittedClassical):
    def __init__(self, spec: ClassicalSpec, corpus: Sequence[str]):
        self._terms = _Terms(spec, corpus)
        from sklearn.random_projection import GaussianRandomProjection

        self._projection = GaussianRandomProjection(spec.rank, random_state=spec.seed).fit(self._terms.of_corpus)

    def _embed(self, texts: Sequence[str]) -> np.ndarray:
        return self._projection.transform(self._terms.of(texts))


class _SIF(FittedClassical):
    """PPMI word vectors averaged with weights a/(a + p(word)): Levy and Goldberg (2014); Arora, Liang and Ma (2017).

    The paper's removal of the common direction is the transform "all_but_the_top:1".
    """

    def __init__(self, spec: ClassicalSpec, corpus: Sequence[str]):
        from sklearn.feature_extraction.text import CountVectorizer

        self._vectorizer = CountVectorizer(token_pattern=TOKEN)
        counts = self._vectorizer.fit_transform(corpus)
        ppmi = _ppmi(corpus, self._vectorizer, spec.window)
        svd = _svd(spec, ppmi)
        # U Σ^(1/2): the symmetric share of the spectrum, which makes better word vectors than U Σ
        vectors = svd.fit_transform(ppmi) / np.sqrt(svd.singular_values_)
        frequency = np.asarray(counts.sum(axis=0)).ravel() / counts.sum()
        weights = spec.smoothing / (spec.smoothing + frequency)
        self._weighted_vectors = vectors * weights[:, None]

    def _embed(self, texts: Sequence[str]) -> np.ndarray:
        # the sum, not the mean, over a sentence's words: the two differ by one number a row, which unit rows take out
        return self._vectorizer.transform(texts) @ self._weighted_vectors


class _Terms:
    """Weighted term matrices by the vocabulary and the document frequencies of a corpus.

    Attributes:
        of_corpus: (m, V), sparse, float64.
    """

    def __init__(self, spec: ClassicalSpec, corpus: Sequence[str]):
        from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

        self._spec, self._corpus = spec, corpus
        self._vectorizer = CountVectorizer(**_analysis(spec), dtype=np.float64)
        counts = _weighted(self._vectorizer.fit_transform(corpus), spec)
        self._tfidf = TfidfTransformer().fit(counts) if spec.weighting == "tfidf" else None
        self.of_corpus = self._tfidf.transform(counts) if self._tfidf else counts

    def of(self, texts: Sequence[str]) -> sp.csr_array:
        """(n, V); a word that the corpus lacks counts for nothing."""
        if texts is self._corpus:  # its words need not be counted again
            return self.of_corpus
        counts = _weighted(self._vectorizer.transform(texts), self._spec)
        return self._tfidf.transform(counts) if self._tfidf else counts


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


def _weighted(counts: sp.csr_array, spec: ClassicalSpec) -> sp.csr_array:
    if spec.weighting == "binary":
        counts.data[:] = 1.0
    elif spec.weighting == "log":
        counts.data = np.log1p(counts.data)
    return counts


def _largest(matrix: sp.csr_array) -> int:
    """The most components that a truncated SVD gives."""
    return min(matrix.shape) - 1


def _svd(spec: ClassicalSpec, matrix: sp.csr_array) -> TruncatedSVD:
    if spec.rank > _largest(matrix):
        raise EncoderError("; ".join(too_few(spec, _largest(matrix))))
    # LU between the power iterations: as exact as QR here, in half the time
    from sklearn.decomposition import TruncatedSVD

    return TruncatedSVD(spec.rank, n_iter=4, power_iteration_normalizer="LU", random_state=spec.seed)

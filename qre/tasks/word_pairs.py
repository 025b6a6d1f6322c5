"""Tasks that compare the cosine of two words with what people say of them.

An unknown word has a vector of zeros, and its pairs the cosine 0.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from qre.tasks.bootstrap import interval
from qre.tasks.pairs import pair_cosines
from qre.tasks.ranks import Ties, spearman
from qre.tasks.statistics import MeanArea, RankAgreement
from qre.tasks.task import SEED, Measured, Task, has_vector

FEWEST_DRAWN, MOST_TRIES = 1000, 20  # random pairs that are drawn, about; draws for each of them
BINS = 100  # of a histogram of cosines, from -1 to 1
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class WordSimilarityTask(Task):
    """Spearman's rank correlation of cosines and gold scores of pairs of words. The interval resamples pairs.

    Pairs with an unknown word count, with the cosine 0. Beside the score stand how many those are (`unknown`), and the
    correlation without them (`known_only`), None where nothing is left to order.
    """

    kind = "word_similarity"
    metric = "cosine_spearman"
    of_words = True

    def __init__(
        self,
        name: str,
        split: str,
        first: Sequence[str],
        second: Sequence[str],
        scores: Sequence[float],
        template: str = "{word}",
    ):
        """Pair i is first[i] and second[i], with the gold score scores[i], of any scale; `template` makes a text of a
        word."""
        texts = [[in_template(template, word) for word in words] for words in (first, second)]
        self._scores = np.array(scores, np.float64)
        content = {"first": texts[0], "second": texts[1], "scores": self._scores.tolist()}
        super().__init__(name, split, [*texts[0], *texts[1]], content)
        self._pairs = self._rows(texts[0]), self._rows(texts[1])
        self.statistic = RankAgreement(self._scores)

    def _measure(self, vectors: np.ndarray) -> Measured:
        cosines, known = pair_cosines(vectors, *self._pairs), known_pairs(vectors, *self._pairs)
        whole = self._from(cosines)
        without = whole.score if known.all() else self._of(known, cosines)
        details = {"unknown": int(len(known) - known.sum()), "known_only": without}
        return replace(whole, details=details)

    def _of(self, some: np.ndarray, cosines: np.ndarray) -> float | None:
        """The correlation over some of the pairs."""
        if some.sum() < 2:
            return None
        gold, ties = Ties(self._scores[some]), Ties(cosines[some])
        found = float(spearman(gold, ties, np.ones((1, int(some.sum()))))[0])
        return found if np.isfinite(found) else None


class WordPairsTask(Task):
    """Are the cosines of related words above those of random ones? For each relation the area under the ROC curve: how
    often a pair of it has a greater cosine than a random pair, where equal ones count half. The score is the mean over
    the relations: 0.5 where nothing is told apart. The interval resamples pairs.

    Beside it stand for each relation, and for the random pairs, what a figure needs of the distribution of cosines of
    pairs of known words: counts in BINS equal bins from -1 to 1, the mean, and quantiles; and of all pairs how many
    there are and how many have an unknown word, which count with the cosine 0.
    """

    kind = "word_pairs"
    metric = "auc"
    of_words = True
    statistic: MeanArea
    drawn: int  # random pairs that no file has

    def __init__(
        self,
        name: str,
        split: str,
        first: Sequence[str],
        second: Sequence[str],
        relations: Sequence[str],
        random_relation: str = "random",
        template: str = "{word}",
    ):
        """Pair i is first[i] and second[i], of relations[i].

        Args:
            random_relation: of the pairs that the others are held against. Where none is of it, pairs of words that
                stand in no pair together are drawn.
        """
        first, second, relations = list(first), list(second), list(relations)
        self.drawn = 0
        if random_relation not in relations:
            drawn = _drawn(first, second)
            self.drawn = len(drawn)
            first += [one for one, _ in drawn]
            second += [other for _, other in drawn]
            relations += [random_relation] * len(drawn)
        texts = [[in_template(template, word) for word in words] for words in (first, second)]
        content = {"first": texts[0], "second": texts[1], "relations": relations, "random": random_relation}
        super().__init__(name, split, [*texts[0], *texts[1]], content)
        self._pairs = self._rows(texts[0]), self._rows(texts[1])
        self._of = {one: np.array([it == one for it in relations]) for one in dict.fromkeys(relations)}
        related = {one: of for one, of in self._of.items() if one != random_relation}
        self.statistic = MeanArea(related, np.array([it == random_relation for it in relations], bool))

    def _measure(self, vectors: np.ndarray) -> Measured:
        cosines, known = pair_cosines(vectors, *self._pairs), known_pairs(vectors, *self._pairs)
        n, whole = len(cosines), np.ones((1, len(cosines)))
        told = {one: _distribution(cosines[of & known], int(of.sum())) for one, of in self._of.items()}
        for one, area in self.statistic.areas(cosines).items():
            low, high = interval(area, n)
            told[one] |= {"auc": float(area(whole)[0]), "low": low, "high": high}
        return replace(self._from(cosines), details={"relations": told})


def in_template(template: str, word: str) -> str:
    """The text of a word."""
    return template.replace("{word}", word)


def known_pairs(vectors: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(n,) bool: whether both words of a pair have a vector."""
    known = has_vector(vectors)
    return known[first] & known[second]


def _distribution(cosines: np.ndarray, pairs: int) -> dict:
    """What is kept of the cosines (k,) of known words among so many pairs."""
    told: dict = {"pairs": pairs, "unknown": pairs - len(cosines)}
    counts, _ = np.histogram(np.clip(cosines, -1, 1), BINS, (-1, 1))
    told["histogram"] = counts.tolist()
    if len(cosines):
        told |= {"mean": float(cosines.mean()), "quantiles": np.quantile(cosines, QUANTILES).tolist()}
    return told


def _drawn(first: Sequence[str], second: Sequence[str]) -> list[tuple[str, str]]:
    """Distinct pairs of the words that stand in no pair together, as many as there are pairs, FEWEST_DRAWN at least, or
    fewer where the words give no more. The same for ever."""
    words, together = sorted({*first, *second}), {frozenset(pair) for pair in zip(first, second, strict=True)}
    wanted, rng = max(FEWEST_DRAWN, len(first)), random.Random(SEED)
    found: dict[frozenset, tuple[str, str]] = {}
    for _ in range(MOST_TRIES * wanted):
        one, other = rng.choice(words), rng.choice(words)
        if one != other and frozenset((one, other)) not in together:
            found.setdefault(frozenset((one, other)), (one, other))
            if len(found) == wanted:
                break
    return list(found.values())

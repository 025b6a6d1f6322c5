"""The methods that answer analogies a : a' :: b : ?, each a score of every candidate x, from cosines of words:

- 3cosadd: cos(x, a') - cos(x, a) + cos(x, b) (Mikolov et al. 2013);
- 3cosmul: cos(x, a') cos(x, b) / (cos(x, a) + 0.001), of cosines moved to 0..1 (Levy and Goldberg 2014);
- only_b: cos(x, b), what no knowledge of the relation gives (Linzen 2016; Rogers, Drozd and Li 2017);
- 3cosavg: the cosine of x and b + the mean of a' - a over all other pairs of the relation (Drozd et al. 2016);
- lrcos: cos(x, b) times the probability that x is one of the right words of the relation, by a logistic regression on
  the other pairs (Drozd et al. 2016). Its positive examples are their first answers, its negative ones their left words
  and as many candidates of no pair of the relation; classes are balanced, C is 1.

Vectors have unit length throughout. Questions are answered in blocks of one matrix product, by the words that they
share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from qre.tasks.task import cosines_with, has_vector, unit_rows
from qre.tasks.task_spec import Method

PAIRWISE = ("3cosavg", "lrcos")
EPSILON = 0.001
STEPS, TOLERANCE = 50, 1e-6  # of Newton's method; largest part of the gradient
BLOCK, FEWEST_ROWS = 2**24, 64  # cosines held at a time; rows of them, however many candidates there are


@dataclass(frozen=True)
class Asked:
    """Questions on p pairs of words, by the rows of the words among the candidates.

    Attributes:
        left, first: (p,) int64, the left word, and the first answer.
        answers, own: for each pair, the rows of all answers, and of the left word, in whatever case.
        relation: (p,) int64, a number of its relation.
        questions: (q, 2) int64, the pair that is given and the one that is asked.
        pool: all candidates in a drawn order: examples of any word.
    """

    left: np.ndarray
    first: np.ndarray
    answers: Sequence[np.ndarray]
    own: Sequence[np.ndarray]
    relation: np.ndarray
    questions: np.ndarray
    pool: np.ndarray

    @property
    def pairs(self) -> int:
        return len(self.left)

    def of(self, method: Method) -> np.ndarray:
        """The pair that each question of a method asks for."""
        return np.unique(self.questions[:, 1]) if method in PAIRWISE else self.questions[:, 1]


@dataclass(frozen=True)
class Answered:
    """What a method makes of its questions, (q,) bool each.

    Attributes:
        hits: the best candidate is an answer, a question of unknown words being none.
        all_hits: the same where no candidate is left out.
        known: the words of the question are known.
    """

    hits: np.ndarray
    all_hits: np.ndarray
    known: np.ndarray


def answered(methods: Sequence[Method], vectors: np.ndarray, asked: Asked) -> dict[Method, Answered]:
    """What each method makes of the questions. `vectors` (m, d) are of the candidates; zeros where one is unknown."""
    solver = _Solver(vectors, asked)
    found = solver.questions([one for one in methods if one not in PAIRWISE])
    for method in methods:
        if method in PAIRWISE:
            found[method] = solver.pairs(method)
    return {method: found[method] for method in methods}


class _Solver:
    def __init__(self, vectors: np.ndarray, asked: Asked):
        self._vectors, self._asked = vectors, asked
        known = has_vector(vectors)
        self._candidates = np.flatnonzero(known)
        at = np.cumsum(known) - 1

        def places(rows: np.ndarray) -> np.ndarray:
            return at[rows[known[rows]]]

        self._known = known
        self._answers = [places(rows) for rows in asked.answers]
        self._right = [frozenset(rows.tolist()) for rows in self._answers]
        self._own = [places(rows) for rows in asked.own]
        self._gives = known[asked.left] & known[asked.first]
        self._asks = known[asked.left] & np.array([len(rows) > 0 for rows in self._answers], bool)
        self._at_once = max(FEWEST_ROWS, BLOCK // max(1, len(self._candidates)))

    def questions(self, methods: Sequence[Method]) -> dict[Method, Answered]:
        """Of the methods that answer each question from its own words."""
        given, wanted = self._asked.questions.T
        known = self._gives[given] & self._asks[wanted]
        shape = (len(methods), len(known))
        hits, all_hits = np.zeros(shape, bool), np.zeros(shape, bool)
        rows = np.stack([self._asked.left[given], self._asked.first[given], self._asked.left[wanted]], axis=1)
        asked = np.flatnonzero(known)
        for block in _blocks(rows[asked], self._at_once) if methods else ():
            words, places = np.unique(rows[asked[block]], return_inverse=True)
            cosines = self._cosines(unit_rows(self._vectors[words]))
            for question, (a, a2, b) in zip(asked[block], places.reshape(-1, 3), strict=True):
                pair = wanted[question]
                left_out = (self._own[given[question]], self._answers[given[question]], self._own[pair])
                for row, method in enumerate(methods):
                    scores = _scores(method, cosines[a], cosines[a2], cosines[b])
                    all_hits[row, question], hits[row, question] = self._hit(scores, left_out, pair)
        return {method: Answered(hits[row], all_hits[row], known) for row, method in enumerate(methods)}

    def pairs(self, method: Method) -> Answered:
        """Of a method that answers each pair by the others of its relation."""
        wanted, relation = self._asked.of(method), self._asked.relation
        hits, all_hits, known = (np.zeros(len(wanted), bool) for _ in range(3))
        asked: list[int] = []
        queries: list[np.ndarray] = []
        intercepts: list[np.ndarray] = []
        for one in np.unique(relation):
            giving = np.flatnonzero((relation == one) & self._gives)
            here = np.flatnonzero((relation[wanted] == one) & self._asks[wanted])
            here = here[len(giving) - np.isin(wanted[here], giving) > 0]
            if len(here):
                learn = self._averages if method == "3cosavg" else self._classifiers
                vectors, constants = learn(giving, wanted[here])
                asked, queries, intercepts = [*asked, *here], [*queries, vectors], [*intercepts, constants]
        known[asked] = True
        whole = np.concatenate(queries) if queries else np.empty((0, 1))
        for start in range(0, len(asked), self._at_once):
            block = slice(start, start + self._at_once)
            scores = self._cosines(whole[block])
            if method == "lrcos":
                scores += np.concatenate(intercepts)[block, None].astype(np.float32)
                with np.errstate(over="ignore"):
                    scores = self._cosines(self._units(self._asked.left[wanted[asked[block]]])) / (1 + np.exp(-scores))
            for question, row in zip(asked[block], scores, strict=True):
                pair = wanted[question]
                all_hits[question], hits[question] = self._hit(row, (self._own[pair],), pair)
        return Answered(hits, all_hits, known)

    def _hit(self, scores: np.ndarray, left_out: Sequence[np.ndarray], pair: int) -> tuple[bool, bool]:
        """Whether the best of all candidates is an answer, and the best of those that are not left out; the first of
        equals. Changes the scores."""
        right = self._right[pair]
        among_all = int(scores.argmax()) in right
        for places in left_out:
            scores[places] = -np.inf
        best = int(scores.argmax())
        return among_all, best in right and scores[best] > -np.inf

    def _cosines(self, queries: np.ndarray) -> np.ndarray:
        """Of queries (r, d) with the known candidates, (r, m) float32."""
        return cosines_with(queries, self._vectors, self._candidates)

    def _units(self, rows: np.ndarray) -> np.ndarray:
        return unit_rows(self._vectors[rows])

    def _averages(self, giving: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of 3cosavg: what candidates are compared with for each pair that is asked, (k, d), and nothing beside it."""
        offsets = self._units(self._asked.first[giving]) - self._units(self._asked.left[giving])
        others = giving[None, :] != wanted[:, None]
        means = (others @ offsets) / others.sum(axis=1, keepdims=True)
        return self._units(self._asked.left[wanted]) + means, np.zeros(len(wanted))

    def _classifiers(self, giving: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of lrcos: weights (k, d) and intercepts (k,) of the regression for each pair that is asked."""
        asked = self._asked
        members = np.flatnonzero(asked.relation == asked.relation[wanted[0]])
        inside = np.concatenate([rows for pair in members for rows in (asked.own[int(pair)], asked.answers[int(pair)])])
        pool = asked.pool[self._known[asked.pool] & ~np.isin(asked.pool, inside)][: len(giving)]
        rows = np.concatenate([asked.first[giving], asked.left[giving], pool])
        right = np.arange(len(rows)) < len(giving)
        of = np.concatenate([giving, giving, np.full(len(pool), -1)])
        return regressions(self._units(rows), right, [of != pair for pair in wanted])


def _scores(method: Method, a: np.ndarray, a2: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Scores (m,) of the candidates from their cosines with a, a' and b."""
    if method == "3cosadd":
        return a2 - a + b
    if method == "3cosmul":
        return (a2 + 1) * (b + 1) / (a + np.float32(1 + 2 * EPSILON))
    return b.copy()


def regressions(samples: np.ndarray, right: np.ndarray, taken: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Logistic regressions with balanced classes and an L2 penalty (C = 1, not on the intercept), as scikit-learn's,
    each on the samples (s, d) that it takes, (s,) bool: weights (k, d) and intercepts (k,). `right` (s,) are the
    positive samples.

    They differ by few samples, so each begins where the one on all of them has ended.
    """
    # the weights lie in the span of the samples, which has at most s dimensions
    basis = np.linalg.qr(samples.T)[0] if len(samples) < samples.shape[1] else np.eye(samples.shape[1])
    design = np.column_stack([samples @ basis, np.ones(len(samples))])
    begin = _regression(design, right, np.zeros(design.shape[1]))
    found = np.stack([_regression(design[some], right[some], begin) for some in taken])
    return found[:, :-1] @ basis.T, found[:, -1]


def _regression(design: np.ndarray, right: np.ndarray, begin: np.ndarray) -> np.ndarray:
    """Weights, the last the intercept, by Newton's method from `begin`."""
    n, positive = len(right), int(right.sum())
    importance = np.where(right, n / (2 * positive), n / (2 * max(1, n - positive)))
    penalty, weights = np.append(np.ones(design.shape[1] - 1), 1e-9), begin
    for _ in range(STEPS):
        probability = 1 / (1 + np.exp(-design @ weights))
        gradient = design.T @ (importance * (probability - right)) + penalty * weights
        if np.abs(gradient).max() < TOLERANCE:
            break
        curved = design.T * (importance * probability * (1 - probability))
        weights = weights - np.linalg.solve(curved @ design + np.diag(penalty), gradient)
    return weights


def _blocks(rows: np.ndarray, most: int) -> Iterator[slice]:
    """The questions (q, 3) in slices that have at most so many distinct words each."""
    start = 0
    while start < len(rows):
        ahead = rows[start : start + 16 * most].ravel()
        new = np.zeros(len(ahead), np.int64)
        new[np.unique(ahead, return_index=True)[1]] = 1
        fits = np.searchsorted(np.cumsum(new)[2::3], most, side="right")
        yield slice(start, start + max(1, int(fits)))
        start += max(1, int(fits))

"""Analogies of words: a is to a' as b is to b'. In the words of Mikolov et al. (2013), Levy and Goldberg (2014), and
Drozd, Gladkova and Matsuoka (2016)."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qre.tasks.analogy_methods import Answered, Asked, answered
from qre.tasks.statistics import GroupedAccuracy
from qre.tasks.task import SEED, Measured, Task, has_vector
from qre.tasks.task_spec import METHODS, Method
from qre.tasks.word_pairs import in_template


@dataclass(frozen=True)
class Relation:
    """Pairs of words of one relation.

    Attributes:
        type: what several relations are together, as "semantic".
        pairs: (word, its answers), the first answer that of its offset.
        questions: (given, asked) by their places in `pairs`; None: each pair is asked by each other.
    """

    name: str
    type: str
    pairs: tuple[tuple[str, tuple[str, ...]], ...]
    questions: tuple[tuple[int, int], ...] | None = None

    def ordered(self) -> tuple[tuple[int, int], ...]:
        """All questions."""
        if self.questions is not None:
            return self.questions
        n = len(self.pairs)
        return tuple((given, asked) for given in range(n) for asked in range(n) if given != asked)


class AnalogiesTask(Task):
    """Questions a : a' :: b : ?, where the answer is the best of the candidates by the first of the methods; accuracy.

    Candidates are the task's own words and those of the vocabulary that the encoder knows, without the words of the
    question: a, all answers of a, and b. Any answer of b is a hit. Words that differ in case only are one word. A
    question whose a, a' (the first answer), b, or answers (all of them) are unknown counts as wrong. The methods are
    in analogy_methods.py; 3cosavg and lrcos ask of each pair once, by the other pairs of its relation, and leave out b
    alone. The interval resamples the pairs that are asked for, each with all its questions.

    Beside the score stand, for each method, the accuracy, its interval, the accuracy where no candidate is left out
    (`all_candidates`) and that of the questions whose words are known (`known_only`); and the accuracy by each method
    for each relation and type.
    """

    kind = "analogies"
    metric = "accuracy"
    of_words = True

    def __init__(
        self,
        name: str,
        split: str,
        relations: Sequence[Relation],
        vocabulary: Sequence[str] = (),
        methods: Sequence[Method] = METHODS,
        template: str = "{word}",
    ):
        """`vocabulary`: candidates beside the task's own words. `methods`: the first makes the score."""
        own = [word for one in relations for left, answers in one.pairs for word in (left, *answers)]
        candidates = list(dict.fromkeys([*own, *vocabulary]))
        content = {
            "relations": [[one.name, one.type, one.pairs, one.ordered()] for one in relations],
            "candidates": candidates,
            "methods": list(methods),
            "template": template,
        }
        super().__init__(name, split, [in_template(template, word) for word in candidates], content)
        self._methods, self._relations = tuple(methods), [(one.name, one.type) for one in relations]
        self._asked = _asked(relations, candidates)
        self.statistic = self._accuracy(self._methods[0])

    def _measure(self, vectors: np.ndarray) -> Measured:
        found = answered(self._methods, vectors, self._asked)
        tables = {method: self._table(method, one) for method, one in found.items()}
        main = tables[self._methods[0]]
        known = has_vector(vectors)
        details = {
            "candidates": len(known),
            "known_candidates": int(known.sum()),
            "methods": tables,
            "relations": self._parts(found, [name for name, _ in self._relations]),
            "types": self._parts(found, [kind for _, kind in self._relations]),
        }
        hits = found[self._methods[0]].hits
        return Measured(hits, main["score"], (main["low"], main["high"]), main["n"], details=details)

    def _accuracy(self, method: Method) -> GroupedAccuracy:
        """The accuracy of a method, by the pairs that are asked for."""
        return GroupedAccuracy(self._asked.of(method), self._asked.pairs)

    def _table(self, method: Method, answered: Answered) -> dict:
        """What is told of one method."""
        hits, known, statistic = answered.hits, answered.known, self._accuracy(method)
        low, high = statistic.interval(hits)
        return {
            "score": statistic.score(hits),
            "low": low,
            "high": high,
            "n": len(hits),
            "unknown": int(len(known) - known.sum()),
            "all_candidates": float(answered.all_hits.mean()),
            "known_only": float(hits[known].mean()) if known.any() else None,
        }

    def _parts(self, found: Mapping[Method, Answered], labels: Sequence[str]) -> dict:
        """The accuracy by method of each part of the task, by the labels of its relations."""
        parts: dict[str, dict] = {label: {} for label in labels}
        for method, one in found.items():
            label = np.array(labels)[self._asked.relation[self._asked.of(method)]]
            for part in parts:
                some = label == part
                if some.any():
                    told = {"score": float(one.hits[some].mean()), "n": int(some.sum())}
                    parts[part][method] = told | {"unknown": int(some.sum() - one.known[some].sum())}
        return parts


def _asked(relations: Sequence[Relation], candidates: Sequence[str]) -> Asked:
    """The questions by the rows of their words."""
    at = {word: row for row, word in enumerate(candidates)}
    alike: dict[str, list[int]] = {}
    for row, word in enumerate(candidates):
        alike.setdefault(word.casefold(), []).append(row)

    def same(words: Sequence[str]) -> np.ndarray:
        """Rows of candidates that are one of these words, in whatever case."""
        return np.array(sorted({row for word in words for row in alike[word.casefold()]}), np.int64)

    left: list[int] = []
    first: list[int] = []
    answers: list[np.ndarray] = []
    own: list[np.ndarray] = []
    relation: list[int] = []
    questions: list[tuple[int, int]] = []
    for number, one in enumerate(relations):
        start = len(left)
        questions += [(start + given, start + asked) for given, asked in one.ordered()]
        for word, right in one.pairs:
            left.append(at[word])
            first.append(at[right[0]])
            answers.append(same(right))
            own.append(same([word]))
            relation.append(number)
    pool = list(range(len(candidates)))
    random.Random(SEED).shuffle(pool)
    return Asked(
        left=np.array(left),
        first=np.array(first),
        answers=answers,
        own=own,
        relation=np.array(relation),
        questions=np.array(questions, np.int64).reshape(-1, 2),
        pool=np.array(pool),
    )

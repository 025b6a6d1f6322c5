"""Classification by a few examples."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np

from qre.tasks.statistics import CrossedAccuracy
from qre.tasks.task import SEED, Measured, Task

ITERATIONS = 100  # MTEB's; an encoder that is not done by then is scored as it stands


class ClassificationTask(Task):
    """Logistic regression on a few examples a class, drawn anew in each repeat; mean accuracy on the test split. MTEB's
    protocol and draws.

    Vectors are taken as they are, in float32. The interval resamples test items and repeats together, since others of
    both could have been drawn.
    """

    kind = "classification"
    metric = "accuracy"

    def __init__(
        self,
        name: str,
        split: str,
        train: tuple[Sequence[str], Sequence[str]],
        test: tuple[Sequence[str], Sequence[str]],
        samples_per_label: int = 8,
        repeats: int = 10,
    ):
        """`train` and `test` are (texts, labels), in the order of their files: it decides the draws. Every label of the
        test is in the training."""
        draws = draw_examples(train[1], samples_per_label, repeats)
        needed = sorted(set().union(*draws))
        content = {"train": [list(part) for part in train], "test": [list(part) for part in test]}
        settings = {"samples_per_label": samples_per_label, "repeats": repeats}
        super().__init__(name, split, [train[0][row] for row in needed] + list(test[0]), {**content, **settings})
        classes = {label: code for code, label in enumerate(sorted(set(train[1])))}
        self._train = [
            (self._rows([train[0][row] for row in draw]), np.array([classes[train[1][row]] for row in draw]))
            for draw in draws
        ]
        self._test = self._rows(test[0]), np.array([classes[label] for label in test[1]])
        self.statistic = CrossedAccuracy(repeats, len(test[0]))

    def _measure(self, vectors: np.ndarray) -> Measured:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        test, labels = vectors[self._test[0]], self._test[1]
        right = np.empty((len(self._train), len(labels)), bool)
        for repeat, (rows, classes) in enumerate(self._train):
            model = LogisticRegression(max_iter=ITERATIONS, random_state=SEED)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(vectors[rows], classes)
            right[repeat] = model.predict(test) == labels
        accuracies = right.mean(axis=1)
        interval = self.statistic.interval(right)
        return Measured(
            right, self.statistic.score(right), interval, len(labels), repeats=tuple(map(float, accuracies))
        )


def draw_examples(labels: Sequence[str], samples_per_label: int, repeats: int) -> list[list[int]]:
    """The training rows of each repeat: the first `samples_per_label` of each label, or all there are, in a shuffled
    order.

    As MTEB draws: the same shuffle each time, of what the shuffle before has left.
    """
    order = list(range(len(labels)))
    draws = []
    for _ in range(repeats):
        np.random.RandomState(SEED).shuffle(order)
        seen: Counter[str] = Counter()
        draw = []
        for row in order:
            if seen[labels[row]] < samples_per_label:
                seen[labels[row]] += 1
                draw.append(row)
        draws.append(draw)
    return draws

"""Clustering: does k-means find the classes?"""

from __future__ import annotations

import random
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from qre.tasks.statistics import MeanOfItems
from qre.tasks.task import SEED, Measured, Task


class ClusteringTask(Task):
    """Mini-batch k-means with as many clusters as there are labels; mean V-measure. Vectors are taken as they are, in
    float32.

    Without sets, MTEB's present protocol: in each repeat `sample` documents are drawn with replacement and clustered
        (batches of 512).
    With sets, MTEB's first protocol: each set is clustered once, all of it (batches of 500).
    The interval resamples the repeats, or the sets: it says how well their mean is known, not how other documents would
    score.
    """

    kind = "clustering"
    metric = "v_measure"

    def __init__(
        self,
        name: str,
        split: str,
        texts: Sequence[str],
        labels: Sequence[str],
        sets: Sequence[str] | None = None,
        sample: int = 16_384,
        repeats: int = 10,
        documents: int | None = None,
    ):
        """Document i is texts[i] with labels[i], and of the set sets[i].

        Args:
            sample, repeats: MTEB's max_documents_per_cluster and n_clusters; not with sets.
            documents: take only so many, drawn without replacement, as MTEB does by its max_document_to_embed; not with
                sets.
        """
        content = {"texts": list(texts), "labels": list(labels), "sets": None if sets is None else list(sets)}
        settings = {} if sets is not None else {"sample": sample, "repeats": repeats, "documents": documents}
        rng = random.Random(SEED)
        taken = range(len(texts)) if documents is None else rng.sample(range(len(texts)), k=min(documents, len(texts)))
        taken_texts, codes = (
            [texts[row] for row in taken],
            np.unique([labels[row] for row in taken], return_inverse=True)[1],
        )
        super().__init__(name, split, taken_texts, {**content, **settings})
        if sets is None:
            draws = [rng.choices(range(len(taken)), k=sample) for _ in range(repeats)]
            self._settings: dict[str, Any] = {"n_clusters": len(set(codes)), "batch_size": 512, "n_init": 1}
        else:
            draws = [[row for row in taken if sets[row] == one] for one in dict.fromkeys(sets)]
            self._settings = {"batch_size": 500, "n_init": "auto"}
        self._n, rows = len(taken), self._rows(taken_texts)
        self._draws = [(rows[draw], codes[draw]) for draw in draws]
        self.statistic = MeanOfItems(len(draws))

    def _measure(self, vectors: np.ndarray) -> Measured:
        values = [self._v_measure(vectors[rows], codes) for rows, codes in self._draws]
        items = np.array(values)
        return Measured(
            items, self.statistic.score(items), self.statistic.interval(items), self._n, repeats=tuple(values)
        )

    def _v_measure(self, vectors: np.ndarray, codes: np.ndarray) -> float:
        from sklearn.cluster import MiniBatchKMeans
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.metrics import v_measure_score

        # as many as the labels of the task, even where a sample lacks one, or of the set
        settings = {"n_clusters": len(set(codes)), **self._settings}
        model = MiniBatchKMeans(init="k-means++", random_state=SEED, **settings)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct vectors than clusters
            return float(v_measure_score(codes, model.fit_predict(vectors)))

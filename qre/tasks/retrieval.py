"""Retrieval: do the relevant documents come first?"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np

from qre.tasks.statistics import MeanOfItems
from qre.tasks.task import Measured, Task, cosines_with, unit_rows

DEPTH = 10
BLOCK = 2**24  # cosines held at a time


class RetrievalTask(Task):
    """Documents ranked by cosine for each query; mean nDCG@10, by the definition of trec_eval (MTEB: ndcg_at_10, which
    rounds to five digits).

    The gain of a document is its relevance; relevances below 0 count as 0. Documents of equal cosine (to float32) stand
    by their ids, the last in byte order first, as trec_eval has it. A query whose documents all have relevance 0 scores
    0. A relevant document that is not in the corpus is never found, and stays in the ideal ranking. The interval
    resamples queries.

    Attributes:
        query_prompt, document_prompt: what is put before them, a text or a prompt's name; None: what the encoder
            states.
        queries: in a task that is `apart`, how many of the texts are queries (they stand first); else None.
    """

    kind = "retrieval"
    metric = "ndcg_at_10"
    sided = True
    queries: int | None = None

    def __init__(
        self,
        name: str,
        split: str,
        corpus: Mapping[str, str],
        queries: Mapping[str, str],
        qrels: Mapping[str, Mapping[str, int]],
        ignore_identical_ids: bool = False,
        query_prompt: str | None = None,
        document_prompt: str | None = None,
    ):
        """`corpus` and `queries` map ids to texts; qrels[query][document] is a relevance. Queries without qrels are
        left out.

        Args:
            ignore_identical_ids: the document with the query's own id is not ranked.
        """
        queries = {query: text for query, text in queries.items() if qrels.get(query)}
        judged = {query: dict(qrels[query]) for query in queries}
        content = {
            "corpus": dict(corpus),
            "queries": queries,
            "qrels": judged,
            "ignore_identical_ids": ignore_identical_ids,
        }
        self.query_prompt, self.document_prompt = query_prompt, document_prompt
        said = {"query_prompt": query_prompt, "document_prompt": document_prompt}
        content |= {option: prompt for option, prompt in said.items() if prompt is not None}
        super().__init__(name, split, [*queries.values(), *corpus.values()], content)
        # in this order the first of equals is the one that trec_eval puts first
        ids = sorted(corpus, key=lambda document: document.encode(), reverse=True)
        at = {document: place for place, document in enumerate(ids)}
        self._queries, self._documents = (
            self._rows(list(queries.values())),
            self._rows([corpus[document] for document in ids]),
        )
        self.statistic = MeanOfItems(len(queries))
        self._own = [at.get(query) if ignore_identical_ids else None for query in queries]
        self._relevant = [_relevant(relevances, at, own) for relevances, own in zip(judged.values(), self._own)]

    def apart(self) -> RetrievalTask:
        """The same task for vectors of which those of queries were made otherwise than those of documents: a text that
        is both stands twice."""
        other = copy.copy(self)
        asked, held = np.unique(self._queries), np.unique(self._documents)
        other.texts = tuple(self.texts[row] for row in (*asked, *held))
        other.queries, other._queries = len(asked), np.searchsorted(asked, self._queries)
        other._documents = len(asked) + np.searchsorted(held, self._documents)
        return other

    def _measure(self, vectors: np.ndarray) -> Measured:
        step = max(1, BLOCK // len(self._documents))
        values = np.concatenate(
            [self._ndcgs(vectors, slice(start, start + step)) for start in range(0, len(self._queries), step)]
        )
        return self._from(values)

    def _ndcgs(self, vectors: np.ndarray, some: slice) -> np.ndarray:
        """nDCG@10 of some queries."""
        cosines = cosines_with(unit_rows(vectors[self._queries[some]]), vectors, self._documents)
        for line, own in zip(cosines, self._own[some]):
            if own is not None:
                line[own] = -np.inf
        return np.array([_ndcg(line, *relevant) for line, relevant in zip(cosines, self._relevant[some])])


def _relevant(
    relevances: Mapping[str, int], at: Mapping[str, int], own: int | None
) -> tuple[np.ndarray, np.ndarray, float]:
    """Places (r,) and gains (r,) of a query's relevant documents, and the best DCG@10 that its relevances allow."""
    gains = {document: float(relevance) for document, relevance in relevances.items() if relevance > 0}
    best = np.sort(list(gains.values()))[::-1][:DEPTH]
    ranked = {at[document]: gain for document, gain in gains.items() if document in at and at[document] != own}
    return (
        np.array(list(ranked), np.int64),
        np.array(list(ranked.values())),
        float(best @ _discount(np.arange(len(best)))),
    )


def _ndcg(cosines: np.ndarray, places: np.ndarray, gains: np.ndarray, best: float) -> float:
    """nDCG@10 of one query from its cosines with all documents (m,), float32."""
    if not len(places):
        return 0.0
    # the rank of a document is the number of those above it and of its equals that stand before it; the others need no
    # order
    ranks = [np.count_nonzero(cosines > cosines[p]) + np.count_nonzero(cosines[:p] == cosines[p]) for p in places]
    return float(gains @ _discount(np.array(ranks))) / best


def _discount(ranks: np.ndarray) -> np.ndarray:
    """1 / log2 of the place counted from 2, and 0 beyond DEPTH, for ranks counted from 0."""
    return np.where(ranks < DEPTH, 1 / np.log2(ranks + 2.0), 0.0)

"""A full set of tasks made of labelled built-in sentences: no file is needed."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from qre.tasks.classification import ClassificationTask
from qre.tasks.clustering import ClusteringTask
from qre.tasks.pairs import PairsTask, STSTask
from qre.tasks.retrieval import RetrievalTask
from qre.tasks.task import Task
from qre.tasks.task_spec import BUILTIN_NAMES

Pair = tuple[int, int]
SPLIT = "built-in"
FEWEST = 1000  # sentences; a pool of pairs may then be short of some
NEAR = 24  # sentences of a topic further apart in the stream are rarely near misses of each other
# kinds of pairs by graded similarity
ACROSS, GRADES, PARAPHRASE = ((0.0,), ((0.5, 1.5), (1.5, 2.5), (2.5, 3.5), (3.5, 5.0)), (5.0,))
FIRST, SECOND = slice(0, 150), slice(150, 300)  # the pairs of one grade in each of the two STS tasks
PAIRS = 400  # paraphrases, and as many others
TRAINING_SHARE = 0.4  # of the groups of a topic
QUERIES = 300
CLUSTER_SAMPLE = 1024


def builtin_tasks(
    texts: Sequence[str], topics: Sequence[str], groups: Sequence[int], similarity: Callable[[int, int], float]
) -> tuple[Task, ...]:
    """Tasks over n distinct labelled sentences of the built-in stream. The same sentences give the same tasks for ever.

    Args:
        texts, topics, groups: of each sentence, in the order of the stream; sentences of one group are paraphrases, and
            of one topic. Give 1,500, and of
            another seed than the sentence set's: what classical encoders are fitted on should not be what they are
                tested with.
        similarity: graded similarity of sentences i and j: 0 in other topics, 5 in one group, between them within a
            topic.

    Returns:
        builtin/sts: graded pairs, from other topics to paraphrases, as many of each grade;
        builtin/sts-topic: other pairs, within topics only, so that knowing the topic does not help;
        builtin/paraphrases: paraphrases against pairs of one topic, half of them near misses (another agent, or it did
        not happen); builtin/topics: the topic by eight examples; no paraphrase of a test sentence is in the training;
        builtin/topic-clusters: the topics, found again; builtin/retrieval: the paraphrases of a sentence among all
        others.

    Raises:
        ValueError: fewer than FEWEST sentences.
    """
    if len(texts) < FEWEST:
        raise ValueError(f"the built-in tasks need at least {FEWEST} sentences, not {len(texts)}")
    pools = _pools(topics, groups, similarity)
    within, others = (
        [pair for grade in (*GRADES, PARAPHRASE) for pair in pools[grade][part]] for part in (FIRST, SECOND)
    )
    sts, sts_topic, paraphrases, topic, clusters, retrieval = BUILTIN_NAMES
    return (
        _sts(sts, texts, pools[ACROSS][FIRST] + within, similarity),
        _sts(sts_topic, texts, others, similarity),
        _paraphrases(paraphrases, texts, pools),
        _topics(topic, texts, topics, groups),
        ClusteringTask(clusters, SPLIT, texts, topics, sample=CLUSTER_SAMPLE),
        _retrieval(retrieval, texts, groups),
    )


def _pools(
    topics: Sequence[str], groups: Sequence[int], similarity: Callable[[int, int], float]
) -> dict[tuple | None, list[Pair]]:
    """Pairs by grade, each pool in a drawn order."""
    pools: dict[tuple | None, list[Pair]] = defaultdict(list)  # None: of no grade, and in no task
    for rows in _rows_by(topics).values():
        for place, i in enumerate(rows):
            for j in rows[place + 1 : place + 1 + NEAR]:
                grade = (
                    PARAPHRASE
                    if groups[i] == groups[j]
                    else next((g for g in GRADES if g[0] <= similarity(i, j) < g[1]), None)
                )
                pools[grade].append((i, j))
    pools[ACROSS] = [(i, i + 1) for i in range(len(topics) - 1) if topics[i] != topics[i + 1]]
    return {grade: _drawn(pairs) for grade, pairs in pools.items()} | {
        g: [] for g in (*GRADES, PARAPHRASE) if g not in pools
    }


def _sts(name: str, texts: Sequence[str], pairs: Sequence[Pair], similarity: Callable[[int, int], float]) -> Task:
    return STSTask(
        name, SPLIT, [texts[i] for i, _ in pairs], [texts[j] for _, j in pairs], [similarity(i, j) for i, j in pairs]
    )


def _paraphrases(name: str, texts: Sequence[str], pools: Mapping[tuple | None, list[Pair]]) -> Task:
    positive = pools[PARAPHRASE][:PAIRS]
    far, near = _drawn(pools[GRADES[0]] + pools[GRADES[1]]), _drawn(pools[GRADES[2]] + pools[GRADES[3]])
    pairs = positive + near[: PAIRS // 2] + far[: PAIRS // 2]
    labels = [1] * len(positive) + [0] * (len(pairs) - len(positive))
    return PairsTask(name, SPLIT, [texts[i] for i, _ in pairs], [texts[j] for _, j in pairs], labels)


def _topics(name: str, texts: Sequence[str], topics: Sequence[str], groups: Sequence[int]) -> Task:
    """Split by group: paraphrases on both sides would leak."""
    training: set[int] = set()
    for rows in _rows_by(topics).values():
        own = _drawn(dict.fromkeys(groups[row] for row in rows))
        training.update(own[: round(TRAINING_SHARE * len(own))])
    train, test = (
        [row for row in range(len(texts)) if (groups[row] in training) == wanted] for wanted in (True, False)
    )

    def labelled(rows: Iterable[int]) -> tuple[list[str], list[str]]:
        return [texts[row] for row in rows], [topics[row] for row in rows]

    return ClassificationTask(name, SPLIT, labelled(train), labelled(test))


def _retrieval(name: str, texts: Sequence[str], groups: Sequence[int]) -> Task:
    """The first of a group asks for the others."""
    members = [rows for rows in _rows_by(groups).values() if len(rows) > 1]
    asking = {rows[0]: rows[1:] for rows in _drawn(members)[:QUERIES]}
    corpus = {f"{row:06}": text for row, text in enumerate(texts) if row not in asking}
    qrels = {f"{query:06}": {f"{row:06}": 1 for row in rows} for query, rows in asking.items()}
    return RetrievalTask(name, SPLIT, corpus, {f"{query:06}": texts[query] for query in asking}, qrels)


def _rows_by(labels: Sequence) -> dict[object, list[int]]:
    """label -> its rows, in order."""
    rows: dict[object, list[int]] = defaultdict(list)
    for row, label in enumerate(labels):
        rows[label].append(row)
    return rows


def _drawn(items: Iterable) -> list:
    """The items in an order as good as random that no version of a random generator changes."""
    return sorted(items, key=lambda item: hashlib.sha256(repr(item).encode()).digest())

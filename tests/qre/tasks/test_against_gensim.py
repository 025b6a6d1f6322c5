"""The figures of word tasks against gensim's own, on the same vectors and vocabulary, where gensim is installed."""

import numpy as np
import pytest
from pydantic import TypeAdapter

from qre.encoders.word_vector_file import WordVectorFile
from qre.tasks.task_files import read_task
from qre.tasks.task_spec import TaskSpec

KeyedVectors = pytest.importorskip("gensim.models", reason="gensim is not installed: pip install gensim").KeyedVectors


@pytest.fixture(scope="module")
def vectors():
    """300 words in frequency order, in relations of noisy offsets."""
    rng = np.random.default_rng(11)
    words = [f"w{i}" for i in range(300)]
    matrix = rng.standard_normal((300, 12)).astype(np.float32)
    for start in (0, 60, 120):
        offset = 1.5 * rng.standard_normal(12)
        matrix[start + 30 : start + 60] = matrix[start : start + 30] + offset + 0.5 * rng.standard_normal((30, 12))
    made = KeyedVectors(12)
    made.add_vectors(words, matrix)
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory, vectors):
    """Questions and pairs, some with words that the vectors lack; and the vectors in both forms of word2vec."""
    folder, rng = tmp_path_factory.mktemp("gensim"), np.random.default_rng(3)
    lines = []
    for name, start in (("capitals", 0), ("gram1", 60), ("gram2", 120)):
        lines.append(f": {name}")
        for i, j in rng.integers(0, 30, (120, 2)):
            if i != j:
                lines.append(f"W{start + i} w{start + i + 30} w{start + j} w{start + j + 30}")
        lines.append(f"w{start} w{start + 30} gone w{start + 31}")
    (folder / "questions.txt").write_text("\n".join(lines))
    pairs = [f"w{i}\tw{j}\t{s:.2f}" for i, j, s in zip(*rng.integers(0, 300, (2, 80)), rng.uniform(0, 10, 80))]
    (folder / "pairs.tsv").write_text("\n".join([*pairs, "w1\tgone\t3.0", "gone\tw3\t9.0"]))
    (folder / "list.txt").write_text("\n".join(vectors.index_to_key))
    for binary in (False, True):
        vectors.save_word2vec_format(str(folder / ("v.bin" if binary else "v.txt")), binary=binary)
    return folder


def scored(folder, vectors, **values):
    task = read_task(TypeAdapter(TaskSpec).validate_python({"source": "file", "name": "t", **values}))
    index = {word.casefold(): row for word, row in vectors.key_to_index.items()}
    matrix = np.zeros((len(task.texts), 12), np.float32)
    for row, word in enumerate(task.texts):
        if word.casefold() in index:
            matrix[row] = vectors.vectors[index[word.casefold()]]
    return task.score(matrix)


def test_analogies(folder, vectors):
    path, words = str(folder / "questions.txt"), str(folder / "list.txt")
    accuracy, sections = vectors.evaluate_word_analogies(path, case_insensitive=True)
    all_counted, _ = vectors.evaluate_word_analogies(path, case_insensitive=True, dummy4unknown=True)
    score = scored(folder, vectors, kind="analogies", path=path, vocabulary=words, methods=["3cosadd"])
    told = score.details["methods"]["3cosadd"]
    assert 0.2 < accuracy < 0.98 and told["known_only"] == accuracy and score.score == all_counted
    for section in sections[:3]:
        right, wrong = len(section["correct"]), len(section["incorrect"])
        part = score.details["relations"][section["section"]]["3cosadd"]
        assert part["n"] - part["unknown"] == right + wrong and part["score"] * part["n"] == pytest.approx(right)


def test_restricted_to_the_most_frequent(folder, vectors):
    path, words = str(folder / "questions.txt"), str(folder / "list.txt")
    accuracy, _ = vectors.evaluate_word_analogies(path, restrict_vocab=130, case_insensitive=True)
    task = {"kind": "analogies", "path": path, "vocabulary": words, "include": ["capitals", "gram1"]}
    score = scored(folder, vectors, **task, vocabulary_limit=130, methods=["3cosadd"])
    some = [score.details["relations"][name]["3cosadd"] for name in ("capitals", "gram1")]
    right = sum(one["score"] * one["n"] for one in some)
    assert right / sum(one["n"] - one["unknown"] for one in some) == pytest.approx(accuracy)


def test_similarity(folder, vectors):
    path = str(folder / "pairs.tsv")
    columns = {"word1": 0, "word2": 1, "score": 2}
    score = scored(folder, vectors, kind="word_similarity", path=path, columns=columns)
    _, known, unknown = vectors.evaluate_word_pairs(path)
    _, counted, _ = vectors.evaluate_word_pairs(path, dummy4unknown=True)
    assert score.details["known_only"] == pytest.approx(known.statistic, abs=1e-6)
    assert score.score == pytest.approx(counted.statistic, abs=1e-6)
    assert score.details["unknown"] / score.n == pytest.approx(unknown / 100)


@pytest.mark.parametrize("name", ["v.txt", "v.bin"])
@pytest.mark.parametrize("limit", [None, 40])
def test_files_are_read_alike(folder, vectors, name, limit):
    file, words = WordVectorFile(folder / name, limit), ["w7", "absent", "w39", "w120", "w0"]
    looked = file.look(words)
    theirs = KeyedVectors.load_word2vec_format(str(folder / name), binary=name == "v.bin", limit=limit)
    assert looked.count == len(theirs) and looked.known == {word for word in words if word in theirs}
    matrix = np.empty((len(words), 12), np.float32)
    for rows, part in file.vectors(words, looked.revision):
        matrix[rows] = part
    for word, vector in zip(words, matrix, strict=True):
        assert np.array_equal(vector, theirs[word] if word in theirs else np.zeros(12))

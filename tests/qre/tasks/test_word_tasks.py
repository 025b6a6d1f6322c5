"""Tasks of single words, held against brute force on small cases; and the files that they come in."""

import itertools
import json

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from qre.errors import UserError
from qre.tasks.analogies import AnalogiesTask, Relation
from qre.tasks.analogy_methods import _blocks, regressions
from qre.tasks.pairs import pair_cosines
from qre.tasks.task import unit_rows
from qre.tasks.task_files import read_task
from qre.tasks.task_spec import METHODS, TaskSpec
from qre.tasks.word_pairs import WordPairsTask, WordSimilarityTask


def task(**values):
    return read_task(TypeAdapter(TaskSpec).validate_python({"source": "file", "name": "mine", **values}))


def cosine(vectors, i, j):
    a, b = (vectors[row].astype(float) for row in (i, j))
    return float(a @ b / np.sqrt((a @ a) * (b @ b))) if a.any() and b.any() else 0.0


# ---- similarity


def test_similarity_is_spearmans_and_tells_unknown_pairs():
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(30)]
    pairs = list(itertools.combinations(range(30), 2))[:90]
    gold = rng.uniform(0, 10, 90).round(1)
    made = WordSimilarityTask("m", "test", [words[i] for i, _ in pairs], [words[j] for _, j in pairs], gold)
    vectors = rng.standard_normal((30, 6)).astype(np.float32)
    at = [made.texts.index(word) for word in words]
    vectors[at[3]] = 0
    score = made.score(vectors)
    cosines = np.array([cosine(vectors, at[i], at[j]) for i, j in pairs])
    unknown = np.array([3 in pair for pair in pairs])
    assert score.score == pytest.approx(spearmanr(gold, cosines).statistic, abs=1e-9)
    assert score.details["unknown"] == unknown.sum() > 2
    known = spearmanr(gold[~unknown], cosines[~unknown]).statistic
    assert score.details["known_only"] == pytest.approx(known, abs=1e-9) and score.low < score.score < score.high


def test_an_unknown_word_stays_one_whatever_its_transforms_make_of_it():
    made = WordSimilarityTask("m", "test", ["a", "b", "c"], ["b", "c", "a"], [1, 2, 3])
    vectors = np.array([[1.0, 2], [2, 1], [5, 5]], np.float32)
    moved = made.score(vectors, np.array([True, True, False]))
    assert moved.details == {"unknown": 2, "known_only": None}
    vectors[2] = 0
    assert made.score(vectors) == moved


def test_tags_of_parts_of_speech_are_left_out_only_where_every_word_has_one(tmp_path):
    file = tmp_path / "MEN.txt"
    file.write_text("sun-n sunlight-n 50.0\nrun-v fast-j 12.5\nx-ray-n hot-j 3\n")
    columns = {"word1": 0, "word2": 1, "score": 2}
    read = task(kind="word_similarity", path=str(file), format="blanks", columns=columns)
    assert read.texts == ("sun", "run", "x-ray", "sunlight", "fast", "hot")
    assert read.notes == ("task 'mine': its words end in their part of speech (sun-n), which is left out",)
    file.write_text("sun-n sunlight 50.0\nrun-v fast-j 12.5\n")
    read = task(kind="word_similarity", path=str(file), format="blanks", columns=columns)
    assert read.texts == ("sun-n", "run-v", "sunlight", "fast-j") and not read.notes


# ---- pairs


def test_separation_is_the_area_under_the_curve():
    rng = np.random.default_rng(1)
    words = [f"w{i}" for i in range(60)]
    pairs = [(int(i), int(j)) for i, j in rng.integers(0, 60, (200, 2))]
    relations = [("synonym", "morphology", "random")[i % 3] for i in range(200)]
    made = WordPairsTask("m", "test", [words[i] for i, _ in pairs], [words[j] for _, j in pairs], relations)
    vectors = rng.integers(-2, 3, (len(made.texts), 3)).astype(np.float32)  # many ties, and zeros
    at = {word: row for row, word in enumerate(made.texts)}
    cosines = pair_cosines(vectors, *(np.array([at[words[k]] for k in side]) for side in zip(*pairs, strict=True)))
    of = np.array(relations)
    areas = {}
    for one in ("synonym", "morphology"):
        some = (of == one) | (of == "random")
        areas[one] = roc_auc_score(of[some] == one, cosines[some])
    score = made.score(vectors)
    told = score.details["relations"]
    for one, area in areas.items():
        assert told[one]["auc"] == pytest.approx(area, abs=1e-12) and told[one]["low"] < area < told[one]["high"]
    assert score.score == pytest.approx(np.mean([told[one]["auc"] for one in areas]))
    assert "auc" not in told["random"] and made.drawn == 0
    for one in told.values():
        assert sum(one["histogram"]) + one["unknown"] == one["pairs"]
    json.dumps(score.details, allow_nan=False)


def test_many_small_relations_have_an_interval():
    """Most resamples lack some relation of a single pair: the others of it count."""
    rng = np.random.default_rng(0)
    relations = [*(f"r{i}" for i in range(20)), *["random"] * 20]
    task = WordPairsTask("m", "test", [f"a{i}" for i in range(40)], [f"b{i}" for i in range(40)], relations)
    vectors = rng.standard_normal((len(task.texts), 16)).astype(np.float32)
    near = {f"b{i}": f"a{i}" for i in range(20)}
    for row, text in enumerate(task.texts):
        if text in near:
            vectors[row] = vectors[task.texts.index(near[text])] + 0.8 * rng.standard_normal(16)
    score = task.score(vectors)
    assert 0.5 < score.low < score.score < score.high <= 1.0


def test_random_pairs_are_drawn_where_a_file_has_none(tmp_path):
    file = tmp_path / "pairs.csv"
    rows = [(f"a{i}", f"b{i}") for i in range(40)]
    file.write_text("word1,word2,relation\n" + "".join(f"{a},{b},plural\n" for a, b in rows))
    read = task(kind="word_pairs", path=str(file))
    assert read.notes == ("task 'mine': no pair is 'random', so 1,000 pairs of its words were drawn",)
    assert len(read.texts) == 80 and read.fingerprint == task(kind="word_pairs", path=str(file)).fingerprint
    drawn = list(zip(*([read.texts[row] for row in side[40:]] for side in read._pairs), strict=True))
    assert len({frozenset(pair) for pair in drawn}) == 1000 and not {frozenset(pair) for pair in drawn} & {
        frozenset(row) for row in rows
    }
    vectors = np.zeros((80, 41), np.float32)
    for row, word in enumerate(read.texts):
        vectors[row, int(word[1:])] = 1
        vectors[row, 40] = 0.1
    assert read.score(vectors).score == 1.0
    file.write_text("word1,word2,relation\na,b,plural\n")
    with pytest.raises(UserError, match="leave none that could be drawn"):
        task(kind="word_pairs", path=str(file))
    file.write_text("word1,word2,relation\na,b,random\n")
    with pytest.raises(UserError, match="pairs of a relation are needed"):
        task(kind="word_pairs", path=str(file))


# ---- analogies


def brute(relations, candidates, vectors, method):
    """(hits, all_hits, known) of every question, one after another, by the definition."""
    at = {word: row for row, word in enumerate(candidates)}
    units = unit_rows(vectors)
    known = {word for word in candidates if vectors[at[word]].any()}
    wide = [word for word in candidates if word in known]
    matrix = np.stack([units[at[word]] for word in wide])
    found = []
    for one in relations:
        questions = one.ordered()
        if method in ("3cosavg", "lrcos"):
            questions = [(None, asked) for asked in sorted({asked for _, asked in questions})]
        for given, asked in questions:
            b, answers = one.pairs[asked]
            out = {b.casefold()}
            right = {word.casefold() for word in answers}
            ok = b in known and any(word.casefold() in right for word in known)
            if given is not None:
                a, a2 = one.pairs[given][0], one.pairs[given][1][0]
                ok &= a in known and a2 in known
                out |= {a.casefold(), *(word.casefold() for word in one.pairs[given][1])}
            others = [p for row, p in enumerate(one.pairs) if row != asked and p[0] in known and p[1][0] in known]
            if given is None:
                ok &= bool(others)
            if not ok:
                found.append((False, False, False))
                continue
            cos = {word: matrix @ units[at[word]] for word in known}
            if method == "3cosadd":
                scores = cos[a2] - cos[a] + cos[b]
            elif method == "3cosmul":
                scores = ((cos[a2] + 1) / 2) * ((cos[b] + 1) / 2) / ((cos[a] + 1) / 2 + 0.001)
            elif method == "only_b":
                scores = cos[b]
            else:
                offset = np.mean([units[at[p[1][0]]] - units[at[p[0]]] for p in others], axis=0)
                scores = matrix @ (units[at[b]] + offset)
            best = wide[int(np.argmax(scores.round(6)))].casefold()
            scores = np.where([word.casefold() in out for word in wide], -np.inf, scores)
            kept = wide[int(np.argmax(scores.round(6)))].casefold()
            found.append((kept in right and kept not in out, best in right, True))
    return np.array(found)


def made_relations(rng, several=True):
    """Three relations with several answers, words in two cases, a pair of missing words and one that repeats."""
    relations = []
    for number in range(3):
        pairs = [(f"a{number}.{i}", (f"b{number}.{i}", f"c{number}.{i}")[: 1 + several]) for i in range(7)]
        relations.append(Relation(f"r{number}", "one" if number < 2 else "two", tuple(pairs)))
    return relations


@pytest.mark.parametrize("method", METHODS)
def test_methods_are_those_of_their_definitions(method):
    rng = np.random.default_rng(5)
    relations = made_relations(rng)
    vocabulary = [*(f"v{i}" for i in range(40)), "B0.1", "A1.2"]  # other spellings of an answer and of a word
    made = AnalogiesTask("m", "test", relations, vocabulary, [method])
    vectors = rng.standard_normal((len(made.texts), 8)).astype(np.float32)
    at = {word: row for row, word in enumerate(made.texts)}
    for number, one in enumerate(relations):
        offset = rng.standard_normal(8)
        for left, answers in one.pairs:
            for word in answers:
                vectors[at[word]] = vectors[at[left]] + offset * (number + 0.5) + 0.4 * rng.standard_normal(8)
    vectors[at["B0.1"]], vectors[at["A1.2"]] = vectors[at["b0.1"]], vectors[at["a1.2"]]
    vectors[[at["a0.3"], at["b1.4"], at["v3"]]] = 0
    vectors[[at["b2.5"], at["c2.5"]]] = 0
    score = made.score(vectors)
    told = score.details["methods"][method]
    if method == "lrcos":
        assert told["unknown"] == 2 and 0.3 < told["score"] <= told["known_only"]
        return
    found = brute(relations, made.texts, vectors, method)
    assert score.n == len(found) == (21 if method == "3cosavg" else 126)
    assert score.score == found[:, 0].mean() and told["all_candidates"] == found[:, 1].mean()
    assert told["unknown"] == (~found[:, 2]).sum() > 0 and told["known_only"] == found[found[:, 2], 0].mean()
    assert 0 < score.score < 1 and score.low <= score.score <= score.high
    parts = score.details["relations"]
    assert sum(one[method]["n"] for one in parts.values()) == score.n and set(score.details["types"]) == {"one", "two"}
    json.dumps(score.details, allow_nan=False)


def test_the_regressions_are_those_of_scikit_learn():
    rng = np.random.default_rng(2)
    for samples, dimensions in ((40, 200), (90, 10)):
        rows, right = unit_rows(rng.standard_normal((samples, dimensions))), np.arange(samples) < samples // 3
        taken = [np.arange(samples) % 7 != part for part in range(3)]
        for some, weights, intercept in zip(taken, *regressions(rows, right, taken), strict=True):
            theirs = LogisticRegression(class_weight="balanced", tol=1e-10, max_iter=1000).fit(rows[some], right[some])
            assert np.allclose(weights, theirs.coef_[0], atol=1e-5)
            assert np.isclose(intercept, theirs.intercept_[0], atol=1e-5)


def test_lrcos_learns_the_class_of_the_answers():
    """Offsets are noise, but right words lie on one side: only lrcos can know that."""
    rng = np.random.default_rng(3)
    pairs = tuple((f"a{i}", (f"b{i}",)) for i in range(20))
    made = AnalogiesTask("m", "test", [Relation("r", "t", pairs)], [f"v{i}" for i in range(300)])
    vectors = rng.standard_normal((len(made.texts), 24)).astype(np.float32)
    at = {word: row for row, word in enumerate(made.texts)}
    for left, (right,) in pairs:
        vectors[at[right]] = vectors[at[left]] + 1.5 * rng.standard_normal(24)
        vectors[at[right], 0] = 6
    told = made.score(vectors).details["methods"]
    assert told["lrcos"]["score"] > told["only_b"]["score"] + 0.2


def test_blocks_change_no_answer(monkeypatch):
    rng = np.random.default_rng(7)
    made = AnalogiesTask("m", "test", made_relations(rng), [f"v{i}" for i in range(50)])
    vectors = rng.standard_normal((len(made.texts), 8)).astype(np.float32)
    whole = made.score(vectors)
    monkeypatch.setattr("qre.tasks.analogy_methods.BLOCK", 1)
    monkeypatch.setattr("qre.tasks.analogy_methods.FEWEST_ROWS", 4)
    monkeypatch.setattr("qre.tasks.task.AT_ONCE", 7)
    assert made.score(vectors) == whole
    rows = rng.integers(0, 30, (500, 3))
    for most in (3, 8, 100):
        slices = list(_blocks(rows, most))
        assert [row for one in slices for row in range(one.start, one.stop)] == list(range(500))
        assert all(len(np.unique(rows[one])) <= most or one.stop - one.start == 1 for one in slices)


def test_where_nothing_is_known_nothing_is_right():
    made = AnalogiesTask("m", "test", made_relations(None), ["x", "y"])
    vectors = np.zeros((len(made.texts), 4), np.float32)
    at = {word: row for row, word in enumerate(made.texts)}
    vectors[at["x"], 0] = vectors[at["y"], 1] = 1
    score = made.score(vectors)
    assert score.score == 0 and (score.low, score.high) == (0, 0)
    assert all(one["known_only"] is None and one["unknown"] == one["n"] for one in score.details["methods"].values())


# ---- files


@pytest.fixture
def bats(tmp_path):
    """A folder as BATS has it: several answers, a word in two cases, one twice, missing words."""
    for name, lines in {
        "1_Inflectional/I01 [noun - plural].txt": "cat\tcats\ndog\tdogs/doggies\nmouse\tmice/MICE//mice\n",
        "2_Derivational/D01 [un+adj].txt": "able\tunable\n\nkind\tunkind\nkind\tnot-kind\n",
        "3_Encyclopedic/E01 [country - capital].txt": "France\tParis\nperu\tlima/Lima\nabsent\tgone\n",
        "3_Encyclopedic/E02 [lonely].txt": "one\ttwo\n",
        "README.md": "no relation",
    }.items():
        (tmp_path / "BATS" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "BATS" / name).write_text(lines)
    return tmp_path / "BATS"


def test_a_folder_of_bats(bats):
    read = task(kind="analogies", path=str(bats), methods=["3cosadd", "only_b"])
    assert read.notes == (
        "task 'mine': D01 [un+adj].txt:4: 'kind' again; its answers are taken together",
        "task 'mine': relation E02 [lonely] has 1 pair, and so no question; it is left out",
    )
    assert len(read._asked.questions) == 3 * 2 + 2 + 3 * 2
    vectors = np.zeros((len(read.texts), 8), np.float32)
    meaning = {
        "cat": [1, 0, 0, 0, 0, 0, 0, 0.1],
        "cats": [1, 0, 0, 0, 0, 0, 0, 0.9],
        "dog": [0, 1, 0, 0, 0, 0, 0, 0.1],
        "dogs": [0, 1, 0, 0, 0, 0, 0.8, 0.5],
        "doggies": [0, 1, 0, 0, 0, 0, 0, 0.8],  # nearer than the first answer, and right all the same
        "mouse": [0, 0, 1, 0, 0, 0, 0, 0.1],
        "mice": [0, 0, 1, 0, 0, 0, 0, 0.9],
        "MICE": [0, 0, 1, 0, 0, 0, 0, 0.9],
        "France": [0, 0, 0, 1, 0, 0.2, 0, 0],
        "Paris": [0, 0, 0, 1, 0, 0.8, 0, 0],
        "peru": [0, 0, 0, 0, 1, 0.2, 0, 0],
        "Lima": [0, 0, 0, 0, 1, 0.8, 0, 0],
    }
    for word, vector in meaning.items():
        vectors[read.texts.index(word)] = vector
    score = read.score(vectors)
    parts = score.details["relations"]
    plural = parts["I01 [noun - plural]"]["3cosadd"]
    assert plural == {"score": 1.0, "n": 6, "unknown": 0}
    # of dog, whose offset is that of dogs, and not of the nearer answer
    assert parts["D01 [un+adj]"]["3cosadd"] == {"score": 0.0, "n": 2, "unknown": 2}
    # lima is unknown and the first of peru's, so peru gives no question, and is asked for all the same: Lima is right
    assert parts["E01 [country - capital]"]["3cosadd"] == {"score": 1 / 6, "n": 6, "unknown": 5}
    told = score.details["methods"]["3cosadd"]
    assert (told["n"], told["unknown"], told["score"], told["known_only"]) == (14, 7, 7 / 14, 1.0)
    assert set(score.details["types"]) == {"1_Inflectional", "2_Derivational", "3_Encyclopedic"}


def test_relations_are_chosen_by_name_and_by_type(bats):
    assert len(task(kind="analogies", path=str(bats), include=["I01*"])._asked.questions) == 6
    assert len(task(kind="analogies", path=str(bats), include=["3_*/*", "D*"])._asked.questions) == 8
    with pytest.raises(UserError, match=r"no relation matches 'I1\*'; there are I01 \[noun - plural\], D01"):
        task(kind="analogies", path=str(bats), include=["I1*"])


def test_files_of_one_name_are_relations_of_their_own(tmp_path):
    for folder in ("a/x", "b/x", "c"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "same.txt").write_text("one\ttwo\nthree\tfour\n")
    read = task(kind="analogies", path=str(tmp_path))
    parts = read.score(np.eye(4, dtype=np.float32)).details["relations"]
    assert {name: part["3cosadd"]["n"] for name, part in parts.items()} == {"a/x/same": 2, "b/x/same": 2, "c/same": 2}
    for include in (["c/same"], ["c/*"]):  # as the relations are named, and by the type
        assert len(task(kind="analogies", path=str(tmp_path), include=include)._asked.questions) == 2


GOOGLE = """: capital-common-countries
Athens Greece Baghdad Iraq
Athens Greece Bangkok Thailand

: gram1-adjective-to-adverb
calm calmly rapid rapidly
: empty
"""


def test_a_file_of_googles_questions(tmp_path):
    file = tmp_path / "questions-words.txt"
    file.write_text(GOOGLE)
    (tmp_path / "frequent.txt").write_text("the 1000\nAthens 30\nathens 20\n\nthe\ngreece 2\nlast 1\n")
    read = task(kind="analogies", path=str(file), vocabulary=str(tmp_path / "frequent.txt"), vocabulary_limit=4)
    assert read.texts[-3:] == ("the", "athens", "greece") and "Athens" in read.texts
    assert read.notes == ("task 'mine': relation empty has no question, and is left out",)
    score = read.score(np.random.default_rng(0).standard_normal((len(read.texts), 5)))
    assert score.n == 3 and {*score.details["types"]} == {"semantic", "syntactic"}
    assert score.details["methods"]["3cosavg"]["n"] == 3
    framed = task(kind="analogies", path=str(file), template="a {word}!")
    assert "a Athens!" in framed.texts and framed.fingerprint != task(kind="analogies", path=str(file)).fingerprint


@pytest.mark.parametrize(
    "lines, words",
    [
        ("a b c d\n", "questions.txt:1: a question before the first relation"),
        (": x\na b c\n", "questions.txt:2: 3 words; a question is four"),
        (": x\na b c d\n:\n", "questions.txt:3: a relation without a name"),
        (": x\na b c d\n: x\n", "questions.txt:3: x again"),
        (": x\n", "holds no question"),
        ("", "holds no question"),
    ],
)
def test_broken_questions(tmp_path, lines, words):
    (tmp_path / "questions.txt").write_text(lines)
    with pytest.raises(UserError, match=words):
        task(kind="analogies", path=str(tmp_path / "questions.txt"))


def test_broken_folders_and_lists(tmp_path, bats):
    (bats / "3_Encyclopedic/E03 [bad].txt").write_text("a\tb\nc\n")
    with pytest.raises(UserError, match=r"E03 \[bad\].txt:2: a word, a tab and its answers"):
        task(kind="analogies", path=str(bats))
    (bats / "3_Encyclopedic/E03 [bad].txt").write_text("a\tb\nc\t/\n")
    with pytest.raises(UserError, match=r"E03 \[bad\].txt:2"):
        task(kind="analogies", path=str(bats))
    (tmp_path / "none").mkdir()
    with pytest.raises(UserError, match="no .txt file"):
        task(kind="analogies", path=str(tmp_path / "none"))
    with pytest.raises(UserError, match="no such file"):
        task(kind="analogies", path=str(tmp_path / "absent"))
    (tmp_path / "q.txt").write_text(GOOGLE)
    (tmp_path / "list.txt").write_text("\n")
    with pytest.raises(UserError, match="list.txt: holds no word"):
        task(kind="analogies", path=str(tmp_path / "q.txt"), vocabulary=str(tmp_path / "list.txt"))


@pytest.mark.parametrize(
    "values, words",
    [
        ({"kind": "analogies", "template": "word"}, "put {word} where the word stands"),
        ({"kind": "analogies", "format": "tsv"}, "format is not for analogies"),
        ({"kind": "analogies", "methods": ["3cosadd", "3cosadd"]}, "one stands there twice"),
        ({"kind": "analogies", "methods": []}, "at least 1"),
        ({"kind": "analogies", "vocabulary_limit": 3}, "goes with vocabulary"),
        ({"kind": "word_similarity", "template": "{}"}, "put {word}"),
    ],
)
def test_settings_that_are_refused(values, words):
    with pytest.raises(ValidationError, match=words):
        TypeAdapter(TaskSpec).validate_python({"source": "file", "name": "mine", "path": "x", **values})

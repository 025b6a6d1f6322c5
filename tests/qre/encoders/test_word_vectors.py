"""Vectors of words: every form of the files gives the same numbers, and broken ones end in one line."""

import bz2
import codecs
import gzip
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from qre.encoders.passes import EncodeSettings, Pass, parent_key, unit_key
from qre.encoders.spec import WordsSpec
from qre.encoders.word_vector_file import LONGEST_LINE, WordVectorFile
from qre.encoders.word_vectors import WordsInFile, unknown_share, words_in, words_of
from qre.errors import EncoderError, UserError

VECTORS = {"the": [1.0, 0, 0], "cat": [0, 2, 0], "e-mail": [0, 0, 3], "Ünï": [1.5, -2, 0.25], "zero": [0, 0, 0]}


def as_text(vectors=VECTORS, header=True, end="\n", between=" "):
    first = f"{len(vectors)} 3{end}" if header else ""
    rows = (between.join([word, *map(str, vector)]) + end for word, vector in vectors.items())
    return (first + "".join(rows)).encode()


def as_binary(vectors=VECTORS, end=b"\n"):
    rows = (word.encode() + b" " + np.array(vector, "<f4").tobytes() + end for word, vector in vectors.items())
    return f"{len(vectors)} 3\n".encode() + b"".join(rows)


def read(path, words, limit=None):
    file = WordVectorFile(path, limit)
    looked = file.look(words)
    matrix = np.full((len(words), file.dimension), 7, np.float32)
    for rows, part in file.vectors(words, looked.revision):
        matrix[rows] = part
    return looked, matrix


FORMS = {
    "word2vec.txt": as_text(),
    "glove.txt": as_text(header=False),
    "fasttext.vec": as_text(end=" \n"),
    "windows.txt": as_text(end="\r\n"),
    "tabs.txt": as_text(between="\t"),
    "fasttext.vec.gz": gzip.compress(as_text(end=" \n")),
    "word2vec.bin": as_binary(),
    "without_ends.bin": as_binary(end=b""),
    "packed.bin.gz": gzip.compress(as_binary()),
    "no_last_end.txt": as_text().rstrip(b"\n"),
    "marked.txt": codecs.BOM_UTF8 + as_text(),
    "marked.txt.gz": gzip.compress(codecs.BOM_UTF8 + as_text()),
    "marked_glove.txt.bz2": bz2.compress(codecs.BOM_UTF8 + as_text(header=False)),
    "empty_lines_behind.txt": as_text() + b"\n\n",
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same(tmp_path, name):
    (tmp_path / name).write_bytes(FORMS[name])
    words = ["cat", "absent", "Ünï", "e-mail", "zero", "the"]
    looked, matrix = read(tmp_path / name, words)
    assert (looked.count, looked.dimension, looked.known) == (5, 3, {"cat", "Ünï", "e-mail", "the"})
    assert np.array_equal(matrix, np.array([VECTORS.get(word, [0, 0, 0]) for word in words], np.float32))


def test_the_revision_is_that_of_what_is_read(tmp_path):
    def revision(content, limit=None, name="x"):
        (tmp_path / name).write_bytes(content)
        return WordVectorFile(tmp_path / name, limit).look([]).revision

    whole = revision(as_text())
    assert whole == revision(gzip.compress(as_text()), name="y.gz") == revision(as_text(header=False))
    assert whole == revision(as_text(end=" \r\n")) == revision(as_text(), 5) != revision(as_text(), 4)
    assert whole == revision(as_text(), 9) == revision(as_text(header=False), 9)
    assert revision(as_text(), 2) == revision(as_text(dict(list(VECTORS.items())[:3])), 2)
    assert whole != revision(as_text({**VECTORS, "the": [1.0, 0, 1]})) and whole != revision(as_binary())


def test_words_may_hold_blanks(tmp_path):
    (tmp_path / "glove.txt").write_bytes(b"the 1.0 2.0 3.0\n. . . 0.5 0.5 0.5\nat name@domain.com 0.1 0.2 0.3\n")
    looked, matrix = read(tmp_path / "glove.txt", [". . .", "at name@domain.com"])
    assert looked.count == 3 and np.allclose(matrix, [[0.5] * 3, [0.1, 0.2, 0.3]])


LONG = as_text({f"w{i}": np.random.default_rng(i).standard_normal(3) for i in range(5000)})


@pytest.mark.parametrize(
    "content, words",
    [
        (as_text().replace(b"5 3", b"6 3"), "x:6: cut off: 5 words, and its first line tells 6"),
        (as_text().replace(b"5 3", b"4 3"), "x:6: more words than the 4 that its first line tells"),
        (as_text().replace(b"0 2 0", b"0 2"), "x:3: 2 numbers, and the file has 3 dimensions"),
        (as_text().replace(b"0 2 0", b"0 2 0 0.5"), "x:3: more numbers than the 3 dimensions"),
        (as_text(header=False).replace(b"0 2 0", b"0.1 0.2 0.5 0.5"), "x:2: more numbers than the 3 dimensions"),
        (as_text().replace(b"e-mail", b"cat"), "x:4: the word 'cat' stands in line 3 already; remove one"),
        (as_text().replace(b"cat", b"c\xe9t"), r"x:3: the word 'c\\xe9t' is not UTF-8; convert the file"),
        (as_text().replace(b"0 2 0", b"0 nan 0"), "x:3: 'nan' is no finite number"),
        (as_text().replace(b"0 2 0", b"0 -inf 0"), "x:3: '-inf' is no finite number"),
        (as_text().replace(b"0 2 0", b"0 1e99 0"), "x:3: no 3 finite numbers after 'cat'"),
        (as_text().replace(b"0 2 0", b"0 1.2.3 0"), "x:3: '1.2.3' is no finite number"),
        (as_text().replace(b"cat", b""), "x:3: "),
        (as_text().replace(b"\ncat", b"\n\ncat"), "x:3: an empty line"),
        (as_text() + b"w " + b"0" * LONGEST_LINE, "x:7: longer than"),
        (b"0 3\n", "x: holds no word"),
        (as_binary()[:-5], "x: byte 7[0-9]: cut off inside of a word and its numbers"),
        (as_binary({**VECTORS, "cat": [0, np.nan, 0]}), "x: byte 21: NaN or infinity in the vector of 'cat'"),
        (as_binary().replace(b"5 3", b"6 3"), "x: byte 77: cut off: 5 words, and its first line tells 6"),
        (as_binary().replace(b"5 3", b"4 3"), "x: byte 7[0-9]: more words than the 4"),
        (as_binary().replace(b"e-mail", b"cat"), "byte 38: the word 'cat' stands at byte 21 already"),
        (as_binary().replace(b"cat", b"c\xe9t"), r"byte 21: the word 'c\\xe9t' is not UTF-8"),
        (b"3 3\n" + b"\x00" * 30_000, "x: byte 4: no word of at most"),
        (gzip.compress(LONG, mtime=0)[:-9000], "x:[0-9]{4,}: damaged or cut off behind here"),
    ],
)
def test_broken_files_end_in_one_line(tmp_path, content, words):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(EncoderError, match=words) as told:
        WordVectorFile(tmp_path / "x").look({"cat", "the"})
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "no word vectors"),
        (b"hello world\n", "no word vectors"),
        (b"5 999999999\n", "999,999,999 dimensions, by its first line"),
        (b"PK\x03\x04....", "a zip archive"),
        (b"\x80\x04\x95.....", "a pickle (of gensim?), which is never loaded"),
        (b"\xba\x16\x4f\x2f....", "a model of fastText; take its .vec file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (gzip.compress(as_text(), mtime=0)[:12], "cannot be read"),
    ],
)
def test_what_is_no_file_of_word_vectors(tmp_path, content, words):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(UserError) as told:
        WordVectorFile(tmp_path / "x").look([])
    assert words in str(told.value)
    with pytest.raises(UserError, match="no such file"):
        WordVectorFile(tmp_path / "absent")


def test_a_file_that_changes_gives_no_last_vectors(tmp_path):
    (tmp_path / "x").write_bytes(as_text())
    file = WordVectorFile(tmp_path / "x")
    revision = file.look(["cat"]).revision
    (tmp_path / "x").write_bytes(as_text({**VECTORS, "the": [2.0, 0, 0]}))
    given = file.vectors(["cat", "absent"], revision)
    with pytest.raises(UserError, match="has changed while it was read"):
        next(given)


SCRIPT = """
import resource, sys
from qre.encoders.word_vector_file import WordVectorFile
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
file = WordVectorFile(sys.argv[1], int(sys.argv[2]) or None)
words = [f"w{i}" for i in range(2000)]
looked = file.look(words)
total = sum(len(part) for _, part in file.vectors(words, looked.revision))
print(looked.count, total, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize("kind", ["text", "binary"])
def test_a_large_file_takes_little_memory(tmp_path, kind):
    """6 GB with a limit (the rest of it is a hole), and 100 MB without: both in some tens of MB."""
    row = np.arange(100, dtype="<f4") / 8
    numbers = (" ".join(map(str, row)) + "\n").encode() if kind == "text" else row.tobytes()
    path = tmp_path / "large"
    with open(path, "wb") as file:
        file.write(b"200000 100\n")
        for number in range(200_000 if kind == "text" else 60_000):
            file.write(b"w%d " % number + numbers)
        whole = number + 1
        file.truncate(6 * 2**30)
    root = Path(__file__).resolve().parents[3]
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path), str(whole)], cwd=root, capture_output=True, text=True, check=True
    )
    count, total, grown = map(int, run.stdout.split())
    assert (count, total) == (whole, 2000) and grown < 60
    assert os.path.getsize(path) == 6 * 2**30 and resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


# ---- sentences

KNOWN = {"the", "cat", "e-mail", "."}


def test_what_counts_as_a_word():
    assert list(words_of("The cat, an e-mail.", True, KNOWN)) == ["the", "cat", ",", "an", "e", "-", "mail", "."]
    assert list(words_of("the  e-mail !", False, KNOWN)) == ["the", "e-mail", "!"]
    assert words_in(["The cat,", "e-mail"], True) == [",", "-", "cat", "cat,", "e", "e-mail", "mail", "the"]
    assert unknown_share(["The cat", "the dog!"], False, KNOWN) == 3 / 5 and unknown_share([" "], False, KNOWN) == 0
    assert unknown_share(["The cat", "the dog!"], True, KNOWN) == 2 / 5


SENTENCES = ["the cat", "the cat the", "e-mail , the", "cat cat zero unknown"]


@pytest.fixture
def made(tmp_path):
    """A pass over the sentences, by weighting."""
    (tmp_path / "x").write_bytes(as_text())
    file = WordVectorFile(tmp_path / "x")
    looked = file.look([])

    def one(weighting="mean", sentences=SENTENCES, **values):
        spec = WordsSpec(
            name="w",
            family="w",
            revision=looked.revision,
            dimension=3,
            vocabulary=looked.count,
            weighting=weighting,
            **values,
        )
        return Pass(spec, sentences, [()], EncodeSettings(), ready=WordsInFile(file))

    return one


def test_a_sentence_is_the_mean_of_its_known_words(made):
    loaded = made()
    expected = [[0.5, 1, 0], [2 / 3, 2 / 3, 0], [0.5, 0, 1.5], [0, 2, 0]]
    assert np.allclose(loaded.encode(0)["default"], expected)
    assert loaded.record["unknown_share"] == 3 / 12  # "," "zero" "unknown"
    assert loaded.record["attributes"]["parameters"] == 15 and loaded.record["attributes"]["vocabulary"] == 5
    assert np.allclose(loaded.encode_texts(["the, the?", "nothing", ""])["default"], [[1, 0, 0], [0] * 3, [0] * 3])


def test_sif_weighs_by_the_words_of_the_sentences(made):
    loaded = made("sif")
    p = {"the": 4 / 12, "cat": 4 / 12, "e-mail": 1 / 12}
    weight = {word: 1e-3 / (1e-3 + share) for word, share in p.items()}
    vectors = {word: np.array(vector) for word, vector in VECTORS.items()}
    expected = [
        (weight["the"] * vectors["the"] + weight["cat"] * vectors["cat"]) / 2,
        (2 * weight["the"] * vectors["the"] + weight["cat"] * vectors["cat"]) / 3,
        (weight["e-mail"] * vectors["e-mail"] + weight["the"] * vectors["the"]) / 2,
        weight["cat"] * vectors["cat"],
    ]
    assert np.allclose(loaded.encode(0)["default"], expected, rtol=1e-5)
    # a word that no sentence holds weighs 1
    other = loaded.encode_texts(["Ünï the"])["default"][0]
    assert np.allclose(other, (vectors["Ünï"] + weight["the"] * vectors["the"]) / 2, rtol=1e-5)


def test_a_sentence_without_a_known_word_is_named(made):
    with pytest.raises(EncoderError, match=r"sentence 1 \('zero ,'\) has no word that these vectors know"):
        made(sentences=["the cat", "zero ,"])


def test_small_letters_are_another_encoder(made):
    assert np.allclose(made(lowercase=True, sentences=["The CAT", "the"]).encode(0)["default"][0], [0.5, 1, 0])
    base = {"name": "w", "family": "w", "revision": "a" * 64, "dimension": 3, "vocabulary": 5}
    specs = [WordsSpec(**base, **more) for more in ({}, {"lowercase": True}, {"weighting": "sif"})]
    specs += [specs[0].model_copy(update={"transforms": ("center",)})]
    assert len({unit_key(spec, "f", EncodeSettings()) for spec in specs}) == 4
    assert parent_key(specs[0]) == parent_key(specs[3]) != parent_key(specs[2])
    named = specs[0].model_copy(update={"name": "other", "family": "x"})
    assert unit_key(named, "f", EncodeSettings()) == unit_key(specs[0], "f", EncodeSettings())

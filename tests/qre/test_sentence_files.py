"""Sentence files: every format gives the same set, and every fault of a file is named with its line."""

import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from qre.errors import UserError
from qre.sentences import SentenceSet, builtin_set, read_sentences
from qre.sentences.builtin import generate

TEXTS = ("The cat sat on the mat.", "Où est la gare ? 🚂", 'She said "no", and left.', "Tabs are rare, commas are not.")
ENDINGS = (".txt", ".csv", ".tsv", ".jsonl", ".parquet")


@pytest.fixture
def file(tmp_path):
    """Writes a file of the given name, from text, bytes or an Arrow table."""

    def write(name, content):
        path = tmp_path / name
        if isinstance(content, pa.Table):
            pq.write_table(content, path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def written(path, texts, extra=None):
    """A file of these texts in the format of its ending, with a second column "id" in front where `extra` is set."""
    columns = {"id": [str(i) for i in range(len(texts))], "text": list(texts)} if extra else {"text": list(texts)}
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    if path.suffix == ".txt":
        path.write_bytes("".join(text + "\n" for text in texts).encode())
    elif path.suffix == ".jsonl":
        path.write_bytes("".join(json.dumps(row) + "\n" for row in rows).encode())
    elif path.suffix == ".parquet":
        pq.write_table(pa.table(columns), path)
    else:
        with path.open("w", encoding="utf-8", newline="") as target:
            writer = csv.DictWriter(
                target, list(columns), delimiter="\t" if path.suffix == ".tsv" else ",", lineterminator="\n"
            )
            writer.writeheader()
            writer.writerows(rows)
    return path


def refusal(path, *args, **options) -> str:
    with pytest.raises(UserError) as caught:
        read_sentences(path, *args, **options)
    return str(caught.value)


# ---- what is read


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_format_gives_the_same_set(tmp_path, ending):
    read = read_sentences(written(tmp_path / f"some{ending}", TEXTS))
    assert read.texts == TEXTS and len(read) == 4
    assert read.name == f"some{ending}" and read.notes == () and read.labels == {}
    assert read.fingerprint == SentenceSet("another name", TEXTS).fingerprint


@pytest.mark.parametrize("ending", [e for e in ENDINGS if e != ".txt"])
def test_the_named_column_is_read_and_must_be_named_among_many(tmp_path, ending):
    path = written(tmp_path / f"some{ending}", TEXTS, extra=True)
    assert read_sentences(path, "text").texts == TEXTS
    assert read_sentences(path, "id").texts == ("0", "1", "2", "3")
    unnamed, wrong = refusal(path), refusal(path, "txet")
    assert "sentences.column" in unnamed and "'id', 'text'" in unnamed
    assert "no column 'txet'" in wrong and "'id', 'text'" in wrong


@pytest.mark.parametrize("ending", [e for e in ENDINGS if e != ".txt"])
def test_a_wrong_name_is_refused_even_where_there_is_one_column(tmp_path, ending):
    assert "no column 'sentence'; it has 'text'" in refusal(written(tmp_path / f"one{ending}", TEXTS), "sentence")


def test_a_txt_file_has_no_column(file):
    assert "no columns" in refusal(file("a.txt", "one\ntwo\n"), "text")


@pytest.mark.parametrize(
    "content",
    ["one\ntwo", "one\ntwo\n", "one\r\ntwo\r\n", "\ufeffone\ntwo\n", "\ufeffone\r\ntwo", "  one \n\ttwo\u00a0\n"],
)
def test_txt_byte_order_mark_line_ends_and_outer_space_are_no_content(file, content):
    assert read_sentences(file("a.txt", content)).texts == ("one", "two")


def test_only_a_newline_ends_a_line(file):
    """str.splitlines would cut at these."""
    texts = ("one\u2028still one\x0cand on", "two\x85more")
    assert read_sentences(file("a.txt", "\n".join(texts))).texts == texts


@pytest.mark.parametrize("ending", [".csv", ".tsv"])
def test_csv_with_byte_order_mark_crlf_and_blank_lines(file, ending):
    assert read_sentences(file("a" + ending, "\ufeff\r\ntext\r\n\r\none\r\n\r\ntwo\r\n\r\n"), "text").texts == (
        "one",
        "two",
    )


def test_jsonl_with_byte_order_mark_crlf_and_blank_lines(file):
    assert read_sentences(file("a.jsonl", '\ufeff{"s": "one"}\r\n\r\n{"s": "two", "more": 1}\r\n')).texts == (
        "one",
        "two",
    )


def test_a_quoted_newline_belongs_to_the_sentence(file):
    assert read_sentences(file("a.csv", 'text\n"one\nand on"\ntwo\n')).texts == ("one\nand on", "two")
    assert read_sentences(file("b.csv", 'text\r\n"one\r\nand on"\r\ntwo\r\n')).texts == ("one\nand on", "two")


def test_a_parquet_column_with_a_dot_in_its_name(file):
    assert read_sentences(file("a.parquet", pa.table({"en.text": ["one", "two"], "en": [1, 2]})), "en.text").texts == (
        "one",
        "two",
    )


def test_an_empty_name_of_a_column_is_not_in_the_file(file):
    for path in (file("a.csv", "text,n\none,1\ntwo,2\n"), file("a.parquet", pa.table({"text": ["one", "two"]}))):
        assert "no column ''; it has 'text'" in refusal(path, "")


def test_parquet_dictionaries_and_large_strings_are_text(file):
    for kind in (pa.large_string(), pa.dictionary(pa.int32(), pa.string())):
        assert read_sentences(file("a.parquet", pa.table({"s": pa.array(["one", "two"]).cast(kind)}))).texts == (
            "one",
            "two",
        )


# ---- where the fault is


def test_the_line_number_after_quoted_newlines(file):
    message = refusal(file("a.csv", 'id,text\n1,"one\nover\nthree lines"\n2,two\n3,two\n'), "text")  # lines 2-4, 5, 6
    assert "1 duplicates, line 6 (as line 5)" in message
    assert "line 5 (as line 2)" in refusal(
        file("b.csv", 'text\n"one\nmore"\ntwo\n"one\nmore"\n')
    )  # a record's first line counts


def test_the_line_number_after_a_header_of_two_lines_and_blank_lines(file):
    assert "line 5 (as line 3)" in refusal(file("a.csv", '"te\nxt"\none\ntwo\none\n'))
    assert "line 7 (as line 3)" in refusal(file("b.csv", "text\n\none\n\n\ntwo\none\n"))


@pytest.mark.parametrize("ending, first", [(".txt", 1), (".csv", 2), (".tsv", 2), (".jsonl", 1), (".parquet", 1)])
def test_duplicates_and_empties_are_refused_with_their_lines(tmp_path, ending, first):
    path = written(tmp_path / f"a{ending}", ["one", "two", " ", "one ", "three", "two"], extra=ending != ".txt")
    message = refusal(path, None if ending == ".txt" else "text")
    place = "row" if ending == ".parquet" else "line"
    assert f"{path}: 1 empty, {place} {first + 2}\n" in message
    assert (
        f"{path}: 2 duplicates, {place} {first + 3} (as {place} {first}), {first + 5} (as {place} {first + 1})\n"
        in message
    )
    assert "on_problem: drop" in message


@pytest.mark.parametrize("ending", ENDINGS)
def test_drop_keeps_the_first_and_notes_what_went(tmp_path, ending):
    path = written(tmp_path / f"a{ending}", ["two", "one", "", "two", "three"], extra=ending != ".txt")
    read = read_sentences(path, None if ending == ".txt" else "text", on_problem="drop")
    assert read.texts == ("two", "one", "three")
    assert len(read.notes) == 2 and "1 empty" in read.notes[0] and "1 duplicates" in read.notes[1]


def test_missing_values_are_empty(file):
    assert "1 empty, row 2" in refusal(file("a.parquet", pa.table({"s": ["one", None, "two"]})))
    assert "1 empty, line 2" in refusal(file("a.jsonl", '{"s": "one"}\n{"s": null}\n{"s": "two"}\n'))
    assert "1 empty, line 3" in refusal(file("a.csv", "id,s\n1,one\n2\n3,two\n"), "s")


def test_only_the_first_few_line_numbers_are_listed(file):
    message = refusal(file("a.txt", "one\ntwo\n" + "\n" * 9))
    assert "9 empty, line 3, 4, 5, 6, 7 and 4 more\n" in message


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ending", [".txt", ".csv", ".tsv", ".jsonl"])
def test_latin_1_bytes_are_refused_with_their_line(file, ending, mark):
    path = file("a" + ending, mark + b"one\ntwo\n\xe9t\xe9\n")  # the bad byte right behind a newline
    message = refusal(path)
    assert f"{path}:3: not UTF-8 (byte 0xe9)" in message and "iconv" in message


def test_a_separator_inside_an_unquoted_sentence_is_refused_not_cut(file):
    assert "a.csv:3: 2 fields under a header of 1" in refusal(file("a.csv", "text\none\nWell, two\n"))
    assert "a.tsv:2: 3 fields under a header of 2" in refusal(file("a.tsv", "id\ttext\n1\tone\tand on\n"), "text")


@pytest.mark.parametrize(
    "content, line", [('text\none\n"two\nthree\n', 3), ('"text\none\n', 1), ('text\none\n"two" three\n', 3)]
)
def test_broken_quotes_are_refused_where_the_record_begins(file, content, line):
    assert f"a.csv:{line}: " in refusal(file("a.csv", content))


@pytest.mark.parametrize("column", [None, "text"])
def test_a_csv_file_without_a_header(file, column):
    for name in ("a.csv", "a.tsv"):
        assert "it has none" in refusal(file(name, ""), column)
        assert "it has none" in refusal(file(name, "\n\n"), column)


def test_two_columns_of_one_name_are_refused(file):
    assert "more than one column 'text'" in refusal(file("a.csv", "text,text\none,two\nthree,four\n"), "text")
    twice = pa.Table.from_arrays([pa.array(["one", "two"]), pa.array(["three", "four"])], ["text", "text"])
    assert "more than one column 'text'" in refusal(file("a.parquet", twice), "text")


@pytest.mark.parametrize(
    "line, problem",
    [
        pytest.param("{", "not JSON", id="cut off"),
        pytest.param('["two"]', "an object, by name, not list", id="list"),
        pytest.param('"two"', "an object, by name, not str", id="bare text"),
        pytest.param('{"t": "two"}', "no column 's'; it has 't'", id="no key"),
        pytest.param(
            '{"s": ' + "9" * 5000 + "}", "not ", id="too many digits"
        ),  # the first Pythons 3.10 read it, as an int
        pytest.param('{"s": ' + "[" * 100_000 + "}", "not JSON", id="too deep"),
        pytest.param('{"s": "\\ud83d"}', r"\ud83d is half a character", id="half a surrogate pair"),
    ],
)
def test_a_bad_line_of_jsonl_is_named(file, line, problem):
    message = refusal(file("a.jsonl", f'{{"s": "one"}}\n\n{line}\n{{"s": "two"}}\n'))
    assert "a.jsonl:3: " in message and problem in message


@pytest.mark.parametrize(
    "value, kind", [(7, "int"), (True, "bool"), (1.5, "float"), (["two"], "list"), ({"s": "two"}, "dict")]
)
def test_values_that_are_not_text_are_refused_with_their_line(file, value, kind):
    for on_problem in ("error", "drop"):
        message = refusal(file("a.jsonl", f'{{"s": "one"}}\n{{"s": {json.dumps(value)}}}\n'), on_problem=on_problem)
        assert f"a.jsonl:2: the sentence is {kind}, not text" in message
    assert f"a.parquet:1: the sentence is {kind}, not text" in refusal(
        file("a.parquet", pa.table({"s": [value, value]})), "s"
    )


def test_bytes_in_a_parquet_file_are_not_text(file):
    assert "is bytes, not text" in refusal(file("a.parquet", pa.table({"s": [b"one", b"two"]})))


@pytest.mark.parametrize("kept", [0, 3, 0.5, -1])
def test_a_truncated_parquet_file_is_refused(file, kept):
    path = file("a.parquet", pa.table({"s": [f"sentence {i}" for i in range(500)]}))
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * kept) if isinstance(kept, float) else kept])
    assert f"{path}: not readable as parquet" in refusal(path)


def test_a_parquet_file_with_a_damaged_page_is_refused(file):
    path = file("a.parquet", pa.table({"s": [f"sentence {i}" for i in range(500)]}))
    raw = bytearray(path.read_bytes())
    raw[4:400] = b"\xff" * 396  # behind the magic; the footer stays whole
    path.write_bytes(raw)
    assert f"{path}: not readable as parquet" in refusal(path)


def test_bad_utf_8_in_a_parquet_file_is_refused(file):
    raw = pa.StringArray.from_buffers(2, pa.py_buffer(b"\0\0\0\0\3\0\0\0\6\0\0\0"), pa.py_buffer(b"one\xe9t\xe9"))
    assert "not readable as parquet" in refusal(file("a.parquet", pa.table({"s": raw})))


def test_unknown_endings_and_missing_files(file, tmp_path):
    message = refusal(file("a.xlsx", "one\ntwo\n"))
    assert "not .xlsx" in message and ".txt, .csv, .tsv, .jsonl, .parquet" in message
    assert "without an ending" in refusal(file("sentences", "one\ntwo\n"))
    for ending in ENDINGS:
        assert "no such file" in refusal(tmp_path / f"absent{ending}")
    (tmp_path / "folder.txt").mkdir()
    assert "folder.txt: a folder, not a file" in refusal(str(tmp_path / "folder.txt"))


@pytest.mark.parametrize("content, found", [("", 0), ("one\n", 1), ("\n\n", 0), ("one\none\n", 1)])
def test_fewer_than_two_sentences_are_refused(file, content, found):
    assert f": {found} sentence{'' if found == 1 else 's'} found" in refusal(file("a.txt", content), on_problem="drop")


# ---- the limit


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_limit_counts_good_sentences(tmp_path, ending):
    path = written(tmp_path / f"a{ending}", ["one", "one", "two", "three", "four"])
    read = read_sentences(path, limit=3, on_problem="drop")
    assert read.texts == ("one", "two", "three") and len(read.notes) == 1


def test_nothing_behind_the_limit_is_looked_at(file):
    assert read_sentences(file("a.txt", "one\ntwo\ntwo\n"), limit=2).texts == ("one", "two")
    assert "line 3" in refusal(file("a.txt", "one\ntwo\ntwo\n"), limit=3)


def test_a_limit_that_is_not_reached_is_noted(file):
    read = read_sentences(file("a.txt", "one\ntwo\n"), limit=5)
    assert read.texts == ("one", "two") and "2 sentences, fewer than the limit of 5" in read.notes[0]


# ---- the set itself


def test_fingerprints_tell_content_and_order_apart():
    contents = [("ab", "c"), ("a", "bc"), ("abc",), ("c", "ab"), ("ab", "c", ""), ("ab\nc",), ("ab", "C"), ()]
    contents += [("é", "c"), ("e\u0301", "c")]  # alike on paper, other bytes for an encoder
    prints = {SentenceSet("same", texts).fingerprint for texts in contents}
    assert len(prints) == len(contents)
    assert all(len(p) == 64 and set(p) <= set("0123456789abcdef") for p in prints)


def test_the_fingerprint_is_fixed_for_ever():
    """Stored results are found by it."""
    assert (
        SentenceSet("x", ("ab", "c")).fingerprint == "601d5476e2ccfe2c87a2bba7a322659734a05749d5b5aa781f513e4912db0d5f"
    )


def test_neither_name_nor_labels_nor_notes_are_in_the_fingerprint():
    bare = SentenceSet("x", ("one", "two"))
    assert bare.fingerprint == SentenceSet("y", ("one", "two"), {"topic": ["a", "b"]}, ("a note",)).fingerprint


def test_a_set_survives_its_table_and_a_parquet_file(tmp_path):
    before = builtin_set(40)
    path = tmp_path / "set.parquet"
    pq.write_table(before.to_table(), path)
    after = SentenceSet.from_table(before.name, pq.read_table(path))
    assert after == before and after.labels == before.labels and after.fingerprint == before.fingerprint
    assert before.to_table().column_names == ["text", "topic", "group", "meaning"]
    assert read_sentences(path, "text").fingerprint == before.fingerprint
    plain = SentenceSet("plain", TEXTS)
    assert SentenceSet.from_table("plain", plain.to_table()) == plain


def test_the_built_in_set_carries_the_labels_of_its_sentences():
    made = generate(60, seed=3)
    read = builtin_set(60, seed=3)
    assert read.texts == tuple(s.text for s in made) and "seed 3" in read.name
    assert list(zip(*read.labels.values(), strict=True)) == [(s.topic, s.group, list(s.meaning)) for s in made]
    assert list(read.labels) == ["topic", "group", "meaning"]
    assert read.fingerprint != builtin_set(60).fingerprint
    with pytest.raises(ValueError, match="maximum"):
        builtin_set(10**6)

"""What people's files look like: the same rows whatever the ending, packer, encoding and line end, for sentences and
for tasks; else one line with the mend."""

import bz2
import gzip
import io
import json
import lzma
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter

from qre.errors import UserError
from qre.sentences import read_sentences
from qre.tasks.task_files import read_task
from qre.tasks.task_spec import TaskSpec

ROWS = [("Où est la gare ?", "a"), ('She said "no".', "b"), ("three, or four", "a"), ("five", "b")]
TEXTS = tuple(text for text, _ in ROWS)
PACKERS = {"": lambda raw: raw, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".GZ": gzip.compress}
SPEC = TypeAdapter(TaskSpec)


def content(ending: str) -> bytes:
    """The rows in a format."""
    if ending == ".parquet":
        pq.write_table(pa.table({"text": list(TEXTS), "label": [label for _, label in ROWS]}), buffer := io.BytesIO())
        return buffer.getvalue()
    if ending == ".jsonl":
        return "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in ROWS).encode()
    separator = "," if ending == ".csv" else "\t"
    rows = ['"{}"{}{}\n'.format(text.replace('"', '""'), separator, label) for text, label in ROWS]
    return f"text{separator}label\n{''.join(rows)}".encode()


def both(path) -> None:
    """The file is read right as sentences and as a task."""
    assert read_sentences(path, "text").texts == TEXTS
    assert clustering(path).texts == TEXTS


def clustering(path, **values):
    return read_task(
        SPEC.validate_python({"source": "file", "kind": "clustering", "name": "t", "path": str(path), **values})
    )


def refusals(path) -> list[str]:
    """What both readers say, each one line."""
    told = []
    for read in (lambda: read_sentences(path, "text"), lambda: clustering(path)):
        with pytest.raises(UserError) as caught:
            read()
        told.append(str(caught.value))
        assert "\n" not in told[-1] and str(path) in told[-1]
    return told


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("ending", [".csv", ".CSV", ".tsv", ".Tsv", ".jsonl", ".JSONL", ".parquet", ".PARQUET"])
def test_endings_in_capitals_and_packed_files(tmp_path, ending, packer):
    path = tmp_path / f"my.data{ending}{packer}"
    path.write_bytes(PACKERS[packer](content(ending.lower())))
    both(path)


@pytest.mark.parametrize("packer", PACKERS)
def test_txt_in_capitals_and_packed(tmp_path, packer):
    path = tmp_path / f"a.TXT{packer}"
    path.write_bytes(PACKERS[packer]("\n".join(TEXTS).encode()))
    assert read_sentences(path).texts == TEXTS


def test_a_packed_file_is_known_by_its_content_and_one_that_is_not_packed_is_read(tmp_path):
    (tmp_path / "a.csv").write_bytes(gzip.compress(content(".csv")))
    (tmp_path / "b.csv.gz").write_bytes(content(".csv"))
    both(tmp_path / "a.csv")
    both(tmp_path / "b.csv.gz")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl"])
def test_encodings_with_their_mark_and_line_ends(tmp_path, ending, end, encoding):
    path = tmp_path / f"a{ending}"
    text = content(ending).decode().replace("\n", end)
    path.write_bytes((("\ufeff" if encoding == "utf-16-be" else "") + text).encode(encoding))
    both(path)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_its_mark_is_named(tmp_path, encoding):
    path = tmp_path / "a.csv"
    path.write_bytes(content(".csv").decode().replace("Où", "Ou").encode(encoding))
    for told in refusals(path):
        assert (
            "a.csv:1: a NUL byte" in told
            and f"iconv -f {encoding.replace('-le', 'le').replace('-be', 'be')} -t utf-8" in told
        )


def test_a_utf_16_file_that_is_cut(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(content(".csv").decode().encode("utf-16")[:-1])
    assert all("not whole as UTF-16" in told for told in refusals(path))


def test_a_nul_byte_is_named_with_its_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(content(".csv").replace(b"five", b"fi\0ve"))
    assert all("a.csv:5: a NUL byte, which no text has; remove it" in told for told in refusals(path))


@pytest.mark.parametrize(("separator", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
def test_a_csv_with_another_separator(tmp_path, separator, name):
    path = tmp_path / "a.csv"
    path.write_text(f"text{separator}label\none{separator}a\ntwo{separator}b\n")
    assert all(f"seems separated by {name}, not by commas" in told and "a.csv:1: " in told for told in refusals(path))
    with pytest.raises(UserError, match=f"seems separated by {name}"):
        read_sentences(path)  # one column, but not one of sentences
    with pytest.raises(UserError, match=f"a.csv:1: 1 fields, but a column at position 1 .* seems separated by {name}"):
        clustering(path, columns={"text": 0, "label": 1})


def test_a_tsv_with_commas_and_a_csv_that_names_its_separator(tmp_path):
    (tmp_path / "a.tsv").write_text("text,label\none,a\ntwo,b\n")
    assert all(
        "seems separated by commas, not by tabs" in told and "call it .csv" in told
        for told in refusals(tmp_path / "a.tsv")
    )
    (tmp_path / "b.csv").write_text("sep=;\ntext;label\none;a\n")
    assert all("the first line names a separator; remove it" in told for told in refusals(tmp_path / "b.csv"))


@pytest.mark.parametrize(
    "lines",
    [
        ['"one\ta', "two\tb", "three\ta", "four\tb"],  # never closed
        ['"one\ta', "two\tb", 'three"\ta', "four\tb"],  # closed two lines on: quoting would swallow them
        ['"one" it said\ta', "two\tb", 'th"ree\ta', '"four\tb'],
        ['"one\tx"', '"two\ty"'],  # a quote in one column, and the other in the next
    ],
)
def test_stray_quotes_in_a_tsv_swallow_no_line(tmp_path, lines):
    path = tmp_path / "a.tsv"
    path.write_text("\n".join(["text\tlabel", *lines]) + "\n")
    assert read_sentences(path, "text").texts == tuple(line.split("\t")[0] for line in lines)
    assert clustering(path).texts == tuple(line.split("\t")[0] for line in lines)


def test_quotes_that_are_quoting_in_a_tsv_are_kept_as_that(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text('text\tlabel\n"one\tand on"\ta\n"two\nand on"\tb\n')
    assert read_sentences(path, "text").texts == ("one\tand on", "two\nand on")
    # all is quoted, so this is a fault of one line
    path.write_text('text\tlabel\n"one"\t"a"\n"two"\t"b"\n"th"ree"\t"b"\n')
    assert all("a.tsv:4: " in told and "written twice" in told for told in refusals(path))
    path.write_text('text\n"one\ntwo"\nthree\n')
    with pytest.raises(UserError, match="a.tsv:2: a quote begins here and ends on a later line"):
        read_sentences(path)


def test_archives_spreadsheets_and_other_formats_under_a_wrong_ending(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.csv", "w") as archive:
        archive.writestr("a.csv", content(".csv"))
    assert all("a zip archive (or a spreadsheet), not text; unpack it" in told for told in refusals(tmp_path / "a.csv"))
    (tmp_path / "b.csv").write_bytes(content(".parquet"))
    assert all("a parquet file, not text" in told for told in refusals(tmp_path / "b.csv"))
    (tmp_path / "c.tsv").write_bytes(b"\x28\xb5\x2f\xfd\x00")
    assert all("packed by zstd" in told for told in refusals(tmp_path / "c.tsv"))
    (tmp_path / "d.csv.gz").write_bytes(gzip.compress(content(".csv"))[:-9])
    assert all("damaged or incomplete" in told for told in refusals(tmp_path / "d.csv.gz"))
    for name in ("e.zip", "e.csv.zst"):
        (tmp_path / name).write_bytes(b"x")
        refusals(tmp_path / name)


def test_a_folder_an_absent_file_and_a_missing_column(tmp_path):
    (tmp_path / "a.csv").mkdir()
    assert all("a folder, not a file" in told for told in refusals(tmp_path / "a.csv"))
    assert all("no such file" in told for told in refusals(tmp_path / "b.csv"))
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress(b"Text,class\none,a\n"))
    sentences, task = refusals(tmp_path / "c.csv.gz")
    assert "no column 'text'; it has 'Text', 'class'; say which one is meant: sentences.column" in sentences
    assert "no column 'text'; it has 'Text', 'class'; say which one is meant: columns: {text: ...}" in task
    for ending in (".csv", ".tsv", ".jsonl"):
        (tmp_path / f"empty{ending}").write_bytes(b"")
        refusals(tmp_path / f"empty{ending}")


def test_a_carriage_return_inside_a_line_of_txt(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\r\r\ntwo\n")
    assert read_sentences(path).texts == ("one", "two")
    path.write_bytes(b"one\ntwo\rthree\n")
    with pytest.raises(UserError, match="a.txt:2: a carriage return inside the line"):
        read_sentences(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.txt",
            "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12345\n",
            "a pointer of Git LFS.*git lfs pull",
        ),
        ("a.csv", "text,id\nhello\rworld,1\nb,2\n", r"a.csv:2: a carriage return inside the line"),
        (
            "a.tsv",
            'text\tsource\nFirst one\tA\n"Well, he said\tA\nSecond\tB\nB said so"\tB\nNo source here\nLast\tA\n',
            r"a.tsv:3: a quote begins here and ends on a later line",
        ),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(tmp_path, name, content, message):
    (tmp_path / name).write_text(content, newline="")
    with pytest.raises(UserError, match=message):
        read_sentences(tmp_path / name, None if name == "a.txt" else "text")

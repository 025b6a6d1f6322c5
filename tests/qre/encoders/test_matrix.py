"""Ready vectors: one identity in every format, read in blocks; what is wrong with a file is said."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from qre.encoders import matrix_file, text_vectors
from qre.encoders.matrix import VectorsInFiles
from qre.encoders.matrix_file import MatrixFile, checked_digest, open_matrix, read_matrix
from qre.encoders.passes import EncodeSettings, Pass, parent_key, pass_key, unit_key
from qre.encoders.spec import MatrixSpec
from qre.encoders.text_vectors import TextVectors
from qre.errors import EncoderError, UserError

SENTENCES = tuple(f"sentence number {i}" for i in range(50))
E = np.random.default_rng(0).standard_normal((50, 8)).astype(np.float32)
SPEC = MatrixSpec(name="a", family="f", revision="0" * 64, dimension=8)


def saved(folder, matrix, name="m.npy"):
    path = folder / name
    if path.suffix == ".npy":
        np.save(path, matrix)
    elif path.suffix == ".safetensors":
        save_file({"embedding": np.ascontiguousarray(matrix), "other": np.zeros(3)}, path)
    else:
        pq.write_table(pa.table({"vector": pa.array(list(matrix))}), path, row_group_size=7)
    return path


def texts_file(folder, rows, name="texts.parquet", kind=None, **options):
    path = folder / name
    kind = kind or pa.list_(pa.float32())
    vectors = pa.array([vector for _, vector in rows], kind)
    table = pa.table({"id": range(len(rows)), "text": [text for text, _ in rows], "vector": vectors})
    pq.write_table(table, path, **options)
    return path


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_one_identity_in_every_format(tmp_path, dtype, monkeypatch):
    matrix, found = E.astype(dtype), set()
    numbers = tmp_path / "columns.parquet"
    pq.write_table(pa.table({f"d{j}": matrix[:, j] for j in range(8)}), numbers)
    paths = [
        *(saved(tmp_path, matrix, name) for name in ("m.npy", "m.safetensors", "m.parquet")),
        saved(tmp_path, np.asfortranarray(matrix), "fortran.npy"),
        saved(tmp_path, matrix.astype(matrix.dtype.newbyteorder(">")), "big.npy"),
        numbers,
    ]
    for size in (2**24, 100):  # bytes of a block: all at once, and a few rows
        monkeypatch.setattr(matrix_file, "BLOCK_BYTES", size)
        for path in paths:
            file = open_matrix(path)
            assert (file.shape, file.dtype) == ((50, 8), np.dtype(dtype)), path
            rows = min(50, max(1, size // (8 * matrix.itemsize)))
            assert max(len(block) for block in file.blocks()) == rows
            assert np.array_equal(read_matrix(path), matrix)
            found.add(checked_digest(file, SENTENCES))
    assert len(found) == 1


def test_every_change_of_the_content_is_another_identity(tmp_path):
    other = E.copy()
    other[3, 3] = np.nextafter(other[3, 3], 2)
    made = [E, E.astype("float64"), other, E[:, :7], E[:, ::-1]]
    digests = {checked_digest(open_matrix(saved(tmp_path, one)), SENTENCES) for one in made}
    assert len(digests) == len(made)


def bad(**changes):
    matrix = E.copy()
    for row, value in changes.items():
        matrix[int(row[1:])] = value
    return matrix


@pytest.mark.parametrize(
    "matrix, words",
    [
        (E[:49], "has 49 rows, and there are 50 sentences"),
        (np.ones((50, 8), np.int8), "holds int8 of shape (50, 8); save vectors as floats"),
        (bad(r7=np.nan), "NaN or Inf in the vectors: sentence 7 ('sentence number 7')"),
        (bad(r6=np.inf, r7=np.nan), "sentence 6 ('sentence number 6') and 1 more"),
        (bad(r30=0), "an all-zero vector has no direction: sentence 30 ('sentence number 30')"),
        (E.astype("float64") * 1e300, "NaN or Inf in the vectors: sentence 0"),
    ],
)
@pytest.mark.parametrize("ending", ["npy", "safetensors", "parquet"])
def test_vectors_that_are_none_of_these_sentences(tmp_path, monkeypatch, matrix, words, ending):
    monkeypatch.setattr(matrix_file, "BLOCK_BYTES", 256)
    with pytest.raises(EncoderError) as told:
        checked_digest(open_matrix(saved(tmp_path, matrix, f"m.{ending}")), SENTENCES)
    assert words in str(told.value)


def test_files_that_hold_no_matrix(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], object), allow_pickle=True)
    (tmp_path / "text.npy").write_text("1 2 3")
    cut = saved(tmp_path, E, "cut.npy")
    cut.write_bytes(cut.read_bytes()[:-50])
    (tmp_path / "x.csv").write_text("1,2")
    ragged = tmp_path / "ragged.parquet"
    pq.write_table(pa.table({"v": [[1.0, 2.0], [1.0]]}), ragged)
    one = tmp_path / "flat.npy"
    np.save(one, np.ones(5))
    for name, words in (
        ("absent.npy", "no such file"),
        ("objects.npy", "pickled objects, which are never loaded"),
        ("text.npy", "not a .npy file"),
        ("cut.npy", "cut off"),
        ("x.csv", "vectors are read from .npy, .safetensors, .parquet"),
        ("flat.npy", "an embedding is a matrix of numbers"),
    ):
        with pytest.raises(UserError) as told:
            open_matrix(tmp_path / name)
        assert words in str(told.value) and str(tmp_path / name) in str(told.value)
    with pytest.raises(UserError, match="every row needs the same number of values"):
        read_matrix(ragged)


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': (",
        "  x\n y",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 99999999999999999999)}",
        "(" * 2000,
    ],
    ids=["open bracket", "indented", "large number", "many brackets"],
)
def test_a_broken_header_of_npy_is_one_line(tmp_path, header):
    raw = header.encode() + b"\n"
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(raw).to_bytes(2, "little") + raw + bytes(24))
    with pytest.raises(UserError, match="x.npy: not a .npy file, or cut off"):
        open_matrix(tmp_path / "x.npy")


@pytest.mark.parametrize("column", [[[{"a": 1.0}]], [[["a"]]], [["a"]]], ids=["structs", "lists", "texts"])
def test_lists_of_no_numbers_are_no_matrix(tmp_path, column):
    pq.write_table(pa.table({"v": column}), tmp_path / "x.parquet")
    with pytest.raises(UserError, match="an embedding is a matrix of numbers"):
        open_matrix(tmp_path / "x.parquet")


@pytest.mark.parametrize("rows", [2, 4])
def test_a_header_that_tells_another_number_of_rows_is_refused(tmp_path, rows):
    file = MatrixFile(tmp_path / "x.parquet", (3, 2), np.dtype("float32"), lambda _: iter(np.ones((1, rows, 2))))
    with pytest.raises(UserError, match="it does not hold the 3 rows that its header tells"):
        list(file.blocks())


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float32()), pa.list_(pa.float64()), pa.list_(pa.float32(), 8), pa.large_list(pa.float32())]
)
def test_vectors_of_texts_are_found_by_the_text(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(text_vectors, "ROWS", 3)
    rows = [(f"text {i}", E[i].tolist()) for i in range(40)] + [("text 3", E[0].tolist()), (None, E[0].tolist())]
    file = TextVectors(texts_file(tmp_path, rows, kind=kind, row_group_size=9))
    asked = ["text 39", "text 3", "text 17", "absent", "text 3 "]
    assert file.dimension == 8 and file.lacking([asked, ["text 1"]]) == [["absent", "text 3 "], []]
    found = np.full((5, 8), np.nan, np.float32)
    for at, vectors in file.vectors(asked):
        assert vectors.dtype == np.float32
        found[at] = vectors
    assert np.array_equal(found[:3], E[[39, 3, 17]]) and np.isnan(found[3:]).all()


def test_row_groups_without_a_wanted_text_are_not_read(tmp_path):
    """Damage in the vectors of another row group is not met."""
    rows = [(f"text {i}", E[i].tolist()) for i in range(40)]
    path = texts_file(tmp_path, rows, row_group_size=10, compression="none", use_dictionary=False)
    column = pq.ParquetFile(path).metadata.row_group(3).column(2)
    raw = bytearray(path.read_bytes())
    start = column.data_page_offset
    raw[start : start + column.total_compressed_size] = bytes(column.total_compressed_size)
    path.write_bytes(raw)
    file = TextVectors(path)
    assert sum(len(at) for at, _ in file.vectors(["text 5", "text 12"])) == 2
    with pytest.raises(UserError, match="cannot be read"):
        list(file.vectors(["text 5", "text 35"]))


@pytest.mark.parametrize(
    "table, words",
    [
        ({"text": ["a"], "embedding": [[1.0]]}, "columns text and vector are needed; it has text, embedding"),
        ({"text": [1], "vector": [[1.0]]}, "column text is int64, not text"),
        ({"text": ["a"], "vector": [[1]]}, "not a list of floats"),
        ({"text": ["a"], "vector": [1.0]}, "column vector is double, not a list of floats"),
        ({"text": pa.array([], pa.string()), "vector": pa.array([], pa.list_(pa.float32()))}, "has no rows"),
        ({"text": ["a"], "vector": pa.array([None], pa.list_(pa.float32()))}, "none may be missing"),
    ],
)
def test_files_of_texts_that_are_none(tmp_path, table, words):
    pq.write_table(pa.table(table), tmp_path / "t.parquet")
    with pytest.raises(UserError) as told:
        TextVectors(tmp_path / "t.parquet")
    assert words in str(told.value)


def test_a_pass_gives_the_vectors_as_they_are(tmp_path):
    path = saved(tmp_path, E.astype("float64"))
    texts = texts_file(tmp_path, [(f"text {i}", E[i].tolist()) for i in range(9)])
    loaded = Pass(SPEC, SENTENCES, [()], EncodeSettings(), ready=VectorsInFiles(str(path), str(texts)))
    assert np.array_equal(loaded.encode(0)["default"], E) and loaded.record["device"] == "cpu"
    assert np.array_equal(loaded.encode_texts(["text 8", "text 2"], "query: ")["default"], E[[8, 2]])
    with pytest.raises(EncoderError, match="2 of 3 texts of this task are not in the .*, the first is 'no'"):
        loaded.encode_texts(["no", "text 1", "nor this"])


def test_what_changes_the_vectors_changes_the_key_and_nothing_else_does():
    def keys(**changes):
        spec = SPEC.model_copy(update=changes)
        return unit_key(spec, "s", EncodeSettings()), pass_key(spec, "s", EncodeSettings()), parent_key(spec)

    assert keys(name="b", family="g") == keys()
    assert unit_key(SPEC, "s", EncodeSettings(token_budget=64, chunk_sentences=9)) == keys()[0]
    for changes in ({"revision": "1" * 64}, {"texts": "1" * 64}):
        assert not set(keys(**changes)) & set(keys())
    white = keys(transforms=("whiten",))
    assert white[0] != keys()[0] and white[1:] == keys()[1:]


@pytest.mark.parametrize("ending", ["npy", "safetensors", "parquet"])
def test_a_block_of_a_large_file_is_in_memory_at_a_time(tmp_path, ending):
    """The process that checks 300 MB of vectors takes less of its own, also where a Parquet file is one row group."""
    matrix = np.random.default_rng(0).standard_normal((18_300, 4096), np.float32)
    path = tmp_path / f"m.{ending}"
    if ending == "parquet":
        pq.write_table(pa.table({"v": pa.FixedSizeListArray.from_arrays(matrix.ravel(), 4096)}), path)
    else:
        saved(tmp_path, matrix, path.name)
    code = (
        "import resource, sys\n"
        "from qre.encoders.matrix_file import checked_digest, open_matrix\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak(); file = open_matrix(sys.argv[1]); checked_digest(file, [''] * file.shape[0])\n"
        "print((peak() - before) / 1024)\n"
    )
    told = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    path.unlink()
    assert float(told.stdout) < 220

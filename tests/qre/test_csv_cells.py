"""CSV that a spreadsheet shows and does not run."""

import csv
import io

import numpy as np
import pandas as pd
import pytest

from qre.atlas.map_table import table_files
from qre.csv_cells import cell_of, csv_text, text_of
from qre.tasks.mteb.wide_table import read_table

FORMULAS = ('=HYPERLINK("http://x","y")', "+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1")
PLAIN = ("a/b", "'quoted'", "", "1+1", "é=1", "<img src=x onerror=alert(1)>")


@pytest.mark.parametrize("text", [*FORMULAS, *PLAIN, "'=x", "''-1", "'"])
def test_what_is_written_is_read_again(text):
    assert text_of(cell_of(text)) == text


def test_no_two_texts_are_written_alike():
    texts = [f"{marks}{rest}" for marks in ("", "'", "''", "'''") for rest in ("=x", "x", "")]
    assert len({cell_of(text) for text in texts}) == len(texts)


def test_no_cell_and_no_header_begins_a_formula_and_numbers_stay():
    names = [*FORMULAS, *PLAIN]
    table = pd.DataFrame({"name": names, "=low": -np.arange(float(len(names))), "more": [-1, "-1", None] + [1.5] * 11})
    rows = list(csv.reader(io.StringIO(csv_text(table), newline="")))
    assert rows[0] == ["name", "'=low", "more"]
    assert [row[0] for row in rows[1:]] == [f"'{name}" for name in FORMULAS] + list(PLAIN)
    assert [float(row[1]) for row in rows[1:]] == list(table["=low"])
    assert [row[2] for row in rows[1:4]] == ["-1", "'-1", ""]


def test_a_table_without_formulas_is_as_pandas_writes_it():
    table = pd.DataFrame(
        {
            "name": ["a,b", 'c"d', None],
            "score": [0.1, -1e-9, np.nan],
            "count": [1, -2, 3],
            "best": [True, False, True],
            "kind": pd.Categorical(["x", "y", "x"]),
            "whole": pd.array([1, None, -3], dtype="Int64"),
        }
    )
    assert csv_text(table) == table.to_csv(index=False)
    twice = pd.DataFrame([["=a", -1.0]], columns=["n", "n"])  # columns may bear one name
    assert csv_text(twice) == "n,n\n'=a,-1.0\n"


def test_the_files_of_a_map_are_quoted_in_csv_alone():
    files = table_files("map", pd.DataFrame({"name": ["=1"], "x": [-1.0]}))
    assert files["map.csv"] == b"name,x\n'=1,-1.0\n"
    assert pd.read_parquet(io.BytesIO(files["map.parquet"]))["name"].to_list() == ["=1"]


def test_a_table_of_scores_is_read_with_the_names_that_were_written(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text(csv_text(pd.DataFrame({"model": ["=a/b", "-c/d"], "@STS": [0.5, 0.25]})))
    assert "'=a/b" in path.read_text() and "'@STS" in path.read_text()
    scores = read_table(path, tasks=["@STS"]).table
    assert set(scores["model"]) == {"=a/b", "-c/d"} and set(scores["task"]) == {"@STS"}

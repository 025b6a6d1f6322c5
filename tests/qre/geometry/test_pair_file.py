"""Positive pairs from files of every kind, by every name of their columns."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pandas as pd
import pytest

from qre.errors import UserError
from qre.geometry import Measures
from qre.geometry.legend import LEGEND
from qre.geometry.pair_file import read_pairs

PAIRS = [("a cat, red", "the red cat"), ('a "dog"', "one dog"), ("日本語", "b")]


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "json", "parquet", "csv.gz"])
@pytest.mark.parametrize("names", [("a", "b"), ("sentence1", "sentence2")])
def test_every_format(tmp_path, ending, names):
    table, path = pd.DataFrame(PAIRS, columns=list(names)).assign(id=range(3)), tmp_path / f"pairs.{ending}"
    if ending == "parquet":
        table.to_parquet(path)
    elif ending.startswith("json"):
        rows = table.to_dict("records")
        path.write_text("\n".join(map(json.dumps, rows)) if ending == "jsonl" else json.dumps(rows))
    else:
        table.to_csv(path, index=False, sep="\t" if ending == "tsv" else ",")
    assert read_pairs(path) == PAIRS


def test_a_list_under_a_key_of_json(tmp_path):
    rows = [{"a": first, "b": second} for first, second in PAIRS]
    (tmp_path / "pairs.json").write_text(json.dumps({"test": rows, "train": []}))
    assert read_pairs(f"{tmp_path}/pairs.json#test") == PAIRS
    with pytest.raises(UserError, match=r"pairs\.json#KEY; it has test, train"):
        read_pairs(tmp_path / "pairs.json")


def test_a_label_goes_before_a_score(tmp_path):
    table = pd.DataFrame(PAIRS, columns=["a", "b"]).assign(label=[0, 1, 0], score=[5, 1, 5])
    table.to_csv(tmp_path / "pairs.csv", index=False)
    assert read_pairs(tmp_path / "pairs.csv") == PAIRS[1:2]


def test_a_row_that_lacks_a_text_is_named(tmp_path):
    (tmp_path / "pairs.jsonl").write_text('{"a": "x", "b": "y"}\n{"a": "x"}\n')
    with pytest.raises(UserError, match=r"pairs\.jsonl:2: empty b"):
        read_pairs(tmp_path / "pairs.jsonl")
    (tmp_path / "pairs.jsonl").write_text('{"a": "x", "b": 7}\n')
    with pytest.raises(UserError, match=r"pairs\.jsonl:1: b is int, not text"):
        read_pairs(tmp_path / "pairs.jsonl")


def test_every_measure_is_explained():
    """In the legend, and in docs/geometry.md by the same title."""
    told = {entry.name for entry in LEGEND}
    counts = {"n", "dimension", "n_over_d", "uniformity_se", "hubness_se", "sampled", "pairs", "groups"}
    assert told == {field.name for field in fields(Measures)} - counts
    page = (Path(__file__).parents[3] / "docs/geometry.md").read_text()
    for entry in LEGEND:
        title = re.sub(r"variance in \d+ directions?", "variance in k directions", entry.title)
        assert re.search(rf"^\| {re.escape(title)}[ |]", page, re.MULTILINE), title

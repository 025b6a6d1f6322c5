"""The files of all pairs, read back."""

import io

import numpy as np
import pandas as pd
import pyarrow as pa

from qre.all_pairs import ThinOperator, tile
from qre.atlas.settings import AtlasSettings
from qre.build.pair_files import pair_files, symmetrised
from qre.features import FeatureMethod, feature_row

NAMES = ["=cmd()", "<b>bold</b>", "../../etc", 'a "quoted", name', "ключ", "plain"]


def made():
    rng = np.random.default_rng(0)
    matrices = [rng.standard_normal((60, 5 + 3 * i)) + i for i in range(len(NAMES))]
    block = [ThinOperator.from_embedding(matrix, FeatureMethod()) for matrix in matrices]
    found = tile(block, block)
    rows = [feature_row(matrix, FeatureMethod()) for matrix in matrices]
    features = pa.table(
        {
            "key": [str(i) for i in range(len(NAMES))],
            "feature": pa.array([row.feature for row in rows], pa.list_(pa.float64())),
            **{
                name: [getattr(row, name) for row in rows] for name in ("qre", "entropy", "effective_rank", "dimension")
            },
        }
    )
    encoders = [{"key": str(i), "name": name, "family": name, "parent": name} for i, name in enumerate(NAMES)]
    measures = {"qre": found.qre_ab, "overlap": found.overlap, "cka": found.cka}
    return measures, pair_files(encoders, features, measures, AtlasSettings(permutations=100))


def test_every_pair_is_there_once_with_its_numbers_and_its_name():
    measures, result = made()
    pairs = pd.read_parquet(io.BytesIO(result.files["pairs.parquet"]))
    assert len(pairs) == 15
    assert list(pairs.columns) == ["a", "b", "qre_ab", "qre_ba", "distance", "overlap", "cka"]
    for row in pairs.itertuples():
        a, b = NAMES.index(row.a), NAMES.index(row.b)
        assert a < b
        assert (row.qre_ab, row.qre_ba) == (measures["qre"][a, b], measures["qre"][b, a])
        assert row.distance == max((row.qre_ab + row.qre_ba) / 2, 0)
        assert (row.overlap, row.cka) == (measures["overlap"][a, b], measures["cka"][a, b])
    assert [row["distance"] for row in result.closest] == sorted(pairs["distance"])[:5]


def test_the_second_map_and_its_neighbours_are_of_the_symmetrised_entropy():
    measures, result = made()
    distances = symmetrised(measures["qre"])
    table = pd.read_parquet(io.BytesIO(result.files["pairs_map.parquet"]))
    assert table["name"].to_list() == NAMES
    assert np.isfinite(table[["x", "y"]]).all(axis=None)
    near = pd.read_parquet(io.BytesIO(result.files["pairs_neighbours.parquet"]))
    first = near[near["rank"] == 1].set_index("name")
    for i, name in enumerate(NAMES):
        others = np.delete(distances[i], i)
        assert first.loc[name, "distance"] == others.min()
    assert b"'=cmd()" in result.files["pairs_map.csv"]  # a spreadsheet does not run it
    assert result.files["pairs_map.png"].startswith(b"\x89PNG")
    assert b"<b>bold" not in result.files["pairs_map.svg"]


def test_the_share_of_the_family_is_that_of_both_maps():
    """Every encoder here is a family of its own."""
    assert made()[1].family == {"share": 0.0, "share_first": 0.0, "chance": 0.0}


def test_two_runs_give_the_same_bytes():
    assert made()[1] == made()[1]


def test_what_clipping_brings_below_zero_is_no_distance():
    qre = np.array([[-1e-6, -2e-6, 3.0], [1e-6, 0.0, 1.0], [1.0, 2.0, 0.5]])
    np.testing.assert_array_equal(symmetrised(qre), [[0, 0, 2.0], [0, 0, 1.5], [2.0, 1.5, 0]])

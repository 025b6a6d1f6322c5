"""A made atlas is one that the real reader opens, with the columns and types of a real one."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from qre.atlas.finished import FinishedAtlas
from qre.atlas.ranking import PREDICTED, SCORES
from qre.geometry.measured_row import MAP_COLUMNS
from tests.page.made_atlas import made_atlas
from tests.page.made_encoders import HOSTILE

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("count", [2, 40, 236])
def test_the_real_reader_opens_it(tmp_path, count):
    made = made_atlas(count, tasks=12)
    atlas = FinishedAtlas(made.write(tmp_path))
    atlas.check()
    assert atlas.names == made.table["name"].to_list()
    assert len(atlas.tasks()) == 12 and tuple(atlas.scores) == SCORES
    table = atlas.rank("Task01")
    assert set(table["basis"]) <= {"imported", "predicted"} and len(table) <= count


def test_its_columns_are_the_real_ones(finished_atlas):
    real = pd.read_csv(ROOT / "results/reference/map.csv", nrows=5)
    made = made_atlas(300)
    assert set(real) - {"variant"} <= set(made.table)  # none of the made ones is sparsified
    assert made.table.shape[1] == 60 + len(MAP_COLUMNS)
    assert set(MAP_COLUMNS) <= set(made.table)
    assert tuple(made.predicted) == PREDICTED
    told = FinishedAtlas(finished_atlas)
    for name, table in (("scores", told.scores), ("predicted", told._predicted)):
        types = getattr(made, name).convert_dtypes().dtypes
        assert {column: types[column].kind for column in types.index if column not in ("n", "kinds")} == {
            column: kind.kind for column, kind in table.convert_dtypes().dtypes.items() if column not in ("n", "kinds")
        }


def test_neighbours_and_tree_fit_the_encoders():
    made = made_atlas(150)
    names = set(made.table["name"])
    assert (made.neighbours["name"] != made.neighbours["neighbour"]).all()
    assert set(made.neighbours["neighbour"]) <= names and len(made.neighbours) == 150 * 7
    assert (made.neighbours.groupby("name")["distance"].diff().dropna() >= 0).all()
    assert len(made.tree) == 149 and sorted(made.clusters["leaf"]) == list(range(150))
    assert made.clusters.groupby("cluster")["central"].sum().eq(1).all()
    sizes = made.clusters["cluster"].value_counts().sort_index()
    assert sizes.is_monotonic_decreasing and (made.clusters["size"] == made.clusters["cluster"].map(sizes)).all()


def test_the_same_seed_makes_the_same_atlas(tmp_path):
    folders = [made_atlas(60, seed=seed).write(tmp_path / str(i)) for i, seed in enumerate((3, 3, 4))]
    first, again, other = (folder / "manifest.json" for folder in folders)
    assert first.read_bytes() == again.read_bytes() != other.read_bytes()


def test_hostile_names_stand_in_every_table(tmp_path):
    made = made_atlas(80, hostile=True)
    atlas = FinishedAtlas(made.write(tmp_path))
    assert atlas.names[: len(HOSTILE)] == list(HOSTILE) and len(set(atlas.names)) == 80
    assert set(HOSTILE) <= set(atlas.scores["task"]) & set(made.table["licence"]) & set(atlas.sentences)


def test_some_is_missing_as_in_life():
    made = made_atlas(300)
    assert made.table["licence"].isna().any() and made.table["parameters"].isna().any()
    assert not np.isfinite(made.predicted["low"]).all() and len(made.scores) < 300 * 68 / 2

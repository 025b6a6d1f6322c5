"""An atlas whose checksums hold and whose features are no numbers is told in one line."""

import hashlib
import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from qre.atlas.finished import FinishedAtlas
from qre.errors import UserError
from tests.finished import parquet


@pytest.mark.parametrize("value", [float("nan"), None, float("inf")])
def test_features_that_are_no_numbers_are_told(finished_atlas, tmp_path, value):
    folder = tmp_path / "odd"
    shutil.copytree(finished_atlas, folder)
    table = pq.read_table(folder / "features.parquet")
    rows = [[*row[:-1], value] for row in table["feature"].to_pylist()]
    content = parquet(
        table.set_column(table.column_names.index("feature"), "feature", pa.array(rows, pa.list_(pa.float64())))
    )
    (folder / "features.parquet").write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["features.parquet"]["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(
        UserError, match="odd: features.parquet holds features that are no numbers; make the atlas again$"
    ):
        FinishedAtlas(str(folder)).neighbours("made/e1")
    assert np.isfinite(FinishedAtlas(str(finished_atlas)).features).all()

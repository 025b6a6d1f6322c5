"""The measures of geometry as rows of a sweep: their numbers, their bytes, and what lacks them."""

import io
import shutil
import tempfile
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from jobs.config import SweepConfig, load_config
from jobs.planning.plan import make_plan
from jobs.planning.resolve import resolve
from jobs.planning.shard_folders import measure_method, measures_folder, shard_folders
from jobs.planning.units import measures_key
from jobs.workers.featurize import ToFeaturize, featurize_batch
from jobs.workers.reduce import reduction, write_atlas
from qre.features import FeatureMethod, Operators
from qre.geometry import measures
from qre.geometry.measured_row import MAP_COLUMNS, MeasureMethod, measured_or_none, measured_rows
from qre.sentences import SentenceSet
from qre.store import Failure, Store
from tests.faults.in_process import HASHED, Case, without_ray
from tests.jobs.conftest import write_config
from tests.jobs.test_store_faults import sweep

SENTENCES = 300


def config(folder, **values) -> SweepConfig:
    return SweepConfig.model_validate(
        {
            "name": "t",
            "store": str(folder / "store"),
            "sentences": {"source": "builtin", "limit": SENTENCES},
            "encoders": [HASHED],
            **values,
        }
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished sweep, which nobody may write to."""
    folder = tmp_path_factory.mktemp("measured")
    without_ray(config(folder), folder / "store")
    return folder


@pytest.fixture
def copied(made, tmp_path):
    """(config, store) of a copy of it."""
    shutil.copytree(made / "store", tmp_path / "store")
    return config(tmp_path), Store(tmp_path / "store")


def planned(settings, store, **options):
    return make_plan(settings, store, resolve(settings, store), **options)


def map_of(store) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(store.atlases.read("t", "map.parquet")))


def rows_of(store, folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.folder.path(f"features/{folder}").iterdir()}


def test_the_map_has_the_measures_of_each_stored_embedding(made):
    store = Store(made / "store")
    plan = planned(config(made), store)
    table = map_of(store).set_index("key")
    assert plan.done and plan.measured == set(table.index)
    for key in table.index:
        embedding, _ = store.embeddings.read(key)
        by_hand = asdict(measures(embedding, groups=plan.sentences.labels["group"]))
        found = table.loc[key, list(MAP_COLUMNS)].astype(float).to_dict()
        assert found == pytest.approx({name: by_hand[name] for name in MAP_COLUMNS}, rel=1e-12)
        assert table.loc[key, "effective_rank"] == pytest.approx(by_hand["effective_rank"], rel=1e-9)
    assert table["pairs"].min() > 0 and list(table.columns).count("effective_rank") == 1


def test_a_store_without_measures_gets_them_from_its_embeddings(copied):
    settings, store = copied
    before = rows_of(store, folder := measures_folder(planned(settings, store).sentences))
    store.folder.remove_folder(f"features/{folder}")
    plan = planned(settings, store)
    assert not plan.passes and len(plan.to_featurize) == len(plan.on_map) == len(plan.units) and not plan.atlas_done
    assert set(plan.lacking.values()) == {(folder,)}
    units = [ToFeaturize(unit.key, unit.spec.name, plan.lacking[unit.key]) for unit in plan.to_featurize]
    results = featurize_batch(store, units, shard_folders(settings, plan.sentences))
    assert {result.status for result in results} == {"done"} and rows_of(store, folder) == before
    assert planned(settings, store).atlas_done  # the same rows: the same map


def test_of_embeddings_that_are_gone_no_encoder_runs_again(copied):
    settings, store = copied
    plan = planned(settings, store)
    store.folder.remove_folder(f"features/{measures_folder(plan.sentences)}")
    gone = plan.units[0].key
    store.folder.path(store.embeddings.name(gone)).unlink()
    plan = planned(settings, store)
    assert not plan.passes and len(plan.on_map) == len(plan.units) and len(plan.to_featurize) == len(plan.units) - 1
    featurize_batch(
        store,
        [ToFeaturize(unit.key, unit.spec.name, plan.lacking[unit.key]) for unit in plan.to_featurize],
        shard_folders(settings, plan.sentences),
    )
    plan = planned(settings, store)
    (note,) = (note for note in plan.notes if "measures of geometry" in note)
    assert note.startswith("1 encoder has no measures") and not plan.to_featurize and not plan.atlas_done
    assert write_atlas(store, reduction(settings, plan))
    table = map_of(store).set_index("key")
    assert table["uniformity"].isna().sum() == 1 and np.isnan(table.loc[gone, "uniformity"])
    assert note in store.atlases.manifest("t")["notes"] and planned(settings, store).done


def test_what_else_is_made_with_them_changes_no_bit(made):
    """Alone, with the features, with those of other ε and rows, with the spectra."""
    store = Store(made / "store")
    sentences = planned(config(made), store).sentences
    key = planned(config(made), store).units[0].key
    alone = {measures_folder(sentences): measure_method(sentences)}
    others = [
        FeatureMethod(epsilon=1e-12),
        FeatureMethod(normalize=False),
        FeatureMethod(perturbation="mix", center=True),
        FeatureMethod(direction="base_second"),
        FeatureMethod(),
    ]
    made_with = [
        alone,
        {**{method.name: method for method in others}, "spectra": None, **alone},
        {**alone, "spectra": None, **{method.name: method for method in others[::-1]}},
    ]
    shards = [shards_of(store, key, folders) for folders in made_with]
    assert shards[0][measures_folder(sentences)] == shards[1][measures_folder(sentences)]
    assert shards[1] == shards[2]
    separate = {folder: shards_of(store, key, {folder: held})[folder] for folder, held in made_with[1].items()}
    assert separate == shards[1]


def shards_of(store, key, folders) -> dict[str, list[bytes]]:
    """The shards that a store gets that has one embedding and nothing else."""
    with tempfile.TemporaryDirectory() as place:
        alone = Store(place)
        alone.embeddings.write(key, *store.embeddings.read(key))
        (result,) = featurize_batch(alone, [ToFeaturize(key, "e")], folders)
        assert result.status == "done"
        return {folder: list(rows_of(alone, folder).values()) for folder in folders}


def test_an_embedding_without_measures_fails_nobody(tmp_path):
    """One of a single direction, whose features another version of this program has let pass: nulls, and no failure."""
    embedding = np.outer(np.arange(1.0, 41.0), np.ones(8)).astype(np.float32)
    store = Store(tmp_path / "store")
    store.embeddings.write("a" * 64, embedding, {"sentences": "f"})
    (result,) = featurize_batch(store, [ToFeaturize("a" * 64, "e")], {"measures": MeasureMethod()})
    assert result.status == "done"
    row = store.features.read("measures", ["a" * 64]).to_pylist()[0]
    assert set(row) > {"key", "uniformity", "n"} and all(value is None for name, value in row.items() if name != "key")


def test_what_is_not_defined_is_null():
    line = np.linspace(1.0, 2.0, 20, dtype=np.float32)[:, None] * np.array([[1.0, -1.0] * 10]).T.astype(np.float32)
    found = measured_or_none(MeasureMethod(), Operators(np.hstack([line, np.ones_like(line)])))
    (row,) = measured_rows([("k", found)]).to_pylist()
    assert row["alignment"] is None and row["lidar"] is None and row["alpha_req"] is None
    assert row["n"] == 20 and row["pairs"] == 0 and np.isfinite(row["uniformity"])


def test_the_folder_says_all_that_changes_the_numbers():
    texts = ("a", "b", "c", "d")
    plain, grouped = SentenceSet("x", texts), SentenceSet("x", texts, {"group": [0, 0, 1, 1]})
    renamed, other = (
        SentenceSet("y", texts, {"group": ["p", "p", "q", "q"]}),
        SentenceSet("x", texts, {"group": [0, 1, 1, 0]}),
    )
    names = [measures_folder(one) for one in (plain, grouped, renamed, other, SentenceSet("x", texts[::-1]))]
    assert names[1] == names[2] and len(set(names)) == 4
    assert len({MeasureMethod(**how).name for how in ({}, {"sample": 64}, {"seed": 1}, {"pairs": ((0, 1),)})}) == 4


def test_measures_that_are_given_up_cost_no_encoder(copied):
    settings, store = copied
    plan = planned(settings, store)
    store.folder.remove_folder(f"features/{measures_folder(plan.sentences)}")
    keys = [measures_key(unit.key) for unit in plan.units]
    why = {"encoder": "e", "kind": "transient", "exception": "UnreadableArtefact", "message": "Permission denied"}
    again = planned(settings, store, given_up={key: Failure(key=key, **why) for key in keys})
    assert len(again.on_map) == len(plan.units) and not again.measured and not again.failures
    assert not again.to_featurize and not again.passes and not again.atlas_done
    assert write_atlas(store, reduction(settings, again)) and "uniformity" not in map_of(store)
    assert len(planned(settings, store).to_featurize) == len(plan.units)  # the next sweep tries them again


@pytest.mark.cluster
def test_an_unreadable_embedding_costs_its_measures_only(made, tmp_path, bound_by_rights):
    config = write_config(tmp_path, [HASHED], sentences={"source": "builtin", "limit": SENTENCES})
    shutil.copytree(made / "store", tmp_path / "store")
    store = Store(tmp_path / "store")
    plan = planned(load_config(config), store)
    store.folder.remove_folder(f"features/{measures_folder(plan.sentences)}")
    path = store.folder.path(store.embeddings.name(plan.units[1].key))
    path.chmod(0)
    code, told = sweep(config, bound_by_rights[0])
    assert code == 0 and len(map_of(store)) == 6, told
    assert map_of(store)["uniformity"].isna().sum() == 1 and "it has no measures of geometry" in told
    path.chmod(0o644)
    code, told = sweep(config, bound_by_rights[0])
    assert code == 0 and map_of(store)["uniformity"].notna().all(), told


@pytest.mark.cluster
def test_a_damaged_embedding_costs_its_measures_only(copied, tmp_path):
    """A sweep on Ray over an older store, one of whose embeddings is damaged."""
    settings, store = copied
    plan = planned(settings, store)
    store.folder.remove_folder(f"features/{measures_folder(plan.sentences)}")
    damaged = store.folder.path(store.embeddings.name(plan.units[0].key))
    damaged.write_bytes(damaged.read_bytes()[:-9])
    case = Case(tmp_path, [HASHED], {"cpus": 1}, sentences=SENTENCES)
    after = case.sweep()
    assert after.done and len(after.on_map) == len(plan.units) and len(after.measured) == len(plan.units) - 1
    assert "it has no measures of geometry" in case.said.getvalue()
    assert map_of(store)["uniformity"].notna().sum() == len(plan.units) - 1
